"""What an engine finds out, before anything follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, NONE, Table

Ints = NDArray[np.int64]
Spans = list[tuple[int, int]]
FRESH = -2  # in place of a version seen: whatever is newest when it is asked


@dataclass(frozen=True)
class Topic:
    """The log of one topic, by partition in the order of the entries: rows (sequence, change, stored, visible), and when each is gone.

    *gone* has the shape of the rows: from when on the log does not hold the message any more, NEVER where that is not known.
    """

    log: Sequence[Ints]
    gone: Sequence[Ints]


@dataclass(frozen=True)
class AtConsumer:
    """What became of each change at one consumer, columns of shape (changes,).

    *failure* is the outcome unless it is applied; *repeats* are handlings to the end beside the first. *parked*: rows (time, change) of
    dead letters. *poisoned*: from the commit of each poison message until it was put aside. *upstream*: whom it listens to, by number.
    """

    topic: int
    upstream: int | None
    stored: Ints
    delivered: Ints
    applied: Ints
    attempts: Ints
    repeats: Ints
    failure: Ints
    parked: Ints
    poisoned: Spans

    @property
    def outcome(self) -> Ints:
        """The outcome of each change, were it the first consumer of a chain."""
        return np.where(self.applied != NONE, APPLIED, self.failure)


@dataclass(frozen=True)
class Answers:
    """Of each read when the attempt was made that counts, how long from its first one to the answer (NONE: none), the version seen."""

    asked: Ints
    latency: Ints
    seen: Ints


@dataclass(frozen=True)
class Found:
    """Columns of shape (changes,), tables of rows in the order in which they happened, and by consumer what became of messages and reads.

    *requests*: what was asked of the sources beside writes. *publish_attempts* and *acknowledged* are None where nothing is published.
    *sources*: how many there are.
    """

    sources: int
    version: Ints
    committed: Ints
    ended: Ints
    service: Ints
    publish_attempts: Ints | None
    acknowledged: Ints | None
    topics: Sequence[Topic]
    groups: dict[int, AtConsumer]
    answers: dict[int, Answers]
    own_reads: dict[int, Ints]
    refreshes: Table
    requests: Table
    loads: Table
    conflicts: Table
    snapshots: Table
    snapshot_contents: Table
    exchanges: Table
