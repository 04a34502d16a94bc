"""A process that is one instance of one consumer: takes messages, handles each for as long as luck has drawn, and acknowledges them.

Handling is sleeping. When it begins and when it is complete is written down before the message is acknowledged, so what was
acknowledged was handled (`commit.when: after`), and a crash in between makes it come again.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edasim.live.child import Child
from edasim.live.protocol import Consuming, Down, Message
from edasim.live.records import BEGUN, CONNECTED, ENDED, GONE, NO_CHANGE, TAKEN, Diary, read_records
from edasim.live.technologies import technology
from edasim.luck import Draws, Luck, nanoseconds
from edasim.scenario import Consumer

AGAIN_S = 0.05  # until the next try to connect


class Progress:
    """When what was handled is acknowledged: each at once, so many at once, or (a log) at every tick of `commit.every` from the origin."""

    def __init__(self, settings: Consumer, *, is_log: bool) -> None:
        self._at_once = settings.commit.messages or 1
        every = settings.commit.every if is_log else None
        self._every = None if every is None else int(nanoseconds(every))
        self._tick: int | None = None

    def is_due(self, handled: int, now: int) -> bool:
        """Whether so many that are *handled* shall be acknowledged *now* (nanoseconds from the origin)."""
        if self._every is None:
            return handled >= self._at_once
        tick, before = now // self._every, self._tick
        self._tick = tick
        return handled > 0 and before is not None and tick > before


class Instance:
    """Handles messages one at a time, in the order in which they come, until it is asked to stop."""

    def __init__(self, child: Child, diary: Diary, handle: Draws, begun: dict[int, int]) -> None:
        self._child, self._diary, self._handle = child, diary, handle
        self._begun = begun  # change -> how often its handling began
        self._settings = child.scenario.consumers[child.job.consumer]
        self._is_log = child.scenario.broker.kind == "log"
        self._progress = Progress(self._settings, is_log=self._is_log)
        self._handled: list[Message] = []  # and not acknowledged
        self._known: set[int] = set()  # changes of a log that were handled before the connection was lost, and may be read again

    def live(self, connect: Callable[[], Consuming]) -> None:
        """Consume; connect again whenever the connection is lost.

        A queue sends again what was not acknowledged by then, and it is handled again. Who reads a log knows how far it had come, as
        long as it lives: what it had handled and not committed is not handled again, and is committed later.
        """
        while not self._child.stopping:
            try:
                connection = connect()
            except Down:
                time.sleep(AGAIN_S)
                continue
            self._diary.note(CONNECTED, NO_CHANGE, time.monotonic_ns())
            self._child.say_ready()
            try:
                self._consume(connection)
            except Down:
                self._handled = self._handled if self._is_log else []
                self._known = {message.change for message in self._handled}
            self._diary.note(GONE, NO_CHANGE, time.monotonic_ns())
            connection.close()

    def _consume(self, connection: Consuming) -> None:
        first = self._settings.commit.when == "before"
        for messages in connection.messages():
            if first and messages:
                self._commit_first(connection, messages)
            for message in messages:
                if self._child.stopping and not first:
                    break
                if message.change in self._known:
                    self._known.discard(message.change)
                    continue
                self._handle_one(message)
                if not first:
                    self._handled.append(message)
                    self._acknowledge(connection, now=time.monotonic_ns())
            self._acknowledge(connection, now=time.monotonic_ns())
            if self._child.stopping:
                if self._handled:
                    connection.acknowledge(self._handled)
                return

    def _commit_first(self, connection: Consuming, messages: list[Message]) -> None:
        self._diary.note_all(TAKEN, [message.change for message in messages], time.monotonic_ns())
        connection.acknowledge(messages)

    def _acknowledge(self, connection: Consuming, now: int) -> None:
        if self._child.origin is not None and self._progress.is_due(len(self._handled), now - self._child.origin):
            connection.acknowledge(self._handled)
            self._handled = []

    def _handle_one(self, message: Message) -> None:
        change, begins = message.change, time.monotonic_ns()
        attempt = max(self._begun.get(change, 0), int(message.again))
        self._begun[change] = attempt + 1
        self._diary.note(BEGUN, change, begins)
        time.sleep(max(begins + self._handle.at(change, attempt) - time.monotonic_ns(), 0) / 1e9)
        self._diary.note(ENDED, change, time.monotonic_ns())


def main() -> None:
    """The process."""
    child = Child()
    job, settings = child.job, child.scenario.consumers[child.job.consumer]
    offered = technology(child.target.technology)
    handle = Luck(job.seed, 0).times(f"handle {settings.name}", settings.handle_time, job.changes)
    diary = child.wait_for_go()
    before = read_records(Path(job.folder), job.name).of(BEGUN).change
    begun = dict(zip(*(column.tolist() for column in np.unique(before, return_counts=True)), strict=True))
    Instance(child, diary, handle, begun).live(lambda: offered.consuming(child.target, child.scenario, job.consumer, job.instance))


if __name__ == "__main__":
    main()
