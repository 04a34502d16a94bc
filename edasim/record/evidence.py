"""The evidence for a decision: one option checked, beside all others on the same luck, with what would change it and what it takes.

The check is of the chosen option alone, as `edasim check --option` makes it, so that it can be repeated without the others; these are
compared with it over as many replications as were asked for, and not over the more that the check may have added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import Comparison
from edasim.decision.checking import BUDGET, Check, check
from edasim.decision.tipping_points import TippingPoints, tipping_points
from edasim.errors import InputError, suggestion
from edasim.experiment import comparison_of
from edasim.ledger.moving_parts import NeededPart, moving_parts
from edasim.runs import REPLICATIONS
from edasim.scenario import Scenario


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against the *chosen* option: its *check*, the *comparison* of all, its tipping points and its parts.

    *replications* and the check's budget are what was asked for: with them, and the same seed, the check comes out the same.
    """

    chosen: Candidate
    check: Check
    comparison: Comparison
    tipping: TippingPoints
    parts: Sequence[NeededPart]
    replications: int

    @property
    def scenario(self) -> Scenario:
        """The scenario without what an option changes."""
        return self.comparison.scenario


def chosen_of(scenario: Scenario, name: str) -> Candidate:
    """The option of that *name* among all that are compared. Raises InputError with close matches where it isn't one."""
    found = {candidate.name: candidate for candidate in candidates_of(scenario)}
    if name not in found:
        raise InputError(f"--chosen {name} is not among the options: {suggestion(name, found)}")
    return found[name]


def evidence_for(
    scenario: Scenario,
    chosen: str,
    *,
    replications: int = REPLICATIONS,
    budget: int = BUDGET,
    jobs: int = -1,
    progress: bool = False,
) -> Evidence:
    """All that a record of the choice says. Raises InputError for an option that isn't one, and for what `check` refuses."""
    candidate = chosen_of(scenario, chosen)
    how: dict[str, Any] = {"jobs": jobs, "progress": progress}
    moving_parts(candidate)  # refuses what is said to be run and isn't a part, before anything is simulated
    with tqdm(desc="check", total=3, bar_format="{desc} ({n} of {total} parts done)", leave=False, disable=not progress) as steps:
        held = check(scenario, [chosen], replications=replications, budget=budget, **how)
        steps.update()
        steps.set_description("all options")
        comparison = comparison_of(scenario, range(replications), **how)
        steps.update()
        steps.set_description("tipping points")
        tipping = tipping_points(scenario, chosen, **how)
    comparison = replace(comparison, confidence=held.comparison.confidence)
    return Evidence(candidate, held, comparison, tipping, moving_parts(candidate, comparison.results), replications)
