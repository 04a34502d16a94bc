"""A rate from events that may come in bursts: how many a second, with an interval that is as wide as they are bursty.

An example: 1,000 changes in 1,000 s are 1 a second. Had they come independently, the interval would be 0.94 to 1.06. Where a
twentieth of the time has 30 one time and 80 the next, their spread says how much the whole may be off: that is batch means.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import t as students_t

from edasim.statistics import CONFIDENCE, count_interval

Floats = NDArray[np.float64]
BATCHES = 20  # windows of equal length: between 10 and 30 (Schmeiser, Operations Research 30:556, 1982)
ENOUGH = 2 * BATCHES  # events; of fewer their spread over windows says too little


class Rate(NamedTuple):
    """Events a second with their 95 % interval, and how many were seen in how many seconds."""

    value: float
    low: float
    high: float
    seen: int
    seconds: float


def counts_in(times: Floats, windows: int) -> Floats:
    """How many of *times*, sorted, are in each of so many windows of equal length between the first and the last; shape (windows,).

    The first event only starts the clock.
    """
    edges = np.linspace(times[0], times[-1], windows + 1)
    return np.diff(np.searchsorted(times[1:], edges[1:], side="right"), prepend=0).astype(np.float64)


def dispersion(counts: Floats, expected: Floats | None = None, fitted: int = 1) -> float:
    """The index of dispersion: 1 where events are independent. *expected* of each window, from so many *fitted* numbers.

    >>> round(dispersion(np.array([4.0, 6.0, 5.0])), 3)
    0.2
    """
    expected = np.full(counts.size, counts.mean()) if expected is None else expected
    free = counts.size - fitted
    return float(((counts - expected) ** 2 / expected).sum() / free) if free > 0 and counts.sum() else 1.0


def rate_of_counts(counts: Floats, seconds: float, expected: Floats | None = None, fitted: int = 1) -> Rate:
    """The rate of events of which so many were in each window, shape (windows,), in so many *seconds* altogether.

    The wider of two intervals: that of independent events (Garwood, Biometrika 1936), and Student's t of the windows around what was
    *expected* of them (all the same, unless it is said). Slow swings, as long as the whole, are in neither.

    >>> rate_of_counts(np.array([50.0] * 20), 1000.0)
    Rate(value=1.0, low=0.938..., high=1.063..., seen=1000, seconds=1000.0)
    """
    total = float(counts.sum())
    low, high = count_interval(total, total, 1.0)
    if total >= ENOUGH and counts.size > fitted + 1:
        half = float(students_t.ppf(0.5 + CONFIDENCE / 2, counts.size - fitted)) * np.sqrt(dispersion(counts, expected, fitted) * total)
        low, high = max(0.0, min(low, total - float(half))), max(high, total + float(half))
    return Rate(total / seconds, low / seconds, high / seconds, int(total), seconds)


def rate_of(times: Floats) -> Rate:
    """The rate of events at *times* (seconds, sorted, at least two different), from the first to the last."""
    return rate_of_counts(counts_in(times, BATCHES), float(times[-1] - times[0]))


def is_beyond_chance(index: float, windows: int, tests: int = 1) -> bool:
    """Whether independent events would have so high an index of dispersion in so many windows less than once in a hundred such looks.

    >>> is_beyond_chance(1.2, 100), is_beyond_chance(1.2, 1000)
    (False, True)
    """
    return bool(chi2.sf(index * (windows - 1), windows - 1) < 0.01 / tests)
