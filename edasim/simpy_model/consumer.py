"""Consumer groups: what becomes of each change at one consumer, and what handling a message does to what the consumer keeps."""

from collections.abc import Callable, Sequence

import numpy as np

from edasim.afterwards.found import AtConsumer
from edasim.faults import NEVER, Poison
from edasim.journal import DEAD_LETTER, IN_FLIGHT, NONE, SLOW
from edasim.luck import nanoseconds
from edasim.patterns import always_calls
from edasim.scenario import Deduplication
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.instance import Instance
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source

Effect = Callable[[int, int, int], None]  # of (now, entity, version) on what the consumer keeps
Offer = Callable[[int, int, int, int, int, int], bool]  # (sequence, change, partition, stored, visible, now): whether it is taken


def effects(keeps: Copy | Cache | None, carries: str, apply: str) -> tuple[Effect, Effect]:
    """What a handled message does to what the consumer keeps, and what an answer to a call back does, which is always a whole entity."""
    if isinstance(keeps, Cache):
        return keeps.evict, keeps.evict
    if keeps is None:
        return _nothing, _nothing
    part, whole = (keeps.extend, keeps.refresh) if apply == "newest_version" else (keeps.accumulate, keeps.overwrite)
    return part if carries == "delta" else whole, whole


def _nothing(now: int, entity: int, version: int) -> None:
    """Nobody keeps anything."""


