"""The loops over messages that streaming adds to the stages: what is counted of latencies, of order, and of what waits."""

from math import ceil, log, log1p

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.faults import NEVER

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ACCURACY = 0.001  # the largest relative error of a quantile
PER_LOG = 1 / log1p(2 * ACCURACY / (1 - ACCURACY))
BUCKETS = 2 + ceil(log(2.0**63) * PER_LOG)  # for every time that 64 bits of nanoseconds hold


@compiled
def bucket(time: int) -> int:
    """Where in a sketch a *time* in nanoseconds belongs."""
    return 1 + ceil(log(time) * PER_LOG) if time > 0 else 0


@compiled
def latencies(applied: Ints, committed: Ints, start: int, end: int, counts: Ints) -> tuple[int, float, float, int, int]:
    """Of messages that committed from *start* to *end*: number, mean, sum of squares around it, least and most; *counts* by bucket grow."""
    number, total = 0, 0.0
    least, most = np.iinfo(np.int64).max, 0
    for message in range(applied.size):
        if start <= committed[message] < end:
            latency = applied[message] - committed[message]
            number, total = number + 1, total + latency
            least, most = min(least, latency), max(most, latency)
            counts[bucket(latency)] += 1
    mean, squares = total / max(number, 1), 0.0
    for message in range(applied.size):
        if start <= committed[message] < end:
            apart = applied[message] - committed[message] - mean
            squares += apart * apart
    return number, mean, squares, least, most


NEWEST, SINCE, BEFORE = range(3)


@compiled
def overtaken(applied: Ints, entity: Ints, version: Ints, counted: Ints, start: int, end: int, seen: Ints) -> int:
    """How many messages, *counted* by a time from *start* to *end*, are applied after a newer version of their entity.

    *seen*, shape (entities, 3): the newest version applied so far, since when, and the newest before that time.
    """
    found = 0
    for message in range(applied.size):
        now, mine = applied[message], entity[message]
        earlier = seen[mine, NEWEST] if seen[mine, SINCE] < now else seen[mine, BEFORE]
        if version[message] < earlier:
            found += start <= counted[message] < end
        if version[message] > seen[mine, NEWEST]:
            seen[mine, NEWEST], seen[mine, SINCE], seen[mine, BEFORE] = version[message], now, earlier
    return found


@compiled
def waits(begins: Ints, places: Ints, ends: Ints, left: Ints, start: int, end: int, waiting: Ints, most: Ints) -> None:
    """How many messages wait, each from one of *begins* in one of *places* to one of *ends* in one of those *left*; times in order.

    *waiting* and the *most* at any time from *start* to *end*, both of shape (places + 1,), the last for all places, are updated.
    """
    everywhere, ended = waiting.size - 1, 0
    for begun in range(begins.size + 1):
        now = begins[begun] if begun < begins.size else NEVER
        while ended < ends.size and ends[ended] <= now:
            for place in (left[ended], everywhere):
                waiting[place] -= 1
                if ends[ended] <= start:
                    most[place] = waiting[place]
            ended += 1
        if begun < begins.size:
            for place in (places[begun], everywhere):
                waiting[place] += 1
                if now < end:
                    most[place] = waiting[place] if now <= start else max(most[place], waiting[place])
