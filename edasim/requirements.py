"""What a team requires: the limits that its scenario sets to metrics, as numbers.

A limit stands in the unit of its metric: seconds, bytes, a share or a count; or it is a text with a unit: ``2s``, ``5GB``, ``0.1%``.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import inf
from typing import Literal, NamedTuple

from edasim.errors import InputError, suggestion
from edasim.metrics.names import COST, IN_INCIDENTS, NAMES, OF_THE_WHOLE, Kind, kind_of
from edasim.scenario import Requirement, Scenario
from edasim.units import seconds, size

Decision = Literal["met", "violated", "undecided"]


class Bound(NamedTuple):
    """A limit to a metric from above (at most) or from below (at least), in the metric's unit."""

    side: Literal["at most", "at least"]
    limit: float

    def decides(self, low: float, high: float) -> Decision:
        """What an interval from *low* to *high* (NaN: not known) says: undecided where it has values on both sides of the limit.

        >>> [Bound("at most", 2.0).decides(*ends) for ends in ((1.0, 2.0), (2.1, 3.0), (1.9, 2.1), (3.0, float("nan")))]
        ['met', 'violated', 'undecided', 'violated']
        """
        if self.side == "at least":
            return Bound("at most", -self.limit).decides(-high, -low)
        return "met" if high <= self.limit else "violated" if low > self.limit else "undecided"


def bounds_of(asked: Requirement) -> list[Bound]:
    """The limits that the requirement *asked* sets.

    Raises InputError where it names no metric, sets no limit, or one that is no number, duration, size or share.
    """
    if asked.metric not in NAMES:
        raise InputError(f"requirement on {asked.metric}: no metric has that name: {suggestion(asked.metric, NAMES)}")
    given: list[tuple[Literal["at most", "at least"], object]] = [("at most", asked.at_most), ("at least", asked.at_least)]
    found = [Bound(side, number(limit, asked)) for side, limit in given if limit is not None]
    if not found:
        raise InputError(f"requirement on {asked.metric}: must say at_most or at_least, such as at_most: 5s")
    return found


def check_requirements(scenario: Scenario) -> None:
    """Raises InputError for a requirement of the *scenario* that `bounds_of` refuses, that nothing measures, or that contradicts another.

    Before anything is simulated. Two contradict each other where one sets at least more than the other allows at most, of the same
    metric, for a consumer and an incident that both are about: one that names none is about all.
    """
    bounds = [(asked, bound) for asked in scenario.requirements for bound in bounds_of(asked)]
    scopes = [(asked.metric, asked.consumer, asked.incident, bound) for asked, bound in bounds]
    for metric, *_, bound in (scope for scope in scopes if scopes.count(scope) > 1):
        raise InputError(f"requirements on {metric}: {bound.side} {bound.limit:g} is required twice")
    for asked in scenario.requirements:
        if reason := _why_not_measured(scenario, asked):
            raise InputError(f"requirement on {asked.metric}: {reason}")
    least = [found for found in bounds if found[1].side == "at least"]
    most = [found for found in bounds if found[1].side == "at most"]
    for (low, at_least), (high, at_most) in product(least, most):
        if at_least.limit > at_most.limit and _meet(low, high):
            both = f"at least {low.at_least} and at most {high.at_most}"
            raise InputError(f"requirements on {low.metric}: {both} contradict each other: nothing can be both")


def _why_not_measured(scenario: Scenario, asked: Requirement) -> str:
    """Why there is no such metric with any option, or nothing: what no option has would be no trouble to any."""
    if asked.incident is not None and asked.metric not in IN_INCIDENTS:
        return f"it is not measured in an incident; of {asked.incident} there is: {', '.join(IN_INCIDENTS)}"
    if asked.consumer is not None and asked.metric in OF_THE_WHOLE:
        return f"it is of the system as a whole, so it can't be required of {asked.consumer}: leave the consumer out"
    if asked.metric in COST and scenario.prices is None:
        return "the scenario has no prices, without which no cost is reported"
    return ""


def _meet(one: Requirement, other: Requirement) -> bool:
    """Whether two requirements are about the same thing, of the same consumer in the same incident."""
    scopes = ((one.consumer, other.consumer), (one.incident, other.incident))
    return one.metric == other.metric and all(mine == theirs or None in (mine, theirs) for mine, theirs in scopes)


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
    """A *limit* of the requirement *asked*, in the unit of its metric: seconds, bytes, a share or a count.

    >>> [number(limit, Requirement(metric="storage_bytes")) for limit in ("2kB", 10)], number("0.5%", Requirement(metric="loss_rate"))
    ([2000.0, 10.0], 0.005)
    """
    read, allowed = KINDS[kind_of(asked.metric)]
    try:
        return read(limit)
    except ValueError:
        raise InputError(f"requirement on {asked.metric}: {limit!r} is not allowed: must be {allowed}") from None


def _count(limit: object) -> float:
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < inf:
        raise ValueError
    return float(limit)


def _share(limit: object) -> float:
    found = _count(float(limit.strip().removesuffix("%")) / 100) if isinstance(limit, str) and "%" in limit else _count(limit)
    if found > 1:  # 99.9 where 99.9% was meant
        raise ValueError
    return found


KINDS: Mapping[Kind, tuple[Callable[[object], float], str]] = {
    "share": (_share, "a share from 0 to 1, such as 0.001 or 0.1%"),
    "seconds": (seconds, "a duration, such as 250ms or 2"),
    "bytes": (size, "a size, such as 5GB or 2000"),
    "number": (_count, "a number of at least 0"),
}
