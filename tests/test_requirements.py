"""What a team requires, as numbers."""

from functools import partial
from typing import Any

import pytest

from edasim import PRESETS, compare, experiment, measure, simulate, sweep
from edasim.errors import InputError
from edasim.metrics.names import OF_THE_WHOLE
from edasim.precision import precise_comparison
from edasim.requirements import check_requirements, limit_of
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
    limits = [
        {"metric": "recovery_time", "at_most": "5min"},
        {"metric": "recovery_time", "at_most": "1min", "incident": "deploy"},
        {"metric": "recovery_time", "at_most": "2min", "consumer": "billing"},
    ]
    deploy = {"name": "deploy", "component": "source", "per_year": 1, "down": 1}
    scenario = Scenario(consumers=[{"name": "billing"}, {"name": "stock"}], incidents=[deploy], requirements=limits)
    assert limit_of(scenario, "recovery_time") == 300
    assert limit_of(scenario, "recovery_time", incident="deploy") == 60
    assert limit_of(scenario, "recovery_time", consumer="billing") == 120
    assert limit_of(scenario, "recovery_time", consumer="stock", incident="restart") == 300


@pytest.mark.parametrize(
    ("metric", "limit", "allowed"),
    [
        *(("storage_bytes", limit, "a size") for limit in ("much", True, [1], float("nan"), "x%", "", "2s", -1)),
        *(("loss_rate", limit, "a share") for limit in ("1s", "5GB", "x%", -0.1, 99.9, "101%")),
        *(("staleness_p99", limit, "a duration") for limit in ("0.5%", "5GB", "-1s")),
        *(("lost_per_year", limit, "a number of at least 0") for limit in ("10%", "10", -1, float("inf"))),
    ],
)
def test_a_limit_in_another_unit_or_in_none_is_refused_in_a_line(metric: str, limit: object, allowed: str) -> None:
    with pytest.raises(InputError, match=f"requirement on {metric}: .* is not allowed: must be {allowed}"):
        limit_of(asked({"metric": metric, "at_most": limit}), metric)


@pytest.mark.parametrize(
    ("required", "said"),
    [
        ({"metric": "lost_per_yaer", "at_most": 1}, "no metric has that name: did you mean lost_per_year"),
        ({"metric": "loss_rate"}, "must say at_most or at_least"),
        ({"metric": "loss_rate", "at_least": "some"}, "must be a share"),
    ],
)
def test_what_is_no_requirement_is_refused_in_a_line(required: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"requirement on {required['metric']}: .*{said}"):
        check_requirements(asked(required))


def test_it_is_refused_before_anything_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[object] = []
    monkeypatch.setattr(experiment, "look_at", lambda *of, **asked: runs.append(of))
    misspelt = asked({"metric": "lost_per_yaer", "at_most": 1})
    for start in (
        partial(compare, misspelt),
        partial(precise_comparison, misspelt, precision=0.5),
        partial(sweep, misspelt, {"network.loss": [0, 0.1]}),
    ):
        with pytest.raises(InputError, match="did you mean lost_per_year"):
            start(["cqrs"], jobs=1)
    assert runs == []


@pytest.mark.parametrize(
    ("required", "said"),
    [
        (
            {"metric": "loss_rate", "at_most": 0.1, "incident": "crash"},
            "it is not measured in an incident; of crash there is: lost",
        ),
        ({"metric": "storage_bytes", "at_most": "1GB", "consumer": "consumer"}, "it is of the system as a whole"),
        ({"metric": "cost_per_month", "at_most": 1}, "the scenario has no prices"),
    ],
)
def test_what_nothing_measures_is_refused_instead_of_being_no_trouble_to_anybody(required: dict[str, Any], said: str) -> None:
    crash = {"name": "crash", "component": "source", "per_year": 1, "down": 1}
    with pytest.raises(InputError, match=said):
        check_requirements(Scenario(incidents=[crash], requirements=[required]))


def test_the_same_limit_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"at most 0\.01 is required twice"):
        check_requirements(asked({"metric": "loss_rate", "at_most": "1%"}, {"metric": "loss_rate", "at_most": 0.01}))


def test_metrics_of_the_whole_are_those_that_no_consumer_has() -> None:
    arrivals = {"rate": 5}
    scenario = Scenario(duration=30, warmup=0, drain=30, workload={"reads": {"rate": 5}, "regions": 2, "arrivals": arrivals}, prices={})
    found = [value for pattern in PRESETS for value in measure(simulate(scenario, pattern)) if not value.component]
    whole = {value.metric for value in found if not value.consumer}
    assert whole <= OF_THE_WHOLE
    assert OF_THE_WHOLE - whole <= {"cost_per_month", "rebuild_missing_entities"}, "of a store that was archived, and with prices"
    assert not OF_THE_WHOLE & {value.metric for value in found if value.consumer}
