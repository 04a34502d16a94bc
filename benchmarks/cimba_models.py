"""The yardstick 'cimba': the same two pieces of work as models of Cimba's Python package, written the way its manual writes them.

A Store for every place where messages wait and a process for everything that works, compiled; the latency of each delivery is recorded
in a Dataset and comes back as an array. A model is compiled in the first run of a process.
"""

import cimba as cb
import numpy as np
import textbook_simpy as work
from cimba import inputs
from numpy.typing import NDArray

Floats = NDArray[np.float64]

APPEND_TIME = work.APPEND_TIME  # compiled code reads constants of its own module
PARTITION_OF = np.array([work.partition_of(key) for key in range(work.KEYS)])
SHARES = [weight / sum(work.weights()) for weight in work.weights()]


class Queue(cb.Model):
    """W1."""

    messages: int = 0
    gap: cb.Input[float] = inputs.dist.exponential(mean=1 / work.QUEUE_ARRIVAL_RATE)
    service: cb.Input[float] = inputs.dist.exponential(mean=1 / work.QUEUE_SERVICE_RATE)
    waiting: cb.Store[float]  # when each was sent
    latencies: cb.Dataset

    def __init__(self, messages: int) -> None:
        self.messages = messages
        self.latencies = cb.Dataset()
        self.latencies.capture()

    @cb.process
    def send(self) -> None:
        for _ in range(self.messages):
            cb.hold(self.gap.next())
            self.waiting.put(cb.now())

    @cb.process
    def serve(self) -> None:
        while True:
            sent = self.waiting.get()
            cb.hold(self.service.next())
            self.latencies.record(cb.now() - sent)


class Group(cb.Model):
    """A consumer group, which notes the latencies of all its instances."""

    latencies: cb.Dataset

    def __init__(self) -> None:
        self.latencies = cb.Dataset()
        self.latencies.capture()


class Instance(cb.Model):
    """An instance of a group."""

    handling: cb.Input[float] = inputs.dist.exponential(mean=1 / work.HANDLING_RATE)
    inbox: cb.Store[float]  # when each was produced
    group: cb.Ref[Group]

    def __init__(self, group: Group) -> None:
        self.group = group

    @cb.process
    def consume(self) -> None:
        while True:
            produced = self.inbox.get()
            cb.hold(self.handling.next())
            self.group.latencies.record(cb.now() - produced)


class Partition(cb.Model):
    """A partition of the log, read by one instance of each group."""

    waiting: cb.Store[float]  # when each was produced
    readers: list[cb.Ref[Instance]]

    def __init__(self, readers: list[Instance]) -> None:
        self.readers = readers

    @cb.process
    def append(self) -> None:
        while True:
            produced = self.waiting.get()
            cb.hold(APPEND_TIME)
            for reader in range(len(self.readers)):
                self.readers[reader].inbox.put(produced)


class Log(cb.Model):
    """W2."""

    messages: int = 0
    gap: cb.Input[float] = inputs.dist.exponential(mean=1 / work.ARRIVAL_RATE)
    key: cb.Input[int] = inputs.dist.categorical(range(work.KEYS), SHARES)
    groups: list[Group]
    instances: list[Instance]  # of all groups, one group after the other
    partitions: list[Partition]

    def __init__(self, messages: int) -> None:
        self.messages = messages
        self.groups = [Group() for _ in work.GROUPS]
        self.instances = [Instance(group) for group in self.groups for _ in range(work.INSTANCES)]
        self.partitions = [Partition(self.instances[work.owner_of(number) :: work.INSTANCES]) for number in range(work.PARTITIONS)]

    @cb.process
    def produce(self) -> None:
        for _ in range(self.messages):
            cb.hold(self.gap.next())
            self.partitions[PARTITION_OF[self.key.next()]].waiting.put(cb.now())


def run_queue(messages: int, seed: int) -> Floats:
    """Latencies in W1, in simulated seconds, shape (1, messages), in the order in which messages are done."""
    model = Queue(messages)
    return _latencies(model, [model], seed)


def run_log(messages: int, seed: int) -> Floats:
    """Latencies in W2, in simulated seconds, shape (groups, messages), in the order in which deliveries are done."""
    model = Log(messages)
    return _latencies(model, model.groups, seed)


def _latencies(model: cb.Model, noted_by: list[Queue] | list[Group], seed: int) -> Floats:
    results = cb.Experiment(model, seed=seed).run(workers=1, on_failure="raise")
    return np.array([results[noting].latencies.trial(0, 0)[1] for noting in noted_by])
