"""Which inputs matter? One metric of one option with each input at both ends of its range: a tornado."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from edasim.candidates import Candidate, candidate_named
from edasim.errors import InputError, suggestion
from edasim.estimates import Estimate, short
from edasim.findings import Finding
from edasim.intervals import difference, over_replications
from edasim.metrics import Value, measure
from edasim.patterns import Pattern
from edasim.ranges import Range, assumed
from edasim.runs import at_points, look_at
from edasim.scenario import Scenario
from edasim.statistics import Interval
from edasim.summary import LOWER_IS_WORSE

Runs = list[Value]  # one metric of one option and consumer, by replication


@dataclass(frozen=True)
class Subject:
    """One option and one metric of one consumer, looked at on the same luck at every point."""

    scenario: Scenario
    candidate: Candidate
    metric: str
    consumer: str
    unit: str
    replications: int
    seed: int
    jobs: int
    progress: bool = False

    def __str__(self) -> str:
        return f"`{self.metric}` of `{self.candidate.name}`" + (f" for `{self.consumer}`" if self.consumer else "")

    def at(self, points: Sequence[dict[str, Any]]) -> list[Runs]:
        """The metric at each of *points*, which say what is changed by dotted path."""
        chosen = [self._changed(point) for point in points]
        act = partial(look_at, look=measure)
        how: dict[str, Any] = {"seed": self.seed, "jobs": self.jobs, "progress": self.progress, "total": len(chosen)}
        measured = at_points(chosen, act, replications=range(self.replications), **how)
        return [self._metric(next(iter(of.values()))) for of in measured]

    def _changed(self, point: dict[str, Any]) -> list[Candidate]:
        scenario = self.scenario.with_overrides(point)
        return [candidate_named(scenario, self.candidate.name)]

    def _metric(self, runs: Sequence[Sequence[Value]]) -> Runs:
        found = [value for values in runs for value in of_metric(values, self.metric) if value.consumer == self.consumer]
        if len(found) < len(runs):
            raise InputError(f"metric {self.metric}: option {self.candidate.name} does not have it in every run")
        return found


def of_metric(values: Sequence[Value], metric: str) -> list[Value]:
    """The values of *metric* in total."""
    return [value for value in values if value.metric == metric and not value.component and not value.incident]


def subject(
    scenario: Scenario,
    option: Pattern | str,
    metric: str,
    consumer: str | None = None,
    *,
    replications: int,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> Subject:
    """What is looked at; of several consumers the one who fares worst in the scenario as it is, or the one asked for."""
    candidate = candidate_named(scenario, option)
    if consumer is not None:
        scenario.consumer_number(consumer)
    luck = scenario.seed if seed is None else seed
    first = next(at_points([[candidate]], partial(look_at, look=measure), seed=luck, replications=range(replications), jobs=jobs))
    mine = [
        value for values in first[candidate.name] for value in of_metric(values, metric) if value.consumer in (consumer, "") or not consumer
    ]
    if not mine:
        known = sorted({value.metric for values in first[candidate.name] for value in values})
        raise InputError(f"metric {metric} does not apply to option {candidate.name}: {suggestion(metric, known)}")
    pick = min if metric in LOWER_IS_WORSE else max
    means = {
        name: float(np.mean([value.value for value in mine if value.consumer == name]))
        for name in dict.fromkeys(value.consumer for value in mine)
    }
    worst, unit = pick(means, key=lambda name: means[name]), mine[0].unit
    return Subject(scenario, candidate, metric, worst, unit, replications, luck, jobs, progress)


@dataclass(frozen=True)
class Bar:
    """What an input at each of its ends changes in the metric, from the scenario as it is: paired differences with 95 % intervals."""

    over: Range
    low: Estimate
    high: Estimate

    @property
    def ends(self) -> tuple[tuple[float, Estimate], tuple[float, Estimate]]:
        """Both values of the input, each with what it changes."""
        return (self.over.low, self.low), (self.over.high, self.high)

    @property
    def width(self) -> float:
        """How far apart the metric is, at most, over both ends and the scenario as it is."""
        ends = (0.0, self.low.mean, self.high.mean)
        return max(ends) - min(ends)

    @property
    def is_clear(self) -> bool:
        """Whether the interval of at least one end leaves zero out."""
        return any(end.low > 0 or end.high < 0 for end in (self.low, self.high))


@dataclass(frozen=True)
class Tornado:
    """The effect of each input alone, the widest first, for one metric of one option."""

    about: Subject
    base: Estimate
    bars: tuple[Bar, ...]


def tornado(
    scenario: Scenario,
    option: Pattern | str,
    metric: str,
    ranges: Sequence[Range] | None = None,
    *,
    consumer: str | None = None,
    replications: int = 5,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> Tornado:
    """Each of *ranges* at both its ends, all else as the scenario says, on the same luck; by default the ranges of its assumptions.

    Effects of inputs that only matter together do not show: see `screening.morris`. Raises InputError where no range is given, for a
    metric that does not apply, and for what `compare` refuses.
    """
    over = checked(scenario, ranges)
    about = subject(scenario, option, metric, consumer, replications=replications, seed=seed, jobs=jobs, progress=progress)
    points: list[dict[str, Any]] = [{}, *({each.target: end} for each in over for end in (each.low, each.high))]
    base, *runs = about.at(points)
    effects = [_estimate(difference(run, base), about.unit) for run in runs]
    bars = [Bar(each, *effects[2 * place : 2 * place + 2]) for place, each in enumerate(over)]
    return Tornado(about, _estimate(over_replications(base), about.unit), tuple(sorted(bars, key=lambda bar: -bar.width)))


def _estimate(found: Interval, unit: str) -> Estimate:
    return Estimate(found.mean, found.low, found.high, unit)


def checked(scenario: Scenario, ranges: Sequence[Range] | None) -> list[Range]:
    """The *ranges* given, or those of the scenario's assumptions. Raises InputError where there is none."""
    over = assumed(scenario) if ranges is None else list(ranges)
    if not over:
        raise InputError("assumptions: none says a range, so there is nothing to vary")
    return over


