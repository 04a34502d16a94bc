"""Changes as they were recorded: a table of time, key and bytes, as CSV or parquet, or made of JSON documents.

Only these columns are read, and keys are hashed at once.
"""

from collections.abc import Iterator, Mapping
from io import TextIOBase
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.bounded import MOST_ROWS
from edasim.distributions import read_parquet
from edasim.errors import InputError
from edasim.observe.arrivals import arrivals_of, observed_arrivals
from edasim.observe.columns import BYTES, KEY, PATHS, TIME, column_of, numbers_in
from edasim.observe.document import Observed, ObservedFile, Read
from edasim.observe.entities import observed_entities
from edasim.observe.keys import NO_KEY, hashed
from edasim.observe.paths import STATE
from edasim.observe.sizes import observed_spread, spread_of
from edasim.observe.stamps import seconds_of
from edasim.observe.texts import name_of, opened
from edasim.units import LARGEST_BYTES

MOST_LEFT_OUT = 0.01  # share of the records that may have no time; with more it is the wrong column, or no such file
SEPARATORS = ",;\t|"
BEYOND = "beyond the first line"


class Events(NamedTuple):
    """Changes in order of time: *times* in seconds, *keys* (hashed, NO_KEY: none) and *sizes* by path; arrays of shape (changes,)."""

    times: NDArray[np.float64]
    keys: NDArray[np.int64]
    sizes: Mapping[str, NDArray[np.float64]]
    notes: tuple[str, ...]


def events_in(table: pd.DataFrame, name: str) -> Events:
    """The events of a *table* with a time column; *name* is that of its file, for messages.

    Raises InputError where more than one row in a hundred has no time, or a size is no number of at least 0.
    """
    column = column_of(map(str, table.columns), TIME, units=True)
    assert column is not None
    times, how = seconds_of(table[column], column)
    known = np.isfinite(times)
    left_out = int((~known).sum())
    if left_out > MOST_LEFT_OUT * times.size or not known.any():
        row = int(np.argmin(known)) + 1
        raise InputError(f"{name}: {left_out:,} of {times.size:,} rows have no time that can be read in column {column}, row {row} first")
    order = np.argsort(times[known], kind="stable")
    key = column_of(map(str, table.columns), KEY)
    keys = np.full(times.size, NO_KEY) if key is None else hashed(table[key])
    sizes = {path: values[known][order] for path, values in _sizes(table, name)}
    notes = [how] if not left_out else [how, f"{left_out:,} rows without a time left out"]
    return Events(times[known][order], keys[known][order], sizes, tuple(notes))


def _sizes(table: pd.DataFrame, name: str) -> Iterator[tuple[str, NDArray[np.float64]]]:
    names = list(map(str, table.columns))
    places = {path: column_of(names, [column]) for column, path in PATHS.items()}
    if places[STATE] is None:
        places[STATE] = column_of(names, BYTES)
    for path, column in places.items():
        if column is not None:
            numbers = numbers_in(table[column])
            wrong = table[column].notna().to_numpy() & ~((numbers >= 0) & (numbers <= LARGEST_BYTES))
            if wrong.any():
                row = int(np.argmax(wrong)) + 1
                raise InputError(f"{name}: column {column} must hold sizes, numbers from 0 to {LARGEST_BYTES:g}: row {row} has none")
            yield path, numbers


def observed_events(events: Events, name: str, form: str) -> Read:
    """The inputs that *events* tell: how they arrive, whom they are about, how large they are."""
    found = arrivals_of(events.times)
    inputs = [] if found is None else observed_arrivals(found, f"{name}: {events.times.size:,} changes")
    notes = [] if found is not None else [f"{name}: all changes have the same time: no rate can be told"]
    with_key = events.keys[events.keys != NO_KEY]
    if with_key.size:
        more, said = observed_entities(with_key, name)
        inputs, notes = inputs + more, notes + said
    inputs += [observed for path, sizes in events.sizes.items() for observed in _observed_sizes(path, sizes, events.keys, name)]
    return Read(ObservedFile(name=name, form=form, rows=events.times.size, notes=events.notes), tuple(inputs), notes=tuple(notes))


