"""Incidents: each rare thing on its own, from a quiet system until it has recovered, beside a quiet twin on the same luck.

What the twin loses too is not the incident's. No two incidents overlap here: a simplification, good while they are rare.

An example: at 5 changes a second, published once, an outage of the broker of 10 s loses the 50 that commit in it; at 2 a year that is
100 a year.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import ceil, log2
from typing import Any

import numpy as np

from edasim.candidates import Candidate
from edasim.comparison import Comparison, by_key
from edasim.incident_effects import effects_on, recovered_at, totals
from edasim.journal import Journal
from edasim.luck import Luck, nanoseconds
from edasim.metrics import Value
from edasim.metrics.backlog import backlog
from edasim.metrics.freshness import freshness
from edasim.metrics.names import DURING
from edasim.runs import at_points, checked, journal_of
from edasim.scenario import COMPONENTS, Incident, Scenario
from edasim.workload import Workload, make_workload

PHASE_S = 60.0  # it strikes at a random moment of the minute after the warm-up, so that ticks and polls are met at every phase
SETTLE_S = 30.0  # what the run goes on for after its end, at least
UNIT_S = 60.0  # windows are so long, twice, four times ...: so most incidents of an option have the same quiet twin
ENOUGH_S = 960.0  # who has not recovered in a window of that length, or in four times the first, has not recovered
SHORTEST_S = 1e-9


@dataclass(frozen=True)
class Strike:
    """When an incident begins and ends, in seconds from the start of the run; a rolling one for the first instance."""

    start: float
    end: float


def strike(incident: Incident, scenario: Scenario, luck: Luck) -> Strike:
    """When the *incident* strikes in this replication: the same for all options."""
    start = scenario.warmup + PHASE_S * luck.stream(f"incident {incident.name} begins").random()
    down = float(incident.down.sample(luck.stream(f"incident {incident.name} down"), 1)[0]) if incident.down else 0.0
    return Strike(start, start + max(down, SHORTEST_S))


def all_up_again(incident: Incident, scenario: Scenario, luck: Luck) -> float:
    """When the *incident* is over in this replication, for the last instance too; in seconds from the start of the run."""
    when = strike(incident, scenario, luck)
    return when.start + turns_of(incident, scenario) * (when.end - when.start)


def turns_of(incident: Incident, scenario: Scenario) -> int:
    """How many times its length an *incident* lasts: one after the other, where it takes down instance by instance."""
    return scenario.consumers[scenario.consumer_number(incident.component)].instances if incident.kind == "rolling" else 1


def without_faults(scenario: Scenario) -> Scenario:
    """The scenario with nothing ever down, slow or poisoned."""
    return scenario.with_overrides(no_faults(scenario))


def no_faults(scenario: Scenario) -> dict[str, Any]:
    """What to set in a *scenario* so that nothing is ever down, slow or poisoned: by dotted path."""
    places = ["source.outages", "source.relay.outages", "network.outages", "broker.outages"]
    for consumer in scenario.consumers:
        places += [f"consumers.{consumer.name}.outages", f"consumers.{consumer.name}.slow"]
    sound: dict[str, Any] = {f"consumers.{consumer.name}.poison": [] for consumer in scenario.consumers}
    return {**dict.fromkeys(places), **sound}


def struck(scenario: Scenario, incident: Incident, when: Strike) -> Scenario:
    """The scenario with this *incident* as its only fault; a consumer keeps what it does on a restart."""
    return without_faults(scenario).with_overrides(fault(scenario, incident, when))


def fault(scenario: Scenario, incident: Incident, when: Strike) -> dict[str, Any]:
    """What to set in a *scenario* without faults so that this *incident* is its only one."""
    return {_place(incident): _fault(scenario, incident, when)}


def _place(incident: Incident) -> str:
    """The key of the scenario that brings the incident about."""
    of_consumer = {"slow": "slow", "poison": "poison"}.get(incident.kind, "outages")
    places = {"source": "source.outages", "relay": "source.relay.outages", "network": "network.outages", "broker": "broker.outages"}
    return places.get(incident.component, f"consumers.{incident.component}.{of_consumer}")


def _fault(scenario: Scenario, incident: Incident, when: Strike) -> Any:
    """What to set there."""
    windows = {"windows": [[when.start, when.end]]}
    if incident.component == "broker":
        return {**windows, "kind": incident.kind}
    if incident.component == "network":
        return {**windows, "loss": incident.loss}
    if incident.component in COMPONENTS:
        return windows
    if incident.kind == "poison":
        return [when.start]
    if incident.kind == "slow":
        return {**windows, "factor": incident.factor}
    usual = scenario.consumers[scenario.consumer_number(incident.component)].outages
    return {**windows, "on_restart": usual.on_restart if usual else "redo", "rolling": incident.kind == "rolling"}


def values_in(candidate: Candidate, luck: Luck, incidents: Sequence[Incident]) -> list[Value]:
    """What each of *incidents* does to an option in one replication, and the totals of a year."""
    quiet: dict[tuple[float, float], Journal] = {}
    values = [value for incident in incidents for value in _values(candidate, luck, incident, quiet)]
    return values + totals(values)


def _values(candidate: Candidate, luck: Luck, incident: Incident, known: dict[tuple[float, float], Journal]) -> list[Value]:
    hit, quiet = twins(candidate, luck, incident, known)
    begin, over = strike(incident, candidate.scenario, luck).start, all_up_again(incident, candidate.scenario, luck)
    during = replace(hit, facts={**hit.facts, "window": list(affected(hit, begin, over))})
    values = [value for number in range(len(hit.facts["consumers"])) for value in effects_on(hit, quiet, number, incident)]
    values += [value for value in backlog(during) + freshness(during) if value.metric in DURING and not value.component]
    return [replace(value, incident=incident.name) for value in values]


def twins(
    candidate: Candidate, luck: Luck, incident: Incident, known: dict[tuple[float, float], Journal] | None = None
) -> tuple[Journal, Journal]:
    """The run with the *incident* and the one without, of equal length: until all consumers have recovered, or as long as is allowed.

    *known*: quiet runs of this option by length and longest length, where there are some already; what is made is added.
    """
    length, hit = until_recovered(candidate, luck, incident)
    found, key = {} if known is None else known, (length, lengths_of(incident, candidate.scenario, luck)[-1])
    if key not in found:
        found[key] = _run(*key, candidate, without_faults(candidate.scenario), luck)
    return hit, found[key]


def until_recovered(candidate: Candidate, luck: Luck, incident: Incident) -> tuple[float, Journal]:
    """The run with the *incident*, and how long its window is, in s: until all consumers have recovered, or as long as is allowed."""
    for length in lengths_of(incident, candidate.scenario, luck):
        hit = struck_for(length, candidate, luck, incident)
        if has_recovered(hit):
            break
    return length, hit


def lengths_of(incident: Incident, scenario: Scenario, luck: Luck) -> list[float]:
    """How long the window of an *incident* is, and what it becomes while that is too short, in s; the last is long enough in any case."""
    over = all_up_again(incident, scenario, luck) - scenario.warmup
    first = UNIT_S * 2 ** max(0, ceil(log2((over + SETTLE_S) / UNIT_S)))
    doubled = [first * 2**times for times in range(3 + int(log2(ENOUGH_S / UNIT_S)))]
    return [length for length in doubled if length <= max(ENOUGH_S, 4 * first)]


def struck_for(length: float, candidate: Candidate, luck: Luck, incident: Incident) -> Journal:
    """One run of an option through an *incident*, its window so long in s; a longer one begins in the same way."""
    longest = lengths_of(incident, candidate.scenario, luck)[-1]
    scenario = struck(candidate.scenario, incident, strike(incident, candidate.scenario, luck))
    return _run(length, longest, candidate, scenario, luck)


def _run(length: float, longest: float, candidate: Candidate, scenario: Scenario, luck: Luck) -> Journal:
    shown = scenario.with_overrides({"duration": length})
    asked = {
        "workload": shown.as_mapping()["workload"],
        "warmup": scenario.warmup,
        "duration": longest,
        "consumers": [{"name": consumer.name} for consumer in scenario.consumers],
    }
    workload = _workload(json.dumps(asked), luck).until(int(nanoseconds(shown.window[1])))
    return journal_of(replace(candidate, scenario=shown), luck, workload)


@lru_cache(maxsize=1)
def _workload(asked: str, luck: Luck) -> Workload:
    """The workload of the longest run, of which all are the beginning: the same changes and reads."""
    return make_workload(Scenario(**json.loads(asked)), luck)


def has_recovered(journal: Journal) -> bool:
    """Whether every consumer's backlog is what it was before the window ended: changes still came, so it was no mere draining."""
    end = journal.facts["window"][1]
    return all(bool((recovered_at(journal, number) < end).all()) for number, sends in enumerate(journal.facts["sends"]) if sends)


