"""Scenarios as documents: YAML in, dotted overrides, files beside the scenario."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from edasim.errors import InputError, suggestion
from edasim.shipped import DATA

DEEPEST = 50  # lists and mappings within each other, and steps of a dotted path
MOST_PARTS = 50_000  # values and keys, each as often as an alias repeats it
LONGEST = 10_000  # letters of one value
FOLDERS = "EDASIM_FILES"  # in the environment: further folders that scenario files may name files in
# What a terminal takes for a command, what turns the direction of writing, and halves of letters; not what only parts words or lines.
_COMMANDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class _Yaml(yaml.SafeLoader):
    """Plain YAML within bounds: it reads 1e3 as a number, and refuses tags, a key given twice and what grows when aliases are filled in."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._met = 0
        self._sizes: dict[int, int] = {}  # parts in a node that is complete, by its identity: the document holds all nodes

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._refuse_unbounded(self.peek_event())  # type: ignore[no-untyped-call]
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._sizes[id(node)] = self._size_of(node)
        return node

    def _refuse_unbounded(self, event: Any) -> None:
        self._met += 1
        if self._met > MOST_PARTS:
            raise yaml.YAMLError(f"it has too many parts: at most {MOST_PARTS:,} are allowed")
        if self._depth >= DEEPEST:
            raise yaml.YAMLError(f"it is nested too deeply: at most {DEEPEST} lists and mappings within each other are allowed")
        if getattr(event, "tag", None) not in (None, "!"):
            raise yaml.YAMLError(f"a tag such as {str(event.tag)[:60]} is not allowed {event.start_mark}")
        if isinstance(event, yaml.AliasEvent) and id(self.anchors.get(event.anchor)) not in self._sizes and event.anchor in self.anchors:
            raise yaml.YAMLError("it contains itself")

    def _size_of(self, node: Any) -> int:
        if isinstance(node, yaml.ScalarNode):
            if len(node.value) > LONGEST:
                raise yaml.YAMLError(f"a value has {len(node.value):,} letters: at most {LONGEST:,} are allowed {node.start_mark}")
            if found := _COMMANDS.search(node.value):
                raise yaml.YAMLError(f"a text with the control character U+{ord(found[0]):04X} is not allowed {node.start_mark}")
            return 1
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        size = 1 + sum(self._sizes[id(part)] for part in parts)
        if size > MOST_PARTS:
            raise yaml.YAMLError(f"it has too many parts once aliases are filled in: at most {MOST_PARTS:,} are allowed")
        return size

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key in (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key in keys and key != "<<":
                raise yaml.YAMLError(f"{key} is given twice {node.start_mark}")
            keys.add(key)
        return super().construct_mapping(node, deep)


_Yaml.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))


def read_yaml(text: str) -> Any:
    """Plain data from YAML within the limits above; raises yaml.YAMLError."""
    try:
        return yaml.load(text, Loader=_Yaml)  # a SafeLoader
    except (ValueError, OverflowError) as error:  # a date or a number that looks like one but is none, such as 2026-13-45
        raise yaml.YAMLError(str(error)) from None
    except RecursionError:
        raise yaml.YAMLError(f"it is nested too deeply: at most {DEEPEST} lists and mappings within each other are allowed") from None


