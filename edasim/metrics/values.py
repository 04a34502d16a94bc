"""What a metric gives for one replication."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edasim.statistics import LEVELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Nature = Literal["measured", "rate", "quantile", "count", "zero", "one"]
BY_NATURE: Mapping[Nature, float] = MappingProxyType({"zero": 0.0, "one": 1.0})  # so it is, whatever the luck


@dataclass(frozen=True)
class Value:
    """One number of one replication, in *unit*; of one *consumer* and *component*, or of all (""); during an *incident*, or not ("").

    *nature* says how its interval is made: from the spread over replications, as a rate over *trials*, as a quantile, as a
    count, or zero or one by nature.
    A count is of what one incident did, times *level*; or such counts together: *level* is the largest of their weights, *around*
    holds the sum of squared weights of all that was counted.
    A quantile of some *level* comes with the whole quantile function (at `statistics.LEVELS`), because quantiles can't be averaged.
    """

    metric: str
    value: float
    unit: str
    consumer: str = ""
    component: str = ""
    nature: Nature = "measured"
    trials: int = 0
    incident: str = ""
    level: float = 0.0
    around: tuple[float, ...] = ()


def rate(metric: str, hits: NDArray[np.bool_], consumer: str = "", component: str = "", *, possible: bool = True) -> list[Value]:
    """The share of *hits*; nothing when there was no trial. Zero by nature where a hit is not *possible*, and there was none."""
    return share(metric, int(np.count_nonzero(hits)), hits.size, consumer, component, possible=possible)


def share(metric: str, hits: int, trials: int, consumer: str = "", component: str = "", *, possible: bool = True) -> list[Value]:
    """As `rate`, of so many *hits* in so many *trials*."""
    nature: Nature = "rate" if possible or hits else "zero"
    return [Value(metric, hits / trials, "share", consumer, component, nature, trials)] if trials else []


def quantiles(metric: str, times: Ints, wanted: tuple[int, ...], consumer: str = "") -> list[Value]:
    """Percentiles of *times* in nanoseconds as metric_p50 and so on, in seconds; nothing when there are no times."""
    return percentiles(metric, quantile_function(times), wanted, "s", consumer, times.size) if times.size else []


def mean(metric: str, times: Ints, consumer: str = "") -> list[Value]:
    """The mean of *times* in nanoseconds, in seconds; nothing when there are no times."""
    return [Value(metric, float((times / 1e9).mean()), "s", consumer)] if times.size else []


def quantile_function(times: Ints) -> Floats:
    """The quantile function of *times* in nanoseconds at LEVELS, in seconds; between two of them Hazen's (1914), as numpy has it.

    >>> bool(np.all(quantile_function(np.arange(1000)) == np.quantile(np.arange(1000) / 1e9, LEVELS, method="hazen")))
    True
    """
    from edasim.compiled.sorting import at_ranks

    place = np.clip(times.size * LEVELS + 0.5 - 1, 0, times.size - 1)
    below = place.astype(np.int64)
    above, part = np.minimum(below + 1, times.size - 1), place - below
    low, high = at_ranks(times, np.concatenate([below, above])).reshape(2, -1) / 1e9
    return np.asarray(np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part)))


def percentiles(metric: str, curve: Floats, wanted: tuple[int, ...], unit: str, consumer: str = "", trials: int = 0) -> list[Value]:
    """Percentiles out of a quantile function at LEVELS, made of so many *trials*: none where it is over time."""
    own = {percent: float(curve[np.searchsorted(LEVELS, percent / 100 - 1e-9)]) for percent in wanted}
    kept = tuple(curve.tolist())
    return [
        Value(f"{metric}_p{percent}", found, unit, consumer, nature="quantile", trials=trials, level=percent / 100, around=kept)
        for percent, found in own.items()
    ]
