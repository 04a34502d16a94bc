"""Consumer groups: what becomes of each change at one consumer, and which of its instances handles it.

Instance i of n owns a contiguous range of partitions. No rebalance: the partitions of a crashed instance wait for it.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, IN_FLIGHT, NONE
from edasim.luck import nanoseconds
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import NEVER
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.instance import Instance
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source

Effect = Callable[[int, int, int], None]  # of (now, entity, version) on what the consumer keeps


def range_assignment(partitions: int, instances: int) -> list[range]:
    """Kafka's range assignor: contiguous ranges, the first ones longer by one where it does not divide.

    >>> range_assignment(8, 3)
    [range(0, 3), range(3, 6), range(6, 8)]
    """
    each, extra = divmod(partitions, instances)
    starts = [each * i + min(i, extra) for i in range(instances + 1)]
    return [range(start, end) for start, end in pairwise(starts)]


def effects(keeps: Copy | Cache | None, carries: str) -> tuple[Effect, Effect]:
    """What a handled message does to what the consumer keeps, and what an answer to a call back does, which is always a whole entity."""
    if isinstance(keeps, Cache):
        return keeps.evict, keeps.evict
    if keeps is None:
        return _nothing, _nothing
    return keeps.extend if carries == "delta" else keeps.refresh, keeps.refresh


def _nothing(now: int, entity: int, version: int) -> None:
    """Nobody keeps anything."""


class Group:
    """One consumer group: what became of each change there, and the progress per partition of the log.

    A message that does not bring what the consumer keeps makes its handler call back; the instance waits for the answer.
    """

    def __init__(self, run: Run, number: int, broker: Broker, source: Source, keeps: Copy | Cache | None) -> None:
        self.run, self.broker, self.source, self.keeps = run, broker, source, keeps
        self.settings = run.scenario.consumers[number]
        self.is_log = broker.is_log
        self.entity, self.version = run.entity, source.version
        partitions = run.scenario.broker.partitions
        self.ends: list[list[int]] = [[] for _ in range(partitions)]  # when the messages at the head of the log were handled
        self.reaches: list[int] = [0] * partitions  # when the last message delivered of each partition came
        self.delivered = run.column(NONE)
        self.applied = run.column(NONE)
        self.attempts = run.column(0)
        self.repeats = run.column(0)  # handled to the end once more
        self.failure = run.column(IN_FLIGHT)  # the outcome, unless it is applied
        self.calls = run.column(0)
        carries = run.pattern.carries
        calls_always, refetches = (
            carries == "notice" and not isinstance(keeps, Cache),
            carries == "delta" and self.settings.on_gap == "refetch",
        )
        self._calls = "always" if calls_always else "after a gap" if refetches else "never"
        self.may_call = self._calls != "never"
        self.effect, self.whole = effects(keeps, carries)
        name, latency = self.settings.name, run.scenario.network.latency
        self.delivery = run.times(f"deliver {name}", latency.deliver)
        self.handle = run.times(f"handle {name}", self.settings.handle_time)
        self.handover = run.times(f"handover {name}", self.settings.handover_time)
        self.call_there = run.times(f"call back {name} there", latency.call)
        self.call_back = run.times(f"call back {name} back", latency.call)
        self.call_read = run.times(f"call back {name} read", run.scenario.source.read_time)
        self.call_retry = int(nanoseconds(self.settings.backoff))
        self.retention = int(nanoseconds(run.scenario.broker.retention)) if self.is_log else NEVER
        self.commit_every = int(nanoseconds(self.settings.commit.every or 0.0))
        owned = range_assignment(partitions, self.settings.instances)
        self.instances = [Instance(self, i, partitions) for i, partitions in enumerate(owned)]
        self.owner = [instance for instance in self.instances for _ in instance.partitions]

    def hope(self, change: int) -> None:
        """Another copy of the message is on its way: what was lost may come yet."""
        self.failure[change] = IN_FLIGHT

    def lose(self, change: int, reason: int) -> None:
        """One copy of the message is gone, for the *reason*; it is lost unless another is applied."""
        self.failure[change] = reason

    def needs_call(self, change: int) -> bool:
        """Whether the handler must ask the source: a notice brings no data, a delta can't fill a gap."""
        if self._calls == "always":
            return True
        assert isinstance(self.keeps, Copy)
        return self.keeps.misses_before(self.entity[change], self.version[change])

    def fates(self, changes: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """What became of these *changes* here, as columns of the journal's `deliveries`."""
        delivered, applied, attempts, repeats, failure = (
            np.array(column)[changes] for column in (self.delivered, self.applied, self.attempts, self.repeats, self.failure)
        )
        done = applied != NONE
        outcome = np.where(done, APPLIED, failure)
        return {"delivered": delivered, "applied": applied, "attempts": attempts, "copies": repeats + done, "outcome": outcome}

    def close(self) -> None:
        """The run is over: what is still on its way was not delivered."""
        for instance in self.instances:
            instance.close()
