"""A streamed run is the run that simulate makes, without its journal: the same draws and counts, quantiles within the error of a sketch."""

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ddsketch import DDSketch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import merged

from edasim import InputError, Scenario, simulate, stream
from edasim.luck import Luck
from edasim.metrics.backlog import backlog
from edasim.metrics.delivery import delivery
from edasim.metrics.freshness import freshness
from edasim.metrics.values import Value
from edasim.statistics import LEVELS
from edasim.streaming import METRICS, changes, courses
from edasim.streaming.draws import Times
from edasim.streaming.loops import ACCURACY, latencies
from edasim.streaming.sketch import Counted
from edasim.workload import make_workload

STATE = "event_carried_state_transfer"
NOBODY_READS: dict[str, Any] = {"warmup": 5, "workload": {"reads": {"rate": 0}}}


def scenario(**said: Any) -> Scenario:
    return Scenario(**merged(NOBODY_READS, said))


def time(dist: str, mean: float, **more: float) -> dict[str, Any]:
    return {"dist": dist, "mean": mean, **more}


MIXED = {
    "dist": "mixture",
    "of": [time("exponential", 0.002), {"dist": "mixture", "of": [0.001, time("gamma", 0.03, cv=2)], "weights": [1, 1]}],
}
MIXED["weights"] = [9, 1]

LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a log with two groups": (
        STATE,
        {
            "duration": 100_000,
            "workload": {"arrivals": {"rate": 1}, "entities": {"count": 1000}},
            "broker": {"append_time": 0.05, "replicas": 1},
            "consumers": [
                {"name": name, "instances": 4, "handle_time": time("exponential", 1 / 0.45)} for name in ("billing", "warehouse")
            ],
        },
    ),
    "messages that overtake each other": (
        STATE,
        {
            "duration": 200,
            "workload": {"arrivals": {"rate": 500}, "entities": {"count": 50, "popularity": "uniform"}},
            "network": {"latency": {"publish": time("pareto", 0.02, cv=1.5), "deliver": {"dist": "uniform", "low": 0, "high": 0.03}}},
            "source": {"servers": 6, "write_time": time("lognormal", 0.01, cv=2), "producer": {"ack_timeout": "60s", "acks": "all"}},
            "broker": {"replica_fetch": 0.05, "replica_copy": time("exponential", 0.01), "append_time": MIXED},
            "consumers": [{"name": "billing", "instances": 3, "handle_time": time("gamma", 0.004, cv=3), "handover_time": 0.0005}],
        },
    ),
    "a consumer that is too slow, and nobody waits for it": (
        "cqrs",
        {
            "duration": 200,
            "drain": 0,
            "workload": {"arrivals": {"rate": 500}},
            "consumers": [{"name": "billing", "handle_time": "5ms"}, {"name": "audit", "carries": "notice", "on_notice": "react"}],
        },
    ),
    "bursts of batches that pass subscribers": (
        STATE,
        {
            "duration": 100,
            "workload": {
                "arrivals": {"process": "bursty", "rate_low": 100, "rate_high": 3000, "mean_low": 3, "mean_high": 2, "batch": 3},
                "entities": {"count": 200, "skew": 0.5},
            },
            "network": {"latency": {"deliver": time("exponential", 0.05)}},
            "broker": {"kind": "pubsub"},
            "source": {"producer": {"acks": 0}},
            "consumers": [{"name": "billing", "instances": 5, "handle_time": time("exponential", 0.002)}],
        },
    ),
    "deltas in order by day and night": (
        "table/delta/read_model",
        {
            "duration": 1000,
            "workload": {
                "arrivals": {"process": "daily", "rate": 100, "period": 700},
                "entities": {"count": 3000, "popularity": "uniform"},
            },
            "network": {"latency": "3ms"},
            "source": {"write_time": time("exponential", 0.002), "servers": 1},
            "consumers": [{"name": "billing", "handle_time": MIXED}],
        },
    ),
}


