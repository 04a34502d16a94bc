"""The rows that are simulated soonest: those for which few changes are needed."""

from collections.abc import Iterable

from edasim.scenario import PoissonArrivals, RenewalArrivals, Scenario
from edasim.validation.cases import Case, Verdict

FEW = 60_000  # changes, in all replications together


def quick_rows(rows: Iterable[Case | Verdict], most: int = FEW) -> list[Case]:
    """Those of *rows* that are simulated with at most so many changes, in all their replications; with those that need no simulation."""
    return [row for row in rows if isinstance(row, Case) and changes_in(row) <= most]


def changes_in(case: Case) -> float:
    """How many changes are simulated for a *case*, about, in all replications and at all points of its sweep."""
    return case.replications * sum(_expected(scenario) for scenario in case.scenarios)


def _expected(scenario: Scenario) -> float:
    """The changes of one run, about; those whose number is not plain from the scenario count as too many to be quick."""
    arrivals, length = scenario.workload.arrivals, scenario.warmup + scenario.duration
    if isinstance(arrivals, PoissonArrivals):
        return arrivals.rate * length
    return arrivals.batch * length / arrivals.gap.mean() if isinstance(arrivals, RenewalArrivals) else float("inf")
