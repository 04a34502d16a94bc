"""Assumptions: does an option meet what is required everywhere within them, in part, or nowhere? And which guess matters most?

Each input that has a range is tried at both its ends alone; every two of them together at all four combinations of their ends (a
two-level orthogonal array: Plackett and Burman, Biometrika 33:305, 1946); then, for each requirement, all at the ends that alone are worst
for it, and all at the ends that are best. A metric that turns within a range, or only where three inputs meet, may hide a worse point.

An example: staleness of at most 2 s is met with a handling time of 5 ms and violated with 50 ms. That is *in part*, however many
replications there are: what would help is to measure the handling time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, inf, isnan, log2
from typing import Any

import pandas as pd
from scipy.linalg import hadamard

from edasim.candidates import BESIDE, Candidate
from edasim.comparison import Comparison
from edasim.errors import InputError
from edasim.estimates import short
from edasim.experiment import held
from edasim.findings import Finding
from edasim.intervals import difference
from edasim.markdown import code
from edasim.ranges import Range, assumed
from edasim.scenario import Scenario
from edasim.verdicts import Verdict, rows_of

RUNS = 5  # replications at each point
COLUMNS = ("option", "requirement", "points", "met", "violated", "undecided", "within")
Point = tuple[tuple[str, float], ...]  # what is set, by dotted path
Tried = Mapping[Point, Comparison]


@dataclass(frozen=True)
class Effect:
    """What an input at one end of its range changes in the metric of a requirement: a paired difference with its 95 % interval.

    *share* is the mean as a part of the limit. *before* and *verdict* are what the requirement says of the scenario as it is, and there.
    """

    option: str
    requirement: str
    over: Range
    value: float
    mean: float
    low: float
    high: float
    unit: str
    share: float
    before: str
    verdict: str

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    @property
    def weight(self) -> tuple[bool, float]:
        """How much it matters: whether it turns the verdict, and then by its part of the limit."""
        return self.before != self.verdict, abs(self.share)


@dataclass(frozen=True)
class Within:
    """Where within the assumptions each requirement is met by each option, and what each input alone changes.

    *table* has the columns COLUMNS; `within` says "everywhere", "nowhere", "in part", or "unclear" where what is undecided at some of the
    points leaves that open.
    """

    table: pd.DataFrame
    effects: tuple[Effect, ...]


def within_assumptions(
    scenario: Scenario,
    candidates: Sequence[Candidate],
    *,
    replications: int = RUNS,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> Within | None:
    """What is required of each of *candidates* at the ends of what is assumed, incidents included; None where nothing has a range.

    An input that an option sets itself is varied there. Raises InputError for a range that is none or of what is required, and for what
    `compare` refuses.
    """
    if not assumed(scenario):
        return None
    rows: list[tuple[object, ...]] = []
    effects: list[Effect] = []
    for candidate in candidates:
        ranges = inputs_of(candidate)
        tried = _tried(partial(_at, candidate, range(replications), seed=seed, jobs=jobs, progress=progress), ranges)
        for requirement in _verdicts(tried[()]):
            rows.append((candidate.name, requirement, *_counted([_verdicts(there)[requirement].verdict for there in tried.values()])))
            effects += [_effect(tried, requirement, over, end) for over in ranges for end in (over.low, over.high)]
    return Within(pd.DataFrame(rows, columns=list(COLUMNS)), tuple(effects))


def inputs_of(candidate: Candidate) -> list[Range]:
    """What is assumed of an option with a range. Raises InputError for a range that is none, and for one of what is required."""
    return [_input(over) for over in assumed(candidate.scenario)]


def _input(over: Range) -> Range:
    """Itself, if a run depends on it."""
    if over.path.split(".")[0] in BESIDE - {"incidents"}:
        raise InputError(f"assumptions: {over.path} is no input of a run: assume what happens, and require what is wanted")
    return over


def _at(candidate: Candidate, numbers: range, point: Point, **how: Any) -> Comparison:
    """One option at one point, on the same luck as at all others."""
    there = replace(candidate, scenario=candidate.scenario.with_overrides(dict(point)))
    return held(there.scenario, [there], numbers, **how)


def _tried(at: Callable[[Point], Comparison], ranges: Sequence[Range]) -> Tried:
    """The scenario as it is, each input at each end alone, every two together, and all at the worst and best ends of each requirement."""
    alone = {point: at(point) for point in [(), *(((over.target, end),) for over in ranges for end in (over.low, over.high))]}
    corners = [_corner(alone, requirement, ranges, pick) for requirement in _verdicts(alone[()]) for pick in (max, min)]
    return alone | {point: at(point) for point in dict.fromkeys([*_together(ranges), *corners]) if point not in alone}


def _together(ranges: Sequence[Range]) -> list[Point]:
    """All inputs at one of their ends: every two of them at all four combinations of theirs, in as few points as that takes.

    >>> first, second, third = (Range(name, name, 0.0, 1.0) for name in "abc")
    >>> [tuple(end for _, end in point) for point in _together([first, second, third])]
    [(0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0)]
    """
    signs = hadamard(2 ** ceil(log2(len(ranges) + 1)))[:, 1 : len(ranges) + 1]
    return [tuple((over.target, over.low if sign > 0 else over.high) for over, sign in zip(ranges, row, strict=True)) for row in signs]


def _corner(alone: Tried, requirement: str, ranges: Sequence[Range], pick: Callable[..., Point]) -> Point:
    """Every input where the *requirement* fares worst (max) or best (min); one that changes nothing is left as it is."""

    def badness(point: Point) -> float:
        return _badness(_verdicts(alone[point])[requirement])

    chosen = [pick([(), ((over.target, over.low),), ((over.target, over.high),)], key=badness) for over in ranges]
    return tuple(setting for point in chosen for setting in point)


def _badness(found: Verdict) -> float:
    """The mean, so that more is worse; what can't be done at all is worst, what does not apply is best."""
    if isnan(found.mean):
        return inf if found.verdict == "violated" else -inf
    return found.mean if found.side == "at most" else -found.mean