def assert_same(said: Scenario, pattern: str, seed: int = 1, engine: str = "auto") -> None:
    """Every row of the streamed run is that of the whole run."""
    streamed, journal = stream(said, pattern, seed=seed), simulate(said, pattern, seed=seed, engine=engine)
    whole = delivery(journal) + backlog(journal) + freshness(journal)
    assert [about(value) for value in streamed] == [about(value) for value in whole]
    for mine, theirs in zip(streamed, whole, strict=True):
        error = ACCURACY * (1 + 1e-6) if mine.nature == "quantile" else 1e-9
        assert mine.value == pytest.approx(theirs.value, rel=error, abs=1e-15), mine.metric
        # at level 0, where a copy is never fresh, rounding decides which end of nothing is meant
        assert mine.around[1:] == pytest.approx(theirs.around[1:], rel=error, abs=2e-9), f"{mine.metric}: whole quantile function"


def about(value: Value) -> tuple[object, ...]:
    return value.metric, value.consumer, value.component, value.unit, value.nature, value.trials, value.level


@pytest.mark.parametrize("name", LARGE)
def test_a_streamed_run_is_the_run_that_simulate_makes(name: str) -> None:
    pattern, said = LARGE[name]
    assert_same(scenario(**said), pattern)


times = st.sampled_from(
    [0, 0, 0.01, 0.25, time("exponential", 0.02), time("lognormal", 0.2, cv=2), {"dist": "uniform", "low": 0, "high": 0.1}]
)


@st.composite
def small(draw: st.DrawFn) -> Scenario:
    """A few hundred changes, with ties wherever times are constant."""
    consumers = [
        {"name": name, "instances": draw(st.integers(1, 5)), "handle_time": draw(times), "handover_time": draw(times)}
        for name in ("billing", "audit")[: draw(st.integers(1, 2))]
    ]
    return scenario(
        warmup=draw(st.sampled_from([0, 0.5, 3])),
        duration=draw(st.sampled_from([5, 20.5])),
        drain=draw(st.sampled_from([0, 0.3, 60])),
        workload={
            "arrivals": draw(
                st.sampled_from(
                    [{"rate": 20, "batch": 4}, {"rate": 10}, {"process": "renewal", "gap": 0.125}, {"process": "renewal", "gap": MIXED}]
                )
            ),
            "entities": {"count": draw(st.sampled_from([1, 3, 40])), "skew": draw(st.sampled_from([0, 1]))},
        },
        network={"latency": {"publish": draw(times), "deliver": draw(times)}},
        source={
            "servers": draw(st.integers(1, 4)),
            "write_time": draw(times),
            "producer": {"ack_timeout": "100s", "acks": draw(st.sampled_from([0, 1, "all"]))},
        },
        broker={
            "kind": draw(st.sampled_from(["log", "pubsub"])),
            "partitions": draw(st.integers(1, 8)),
            "append_time": draw(times),
            "replicas": draw(st.integers(1, 3)),
            "replica_copy": draw(times),
            "replica_fetch": draw(st.sampled_from([0, 0.5])),
        },
        consumers=consumers,
    )


@settings(max_examples=100, deadline=None)
@given(said=small(), pattern=st.sampled_from([STATE, "cqrs"]), block=st.sampled_from([1, 7, 64]), seed=st.integers(0, 3))
def test_wherever_blocks_end_the_run_is_the_same(said: Scenario, pattern: str, block: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "BLOCK", block)
        assert_same(said, pattern, seed, "simpy")  # which shares no stage with the stream


