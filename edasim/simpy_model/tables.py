"""What follows from a run, once it is over: answers from copies, storage over time, the cost of a rebuild."""

from heapq import heapreplace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.journal import LOADS, NONE, REQUESTS
from edasim.luck import nanoseconds
from edasim.simpy_model.event_store import history_of
from edasim.simpy_model.run import Run
from edasim.timelines import in_version_order, previous_value, sum_until, value_at

Columns = dict[str, NDArray[Any]]
SAMPLES = 240  # storage is noted so many times, evenly over the run


def answer_from_copy(run: Run, number: int, refreshes: Columns) -> Columns:
    """Reads of consumer *number* answered by what its copy held when asked; a read model's servers make them wait their turn."""
    name = run.scenario.consumers[number].name
    times, entities = run.workload.reads[name]
    mine = refreshes["consumer"] == number
    seen = value_at(entities, times, refreshes["entity"][mine], refreshes["time"][mine], refreshes["version"][mine], 0)
    latency = np.zeros(times.size, dtype=np.int64)
    if run.pattern.reads == "read_model":
        service = run.luck.times(f"read model {name}", run.scenario.read_model.read_time, times.size)
        latency = first_come_first_served(times, service, run.scenario.read_model.servers)
    within = latency <= nanoseconds(run.scenario.workload.reads.timeout)
    return {"answered": within, "latency": np.where(within, latency, NONE), "version_seen": np.where(within, seen, NONE)}


def first_come_first_served(times: NDArray[np.int64], service: list[int], servers: int) -> NDArray[np.int64]:
    """Time in system of requests that arrive at *times* and share *servers*; Kiefer and Wolfowitz's recursion (1955)."""
    free = [0] * servers
    latency = []
    for time, needed in zip(times.tolist(), service, strict=True):
        done = max(time, free[0]) + needed
        heapreplace(free, done)
        latency.append(done - time)
    return np.array(latency, dtype=np.int64)


def storage_over_time(
    run: Run, changes: Columns, refreshes: Columns, log: tuple[list[int], list[int]], components: tuple[str, ...]
) -> Columns:
    """Bytes by component at evenly spaced times up to the end of the window, and at its start. One copy of everything: no replicas.

    *log* holds the change of every message that the broker kept, and when it was stored.
    """
    window = nanoseconds(np.array(run.scenario.window))
    times = np.unique(np.concatenate([np.linspace(0, window[1], SAMPLES).astype(np.int64), window]))
    done = changes["committed"] != NONE
    commits = {name: values[done] for name, values in changes.items()}
    state = run.workload.state_bytes[done]
    series: dict[str, NDArray[Any]] = {}
    if run.pattern.truth == "table":
        series["source"] = _rows(run, commits["entity"], commits["committed"], state, times)
    else:
        series |= _events(run, commits, run.workload.delta_bytes[done], times)
    if run.pattern.sends:
        series |= _messages(run, changes, log, times)
    if run.pattern.keeps_copy:
        series |= _copies(run, commits, state, refreshes, times)
    codes = [components.index(component) for component in series]
    return {
        "time": np.tile(times, len(series)),
        "component": np.repeat(codes, times.size),
        "bytes": np.concatenate([np.broadcast_to(values, times.shape) for values in series.values()]),
    }


def _rows(run: Run, entity: NDArray[Any], time: NDArray[Any], size: NDArray[Any], at: NDArray[Any]) -> NDArray[Any]:
    """Bytes of a table that holds the newest state: the row is there from the start for entities that exist then."""
    usual = round(run.scenario.workload.state_bytes.mean())
    before = previous_value(entity, size, np.where(entity < run.workload.population.initial, usual, 0))
    return usual * run.workload.population.initial + sum_until(time, size - before, at)


