"""The intervals hold what they promise: on queues whose truth is known, by real replications of the real model; and luck is well shared.

`coverage` is the harness that judges the rows COV and LAW of the oracles, too: there it must find bad coverage (tests/test_oracles.py).
"""

from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from tiny import quiet

from edasim import Comparison, Journal, Scenario, Value, paired_comparison, simulate
from edasim.candidates import candidates_of
from edasim.intervals import difference
from edasim.metrics import measure
from edasim.metrics.delivery import delivery
from edasim.runs import over_replications
from edasim.statistics import interval
from edasim.theory import mm1_mean_time
from edasim.validation.output_analysis import coverage

EXPERIMENTS, REPLICATIONS = 1000, 5
ACCEPTED = (0.927, 0.973)  # 3.3 standard errors of 1,000 experiments around 0.95
Floats = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def mean_latency(journal: Journal) -> float:
    return next(value.value for value in delivery(journal) if value.metric == "latency_mean")


def mm1_means(duration: int, warmup: int, **handle_times: float) -> dict[str, Floats]:
    """Mean sojourns of M/M/1 with one change a second, from empty; by mean service, of shape (experiments, replications).

    The interval of a skewed mean covers less often than 95 %. How often depends on all changes of an experiment together: 2,500 at a
    utilisation of 0.5 and 15,000 at 0.8 cost one point in a hundred (Lindley's recursion, 40,000 runs). Of two queues almost as busy
    shared luck takes away what they have in common, which leaves the difference more skewed than either mean.
    """
    consumer = {"name": "server", "instances": 1, "handover_time": 0}
    options = [
        {
            "name": name,
            "pattern": "event_carried_state_transfer",
            "set": {"consumers.server.handle_time": {"dist": "exponential", "mean": mean}},
        }
        for name, mean in handle_times.items()
    ]
    scenario = quiet(
        warmup=warmup,
        duration=duration,
        drain=1000,
        options=options,
        consumers=[consumer],
        broker={"partitions": 1},
        workload={"arrivals": {"rate": 1}},
    )
    found = over_replications(candidates_of(scenario), mean_latency, seed=21, replications=EXPERIMENTS * REPLICATIONS, jobs=2)
    return {name: np.reshape(means, (EXPERIMENTS, REPLICATIONS)) for name, means in found.items()}


half_busy = cache(partial(mm1_means, duration=500, warmup=30, idle=0.1, half=0.5))
busy = cache(partial(mm1_means, duration=3000, warmup=100, busy=0.8))


def half_width(experiments: Floats) -> float:
    return float(np.mean([found.high - found.mean for found in map(interval, experiments)]))


@pytest.mark.slow
@pytest.mark.parametrize(("option", "service"), [("half", 0.5), ("busy", 0.8)])
def test_our_95_percent_intervals_cover_the_mean_of_a_queue_as_often_as_they_say(option: str, service: float) -> None:
    means, truth = (busy() if option == "busy" else half_busy())[option], mm1_mean_time(1, 1 / service)
    assert abs(means.mean() - truth) < half_width(means) / 10, "so long a warm-up that what is left of the start is nothing beside chance"
    assert ACCEPTED[0] <= coverage(means, truth) <= ACCEPTED[1]


@pytest.mark.slow
def test_paired_intervals_cover_the_difference_of_two_queues_on_shared_luck() -> None:
    mine, theirs = ([[Value("latency_mean", mean, "s") for mean in row] for row in half_busy()[name]] for name in ("half", "idle"))
    truth = mm1_mean_time(1, 1 / 0.5) - mm1_mean_time(1, 1 / 0.1)
    found = [difference(*pair) for pair in zip(mine, theirs, strict=True)]
    assert ACCEPTED[0] <= np.mean([each.low <= truth <= each.high for each in found]) <= ACCEPTED[1]


@pytest.mark.slow
def test_replications_know_nothing_of_each_other() -> None:
    for means in (half_busy()["half"].ravel(), half_busy()["idle"].ravel()):
        for apart in (1, 2, REPLICATIONS):
            assert abs(np.corrcoef(means[:-apart], means[apart:])[0, 1]) < 3.5 / means.size**0.5


def test_the_harness_notices_intervals_that_do_not_cover() -> None:
    rng = np.random.default_rng(22)
    steps = rng.standard_normal((EXPERIMENTS, 400))
    assert ACCEPTED[0] <= coverage(steps, truth=0) <= ACCEPTED[1]
    assert coverage(steps.cumsum(axis=1), truth=0) < 0.2, "a random walk's values depend on each other"
    assert coverage(steps, truth=0.1) < 0.6, "two standard errors off"


# Shared luck

PAIR = ("event_notification", "event_carried_state_transfer")
HEADLINES = ["latency_mean", "stale_fraction", "stale_read_rate", "staleness_mean", "age_mean", "wire_bytes_per_s", "source_requests_per_s"]


@cache
def of_the_default_scenario(seed: int) -> Comparison:
    return paired_comparison(Scenario(), PAIR, seed=seed, jobs=2)


def by_metric(comparison: Comparison, option: str) -> pd.DataFrame:
    """The option's values: a row a metric, a column a replication."""
    found = {
        key[1:]: {number: value.value for number, value in runs.items()} for key, runs in comparison.values.items() if key[0] == option
    }
    return pd.DataFrame.from_dict(found, orient="index").dropna()


@pytest.mark.slow
def test_on_shared_luck_the_intervals_of_differences_are_narrower_than_on_luck_of_their_own() -> None:
    baseline, option = (by_metric(of_the_default_scenario(1), name) for name in PAIR)
    alone = by_metric(of_the_default_scenario(2), PAIR[0])
    for metric in [key for key in option.index if key[2] in HEADLINES and not key[3]]:
        paired, apart = (interval(option.loc[[metric]].to_numpy()[0] - other.loc[[metric]].to_numpy()[0]) for other in (baseline, alone))
        assert paired.high - paired.low < apart.high - apart.low, metric
    saved = of_the_default_scenario(1).differences["variance_saved"].dropna()
    assert len(saved) > 20
    assert (saved > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("option", PAIR)
def test_sharing_luck_changes_no_mean(option: str) -> None:
    shared, alone = (by_metric(of_the_default_scenario(seed), option) for seed in (1, 2))
    assert set(shared.index) == set(alone.index)
    error = (shared.var(axis=1) / shared.shape[1] + alone.var(axis=1) / alone.shape[1]) ** 0.5
    assert ((shared.mean(axis=1) - alone.mean(axis=1)).abs() <= 3.5 * error + 1e-12).all()


@pytest.mark.parametrize("option", PAIR)
def test_an_option_comes_out_the_same_to_the_bit_beside_others_and_on_its_own(option: str) -> None:
    short = Scenario(duration=20, warmup=0)
    both, alone = (paired_comparison(short, names, seed=1, replications=2, jobs=1) for names in (PAIR, [option]))
    assert {key: both.values[key] for key in alone.values} == alone.values
    fresh = measure(simulate(short, option, seed=1, replication=1))
    assert fresh == [alone.values[option, value.consumer, value.incident, value.metric, value.component][1] for value in fresh]
