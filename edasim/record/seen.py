"""Assumed, observed, tipping: an input of a signed decision, and where what was observed of it lies.

An example: assumed to be 25 to 75 a second, tips at 310. Observed 60 ± 2 is within, 74 to 78 partly outside the range, 120 outside the
range, 300 to 320 partly beyond the tipping point, and 330 beyond it. Values are held against each other as they are shown, to three digits:
2.001 is no more than 2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isinf, isnan, nan
from typing import Any

from edasim.decision.tipping_points import told
from edasim.errors import InputError
from edasim.estimates import unit_for
from edasim.observe.document import Observed
from edasim.ranges import Range, assumed, canonical_path, quantity
from edasim.record.signed import SignedTippingPoint
from edasim.scenario import Scenario
from edasim.summary import ABSENT


@dataclass(frozen=True)
class Seen:
    """One input in words: what was assumed, what was observed, where it tips, and what that comes to."""

    path: str
    assumed: str
    observed: str
    tips: str
    word: str


def inputs_seen(scenario: Scenario, tipping_points: Iterable[SignedTippingPoint], observed: Iterable[Observed]) -> list[Seen]:
    """The inputs that the signed *scenario* assumes, in their order, and then what was observed besides.

    Raises InputError where an assumption is about no input.
    """
    tips: dict[tuple[str, ...], list[SignedTippingPoint]] = {}
    for point in tipping_points:
        tips.setdefault(canonical_path(scenario, point.path), []).append(point)
    ranges = {canonical_path(scenario, over.path): over for over in assumed(scenario)}
    found = {canonical_path(scenario, each.path): each for each in observed}
    paths = {canonical_path(scenario, each.path): each.path for each in scenario.assumptions}
    paths |= {same: each.path for same, each in found.items() if same not in paths}
    return [_seen(path, ranges.get(same), tips.get(same, []), found.get(same)) for same, path in paths.items()]


def _seen(path: str, over: Range | None, tips: Sequence[SignedTippingPoint], found: Observed | None) -> Seen:
    unit = over.unit if over else tips[0].unit if tips else ""
    how = over or Range(path, path, 0.0, 0.0, unit)
    said = ABSENT if over is None else f"{told(over, over.low)} to {told(over, over.high)}"
    at = ", ".join(told(how, point.estimate) for point in tips) or ABSENT
    if found is None:
        return Seen(path, said, ABSENT, at, "not observed")
    value, low, high = ends_of(found)
    ends = (as_shown(how, value), as_shown(how, low), as_shown(how, high))
    return Seen(path, said, _said(how, found, value, low, high), at, _word(how, over is not None, tips, *ends))


def ends_of(found: Observed) -> tuple[float, float, float]:
    """What was observed, in base units: the value, or the mean or rate of what it is, and its interval; NaN where that is not known."""
    inside = found.value.get("mean", found.value.get("rate", found.value.get("gap"))) if isinstance(found.value, Mapping) else found.value
    value, low, high = (_number(found.path, each) for each in (inside, found.low, found.high))
    return value, value if isnan(low) else low, value if isnan(high) else high


def _number(path: str, value: Any) -> float:
    try:
        return float(quantity(path, value)[0])
    except InputError:
        return nan


def _said(how: Range, found: Observed, value: float, low: float, high: float) -> str:
    unit = {"s": "s", "bytes": "bytes", "share": "share"}.get(found.unit, how.unit)
    over = replace(how, unit=unit)
    if isnan(value):
        return "as observed" if isnan(low) else f"{told(over, low)} to {told(over, high)}"
    return told(over, value) if low == high else f"{told(over, value)} ({told(over, low)} to {told(over, high)})"


def as_shown(over: Range, value: float) -> float:
    """The value of an input that is told: to three digits of the unit in which it is.

    >>> as_shown(Range("a", "a", 0.0, 1.0), 2.001), as_shown(Range("a", "a", 0.0, 1.0, "s"), 1203.0)
    (2.0, 1206.0)
    """
    if isnan(value) or isinf(value):
        return value
    scale = unit_for(over.unit, abs(value))[0] if over.unit else 1.0
    return float(f"{(round(value) if over.whole and not over.unit else value) / scale:.3g}") * scale


def _word(over: Range, has_range: bool, tips: Sequence[SignedTippingPoint], value: float, low: float, high: float) -> str:
    """Beyond a tipping point, outside or within the range, by the value; partly so, by its interval."""
    tipping = [(as_shown(over, point.estimate), point.estimate > point.now) for point in tips]
    if any(_is_beyond(at, above, value, value) for at, above in tipping):
        return "beyond the tipping point"
    if any(_is_beyond(at, above, low, high) for at, above in tipping):
        return "partly beyond the tipping point"
    if not has_range or isnan(value):
        return "no range to hold it against"
    least, most = as_shown(over, over.low), as_shown(over, over.high)
    if not least <= value <= most:
        return "outside the range"
    return "within" if least <= low and high <= most else "partly outside the range"


def _is_beyond(at: float, above: bool, low: float, high: float) -> bool:
    return high >= at if above else low <= at