def parse_override(text: str) -> tuple[str, object]:
    """`path=value` as given to ``--set``; the value is read as YAML.

    >>> parse_override("workload.arrivals.rate=80")
    ('workload.arrivals.rate', 80)
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise InputError(f"--set {text}: must be path=value, such as workload.arrivals.rate=80")
    try:
        return path.strip(), read_yaml(value)
    except yaml.YAMLError:
        raise InputError(f"--set {path}: {value} is not valid YAML") from None


def assignment(path: str, value: object) -> str:
    """What `parse_override` reads as *path* and *value*: a text stands bare where it is read as itself, all else as JSON, which is YAML.

    >>> assignment("broker.kind", "pubsub"), assignment("broker.outages", {"windows": [[1, "2s"]]})
    ('broker.kind=pubsub', 'broker.outages={"windows": [[1, "2s"]]}')
    """
    bare = f"{path}={value}"
    try:
        read_back = parse_override(bare)
    except InputError:
        read_back = ("", None)
    return bare if read_back == (path, value) and isinstance(value, str) else f"{path}={json.dumps(value)}"


def resolved(raw: Any, folder: Path) -> Any:
    """*raw* with every `file` made absolute: a scenario means its own neighbours wherever it is run from.

    Raises InputError for a file outside the scenario's *folder*, the folder `traces` beside it, the shipped traces and the folders that the
    user names in `EDASIM_FILES`, links followed: a scenario that somebody sends must not read what it likes. `--set` names any file: that
    is the user's own word.
    """
    if isinstance(raw, dict):
        return {key: _neighbour(item, folder) if names_file(key, item) else resolved(item, folder) for key, item in raw.items()}
    return [resolved(item, folder) for item in raw] if isinstance(raw, list) else raw


def names_file(key: object, value: object) -> bool:
    """Whether *value* is the name of a file: of a key `file`, or of a dotted path that ends in it, as options set it."""
    return isinstance(value, str) and isinstance(key, str) and (key == "file" or key.endswith(".file"))


def _neighbour(file: str, folder: Path) -> str:
    try:
        real = (folder / file).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a zero byte
        raise InputError(f"file {file} can't be found: {error}") from None
    named = [Path(place).resolve() for place in os.environ.get(FOLDERS, "").split(os.pathsep) if place]
    if not any(real.is_relative_to(place) for place in (folder, folder.parent / "traces", DATA / "traces", *named)):
        raise InputError(
            f"file {file} is not allowed: must be in the scenario's folder, in the folder traces beside it, or in a folder that {FOLDERS} "
            "names; or name it with --set"
        )
    return str(folder / file)


def item_at(items: Sequence[Any], steps: list[str]) -> tuple[int | None, list[str]]:
    """The place of the item that the first of *steps* call by its name, which may have dots in it, or by its number; and the other steps.

    The longest name that fits; None where there is no such item.

    >>> item_at([{"name": "shop"}, {"name": "shop.billing"}], ["shop", "billing", "outages"])
    (1, ['outages'])
    """
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    for count in range(len(steps), 0, -1):
        if (name := ".".join(steps[:count])) in names:
            return names.index(name), steps[count:]
    by_number = steps[0].isdecimal() and int(steps[0]) < len(items)
    return int(steps[0]) if by_number else None, steps[1:]


def replaced(raw: Any, steps: list[str], value: object, path: str) -> Any:
    """A copy of *raw* with the value at *steps* replaced; list items are addressed by number or by name."""
    step, rest = steps[0], steps[1:]
    if len(rest) >= DEEPEST:
        raise InputError(f"{path[:60]}... has {len(steps):,} steps: at most {DEEPEST} are allowed")
    if isinstance(raw, list | tuple):
        index, rest = item_at(raw, steps)
        if index is None:
            names = [item["name"] for item in raw if isinstance(item, Mapping) and item.get("name")]
            raise InputError(f"{path}: {step} is not in the list; {suggestion(step, names or [str(len(raw))])}")
        return [replaced(item, rest, value, path) if rest and i == index else value if i == index else item for i, item in enumerate(raw)]
    if raw is None or isinstance(raw, Mapping):
        before = dict(raw or {})
        if step == "consumers" and step not in before and rest:
            before[step] = [{"name": "consumer"}]  # the default one
        return {**before, step: replaced(before.get(step), rest, value, path) if rest else value}
    if step == "dist" or not rest:  # a bare quantity becomes a distribution when one of its parameters is set
        raise InputError(f"{path}: the value there is {raw}, which has no {step}; set the whole of it")
    raise InputError(f"{path}: {step} does not exist under a value of {raw}")
