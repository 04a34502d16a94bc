"""Which inputs matter? One option and one metric over the ranges of a scenario's assumptions: tornado, Morris screening, Sobol indices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import Candidate, candidates_of
from edasim.errors import InputError, suggestion
from edasim.estimates import Estimate, short
from edasim.findings import Finding
from edasim.intervals import difference, over_replications
from edasim.metrics import Value, measure
from edasim.patterns import Pattern
from edasim.ranges import Range, assumed
from edasim.runs import at_points, look_at
from edasim.scenario import Scenario
from edasim.summary import LOWER_IS_WORSE

LEVELS = 4  # of a range, in Morris' grid
MATTERS = 0.1  # of the largest mean effect: factors below it stay at their base value when indices are estimated

Floats = NDArray[np.float64]
Runs = list[Value]  # one metric of one option and consumer, by replication


@dataclass(frozen=True)
class Subject:
    """One option and one metric of one consumer, looked at on the same luck at every point."""

    scenario: Scenario
    candidate: Candidate
    metric: str
    consumer: str
    replications: int
    seed: int
    jobs: int

    def at(self, points: Sequence[dict[str, Any]]) -> list[Runs]:
        """The metric at each of *points*, which say what is changed by dotted path."""
        chosen = [self._changed(point) for point in points]
        act = partial(look_at, look=measure)
        runs = range(self.replications)
        measured = at_points(chosen, act, seed=self.seed, replications=runs, jobs=self.jobs, total=len(chosen))
        return [self._metric(next(iter(of.values()))) for of in measured]

    def _changed(self, point: dict[str, Any]) -> list[Candidate]:
        scenario = self.scenario.with_overrides(point)
        own = any(option.name == self.candidate.name for option in scenario.options)
        return candidates_of(scenario, options=[self.candidate.name]) if own else candidates_of(scenario, [self.candidate.pattern])

    def _metric(self, runs: Sequence[Sequence[Value]]) -> Runs:
        found = [value for values in runs for value in of_metric(values, self.metric) if value.consumer == self.consumer]
        if len(found) < len(runs):
            raise InputError(f"metric {self.metric}: option {self.candidate.name} does not have it in every run")
        return found


def of_metric(values: Sequence[Value], metric: str) -> list[Value]:
    """The values of *metric* in total."""
    return [value for value in values if value.metric == metric and not value.component and not value.incident]


def subject(
    scenario: Scenario, option: Pattern | str, metric: str, consumer: str | None, replications: int, seed: int | None, jobs: int
) -> Subject:
    """What is looked at; of several consumers the one who fares worst in the scenario as it is, or the one asked for."""
    own = isinstance(option, str) and any(option == known.name for known in scenario.options)
    candidate = (candidates_of(scenario, options=[str(option)]) if own else candidates_of(scenario, [option]))[0]
    if consumer is not None:
        scenario.consumer_number(consumer)
    luck = scenario.seed if seed is None else seed
    first = next(at_points([[candidate]], partial(look_at, look=measure), seed=luck, replications=range(replications), jobs=jobs))
    means: dict[str, list[float]] = {}
    for values in first[candidate.name]:
        for value in of_metric(values, metric):
            if consumer in (None, value.consumer) or not value.consumer:
                means.setdefault(value.consumer, []).append(value.value)
    if not means:
        known = sorted({value.metric for values in first[candidate.name] for value in values})
        raise InputError(f"metric {metric} does not apply to option {candidate.name}: {suggestion(metric, known)}")
    pick = min if metric in LOWER_IS_WORSE else max
    worst = pick(means, key=lambda name: float(np.mean(means[name])))
    return Subject(scenario, candidate, metric, worst, replications, luck, jobs)


@dataclass(frozen=True)
class Bar:
    """What an input at each of its ends changes in the metric, from the scenario as it is: paired differences with 95 % intervals."""

    over: Range
    low: Estimate
    high: Estimate

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
) -> Tornado:
    """Each of *ranges* at both its ends, all else as the scenario says, on the same luck; by default the ranges of its assumptions.

    Effects of inputs that only matter together do not show: see `morris`. Raises InputError where no range is given, for a metric that
    does not apply, and for what `compare` refuses.
    """
    over = checked(scenario, ranges)
    about = subject(scenario, option, metric, consumer, replications, seed, jobs)
    points: list[dict[str, Any]] = [{}, *({each.target: end} for each in over for end in (each.low, each.high))]
    base, *runs = about.at(points)
    unit = base[0].unit
    effects = [_estimate(difference(run, base), unit) for run in runs]
    bars = [Bar(each, *effects[2 * place : 2 * place + 2]) for place, each in enumerate(over)]
    return Tornado(about, _estimate(over_replications(base), unit), tuple(sorted(bars, key=lambda bar: -bar.width)))


def _estimate(found: Any, unit: str) -> Estimate:
    return Estimate(found.mean, found.low, found.high, unit)


def checked(scenario: Scenario, ranges: Sequence[Range] | None) -> list[Range]:
    """The *ranges* given, or those of the scenario's assumptions. Raises InputError where there is none."""
    over = assumed(scenario) if ranges is None else list(ranges)
    if not over:
        raise InputError("assumptions: none says a range, so there is nothing to vary")
    return over


