"""A bracketing search that knows about noise: between which values of an input does a difference change its sign?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edasim.ranges import Range
from edasim.statistics import Interval

NARROW = 1 / 64  # of the range: an interval is not made narrower than that
CLOSE = 1 / 4  # of the interval: how far a clear end may be from what is unclear


@dataclass(frozen=True)
class Point:
    """What one *value* of the input gave: how much more A has of the metric than B, and for which consumer of each."""

    value: float
    difference: Interval
    replications: int
    consumers: tuple[str, str]

    @property
    def sign(self) -> int:
        """1 where A clearly has more, -1 where it clearly has less, 0 where zero is in the interval."""
        return 1 if self.difference.low > 0 else -1 if self.difference.high < 0 else 0


@dataclass(frozen=True)
class Bracket:
    """All *points* that a search tried, in order of their values, and where it ended: the last clear values on both sides.

    Without *low* or *high* no clear value was found on that side.
    """

    points: tuple[Point, ...]
    low: Point | None
    high: Point | None

    @property
    def estimate(self) -> float | None:
        """The root of the straight line through the differences between the clear ends; None where there is no tipping point."""
        if self.low is None or self.high is None or self.low.sign == self.high.sign:
            return None
        inside = [point for point in self.points if self.low.value <= point.value <= self.high.value]
        values = np.array([point.value for point in inside])
        slope, level = np.polyfit(values - values[0], [point.difference.mean for point in inside], 1)
        root = values[0] - level / slope if slope else values.mean()
        return float(np.clip(root, values[0], values[-1]))


def search(ask: Callable[[float], Point], over: Range) -> Bracket:
    """Where the sign of what is asked for changes: both ends, halves while their middle is clear, then both sides of what is not."""
    tried: dict[float, Point] = {}

    def at(value: float) -> Point:
        return tried.setdefault(value, tried.get(value) or ask(value))

    low, high = at(over.low), at(over.high)
    if not low.sign and not high.sign:
        at(over.between(over.low, over.high))
    elif not low.sign or not high.sign:
        unclear = high if low.sign else low
        low, high = _closed_in(at, over, (low, unclear, unclear, high))
    while low.sign * high.sign < 0 and not _is_narrow(over, low, high):
        middle = at(over.between(low.value, high.value))
        if not middle.sign:
            low, high = _closed_in(at, over, (low, middle, middle, high))
            break
        low, high = (middle, high) if middle.sign == low.sign else (low, middle)
    points = tuple(tried[value] for value in sorted(tried))
    return Bracket(points, low if low.sign else None, high if high.sign else None)


def _closed_in(at: Callable[[float], Point], over: Range, ends: tuple[Point, Point, Point, Point]) -> tuple[Point, Point]:
    """The outer two of four *ends*, which are clear, moved towards the inner two, which are not, until both are close to them."""
    low, first, last, high = ends
    while True:
        below, above = first.value - low.value, high.value - last.value
        clear, unclear = (low, first) if below > above else (high, last)
        if max(below, above) <= CLOSE * (high.value - low.value) or _is_narrow(over, clear, unclear):
            return low, high
        middle = at(over.between(*sorted((clear.value, unclear.value))))
        if below > above:
            low, first = (middle, first) if middle.sign == clear.sign else (low, middle)
        else:
            last, high = (last, middle) if middle.sign == clear.sign else (middle, high)


def _is_narrow(over: Range, one: Point, other: Point) -> bool:
    """Whether two values can't be, or need not be, told apart."""
    apart = abs(one.value - other.value)
    return apart <= 1 if over.whole else apart <= NARROW * (over.high - over.low) or apart <= NARROW * min(one.value, other.value)
