"""The course of every entity at one consumer: pieces of time in which neither the source nor the copy changes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.sorting import order_unless_given
from edasim.compiled.steps import grouped

Ints = NDArray[np.int64]
NONE = -1  # as in edasim.journal


class Events(NamedTuple):
    """What happened to entities, or to copies of them: columns of shape (events,)."""

    entity: Ints
    time: Ints
    version: Ints


class Pieces(NamedTuple):
    """Columns of shape (pieces,), times in nanoseconds.

    *begin* and *end* lie in the window and in the entity's life; *unseen* is when the first change not seen committed (NONE: fresh),
    *since* from when on what is held was there; *drops*: a newer version at the copy ends the piece.
    """

    entity: Ints
    begin: Ints
    end: Ints
    behind: Ints
    unseen: Ints
    since: Ints
    drops: NDArray[np.bool_]


@compiled
def course(made: Ints, begins: Ints, commits: Events, copies: Events, born: Ints, silent: Ints, empty: int, start: int, end: int) -> Pieces:
    """The pieces of all entities between *start* and *end*, entity by entity, in order of time.

    *made* is when each version committed, entity by entity in version order, and *begins* where each entity's begin. *commits* are the same
    in order of time, *copies* how a copy was refreshed; what comes at the same time at both comes to the source first. *born* and
    *silent*: when each entity's life begins and ends. *empty*: the version held of one that nothing was refreshed of; NONE: a read would
    ask the source. Raises IndexError for a version that never was.
    """
    true_time, true_version, commits_begin = _in_time(commits, born.size)
    copy_time, copy_version, copies_begin = _in_time(copies, born.size)
    most = born.size + commits.time.size + copies.time.size
    found = Pieces(
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.bool_),
    )
    count = 0
    for entity in range(born.size):
        first, life = max(start, born[entity]), min(end, silent[entity])
        commit, copy, now, true, held = commits_begin[entity], copies_begin[entity], 0, 0, empty
        shown, more = true if held == NONE else held, True
        while more:
            commits_more, copies_more = commit < commits_begin[entity + 1], copy < copies_begin[entity + 1]
            more = commits_more or copies_more
            at_copy = copies_more and not (commits_more and true_time[commit] <= copy_time[copy])
            seen, newest, until = shown, true, end
            if at_copy:
                held, until, copy = copy_version[copy], copy_time[copy], copy + 1
            elif more:
                true, until, commit = true_version[commit], true_time[commit], commit + 1
            shown = true if held == NONE else held
            if min(until, life) > max(now, first):
                of = begins[entity] + seen
                if of < 0 or of > made.size or (seen < newest and of == made.size):
                    raise IndexError("a version that never was")
                found.entity[count], found.begin[count], found.end[count] = entity, max(now, first), min(until, life)
                found.behind[count] = max(newest - seen, 0)
                found.unseen[count] = made[of] if seen < newest else NONE
                found.since[count] = made[of - 1] if seen > 0 else born[entity]
                found.drops[count] = at_copy and shown > seen and start < until < life
                count += 1
            now = until
    return Pieces(
        found.entity[:count],
        found.begin[:count],
        found.end[:count],
        found.behind[:count],
        found.unseen[:count],
        found.since[:count],
        found.drops[:count],
    )


@compiled
def _in_time(events: Events, entities: int) -> tuple[Ints, Ints, Ints]:
    """The times and versions of *events*, entity by entity, in order of time, and where each entity's begin."""
    order = order_unless_given(events.time)
    rows, begins = grouped(events.entity[order] if order.size else events.entity, entities)
    rows = order[rows] if order.size else rows
    return events.time[rows], events.version[rows], begins
