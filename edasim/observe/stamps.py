"""Times as files write them: ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since 1970 or since the start of the file.

What unit a number is in is told by its column's name (`time_ms`), else by its size: 1,700,000,000 is seconds, 1,700,000,000,000
milliseconds, both in November 2023.
"""

from datetime import UTC, date, datetime
from math import isfinite

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.observe.columns import numbers_in, unit_in

Floats = NDArray[np.float64]
UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # of it in a second
WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
LATEST_S = 1e11  # beyond any calendar (the year 5138); as milliseconds it is 1973, so sizes tell units apart
FROM_1970 = 1e8  # below so many seconds (March 1973) a number counts from the start of a file


def unit_by_size(number: float) -> str:
    """The unit of a time since 1970, by its size.

    >>> [unit_by_size(1.7 * 10**power) for power in (9, 12, 15, 18)], unit_by_size(3600)
    (['s', 'ms', 'us', 'ns'], 's')
    """
    return next((unit for unit, scale in UNITS.items() if abs(number) < LATEST_S * scale), "ns")


def seconds_of(values: pd.Series, column: str = "time") -> tuple[Floats, str]:
    """Times in seconds (NaN: none, or none that can be read), shape (rows,), and how they were read, in words.

    >>> times, how = seconds_of(pd.Series(["2025-01-01T00:00:00.5Z", "never"]))
    >>> times.tolist(), how
    ([1735689600.5, nan], 'times are ISO 8601, in UTC where they say no zone')
    >>> seconds_of(pd.Series([1500, 2500]), "time_ms")[0].tolist()
    [1.5, 2.5]
    """
    numbers: Floats = np.full(len(values), np.nan)
    if not pd.api.types.is_datetime64_any_dtype(values):
        numbers = numbers_in(values)
    numbers[~np.isfinite(numbers) | (numbers < 0)] = np.nan
    known = numbers[np.isfinite(numbers)]
    if known.size and 2 * known.size >= len(values):
        unit = unit_in(column) or unit_by_size(float(np.median(known)))
        since = "since 1970" if np.median(known) / UNITS[unit] >= FROM_1970 else "from the start"
        return np.asarray(numbers / UNITS[unit], dtype=np.float64), f"times are {WORDS[unit]} {since}"
    if not pd.api.types.is_datetime64_any_dtype(values):
        values = values.astype(object).map(lambda value: value if isinstance(value, str | date) else None)
    stamped = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
    stamped = stamped.dt.as_unit("us")  # so any year up to 9999 fits
    found = ((stamped - pd.Timestamp(0, tz="UTC").as_unit("us")) / pd.Timedelta(seconds=1)).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(found, dtype=np.float64), "times are ISO 8601, in UTC where they say no zone"


def moment(text: str, where: str) -> float:
    """One time in seconds since 1970, of the option or column *where*. Raises InputError where it is none.

    >>> moment("2025-01-01", "--watched"), moment("1735689600000", "--watched")
    (1735689600.0, 1735689600.0)
    """
    found = float(seconds_of(pd.Series([text.strip()]))[0][0])
    if not isfinite(found):
        raise InputError(f"{where} {text} is not allowed: must be a time such as 2025-01-31 or 2025-01-31T12:00:00Z")
    return found


def day(second: float) -> str:
    """A moment as a date, or as seconds where it counts from the start of a file.

    >>> day(1735689600.0), day(90.0)
    ('2025-01-01', '90 s')
    """
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d}" if FROM_1970 <= second < LATEST_S else f"{second:g} s"
