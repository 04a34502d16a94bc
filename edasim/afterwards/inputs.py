"""What a run is given, and what follows from that at once: who plays which pattern, sizes of messages, what was stored before."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edasim.faults import Downtimes
from edasim.luck import Luck, nanoseconds
from edasim.patterns import Pattern, answers_reads, patterns_of
from edasim.scenario import ConsumerOutages, Outages, Scenario
from edasim.units import NANOSECONDS
from edasim.workload import Workload


@dataclass
class Inputs:
    """A pattern in a scenario, under one workload and one luck, from time 0 to *horizon* (nanoseconds).

    *patterns* says for each consumer what holds there (a consumer may differ from its option), *reads* who answers its reads. *faults*
    are the components that may be down, as they are asked for.
    """

    scenario: Scenario
    pattern: Pattern
    workload: Workload
    luck: Luck
    faults: dict[str, Downtimes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changes = self.workload.times.size
        self.horizon = self.workload.end + int(nanoseconds(self.scenario.drain))
        self.patterns = patterns_of(self.pattern, self.scenario)
        self.reads = [answers_reads(pattern, consumer) for pattern, consumer in zip(self.patterns, self.scenario.consumers, strict=True)]
        regions = len(self.scenario.workload.regions.shares)
        exchange = {"state", "delta"} & {self.pattern.carries} & {pattern.carries for pattern in self.patterns}
        self.writers = regions if exchange else 1  # else the other regions call the first
        self.message_bytes = np.sum([self.bytes_of(kind) for kind in {pattern.carries for pattern in self.patterns}], axis=0)

    @cached_property
    def history(self) -> NDArray[np.int64]:
        """Events stored before the run by entity, shape (entities,), of those that exist at time 0: spread over them by popularity.

        Where entities fall silent each has what its life so far brought, its birth and changes at the rate of the run, as long as
        there are so many; the rest belongs to entities that fell silent before, see `departed`.
        """
        population, stored = self.workload.population, self.scenario.event_store.history
        weight = np.where(np.arange(population.weight.size) < population.initial, population.weight, 0.0)
        if self.pattern.truth != "events" or not stored or not weight.any():
            return np.zeros(weight.size, dtype=np.int64)
        share, rng = weight / weight.sum(), self.luck.stream("history")
        if self.scenario.workload.entities.active_for is None:
            return rng.multinomial(stored, share)
        lived = (weight > 0) + rng.poisson(share * self.changes_to_living * population.lived / NANOSECONDS)
        return lived if lived.sum() <= stored else rng.multinomial(stored, lived / lived.sum())

    @property
    def changes_to_living(self) -> float:
        """Changes a second that create no entity."""
        return self.workload.rate * (1 - self.scenario.workload.entities.new_share)

    @property
    def departed(self) -> int:
        """Events stored before the run of entities that fell silent before it, or are not known by name."""
        return self.scenario.event_store.history - int(self.history.sum()) if self.pattern.truth == "events" else 0

    def bytes_of(self, carries: str) -> NDArray[np.int64]:
        """The size of each change's message of that kind, shape (changes,)."""
        sizes = {"notice": self.workload.notice_bytes, "state": self.workload.state_bytes, "delta": self.workload.delta_bytes}
        return sizes.get(carries, np.zeros(self.changes, dtype=np.int64))

    def poll_times(self, number: int) -> NDArray[np.int64]:
        """When a consumer polls, up to the end of the run: every interval, once at a random time of each, or with exponential gaps."""
        polling = self.scenario.source.polling
        rng = self.luck.stream(f"poll {self.scenario.consumers[number].name} times")
        interval, count = int(nanoseconds(polling.interval)), int(self.horizon / nanoseconds(polling.interval)) + 1
        if polling.order == "poisson":
            times = np.cumsum(rng.exponential(interval, 2 * count + 100)).astype(np.int64)
        else:
            times = np.arange(count) * interval + (rng.integers(0, interval, count) if polling.order == "random" else 0)
        return times[times < self.horizon]

    def downtimes(self, name: str, outages: Outages | None, turn: int = 0) -> Downtimes:
        """When the component *name* is down, the one whose *turn* it is where they restart one after another; noted for the journal."""
        intervals = self.luck.downtimes(name, outages, self.horizon)
        if isinstance(outages, ConsumerOutages) and outages.rolling:
            intervals = [(start + turn * (end - start), end + turn * (end - start)) for start, end in intervals]
        self.faults[name] = Downtimes(intervals)
        return self.faults[name]
