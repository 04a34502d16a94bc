"""The publishing side of a run: each change has its turn at its time, whatever became of those before it (an open loop).

As docs/semantics.md says of `direct`: a refusal is known at once, and no confirmation within `ack_timeout` (a lost connection, too,
since it brings none) counts as a failure then; a failed attempt is made again after `backoff`, at most `retries` times. With `acks: 0`
there is one attempt, and nobody knows what became of it. A confirmation that comes late counts as none, but tells that the message was
stored.
"""

import time
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush

from edasim.journal import NONE
from edasim.live.protocol import Down, Publishing
from edasim.luck import nanoseconds
from edasim.scenario import Producer

RECONNECT_NS = 50_000_000  # between two tries to connect
LEAST_LOOK_NS = 1_000_000  # between two looks at what is due
SEND, EXPIRE = range(2)
Due = tuple[int, int, int, int]  # when, SEND or EXPIRE, the change, which attempt


class Publisher:
    """Publishes changes, numbered from 0, that commit at the times of which `schedule` tells.

    *connect* gives a connection or raises Down. All stamps are of `monotonic_ns`, NONE where it did not happen. By change: when it had its
    turn, the last attempt, how many there were, the first confirmation in time (`acknowledged`), the first at all (`stored`), whether the
    last answer was a refusal, and whether no further attempt will be made.
    """

    def __init__(
        self,
        connect: Callable[[], Publishing],
        entities: Sequence[int],
        body: Callable[[int], bytes],
        settings: Producer,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._connect, self._entities, self._body, self._clock = connect, entities, body, clock
        self._blind = settings.acks == 0
        self._retries = settings.retries
        self._timeout, self._backoff = int(nanoseconds(settings.ack_timeout)), int(nanoseconds(settings.backoff))
        self._look = max(self._backoff, LEAST_LOOK_NS)  # an answer makes nothing due sooner than that
        self._due: list[Due] = []
        count = len(entities)
        self.turn, self.sent, self.acknowledged, self.stored = ([NONE] * count for _ in range(4))
        self.attempts, self.refused, self.gave_up = [0] * count, [False] * count, [False] * count
        self.reached = [False] * count  # whether any attempt was made on a connection
        self.loads: list[tuple[int, int, int, int]] = []
        self.losses = 0  # connections that were lost
        self._connection: Publishing | None = None
        self._tried = -RECONNECT_NS  # when it was last tried to connect

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be sent, and no answer is awaited."""
        return not self._due

    def schedule(self, times: Sequence[int]) -> None:
        """The changes commit at *times*."""
        self._due = [(when, SEND, change, 0) for change, when in enumerate(times)]
        heapify(self._due)

    def open(self) -> None:
        """Connect. Raises Down."""
        self._tried = self._clock()
        self._connection = self._connect()

    def run(self, until: int) -> None:
        """Publish what is due before that time, and serve the connection up to it."""
        while self._clock() < until:
            while self._due and self._due[0][0] <= self._clock():
                _, what, change, attempt = heappop(self._due)
                (self._send if what == SEND else self._expire)(change, attempt)
            look = min(until, self._clock() + self._look)
            self._attend(min(look, self._due[0][0]) if self._due else look)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self.loads += self._connection.loads
            self._connection.close()
            self._connection = None

    def _lose(self) -> None:
        self.losses += 1
        self.close()

    def _send(self, change: int, attempt: int) -> None:
        now = self._clock()
        if not attempt:
            self.turn[change] = now
        self.sent[change] = now
        self.attempts[change] += 1
        self.refused[change] = False
        if self._blind:
            self.acknowledged[change] = now  # it is never told otherwise
        else:
            heappush(self._due, (now + self._timeout, EXPIRE, change, attempt))
        if self._is_open():
            self._publish(change)

    def _publish(self, change: int) -> None:
        assert self._connection is not None
        try:
            self._connection.publish(change, self._entities[change], self._body(change))
            self.reached[change] = True
        except Down:
            self._lose()

    def _is_open(self) -> bool:
        """Whether there is a connection; tries to make one, not too often."""
        if self._connection is None and self._clock() - self._tried >= RECONNECT_NS:
            try:
                self.open()
            except Down:
                return False
        return self._connection is not None

    def _expire(self, change: int, attempt: int) -> None:
        """No answer to this attempt has come in time."""
        if self.acknowledged[change] == NONE and not self.refused[change] and self.attempts[change] == attempt + 1:
            self._again(change)

    def _again(self, change: int) -> None:
        if self.attempts[change] > self._retries:
            self.gave_up[change] = True
        else:
            heappush(self._due, (self._clock() + self._backoff, SEND, change, self.attempts[change]))

    def _answered(self, change: int, stored: bool) -> None:
        now = self._clock()
        if stored:
            if self.stored[change] == NONE:
                self.stored[change] = now
            if self.acknowledged[change] == NONE and now <= self.sent[change] + self._timeout:
                self.acknowledged[change] = now
        elif self._blind:
            self.refused[change] = True
        elif self.acknowledged[change] == NONE and not self.refused[change]:
            self.refused[change] = True
            self._again(change)

    def _attend(self, until: int) -> None:
        if self._connection is None:
            time.sleep(max(min(until, self._clock() + RECONNECT_NS) - self._clock(), 0) / 1e9)
            return
        try:
            self._connection.attend(until, self._answered)
        except Down:
            self._lose()
