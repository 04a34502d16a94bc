"""Accounts: whether every message that was sent has exactly one outcome."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
NONE = -1  # as in edasim.journal
_LAST = np.iinfo(np.int64).max


@compiled
def broken_rules(
    change: Ints,
    consumer: Ints,
    applied: Ints,
    copies: Ints,
    outcome: NDArray[np.int8],
    committed: Ints,
    sends: Flags,
    is_applied: int,
    outcomes: int,
) -> Flags:
    """Which of `edasim.conservation.RULES` deliveries (columns of the journal's table) break, shape (rules,).

    *committed*: of each change; *sends*: whether something is sent to each consumer; *is_applied*: the outcome of what was handled, of so
    many *outcomes*.
    """
    broken = np.zeros(5, np.bool_)
    there, count = np.zeros((sends.size, committed.size), np.bool_), 0
    for row in range(change.size):
        mine, whose = change[row], consumer[row]
        if mine < 0 or mine >= committed.size or whose < 0 or whose >= sends.size or not sends[whose] or committed[mine] == NONE:
            broken[0] = True
            continue
        broken[0] |= there[whose, mine]
        there[whose, mine] = True
        count += 1
        handled = outcome[row] == is_applied
        broken[1] |= outcome[row] < 0 or outcome[row] >= outcomes
        broken[2] |= handled != (applied[row] != NONE)
        broken[3] |= handled != (copies[row] > 0)
        broken[4] |= handled and applied[row] < committed[mine]
    expected = 0
    for mine in range(committed.size):
        expected += committed[mine] != NONE
    broken[0] |= count != expected * np.count_nonzero(sends)
    return broken


@compiled
def published(
    counted: Flags, acknowledged: Ints, attempts: Ints, change: Ints, consumer: Ints, stored: Ints, from_source: Flags
) -> tuple[int, int, int, int]:
    """Of the changes *counted*: how many, how many were not *acknowledged*, and of those stored all the same; all their *attempts*.

    *change*, *consumer* and *stored* are of deliveries; *from_source*: whether each consumer is sent what the source publishes.
    """
    there = np.zeros(counted.size, np.bool_)
    for row in range(change.size):
        if stored[row] != NONE and from_source[np.uint64(consumer[row])]:
            there[np.uint64(change[row])] = True
    count = failed = in_vain = tried = 0
    for mine in range(counted.size):
        if counted[mine]:
            unheard = acknowledged[mine] == NONE
            count, failed, tried = count + 1, failed + unheard, tried + attempts[mine]
            in_vain += unheard and there[mine]
    return count, failed, in_vain, tried


@compiled
def tally(
    counted: Flags, committed: Ints, change: Ints, outcome: NDArray[np.int8], copies: Ints, applied: Ints, is_applied: int, latency: Ints
) -> tuple[Ints, int, int, int]:
    """Of one consumer's deliveries of changes that are *counted*: how many have each outcome, shape (128,), how many have several copies.

    Then how many copies are too many, and how many are applied; *latency*, which has room, gets the time that each of these took.
    """
    number, several, too_many, done = np.zeros(128, np.int64), 0, 0, 0
    for row in range(change.size):
        mine = np.uint64(change[row])
        if counted[mine]:
            number[np.uint64(outcome[row])] += 1
            several += copies[row] > 1
            too_many += max(copies[row] - 1, 0)
            if outcome[row] == is_applied:
                latency[done] = applied[row] - committed[mine]
                done += 1
    return number, several, too_many, done


@compiled
def come_late(counted: Flags, entity: Ints, version: Ints, change: Ints, applied: Ints, entities: int) -> int:
    """How many deliveries of changes that are *counted* are first applied after a newer version of their entity.

    NONE where that can't be seen on the way back, for the versions of an entity don't come in order: see `steps.behind`. *entities*: how
    many there are at most.
    """
    first, newer = np.full(entities, _LAST), np.full(entities, _LAST)  # when the first of the newer ones came; the version seen last
    found = 0
    for back in range(change.size):
        row = np.uint64(change.size - 1 - back)
        now, of = applied[row], np.uint64(change[row])
        if now == NONE:
            continue
        mine = np.uint64(entity[of])
        if version[of] >= newer[mine]:
            return NONE
        newer[mine] = version[of]
        found += first[mine] < now and counted[of]
        first[mine] = min(first[mine], now)
    return found