def test_what_waits_is_looked_at_a_few_times_however_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    refresh = courses.refresh

    def noted(state: courses.Course, span: courses.Span, applied: Any, *others: Any) -> Any:
        rows.append(applied.size)
        return refresh(state, span, applied, *others)

    monkeypatch.setattr(courses, "refresh", noted)
    monkeypatch.setattr(changes, "BLOCK", 20)
    slow = [{"name": "billing", "handle_time": "40ms"}]
    stream(scenario(duration=300, drain=0, workload={"arrivals": {"rate": 100}}, consumers=slow), STATE)
    assert len(rows) < 100
    assert sum(rows) < 4 * 300 * 100


# --- draws


@pytest.mark.parametrize(
    "dist",
    [
        1.5,
        time("exponential", 1),
        {"dist": "uniform", "low": 1, "high": 3},
        time("lognormal", 1, cv=2),
        time("gamma", 1, cv=0.3),
        time("gamma", 1, cv=3),
        time("pareto", 1, cv=1),
        MIXED,
        "empirical",
    ],
    ids=str,
)
def test_times_in_blocks_are_those_of_a_whole_run(dist: Any, tmp_path: Any) -> None:
    if dist == "empirical":
        pd.DataFrame({"time": np.arange(1, 78) / 7}).to_csv(tmp_path / "times.csv", index=False)
        dist = {"dist": "empirical", "file": str(tmp_path / "times.csv"), "column": "time"}
    distribution = scenario(source={"write_time": dist}).source.write_time
    whole = Luck(3, 1).times("write", distribution, 10_000).values
    drawn = Times(Luck(3, 1), "write", distribution)
    blocks = [drawn.of(drawn.drawn(count), count) for count in (0, 1, 2, 997, 4000, 5000)]
    assert np.array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize(
    "arrivals",
    [
        {"rate": 60},
        {"rate": 300, "batch": 7},
        {"process": "renewal", "gap": MIXED, "batch": 2},
        {"process": "bursty", "rate_low": 0, "rate_high": 300, "mean_low": 3, "mean_high": 4},
        {"process": "daily", "rate": 800, "period": 50, "batch": 20_000},
    ],
    ids=str,
)
def test_changes_in_blocks_are_those_of_a_whole_run(arrivals: dict[str, Any]) -> None:
    said = scenario(duration=300, workload={"arrivals": arrivals, "entities": {"count": 300}})
    whole, luck = make_workload(said, Luck(5, 0)), Luck(5, 0)
    blocks = list(changes.blocks(said, luck, changes.beginning(said).population))
    assert np.array_equal(np.concatenate([block.times for block in blocks]), whole.times)
    assert np.array_equal(np.concatenate([block.entities for block in blocks]), whole.entities)
    assert all(later.times[0] >= block.watermark for block, later in pairwise(blocks))
    assert all(0 < block.times.size <= 2 * changes.BLOCK for block in blocks)


def test_what_nobody_asks_for_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    stream_of = Luck.stream

    def noted(luck: Luck, name: str) -> np.random.Generator:
        asked.add(name)
        return stream_of(luck, name)

    monkeypatch.setattr(Luck, "stream", noted)
    reacts = {"name": "audit", "carries": "notice", "on_notice": "react"}
    found = stream(scenario(duration=5, consumers=[{"name": "billing"}, reacts]), STATE, metrics=["freshness"])
    assert {value.consumer for value in found} == {"billing"}
    assert "handle billing" in asked
    assert not any("audit" in name or "bytes" in name or "reads" in name for name in asked)
    asked.clear()
    assert stream(scenario(duration=5), STATE, metrics=[]) == []
    assert not {"arrivals", "entities"} & asked


# --- the sketch


