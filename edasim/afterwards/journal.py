"""The journal's tables, from what an engine found."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.facts import facts_of
from edasim.afterwards.found import FRESH, Answers, Found
from edasim.afterwards.inputs import Inputs
from edasim.afterwards.own_reads import own_reads
from edasim.afterwards.rebuilds import rebuilds
from edasim.afterwards.tables import Held, answer_from_copy, in_log, poll_bytes, storage_over_time
from edasim.faults import NEVER, Downtimes
from edasim.journal import APPLIED, COLUMNS, IN_FLIGHT, NONE, POISON, Journal, committed_rows, rows_in_time
from edasim.timelines import value_at

Columns = dict[str, NDArray[Any]]
COMPONENTS = ("source", "outbox", "wal", "log", "copy", "events", "snapshots", "archive", "read_model", "dead_letters")


def journal_of(run: Inputs, found: Found, option: str, engine: str) -> Journal:
    """The journal of a run of *option* in which the *engine* found this."""
    for number, group in found.groups.items():
        run.faults[f"{run.scenario.consumers[number].name}{POISON}"] = Downtimes(group.poisoned)
    changes, refreshes = _changes(run, found), _by_consumer(run, found)
    later = _Later(run, found, changes, refreshes, _deliveries(run, found, changes))
    tables: dict[str, Any] = {
        "changes": changes,
        "refreshes": refreshes,
        "deliveries": later.deliveries,
        "faults": faults_of(run),
        "entities": {
            "history": run.history,
            "weight": run.workload.population.weight,
            "born": run.workload.population.born,
            "silent": run.workload.population.silent,
        },
        **{name: getattr(found, name) for name in ("loads", "exchanges", "conflicts", "snapshots", "snapshot_contents")},
        **{name: getattr(later, name) for name in ("reads", "own_reads", "requests", "storage", "rebuilds")},
    }
    return Journal(facts_of(run, option, COMPONENTS, found.sources, publishes=bool(found.topics), engine=engine), **tables)


@dataclass(frozen=True)
class _Later:
    """Tables that are made when somebody looks at them, from those that are always there."""

    run: Inputs
    found: Found
    changes: Columns
    refreshes: Columns
    deliveries: Columns

    @cached_property
    def logs(self) -> list[Held]:
        """What the broker's log holds of each topic."""
        return _logs(self.run, self.found, self.deliveries)

    def storage(self) -> Columns:
        """Storage over time."""
        return self._storage

    @cached_property
    def _storage(self) -> Columns:
        messages = _messages(self.run, self.found, self.changes, self.deliveries, self.logs)
        return storage_over_time(self.run, self.changes, self.refreshes, dict(self.found.snapshots), messages, COMPONENTS)

    def reads(self) -> Columns:
        """Reads of all consumers."""
        return _reads(self.run, self.found, self.changes, self.refreshes)

    def own_reads(self) -> Columns:
        """Reads of what one wrote."""
        return {**own_reads(self.run, self.found.own_reads, self.changes, self.refreshes)}

    def requests(self) -> Columns:
        """What was asked of the source."""
        requests = _requests(self.run, self.found, self.changes)
        requests["bytes"] = _request_bytes(self.run, requests, self._storage)
        return requests

    def rebuilds(self) -> Columns:
        """What rebuilding a copy takes."""
        return rebuilds(self.run, self.changes, self.logs[0] if self.logs else None)


def _changes(run: Inputs, found: Found) -> Columns:
    nobody = np.full(run.changes, NONE)
    return {
        "time": run.workload.times,
        "entity": run.workload.entities,
        "version": found.version,
        "region": run.workload.regions,
        "bytes": run.message_bytes,
        "committed": found.committed,
        "publish_attempts": np.zeros(run.changes, dtype=np.int64) if found.publish_attempts is None else found.publish_attempts,
        "acknowledged": nobody if found.acknowledged is None else found.acknowledged,
        "item": run.workload.items,
        "quantity": run.workload.quantities,
    }


def _by_consumer(run: Inputs, found: Found) -> Columns:
    """Refreshes by consumer, those of each as they happened: what happens at different consumers at the same time has no order."""
    from edasim.compiled.sorting import all_in_order, stable_order

    if all_in_order(found.refreshes["consumer"]):
        return {**found.refreshes}
    order = stable_order(found.refreshes["consumer"])
    return {name: values[order] for name, values in found.refreshes.items()}


def _logs(run: Inputs, found: Found, deliveries: Columns) -> list[Held]:
    """What the broker's log holds of each topic, that of the source first; nothing where it is no log."""
    if run.scenario.broker.kind != "log":
        return []
    return [in_log(run, topic, _read_by(run, found, place, deliveries)) for place, topic in enumerate(found.topics)]


def _messages(run: Inputs, found: Found, changes: Columns, deliveries: Columns, logs: list[Held]) -> dict[str, Held]:
    """Who holds messages: the broker, the dead letters, and the outbox (or the database's log) until they are acknowledged."""
    held: dict[str, Held] = {}
    if not found.topics:
        return held
    if logs:
        held["log"] = Held.joined(logs)
    elif run.scenario.broker.kind == "queue":
        waits = np.flatnonzero((deliveries["stored"] != NONE) & np.isin(deliveries["outcome"], (APPLIED, IN_FLIGHT)))
        held["log"] = Held(*(deliveries[name][waits] for name in ("change", "stored", "applied")))
    publish = run.scenario.source.publish
    if publish in ("outbox", "cdc"):
        left = np.flatnonzero(changes["committed"] != NONE)
        held["outbox" if publish == "outbox" else "wal"] = Held(left, changes["committed"][left], changes["acknowledged"][left])
    parked = np.concatenate([np.empty((0, 2), dtype=np.int64), *(group.parked for group in found.groups.values())])
    if parked.size:
        held["dead_letters"] = Held(parked[:, 1], parked[:, 0], np.full(len(parked), NONE))
    return held


