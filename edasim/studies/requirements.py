"""What is required, and which options meet it: a comparison of few options over the whole window and all incidents, in words."""

from typing import Any

import pandas as pd

from edasim.comparison import Comparison
from edasim.experiment import paired_comparison
from edasim.findings import Finding, listed
from edasim.markdown import plain
from edasim.metrics.names import INCIDENTS
from edasim.runs import REPLICATIONS
from edasim.scenario import Requirement, Scenario
from edasim.studies.incidents import options_to_show
from edasim.verdicts import limits_of

NOTHING = (
    "The scenario requires nothing, so there is no verdict. A requirement is a line under `requirements`, such as "
    '`{metric: staleness_p99, at_most: 2s, because: "the warehouse packs what it sees"}`.'
)


def what_is_required(scenario: Scenario) -> Finding:
    """Each requirement of the *scenario* and why it is one; what one would write where there is none."""
    rows = [(words, asked.because) for words, asked, _ in limits_of(scenario.requirements)]
    return Finding("\n".join(f"* **{plain(what)}**{why and f': {plain(why)}'}." for what, why in rows) or NOTHING)


def options_held(scenario: Scenario, *, replications: int = REPLICATIONS, jobs: int = -1, incidents: bool = True) -> Comparison:
    """A comparison of `options_to_show`, over the scenario's window and, if asked for, each on its own, its *incidents*."""
    names = [candidate.name for candidate in options_to_show(scenario, None, None)]
    options, patterns = (names, None) if scenario.options else (None, names)
    return paired_comparison(scenario, patterns, options=options, replications=replications, jobs=jobs, incidents=incidents)


def required_without_incidents(scenario: Scenario) -> tuple[Requirement, ...]:
    """The requirements that a run without the scenario's incidents can be held against."""
    return tuple(each for each in scenario.requirements if each.incident is None and each.metric not in INCIDENTS)


def held_without_incidents(scenario: Scenario, **asked: Any) -> Comparison:
    """A comparison, *asked* for as `paired_comparison` is, that requires only what can be seen without incidents, and simulates none."""
    required = scenario.model_copy(update={"requirements": required_without_incidents(scenario)})
    return paired_comparison(required, **asked, incidents=False)


def what_it_decides(comparison: Comparison) -> Finding:
    """Which options of a *comparison* meet all that its scenario requires."""
    return what_is_decided(comparison.verdicts)


def what_is_decided(verdicts: pd.DataFrame) -> Finding:
    """Which options meet all that is required by the *verdicts*, which may, and if none does, who is closest; never a score."""
    if verdicts.empty:
        return Finding(NOTHING)
    failed, open_ = (_by_option(verdicts, word) for word in ("violated", "undecided"))
    good, maybe = who_meets_all(verdicts)
    lines = [f"* **{in_short(verdicts)}**{_whom(good)}."]
    lines += [f"* **Undecided**: `{name}` violates none, but {_count(open_[name])} undecided: {listed(open_[name])}." for name in maybe]
    if not good and not maybe:
        fewest = min(map(len, failed.values()))
        closest = [option for option in failed if len(failed[option]) == fewest]
        lines += [f"* **Closest**: `{option}`, which violates only {listed(failed[option])}." for option in closest]
    never = [name for name in verdicts["requirement"].unique() if all(name in of for of in failed.values())]
    return Finding("\n".join([*lines, *([f"* **No option meets** {listed(never)}."] if never else [])]))


def in_short(verdicts: pd.DataFrame) -> str:
    """How many options meet all that is required, and how many may, in one line."""
    good, maybe = who_meets_all(verdicts)
    many = verdicts["requirement"].nunique()
    what = "the requirement" if many == 1 else f"all {many} requirements"
    undecided = f", and {len(maybe)} may" if maybe else ""
    return f"{len(good)} of {verdicts['option'].nunique()} options {'meets' if len(good) == 1 else 'meet'} {what}{undecided}"


def who_meets_all(verdicts: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The options that meet all that is required, and those that may: they violate nothing, and something is undecided."""
    failed, open_ = (_by_option(verdicts, word) for word in ("violated", "undecided"))
    passed = [option for option in failed if not failed[option]]
    return [option for option in passed if not open_[option]], [option for option in passed if open_[option]]


def _by_option(verdicts: pd.DataFrame, word: str) -> dict[str, list[str]]:
    """The requirements with that verdict, by option."""
    mine = verdicts[verdicts["verdict"] == word]
    return {str(option): mine[mine["option"] == option]["requirement"].tolist() for option in verdicts["option"].unique()}


def _whom(options: list[str]) -> str:
    return f": {listed(options)}" if options else ""


def _count(requirements: list[str]) -> str:
    return "one is" if len(requirements) == 1 else f"{len(requirements)} are"
