"""What every technology brings, so that one course of events drives them all: names made and removed, publishing, consuming.

A run has one process that publishes (and runs the course), and one process for each instance of each consumer, so that a kill is a
kill. Every process connects for itself, by the same `Target`. All stamps are of one clock, `time.monotonic_ns()` (CLOCK_MONOTONIC of
this machine): a broker's own clock is never read. Where a relay publishes (`source.publish: outbox`) each of its instances is a process,
too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edasim.patterns import Pattern
from edasim.scenario import Scenario


@dataclass(frozen=True)
class Target:
    """Where a broker is, and the names of a run on it: everything that is made there begins with *prefix*."""

    technology: str  # rabbitmq, redis-streams, redis-pubsub, kafka, postgres
    url: str
    prefix: str  # such as edasim-3f9a2c61-
    truth: str = "table"  # or events: of the pattern

    def name(self, *parts: str) -> str:
        """A name on the broker: the prefix and what is told apart."""
        return self.prefix + "-".join(parts)


class Message(NamedTuple):
    """One message as a consumer got it."""

    change: int  # row of `changes`, which its body begins with
    again: bool  # the broker says, or it is known here, that it was delivered before
    handle: object  # what the technology needs to acknowledge it


def without_password(url: str) -> str:
    """The address without user and password, for a message that may end in a log.

    >>> without_password("amqp://guest:secret@127.0.0.1:5672/")
    'amqp://...@127.0.0.1:5672/'
    >>> without_password("host=127.0.0.1 user=me password=secret")
    'host=127.0.0.1 user=me password=...'
    >>> without_password("password = 'my secret' host=127.0.0.1")
    'password=... host=127.0.0.1'
    """
    return re.sub(r"password\s*=\s*('(\\.|[^'\\])*'|\S+)", "password=...", re.sub(r"//[^/]*@", "//...@", url))


class Names(Protocol):
    """What is there only because of a run: queues, topics, groups, tables."""

    def make(self) -> None:
        """Make all names. Raises InputError, with nothing made or changed, where one of them is there already."""

    def remove(self) -> None:
        """Remove what `make` made, and nothing else; again is harmless."""

    def waiting(self, consumer: str) -> set[int]:
        """The changes whose messages the broker still holds for that consumer, neither acknowledged nor dropped.

        In a log: those behind what the consumer committed. Asked only when nobody consumes.
        """

    def read_all(self) -> int | None:
        """Read with a fresh connection all that a log holds, from its start; how many messages. None where the technology is no log."""

    def stored_bytes(self) -> int | None:
        """What the broker stores for this run, in bytes on disk or in memory as the technology says it; None where it can't be told."""


class Publishing(Protocol):
    """A connection that publishes; there when it is made, which raises Down where it can't be.

    Nothing here blocks for an answer, where the client library can do without.
    """

    loads: "list[tuple[int, int, int, int]]"  # of loads of an entity's events: when (monotonic ns), entity, events, ns; else empty

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """Send one message, whose *body* begins as edasim/live/bodies.py says. Raises Down where there is no connection."""

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """Let the network be served until that time (of `monotonic_ns`; sleep, if there is nothing); at least once, if it is over.

        *answered*(change, stored) for every confirmation (True) and refusal (False), as soon as it is there. Raises Down where the
        connection is lost.
        """

    def close(self) -> None: ...


class Consuming(Protocol):
    """A connection of one instance of one consumer; there, and subscribed, when it is made, which raises Down where it can't be.

    At most `prefetch` messages are taken and not acknowledged (a log: as it likes). With `commit.when: before` whoever consumes
    acknowledges each list of messages before it handles them.
    """

    def messages(self) -> Iterator[list[Message]]:
        """The messages in the order in which they come: those that are at hand, in a list (one each is fine).

        An empty list whenever there was none for at most 50 ms, so that a signal is noticed. With `commit.when: before` a list holds at
        most `commit.messages`, if that is given. Raises Down where the connection is lost: who consumes connects again.
        """

    def acknowledge(self, messages: "list[Message]") -> None:
        """Acknowledge or commit messages, handled in this order; the last of the list is the newest. Raises Down."""

    def close(self) -> None: ...


class Relaying(Protocol):
    """A connection of one relay; there when it is made, which raises Down where it can't be."""

    def poll(self, published: Callable[[list[int]], None]) -> int:
        """One poll: take at most `source.relay.batch` changes, publish them, and mark them; how many there were. Raises Down.

        *published* is told their changes when they are stored, before they are marked: who is killed in between publishes them again.
        """

    def close(self) -> None: ...


class Down(Exception):
    """The broker can't be reached, or the connection was lost."""


class Technology(Protocol):
    """One technology, as a module of this package offers it under the name `TECHNOLOGY` (see edasim/live/technologies.py).

    What no technology can do is refused before (edasim/live/limits.py), also what `kinds`, `truths` and `ways_out` don't hold.
    """

    kinds: frozenset[str]  # of `broker.kind`
    truths: frozenset[str]  # of a pattern: {"table"}, or {"table", "events"}
    ways_out: frozenset[str]  # of `source.publish`: direct where `publish` sends the message itself; outbox needs `relaying`
    polls: bool  # whether its consumers sleep `poll_interval` after an empty poll
    commits: bool  # whether a confirmation of `publish` is the commit of the change: then that is when it committed

    def why_not(self, scenario: Scenario, pattern: Pattern) -> str | None:
        """What of the scenario this technology can't do, in a sentence that says what would; None: it can."""

    def names(self, target: Target, scenario: Scenario) -> Names: ...

    def publishing(self, target: Target, scenario: Scenario) -> Publishing: ...

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> Consuming: ...

    def relaying(self, target: Target, scenario: Scenario) -> Relaying:
        """A relay. Only where `ways_out` holds outbox."""

    def versions(self, target: Target) -> Mapping[str, str]:
        """The broker's and the client library's versions, for the journal's facts."""


class Private(Protocol):
    """A broker that we started ourselves: `start_private(technology, scenario)` in edasim/live/private.py gives one."""

    url: str

    def kill(self) -> None:
        """SIGKILL its process, as a crash does. Data on disk stay."""

    def restart(self) -> None:
        """Start it again on the same port and data; returns when it takes connections."""

    def stop(self) -> None:
        """End it and remove its folder; again is harmless. Ends only processes that it started."""
