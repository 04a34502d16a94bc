"""Claims about the process that consumes, without one: what it handles, when it acknowledges, and what it does when it is cut off."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edasim import Scenario
from edasim.live.consuming import Instance, Progress
from edasim.live.protocol import Down, Message
from edasim.live.records import BEGUN, CONNECTED, ENDED, GONE, TAKEN, Diary, file_of, read_records
from edasim.scenario import Consumer

S = 1_000_000_000


class Draws(list[int]):
    """Handling takes no time; which attempts were asked for is kept."""

    def at(self, change: int, attempt: int) -> int:
        self.append(attempt)
        return 0


class Broker:
    """Hands out lists of changes, one connection after another; *stops* asks the instance to stop when nothing is left."""

    def __init__(self, child: Any, connections: Sequence[Sequence[Any]]) -> None:
        self.child, self.left = child, list(connections)
        self.acknowledged: list[list[int]] = []

    def connect(self) -> "Broker":
        if self.left[0] is Down:
            self.left.pop(0)
            raise Down("down")
        self.now = self.left.pop(0)
        return self

    def messages(self) -> Iterator[list[Message]]:
        for step in self.now:
            if step is Down:
                raise Down("lost")
            yield [Message(abs(change), change < 0, None) for change in step]
        self.child.stopping = True
        yield []

    def acknowledge(self, messages: list[Message]) -> None:
        self.acknowledged.append([message.change for message in messages])

    def close(self) -> None: ...


def lived(folder: Path, connections: Sequence[Sequence[Any]], kind: str, begun: dict[int, int] | None = None, **consumer: Any) -> Any:
    """What an instance did: its broker, records and the attempts it drew a handling time for. A change below 0 is one that comes again."""
    scenario = Scenario(broker={"kind": kind, "replicas": 1}, consumers=[{"name": "billing", "handle_time": 0, **consumer}])
    child: Any = SimpleNamespace(scenario=scenario, job=SimpleNamespace(consumer=0), origin=0, stopping=False, say_ready=lambda: None)
    broker, draws, diary = Broker(child, connections), Draws(), Diary(file_of(folder, "consumer0", 0, 0))
    Instance(child, diary, draws, dict(begun or {})).live(broker.connect)  # type: ignore[arg-type]
    diary.close()
    return SimpleNamespace(acknowledged=broker.acknowledged, records=read_records(folder, "consumer0"), attempts=draws)


def handled(found: Any) -> list[int]:
    changes: list[int] = found.records.of(ENDED).change.tolist()
    return changes


def test_a_queues_messages_are_acknowledged_one_by_one_or_so_many_at_once_and_the_rest_at_the_end(tmp_path: Path) -> None:
    for messages, expected in ((None, [[1], [2], [3]]), (2, [[1, 2], [3]]), (5, [[1, 2, 3]])):
        folder = tmp_path / str(messages)
        folder.mkdir()
        commit = {} if messages is None else {"commit": {"messages": messages}}
        found = lived(folder, [[[1, 2, 3]]], "queue", prefetch=5, **commit)
        assert found.acknowledged == expected
        assert handled(found) == [1, 2, 3]


def test_what_is_acknowledged_first_is_written_down_before_and_handled_even_if_it_is_asked_to_stop(tmp_path: Path) -> None:
    found = lived(tmp_path, [[[1, 2]]], "queue", commit={"messages": 2, "when": "before"}, prefetch=2)
    assert found.acknowledged == [[1, 2]]
    assert found.records.kind.tolist() == [CONNECTED, TAKEN, TAKEN, BEGUN, ENDED, BEGUN, ENDED, GONE]


def test_a_queue_sends_again_what_was_not_acknowledged_and_it_is_handled_again(tmp_path: Path) -> None:
    found = lived(tmp_path, [[[1, 2], Down], [[-1, -2, 3]]], "queue", prefetch=5, commit={"messages": 5})
    assert handled(found) == [1, 2, 1, 2, 3]
    assert found.acknowledged == [[1, 2, 3]]
    assert found.attempts == [0, 0, 1, 1, 0]


def test_who_reads_a_log_goes_on_where_it_was_when_its_connection_is_lost(tmp_path: Path) -> None:
    found = lived(tmp_path, [[[1, 2], Down], [[-1, -2, 3]]], "log", commit={"every": 5})
    assert handled(found) == [1, 2, 3]
    assert found.acknowledged == [[1, 2, 3]]


def test_a_message_that_was_stored_twice_is_handled_twice_even_after_a_lost_connection(tmp_path: Path) -> None:
    found = lived(tmp_path, [[[1], Down], [[-1, 1]]], "log", commit={"every": 5})
    assert handled(found) == [1, 1]


def test_it_connects_again_until_the_broker_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edasim.live.consuming.time.sleep", slept.append)
    found = lived(tmp_path, [Down, Down, [[1]]], "queue")  # type: ignore[list-item]
    assert handled(found) == [1]
    assert slept.count(0.05) == 2


def test_a_handling_that_an_earlier_life_began_is_the_next_attempt(tmp_path: Path) -> None:
    assert lived(tmp_path, [[[7, 8]]], "queue", begun={7: 2}).attempts == [2, 0]


def test_a_log_is_committed_at_ticks_from_the_beginning_of_the_run() -> None:
    progress = Progress(Consumer(commit={"every": 2}), is_log=True)
    asked = [(1, 0.5), (2, 1.9), (3, 2.1), (1, 3.9), (0, 4.1), (1, 4.2), (2, 6.0)]
    assert [progress.is_due(handled, round(now * S)) for handled, now in asked] == [False, False, True, False, False, False, True]


def test_ticks_are_not_for_queues() -> None:
    progress = Progress(Consumer(commit={"every": 2}), is_log=False)
    assert [progress.is_due(handled, 0) for handled in (0, 1)] == [False, True]
