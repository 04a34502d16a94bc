"""What a team requires: the limits that its scenario sets to metrics, as numbers.

A limit stands in the unit of its metric: seconds, bytes, a share or a count. Text brings its own unit: ``2s``, ``5GB``, ``0.1%``.
"""

from collections.abc import Iterator
from math import isfinite

from edasim.errors import InputError
from edasim.scenario import Requirement, Scenario
from edasim.units import BYTES, seconds, size


def limit_of(scenario: Scenario, metric: str, *, consumer: str | None = None, incident: str | None = None) -> float | None:
    """The least that the scenario allows *metric* at most to be, or None where it sets no such limit.

    A requirement that names no consumer binds every *consumer*, and one that names no incident every *incident*; asked without one,
    those count that name none.

    >>> asked = [{"metric": "staleness_p99", "at_most": "2s"}, {"metric": "staleness_p99", "at_most": "1s", "consumer": "consumer"}]
    >>> [limit_of(Scenario(requirements=asked), "staleness_p99", consumer=name) for name in (None, "consumer")]
    [2.0, 1.0]

    Raises InputError where a limit is no number, duration, size or share.
    """
    found = _binding(scenario, metric, {None, consumer}, {None, incident})
    return min((number(asked.at_most, asked) for asked in found if asked.at_most is not None), default=None)


def _binding(scenario: Scenario, metric: str, consumers: set[str | None], incidents: set[str | None]) -> Iterator[Requirement]:
    for asked in scenario.requirements:
        if asked.metric == metric and asked.consumer in consumers and asked.incident in incidents:
            yield asked


def number(limit: object, asked: Requirement) -> float:
    """A *limit* of the requirement *asked* in seconds, bytes, or as a share or count.

    >>> [number(limit, Requirement(metric="storage_bytes")) for limit in ("5min", "2kB", "0.5%", 10)]
    [300.0, 2000.0, 0.005, 10.0]
    """
    try:
        return _number(limit)
    except ValueError:
        allowed = "must be a number, or one with a unit, such as 2s, 5GB or 0.1%"
        raise InputError(f"requirement on {asked.metric}: {limit!r} is not allowed: {allowed}") from None


def _number(limit: object) -> float:
    if isinstance(limit, str):
        text = limit.strip()
        if text.endswith("%"):
            return float(text.removesuffix("%")) / 100
        return size(text) if text.endswith(tuple(BYTES)) else seconds(text)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not isfinite(limit):
        raise ValueError
    return float(limit)
