"""Files that people name are read within bounds: regular ones of a limited size, so that none fills the memory or is waited for for ever.

The limits are far above what a scenario or a trace needs, and stand in docs/limits.md; each has a test. A pipe, a device or a folder is
no regular file: /dev/zero never ends, and nobody may ever write into a FIFO.
"""

import gzip
import io
import json
import zlib
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, BinaryIO

from edasim.errors import InputError

MOST_TEXT = 1_000_000  # bytes of a document that people write: a scenario, observations, a decision record
MOST_RESULTS = 100_000_000  # bytes of a results.json
MOST_FILE = 100_000_000  # bytes of a trace or another table, unpacked
MOST_ROWS = 5_000_000  # of a table
LONGEST_TEXT = 10_000  # bytes of one text in a parquet table, which may repeat it in every row
DEEPEST_JSON = 100  # lists and mappings within each other
GZIP = b"\x1f\x8b"


def said_of(bytes_: int) -> str:
    """A limit as people read it.

    >>> said_of(MOST_TEXT)
    '1 MB'
    """
    return f"{bytes_ / 1e6:g} MB"


def check_regular(path: Path, most: int) -> None:
    """Raises InputError where *path* is no regular file or has more than *most* bytes, OSError where it can't be looked at."""
    try:
        found = path.stat()
    except ValueError as error:  # a name with a zero byte
        raise FileNotFoundError(2, str(error)) from None
    if S_ISDIR(found.st_mode):
        raise IsADirectoryError(21, "it is a folder")
    if not S_ISREG(found.st_mode):
        raise InputError(f"{path} can't be read: must be a regular file, not a pipe or a device")
    if found.st_size > most:
        raise InputError(f"{path} is too large: {found.st_size / 1e6:,.0f} MB; at most {said_of(most)} are allowed")


def content_of(path: Path, most: int = MOST_TEXT) -> bytes:
    """All bytes of a regular file. Raises InputError as `check_regular` does, also for one that grows meanwhile, and OSError."""
    check_regular(path, most)
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path} is too large: at most {said_of(most)} are allowed")
    return content


def text_of(path: Path, most: int = MOST_TEXT) -> str:
    """The text of a regular file, whatever ends its lines. Raises as `content_of` does, and UnicodeDecodeError where it is no UTF-8."""
    return io.StringIO(content_of(path, most).decode("utf-8-sig"), newline=None).read()


def json_of(text: str) -> Any:
    """Plain data from JSON. Raises ValueError where it is none, is nested deeper than `DEEPEST_JSON`, or holds what JSON has no word for.

    >>> json_of('{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        found = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level, depth = [found], 0
    while level:
        level = [
            part for parts in level for part in (parts.values() if isinstance(parts, dict) else parts if isinstance(parts, list) else ())
        ]
        depth += 1
        if depth > DEEPEST_JSON:
            raise ValueError("nested too deeply")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")


def unpacked(path: Path, most: int = MOST_FILE) -> BinaryIO:
    """A regular file to read from, unpacked where it is gzipped, whatever its name.

    Raises InputError as `check_regular` does; while it is read also where it holds more than *most* bytes, or is no whole gzip file.
    """
    check_regular(path, most)
    file = path.open("rb")
    packed = file.read(2) == GZIP
    file.seek(0)
    source: Any = gzip.GzipFile(fileobj=file) if packed else file
    return io.BufferedReader(_Bounded(source, file, path.name, most), 1 << 18)


class _Bounded(io.RawIOBase):
    """The bytes of *source*, at most so many of them; it closes *file*, which they come from."""

    def __init__(self, source: BinaryIO, file: BinaryIO, name: str, most: int) -> None:
        self._source, self._file, self._name, self._most = source, file, name, most
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        try:
            content = self._source.read(len(into))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InputError(f"{self._name} can't be unpacked: it is no whole gzip file") from None
        self._seen += len(content)
        if self._seen > self._most:
            raise InputError(f"{self._name} is too large: at most {said_of(self._most)} are allowed, unpacked")
        into[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._source.close()
        self._file.close()
        super().close()
