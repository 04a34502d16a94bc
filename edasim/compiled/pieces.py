"""The course of every entity at one consumer: pieces of time in which neither the source nor the copy changes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.sorting import order_unless_given
from edasim.compiled.steps import key_begins

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NONE = -1  # as in edasim.journal


class Events(NamedTuple):
    """What happened to entities, or to copies of them: columns of shape (events,)."""

    entity: Ints
    time: Ints
    version: Ints


class Course(NamedTuple):
    """Events entity by entity, those of each in order of time, shape (events,), and where each entity's begin, shape (entities + 1,)."""

    time: Ints
    version: Ints
    begins: Ints


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


class Weighed(NamedTuple):
    """What averages over time are made of, each a column; times in seconds.

    Of all pieces, shape (pieces,): *mass* is the entity's weight times the length, and the rest is that times how *late* the copy is in the
    middle, by how many versions it is *behind*, and its *age* in the middle. Of stale pieces, shape (stale,): their *stale_mass*, how late
    the copy is at the begin (*low*) and at the end (*high*). Of those that end with a newer version, shape (drops,): its age at the end
    (*peak*) and the entity's *weight*.
    """

    mass: Floats
    late: Floats
    behind: Floats
    age: Floats
    stale_mass: Floats
    low: Floats
    high: Floats
    peak: Floats
    weight: Floats


@compiled
def course_of(events: Events, entities: int) -> Course:
    """*events* entity by entity; those of one at the same time as they come. Raises IndexError for one that is not there."""
    order, begins = order_unless_given(events.time), key_begins(events.entity, entities)
    free, time, version = begins.copy(), np.empty(events.time.size, np.int64), np.empty(events.time.size, np.int64)
    for place in range(events.time.size):
        event = np.uint64(order[place] if order.size else place)
        mine = np.uint64(events.entity[event])
        row = np.uint64(free[mine])
        free[mine] += 1
        time[row], version[row] = events.time[event], events.version[event]
    return Course(time, version, begins)


@compiled
def pieces_of_all(made: Ints, commits: Course, copies: Course, born: Ints, silent: Ints, empty: int, start: int, end: int) -> Pieces:
    """The pieces of all entities between *start* and *end*, entity by entity, in order of time.

    *made* is when each version committed, entity by entity in version order. *commits* are the same in order of time, *copies* how a copy
    was refreshed; what comes at the same time at both comes to the source first. *born* and *silent*: when each entity's life begins and
    ends. *empty*: the version held of one that nothing was refreshed of; NONE: a read would ask the source. Raises IndexError for a
    version that never was.
    """
    found = _room(born.size + commits.time.size + copies.time.size)
    count = 0
    for entity in range(born.size):
        first, life = max(start, born[entity]), min(end, silent[entity])
        count = _pieces_of(entity, made, commits, copies, born[entity], first, life, empty, start, end, found, count)
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
def weigh(
    made: Ints,
    commits: Course,
    copies: Course,
    born: Ints,
    silent: Ints,
    weight: Floats,
    empty: int,
    start: int,
    end: int,
    to: Weighed,
) -> tuple[int, int, int]:
    """Of what `pieces_of_all` finds what averages are made of, put into *to*, which has room; how many pieces, stale ones and drops."""
    most = 0
    for entity in range(born.size):
        most = max(most, commits.begins[entity + 1] - commits.begins[entity] + copies.begins[entity + 1] - copies.begins[entity] + 1)
    found = _room(most)
    count = stale = drops = 0
    for entity in range(born.size):
        first, life, mine = max(start, born[entity]), min(end, silent[entity]), weight[entity]
        number = _pieces_of(entity, made, commits, copies, born[entity], first, life, empty, start, end, found, 0)
        for piece in range(number):
            begin, over, since = found.begin[piece] / 1e9, found.end[piece] / 1e9, found.since[piece] / 1e9
            mass, middle, late = mine * (over - begin), (begin + over) / 2, 0.0
            if found.unseen[piece] != NONE:
                unseen = found.unseen[piece] / 1e9
                late = middle - unseen
                to.stale_mass[stale], to.low[stale], to.high[stale] = mass, begin - unseen, over - unseen
                stale += 1
            row = count + piece
            to.mass[row], to.late[row], to.behind[row], to.age[row] = mass, mass * late, mass * found.behind[piece], mass * (middle - since)
            if found.drops[piece]:
                to.peak[drops], to.weight[drops] = over - since, mine
                drops += 1
        count += number
    return count, stale, drops


@compiled
def late_by_then(commits: Course, copies: Course, window: tuple[int, int], after: int, empty: int) -> int:
    """How many of the *commits* within the *window* a copy shows nothing as new of, so long *after* each; none where it holds nothing."""
    found = 0
    for entity in range(commits.begins.size - 1):
        copy, copies_end, held = copies.begins[entity], copies.begins[entity + 1], empty
        for commit in range(commits.begins[entity], commits.begins[entity + 1]):
            if window[0] <= commits.time[commit] < window[1]:
                look = commits.time[commit] + after
                while copy < copies_end and copies.time[copy] <= look:
                    held, copy = copies.version[copy], copy + 1
                found += held != NONE and held < commits.version[commit]
    return found


@compiled
def newest_of_each(course: Course, until: int, empty: int) -> Ints:
    """The last version of each entity up to the time *until*; *empty* where there is none. Shape (entities,)."""
    found = np.full(course.begins.size - 1, empty, np.int64)
    for entity in range(found.size):
        event = course.begins[entity + 1] - 1
        while event >= course.begins[entity] and course.time[event] > until:
            event -= 1
        if event >= course.begins[entity]:
            found[entity] = course.version[event]
    return found


@compiled
def _room(most: int) -> Pieces:
    return Pieces(
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.bool_),
    )


@compiled
def _pieces_of(
    entity: int,
    made: Ints,
    commits: Course,
    copies: Course,
    born: int,
    first: int,
    life: int,
    empty: int,
    start: int,
    end: int,
    found: Pieces,
    count: int,
) -> int:
    """Put those of one *entity* into *found* behind so many that are there already; how many there are then."""
    commit, copy, now, true, held = commits.begins[entity], copies.begins[entity], 0, 0, empty
    commits_end, copies_end, begins = commits.begins[entity + 1], copies.begins[entity + 1], commits.begins[entity]
    shown, more = true if held == NONE else held, True
    while more:
        commits_more, copies_more = commit < commits_end, copy < copies_end
        more = commits_more or copies_more
        at_copy = copies_more and not (commits_more and commits.time[commit] <= copies.time[copy])
        seen, newest, until = shown, true, end
        if at_copy:
            held, until, copy = copies.version[copy], copies.time[copy], copy + 1
        elif more:
            true, until, commit = commits.version[commit], commits.time[commit], commit + 1
        shown = true if held == NONE else held
        if min(until, life) > max(now, first):
            of = begins + seen
            if of < 0 or of > made.size or (seen < newest and of == made.size):
                raise IndexError("a version that never was")
            found.entity[count], found.begin[count], found.end[count] = entity, max(now, first), min(until, life)
            found.behind[count] = max(newest - seen, 0)
            found.unseen[count] = made[of] if seen < newest else NONE
            found.since[count] = made[of - 1] if seen > 0 else born
            found.drops[count] = at_copy and shown > seen and start < until < life
            count += 1
        now = until
    return count
