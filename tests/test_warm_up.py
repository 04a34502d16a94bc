"""Warm-up: a queue that starts empty takes time to fill, what has no transient is not cut, what is too short is refused."""

import numpy as np
from tiny import quiet

from edasim import Scenario, simulate
from edasim.studies.warm_up import averaged, is_warm_up_enough, warm_ups

QUEUE = {"name": "billing", "instances": 1, "handle_time": {"dist": "exponential", "mean": "10ms"}}


def queue(rate: float, duration: float, **changes: object) -> Scenario:
    """One server with Poisson arrivals and exponential service, from an empty start."""
    arrivals = {"process": "poisson", "rate": rate}
    return quiet(duration=duration, drain=30, consumers=[QUEUE], broker={"partitions": 1}, workload={"arrivals": arrivals}, **changes)


def test_the_course_is_the_mean_by_change_over_replications() -> None:
    scenario = queue(50, 5)
    [course] = warm_ups(scenario, ["event_carried_state_transfer"], replications=3, jobs=1)
    waits = []
    for replication in range(3):
        table = simulate(scenario, "event_carried_state_transfer", replication=replication).frame("deliveries")
        waits.append(table["applied"] - table["change"].map(simulate_committed(scenario, replication)))
    shortest = min(len(wait) for wait in waits)
    assert np.allclose(course.values, np.mean([wait.to_numpy()[:shortest] for wait in waits], axis=0), atol=1e-6)


def simulate_committed(scenario: Scenario, replication: int) -> dict[int, float]:
    changes = simulate(scenario, "event_carried_state_transfer", replication=replication).frame("changes")
    return dict(enumerate(changes["committed"]))


def test_a_queue_under_load_settles_late_and_the_warm_up_is_held_against_it() -> None:
    scenario = queue(80, 60)
    courses = warm_ups(scenario, ["event_carried_state_transfer"], replications=10, jobs=1)
    assert courses[0].cut
    assert 0 < courses[0].cut < 30
    assert "the warm-up of 0 is too short" in is_warm_up_enough(scenario, courses)
    assert "is enough" in is_warm_up_enough(queue(80, 60, warmup=30), courses)


def test_what_grows_for_ever_is_refused() -> None:
    scenario = queue(150, 5)
    courses = warm_ups(scenario, ["event_carried_state_transfer"], replications=2, jobs=1)
    assert courses[0].cut is None
    assert "`event_carried_state_transfer` (latency): refused: " in is_warm_up_enough(scenario, courses)
    assert "run longer (`duration`, now 5 s)" in is_warm_up_enough(scenario, courses)


def test_what_has_no_transient_is_not_cut() -> None:
    values = np.ones(100)
    assert averaged("a", "cqrs", [("latency", np.arange(100.0), values)]).cut == 0
    rounded = 0.004 + 1e-17 * np.arange(100)
    assert averaged("a", "request_response", [("read latency", np.arange(100.0), rounded)]).cut == 0
    [course] = warm_ups(queue(50, 20), ["request_response"], replications=2, jobs=1)
    assert (course.metric, course.cut) == ("stale", 0)
