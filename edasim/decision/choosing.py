"""Choosing: who is out, who is left to choose from, and what would have to give where nobody is left. Never by a score.

A violated requirement is a veto. Of the options without one those remain that no other beats whatever one weighs most (the Pareto
front), what a team must build included: who brings parts that another does not need (edasim/decision/smallest_step.py) never beats that
one. With weights there is a winner among those that remain, and how far it stays one (edasim/decision/weighing.py). Where all have a
veto, those come closest that no other comes closer than: one that violates nothing else, and that by no more.

An example: `a` violates r1 by 3, `b` violates r1 by 5, `c` violates r1 by 3 and r2, `d` violates r2 only. `a` and `d` come closest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, isnan, log10
from typing import Any

import pandas as pd

from edasim.comparison import Comparison
from edasim.decision.smallest_step import new_parts
from edasim.decision.weighing import Weighed, WeightRange, check_weights, weigh
from edasim.estimates import rounded, unit_for
from edasim.findings import Finding
from edasim.ledger.moving_parts import MovingPart
from edasim.markdown import code, plain
from edasim.requirements import bounds_of, number
from edasim.scenario import Requirement
from edasim.statistics import Interval
from edasim.studies.requirements import who_meets_all
from edasim.summary import CERTAIN
from edasim.verdicts import Verdict, dominated_by, limits_of, rows_of, verdicts_of


@dataclass(frozen=True)
class Relaxed:
    """A *requirement* that an *option* violates: the *limit* at which it would meet it, as a scenario may hold it (None: there is none
    that would do), and the options that meet it as it is."""

    option: str
    requirement: str
    limit: str | float | None
    met_by: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """*vetoes* and *undecided*: requirements by option; the *front* of those without a veto, who is *beaten* by whom, and who is *spared*
    as those that would beat it bring more to build; who *meets* all; what *weighed* says, if weights were given; and what to relax for
    those that come *closest*, where all have a veto."""

    options: tuple[str, ...]
    vetoes: Mapping[str, tuple[str, ...]]
    undecided: Mapping[str, tuple[str, ...]]
    meets: tuple[str, ...]
    front: tuple[str, ...]
    beaten: Mapping[str, tuple[str, ...]]
    spared: Mapping[str, tuple[str, ...]]
    weighed: Weighed | None
    closest: tuple[Relaxed, ...]

    @property
    def rows(self) -> pd.DataFrame:
        """A row an option: option, violates, undecided, beaten_by (names separated by "; "), front and place ("winner", "tied" or "")."""
        rows = [
            (name, *(self._listed(of, name) for of in (self.vetoes, self.undecided, self.beaten)), *self._place(name))
            for name in self.options
        ]
        return pd.DataFrame(rows, columns=["option", "violates", "undecided", "beaten_by", "front", "place"])

    def as_json(self) -> dict[str, Any]:
        """Who wins by the weights, and what to relax, as plain data; what is absent or without end is null."""
        weighed = self.weighed
        ranges = [] if weighed is None else [each._asdict() for each in weighed.ranges]
        finite = [{key: None if item in ("", inf) else item for key, item in each.items()} for each in ranges]
        won = {"winner": weighed.winner, "tied": list(weighed.ties), "stays": finite} if weighed else None
        return {"weighed": won, "closest": [vars(each) | {"met_by": list(each.met_by)} for each in self.closest]}

    @staticmethod
    def _listed(found: Mapping[str, tuple[str, ...]], name: str) -> str:
        return "; ".join(found.get(name, ()))

    def _place(self, name: str) -> tuple[bool, str]:
        if self.weighed is None:
            return name in self.front, ""
        return name in self.front, "winner" if name == self.weighed.winner else "tied" if name in self.weighed.ties else ""


def choose(comparison: Comparison, weights: Mapping[str, float] | None = None, parts: Sequence[MovingPart] | None = None) -> Choice:
    """What the requirements of a *comparison*'s scenario leave to choose from, and who wins by *weights* of the metrics that are required.

    *parts*: what may have to be built, as in `smallest_steps`.
    Raises InputError, with close matches, for weights that `check_weights` refuses, and for what `moving_parts` does.
    """
    verdicts, options = comparison.verdicts, tuple(each.name for each in comparison.candidates)
    if weights is not None:
        check_weights(weights, comparison.scenario.requirements)
    vetoes, undecided = (_with(verdicts, word) for word in ("violated", "undecided"))
    left = [option for option in options if option not in vetoes]
    beaten, spared = _beaten(verdicts[verdicts["option"].isin(left)], undecided, new_parts(comparison, parts))
    front = tuple(option for option in left if option not in beaten)
    return Choice(
        options,
        vetoes,
        undecided,
        tuple(who_meets_all(verdicts)[0]) if len(verdicts) else options,
        front,
        beaten,
        spared,
        weigh(comparison, front, weights) if weights is not None and front else None,
        () if left else tuple(_closest(comparison, vetoes)),
    )


Beaten = dict[str, tuple[str, ...]]


def _beaten(verdicts: pd.DataFrame, undecided: Beaten, new: Mapping[str, Sequence[str]]) -> tuple[Beaten, Beaten]:
    """Who is beaten, each by those that bring no part (*new* to the team, by option) which it does not need itself; and who is spared, as
    all that would beat it bring some. Who is undecided where another is not beats it no more than who violates something."""
    sure = {
        option: tuple(other for other in by if {*undecided.get(other, ())} <= {*undecided.get(option, ())})
        for option, by in dominated_by(verdicts).items()
    }
    beaten = {option: tuple(other for other in by if {*new[other]} <= {*new[option]}) for option, by in sure.items()}
    spared = {option: by for option, by in sure.items() if by and not beaten[option]}
    return {option: by for option, by in beaten.items() if by}, spared


def _with(verdicts: pd.DataFrame, word: str) -> dict[str, tuple[str, ...]]:
    """The requirements with that verdict, of each option that has some."""
    return {str(option): tuple(of["requirement"]) for option, of in verdicts[verdicts["verdict"] == word].groupby("option", sort=False)}


# --- where nobody is left ---------------------------------------------------------------------------------------------------


def _closest(comparison: Comparison, vetoes: Mapping[str, tuple[str, ...]]) -> list[Relaxed]:
    """What to relax for each option that no other comes closer than."""
    beyond = {option: _beyond(comparison.verdicts, option) for option in vetoes}
    closest = [option for option, mine in beyond.items() if not any(_is_closer(other, mine) for other in beyond.values())]
    asked = {words: each for words, each, _ in limits_of(comparison.scenario.requirements)}
    return [_relaxed(comparison, option, asked[requirement], requirement) for option in closest for requirement in vetoes[option]]


def _beyond(verdicts: pd.DataFrame, option: str) -> dict[str, Interval]:
    """By how much the option is beyond the limit of each requirement that it violates; above 0, and without end what can't be done."""
    mine = verdicts[(verdicts["option"] == option) & (verdicts["verdict"] == "violated")]
    return {row.requirement: _by_how_much(row) for row in rows_of(mine)}


