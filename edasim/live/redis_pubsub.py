"""Redis publish and subscribe: a channel for each partition, to which the instance subscribes that owns it. Nothing is kept.

How much of what a subscriber has not read yet Redis buffers is counted in bytes (`client-output-buffer-limit`), not in messages.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from edasim.errors import InputError
from edasim.live.bodies import change_of
from edasim.live.protocol import Down, Message, Target, without_password
from edasim.live.redis_connection import Sending, client, down_if_lost, session, versions
from edasim.partitions import partition_for, range_assignment
from edasim.patterns import Pattern
from edasim.scenario import Scenario

WAIT_S = 0.05  # for the next message, before a signal is looked for
PATIENCE_S = 5.0  # until a subscription must be confirmed


class RedisPubSub:
    """The technology `redis-pubsub`."""

    kinds = frozenset({"pubsub"})
    truths = frozenset({"table"})
    ways_out = frozenset({"direct"})
    polls = False
    commits = False

    def why_not(self, scenario: Scenario, pattern: Pattern) -> str | None:
        """What it can't do."""
        if scenario.broker.max_length is not None:
            return "broker.max_length: Redis bounds a subscriber's buffer in bytes, not in messages: --set broker.max_length=null"
        return None

    def names(self, target: Target, scenario: Scenario) -> "Channels":
        """The channels of a run."""
        return Channels(target, scenario)

    def publishing(self, target: Target, scenario: Scenario) -> "ChannelPublishing":
        """A connection that publishes."""
        return ChannelPublishing(target, scenario)

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> "ChannelConsuming":
        """A subscriber."""
        return ChannelConsuming(target, scenario, consumer, instance)

    def relaying(self, target: Target, scenario: Scenario) -> Any:
        """There is none."""
        raise NotImplementedError

    def versions(self, target: Target) -> Mapping[str, str]:
        """Of the server and the client."""
        return versions(target.url)


TECHNOLOGY = RedisPubSub()


class Channels:
    """Channels are there while somebody is subscribed: there is nothing to make, and nothing left to remove."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self._target = target
        self._channels = [target.name("channel", str(partition)) for partition in range(scenario.broker.partitions)]

    def make(self) -> None:
        """As `Names.make`."""
        with session(self._target.url) as server:
            taken: Any = server.pubsub_numsub(*self._channels)
        for channel, subscribers in taken:
            if subscribers:
                raise InputError(f"{channel.decode()} has subscribers already on {without_password(self._target.url)}: nothing was changed")

    def remove(self) -> None:
        """As `Names.remove`."""

    def waiting(self, consumer: str) -> set[int]:
        """Nothing is kept."""
        return set()

    def read_all(self) -> int | None:
        """It is no log."""
        return None

    def stored_bytes(self) -> int | None:
        """Nothing is stored."""
        return None


class ChannelPublishing(Sending):
    """Publishes each message in the channel of its entity's partition."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        super().__init__(target.url)
        self._target, self._partitions = target, scenario.broker.partitions

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """As `Publishing.publish`."""
        partition = partition_for(entity, self._partitions)
        self.send(change, [("PUBLISH", self._target.name("channel", str(partition)), body)])


class ChannelConsuming:
    """Subscribed to the channels of its own partitions. What it was sent and has not read dies with it."""

    def __init__(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> None:
        mine = range_assignment(scenario.broker.partitions, scenario.consumers[consumer].instances)[instance]
        self._server = client(target.url)
        with down_if_lost():
            self._subscriber: Any = self._server.pubsub()  # type: ignore[no-untyped-call]
            self._subscriber.subscribe(*(target.name("channel", str(partition)) for partition in mine))
            self._confirmed(len(mine))

    def _confirmed(self, channels: int) -> None:
        until, confirmed = time.monotonic() + PATIENCE_S, 0
        while confirmed < channels:
            said: Any = self._subscriber.get_message(timeout=WAIT_S)
            confirmed += said is not None and said["type"] == "subscribe"
            if time.monotonic() > until:
                raise Down("the subscription was not confirmed")

    def messages(self) -> Iterator[list[Message]]:
        """As `Consuming.messages`."""
        while True:
            with down_if_lost():
                said: Any = self._subscriber.get_message(timeout=WAIT_S)
            if said is None or said["type"] != "message":
                yield []
            else:
                yield [Message(change_of(said["data"]), False, None)]

    def acknowledge(self, messages: "list[Message]") -> None:
        """Nobody waits for it."""

    def close(self) -> None:
        """As `Consuming.close`."""
        self._subscriber.close()
        self._server.close()
