"""The stages that messages pass, block after block: the recursions of `edasim.fast_path`, which remember where they stopped."""

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.inputs import Inputs
from edasim.errors import InputError
from edasim.fast_path import recursions
from edasim.fast_path.feed_forward import LAST
from edasim.faults import NEVER
from edasim.journal import NONE
from edasim.luck import nanoseconds
from edasim.partitions import owners, partition_of_each
from edasim.streaming.draws import Columns, Ints, Times
from edasim.streaming.waiting import Waiting


class Source:
    """Where changes commit, in version order for each entity."""

    def __init__(self, run: Inputs) -> None:
        source, entities = run.scenario.source, run.workload.population.weight.size
        self._write = Times(run.luck, "write", source.write_time)
        self._free = np.zeros(source.servers, dtype=np.int64)
        self._last, self._newest = np.zeros(entities, dtype=np.int64), np.zeros(entities, dtype=np.int64)

    def commits(self, times: Ints, entity: Ints) -> Columns:
        """Of changes in order of arrival: their entity, version, and when they commit."""
        service = self._write.of(self._write.drawn(times.size), times.size)
        ended = recursions.serve(times, service, self._free)
        committed = recursions.commit(ended, entity, self._last)
        return {"entity": entity, "version": recursions.number(entity, self._newest), "committed": committed}


class Broker:
    """Where messages are stored, in order of arrival: one after the other in each partition of a log, else in one line."""

    def __init__(self, run: Inputs) -> None:
        broker, entities = run.scenario.broker, run.workload.population.weight.size
        self._publish = Times(run.luck, "publish", run.scenario.network.latency.publish)
        self._append = Times(run.luck, "append", broker.append_time)
        self._is_log = broker.kind == "log"
        followers = broker.replicas - 1 if self._is_log else 0
        self._copies = [Times(run.luck, f"copy {follower}", broker.replica_copy) for follower in range(followers)]
        self._every = int(nanoseconds(broker.replica_fetch))
        self._partition = partition_of_each(entities, broker.partitions)
        self._free = np.zeros(broker.partitions, dtype=np.int64)
        self._horizon, self.waiting = run.horizon, Waiting()

    def stored(self, sent: Columns, watermark: int) -> Columns:
        """The messages whose place in the order of the broker is known by the *watermark*, with when they arrived, are stored and visible.

        *sent*: the next commits, with whatever is drawn for their messages. What arrives when the run is over is never stored.
        """
        count = sent["committed"].size
        arrived = sent["committed"] + self._publish.of(self._publish.drawn(count), count)
        for times in (self._append, *self._copies):
            sent |= times.drawn(count)
        rows = self.waiting.until(sent | {"arrived": arrived}, "arrived", min(watermark, self._horizon))
        count, partition = rows["arrived"].size, self._partition[rows["entity"]]
        line = partition if self._is_log else np.zeros_like(partition)
        stored = recursions.append(rows["arrived"], line, self._append.of(rows, count), self._free)
        visible = stored
        if self._copies:
            fetched = stored if not self._every else -(-stored // self._every) * self._every
            visible = fetched + np.max([times.of(rows, count) for times in self._copies], axis=0)
        if visible.max(initial=0) >= LAST:
            raise InputError("broker.append_time: messages wait for longer than 70 years, which can't be streamed")
        return rows | {"partition": partition, "stored": stored, "visible": visible}


class Group:
    """A consumer: its instances handle what there is in their partitions, one at a time, in the order in which it comes."""

    def __init__(self, run: Inputs, number: int) -> None:
        self.settings = settings = run.scenario.consumers[number]
        broker, name = run.scenario.broker, settings.name
        self._deliver = Times(run.luck, f"deliver {name}", run.scenario.network.latency.deliver)
        self._handle = Times(run.luck, f"handle {name}", settings.handle_time)
        self._handover = Times(run.luck, f"handover {name}", settings.handover_time)
        self._is_log = broker.kind == "log"
        self._reaches = np.zeros(broker.partitions, dtype=np.int64)
        self._owner = owners(broker.partitions, settings.instances)
        self._last_end = np.full(settings.instances, -NEVER)
        self._retention = int(nanoseconds(broker.retention)) if self._is_log else NEVER
        self._horizon, self.waiting = run.horizon, Waiting()

    def drawn(self, count: int) -> Columns:
        """What is drawn for the next *count* changes."""
        return self._deliver.drawn(count) | self._handle.drawn(count) | self._handover.drawn(count)

    def applied(self, stored: Columns, watermark: int) -> Columns:
        """The messages of which it is known by the *watermark* when their handling ends, if it does before the run is over: as taken."""
        visible, partition, delivery = stored["visible"], stored["partition"], self._deliver.of(stored, stored["visible"].size)
        available = recursions.deliver(visible, delivery, partition, self._reaches) if self._is_log else visible + delivery
        rows = {name: stored[name] for name in ("entity", "version", "committed", "stored", "partition")}
        rows |= {times.name: stored[times.name] for times in (self._handle, self._handover) if times.name in stored}
        rows = self.waiting.until(rows | {"available": available}, "available", watermark)
        count = rows["available"].size
        handling, handover = self._handle.of(rows, count), self._handover.of(rows, count)
        instance = self._owner[rows["partition"]]
        ended = recursions.handle(rows["available"], instance, handling, handover, self._last_end, self._horizon)
        self._refuse_forgotten(rows, ended, handling, handover)
        done = (ended != NONE) & (ended < self._horizon)
        found = {name: rows[name] for name in ("entity", "version", "committed", "partition")} | {"applied": ended}
        return found if done.all() else {name: values[done] for name, values in found.items()}

    def _refuse_forgotten(self, rows: Columns, ended: Ints, handling: Ints, handover: Ints) -> None:
        """Raises InputError where the log has dropped a message, for its age, before somebody takes it in hand."""
        if self._retention >= self._horizon:
            return
        begun = np.where(ended != NONE, ended - handling, np.maximum(rows["available"], self._horizon + handover))
        if np.any(begun > rows["stored"] + self._retention):
            raise InputError(
                f"broker.retention: {self.settings.name} falls so far behind that messages are dropped, which can't be streamed"
            )


def late(stored: Columns, run: Inputs) -> NDArray[np.bool_]:
    """Which messages are acknowledged too late; shape (messages,). Raises InputError where one would be sent again."""
    producer = run.scenario.source.producer
    sent = stored["committed"]
    if producer.acks == 0:
        return np.zeros(sent.size, dtype=bool)
    patience = sent + int(nanoseconds(producer.ack_timeout))
    found: NDArray[np.bool_] = stored["visible" if producer.acks == "all" else "stored"] + stored["arrived"] - sent > patience
    if producer.retries and found.any() and np.any(patience[found] + int(nanoseconds(producer.backoff)) < run.horizon):
        raise InputError("source.producer.ack_timeout: an acknowledgement takes longer, and what is sent again can't be streamed")
    return found
