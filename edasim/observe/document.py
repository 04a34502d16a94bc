"""What was observed: inputs of a scenario with their intervals, and what was not found; as a document in YAML.

An input that was observed has the dotted path that it has in a scenario, and a value as a scenario file holds it. It is about what a
team has, not about one scenario: `edasim.observe.matching` says where it belongs in a scenario that is there already.
"""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from edasim.bounded import text_of
from edasim.documents import read_yaml
from edasim.errors import InputError
from edasim.observe.paths import NUMBERS
from edasim.parts import Part, input_error
from edasim.ranges import quantity
from edasim.units import BYTES, SECONDS

ROUNDED = 1e-3
Unit = Literal["", "s", "bytes", "1/s", "share"]
Counted = Annotated[int, Field(strict=True, ge=0)]
Frequency = Annotated[float, Field(strict=True, ge=0)]
ABOUT = "# What was observed, with 95 % intervals (edasim observe). Use it: edasim scenario new my-system.yaml --from THIS-FILE\n"


def _is_quantity(value: Any) -> Any:
    if value is not None:
        try:
            number, _ = quantity("an end", value)
        except InputError as error:
            raise ValueError(str(error).partition(": ")[2]) from None
        if not isfinite(number):
            raise ValueError("must be a number")
    return value


def _check_interval(what: str, value: Any, low: Any, high: Any) -> None:
    """Whether *low* to *high* is an interval that holds *value*, or the mean of a distribution, as far as they are known.

    Raises ValueError. Numbers are written with four digits, each in the unit that suits it, so that much may be between them.
    """
    middle = value.get("mean") if isinstance(value, Mapping) else value
    at, least, most = (_number(end) for end in (middle, low, high))
    if least is not None and most is not None and least > most:
        raise ValueError(f"{what}: low {low} is above high {high}")
    below = at is not None and least is not None and at < least - ROUNDED * abs(least)
    above = at is not None and most is not None and at > most + ROUNDED * abs(most)
    if below or above:
        ends = f"{'no low' if least is None else low} to {'no high' if most is None else high}"
        raise ValueError(f"{what}: {middle} is outside its own interval of {ends}")


def _number(value: Any) -> float | None:
    """A quantity in its base unit; None where it is none: a process, or an interval that is not known."""
    try:
        return float(quantity("", value)[0])
    except (InputError, TypeError, OverflowError):
        return None


class ObservedFile(Part):
    """A file that was read: its name without its folder, its form, how many rows counted, and what a reader must know of them."""

    name: str
    form: str
    rows: Counted
    notes: tuple[str, ...] = ()


class Observed(Part):
    """An input at a dotted *path*: its *value* as a scenario file holds it, and the 95 % interval from *low* to *high* (null: not known).

    Where the value is a distribution, the interval is that of its mean; where it is a whole process of arrivals, that of its rate.
    *seen*: from how many events, requests or messages. *source*: from which file, and how.
    """

    path: str
    value: Any
    low: Any | None = None
    high: Any | None = None
    unit: Unit = ""
    source: str = ""
    seen: Counted = 0

    _ends = field_validator("low", "high")(_is_quantity)

    @field_validator("value", "low", "high")
    @classmethod
    def _number_where_the_input_is_one(cls, value: Any, info: ValidationInfo) -> Any:
        is_left_out = value is None and info.field_name != "value"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if info.data.get("path") in NUMBERS and not is_number and not is_left_out:
            raise ValueError("must be a number")
        return value

    @model_validator(mode="after")
    def _is_within_its_interval(self) -> Self:
        _check_interval(self.path, self.value, self.low, self.high)
        return self


