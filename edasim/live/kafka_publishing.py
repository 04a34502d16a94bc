"""Publishing to a Kafka topic: to the partition of the entity, each message once; whoever publishes tries again, and not the client."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient

from edasim.live.kafka_connection import PATIENCE_S, Lost, down_if_lost, settings
from edasim.live.protocol import Down, Target
from edasim.partitions import partition_for
from edasim.scenario import Scenario

CLIENT_STEP_NS = 1_000_000  # the client counts milliseconds


def topic_of(target: Target) -> str:
    """The topic of a run."""
    return target.name("changes")


class KafkaPublishing:
    """A producer; its answers are told as they come."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self.loads: list[tuple[int, int, int, int]] = []
        self._topic, self._partitions = topic_of(target), scenario.broker.partitions
        self._answers: list[tuple[int, bool]] = []
        self._lost = Lost()
        producer = scenario.source.producer
        own = {
            "acks": producer.acks,
            "linger.ms": 0,
            "batch.num.messages": 1,  # as the scenario says; besides, Tansu 0.6 says of a batch's end only where it begins
            "message.send.max.retries": 0,
            "message.timeout.ms": max(round(producer.ack_timeout * 1000), 1),
            "error_cb": self._lost,
        }
        with down_if_lost():
            AdminClient(settings(target.url)).list_topics(timeout=PATIENCE_S)
        self._producer = Producer({**settings(target.url), **own})

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """As `Publishing.publish`."""
        self._lost.check()
        partition = partition_for(entity, self._partitions)

        def answered(error: KafkaError | None, message: Message) -> None:
            self._answers.append((change, error is None))

        try:
            self._producer.produce(self._topic, body, str(entity).encode(), partition, on_delivery=answered)
        except BufferError as full:
            raise Down(str(full)) from None

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """As `Publishing.attend`."""
        while True:
            left = max(until - time.monotonic_ns(), 0)
            if left < CLIENT_STEP_NS:
                time.sleep(left / 1e9)
            self._producer.poll(left // CLIENT_STEP_NS / 1000)
            for answer in self._answers:
                answered(*answer)
            self._answers.clear()
            self._lost.check()
            if time.monotonic_ns() >= until:
                return

    def close(self) -> None:
        """As `Publishing.close`; what was not sent by now never is.

        Nothing of it is left: librdkafka 2.16 crashes where a client still knows a topic that is removed (measured on Tansu 0.6).
        """
        self._producer.purge()
        self._producer.flush(PATIENCE_S)
        del self._producer
