"""Weighing: which option has least of what a team would rather not have, for the weights that it gives; and how far that depends on them.

Each metric counts as a multiple of its limit: 1 s where at most 2 s are required is 0.5; of a share that must be at least 99.9 %, what is
missing counts as a multiple of what may be missing. The weighted sum of these decides, and is never shown: it has no meaning beside
the order that it makes. An example: with (0.2, 0.9) and (0.8, 0.1) of two limits, weighed 1 and 1, the second wins, 0.9 against 1.1;
it stays the winner while the first metric weighs less than 0.8 / 0.6 = 1.33, or the second more than 0.6 / 0.8 = 0.75.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from typing import NamedTuple

import pandas as pd

from edasim.comparison import Comparison
from edasim.errors import InputError, suggestion
from edasim.estimates import of_differences, rounded
from edasim.intervals import difference, over_replications
from edasim.markdown import code
from edasim.metrics import Value
from edasim.metrics.names import kind_of
from edasim.requirements import Bound, bounds_of
from edasim.scenario import Requirement
from edasim.verdicts import Verdict, rows_of


class Multiple(NamedTuple):
    """How much of its limit an option has of a metric: (value - *origin*) x *scale*, by the value of this consumer and incident.

    *value* is None where the metric does not apply: nothing of it.
    """

    value: float | None
    origin: float
    scale: float
    consumer: str
    incident: str

    @property
    def size(self) -> float:
        """The multiple itself."""
        return 0.0 if self.value is None else (self.value - self.origin) * self.scale


class WeightRange(NamedTuple):
    """The weights of a *metric*, the others as given, with which the winner has least: from *low* (won by *below* it) to *high*.

    *below* and *above* are empty where no weight makes another option win on that side.
    """

    metric: str
    weight: float
    low: float
    high: float
    below: str
    above: str


@dataclass(frozen=True)
class Weighed:
    """Who has least by these *weights*; who can't be told apart from the *winner*, and why, in words; how far each weight may change."""

    weights: Mapping[str, float]
    winner: str
    ties: Mapping[str, str]
    ranges: tuple[WeightRange, ...]


def check_weights(weights: Mapping[str, float], requirements: Iterable[Requirement]) -> None:
    """Raises InputError, with close matches, for a weight on a metric that no requirement is on, or that can't be weighed.

    And for one below 0, and where all are 0.
    """
    bounds = [(asked.metric, bound) for asked in requirements for bound in bounds_of(asked)]
    allowed = list(dict.fromkeys(metric for metric, _ in bounds))
    if not allowed:
        raise InputError("weights: the scenario requires nothing, so there is nothing to weigh")
    for metric, weight in weights.items():
        if metric not in allowed:
            raise InputError(f"weights: {metric} is not required: {suggestion(metric, allowed)}")
        if not isfinite(weight) or weight < 0:
            raise InputError(f"weights: {metric}: {weight:g} is not allowed: must be a number of at least 0")
        if not any(_room(metric, bound) for name, bound in bounds if name == metric):
            raise InputError(f"weights: {metric}: its limit leaves no room, so it is met or not, and there is nothing to weigh")
    if not any(weights.values()):
        raise InputError("weights: one of them must be above 0")


def _room(metric: str, bound: Bound) -> float:
    """How much a limit leaves: that of a share that must be at least so much is what may be missing, below 0."""
    if bound.side == "at least" and kind_of(metric) != "share":
        raise InputError(f"weights: {metric}: at least {bound.limit:g} is no share, so there is nothing that it is a multiple of")
    return bound.limit - 1 if bound.side == "at least" else bound.limit


def weigh(comparison: Comparison, options: Sequence[str], weights: Mapping[str, float]) -> Weighed:
    """Which of *options* has least by *weights* (a metric that has none weighs nothing), as far as the comparison tells.

    Raises InputError for weights that `check_weights` refuses, and for a metric that was not simulated.
    """
    check_weights(weights, comparison.scenario.requirements)
    found = {option: {metric: _multiple(comparison.verdicts, option, metric) for metric in weights} for option in options}
    sizes = {option: {metric: each.size for metric, each in of.items()} for option, of in found.items()}
    winner = min(options, key=lambda option: total(sizes[option], weights))
    leads = {option: _leads(comparison, found, option, winner, weights) for option in options if option != winner}
    ties = {option: _why(of) for option, of in leads.items() if _is_tie(of, weights)}
    return Weighed(dict(weights), winner, ties, tuple(weight_range(sizes, winner, weights, metric) for metric in weights))


