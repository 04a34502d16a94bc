"""The short scenario to start from, with what was observed filled in and every number said to be measured or guessed."""

from collections.abc import Iterator
from typing import Any

import yaml

from edasim.documents import replaced
from edasim.errors import InputError
from edasim.observe.document import Observations, Observed, ObservedIncidents, written
from edasim.observe.lasting import duration_of, in_words
from edasim.observe.matching import for_every_consumer
from edasim.observe.paths import COUNT, DELTA, HANDOVER, PROCESS, RATE, READS, STATE
from edasim.ranges import half_to_twice, quantity, range_of
from edasim.scenario import COMPONENTS, BurstyArrivals, Scenario
from edasim.workload import rate_of

SHORT: dict[str, Any] = {
    "name": "my-system",
    "question": "How should changes of ... reach ...?",
    "workload": {
        "arrivals": {"rate": 50},
        "entities": {"count": 10000},
        "state_bytes": "2kB",
        "delta_bytes": 200,
        "reads": {"rate": 100},
    },
    "broker": {"kind": "log"},
    "consumers": [],
}
CONSUMER = {"handle_time": {"dist": "exponential", "mean": "10ms"}}
READS_PER_CHANGE = 2  # a guess
GUESSED = (RATE, COUNT, STATE, DELTA, READS)
SAID = {
    "name": "",
    "question": "",
    "duration": "",  # said by `in_words`
    "workload": "what the world asks for; what was measured is among the assumptions below, all else is a guess",
    "network": "",
    "broker": "kind: log (Kafka), queue (RabbitMQ) or pubsub (Redis pub/sub, core NATS)",
    "consumers": "who must learn of the changes",
    "incidents": "rare things, each simulated on its own, then weighted by how often it happens",
    "assumptions": "what was measured, and the range it may lie in; what is a guess is worth measuring",
}


def short_scenario(observations: Observations) -> str:
    """The YAML of a short scenario: inputs that were *observed* as they were, the others as guesses from half to twice.

    Raises InputError where an observed value is not allowed in a scenario.
    """
    raw = _filled_in(observations)
    scenario = Scenario.from_mapping(raw)
    raw["assumptions"] = [*_measured(scenario, observations), *_guessed(scenario, observations)]
    Scenario.from_mapping(raw)
    said = SAID | {"duration": in_words(scenario)}
    return "\n".join(_shown(key, raw[key], said.get(key, "")) for key in raw).rstrip("\n")


def _shown(key: str, part: Any, said: str) -> str:
    comment = "".join(f"# {line}\n" for line in said.splitlines())
    flow = None if isinstance(part, dict | list) else False  # the innermost lists and mappings on one line
    return comment + yaml.safe_dump({key: part}, sort_keys=False, allow_unicode=True, width=140, default_flow_style=flow)


def _filled_in(observations: Observations) -> dict[str, Any]:
    names = dict.fromkeys([*_handlers(observations), *(found.component for found in observations.incidents)])
    consumers = [name for name in names if name not in COMPONENTS] or ["billing"]
    raw: dict[str, Any] = {**SHORT, "consumers": [{"name": name, **CONSUMER} for name in consumers]}
    process = observations.at(PROCESS)
    for observed in observations.inputs:
        if observed.path == HANDOVER:
            for placed in for_every_consumer(Scenario.from_mapping(raw), observed):
                raw = replaced(raw, placed.path.split("."), placed.value, placed.path)
        elif observed.path != RATE or process is None:
            raw = replaced(raw, observed.path.split("."), observed.value, observed.path)
    if observations.at(READS) is None:
        rate = rate_of(Scenario.from_mapping(raw))
        raw = replaced(raw, READS.split("."), written(READS_PER_CHANGE * rate, "1/s"), READS)
    raw["duration"] = duration_of(Scenario.from_mapping(raw))
    if observations.incidents:
        raw["incidents"] = [_incident(found) for found in observations.incidents]
    raw["assumptions"] = []
    return {key: raw[key] for key in dict.fromkeys([*SAID, *raw]) if key in raw}


