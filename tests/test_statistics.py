"""Intervals: rates of which few are seen, quantiles of all observations together, differences on shared luck, warm-up."""

from dataclasses import replace
from math import isnan, log

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from tiny import quiet

from edasim import InputError, Value, paired_comparison
from edasim.intervals import difference, over_replications, variance_saved
from edasim.luck import nanoseconds
from edasim.metrics.values import quantiles, rate
from edasim.statistics import LEVELS, Interval, exact_interval, interval, mser, quantile_interval, rate_interval


@pytest.mark.parametrize(("expected", "size"), [(3, 3), (10, 3), (10, 10), (30, 20)])
def test_the_interval_of_hits_in_bursts_covers_them_where_some_were_seen(expected: float, size: int) -> None:
    rng, trials, covered, seen = np.random.default_rng(9), 2000, 0, 0
    for _ in range(2000):
        hits = size * rng.poisson(expected / size / 10, 10)
        if hits.any():
            found = rate_interval(hits / trials, [trials] * 10)
            seen, covered = seen + 1, covered + (found.low <= expected / 10 / trials <= found.high)
    assert covered / seen > 0.9


def rates(hits: list[int], trials: int = 1000) -> list[Value]:
    """A rate in several replications, from how often it hit in each."""
    return [Value("loss_rate", count / trials, "share", nature="rate", trials=trials) for count in hits]


