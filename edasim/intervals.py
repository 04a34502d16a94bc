"""What a metric comes to over replications, and how two options differ in it: by its nature."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edasim.metrics.values import BY_NATURE, Nature, Value
from edasim.statistics import (
    CONFIDENCE,
    FEW,
    Floats,
    Interval,
    around,
    count_interval,
    interval,
    none_in,
    quantile_interval,
    rate_interval,
    unseen,
)


def over_replications(values: Sequence[Value], confidence: float = CONFIDENCE) -> Interval:
    """The estimate of a metric and its interval (95 %, or of another *confidence*), from its values in independent replications.

    What is zero or one by nature is just that; a rate, in particular one of which few or none were seen, has `rate_interval`, a count
    that of `_counted`; a quantile is that of all observations together; all else has Student's t.
    """
    numbers, trials, nature = _numbers(values), _trials(values), nature_of(values)
    if nature in BY_NATURE:
        return Interval(*[BY_NATURE[nature]] * 3)
    if nature == "rate":
        return rate_interval(numbers, trials, confidence)
    if nature == "quantile":
        return quantile_interval(values[0].level, [value.around for value in values], trials, confidence)[0]
    return _counted(values, confidence) if nature == "count" else interval(numbers, confidence)


def nature_of(values: Sequence[Value]) -> Nature:
    """How the interval of these is made: of several replications zero or one by nature only where all are."""
    return next((value.nature for value in values if value.nature not in BY_NATURE), values[0].nature)


def _counted(values: Sequence[Value], confidence: float) -> Interval:
    """The interval of a mean count: Student's t, not below 0 where none was; of few in all at least that of Poisson counts.

    Counts less those of a quiet twin may be below 0: then what was more and what was less have intervals of their own.
    """
    numbers, runs = _numbers(values), len(values)
    found, less = interval(numbers, confidence), numbers < 0
    low = found.low if less.any() or runs == 1 else max(0.0, found.low)
    if not is_rare(values):
        return Interval(found.mean, low, found.high)
    taken = _poisson(values, less, confidence) if less.any() else (0.0, 0.0)
    added = _poisson(values, ~less, confidence)
    return Interval(found.mean, float(np.fmin(low, (added[0] - taken[1]) / runs)), float(np.fmax(found.high, (added[1] - taken[0]) / runs)))


def _poisson(values: Sequence[Value], counted: NDArray[np.bool_], confidence: float) -> tuple[float, float]:
    """The bounds of the sum of those values that are *counted*, shape (replications,), without their sign."""
    spreads = np.array([sum(value.around) or value.level * abs(value.value) for value in values])
    total, weight = float(abs(_numbers(values))[counted].sum()), max(value.level for value in values)
    return count_interval(total, float(spreads[counted].sum()), weight, confidence)


def difference(mine: Sequence[Value], theirs: Sequence[Value]) -> Interval:
    """How much more *mine* is than *theirs*, of two options that shared their luck: paired by replication, both in the same order.

    Student's t of the differences. Two rates or counts that came out the same in every replication may still differ by what none of n
    trials shows, about 3/n; where either was seen rarely, at least by what their own intervals leave open.
    """
    apart = _numbers(mine) - _numbers(theirs)
    if {nature_of(mine), nature_of(theirs)} <= BY_NATURE.keys():
        return Interval(*[float(apart[0])] * 3)
    if "quantile" in (nature_of(mine), nature_of(theirs)):
        (more, added), (less, taken) = _parts(mine), _parts(theirs)
        return around(more - less, added - taken)
    found, rare = interval(apart), [values for values in (mine, theirs) if nature_of(values) in ("rate", "count")]
    if not rare:
        return found
    slack = max(_unseen(values) for values in rare)
    if not apart.any():
        return Interval(0.0, -slack, slack)
    if is_rare(mine) or is_rare(theirs):
        ours, others = over_replications(mine), over_replications(theirs)
        return Interval(found.mean, float(np.fmin(found.low, ours.low - others.high)), float(np.fmax(found.high, ours.high - others.low)))
    return found


def _parts(values: Sequence[Value]) -> tuple[float, Floats]:
    """The estimate, and what each replication adds to it; NaN where a quantile has no interval."""
    if nature_of(values) == "quantile":
        found, adds = quantile_interval(values[0].level, [value.around for value in values], _trials(values))
        return found.mean, adds
    numbers = _numbers(values)
    return over_replications(values).mean, numbers - numbers.mean()


def variance_saved(mine: Sequence[Value], theirs: Sequence[Value]) -> float:
    """Which share of the variance of the difference the shared luck took away: 1 - var(X - Y) / (var X + var Y); NaN if one never varies.

    With runs on luck of their own the variance would be the sum of both. Below zero: the shared luck made it worse.
    """
    ours, others = _numbers(mine), _numbers(theirs)
    if not ours.var() or not others.var():
        return float("nan")
    return float(1 - (ours - others).var() / (ours.var() + others.var()))


def is_rare(values: Sequence[Value]) -> bool:
    """Whether this is a rate or a count of which so few were seen that their spread over replications says too little."""
    if nature_of(values) == "count":
        return float(abs(_numbers(values)).sum()) < (FEW - 0.5) * max(value.level for value in values)
    hits, trials = float((_numbers(values) * _trials(values)).sum()), float(_trials(values).sum())
    return nature_of(values) == "rate" and min(hits, trials - hits) < FEW - 0.5


def _unseen(values: Sequence[Value]) -> float:
    """How much of a rate or a count there may be on average though none was seen."""
    if nature_of(values) == "count":
        return max(value.level for value in values) * none_in(len(values))
    return unseen(float(_trials(values).sum()))


def _numbers(values: Sequence[Value]) -> Floats:
    return np.array([value.value for value in values], dtype=np.float64)


def _trials(values: Sequence[Value]) -> Floats:
    return np.array([value.trials for value in values], dtype=np.float64)