def affected(journal: Journal, begin: float, over: float) -> tuple[int, int]:
    """From the *begin* of an incident until it is *over* (both in s) and all have recovered, or the window ends; in ns.

    An option that it can't strike is looked at for as long as it lasts.
    """
    first, last = (int(time) for time in nanoseconds(np.array([begin, over])))
    found = [recovered_at(journal, number) for number, sends in enumerate(journal.facts["sends"]) if sends]
    return first, min(int(max([last, first + 1, *np.concatenate([[0], *found]).tolist()])), journal.facts["window"][1])


def incidents_at(
    candidates: Sequence[Candidate],
    incidents: Sequence[Incident],
    scenario: Scenario,
    *,
    seed: int,
    replications: int | range,
    jobs: int = -1,
    progress: bool = False,
) -> Comparison:
    """What *incidents* do to each of *candidates*, as a comparison: one replication is one incident of each kind.

    *replications* is how many, or the numbers of those that are wanted.
    """
    numbers = replications if isinstance(replications, range) else range(checked(replications, jobs))
    act = partial(values_in, incidents=tuple(incidents))
    found = next(at_points([candidates], act, seed=seed, replications=numbers, jobs=jobs, progress=progress))
    return Comparison(scenario, seed, tuple(candidates), by_key(found, numbers), len(numbers))
