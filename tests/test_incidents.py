"""Claims about incidents: each on its own, against a quiet twin, with what none of n shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, chi2
from tiny import quiet

from edasim import InputError, Journal, Value, candidates_of, compare, one_screen, paired_comparison, sweep
from edasim.comparison import Comparison
from edasim.incident_effects import total
from edasim.incidents import affected, incidents_at, strike, struck_for, twins
from edasim.intervals import difference, over_replications
from edasim.luck import Luck
from edasim.precision import precise_comparison
from edasim.statistics import interval
from edasim.summary import as_text
from edasim.units import YEAR_S

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


def test_what_never_recovers_counts_for_as_long_as_it_was_looked_at_and_says_so() -> None:
    overloaded = [{"name": "billing", "instances": 1, "handle_time": 0.25}]
    found = happened({**OUTAGE, "component": "billing"}, replications=1, consumers=overloaded)
    when = strike(found.scenario.incidents[0], found.scenario, Luck(1, 0))
    assert row(found, "recovery_time")["mean"] == pytest.approx(960 - when.end), "a lower bound"
    assert row(found, "unrecovered_rate")["mean"] == 1
    assert row(happened(OUTAGE, replications=1), "unrecovered_rate")["mean"] == 0
    assert "at least" in as_text(found)
    assert "100 % have not" in as_text(found)


def test_a_power_loss_takes_what_was_stored_since_the_last_sync() -> None:
    late: dict[str, Any] = {
        "broker": {"fsync_interval": 10},
        "network": {"latency": {"deliver": 30}},
        "source": {"producer": {"retries": 100}},
    }
    found = happened({**OUTAGE, "kind": "power", "down": 1}, replications=3, **late)
    lost = found.values["event_carried_state_transfer", "billing", "restart", "lost_per_incident", ""]
    for number, value in lost.items():
        since = strike(found.scenario.incidents[0], found.scenario, Luck(1, number)).start % 10
        assert value.value == pytest.approx(5 * since, abs=1), "nobody had begun to handle any of them: they are 30 s on their way"
    killed = happened({**OUTAGE, "down": 1}, replications=2, **late)
    assert row(killed, "lost_per_incident")["mean"] == 0, "what was stored is on disk though not synced"


def test_a_source_that_dies_loses_what_it_had_not_sent() -> None:
    hoards: dict[str, Any] = {"source": {"producer": {"batch": 10_000, "linger": "1h"}}}
    found = happened({**OUTAGE, "component": "source"}, **hoards)
    for number, value in found.values["event_carried_state_transfer", "billing", "restart", "lost_per_incident", ""].items():
        assert value.value == pytest.approx(5 * strike(found.scenario.incidents[0], found.scenario, Luck(1, number)).start, abs=1)


def test_a_relay_that_dies_loses_nothing_and_catches_up() -> None:
    found = happened({**OUTAGE, "component": "relay"}, replications=3, source={"publish": "outbox", "relay": {"poll": 0.1}})
    assert row(found, "lost_per_incident")["mean"] == 0
    assert row(found, "recovery_time")["mean"] < 1, "all that waits fits into one batch"
    until_changed = (1 - np.exp(-5)) / 5  # each of ten entities changes every 2 s: this share of 10 s it is fresh until its first change
    assert row(found, "stale_fraction")["mean"] == pytest.approx(1 - until_changed, abs=0.05)


def test_an_outage_leaves_those_copies_wrong_whose_last_change_was_lost() -> None:
    once: dict[str, Any] = {"workload": {"arrivals": {"process": "renewal", "gap": 0.2}, "entities": {"count": 1, "new_share": 0.999}}}
    found = happened(OUTAGE, source={"producer": {"retries": 0}}, **once)
    assert row(found, "diverged_entities")["mean"] == pytest.approx(row(found, "lost_per_incident")["mean"], abs=1)


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


# Luck


MIXED = {"dist": "mixture", "of": [{"dist": "exponential", "mean": 0.2}, {"dist": "uniform", "low": 0, "high": 1}], "weights": [3, 1]}


@pytest.mark.parametrize(
    "arrivals",
    [
        {"process": "poisson", "rate": 3, "batch": 2},
        {"process": "renewal", "gap": MIXED},
        {"process": "bursty", "rate_low": 1, "rate_high": 10, "mean_low": 20, "mean_high": 20},
        {"process": "daily", "rate": 3, "peak_to_mean": 2, "period": 100},
    ],
    ids=lambda arrivals: str(arrivals["process"]),
)
def test_a_longer_run_is_the_same_run_continued(arrivals: dict[str, Any]) -> None:
    scenario = quiet(
        incidents=[OUTAGE],
        drain=0,
        workload={"arrivals": arrivals, "entities": {"count": 100, "new_share": 0.2, "active_for": {"dist": "exponential", "mean": 50}}},
        network={
            "latency": {"publish": MIXED, "deliver": MIXED, "call": MIXED},
            "loss": {"model": "gilbert_elliott", "p": 0.1, "r": 0.5, "loss_bad": 0.5},
        },
        consumers=[{"name": "billing", "instances": 2, "handle_time": MIXED, "failure_rate": 0.1}],
    ).with_overrides({"workload.reads": {"per_change": 2}})
    candidate = candidates_of(scenario, ["event_notification"])[0]
    short, long = (struck_for(length, candidate, Luck(1, 0), scenario.incidents[0]) for length in (120, 240))
    end = short.facts["window"][1]
    known = {
        "changes": ("committed", "entity", "version"),
        "deliveries": ("applied", "change", "stored"),
        "refreshes": ("time", "entity", "version"),
    }
    for table, columns in {**known, "reads": ("time", "entity", "version_seen")}.items():
        for name in columns:
            first, second = (happened_before(journal, table, columns[0], name, end) for journal in (short, long))
            assert first.size > 10
            assert np.array_equal(first, second), (table, name)


def happened_before(journal: Journal, table: str, time: str, name: str, end: int) -> Any:
    """A column of those rows whose *time* is before the *end*."""
    times = getattr(journal, table)[time]
    return getattr(journal, table)[name][(times >= 0) & (times < end)]


# Intervals


def counts(numbers: Sequence[float], weight: float = 1.0) -> list[Value]:
    return [Value("lost_per_year", weight * number, "messages", nature="count", level=weight) for number in numbers]


def test_few_losses_have_at_least_the_exact_interval_of_a_poisson_count() -> None:
    found = over_replications(counts([1] * 5, 12))
    assert (found.low, found.high) == pytest.approx((12 * chi2.ppf(0.025, 10) / 10, 12 * chi2.ppf(0.975, 12) / 10))
    assert over_replications(counts([0] * 9 + [20])).low == 0, "Student's t alone would go below"


def test_counts_that_came_out_the_same_may_differ_by_what_was_never_seen() -> None:
    never = difference(counts([0] * 10, 12), counts([0] * 10, 12))
    assert (never.low, never.mean, never.high) == pytest.approx((-12 * 0.29957, 0, 12 * 0.29957), rel=1e-3)
    assert difference(counts([1] * 3), counts([0] * 3)).low < 0
    assert difference(counts([20] * 10), counts([0] * 10)).low > 0


def test_fewer_than_the_quiet_twin_is_less_than_nothing() -> None:
    found = over_replications(counts([-2, 0, 0, 0]))
    assert found.low < found.mean == -0.5
    assert found.low == interval([-2, 0, 0, 0]).low, "wider than that of a count of two"


@pytest.mark.parametrize("means", [(0.0, 0.0, 5.0), (0.02, 0.5, 2.0), (0.1, 3.0, 50.0), (1.0, 0.0, 0.0)])
def test_the_interval_of_a_years_total_covers_it(means: tuple[float, ...]) -> None:
    weights, rng, runs, replications = (100.0, 12.0, 1.0), np.random.default_rng(8), 1000, 10
    truth, covered = float(np.dot(weights, means)), 0
    for _ in range(runs):
        seen = rng.poisson(means, (replications, 3))
        found = over_replications([total([counts([n], weight)[0] for n, weight in zip(each, weights, strict=True)]) for each in seen])
        covered += found.low <= truth <= found.high
    assert covered >= binom.ppf(0.0005, runs, 0.95), "conservative, because exact intervals of counts are"


# Beside the rest of a comparison


def both() -> Any:
    scenario = quiet(incidents=[OUTAGE], duration=20, workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 1}})
    return scenario, ["event_carried_state_transfer", "request_response"]


def test_a_comparison_has_the_incidents_of_its_scenario_beside_the_rest() -> None:
    scenario, patterns = both()
    found = paired_comparison(scenario, patterns, replications=2, jobs=1)
    alone = compare(scenario, patterns, replications=2, jobs=1, incidents=False)
    ordinary = found.results["incident"].eq("") & ~found.results["metric"].str.endswith("_per_year")
    assert found.results[ordinary].reset_index(drop=True).equals(alone)
    assert set(found.results["incident"]) == {"", "restart"}
    assert {"lost_per_year"} <= set(found.differences[found.differences["incident"] == "restart"]["metric"])
    assert one_screen(found.results).equals(one_screen(alone)), "the table is of the window, not of an incident"
    assert "request_response: lost 0 a year" in as_text(found)
    swept = sweep(scenario, {"source.servers": [1]}, patterns, replications=2, jobs=1)
    assert set(swept["incident"]) == {""}, "a sweep doesn't simulate them at every point"


def test_more_replications_are_more_incidents() -> None:
    scenario, patterns = both()
    found, reached = precise_comparison(scenario, patterns, precision=0.5, metrics=["lost_per_year"], budget=11, jobs=1)
    rows = found.results[found.results["metric"] == "lost_per_year"]
    assert set(rows["replications"]) == {reached.replications}


def test_an_option_that_is_not_struck_is_looked_at_for_as_long_as_the_incident_lasts() -> None:
    scenario = quiet(incidents=[OUTAGE])
    candidate = candidates_of(scenario, ["polling"])[0]
    hit, _ = twins(candidate, Luck(1, 0), scenario.incidents[0])
    begin, end = affected(hit, 50.0, 60.0)
    assert (begin, end) == (50 * 10**9, 60 * 10**9)


# Held against a long run in which they come as they like


def of_long_runs(scenario: Any, component: str, pattern: str, seconds: float, per_s: float, replications: int) -> None:
    """Losses a second of long runs with random outages equal their rate times what one loses on its own."""
    place = "broker.outages" if component == "broker" else f"consumers.{component}.outages"
    down, up = {"dist": "uniform", "low": 7, "high": 13}, {"dist": "uniform", "low": 60, "high": 160}
    incident = {"name": "outage", "component": component, "per_year": 1, "down": down}
    alone = incidents_at(
        candidates_of(scenario, [pattern]), quiet(incidents=[incident]).incidents, scenario, seed=1, replications=replications, jobs=2
    )
    lost = np.array([value.value for value in alone.values[pattern, "billing", "outage", "lost_per_incident", ""].values()])
    random = scenario.with_overrides({place: {"up": up, "down": down}, "warmup": 500, "duration": seconds})
    ran = paired_comparison(random, [pattern], replications=10, jobs=2).values[pattern, "billing", "", "loss_rate", ""].values()
    per_second = np.array([value.value * value.trials / seconds for value in ran])
    expected, spread = lost.mean() / (110 + 10), lost.std(ddof=1) / np.sqrt(lost.size) / (110 + 10)
    error = np.hypot(spread, per_second.std(ddof=1) / np.sqrt(per_second.size))
    assert expected > 0
    assert error <= per_s * expected / 3
    assert abs(per_second.mean() - expected) <= 3.5 * error


@pytest.mark.slow
def test_random_outages_of_the_broker_lose_as_much_as_the_incident_says() -> None:
    scenario = quiet(
        workload={"arrivals": {"process": "poisson", "rate": 3}},
        source={"producer": {"retries": 2, "ack_timeout": 1, "backoff": 1}},
        consumers=[{"name": "billing", "instances": 1, "handle_time": {"dist": "exponential", "mean": 0.1}}],
    )
    of_long_runs(scenario, "broker", "event_carried_state_transfer", 12_000, 0.1, 400)


@pytest.mark.slow
def test_random_outages_of_a_subscriber_lose_as_much_as_the_incident_says() -> None:
    scenario = quiet(
        broker={"kind": "pubsub"},
        workload={"arrivals": {"process": "poisson", "rate": 3}},
        consumers=[{"name": "billing", "instances": 1, "handle_time": {"dist": "exponential", "mean": 0.2}}],
    )
    of_long_runs(scenario, "billing", "event_carried_state_transfer", 12_000, 0.1, 400)


# Reads that are not answered


def test_a_source_that_is_down_an_hour_a_day_answers_so_many_calls_of_a_year() -> None:
    nightly = {"name": "nightly", "component": "source", "per_year": 365, "down": "1h"}
    asked = [{"metric": "read_availability", "at_least": "99.9%"}]
    workload = {"arrivals": {"rate": 0.1}, "reads": {"rate": 2}}
    scenario = quiet(duration="60s", workload=workload, incidents=[nightly], requirements=asked)
    found = paired_comparison(scenario, ["request_response", "event_carried_state_transfer"], replications=4, jobs=1)
    rows = found.results[(found.results["metric"] == "read_availability") & (found.results["incident"] == "nightly")].set_index("option")
    truth = 1 - 365 * 3600 / YEAR_S
    called = rows.loc["request_response"]
    assert called["low"] <= truth <= called["high"]
    assert called["high"] - called["low"] < 0.01
    assert rows.loc["event_carried_state_transfer", ["low", "mean", "high"]].tolist() == [1, 1, 1]
    assert dict(zip(found.verdicts["option"], found.verdicts["verdict"], strict=True))["request_response"] == "violated"
