"""The broker: keeps a log per partition (log), or passes on to whoever is connected (pubsub).

An entity always maps to the same partition. Appends queue per partition, first come first served; a message is stored when
its append ends. In a log with replicas an outage takes the leader: the follower that leads next has what it had copied by
then, the rest is lost; consumers read only what all followers have. What a dead broker had in its append queue was never stored.
"""

import zlib

import numpy as np

from edasim.journal import NONE
from edasim.luck import nanoseconds
from edasim.simpy_model.clock import NEVER
from edasim.simpy_model.run import Run


class Broker:
    """Decides for each message that arrives whether it is stored, and from when on consumers can see it."""

    def __init__(self, run: Run) -> None:
        settings = run.scenario.broker
        self.run = run
        self.downtimes = run.downtimes("broker", settings.outages)
        self.fails = bool(self.downtimes.intervals)
        self.is_log = settings.kind == "log"
        self.stored = run.column(NONE)  # first time
        partitions = settings.partitions
        entities = run.workload.population.weight.size
        of_entity = np.array([zlib.crc32(str(entity).encode()) % partitions for entity in range(entities)])
        self.partition: list[int] = of_entity[run.workload.entities].tolist()  # of each change
        self.sequence = 0  # of the message appended last, in the order of all appends
        self.log: list[list[tuple[int, int, int, int]]] = [[] for _ in range(partitions)]  # (sequence, change, stored, visible)
        self._free = [0] * partitions  # when the last append ends ...
        self._life = [0] * partitions  # ... in which life of the broker
        self._append_time = run.times("append", settings.append_time)
        self._copy_times = [
            run.times(f"copy {follower}", settings.replica_copy) for follower in range(settings.replicas - 1 if self.is_log else 0)
        ]
        self._fetch_every = int(nanoseconds(settings.replica_fetch))

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
        if self.stored[change] == NONE:
            self.stored[change] = stored
        self.sequence += 1
        visible = self._visible(change, attempt, stored, crash) if self._copy_times else stored
        if visible != NONE and self.is_log:
            self.log[partition].append((self.sequence, change, stored, visible))
        return stored, visible

    def _visible(self, change: int, attempt: int, stored: int, crash: int) -> int:
        """When all followers have copied it; the first follower leads after a crash."""
        fetched = stored if not self._fetch_every else -(-stored // self._fetch_every) * self._fetch_every
        copied = [fetched + times.at(change, attempt) for times in self._copy_times]
        visible = max(copied)
        if visible < crash:
            return visible
        return self.downtimes.up_from(crash) + visible - fetched if copied[0] < crash else NONE
