"""What the notebooks of a report published: `results.json`, `results.csv`, and the comparison behind the headline table and verdicts.

A notebook publishes the object of `Comparison.as_json`, as a text, by displaying a comparison.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from edasim.candidates import Candidate
from edasim.comparison import KEY, RESULTS, RESULTS_MIME, Comparison, values_of
from edasim.patterns import pattern_of
from edasim.scenario import Scenario

if TYPE_CHECKING:
    from nbformat import NotebookNode


def published_in(notebook: "NotebookNode") -> list[dict[str, Any]]:
    """The objects that *notebook* published. Raises ValueError where one is no strict JSON."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    found = [output.data[RESULTS_MIME] for output in outputs if RESULTS_MIME in output.get("data", ())]
    return [json.loads(text, parse_constant=_refuse) for text in found]


def _refuse(number: str) -> None:
    raise ValueError(f"{number} is no number in JSON")


def fullest(published: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The one of *published* that knows most metrics of those that decide, the first of several: one with incidents, if there is one."""
    metrics = [{row["metric"] for row in results.get("replicated", ())} for results in published]
    return dict(published[max(range(len(published)), key=lambda number: len(metrics[number]))])


def comparison_of(scenario: Scenario, results: Mapping[str, Any]) -> Comparison | None:
    """The comparison of the scenario's options that *results* hold the values of; None where they hold none."""
    rows = results.get("replicated", ())
    if not rows:
        return None
    patterns = {row["option"]: row["pattern"] for row in results["results"]}
    candidates = tuple(Candidate(option, pattern_of(pattern), scenario) for option, pattern in patterns.items())
    values = {tuple(row[name] for name in KEY): values_of(row) for row in rows}
    return Comparison(scenario, results["seed"], candidates, values, results["replications"])


def as_csv(results: Mapping[str, Any]) -> str:
    """The rows of *results* as a table, with the columns of `edasim compare --format csv`; what does not apply is empty."""
    rows: list[dict[str, Any]] = results.get("results", [])
    others = sorted({name for row in rows for name in row}.difference(RESULTS))
    return pd.DataFrame(rows, columns=[*RESULTS, *others]).to_csv(index=False, lineterminator="\n")
