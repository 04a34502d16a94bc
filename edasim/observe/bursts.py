"""Bursts: a two-state Markov-modulated Poisson process with the moments of what was seen.

The rate is high for a while and low for a while, both exponentially long. With p the share of the time in which it is high, d how much
higher it is then, and s = 1 / mean_low + 1 / mean_high, the number of events in a window of length t has

    mean                m t,                                    m = rate_low + p d
    index of dispersion 1 + c (1 - (1 - e^-a) / a),             a = s t,  c = 2 p (1 - p) d^2 / (m s)
    third factorial cumulant  6 p (1 - p) (1 - 2 p) d^3 (a - 2 + (a + 2) e^-a) / s^3

(the first two: Heffes and Lucantoni, IEEE JSAC 4:856, 1986; the third from E[Y(u) Y(v) Y(w)] = p (1 - p) (1 - 2 p) e^-s(w - u) of the
centred state Y). c and s are those that come closest to the index at several lengths; the third moment tells p.
"""

from math import exp, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from edasim.observe import rates

Floats = NDArray[np.float64]


class Bursts(NamedTuple):
    """The parameters of `process: bursty`: changes a second, and seconds."""

    rate_low: float
    rate_high: float
    mean_low: float
    mean_high: float

    def dispersion(self, length: float) -> float:
        """The index of dispersion in windows of this *length*, in seconds."""
        s = 1 / self.mean_low + 1 / self.mean_high
        p = self.mean_high / (self.mean_low + self.mean_high)
        mean = self.rate_low + p * (self.rate_high - self.rate_low)
        return 1 + 2 * p * (1 - p) * (self.rate_high - self.rate_low) ** 2 / (mean * s) * _grown(s * length)


def _grown(a: float) -> float:
    """How much of its final excess the index of dispersion has in a window of a / s."""
    return 1 - (1 - exp(-min(a, 700.0))) / a if a > 1e-6 else a / 2


def indices(times: Floats, windows: list[int]) -> list[float]:
    """The index of dispersion of events at *times* in so many windows, for each number of them."""
    return [rates.dispersion(rates.counts_in(times, count)) for count in windows]


def bursts_of(times: Floats, windows: list[int]) -> Bursts | None:
    """Bursts with the rate, the dispersion and the skewness of events at *times*; None where there are none."""
    span = float(times[-1] - times[0])
    lengths = np.array([span / count for count in windows])
    found = _excess_and_speed(lengths, np.array(indices(times, windows)))
    if found is None:
        return None
    excess, s = found
    mean = (times.size - 1) / span
    spread = sqrt(excess * mean * s / 2)  # standard deviation of the rate
    share = _share_high(times, windows, s, mean, spread)
    return Bursts(
        max(0.0, mean - spread * sqrt(share / (1 - share))),
        mean + spread * sqrt((1 - share) / share),
        1 / (s * share),
        1 / (s * (1 - share)),
    )


def _excess_and_speed(lengths: Floats, seen: Floats) -> tuple[float, float] | None:
    """c and s of the index of dispersion that was *seen* at these *lengths*, least squares of its logarithm."""
    if seen.max() <= 1:
        return None

    def apart(logs: Floats) -> Floats:
        excess, speed = np.exp(logs)
        return np.array([np.log1p(excess * _grown(speed * length)) for length in lengths]) - np.log(np.maximum(seen, 0.1))

    bounds = np.log([[1e-3, 1e-2 / lengths.max()], [1e9, 1e3 / lengths.min()]])
    start = np.clip(np.log([seen.max() - 1, 1 / np.sqrt(lengths.min() * lengths.max())]), bounds[0] + 1e-9, bounds[1] - 1e-9)
    excess, speed = np.exp(least_squares(apart, start, bounds=(bounds[0], bounds[1])).x)
    return float(excess), float(speed)


def _share_high(times: Floats, windows: list[int], s: float, mean: float, spread: float) -> float:
    """Which share of the time the rate is high: as the skewness says, at most so much that the low rate is not below 0."""
    most = 1 / (1 + (spread / mean) ** 2) if spread > 0 else 0.5
    span = float(times[-1] - times[0])
    count = min(windows, key=lambda number: abs(np.log(s * span / number)))  # windows about as long as bursts are
    counts, a = rates.counts_in(times, count), s * span / count
    average = counts.mean()
    third = ((counts - average) ** 3).mean() - 3 * (counts.var() - average) - average  # factorial cumulant: 0 for independent events
    unit = 6 * (a - 2 + (a + 2) * exp(-min(a, 700.0))) / s**3 * spread**3
    skewness = third / unit if unit > 0 else 0.0
    low_to_high = 0.5 * (1 - skewness / sqrt(4 + skewness**2))
    return float(np.clip(low_to_high, 1e-4, max(1e-4, min(most, 1 - 1e-4))))
