"""What differs between two texts by name, such as the inputs of two scenarios by dotted path."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def differing_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What each of two scenarios, as plain data, says of an input, where that differs; empty where one says nothing of it.

    >>> differing_inputs({"seed": 1, "regions": [{"name": "a", "n": 2}]}, {"seed": 1, "regions": [{"name": "a", "n": 3}]})
    {'regions.a.n': ('2', '3')}
    """
    return differing(dict(_flat(before)), dict(_flat(now)))


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The two texts of each name for which they differ; empty where one has no such name.

    >>> differing({"simpy": "4.1", "numpy": "2.0"}, {"simpy": "4.1", "scipy": "1.14"})
    {'numpy': ('2.0', ''), 'scipy': ('', '1.14')}
    """
    both = {name: (before.get(name, ""), now.get(name, "")) for name in {**before, **now}}
    return {name: ends for name, ends in both.items() if ends[0] != ends[1]}


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
