"""Workload, luck and distributions: samples agree with their theory, traces load as recorded, draws depend on nothing but their name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import quiet

from edasim import InputError, Luck, Scenario, Workload, make_workload
from edasim.distributions import Distribution
from edasim.luck import Draws

DATA = Path(__file__).parents[1] / "data"

KINDS: list[Any] = [
    0.3,
    {"dist": "exponential", "mean": 0.3},
    {"dist": "uniform", "low": 0.1, "high": 0.5},
    {"dist": "lognormal", "mean": 0.3, "cv": 0.5},
    {"dist": "gamma", "mean": 0.3, "cv": 2},
    {"dist": "pareto", "mean": 0.3, "cv": 0.5},
    {"dist": "mixture", "of": [0.1, {"dist": "exponential", "mean": 0.5}], "weights": [1, 1]},
    {"dist": "empirical", "file": str(DATA / "traces" / "azure_llm_code.csv.gz"), "column": "generated"},
]


def handling(kind: Any) -> Distribution:
    return Scenario(consumers=[{"handle_time": kind}]).consumers[0].handle_time


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_distribution_samples_its_own_mean(kind: Any) -> None:
    distribution = handling(kind)
    sample = distribution.sample(np.random.default_rng(1), 200_000)
    assert sample.min() >= 0
    assert abs(sample.mean() - distribution.mean()) <= 3.5 * sample.std() / np.sqrt(sample.size) + 1e-12


@pytest.mark.parametrize("kind", KINDS[3:6], ids=str)
def test_mean_and_cv_are_what_was_asked_for(kind: Any) -> None:
    sample = handling({**kind, "cv": 0.4}).sample(np.random.default_rng(1), 1_000_000)
    assert sample.std() / sample.mean() == pytest.approx(0.4, rel=0.03)


def work(seed: int = 1, replication: int = 0, **workload: Any) -> Workload:
    return make_workload(quiet(duration=2000, workload=workload), Luck(seed, replication))


ARRIVALS: list[tuple[dict[str, Any], float, float]] = [  # index of dispersion of counts in 10 s
    ({"rate": 20}, 20, 1),
    ({"rate": 20, "batch": 4}, 20, 4),
    ({"process": "renewal", "gap": {"dist": "gamma", "mean": 0.05, "cv": 0.5}}, 20, 0.25),
    ({"process": "daily", "rate": 20, "peak_to_mean": 1.0, "period": 100}, 20, 1),
]


@pytest.mark.parametrize(("arrivals", "rate", "dispersion"), ARRIVALS, ids=str)
def test_arrivals_have_their_rate_and_their_burstiness(arrivals: dict[str, Any], rate: float, dispersion: float) -> None:
    counts = [np.histogram(work(replication=r, arrivals=arrivals).times / 1e9, 200, (0, 2000))[0] for r in range(20)]
    rates = np.array([c.sum() / 2000 for c in counts])
    assert abs(rates.mean() - rate) <= 3.5 * rates.std(ddof=1) / np.sqrt(20)
    assert np.mean([c.var(ddof=1) / c.mean() for c in counts]) == pytest.approx(dispersion, rel=0.1)


def test_bursty_arrivals_mix_two_rates_in_proportion_to_their_stays() -> None:
    bursty = {"process": "bursty", "rate_low": 5, "rate_high": 50, "mean_low": 6, "mean_high": 2}
    rates = np.array([work(replication=r, arrivals=bursty).times.size / 2000 for r in range(20)])
    assert abs(rates.mean() - (5 * 6 + 50 * 2) / 8) <= 3.5 * rates.std(ddof=1) / np.sqrt(20)


def test_a_day_has_the_peak_that_was_asked_for_at_its_middle() -> None:
    times = np.concatenate(
        [work(replication=r, arrivals={"process": "daily", "rate": 20, "peak_to_mean": 3, "period": 100}).times for r in range(20)]
    )
    shape = np.histogram(times / 1e9 % 100, 50)[0]
    assert shape.max() / shape.mean() == pytest.approx(3, rel=0.05)
    assert shape.argmax() in (24, 25)
    assert times.size / 40_000 == pytest.approx(20, rel=0.01)


def test_a_longer_run_only_adds_to_the_end() -> None:
    short = make_workload(quiet(duration=100), Luck(1, 0)).times
    assert np.array_equal(make_workload(quiet(duration=200), Luck(1, 0)).times[: short.size], short)


@pytest.mark.parametrize(
    ("entities", "shares"),
    [({"count": 4, "skew": 1, "popularity": "zipf"}, [12, 6, 4, 3]), ({"count": 4, "popularity": "uniform"}, [1] * 4)],
)
def test_popularity_is_what_was_asked_for(entities: dict[str, Any], shares: list[float]) -> None:
    found = np.bincount(work(arrivals={"rate": 50}, entities=entities).entities)
    expected = np.array(shares) / sum(shares) * found.sum()
    assert np.all(np.abs(found - expected) <= 4 * np.sqrt(expected))


def test_fitted_popularity_has_the_shares_of_the_file() -> None:
    orders = DATA / "traces" / "online_retail_orders.csv.gz"
    fitted = work(entities={"count": 4372, "popularity": "fitted", "file": str(orders), "column": "customer"}).population.weight
    assert fitted.tolist() == pd.read_csv(orders)["customer"].value_counts().tolist()


def test_entities_are_born_and_fall_silent() -> None:
    entities = {"count": 100, "popularity": "zipf", "new_share": 0.2, "active_for": 50}
    workload = work(arrivals={"rate": 20}, entities=entities, reads={"rate": 20})
    population, changed, times = workload.population, workload.entities, workload.times
    assert np.all((population.born[changed] <= times) & (times < population.silent[changed]))
    born = changed >= 100
    first = np.unique(changed[born], return_index=True)[1]
    assert np.array_equal(times[born][first], population.born[100:]), "an entity is born with its first change"
    assert first.size / times.size == pytest.approx(0.2, abs=0.01)
    read_times, read = workload.reads["billing"]
    assert np.all((population.born[read] <= read_times) & (read_times < population.silent[read]))


def test_nobody_active_is_refused() -> None:
    with pytest.raises(InputError, match="no entity is active"):
        work(entities={"count": 1, "active_for": 1})


@pytest.mark.parametrize(("service", "rows", "last"), [("conv", 19_366, 3501.722), ("code", 8_819, 3435.948)])
def test_a_trace_runs_at_its_own_speed_and_is_recorded_to_the_millisecond(service: str, rows: int, last: float) -> None:
    file = str(DATA / "traces" / f"azure_llm_{service}.csv.gz")
    arrivals = {"process": "trace", "file": file, "columns": {"time": "time_ms", "delta_bytes": "bytes"}, "time_unit": "ms"}
    workload = make_workload(quiet(duration=3600, workload={"arrivals": arrivals}), Luck(1, 0))
    assert (workload.times.size, workload.times[-1] / 1e9) == (rows, last)
    assert workload.delta_bytes.tolist() == pd.read_csv(file)["bytes"].tolist()
    assert "before the measured window" in workload.notes[0]
    fast = make_workload(quiet(duration=360, workload={"arrivals": {**arrivals, "speedup": 10}}), Luck(1, 0))
    assert fast.times[-1] / 1e9 == pytest.approx(last / 10)
    assert "fiction" in fast.notes[0]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_users_own_file_works_whatever_its_form(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame(
        {"at": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01.500Z", "2026-01-01T00:00:04Z"], "who": ["b", "a", "b"], "size": [10, 20, 30]}
    )
    file = tmp_path / f"own{suffix}"
    frame.to_parquet(file) if suffix == ".parquet" else frame.to_csv(file, index=False)
    arrivals = {"process": "trace", "file": str(file), "columns": {"time": "at", "entity": "who", "state_bytes": "size"}}
    workload = make_workload(quiet(duration=4, workload={"arrivals": arrivals}), Luck(1, 0))
    assert (workload.times / 1e9).tolist() == [0.0, 1.5], "what comes after the window is left out"
    assert workload.entities.tolist() == [0, 1]
    assert workload.state_bytes.tolist() == [10, 20]


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        ("time\n", {}, "is empty"),
        ("time\n2\n1\n", {}, "not sorted: row 2"),
        ("t\n1\n", {}, "column time is not in own.csv: allowed: t"),
        ("time\nsoon\n", {}, "numbers or ISO 8601"),
        ("time\n1\n\n", {"entity": "key"}, "column key is not in own.csv"),
        ("time,key\n1,\n", {"entity": "key"}, "no key in row 1"),
        ("time,size\n1,-2\n", {"delta_bytes": "size"}, "must hold sizes"),
    ],
)
def test_a_broken_trace_is_refused_with_its_row_or_column(tmp_path: Path, content: str, columns: dict[str, str], said: str) -> None:
    (tmp_path / "own.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        make_workload(quiet(workload={"arrivals": {"process": "trace", "file": str(tmp_path / "own.csv"), "columns": columns}}), Luck(1, 0))
    assert said in str(refused.value)


def test_a_trace_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    sizes = []
    for rows in (2, 3):
        pd.DataFrame({"time": range(rows)}).to_csv(file, index=False)
        sizes.append(make_workload(quiet(workload={"arrivals": {"process": "trace", "file": str(file)}}), Luck(1, 0)).times.size)
    assert sizes == [2, 3]


def test_more_than_a_run_can_hold_is_refused_before_it_is_drawn() -> None:
    for asked in ({"arrivals": {"rate": 1e9}}, {"reads": {"rate": 1e9}}):
        with pytest.raises(InputError, match="at most 50,000,000 are allowed"):
            work(**asked)


# --- luck


def test_a_draw_depends_on_its_name_index_and_attempt_never_on_what_was_drawn_before() -> None:
    def draws() -> Draws:
        return Luck(7, 3).times("handle billing", handling({"dist": "exponential", "mean": 1}), 5000)

    forwards, backwards = draws(), draws()
    asked = [(index, attempt) for index in (0, 1, 1023, 1024, 4999) for attempt in range(4)]
    one = {place: forwards.at(*place) for place in asked}
    assert {place: backwards.at(*place) for place in reversed(asked)} == one
    assert len(set(one.values())) == len(one)


def test_streams_differ_by_name_seed_and_replication() -> None:
    first = {Luck(seed, replication).stream(name).random() for seed in (1, 2) for replication in (0, 1) for name in ("a", "b")}
    assert len(first) == 8


def test_two_options_on_one_seed_see_identical_requests() -> None:
    base = quiet(workload={"reads": {"rate": 5}, "arrivals": {"rate": 5}})
    slow = base.with_overrides({"network.latency": "1s", "broker.partitions": 3, "source.servers": 2})
    one, other = (make_workload(scenario, Luck(5, 0)) for scenario in (base, slow))
    assert np.array_equal(one.times, other.times)
    assert np.array_equal(one.entities, other.entities)
    assert all(np.array_equal(a, b) for a, b in zip(one.reads["billing"], other.reads["billing"], strict=True))
