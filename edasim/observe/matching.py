"""Where what was observed belongs in a scenario that is there already.

Most inputs have the same path everywhere. A rate does not: where the scenario's arrivals are a trace the whole process takes its place,
bursts are scaled, gaps become longer or shorter. An incident is told by its component, and belongs to the scenario's incident of that. Of
several that strike it the *known* one is meant: one that was there already when what is held against the observations was written down.
"""

from collections.abc import Collection, Iterator
from typing import Any

from edasim.errors import InputError
from edasim.observe.document import Observations, Observed, ObservedIncidents, written
from edasim.observe.paths import (
    APPEND,
    BASE,
    COUNT,
    DELIVER,
    DELTA,
    HANDOVER,
    NOTICE,
    PER_EVENT,
    PROCESS,
    PUBLISH,
    RATE,
    READS,
    REBUILD_PER_EVENT,
    SKEW,
    STATE,
)
from edasim.ranges import assumed, target_of, value_at
from edasim.scenario import BurstyArrivals, Entities, Incident, RenewalArrivals, Scenario, TraceArrivals
from edasim.workload import rate_of

SIMPLE = (COUNT, SKEW, STATE, DELTA, NOTICE, PUBLISH, DELIVER, APPEND, BASE, PER_EVENT, REBUILD_PER_EVENT)


def observed_in(scenario: Scenario, observations: Observations, known: Collection[str] = ()) -> tuple[Observed, ...]:
    """What was observed of the inputs of *scenario*, each with the dotted path that it has there and a value that may be set there.

    Set in this order they fit together: a whole process of arrivals comes after its rate. What has no place is left out. *known* are the
    incidents that are meant before any other of the same component.

    >>> seen = Observations(inputs=[{"path": "workload.arrivals.rate", "value": 80.0, "low": 70.0, "high": 90.0}])
    >>> [(observed.path, observed.value) for observed in observed_in(Scenario(), seen)]
    [('workload.arrivals.rate', 80.0)]

    Raises InputError where a value is not allowed.
    """
    found = [*_arrivals(scenario, observations)]
    becomes = scenario.with_overrides({observed.path: observed.value for observed in found})
    for observed in observations.inputs:
        found += [] if observed.path in (RATE, PROCESS) else _input(becomes, observed)
    for incidents in observations.incidents:
        found += _incidents(scenario, incidents, known)
    scenario.with_overrides({observed.path: observed.value for observed in found})
    return tuple(found)


def without_place(scenario: Scenario, observations: Observations, known: Collection[str] = ()) -> tuple[str, ...]:
    """What was observed and has no place in *scenario*: the path that it would have elsewhere, or "incidents of" a component."""
    return (
        *inputs_without_place(scenario, observations),
        *(f"incidents of {name}" for name in struck_elsewhere(scenario, observations, known)),
    )


def inputs_without_place(scenario: Scenario, observations: Observations) -> tuple[str, ...]:
    """The paths, as they would be elsewhere, of what was observed of inputs that *scenario* does not have."""
    placed = observed_in(scenario, observations)
    return tuple(observed.path for observed in observations.inputs if not _is_placed(observed, placed))


def struck_elsewhere(scenario: Scenario, observations: Observations, known: Collection[str] = ()) -> tuple[str, ...]:
    """The components whose incidents were observed and belong to no incident of *scenario*, or to one of several."""
    return tuple(found.component for found in observations.incidents if _incident_of(scenario, found.component, known) is None)


def incidents_of(scenario: Scenario, component: str) -> list[Incident]:
    """The incidents that strike a *component*, or are called so."""
    return [incident for incident in scenario.incidents if component in (incident.name, incident.component)]


def _is_placed(observed: Observed, placed: tuple[Observed, ...]) -> bool:
    ours = {found.path for found in placed}
    if observed.path == RATE:
        return any(path.startswith(PROCESS) for path in ours)
    if observed.path == HANDOVER:
        return any(path.endswith(".handover_time") for path in ours)
    return observed.path in ours or (observed.path == READS and "workload.reads.per_change" in ours)


def _arrivals(scenario: Scenario, observations: Observations) -> Iterator[Observed]:
    """The rate where it can be set, and the whole process where it fits the scenario's assumptions."""
    rate, process = observations.at(RATE), observations.at(PROCESS)
    if rate is not None:
        placed = _rate(scenario, rate)
        if placed.path != PROCESS or process is None or not _fits(scenario, process):
            yield placed
    if process is not None and _fits(scenario, process):
        yield process


