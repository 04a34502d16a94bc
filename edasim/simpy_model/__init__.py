"""The SimPy model: what it says is what edasim means. One idea a module; `simulate_run` puts the components together."""

from array import array

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.found import Found
from edasim.afterwards.journal import journal_of
from edasim.errors import InputError
from edasim.faults import Downtimes
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.patterns import KEPT, Pattern, way_out
from edasim.scenario import Scenario
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.limits import why_not
from edasim.simpy_model.log_group import LogGroup
from edasim.simpy_model.own_reads import asking
from edasim.simpy_model.publisher import Publisher
from edasim.simpy_model.readers import Poller, Reader
from edasim.simpy_model.regions import Regions
from edasim.simpy_model.relay import Relay
from edasim.simpy_model.run import Run
from edasim.simpy_model.subscribers import SubscriberGroup
from edasim.simpy_model.work_queue import QueueGroup
from edasim.workload import Workload

RECORDED = ("refreshes", "requests", "loads", "conflicts", "snapshots", "snapshot_contents")


def simulate_run(scenario: Scenario, pattern: Pattern, workload: Workload, luck: Luck, option: str) -> Journal:
    """The journal of one run. Raises InputError when the scenario asks for something that is not modelled yet."""
    if reason := why_not(scenario, pattern):
        raise InputError(reason)
    run = Run(scenario, pattern, workload, luck)
    return journal_of(run, Model(run).found(), option, "simpy")


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

    def found(self) -> Found:
        """Run to the end of the drain: what happened."""
        run = self.run
        run.clock.run(until=run.horizon)
        self.regions.close()
        for keeps in self.keeps:
            if isinstance(keeps, Cache):
                keeps.expire_all(run.horizon)
        for group in self.groups.values():
            group.close()
        source, publishers = self.source, self.publishers
        return Found(
            sources=len(self.regions.sources),
            version=np.array(source.version, dtype=np.int64),
            committed=np.array(source.committed, dtype=np.int64),
            ended=np.array(source.ended, dtype=np.int64),
            service=np.array(source.service, dtype=np.int64),
            publish_attempts=self._published([publisher.attempts for publisher in publishers]) if publishers else None,
            acknowledged=self._published([publisher.acknowledged for publisher in publishers]) if publishers else None,
            topics=[topic.found() for topic in self.topics],
            groups={number: group.found(self.topics.index(group.broker), source.committed) for number, group in self.groups.items()},
            answers={number: reader.answers() for number, reader in self.readers.items()},
            own_reads={number: np.array(mine.latency, dtype=np.int64) for number, mine in self.own_reads.items()},
            exchanges=self.regions.exchanges(),
            **{table: getattr(run, table).table() for table in RECORDED},
        )

    def _published(self, columns: "list[array[int]]") -> NDArray[np.int64]:
        """Of the columns of each region's publisher what the one that sent each change noted."""
        if len(columns) == 1:
            return np.array(columns[0], dtype=np.int64)
        return np.array(columns, dtype=np.int64)[self.run.workload.regions, np.arange(self.run.changes)]