def what_matters(found: Tornado) -> Finding:
    """The most influential guess first, then what each input changes at its ends."""
    clear = [bar for bar in found.bars if bar.is_clear]
    lines = [measure_first([bar.over for bar in clear], found.about), *(f"* {effect(bar)}." for bar in clear)]
    if unclear := [f"`{bar.over.path}`" for bar in found.bars if not bar.is_clear]:
        lines.append(f"* No clear effect: {', '.join(unclear)}.")
    return Finding("\n".join(lines))


def measure_first(mattering: Sequence[Range], about: Subject) -> str:
    """The most influential guess among inputs that matter, which come in the order of their influence."""
    if guess := next((over for over in mattering if over.basis == "guess"), None):
        return f"**Measure `{guess.path}` before anything else**: of the guesses it changes {about} most."
    return f"**No guess** clearly changes {about}."


def effect(bar: Bar) -> str:
    """What an input changes at its ends, in words."""
    moved = {value: ("+" if end.mean > 0 else "") + short(end.mean, end.unit).replace("%", "pp") for value, end in bar.ends}
    said = (f"{change} at {bar.over.said(value)}" for value, change in moved.items())
    return f"`{bar.over.path}` ({bar.over.basis or 'given'}): {', '.join(said)}"


def effects_of(found: Tornado) -> pd.DataFrame:
    """A row for each end of each input, the widest first: what it changes in the metric, with its 95 % interval."""
    ends = [(bar.over, value, effect) for bar in found.bars for value, effect in bar.ends]
    rows = [(over.target, value, over.basis, *effect) for over, value, effect in ends]
    return pd.DataFrame(rows, columns=["path", "value", "basis", *Estimate._fields])
