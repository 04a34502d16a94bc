"""RabbitMQ: a durable fanout exchange, and a durable classic queue for each consumer, of which its instances take in turn."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

from edasim.errors import InputError
from edasim.live.bodies import change_of
from edasim.live.protocol import Down, Message, Target
from edasim.live.rabbitmq_publishing import RabbitPublishing, parameters
from edasim.patterns import Pattern
from edasim.scenario import Broker, Scenario

WAIT_S = 0.05  # for the next message, before a signal is looked for
NOT_FOUND = 404
LONGEST_TTL_MS = 2**32 - 1


class RabbitMQ:
    """The technology `rabbitmq`."""

    kinds = frozenset({"queue"})
    truths = frozenset({"table"})
    ways_out = frozenset({"direct"})
    commits = False
    polls = False

    def why_not(self, scenario: Scenario, pattern: Pattern) -> str | None:
        """What a classic queue can't do."""
        broker = scenario.broker
        if broker.max_length == 0:
            return "broker.max_length: a queue of no length refuses all, even where somebody is free: allowed is 1 or more"
        for number, consumer in enumerate(scenario.consumers):
            if consumer.redeliver_after is not None:
                return (
                    f"consumers.{consumer.name}.redeliver_after: RabbitMQ delivers again as soon as a connection drops: "
                    f"--set consumers.{number}.redeliver_after=null"
                )
        return None

    def names(self, target: Target, scenario: Scenario) -> "RabbitNames":
        """The exchange and the queues of a run."""
        return RabbitNames(target, scenario)

    def publishing(self, target: Target, scenario: Scenario) -> RabbitPublishing:
        """A connection that publishes to the exchange."""
        return RabbitPublishing(target, scenario)

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> "RabbitConsuming":
        """A connection of one instance."""
        return RabbitConsuming(target, scenario, consumer)

    def relaying(self, target: Target, scenario: Scenario) -> Any:
        """There is none."""
        raise NotImplementedError

    def versions(self, target: Target) -> Mapping[str, str]:
        """Of the server and the client."""
        connection = RabbitPublishing(target, Scenario())
        try:
            return {"rabbitmq": connection.server_version, "pika": pika.__version__}
        finally:
            connection.close()


TECHNOLOGY = RabbitMQ()


@contextmanager
def down_if_lost() -> Iterator[None]:
    """A lost connection, one that does not come about, or a channel that the broker closed, is `Down`."""
    try:
        yield
    except (AMQPError, AMQPConnectorException, OSError) as error:  # no answer to a greeting in time is no AMQPError
        raise Down(str(error) or type(error).__name__) from None


@contextmanager
def connected(url: str) -> Iterator[pika.BlockingConnection]:
    """A connection for a moment. Raises Down."""
    with down_if_lost():
        connection = pika.BlockingConnection(parameters(url))
        try:
            yield connection
        finally:
            with suppress(AMQPError):  # it may be the lost connection that ends us
                connection.close()


def queue_of(target: Target, number: int) -> str:
    """The queue of a consumer."""
    return target.name("queue", str(number))


def arguments(broker: Broker) -> dict[str, Any]:
    """How a queue is declared; without a bound and with the retention that the scenario has by default it has no arguments.

    >>> arguments(Broker(kind="queue", max_length=10, retention="1min"))
    {'x-max-length': 10, 'x-overflow': 'reject-publish', 'x-message-ttl': 60000}
    """
    said: dict[str, Any] = {}
    if broker.max_length is not None:
        said["x-max-length"] = broker.max_length
        said["x-overflow"] = "reject-publish" if broker.overflow == "reject" else "drop-head"
    if broker.retention != Broker.model_fields["retention"].default and broker.retention * 1000 <= LONGEST_TTL_MS:
        said["x-message-ttl"] = round(broker.retention * 1000)
    return said


class RabbitNames:
    """The exchange and the queues of a run."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self._target, self._scenario = target, scenario
        self._exchange = target.name("changes")
        self._queues = [queue_of(target, number) for number in range(len(scenario.consumers))]
        self._made = False

    def make(self) -> None:
        """As `Names.make`."""
        with connected(self._target.url) as connection:
            for name, is_there in [(self._exchange, _has_exchange), *((queue, _has_queue) for queue in self._queues)]:
                if is_there(connection, name):
                    raise InputError(f"{name} is there already on this broker: nothing was changed")
            self._made = True
            channel = connection.channel()
            channel.exchange_declare(self._exchange, "fanout", durable=True)
            for queue in self._queues:
                channel.queue_declare(queue, durable=True, arguments=arguments(self._scenario.broker))
                channel.queue_bind(queue, self._exchange)

    def remove(self) -> None:
        """As `Names.remove`."""
        if not self._made:
            return
        with connected(self._target.url) as connection:
            channel = connection.channel()
            for queue in self._queues:
                channel.queue_delete(queue)
            channel.exchange_delete(self._exchange)
        self._made = False

    def waiting(self, consumer: str) -> set[int]:
        """As `Names.waiting`: takes all that waits, and gives it back by going away."""
        queue = queue_of(self._target, self._scenario.consumer_number(consumer))
        with connected(self._target.url) as connection:
            channel = connection.channel()
            count = channel.queue_declare(queue, passive=True).method.message_count
            changes: set[int] = set()
            for _ in range(count):
                method, _, body = channel.basic_get(queue)
                if method is None:  # its time was over meanwhile
                    break
                changes.add(change_of(body))
            return changes

    def read_all(self) -> int | None:
        """A queue is no log."""
        return None

    def stored_bytes(self) -> int | None:
        """Only a plugin tells, which need not be there."""
        return None


def _has_queue(connection: pika.BlockingConnection, name: str) -> bool:
    return _found(connection, lambda channel: channel.queue_declare(name, passive=True))


def _has_exchange(connection: pika.BlockingConnection, name: str) -> bool:
    return _found(connection, lambda channel: channel.exchange_declare(name, passive=True))


def _found(connection: pika.BlockingConnection, look: Callable[[BlockingChannel], object]) -> bool:
    """Whether a passive declaration finds what it names: the broker closes the channel where it does not."""
    try:
        look(connection.channel())
    except ChannelClosedByBroker as error:
        if error.reply_code != NOT_FOUND:
            raise InputError(f"the broker refuses to say what is there: {error.reply_text}") from None
        return False
    return True


class RabbitConsuming:
    """Takes from its consumer's queue, at most `prefetch` at a time that it has not acknowledged."""

    def __init__(self, target: Target, scenario: Scenario, consumer: int) -> None:
        with down_if_lost():
            self._connection = pika.BlockingConnection(parameters(target.url))
            self._channel = self._connection.channel()
            self._channel.basic_qos(prefetch_count=scenario.consumers[consumer].prefetch)
            self._queue = queue_of(target, consumer)
            self._deliveries = self._channel.consume(self._queue, inactivity_timeout=WAIT_S)

    def messages(self) -> Iterator[list[Message]]:
        """As `Consuming.messages`, one at a time."""
        while True:
            with down_if_lost():
                method, _, body = next(self._deliveries)
            yield [] if method is None else [Message(change_of(body), method.redelivered, method.delivery_tag)]

    def acknowledge(self, messages: "list[Message]") -> None:
        """As `Consuming.acknowledge`: the newest and all before it that this connection was given."""
        with down_if_lost():
            self._channel.basic_ack(messages[-1].handle, multiple=True)

    def close(self) -> None:
        """As `Consuming.close`: what it was given and did not acknowledge is delivered to others."""
        with suppress(AMQPError):  # lost already
            self._connection.close()