def test_the_sketch_is_that_of_the_library_and_within_its_error() -> None:
    waits = (np.random.default_rng(1).lognormal(18, 3, 5000) * (np.arange(5000) % 50 > 0)).astype(np.int64)
    mine, library = Counted(), DDSketch(ACCURACY)
    for block in np.array_split(waits, 7):
        mine.add(*latencies(block, np.zeros_like(block), 0, 1, mine.counts))
    for wait in waits.tolist():
        library.add(wait)
    at_a_rank = np.arange(0.5, 5000, 37) / 5000  # where hazen asks for one value, and not for something between two
    exact = np.quantile(waits, at_a_rank, method="hazen") / 1e9
    assert mine.quantiles(at_a_rank) == pytest.approx(exact, rel=ACCURACY * (1 + 1e-9))
    ranks = (np.floor(at_a_rank * 5000) + 0.25) / 4999
    assert mine.quantiles(at_a_rank)[1:] == pytest.approx([library.get_quantile_value(rank) / 1e9 for rank in ranks][1:], rel=1e-12)
    assert mine.quantiles(LEVELS) == pytest.approx(np.quantile(waits, LEVELS, method="hazen") / 1e9, rel=ACCURACY * (1 + 1e-9))
    assert (mine.mean, mine.std) == pytest.approx((waits.mean() / 1e9, waits.std() / 1e9), rel=1e-12)


# --- memory


def peak(seconds: float) -> int:
    fast = [{"name": "billing", "handle_time": "0.5ms"}]
    said = scenario(duration=seconds, workload={"arrivals": {"rate": 1000}, "entities": {"count": 100}}, consumers=fast)
    stream(said, STATE)
    tracemalloc.start()
    stream(said, STATE)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_memory_does_not_grow_with_the_length_of_the_run() -> None:
    assert peak(400) < 1.1 * peak(100)


# --- what can't be streamed

FLICKERING = {"process": "bursty", "rate_low": 0, "rate_high": 50, "mean_low": "2us", "mean_high": "2us"}


@pytest.mark.parametrize(
    ("pattern", "said", "why"),
    [
        (STATE, {"workload": {"reads": {"rate": 5}}}, "set rate: 0"),
        (STATE, {"workload": {"entities": {"new_share": 0.1}}}, "born"),
        (STATE, {"workload": {"entities": {"active_for": 5}}}, "silent"),
        (STATE, {"workload": {"reads": {"own": "wait"}}}, "waits for it"),
        (STATE, {"workload": {"arrivals": {"rate": 1e9}}}, "at most 1,000,000,000"),
        (STATE, {"workload": {"arrivals": FLICKERING}}, "10,000,000 bursts"),
        (STATE, {"consumers": [{"name": "a", "apply": "last_arrival"}]}, "overwrite"),
        (STATE, {"consumers": [{"name": "a", "failure_rate": 0.1}]}, "fail"),
        (STATE, {"broker": {"kind": "queue"}}, "queue"),
        (STATE, {"source": {"publish": "outbox"}}, "relay"),
        ("polling", {}, "nothing is sent"),
        ("event_sourcing_state_transfer", {}, "events"),
        ("table/notice/cache", {}, "ask the source"),
        (STATE, {"source": {"producer": {"ack_timeout": "1ms"}}}, "ack_timeout"),
        (STATE, {"consumers": [{"name": "a", "handle_time": "1s"}], "broker": {"retention": "20s"}}, "retention"),
        ("table/delta/copy", {"network": {"latency": time("exponential", 0.05)}, "workload": {"entities": {"count": 5}}}, "delta"),
    ],
    ids=str,
)
def test_what_cannot_be_streamed_is_refused_with_the_reason(pattern: str, said: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        stream(scenario(**merged({"duration": 100}, said)), pattern)


def test_a_trace_is_refused(tmp_path: Any) -> None:
    pd.DataFrame({"time": [0.0, 1.0]}).to_csv(tmp_path / "trace.csv", index=False)
    trace = {"process": "trace", "file": str(tmp_path / "trace.csv")}
    with pytest.raises(InputError, match="trace"):
        stream(scenario(workload={"arrivals": trace}), STATE)


def test_areas_of_metrics_that_are_not_there_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="did you mean freshness"):
        stream(scenario(), STATE, metrics=["freshnes"])
    assert METRICS == ("delivery", "backlog", "freshness")
