"""What became of each message at one consumer, told from what was written down; docs/measure.md says the rules to people.

All functions are pure: they know no broker. Times are nanoseconds from the beginning of the run.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edasim.journal import (
    APPLIED,
    IN_FLIGHT,
    LOST_BROKER,
    LOST_CONSUMER,
    LOST_DISCONNECTED,
    LOST_OVERFLOW,
    LOST_RETENTION,
    NONE,
)
from edasim.live.records import BEGUN, CONNECTED, ENDED, GONE, TAKEN, Records

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Spans = Mapping[int, Sequence[tuple[int, int]]]  # by instance


@dataclass(frozen=True)
class Sent:
    """What the publisher knows of each change; all of shape (changes,), NONE where it did not happen.

    *committed*; the last attempt (*sent*) and the first confirmation at all (*confirmed*); whether the last answer was a *refusal*;
    whether no attempt will follow (*gave_up*); whether any attempt was made on a connection (*reached*). *blind*: it asks for no answer.
    """

    committed: Ints
    sent: Ints
    confirmed: Ints
    refused: Flags
    gave_up: Flags
    reached: Flags
    blind: bool = False


@dataclass(frozen=True)
class Rules:
    """What the broker may have done to a message that was stored."""

    kind: str
    horizon: int
    over: int  # when the run was over: who was still there was asked to leave
    retention: int  # nanoseconds
    drops_oldest: bool = False  # whether it is bounded, and tells nobody
    durable: bool = True
    broker_down: tuple[tuple[int, int], ...] = ()
    down: Spans = field(default_factory=dict)  # of the consumer's instances


@dataclass(frozen=True)
class Connection:
    """One instance was connected from *since* to *until*; *killed*: it had no time to say goodbye."""

    instance: int
    since: int
    until: int
    killed: bool


def connections(records: Records, down: Spans, horizon: int) -> list[Connection]:
    """All connections of a consumer's instances. One that did not write its end was killed at the next time that its instance went down."""
    found = []
    for instance, life in sorted(set(zip(records.instance.tolist(), records.life.tolist(), strict=True))):
        mine = (records.instance == instance) & (records.life == life)
        since: int | None = None
        for kind, time in zip(records.kind[mine].tolist(), records.time[mine].tolist(), strict=True):
            if kind == CONNECTED:
                since = time
            elif kind == GONE and since is not None:
                found.append(Connection(instance, since, time, killed=False))
                since = None
        if since is not None:
            killed = [start for start, _ in down.get(instance, ()) if start >= since]
            found.append(Connection(instance, since, min(killed, default=horizon), killed=bool(killed)))
    return found


def first_times(records: Records, changes: int) -> Ints:
    """When each change is first in *records*, which are in order; shape (changes,)."""
    found = np.full(changes, NONE)
    found[records.change[::-1]] = records.time[::-1]
    return found


def stored_at(sent: Sent, begun: Ints, waiting: Set[int]) -> Ints:
    """When each message was stored: in the middle between the attempt and its confirmation, and never after its first handling began.

    One that nobody confirmed, but that was handled or waits, was stored: at the latest when its handling began, else when it was sent.
    """
    middle = np.where(sent.confirmed >= sent.sent, sent.sent + (sent.confirmed - sent.sent) // 2, sent.confirmed)
    stored = np.where(sent.confirmed != NONE, middle, NONE)
    held = np.zeros(stored.size, dtype=bool)
    held[np.fromiter(waiting, np.int64, len(waiting))] = True
    assumed = held | (sent.reached & ~sent.refused if sent.blind else False)
    stored = np.where((stored == NONE) & assumed, sent.sent, stored)
    stored = np.where((begun != NONE) & ((stored == NONE) | (begun < stored)), begun, stored)
    return np.asarray(np.where(stored == NONE, NONE, np.maximum(stored, sent.committed)))


def deliveries(sent: Sent, records: Records, waiting: Set[int], rules: Rules, owner: Ints | None = None) -> dict[str, Ints]:
    """The journal's columns at one consumer, for all changes. *owner*: of a subscriber's message the instance that should get it."""
    changes = sent.committed.size
    begun, ended = records.of(BEGUN), records.of(ENDED)
    delivered, applied = first_times(begun, changes), first_times(ended, changes)
    stored = stored_at(sent, delivered, waiting)
    outcome = np.full(changes, APPLIED)
    taken = np.isin(np.arange(changes), records.of(TAKEN).change)
    links = connections(records, rules.down, rules.horizon)
    for change in np.flatnonzero(applied == NONE).tolist():
        if change in waiting:
            outcome[change] = IN_FLIGHT
        elif stored[change] == NONE:
            outcome[change] = _never_stored(sent, change)
        elif taken[change]:
            outcome[change] = LOST_CONSUMER
        elif rules.kind == "pubsub":
            mine = [link for link in links if owner is None or link.instance == owner[change]]
            outcome[change] = _missed(int(stored[change]), mine, rules)
        else:
            outcome[change] = _gone(int(stored[change]), rules)
    return {
        "stored": stored,
        "delivered": delivered,
        "applied": applied,
        "attempts": np.bincount(begun.change, minlength=changes),
        "copies": np.bincount(ended.change, minlength=changes),
        "outcome": outcome,
    }


def _never_stored(sent: Sent, change: int) -> int:
    """Nobody confirmed it, and nobody has it."""
    if sent.refused[change] and (sent.gave_up[change] or sent.blind):
        return LOST_OVERFLOW
    return LOST_BROKER if sent.gave_up[change] or sent.blind else IN_FLIGHT


def _missed(stored: int, links: list[Connection], rules: Rules) -> int:
    """A message that passed at *stored*, and that its subscriber, which had these connections, did not handle.

    A connection ends with its broker, though its client may notice that later: it first reads what had come.
    """
    link = next((link for link in links if link.since <= stored < link.until), None)
    if link is None:
        return LOST_DISCONNECTED
    struck = [start for start, _ in rules.broker_down if link.since <= start <= link.until]
    if struck:
        return LOST_BROKER if stored <= min(struck) else LOST_DISCONNECTED
    if link.killed:
        return LOST_CONSUMER
    return IN_FLIGHT if link.until >= rules.over else LOST_DISCONNECTED


def _gone(stored: int, rules: Rules) -> int:
    """A message that was stored then and is nowhere any more, though nobody handled it."""
    if stored + rules.retention < rules.horizon:
        return LOST_RETENTION
    killed = any(start >= stored for start, _ in rules.broker_down)
    if rules.drops_oldest and (rules.durable or not killed):
        return LOST_OVERFLOW
    return LOST_BROKER
