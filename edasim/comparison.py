"""A comparison: what several options gave on the same luck, as tidy rows with intervals and paired differences."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from typing import Any

import pandas as pd

from edasim.candidates import Candidate
from edasim.intervals import difference, nature_of, over_replications, variance_saved
from edasim.luck import Luck
from edasim.metrics import Value
from edasim.provenance import provenance
from edasim.scenario import Scenario, TraceArrivals
from edasim.statistics import CONFIDENCE
from edasim.summary import SCREEN
from edasim.verdicts import verdicts_of
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
RESULTS_MIME = "application/vnd.edasim.results"  # JSON in one text: a notebook is written again for each cell, and nested JSON slowly

KEY = ("option", "consumer", "incident", "metric", "component")
VARYING = ("value", "trials", "level", "around")  # what of a Value differs from one replication to the next

Key = tuple[str, str, str, str, str]  # as KEY says


@dataclass(frozen=True)
class Comparison:
    """What all options gave on the same luck: one list of values per option and replication, paired by replication.

    Intervals of its results hold with *confidence*; those of its differences with 95 %.
    """

    scenario: Scenario
    seed: int
    candidates: tuple[Candidate, ...]
    values: Mapping[Key, Mapping[int, Value]]  # by replication
    replications: int
    confidence: float = CONFIDENCE

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the workload, such as how the stamps of a trace were spread."""
        if not isinstance(self.scenario.workload.arrivals, TraceArrivals):
            return ()  # as its workload would say
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
            values = list(by_replication.values())
            found = over_replications(values, self.confidence)
            names = (self.scenario.name, option, patterns[option], consumer, incident, metric, component, values[0].unit)
            rows.append((*names, found.mean, found.low, found.high, len(values), nature_of(values)))
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

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """What the scenario requires, held against each option, as `verdicts_of` says."""
        return verdicts_of(self.scenario.requirements, [candidate.name for candidate in self.candidates], self.results)

    @cached_property
    def replicated(self) -> list[dict[str, Any]]:
        """Rows of the values in each replication, of the totals that decide: those of the one screen and of the requirements.

        `values_of` reads them. With them a later comparison on the same luck can be paired with this one (edasim/report/drift.py).
        """
        deciding = {
            *SCREEN,
            *(asked.metric for asked in self.scenario.requirements),
            "unrecovered_rate",
        }  # with it a time of recovery is read
        rows = []
        for key, of in self.values.items():
            first = next(iter(of.values()))
            if first.metric in deciding and not first.component:
                columns = {name: [_plain(getattr(value, name)) for value in of.values()] for name in VARYING}
                names = dict(zip(KEY, key, strict=True)) | {"unit": first.unit, "nature": nature_of(list(of.values()))}
                rows.append({**names, "replications": list(of), **columns})
        return rows

    @property
    def engine(self) -> str:
        """The engine that made the runs, or both, with a comma between."""
        return ", ".join(sorted({candidate.made_by for candidate in self.candidates}))

    def as_json(self) -> dict[str, Any]:
        """The object of ``--format json``: results, differences and verdicts as lists of rows; what is absent is null."""
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "replications": self.replications,
            "engine": self.engine,
            **provenance(),
            "inputs": self.scenario.as_mapping(brief=True),
            "notes": list(self.notes),
            "results": records(self.results),
            "differences": records(self.differences),
            "verdicts": records(self.verdicts),
            "replicated": self.replicated,
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        options = ", ".join(candidate.name for candidate in self.candidates)
        text = f"{self.scenario.name}: {len(self.candidates)} options on the same luck, {self.replications} replications ({options})"
        return {"text/plain": text, RESULTS_MIME: json.dumps(self.as_json())}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; an empty text or a number that is not one becomes None."""
    rows = frame.to_dict("records")
    return [{str(key): None if item == "" or item != item else item for key, item in row.items()} for row in rows]


def _plain(item: Any) -> Any:
    """A number, or several, as strict JSON has them: one that is not known is None."""
    if isinstance(item, tuple):
        return [_plain(part) for part in item]
    return None if item != item else item


def values_of(row: Mapping[str, Any]) -> dict[int, Value]:
    """The values by replication that a row of `Comparison.replicated` holds."""
    names = {name: row[name] for name in ("consumer", "incident", "metric", "component", "unit", "nature")}
    columns = zip(*(row[name] for name in VARYING), strict=True)
    found = (Value(**names, **dict(zip(VARYING, map(_number, of), strict=True))) for of in columns)
    return dict(zip(row["replications"], found, strict=True))


def _number(item: Any) -> Any:
    """What `_plain` made so."""
    return tuple(map(_number, item)) if isinstance(item, list) else nan if item is None else item


def by_key(measured: Mapping[str, Sequence[Sequence[Value]]], numbers: Sequence[int] | None = None) -> dict[Key, dict[int, Value]]:
    """The values of a `Comparison`, from what was *measured* of each option in each replication (their *numbers*: from 0 on)."""
    values: dict[Key, dict[int, Value]] = {}
    for option, runs in measured.items():
        for replication, found in zip(range(len(runs)) if numbers is None else numbers, runs, strict=True):
            for value in found:
                values.setdefault((option, value.consumer, value.incident, value.metric, value.component), {})[replication] = value
    return values