def total(sizes: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted sum of multiples of limits."""
    return sum(weights[metric] * size for metric, size in sizes.items())


def weight_range(sizes: Mapping[str, Mapping[str, float]], winner: str, weights: Mapping[str, float], metric: str) -> WeightRange:
    """For which weights of *metric* no option has less than the *winner*, by the *sizes* of their metrics; the other weights stay.

    The sum of each option is a line in the weight, so each other option bounds it from one side at most.

    >>> sizes = {"a": {"x": 0.2, "y": 0.9}, "b": {"x": 0.8, "y": 0.1}}
    >>> weight_range(sizes, "b", {"x": 1, "y": 1}, "x")
    WeightRange(metric='x', weight=1, low=0.0, high=1.333..., below='', above='a')
    """
    low, high, below, above = 0.0, inf, "", ""
    for other, mine in sizes.items():
        steeper = sizes[winner][metric] - mine[metric]
        ahead = total(mine, {**weights, metric: 0.0}) - total(sizes[winner], {**weights, metric: 0.0})
        if steeper > 0 and ahead / steeper < high:
            high, above = ahead / steeper, other
        elif steeper < 0 and ahead / steeper > low:
            low, below = ahead / steeper, other
    return WeightRange(metric, weights[metric], low, high, below, above)


def _multiple(verdicts: pd.DataFrame, option: str, metric: str) -> Multiple:
    """How much of its limit the option has of a *metric*: of several requirements on it, of which it has most."""
    mine = verdicts[(verdicts["option"] == option) & (verdicts["metric"] == metric)]
    found = [_of(row) for row in rows_of(mine)]
    return max((each for each in found if each is not None), key=lambda each: each.size)


def _of(row: Verdict) -> Multiple | None:
    """How much of its limit a requirement's metric takes; None where the limit leaves nothing to take."""
    origin, room = (1.0, row.limit - 1) if row.side == "at least" else (0.0, row.limit)
    if room == 0:
        return None
    if row.verdict == "does not apply":
        return Multiple(None, origin, 1 / room, "", "")
    if isnan(row.mean):
        raise InputError(f"weights: {row.metric} was not simulated with {row.option}, so it can't be weighed")
    return Multiple(row.mean, origin, 1 / room, row.consumer, row.incident)


class Lead(NamedTuple):
    """By how much an option may be better than the winner in a *metric*, at most: in *multiples* of its limit (NaN: not known, below 0:
    it is worse), and in its *unit*, NaN where they are held against different limits; *same*: no replication told them apart."""

    metric: str
    multiples: float
    amount: float
    unit: str
    same: bool


def _leads(
    comparison: Comparison, found: Mapping[str, Mapping[str, Multiple]], option: str, winner: str, weights: Mapping[str, float]
) -> list[Lead]:
    """What the *option* may be ahead of the *winner* in each metric that weighs something."""
    return [
        _lead(comparison, metric, found[winner][metric], winner, found[option][metric], option) for metric in weights if weights[metric]
    ]


def _lead(comparison: Comparison, metric: str, ours: Multiple, winner: str, other: Multiple, option: str) -> Lead:
    """By the difference, paired by replication. Where the limit is another, or one of them has no such metric: by the intervals alone."""
    mine, theirs = _values(comparison, winner, metric, ours), _values(comparison, option, metric, other)
    if not mine or not theirs or (ours.origin, ours.scale) != (other.origin, other.scale):
        return Lead(metric, _ends(mine, ours)[1] - _ends(theirs, other)[0], nan, "", False)
    apart = difference(mine, theirs)
    most = max(apart.low * ours.scale, apart.high * ours.scale) if not isnan(apart.low) else nan
    same = all(one.value == two.value for one, two in zip(mine, theirs, strict=True))
    return Lead(metric, most, most / abs(ours.scale), mine[0].unit, same)


def _is_tie(leads: Iterable[Lead], weights: Mapping[str, float]) -> bool:
    """Whether an option may have as little as the winner, within the intervals.

    The interval of the weighted sum is taken to be the sum of theirs: never narrower than the sum's own, however they hang together.
    """
    most = sum(weights[each.metric] * each.multiples for each in leads)
    return isnan(most) or most >= 0


def _why(leads: Iterable[Lead]) -> str:
    """In what the option may be better than the winner, and by how much, in Markdown.

    >>> _why([Lead("read_availability", 0.005, 0.0005, "share", True), Lead("staleness_mean", -0.1, -1.0, "s", False)])
    'it may be better in `read_availability` by up to 0.05 pp, though it came out the same in every replication'
    """
    ahead = " and ".join(_ahead(each) for each in leads if not each.multiples <= 0)
    return f"it may be better {ahead}" if ahead else "it comes to the same"


def _ahead(lead: Lead) -> str:
    if isnan(lead.multiples):
        return f"in {code(lead.metric)}, of which one run gives no interval"
    scale, unit = of_differences(lead.unit, abs(lead.amount))
    by = "" if isnan(lead.amount) else f" by up to {rounded(lead.amount / scale, 2)} {unit}"
    return f"in {code(lead.metric)}{by}{', though it came out the same in every replication' if lead.same else ''}"


def _ends(values: list[Value], of: Multiple) -> tuple[float, float]:
    """The least and the most multiples that an option may have."""
    if not values:
        return 0.0, 0.0
    found = over_replications(values)
    low, high = sorted(((found.low - of.origin) * of.scale, (found.high - of.origin) * of.scale))
    return low, high


def _values(comparison: Comparison, option: str, metric: str, of: Multiple) -> list[Value]:
    found = comparison.values.get((option, of.consumer, of.incident, metric, ""), {})
    return [] if of.value is None else [found[number] for number in sorted(found)]
