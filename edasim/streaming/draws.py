"""Draws block after block: the numbers that a whole run draws at once, from the same named streams.

A generator gives the same sequence however many numbers it is asked for at a time; tests/test_streaming.py holds that for every kind of
distribution.
"""

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import Constant, Distribution
from edasim.luck import Luck, nanoseconds

Ints = NDArray[np.int64]
Columns = dict[str, Ints]


class Continued(np.random.Generator):
    """A generator whose children go on where they stopped: a mixture spawns them in each block, and in a whole run once."""

    _children: list[np.random.Generator] | None = None

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        """The same children, whenever they are asked for."""
        if self._children is None:
            self._children = super().spawn(n_children)
        return self._children


class Times:
    """The times of one stream for every change, drawn in blocks and kept as a column of that name; of a constant there is no column."""

    def __init__(self, luck: Luck, name: str, distribution: Distribution) -> None:
        self.name, self._distribution = name, distribution
        self._constant = isinstance(distribution, Constant)
        self._same = nanoseconds(distribution.mean() if self._constant else 0.0).reshape(1)
        self._rng = Continued(luck.stream(name).bit_generator)

    def drawn(self, count: int) -> Columns:
        """The column for the next *count* changes."""
        return {} if self._constant else {self.name: nanoseconds(self._distribution.sample(self._rng, count))}

    def of(self, messages: Columns, count: int) -> Ints:
        """The time of each of so many *messages*, in nanoseconds."""
        if not self._constant:
            return messages[self.name]
        if self._same.size < count:
            self._same = np.full(2 * count, self._same[0])
        return self._same[:count]