def _events(run: Run, commits: Columns, delta: NDArray[Any], at: NDArray[Any]) -> Columns:
    """Bytes of all events ever stored, and of all snapshots: nothing is overwritten."""
    settings, history = run.scenario.event_store, history_of(run)
    overhead = round(settings.overhead_bytes)
    past = round(history.sum() * (run.scenario.workload.delta_bytes.mean() + overhead))
    series = {"events": past + sum_until(commits["committed"], delta + overhead, at)}
    if every := settings.snapshot_every:
        taken = (history[commits["entity"]] + commits["version"]) % every == 0
        number = int((history // every).sum()) + sum_until(commits["committed"], taken, at)
        series["snapshots"] = number * round(settings.snapshot_bytes)
    return series


def _messages(run: Run, changes: Columns, log: tuple[list[int], list[int]], at: NDArray[Any]) -> Columns:
    """Bytes that the broker retains, and that wait in the outbox (or hold the database's log back) until acknowledged."""
    series: Columns = {}
    if run.scenario.broker.kind == "log":
        change, stored = (np.array(values, dtype=np.int64) for values in log)
        sizes = changes["bytes"][change]
        expires = stored + nanoseconds(run.scenario.broker.retention)
        series["log"] = sum_until(stored, sizes, at) - sum_until(expires, sizes, at)
    publish = run.scenario.source.publish
    if publish in ("outbox", "cdc"):
        left = np.flatnonzero(changes["committed"] != NONE)
        gone = left[changes["acknowledged"][left] != NONE]
        waiting = sum_until(changes["committed"][left], changes["bytes"][left], at)
        waiting = waiting - sum_until(changes["acknowledged"][gone], changes["bytes"][gone], at)
        series["outbox" if publish == "outbox" else "wal"] = waiting
    return series


def _copies(run: Run, commits: Columns, state: NDArray[Any], refreshes: Columns, at: NDArray[Any]) -> Columns:
    """Bytes of every consumer's copy together: rows as of the version held; a read model has its own size per entity."""
    consumers = len(run.scenario.consumers)
    if run.pattern.reads == "read_model":
        size = round(run.scenario.read_model.bytes_per_entity)
        first = np.unique(refreshes["entity"] * consumers + refreshes["consumer"], return_index=True)[1]  # rows come in order of time
        born = first[refreshes["entity"][first] >= run.workload.population.initial]
        rows = consumers * run.workload.population.initial + sum_until(refreshes["time"][born], np.ones(born.size, dtype=np.int64), at)
        return {"read_model": size * rows}
    total = np.zeros(at.size, dtype=np.int64)
    sizes, begin = in_version_order(commits["entity"], state, run.workload.population.weight.size)
    for number in range(consumers):
        mine = refreshes["consumer"] == number
        entity, time, version = (refreshes[name][mine] for name in ("entity", "time", "version"))
        total += _rows(run, entity, time, sizes[begin[entity] + version - 1], at)
    return {"copy": total}


def poll_bytes(requests: Columns, storage: Columns, source: int) -> NDArray[Any]:
    """The bytes of each request, with the whole table for those that were a bulk poll."""
    polls = (requests["kind"] == REQUESTS.index("poll")) & requests["ok"]
    table = storage["component"] == source
    size = np.interp(requests["time"], storage["time"][table], storage["bytes"][table]) if table.any() else 0
    return np.where(polls, size, requests["bytes"]).astype(np.int64)


def rebuild(run: Run, commits: int, entities: int) -> tuple[Any, ...] | None:
    """The load row of rebuilding one copy (or all state) from scratch at the end of the window; None if nothing can be rebuilt.

    Truth kept as events is replayed from the first event; a table is read in bulk, a row an entity.
    """
    if run.pattern.truth == "events":
        count = run.scenario.event_store.history + commits
    elif run.pattern.keeps_copy:
        count = entities
    else:
        return None
    cost = run.scenario.event_store.rebuild
    duration = nanoseconds(cost.base + cost.per_event * count / cost.workers)
    return run.workload.end, LOADS.index("rebuild"), NONE, count, int(duration)
