"""The recursions of edasim/fast_path find exactly what the SimPy model finds, wherever nothing downstream changes what happens upstream."""

from dataclasses import fields, is_dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny import quiet, recorded

from edasim import Luck, Scenario, make_workload, pattern_of
from edasim.afterwards.found import Ints
from edasim.afterwards.inputs import Inputs
from edasim.fast_path import feed_forward, recursions
from edasim.journal import NONE
from edasim.simpy_model import Model
from edasim.simpy_model.run import Run

PATTERNS = [
    "event_notification",
    "event_carried_state_transfer",
    "cqrs",
    "table/delta/copy",
    "table/delta/read_model",
    "table/notice/cache",
]
random = [{"dist": "exponential", "mean": 0.05}, {"dist": "lognormal", "mean": 0.3, "cv": 2}, {"dist": "exponential", "mean": 1}]
quarters = {"dist": "mixture", "of": [0, 0.25, 0.5], "weights": [2, 1, 1]}
tied, free = st.sampled_from([0, 0, 0.25, quarters, quarters]), st.sampled_from([0, 0.25, *random])


@st.composite
def plain(draw: st.DrawFn) -> Scenario:
    """A scenario in which nothing fails and nobody is asked."""
    times = draw(st.sampled_from([tied, free, tied | free]))

    def consumer(name: str) -> dict[str, Any]:
        return {
            "name": name,
            "instances": draw(st.integers(1, 5)),
            "handle_time": draw(times),
            "handover_time": draw(times),
            "on_notice": "react",
            "on_gap": draw(st.sampled_from(["refetch", "ignore", "ignore"])),
            "apply": draw(st.sampled_from(["newest_version", "newest_version", "last_arrival"])),
            "carries": draw(st.sampled_from([None, None, "state", "delta", "notice"])),
            "reads": draw(st.sampled_from(["copy", "read_model"])),
            "commit": {"messages": 2, "when": draw(st.sampled_from(["after", "before"]))},
        }

    return Scenario(
        seed=draw(st.integers(0, 10**6)),
        warmup=0,
        duration=draw(st.sampled_from([3, 30])),
        drain=draw(st.sampled_from([0, 0.5, 10, 3000])),
        workload={
            "arrivals": draw(
                st.sampled_from([{"rate": 5}, {"rate": 6, "batch": 6}, {"process": "renewal", "gap": 0.25, "batch": 2}, {"rate": 0.1}])
            ),
            "entities": {"count": draw(st.integers(1, 30)), "new_share": draw(st.sampled_from([0, 0.3]))},
            "reads": {"rate": 0},
        },
        source={
            "servers": draw(st.integers(1, 3)),
            "write_time": draw(times),
            "producer": {
                "acks": draw(st.sampled_from([0, 1, "all"])),
                "retries": draw(st.sampled_from([0, 3])),
                "ack_timeout": draw(st.sampled_from([1, 100, 100_000])),
            },
        },
        network={"latency": {"publish": draw(times), "deliver": draw(times)}},
        broker={
            "kind": draw(st.sampled_from(["log", "log", "pubsub"])),
            "partitions": draw(st.integers(1, 8)),
            "append_time": draw(times),
            "replicas": draw(st.integers(1, 3)),
            "replica_fetch": draw(st.sampled_from([0, 0.2])),
            "replica_copy": draw(times),
            "retention": draw(st.sampled_from([3, "7d", "7d"])),
        },
        consumers=[consumer("billing"), consumer("quota")][: draw(st.integers(1, 2))],
    )


def both(scenario: Scenario, name: str) -> tuple[Any, Any]:
    """What the recursions find (None where they don't apply), and the SimPy model."""
    pattern, luck = pattern_of(name), Luck(scenario.seed, 0)
    workload = make_workload(scenario, luck)
    fast, simpy = Inputs(scenario, pattern, workload, luck), Run(scenario, pattern, workload, luck)
    assert feed_forward.why_not(fast) == ""
    found = feed_forward.found(fast)
    if found is None:
        return None, None
    expected = Model(simpy).found()
    assert list(fast.faults) == list(simpy.faults), "components come in the same order"
    return found, expected


def regrouped(refreshes: dict[str, Any]) -> dict[str, Any]:
    """By consumer, as the journal has them: what happens at several at the same time has no order."""
    order = np.argsort(refreshes["consumer"], kind="stable")
    return {name: values[order] for name, values in refreshes.items()}


