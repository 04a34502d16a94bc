"""Whether what a folder holds is a journal: all tables whole, every code of something that is there, every time a time.

Whoever reads a journal trusts its codes as places in lists; one from somebody's disk may be cut off, edited, or of another program.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from edasim.bounded import MOST_ROWS, check_regular
from edasim.errors import InputError
from edasim.journal import COLUMNS, NONE, OUTCOMES, TIMES, Journal
from edasim.patterns import pattern_of
from edasim.units import LONGEST_S, NANOSECONDS

MOST_BYTES = 1_000_000_000  # of one table on the disk
LATEST = 2 * int(LONGEST_S) * NANOSECONDS


class _Components(BaseModel):
    faults: list[str]
    storage: list[str]


class _Facts(BaseModel):
    """What of the facts is looked at; they may hold more."""

    model_config = ConfigDict(strict=True)

    pattern: str
    consumers: list[str]
    components: _Components
    window: list[int] = Field(min_length=2, max_length=2)


def read_table(file: Path) -> dict[str, Any]:
    """The columns of one table. Raises InputError where it is too long, OSError and pyarrow's errors where it can't be read."""
    check_regular(file, MOST_BYTES)
    with pq.ParquetFile(file) as found:
        if found.metadata.num_rows > MOST_ROWS:
            raise InputError(f"{file.name} is too long: at most {MOST_ROWS:,} rows are allowed")
        table = found.read()
    return {column: table[column].to_numpy() for column in table.column_names}


def refuse_damaged(journal: Journal) -> None:
    """Raises ValueError saying what is wrong with a journal that was read."""
    facts = _Facts.model_validate(dict(journal.facts))
    pattern_of(facts.pattern)
    if not 0 <= facts.window[0] <= facts.window[1] <= LATEST:
        raise ValueError("its window is no span of time")
    for name, columns in COLUMNS.items():
        _refuse_uneven(name, getattr(journal, name), list(columns))
    changes, consumers, entities = journal.changes["time"].size, len(facts.consumers), journal.entities["weight"].size
    codes = {
        **{(name, "change"): changes for name in ("deliveries", "own_reads", "exchanges", "conflicts")},
        **{(name, "consumer"): consumers for name in ("deliveries", "refreshes", "reads", "own_reads")},
        **{(name, "entity"): entities for name in ("changes", "refreshes", "reads", "loads", "snapshots")},
        ("deliveries", "outcome"): len(OUTCOMES),
        ("faults", "component"): len(facts.components.faults),
    }
    for (name, column), count in codes.items():
        values = getattr(journal, name)[column]
        if values.size and not 0 <= values.min() <= values.max() < count:
            raise ValueError(f"{name} has a {column} that is not there")


def _refuse_uneven(name: str, table: Any, columns: list[str]) -> None:
    if len({table[column].size for column in columns}) > 1:
        raise ValueError(f"{name} lacks a column, or has one that is too short")
    for column in columns:
        values = table[column]
        if (column in TIMES or column == "bytes") and values.size and not (values.min() >= NONE and np.abs(values).max() <= LATEST):
            raise ValueError(f"{name} has a {column} that is out of bounds")
