"""What a process of a run writes down: records of a fixed size, each with one `write` to a file of its own, which a kill does not undo.

A process that is killed may leave its last record torn: that one does not count. Stamps are of `time.monotonic_ns()`.
"""

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CONNECTED, GONE, TAKEN, BEGUN, ENDED, RELAYED = range(6)
"""The connection is there; is lost; acknowledged before handling; handling begins; is complete; published by a relay."""
NO_CHANGE = -1
RECORD = struct.Struct("<qqq")  # kind, change, when
Ints = NDArray[np.int64]


class Diary:
    """The file of one life of one process."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)

    def note(self, kind: int, change: int, when: int) -> None:
        """Write a record."""
        os.write(self._file, RECORD.pack(kind, change, when))

    def note_all(self, kind: int, changes: Iterable[int], when: int) -> None:
        """Write a record for each of *changes*, in one go."""
        os.write(self._file, b"".join(RECORD.pack(kind, change, when) for change in changes))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Records(NamedTuple):
    """Records of several lives in the order of their times; all of shape (records,). *instance* and *life*: whose, and its how many-th."""

    kind: Ints
    change: Ints
    time: Ints
    instance: Ints
    life: Ints

    def of(self, kind: int) -> "Records":
        """Those of one *kind*."""
        mine = self.kind == kind
        return Records(*(column[mine] for column in self))

    def since(self, origin: int) -> "Records":
        """The same, with times counted from *origin*."""
        return self._replace(time=self.time - origin)


def file_of(folder: Path, name: str, instance: int, life: int) -> Path:
    """Where a life of an instance of *name* (no separators in it) writes."""
    return folder / f"{name}.{instance}.{life}"


def read_records(folder: Path, name: str) -> Records:
    """All records of the instances of *name*, torn ones left out."""
    parts = [np.empty((0, 5), dtype=np.int64)]
    for file in sorted(folder.glob(f"{name}.*.*")):
        raw = file.read_bytes()
        found = np.frombuffer(raw[: len(raw) - len(raw) % RECORD.size], dtype="<i8").reshape(-1, 3)
        instance, life = (int(part) for part in file.name.split(".")[-2:])
        parts.append(np.hstack([found, np.broadcast_to([instance, life], (len(found), 2))]))
    rows = np.concatenate(parts)
    return Records(*rows[np.argsort(rows[:, 2], kind="stable")].T)