def _handlers(observations: Observations) -> Iterator[str]:
    for observed in observations.inputs:
        if observed.path.startswith("consumers.") and observed.path != HANDOVER:
            yield observed.path.removeprefix("consumers.").removesuffix(".handle_time")


def _incident(found: ObservedIncidents) -> dict[str, Any]:
    return {"name": f"{found.component} down", "component": found.component, "per_year": found.per_year, "down": found.down}


def _measured(scenario: Scenario, observations: Observations) -> Iterator[dict[str, Any]]:
    """An assumption for each input that was observed, with its interval as the range where it has one."""
    process = observations.at(PROCESS)
    for observed in observations.inputs:
        if observed.path == PROCESS:
            yield from _of_process(scenario, observed)
        elif observed.path == HANDOVER:
            yield from (_assumption(scenario, placed) for placed in for_every_consumer(scenario, observed))
        elif observed.path != RATE or process is None:
            yield _assumption(scenario, observed)
    for found in observations.incidents:
        where = f"incidents.{found.component} down"
        yield _assumption(scenario, _as_input(f"{where}.per_year", found.per_year, found.low, found.high, found.source))
        yield _assumption(scenario, _as_input(f"{where}.down", found.down, found.down_low, found.down_high, found.source))


def _as_input(path: str, value: Any, low: Any, high: Any, source: str) -> Observed:
    return Observed(path=path, value=value, low=low, high=high, source=source)


def _of_process(scenario: Scenario, observed: Observed) -> Iterator[dict[str, Any]]:
    """The interval of the rate, as a range of the parameter that changes it: the rate, or how high it is in bursts."""
    if "rate" in observed.value:
        yield _assumption(scenario, observed.model_copy(update={"path": RATE}))
        return
    bursts = scenario.workload.arrivals
    if not isinstance(bursts, BurstyArrivals):  # written by hand: which of its parameters has the interval is not known
        yield _assumption(scenario, observed.model_copy(update={"low": None, "high": None}))
        return
    share = bursts.mean_high / (bursts.mean_low + bursts.mean_high)
    of_low = bursts.rate_low * (1 - share)
    low, high = (
        None if rate is None else written(max(bursts.rate_low, (quantity(PROCESS, rate)[0] - of_low) / share), "1/s")
        for rate in (observed.low, observed.high)
    )
    source = f"{observed.source}; the range is that of the mean rate, {observed.low} to {observed.high} a second"
    yield _assumption(scenario, observed.model_copy(update={"path": f"{PROCESS}.rate_high", "source": source, "low": low, "high": high}))


def _assumption(scenario: Scenario, observed: Observed) -> dict[str, Any]:
    found: dict[str, Any] = {"path": observed.path}
    if _is_range(scenario, observed):
        found["range"] = [observed.low, observed.high]
    return {**found, "basis": "measured", "source": observed.source}


def _is_range(scenario: Scenario, observed: Observed) -> bool:
    """Whether the interval is one over which the input may be varied; an end of 0 may not be allowed there."""
    if observed.low is None or observed.high is None or quantity("", observed.low)[0] >= quantity("", observed.high)[0]:
        return False
    try:
        range_of(scenario, observed.path, (observed.low, observed.high))
    except InputError:
        return False
    return True


def _guessed(scenario: Scenario, observations: Observations) -> Iterator[dict[str, Any]]:
    """An assumption from half to twice for what matters and was not observed."""
    told = {observed.path for observed in observations.inputs}
    paths = [path for path in GUESSED if path not in told and not (path == RATE and PROCESS in told)]
    paths += [path for name in (consumer.name for consumer in scenario.consumers) if (path := f"consumers.{name}.handle_time") not in told]
    for path in paths:
        ends = half_to_twice(scenario, path)
        unit: Any = ends.unit
        low, high = (written(end, unit) for end in (ends.low, ends.high))
        yield {"path": path, "range": [low, high], "basis": "guess", "source": "a number to start from: measure it"}
