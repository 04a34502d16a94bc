"""What lies in the loop's one array of numbers when a run begins: draws, downtimes, and room for what will be noted."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.inputs import Inputs
from edasim.distributions import Distribution
from edasim.fast_path.draws import Later
from edasim.fast_path.memory import LIST, Ints, Records
from edasim.faults import Downtimes
from edasim.luck import Bursts, Draws
from edasim.scenario import GilbertElliott

SPARE = 1 << 16  # numbers that are noted before the array is made larger


@dataclass
class Lists:
    """Lists by number, as they are asked for: a stream of draws has the number of the list of its first attempts."""

    run: Inputs
    _parts: list[NDArray[np.int64]] = field(default_factory=list)
    _rows: list[tuple[int, int, int]] = field(default_factory=list)
    _streams: dict[int, Draws | Bursts] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)
    used: int = 0

    def add(self, values: Ints) -> int:
        """A list that holds these *values*, and no room for more."""
        self._rows.append((self.used, values.size, values.size))
        self._parts.append(values)
        self.used += values.size
        return len(self._rows) - 1

    def empty(self) -> int:
        """A list that will grow."""
        return self.add(np.empty(0, dtype=np.int64))

    def room(self, size: int) -> int:
        """Where so many numbers begin that may be written to."""
        return self._rows[self.add(np.zeros(size, dtype=np.int64))][0]

    def draws(self, draws: Draws | Bursts) -> int:
        """The stream of these *draws*; the same for the same ones."""
        if id(draws) not in self._numbers:
            number = self.add(draws.values)
            self._numbers[id(draws)], self._streams[number] = number, draws
        return self._numbers[id(draws)]

    def times(self, name: str, distribution: Distribution, count: int | None = None) -> int:
        """A time for every change and attempt, or for *count* things, in nanoseconds."""
        return self.draws(self.run.luck.times(name, distribution, self.run.changes if count is None else count))

    def hits(self, name: str, probability: float) -> int:
        """For every change and attempt whether it is hit."""
        return self.draws(self.run.luck.hits(name, probability, self.run.changes))

    def losses(self, name: str, loss: float | GilbertElliott) -> int:
        """For every change and attempt whether it is lost."""
        return self.draws(self.run.luck.losses(name, loss, self.run.changes))

    def downtimes(self, downtimes: Downtimes) -> int:
        """When a component goes down; the next list says when it is up again."""
        spans = np.array(downtimes.intervals, dtype=np.int64).reshape(-1, 2)
        number = self.add(spans[:, 0])
        self.add(spans[:, 1])
        return number

    def memory(self) -> tuple[Records, Ints, Later]:
        """The lists, the array in which they lie (with room behind them), and what draws later attempts."""
        rows = np.zeros(len(self._rows), dtype=LIST)
        for name, column in zip(("begin", "length", "capacity"), zip(*self._rows, strict=True), strict=True):
            rows[name] = column
        flat = np.empty(self.used + self.used // 4 + SPARE, dtype=np.int64)
        for (begin, length, _), part in zip(self._rows, self._parts, strict=True):
            flat[begin : begin + length] = part
        return rows, flat, Later(self._streams)
