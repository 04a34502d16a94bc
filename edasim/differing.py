"""What differs between two texts by name, such as the inputs of two scenarios by dotted path."""

import json
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)
Steps = tuple[str, ...]
THERE = "there"  # of an item of a list that one of two scenarios has and the other has not


def differing_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What each of two scenarios, as plain data, says of an input, where that differs; empty where one says nothing of it.

    Items of a list are told by their names, and requirements by their words: one that only one of both has is named once, and what is
    left out of it is not told.

    >>> before = {"seed": 1, "regions": [{"name": "a", "n": 2}, {"name": "b", "n": 9}], "requirements": []}
    >>> now = {"seed": 1, "regions": [{"name": "a", "n": 3}], "requirements": [{"metric": "loss_rate", "at_most": "1%", "at_least": None}]}
    >>> differing_inputs(before, now)
    {'regions.a.n': ('2', '3'), 'regions.b': ('there', ''), 'requirements.loss_rate at most 1%': ('', 'there')}
    """
    found = differing(dict(_flat(before)), dict(_flat(now)))
    items = {steps for steps, ends in found.items() if THERE in ends and "" in ends}
    whole = {steps: ends for steps, ends in found.items() if not any(steps[:count] in items for count in range(len(steps)))}
    return {".".join(steps): ends for steps, ends in whole.items()}


def differing(before: Mapping[Name, str], now: Mapping[Name, str]) -> dict[Name, tuple[str, str]]:
    """The two texts of each name for which they differ; empty where one has no such name.

    >>> differing({"simpy": "4.1", "numpy": "2.0"}, {"simpy": "4.1", "scipy": "1.14"})
    {'numpy': ('2.0', ''), 'scipy': ('', '1.14')}
    """
    both = {name: (before.get(name, ""), now.get(name, "")) for name in {**before, **now}}
    return {name: ends for name, ends in both.items() if ends[0] != ends[1]}


def _flat(said: Any, path: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """The values by their steps; items of a list by their name or number, files without their folder; nothing of what is left out."""
    if isinstance(said, Mapping):
        for key, part in said.items():
            yield from _flat(Path(part).name if key == "file" and isinstance(part, str) else part, (*path, key))
    elif isinstance(said, list | tuple):
        for number, part in enumerate(said):
            name = _name_of(part)
            if name is not None:
                yield (*path, name), THERE
            yield from _flat(part, (*path, str(number) if name is None else name))
    elif said is not None:
        yield path, said if isinstance(said, str) else json.dumps(said)


def _name_of(item: Any) -> str | None:
    """By what an item of a list is told: its name, the words of a requirement, the path of an assumption; None: by its number."""
    if not isinstance(item, Mapping):
        return None
    if "metric" not in item:
        found = item.get("name", item.get("path"))
        return None if found is None else str(found)
    told = (("", "metric"), (" at ", "consumer"), (" in ", "incident"), (" at most ", "at_most"), (" at least ", "at_least"))
    return "".join(f"{word}{item[key]}" for word, key in told if item.get(key) is not None)
