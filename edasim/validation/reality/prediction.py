"""One number that was predicted for a run on a real broker, beside what was measured there."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from math import isnan, nan
from typing import Self

import pandas as pd

WITHIN, OUTSIDE, NO_CLAIM = "within", "outside", "no claim"


@dataclass(frozen=True)
class Prediction:
    """What was *measured* in a *case* (a run of a broker) and what was *predicted* for it by inputs *fitted_on* another run.

    *allowed*: how far off it may be, in the unit of the numbers; NaN: nothing is claimed, and *explanation* says why. *credible* says the
    same in words. Numbers are in seconds, bytes, messages or shares, as *unit* says.
    """

    broker: str
    metric: str
    case: str
    unit: str
    fitted_on: str
    measured: float
    predicted: float
    credible: str
    allowed: float = nan
    explanation: str = ""

    def explained(self, why: str) -> Self:
        """With *why* it missed, if it did."""
        return replace(self, explanation=why) if self.verdict == OUTSIDE else self

    @property
    def error(self) -> float:
        """Predicted over measured, less one; the difference itself where nothing was measured (0 lost)."""
        return self.predicted / self.measured - 1 if self.measured else self.predicted

    @property
    def verdict(self) -> str:
        """within what is credible, outside, or no claim."""
        if isnan(self.allowed):
            return NO_CLAIM
        return WITHIN if abs(self.predicted - self.measured) <= self.allowed else OUTSIDE


def as_frame(predictions: Iterable[Prediction]) -> pd.DataFrame:
    """A row a prediction, with its error and its verdict."""
    return pd.DataFrame([{**asdict(found), "error": found.error, "verdict": found.verdict} for found in predictions])


def errors_by_metric(predictions: Iterable[Prediction]) -> pd.DataFrame:
    """By broker and metric: how many were predicted, how many of those that anything is claimed of are within, median and worst error.

    Errors are sizes, as shares of what was measured; where nothing is claimed they do not count.
    """
    frame = as_frame(predictions)
    claimed = frame[frame["verdict"] != NO_CLAIM].assign(
        size=lambda rows: rows["error"].abs(), is_within=lambda rows: rows["verdict"] == WITHIN
    )
    found = claimed.groupby(["broker", "metric"], sort=False).agg(
        predicted=("size", "size"), within=("is_within", "sum"), median_error=("size", "median"), worst_error=("size", "max")
    )
    return found.reset_index()
