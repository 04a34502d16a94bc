"""Ranges: an input that may lie anywhere between two ends, which are numbers, durations or sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, log
from typing import Any

from edasim.documents import item_at
from edasim.errors import InputError
from edasim.estimates import short
from edasim.scenario import Scenario
from edasim.units import BYTES, SECONDS, seconds, size

WIDE = 4  # from this ratio of its ends on a range is halved by ratio


@dataclass(frozen=True)
class Range:
    """What the input at a dotted *path* may be: from *low* to *high* in *unit* ("s", "bytes" or ""); whole numbers only, or not.

    *target* is the path that is set: that of the mean, where the input is a distribution, so that its kind stays as it is.
    """

    path: str
    target: str
    low: float
    high: float
    unit: str = ""
    whole: bool = False
    basis: str = ""
    source: str = ""

    def at(self, place: float) -> float | int:
        """The value at a *place* in [0, 1]; of whole numbers each has an equal share of the places.

        >>> Range("a", "a", 1, 4, whole=True).at(0.99), Range("a", "a", 1.0, 4.0).at(0.5)
        (4, 2.5)
        """
        if self.whole:
            return min(int(self.high), int(self.low) + int(place * (self.high - self.low + 1)))
        return self.low + place * (self.high - self.low)

    def between(self, low: float, high: float) -> float | int:
        """The middle of two values: by ratio where the range is wide; whole where they are, and then neither of two more than one apart.

        >>> Range("a", "a", 1.0, 16.0).between(1.0, 16.0), Range("a", "a", 1, 3, whole=True).between(1, 3)
        (4.0, 2)
        """
        by_ratio = self.low > 0 and self.high > WIDE * self.low
        middle = exp((log(low) + log(high)) / 2) if by_ratio else (low + high) / 2
        return min(max(round(middle), int(low) + 1), int(high) - 1) if self.whole and high - low > 1 else middle

    def said(self, value: float) -> str:
        """A value of the input, for people."""
        return short(value, self.unit) if self.unit else f"{value:.4g}"


def range_of(scenario: Scenario, path: str, ends: tuple[Any, Any], basis: str = "", source: str = "") -> Range:
    """The range of the input at *path* between two *ends*, in any order: numbers, durations such as "250ms", or sizes such as "2kB".

    Where the input is a distribution with a mean, that mean. Raises InputError where there is no such input, where an end is no
    quantity or not allowed, and where both are the same.
    """
    quantities = [quantity(path, end) for end in ends]
    units = {unit for _, unit in quantities if unit}
    if len(units) > 1:
        raise InputError(f"{path}: {ends[0]} to {ends[1]} is not a range: one end is a duration, the other a size")
    low, high = sorted(value for value, _ in quantities)
    if low == high:
        raise InputError(f"{path}: {ends[0]} to {ends[1]} is not a range: its ends must differ")
    there, target = value_at(scenario, path), target_of(scenario, path)
    for end in (low, high):
        scenario.with_overrides({target: end})
    unit = units.pop() if units else _unit(there.get("mean") if isinstance(there, Mapping) else there)
    whole = all(isinstance(value, int) for value, _ in quantities) and not is_allowed(scenario, target, low + 0.5)
    return Range(path, target, low, high, unit, whole, basis, source)


def half_to_twice(scenario: Scenario, path: str) -> Range:
    """The range of the input at *path* from half to twice what the scenario says. Raises InputError where that is no range.

    >>> half_to_twice(Scenario(), "source.producer.retries").high, half_to_twice(Scenario(), "consumers.0.handle_time").low
    (6, 0.005)
    """
    middle, _ = quantity(path, value_at(scenario, target_of(scenario, path)))
    least = max(1, middle // 2) if isinstance(middle, int) else middle / 2
    return range_of(scenario, path, (least, middle * 2), "guess", "half to twice")


def target_of(scenario: Scenario, path: str) -> str:
    """The path that is set to change the input at *path*: that of the mean, where it is a distribution with one."""
    there = value_at(scenario, path)
    return f"{path}.mean" if isinstance(there, Mapping) and "mean" in there else path


def assumed(scenario: Scenario) -> list[Range]:
    """The ranges of the scenario's assumptions that say one, in their order.

    Raises InputError where one is about no input, or has an end that is not allowed.
    """
    found = []
    for assumption in scenario.assumptions:
        if assumption.range is not None:
            try:
                found.append(range_of(scenario, assumption.path, assumption.range, assumption.basis, assumption.source))
            except InputError as error:
                raise InputError(f"assumptions: {error}") from None
    return found


def quantity(path: str, end: Any) -> tuple[float | int, str]:
    """The value of an end in its base unit, and that unit."""
    if isinstance(end, int | float) and not isinstance(end, bool):
        return end, ""
    for read, unit in ((seconds, "s"), (size, "bytes")):
        try:
            return read(end), unit
        except ValueError:
            continue
    raise InputError(f"{path}: {end} is not an end of a range: must be a number, a duration such as 250ms or a size such as 2kB")


def value_at(scenario: Scenario, path: str) -> Any:
    """What the scenario says at *path*, defaults filled in; None where nothing stands there."""
    found: Any = scenario.as_mapping()
    steps = path.split(".")
    while steps:
        if isinstance(found, list):
            index, steps = item_at(found, steps)
            found = None if index is None else found[index]
        else:
            step, *steps = steps
            found = found.get(step) if isinstance(found, Mapping) else None
    return found


def canonical_path(scenario: Scenario, path: str) -> tuple[str, ...]:
    """The steps to an input, the same whatever its *path* is called: items of a list by their name, a distribution without `mean`.

    >>> canonical_path(Scenario(), "consumers.0.handle_time.mean")
    ('consumers', 'consumer', 'handle_time')
    """
    return tuple(_by_name(scenario.as_mapping(), path.split(".")))


def _by_name(there: Any, steps: list[str]) -> Iterator[str]:
    while steps:
        if isinstance(there, list):
            number, rest = item_at(there, steps)
            there = {} if number is None else there[number]
            yield str(there.get("name", number)) if isinstance(there, Mapping) and number is not None else steps[0]
            steps = rest
        elif steps == ["mean"]:
            return
        else:
            yield steps[0]
            there = there.get(steps[0]) if isinstance(there, Mapping) else None
            steps = steps[1:]


def _unit(there: Any) -> str:
    """The unit of a quantity as a scenario writes it."""
    letters = str(there).lstrip("0123456789.e+-") if isinstance(there, str) else ""
    return "s" if letters in SECONDS else "bytes" if letters in BYTES else ""


def is_allowed(scenario: Scenario, path: str, value: float) -> bool:
    """Whether the input at *path* may be set to *value*.

    >>> is_allowed(Scenario(), "source.producer.retries", 4), is_allowed(Scenario(), "source.producer.retries", 4.5)
    (True, False)
    """
    try:
        scenario.with_overrides({path: value})
    except InputError:
        return False
    return True
