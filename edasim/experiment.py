"""Experiments: every option on the same luck, replicated, with intervals and paired differences."""

import gc
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, TypeVar

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from edasim.errors import InputError, suggestion
from edasim.journal import Journal, check_conservation
from edasim.luck import Luck
from edasim.metrics import Value, measure
from edasim.patterns import PRESETS, Pattern, pattern_of
from edasim.scenario import Scenario
from edasim.simpy_model import simulate_run
from edasim.simpy_model.limits import why_not
from edasim.statistics import Interval, interval, rate_interval
from edasim.workload import make_workload

REPLICATIONS = 10
SHARED = ("name", "seed", "warmup", "duration", "drain", "options", "workload.arrivals", "workload.entities", "workload.reads")
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
RESULTS_MIME = "application/vnd.edasim.results+json"

Key = tuple[str, str, str, str]  # option, consumer, metric, component
Found = TypeVar("Found")


@dataclass(frozen=True)
class Candidate:
    """An option ready to run: its name, its pattern and the scenario with the option's changes made."""

    name: str
    pattern: Pattern
    scenario: Scenario


@dataclass(frozen=True)
class Comparison:
    """What all options gave on the same luck: one list of values per option and replication, paired by replication."""

    scenario: Scenario
    seed: int
    candidates: tuple[Candidate, ...]
    values: Mapping[Key, Mapping[int, Value]]  # by replication
    replications: int
    notes: tuple[str, ...]

    @property
    def baseline(self) -> str:
        """The first option: differences are against it."""
        return self.candidates[0].name

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy rows: mean over replications and 95 % interval of every metric of every option."""
        patterns = {candidate.name: candidate.pattern.name for candidate in self.candidates}
        rows = []
        for (option, consumer, metric, component), by_replication in self.values.items():
            found = _summary(list(by_replication.values()))
            unit = next(iter(by_replication.values())).unit
            names = (self.scenario.name, option, patterns[option], consumer, "", metric, component, unit)
            rows.append((*names, found.mean, found.low, found.high, len(by_replication)))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Tidy rows: option minus baseline, paired by replication, for every metric that both have."""
        rows = []
        for (option, consumer, metric, component), mine in self.values.items():
            theirs = self.values.get((self.baseline, consumer, metric, component), {})
            both = sorted(mine.keys() & theirs.keys())
            if option == self.baseline or not both:
                continue
            found = interval([mine[replication].value - theirs[replication].value for replication in both])
            names = (self.scenario.name, option, self.baseline, consumer, metric, component, mine[both[0]].unit)
            rows.append((*names, found.mean, found.low, found.high, len(both)))
        columns = ["scenario", "option", "baseline", "consumer", "metric", "component", "unit", "mean", "low", "high", "replications"]
        return pd.DataFrame(rows, columns=columns)

    def as_json(self) -> dict[str, Any]:
        """The object of ``--format json``: results and differences as lists of rows; what is absent is null."""
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "replications": self.replications,
            "engine": "simpy",
            "versions": {
                "edasim": version("edasim"),
                "python": platform.python_version(),
                "simpy": version("simpy"),
                "numpy": version("numpy"),
            },
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


def _summary(values: list[Value]) -> Interval:
    numbers = [value.value for value in values]
    if values[0].nature == "zero":
        return Interval(0.0, 0.0, 0.0)
    if values[0].nature == "rate":
        return rate_interval(numbers, [value.trials for value in values])
    return interval(numbers)


def candidates_of(
    scenario: Scenario, patterns: Iterable[Pattern | str] | None = None, options: Iterable[str] | None = None
) -> list[Candidate]:
    """The options to compare: these *patterns*, or the scenario's own *options* by name (all of them, or the presets, by default).

    Raises InputError for an unknown name, an incoherent pattern, or something that can't be simulated.
    """
    if patterns is not None and options is not None:
        raise InputError("give patterns or options, not both")
    if patterns is not None or not scenario.options:
        if options is not None:
            raise InputError(f"scenario {scenario.name} has no options; leave --options out to compare the presets")
        chosen = [pattern_of(pattern) for pattern in (PRESETS if patterns is None else patterns)]
        found = [Candidate(pattern.name, pattern, scenario) for pattern in dict.fromkeys(chosen)]
    else:
        known = {option.name: option for option in scenario.options}
        wanted = list(known if options is None else dict.fromkeys(options))
        for name in wanted:
            if name not in known:
                raise InputError(f"option {name} is not in the scenario: {suggestion(name, known)}")
        found = [Candidate(name, pattern_of(known[name].pattern), _changed(scenario, name, known[name].set)) for name in wanted]
    if not found:
        raise InputError("there is nothing to compare: name at least one pattern or option")
    for candidate in found:
        if reason := why_not(candidate.scenario, candidate.pattern):
            raise InputError(f"option {candidate.name}: {reason}")
    return found


