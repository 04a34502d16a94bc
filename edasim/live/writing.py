"""The journal of a measured run: what happened, in the columns of a simulated one, so that the same metrics read both."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.facts import facts_of
from edasim.afterwards.journal import commits_of, faults_of, reads_of
from edasim.afterwards.own_reads import own_reads
from edasim.afterwards.tables import answer_from_copy
from edasim.faults import Downtimes
from edasim.journal import COLUMNS, NONE, WAYS, Journal
from edasim.live.copied import refresh
from edasim.live.course import Happened
from edasim.live.outcomes import Rules, Sent, deliveries, first_times
from edasim.live.records import BEGUN, ENDED, RELAYED
from edasim.luck import nanoseconds
from edasim.partitions import owners, partition_of_each
from edasim.patterns import way_out
from edasim.simpy_model.run import Run
from edasim.units import NANOSECONDS

Columns = dict[str, NDArray[Any]]
Ints = NDArray[np.int64]
LATE_S = 0.01  # a publisher that is further behind says so


def journal_of(run: Run, option: str, happened: Happened, *, commits: bool, measured: Mapping[str, Any]) -> Journal:
    """The journal. *commits*: a confirmation is the commit of its change; *measured*: on what, for the facts."""
    run.horizon = max(run.horizon, happened.end + 1)
    for name, spans in happened.down.items():
        run.faults[name] = Downtimes(spans)
    sent = _sent(run, happened, commits=commits)
    changes = _changes(run, happened, sent)
    for number, records in happened.records.items():
        refresh(run, number, records.of(ENDED), changes["version"])
    refreshes = run.refreshes.table()
    return Journal(
        facts=_facts(run, option, happened, measured),
        changes=changes,
        refreshes=refreshes,
        deliveries=_joined("deliveries", [_deliveries(run, number, happened, sent) for number in happened.records]),
        reads=_joined("reads", [_reads(run, number, changes, refreshes) for number in happened.records if run.reads[number] != "nothing"]),
        own_reads=own_reads(run, {}, changes, refreshes),
        requests={},
        storage=_storage(happened),
        faults=faults_of(run),
        loads=_loads(happened),
        exchanges={},
        conflicts={},
        snapshots={},
        snapshot_contents={},
        rebuilds=_rebuilds(happened),
        entities={
            "history": run.history,
            "weight": run.workload.population.weight,
            "born": run.workload.population.born,
            "silent": run.workload.population.silent,
        },
    )


def _joined(table: str, parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS[table]} if parts else {}


def _since(stamps: list[int], origin: int) -> Ints:
    """Stamps of the clock as times of the run; NONE stays."""
    found = np.array(stamps, dtype=np.int64)
    return np.where(found == NONE, NONE, found - origin)


def _sent(run: Run, happened: Happened, *, commits: bool) -> Sent:
    """What the publisher, or the relay, knows of each change. A change that was handled has committed, confirmed or not."""
    publisher, origin, count = happened.publisher, happened.origin, run.changes
    turn, sent, stored = (_since(stamps, origin) for stamps in (publisher.turn, publisher.sent, publisher.stored))
    committed, gave_up = turn, np.array(publisher.gave_up, dtype=bool)
    if commits:
        begun = np.full(count, NONE)
        for records in happened.records.values():
            first = first_times(records.of(BEGUN), count)
            begun = np.where((begun == NONE) | ((first != NONE) & (first < begun)), first, begun)
        committed = np.where(stored == NONE, begun, np.where(begun == NONE, stored, np.minimum(stored, begun)))
        gave_up = np.zeros(count, dtype=bool)  # whoever commits has told of it
        sent = committed
    if way_out(run.pattern, run.scenario) == "outbox":
        sent = stored = first_times(happened.relayed.of(RELAYED), count)
    return Sent(
        committed=committed,
        sent=sent,
        confirmed=stored,
        refused=np.array(publisher.refused, dtype=bool),
        gave_up=gave_up,
        reached=np.array(publisher.reached, dtype=bool),
        blind=run.scenario.source.producer.acks == 0 and not commits,
    )


def _changes(run: Run, happened: Happened, sent: Sent) -> Columns:
    publisher, relayed = happened.publisher, happened.relayed.of(RELAYED)
    by_relay = way_out(run.pattern, run.scenario) == "outbox"
    return {
        "time": run.workload.times,
        "entity": run.workload.entities,
        "version": versions_of(run.workload.entities, sent.committed),
        "region": run.workload.regions,
        "bytes": run.message_bytes,
        "committed": sent.committed,
        "publish_attempts": np.bincount(relayed.change, minlength=run.changes) if by_relay else np.array(publisher.attempts),
        "acknowledged": sent.confirmed if by_relay else _since(publisher.acknowledged, happened.origin),
        "item": run.workload.items,
        "quantity": run.workload.quantities,
    }


def versions_of(entities: Ints, committed: Ints) -> Ints:
    """Each change's version of its entity, from 1, in the order of commits; NONE for what did not commit."""
    order = np.lexsort((np.arange(entities.size), committed, entities))
    order = order[committed[order] != NONE]
    begins = np.append(True, entities[order][1:] != entities[order][:-1]) if order.size else np.empty(0, dtype=bool)
    place = np.arange(order.size)
    versions = np.full(entities.size, NONE)
    versions[order] = place - np.maximum.accumulate(np.where(begins, place, 0)) + 1
    return versions