def waits(*runs: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[Value]:
    """The 99th percentile of each run's observations."""
    return [quantiles("latency", nanoseconds(run), (99,))[0] for run in runs]


# Rates


@pytest.mark.parametrize("hits", [1, 2, 7, 29])
def test_few_hits_have_at_least_the_exact_interval(hits: int) -> None:
    exact = binomtest(hits, 10_000).proportion_ci(0.95, method="exact")
    assert exact_interval(hits, 10_000) == pytest.approx((exact.low, exact.high))
    found = rate_interval([hits / 10_000] * 10, [1000] * 10)  # alike in all replications: no spread at all
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_few_misses_are_few_hits_turned_round() -> None:
    low = rate_interval([0.001, 0.0], [1000, 1000])
    high = rate_interval([0.999, 1.0], [1000, 1000])
    assert (1 - high.high, 1 - high.low) == pytest.approx((low.low, low.high))
    assert rate_interval([1.0, 1.0], [500, 500]).low == pytest.approx(0.05 ** (1 / 1000))


def test_hits_that_come_in_bursts_have_a_wider_interval_than_independent_ones() -> None:
    bursts = rate_interval([0.02] + [0.0] * 9, [1000] * 10)  # twenty hits, all in one run
    assert bursts.high > interval([0.02] + [0.0] * 9).high > exact_interval(20, 10_000)[1]


def test_many_hits_have_students_t() -> None:
    values = [0.1, 0.12, 0.11]
    assert rate_interval(values, [1000] * 3) == interval(values)


@pytest.mark.parametrize("expected", [0.5, 1, 2, 5, 10, 25])
def test_the_interval_of_a_rare_rate_covers_it(expected: float) -> None:
    rng, trials, runs = np.random.default_rng(7), 1000, 2000
    rate = expected / 10 / trials
    found = [rate_interval(rng.binomial(trials, rate, 10) / trials, [trials] * 10) for _ in range(runs)]
    covered = sum(each.low <= rate <= each.high for each in found)
    assert covered >= binom.ppf(0.0005, runs, 0.95), "conservative, because exact intervals of counts are"


# Quantiles


def test_a_quantile_is_that_of_all_observations_together_and_no_mean_of_quantiles() -> None:
    rng = np.random.default_rng(1)
    runs = [rng.exponential(1.0, 3000) for _ in range(9)] + [5 + rng.exponential(10.0, 3000)]  # one run had an outage
    found = over_replications(waits(*runs))
    assert found.mean == pytest.approx(np.percentile(np.concatenate(runs), 99), rel=0.01)
    assert found.mean > 2 * np.mean([np.percentile(run, 99) for run in runs])


def test_runs_count_by_how_many_observations_they_have() -> None:
    busy, idle = np.linspace(0, 1, 9001), np.linspace(10, 11, 1001)
    assert over_replications(waits(busy, idle)).mean == pytest.approx(np.percentile(np.concatenate([busy, idle]), 99), rel=0.01)


def test_one_run_has_its_own_quantile_and_runs_that_agree_have_theirs() -> None:
    run = np.random.default_rng(2).lognormal(size=5000)
    own = np.quantile(nanoseconds(run) / 1e9, 0.99, method="hazen")
    assert over_replications(waits(run)).mean == own
    both = over_replications(waits(run, run))
    assert (both.low, both.mean, both.high) == pytest.approx((own,) * 3)


def test_what_is_mostly_zero_has_zero_as_quantile_until_enough_is_not() -> None:
    calm = np.append(np.zeros(995), np.ones(5))
    assert over_replications(waits(calm, calm)).mean == 0
    half = np.append(np.zeros(980), np.linspace(1, 2, 20))
    assert over_replications(waits(calm, half)).mean == pytest.approx(np.percentile(np.concatenate([calm, half]), 99), rel=0.1)


@pytest.mark.parametrize(("observations", "known"), [(29, False), (400, True)])
def test_too_few_observations_bound_no_quantile_from_above(observations: int, known: bool) -> None:
    rng = np.random.default_rng(3)
    assert (10 * observations > log(0.05) / log(0.99)) == known, "299 are needed for the 99th percentile"
    found = over_replications(waits(*rng.random((10, observations))))
    assert isnan(found.high) != known


@pytest.mark.parametrize(
    ("level", "observations", "runs"), [(0.5, 200, 10), (0.95, 40, 10), (0.95, 1000, 10), (0.99, 200, 30), (0.99, 2000, 10)]
)
def test_the_interval_of_a_quantile_covers_it(level: float, observations: int, runs: int) -> None:
    rng, truth, covered, known = np.random.default_rng(4), -log(1 - level), 0, 0
    for _ in range(1000):
        curves = np.quantile(rng.standard_exponential((runs, observations)), LEVELS, axis=1, method="hazen").T
        found, _ = quantile_interval(level, curves, [observations] * runs)
        both = not isnan(found.low + found.high)
        known, covered = known + both, covered + (found.low <= truth <= found.high)
    assert known > 300
    assert binom.ppf(0.0005, known, 0.93) <= covered, "a little narrow where few observations lie beyond it, never much"


@pytest.mark.parametrize(("observations", "runs"), [(40, 5), (100, 4), (25, 10)])
def test_one_end_that_is_known_is_right_though_the_other_is_not(observations: int, runs: int) -> None:
    rng, truth, right, known, alone = np.random.default_rng(6), -log(0.01), 0, 0, 0
    for _ in range(1000):
        curves = np.quantile(rng.standard_exponential((runs, observations)), LEVELS, axis=1, method="hazen").T
        found, adds = quantile_interval(0.99, curves, [observations] * runs)
        known, right = known + (not isnan(found.low)), right + (found.low <= truth)
        alone += isnan(found.high)
        assert np.isnan(adds).all() == isnan(found.low + found.high)
    assert known > 900
    assert alone > 300
    assert binom.ppf(0.0005, known, 0.965) <= right, "each end alone is wrong in a fortieth; a little more where few lie beyond it"


def test_the_interval_of_a_difference_of_quantiles_covers_it() -> None:
    rng, covered = np.random.default_rng(8), 0
    for _ in range(500):
        shared = rng.standard_exponential((10, 1000))
        found = difference(waits(*(1.5 * shared + rng.standard_exponential((10, 1000)) / 10)), waits(*shared))
        covered += found.low <= 0.5 * log(100) + 0.1 <= found.high  # 0.1: nearly, of what is added independently
    assert covered / 500 > 0.9


# Differences


def test_what_is_zero_by_nature_in_both_differs_in_nothing() -> None:
    zero = [Value("loss_rate", 0.0, "share", nature="zero")] * 3
    assert difference(zero, zero).high == 0


def test_what_was_thought_impossible_and_is_seen_is_counted() -> None:
    none, one = np.zeros(1000, dtype=bool), np.arange(1000) == 7
    found = [rate("loss_rate", hits, possible=False)[0] for hits in (none, none, one)]
    assert over_replications(found[:2]) == Interval(0, 0, 0)
    assert over_replications(found) == over_replications([rate("loss_rate", hits)[0] for hits in (none, none, one)])
    assert over_replications(found).mean == pytest.approx(1 / 3000)


def test_what_is_one_by_nature_needs_no_replication() -> None:
    always, mostly = Value("read_availability", 1.0, "share", nature="one"), rate("read_availability", np.arange(1000) != 7)[0]
    assert over_replications([always]) == Interval(1, 1, 1)
    assert difference([always] * 2, [always] * 2) == Interval(0, 0, 0)
    assert difference([always] * 2, [mostly] * 2).high > 0.001


def test_rates_that_came_out_the_same_may_differ_by_what_was_never_seen() -> None:
    found = difference(rates([500, 510, 520]), rates([500, 510, 520]))
    assert (found.mean, found.high, found.low) == (0, pytest.approx(1 - 0.05 ** (1 / 3000)), -found.high)


def test_a_rare_difference_that_came_out_alike_is_not_certain() -> None:
    found = difference(rates([1] * 3), rates([0] * 3))
    assert found.low < 0.0 < found.high, "three hits, one in each run, against none: Student's t alone would have no doubt"
    clear = difference(rates([20] * 10), rates([0] * 10))
    assert clear.low > 0


def test_a_difference_of_quantiles_is_between_those_of_all_observations() -> None:
    rng = np.random.default_rng(5)
    runs = rng.exponential(1.0, (5, 2000))
    found = difference(waits(*(run + 3 for run in runs)), waits(*runs))
    assert (found.low, found.mean, found.high) == pytest.approx((3, 3, 3)), "the shift is in every observation"


def test_shared_luck_saves_variance_and_luck_of_ones_own_none() -> None:
    rng = np.random.default_rng(6)
    shared, own = rng.standard_normal((2, 4000))
    mine = [Value("x", value, "s") for value in shared]
    assert variance_saved([replace(value, value=value.value + 0.1 * other) for value, other in zip(mine, own, strict=True)], mine) > 0.99
    assert variance_saved(mine, [Value("x", value, "s") for value in own]) == pytest.approx(0, abs=3.5 / 4000**0.5)
    assert isnan(variance_saved(mine[:1], mine[:1]))


def test_a_comparison_says_how_much_variance_its_shared_luck_saved() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 5}}, duration=50, network={"latency": 0.1})
    comparison = paired_comparison(scenario, ["cqrs", "event_carried_state_transfer"], replications=5, jobs=1)
    rows = comparison.differences.set_index("metric")
    growth = rows[rows["component"] == ""].loc["wire_bytes_per_s"]
    assert (growth["mean"], growth["variance_saved"]) == (0, 1), "both send the same messages"


