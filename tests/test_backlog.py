"""What waits for a consumer, and how long after a fault it is as little as before."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import played, quiet

from edasim import Journal, Value, simulate
from edasim.journal import COLUMNS, NONE, OUTCOMES
from edasim.metrics.backlog import MOST_PARTITIONS, backlog, backlog_over_time, faults_of, recoveries, waiting

SECOND = 1_000_000_000
HORIZON = 200
PARTITIONS = 3


class Message(NamedTuple):
    """What happened to one message, in whole seconds."""

    committed: int
    stored: int = NONE
    applied: int = NONE
    outcome: str = "applied"
    entity: int = 0


def made(messages: Sequence[Message], faults: Sequence[tuple[str, int, int]] = (), **facts: Any) -> Journal:
    """A journal of one consumer, billing, with these messages and faults: measured from 0 to 100 s, over at 200 s."""
    names = sorted({name for name, _, _ in faults})
    columns = {name: [getattr(message, name) for message in messages] for name in Message._fields}
    times = {name: [NONE if time == NONE else time * SECOND for time in columns[name]] for name in ("committed", "stored", "applied")}
    usual = {
        "sends": [True],
        "listens_to": [None],
        "partitions": 0,
        "consumers": ["billing"],
        "window": [0, 100 * SECOND],
        "horizon": HORIZON * SECOND,
    }
    return Journal(
        facts={**usual, "components": {"faults": names}, **facts},
        changes={"committed": times["committed"], "entity": columns["entity"]},
        deliveries={
            "change": np.arange(len(messages)),
            "consumer": np.zeros(len(messages)),
            "stored": times["stored"],
            "applied": times["applied"],
            "outcome": [OUTCOMES.index(outcome) for outcome in columns["outcome"]],
        },
        faults={
            "component": [names.index(name) for name, _, _ in faults],
            "start": [start * SECOND for _, start, _ in faults],
            "end": [end * SECOND for _, _, end in faults],
        },
        **{table: {} for table in COLUMNS.keys() - {"changes", "deliveries", "faults"}},
    )


def found(journal: Journal, metric: str, component: str = "", consumer: str = "billing") -> float | None:
    """The one value of a metric, or None where it has no row."""
    values = [v.value for v in backlog(journal) if (v.metric, v.component, v.consumer) == (metric, component, consumer)]
    assert len(values) < 2
    return values[0] if values else None


# The most that waits


def test_a_message_waits_from_when_it_is_stored_until_it_is_handled(tmp_path: Path) -> None:
    busy = {"consumers": [{"name": "billing", "instances": 1, "handle_time": 2}]}
    assert found(played(tmp_path, [10, 11, 11.5], **busy), "backlog_max") == 3  # handled at 12, 14 and 16
    assert found(played(tmp_path, [10, 12, 14], **busy), "backlog_max") == 1


def test_what_is_handled_at_once_never_waits(tmp_path: Path) -> None:
    assert found(played(tmp_path, [10, 10, 11]), "backlog_max") == 0


def test_what_waited_when_the_window_began_counts_and_what_came_after_it_does_not() -> None:
    journal = made([Message(1, 1, 50), Message(2, 2, 50), Message(60, 60, 90), Message(61, 61, 90), Message(62, 62, 90)])
    assert found(replace(journal, facts={**journal.facts, "window": [10 * SECOND, 60 * SECOND]}), "backlog_max") == 2


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name not in ("applied", "in_flight")])
def test_nobody_waits_for_what_was_lost_or_given_up(outcome: str) -> None:
    journal = made([Message(10, 10, NONE, outcome)] * 5, [("broker", 10, 20)])
    assert found(journal, "backlog_max") == 0
    assert found(journal, "recovery_time") == 0


def test_what_is_in_flight_at_the_end_waits_until_then() -> None:
    journal = made([Message(10, 10, NONE, "in_flight"), Message(90, 90, 95)])
    assert found(journal, "backlog_max") == 2


def test_what_a_relay_holds_back_does_not_wait_at_the_broker_but_waits_in_all(tmp_path: Path) -> None:
    down = {"source": {"publish": "outbox"}, "broker": {"outages": {"windows": [[20, 30]]}}}
    journal = played(tmp_path, [21.0, 22.0, 23.0], **down)  # the first is sent at 21, 22.1 ... 30.9
    assert found(journal, "backlog_max") == 0
    edges = np.array([0, 21, 22, 23, 30, 100]) * SECOND
    assert backlog_over_time(journal, 0, edges).tolist() == [0, 1, 2, 3, 3]
    assert 0.9 <= (found(journal, "recovery_time") or 0) <= 1.1


def test_options_that_send_nothing_have_no_backlog(tmp_path: Path) -> None:
    assert backlog(played(tmp_path, [10.0], "polling", source={"outages": {"windows": [[20, 30]]}})) == []


# By partition


def of_partition(partition: int) -> int:
    """An entity in this partition."""
    return next(entity for entity in range(100) if zlib.crc32(str(entity).encode()) % PARTITIONS == partition)


def test_a_hot_key_shows_in_its_partition() -> None:
    hot, cold = of_partition(2), of_partition(0)
    messages = [Message(10, 10, 40, entity=hot)] * 7 + [Message(10, 10, 11, entity=cold)] * 2
    journal = made(messages, partitions=PARTITIONS)
    assert found(journal, "backlog_max") == 9
    assert [found(journal, "backlog_max", f"partition {partition}") for partition in range(PARTITIONS)] == [2, 0, 7]


@pytest.mark.parametrize(("partitions", "rows"), [(0, 0), (1, 1), (MOST_PARTITIONS, MOST_PARTITIONS), (MOST_PARTITIONS + 1, 0)])
def test_rows_by_partition_are_there_where_the_broker_keeps_partitions_and_not_too_many(partitions: int, rows: int) -> None:
    values = backlog(made([Message(10, 10, 20)], partitions=partitions))
    assert sum(value.component.startswith("partition ") for value in values) == rows
    assert values[0] == Value("backlog_max", 1.0, "messages", "billing")


# Recovery


def billing(**settings: Any) -> dict[str, Any]:
    return {"consumers": [{"name": "billing", "instances": 1, "handle_time": 1, **settings}]}


def test_recovery_takes_until_the_backlog_is_handled(tmp_path: Path) -> None:
    down = billing(outages={"windows": [[20, 30]]})
    assert found(played(tmp_path, [20.5, 21, 22, 23], **down), "recovery_time") == 4  # handled at 31 ... 34
    assert found(played(tmp_path, [20.5, 21, 22, 23, 33.5], **down), "recovery_time") == 5  # one more comes meanwhile


def test_recovery_ends_when_no_more_wait_than_before_the_fault(tmp_path: Path) -> None:
    # two wait just before 20 (one is in hand, done again); at 30 these and three more do, so three must be handled
    journal = played(tmp_path, [19.5, 19.6, 21, 22, 23], **billing(outages={"windows": [[20, 30]]}))
    assert found(journal, "recovery_time") == 3


def test_who_has_nothing_to_catch_up_with_recovers_at_once(tmp_path: Path) -> None:
    assert found(played(tmp_path, [5.0], broker={"outages": {"windows": [[20, 30]]}}), "recovery_time") == 0


def test_what_happens_at_the_start_of_a_fault_is_not_before_it() -> None:
    assert found(made([Message(10, 10, 25)], [("broker", 10, 20)]), "recovery_time") == 5  # none waited before
    assert found(made([Message(5, 5, 10), Message(15, 15, 25)], [("broker", 10, 20)]), "recovery_time") == 0  # one did


def test_the_mean_is_over_faults() -> None:
    journal = made([Message(11, 11, 21), Message(41, 41, 56)], [("broker", 10, 20), ("source", 40, 50)])
    assert found(journal, "recovery_time") == (1 + 6) / 2


def test_a_fault_not_recovered_from_counts_to_the_end_of_the_run() -> None:
    journal = made([Message(11, 11, NONE, "in_flight")], [("broker", 10, 20)])
    assert found(journal, "recovery_time") == HORIZON - 20
    assert recoveries(journal, 0)[1].tolist() == [NONE]


def test_faults_that_overlap_are_one() -> None:
    journal = made([Message(11, 11, 37)], [("broker", 10, 20), ("source", 15, 25), ("billing 0", 12, 13), ("billing 1", 25, 30)])
    spans, recovered = recoveries(journal, 0)
    assert (spans / SECOND).tolist() == [[10, 30]]
    assert (recovered / SECOND).tolist() == [37]


def test_faults_count_that_start_in_the_window_and_end_before_the_run() -> None:
    journal = made(
        [], [("broker", 5, 15), ("broker", 20, 30), ("broker", 100, 110), ("relay", 90, HORIZON)], window=[10 * SECOND, 100 * SECOND]
    )
    assert (recoveries(journal, 0)[0] / SECOND).tolist() == [[20, 30]]
    assert found(made([], [("broker", 90, HORIZON)]), "recovery_time") is None
    assert found(made([Message(10, 10, 20)]), "recovery_time") is None


def test_only_what_can_keep_messages_from_a_consumer_counts() -> None:
    faults = [(name, 10 * i, 10 * i + 5) for i, name in enumerate(["billing 0", "billing 11", "billing 2 0", "quota 0", "relay", "wal"], 1)]
    journal = made([], faults)
    assert {name: (spans / SECOND).tolist() for name, spans in faults_of(journal, 0).items()} == {
        "relay": [[50, 55]],
        "billing": [[10, 15], [20, 25]],
    }
    named = made([], [("broker", 10, 15), ("broker 0", 20, 25)], consumers=["broker"])  # a consumer may be called like a component
    assert (recoveries(named, 0)[0] / SECOND).tolist() == [[10, 15], [20, 25]]


def test_a_consumer_at_the_end_of_a_chain_meets_the_faults_of_those_before_it(tmp_path: Path) -> None:
    first = {"name": "billing", "instances": 1, "handle_time": 0, "outages": {"windows": [[20, 30]]}}
    last = {"name": "ledger", "instances": 1, "handle_time": 1, "listens_to": "billing"}
    journal = played(tmp_path, [21.0, 22.0], consumers=[first, last])
    assert list(faults_of(journal, 0)) == list(faults_of(journal, 1)) == ["billing"]
    assert found(journal, "recovery_time") == 0  # at 30 it handles both at once
    assert found(journal, "recovery_time", consumer="ledger") == 2


def test_a_consumer_to_whom_nothing_is_sent_has_no_backlog(tmp_path: Path) -> None:
    asks = {"name": "quota", "carries": "nothing", "reads": "source"}
    journal = played(tmp_path, [10.0], consumers=[{"name": "billing", "instances": 1, "handle_time": 0}, asks])
    assert {value.consumer for value in backlog(journal)} == {"billing"}


def test_a_relay_recovers_more_slowly_the_longer_the_broker_was_down() -> None:
    def recovery(length: int) -> float:
        scenario = quiet(
            workload={"arrivals": {"process": "poisson", "rate": 20}},
            source={"publish": "outbox"},
            broker={"outages": {"windows": [[20, 20 + length]]}},
            **billing(handle_time=0.02),
        )
        return found(simulate(scenario, "event_carried_state_transfer"), "recovery_time") or 0

    assert 0 < recovery(2) < recovery(10) < recovery(30)


# Against brute force

moments = st.integers(0, 30)


@st.composite
def one_message(draw: st.DrawFn) -> Message:
    """One that took its time to be stored and handled, or never was."""
    committed, outcome = draw(moments), draw(st.sampled_from(["applied", "applied", "applied", "in_flight", "dead_letter", "lost_broker"]))
    stored = committed + draw(st.integers(0, 5))
    applied = stored + draw(st.integers(0, 12)) if outcome == "applied" else NONE
    return Message(committed, stored if outcome == "applied" or draw(st.booleans()) else NONE, applied, outcome, draw(st.integers(0, 9)))


messages = one_message()
faults = st.builds(
    lambda name, start, length: (name, start, start + length),
    st.sampled_from(["source", "broker", "relay", "billing 0", "billing 1", "quota 0"]),
    moments,
    st.integers(1, 8),
)


def count(waits: Sequence[tuple[int, int]], time: int) -> int:
    """How many wait then, of messages that wait [from, until)."""
    return sum(begin <= time < end for begin, end in waits)


@given(st.lists(messages, max_size=25), st.lists(faults, max_size=5), st.integers(0, 15), st.integers(16, 40))
def test_backlog_and_recovery_are_what_counting_second_by_second_gives(
    messages: list[Message], faults: list[tuple[str, int, int]], start: int, end: int
) -> None:
    horizon = 45
    journal = made(messages, faults, window=[start * SECOND, end * SECOND], horizon=horizon * SECOND, partitions=PARTITIONS)
    kept = [message for message in messages if message.outcome in ("applied", "in_flight")]
    until = [message.applied if message.applied != NONE else horizon * 9 for message in kept]
    stored = [(message.stored, done) for message, done in zip(kept, until, strict=True) if message.stored != NONE]
    assert found(journal, "backlog_max") == max(count(stored, time) for time in range(start, end))
    for partition in range(PARTITIONS):
        mine = [
            (message.stored, done)
            for message, done in zip(kept, until, strict=True)
            if message.stored != NONE and zlib.crc32(str(message.entity).encode()) % PARTITIONS == partition
        ]
        assert found(journal, "backlog_max", f"partition {partition}") == max(count(mine, time) for time in range(start, end))
    committed = [(message.committed, done) for message, done in zip(kept, until, strict=True)]
    edges = sorted({start, (start + end) // 2, end})
    most = [max(count(committed, time) for time in range(first, last)) for first, last in pairwise(edges)]
    assert backlog_over_time(journal, 0, np.array(edges) * SECOND).tolist() == most
    down = [any(first <= time < last for name, first, last in faults if name != "quota 0") for time in range(horizon + 1)]
    took = []
    for first in range(start, end):
        if down[first] and (first == 0 or not down[first - 1]):
            last = next(time for time in range(first, horizon + 1) if not down[time])
            calm = [time for time in range(last, horizon) if count(committed, time) <= count(committed, first - 1)]
            took.append((calm[0] if calm else horizon) - last)
    assert found(journal, "recovery_time") == (pytest.approx(np.mean(took)) if took else None)


@given(st.lists(messages, max_size=25), st.lists(moments, min_size=2, max_size=6, unique=True))
def test_the_peak_of_the_course_is_the_peak_however_the_bins_lie(messages: list[Message], edges: list[int]) -> None:
    journal = made(messages)
    everything = waiting(journal, 0).most(np.array([min(edges), max(edges)]) * SECOND)
    assert backlog_over_time(journal, 0, np.array(sorted(edges)) * SECOND).max() == everything[0]
