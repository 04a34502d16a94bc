"""The SimPy model: what it says is what edasim means. One idea a module; `simulate_run` puts the components together."""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.journal import APPLIED, COLUMNS, IN_FLIGHT, NONE, POISON, Journal, committed_rows
from edasim.luck import Luck
from edasim.patterns import KEPT, Pattern, way_out
from edasim.scenario import Scenario
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import NEVER
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.facts import facts_of
from edasim.simpy_model.faults import Downtimes
from edasim.simpy_model.limits import why_not
from edasim.simpy_model.log_group import LogGroup
from edasim.simpy_model.own_reads import asking, own_reads
from edasim.simpy_model.publisher import Publisher
from edasim.simpy_model.readers import FRESH, Poller, Reader
from edasim.simpy_model.rebuilds import rebuilds
from edasim.simpy_model.regions import Regions
from edasim.simpy_model.relay import Relay
from edasim.simpy_model.run import Run
from edasim.simpy_model.subscribers import SubscriberGroup
from edasim.simpy_model.tables import Held, answer_from_copy, in_log, poll_bytes, storage_over_time
from edasim.simpy_model.work_queue import QueueGroup
from edasim.timelines import value_at
from edasim.workload import Workload

COMPONENTS = ("source", "outbox", "wal", "log", "copy", "events", "snapshots", "archive", "read_model", "dead_letters")


def simulate_run(scenario: Scenario, pattern: Pattern, workload: Workload, luck: Luck, option: str) -> Journal:
    """The journal of one run. Raises InputError when the scenario asks for something that is not modelled yet."""
    if reason := why_not(scenario, pattern):
        raise InputError(reason)
    return Model(Run(scenario, pattern, workload, luck)).journal(option)


GROUPS = {"log": LogGroup, "pubsub": SubscriberGroup, "queue": QueueGroup}


