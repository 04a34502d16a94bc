"""How changes arrive: the rate, and the simplest process that has the dispersion of what was seen.

Independent changes (poisson) until that can be ruled out: by the index of dispersion (variance over mean of the number of changes in
windows of equal length) at several lengths, at a level of 1 % for all of them together. Then, in this order: a daily swing, where two
whole days were seen; groups that arrive together, where the index is the same at every length; bursts, where their fit gives the index
back; else poisson, and it is said that it is not enough.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.observe.bursts import Bursts, bursts_of, indices
from edasim.observe.daily import Swing, swing_of
from edasim.observe.document import Observed, written
from edasim.observe.paths import PROCESS, RATE
from edasim.observe.rates import Rate, is_beyond_chance, rate_of

Floats = NDArray[np.float64]
FEWEST = 200  # changes; with fewer nothing is said of bursts
NEAR = 1.5  # a fit gives an index of dispersion back where it is off by at most this factor
WINDOWS = 80  # at least: of fewer an index of dispersion is off by a sixth and more (its standard error is sqrt(2 / windows))
CYCLES = 10  # bursts and pauses that must have been seen, at least, to be believed


class Arrivals(NamedTuple):
    """The rate, the *process* as a scenario holds it (None: poisson), and what a reader must know."""

    rate: Rate
    process: dict[str, Any] | None
    notes: tuple[str, ...]


def arrivals_of(times: Floats) -> Arrivals | None:
    """How changes at *times* (seconds, sorted) arrive; None where they are fewer than two, or all at one moment."""
    if times.size < 2 or times[-1] <= times[0]:
        return None
    rate = rate_of(times)
    if times.size < FEWEST:
        return Arrivals(rate, None, (f"only {times.size} changes: too few to tell bursts from chance, so poisson",))
    swing = swing_of(times)
    if swing is not None and swing.is_clear:
        return _daily(swing)
    windows = _windows(times)
    seen = indices(times, windows)
    if not any(is_beyond_chance(index, count, len(windows)) for index, count in zip(seen, windows, strict=True)):
        return Arrivals(rate, None, (f"index of dispersion {_range(seen)}: no burst beyond chance, so poisson",))
    return _grouped(rate, seen) or _bursty(rate, times, windows, seen) or _beyond(rate, seen)


def _windows(times: Floats) -> list[int]:
    """Numbers of windows, each half the one before, from about one change in each to `WINDOWS`; none shorter than stamps are coarse."""
    apart = np.diff(times)
    finest = float(apart[apart > 0].min())
    most = int(min(times.size, 200_000, max(WINDOWS, (times[-1] - times[0]) / finest)))
    return [most // 2**step for step in range(64) if most // 2**step >= WINDOWS]


def _daily(swing: Swing) -> Arrivals:
    process = {"process": "daily", "rate": written(swing.rate.value, "1/s"), "peak_to_mean": written(max(1.0, swing.peak_to_mean))}
    note = f"a daily swing over {swing.days} whole days; weekdays, seasons and what comes in bursts within an hour are not in it"
    return Arrivals(swing.rate, process, (note,))


def _grouped(rate: Rate, seen: list[float]) -> Arrivals | None:
    """Groups of equal size that arrive together: the index of dispersion is their size at every length."""
    size = round(float(np.median(seen)))
    if size < 2 or max(seen) > NEAR * size or min(seen) < size / NEAR:
        return None
    process = {"process": "poisson", "rate": written(rate.value, "1/s"), "batch": size}
    return Arrivals(rate, process, (f"index of dispersion {_range(seen)} at every length: changes that arrive together, {size} at a time",))


def _bursty(rate: Rate, times: Floats, windows: list[int], seen: list[float]) -> Arrivals | None:
    found = bursts_of(times, windows)
    if found is None or found.rate_high <= found.rate_low or not _gives_back(found, rate, windows, seen):
        return None
    units = {"rate_low": "1/s", "rate_high": "1/s", "mean_low": "s", "mean_high": "s"}
    process = {"process": "bursty"} | {name: written(getattr(found, name), unit) for name, unit in units.items()}  # type: ignore[arg-type]
    return Arrivals(rate, process, (f"index of dispersion {_range(seen)}: bursts, which the fit gives back within a factor of {NEAR:g}",))


def _gives_back(found: Bursts, rate: Rate, windows: list[int], seen: list[float]) -> bool:
    """Whether the fit has the rate and, at every length, the index of dispersion; and whether enough bursts were seen to believe it."""
    stay = found.mean_low + found.mean_high
    mean = (found.rate_low * found.mean_low + found.rate_high * found.mean_high) / stay
    ratios = [found.dispersion(rate.seconds / count) / index for count, index in zip(windows, seen, strict=True) if index > 0]
    return abs(mean / rate.value - 1) < 0.01 and CYCLES * stay <= rate.seconds and all(1 / NEAR <= ratio <= NEAR for ratio in ratios)


def _beyond(rate: Rate, seen: list[float]) -> Arrivals:
    trend = "it still grows with the length: the rate drifts" if all(a <= b for a, b in pairwise(seen[-3:])) else "two states are too few"
    return Arrivals(
        rate,
        None,
        (
            f"index of dispersion {_range(seen)}: not poisson, and no burst process that edasim has gives it back ({trend}). Poisson is "
            "too kind here: run the recording itself, process: trace",
        ),
    )


def _range(seen: list[float]) -> str:
    return f"{min(seen):.3g} to {max(seen):.3g}"


def observed_arrivals(found: Arrivals, source: str) -> list[Observed]:
    """The rate as an input, and the process as one where it is more than poisson."""
    rate, said = found.rate, "; ".join((source, *found.notes))
    low, high = written(rate.low, "1/s"), written(rate.high, "1/s")
    inputs = [Observed(path=RATE, value=written(rate.value, "1/s"), low=low, high=high, unit="1/s", source=said, seen=rate.seen)]
    if found.process is not None:
        inputs.append(Observed(path=PROCESS, value=found.process, low=low, high=high, unit="1/s", source=said, seen=rate.seen))
    return inputs
