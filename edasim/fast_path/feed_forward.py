"""Runs in which nothing downstream changes what happens upstream, and nothing fails: a few passes over arrays, stage by stage."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edasim.afterwards.found import Answers, AtConsumer, Found, Ints, Topic
from edasim.afterwards.inputs import Inputs
from edasim.compiled.sorting import whole
from edasim.distributions import Distribution
from edasim.fast_path import columns, recursions
from edasim.faults import NEVER
from edasim.journal import COLUMNS, IN_FLIGHT, NONE, SLOW, Table
from edasim.luck import nanoseconds
from edasim.partitions import owners, partition_of_each
from edasim.patterns import Pattern, always_calls, way_out
from edasim.scenario import Consumer

LAST = 1 << 61  # nanoseconds: two times later than this may not add up in 64 bits


def why_not(run: Inputs) -> str:
    """A sentence that says what may act on what comes before it, or fail; empty where nothing in the scenario does."""
    scenario = run.scenario
    source, network, broker = scenario.source, scenario.network, scenario.broker
    reasons = {
        "truth is kept as events: commands may conflict": run.pattern.truth == "events",
        "several regions accept writes": len(scenario.workload.regions.shares) > 1,
        "the source has outages": source.outages is not None,
        "own reads ask the source": scenario.workload.reads.own == "source" and any(reads != "nothing" for reads in run.reads),
        "the run is longer than 70 years": run.horizon >= LAST,
    }
    if any(pattern.sends for pattern in run.patterns):
        reasons |= {
            f"a relay publishes ({way_out(run.pattern, scenario)})": way_out(run.pattern, scenario) != "direct",
            "messages are sent in batches": source.producer.batch > 1,
            "the producer is idempotent": source.producer.idempotent,
            "the network loses requests or acknowledgements": network.loss != 0 or network.ack_loss > 0 or network.outages is not None,
            "the broker has outages": broker.outages is not None,
            "a queue hands out what is acknowledged": broker.kind == "queue",
            "the log drops what is too much for it": broker.kind == "log" and broker.retention_bytes is not None,
            "the broker's buffers are bounded": broker.kind == "pubsub" and broker.max_length is not None,
        }
    for number, (consumer, pattern) in enumerate(zip(scenario.consumers, run.patterns, strict=True)):
        reasons |= _why_not_there(run, number, consumer, pattern)
    return next((reason for reason, holds in reasons.items() if holds), "")


def _why_not_there(run: Inputs, number: int, consumer: Consumer, pattern: Pattern) -> Mapping[str, bool]:
    name, reads = consumer.name, run.reads[number]
    asked = {
        f"{name}'s reads ask the source": reads in ("source", "cache") and run.workload.reads[name][0].size > 0,
        f"{name} polls the source": reads == "copy" and not pattern.sends,
    }
    if not pattern.sends:
        return asked
    return asked | {
        f"{name} calls the source back": always_calls(pattern, consumer) or consumer.needs_more > 0,
        f"{name} listens to {consumer.listens_to}": consumer.listens_to is not None,
        f"{name} has outages, or is slow at times": consumer.outages is not None or consumer.slow is not None,
        f"{name} may fail to handle a message": consumer.failure_rate > 0 or bool(consumer.poison),
        f"{name} sleeps between polls": consumer.poll_interval > 0,
        f"{name} recognises repeats": bool(consumer.deduplicate),
    }


def found(run: Inputs) -> Found | None:
    """What happens in the run; None where the scenario, or how the run turns out, needs more than this engine knows."""
    if why_not(run):
        return None
    return _Course(run).found()


@dataclass(frozen=True)
class Messages:
    """What the broker stored, in the order in which it arrived: columns of shape (messages,)."""

    change: Ints
    arrived: Ints
    partition: Ints
    stored: Ints
    visible: Ints


class Beyond(Exception):
    """The run turned out to need more than the recursions know."""


class _Course:
    """One run, stage by stage."""

    def __init__(self, run: Inputs) -> None:
        self.run = run
        self.entity = whole(run.workload.entities)
        self.entities = run.workload.population.weight.size

    def times(self, name: str, distribution: Distribution) -> Ints:
        """Of each change, in nanoseconds; shape (changes,)."""
        return whole(self.run.luck.times(name, distribution, self.run.changes).values)

    def found(self) -> Found | None:
        run = self.run
        sends = [number for number, pattern in enumerate(run.patterns) if pattern.sends]
        try:
            self._write()
            messages = self._publish() if sends else None
            acknowledged = None if messages is None else self._acknowledged(messages)
            groups = {} if messages is None else {number: self._consume(number, messages) for number in sends}
        except Beyond:
            return None
        self._note_components(sends)
        empty = np.empty(0, dtype=np.int64)
        return Found(
            sources=1,
            version=self.version,
            committed=self.committed,
            ended=self.committed,
            service=self.service,
            publish_attempts=None if messages is None else np.ones(run.changes, dtype=np.int64),
            acknowledged=acknowledged,
            topics=[] if messages is None else [self._topic(messages)],
            groups={number: group for number, (group, _) in groups.items()},
            answers={number: Answers(empty, empty, empty) for number, reads in enumerate(run.reads) if reads in ("source", "cache")},
            own_reads={},
            refreshes=_joined([rows for _, rows in groups.values()]),
            **{table: _no_rows(table) for table in ("requests", "loads", "conflicts", "snapshots", "snapshot_contents", "exchanges")},
        )

    # --- stages

    def _write(self) -> None:
        source = self.run.scenario.source
        self.service = self.times("write", source.write_time)
        ended = recursions.serve(whole(self.run.workload.times), self.service, np.zeros(source.servers, dtype=np.int64))
        self.committed = recursions.commit(ended, self.entity, np.zeros(self.entities, dtype=np.int64))
        self.version = recursions.number(self.entity, np.zeros(self.entities, dtype=np.int64))

    def _publish(self) -> Messages:
        """Send each change when it commits. What arrives only at the end of the run, or later, is not stored."""
        run, broker = self.run, self.run.scenario.broker
        self.arrives = self.committed + self.times("publish", run.scenario.network.latency.publish)
        self.overtaken = not recursions.rises(whole(self.arrives))
        change = recursions.arrival_order(self.arrives) if self.overtaken else np.arange(run.changes)
        arrived = self.of(self.arrives, change)
        change = change[: np.searchsorted(arrived, run.horizon)]
        arrived = arrived[: change.size]
        partition = partition_of_each(self.entities, broker.partitions)[self.of(self.entity, change)]
        line = partition if broker.kind == "log" else np.zeros_like(partition)
        time = self.of(self.times("append", broker.append_time), change)
        stored = recursions.append(arrived, line, time, np.zeros(broker.partitions, dtype=np.int64))
        visible = self._copied(stored, change) if broker.kind == "log" and broker.replicas > 1 else stored
        if visible.max(initial=0) >= LAST:
            raise Beyond
        self.stored = self._by_change(change, stored)
        return Messages(change, arrived, partition, stored, visible)

    def _copied(self, stored: Ints, change: Ints) -> Ints:
        """When all followers have copied each message."""
        broker = self.run.scenario.broker
        every = int(nanoseconds(broker.replica_fetch))
        fetched = stored if not every else -(-stored // every) * every
        copies = [self.times(f"copy {follower}", broker.replica_copy) for follower in range(broker.replicas - 1)]
        return np.asarray(fetched + self.of(np.maximum.reduce(copies), change))

    def _acknowledged(self, messages: Messages) -> Ints:
        """When the publisher hears of each change. What is acknowledged too late would be sent again."""
        producer = self.run.scenario.source.producer
        if producer.acks == 0:
            return self.committed
        answered = messages.visible if producer.acks == "all" else messages.stored
        timeout, acknowledged = int(nanoseconds(producer.ack_timeout)), self.column(NONE)
        late = columns.acknowledgements(self.committed, messages.arrived, answered, messages.change, timeout, acknowledged)
        if producer.retries and late != NONE and late + timeout + int(nanoseconds(producer.backoff)) < self.run.horizon:
            raise Beyond
        return acknowledged

    def _consume(self, number: int, messages: Messages) -> tuple[AtConsumer, Table]:
        """What becomes of the messages at one consumer, and of what it keeps."""
        run, settings = self.run, self.run.scenario.consumers[number]
        partitions, log = run.scenario.broker.partitions, run.scenario.broker.kind == "log"
        delivery = self.of(self.times(f"deliver {settings.name}", run.scenario.network.latency.deliver), messages.change)
        if log:
            available = recursions.deliver(messages.visible, delivery, messages.partition, np.zeros(partitions, dtype=np.int64))
        else:
            available = messages.visible + delivery
        instance = owners(partitions, settings.instances)[messages.partition]
        handling = self.of(self.times(f"handle {settings.name}", settings.handle_time), messages.change)
        handover = self.of(self.times(f"handover {settings.name}", settings.handover_time), messages.change)
        taken, last_end = recursions.arrival_order(available), np.full(settings.instances, -NEVER)
        ended = recursions.handle_in_turn(taken, available, instance, handling, handover, last_end, run.horizon)
        retention = int(nanoseconds(run.scenario.broker.retention))
        if log and columns.outlived(available, ended, handling, handover, messages.stored, retention, run.horizon):
            raise Beyond
        delivered, applied, attempts = self._outcomes(messages.change, available, ended)
        group = AtConsumer(
            topic=0,
            upstream=None,
            stored=self.stored,
            delivered=delivered,
            applied=applied,
            attempts=attempts,
            repeats=always(0, run.changes),
            failure=always(IN_FLIGHT, run.changes),
            parked=np.empty((0, 2), dtype=np.int64),
            poisoned=[],
        )
        if run.reads[number] not in ("copy", "read_model"):
            return group, _no_rows("refreshes")
        order, time = recursions.completion_order(ended, available, instance, messages.change, messages.arrived, settings.instances)
        reached = slice(np.searchsorted(time, 0), np.searchsorted(time, run.horizon))
        return group, self._refreshes(number, messages.change[order[reached]] if self.overtaken else order[reached], time[reached])

    def _outcomes(self, change: Ints, available: Ints, ended: Ints) -> tuple[Ints, Ints, Ints]:
        """When each change was delivered and applied, and how many attempts that took; shapes (changes,)."""
        if (
            ended.size == self.run.changes
            and not self.overtaken
            and ended.min(initial=0) > NONE
            and ended.max(initial=0) < self.run.horizon
        ):
            return available, ended, always(1, ended.size)
        delivered, applied, attempts = self.column(NONE), self.column(NONE), self.column(0)
        columns.outcomes(change, available, ended, self.run.horizon, delivered, applied, attempts)
        return delivered, applied, attempts

    def _refreshes(self, number: int, handled: Ints, time: Ints) -> Table:
        """What a consumer that keeps a copy notes of the changes that it *handled*, in that order, and when."""
        settings, entity, version = self.run.scenario.consumers[number], self.entity[handled], self.version[handled]
        held, delta = np.zeros(self.entities, dtype=np.int64), self.run.patterns[number].carries == "delta"
        if settings.apply == "last_arrival" and delta:
            version = recursions.accumulate(time, entity, version, held, np.zeros(self.entities, dtype=np.bool_))
            renews = version != NONE
        elif settings.apply == "last_arrival":
            renews = recursions.overwrite(time, entity, version, held)
        elif delta:
            renews = recursions.extend(time, entity, version, held)
            if settings.on_gap == "refetch" and not renews.all():
                raise Beyond
        else:
            renews = recursions.refresh(time, entity, version, held)
        if not renews.all():
            time, entity, version = time[renews], entity[renews], version[renews]
        return {"time": time, "entity": entity, "consumer": np.full(time.size, number), "version": version}

    # --- what was found

    def of(self, values: Ints, change: Ints) -> Ints:
        """Of *values* by change those of the messages, which are these changes in order of arrival."""
        return whole(values[change] if self.overtaken else values[: change.size])

    def _by_change(self, change: Ints, values: Ints) -> Ints:
        """The *values* of the messages, which are these changes; NONE for other changes. The reverse of `of`; shape (changes,)."""
        if change.size == self.run.changes and not self.overtaken:
            return values
        column = self.column(NONE)
        column[change] = values
        return column

    def column(self, value: int) -> Ints:
        """One for each change, *value* to begin with; shape (changes,)."""
        return np.full(self.run.changes, value, dtype=np.int64)

    def _topic(self, messages: Messages) -> Topic:
        """The log by partition."""
        partitions = self.run.scenario.broker.partitions
        if self.run.scenario.broker.kind != "log":
            return Topic([np.empty((0, 4), dtype=np.int64)] * partitions, [np.empty(0, dtype=np.int64)] * partitions)
        ends = np.cumsum(np.bincount(messages.partition, minlength=partitions))
        begins = np.concatenate([[0], ends[:-1]])
        log = columns.entries(messages.partition, messages.change, messages.stored, messages.visible, begins)
        gone = always(NEVER, len(log))
        spans = [slice(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        return Topic([log[span] for span in spans], [gone[span] for span in spans])

    def _note_components(self, sends: list[int]) -> None:
        """Nobody is ever down: the journal says so of each component."""
        run = self.run
        names = ["source", *(("broker", "network") if sends else ())]
        for number in sends:
            consumer = run.scenario.consumers[number]
            names += [f"{consumer.name}{SLOW}", *(f"{consumer.name} {instance}" for instance in range(consumer.instances))]
        for name in names:
            run.downtimes(name, None)


def always(value: int, count: int) -> Ints:
    """A column with the same *value* everywhere, which takes no memory."""
    return np.broadcast_to(np.int64(value), count)


def _no_rows(table: str) -> Table:
    return {name: np.empty(0, dtype=dtype) for name, dtype in COLUMNS[table].items()}


def _joined(parts: list[Table]) -> Table:
    return {name: np.concatenate([_no_rows("refreshes")[name], *(part[name] for part in parts)]) for name in COLUMNS["refreshes"]}