def _by_how_much(row: Verdict) -> Interval:
    if isnan(row.mean):
        return Interval(inf, inf, inf)
    if row.side == "at most":
        return Interval(row.mean - row.limit, row.low - row.limit, row.high - row.limit)
    return Interval(row.limit - row.mean, row.limit - row.high, row.limit - row.low)


def _is_closer(ours: Mapping[str, Interval], theirs: Mapping[str, Interval]) -> bool:
    """Whether *ours* violates nothing that *theirs* does not, all by no more in the mean, and something clearly less or not at all.

    >>> near, far = Interval(3, 2, 4), Interval(9, 8, 10)
    >>> [_is_closer({"r1": near}, theirs) for theirs in ({"r1": far}, {"r1": near, "r2": far}, {"r1": near}, {"r2": far})]
    [True, True, False, False]
    """
    if not ours.keys() <= theirs.keys() or any(by.mean > theirs[name].mean for name, by in ours.items()):
        return False
    return len(ours) < len(theirs) or any(by.high < theirs[name].low for name, by in ours.items())


def _relaxed(comparison: Comparison, option: str, asked: Requirement, requirement: str) -> Relaxed:
    verdicts = comparison.verdicts
    met = verdicts[(verdicts["requirement"] == requirement) & verdicts["verdict"].isin(["met", "does not apply"])]
    side = str(verdicts[verdicts["requirement"] == requirement]["side"].iloc[0])
    return Relaxed(option, requirement, relaxed_limit(comparison.results, option, asked, side), tuple(met["option"]))


def relaxed_limit(results: pd.DataFrame, option: str, asked: Requirement, side: str) -> str | float | None:
    """The nearest limit on that *side* that the option would meet, to two digits of half its interval; None where there is none.

    It is the end of an interval, rounded away from it: of at most 2 s, where 2.9 ± 0.21 s were found, 3.11 s.
    """
    limit: str | float = asked.at_most if side == "at most" else asked.at_least
    bound = next(each for each in bounds_of(asked) if each.side == side)
    while True:  # of several consumers and incidents each in turn decides, until all are met
        one_sided = {"at_most": limit, "at_least": None} if side == "at most" else {"at_most": None, "at_least": limit}
        found = rows_of(verdicts_of([asked.model_copy(update=one_sided)], [option], results))[0]
        if found.verdict == "met":
            return limit
        end = found.high if side == "at most" else found.low
        if not isfinite(end) or end < 0:
            return None
        half = (found.high - found.low) / 2 if isfinite(found.high - found.low) else 0.0
        limit = rounded_away(end, half, found.unit, side)
        if bound._replace(limit=number(limit, asked)).decides(end, end) != "met":  # the last bit of a float, lost in the text
            beyond = max(half, CERTAIN * end) / 1000
            limit = rounded_away(end + beyond if side == "at most" else max(0.0, end - beyond), half, found.unit, side)


