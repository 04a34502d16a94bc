"""What all components of one run share: its inputs, the clock, and the columns they record."""

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.inputs import Inputs
from edasim.distributions import Distribution
from edasim.journal import COLUMNS
from edasim.luck import Bursts, Draws
from edasim.scenario import GilbertElliott
from edasim.simpy_model.clock import Clock


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


class Listed(list[int]):
    """The draws of attempt 0 as a list, which Python reads faster than an array, and those of later attempts on request."""

    def __init__(self, draws: Draws | Bursts) -> None:
        super().__init__(draws.values.tolist())
        self._later = draws.at

    def at(self, index: int, attempt: int) -> int:
        """The draw for this change (or read) and attempt."""
        return self._later(index, attempt) if attempt else self[index]


@dataclass
class Run(Inputs):
    """The inputs of one run, its clock, and what happens, as rows of the journal's tables."""

    clock: Clock = field(default_factory=Clock)
    requests: Columns = field(default_factory=lambda: Columns("requests"))
    loads: Columns = field(default_factory=lambda: Columns("loads"))
    refreshes: Columns = field(default_factory=lambda: Columns("refreshes"))
    conflicts: Columns = field(default_factory=lambda: Columns("conflicts"))
    snapshots: Columns = field(default_factory=lambda: Columns("snapshots"))
    snapshot_contents: Columns = field(default_factory=lambda: Columns("snapshot_contents"))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.entity: list[int] = self.workload.entities.tolist()

    def column(self, value: int) -> "array[int]":
        """A whole number for every change, *value* to begin with; numpy takes it over without a copy."""
        return array("q", [value]) * self.changes

    def times(self, name: str, distribution: Distribution, count: int | None = None) -> Listed:
        """A time for every change and attempt, or for *count* things, in nanoseconds."""
        return Listed(self.luck.times(name, distribution, self.changes if count is None else count))

    def hits(self, name: str, probability: float) -> Listed:
        """For every change and attempt whether it is hit: 1 or 0."""
        return Listed(self.luck.hits(name, probability, self.changes))

    def losses(self, name: str, loss: float | GilbertElliott) -> Listed:
        """For every change and attempt whether it is lost: 1 or 0."""
        return Listed(self.luck.losses(name, loss, self.changes))
