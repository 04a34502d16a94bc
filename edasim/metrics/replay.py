"""Replay: what it costs to load one entity from its events, now or as it was in the past, and to rebuild everything."""

import numpy as np
from numpy.typing import NDArray

from edasim.journal import NONE, WAYS, Journal, rows_within
from edasim.metrics.values import Value, mean, quantiles, rate
from edasim.timelines import value_at

Ints = NDArray[np.int64]


def replay(journal: Journal) -> list[Value]:
    """load_* over the loads in the window, of commands and reads alike; point_in_time_*; rebuild_* and catch_up_time by way."""
    loads = rows_within(journal.loads, journal.facts["window"])
    values: list[Value] = []
    if loads["time"].size:
        values.append(Value("load_events_mean", float(loads["events"].mean()), "events"))
        values += mean("load_time_mean", loads["duration"]) + quantiles("load_time", loads["duration"], (99,))
    return [*values, *_point_in_time(journal), *_rebuilds(journal)]


def _rebuilds(journal: Journal) -> list[Value]:
    """Of each way to rebuild, and of the usual one (the first) as that of the option."""
    values = []
    for row, way in enumerate(journal.rebuilds["way"].tolist()):
        found = {name: column[row] for name, column in journal.rebuilds.items()}
        mine = [Value("rebuild_events", float(found["items"]), "events"), Value("rebuild_time", float(found["duration"]) / 1e9, "s")]
        if found["catch_up"] != NONE:
            mine.append(Value("catch_up_time", float(found["catch_up"]) / 1e9, "s"))
        if found["backlog"] != NONE:
            mine += rate("never_catches_up", np.array([found["catch_up"] == NONE]))
        if row == 0:
            values += mine
        if found["missing"] != NONE:
            mine.append(Value("rebuild_missing_entities", float(found["missing"]), "entities"))
        values += [Value(v.metric, v.value, v.unit, component=WAYS[way], nature=v.nature, trials=v.trials) for v in mine]
    return values


def _point_in_time(journal: Journal) -> list[Value]:
    """The cost of loading an entity as it was at a time spread evenly over the window, entities by popularity while they are active."""
    if journal.facts["truth"] != "events" or journal.facts["writers"] > 1:
        return []
    entity, version, weight = pieces(journal)
    if not weight.sum() > 0:
        return []
    events = float((replayed_events(journal, entity, version) * weight).sum() / weight.sum())
    settings = journal.facts["event_store"]
    seconds = (settings["load_base"] + settings["load_per_event"] * events) / 1e9
    return [Value("point_in_time_events_mean", events, "events"), Value("point_in_time_load_mean", seconds, "s")]


def pieces(journal: Journal) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Each entity's versions in the window, and how much each weighs: its time there x the entity's popularity; all (pieces,)."""
    start, end = journal.facts["window"]
    table = journal.entities
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import grouped

    rows = journal.in_version_order
    everybody = np.arange(table["weight"].size)
    entity = np.concatenate([everybody, journal.changes["entity"][rows]])
    version = np.concatenate([np.zeros(everybody.size, dtype=np.int64), journal.changes["version"][rows]])
    begin = np.concatenate([table["born"], journal.changes["committed"][rows]])
    order, _ = grouped(whole(entity), everybody.size)  # each one's are in version order already
    entity, version, begin = entity[order], version[order], begin[order]
    last = np.append(entity[1:] != entity[:-1], True)
    until = np.minimum(np.where(last, end, np.append(begin[1:], 0)), table["silent"][entity])
    length = np.clip(np.minimum(until, end) - np.maximum(begin, start), 0, None)
    counted = length > 0
    return entity[counted], version[counted], (table["weight"][entity] * length)[counted]


def replayed_events(journal: Journal, entity: Ints, version: Ints) -> Ints:
    """How many events must be replayed to have each *entity* as it was at that *version*, with the snapshots that are kept in the end."""
    settings, snapshots = journal.facts["event_store"], journal.snapshots
    history, every = journal.entities["history"][entity], settings["snapshot_every"]
    kept, of_entity = np.arange(snapshots["entity"].size), snapshots["entity"]
    if settings["snapshot_keep"] == "last" and kept.size:
        kept = np.unique(of_entity[::-1], return_index=True)[1]  # rows come in order of time
        kept = of_entity.size - 1 - kept
    found = value_at(entity, version, of_entity[kept], snapshots["version"][kept], snapshots["version"][kept], NONE)
    before = history - history % every if every else np.zeros_like(history)  # what the newest snapshot before the run covers
    if settings["snapshot_keep"] == "last":
        before = np.where(np.isin(entity, of_entity), 0, before)
    return np.asarray(np.where(found != NONE, version - found, history + version - before))
