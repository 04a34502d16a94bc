"""A row of the oracles on its way: the case that is simulated, and the verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edasim.scenario import Scenario

Parameters = Mapping[str, Any]
REPLICATIONS = 24  # unless a row asks for the spread over more


@dataclass(frozen=True)
class Case:
    """A row in scope: what is simulated, what is read off each run, and what must come out. *tolerance* is absolute.

    A row about a sweep has a scenario for each of its *points*, and asks for a *feature* of the curve over them; any other has one. A row
    about how much the runs differ asks for that as a feature of all *replications*. A row about numbers alone has no scenario.
    """

    row: str
    quantity: str
    pattern: str
    scenarios: tuple[Scenario, ...]
    estimator: str  # one of ESTIMATORS, a metric or, without a scenario, one of STATISTICS
    p: Parameters
    value: float
    tolerance: float
    one_sided: bool = False
    points: tuple[float, ...] = ()
    feature: str = ""  # one of FEATURES
    replications: int = REPLICATIONS


@dataclass(frozen=True)
class Verdict:
    """What became of one row."""

    row: str
    quantity: str
    expected: float
    simulated: float
    low: float
    high: float
    verdict: str  # agrees, disagrees, too noisy, or out of scope
    note: str = ""