def differences(found: Any, expected: Any, where: str) -> list[str]:
    """Where the two are not the same to the bit."""
    if where == "found.refreshes":
        found, expected = regrouped(found), regrouped(expected)
    if is_dataclass(expected):
        return [line for field in fields(expected) for line in _under(field.name, vars(found), vars(expected), where)]
    if isinstance(expected, dict):
        if set(found) != set(expected):
            return [f"{where}: {sorted(found)} is not {sorted(expected)}"]
        return [line for key in expected for line in _under(key, found, expected, where)]
    if isinstance(expected, np.ndarray):
        same = found.dtype == expected.dtype and np.array_equal(found, expected)
        return [] if same else [f"{where}: {found} ({found.dtype}) is not {expected} ({expected.dtype})"]
    if isinstance(expected, list) and expected and isinstance(expected[0], np.ndarray):
        assert len(found) == len(expected), where
        return [line for place in range(len(expected)) for line in _under(place, found, expected, where)]
    if isinstance(expected, list) and expected and is_dataclass(expected[0]):
        assert len(found) == len(expected), where
        return [line for place in range(len(expected)) for line in _under(place, found, expected, where)]
    return [] if found == expected else [f"{where}: {found} is not {expected}"]


def _under(key: Any, found: Any, expected: Any, where: str) -> list[str]:
    return differences(found[key], expected[key], f"{where}.{key}")


@settings(max_examples=600)
@given(scenario=plain(), name=st.sampled_from(PATTERNS))
def test_the_recursions_find_what_the_simpy_model_finds(scenario: Scenario, name: str) -> None:
    found, expected = both(scenario, name)
    assume(found is not None)
    assert differences(found, expected, "found") == []


@pytest.mark.parametrize("name", ["request_response", "cached_reads", "table/notice/source", "table/notice/cache", "cqrs"])
@pytest.mark.parametrize("consumer", [{}, {"carries": "nothing", "reads": "source"}, {"carries": "notice", "reads": "cache"}])
def test_consumers_that_nothing_is_sent_to_or_that_keep_nothing_are_found_as_they_are(name: str, consumer: dict[str, str]) -> None:
    scenario = quiet(
        source={"write_time": {"dist": "exponential", "mean": "1s"}},
        consumers=[{"name": "billing", "on_notice": "react", "handle_time": "10ms"}, {"name": "quota", "on_notice": "react", **consumer}],
    )
    found, expected = both(scenario, name)
    assert differences(found, expected, "found") == []


def test_four_messages_by_hand(tmp_path: Path) -> None:
    times: dict[str, Any] = {"duration": "6s", "drain": "2s", "source": {"producer": {"ack_timeout": "10s"}}}
    broker, consumers = {"append_time": "1s", "partitions": 1}, [{"name": "billing", "instances": 1, "handle_time": "2s"}]
    scenario = recorded(tmp_path, [1.0, 1.5, 2.0], broker=broker, consumers=consumers, **times)
    luck = Luck(1, 0)
    found = feed_forward.found(Inputs(scenario, pattern_of("cqrs"), make_workload(scenario, luck), luck))
    assert found is not None
    group = found.groups[0]
    assert seconds(found.committed) == [0, 1, 1.5, 2]
    assert found.version.tolist() == [1, 1, 2, 3]
    assert seconds(group.stored) == [1, 2, 3, 4], "one is appended after the other"
    assert found.acknowledged is not None
    assert seconds(found.acknowledged) == [1, 2, 3, 4]
    assert seconds(group.delivered) == [1, 2, 3, 4]
    assert seconds(group.applied) == [3, 5, 7, None], "the last is in hand from 7 s to 9 s, but the run ends at 8 s"
    assert group.attempts.tolist() == [1, 1, 1, 1]
    assert seconds(found.refreshes["time"]) == [3, 5, 7]
    assert found.topics[0].log[0].tolist() == [[n + 1, n, (n + 1) * 10**9, (n + 1) * 10**9] for n in range(4)]


