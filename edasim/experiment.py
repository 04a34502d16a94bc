"""Experiments: every option on the same luck, replicated, with intervals and paired differences."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pandas as pd

from edasim.candidates import Candidate, candidate_named, candidates_of
from edasim.comparison import Comparison, by_key
from edasim.incidents import incidents_at
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.metrics import measure
from edasim.patterns import Pattern
from edasim.requirements import check_requirements
from edasim.runs import REPLICATIONS, at_points, checked, journal_of, look_at
from edasim.scenario import Scenario


def simulate(scenario: Scenario, pattern: Pattern | str, *, seed: int | None = None, replication: int = 0, engine: str = "auto") -> Journal:
    """One run of one pattern (a Pattern, a preset's name, or the name of one of the scenario's options): its journal.

    >>> journal = simulate(Scenario(duration=10, warmup=0), "event_notification")
    >>> bool((journal.deliveries["applied"] > 0).any())
    True

    *engine*: auto is the fast path wherever that can (`edasim.fast_path.why_not` says where not), which gives what simpy gives.

    Raises InputError for what can't be simulated.
    """
    return journal_of(candidate_named(scenario, pattern, engine), Luck(scenario.seed if seed is None else seed, replication))


def compare(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    incidents: bool = True,
) -> pd.DataFrame:
    """Every metric of every option as tidy rows with 95 % intervals, all options on the same luck.

    One row a metric, option, consumer, incident and component: scenario, option, pattern, consumer, incident, metric, component, unit,
    mean, low, high, replications. Each of the scenario's *incidents* is simulated on its own too (`edasim.incidents`), unless that is
    not wanted. Raises InputError for what can't be simulated.
    """
    return paired_comparison(
        scenario, patterns, options=options, replications=replications, seed=seed, jobs=jobs, engine=engine, incidents=incidents
    ).results


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
    incidents: bool = True,
) -> Comparison:
    """As `compare`, with the paired differences between options. Runs are spread over *jobs* processes (-1: one a core)."""
    numbers = range(checked(replications, jobs))
    settings: dict[str, Any] = {"seed": seed, "jobs": jobs, "engine": engine, "progress": progress, "incidents": incidents}
    return comparison_of(scenario, numbers, patterns, options, **settings)


def comparison_of(
    scenario: Scenario,
    replications: range,
    patterns: Sequence[Pattern | str] | None = None,
    options: Sequence[str] | None = None,
    *,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    progress: bool = False,
    incidents: bool = True,
) -> Comparison:
    """As `paired_comparison`, of the *replications* with these numbers."""
    check_requirements(scenario)
    chosen = candidates_of(scenario, patterns, options, engine)
    return held(scenario, chosen, replications, seed=seed, jobs=jobs, progress=progress, incidents=incidents)


def held(
    scenario: Scenario,
    candidates: Sequence[Candidate],
    replications: range,
    *,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
    incidents: bool = True,
) -> Comparison:
    """The comparison of *candidates*, whatever their own scenarios say, in what the *scenario* requires and in its incidents."""
    luck = scenario.seed if seed is None else seed
    settings: dict[str, Any] = {"seed": luck, "replications": replications, "jobs": jobs, "progress": progress}
    measured = next(at_points([candidates], partial(look_at, look=measure), **settings))
    found = Comparison(scenario, luck, tuple(candidates), by_key(measured, replications), len(replications))
    if not incidents or not scenario.incidents:
        return found
    return found.beside(incidents_at(candidates, scenario.incidents, scenario, **settings))


def comparisons_at(
    points: Iterable[Scenario],
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int | range = REPLICATIONS,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    progress: bool = False,
    total: int = 1,
) -> Iterator[Comparison]:
    """A comparison for each of *points*, scenarios that differ in what is tried, in their order, each as soon as it is done.

    All options of all points share their luck, so points are paired by replication too. *replications* is how many, or the numbers of
    those that are wanted. *total* is how many points there are, for the time left; only some are in memory at any time. Incidents are
    not simulated. Raises InputError for what `compare` refuses.
    """
    numbers = replications if isinstance(replications, range) else range(checked(replications, jobs))
    under_way: deque[tuple[Scenario, tuple[Candidate, ...]]] = deque()

    def begun() -> Iterator[tuple[Candidate, ...]]:
        for point in points:
            check_requirements(point)
            under_way.append((point, tuple(candidates_of(point, patterns, options, engine))))
            yield under_way[-1][1]

    act = partial(look_at, look=measure)
    for measured in at_points(begun(), act, seed=seed, replications=numbers, jobs=jobs, progress=progress, total=total):
        point, chosen = under_way.popleft()
        yield Comparison(point, point.seed if seed is None else seed, chosen, by_key(measured, numbers), len(numbers))
