"""Scenarios as documents: YAML in, dotted overrides, files beside the scenario."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from edasim.errors import InputError, suggestion


class _Yaml(yaml.SafeLoader):
    """YAML that reads 1e3 as a number and refuses a key given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1 and key != "<<":
                raise yaml.YAMLError(f"{key} is given twice {node.start_mark}")
        return super().construct_mapping(node, deep)


_Yaml.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))


def read_yaml(text: str) -> Any:
    """Plain data from YAML; raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Yaml)  # a SafeLoader


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
    """*raw* with every `file` made absolute: a scenario means its own neighbours wherever it is run from."""
    if isinstance(raw, dict):
        return {key: str(folder / item) if key == "file" and isinstance(item, str) else resolved(item, folder) for key, item in raw.items()}
    return [resolved(item, folder) for item in raw] if isinstance(raw, list) else raw


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