def rounded_away(end: float, half: float, unit: str, side: str) -> str | float:
    """An *end* of an interval as a limit that it is within, to two digits of *half* the interval (or of 0.1 % of it), with its unit.

    >>> rounded_away(3.1142, 0.21, "s", "at most"), rounded_away(0.98241, 0.00075, "share", "at least")
    ('3.12s', '98.241%')
    >>> rounded_away(67140.8, 1359, "messages", "at most")
    67200.0
    """
    scale, name = unit_for(unit, abs(end)) if unit in ("s", "bytes", "share") else (1.0, "")
    grain = max(half, CERTAIN * abs(end))
    step = 10.0 ** (floor(log10(grain / scale)) - 1) if grain > 0 else 1.0
    turn = ceil if side == "at most" else floor
    value = turn(round(end / scale / step, 6)) * step
    text = f"{value:.{max(0, -floor(log10(step) + 1e-9))}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text}{name}" if name else float(text)


# --- in words ---------------------------------------------------------------------------------------------------------------


def what_is_left(choice: Choice) -> Finding:
    """The vetoes, the front and who wins, or what to relax, in words."""
    lines = [f"* **Vetoed**: {code(option)}, which violates {_all(by)}." for option, by in choice.vetoes.items()]
    lines += [f"* **Undecided**: {code(name)}, on {_all(by)}." for name, by in choice.undecided.items() if name not in choice.vetoes]
    lines += [
        f"* {code(option)} is beaten by {_all(by)}: nowhere better in the mean, clearly worse somewhere, and no less to build."
        for option, by in choice.beaten.items()
    ]
    lines += [
        f"* {code(option)} remains, as what would beat it by what is required brings parts that it does not need: {_all(by)}."
        for option, by in choice.spared.items()
    ]
    if choice.front:
        lines.append(f"* **To choose from**{', by what weighs most' if len(choice.front) > 1 else ''}: {_all(choice.front)}.")
    if choice.front and not choice.meets:
        lines.append("* **No option is sure to meet all requirements**: more replications may decide it (`edasim check`).")
    if choice.weighed is not None:
        lines += _who_wins(choice.weighed)
    if choice.closest:
        lines += ["* **No option meets all requirements.** These come closest:", *_what_to_relax(choice)]
    return Finding("\n".join(lines))


def _who_wins(weighed: Weighed) -> list[str]:
    given = ", ".join(f"{code(metric)} {weight:g}" for metric, weight in weighed.weights.items())
    tied = f", and {_all(tuple(weighed.ties))} can't be told apart from it" if weighed.ties else ""
    first = f"* **By these weights** ({given}; what is not named weighs nothing): {code(weighed.winner)}{tied}."
    why = [f"  * {code(option)} may come out as well: {why}." for option, why in weighed.ties.items()]
    return [first, *why, *(f"  * {_stays(each, weighed.winner)}." for each in weighed.ranges)]


def _stays(found: WeightRange, winner: str) -> str:
    ends = {"below": found.below, "above": found.above}
    beyond = [f"{side} that {code(other)} wins" for side, other in ends.items() if other]
    if not beyond:
        return f"Whatever {code(found.metric)} weighs, {code(winner)} stays the winner"
    low, high = (f"about {rounded(end, 2)}" for end in (found.low, found.high))
    span = f"from {low} to {high}" if found.below and found.above else f"from {low} on" if found.below else f"up to {high}"
    return f"{code(winner)} stays the winner for a weight of {code(found.metric)} {span} (now {found.weight:g}): {', '.join(beyond)}"


def _what_to_relax(choice: Choice) -> list[str]:
    lines = [f"  * {code(each.option)} violates {code(each.requirement)}: {_relax(each)}." for each in choice.closest]
    open_ = {each.option: choice.undecided[each.option] for each in choice.closest if each.option in choice.undecided}
    return [*lines, *(f"  * {code(option)} is undecided on {_all(still)} besides." for option, still in open_.items())]


def _relax(each: Relaxed) -> str:
    """What to relax to, or whom to look at for what to change."""
    to = "no limit would do" if each.limit is None else f"relax the limit to {plain(_said(each.limit))}"
    return f"{to}, or change the option: {_all(each.met_by)} can do it" if each.met_by else f"{to}; no option can do it"


def _said(limit: str | float) -> str:
    return limit if isinstance(limit, str) else f"{limit:,.15g}"


def _all(names: tuple[str, ...]) -> str:
    """Names as code, the last after "and"."""
    quoted = [code(name) for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
