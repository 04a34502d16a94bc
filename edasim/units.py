"""Durations and sizes as people write them: ``250ms``, ``7d``, ``2kB``. One kB is 1000 bytes."""

import math
import re

NANOSECONDS = 1_000_000_000  # in one second; simulated time is counted in whole nanoseconds
LONGEST_S = 100 * 365 * 86400.0  # a hundred years: what fits into 64 bits of nanoseconds, with room to add
LARGEST_BYTES = 1e18  # a million terabytes

YEAR_S = 365.25 * 86400.0

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_NUMBER_AND_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")


def _parse(value: object, units: dict[str, float], what: str, example: str, most: float) -> float:
    allowed = f"must be a {what} of at least 0, such as {example} (units: {', '.join(units)})"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(allowed)
    if isinstance(value, str):
        match = _NUMBER_AND_UNIT.fullmatch(value)
        if match is None or (match[2] and match[2] not in units):
            raise ValueError(allowed)
        scale = units[match[2] or next(unit for unit, size in units.items() if size == 1.0)]
        # dividing by a whole number rounds once: 20ms is exactly the float 0.02
        value = float(match[1]) * scale if scale >= 1 else float(match[1]) / round(1 / scale)
    if not math.isfinite(value) or value < 0:
        raise ValueError(allowed)
    if value > most:
        raise ValueError(f"must be at most {text_of(most, units)}")
    return float(value) + 0.0  # -0.0 is 0.0: numpy draws nothing of a scale below zero, and takes the sign for one


def seconds(value: object) -> float:
    """A duration in seconds, from a number of seconds or a string with a unit.

    >>> seconds("250ms"), seconds("7d"), seconds(3)
    (0.25, 604800.0, 3.0)

    Raises ValueError for anything else, for negative values and beyond a hundred years.
    """
    return _parse(value, SECONDS, "duration", "250ms or 1.5", LONGEST_S)


def size(value: object) -> float:
    """A size in bytes, from a number of bytes or a string with a unit.

    >>> size("2kB"), size(120)
    (2000.0, 120.0)

    Raises ValueError for anything else, for negative values and beyond a million terabytes.
    """
    return _parse(value, BYTES, "size", "2kB or 120", LARGEST_BYTES)


def text_of(value: float, units: dict[str, float]) -> str | float:
    """*value* with the largest unit that keeps it short and exact, or the number itself.

    >>> text_of(0.02, SECONDS), text_of(604800.0, SECONDS), text_of(0.0, BYTES)
    ('20ms', '7d', 0)
    """
    if value == 0:
        return 0
    for unit, scale in sorted(units.items(), key=lambda item: -item[1]):
        short = f"{value / scale:.6g}{unit}"
        if value / scale >= 1 and "e" not in short and _parse(short, units, "", "", math.inf) == value:
            return short
    return value