# Warm-up


def test_the_vectors_of_mser_are_cut_where_they_must_be() -> None:
    i = np.arange(2000)
    series = 5 + 10 * 0.98**i + (7919 * i % 101) / 101 - 0.5
    assert (mser(series), mser(series, batch=1)) == (235, 168)
    assert series[235:].mean() == pytest.approx(4.997023782515095, abs=1e-9)


@pytest.mark.parametrize(("series", "why"), [(np.linspace(0, 1, 100), "not settled within its first half"), (np.ones(9), "too short")])
def test_a_run_that_never_settles_or_is_too_short_is_refused(series: np.ndarray[tuple[int], np.dtype[np.float64]], why: str) -> None:
    with pytest.raises(InputError, match=f"{why}.*run longer"):
        mser(series)


def test_rows_say_what_is_zero_by_nature_and_what_was_never_seen() -> None:
    scenario = quiet(network={"loss": 1e-9}, workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 5}}, duration=50)
    results = paired_comparison(scenario, ["request_response", "cqrs"], replications=2, jobs=1).results
    rows = {(row.option, row.metric): row for row in results.itertuples()}
    asked, sent = rows["request_response", "loss_rate"], rows["cqrs", "loss_rate"]
    assert (asked.nature, asked.high) == ("zero", 0)
    assert (sent.nature, sent.mean) == ("rate", 0)
    assert sent.high > 0
    assert rows["cqrs", "diverged_entities"].high == pytest.approx(-log(0.05) / 2), "none in two runs"
