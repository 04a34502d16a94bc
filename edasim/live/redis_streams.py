"""Redis streams. A log is one stream with a group for each consumer; a queue is a stream of its own for each consumer.

An entry of a queue is deleted when it is acknowledged, so what is in its stream waits or is being handled: both count for MAXLEN. Ids
begin with our own clock, so a retention needs no clock of the broker: each entry that is added trims what is older.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import redis

from edasim.live.protocol import Down, Message, Target
from edasim.live.redis_connection import Command, Sending, client, down_if_lost, versions
from edasim.live.redis_stream_names import BODY, Entries, StreamNames, change_in, group_of, streams_of
from edasim.patterns import Pattern
from edasim.scenario import Scenario

WAIT_MS = 50  # for the next message, before a signal is looked for
AT_ONCE = 100  # messages of a log in one answer
MS = 1_000_000  # nanoseconds


class RedisStreams:
    """The technology `redis-streams`."""

    kinds = frozenset({"log", "queue"})
    truths = frozenset({"table"})
    ways_out = frozenset({"direct"})
    polls = False
    commits = False

    def why_not(self, scenario: Scenario, pattern: Pattern) -> str | None:
        """What a stream can't do."""
        broker = scenario.broker
        if broker.kind == "log" and broker.partitions > 1:
            return f"broker.partitions: a stream is one partition, not {broker.partitions}: --set broker.partitions=1"
        if broker.max_length is not None and broker.overflow == "reject":
            return "broker.overflow: a stream drops its oldest entries and tells nobody: --set broker.overflow=drop_oldest"
        if broker.outages is not None and not broker.durable:
            return "broker.durable: a Redis that is killed without its file forgets the groups that read, too: --set broker.durable=true"
        if broker.max_length == 0:
            return "broker.max_length: a stream of no length holds nothing: allowed is 1 or more"
        for number, consumer in enumerate(scenario.consumers):
            if broker.kind == "log" and consumer.instances > 1:
                return (
                    f"consumers.{consumer.name}.instances: one partition is read by one instance, not {consumer.instances}: "
                    f"--set consumers.{number}.instances=1, or broker.kind=queue"
                )
            if broker.kind == "queue" and consumer.outages is not None and consumer.instances > 1 and consumer.redeliver_after is None:
                return (
                    f"consumers.{consumer.name}.redeliver_after: Redis does not notice that an instance is gone; "
                    f"--set consumers.{number}.redeliver_after=5s makes another one claim its messages then"
                )
        return None

    def names(self, target: Target, scenario: Scenario) -> "StreamNames":
        """The streams of a run."""
        return StreamNames(target, scenario)

    def publishing(self, target: Target, scenario: Scenario) -> "StreamPublishing":
        """A connection that adds entries."""
        return StreamPublishing(target, scenario)

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> "StreamConsuming":
        """A connection of one instance."""
        return StreamConsuming(target, scenario, consumer, instance)

    def relaying(self, target: Target, scenario: Scenario) -> Any:
        """There is none."""
        raise NotImplementedError

    def versions(self, target: Target) -> Mapping[str, str]:
        """Of the server and the client."""
        return versions(target.url)


TECHNOLOGY = RedisStreams()


class StreamPublishing(Sending):
    """Adds each message to the log, or to all queues at once."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        super().__init__(target.url)
        self._keys = sorted(set(streams_of(target, scenario).values()))
        self._bounded = scenario.broker.kind == "queue" and scenario.broker.max_length is not None
        self._most = scenario.broker.max_length or 0
        self._retention_ms = round(scenario.broker.retention * 1000) if scenario.broker.kind == "log" else None

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """As `Publishing.publish`."""
        adds = [("XADD", key, *self._trimmed(), f"{time.monotonic_ns() // MS}-*", BODY, body) for key in self._keys]
        commands: list[Command] = [*adds] if len(adds) == 1 else [("MULTI",), *adds, ("EXEC",)]
        self.send(change, commands)

    def _trimmed(self) -> Command:
        if self._bounded:
            return "MAXLEN", "=", self._most
        oldest = 0 if self._retention_ms is None else time.monotonic_ns() // MS - self._retention_ms
        return ("MINID", "=", oldest) if oldest > 0 else ()

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """As `Publishing.attend`; trims what is too old, besides."""
        trimmed = self._trimmed()
        if trimmed and not self._bounded:
            self.send(-1, [("XTRIM", key, *trimmed) for key in self._keys])
        super().attend(until, answered)


class StreamConsuming:
    """Reads as one member of its consumer's group.

    A member that comes back under its own name first gets again what it had not acknowledged, unless `redeliver_after` gives that to
    whoever claims it.
    """

    def __init__(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> None:
        settings = scenario.consumers[consumer]
        self._server = client(target.url)
        self._key, self._group = streams_of(target, scenario)[settings.name], group_of(consumer)
        self._me = f"i{instance}"
        self._is_log = scenario.broker.kind == "log"
        self._claims_ms = None if self._is_log or settings.redeliver_after is None else round(settings.redeliver_after * 1000)
        at_most = settings.commit.messages if settings.commit.when == "before" else None
        self._at_once = at_most or AT_ONCE
        self._prefetch = settings.prefetch
        self._open: set[bytes] = set()  # taken, and not acknowledged
        self._claimed_at = 0

    def messages(self) -> Iterator[list[Message]]:
        """As `Consuming.messages`."""
        with down_if_lost():
            if self._claims_ms is None:
                yield from self._own_again()
            while True:
                room = self._at_once if self._is_log else self._prefetch - len(self._open)
                if room <= 0:
                    time.sleep(WAIT_MS / 1000)
                    yield []
                else:
                    yield self._claimed(room) or self._new(room)

    def _own_again(self) -> Iterator[list[Message]]:
        """What it had taken in an earlier life; an entry that was trimmed meanwhile has no fields."""
        last = "0"
        while entries := self._read(last, self._at_once if self._is_log else self._prefetch):
            last = entries[-1][0].decode()
            yield self._taken(entries, again=True)

    def _claimed(self, room: int) -> list[Message]:
        """What some member has held for too long, this one or another; looked for ten times in that time."""
        now = time.monotonic_ns() // MS
        if self._claims_ms is None or now - self._claimed_at < self._claims_ms / 10:
            return []
        self._claimed_at = now
        found = cast(Any, self._server.xautoclaim(self._key, self._group, self._me, self._claims_ms, "0-0", count=room))
        return self._taken(found[1], again=True)

    def _new(self, room: int) -> list[Message]:
        return self._taken(self._read(">", room), again=False)

    def _read(self, place: str, count: int) -> Entries:
        answer = cast(Any, self._server.xreadgroup(self._group, self._me, {self._key: place}, count=count, block=WAIT_MS))
        return answer[0][1] if answer else []

    def _taken(self, entries: Entries, *, again: bool) -> list[Message]:
        there = [(place, fields) for place, fields in entries if fields]
        self._open.update(place for place, _ in there)
        return [Message(change_in(fields), again, place) for place, fields in there]

    def acknowledge(self, messages: "list[Message]") -> None:
        """As `Consuming.acknowledge`; a queue's entries are deleted, too."""
        places = [cast(bytes, message.handle) for message in messages]
        with down_if_lost():
            steps = self._server.pipeline(transaction=True)
            steps.xack(self._key, self._group, *places)
            if not self._is_log:
                steps.xdel(self._key, *places)
            try:
                steps.execute()
            except redis.ResponseError as error:  # a server that came back without its data knows no such group
                raise Down(str(error)) from None
        self._open.difference_update(places)

    def close(self) -> None:
        """As `Consuming.close`."""
        self._server.close()
