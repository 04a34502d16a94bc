"""Histograms of handling times: counts below bounds, as Prometheus keeps them, turned into a lognormal.

An example: of 100 messages 50 took at most 10 ms, 90 at most 20 ms, all at most 40 ms. The 0.7 quantile is half of the way from 10 to
20 ms: 15 ms, as `histogram_quantile` interpolates it.

The spread is that of the lognormal that is most likely to put so many into each bucket; the mean is `_sum` over `_count` where both are
given, else that of the same lognormal. What is beyond the last bound counts as beyond it, and no more is known of it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp, expm1, inf, log, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from edasim.estimates import short
from edasim.observe.document import Observed, distribution, written
from edasim.observe.rates import BATCHES
from edasim.statistics import interval

if TYPE_CHECKING:
    from edasim.observe.prometheus import Series

Floats = NDArray[np.float64]
MILLISECONDS = ("_milliseconds", "_millis", "_ms")
FEWEST = 30  # messages
LAST_BUCKET = 0.01  # share beyond the last bound from which on it is said


def quantile(level: float, bounds: Floats, counts: Floats) -> float:
    """The quantile of a histogram with so many *counts* up to each of *bounds*, cumulated, shape (buckets,); the last may be inf.

    Linear within a bucket, the first of which begins at 0; in the last, open one its lower bound, as Prometheus has it.

    >>> quantile(0.7, np.array([0.01, 0.02, 0.04]), np.array([50.0, 90.0, 100.0]))
    0.015
    """
    wanted = level * counts[-1]
    place = int(np.searchsorted(counts, wanted))
    if np.isinf(bounds[place]):
        return float(bounds[place - 1]) if place else 0.0
    below, low = (counts[place - 1], bounds[place - 1]) if place else (0.0, 0.0)
    inside = counts[place] - below
    return round(float(low + (bounds[place] - low) * (wanted - below) / inside), 12) if inside > 0 else float(bounds[place])


def lognormal_of(bounds: Floats, counts: Floats) -> tuple[float, float] | None:
    """Mean and coefficient of variation of the lognormal that is most likely, from counts up to *bounds*, cumulated.

    None where all are in one bucket: then no spread can be told.
    """
    inside = np.diff(counts, prepend=0.0)
    if (inside > 0).sum() < 2:
        return None
    logs = np.log(bounds)

    def unlikely(point: Floats) -> float:
        below = norm.cdf(logs, point[0], exp(min(point[1], 5.0)))
        return float(-(inside * np.log(np.maximum(np.diff(below, prepend=0.0), 1e-300))).sum())

    middle, high = (max(quantile(level, bounds, counts), 1e-9) for level in (0.5, 0.84))
    start = np.array([log(middle), log(max(log(high / middle), 0.05))])
    mu, log_sigma = minimize(unlikely, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-6, "maxiter": 2000}).x
    variance = min(exp(log_sigma) ** 2, 10.0)
    return exp(mu + variance / 2), sqrt(expm1(variance))


def observed_histogram(who: str, series: Sequence["Series"], name: str) -> Iterator[Observed]:
    """The handling time of a consumer, from buckets, sum and count of one histogram; nothing where it has hardly a message."""
    base = next((one.name.removesuffix("_bucket") for one in series if one.name.endswith("_bucket")), "")
    buckets = [one for one in series if one.name == f"{base}_bucket" and one.labels.get("le")]
    if not base or not buckets:
        return
    scale = 1e-3 if base.endswith(MILLISECONDS) else 1.0
    bounds, counts = _cumulated(buckets, scale)
    fitted = lognormal_of(bounds, counts) if counts[-1] >= FEWEST else None
    if fitted is None:
        return
    means = _means(series, base, scale)
    fits = means if means is not None else _means_of_parts(buckets, scale)
    mean = _overall(series, base, scale) or fitted[0]
    ends = interval(fits) if fits is not None and fits.size > 1 else None
    yield Observed(
        path=f"consumers.{who}.handle_time",
        value=distribution("lognormal", mean, fitted[1], "s"),
        low=None if ends is None else written(max(0.0, mean - (ends.high - ends.low) / 2), "s"),
        high=None if ends is None else written(mean + (ends.high - ends.low) / 2, "s"),
        unit="s",
        source=_source(name, base, bounds, counts, is_exact=means is not None),
        seen=int(counts[-1]),
    )


def _source(name: str, base: str, bounds: Floats, counts: Floats, *, is_exact: bool) -> str:
    middle, far = (short(quantile(level, bounds, counts), "s") for level in (0.5, 0.99))
    beyond = 1 - counts[-2] / counts[-1] if np.isinf(bounds[-1]) and counts.size > 1 else 0.0
    open_end = f"; {short(beyond, 'share')} beyond the last bound, of which no more is known" if beyond > LAST_BUCKET else ""
    how = "mean of _sum over _count" if is_exact else "mean of the fit, as there is no _sum"
    quantiles = f"median {middle}, 99 % within {far} (interpolated in buckets)"
    return f"{name}: {base}, {counts[-1]:,.0f} messages, {quantiles}; {how}, spread fitted{open_end}"


def _cumulated(buckets: Sequence["Series"], scale: float, part: slice = slice(None)) -> tuple[Floats, Floats]:
    """Bounds in seconds, and how many messages were within each in this *part* of the samples; of several instances together."""
    found: dict[float, float] = {}
    for one in buckets:
        bound = one.bound * scale
        found[bound] = found.get(bound, 0.0) + float(one.increases[part].sum())
    bounds = np.array(sorted(bound for bound in found if bound > 0))
    counts = np.maximum.accumulate(np.array([found[bound] for bound in bounds]))  # scrapes of several instances may not agree by one
    return (bounds, counts) if counts.size else (np.array([inf]), np.array([0.0]))


def _parts(samples: int) -> list[slice]:
    edges = np.linspace(0, samples - 1, min(BATCHES, samples - 1) + 1).astype(int)
    return [slice(int(start), int(end)) for start, end in pairwise(edges)]


def _means(series: Sequence["Series"], base: str, scale: float) -> Floats | None:
    """The mean in each part of the time, from sum and count; None where one of them is missing."""
    sums, counts = ([one for one in series if one.name == f"{base}_{what}"] for what in ("sum", "count"))
    if not sums or not counts:
        return None
    parts = _parts(min(one.values.size for one in (*sums, *counts)))
    of_parts = [[sum(float(one.increases[part].sum()) for one in group) for part in parts] for group in (sums, counts)]
    return np.array([scale * total / count for total, count in zip(*of_parts, strict=True) if count > 0])


def _overall(series: Sequence["Series"], base: str, scale: float) -> float | None:
    sums, counts = (sum(float(one.increases.sum()) for one in series if one.name == f"{base}_{what}") for what in ("sum", "count"))
    return scale * sums / counts if sums > 0 and counts > 0 else None


def _means_of_parts(buckets: Sequence["Series"], scale: float) -> Floats | None:
    """The mean that the fit has in each part of the time."""
    fits = [lognormal_of(*_cumulated(buckets, scale, part)) for part in _parts(min(one.values.size for one in buckets))]
    found = np.array([fit[0] for fit in fits if fit is not None])
    return found if found.size > 1 else None
