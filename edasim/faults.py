"""Faults: when components are down. They strike busy or idle, so luck draws them ahead and nothing in the run changes them."""

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edasim.luck import nanoseconds

NEVER = 1 << 62  # nanoseconds


class Downtimes:
    """The intervals [start, end) in which a component is down, in nanoseconds and in order."""

    def __init__(self, intervals: list[tuple[int, int]]) -> None:
        self.intervals = intervals
        self._starts = [start for start, _ in intervals]

    def begun(self, time: int) -> int:
        """How many intervals have begun at *time*: a new number means a new life of the component."""
        return bisect_right(self._starts, time)

    def is_down(self, time: int) -> bool:
        """Whether the component is down at *time*."""
        return bool(self._starts) and self.up_from(time) > time

    def up_from(self, time: int) -> int:
        """*time* itself if the component is up then, else the end of the interval."""
        begun = bisect_right(self._starts, time)
        return max(time, self.intervals[begun - 1][1]) if begun else time

    def next_start(self, time: int) -> int:
        """When the next interval begins after *time*; NEVER if none does."""
        if not self._starts or time >= self._starts[-1]:
            return NEVER
        return self._starts[bisect_right(self._starts, time)]


class Poison:
    """The changes that a consumer can never handle: the first that is made at or after each of some *times*, in seconds.

    The same for all options, since who changes when does not depend on them.
    """

    def __init__(self, times: Iterable[float], made: NDArray[np.int64]) -> None:
        first = np.searchsorted(made, nanoseconds(np.array([*times], dtype=np.float64)))
        self.changes = frozenset(first[first < made.size].tolist())
        self.last_failed: dict[int, int] = {}  # change -> when an attempt failed last

    def fails(self, change: int, now: int) -> bool:
        """Whether the attempt to handle the change that ends *now* fails for this."""
        if change not in self.changes:
            return False
        self.last_failed[change] = now
        return True
