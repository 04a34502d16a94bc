"""Closed forms: held against known values, and the simulation against them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import played, quiet

from edasim import InputError, Scenario, candidates_of, measure, simulate
from edasim.findings import direct_option, hand_check
from edasim.theory import doomed_windows, last_writer_loses, lost_in_broker_outages, mm1_mean_time

OUTAGE = {"broker": {"outages": {"windows": [[40, 50]]}}}


@pytest.mark.parametrize(("arrivals", "service", "expected"), [(0, 10, 0.1), (5, 10, 0.2), (9.9, 10, 10)])
def test_time_in_an_mm1_queue_grows_without_bound_near_saturation(arrivals: float, service: float, expected: float) -> None:
    assert mm1_mean_time(arrivals, service) == pytest.approx(expected)


@pytest.mark.parametrize("arrivals", [10, 11, -1])
def test_an_mm1_queue_without_a_steady_state_is_refused(arrivals: float) -> None:
    with pytest.raises(InputError, match="arrival_rate"):
        mm1_mean_time(arrivals, 10)


def test_retries_shorten_the_doomed_part_of_an_outage_and_can_outlast_it() -> None:
    def doomed(**producer: object) -> list[tuple[float, float]]:
        return doomed_windows(quiet(**OUTAGE, source={"producer": {"ack_timeout": 1, "backoff": 1, **producer}}))

    assert doomed(retries=0) == [(40, 50)]
    assert doomed(retries=3) == [(40, 44)]
    assert doomed(retries=5) == []
    assert doomed(retries=3, acks=0) == [(40, 50)]  # nobody waits for an acknowledgement, so nobody retries


def test_only_what_commits_inside_the_measured_window_counts() -> None:
    scenario = quiet(**OUTAGE, warmup=45, duration=10, source={"producer": {"retries": 0}})
    assert lost_in_broker_outages(scenario, rate=2) == 10
    assert lost_in_broker_outages(scenario, committed=[44, 46, 49, 51]) == 2


def test_what_the_formula_cannot_know_is_refused() -> None:
    with pytest.raises(InputError, match=r"broker\.outages"):
        lost_in_broker_outages(quiet(), rate=1)
    with pytest.raises(InputError, match=r"broker\.outages"):
        lost_in_broker_outages(quiet(broker={"outages": {"up": 10, "down": 1}}), rate=1)
    for given in ({}, {"rate": 1.0, "committed": [1.0]}):
        with pytest.raises(InputError, match="either rate or committed"):
            lost_in_broker_outages(quiet(**OUTAGE), **given)


@pytest.mark.parametrize("retries", [0, 1, 4, 20])
def test_the_simulation_loses_exactly_what_the_formula_says(retries: int, tmp_path: Path) -> None:
    times = np.arange(30, 60, 0.25).tolist()
    producer = {"retries": retries, "ack_timeout": 1, "backoff": 0.5}
    journal = played(tmp_path, times, source={"producer": producer}, **OUTAGE)
    scenario = quiet(**OUTAGE, source={"producer": producer})
    lost = (journal.frame("deliveries")["outcome"] == "lost_broker").sum()
    assert lost == lost_in_broker_outages(scenario, committed=times)


def test_on_average_the_simulation_loses_what_the_mean_rate_says() -> None:
    scenario = quiet(**OUTAGE, workload={"arrivals": {"process": "poisson", "rate": 20}}, source={"producer": {"retries": 2}})
    runs = [simulate(scenario, "event_notification", replication=number) for number in range(30)]
    lost = [(run.frame("deliveries")["outcome"] == "lost_broker").sum() for run in runs]
    expected = lost_in_broker_outages(scenario, rate=20)
    error, deviation = np.mean(lost) - expected, np.std(lost, ddof=1) / np.sqrt(len(lost))
    assert deviation <= 0.05 * expected / 3
    assert abs(error) <= 3.5 * deviation


def test_the_hand_check_is_made_on_the_option_that_it_is_about() -> None:
    scenario = quiet(**OUTAGE, workload={"arrivals": {"process": "poisson", "rate": 20}})
    candidates = candidates_of(scenario, ["polling", "event_sourcing_cqrs", "cqrs"])
    chosen = direct_option(candidates)
    assert chosen is not None
    assert chosen.name == "cqrs"
    said = hand_check(candidates, {"cqrs": simulate(scenario, "cqrs")})
    assert "the changes that committed in those seconds" in said
    assert said.count("| agrees:") == 2


@pytest.mark.parametrize("scenario", [quiet(), quiet(**OUTAGE, source={"publish": "outbox"})])
def test_where_the_formula_does_not_apply_the_hand_check_says_so(scenario: Scenario) -> None:
    candidates = candidates_of(scenario, ["cqrs"])
    assert direct_option(candidates) is None
    assert "nothing to be held against" in hand_check(candidates, {})
    assert direct_option([replace(candidate, scenario=quiet(**OUTAGE)) for candidate in candidates])


def test_writes_lost_to_the_last_writer_agree_with_the_closed_form_over_all_entities() -> None:
    shares, delay = [0.6, 0.3, 0.1], 0.2
    scenario = Scenario(
        duration=200,
        warmup=5,
        drain=5,
        workload={
            "arrivals": {"rate": 60},
            "entities": {"count": 50, "skew": 1.2},
            "reads": {"rate": 0},
            "regions": {"shares": shares},
        },
        source={"write_time": 0},
        network={"latency": {"publish": delay, "deliver": 0, "call": 0}},
        consumers=[{"handle_time": 0}],
    )
    by_hand = last_writer_loses(60, shares, np.arange(1, 51) ** -1.2, delay)
    found = [
        next(v.value for v in measure(simulate(scenario, "event_carried_state_transfer", replication=r)) if v.metric == "lost_update_rate")
        for r in range(20)
    ]
    error = float(np.std(found, ddof=1)) / len(found) ** 0.5
    assert error <= 0.02 * by_hand / 3
    assert abs(np.mean(found) - by_hand) <= 3.5 * error