class Model:
    """The components of one run, wired as the pattern says: source, publisher, broker, a group and a reader per consumer."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.regions = Regions(run)
        self.source = self.regions.sources[0]  # where the consumers live
        self.keeps = [self._store(number) for number in range(len(run.patterns))]
        self.groups: dict[int, Group] = {}  # by consumer
        self.readers: dict[int, Reader] = {}
        self.publishers: list[Publisher] = []  # by region
        self.topics: list[Broker] = []  # what the source publishes, then what each consumer republishes
        if any(pattern.sends for pattern in run.patterns):
            self._open_topics()
        self.own_reads = asking(run, self.regions.sources)
        self.regions.open()
        for number, (keeps, pattern) in enumerate(zip(self.keeps, run.patterns, strict=True)):
            if run.reads[number] in ("source", "cache"):
                self.readers[number] = Reader(run, number, self.source, keeps if isinstance(keeps, Cache) else None)
                run.clock.process(self.readers[number].ask())
            elif not pattern.sends:
                assert isinstance(keeps, Copy)
                run.clock.process(Poller(run, number, self.source, keeps).poll())

    def _store(self, number: int) -> Copy | Cache | None:
        if self.run.reads[number] == "cache":
            return Cache(self.run, number)
        return Copy(self.run, number) if self.run.reads[number] in KEPT else None

    def _open_topics(self) -> None:
        """The source's topic, and one for each consumer that others listen to."""
        run = self.run
        downtimes = run.downtimes("broker", run.scenario.broker.outages)
        run.downtimes("network", run.scenario.network.outages)
        publish = way_out(run.pattern, run.scenario)
        listeners = self._join(None, downtimes)
        for region, source in enumerate(self.regions.sources):
            direct = publish == "direct"
            publisher = Publisher(run, self.topics[0], listeners) if direct else Relay(run, self.topics[0], listeners, region)
            publisher.source_downtimes = source.downtimes
            self.publishers.append(publisher)
        self.regions.broker = downtimes
        self.regions.publish_with([publisher.on_commit for publisher in self.publishers])

    def _join(self, upstream: Group | None, downtimes: Downtimes) -> list[Group]:
        """Groups of those that listen to the source, or to the *upstream* consumer; they share a topic."""
        run, of = self.run, None if upstream is None else upstream.settings.name
        topic = "" if of is None else f" of {of}"
        mine = [n for n, consumer in enumerate(run.scenario.consumers) if consumer.listens_to == of and run.patterns[n].sends]
        if mine or of is None:
            self.topics.append(Broker(run, downtimes, topic))
        for number in mine:
            self.groups[number] = GROUPS[run.scenario.broker.kind](run, number, self.topics[-1], self.regions.sources, self.keeps[number])
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
        self.regions.close()
        for keeps in self.keeps:
            if isinstance(keeps, Cache):
                keeps.expire_all(run.horizon)
        for group in self.groups.values():
            group.close()
        changes = self._changes()
        for group in self.groups.values():
            run.faults[f"{group.settings.name}{POISON}"] = Downtimes(group.poisoned(self.source.committed))
        refreshes, snapshots = run.refreshes.table(), run.snapshots.table()
        requests = self._requests(changes)
        deliveries = self._deliveries(changes)
        logs = self._logs(deliveries)
        storage = storage_over_time(run, changes, refreshes, snapshots, self._messages(changes, deliveries, logs), COMPONENTS)
        requests["bytes"] = self._request_bytes(requests, storage)
        return Journal(
            facts=facts_of(run, option, COMPONENTS, len(self.regions.sources), publishes=bool(self.topics)),
            changes=changes,
            refreshes=refreshes,
            deliveries=deliveries,
            reads=self._reads(changes, refreshes),
            own_reads=own_reads(run, self.own_reads, changes, refreshes),
            requests=requests,
            storage=storage,
            faults=self._faults(),
            loads=run.loads.table(),
            exchanges=self.regions.exchanges(),
            conflicts=run.conflicts.table(),
            snapshots=snapshots,
            snapshot_contents=run.snapshot_contents.table(),
            rebuilds=rebuilds(run, changes, logs[0] if logs else None),
            entities={
                "history": run.history,
                "weight": run.workload.population.weight,
                "born": run.workload.population.born,
                "silent": run.workload.population.silent,
            },
        )

    def _changes(self) -> dict[str, NDArray[Any]]:
        run = self.run
        return {
            "time": run.workload.times,
            "entity": run.workload.entities,
            "version": np.array(self.source.version, dtype=np.int64),
            "region": run.workload.regions,
            "bytes": run.message_bytes,
            "committed": np.array(self.source.committed, dtype=np.int64),
            "publish_attempts": self._published([publisher.attempts for publisher in self.publishers], 0),
            "acknowledged": self._published([publisher.acknowledged for publisher in self.publishers], NONE),
            "item": run.workload.items,
            "quantity": run.workload.quantities,
        }

    def _published(self, columns: "list[array[int]]", otherwise: int) -> NDArray[np.int64]:
        """Of the columns of each region's publisher what the one that sent each change noted."""
        if len(columns) < 2:
            return np.array(columns[0] if columns else self.run.column(otherwise), dtype=np.int64)
        return np.array(columns, dtype=np.int64)[self.run.workload.regions, np.arange(self.run.changes)]

    def _logs(self, deliveries: dict[str, NDArray[Any]]) -> list[Held]:
        """What the broker's log holds of each topic, that of the source first; nothing where it is no log."""
        kind = self.run.scenario.broker.kind
        return [in_log(self.run, topic, self._read_by(topic, deliveries)) for topic in self.topics if kind == "log"]

    def _messages(self, changes: dict[str, NDArray[Any]], deliveries: dict[str, NDArray[Any]], logs: list[Held]) -> dict[str, Held]:
        """Who holds messages: the broker, the dead letters, and the outbox (or the database's log) until they are acknowledged."""
        run = self.run
        held: dict[str, Held] = {}
        if not self.topics:
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
        done = committed_rows(changes)
        commits = {name: changes[name][done] for name in ("entity", "committed", "version")}
        parts = []
        for number, consumer in enumerate(self.run.scenario.consumers):
            if self.run.reads[number] == "nothing":
                continue
            times, entities = self.run.workload.reads[consumer.name]
            found = self.readers[number].answers() if number in self.readers else answer_from_copy(self.run, number, refreshes)
            asked, latency, seen = found
            answered = latency != NONE
            true = value_at(entities, asked, commits["entity"], commits["committed"], commits["version"], 0)
            answers = {"asked": asked, "answered": answered, "latency": latency, "version_true": true}
            answers["version_seen"] = np.where(answered, np.where(seen == FRESH, true, seen), NONE)
            parts.append({"time": times, "entity": entities, "consumer": np.full(times.size, number), **answers})
        return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS["reads"]} if parts else {}

    def _request_bytes(self, requests: dict[str, NDArray[Any]], storage: dict[str, NDArray[Any]]) -> NDArray[Any]:
        asked = (requests["kind"] > 0) & requests["ok"]
        requests["bytes"] = np.where(asked, round(self.run.scenario.workload.state_bytes.mean()), 0)
        return poll_bytes(requests, storage, COMPONENTS.index("source"))

    def _requests(self, changes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Writes, then everything else that was asked of the source. The answer to a write that another region sent has to travel back."""
        run, asked = self.run, self.run.requests.table()
        ended = np.array(self.source.ended, dtype=np.int64)
        arrived = ended != NONE
        if run.writers == 1 and run.workload.regions.any():
            back = np.array(run.times("write back", run.scenario.network.latency.call))
            ended += np.where((run.workload.regions > 0) & (changes["committed"] != NONE), back, 0)
        refused = (changes["committed"] == NONE) & (run.pattern.truth == "table")  # a command that gave up has worked all the same
        writes = {
            "time": changes["time"],
            "kind": np.zeros(ended.size, dtype=np.int8),
            "latency": ended - changes["time"],
            "ok": changes["committed"] != NONE,
            "service": np.where(refused, 0, np.array(self.source.service, dtype=np.int64)),
            "bytes": np.zeros(ended.size, dtype=np.int64),
        }
        return {name: np.concatenate([writes[name][arrived], asked[name]]) for name in COLUMNS["requests"]}

    def _faults(self) -> dict[str, Any]:
        rows = [(number, *interval) for number, name in enumerate(self.run.faults) for interval in self.run.faults[name].intervals]
        return dict(zip(COLUMNS["faults"], zip(*rows, strict=True), strict=True)) if rows else {}