class ObservedIncidents(Part):
    """How often a *component* went down and for how long (a distribution, as a scenario holds it), with 95 % intervals.

    *down_low* and *down_high* are those of the mean length. *seen*: how many incidents that is from.
    """

    component: str
    per_year: Frequency
    low: Frequency
    high: Frequency | None = None
    down: Any
    down_low: Any | None = None
    down_high: Any | None = None
    seen: Counted
    source: str = ""

    _ends = field_validator("down_low", "down_high")(_is_quantity)

    @model_validator(mode="after")
    def _is_within_its_intervals(self) -> Self:
        _check_interval(f"incidents of {self.component}, per_year", self.per_year, self.low, self.high)
        _check_interval(f"incidents of {self.component}, down", self.down, self.down_low, self.down_high)
        return self


class Observations(Part):
    """All that was observed. *not_found*: which inputs no file told, and which would; *notes*: what was seen that is no input."""

    files: tuple[ObservedFile, ...] = ()
    inputs: tuple[Observed, ...] = ()
    incidents: tuple[ObservedIncidents, ...] = ()
    not_found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @field_validator("inputs")
    @classmethod
    def _once_each(cls, inputs: tuple[Observed, ...]) -> tuple[Observed, ...]:
        paths = [observed.path for observed in inputs]
        if twice := [path for path in paths if paths.count(path) > 1]:
            raise ValueError(f"must have each path once: {twice[0]} is there {paths.count(twice[0])} times")
        return inputs

    def at(self, path: str) -> Observed | None:
        """The input that was observed at *path*."""
        return next((observed for observed in self.inputs if observed.path == path), None)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The observations in the YAML file *path*. Raises InputError where it is missing, or is no such document."""
        path = Path(path)
        try:
            raw = read_yaml(text_of(path))
        except OSError:
            raise InputError(f"observations {path} can't be read: it must be a file that edasim observe wrote") from None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            raise InputError(f"observations {path} are not valid YAML: it must be a file that edasim observe wrote") from None
        if not isinstance(raw, dict):
            raise InputError(f"observations {path} must be a mapping with files, inputs and incidents, as edasim observe writes it")
        try:
            return cls(**raw)
        except (TypeError, ValidationError) as error:
            if isinstance(error, ValidationError):
                raise input_error(error, raw, where=f"observations {path}: ") from None
            raise InputError(f"observations {path}: keys must be texts such as inputs") from None

    def as_yaml(self) -> str:
        """The document; `load` reads it back as it was."""
        shown = self.model_dump(mode="json", exclude_none=True)
        return ABOUT + yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=140, default_flow_style=None)


class Read(NamedTuple):
    """What one file tells: the *file*, its inputs and incidents, what it should have told and did not, and what else was seen.

    *hints* are inputs that count only where no other file tells them: writes and answers of an access log are not changes and rows.
    """

    file: ObservedFile
    inputs: tuple[Observed, ...] = ()
    incidents: tuple[ObservedIncidents, ...] = ()
    not_found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[Observed, ...] = ()


def written(value: float, unit: Unit = "") -> str | float | int:
    """A number as a scenario file holds it, to four digits: with a unit where it is of seconds or bytes.

    >>> written(0.0123456, "s"), written(2034.51, "bytes"), written(51.2345, "1/s"), written(12_346, "")
    ('12.35ms', '2.035kB', 51.23, 12350)
    """
    scales = {"s": SECONDS, "bytes": BYTES}.get(unit, {})
    for name, scale in sorted(scales.items(), key=lambda item: -item[1]):
        if value >= scale:
            return f"{_digits(value / scale):.15g}{name}"
    return _digits(value)


def _digits(value: float) -> float | int:
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() and not 0 < abs(rounded) < 1000 else rounded


def distribution(kind: str, mean: float, cv: float | None, unit: Unit) -> dict[str, Any]:
    """A distribution as a scenario file holds it.

    >>> distribution("lognormal", 2034.5, 0.81234, "bytes")
    {'dist': 'lognormal', 'mean': '2.034kB', 'cv': 0.8123}
    """
    return {"dist": kind, "mean": written(mean, unit)} | ({} if cv is None else {"cv": _digits(cv)})