def _verdicts(comparison: Comparison) -> dict[str, Verdict]:
    """What is required of the one option of a comparison, by requirement."""
    return {row.requirement: row for row in rows_of(comparison.verdicts)}


def _counted(verdicts: Sequence[str]) -> tuple[int, int, int, int, str]:
    """How many points there are, at how many of them it is met (or does not apply), violated and undecided, and what that comes to."""
    violated, undecided = verdicts.count("violated"), verdicts.count("undecided")
    met = len(verdicts) - violated - undecided
    word = "in part" if met and violated else "unclear" if undecided else "everywhere" if met else "nowhere"
    return len(verdicts), met, violated, undecided, word


def _effect(tried: Tried, requirement: str, over: Range, end: float) -> Effect:
    """What the metric that decides on the *requirement* in the scenario as it is does at one end of an input."""
    base, there = tried[()], tried[((over.target, end),)]
    decides, now = _verdicts(base)[requirement], _verdicts(there)[requirement]
    key = (decides.option, decides.consumer, decides.incident, decides.metric, "")
    before, after = base.values.get(key, {}), there.values.get(key, {})
    both = sorted(before.keys() & after.keys())
    found = difference([after[number] for number in both], [before[number] for number in both]) if both else None
    mean, low, high = (found.mean, found.low, found.high) if found else (0.0, 0.0, 0.0)
    share = mean / decides.limit if decides.limit else inf if mean else 0.0
    return Effect(decides.option, requirement, over, end, mean, low, high, decides.unit, share, decides.verdict, now.verdict)


def measure_first(within: Within) -> Finding:
    """The most influential guess: of the guesses that clearly change what is required, one that turns a verdict before all others."""
    clear = [effect for effect in within.effects if effect.is_clear and effect.over.basis == "guess"]
    if not clear:
        return Finding("**No guess** clearly changes what is required.")
    most = max(clear, key=lambda effect: effect.weight)
    sign = "+" if most.mean > 0 else ""
    turned = f", and then it is {most.verdict}" if most.verdict != most.before else ""
    moved = f"{sign}{short(most.mean, most.unit).replace('%', 'pp')}"
    return Finding(
        f"**Measure {code(most.over.path)} before anything else**: of the guesses it changes what is required most. "
        f"At {most.over.said(most.value)} {code(most.requirement)} of {code(most.option)} changes by {moved}{turned}."
    )
