"""A daily swing: how much higher the rate is at the busiest hour than on average, as `process: daily` means it.

The rate over a day is rate x exp(k cos) / I0(k), a von Mises density of the time of day. Its k is the one whose mean resultant length is
that of the times of day that were seen, I1(k) / I0(k) = R: the maximum likelihood estimate (Mardia and Jupp, Directional Statistics,
2000, 5.3).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import i0e, i1e

from edasim.metrics.storage import DAY_S
from edasim.observe.rates import BATCHES, Rate, dispersion, rate_of_counts

Floats = NDArray[np.float64]
LEAST_DAYS = 2
BY_CHANCE = 4.6  # -ln 0.01: n R^2 of times at random is beyond it once in a hundred (Rayleigh)
PER_DAY = 24  # windows


class Swing(NamedTuple):
    """A daily swing: the mean *rate*, the peak's ratio to it, from so many whole *days*, and whether it is more than chance."""

    rate: Rate
    peak_to_mean: float
    days: int
    is_clear: bool


def swing_of(times: Floats) -> Swing | None:
    """The daily swing of events at *times* (seconds, sorted); None where fewer than two whole days were seen.

    Only whole days count, the last ones. Whether it is more than chance is told by Rayleigh's test, with as much noise as the hours have
    around the swing.
    """
    days = int((times[-1] - times[0]) / DAY_S)
    if days < LEAST_DAYS:
        return None
    start = times[-1] - days * DAY_S
    kept = times[times > start]
    angles = 2 * np.pi * kept / DAY_S
    east, north = float(np.cos(angles).mean()), float(np.sin(angles).mean())
    length = float(np.hypot(east, north))
    k = _concentration(length)
    edges = np.linspace(start, times[-1], PER_DAY * days + 1)
    expected = _expected(edges, k, float(np.arctan2(north, east)), kept.size)
    counts = np.histogram(kept, edges)[0].astype(np.float64)
    noise = max(1.0, dispersion(counts, expected, 3))
    batches = np.array([part.sum() for part in np.array_split(counts, BATCHES)])
    of_batches = np.array([part.sum() for part in np.array_split(expected, BATCHES)])
    rate = rate_of_counts(batches, days * DAY_S, of_batches, 3)
    return Swing(rate, float(1 / i0e(k)), days, kept.size * length**2 / noise > BY_CHANCE)


def _concentration(length: float) -> float:
    """k with I1(k) / I0(k) = *length*; at most what `process: daily` can take, a peak of 100 times the mean."""
    most = 2 * np.pi * 100.0**2
    if length <= 1e-9:
        return 0.0
    return float(brentq(lambda k: i1e(k) / i0e(k) - length, 0.0, most)) if i1e(most) / i0e(most) > length else most


def _expected(edges: Floats, k: float, peak: float, count: int) -> Floats:
    """How many of *count* events are expected between *edges* (seconds) by a swing with its *peak* at that angle; shape (windows,)."""
    middle = 2 * np.pi * (edges[1:] + edges[:-1]) / 2 / DAY_S
    weight = np.exp(k * (np.cos(middle - peak) - 1))
    return np.asarray(np.maximum(weight / weight.sum() * count, 1e-9))