def _read_by(run: Inputs, found: Found, topic: int, deliveries: Columns) -> NDArray[np.int64]:
    """When each change was done with at every group that reads the topic; NEVER where it is not yet."""
    read = np.zeros(run.changes, dtype=np.int64)
    for number, group in found.groups.items():
        if group.topic == topic:
            mine = deliveries["consumer"] == number
            change, applied = deliveries["change"][mine], deliveries["applied"][mine]
            waits = (deliveries["outcome"][mine] == IN_FLIGHT) & (applied == NONE)
            read[change] = np.maximum(read[change], np.where(waits, NEVER, applied))
    return read


def _outcome(found: Found, number: int) -> NDArray[np.int64]:
    """What became of each change at a consumer. What never came there met its fate upstream."""
    group = found.groups[number]
    if group.upstream is None:
        return group.outcome
    before = _outcome(found, group.upstream)
    return np.where((group.applied != NONE) | (before == APPLIED), group.outcome, before)


def _deliveries(run: Inputs, found: Found, changes: Columns) -> Columns:
    """Of each consumer in turn all changes that committed."""
    committed = np.flatnonzero(changes["committed"] != NONE)
    rows = slice(None) if committed.size == run.changes else committed
    table: Columns = {name: np.empty(len(found.groups) * committed.size, dtype=dtype) for name, dtype in COLUMNS["deliveries"].items()}
    for place, (number, group) in enumerate(sorted(found.groups.items())):
        mine = {name: column[place * committed.size : (place + 1) * committed.size] for name, column in table.items()}
        handled = group.applied[rows] != NONE
        mine["change"][:] = committed
        mine["consumer"][:] = number
        mine["bytes"][:] = run.bytes_of(run.patterns[number].carries)[rows]
        mine["outcome"][:] = APPLIED if group.upstream is None and handled.all() else _outcome(found, number)[rows]
        np.add(group.repeats[rows], handled, out=mine["copies"])
        for name in ("stored", "delivered", "applied", "attempts"):
            mine[name][:] = getattr(group, name)[rows]
    return table


def _reads(run: Inputs, found: Found, changes: Columns, refreshes: Columns) -> Columns:
    commits, parts = commits_of(changes), []
    for number, reads in enumerate(run.reads):
        if reads != "nothing":
            answers = found.answers[number] if number in found.answers else answer_from_copy(run, number, refreshes)
            parts.append(reads_of(run, number, answers, commits))
    return _joined("reads", parts)


def commits_of(changes: Columns) -> Columns:
    """Entity, time and version of each commit, in order of time."""
    done = rows_in_time(changes, committed_rows(changes))
    return {name: changes[name][done] for name in ("entity", "committed", "version")}


def reads_of(run: Inputs, number: int, answers: Answers, commits: Columns) -> Columns:
    """The rows of consumer *number* in the journal's reads: how each was answered, beside what was true by the *commits*."""
    times, entities = run.workload.reads[run.scenario.consumers[number].name]
    answered = answers.latency != NONE
    true = value_at(entities, answers.asked, commits["entity"], commits["committed"], commits["version"], 0)
    seen = np.where(answers.seen == FRESH, true, answers.seen) if run.reads[number] in ("source", "cache") else answers.seen
    return {
        "time": times,
        "entity": entities,
        "consumer": np.full(times.size, number),
        "asked": answers.asked,
        "answered": answered,
        "latency": answers.latency,
        "version_seen": seen if answered.all() else np.where(answered, seen, NONE),
        "version_true": true,
    }


def _joined(table: str, parts: list[Columns]) -> Columns:
    """The rows of all *parts*, one after the other; a single one is not copied."""
    if len(parts) < 2:
        return parts[0] if parts else {}
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS[table]}


def _request_bytes(run: Inputs, requests: Columns, storage: Columns) -> NDArray[Any]:
    asked = (requests["kind"] > 0) & requests["ok"]
    requests["bytes"] = np.where(asked, round(run.scenario.workload.state_bytes.mean()), 0)
    return poll_bytes(requests, storage, COMPONENTS.index("source"))


def _requests(run: Inputs, found: Found, changes: Columns) -> Columns:
    """Writes, then everything else that was asked of the source. The answer to a write that another region sent has to travel back."""
    arrived, ended = found.ended != NONE, found.ended
    if run.writers == 1 and run.workload.regions.any():
        back = run.luck.times("write back", run.scenario.network.latency.call, run.changes).values
        ended = ended + np.where((run.workload.regions > 0) & (changes["committed"] != NONE), back, 0)
    refused = (changes["committed"] == NONE) & (run.pattern.truth == "table")  # a command that gave up has worked all the same
    writes = {
        "time": changes["time"],
        "kind": np.zeros(ended.size, dtype=np.int8),
        "latency": ended - changes["time"],
        "ok": changes["committed"] != NONE,
        "service": np.where(refused, 0, found.service),
        "bytes": np.zeros(ended.size, dtype=np.int64),
    }
    return {name: np.concatenate([writes[name][arrived], found.requests[name]]) for name in COLUMNS["requests"]}


def faults_of(run: Inputs) -> Columns:
    """When the components of a run were down."""
    rows = [(number, *interval) for number, name in enumerate(run.faults) for interval in run.faults[name].intervals]
    return dict(zip(COLUMNS["faults"], np.array(rows, dtype=np.int64).reshape(-1, 3).T, strict=True))