def _observed_sizes(path: str, sizes: NDArray[np.float64], keys: NDArray[np.int64], name: str) -> Iterator[Observed]:
    known = np.isfinite(sizes)
    if known.any():
        groups = keys[known] if (keys[known] != NO_KEY).all() else None
        said = f"{name}: bytes of {int(known.sum()):,} changes, lognormal with their mean and spread"
        plain = (
            "; the file does not say which size it is: if it is that of what changed, it is workload.delta_bytes" if path == STATE else ""
        )
        yield observed_spread(path, spread_of(sizes[known], groups), "bytes", said + plain)


# --- tables -----------------------------------------------------------------------------------------------------------------


def separator_of(header: str) -> str:
    """What separates the columns of a CSV file with this *header*."""
    return max(SEPARATORS, key=header.count)


class _WithOneMore(TextIOBase):
    """The text of a CSV file whose first line has one more column: there stands what a row has more of than the first line."""

    def __init__(self, file: TextIO, separator: str) -> None:
        self._file = file
        header = next((line for line in file if line.strip()), "")
        self._first = header.rstrip("\n") + separator + BEYOND + "\n"

    def read(self, size: int | None = -1) -> str:
        first, self._first = self._first, ""
        return first or self._file.read(-1 if size is None else size)


def read_csv(path: Path, header: str, columns: list[str]) -> pd.DataFrame:
    """These *columns* of a CSV file as texts; nothing else of it is kept.

    Raises InputError where it can't be read as CSV, and where a row has more columns than the first line: which is which is not known then.
    """
    separator = separator_of(header)
    try:
        with opened(path) as file:
            table = pd.read_csv(
                _WithOneMore(file, separator),
                sep=separator,
                usecols=lambda name: str(name).strip() in (*columns, BEYOND),
                index_col=False,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                nrows=MOST_ROWS + 1,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        raise InputError(f"{name_of(path)} can't be read as CSV: its rows do not have the columns of its first line") from None
    if len(table) > MOST_ROWS:
        raise InputError(f"{name_of(path)} is too long: at most {MOST_ROWS:,} rows are allowed")
    table = table.rename(columns=str.strip)
    if (more := table.pop(BEYOND).notna().to_numpy()).any():
        rows = f"{int(more.sum()):,} of {more.size:,} rows have more columns than its first line, row {int(np.argmax(more)) + 1} first"
        raise InputError(f"{name_of(path)}: {rows}: what has a separator in it must be in quotes")
    return table


def columns_in_use(names: list[str]) -> list[str]:
    """Which columns of a table of events are read."""
    found = [column_of(names, TIME, units=True), column_of(names, KEY), column_of(names, BYTES), *(column_of(names, [c]) for c in PATHS)]
    return [name for name in dict.fromkeys(found) if name is not None]


def table_of(path: Path, header: str, names: list[str]) -> Read:
    """What a CSV file of events tells."""
    table = read_csv(path, header, columns_in_use(names))
    if table.empty:
        raise InputError(f"{name_of(path)} has no rows: there is nothing to observe")
    return observed_events(events_in(table, name_of(path)), name_of(path), "events (CSV)")


def parquet_of(path: Path) -> Read:
    """What a parquet file of events tells. Raises InputError where it is broken or has no column of times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        if column_of(names, TIME, units=True) is None:
            raise InputError(f"{name_of(path)} is parquet, but has no column of times: name one of its columns time")
        table = read_parquet(str(path), columns_in_use(names))
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise InputError(f"{name_of(path)} is broken parquet") from None
    if table.empty:
        raise InputError(f"{name_of(path)} has no rows: there is nothing to observe")
    return observed_events(events_in(table, name_of(path)), name_of(path), "events (parquet)")
