"""The SimPy model: what it says is what edasim means. One idea a module; `simulate_run` puts the components together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.journal import APPLIED, COLUMNS, IN_FLIGHT, NONE, Journal
from edasim.luck import Luck, nanoseconds
from edasim.patterns import Pattern
from edasim.scenario import Scenario
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import NEVER
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.faults import Downtimes
from edasim.simpy_model.limits import why_not
from edasim.simpy_model.log_group import LogGroup
from edasim.simpy_model.publisher import Publisher
from edasim.simpy_model.readers import Poller, Reader
from edasim.simpy_model.relay import Relay
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source
from edasim.simpy_model.subscribers import SubscriberGroup
from edasim.simpy_model.tables import Held, answer_from_copy, in_log, poll_bytes, rebuild, storage_over_time
from edasim.simpy_model.work_queue import QueueGroup
from edasim.timelines import value_at
from edasim.workload import Workload

COMPONENTS = ("source", "outbox", "wal", "log", "copy", "events", "snapshots", "read_model", "dead_letters")


def simulate_run(scenario: Scenario, pattern: Pattern, workload: Workload, luck: Luck, option: str) -> Journal:
    """The journal of one run. Raises InputError when the scenario asks for something that is not modelled yet."""
    reasons = why_not(scenario, pattern)
    if reasons:
        raise InputError(reasons[0])
    return Model(Run(scenario, pattern, workload, luck)).journal(option)


GROUPS = {"log": LogGroup, "pubsub": SubscriberGroup, "queue": QueueGroup}


class Model:
    """The components of one run, wired as the pattern says: source, publisher, broker, a group and a reader per consumer."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.source = Source(run)
        self.keeps = [self._store(number) for number in range(len(run.patterns))]
        self.groups: dict[int, Group] = {}  # by consumer
        self.readers: dict[int, Reader] = {}
        self.topics: list[Broker] = []  # what the source publishes, then what each consumer republishes
        if any(pattern.sends for pattern in run.patterns):
            self._open_topics()
        self.source.open()
        for number, (keeps, pattern) in enumerate(zip(self.keeps, run.patterns, strict=True)):
            if pattern.reads in ("source", "cache"):
                self.readers[number] = Reader(run, number, self.source, keeps if isinstance(keeps, Cache) else None)
                run.clock.process(self.readers[number].ask())
            elif not pattern.sends:
                assert isinstance(keeps, Copy)
                run.clock.process(Poller(run, number, self.source, keeps).poll())

    def _store(self, number: int) -> Copy | Cache | None:
        pattern = self.run.patterns[number]
        if pattern.reads == "cache":
            return Cache(self.run, number)
        return Copy(self.run, number) if pattern.keeps_copy else None

    def _open_topics(self) -> None:
        """The source's topic, and one for each consumer that others listen to."""
        run = self.run
        downtimes = run.downtimes("broker", run.scenario.broker.outages)
        publish = run.scenario.source.publish or ("subscription" if run.pattern.truth == "events" else "direct")
        listeners = self._join(None, downtimes)
        self.publisher = (Publisher if publish == "direct" else Relay)(run, self.topics[0], listeners)
        self.publisher.source_downtimes = self.source.downtimes
        self.source.publish = self.publisher.on_commit

    def _join(self, upstream: Group | None, downtimes: Downtimes) -> list[Group]:
        """Groups of those that listen to the source, or to the *upstream* consumer; they share a topic."""
        run, of = self.run, None if upstream is None else upstream.settings.name
        topic = "" if of is None else f" of {of}"
        mine = [n for n, consumer in enumerate(run.scenario.consumers) if consumer.listens_to == of and run.patterns[n].sends]
        if mine or of is None:
            self.topics.append(Broker(run, downtimes, topic))
        for number in mine:
            self.groups[number] = GROUPS[run.scenario.broker.kind](run, number, self.topics[-1], self.source, self.keeps[number])
            self.groups[number].upstream = upstream
        joined = [self.groups[number] for number in mine]
        if upstream is not None and joined:
            upstream.republish = Publisher(run, self.topics[-1], joined, topic).on_commit
        for group in joined:
            self._join(group, downtimes)
        return joined

    def journal(self, option: str) -> Journal:
        """Run to the end of the drain and write down what happened."""
        run = self.run
        run.clock.run(until=run.horizon)
        for keeps in self.keeps:
            if isinstance(keeps, Cache):
                keeps.expire_all(run.horizon)
        for group in self.groups.values():
            group.close()
        changes = self._changes()
        refreshes = run.refreshes.table()
        requests = self._requests(changes)
        deliveries = self._deliveries(changes)
        storage = storage_over_time(run, changes, refreshes, self._messages(changes, deliveries), COMPONENTS)
        requests["bytes"] = self._request_bytes(requests, storage)
        return Journal(
            facts=self._facts(option),
            changes=changes,
            refreshes=refreshes,
            deliveries=deliveries,
            reads=self._reads(changes, refreshes),
            requests=requests,
            storage=storage,
            faults=self._faults(),
            loads=self._loads(changes),
            conflicts={},
            entities={
                "weight": run.workload.population.weight,
                "born": run.workload.population.born,
                "silent": run.workload.population.silent,
            },
        )

    def _facts(self, option: str) -> dict[str, Any]:
        run, scenario = self.run, self.run.scenario
        start, end = (int(moment) for moment in nanoseconds(np.array(scenario.window)))
        return {
            "scenario": scenario.name,
            "option": option,
            "pattern": run.pattern.name,
            "engine": "simpy",
            "seed": run.luck.seed,
            "replication": run.luck.replication,
            "window": [start, end],
            "horizon": run.horizon,
            "consumers": [consumer.name for consumer in scenario.consumers],
            "components": {"storage": list(COMPONENTS), "faults": list(run.faults)},
            "sends": [pattern.sends for pattern in run.patterns],  # by consumer, as are the next two
            "reads": [pattern.reads for pattern in run.patterns],
            "listens_to": [c.listens_to if pattern.sends else None for c, pattern in zip(scenario.consumers, run.patterns, strict=True)],
            "partitions": scenario.broker.partitions if scenario.broker.kind == "log" and self.topics else 0,
            "servers": scenario.source.servers,
            "own_after": int(nanoseconds(scenario.workload.reads.own_after)),
            "initial_entities": run.workload.population.initial,
            "notes": list(run.workload.notes),
        }

    def _changes(self) -> dict[str, NDArray[Any]]:
        run, sends = self.run, bool(self.topics)
        return {
            "time": run.workload.times,
            "entity": run.workload.entities,
            "version": np.array(self.source.version, dtype=np.int64),
            "region": np.zeros(run.changes, dtype=np.int64),
            "bytes": run.message_bytes,
            "committed": np.array(self.source.committed, dtype=np.int64),
            "publish_attempts": np.array(self.publisher.attempts if sends else run.column(0), dtype=np.int64),
            "acknowledged": np.array(self.publisher.acknowledged if sends else run.column(NONE), dtype=np.int64),
        }

    def _messages(self, changes: dict[str, NDArray[Any]], deliveries: dict[str, NDArray[Any]]) -> dict[str, Held]:
        """Who holds messages: the broker, the dead letters, and the outbox (or the database's log) until they are acknowledged."""
        run = self.run
        held: dict[str, Held] = {}
        if not self.topics:
            return held
        if run.scenario.broker.kind == "log":
            held["log"] = in_log(run, self.topics, [self._read_by(topic, deliveries) for topic in self.topics])
        elif run.scenario.broker.kind == "queue":
            waits = np.flatnonzero((deliveries["stored"] != NONE) & np.isin(deliveries["outcome"], (APPLIED, IN_FLIGHT)))
            held["log"] = Held(*(deliveries[name][waits] for name in ("change", "stored", "applied")))
        publish = run.scenario.source.publish
        if publish in ("outbox", "cdc"):
            left = np.flatnonzero(changes["committed"] != NONE)
            held["outbox" if publish == "outbox" else "wal"] = Held(left, changes["committed"][left], changes["acknowledged"][left])
        parked = np.array([row for group in self.groups.values() for row in group.parked], dtype=np.int64).reshape(-1, 2)
        if parked.size:
            held["dead_letters"] = Held(parked[:, 1], parked[:, 0], np.full(len(parked), NONE))
        return held

    def _read_by(self, topic: Broker, deliveries: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
        """When each change was done with at every group that reads the topic; NEVER where it is not yet."""
        read = np.zeros(self.run.changes, dtype=np.int64)
        for number, group in self.groups.items():
            if group.broker is topic:
                mine = deliveries["consumer"] == number
                change, applied = deliveries["change"][mine], deliveries["applied"][mine]
                waits = (deliveries["outcome"][mine] == IN_FLIGHT) & (applied == NONE)
                read[change] = np.maximum(read[change], np.where(waits, NEVER, applied))
        return read

    def _deliveries(self, changes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        committed = np.flatnonzero(changes["committed"] != NONE)
        parts = [
            {
                "change": committed,
                "consumer": np.full(committed.size, number),
                "bytes": self.run.bytes_of(self.run.patterns[number].carries)[committed],
                **self.groups[number].fates(committed),
            }
            for number in sorted(self.groups)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS["deliveries"]} if parts else {}

    def _reads(self, changes: dict[str, NDArray[Any]], refreshes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        done = np.flatnonzero(changes["committed"] != NONE)
        commits = {name: changes[name][done] for name in ("entity", "committed", "version")}
        parts = []
        for number, consumer in enumerate(self.run.scenario.consumers):
            times, entities = self.run.workload.reads[consumer.name]
            true = value_at(entities, times, commits["entity"], commits["committed"], commits["version"], 0)
            if number in self.readers:
                reader = self.readers[number]
                cached, answered = np.array(reader.cached, dtype=np.int64), np.array(reader.answered, dtype=bool)
                answers = {
                    "answered": answered,
                    "latency": np.array(reader.latency, dtype=np.int64),
                    "version_seen": np.where(answered, np.where(cached == NONE, true, cached), NONE),
                }
            else:
                answers = answer_from_copy(self.run, number, refreshes)
            asked = {"time": times, "entity": entities, "consumer": np.full(times.size, number), "asked": times, "version_true": true}
            parts.append({**asked, **answers})
        return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS["reads"]}

    def _request_bytes(self, requests: dict[str, NDArray[Any]], storage: dict[str, NDArray[Any]]) -> NDArray[Any]:
        asked = (requests["kind"] > 0) & requests["ok"]
        requests["bytes"] = np.where(asked, round(self.run.scenario.workload.state_bytes.mean()), 0)
        return poll_bytes(requests, storage, COMPONENTS.index("source"))

    def _requests(self, changes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Writes, then everything else that was asked of the source."""
        asked = self.run.requests.table()
        ended = np.array(self.source.ended, dtype=np.int64)
        arrived = ended != NONE
        writes = {
            "time": changes["time"],
            "kind": np.zeros(ended.size, dtype=np.int8),
            "latency": ended - changes["time"],
            "ok": changes["committed"] != NONE,
            "service": np.array(self.source.service, dtype=np.int64),
            "bytes": np.zeros(ended.size, dtype=np.int64),
        }
        return {name: np.concatenate([writes[name][arrived], asked[name]]) for name in COLUMNS["requests"]}

    def _loads(self, changes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        before_end = changes["committed"] < self.run.workload.end
        done = (changes["committed"] != NONE) & before_end
        born = np.unique(changes["entity"][done & (changes["entity"] >= self.run.workload.population.initial)]).size
        row = rebuild(self.run, int(done.sum()), self.run.workload.population.initial + born)
        if row is not None:
            self.run.loads.add(row)
        return self.run.loads.table()

    def _faults(self) -> dict[str, Any]:
        rows = [(number, *interval) for number, name in enumerate(self.run.faults) for interval in self.run.faults[name].intervals]
        return dict(zip(COLUMNS["faults"], zip(*rows, strict=True), strict=True)) if rows else {}
