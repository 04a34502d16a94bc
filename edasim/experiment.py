"""Experiments: every option on the same luck, replicated, with intervals and paired differences."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import pandas as pd

from edasim.candidates import Candidate, candidates_of
from edasim.errors import InputError, suggestion
from edasim.intervals import difference, over_replications, variance_saved
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.metrics import Value, measure
from edasim.patterns import Pattern
from edasim.provenance import provenance
from edasim.runs import REPLICATIONS, at_points, checked, journal_of, look_at
from edasim.scenario import Scenario
from edasim.workload import make_workload

ENGINES = ("auto", "simpy", "fast")
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

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy rows: mean over replications and 95 % interval of every metric of every option."""
        patterns = {candidate.name: candidate.pattern.name for candidate in self.candidates}
        rows = []
        for (option, consumer, incident, metric, component), by_replication in self.values.items():
            found = over_replications(list(by_replication.values()))
            unit = next(iter(by_replication.values())).unit
            names = (self.scenario.name, option, patterns[option], consumer, incident, metric, component, unit)
            rows.append((*names, found.mean, found.low, found.high, len(by_replication)))
        return pd.DataFrame(rows, columns=list(COLUMNS))

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


def simulate(scenario: Scenario, pattern: Pattern | str, *, seed: int | None = None, replication: int = 0, engine: str = "auto") -> Journal:
    """One run of one pattern (a Pattern, a preset's name, or the name of one of the scenario's options): its journal.

    >>> journal = simulate(Scenario(duration=10, warmup=0), "event_notification")
    >>> bool((journal.deliveries["applied"] > 0).any())
    True

    Raises InputError for what can't be simulated.
    """
    known_engine(engine)
    own = isinstance(pattern, str) and any(option.name == pattern for option in scenario.options)
    candidate = candidates_of(scenario, options=[str(pattern)])[0] if own else candidates_of(scenario, patterns=[pattern])[0]
    luck = Luck(scenario.seed if seed is None else seed, replication)
    return journal_of(candidate, luck)


def known_engine(engine: str) -> None:
    """Raises InputError for an engine that is not there."""
    if engine not in ENGINES:
        raise InputError(f"engine {engine} is not known: {suggestion(engine, ENGINES)}")
    if engine == "fast":
        raise InputError("engine fast is not there yet; allowed: auto, simpy")


def compare(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
) -> pd.DataFrame:
    """Every metric of every option as tidy rows with 95 % intervals, all options on the same luck.

    One row a metric, option, consumer and component: scenario, option, pattern, consumer, incident, metric, component, unit,
    mean, low, high, replications. Raises InputError for what can't be simulated.
    """
    return paired_comparison(scenario, patterns, options=options, replications=replications, seed=seed, jobs=jobs, engine=engine).results


def paired_comparison(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    progress: bool = False,
) -> Comparison:
    """As `compare`, with the paired differences between options. Replications run in *jobs* processes (-1: one a core)."""
    known_engine(engine)
    found = comparisons_at([scenario], patterns, options=options, replications=replications, seed=seed, jobs=jobs, progress=progress)
    return next(found)


def comparisons_at(
    points: Iterable[Scenario],
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int | range = REPLICATIONS,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
    total: int = 1,
) -> Iterator[Comparison]:
    """A comparison for each of *points*, scenarios that differ in what is tried, in their order, each as soon as it is done.

    All options of all points share their luck, so points are paired by replication too. *replications* is how many, or the numbers of
    those that are wanted. *total* is how many points there are, for the time left; only some are in memory at any time. Raises
    InputError for what `compare` refuses.
    """
    numbers = replications if isinstance(replications, range) else range(checked(replications, jobs))
    under_way: deque[tuple[Scenario, tuple[Candidate, ...]]] = deque()

    def begun() -> Iterator[tuple[Candidate, ...]]:
        for point in points:
            under_way.append((point, tuple(candidates_of(point, patterns, options))))
            yield under_way[-1][1]

    act = partial(look_at, look=measure)
    for measured in at_points(begun(), act, seed=seed, replications=numbers, jobs=jobs, progress=progress, total=total):
        point, chosen = under_way.popleft()
        yield Comparison(point, point.seed if seed is None else seed, chosen, by_key(measured, numbers), len(numbers))


def by_key(measured: Mapping[str, Sequence[Sequence[Value]]], numbers: Sequence[int] | None = None) -> dict[Key, dict[int, Value]]:
    """The values of a `Comparison`, from what was *measured* of each option in each replication (their *numbers*: from 0 on)."""
    values: dict[Key, dict[int, Value]] = {}
    for option, runs in measured.items():
        for replication, found in zip(range(len(runs)) if numbers is None else numbers, runs, strict=True):
            for value in found:
                values.setdefault((option, value.consumer, value.incident, value.metric, value.component), {})[replication] = value
    return values
