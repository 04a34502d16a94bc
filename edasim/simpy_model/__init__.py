"""The SimPy model: what it says is what edasim means. One idea a module; `simulate_run` puts the components together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.journal import COLUMNS, NONE, Journal
from edasim.luck import Luck, nanoseconds
from edasim.patterns import Pattern
from edasim.scenario import Scenario
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.limits import why_not
from edasim.simpy_model.publisher import Publisher, Relay
from edasim.simpy_model.readers import Poller, Reader
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source
from edasim.simpy_model.tables import answer_from_copy, poll_bytes, rebuild, storage_over_time
from edasim.timelines import value_at
from edasim.workload import Workload

COMPONENTS = ("source", "outbox", "wal", "log", "copy", "events", "snapshots", "read_model", "dead_letters")


def simulate_run(scenario: Scenario, pattern: Pattern, workload: Workload, luck: Luck, option: str) -> Journal:
    """The journal of one run. Raises InputError when the scenario asks for something that is not modelled yet."""
    reasons = why_not(scenario, pattern)
    if reasons:
        raise InputError(reasons[0])
    return Model(Run(scenario, pattern, workload, luck)).journal(option)


class Model:
    """The components of one run, wired as the pattern says: source, publisher, broker, a group and a reader per consumer."""

    def __init__(self, run: Run) -> None:
        self.run = run
        scenario, pattern = run.scenario, run.pattern
        self.source = Source(run)
        numbers = range(len(scenario.consumers))
        self.keeps: list[Copy | Cache | None] = [self._store(number) for number in numbers]
        self.groups: list[Group] = []
        self.readers: list[Reader] = []
        if pattern.sends:
            self.broker = Broker(run)
            self.groups = [Group(run, number, self.broker, self.source, self.keeps[number]) for number in numbers]
            publish = scenario.source.publish or ("subscription" if pattern.truth == "events" else "direct")
            self.publisher = (Publisher if publish == "direct" else Relay)(run, self.broker, self.groups)
            self.source.publish = self.publisher.publish
            self.publisher.source_downtimes = self.source.downtimes
        self.source.open()
        for number, keeps in enumerate(self.keeps):
            if pattern.reads in ("source", "cache"):
                self.readers.append(Reader(run, number, self.source, keeps if isinstance(keeps, Cache) else None))
                run.clock.process(self.readers[-1].ask())
            elif not pattern.sends:
                assert isinstance(keeps, Copy)
                run.clock.process(Poller(run, number, self.source, keeps).poll())

    def _store(self, number: int) -> Copy | Cache | None:
        if self.run.pattern.reads == "cache":
            return Cache(self.run, number)
        return Copy(self.run, number) if self.run.pattern.keeps_copy else None

    def journal(self, option: str) -> Journal:
        """Run to the end of the drain and write down what happened."""
        run = self.run
        run.clock.run(until=run.horizon)
        for keeps in self.keeps:
            if isinstance(keeps, Cache):
                keeps.expire_all(run.horizon)
        for group in self.groups:
            group.close()
        changes = self._changes()
        refreshes = run.refreshes.table()
        requests = self._requests(changes)
        storage = storage_over_time(run, changes, refreshes, self._log(), COMPONENTS)
        requests["bytes"] = self._request_bytes(requests, storage)
        return Journal(
            facts=self._facts(option),
            changes=changes,
            refreshes=refreshes,
            deliveries=self._deliveries(changes),
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
            "sends": run.pattern.sends,
            "reads": run.pattern.reads,
            "servers": scenario.source.servers,
            "own_after": int(nanoseconds(scenario.workload.reads.own_after)),
            "initial_entities": run.workload.population.initial,
            "notes": list(run.workload.notes),
        }

    def _message_bytes(self) -> NDArray[np.int64]:
        workload = self.run.workload
        sizes = {"notice": workload.notice_bytes, "state": workload.state_bytes, "delta": workload.delta_bytes}
        return sizes.get(self.run.pattern.carries, np.zeros_like(workload.notice_bytes))

    def _changes(self) -> dict[str, NDArray[Any]]:
        run, sends = self.run, self.run.pattern.sends
        return {
            "time": run.workload.times,
            "entity": run.workload.entities,
            "version": np.array(self.source.version, dtype=np.int64),
            "region": np.zeros(run.changes, dtype=np.int64),
            "bytes": self._message_bytes(),
            "committed": np.array(self.source.committed, dtype=np.int64),
            "publish_attempts": np.array(self.publisher.attempts if sends else run.column(0), dtype=np.int64),
            "acknowledged": np.array(self.publisher.acknowledged if sends else run.column(NONE), dtype=np.int64),
        }

    def _stored(self) -> NDArray[np.int64]:
        return np.array(self.broker.stored if self.run.pattern.sends else self.run.column(NONE), dtype=np.int64)

    def _log(self) -> tuple[list[int], list[int]]:
        """Of every message that the broker kept, duplicates included: the change, and when it was stored."""
        changes: list[int] = []
        stored: list[int] = []
        for log in self.broker.log if self.run.pattern.sends else []:
            if log:
                _, its_changes, its_times, _ = zip(*log, strict=True)
                changes += its_changes
                stored += its_times
        return changes, stored

    def _deliveries(self, changes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        committed = np.flatnonzero(changes["committed"] != NONE)
        stored = self._stored()
        parts = [
            {
                "change": committed,
                "consumer": np.full(committed.size, number),
                "stored": stored[committed],
                **group.fates(committed),
            }
            for number, group in enumerate(self.groups)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS["deliveries"]} if parts else {}

    def _reads(self, changes: dict[str, NDArray[Any]], refreshes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        done = np.flatnonzero(changes["committed"] != NONE)
        commits = {name: changes[name][done] for name in ("entity", "committed", "version")}
        parts = []
        for number, consumer in enumerate(self.run.scenario.consumers):
            times, entities = self.run.workload.reads[consumer.name]
            true = value_at(entities, times, commits["entity"], commits["committed"], commits["version"], 0)
            if self.readers:
                reader = self.readers[number]
                cached, answered = np.array(reader.cached, dtype=np.int64), np.array(reader.answered, dtype=bool)
                answers = {
                    "answered": answered,
                    "latency": np.array(reader.latency, dtype=np.int64),
                    "version_seen": np.where(answered, np.where(cached == NONE, true, cached), NONE),
                }
            else:
                answers = answer_from_copy(self.run, number, refreshes)
            asked = {"time": times, "entity": entities, "consumer": np.full(times.size, number), "version_true": true}
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
