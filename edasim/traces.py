"""Recorded workloads: a CSV or parquet file of time stamps, keys and sizes, checked and turned into arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import read_column
from edasim.errors import InputError
from edasim.scenario import TraceArrivals

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
LARGEST = 1e18  # bytes
RESOLUTIONS = {86400: "day", 3600: "hour", 60: "minute"}


@dataclass(frozen=True)
class Trace:
    """A recorded workload: *times* in seconds from the first change (n,), and what else the trace brings."""

    times: NDArray[np.float64]
    keys: NDArray[np.int64] | None  # codes 0, 1, ... in order of first appearance
    state_bytes: NDArray[np.float64] | None
    delta_bytes: NDArray[np.float64] | None
    notes: tuple[str, ...]


def read_trace(arrivals: TraceArrivals) -> Trace:
    """The trace that *arrivals* names. Stamps coarser than a second are spread evenly within their resolution.

    Raises InputError for unsorted or missing stamps, missing keys and sizes that are not numbers of at least 0.
    """
    columns, name = arrivals.columns, Path(arrivals.file).name
    stamps = _stamps(arrivals, name)
    times, notes = _spread((stamps - stamps[0]), name)
    if arrivals.speedup != 1:
        notes = (*notes, f"{name} runs {arrivals.speedup:g} times faster than recorded: outages and retention are fiction.")
    return Trace(
        times=times / arrivals.speedup,
        keys=None if columns.entity is None else _keys(arrivals.file, columns.entity, name),
        state_bytes=None if columns.state_bytes is None else _sizes(arrivals.file, columns.state_bytes, name),
        delta_bytes=None if columns.delta_bytes is None else _sizes(arrivals.file, columns.delta_bytes, name),
        notes=notes,
    )


def _stamps(arrivals: TraceArrivals, name: str) -> NDArray[np.float64]:
    import pandas as pd  # takes a quarter of a second to import, and only files need it

    raw = read_column(arrivals.file, arrivals.columns.time)
    if raw.dtype.kind in "iuf":
        stamps: NDArray[np.float64] = raw.astype(np.float64) * UNITS[arrivals.time_unit]
    else:
        try:
            stamped = pd.to_datetime(pd.Series(raw, dtype=object if raw.dtype == object else None), utc=True, format="ISO8601")
        except (ValueError, TypeError):
            raise InputError(f"column {arrivals.columns.time} of {name} must hold numbers or ISO 8601 time stamps") from None
        stamps = (stamped - stamped.iloc[0]).dt.total_seconds().to_numpy(dtype=np.float64).astype(np.float64)
    missing = np.flatnonzero(~np.isfinite(stamps))
    if missing.size:
        raise InputError(f"column {arrivals.columns.time} of {name} has no time in row {missing[0] + 1}: every row needs one")
    backwards = np.flatnonzero(np.diff(stamps) < 0)
    if backwards.size:
        raise InputError(f"column {arrivals.columns.time} of {name} is not sorted: row {backwards[0] + 2} is earlier than the one before")
    return stamps


def _spread(times: NDArray[np.float64], name: str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The k-th of n changes with one stamp is moved by k/n of the resolution, where that is a minute, an hour or a day."""
    for resolution, word in RESOLUTIONS.items():
        if times.size > 1 and times[-1] > 0 and not np.any(times % resolution):
            _, first, shared = np.unique(times, return_index=True, return_counts=True)
            order = np.arange(times.size) - np.repeat(first, shared)
            note = f"Stamps of {name} are whole {word}s: changes with the same stamp are spread evenly over the {word}."
            return times + resolution * order / np.repeat(shared, shared), (note,)
    return times, ()


def _keys(file: str, column: str, name: str) -> NDArray[np.int64]:
    import pandas as pd

    codes, _ = pd.factorize(read_column(file, column))
    if np.any(codes < 0):
        raise InputError(f"column {column} of {name} has no key in row {int(np.argmax(codes < 0)) + 1}: drop such rows first")
    return np.asarray(codes, dtype=np.int64)


def _sizes(file: str, column: str, name: str) -> NDArray[np.float64]:
    values: NDArray[Any] = read_column(file, column)
    if values.dtype.kind not in "iuf" or not np.all(np.isfinite(values)) or np.any((values < 0) | (values > LARGEST)):
        raise InputError(f"column {column} of {name} must hold sizes: numbers of at least 0, and at most {LARGEST:g}")
    return values.astype(np.float64)
