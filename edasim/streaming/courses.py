"""The course of every entity at a consumer, as loops that go on where they stopped: what `edasim.compiled.pieces` says of a whole run.

An entity's course is a row of numbers, and its versions that the copy has not seen are a chain of links (commit time, next link; NONE
ends it), taken from a pool and given back. A copy stays as of one version until a refresh brings a newer one. All that was between is
known then, so it is added up then: nothing but the chain is kept.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.faults import NEVER
from edasim.journal import NONE
from edasim.streaming.loops import bucket

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# columns of a course: the version held, when it came, when it committed; first and last link of what is not seen; the first link that
# committed after all refreshes so far, and the commit time of the one before it
HELD, CAME, COMMITTED, FIRST, LAST, AHEAD, PASSED = range(7)
COLUMNS = 8  # a course fills one line of the processor's cache
AT, NEXT = range(2)  # columns of a link
AGE, STALE, STALENESS, BEHIND, PEAKS, PEAK_WEIGHTS = range(6)  # sums: time (or its square, or a peak) by weight
DROPS, WRITES, MISSED, GAPS, DIVERGED = range(5)  # counts


class Course(NamedTuple):
    """All that is known of the copies of one consumer; *course* has a row an entity, *slope* and *moment* are those of a sketch.

    *pool*: the first free link, and how many are free. *longest*: the longest that a copy was ever stale in the window, shape (1,).
    """

    course: Ints
    links: Ints
    pool: Ints
    weight: Floats
    slope: Floats
    moment: Floats
    longest: Ints


class Span(NamedTuple):
    """The window from *start* to *end*, and how long after a commit its writer looks."""

    start: int
    end: int
    own_after: int


@compiled
def note(state: Course, entity: Ints, committed: Ints) -> None:
    """The source has new versions: commits in version order for each entity. There must be as many free links."""
    for change in range(entity.size):
        mine, link = state.course[entity[change]], state.pool[0]
        state.pool[0] = state.links[link, NEXT]
        state.links[link, AT], state.links[link, NEXT] = committed[change], NONE
        if mine[FIRST] == NONE:
            mine[FIRST] = link
        else:
            state.links[mine[LAST], NEXT] = link
        mine[LAST] = link
        if mine[AHEAD] == NONE:
            mine[AHEAD] = link
    state.pool[1] -= entity.size


@compiled
def refresh(state: Course, span: Span, applied: Ints, entity: Ints, version: Ints, watermark: int) -> tuple[Floats, Ints]:
    """What is added to sums and counts by the messages that are applied before the *watermark*, those of each entity in order.

    All commits before the watermark are noted.
    """
    sums, counts = np.zeros(6), np.zeros(5, np.int64)
    for message in range(applied.size):
        now, mine = applied[message], state.course[entity[message]]
        if now >= watermark or version[message] <= mine[HELD]:
            continue
        counts[GAPS] += version[message] > mine[HELD] + 1
        while mine[AHEAD] != NONE and state.links[mine[AHEAD], AT] <= now:
            mine[PASSED] = state.links[mine[AHEAD], AT]
            mine[AHEAD] = state.links[mine[AHEAD], NEXT]
        weight = state.weight[entity[message]]
        if max(mine[CAME], mine[PASSED], span.start) < now < span.end:
            counts[DROPS] += 1
            sums[PEAKS] += weight * (now - mine[COMMITTED])
            sums[PEAK_WEIGHTS] += weight
        _held(state, span, mine, weight, now, sums)
        while mine[HELD] < version[message]:
            link = mine[FIRST]
            committed = state.links[link, AT]
            _unseen(span, committed, weight, now, sums, counts)
            mine[HELD], mine[COMMITTED], mine[FIRST] = mine[HELD] + 1, committed, state.links[link, NEXT]
            state.links[link, NEXT], state.pool[0] = state.pool[0], link
            state.pool[1] += 1
        mine[CAME] = now
    return sums, counts


@compiled
def rest(state: Course, span: Span, horizon: int) -> tuple[Floats, Ints]:
    """What is added by copies as they are when the run is over, at *horizon*: all that is not seen never will be."""
    sums, counts = np.zeros(6), np.zeros(5, np.int64)
    for entity in range(state.weight.size):
        mine, weight = state.course[entity], state.weight[entity]
        _held(state, span, mine, weight, NEVER, sums)
        link = mine[FIRST]
        counts[DIVERGED] += link != NONE and state.links[link, AT] <= horizon
        while link != NONE:
            _unseen(span, state.links[link, AT], weight, NEVER, sums, counts)
            link = state.links[link, NEXT]
    return sums, counts


@compiled
def _held(state: Course, span: Span, mine: Ints, weight: float, until: int, sums: Floats) -> None:
    """A version was held *until* then: its age, and how stale it was from the first commit on that it lacks."""
    begin, stop = max(mine[CAME], span.start), min(until, span.end)
    if stop <= begin:
        return
    sums[AGE] += weight * (stop - begin) * ((begin - mine[COMMITTED]) + (stop - mine[COMMITTED])) / 2
    if mine[FIRST] == NONE:
        return
    unseen = state.links[mine[FIRST], AT]
    begin = max(begin, unseen)
    if stop <= begin:
        return
    low, high = begin - unseen, stop - unseen
    sums[STALE] += weight * (stop - begin)
    sums[STALENESS] += weight * (stop - begin) * (low + high) / 2
    for end, sign in ((low, weight), (high, -weight)):
        place = bucket(end)
        state.slope[place] += sign
        state.moment[place] += sign * end
    state.longest[0] = max(state.longest[0], high)


@compiled
def _unseen(span: Span, committed: int, weight: float, until: int, sums: Floats, counts: Ints) -> None:
    """A version was not seen *until* then: by how much the copy was behind, and whether who wrote it looked too early."""
    sums[BEHIND] += weight * max(min(until, span.end) - max(committed, span.start), 0)
    if span.start <= committed < span.end:
        counts[WRITES] += 1
        counts[MISSED] += until > committed + span.own_after
