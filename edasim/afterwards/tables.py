"""What follows from a run, once it is over: answers from copies, and storage over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.events import stored_over_time
from edasim.afterwards.found import Answers, Topic
from edasim.afterwards.inputs import Inputs
from edasim.journal import NONE, REQUESTS, committed_rows, rows_in_time, rows_of
from edasim.luck import nanoseconds
from edasim.patterns import KEPT
from edasim.timelines import in_version_order, previous_value, sum_until, value_at

Columns = dict[str, NDArray[Any]]
Ints = NDArray[np.int64]
SAMPLES = 240  # storage is noted so many times, evenly over the run


def answer_from_copy(run: Inputs, number: int, refreshes: Columns) -> Answers:
    """Reads of consumer *number* answered by what its copy held when asked; a read model's servers make them wait their turn."""
    name = run.scenario.consumers[number].name
    times, entities = run.workload.reads[name]
    asked, latency = times, np.zeros(times.size, dtype=np.int64)
    if run.patterns[number].reads == "read_model":
        asked, latency = asked_in_turn(run, number, times)
    held = rows_of(refreshes, number)
    seen = value_at(entities, asked, held["entity"], held["time"], held["version"], 0)
    return Answers(asked, latency, seen)


def asked_in_turn(run: Inputs, number: int, times: Ints) -> tuple[Ints, Ints]:
    """Reads of a read model made at *times*, whose servers are first come first served (Kiefer and Wolfowitz's recursion, 1955).

    When the attempt was made that was answered within the timeout, or the last one, and from the first attempt until the answer (NONE:
    there was none in time). The next attempt comes a backoff after the timeout; the servers work for all of them.
    """
    from edasim.compiled.sorting import whole
    from edasim.compiled.turns import take_turns

    reads, consumer = run.scenario.workload.reads, run.scenario.consumers[number]
    service = run.luck.times(f"read model {consumer.name}", run.scenario.read_model.read_time, times.size)
    timeout, backoff = int(nanoseconds(reads.timeout)), int(nanoseconds(consumer.backoff))
    asked, latency, next_service = times.copy(), np.full(times.size, NONE), service.values.copy()
    left, again = np.full(times.size, reads.retries), np.empty(times.size, dtype=np.int64)
    free, at = np.zeros(run.scenario.read_model.servers, dtype=np.int64), np.zeros(3, dtype=np.int64)
    limits = np.array([timeout, backoff])
    while not take_turns(whole(times), next_service, asked, latency, left, free, again, at, limits):
        for read in np.flatnonzero(next_service == NONE).tolist():
            next_service[read] = service.at(read, reads.retries - int(left[read]))
    return asked, latency


@dataclass(frozen=True)
class Held:
    """Messages that somebody holds: of each the change, and from when until when (never, where that is NONE)."""

    change: NDArray[np.int64]
    since: NDArray[np.int64]
    until: NDArray[np.int64]

    @classmethod
    def nothing(cls) -> "Held":
        """No messages."""
        return cls(*(np.empty(0, dtype=np.int64) for _ in range(3)))

    @classmethod
    def joined(cls, parts: "Sequence[Held]") -> "Held":
        """The messages of all *parts*."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("change", "since", "until")))

    def bytes_at(self, sizes: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many bytes are held at each of the times *at*, where each change's message has its size."""
        gone = self.until != NONE
        held = sum_until(self.since, sizes[self.change], at)
        return held - sum_until(self.until[gone], sizes[self.change[gone]], at)


def storage_over_time(
    run: Inputs, changes: Columns, refreshes: Columns, snapshots: Columns, messages: Mapping[str, Held], components: tuple[str, ...]
) -> Columns:
    """Bytes by component at evenly spaced times up to the end of the window, and at its start. One copy of everything: no replicas.

    *messages* says what the broker holds (`log`), what was parked (`dead_letters`), and what waits to be published (`outbox`, `wal`).
    """
    window = nanoseconds(np.array(run.scenario.window))
    times = np.unique(np.concatenate([np.linspace(0, window[1], SAMPLES).astype(np.int64), window]))
    done = rows_in_time(changes, committed_rows(changes))
    commits = {name: changes[name][done] for name in ("entity", "committed", "version")}
    state = run.workload.state_bytes[done]
    if run.pattern.truth == "table":
        truth = {"source": _rows(run, commits["entity"], commits["committed"], state, times)}
    else:
        mine = {name: values[snapshots["region"] == 0] for name, values in snapshots.items()}
        truth = stored_over_time(run, commits, run.workload.delta_bytes[done], mine, times)
    series = {(component, NONE): run.writers * values for component, values in truth.items()}
    series |= {(component, NONE): held.bytes_at(run.message_bytes, times) for component, held in messages.items()}
    series |= _copies(run, commits, state, refreshes, times)
    return {
        "time": np.tile(times, len(series)),
        "component": np.repeat([components.index(component) for component, _ in series], times.size),
        "bytes": np.concatenate([np.broadcast_to(values, times.shape) for values in series.values()]),
        "consumer": np.repeat([consumer for _, consumer in series], times.size),
    }