def _changed(scenario: Scenario, option: str, changes: Mapping[str, Any]) -> Scenario:
    for path in changes:
        if any(path == shared or path.startswith(f"{shared}.") or shared.startswith(f"{path}.") for shared in SHARED):
            raise InputError(f"option {option}: set.{path} is not allowed: all options share {', '.join(SHARED)}")
    try:
        return scenario.with_overrides(changes)
    except InputError as error:
        raise InputError(f"option {option}: {error}") from None


def simulate(scenario: Scenario, pattern: Pattern | str, *, seed: int | None = None, replication: int = 0, engine: str = "auto") -> Journal:
    """One run of one pattern (a Pattern, a preset's name, or the name of one of the scenario's options): its journal.

    >>> journal = simulate(Scenario(duration=10, warmup=0), "event_notification")
    >>> bool((journal.deliveries["applied"] > 0).any())
    True

    Raises InputError for what can't be simulated.
    """
    _known_engine(engine)
    own = isinstance(pattern, str) and any(option.name == pattern for option in scenario.options)
    candidate = candidates_of(scenario, options=[str(pattern)])[0] if own else candidates_of(scenario, patterns=[pattern])[0]
    luck = Luck(scenario.seed if seed is None else seed, replication)
    return _run(candidate, luck)


def _run(candidate: Candidate, luck: Luck) -> Journal:
    workload = make_workload(candidate.scenario, luck)
    journal = simulate_run(candidate.scenario, candidate.pattern, workload, luck, candidate.name)
    check_conservation(journal)
    return journal


def _known_engine(engine: str) -> None:
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
    _known_engine(engine)
    chosen = candidates_of(scenario, patterns, options)
    seed = scenario.seed if seed is None else seed
    notes = make_workload(scenario, Luck(seed, 0)).notes  # also refuses an impossible workload before any process starts
    measured = over_replications(chosen, measure, seed=seed, replications=replications, jobs=jobs, progress=progress)
    return Comparison(scenario, seed, tuple(chosen), by_key(measured), replications, notes)


def by_key(measured: Mapping[str, Sequence[Sequence[Value]]]) -> dict[Key, dict[int, Value]]:
    """The values of a `Comparison`, from what was *measured* of each option in each replication."""
    values: dict[Key, dict[int, Value]] = {}
    for option, runs in measured.items():
        for replication, found in enumerate(runs):
            for value in found:
                values.setdefault((option, value.consumer, value.metric, value.component), {})[replication] = value
    return values


def over_replications(
    candidates: Sequence[Candidate],
    look: Callable[[Journal], Found],
    *,
    seed: int,
    replications: int = REPLICATIONS,
    jobs: int = -1,
    progress: bool = False,
) -> dict[str, list[Found]]:
    """What *look* returns for the journal of every option in every replication: by option, a list by replication.

    All options of a replication share its luck, and no journal is kept. *look* goes to other processes, so it must be a function
    of a module, or a `functools.partial` of one. Replications run in *jobs* processes (-1: one a core).

    >>> from edasim import Scenario
    >>> candidates = candidates_of(Scenario(duration=10, warmup=0), ["polling", "cqrs"])
    >>> over_replications(candidates, measure, seed=1, replications=2, jobs=1).keys()
    dict_keys(['polling', 'cqrs'])

    Raises InputError for numbers of replications or jobs that are not possible.
    """
    if replications < 1:
        raise InputError(f"replications: {replications} is not allowed: must be at least 1")
    if jobs == 0 or jobs < -1:
        raise InputError(f"jobs: {jobs} is not allowed: must be at least 1, or -1 for one a core")
    tasks = (delayed(_replicate)(candidates, look, seed, replication) for replication in range(replications))
    parallel = Parallel(n_jobs=min(jobs, replications), return_as="generator")
    done = list(tqdm(parallel(tasks), total=replications, desc="replications", leave=False, disable=not progress))
    return {candidate.name: [found[number] for found in done] for number, candidate in enumerate(candidates)}


def _replicate(candidates: Sequence[Candidate], look: Callable[[Journal], Found], seed: int, replication: int) -> list[Found]:
    """One replication of every option, on one luck."""
    luck = Luck(seed, replication)
    found = [look(_run(candidate, luck)) for candidate in candidates]
    gc.collect()  # the components of a run refer to each other: without this a worker keeps several runs in memory
    return found
