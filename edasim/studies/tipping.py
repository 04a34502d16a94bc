"""Where does the better of two options change? The tipping point of one input, replicated until the search is clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from edasim.candidates import Candidate, candidates_of
from edasim.errors import InputError, suggestion
from edasim.findings import Finding, listed
from edasim.intervals import difference
from edasim.metrics import Value, measure
from edasim.patterns import Pattern
from edasim.ranges import Range, range_of
from edasim.runs import Act, at_points, look_at
from edasim.scenario import Scenario
from edasim.statistics import CONFIDENCE, Interval
from edasim.studies.bracketing import Bracket, Point, search
from edasim.summary import LOWER_IS_WORSE, in_words

FIRST, MOST = 3, 12  # replications at a point, unless more or fewer are asked for


@dataclass(frozen=True)
class Tipping(Bracket):
    """At which value of an input the better of two *options* changes: `estimate`, from `low` to `high`."""

    scenario: str
    over: Range
    metric: str
    unit: str
    options: tuple[str, str]
    patterns: tuple[str, str]
    better: str

    def best(self, sign: int) -> str:
        """Which option is better where the difference has this *sign*."""
        return self.options[(sign > 0) == (self.better == "less")]


def tipping_point(
    scenario: Scenario,
    path: str,
    ends: tuple[Any, Any],
    metric: str,
    options: Sequence[str] | None = None,
    *,
    patterns: Sequence[Pattern | str] | None = None,
    better: str | None = None,
    consumer: str | None = None,
    replications: int = FIRST,
    most: int = MOST,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> Tipping:
    """At which value of the input at *path*, between two *ends*, the better of two options (or patterns) changes, by *metric*.

    *better* is "less" or "more" of the metric; by default less, but of answered reads more. Of several consumers each option has the one
    who fares worst, or the one asked for. All values and both options share their luck, so A - B is paired by replication.

    At each value replications double from *replications* to *most* until the interval of A - B leaves zero out. The looks share the 5 %
    (Bonferroni): each has the confidence 1 - 0.05 / looks, so stopping at the first that is clear is no cheat. Halves of the range whose
    ends are clear are taken until the middle is unclear; then both clear ends are moved towards it. The interval is that of the values
    that the tests do not rule out (Fieller 1954); tests/test_tipping.py measures how often it holds the tipping point. That takes a
    **difference that crosses zero once in the range**, and luck that does not turn its order around: a sample in which zero is ruled out
    beyond the tipping point rules it out there as well. Neither the order of the ends nor that of the options matters.

    Raises InputError for a range, metric or consumer that does not exist, unless there are two options, and for what `compare` refuses.
    """
    over = range_of(scenario, path, ends)
    better = better or ("more" if metric in LOWER_IS_WORSE else "less")
    if better not in ("less", "more"):
        raise InputError(f"better: {better} is not allowed: must be less or more")
    if not 2 <= replications <= most:
        raise InputError(f"replications: {replications} is not allowed: must be at least 2 and at most {most}, the most at one value")
    if consumer is not None:
        scenario.consumer_number(consumer)
    compared = candidates_of(scenario, patterns, options)
    if len(compared) != 2:
        raise InputError(f"options: there must be two, not {len(compared)}")
    duel = Duel(metric, better, consumer, looks(replications, most), scenario.seed if seed is None else seed, jobs, progress)
    units: list[str] = []

    def ask(value: float) -> Point:
        found = duel.at(value, candidates_of(scenario.with_overrides({over.target: value}), patterns, options))
        units.append(found[1])
        return found[0]

    bracket = search(ask, over)
    names, kinds = zip(*((candidate.name, candidate.pattern.name) for candidate in compared), strict=True)
    return Tipping(bracket.points, bracket.low, bracket.high, scenario.name, over, metric, units[0], names, kinds, better)


def looks(first: int, most: int) -> list[int]:
    """After how many replications to look: twice as many each time.

    >>> looks(5, 40), looks(5, 30)
    ([5, 10, 20, 40], [5, 10, 20, 30])
    """
    found = [first]
    while found[-1] < most:
        found.append(min(2 * found[-1], most))
    return found


@dataclass(frozen=True)
class Duel:
    """Two options at one value of the input, replicated until it is clear who has more of the metric, or the budget is spent."""

    metric: str
    better: str
    consumer: str | None
    looks: Sequence[int]
    seed: int
    jobs: int
    progress: bool

    def at(self, value: float, pair: Sequence[Candidate]) -> tuple[Point, str]:
        """What *pair* gives at *value*, and the metric's unit."""
        runs: list[list[list[Value]]] = [[], []]
        act: Act[list[Value]] = partial(look_at, look=measure)
        how: dict[str, Any] = {"seed": self.seed, "jobs": self.jobs, "progress": self.progress}
        for target in self.looks:
            more = next(at_points([pair], act, replications=range(len(runs[0]), target), **how))
            for place, candidate in enumerate(pair):
                runs[place] += more[candidate.name]
            ours, theirs = (self._worst(candidate.name, mine) for candidate, mine in zip(pair, runs, strict=True))
            both = sorted(ours.keys() & theirs.keys())
            if len(both) < 2:
                raise InputError(f"metric {self.metric}: fewer than two replications in which both options have it")
            found = difference([ours[number] for number in both], [theirs[number] for number in both])
            first, second = ours[both[0]], theirs[both[0]]
            point = Point(value, widened(found, len(both), len(self.looks)), target, (first.consumer, second.consumer))
            if point.sign:
                break
        return point, first.unit

    def _worst(self, option: str, runs: Sequence[Sequence[Value]]) -> dict[int, Value]:
        """The metric of one option by replication, of the consumer asked for or of the one who fares worst."""
        found: dict[str, dict[int, Value]] = {}
        for number, values in enumerate(runs):
            for value in values:
                if value.metric == self.metric and not value.component and not value.incident:
                    found.setdefault(value.consumer, {})[number] = value
        if self.consumer is not None:
            found = {name: mine for name, mine in found.items() if name in (self.consumer, "")}
        if not found:
            known = sorted({value.metric for values in runs for value in values})
            raise InputError(f"metric {self.metric} does not apply to option {option}: {suggestion(self.metric, known)}")
        means = {name: float(np.mean([value.value for value in mine.values()])) for name, mine in found.items()}
        worst = (max if self.better == "less" else min)(means, key=lambda name: means[name])
        return found[worst]


