"""The smallest step: the simplest options that meet all that is required, and what each next step up would buy.

Simpler means fewer things to build in the order of sets, never by their number: an option is simpler than another if the parts that
the team does not run yet (edasim/ledger/moving_parts.py) are some of the other's, and not all. An example: a cache is no simpler than a
polled copy, and no less simple; both are simpler than a copy that a broker feeds, if the team runs no broker.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from edasim.comparison import Comparison, records
from edasim.estimates import Estimate, amount
from edasim.findings import Finding
from edasim.intervals import difference
from edasim.ledger.moving_parts import MovingPart, moving_parts
from edasim.markdown import code, plain
from edasim.requirements import bounds_of
from edasim.studies.requirements import who_meets_all
from edasim.summary import LOWER_IS_WORSE

Parts = frozenset[str]
BOUGHT = ("loss_rate", "lost_per_year", "stale_fraction", "staleness_p99")  # what a step is taken for, beside what is required


@dataclass(frozen=True)
class Bought:
    """By how much a *metric* (at a consumer, in an incident; "": of none) is more with a step up.

    *better*: whether that is better, None where it may be chance.
    """

    metric: str
    consumer: str
    incident: str
    by: Estimate
    better: bool | None

    @property
    def words(self) -> str:
        """What changes, by how much, in Markdown."""
        where = f" at {code(self.consumer)}" if self.consumer else ""
        during = f" in {code(self.incident)}" if self.incident else ""
        return f"{code(self.metric)}{where}{during} {'less' if self.by.mean < 0 else 'more'} by {amount(self.by)}"


@dataclass(frozen=True)
class StepUp:
    """From a smallest option to a larger one that violates nothing: the *parts* that come with it, and what they buy."""

    option: str
    to: str
    parts: tuple[str, ...]
    bought: tuple[Bought, ...]


@dataclass(frozen=True)
class Steps:
    """The *smallest* options that meet all that is required, each with the parts that it would bring; *may*: simpler ones that violate
    nothing and are undecided; and the next steps *up* from the smallest."""

    smallest: Mapping[str, tuple[str, ...]]
    may: Mapping[str, tuple[str, ...]]
    up: tuple[StepUp, ...]

    @property
    def rows(self) -> pd.DataFrame:
        """What each step up buys, a row a metric: option, to, parts, metric, consumer, incident, unit, mean, low, high, better."""
        rows = [
            (
                step.option,
                step.to,
                ", ".join(step.parts),
                one.metric,
                one.consumer,
                one.incident,
                one.by.unit,
                *one.by[:3],
                _word(one.better),
            )
            for step in self.up
            for one in step.bought
        ]
        return pd.DataFrame(
            rows, columns=["option", "to", "parts", "metric", "consumer", "incident", "unit", "mean", "low", "high", "better"]
        )

    def as_json(self) -> dict[str, Any]:
        """The smallest options, those that may be smaller, and the rows, as plain data."""
        small, may = ({name: list(parts) for name, parts in of.items()} for of in (self.smallest, self.may))
        return {"smallest": small, "may_be_smaller": may, "steps_up": records(self.rows)}


def smallest_steps(comparison: Comparison, parts: Sequence[MovingPart] | None = None) -> Steps:
    """The smallest step among the options of a *comparison*, by what its scenario requires; all meet it where nothing is required.

    Raises InputError for what `moving_parts` refuses.
    """
    new = new_parts(comparison, parts)
    good, maybe = who_meets_all(comparison.verdicts) if comparison.scenario.requirements else ([*new], [])
    small = _least({name: frozenset(new[name]) for name in good})
    simpler = _least({name: frozenset(new[name]) for name in maybe if not any({*new[name]} >= {*new[other]} for other in small)})
    up = tuple(
        StepUp(name, to, tuple(part for part in new[to] if part not in new[name]), tuple(_bought(comparison, name, to)))
        for name in small
        for to in _next({other: frozenset(new[other]) for other in (*good, *maybe)}, frozenset(new[name]))
    )
    return Steps({name: new[name] for name in small}, {name: new[name] for name in simpler}, up)


def new_parts(comparison: Comparison, parts: Sequence[MovingPart] | None = None) -> dict[str, tuple[str, ...]]:
    """What each option of a *comparison* would make the team build, out of *parts*: what it needs, less what the team runs already.

    Raises InputError for what `moving_parts` refuses.
    """
    return {
        each.name: tuple(part.part for part in moving_parts(each, comparison.results, parts) if not part.already_run)
        for each in comparison.candidates
    }


def _least(options: Mapping[str, Parts]) -> list[str]:
    """The options of which no other has only some of the parts.

    >>> _least({"a": frozenset("x"), "b": frozenset("xy"), "c": frozenset("yz")})
    ['a', 'c']
    """
    return [name for name, mine in options.items() if not any(other < mine for other in options.values())]


def _next(options: Mapping[str, Parts], mine: Parts) -> list[str]:
    """The options with more than *mine*, and nothing between."""
    return _least({name: parts for name, parts in options.items() if parts > mine})


def _bought(comparison: Comparison, option: str, to: str) -> Iterator[Bought]:
    """What changes from an *option* *to* another in what is required and in BOUGHT, paired by replication; the total of each metric."""
    worth = _worth(comparison)
    for (name, consumer, incident, metric, component), theirs in comparison.values.items():
        mine = comparison.values.get((to, consumer, incident, metric, component), {})
        both = sorted(mine.keys() & theirs.keys())
        asked = (metric, incident) in worth or (metric, None) in worth
        if name != option or component or not both or not asked:
            continue
        found = difference([mine[number] for number in both], [theirs[number] for number in both])
        by = Estimate(found.mean, found.low, found.high, theirs[both[0]].unit)
        sign = worth.get((metric, incident)) or worth[metric, None]
        yield Bought(metric, consumer, incident, by, _better(by, sign))


def _worth(comparison: Comparison) -> dict[tuple[str, str | None], int]:
    """For each metric (and incident; None: any) that a step is judged by, whether more of it (1) or less (-1) is better."""
    found: dict[tuple[str, str | None], int] = {(metric, ""): -1 for metric in BOUGHT}
    for asked in comparison.scenario.requirements:
        sides = {bound.side for bound in bounds_of(asked)}
        if len(sides) == 1:  # of what must lie between two limits neither more nor less is better
            found[asked.metric, asked.incident] = 1 if sides == {"at least"} or asked.metric in LOWER_IS_WORSE else -1
    return found


def _better(by: Estimate, sign: int) -> bool | None:
    if isnan(by.low) or isnan(by.high) or by.low <= 0 <= by.high:
        return None
    return (by.mean > 0) == (sign > 0)


def _word(better: bool | None) -> str:
    return {True: "better", False: "worse", None: "unclear"}[better]


def what_is_smallest(steps: Steps) -> Finding:
    """The smallest step and the next one up, in words."""
    lines = [f"* **Smallest step**: {code(name)}, {_brings(parts)}." for name, parts in steps.smallest.items()]
    if len(lines) > 1:
        lines.append("* None of these is simpler than another: each brings something that the others don't, or all bring the same.")
    lines = lines or [f"* **Smallest step**: none, as no option {'is sure to meet' if steps.may else 'meets'} all that is required."]
    may = "would be simpler" if steps.smallest else "may be the smallest step"
    lines += [f"* {code(name)} {may}, {_brings(parts)}: whether it meets all is undecided." for name, parts in steps.may.items()]
    lines += map(_step, steps.up)
    if steps.smallest and not steps.up:
        lines.append("* No option that violates nothing has all of that and more, so there is no next step up among these.")
    return Finding("\n".join(lines))


def _step(step: StepUp) -> str:
    most = sorted(step.bought, key=lambda one: -abs(one.by.mean))  # of several consumers the one for whom it changes most
    shown = {(one.metric, one.incident, one.better): one.words for one in reversed(most)}
    better, worse = ([words for (_, _, is_better), words in shown.items() if is_better is word] for word in (True, False))
    buys = "; ".join(better) or "nothing that is clear in what is required, in loss or in staleness"
    costs = f"; it costs: {'; '.join(worse)}" if worse else ""
    brings = ", ".join(map(plain, step.parts))
    return f"* **The next step up** from {code(step.option)} is {code(step.to)}, which adds: {brings}. It buys: {buys}{costs}."


def _brings(parts: Sequence[str]) -> str:
    """What has to be built, in a clause."""
    return f"which brings: {', '.join(map(plain, parts))}" if parts else "which brings nothing that is not there already"
