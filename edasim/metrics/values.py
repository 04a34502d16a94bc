"""What a metric gives for one replication."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edasim.statistics import LEVELS

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
    nature: Nature = "rate" if possible or hits.any() else "zero"
    return [Value(metric, float(hits.mean()), "share", consumer, component, nature, hits.size)] if hits.size else []


def quantiles(metric: str, values: NDArray[np.float64], wanted: tuple[int, ...], unit: str, consumer: str = "") -> list[Value]:
    """Percentiles of *values* as metric_p50 and so on; nothing when there are no values."""
    if not values.size:
        return []
    return percentiles(metric, np.quantile(values, LEVELS, method="hazen"), wanted, unit, consumer, values.size)


def percentiles(
    metric: str, curve: NDArray[np.float64], wanted: tuple[int, ...], unit: str, consumer: str = "", trials: int = 0
) -> list[Value]:
    """Percentiles out of a quantile function at LEVELS, made of so many *trials*: none where it is over time."""
    own = {percent: float(curve[np.searchsorted(LEVELS, percent / 100 - 1e-9)]) for percent in wanted}
    kept = tuple(curve.tolist())
    return [
        Value(f"{metric}_p{percent}", found, unit, consumer, nature="quantile", trials=trials, level=percent / 100, around=kept)
        for percent, found in own.items()
    ]
