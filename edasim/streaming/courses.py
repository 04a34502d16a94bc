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
    course, links, pool = state.course, state.links, state.pool
    for change in range(entity.size):
        mine, link = entity[change], pool[0]
        pool[0] = links[link, NEXT]
        links[link, AT], links[link, NEXT] = committed[change], NONE
        if course[mine, FIRST] == NONE:
            course[mine, FIRST] = link
        else:
            links[course[mine, LAST], NEXT] = link
        course[mine, LAST] = link
        if course[mine, AHEAD] == NONE:
            course[mine, AHEAD] = link
    pool[1] -= entity.size


@compiled
def refresh(state: Course, span: Span, applied: Ints, entity: Ints, version: Ints, watermark: int) -> tuple[Floats, Ints]:
    """What is added to sums and counts by the messages that are applied before the *watermark*, those of each entity in order.

    All commits before the watermark are noted.
    """
    course, links, pool = state.course, state.links, state.pool
    sums, counts = np.zeros(6), np.zeros(5, np.int64)
    for message in range(applied.size):
        now, mine = applied[message], entity[message]
        if now >= watermark or version[message] <= course[mine, HELD]:
            continue
        counts[GAPS] += version[message] > course[mine, HELD] + 1
        while course[mine, AHEAD] != NONE and links[course[mine, AHEAD], AT] <= now:
            course[mine, PASSED] = links[course[mine, AHEAD], AT]
            course[mine, AHEAD] = links[course[mine, AHEAD], NEXT]
        came, committed, link, weight = course[mine, CAME], course[mine, COMMITTED], course[mine, FIRST], state.weight[mine]
        if max(came, course[mine, PASSED], span.start) < now < span.end:
            counts[DROPS] += 1
            sums[PEAKS] += weight * (now - committed)
            sums[PEAK_WEIGHTS] += weight
        begin, stop = max(came, span.start), min(now, span.end)
        _aged(weight, begin, stop, committed, sums)
        _staled(state.slope, state.moment, state.longest, weight, begin, stop, links[link, AT], sums)
        while course[mine, HELD] < version[message]:
            committed, after = links[link, AT], links[link, NEXT]
            _unseen(span, weight, committed, now, sums, counts)
            course[mine, HELD] += 1
            links[link, NEXT], pool[0] = pool[0], link
            pool[1] += 1
            link = after
        course[mine, CAME], course[mine, COMMITTED], course[mine, FIRST] = now, committed, link
    return sums, counts


@compiled
def rest(state: Course, span: Span, horizon: int) -> tuple[Floats, Ints]:
    """What is added by copies as they are when the run is over, at *horizon*: all that is not seen never will be."""
    course, links = state.course, state.links
    sums, counts = np.zeros(6), np.zeros(5, np.int64)
    for entity in range(state.weight.size):
        begin, link, weight = max(course[entity, CAME], span.start), course[entity, FIRST], state.weight[entity]
        _aged(weight, begin, span.end, course[entity, COMMITTED], sums)
        if link != NONE:
            _staled(state.slope, state.moment, state.longest, weight, begin, span.end, links[link, AT], sums)
            counts[DIVERGED] += links[link, AT] <= horizon
        while link != NONE:
            _unseen(span, weight, links[link, AT], NEVER, sums, counts)
            link = links[link, NEXT]
    return sums, counts


@compiled
def _aged(weight: float, begin: int, stop: int, committed: int, sums: Floats) -> None:
    """From *begin* to *stop* a version was held that had *committed* then."""
    if begin < stop:
        sums[AGE] += weight * (stop - begin) * ((begin - committed) + (stop - committed)) / 2


@compiled
def _staled(slope: Floats, moment: Floats, longest: Ints, weight: float, begin: int, stop: int, unseen: int, sums: Floats) -> None:
    """From *begin* to *stop* a copy had not seen a commit of *unseen*, or before."""
    begin = max(begin, unseen)
    if begin >= stop:
        return
    low, high = begin - unseen, stop - unseen
    sums[STALE] += weight * (stop - begin)
    sums[STALENESS] += weight * (stop - begin) * (low + high) / 2
    lower, upper = bucket(low), bucket(high)
    slope[lower] += weight
    moment[lower] += weight * low
    slope[upper] -= weight
    moment[upper] -= weight * high
    longest[0] = max(longest[0], high)


@compiled
def _unseen(span: Span, weight: float, committed: int, until: int, sums: Floats, counts: Ints) -> None:
    """A version was not seen *until* then: by how much the copy was behind, and whether who wrote it looked too early."""
    sums[BEHIND] += weight * max(min(until, span.end) - max(committed, span.start), 0)
    if span.start <= committed < span.end:
        counts[WRITES] += 1
        counts[MISSED] += until > committed + span.own_after
