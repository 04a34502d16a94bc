"""The memory of the loop when a run begins, and how it is made larger."""

from typing import Any

import numpy as np

from edasim.afterwards.events import Upcasts, covered_at_start
from edasim.afterwards.inputs import Inputs
from edasim.fast_path import memory as m
from edasim.fast_path.asking import Asking
from edasim.fast_path.draws import Later
from edasim.fast_path.loop import wanted
from edasim.fast_path.opening import Opening
from edasim.journal import IN_FLIGHT, NONE
from edasim.luck import nanoseconds
from edasim.partitions import partition_of_each
from edasim.workload import ITEMS

SPARE = 1024  # rows of an array that grows, to begin with
GROWING = ("moments", "nodes", "entries", "items", "handed", "requests", "refreshes", "rows", "flat")  # in the order of `wanted`


def _records(dtype: "np.dtype[np.void]", rows: list[dict[str, Any]]) -> m.Records:
    """One record for each mapping; what it does not name is 0."""
    table = np.zeros(len(rows), dtype=dtype)
    for number, row in enumerate(rows):
        for name, value in row.items():
            table[number][name] = value
    return table


def _filled(dtype: "np.dtype[np.void]", shape: tuple[int, ...], **values: int) -> m.Records:
    """Records that all begin with these *values*, and zeros."""
    rows = np.zeros(shape, dtype=dtype)
    for name, value in values.items():
        rows[name] = value
    return rows


def world_of(run: Inputs, opening: Opening) -> tuple[m.World, Later]:
    """The memory of a run, as nothing has happened yet, and what draws later attempts."""
    asking, scenario = Asking(run, opening.lists), run.scenario
    scalars = _scalars(run, opening, asking)
    changes, streams = _changes(run, opening), _streams(run, opening)
    deliveries = _filled(
        m.DELIVERY, (len(opening.groups), run.changes), stored=NONE, delivered=NONE, applied=NONE, failure=IN_FLIGHT, last_failed=NONE
    )
    for group, poison in enumerate(opening.poison):
        deliveries["poison"][group, [*poison.changes]] = 1
    reads, kept = asking.reads(), sum(reads not in ("source", "nothing") for reads in run.reads)
    outages = sum(len(downtimes.intervals) for downtimes in run.faults.values())
    components = run.writers + 2 * len(run.reads) + len(opening.instances)
    known = SPARE + components + reads.size + 2 * outages * (1 + len(opening.groups))  # what is scheduled before the run at most
    sent = len(opening.topics) * run.changes if opening.kind == m.LOG else 0
    partitions = scenario.broker.partitions
    lines = np.zeros((len(opening.topics), partitions), dtype=m.LINE)
    lines["log"] = np.array([[opening.lists.empty() for _ in range(partitions)] for _ in opening.topics]).reshape(lines.shape)
    upcasts = Upcasts(run).versions if run.pattern.truth == "events" else np.zeros(1)
    lists, flat, later = opening.lists.memory()
    scalars[0]["flat_used"], scalars[0]["later"] = opening.lists.used, later.address
    world = m.World(
        s=scalars,
        heap=np.zeros(known, dtype=m.HEAP),
        moments=np.zeros(known, dtype=m.MOMENT),
        lists=lists,
        flat=flat,
        changes=changes,
        sources=_records(m.SOURCE, opening.sources),
        streams=streams,
        topics=_records(m.TOPIC, opening.topics),
        lines=lines,
        entries=np.zeros(SPARE + sent, dtype=m.ENTRY),
        publishers=_records(m.PUBLISHER, opening.publishers),
        sent=_filled(m.SENT, (len(opening.publishers), run.changes), acknowledged=NONE, connection=m.NOBODY),
        stored=np.full((len(opening.topics), run.changes), NONE),
        relays=_records(m.RELAY, opening.relays),
        connections=_records(m.CONNECTION, opening.connections),
        groups=_records(m.GROUP, opening.groups),
        parts=np.array([_records(m.PART, parts) for parts in opening.parts], dtype=m.PART).reshape(-1, partitions),
        deliveries=deliveries,
        instances=_records(m.INSTANCE, opening.instances),
        nodes=np.zeros(SPARE, dtype=m.NODE),
        items=np.zeros(SPARE, dtype=m.ITEM),
        handed=np.zeros(SPARE, dtype=m.HANDED),
        copies=np.zeros((len(run.reads) if kept else 0, opening.entities), dtype=m.COPY),
        askers=_records(m.ASKER, asking.askers),
        reads=reads,
        pollers=_records(m.POLLER, asking.pollers),
        requests=np.empty((SPARE + reads.size, 6), dtype=np.int64),
        refreshes=np.empty((SPARE + kept * run.changes, 4), dtype=np.int64),
        rows=np.empty(SPARE + (2 * run.changes + reads.size if run.pattern.truth == "events" else 0), dtype=m.ROW),
        states=np.zeros((opening.entities if scalars[0]["keeps_states"] else 0, ITEMS, 2), dtype=np.int64),
        upcasts=upcasts,
        factors=np.array(opening.factors, dtype=np.float64),
        rates=np.array([scenario.event_store.load.per_event * 1e9, scenario.event_store.schema_changes.upcast_time * 1e9]),
    )
    enlarge(world)
    return world, later