@dataclass(frozen=True)
class Screened:
    """Morris' elementary effects by factor: the mean size of what the whole range changes, its spread, and half its 95 % interval."""

    about: Subject
    over: tuple[Range, ...]
    mean_effect: Floats
    spread: Floats
    half: Floats

    @property
    def mattering(self) -> list[Range]:
        """The factors whose mean effect may be a tenth of the largest or more (upper end of its interval)."""
        least = MATTERS * float(self.mean_effect.max())
        return [each for each, most in zip(self.over, self.mean_effect + self.half, strict=True) if most > 0 and most >= least]


def morris(
    scenario: Scenario,
    option: Pattern | str,
    metric: str,
    ranges: Sequence[Range] | None = None,
    *,
    trajectories: int = 10,
    consumer: str | None = None,
    replications: int = 3,
    seed: int | None = None,
    jobs: int = -1,
) -> Screened:
    """Elementary effects (Morris, Technometrics 1991; mu* of Campolongo et al. 2007) on a grid of four levels of each range, by SALib.

    Factors are uniform over their ranges; the intervals are bootstraps over trajectories. All points are on the same luck.
    """
    over = checked(scenario, ranges)
    about = subject(scenario, option, metric, consumer, replications, seed, jobs)
    places = morris_sample(len(over), trajectories, about.seed)
    return Screened(about, tuple(over), *morris_effects(places, means_at(about, over, places), about.seed))


def means_at(about: Subject, over: Sequence[Range], places: Floats) -> Floats:
    """The metric at each row of *places* in the unit cube, a column a range."""
    points = [{each.target: each.at(place) for each, place in zip(over, row, strict=True)} for row in places.tolist()]
    return np.array([over_replications(run).mean for run in about.at(points)])


def morris_sample(factors: int, trajectories: int, seed: int) -> Floats:
    """Trajectories through the unit cube, shape (trajectories x (factors + 1), factors)."""
    from SALib.sample.morris import sample  # takes a second to import

    return np.asarray(sample(_cube(factors), trajectories, num_levels=LEVELS, seed=seed))


def morris_effects(places: Floats, found: Floats, seed: int) -> tuple[Floats, Floats, Floats]:
    """Mean absolute elementary effect, standard deviation, and half of the 95 % interval of the former, each by factor."""
    from SALib.analyze.morris import analyze

    said = analyze(_cube(places.shape[1]), places, found, num_levels=LEVELS, seed=seed)
    mean, spread, half = (np.asarray(said[name], dtype=np.float64) for name in ("mu_star", "sigma", "mu_star_conf"))
    return mean, spread, half


@dataclass(frozen=True)
class Indices:
    """Sobol indices by factor: which share of the variance it causes alone, and with all others, each with half its interval."""

    about: Subject
    over: tuple[Range, ...]
    first: Floats
    first_half: Floats
    total: Floats
    total_half: Floats