def seconds(times: Ints) -> list[float | None]:
    return [None if time == NONE else time / 1e9 for time in times.tolist()]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"source.outages": {"windows": [[1, 2]]}}, "the source has outages"),
    ({"source.publish": "outbox"}, "a relay publishes (outbox)"),
    ({"network.ack_loss": 0.1}, "the network loses requests or acknowledgements"),
    ({"broker.kind": "queue"}, "a queue hands out what is acknowledged"),
    ({"consumers.billing.needs_more": 0.1}, "billing calls the source back"),
    ({"consumers.billing.failure_rate": 0.1}, "billing may fail to handle a message"),
    ({"workload.reads.own": "source"}, "own reads ask the source"),
    ({}, ""),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_what_acts_on_what_came_before_is_said_in_a_sentence(changes: dict[str, Any], reason: str) -> None:
    scenario, luck = quiet().with_overrides(changes), Luck(1, 0)
    run = Inputs(scenario, pattern_of("cqrs"), make_workload(scenario, luck), luck)
    assert feed_forward.why_not(run) == reason
    assert (feed_forward.found(run) is None) == bool(reason)


TURNS_OUT: list[tuple[dict[str, Any], str]] = [
    ({"broker.append_time": "2s"}, "acknowledged too late: sent once more"),
    ({"broker.retention": "1s", "consumers.billing.handle_time": "5s"}, "gone before it is handled"),
    ({"network.latency.publish": {"dist": "exponential", "mean": "0.9s"}, "source.producer.ack_timeout": "1000s"}, "a gap between deltas"),
]


@pytest.mark.parametrize("changes", [changes for changes, _ in TURNS_OUT], ids=[why for _, why in TURNS_OUT])
def test_nothing_is_found_where_a_run_turns_out_to_need_more(changes: dict[str, Any]) -> None:
    scenario, luck = quiet().with_overrides(changes), Luck(1, 0)
    run = Inputs(scenario, pattern_of("table/delta/copy"), make_workload(scenario, luck), luck)
    assert feed_forward.why_not(run) == ""
    assert feed_forward.found(run) is None
    assert not run.faults, "another engine notes its own components"


lists = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6), st.integers(0, 3)), max_size=60)


@settings(max_examples=200)
@given(rows=lists, cut=st.integers(0, 60), servers=st.integers(1, 5))
def test_a_stage_may_be_computed_block_by_block(rows: list[tuple[int, int, int]], cut: int, servers: int) -> None:
    arrivals, service, place = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3).T.copy()
    version = recursions.number(place, np.zeros(4, dtype=np.int64))

    def stages(*blocks: slice) -> list[list[Any]]:
        free, last, line, reaches, ends, held, summed = (np.zeros(count, dtype=np.int64) for count in (servers, 4, 4, 4, 4, 4, 4))
        wrong = np.zeros(4, dtype=np.bool_)
        return [
            [
                recursions.serve(arrivals[block], service[block], free),
                recursions.commit(arrivals[block] + service[block], place[block], last),
                recursions.append(arrivals[block], place[block], service[block], line),
                recursions.deliver(arrivals[block], service[block], place[block], reaches),
                recursions.handle(arrivals[block], place[block], service[block], service[block] // 2, ends, 30),
                recursions.refresh(arrivals[block], place[block], version[block] + service[block], held),
                recursions.accumulate(arrivals[block], place[block], version[block] + service[block] // 6, summed, wrong),
            ]
            for block in blocks
        ]

    (whole,) = stages(slice(0, None))
    first, second = stages(slice(0, cut), slice(cut, None))
    for stage in zip(whole, first, second, strict=True):
        assert stage[0].tolist() == [*stage[1].tolist(), *stage[2].tolist()]


@settings(max_examples=200)
@given(rows=lists, servers=st.integers(1, 5))
def test_many_servers_are_one_heap_of_when_each_is_free(rows: list[tuple[int, int, int]], servers: int) -> None:
    arrivals, service, _ = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3).T.copy()
    free = [0] * servers
    expected = []
    for arrival, work in zip(arrivals.tolist(), service.tolist(), strict=True):
        expected.append(max(arrival, heappop(free)) + work)
        heappush(free, expected[-1])
    assert recursions.serve(arrivals, service, np.zeros(servers, dtype=np.int64)).tolist() == expected


@settings(max_examples=200)
@given(times=st.lists(st.integers(-5, 5) | st.integers(0, 10**18), max_size=80))
def test_messages_are_ordered_by_time_and_then_by_number(times: list[int]) -> None:
    assert recursions.arrival_order(np.array(times, dtype=np.int64)).tolist() == sorted(range(len(times)), key=lambda n: (times[n], n))