def _fits(scenario: Scenario, process: Observed) -> bool:
    """Whether the scenario's assumptions are still about something when its arrivals are this *process*."""
    becomes = scenario.with_overrides({PROCESS: process.value})
    try:
        assumed(becomes)
    except InputError:
        return False
    return True


def _rate(scenario: Scenario, rate: Observed) -> Observed:
    arrivals = scenario.workload.arrivals
    if isinstance(arrivals, TraceArrivals):
        return rate.model_copy(update={"path": PROCESS, "value": {"process": "poisson", "rate": rate.value}})
    if isinstance(arrivals, RenewalArrivals):
        path = target_of(scenario, "workload.arrivals.gap")
        gaps = {name: _gap(arrivals.batch, getattr(rate, end)) for name, end in (("value", "value"), ("low", "high"), ("high", "low"))}
        return rate.model_copy(update={"path": path, "unit": "s", **gaps})
    if isinstance(arrivals, BurstyArrivals):
        more = rate.value / rate_of(scenario)
        scaled = {name: getattr(arrivals, name) * more for name in ("rate_low", "rate_high")}
        return rate.model_copy(update={"path": PROCESS, "value": {**value_at(scenario, PROCESS), **scaled}})
    return rate


def _gap(batch: int, rate: Any) -> Any:
    return written(batch / rate, "s") if rate else None


def _input(scenario: Scenario, observed: Observed) -> list[Observed]:
    """One input where it belongs: of reads, sizes, entities, latencies, or the handling time of a consumer that is there."""
    first, _, rest = observed.path.partition(".")
    if observed.path == HANDOVER:
        return list(for_every_consumer(scenario, observed))
    if first == "consumers":
        return [observed] if rest.removesuffix(".handle_time") in [consumer.name for consumer in scenario.consumers] else []
    if observed.path == READS and scenario.workload.reads.per_change is not None:
        return [_per_change(scenario, observed)] if rate_of(scenario) else []  # a trace may have no change in the window
    return [observed] if observed.path in (*SIMPLE, READS) and not _is_of_trace(scenario, observed.path) else []


def for_every_consumer(scenario: Scenario, observed: Observed) -> Iterator[Observed]:
    """What was observed of all consumers, at each of those that *scenario* has."""
    for consumer in scenario.consumers:
        yield observed.model_copy(update={"path": observed.path.replace("*", consumer.name)})


def _per_change(scenario: Scenario, observed: Observed) -> Observed:
    rate = rate_of(scenario)
    each = {
        name: None if value is None else written(value / rate) for name in ("value", "low", "high") for value in [getattr(observed, name)]
    }
    return observed.model_copy(update={"path": "workload.reads.per_change", "unit": "", **each})


def _is_of_trace(scenario: Scenario, path: str) -> bool:
    """Whether a trace, or a list of keys, decides what is at this *path*, so that setting it would do nothing."""
    arrivals, entities = scenario.workload.arrivals, scenario.workload.entities
    columns = arrivals.columns if isinstance(arrivals, TraceArrivals) else None
    by_trace = (
        {} if columns is None else {COUNT: columns.entity, SKEW: columns.entity, STATE: columns.state_bytes, DELTA: columns.delta_bytes}
    )
    return bool(by_trace.get(path)) or (path == SKEW and not _has_skew(entities))


def _has_skew(entities: Entities) -> bool:
    return entities.popularity == "zipf"


def _incidents(scenario: Scenario, found: ObservedIncidents, known: Collection[str]) -> Iterator[Observed]:
    """How often and how long, where it can be told which incident of the scenario that is."""
    incident = _incident_of(scenario, found.component, known)
    if incident is not None:
        where = f"incidents.{incident.name}"
        often = {"value": found.per_year, "low": found.low, "high": found.high}
        yield Observed(path=f"{where}.per_year", source=found.source, seen=found.seen, **often)
        if incident.kind != "poison":
            lasting = {"value": found.down, "low": found.down_low, "high": found.down_high}
            yield Observed(path=f"{where}.down", unit="s", source=found.source, seen=found.seen, **lasting)


def _incident_of(scenario: Scenario, component: str, known: Collection[str]) -> Incident | None:
    """The one that is called so, or else the one that strikes it; of the *known* ones, if any is meant, and of no two."""
    meant = incidents_of(scenario, component)
    meant = [incident for incident in meant if incident.name in known] or meant
    meant = [incident for incident in meant if incident.name == component] or meant
    return meant[0] if len(meant) == 1 else None