def sobol(screened: Screened, *, samples: int = 64, replications: int | None = None) -> Indices:
    """First-order and total indices of the factors that matter by Morris, the others as the scenario says (Saltelli's sample, by SALib).

    *samples*: a power of two; samples x (factors + 2) points are simulated. Raises InputError where nothing matters.
    """
    over, about = screened.mattering, screened.about
    if not over:
        raise InputError(f"metric {about.metric}: none of the ranges changes it")
    if samples < 2 or samples & (samples - 1):
        raise InputError(f"samples: {samples} is not allowed: must be a power of two")
    about = replace(about, replications=replications or about.replications)
    found = means_at(about, over, sobol_sample(len(over), samples, about.seed))
    return Indices(about, tuple(over), *sobol_indices(len(over), found, about.seed))


def sobol_sample(factors: int, samples: int, seed: int) -> Floats:
    """Saltelli's sample of the unit cube, shape (samples x (factors + 2), factors)."""
    from SALib.sample.sobol import sample

    return np.asarray(sample(_cube(factors), samples, calc_second_order=False, seed=seed))


def sobol_indices(factors: int, found: Floats, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """First-order and total indices, each followed by half of its 95 % interval, by factor."""
    from SALib.analyze.sobol import analyze

    said = analyze(_cube(factors), found, calc_second_order=False, seed=seed + 1)  # 0 would mean: the global state
    first, first_half, total, total_half = (np.asarray(said[name], dtype=np.float64) for name in ("S1", "S1_conf", "ST", "ST_conf"))
    return first, first_half, total, total_half


def _cube(factors: int) -> dict[str, Any]:
    return {"num_vars": factors, "names": [f"x{number}" for number in range(factors)], "bounds": [[0, 1]] * factors}


def what_matters(found: Tornado) -> Finding:
    """The most influential guess first, then what each input changes at its ends."""
    clear = [bar for bar in found.bars if bar.is_clear]
    guess = next((bar for bar in clear if bar.over.basis == "guess"), None)
    head = f"**Measure `{guess.over.path}` before anything else**: of the guesses it" if guess else "**No guess**"
    what = f"`{found.about.metric}` of `{found.about.candidate.name}`" + (f" for `{found.about.consumer}`" if found.about.consumer else "")
    lines = [f"{head} {'changes' if guess else 'clearly changes'} {what} {'most' if guess else ''}".rstrip() + "."]
    lines += [f"* {effect(bar)}." for bar in clear]
    if unclear := [f"`{bar.over.path}`" for bar in found.bars if not bar.is_clear]:
        lines.append(f"* No clear effect: {', '.join(unclear)}.")
    return Finding("\n".join(lines))


def effect(bar: Bar) -> str:
    """What an input changes at its ends, in words."""
    ends = ((bar.over.low, bar.low), (bar.over.high, bar.high))
    said = (f"{'+' if end.mean > 0 else ''}{short(end.mean, end.unit)} at {bar.over.said(value)}" for value, end in ends)
    return f"`{bar.over.path}` ({bar.over.basis or 'given'}): {', '.join(said)}"


def rows_of(found: Tornado | Screened | Indices) -> pd.DataFrame:
    """What was found as rows, one for each input (of a tornado for each end of one)."""
    if isinstance(found, Tornado):
        ends = [(bar.over.target, value, bar.over.basis, *end) for bar in found.bars for value, end in _ends(bar)]
        return pd.DataFrame(ends, columns=["path", "value", "basis", "mean", "low", "high", "unit"])
    parts = ("mean_effect", "half", "spread") if isinstance(found, Screened) else ("first", "first_half", "total", "total_half")
    frame = pd.DataFrame({name: getattr(found, name) for name in parts})
    frame.insert(0, "path", [each.target for each in found.over])
    return (
        frame.sort_values(parts[-2], ascending=False, kind="stable")
        if isinstance(found, Indices)
        else frame.sort_values("mean_effect", ascending=False, kind="stable")
    )


def _ends(bar: Bar) -> list[tuple[float, Estimate]]:
    return [(bar.over.low, bar.low), (bar.over.high, bar.high)]


def of_assumptions(scenario: Scenario, option: str, metric: str, method: str, jobs: int = -1) -> tuple[str, pd.DataFrame]:
    """The scenario's assumptions by *method*: in words, and as rows."""
    if method == "tornado":
        alone = tornado(scenario, option, metric, jobs=jobs)
        return str(what_matters(alone)), rows_of(alone)
    screened = morris(scenario, option, metric, jobs=jobs)
    rows = rows_of(screened if method == "morris" else sobol(screened))
    return rows.to_string(index=False), rows