def widened(found: Interval, replications: int, looks: int) -> Interval:
    """An interval as wide as it must be for so many *looks* to be right together with 95 %: Student's t at 1 - 0.05 / looks."""
    wanted, usual = (float(stdtrit(replications - 1, 1 - (1 - CONFIDENCE) / 2 / count)) for count in (looks, 1))
    below, above = (abs(found.mean - end) * wanted / usual for end in (found.low, found.high))
    return Interval(found.mean, found.mean - below, found.mean + above)


def points_of(found: Tipping) -> pd.DataFrame:
    """The search as tidy rows, one for each value tried: the difference between the options there, with its interval."""
    columns = ["path", "value", "option", "baseline", "metric", "unit", "mean", "low", "high", "replications"]
    what = (*found.options, found.metric, found.unit)
    rows = [
        (found.over.target, point.value, *what, point.difference.mean, point.difference.low, point.difference.high, point.replications)
        for point in found.points
    ]
    return pd.DataFrame(rows, columns=columns)


def where_it_tips(found: Tipping) -> Finding:
    """Which option is better below and above the tipping point, and how sure that is; or why there is none."""
    said = f"{_outcome(found)}. That is by `{found.metric}`, the one with {found.better} is better{_whose(found)}"
    ends = f"{found.over.said(found.over.low)} and {found.over.said(found.over.high)}"
    return Finding(f"{said}. Tried: {len(found.points)} values between {ends}.")


def _outcome(found: Tipping) -> str:
    if found.estimate is not None and found.low and found.high:
        below, above = (found.best(end.sign) for end in (found.low, found.high))
        return f"`{below}` beats `{above}` where `{found.over.target}` is below {around(found)}; above that it is the other way round"
    if found.low and found.high:
        winner = found.best(found.low.sign)
        loser = next(option for option in found.options if option != winner)
        return f"`{winner}` beats `{loser}` at both ends of the range: no tipping point in it, or more than one"
    clear = found.low or found.high
    if clear is None:
        middle = found.points[len(found.points) // 2]
        seen = f" (though `{found.best(middle.sign)}` is better in its middle)" if middle.sign else ""
        return f"There is no clear difference between {listed(found.options)} at the ends of the range{seen}"
    side, end = ("up to", "upper") if found.low else ("from", "lower")
    better = f"`{found.best(clear.sign)}` is better {side} {found.over.said(clear.value)}"
    return f"{better}; at the {end} end of the range the difference is unclear"


def around(found: Tipping) -> str:
    """The tipping point with its interval: as ± where it is in the middle of that, else with both ends."""
    assert found.estimate is not None
    assert found.low
    assert found.high
    low, high, said = found.low.value, found.high.value, found.over.said
    if found.over.whole and high - low <= 1:
        return f"something between {said(low)} and {said(high)}"
    half = (high - low) / 2
    if abs(found.estimate - (low + high) / 2) > half / 4:
        return f"{said(found.estimate)} (95 %: {said(low)} to {said(high)})"
    return in_words(found.estimate, found.estimate - half, found.estimate + half, found.over.unit).strip()


def _whose(found: Tipping) -> str:
    """Of which consumers the differences are, in words."""
    names = [dict.fromkeys(point.consumers[place] for point in found.points) for place in (0, 1)]
    if not any(name for mine in names for name in mine):
        return ""
    if names[0].keys() == names[1].keys():
        return f", for {' or '.join(f'`{name}`' for name in names[0])}"
    each = (f"{' or '.join(f'`{name}`' for name in mine)} with `{option}`" for mine, option in zip(names, found.options, strict=True))
    return f", of consumers that of the one who fares worst: {', '.join(each)}"
