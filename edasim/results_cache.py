"""The cache of results: what one option gave in one replication is a file named after all that it depends on.

The name is a digest of the option's scenario (the files that it names by their content), its pattern, the seed, the replication, what
was looked at, and the version of this package and of those that its numbers depend on. So nothing in it can be out of date, and a file
that is there is done. It is written aside and then renamed: whenever a process is killed, a file is whole or not there, and two that
write the same one write the same. Each holds a digest of its content, so damage is noticed. Files are parquet: nothing is unpickled.
"""

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import partial
from hashlib import sha256
from inspect import isfunction
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from edasim.candidates import Candidate
from edasim.metrics.values import Value
from edasim.provenance import version

PLACE = "EDASIM_CACHE"
OFF = "off"
_COLUMNS = tuple(field.name for field in fields(Value))
_PARTS = attrgetter(*_COLUMNS)
_TYPES = {"value": pa.float64(), "trials": pa.int64(), "level": pa.float64(), "around": pa.list_(pa.float64())}
_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _COLUMNS])


class CacheWarning(UserWarning):
    """A result could not be kept, or what was kept is damaged; results are right all the same."""


def usual_cache() -> "ResultsCache | None":
    """The cache in the folder `$EDASIM_CACHE`, by default in the user's cache folder; None where that says "off"."""
    place = os.environ.get(PLACE) or platformdirs.user_cache_dir("edasim", appauthor=False)
    return None if place == OFF else ResultsCache(Path(place))


class ResultsCache:
    """Results in a folder, which is made when the first is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, candidate: Candidate, act: Callable[..., object], seed: int, replication: int) -> str | None:
        """The name of a result; None where what is looked at has no name of its own, so that nothing can be kept."""
        looked_at = described(act)
        depends_on = [candidate.digest, candidate.made_by, looked_at, seed, replication, version()]
        return looked_at and sha256(json.dumps(depends_on).encode()).hexdigest()

    def file(self, key: str) -> Path:
        """Where the result of that name is, or would be."""
        return self.folder / key[:2] / f"{key}.parquet"

    def read(self, key: str, said: list[str]) -> list[Value] | None:
        """The result of that name; None where there is none, or one that is damaged or can't be read, which is then *said*."""
        try:
            content = self.file(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            said.append(f"results in {self.folder} can't be read ({error.strerror}) and are made again")
            return None
        try:
            table = pq.read_table(BytesIO(content))
            rows = list(zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True))
            whole = (table.schema.metadata or {}).get(b"digest") == _digest(key, rows)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            whole = False
        if not whole:
            said.append(f"damaged results in {self.folder} are made again")
            return None
        return [Value(**{**dict(zip(_COLUMNS, row, strict=True)), "around": tuple(row[-1])}) for row in rows]  # a list in the file

    def write(self, key: str, found: object, said: list[str]) -> None:
        """Keep what was *found*, if it is metrics; a disk that is full or that may not be written is *said*."""
        if not isinstance(found, list) or not found or not all(type(value) is Value for value in found):
            return
        rows = [tuple(map(_kept, _PARTS(value))) for value in found]
        table = pa.table(dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True)), schema=_SCHEMA)
        table = table.replace_schema_metadata({"digest": _digest(key, rows), "made by": json.dumps(version())})
        file, content = self.file(key), BytesIO()
        pq.write_table(table, content, compression="zstd")
        aside = file.with_name(f".{key}-{secrets.token_hex(4)}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content.getbuffer())
            aside.replace(file)
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            said.append(f"results can't be kept in {self.folder} ({error.strerror}): they are right, but will be made again next time")


def _kept(part: Any) -> Any:
    """A number of Python, whatever it was."""
    return part.item() if isinstance(part, np.generic) else part


def _digest(key: str, rows: list[tuple[Any, ...]]) -> bytes:
    return sha256(json.dumps([key, rows]).encode()).hexdigest().encode()


def described(act: Callable[..., object]) -> str | None:
    """The name of one of this package's functions, or of a `functools.partial` of one with plain arguments; None for anything else.

    Only these: a digest of this package's code says nothing of what a notebook's own function does today.
    """
    if isinstance(act, partial):
        parts = [_plain(part) for part in (act.func, *act.args, *(item for pair in sorted(act.keywords.items()) for item in pair))]
        return None if None in parts else json.dumps(parts)
    ours = isfunction(act) and act.__module__.split(".")[0] == "edasim" and "<" not in act.__qualname__
    return f"{act.__module__}.{act.__qualname__}" if ours else None


def _plain(part: Any) -> str | None:
    """A name for an argument; None where it has none that says all of it."""
    if isinstance(part, tuple):
        parts = [_plain(inner) for inner in part]
        return None if None in parts else json.dumps(parts)
    if isinstance(part, BaseModel):
        return f"{type(part).__name__} {part.model_dump_json()}"
    if callable(part):
        return described(part)
    return repr(part) if isinstance(part, str | int | float | bool | None) else None