class Group:
    """One consumer group: what became of each change there. How its instances come by their messages is the broker's kind's.

    A message that does not bring what the consumer keeps makes its handler call back; the instance waits for the answer.
    A repeat that is recognised (`deduplicate`) is put aside in no time; the ids outlive crashes, since they are stored with the effect.
    """

    instances: list[Instance]

    def __init__(self, run: Run, number: int, broker: Broker, sources: Sequence[Source], keeps: Copy | Cache | None) -> None:
        self.run, self.broker, self.keeps = run, broker, keeps
        self.settings = settings = run.scenario.consumers[number]
        self._sources, self._region = sources, run.workload.regions
        self.entity, self.version = run.entity, sources[0].version
        self.stored = broker.stored
        self.delivered = run.column(NONE)
        self.applied = run.column(NONE)
        self.attempts = run.column(0)
        self.repeats = run.column(0)  # handled to the end once more
        self.failure = run.column(IN_FLIGHT)  # the outcome, unless it is applied
        self.calls = run.column(0)
        self.parked: list[tuple[int, int]] = []  # dead letters: when, and the change
        self.offers: list[Offer] = []  # by partition, whom to hand a message
        self.republish: Callable[[int, int], object] | None = None  # where other consumers listen to this one
        self.upstream: Group | None = None  # whom this one listens to
        self._copies: dict[int, int] = {}  # change -> copies of its message on their way besides the first
        name, latency = settings.name, run.scenario.network.latency
        carries, compares = run.patterns[number].carries, settings.apply == "newest_version"
        self._always = always_calls(run.patterns[number], settings)
        self._copy = keeps if carries == "delta" and compares and settings.on_gap == "refetch" and isinstance(keeps, Copy) else None
        self.may_call = self._always or self._copy is not None or settings.needs_more > 0
        self._effect, self._whole = effects(keeps, carries, settings.apply)
        self.delivery = run.times(f"deliver {name}", latency.deliver)
        self.handle = run.times(f"handle {name}", settings.handle_time)
        self.handover = run.times(f"handover {name}", settings.handover_time)
        if self.may_call:
            self._more = run.hits(f"more {name}", settings.needs_more)
            self.call_there = run.times(f"call back {name} there", latency.call)
            self.call_back = run.times(f"call back {name} back", latency.call)
            self.call_read = run.times(f"call back {name} read", run.scenario.source.read_time)
        self.poison = Poison(settings.poison, run.workload.times)
        self.may_fail = settings.failure_rate > 0 or bool(self.poison.changes)
        self._fails = run.hits(f"fail {name}", settings.failure_rate) if settings.failure_rate else None
        self._slow = run.downtimes(f"{name}{SLOW}", settings.slow)
        self._factor = settings.slow.factor if settings.slow else 1.0
        self.may_slow = bool(self._slow.intervals)
        self.backoff = int(nanoseconds(settings.backoff))
        self.retention = int(nanoseconds(run.scenario.broker.retention)) if broker.is_log else NEVER
        self.poll_interval = int(nanoseconds(settings.poll_interval))
        self.commits_first = settings.commit.when == "before"
        self._known: dict[int, None] | None = {} if settings.deduplicate else None  # the changes handled, in order
        self._window = settings.deduplicate.window if isinstance(settings.deduplicate, Deduplication) else NEVER
        self.plain = not (settings.deduplicate or self.poll_interval or broker.mortal or self.commits_first)

    def again(self, change: int, *, besides: bool) -> None:
        """Another copy of the message is on its way, *besides* an earlier one or not: what was lost may come yet."""
        if besides and self.failure[change] == IN_FLIGHT and self.applied[change] == NONE:
            self._copies[change] = self._copies.get(change, 0) + 1
        elif self.failure[change] != DEAD_LETTER:
            self.failure[change] = IN_FLIGHT

    def lose(self, change: int, reason: int) -> None:
        """One copy of the message is gone, for the *reason*; it is lost unless another is applied, parked or on its way."""
        if self._copies.get(change):
            self._copies[change] -= 1
        elif self.failure[change] != DEAD_LETTER:
            self.failure[change] = reason

    def park(self, change: int, now: int) -> None:
        """The message goes to the dead letters."""
        self.failure[change] = DEAD_LETTER
        self.parked.append((now, change))

    def knows(self, change: int) -> bool:
        """Whether the message is recognised as one handled before."""
        return self._known is not None and change in self._known

    def fails(self, change: int, attempt: int, now: int) -> bool:
        """Whether this attempt to handle the change, which ends *now*, fails."""
        return self.poison.fails(change, now) or (self._fails is not None and bool(self._fails.at(change, attempt)))

    def slowed(self, handling: int, start: int) -> int:
        """How long a *handling* takes that begins then: longer where the consumer is slow."""
        return round(handling * self._factor) if self._slow.is_down(start) else handling

    def apply(self, change: int, now: int, fetched: int | None) -> None:
        """The message was handled to the end, with the version *fetched* by a call back if there was one."""
        if self._known is not None:
            if change in self._known:  # somebody else was faster: effect and id are stored together or not at all
                return
            self._known[change] = None
            if len(self._known) > self._window:
                del self._known[next(iter(self._known))]
        if fetched is None:
            self._effect(now, self.entity[change], self.version[change])
        else:
            self._whole(now, self.entity[change], fetched)
        if self.applied[change] == NONE:
            self.applied[change] = now
        else:
            self.repeats[change] += 1
        if self.republish is not None:
            self.republish(change, now)

    def source_of(self, change: int) -> Source:
        """Whom a handler asks that needs more than the message: the source that wrote the change, which knows at least that."""
        return self._sources[self._region[change]] if len(self._sources) > 1 else self._sources[0]

    def needs_call(self, change: int) -> bool:
        """Whether the handler must ask the source: a notice brings no data, some events not enough of it, a delta can't fill a gap."""
        if self._always or self._more[change]:
            return True
        return self._copy is not None and self._copy.misses_before(self.entity[change], self.version[change])

    def found(self, topic: int, committed: Sequence[int]) -> AtConsumer:
        """What became of each change here, where it reads that *topic*."""
        columns = (self.stored, self.delivered, self.applied, self.attempts, self.repeats, self.failure)
        stored, delivered, applied, attempts, repeats, failure = (np.array(column, dtype=np.int64) for column in columns)
        return AtConsumer(
            topic=topic,
            upstream=None if self.upstream is None else self.run.scenario.consumer_number(self.upstream.settings.name),
            stored=stored,
            delivered=delivered,
            applied=applied,
            attempts=attempts,
            repeats=repeats,
            failure=failure,
            parked=np.array(self.parked, dtype=np.int64).reshape(-1, 2),
            poisoned=self._poisoned(committed),
        )

    def close(self) -> None:
        """The run is over: what is still on its way was not delivered."""
        for instance in self.instances:
            instance.close()

    def _poisoned(self, committed: Sequence[int]) -> list[tuple[int, int]]:
        """From the commit of each poison message that came here until it was put aside, or the run ended; in order."""
        spans = []
        for change, failed in self.poison.last_failed.items():
            waits = self.failure[change] == IN_FLIGHT and self.applied[change] == NONE
            spans.append((committed[change], self.run.horizon if waits else failed))
        return sorted(spans)
