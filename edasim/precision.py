"""How many replications: as many as make what was asked for precise enough, or as many as there may be; it says which."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, inf
from typing import Any

import pandas as pd

from edasim.comparison import Comparison
from edasim.errors import InputError, suggestion
from edasim.estimates import short
from edasim.experiment import comparison_of
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS, checked
from edasim.scenario import Scenario
from edasim.summary import SCREEN, in_words

BUDGET = 200  # replications at most, unless more are allowed
GROWTH = 2  # at most so many times as many in one step: an early guess of how many it takes may be far off


@dataclass(frozen=True)
class Precision:
    """How precise a comparison came out: which rows of its results are *unmet*, farthest first, and which were *unseen*."""

    wanted: float
    replications: int
    met: int
    unmet: pd.DataFrame
    unseen: pd.DataFrame

    def __str__(self) -> str:
        wanted, runs = f"{short(self.wanted, 'share')} of the mean", f"{self.replications} replications"
        lines = [f"precision: all {self.met} are within {wanted} after {runs}" if self.unmet.empty else self._spent(wanted, runs)]
        if len(self.unseen):
            named = ", ".join(
                f"{_named(row)} {in_words(row['mean'], row['low'], row['high'], row['unit'])}" for _, row in _first(self.unseen)
            )
            lines.append(f"never seen, so without a relative precision: {named}{_more(self.unseen)}")
        return "\n".join(lines)

    def _spent(self, wanted: str, runs: str) -> str:
        named = ", ".join(f"{_named(row)} ({_error(row['apart'])})" for _, row in _first(self.unmet))
        count = f"{len(self.unmet)} of {self.met + len(self.unmet)}"
        return f"precision: the budget of {runs} is spent, and {count} are not within {wanted}: {named}{_more(self.unmet)}"


MOST_NAMED = 4


def _error(apart: float) -> str:
    """By how much of the mean it may be off, if half its interval is so much of the estimate."""
    return f"within {short(apart / (1 - apart), 'share')}" if apart < 0.5 else "by more than the mean" if apart < inf else "no interval"


def _first(rows: pd.DataFrame) -> list[tuple[Any, pd.Series]]:
    return list(rows.head(MOST_NAMED).iterrows())


def _more(rows: pd.DataFrame) -> str:
    return f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""


def _named(row: pd.Series) -> str:
    where = f" at {row['consumer']}" if row["consumer"] else ""
    during = f" in {row['incident']}" if row["incident"] else ""
    return f"{row['metric']} of {row['option']}{where}{during}"


def precision_of(results: pd.DataFrame, wanted: float, metrics: Sequence[str]) -> Precision:
    """Which of *metrics* (totals, of every option, consumer and incident) have an interval of at most *wanted* x their mean to either side.

    With half the interval at most wanted / (1 + wanted) of the estimate, the error is at most *wanted* of the true mean (Law, Simulation
    Modeling and Analysis, 2015, 9.4.1). What is zero by nature is exact. What was never seen has no relative precision: it is named.
    """
    rows = results[results["metric"].isin(metrics) & (results["component"] == "")]
    half = (rows["high"] - rows["low"]) / 2
    apart = (half / rows["mean"].abs()).where(rows["mean"] != 0, 0.0).fillna(float("inf"))
    unseen = (rows["mean"] == 0) & (rows["high"] > 0)
    missed = (apart > wanted / (1 + wanted)) & ~unseen
    unmet = rows[missed].assign(apart=apart[missed]).sort_values("apart", ascending=False, kind="stable")
    return Precision(wanted, int(results["replications"].max()), int((~missed & ~unseen).sum()), unmet, rows[unseen])


def precise_comparison(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    precision: float,
    metrics: Sequence[str] | None = None,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    budget: int = BUDGET,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    progress: bool = False,
    incidents: bool = True,
) -> tuple[Comparison, Precision]:
    """As `paired_comparison`, with replications added until all *metrics* are within *precision*: in each incident too, if they have it.

    By default those of one screen, as they are in the window alone: an incident that is rarely seen would take all of the budget.

    Begins with *replications*, at least 10 (of fewer an interval is no ground to stop on), and ends with *budget* of them at the latest.
    How many come next is what the least precise metric would take if its spread stays as it is, at most twice as many as there are.

    >>> small = Scenario(duration=10, warmup=0)
    >>> print(precise_comparison(small, ["cqrs"], precision=0.5, metrics=["source_utilisation"], jobs=1)[1])
    precision: all 1 are within 50 % of the mean after 10 replications

    Raises InputError for an impossible precision or budget, an unknown metric, and what `compare` refuses.
    """
    if not 0 < precision < 1:
        raise InputError(f"precision: {precision:g} is not allowed: must be between 0 and 1 (100 %)")
    wanted, count = list(SCREEN if metrics is None else metrics), max(checked(replications, jobs), REPLICATIONS)
    if not wanted:
        raise InputError("metrics: there must be at least one")
    if budget < count:
        raise InputError(f"budget: {budget} is not allowed: must be at least {count} replications, with which it begins")
    compared = partial(comparison_of, scenario, patterns=patterns, options=options, seed=seed, engine=engine)
    more = partial(compared, jobs=jobs, progress=progress, incidents=incidents)
    found = more(range(count))
    for metric in metrics or ():
        if metric not in set(found.results["metric"]) and metric in SCREEN:
            raise InputError(f"metric {metric} does not apply to any option")
        if metric not in set(found.results["metric"]):
            raise InputError(f"metric {metric} is not among the results: {suggestion(metric, sorted(set(found.results['metric'])))}")
    while True:
        results = found.results[found.results["incident"] == ""] if metrics is None else found.results
        reached = precision_of(results, precision, wanted)
        if reached.unmet.empty or count == budget:
            return found, reached
        farthest = float(reached.unmet["apart"].iloc[0]) / (precision / (1 + precision))
        before, count = count, min(budget, ceil(count * min(GROWTH, max(1.1, farthest**2))))
        found = found.with_more(more(range(before, count)))
