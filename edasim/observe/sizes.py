"""Sizes and times as lognormal: the mean and the coefficient of variation of what was seen, and the interval of the mean."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as students_t

from edasim.observe.document import Observed, Unit, distribution, written
from edasim.statistics import CONFIDENCE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Spread(NamedTuple):
    """A mean with its 95 % interval (NaN: not known), and the coefficient of variation, of so many values."""

    mean: float
    low: float
    high: float
    cv: float
    seen: int


def spread_of(values: Floats, keys: Ints | None = None) -> Spread:
    """The mean and spread of *values*, shape (n,), n > 0; those that have the same of *keys* count as one observation of the mean.

    Rows of one entity are about as large each time, so a thousand of them say little more than one: the interval is Student's t with the
    variance of the sums over entities (Liang and Zeger, Biometrika 73:13, 1986). Without keys all are taken for independent. The
    coefficient of variation is that of the values, whosever they are; of one entity alone there is one, and no interval of the mean.

    >>> spread_of(np.array([1.0, 2.0, 3.0]))
    Spread(mean=2.0, low=-0.48..., high=4.48..., cv=0.5, seen=3)
    >>> round(spread_of(np.array([1.0, 1.0, 3.0, 3.0]), np.array([7, 7, 9, 9])).high)
    15
    """
    mean, seen = float(values.mean()), values.size
    cv = float(values.std(ddof=1)) / mean if seen > 1 and mean > 0 else 0.0
    groups = np.arange(seen) if keys is None else np.unique(keys, return_inverse=True)[1]
    sums = np.bincount(groups, weights=values - mean)
    if sums.size < 2:
        return Spread(mean, np.nan, np.nan, cv, seen)
    error = float(np.sqrt((sums**2).sum() * sums.size / (sums.size - 1))) / seen
    half = float(students_t.ppf(0.5 + CONFIDENCE / 2, sums.size - 1)) * error
    return Spread(mean, mean - half, mean + half, cv, seen)


def observed_spread(path: str, found: Spread, unit: Unit, source: str) -> Observed:
    """It as an input: lognormal, or a number where all values are the same; an interval ends at 0, and of one value there is none."""
    value = distribution("lognormal", found.mean, found.cv, unit) if found.cv > 1e-4 and found.mean > 0 else written(found.mean, unit)
    known = np.isfinite(found.low) and found.high > found.low
    low, high = (written(max(0.0, found.low), unit), written(found.high, unit)) if known else (None, None)
    return Observed(path=path, value=value, low=low, high=high, unit=unit, source=source, seen=found.seen)
