"""A check: does an option meet what is required? As many replications as it takes to say so, up to a budget.

Replications double from the first look to the budget, until no verdict is undecided or none of those that are could be decided by more.
Whoever looks several times and stops at the first clear answer is wrong more often than one who looks once; so the looks share the 5 %
(Bonferroni): each interval holds with 1 - 0.05 / looks. With four looks a metric is within its limit only if the 98.75 % interval is.

How many more would decide: an interval narrows with the square root of the replications, so with a half of h and a distance d from the
limit n (h / d)² of them do; where nothing was seen at all the bound falls as 1 / n. An example: 1.9 s ± 0.3 s after 10 replications, at
most 2 s: 10 (0.3 / 0.1)² = 90, so 80 more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import ceil, inf, isinf, isnan, nan
from typing import Any

import pandas as pd

from edasim.candidates import candidates_of
from edasim.comparison import Comparison, records
from edasim.decision.assumed import COLUMNS, Within, inputs_of, measure_first, within_assumptions
from edasim.errors import InputError
from edasim.experiment import comparison_of
from edasim.findings import Finding
from edasim.provenance import provenance
from edasim.requirements import Decision, check_requirements
from edasim.runs import REPLICATIONS, checked
from edasim.scenario import Scenario
from edasim.statistics import CONFIDENCE
from edasim.studies.tipping import looks
from edasim.verdicts import Verdict, rows_of

BUDGET = 80  # replications at most, unless more or fewer are allowed


@dataclass(frozen=True)
class Check:
    """What is required, held against one option or several; *assumed* is None where nothing was assumed with a range, or not asked for."""

    comparison: Comparison
    budget: int
    assumed: Within | None

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """The rows of `Comparison.verdicts` and `more`: about how many more replications would decide what is undecided.

        NaN where it is decided and where nothing is known of one side, inf where no number of them would.
        """
        found = self.comparison.verdicts
        more = [more_replications(row, self.comparison.replications) for row in rows_of(found)]
        return found.assign(more=more)

    @property
    def within(self) -> pd.DataFrame:
        """Where within the assumptions each requirement is met, as `Within.table`; no rows where that is not known."""
        return pd.DataFrame(columns=list(COLUMNS)) if self.assumed is None else self.assumed.table

    @property
    def first(self) -> Finding:
        """The guess to measure before anything else; empty where nothing has a range."""
        return Finding("" if self.assumed is None else measure_first(self.assumed))

    @property
    def outcomes(self) -> dict[str, Decision]:
        """What each option comes to: violated if it violates anything, else undecided if anything is."""
        words = self.verdicts.groupby("option", sort=False)["verdict"]
        return {str(option): _first_of(("violated", "undecided"), of, "met") for option, of in words}

    @property
    def outcome(self) -> Decision:
        """What the check comes to: met if some option meets all that is required, violated if each violates some of it."""
        return _first_of(("met", "undecided"), self.outcomes.values(), "violated")

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data; what is absent or not finite is null."""
        about = {
            "scenario": self.comparison.scenario.name,
            "seed": self.comparison.seed,
            "replications": self.comparison.replications,
            "engine": self.comparison.engine,
            "budget": self.budget,
            "confidence": self.comparison.confidence,
            "outcome": self.outcome,
            "measure_first": self.first or None,
        }
        return {**about, **provenance(), "verdicts": records(self.verdicts.replace(inf, nan)), "within": records(self.within)}


def _first_of(words: Sequence[Decision], found: Iterable[str], otherwise: Decision) -> Decision:
    there = set(found)
    return next((word for word in words if word in there), otherwise)


def check(
    scenario: Scenario,
    options: Sequence[str] | None = None,
    patterns: Sequence[str] | None = None,
    *,
    replications: int = REPLICATIONS,
    budget: int = BUDGET,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    progress: bool = False,
    assumptions: bool = True,
) -> Check:
    """What the *scenario* requires, held against *options* (its own, or patterns by name), incidents included.

    By default all of its options, or the presets. With *assumptions* also at the ends of what is assumed.

    >>> tiny = Scenario(duration=20, warmup=0, requirements=[{"metric": "loss_rate", "at_most": "1%"}])
    >>> check(tiny, ["cached_reads"], budget=4, jobs=1).outcomes
    {'cached_reads': 'met'}

    Raises InputError where nothing is required, for what is required of what is not there, and for what `compare` refuses.
    """
    if not scenario.requirements:
        raise InputError(f"scenario {scenario.name} requires nothing, so there is nothing to check: see requirements in docs/scenario.md")
    check_requirements(scenario)
    if budget < 1:
        raise InputError(f"budget: {budget} is not allowed: must be at least 1")
    asked: dict[str, Any] = {"patterns": patterns, "options": options, "engine": engine}
    how: dict[str, Any] = {"seed": seed, "jobs": jobs, "progress": progress}
    for candidate in candidates_of(scenario, **asked) if assumptions else ():
        inputs_of(candidate)  # refuses what is no range before anything is simulated
    steps = looks(min(checked(replications, jobs), budget), budget)
    found = replace(comparison_of(scenario, range(steps[0]), **asked, **how), confidence=1 - (1 - CONFIDENCE) / len(steps))
    for before, count in pairwise(steps):
        if not _could_decide(Check(found, budget, None)):
            break
        found = found.with_more(comparison_of(scenario, range(before, count), **asked, **how))
    return Check(found, budget, within_assumptions(scenario, found.candidates, **how) if assumptions else None)


def _could_decide(so_far: Check) -> bool:
    """Whether more replications could decide anything that is undecided."""
    rows = so_far.verdicts[(so_far.verdicts["verdict"] == "undecided") & so_far.verdicts["mean"].notna()]  # the others were not simulated
    return any(not isinf(more) for more in rows["more"])


def more_replications(found: Verdict, replications: int) -> float:
    """About how many more than so many *replications* would decide an undecided verdict; NaN where it is decided, or nothing is known.

    >>> undecided = Verdict("", "", "", "", "staleness_p99", "s", 1.9, 1.6, 2.2, "at most", 2.0, "undecided")
    >>> more_replications(undecided, 10), more_replications(undecided._replace(mean=0.0, low=0.0, high=4.0), 10)
    (80, 10)
    """
    if found.verdict != "undecided":
        return nan
    beyond = (found.mean > found.limit) == (found.side == "at most")
    end = found.low if found.mean > found.limit else found.high
    if end in (0.0, found.unit == "share") and found.mean != end:  # cut off at what is possible: the other half tells how far it is
        end = found.high if end == found.low else found.low
    half, gap = abs(end - found.mean), abs(found.limit - found.mean)
    if isnan(half):
        return nan
    if not gap:
        return inf
    none_seen = found.mean == 0 or (found.unit == "share" and found.mean == 1)
    return max(1, ceil(round(replications * ((half / gap) ** (1 if none_seen and not beyond else 2) - 1), 6)))
