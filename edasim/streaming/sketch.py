"""Quantiles of what is too much to be kept, by the buckets of DDSketch (Masson, Rim and Lee, VLDB 2019), filled by whole arrays.

A bucket holds the values, in nanoseconds, from gamma^(key - 1) to gamma^key with gamma = (1 + ACCURACY) / (1 - ACCURACY), and stands for
all of them with a relative error of at most ACCURACY: a guarantee, whatever the values are. Place 0 of every array here is for zeros,
place key + 1 for the bucket with that key. How many there are does not depend on how many values come, nor does the error.
"""

import numpy as np
from ddsketch.mapping import LogarithmicMapping
from numpy.typing import NDArray

from edasim.streaming.loops import ACCURACY, BUCKETS, bucket

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_MAPPING = LogarithmicMapping(ACCURACY)


class Counted:
    """Values of time that came one by one: how many there are, their mean and variance, exactly, and their quantiles, nearly."""

    def __init__(self) -> None:
        self.counts = np.zeros(BUCKETS, dtype=np.int64)
        self.number, self._mean, self._squares = 0, 0.0, 0.0
        self._least, self._most = np.inf, 0.0

    def add(self, number: int, mean: float, squares: float, least: int, most: int) -> None:
        """So many values more, whose buckets are counted: their mean and the sum of squares around it (Chan, Golub and LeVeque 1979)."""
        if not number:
            return
        both, apart = self.number + number, mean - self._mean
        self._squares += squares + apart * apart * self.number * number / both
        self._mean += apart * number / both
        self.number, self._least, self._most = both, min(self._least, least), max(self._most, most)

    @property
    def mean(self) -> float:
        """In seconds."""
        return self._mean / 1e9

    @property
    def std(self) -> float:
        """The standard deviation, in seconds."""
        return float(np.sqrt(self._squares / self.number)) / 1e9

    def quantiles(self, levels: Floats) -> Floats:
        """As np.quantile(..., method="hazen"), in seconds, each wrong by at most ACCURACY of itself; the least and the most are exact."""
        places, cumulated = np.clip(levels * self.number - 0.5, 0, self.number - 1), np.cumsum(self.counts)
        ranks = np.floor(places)
        below, above = _at_ranks(cumulated, ranks), _at_ranks(cumulated, np.minimum(ranks + 1, self.number - 1))
        found = below + (places - ranks) * (above - below)  # each end is wrong by at most that much, so what lies between is
        ends = np.where(levels == 0, self._least, np.where(levels == 1, self._most, found))
        return np.asarray(np.clip(ends, self._least, self._most) / 1e9)


class Lasting:
    """A value of time over time, where it rises with the clock from a low to a high end, again and again, and is 0 else.

    *slope* and *moment* hold by bucket the weights of low ends less those of high ends, and the same times where the ends lie. So what
    lies below the upper edge of a bucket, x S(x) - M(x) with the sums S and M up to there, is exact, and only within one is it not known.
    """

    def __init__(self) -> None:
        self.slope, self.moment = np.zeros(BUCKETS), np.zeros(BUCKETS)
        self.most = 0

    def quantiles(self, levels: Floats, total: float) -> Floats:
        """Up to which value, in seconds, the time at most rises for each share of a *total*, which counts weights times nanoseconds."""
        last = bucket(self.most)  # beyond, S is 0 but for what was rounded
        edges = np.concatenate([[0.0], _MAPPING.gamma ** np.arange(last)])
        below = edges * np.cumsum(self.slope[: last + 1]) - np.cumsum(self.moment[: last + 1])
        fresh = max(total - below[-1], 0.0)
        found = _at_ranks(fresh + np.maximum.accumulate(below), levels * total)
        ends = np.where(levels * total <= fresh, 0.0, np.where(levels == 1, self.most, found))
        return np.asarray(np.minimum(ends, self.most) / 1e9)


def _at_ranks(cumulated: Floats | Ints, ranks: Floats) -> Floats:
    """What the first bucket stands for up to whose end there are more than *rank*, as DDSketch has it, in nanoseconds."""
    places = np.minimum(np.searchsorted(cumulated, ranks, side="right"), cumulated.size - 1)
    return np.array([_MAPPING.value(place - 1) if place else 0.0 for place in places.tolist()])
