"""Tiny scenarios for claims about one behaviour: changes at given times, no latency and no fault unless asked for."""

from pathlib import Path
from typing import Any

import pandas as pd

from edasim import Journal, Scenario, measure, simulate

QUIET: dict[str, Any] = {
    "warmup": 0,
    "duration": "100s",
    "drain": "100s",
    "source": {"write_time": 0, "read_time": 0},
    "network": {"latency": 0},
    "broker": {"replicas": 1},
    "consumers": [{"name": "billing", "instances": 1, "handle_time": 0}],
    "workload": {"reads": {"rate": 0}, "entities": {"count": 10, "popularity": "uniform"}},
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """*base* with *changes*, mappings merged key by key."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def quiet(**changes: Any) -> Scenario:
    """A scenario in which nothing takes time and nothing fails, with *changes*."""
    return Scenario(**merged(QUIET, changes))


def recorded(folder: Path, times: list[float], entities: list[int] | None = None, **changes: Any) -> Scenario:
    """As `quiet`, with one change at each of *times* after a first one at 0, of these *entities* (all of entity 0 by default)."""
    file = folder / "trace.csv"
    entities = [0] * len(times) if entities is None else entities
    pd.DataFrame({"time": [0.0, *times], "entity": [99, *entities]}).to_csv(file, index=False)
    trace = {"process": "trace", "file": str(file), "columns": {"entity": "entity"}}
    return quiet(**merged({"workload": {"arrivals": trace}}, changes))


def played(folder: Path, times: list[float], pattern: str = "event_carried_state_transfer", **changes: Any) -> Journal:
    """The journal of the *recorded* scenario."""
    entities = changes.pop("entities", None)
    return simulate(recorded(folder, times, entities, **changes), pattern)


def column(journal: Journal, table: str, name: str, skip: int = 1) -> list[Any]:
    """A column for people (seconds), without the first change at time 0."""
    return [round(value, 9) if isinstance(value, float) else value for value in journal.frame(table)[name].tolist()[skip:]]


def value(journal: Journal, metric: str, consumer: str = "billing") -> float:
    """The one value of a metric, of this consumer or of all."""
    found = [v.value for v in measure(journal) if v.metric == metric and v.consumer in (consumer, "") and not v.component]
    assert len(found) == 1, (metric, found)
    return found[0]
