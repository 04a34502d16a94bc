"""Inputs: what a slider moves, between which ends, and at which values it stops."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from edasim.errors import InputError
from edasim.ranges import WIDE, Range, half_to_twice, quantity, range_of, value_at
from edasim.scenario import Scenario
from edasim.units import BYTES, SECONDS, text_of

STOPS = 20  # of a slider


class Input(NamedTuple):
    """The dotted *path* of an input, and its *ends* where half to twice its value says nothing, because it is zero."""

    path: str
    ends: tuple[Any, Any] | None = None


def ranges(scenario: Scenario, inputs: Iterable[Input]) -> Iterator[Range]:
    """Of each of *inputs* the range that the scenario's assumptions say, or else its ends, or half to twice its value.

    Left out: what the scenario does not have, or what can't be a number.
    """
    assumed = {assumption.path: assumption.range for assumption in scenario.assumptions if assumption.range is not None}
    for path, ends in inputs:
        said = assumed.get(path, ends)
        try:
            yield half_to_twice(scenario, path) if said is None else range_of(scenario, path, said)
        except InputError:
            continue


def stops(scenario: Scenario, over: Range, also: Iterable[Any] = ()) -> dict[str, Any]:
    """The values at which a slider stops, by how they are said: evenly, by ratio over a wide range; the scenario's own, and *also* these.

    As a scenario has them: durations and sizes with their unit, to three digits.

    >>> list(stops(Scenario(), Range("source.producer.retries", "source.producer.retries", 1, 3, whole=True)))
    ['1', '2', '3']
    """
    places = [place / STOPS for place in range(STOPS + 1)]
    by_ratio = not over.whole and over.low > 0 and over.high > WIDE * over.low
    even = [over.low * (over.high / over.low) ** place if by_ratio else over.at(place) for place in places]
    rounded = even if over.whole else [float(f"{value:.3g}") for value in even]
    exact = [quantity(over.target, value)[0] for value in (value_at(scenario, over.target), *also)]
    return {over.said(value): _written(value, over) for value in sorted({*rounded, *exact})}


def _written(value: float, over: Range) -> Any:
    units = {"s": SECONDS, "bytes": BYTES}.get(over.unit)
    return text_of(value, units) if units else value
