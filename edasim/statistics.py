"""Intervals over replications: of means, of rates that may be rare, of quantiles; and how much of a run is warm-up.

They hold with 95 % *confidence* unless another one is asked for.

Everything here knows numbers and nothing of metrics; edasim/intervals.py says which of these a metric needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaincinv, stdtrit

from edasim.errors import InputError

CONFIDENCE = 0.95
FEW = 30  # hits: of fewer the spread over replications says too little
LEVELS = np.unique(np.concatenate([np.arange(20) / 20, 1 - 2.0 ** -(np.arange(25) / 2), [0.99, 1.0]]))  # where a quantile function is kept

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean over replications with its 95 % interval; the bounds are NaN where one replication says nothing of the spread."""

    mean: float
    low: float
    high: float


def interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Student's t interval of the mean of independent replications, shape (replications,).

    >>> interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.48..., high=4.48...)
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    return around(mean, values - mean, confidence)


def around(estimate: float, deviations: Floats, confidence: float = CONFIDENCE) -> Interval:
    """Student's t interval of an *estimate* from the *deviations* of independent replications from it, shape (replications,)."""
    size = deviations.size
    if size < 2:
        return Interval(estimate, float("nan"), float("nan"))
    half = float(stdtrit(size - 1, 0.5 + confidence / 2) * np.sqrt((deviations**2).sum() / (size - 1) / size))
    return Interval(estimate, estimate - half, estimate + half)


def independent_difference(mine: Interval, theirs: Interval) -> Interval:
    """How much more *mine* is than *theirs*, of two independent estimates of whatever nature, from their own intervals.

    Each end is as far off as the two distances that lead there together, by Pythagoras (MOVER: Zou and Donner, Statistics in Medicine
    27:1693, 2008). For means it is never narrower than Welch's interval; unlike that it knows rates of which none were seen.

    >>> independent_difference(Interval(5.0, 2.0, 9.0), Interval(3.0, -1.0, 6.0))
    Interval(mean=2.0, low=-2.24..., high=7.65...)
    """
    apart = mine.mean - theirs.mean
    below = np.hypot(mine.mean - mine.low, theirs.high - theirs.mean)
    above = np.hypot(mine.high - mine.mean, theirs.mean - theirs.low)
    return Interval(apart, apart - float(below), apart + float(above))


def unseen(trials: float, confidence: float = CONFIDENCE) -> float:
    """Up to which rate something may happen that never did in so many independent *trials*: 1 - 0.05^(1/n), about 3/n.

    Clopper and Pearson (Biometrika 1934), one-sided. Without any trial: 1.

    >>> round(unseen(3000), 6)
    0.000998
    """
    return float(1 - (1 - confidence) ** (1 / trials)) if trials > 0 else 1.0


def none_in(occasions: int, confidence: float = CONFIDENCE) -> float:
    """Up to how many of something there are an occasion, on average, if in so many independent ones there was none: about 3/n.

    The exact one-sided bound of a Poisson mean, -ln 0.05 / n (Garwood, Biometrika 1936).

    >>> round(none_in(100), 4)
    0.03
    """
    return float(-np.log(1 - confidence) / occasions)


