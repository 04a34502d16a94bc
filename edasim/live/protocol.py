"""What every technology brings, so that one course of events drives them all: names made and removed, publishing, consuming.

A run has one process that publishes (and runs the course), and one process for each instance of each consumer, so that a kill is a
kill. Every process connects for itself, by the same `Target`. All stamps are of one clock, CLOCK_MONOTONIC of this machine, in
nanoseconds since the run began: a broker's own clock is never read.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edasim.scenario import Scenario


@dataclass(frozen=True)
class Target:
    """Where a broker is, and the names of a run on it: everything that is made there begins with *prefix*."""

    technology: str  # rabbitmq, redis-streams, redis-pubsub, kafka, postgres
    url: str
    prefix: str  # such as edasim-3f9a2c61-

    def name(self, *parts: str) -> str:
        """A name on the broker: the prefix and what is told apart."""
        return self.prefix + "-".join(parts)


class Message(NamedTuple):
    """One message as a consumer got it."""

    change: int  # row of `changes`, which its body begins with
    again: bool  # the broker says, or it is known here, that it was delivered before
    handle: object  # what the technology needs to acknowledge it


class Names(Protocol):
    """What is there only because of a run: queues, topics, groups, tables."""

    def make(self) -> None:
        """Make all names. Raises InputError, with nothing made or changed, where one of them is there already."""

    def remove(self) -> None:
        """Remove what `make` made, and nothing else; again is harmless."""

    def waiting(self, consumer: str) -> set[int]:
        """The changes whose messages the broker still holds for that consumer: neither acknowledged nor dropped. Only when nobody consumes."""

    def stored_bytes(self) -> int | None:
        """What the broker stores for this run, in bytes on disk or in memory as the technology says it; None where it can't be told."""


class Publishing(Protocol):
    """A connection that publishes. Nothing here blocks for an answer, where the client library can do without."""

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """Send one message. Raises Down where there is no connection."""

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """Let the network be served until that time (ns of the run); *answered*(change, stored) for every confirmation and refusal."""

    def close(self) -> None: ...


class Consuming(Protocol):
    """A connection of one instance of one consumer."""

    def messages(self) -> Iterator[Message | None]:
        """The messages in the order in which they come; None whenever there was none for a while, so that a signal is noticed.

        Raises Down where the connection is lost: who consumes connects again.
        """

    def acknowledge(self, messages: "list[Message]") -> None:
        """Acknowledge or commit messages, handled in this order; the last of the list is the newest. Raises Down."""

    def close(self) -> None: ...


class Down(Exception):
    """The broker can't be reached, or the connection was lost."""


class Technology(Protocol):
    """One technology, as a module of this package offers it in `TECHNOLOGIES` (edasim/live/technologies.py)."""

    def why_not(self, scenario: Scenario) -> str | None:
        """What of the scenario this technology can't do, in a sentence that says what would; None: it can."""

    def names(self, target: Target, scenario: Scenario) -> Names: ...

    def publishing(self, target: Target, scenario: Scenario) -> Publishing: ...

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> Consuming: ...

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