def enlarge(world: m.World) -> None:
    """Half as much room again, or more, where it was about to be full."""
    for name, rows in zip(GROWING, wanted(world), strict=True):
        array = getattr(world, name)
        if rows > array.shape[0]:
            more = max(rows - array.shape[0], array.shape[0] // 2)
            world.put(**{name: np.concatenate([array, np.zeros((more, *array.shape[1:]), dtype=array.dtype)])})
    if more_moments := world.moments.size - world.heap.size:
        world.put(heap=np.concatenate([world.heap, np.zeros(more_moments, dtype=m.HEAP)]))


def _scalars(run: Inputs, opening: Opening, asking: Asking) -> m.Records:
    lists, scenario, latency = opening.lists, run.scenario, run.scenario.network.latency
    events, store = run.pattern.truth == "events", scenario.event_store
    partition = partition_of_each(opening.entities, scenario.broker.partitions)[run.workload.entities]
    regional = run.writers > 1
    there = [lists.times(f"exchange {region} publish", latency.publish) for region in range(run.writers if regional else 0)]
    deliver = [lists.times(f"exchange {region} deliver", latency.deliver) for region in range(run.writers if regional else 0)]
    relayed = sum(relay["connection_count"] * relay["most"] for relay in opening.relays)
    batch, each = min(scenario.source.producer.batch, run.changes), len(opening.groups) + 1
    outages = any(consumer.outages is not None for consumer in scenario.consumers)
    return _records(
        m.SCALARS,
        [
            {
                "horizon": run.horizon,
                "moment_free": m.NOBODY,
                "node_free": m.NOBODY,
                "margin": 64 + 4 * (len(opening.instances) + len(asking.askers) + 2 * batch * each) + 2 * min(relayed, run.changes) * each,
                "polls": len(asking.pollers),
                "consumers": len(run.reads),
                "regions": run.writers,
                "groups": len(opening.groups),
                "partitions": scenario.broker.partitions,
                "changes": run.changes,
                "entities": opening.entities,
                "kind": opening.kind,
                "publishes": bool(opening.topics),
                "regional": regional,
                "events": events,
                "write_time": lists.times("write", scenario.source.write_time),
                "own_begin": asking.own_begin,
                "own_count": len(asking.askers) - asking.own_begin,
                "own_after": int(nanoseconds(scenario.workload.reads.own_after)),
                "exchange_there": there[0] if there else 0,
                "exchange_deliver": deliver[0] if deliver else 0,
                "broker_down": lists.downtimes(opening.broker),
                "snapshot_every": store.snapshot_every,
                "on_append": store.snapshot_on == "append",
                "load_base": int(nanoseconds(store.load.base)),
                "snapshot_time": int(nanoseconds(store.snapshot_time)),
                "upcasts": store.schema_changes.changes_per_year > 0,
                "keeps_states": events and not regional and store.snapshot_every > 0,
                "payload_items": lists.add(run.workload.items),
                "payload_quantities": lists.add(run.workload.quantities),
                "history": lists.add(run.history),
                "conflict_retries": store.conflict_retries,
                "partition": lists.add(partition),
                "sizes": lists.add(run.message_bytes),
                "may_return": outages + len(opening.groups) * (scenario.broker.retention_bytes is not None),
                "may_be_sent": 2 if any(consumer.redeliver_after is not None for consumer in scenario.consumers) else 1,
            }
        ],
    )


def _changes(run: Inputs, opening: Opening) -> m.Records:
    changes = _filled(m.CHANGE, (run.changes,), committed=NONE, version=NONE, ended=NONE)
    changes["entity"], changes["region"] = run.workload.entities, run.workload.regions
    if run.pattern.truth == "table":
        changes["service"] = run.luck.times("write", run.scenario.source.write_time, run.changes).values
    return changes


def _streams(run: Inputs, opening: Opening) -> m.Records:
    """Histories of entities by source, each with room for all changes of its entity; where there are several, one row more for all."""
    sources = run.writers + (run.writers > 1)
    streams = np.zeros((sources, opening.entities), dtype=m.STREAM)
    each = np.bincount(run.workload.entities, minlength=opening.entities)
    begins = np.cumsum(each) - each
    for source in range(run.writers):
        streams["begin"][source] = begins + opening.lists.room(run.changes)
        if run.writers > 1:
            streams["known"][source] = begins + opening.lists.room(2 * run.changes)
    if run.pattern.truth == "events":
        streams["covered"] = covered_at_start(run)
    return streams
