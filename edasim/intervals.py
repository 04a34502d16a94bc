"""What a metric comes to over replications, and how two options differ in it: by its nature."""

from collections.abc import Sequence

import numpy as np

from edasim.metrics.values import Value
from edasim.statistics import FEW, Floats, Interval, around, interval, none_in, quantile_interval, rate_interval, unseen


def over_replications(values: Sequence[Value]) -> Interval:
    """The estimate of a metric and its 95 % interval, from its values in independent replications.

    What is zero by nature is [0, 0]; a rate, in particular one of which few or none were seen, has `rate_interval`; a quantile is that
    of all observations together; all else has Student's t.
    """
    numbers, trials = _numbers(values), _trials(values)
    if values[0].nature == "zero":
        return Interval(0.0, 0.0, 0.0)
    if values[0].nature == "rate":
        return rate_interval(numbers, trials)
    if values[0].nature == "quantile":
        return quantile_interval(values[0].level, numbers, [value.around for value in values], trials)
    if values[0].nature == "count" and not numbers.any():
        return Interval(0.0, 0.0, values[0].level * none_in(numbers.size))
    return interval(numbers)


def difference(mine: Sequence[Value], theirs: Sequence[Value]) -> Interval:
    """How much more *mine* is than *theirs*, of two options that shared their luck: paired by replication, both in the same order.

    Student's t of the differences. Two rates that came out the same in every replication may still differ by what none of n trials
    shows, about 3/n; where either was seen rarely, at least by what their own intervals leave open.
    """
    apart = _numbers(mine) - _numbers(theirs)
    if mine[0].nature == theirs[0].nature == "zero":
        return Interval(0.0, 0.0, 0.0)
    if mine[0].nature == "quantile" or theirs[0].nature == "quantile":
        estimate = over_replications(mine).mean - over_replications(theirs).mean
        return around(estimate, apart - estimate)
    found = interval(apart)
    if "rate" not in (mine[0].nature, theirs[0].nature):
        return found
    slack = unseen(float(_trials(mine if mine[0].nature == "rate" else theirs).sum()))
    if not apart.any():
        return Interval(0.0, -slack, slack)
    if is_rare(mine) or is_rare(theirs):
        ours, others = over_replications(mine), over_replications(theirs)
        return Interval(found.mean, float(np.fmin(found.low, ours.low - others.high)), float(np.fmax(found.high, ours.high - others.low)))
    return found


def variance_saved(mine: Sequence[Value], theirs: Sequence[Value]) -> float:
    """Which share of the variance of the difference the shared luck took away: 1 - var(X - Y) / (var X + var Y); NaN where one never varies.

    With runs on luck of their own the variance would be the sum of both. Below zero: the shared luck made it worse.
    """
    ours, others = _numbers(mine), _numbers(theirs)
    if not ours.var() or not others.var():
        return float("nan")
    return float(1 - (ours - others).var() / (ours.var() + others.var()))


def is_rare(values: Sequence[Value]) -> bool:
    """Whether this is a rate of which so few hits were seen that their spread over replications says too little."""
    return values[0].nature == "rate" and float((_numbers(values) * _trials(values)).sum()) < FEW - 0.5


def _numbers(values: Sequence[Value]) -> Floats:
    return np.array([value.value for value in values], dtype=np.float64)


def _trials(values: Sequence[Value]) -> Floats:
    return np.array([value.trials for value in values], dtype=np.float64)
