"""Sweeps over one input, and whatever else is looked at over replications: one loop, one luck."""

from functools import partial

import pytest
from tiny import quiet

from edasim import PRESETS, InputError, Journal, candidates_of, compare, measure, paired_comparison, simulate, sweeps
from edasim.runs import over_replications
from edasim.sweeps import by_default, sweep

BUSY = {"workload": {"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 5}}, "duration": 20}
TWO = ["cqrs", "polling"]


def changes_of(journal: Journal, *, times: int = 1) -> int:
    """How many changes there were, so many *times*."""
    return times * journal.changes["time"].size


# Over replications


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_option_of_every_replication_is_looked_at_in_order(jobs: int) -> None:
    found = over_replications(candidates_of(quiet(**BUSY), TWO), partial(changes_of, times=2), seed=7, replications=3, jobs=jobs)
    assert list(found) == TWO
    for option in TWO:
        assert found[option] == [2 * changes_of(simulate(quiet(**BUSY), option, seed=7, replication=number)) for number in range(3)]


def test_options_of_a_replication_share_its_luck_and_replications_do_not() -> None:
    found = over_replications(candidates_of(quiet(**BUSY), TWO), changes_of, seed=7, replications=3, jobs=1)
    assert found["cqrs"] == found["polling"]
    assert len(set(found["cqrs"])) == 3


def test_a_comparison_is_what_measure_sees_over_replications() -> None:
    scenario = quiet(**BUSY)
    comparison = paired_comparison(scenario, TWO, replications=2, jobs=1)
    seen = over_replications(candidates_of(scenario, TWO), measure, seed=scenario.seed, replications=2, jobs=1)
    for option in TWO:
        for replication, values in enumerate(seen[option]):
            for value in values:
                assert comparison.values[option, value.consumer, value.incident, value.metric, value.component][replication] == value
    assert sum(map(len, comparison.values.values())) == sum(len(values) for runs in seen.values() for values in runs)


@pytest.mark.parametrize(("asked", "why"), [({"replications": 0}, "replications: 0"), ({"jobs": 0}, "jobs: 0"), ({"jobs": -2}, "jobs: -2")])
def test_impossible_numbers_of_replications_and_jobs_are_refused(asked: dict[str, int], why: str) -> None:
    with pytest.raises(InputError, match=why):
        over_replications(candidates_of(quiet(), TWO), changes_of, seed=1, **asked)


# A sweep


def test_a_sweep_is_a_comparison_for_each_value() -> None:
    scenario = quiet(**BUSY)
    swept = sweep(scenario, {"source.servers": [1, 2]}, TWO, replications=2, jobs=1)
    for servers in (1, 2):
        alone = compare(scenario.with_overrides({"source.servers": servers}), TWO, replications=2, jobs=1)
        rows = swept[swept["source.servers"] == servers].drop(columns="source.servers").reset_index(drop=True)
        assert rows.equals(alone)


def test_values_share_their_luck_and_may_be_anything_that_a_scenario_takes() -> None:
    outages = [None, {"windows": [[2, 3]]}]
    swept = sweep(quiet(**BUSY), {"broker.outages": outages}, ["cqrs"], replications=2, jobs=1)
    served = swept[(swept["metric"] == "source_requests_per_s") & (swept["component"] == "")]
    assert served["broker.outages"].tolist() == outages
    assert served["mean"].nunique() == 1, "the broker's outage changes nothing at the source, whose luck is the same"


def test_an_option_that_sets_the_path_keeps_its_own_value() -> None:
    options = [{"name": "small", "pattern": "cqrs"}, {"name": "big", "pattern": "cqrs", "set": {"source.servers": 10}}]
    scenario = quiet(**BUSY, source={"write_time": "10ms"}, options=options)
    swept = sweep(scenario, {"source.servers": [1, 2]}, replications=1, jobs=1)
    busy = swept[swept["metric"] == "source_utilisation"].pivot_table("mean", "option", "source.servers")
    assert busy.loc["small", 1] == pytest.approx(2 * busy.loc["small", 2])
    assert busy.loc["big", 1] == busy.loc["big", 2]


@pytest.mark.parametrize(("values", "why"), [([], "at least one value"), ([1, 0], "source.servers")])
def test_what_can_not_be_swept_is_refused_before_anything_is_simulated(
    values: list[int], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "comparisons_at", lambda *_, **__: pytest.fail("simulated"))
    with pytest.raises(InputError, match=why):
        sweep(quiet(), {"source.servers": values}, ["cqrs"])


def test_by_default_a_figure_has_five_options_at_most() -> None:
    many = quiet(options=[{"name": f"option {number}", "pattern": "cqrs"} for number in range(7)])
    assert by_default(many, list(PRESETS), None, None) == (None, [f"option {number}" for number in range(5)])
    assert by_default(quiet(), ["cqrs"], None, None) == (["cqrs"], None)
    assert by_default(many, ["cqrs"], ["polling"], None) == (["polling"], None)
