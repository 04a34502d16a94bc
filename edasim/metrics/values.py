"""What a metric gives for one replication."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Nature = Literal["measured", "rate", "quantile", "zero"]


@dataclass(frozen=True)
class Value:
    """One number of one replication, in *unit*; of one *consumer* and *component*, or of all (""); during an *incident*, or not ("").

    *nature* says how its interval is made: from the spread over replications, as a rate over *trials*, as a quantile, or zero by nature.
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


def rate(metric: str, hits: NDArray[np.bool_], consumer: str = "", component: str = "") -> list[Value]:
    """The share of *hits*; nothing when there was no trial."""
    return [Value(metric, float(hits.mean()), "share", consumer, component, "rate", hits.size)] if hits.size else []


def quantiles(metric: str, values: NDArray[np.float64], wanted: tuple[int, ...], unit: str, consumer: str = "") -> list[Value]:
    """Percentiles of *values* as metric_p50 and so on; nothing when there are no values."""
    if not values.size:
        return []
    found = np.percentile(values, wanted)
    return [Value(f"{metric}_p{percent}", float(value), unit, consumer) for percent, value in zip(wanted, found, strict=True)]
