"""Incidents: each rare thing on its own, from a quiet system until it has recovered, beside a quiet twin on the same luck.

What the twin loses too is not the incident's. No two incidents overlap here: a simplification, good while they are rare.

An example: at 5 changes a second, published once, an outage of the broker of 10 s loses the 50 that commit in it; at 2 a year that is
100 a year.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edasim.candidates import Candidate
from edasim.experiment import Comparison, by_key
from edasim.journal import NONE, OUTCOMES, Journal
from edasim.luck import Luck
from edasim.metrics import Value
from edasim.metrics.backlog import Waiting, recoveries, waiting
from edasim.metrics.delivery import LOST
from edasim.metrics.freshness import freshness
from edasim.runs import at_points, journal_of
from edasim.scenario import Incident, Scenario

PHASE_S = 60.0  # it strikes at a random moment of the minute after the warm-up, so that ticks and polls are met at every phase
SETTLE_S = 60.0  # what the run goes on for after its end, at first; twice as long each time it was too short
LONGER = 6  # so many times, then it has not recovered
SHORTEST_S = 1e-9
DURING = ("stale_fraction", "stale_read_rate", "staleness_mean", "staleness_p95", "versions_behind_mean")


@dataclass(frozen=True)
class Strike:
    """When an incident begins and ends, in seconds from the start of the run."""

    start: float
    end: float


def strike(incident: Incident, scenario: Scenario, luck: Luck) -> Strike:
    """When the *incident* strikes in this replication: the same for all options."""
    start = scenario.warmup + PHASE_S * luck.stream(f"incident {incident.name} begins").random()
    down = float(incident.down.sample(luck.stream(f"incident {incident.name} down"), 1)[0])
    return Strike(start, start + max(down, SHORTEST_S))


def without_outages(scenario: Scenario) -> Scenario:
    """The scenario with nothing ever down."""
    places = ["source.outages", "source.relay.outages", "broker.outages"]
    return scenario.with_overrides(dict.fromkeys([*places, *(f"consumers.{consumer.name}.outages" for consumer in scenario.consumers)]))


def struck(scenario: Scenario, incident: Incident, when: Strike) -> Scenario:
    """The scenario with this *incident* as its only outage; a consumer keeps what it does on a restart."""
    quiet, windows = without_outages(scenario), [[when.start, when.end]]
    if incident.component == "broker":
        return quiet.with_overrides({"broker.outages": {"windows": windows, "kind": incident.kind}})
    if incident.component in ("source", "relay"):
        place = {"source": "source.outages", "relay": "source.relay.outages"}[incident.component]
        return quiet.with_overrides({place: {"windows": windows}})
    usual = scenario.consumers[scenario.consumer_number(incident.component)].outages
    outages = {"windows": windows, "on_restart": usual.on_restart if usual else "redo", "rolling": incident.kind == "rolling"}
    return quiet.with_overrides({f"consumers.{incident.component}.outages": outages})


def values_in(candidate: Candidate, luck: Luck, incidents: Sequence[Incident]) -> list[Value]:
    """What each of *incidents* does to an option in one replication, and the totals of a year."""
    values = [value for incident in incidents for value in _values(candidate, luck, incident)]
    return values + _totals(values, max((incident.per_year for incident in incidents), default=0.0))


def _values(candidate: Candidate, luck: Luck, incident: Incident) -> list[Value]:
    hit, quiet = twins(candidate, luck, incident)
    values = [value for number in range(len(hit.facts["consumers"])) for value in _of_consumer(hit, quiet, number, incident)]
    during = replace(hit, facts={**hit.facts, "window": list(affected(hit))})
    values += [value for value in freshness(during) if value.metric in DURING]
    return [replace(value, incident=incident.name) for value in values]


def twins(candidate: Candidate, luck: Luck, incident: Incident) -> tuple[Journal, Journal]:
    """The run with the *incident* and the one without, of equal length: until all consumers have recovered, or as long as is allowed."""
    when = strike(incident, candidate.scenario, luck)
    for longer in range(LONGER + 1):
        spans = len(candidate.scenario.consumers) and max(consumer.instances for consumer in candidate.scenario.consumers)
        down = (when.end - when.start) * (spans if incident.kind == "rolling" else 1)
        until = when.start + down + SETTLE_S * 2**longer
        shown = candidate.scenario.with_overrides({"duration": until - candidate.scenario.warmup})
        hit = journal_of(replace(candidate, scenario=struck(shown, incident, when)), luck)
        if has_recovered(hit):
            break
    return hit, journal_of(replace(candidate, scenario=without_outages(shown)), luck)


def has_recovered(journal: Journal) -> bool:
    """Whether every consumer's backlog is what it was before the window ended: arrivals still came, so it was no mere draining."""
    end = journal.facts["window"][1]
    found = [recoveries(journal, number)[1] for number in range(len(journal.facts["consumers"])) if journal.facts["sends"][number]]
    return all(bool(((times != NONE) & (times < end)).all()) for times in found)


