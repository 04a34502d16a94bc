"""Claims about incidents: each on its own, against a quiet twin, with what none of n shows."""

from typing import Any

import pytest
from tiny import quiet

from edasim import InputError, candidates_of
from edasim.experiment import Comparison
from edasim.incidents import incidents_at, strike, twins
from edasim.luck import Luck

OUTAGE = {"name": "restart", "component": "broker", "per_year": 2, "down": 10}


def happened(incident: dict[str, Any], replications: int = 10, **changes: Any) -> Comparison:
    arrivals = {"process": "renewal", "gap": 0.2}
    scenario = quiet(**{"incidents": [incident], "workload": {"arrivals": arrivals}, **changes})
    chosen = candidates_of(scenario, ["event_carried_state_transfer"])
    return incidents_at(chosen, scenario.incidents, scenario, seed=1, replications=replications, jobs=1)


def row(found: Comparison, metric: str, incident: str = "restart") -> Any:
    rows = found.results
    mine = rows[(rows["metric"] == metric) & (rows["incident"] == incident) & (rows["consumer"] == "billing")]
    assert len(mine) == 1, mine
    return mine.iloc[0]


def test_an_outage_without_retries_loses_what_commits_in_it() -> None:
    found = happened(OUTAGE, source={"producer": {"retries": 0}})
    assert row(found, "lost_per_incident")["mean"] == pytest.approx(50, abs=1)
    assert row(found, "lost_per_year")["mean"] == 2 * row(found, "lost_per_incident")["mean"]
    assert row(found, "lost_per_year", "")["mean"] == row(found, "lost_per_year")["mean"]


def test_a_retry_that_bridges_the_outage_loses_none_up_to_three_in_n() -> None:
    found = row(happened(OUTAGE, source={"producer": {"retries": 100}}), "lost_per_year")
    assert (found["mean"], found["low"]) == (0, 0)
    assert found["high"] == pytest.approx(2 * 0.29957, rel=1e-3)


def test_background_loss_is_not_blamed_on_the_incident() -> None:
    never = {"name": "restart", "component": "billing", "per_year": 2, "down": 10}
    found = happened(never, network={"loss": 0.2}, source={"producer": {"retries": 0}})
    assert row(found, "lost_per_incident")["mean"] == 0


def test_a_consumer_that_pauses_recovers_as_fast_as_it_works_off_what_came() -> None:
    paused = {"name": "restart", "component": "billing", "per_year": 1, "down": 10}
    found = happened(paused, replications=3, consumers=[{"name": "billing", "instances": 1, "handle_time": 0.1, "commit": {"messages": 1}}])
    assert row(found, "recovery_time")["mean"] == pytest.approx(10, abs=1)  # 50 waiting, 10 a second handled, 5 a second come
    assert row(found, "backlog_max")["mean"] == pytest.approx(50, abs=2)


def test_what_never_recovers_has_no_recovery_time() -> None:
    overloaded = [{"name": "billing", "instances": 1, "handle_time": 0.25}]
    found = happened({**OUTAGE, "component": "billing"}, replications=1, consumers=overloaded)
    assert "recovery_time" not in set(found.results["metric"])


def test_a_rolling_deploy_strikes_each_instance_once_in_turn() -> None:
    consumers = [{"name": "billing", "instances": 2, "handle_time": 0}]
    scenario = quiet(incidents=[{**OUTAGE, "component": "billing", "kind": "rolling"}], consumers=consumers)
    candidate = candidates_of(scenario, ["event_carried_state_transfer"])[0]
    faults = twins(candidate, Luck(1, 0), scenario.incidents[0])[0].frame("faults")
    assert len(faults) == 2
    assert faults["start"].max() == pytest.approx(faults["end"].min())


def test_an_incident_strikes_all_options_at_the_same_moment() -> None:
    scenario = quiet(incidents=[OUTAGE])
    assert strike(scenario.incidents[0], scenario, Luck(1, 0)) == strike(scenario.incidents[0], scenario, Luck(1, 0))
    assert strike(scenario.incidents[0], scenario, Luck(1, 0)) != strike(scenario.incidents[0], scenario, Luck(1, 1))


@pytest.mark.parametrize(("wrong", "said"), [({"component": "brokr"}, "broker"), ({"component": "billing", "kind": "power"}, "power")])
def test_an_incident_that_makes_no_sense_is_refused(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        quiet(incidents=[{**OUTAGE, **wrong}])


def test_nothing_happens_to_an_option_without_the_component() -> None:
    scenario = quiet(incidents=[OUTAGE])
    found = incidents_at(candidates_of(scenario, ["request_response"]), scenario.incidents, scenario, seed=1, replications=2, jobs=1)
    lost = row(found, "lost_per_year")
    assert (lost["mean"], lost["low"], lost["high"]) == (0, 0, 0)
