"""Intervals over replications, and paired differences between options that shared their luck."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from edasim.errors import InputError

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


def mser(series: ArrayLike, batch: int = 5) -> int:
    """How many observations to cut off the front of *series* as warm-up, by MSER-5: a multiple of *batch*.

    Of the means of batches it keeps those from d on that minimise sum((y - mean)^2) / (n - d)^2, d at most n / 2: the narrowest interval
    for the mean (White, Simulation 69:323, 1997; White, Cobb and Spratt, WSC 2000).

    >>> mser([9.0] * 10 + [1.0, 2.0] * 45)
    10

    Raises InputError where the series is shorter than two batches, and where the best cut is the last that is allowed: it has not
    settled within its first half.
    """
    values = np.asarray(series, dtype=np.float64)
    means = values[: values.size // batch * batch].reshape(-1, batch).mean(axis=1)
    if means.size < 2:
        raise InputError(f"a series of {values.size} is too short to find its warm-up: at least {2 * batch} are needed; run longer")
    left = means.size - np.arange(means.size // 2 + 1)
    tails = [means[-kept:] for kept in left]
    cut = int(np.argmin([((tail - tail.mean()) ** 2).sum() / tail.size**2 for tail in tails]))
    if cut == means.size // 2:
        raise InputError("the run has not settled within its first half: run longer")
    return cut * batch