def affected(journal: Journal) -> tuple[int, int]:
    """From when the incident began until all is as before, or the window ends; in ns."""
    begin, stop = journal.facts["window"]
    if not journal.faults["start"].size:  # an option without that component: nothing happens to it
        return begin, stop
    begin = int(journal.faults["start"].min())
    ends = [int(journal.faults["end"].max())]
    for number in range(len(journal.facts["consumers"])):
        times = recoveries(journal, number)[1]
        ends += np.where((times == NONE) | (times > stop), stop, times).tolist()
    return begin, min(max(*ends, begin + 1), stop)


def _of_consumer(hit: Journal, quiet: Journal, number: int, incident: Incident) -> list[Value]:
    name = hit.facts["consumers"][number]
    if not hit.facts["sends"][number]:
        lost = [
            Value("lost_per_incident", 0.0, "messages", name, nature="zero"),
            Value("lost_per_year", 0.0, "messages", name, nature="zero"),
        ]
        return [*lost, Value("duplicates_per_year", 0.0, "copies", name, nature="zero")]
    more, again = (of(hit, number) - of(quiet, number) for of in (_lost, _copies))
    values = [
        Value("lost_per_incident", more, "messages", name, nature="count", level=1.0),
        Value("lost_per_year", incident.per_year * more, "messages", name, nature="count", level=incident.per_year),
        Value("duplicates_per_year", incident.per_year * again, "copies", name, nature="count", level=incident.per_year),
        Value("backlog_max", float(_most(hit, number)), "messages", name),
    ]
    spans, recovered = recoveries(hit, number)
    if len(spans) and has_recovered(hit):  # what has not recovered has no time, rather than one that is too short
        values.append(Value("recovery_time", float(recovered.max() - spans[:, 1].max()) / 1e9, "s", name))
    return values


def _lost(journal: Journal, number: int) -> float:
    mine = journal.deliveries["consumer"] == number
    return float(np.isin(journal.deliveries["outcome"][mine], [OUTCOMES.index(where) for where in LOST]).sum())


def _copies(journal: Journal, number: int) -> float:
    mine = journal.deliveries["consumer"] == number
    return float(np.maximum(journal.deliveries["copies"][mine] - 1, 0).sum())


def _most(journal: Journal, number: int) -> int:
    found: Waiting = waiting(journal, number)
    return int(found.most(np.array(affected(journal)))[0])


def _totals(values: Sequence[Value], heaviest: float) -> list[Value]:
    """Sums over incidents. Where none of them ever lost anything, the bound is that of the most frequent one: the sum of w x m is at
    most the largest w times 3/R where the sum of the means m is at most 3/R."""
    totals: dict[tuple[str, str], Value] = {}
    for value in values:
        if value.metric.endswith("_per_year"):
            before = totals.get((value.metric, value.consumer))
            weight = value if value.nature == "zero" else replace(value, level=heaviest)
            totals[value.metric, value.consumer] = replace(weight, value=value.value + (before.value if before else 0.0), incident="")
    return list(totals.values())


def incidents_at(
    candidates: Sequence[Candidate], incidents: Sequence[Incident], scenario: Scenario, *, seed: int, replications: int, jobs: int = -1
) -> Comparison:
    """What *incidents* do to each of *candidates*, as a comparison: one replication is one incident of each kind."""
    act = partial(values_in, incidents=tuple(incidents))
    found = next(at_points([candidates], act, seed=seed, replications=range(replications), jobs=jobs))
    return Comparison(scenario, seed, tuple(candidates), by_key(found), replications)
