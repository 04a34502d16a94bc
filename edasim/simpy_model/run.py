"""What all components of one run share: its inputs, the clock, and the columns they record."""

from array import array
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import Distribution
from edasim.journal import COLUMNS
from edasim.luck import Draws, Luck, nanoseconds
from edasim.patterns import Pattern, answers_reads, patterns_of
from edasim.scenario import ConsumerOutages, Outages, Scenario
from edasim.simpy_model.clock import Clock
from edasim.simpy_model.faults import Downtimes
from edasim.units import NANOSECONDS
from edasim.workload import Workload


class Columns:
    """Rows of whole numbers for one journal table, as they happen."""

    def __init__(self, table: str) -> None:
        self._names = COLUMNS[table]
        self._flat = array("q")
        self.add = self._flat.extend  # one row, in the order of the table's columns

    def add_numbered(self, row: "tuple[int, ...]") -> int:
        """As `add`; which row it became."""
        self._flat.extend(row)
        return len(self._flat) // len(self._names) - 1

    def table(self) -> dict[str, NDArray[Any]]:
        """The rows as columns."""
        rows = np.frombuffer(self._flat, dtype=np.int64).reshape(-1, len(self._names))
        return {name: rows[:, column].astype(dtype) for column, (name, dtype) in enumerate(self._names.items())}


@dataclass
class Run:
    """One run: a pattern in a scenario, under one workload and one luck, from time 0 to *horizon* (nanoseconds).

    *patterns* says for each consumer what holds there (a consumer may differ from its option), *reads* who answers its reads.
    """

    scenario: Scenario
    pattern: Pattern
    workload: Workload
    luck: Luck
    clock: Clock = field(default_factory=Clock)
    faults: dict[str, Downtimes] = field(default_factory=dict)
    requests: Columns = field(default_factory=lambda: Columns("requests"))
    loads: Columns = field(default_factory=lambda: Columns("loads"))
    refreshes: Columns = field(default_factory=lambda: Columns("refreshes"))
    conflicts: Columns = field(default_factory=lambda: Columns("conflicts"))
    snapshots: Columns = field(default_factory=lambda: Columns("snapshots"))
    snapshot_contents: Columns = field(default_factory=lambda: Columns("snapshot_contents"))

    def __post_init__(self) -> None:
        self.changes = self.workload.times.size
        self.entity: list[int] = self.workload.entities.tolist()
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

    def column(self, value: int) -> "array[int]":
        """A whole number for every change, *value* to begin with; numpy takes it over without a copy."""
        return array("q", [value]) * self.changes

    def times(self, name: str, distribution: Distribution) -> Draws:
        """A time for every change and attempt, in nanoseconds."""
        return self.luck.times(name, distribution, self.changes)

    def downtimes(self, name: str, outages: Outages | None, turn: int = 0) -> Downtimes:
        """When the component *name* is down, the one whose *turn* it is where they restart one after another; noted for the journal."""
        intervals = self.luck.downtimes(name, outages, self.horizon)
        if isinstance(outages, ConsumerOutages) and outages.rolling:
            intervals = [(start + turn * (end - start), end + turn * (end - start)) for start, end in intervals]
        self.faults[name] = Downtimes(intervals)
        return self.faults[name]
