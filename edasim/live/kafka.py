"""Whatever speaks Kafka's protocol: one topic, of whose partitions each instance of a consumer reads its own range.

Partitions are assigned by hand, so there is no group coordinator that rebalances; progress is committed to the broker all the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import confluent_kafka
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from edasim.errors import InputError
from edasim.live.bodies import change_of
from edasim.live.kafka_connection import PATIENCE_S, Lost, down_if_lost, settings
from edasim.live.kafka_publishing import KafkaPublishing, topic_of
from edasim.live.limits import nobody_takes_over
from edasim.live.protocol import Message, Target
from edasim.partitions import range_assignment
from edasim.patterns import Pattern
from edasim.scenario import Scenario

WAIT_S = 0.05  # for the next message, before a signal is looked for
FETCH_WAIT_MS = 10  # how long a broker may keep a fetch waiting: Kafka answers earlier if a message comes, Tansu looks only now and then
AT_ONCE = 100  # messages in one list
Handle = tuple[int, int]  # partition and offset


class Kafka:
    """The technology `kafka`."""

    kinds = frozenset({"log"})
    truths = frozenset({"table"})
    ways_out = frozenset({"direct"})
    commits = False
    polls = False

    def why_not(self, scenario: Scenario, pattern: Pattern) -> str | None:
        """What a topic can't do here."""
        broker = scenario.broker
        if broker.outages is not None:
            return "broker.outages: the broker that is started here keeps all in memory, a kill proves nothing: --set broker.outages=null"
        if broker.retention < scenario.window[1] + scenario.drain:
            return "broker.retention: brokers drop whole segments, when it suits them: --set broker.retention=7d"
        return nobody_takes_over(scenario)

    def names(self, target: Target, scenario: Scenario) -> "KafkaNames":
        """The topic and the groups of a run."""
        return KafkaNames(target, scenario)

    def publishing(self, target: Target, scenario: Scenario) -> KafkaPublishing:
        """A producer."""
        return KafkaPublishing(target, scenario)

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> "KafkaConsuming":
        """A consumer of one instance's partitions."""
        return KafkaConsuming(target, scenario, consumer, instance)

    def relaying(self, target: Target, scenario: Scenario) -> Any:
        """There is none."""
        raise NotImplementedError

    def versions(self, target: Target) -> Mapping[str, str]:
        """The protocol tells no version of the broker, only what it calls its cluster (Tansu: tansu_cluster)."""
        with down_if_lost():
            cluster = AdminClient(settings(target.url)).list_topics(timeout=PATIENCE_S).cluster_id
        return {"cluster": str(cluster), "confluent-kafka": version("confluent-kafka"), "librdkafka": str(confluent_kafka.libversion()[0])}


TECHNOLOGY = Kafka()


def _group_of(target: Target, consumer: int) -> str:
    return target.name("group", str(consumer))


class KafkaNames:
    """The topic and the groups of a run."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self._target, self._scenario = target, scenario
        self._topic = topic_of(target)
        self._groups = [_group_of(target, number) for number in range(len(scenario.consumers))]
        self._made = False

    def make(self) -> None:
        """As `Names.make`; a group is there as soon as it commits."""
        admin = AdminClient(settings(self._target.url))
        with down_if_lost():
            there = {*admin.list_topics(timeout=PATIENCE_S).topics, *_groups(admin)}
            for name in (self._topic, *self._groups):
                if name in there:
                    raise InputError(f"{name} is there already on this broker: nothing was changed")
            self._made = True
            new = NewTopic(self._topic, self._scenario.broker.partitions, 1)
            admin.create_topics([new])[self._topic].result(PATIENCE_S)

    def remove(self) -> None:
        """As `Names.remove`, when every client of this process is closed."""
        if not self._made:
            return
        admin = AdminClient(settings(self._target.url))
        with down_if_lost():
            groups = [group for group in self._groups if group in _groups(admin)]
            for answer in (*admin.delete_topics([self._topic]).values(), *_deleted(admin, groups)):
                answer.result(PATIENCE_S)
        self._made = False

    def waiting(self, consumer: str) -> set[int]:
        """As `Names.waiting`: behind what the group has committed."""
        number = self._scenario.consumer_number(consumer)
        with _reader(self._target, _group_of(self._target, number)) as reader:
            behind = _committed(reader, self._topic, range(self._scenario.broker.partitions))
            return {change_of(message.value() or b"") for message in _to_the_end(reader, behind)}

    def read_all(self) -> int | None:
        """As `Names.read_all`."""
        with _reader(self._target, self._target.name("nobody")) as reader:
            start = [TopicPartition(self._topic, number, 0) for number in range(self._scenario.broker.partitions)]
            return sum(1 for _ in _to_the_end(reader, start))

    def stored_bytes(self) -> int | None:
        """The client library can't ask."""
        return None


