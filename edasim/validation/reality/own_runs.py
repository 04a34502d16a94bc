"""The runs that this project measured with `edasim measure`: one of each technology is fitted to, the others are predicted.

A folder holds scenario.yaml, what all have in common; runs.yaml, in what each differs, and what was found out about what misses; and the
journal of each run in a folder of its own.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from edasim.bounded import text_of
from edasim.documents import read_yaml
from edasim.scenario import Scenario
from edasim.validation.reality.measured_runs import predicted_run
from edasim.validation.reality.prediction import Prediction


class OwnRun(NamedTuple):
    """One run: where it was measured, what was asked for, where its journal is (or will be), and which journal inputs are fitted on."""

    technology: str
    name: str
    scenario: Scenario
    option: str
    folder: Path
    fit: Path
    why: Mapping[str, str]  # by metric: what was found out about a miss


def runs_in(folder: Path) -> list[OwnRun]:
    """The runs that a *folder* describes, measured or not."""
    return [
        OwnRun(
            technology=plan.get("technology", group),
            name=name,
            scenario=Scenario.load(folder / "scenario.yaml", {**plan["set"], **changes}),
            option=plan["pattern"],
            folder=folder / f"{group}-{name}".replace(" ", "-"),
            fit=folder / f"{group}-{plan['fit']}",
            why=plan.get("why", {}).get(name, {}),
        )
        for group, plan in read_yaml(text_of(folder / "runs.yaml")).items()
        for name, changes in plan["runs"].items()
    ]


def own_runs(folder: Path) -> Iterator[Prediction]:
    """The predictions of all runs in *folder* but those that are fitted to. Raises InputError where a journal is missing."""
    for run in runs_in(folder):
        for found in predicted_run(run.scenario, run.option, run.fit, run.folder) if run.folder != run.fit else ():
            yield found.explained("; ".join(filter(None, [run.why.get(found.metric), found.explanation])))
