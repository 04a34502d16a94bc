"""A comparison: what several options gave on the same luck, as tidy rows with intervals and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from edasim.candidates import Candidate
from edasim.intervals import difference, over_replications, variance_saved
from edasim.luck import Luck
from edasim.metrics import Value
from edasim.provenance import provenance
from edasim.scenario import Scenario
from edasim.workload import make_workload

COLUMNS = (
    "scenario",
    "option",
    "pattern",
    "consumer",
    "incident",
    "metric",
    "component",
    "unit",
    "mean",
    "low",
    "high",
    "replications",
)
RESULTS = (*COLUMNS, "nature")  # how the interval is made; zero: it is zero by nature, and not only never seen
DIFFERENCES = (*("baseline" if name == "pattern" else name for name in COLUMNS), "variance_saved")
RESULTS_MIME = "application/vnd.edasim.results+json"

Key = tuple[str, str, str, str, str]  # option, consumer, incident, metric, component


@dataclass(frozen=True)
class Comparison:
    """What all options gave on the same luck: one list of values per option and replication, paired by replication."""

    scenario: Scenario
    seed: int
    candidates: tuple[Candidate, ...]
    values: Mapping[Key, Mapping[int, Value]]  # by replication
    replications: int

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the workload, such as how the stamps of a trace were spread."""
        return make_workload(self.scenario, Luck(self.seed, 0)).notes

    @property
    def baseline(self) -> str:
        """The first option: differences are against it."""
        return self.candidates[0].name

    def with_more(self, others: "Comparison") -> "Comparison":
        """This with the *others*' replications added, of the same options in the same scenario."""
        both = {key: {**self.values.get(key, {}), **others.values.get(key, {})} for key in {**self.values, **others.values}}
        return replace(self, values=both, replications=self.replications + others.replications)

    def beside(self, others: "Comparison") -> "Comparison":
        """This with what the *others* looked at beside its own, of the same options in the same replications."""
        return replace(self, values={**self.values, **others.values})

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy rows: mean over replications and 95 % interval of every metric of every option, and how the interval is made."""
        patterns = {candidate.name: candidate.pattern.name for candidate in self.candidates}
        rows = []
        for (option, consumer, incident, metric, component), by_replication in self.values.items():
            found = over_replications(list(by_replication.values()))
            first = next(iter(by_replication.values()))
            names = (self.scenario.name, option, patterns[option], consumer, incident, metric, component, first.unit)
            rows.append((*names, found.mean, found.low, found.high, len(by_replication), first.nature))
        return pd.DataFrame(rows, columns=list(RESULTS))

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Tidy rows: option minus baseline, paired by replication, for every metric that both have; and how much variance that saved."""
        rows = []
        for (option, consumer, incident, metric, component), mine in self.values.items():
            theirs = self.values.get((self.baseline, consumer, incident, metric, component), {})
            both = sorted(mine.keys() & theirs.keys())
            if option == self.baseline or not both:
                continue
            pairs = [mine[number] for number in both], [theirs[number] for number in both]
            found = difference(*pairs)
            names = (self.scenario.name, option, self.baseline, consumer, incident, metric, component, mine[both[0]].unit)
            rows.append((*names, found.mean, found.low, found.high, len(both), variance_saved(*pairs)))
        return pd.DataFrame(rows, columns=list(DIFFERENCES))

    def as_json(self) -> dict[str, Any]:
        """The object of ``--format json``: results and differences as lists of rows; what is absent is null."""
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "replications": self.replications,
            "engine": "simpy",
            **provenance(),
            "inputs": self.scenario.as_mapping(brief=True),
            "notes": list(self.notes),
            "results": records(self.results),
            "differences": records(self.differences),
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        options = ", ".join(candidate.name for candidate in self.candidates)
        text = f"{self.scenario.name}: {len(self.candidates)} options on the same luck, {self.replications} replications ({options})"
        return {"text/plain": text, RESULTS_MIME: self.as_json()}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; an empty text or a number that is not one becomes None."""
    rows = frame.to_dict("records")
    return [{str(key): None if item == "" or item != item else item for key, item in row.items()} for row in rows]


def by_key(measured: Mapping[str, Sequence[Sequence[Value]]], numbers: Sequence[int] | None = None) -> dict[Key, dict[int, Value]]:
    """The values of a `Comparison`, from what was *measured* of each option in each replication (their *numbers*: from 0 on)."""
    values: dict[Key, dict[int, Value]] = {}
    for option, runs in measured.items():
        for replication, found in zip(range(len(runs)) if numbers is None else numbers, runs, strict=True):
            for value in found:
                values.setdefault((option, value.consumer, value.incident, value.metric, value.component), {})[replication] = value
    return values
