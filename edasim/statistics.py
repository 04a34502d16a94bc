"""Intervals over replications, and paired differences between options that shared their luck."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over replications with its 95 % interval; the bounds are NaN where one replication says nothing of the spread."""

    mean: float
    low: float
    high: float


def interval(values: ArrayLike) -> Interval:
    """Student's t interval of the mean of independent replications, shape (replications,).

    >>> interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.48..., high=4.48...)
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    if values.size < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = float(stdtrit(values.size - 1, 0.5 + CONFIDENCE / 2) * values.std(ddof=1) / np.sqrt(values.size))
    return Interval(mean, mean - half, mean + half)


def rate_interval(values: ArrayLike, trials: ArrayLike) -> Interval:
    """The t interval of a rate, kept within [0, 1]; when nothing was hit in any replication, 0 and the exact upper bound.

    No hit in n independent trials leaves rates up to 1 - 0.05^(1/n), about 3/n, possible (Clopper and Pearson 1934, one-sided).

    >>> rate_interval([0.0, 0.0], [500, 500])
    Interval(mean=0.0, low=0.0, high=0.0029...)
    """
    values, total = np.asarray(values, dtype=np.float64), float(np.sum(np.asarray(trials, dtype=np.float64)))
    if total > 0 and not values.any():
        return Interval(0.0, 0.0, float(1 - (1 - CONFIDENCE) ** (1 / total)))
    found = interval(values)
    return Interval(
        found.mean, max(0.0, found.low) if values.size > 1 else found.low, min(1.0, found.high) if values.size > 1 else found.high
    )
