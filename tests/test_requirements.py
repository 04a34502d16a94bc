"""What a team requires, as numbers."""

from typing import Any

import pytest

from edasim.errors import InputError
from edasim.requirements import limit_of
from edasim.scenario import Scenario


def asked(*requirements: dict[str, Any]) -> Scenario:
    return Scenario(requirements=list(requirements))


def test_of_several_limits_the_strictest_counts_and_other_metrics_do_not() -> None:
    scenario = asked(
        {"metric": "storage_bytes", "at_most": "500GB"},
        {"metric": "storage_bytes", "at_most": "2TB"},
        {"metric": "loss_rate", "at_most": 0},
    )
    assert limit_of(scenario, "storage_bytes") == 500e9
    assert limit_of(asked(), "storage_bytes") is None


def test_a_limit_for_one_consumer_or_incident_binds_nobody_else() -> None:
    scenario = asked(
        {"metric": "recovery_time", "at_most": "5min"},
        {"metric": "recovery_time", "at_most": "1min", "incident": "deploy"},
        {"metric": "recovery_time", "at_most": "2min", "consumer": "billing"},
    )
    assert limit_of(scenario, "recovery_time") == 300
    assert limit_of(scenario, "recovery_time", incident="deploy") == 60
    assert limit_of(scenario, "recovery_time", consumer="billing") == 120
    assert limit_of(scenario, "recovery_time", consumer="stock", incident="restart") == 300


@pytest.mark.parametrize("limit", ["much", True, [1], float("nan"), "x%", ""])
def test_what_is_no_limit_is_refused_in_a_line(limit: object) -> None:
    with pytest.raises(InputError, match=r"requirement on storage_bytes: .* is not allowed: must be a number, or one with a unit"):
        limit_of(asked({"metric": "storage_bytes", "at_most": limit}), "storage_bytes")
