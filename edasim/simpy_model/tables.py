"""What follows from a run, once it is over: answers from copies, storage over time, the cost of a rebuild."""

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.journal import LOADS, NONE, REQUESTS, committed_rows
from edasim.luck import nanoseconds
from edasim.patterns import KEPT
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import NEVER
from edasim.simpy_model.event_store import history_of
from edasim.simpy_model.run import Run
from edasim.timelines import in_version_order, previous_value, sum_until, value_at

Columns = dict[str, NDArray[Any]]
Ints = NDArray[np.int64]
SAMPLES = 240  # storage is noted so many times, evenly over the run


def answer_from_copy(run: Run, number: int, refreshes: Columns) -> tuple[Ints, Ints, Ints]:
    """Reads of consumer *number* answered by what its copy held when asked; a read model's servers make them wait their turn.

    As `Reader.answers`: when the attempt was made that counts, from the first attempt to the answer, the version seen.
    """
    name = run.scenario.consumers[number].name
    times, entities = run.workload.reads[name]
    asked, latency = times, np.zeros(times.size, dtype=np.int64)
    if run.patterns[number].reads == "read_model":
        asked, latency = asked_in_turn(run, number, times)
    mine = refreshes["consumer"] == number
    seen = value_at(entities, asked, refreshes["entity"][mine], refreshes["time"][mine], refreshes["version"][mine], 0)
    return asked, latency, seen


def asked_in_turn(run: Run, number: int, times: Ints) -> tuple[Ints, Ints]:
    """Reads of a read model made at *times*, whose servers are first come first served (Kiefer and Wolfowitz's recursion, 1955).

    When the attempt was made that was answered within the timeout, or the last one, and from the first attempt until the answer (NONE:
    there was none in time). The next attempt comes a backoff after the timeout; the servers work for all of them.
    """
    reads, consumer = run.scenario.workload.reads, run.scenario.consumers[number]
    service = run.luck.times(f"read model {consumer.name}", run.scenario.read_model.read_time, times.size)
    timeout, backoff = int(nanoseconds(reads.timeout)), int(nanoseconds(consumer.backoff))
    free = [0] * run.scenario.read_model.servers
    asked, latency = times.tolist(), [NONE] * times.size
    pending = [(time, read, 0) for read, time in enumerate(asked)]  # a heap, because it is sorted
    while pending:
        now, read, attempt = heappop(pending)
        done = max(now, free[0]) + service.at(read, attempt)
        heapreplace(free, done)
        asked[read] = now
        if done - now <= timeout:
            latency[read] = done - int(times[read])
        elif attempt < reads.retries:
            heappush(pending, (now + timeout + backoff, read, attempt + 1))
    return np.array(asked, dtype=np.int64), np.array(latency, dtype=np.int64)


