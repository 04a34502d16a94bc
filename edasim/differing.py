"""In which inputs two scenarios differ, by dotted path."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def differing_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What each of two scenarios, as plain data, says of an input, where that differs; empty where one says nothing of it.

    >>> differing_inputs({"seed": 1, "regions": [{"name": "a", "n": 2}]}, {"seed": 1, "regions": [{"name": "a", "n": 3}]})
    {'regions.a.n': ('2', '3')}
    """
    theirs, mine = dict(_flat(before)), dict(_flat(now))
    both = {path: (theirs.get(path, ""), mine.get(path, "")) for path in {**theirs, **mine}}
    return {path: ends for path, ends in both.items() if ends[0] != ends[1]}


def _flat(said: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values by dotted path; items of a list by their name or number, files without their folder."""
    if isinstance(said, Mapping) and said:
        for key, part in said.items():
            yield from _flat(Path(part).name if key == "file" and isinstance(part, str) else part, f"{path}.{key}".removeprefix("."))
    elif isinstance(said, list) and said:
        for number, part in enumerate(said):
            yield from _flat(part, f"{path}.{part.get('name', number) if isinstance(part, Mapping) else number}")
    else:
        yield path, said if isinstance(said, str) else json.dumps(said)