def _rows(run: Inputs, entity: NDArray[Any], time: NDArray[Any], size: NDArray[Any], at: NDArray[Any]) -> NDArray[Any]:
    """Bytes of a table that holds the newest state: the row is there from the start for entities that exist then."""
    usual = round(run.scenario.workload.state_bytes.mean())
    before = previous_value(entity, size, np.where(entity < run.workload.population.initial, usual, 0))
    return usual * run.workload.population.initial + sum_until(time, size - before, at)


def in_log(run: Inputs, topic: Topic, read: NDArray[np.int64]) -> Held:
    """What the log of *topic* holds: until it is too old, pushed out, lost in an outage, or compacted.

    *read*: when each change was done with at every consumer of it (NEVER if it is not); compaction waits for that.
    """
    retention = int(nanoseconds(run.scenario.broker.retention))
    compaction = run.scenario.broker.compaction
    parts = [Held.nothing()]
    for log, gone in zip(topic.log, topic.gone, strict=True):
        change, since = log[:, 1], log[:, 2]
        until = np.minimum(since + retention, gone)
        if compaction is not None:
            sizes, entity = run.message_bytes[change], run.workload.entities[change]
            until = compacted_at(since, entity, sizes, read[change], until, compaction.min_dirty_ratio)
        parts.append(Held(change, since, until))
    return Held.joined(parts)


def compacted_at(stored: Ints, entity: Ints, sizes: Ints, read: Ints, gone: Ints, dirty_ratio: float) -> Ints:
    """Until when each message of one partition is there, compaction included; all of shape (messages,), in order of storing.

    *gone*: when it goes anyway, because it is too old or was lost. The log is compacted as soon as what was stored since the last time is
    *dirty_ratio* of what is there (Kafka's min.cleanable.dirty.ratio); then the newest message of each entity is kept, and what some
    consumer has not read: *read* says from when on everybody has.
    """
    until, size, of_entity, ends = gone.copy(), sizes.tolist(), entity.tolist(), gone.tolist()
    leaving = iter(np.argsort(gone, kind="stable").tolist())
    leaves = next(leaving, None)
    there, newest, superseded = bytearray(stored.size), dict[int, int](), list[int]()
    cleaned = clean = dirty = 0  # messages that came before the last compaction; bytes of those that are there, and of later ones
    for message, now in enumerate(stored.tolist()):
        while leaves is not None and ends[leaves] <= now:
            if there[leaves]:
                there[leaves] = 0
                clean, dirty = (clean - size[leaves], dirty) if leaves < cleaned else (clean, dirty - size[leaves])
            leaves = next(leaving, None)
        if of_entity[message] in newest:
            superseded.append(newest[of_entity[message]])
        newest[of_entity[message]], there[message] = message, ends[message] > now
        dirty += size[message] * there[message]
        if superseded and dirty >= dirty_ratio * (clean + dirty) and (superseded := [old for old in superseded if there[old]]):
            taken = [old for old in superseded if read[old] <= now]
            until[taken] = now
            for old in taken:
                there[old] = 0
            superseded = [old for old in superseded if read[old] > now]
            cleaned, clean, dirty = message + 1, clean + dirty - sum(size[old] for old in taken), 0
    return until


def _copies(
    run: Inputs, commits: Columns, state: NDArray[Any], refreshes: Columns, at: NDArray[Any]
) -> dict[tuple[str, int], NDArray[Any]]:
    """Bytes of each consumer's copy: rows as of the version held; a read model has its own size per entity."""
    series: dict[tuple[str, int], NDArray[Any]] = {}
    initial = run.workload.population.initial
    sizes, begin = in_version_order(commits["entity"], state, run.workload.population.weight.size)
    usual = round(run.scenario.workload.state_bytes.mean())
    for number, reads in enumerate(run.reads):
        if reads not in KEPT:
            continue
        mine = rows_of(refreshes, number)
        entity, time, version = (mine[name] for name in ("entity", "time", "version"))
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
    table, found = storage["component"] == source, requests["bytes"].copy()
    found[polls] = np.interp(requests["time"][polls], storage["time"][table], storage["bytes"][table]) if table.any() else 0
    return found