def count_interval(total: float, spread: float, weight: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The bounds of a weighted sum of independent Poisson counts, of which *total* was seen; two-sided, one-sided where nothing was.

    *spread* is the sum of the squared weights of what was seen, *weight* the largest weight of what could be. Fay and Feuer (Statistics
    in Medicine 1997); where all weights are the same it is the exact interval of a Poisson mean (Garwood, Biometrika 1936).

    >>> [round(bound, 3) for bound in count_interval(2, 2, 1)], [round(bound, 3) for bound in count_interval(0, 0, 12)]
    ([0.242, 7.225], [0.0, 35.949])
    """
    if total <= 0:
        return 0.0, weight * none_in(1, confidence)
    outside = (1 - confidence) / 2
    beyond, wider = total + weight, spread + weight**2
    low = spread / total * float(gammaincinv(total**2 / spread, outside))
    return low, wider / beyond * float(gammaincinv(beyond**2 / wider, 1 - outside))


def exact_interval(hits: float, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The bounds of a rate with so many *hits* in independent *trials* (Clopper and Pearson, Biometrika 1934); one-sided at 0 and 1.

    >>> [round(bound, 4) for bound in exact_interval(1, 100)]
    [0.0003, 0.0545]
    """
    if hits <= 0:
        return 0.0, unseen(trials, confidence)
    if hits >= trials:
        return 1 - unseen(trials, confidence), 1.0
    outside = (1 - confidence) / 2
    return float(betaincinv(hits, trials - hits + 1, outside)), float(betaincinv(hits + 1, trials - hits, 1 - outside))


def rate_interval(values: ArrayLike, trials: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a rate from its *values* in replications with so many *trials* each, both of shape (replications,).

    Student's t, kept within [0, 1], because trials of one replication share their faults. Where there were few hits in all, or few
    misses, replications may look alike by chance: then at least the exact interval of all trials together, as if they were independent.
    Where they came in bursts (their variance over replications is above their mean) each replication's is taken for one burst. Where
    nothing was hit, 0 and the upper bound that is exact for independent trials, about 3/n: of hits in bursts there may be as many bursts.

    >>> rate_interval([0.0, 0.0], [500, 500])
    Interval(mean=0.0, low=0.0, high=0.0029...)
    >>> rate_interval([0.002, 0.002], [500, 500])
    Interval(mean=0.002, low=0.0002..., high=0.0072...)
    """
    values, trials = np.asarray(values, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    found, total, hits = interval(values, confidence), float(trials.sum()), float((values * trials).sum())
    low, high = max(0.0, found.low) if values.size > 1 else found.low, min(1.0, found.high) if values.size > 1 else found.high
    if total > 0 and min(hits, total - hits) < FEW - 0.5:
        counted = values * trials if hits <= total - hits else (1 - values) * trials
        for bounds in (exact_interval(round(hits), total, confidence), _of_bursts(counted, total, hits <= total - hits, confidence)):
            low, high = float(np.fmin(low, bounds[0])), float(np.fmax(high, bounds[1]))
        low, high = min(low, found.mean), max(high, found.mean)
    return Interval(found.mean, low, high)


def _of_bursts(counts: Floats, total: float, are_hits: bool, confidence: float) -> tuple[float, float]:
    """The bounds of a rate whose *counts* over replications spread wider than independent ones do; NaN where they don't."""
    if counts.size < 2 or not counts.any() or counts.var(ddof=1) <= counts.mean():
        return float("nan"), float("nan")
    low, high = count_interval(float(counts.sum()), float((counts**2).sum()), float(counts.max()), confidence)
    return (low / total, min(1.0, high / total)) if are_hits else (max(0.0, 1 - high / total), 1 - low / total)


def quantile_interval(level: float, curves: ArrayLike, trials: ArrayLike, confidence: float = CONFIDENCE) -> tuple[Interval, Floats]:
    """The interval of a quantile of all observations of all replications together (quantiles can't be averaged), and what each adds to it.

    *curves* are each replication's quantile function at LEVELS, shape (replications, levels); *trials* how many observations it is made
    of, zeros where it is over time. The estimate is the quantile of the mixture. Its interval is that of the share of observations below
    it, by Student's t over replications, turned back into quantiles (Woodruff, JASA 47:635, 1952). It has no upper end where that share may
    reach 1, or where there are too few observations to bound it by any of them (n < ln 0.05 / ln level, 299 for the 99th percentile), and
    no lower one where it may reach 0. What a replication adds is by how much the quantile would move with its share alone (Bahadur 1966):
    differences of options are paired by it; NaN where an end is missing.

    >>> quantile_interval(0.5, [LEVELS * 2, LEVELS * 4], [500, 500])[0]
    Interval(mean=1.33..., low=nan, high=nan)
    """
    curves, trials = np.asarray(curves, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    weights = trials if trials.all() else np.ones(len(curves))
    mixture = Mixture.of(curves, weights)
    estimate = mixture.quantile(level)
    below = _distributions(curves, np.array([estimate]), "right")[:, 0]
    share = float(below @ weights / weights.sum())
    apart = (below - share) * weights / weights.mean()
    half = around(share, apart, confidence).high - share
    reach = level - half, level + half
    too_few = trials.any() and level ** float(trials.sum()) > 1 - confidence
    low = min(mixture.quantile(reach[0]), estimate) if reach[0] > 0 else float("nan")
    high = max(mixture.quantile(reach[1]), estimate) if reach[1] < 1 and not too_few else float("nan")
    slope = (high - low) / (2 * half) if half else high - low  # 0, or NaN where an end is missing
    return Interval(estimate, low, high), -slope * apart


@dataclass(frozen=True)
class Mixture:
    """A mixture of distributions: the *points* where one of them bends, and the probability of at most each, and of less; shape (points,).

    Between the levels a distribution is taken to be uniform; where its quantile function is level it has an atom.
    """

    points: Floats
    upto: Floats
    below: Floats

    @classmethod
    def of(cls, curves: Floats, weights: Floats) -> "Mixture":
        """That of distributions with quantile functions *curves* at LEVELS, shape (distributions, levels), with these *weights*."""
        points, shares = np.unique(curves), (weights / weights.sum())[:, None]
        return cls(points, *((shares * _distributions(curves, points, side)).sum(axis=0) for side in ("right", "left")))

    def quantile(self, level: float) -> float:
        """The quantile of that *level*."""
        place = int(np.argmax(self.upto >= level - 1e-12))
        if not place or self.below[place] <= level:  # it lies in an atom
            return float(self.points[place])
        return float(np.interp(level, [self.upto[place - 1], self.below[place]], self.points[place - 1 : place + 1]))


def _distributions(curves: Floats, points: Floats, side: str) -> Floats:
    """The probability of at most each of *points* ("right"), or of less ("left"), by each distribution; shape (distributions, points)."""
    at = np.array([np.searchsorted(curve, points, side=side) for curve in curves])  # type: ignore[call-overload]
    before, after = np.maximum(at - 1, 0), np.minimum(at, LEVELS.size - 1)
    low, high = np.take_along_axis(curves, before, 1), np.take_along_axis(curves, after, 1)
    width = high - low
    part = np.divide(points - low, width, out=np.zeros(width.shape), where=width > 0)
    inside = LEVELS[before] + np.clip(part, 0, 1) * (LEVELS[after] - LEVELS[before])
    return np.where(at == 0, 0.0, np.where(at == LEVELS.size, 1.0, inside))


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
