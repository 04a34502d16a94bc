"""Text files as they come: gzipped or not, a line at a time or as JSON documents one after the other."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from edasim.bounded import MOST_FILE, check_regular, unpacked
from edasim.errors import InputError

PARQUET = b"PAR1"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # as PowerShell writes what a command prints
UNREADABLE = object()  # in place of a JSON document that can't be read


def name_of(path: Path) -> str:
    """The name of a file or folder without where it is, as it may be shown: what can't be printed becomes a mark.

    >>> name_of(Path("/home/ann/changes.csv"))
    'changes.csv'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in path.name or path.resolve().name)


def first_bytes(path: Path) -> bytes:
    """The first four bytes of a file. Raises InputError where it can't be read or is empty."""
    try:
        check_regular(path, MOST_FILE)
        with path.open("rb") as file:
            found = file.read(4)
    except OSError as error:
        raise InputError(f"{name_of(path)} can't be read: {error.strerror}") from None
    if not found:
        raise InputError(f"{name_of(path)} is empty: there is nothing to observe")
    return found


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The text of a file, unpacked where it is gzipped; bytes that are no UTF-8 become marks. Raises InputError for a broken archive."""
    encoding = "utf-16" if first_bytes(path).startswith(UTF_16) else "utf-8-sig"
    with TextIOWrapper(unpacked(path), encoding=encoding, errors="replace", newline=None) as file:
        yield file


def first_lines(path: Path, count: int = 5) -> list[str]:
    """The first lines that are not empty."""
    with opened(path) as file:
        return list(islice((line.strip() for line in file if line.strip()), count))


def documents(path: Path) -> Iterator[Any]:
    """The JSON documents of a file: one a line, one after the other over several lines (as rpk writes them), or the items of one list.

    `UNREADABLE` for a line that is none.
    """
    with opened(path) as file:
        first = next((line for line in file if line.strip()), "")
        if _is_whole(first):
            yield from _spread(json.loads(first))
            for line in file:
                if line.strip():
                    yield _document(line)
            return
        text = first + file.read()
    yield from _one_after_the_other(text)


def first_document(path: Path) -> Any:
    """The first JSON document of a file, or the list that it is; `UNREADABLE` where it is none."""
    with opened(path) as file:
        line = next((line for line in file if line.strip()), "")
        text = line if _is_whole(line) else line + file.read()
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return UNREADABLE


def _one_after_the_other(text: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        try:
            found, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            yield UNREADABLE
            return
        yield from _spread(found)


def _spread(found: Any) -> Iterator[Any]:
    yield from found if isinstance(found, list) else [found]


def _is_whole(line: str) -> bool:
    return _document(line) is not UNREADABLE


def _document(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return UNREADABLE


def shown(line: str) -> str:
    """The beginning of a line of an unknown file, for a message: at most 60 characters, printable ones only.

    >>> shown("a\\x1b[31m" + "b" * 100)
    'a?[31mbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in line[:60])
