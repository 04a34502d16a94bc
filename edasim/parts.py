"""What every part of a scenario shares: immutable, complete defaults, and errors that name the key and what is allowed."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from edasim.errors import InputError, suggestion


class Part(BaseModel):
    """An immutable piece of input. Unknown keys are refused; a partial mapping keeps its siblings' defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_with_defaults(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        names = {field.alias or name: field for name, field in cls.model_fields.items()}
        for key in value:
            if key not in names and key not in cls.model_fields:
                raise PydanticCustomError("unknown_key", "{said}", {"key": str(key), "said": suggestion(str(key), names)})
        defaults = {key: field.get_default(call_default_factory=True) for key, field in names.items()}
        return {key: _with_siblings(item, defaults.get(key)) for key, item in value.items()}


def _with_siblings(value: Any, default: Any) -> Any:
    """A mapping that leaves out `dist` changes the default distribution instead of replacing it."""
    partial = isinstance(value, Mapping) and "dist" not in value
    return {**default, **value} if partial and isinstance(default, Mapping) and "dist" in default else value


def one_of(value: Any, usual: str, other: str) -> Any:
    """*value* in which *other*, when given, takes the place of the default of *usual*; both at once are refused."""
    if not isinstance(value, Mapping) or value.get(other) is None:
        return value
    if value.get(usual) is not None:
        raise ValueError(f"give {usual} or {other}, not both")
    return {**value, usual: None}


def input_error(error: ValidationError, raw: object, where: str = "") -> InputError:
    """The first complaint of *error* as one line: the dotted key, the value and what is allowed."""
    complaints = error.errors(include_url=False)
    first = complaints[0]
    path, value = _path_and_value(first["loc"], raw)
    if first["type"] == "unknown_key":
        path.append(str(first["ctx"]["key"]))
        line = f"{'.'.join(path)} is not a known key: {first['msg']}"
    elif first["type"] == "missing":
        last = str(first["loc"][-1])
        line = f"{'.'.join(path if path[-1:] == [last] else [*path, last])} is missing"
    elif first["type"] == "value_error" and not path:  # of how parts fit together: it names them itself
        line = _allowed(first)
    else:
        line = f"{'.'.join(path) or 'scenario'}: {_short(value)} is not allowed: {_allowed(first)}"
    places = {tuple(_path_and_value(other["loc"], raw)[0]) for other in complaints}
    others = {place for place in places if tuple(path[: len(place)]) != place}  # a list complains of its items once more
    more = f" (and {len(others)} more)" if others else ""
    return InputError(f"{where}{line}{more}")


def _path_and_value(location: tuple[int | str, ...], raw: object) -> tuple[list[str], object]:
    """The keys of *location* that stand in *raw*: pydantic also names the kind it chose in a union."""
    path: list[str] = []
    value: Any = raw
    for step in location:
        if not _is_there(step, value):
            continue
        value = value[step]
        path.append(str(step))
    return path, value


def _is_there(step: int | str, value: Any) -> bool:
    """Whether *value* has a key, or an item, so called; a list that is too short has none at its end."""
    if isinstance(value, list | tuple):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, Mapping) and step in value


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _allowed(complaint: Any) -> str:
    message = str(complaint["msg"]).removeprefix("Value error, ")
    return re.sub(r"^(Input|List|Tuple) should ", "must ", message).replace(" or instance of", ", as")
