"""The broker: keeps a log per partition (log), hands on to whoever is connected (pubsub), or to a queue per consumer (queue).

An entity always maps to the same partition. Appends queue per partition of a log, else all in one line, first come first
served; a message is stored when its append ends. In a log with replicas an outage takes the leader: the follower that leads next
has what it had copied by then, the rest is lost; consumers read only what all followers have. Without replicas `kind`,
`fsync_interval` and `durable` decide what outlives an outage. What a dead broker had in its append line was never stored.
"""

from array import array
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.found import Topic
from edasim.faults import NEVER, Downtimes
from edasim.journal import LOST_BROKER, LOST_RETENTION, NONE
from edasim.luck import nanoseconds
from edasim.partitions import partition_of_each
from edasim.simpy_model.run import Run

Entry = tuple[int, int, int, int]  # (sequence, change, stored, visible)


class Log:
    """The entries of one partition in order, in one array, because they are never let go: the journal is made from them."""

    def __init__(self) -> None:
        self.flat = array("q")
        self.add: Callable[[Entry], None] = self.flat.extend

    def __len__(self) -> int:
        return len(self.flat) // 4

    def at(self, place: int) -> Entry:
        """The entry at that place, counted from the first."""
        sequence, change, stored, visible = self.flat[4 * place : 4 * place + 4]
        return sequence, change, stored, visible

    def after(self, count: int) -> Iterator[Entry]:
        """The entries after the first so many."""
        return map(self.at, range(count, len(self)))

    def table(self) -> NDArray[np.int64]:
        """All entries, shape (entries, 4)."""
        return np.array(self.flat, dtype=np.int64).reshape(-1, 4)


class Broker:
    """One topic: decides for each message that arrives whether it is stored, and from when on consumers can see it."""

    def __init__(self, run: Run, downtimes: Downtimes, topic: str = "") -> None:
        settings = run.scenario.broker
        self.downtimes = downtimes
        self.fails = bool(downtimes.intervals)
        self.is_log = settings.kind == "log"
        self.stored = run.column(NONE)  # first time
        partitions = settings.partitions
        entities = run.workload.population.weight.size
        self.partition: list[int] = partition_of_each(entities, partitions)[run.workload.entities].tolist()  # of each change
        self.sequence = 0  # of the message appended last, in the order of all appends
        self.log = [Log() for _ in range(partitions)]
        self._free = [0] * partitions  # when the last append ends ...
        self._life = [0] * partitions  # ... in which life of the broker
        self._append_time = run.times(f"append{topic}", settings.append_time)
        followers = settings.replicas - 1 if self.is_log else 0
        self._copy_times = [run.times(f"copy{topic} {follower}", settings.replica_copy) for follower in range(followers)]
        self._fetch_every = int(nanoseconds(settings.replica_fetch))
        self._sync_every = int(nanoseconds(settings.fsync_interval))
        power = settings.outages is not None and settings.outages.kind == "power"
        self._durable = settings.durable
        self.forgets = self.fails and not followers and (not settings.durable or (power and self._sync_every > 0))
        self.gone: dict[int, tuple[int, int]] = {}  # sequence -> from when on the log does not hold the message any more, and why
        self._most = NEVER if settings.retention_bytes is None else int(settings.retention_bytes)
        self.mortal = self.is_log and (self.forgets or self._most < NEVER)
        self._bytes: list[int] = run.message_bytes.tolist() if self._most < NEVER else []
        self._held = [0] * partitions  # bytes, where they are bounded ...
        self._oldest = [0] * partitions  # ... and the place of the oldest message that is held
        self.on_drop: list[Callable[[int, int, int], None]] = []  # called with partition, sequence and when it was pushed out

    def found(self) -> Topic:
        """The log as it was written, and from when on each message is gone."""
        log = [partition.table() for partition in self.log]
        gone = [np.full(len(rows), NEVER) for rows in log]
        if self.mortal:
            gone = [np.array([self.gone.get(place, (NEVER, 0))[0] for place in rows[:, 0].tolist()], dtype=np.int64) for rows in log]
        return Topic(log, gone)

    def append(self, change: int, attempt: int, now: int) -> tuple[int, int]:
        """When the message that arrives *now* is stored, and when consumers can see it; NONE for what never happens."""
        partition = self.partition[change]
        queue = partition if self.is_log else 0
        free = self._free[queue]
        if self.fails:
            if self.downtimes.is_down(now):
                return NONE, NONE
            life = self.downtimes.begun(now)
            if life != self._life[queue]:  # what was being appended before an outage died with it
                free, self._life[queue] = 0, life
        time = self._append_time.at(change, attempt) if attempt else self._append_time[change]
        stored = self._free[queue] = (free if free > now else now) + time
        crash = self.downtimes.next_start(now) if self.fails else NEVER
        if crash <= stored:
            return NONE, NONE
        visible = self._visible(change, attempt, stored, crash) if self._copy_times else stored
        self.keep(change, stored, visible)
        return stored, visible

    def keep(self, change: int, stored: int, visible: int) -> None:
        """The message is stored then: in a batch all of a partition are at once."""
        if self.stored[change] == NONE:
            self.stored[change] = stored
        self.sequence += 1
        if visible != NONE and self.is_log:
            partition = self.partition[change]
            self.log[partition].add((self.sequence, change, stored, visible))
            if self.mortal:
                self._doom(partition, change, stored)

    def dies(self, stored: int) -> int:
        """When an outage takes what was *stored* then; NEVER if it was safe before."""
        crash = self.downtimes.next_start(stored) if self.forgets else NEVER
        if not self._durable:
            return crash
        synced = -(-stored // self._sync_every) * self._sync_every if self._sync_every else stored
        return NEVER if synced < crash else crash

    def _doom(self, partition: int, change: int, stored: int) -> None:
        """Note when the message just kept will be gone, and which older ones it pushes out."""
        if (death := self.dies(stored)) < NEVER:
            self.gone[self.sequence] = (death, LOST_BROKER)
        if self._most == NEVER:
            return
        log = self.log[partition]
        self._held[partition] += self._bytes[change]
        while self._held[partition] > self._most and self._oldest[partition] < len(log) - 1:
            sequence, oldest, _, _ = log.at(self._oldest[partition])
            self._oldest[partition] += 1
            self._held[partition] -= self._bytes[oldest]
            if sequence not in self.gone or self.gone[sequence][0] > stored:
                self.gone[sequence] = (stored, LOST_RETENTION)
            for listener in self.on_drop:
                listener(partition, sequence, stored)

    def _visible(self, change: int, attempt: int, stored: int, crash: int) -> int:
        """When all followers have copied it; the first follower leads after a crash."""
        fetched = stored if not self._fetch_every else -(-stored // self._fetch_every) * self._fetch_every
        copied = [fetched + times.at(change, attempt) for times in self._copy_times]
        visible = max(copied)
        if visible < crash:
            return visible
        return self.downtimes.up_from(crash) + visible - fetched if copied[0] < crash else NONE
