"""What all components of one run share: its inputs, the clock, and the columns they record."""

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import Distribution
from edasim.journal import COLUMNS
from edasim.luck import Draws, Luck, nanoseconds
from edasim.patterns import Pattern
from edasim.scenario import Outages, Scenario
from edasim.simpy_model.clock import Clock
from edasim.simpy_model.faults import Downtimes
from edasim.workload import Workload


class Columns:
    """Rows of whole numbers for one journal table, as they happen."""

    def __init__(self, table: str) -> None:
        self._names = COLUMNS[table]
        self._flat = array("q")
        self.add = self._flat.extend  # one row, in the order of the table's columns

    def table(self) -> dict[str, NDArray[Any]]:
        """The rows as columns."""
        rows = np.frombuffer(self._flat, dtype=np.int64).reshape(-1, len(self._names))
        return {name: rows[:, column].astype(dtype) for column, (name, dtype) in enumerate(self._names.items())}


@dataclass
class Run:
    """One run: a pattern in a scenario, under one workload and one luck, from time 0 to *horizon* (nanoseconds)."""

    scenario: Scenario
    pattern: Pattern
    workload: Workload
    luck: Luck
    clock: Clock = field(default_factory=Clock)
    faults: dict[str, Downtimes] = field(default_factory=dict)
    requests: Columns = field(default_factory=lambda: Columns("requests"))
    loads: Columns = field(default_factory=lambda: Columns("loads"))
    refreshes: Columns = field(default_factory=lambda: Columns("refreshes"))

    def __post_init__(self) -> None:
        self.changes = self.workload.times.size
        self.entity: list[int] = self.workload.entities.tolist()
        self.horizon = self.workload.end + int(nanoseconds(self.scenario.drain))

    def column(self, value: int) -> "array[int]":
        """A whole number for every change, *value* to begin with; numpy takes it over without a copy."""
        return array("q", [value]) * self.changes

    def times(self, name: str, distribution: Distribution) -> Draws:
        """A time for every change and attempt, in nanoseconds."""
        return self.luck.times(name, distribution, self.changes)

    def downtimes(self, name: str, outages: Outages | None) -> Downtimes:
        """When the component *name* is down; noted for the journal."""
        self.faults[name] = Downtimes(self.luck.downtimes(name, outages, self.horizon))
        return self.faults[name]