def _rules(run: Run, number: int, happened: Happened) -> Rules:
    broker, consumer = run.scenario.broker, run.scenario.consumers[number]
    return Rules(
        kind=broker.kind,
        horizon=run.horizon,
        over=happened.over,
        retention=int(nanoseconds(broker.retention)),
        drops_oldest=broker.kind == "queue" and broker.max_length is not None and broker.overflow == "drop_oldest",
        durable=broker.durable,
        broker_down=tuple(happened.down.get("broker", ())),
        down={instance: happened.down.get(f"{consumer.name} {instance}", ()) for instance in range(consumer.instances)},
    )


def _deliveries(run: Run, number: int, happened: Happened, sent: Sent) -> Columns:
    found = deliveries(sent, happened.records[number], happened.waiting[number], _rules(run, number, happened), _owner(run, number))
    committed = np.flatnonzero(sent.committed != NONE)
    return {
        "change": committed,
        "consumer": np.full(committed.size, number),
        "bytes": run.message_bytes[committed],
        **{name: column[committed] for name, column in found.items()},
    }


def _owner(run: Run, number: int) -> Ints:
    """The instance whose partitions hold each change's entity."""
    partitions = run.scenario.broker.partitions
    instance = owners(partitions, run.scenario.consumers[number].instances)
    return instance[partition_of_each(run.workload.population.weight.size, partitions)[run.workload.entities]]


def _reads(run: Run, number: int, changes: Columns, refreshes: Columns) -> Columns:
    """Reads are evaluated from what the copy held, as in the simulation: nobody makes them."""
    return reads_of(run, number, answer_from_copy(run, number, refreshes), commits_of(changes))


def _storage(happened: Happened) -> Columns:
    times, sizes = (np.array([row[place] for row in happened.stored], dtype=np.int64) for place in (0, 1))
    return {"time": times, "component": np.zeros(times.size), "bytes": sizes, "consumer": np.full(times.size, NONE)}


def _loads(happened: Happened) -> Columns:
    rows = [(when - happened.origin, 0, entity, events, took) for when, entity, events, took in happened.publisher.loads]
    return dict(zip(COLUMNS["loads"], np.array(rows, dtype=np.int64).reshape(-1, 5).T, strict=True))


def _rebuilds(happened: Happened) -> Columns:
    """A log that was read as a whole after the run; how long it takes while changes go on was not measured."""
    if happened.replay is None:
        return {}
    items, took = happened.replay
    row = {"way": WAYS.index("log"), "items": items, "missing": NONE, "duration": took, "backlog": NONE, "catch_up": NONE, "seen": False}
    return {name: np.array([value]) for name, value in row.items()}


def _facts(run: Run, option: str, happened: Happened, measured: Mapping[str, Any]) -> dict[str, Any]:
    """As of a simulated run; whatever can happen to a message on a real broker may."""
    facts = facts_of(run, option, ("log",), 1, publishes=True, engine="measured")
    possible = dict.fromkeys(("can_lose", "can_repeat", "can_come_late"), facts["sends"])
    turn = _since(happened.publisher.turn, happened.origin)
    had = turn != NONE
    late = (turn[had] - run.workload.times[had]).max(initial=0) / NANOSECONDS
    said = [f"The publisher was up to {late:.3g} s behind its own times."] if late > LATE_S else []
    if happened.publisher.losses and "broker" not in happened.down:
        said.append(f"Connections to the broker that were lost in none of the scenario's outages: {happened.publisher.losses}.")
    return {**facts, **possible, "servers": 0, "notes": [*facts["notes"], *said], "measured": dict(measured)}


def machine() -> dict[str, Any]:
    """What it was measured on, without its name: CPU model, cores, memory in bytes, operating system; and when."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