@dataclass(frozen=True)
class Held:
    """Messages that somebody holds: of each the change, and from when until when (never, where that is NONE)."""

    change: NDArray[np.int64]
    since: NDArray[np.int64]
    until: NDArray[np.int64]

    def bytes_at(self, sizes: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many bytes are held at each of the times *at*, where each change's message has its size."""
        gone = self.until != NONE
        held = sum_until(self.since, sizes[self.change], at)
        return held - sum_until(self.until[gone], sizes[self.change[gone]], at)


def storage_over_time(run: Run, changes: Columns, refreshes: Columns, messages: Mapping[str, Held], components: tuple[str, ...]) -> Columns:
    """Bytes by component at evenly spaced times up to the end of the window, and at its start. One copy of everything: no replicas.

    *messages* says what the broker holds (`log`), what was parked (`dead_letters`), and what waits to be published (`outbox`, `wal`).
    """
    window = nanoseconds(np.array(run.scenario.window))
    times = np.unique(np.concatenate([np.linspace(0, window[1], SAMPLES).astype(np.int64), window]))
    done = committed_rows(changes)
    commits = {name: values[done] for name, values in changes.items()}
    state = run.workload.state_bytes[done]
    if run.pattern.truth == "table":
        truth = {"source": _rows(run, commits["entity"], commits["committed"], state, times)}
    else:
        truth = _events(run, commits, run.workload.delta_bytes[done], times)
    series = {(component, NONE): run.writers * values for component, values in truth.items()}
    series |= {(component, NONE): held.bytes_at(run.message_bytes, times) for component, held in messages.items()}
    series |= _copies(run, commits, state, refreshes, times)
    return {
        "time": np.tile(times, len(series)),
        "component": np.repeat([components.index(component) for component, _ in series], times.size),
        "bytes": np.concatenate([np.broadcast_to(values, times.shape) for values in series.values()]),
        "consumer": np.repeat([consumer for _, consumer in series], times.size),
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


def in_log(run: Run, topics: list[Broker], read_by: list[NDArray[np.int64]]) -> Held:
    """What the logs of the *topics* hold: until it is too old, pushed out, lost in an outage, or compacted.

    *read_by*: of each topic when each change was done with at every consumer (NEVER if it is not); compaction waits for that.
    """
    retention = int(nanoseconds(run.scenario.broker.retention))
    compaction = run.scenario.broker.compaction
    parts: list[Columns] = []
    for topic, read in zip(topics, read_by, strict=True):
        for log in filter(None, topic.log):
            sequence, change, since, _ = np.fromiter(chain.from_iterable(log), np.int64, 4 * len(log)).reshape(-1, 4).T  # in that order
            until = since + retention
            gone = [topic.gone.get(place, (NEVER, 0))[0] for place in sequence.tolist()] if topic.mortal else NEVER
            until = np.minimum(until, gone)
            if compaction is not None:
                sizes, entity = run.message_bytes[change], run.workload.entities[change]
                until = np.minimum(until, compacted_at(since, entity, sizes, read[change], compaction.min_dirty_ratio))
            parts.append({"change": change, "since": since, "until": until})
    empty: Columns = {name: np.empty(0, dtype=np.int64) for name in ("change", "since", "until")}
    return Held(*(np.concatenate([part[name] for part in [*parts, empty]]) for name in empty))


def compacted_at(
    stored: NDArray[np.int64], entity: NDArray[np.int64], sizes: NDArray[np.int64], read: NDArray[np.int64], dirty_ratio: float
) -> NDArray[np.int64]:
    """When compaction takes each message of one partition (NEVER if it does not); all of shape (messages,), in order of storing.

    The log is compacted as soon as what was stored since the last time is *dirty_ratio* of it (Kafka's min.cleanable.dirty.ratio); then
    the newest message of each entity is kept, and what some consumer has not read: *read* says from when on everybody has.
    """
    until = np.full(stored.size, NEVER)
    newest: dict[int, int] = {}
    superseded: list[int] = []
    clean = dirty = 0
    of_entity, size = entity.tolist(), sizes.tolist()
    for message, now in enumerate(stored.tolist()):
        if of_entity[message] in newest:
            superseded.append(newest[of_entity[message]])
        newest[of_entity[message]] = message
        dirty += size[message]
        if superseded and dirty >= dirty_ratio * (clean + dirty):
            taken = [old for old in superseded if read[old] <= now]
            until[taken] = now
            superseded = [old for old in superseded if read[old] > now]
            clean, dirty = clean + dirty - sum(size[old] for old in taken), 0
    return until


def _copies(run: Run, commits: Columns, state: NDArray[Any], refreshes: Columns, at: NDArray[Any]) -> dict[tuple[str, int], NDArray[Any]]:
    """Bytes of each consumer's copy: rows as of the version held; a read model has its own size per entity."""
    series: dict[tuple[str, int], NDArray[Any]] = {}
    initial = run.workload.population.initial
    sizes, begin = in_version_order(commits["entity"], state, run.workload.population.weight.size)
    usual = round(run.scenario.workload.state_bytes.mean())
    for number, reads in enumerate(run.reads):
        if reads not in KEPT:
            continue
        mine = refreshes["consumer"] == number
        entity, time, version = (refreshes[name][mine] for name in ("entity", "time", "version"))
        if reads == "read_model":
            first = np.unique(entity, return_index=True)[1]  # rows come in order of time
            born = first[entity[first] >= initial]
            rows = initial + sum_until(time[born], np.ones(born.size, dtype=np.int64), at)
            held = round(run.scenario.read_model.bytes_per_entity) * rows
        else:
            size = np.where(version > 0, sizes[np.maximum(begin[entity] + version - 1, 0)], usual) if version.size else version
            held = _rows(run, entity, time, size, at)
        series[reads, number] = held
    return series


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
    elif any(reads in KEPT for reads in run.reads):
        count = entities
    else:
        return None
    cost = run.scenario.event_store.rebuild
    duration = nanoseconds(cost.base + cost.per_event.mean() * count / cost.workers)
    return run.workload.end, LOADS.index("rebuild"), NONE, count, int(duration)
