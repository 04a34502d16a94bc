"""What a journal says of its run beside the columns: who took part, what they cost, and what the codes in columns mean."""

from typing import Any

import numpy as np

from edasim.afterwards.events import departed
from edasim.afterwards.inputs import Inputs
from edasim.causes import can_come_late, can_repeat, losses
from edasim.luck import nanoseconds
from edasim.patterns import way_out


def facts_of(run: Inputs, option: str, components: tuple[str, ...], sources: int, *, publishes: bool, engine: str) -> dict[str, Any]:
    """The facts of a run of *option* with so many *sources*; *components*: of storage; *publishes*: whether there is a topic."""
    scenario, workload = run.scenario, run.workload
    start, end = (int(moment) for moment in nanoseconds(np.array(scenario.window)))
    is_log = scenario.broker.kind == "log"
    return {
        "scenario": scenario.name,
        "option": option,
        "pattern": run.pattern.name,
        "truth": run.pattern.truth,
        "event_store": _event_store(run),
        "engine": engine,
        "seed": run.luck.seed,
        "replication": run.luck.replication,
        "window": [start, end],
        "horizon": run.horizon,
        "consumers": [consumer.name for consumer in scenario.consumers],
        "components": {"storage": list(components), "faults": list(run.faults)},
        "sends": [pattern.sends for pattern in run.patterns],  # by consumer, as are the next five
        **_possible(run),
        "reads": run.reads,
        "listens_to": [c.listens_to if pattern.sends else None for c, pattern in zip(scenario.consumers, run.patterns, strict=True)],
        "partitions": scenario.broker.partitions if is_log and publishes else 0,
        "servers": scenario.source.servers * sources,
        "machines": _machines(run, sources),
        "replicas": scenario.broker.replicas if is_log else 1,
        "prices": None if scenario.prices is None else scenario.prices.model_dump(),
        "regions": len(scenario.workload.regions.shares),
        "writers": run.writers,
        "clock_skew": int(nanoseconds(scenario.workload.regions.clock_skew)),
        "own_after": int(nanoseconds(scenario.workload.reads.own_after)),
        "initial_entities": workload.population.initial,
        "notes": list(workload.notes),
    }


def _possible(run: Inputs) -> dict[str, list[bool]]:
    """By consumer, whether there is any way to lose a message, to handle one twice or to handle one after a newer version.

    What incidents may do besides is not in this run.
    """
    now, publish = run.scenario.model_copy(update={"incidents": ()}), way_out(run.pattern, run.scenario)
    sent = [(consumer, pattern.sends) for consumer, pattern in zip(now.consumers, run.patterns, strict=True)]
    return {
        "can_lose": [sends and any(losses(now, consumer, publish)) for consumer, sends in sent],
        "can_repeat": [sends and can_repeat(now, consumer, publish) for consumer, sends in sent],
        "can_come_late": [sends and can_come_late(now, consumer, publish) for consumer, sends in sent],
    }


def _machines(run: Inputs, sources: int) -> dict[str, int]:
    """What is paid by the machine: servers, instances of consumers that something is sent to, and the broker as a whole."""
    sends = [pattern.sends for pattern in run.patterns]
    return {
        "source": run.scenario.source.servers * sources,
        "read_model": run.scenario.read_model.servers * run.reads.count("read_model"),
        "consumer": sum(consumer.instances for consumer, sent in zip(run.scenario.consumers, sends, strict=True) if sent),
        "broker": int(any(sends)),
    }


def _event_store(run: Inputs) -> dict[str, Any]:
    """What loading an entity as it was at some time in the past depends on, and what was stored of entities that fell silent before."""
    settings = run.scenario.event_store
    return {
        "snapshot_every": settings.snapshot_every,
        "snapshot_keep": settings.snapshot_keep,
        "load_base": int(nanoseconds(settings.load.base)),
        "load_per_event": settings.load.per_event * 1e9,
        "departed": departed(run)._asdict(),
    }