def _groups(admin: AdminClient) -> set[str]:
    return {group.group_id for group in admin.list_consumer_groups(request_timeout=PATIENCE_S).result().valid}


def _deleted(admin: AdminClient, groups: list[str]) -> Sequence[Any]:
    return list(admin.delete_consumer_groups(groups).values()) if groups else []


@contextmanager
def _reader(target: Target, group: str) -> Iterator[Consumer]:
    """A consumer for a moment. Raises Down."""
    with down_if_lost():
        consumer = consumer_of(target, group, Lost())
        try:
            yield consumer
        finally:
            consumer.close()


def consumer_of(target: Target, group: str, lost: Lost) -> Consumer:
    """A consumer that commits only when it is told to."""
    own = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": FETCH_WAIT_MS}
    return Consumer({**settings(target.url), **own, "error_cb": lost})


def _committed(consumer: Consumer, topic: str, partitions: range) -> list[TopicPartition]:
    """Where to go on in each partition: at what is committed, or at the start."""
    if not partitions:
        return []
    found = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=PATIENCE_S)
    return [TopicPartition(topic, each.partition, 0 if each.offset == OFFSET_INVALID else each.offset) for each in found]


def _to_the_end(consumer: Consumer, places: list[TopicPartition]) -> Iterator[confluent_kafka.Message]:
    """All messages from those places to what is the end of each partition now."""
    ends = [consumer.get_watermark_offsets(place, timeout=PATIENCE_S)[1] for place in places]
    left = sum(end - place.offset for end, place in zip(ends, places, strict=True))
    consumer.assign(places)
    while left > 0:
        found = consumer.consume(min(left, 1000), timeout=PATIENCE_S)
        if not found:
            raise TimeoutError(f"{left} messages of the log did not come within {PATIENCE_S:g} s")
        left -= len(found)
        yield from found


class KafkaConsuming:
    """Reads the partitions of one instance from what its group has committed of them. What comes again is nowhere marked as such."""

    def __init__(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> None:
        wanted = scenario.consumers[consumer]
        mine = range_assignment(scenario.broker.partitions, wanted.instances)[instance]
        at_most = wanted.commit.messages if wanted.commit.when == "before" else None
        self._at_once = at_most or AT_ONCE
        self._topic, self._lost = topic_of(target), Lost()
        self._consumer = consumer_of(target, _group_of(target, consumer), self._lost)
        try:
            with down_if_lost():
                self._consumer.assign(_committed(self._consumer, self._topic, mine))
        except BaseException:
            self._consumer.close()
            raise

    def messages(self) -> Iterator[list[Message]]:
        """As `Consuming.messages`: the next one, and those that were fetched with it."""
        while True:
            with down_if_lost():
                first = self._consumer.poll(WAIT_S)
                found = [] if first is None else [first, *self._fetched()]
                self._lost.check()
                taken = [_taken(message) for message in found]
            yield taken

    def _fetched(self) -> list[confluent_kafka.Message]:
        return self._consumer.consume(self._at_once - 1, timeout=0) if self._at_once > 1 else []

    def acknowledge(self, messages: "list[Message]") -> None:
        """As `Consuming.acknowledge`: of each partition the newest is committed."""
        newest: dict[int, int] = {}
        for message in messages:
            partition, offset = handle_of(message)
            newest[partition] = offset + 1
        with down_if_lost():
            places = [TopicPartition(self._topic, partition, offset) for partition, offset in newest.items()]
            self._consumer.commit(offsets=places, asynchronous=False)

    def close(self) -> None:
        """As `Consuming.close`."""
        self._consumer.close()


def handle_of(message: Message) -> Handle:
    """Partition and offset of a message."""
    assert isinstance(message.handle, tuple)
    return message.handle


def _taken(message: confluent_kafka.Message) -> Message:
    if message.error():
        raise KafkaException(message.error())
    return Message(change_of(message.value() or b""), False, (message.partition(), message.offset()))
