"""The stages of a run as recursions over messages, where nothing downstream changes what happens upstream.

All arrays hold whole numbers (int64), times are nanoseconds. What a stage remembers (who is free when, what is held) comes in as an array
and is updated, so a run may be computed block by block: a stage called with the messages of one block and then with those of the next
gives what it gives with all of them. Stages are plain loops, compiled; edasim/simpy_model says the same as components that act.
"""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.sorting import stable_order, whole
from edasim.faults import NEVER
from edasim.journal import NONE

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
SHIFTS = 8  # by which messages are put in place one by one, on average, before they are sorted instead
MIDWAY = 1 << 50  # above every change's number


@compiled
def serve(arrivals: Ints, service: Ints, free: Ints) -> Ints:
    """When each request ends at the source: first come first served by several servers (Kiefer and Wolfowitz 1955).

    end[i] = max(arrivals[i], min(free)) + service[i], which is when that server is *free* next: shape (servers,), a heap, 0 to begin with.
    """
    ended = np.empty(arrivals.size, np.int64)
    for request in range(arrivals.size):
        done = min(max(arrivals[request], free[0]) + service[request], NEVER)
        ended[request] = done
        place, child = 0, 1
        while child < free.size:
            if child + 1 < free.size and free[child + 1] < free[child]:
                child += 1
            if free[child] >= done:
                break
            free[place] = free[child]
            place, child = child, 2 * child + 1
        free[place] = done
    return ended


@compiled
def commit(ended: Ints, entity: Ints, last: Ints) -> Ints:
    """When each write commits: not before an earlier one of its entity. commit[i] = max(ended[i], last[entity[i]]).

    *last*: when the newest version of each entity committed, shape (entities,), 0 to begin with.
    """
    committed = np.empty(ended.size, np.int64)
    for change in range(ended.size):
        mine = entity[change]
        last[mine] = max(ended[change], last[mine])
        committed[change] = last[mine]
    return committed


@compiled
def number(entity: Ints, newest: Ints) -> Ints:
    """The version that each change makes of its entity: one more than the *newest*, shape (entities,), 0 to begin with."""
    version = np.empty(entity.size, np.int64)
    for change in range(entity.size):
        newest[entity[change]] += 1
        version[change] = newest[entity[change]]
    return version


def rises(times: Ints) -> bool:
    """Whether *times* are in order: nothing overtakes."""
    return bool(np.all(times[1:] >= times[:-1]))


def arrival_order(times: Ints) -> Ints:
    """Messages ordered by *times*, at equal times by number. Where few overtake, each is put in its place from behind.

    >>> arrival_order(np.array([3, 1, 2, 1])).tolist()
    [1, 3, 2, 0]
    """
    times = whole(times)
    order, done = _in_place(times)
    return order if done else stable_order(times)


@compiled
def _in_place(times: Ints) -> tuple[Ints, bool]:
    """The order of *times*, and whether it was found: it is given up where messages lie far from their places."""
    order = np.arange(times.size)
    left = SHIFTS * times.size
    for number in range(1, times.size):
        time, place = times[number], number
        while place > 0 and times[order[place - 1]] > time:
            order[place] = order[place - 1]
            place -= 1
        order[place] = number
        left -= number - place
        if left < 0:
            return order, False
    return order, True


@compiled
def append(arrivals: Ints, partition: Ints, time: Ints, free: Ints) -> Ints:
    """When each message is stored: a partition appends one at a time, in order of arrival (Lindley 1952).

    stored[i] = max(arrivals[i], free[partition[i]]) + time[i], which is when the partition is *free* next: shape (partitions,), 0 to begin
    with. Messages come in order of *arrivals*.
    """
    stored = np.empty(arrivals.size, np.int64)
    for message in range(arrivals.size):
        mine = partition[message]
        free[mine] = min(max(arrivals[message], free[mine]) + time[message], NEVER)
        stored[message] = free[mine]
    return stored


@compiled
def deliver(visible: Ints, delivery: Ints, partition: Ints, reaches: Ints) -> Ints:
    """When each message is at the consumer: not before its predecessor of the partition.

    available[i] = max(visible[i] + delivery[i], reaches[partition[i]]), which is what the partition *reaches* then: shape (partitions,), 0
    to begin with. Messages come in the order of the broker.
    """
    available = np.empty(visible.size, np.int64)
    for message in range(visible.size):
        mine = partition[message]
        reaches[mine] = max(visible[message] + delivery[message], reaches[mine])
        available[message] = reaches[mine]
    return available


@compiled
def handle(available: Ints, instance: Ints, handling: Ints, handover: Ints, last_end: Ints, until: int) -> Ints:
    """When the handling of each message ends; NONE for those that nobody takes in hand by *until* (Lindley 1952).

    end[i] = max(available[i], last_end[instance[i]] + handover[i]) + handling[i], which is the instance's *last_end* then: shape
    (instances,), -NEVER to begin with. Messages come in the order in which they are taken: of *available*, at equal times that of the
    broker. Nothing ends, and so nothing else begins, at *until* or later: an end that lies there is one that is not reached.
    """
    ended = np.empty(available.size, np.int64)
    for message in range(available.size):
        mine = instance[message]
        if last_end[mine] < until and available[message] <= until:
            last_end[mine] = max(available[message], last_end[mine] + handover[message]) + handling[message]
            ended[message] = last_end[mine]
        else:
            ended[message] = NONE
    return ended


def completion_order(applied: Ints, instance: Ints, change: Ints, arrives: Ints, instances: int) -> tuple[Ints, Ints]:
    """Handled messages, which come as they were taken, in the order in which their handlings end, and when each does.

    Order is by time, at equal times by change; but none comes before an earlier one of its instance, and what *arrives* at the broker (by
    change) at that very time comes after the rest, since it is handled then.
    """
    order = arrival_order(applied)
    time = applied[order]
    _order_ties(order, time, instance, change, arrives, instances)
    return order, time


@compiled
def _order_ties(order: Ints, times: Ints, instance: Ints, change: Ints, arrives: Ints, instances: int) -> None:
    """Of two on one instance the later is next as soon as the earlier is done: it goes by the highest change so far."""
    highest = np.full(instances, NONE)
    begin = 0
    while begin + 1 < times.size:
        if times[begin] != times[begin + 1]:
            begin += 1
            continue
        time, end = times[begin], begin + 2
        while end < times.size and times[end] == time:
            end += 1
        tied = order[begin:end].copy()
        keys = np.empty(tied.size, np.int64)
        for place in range(tied.size):
            mine, key = instance[tied[place]], change[tied[place]]
            if arrives[key] == time:
                key += MIDWAY
            highest[mine] = max(highest[mine], key)
            keys[place] = highest[mine]
        order[begin:end] = tied[np.argsort(keys, kind="mergesort")]
        for message in tied:
            highest[instance[message]] = NONE
        begin = end


@compiled
def refresh(applied: Ints, entity: Ints, version: Ints, held: Ints) -> Flags:
    """Which messages renew a copy that they bring as a whole: those that are newer than what is *held*, shape (entities,)."""
    renews = np.empty(applied.size, np.bool_)
    for message in range(applied.size):
        mine = entity[message]
        renews[message] = applied[message] != NONE and version[message] > held[mine]
        if renews[message]:
            held[mine] = version[message]
    return renews


@compiled
def extend(applied: Ints, entity: Ints, version: Ints, held: Ints) -> Flags:
    """Which messages renew a copy to which they bring what changed: those that fit what is *held*, shape (entities,)."""
    renews = np.empty(applied.size, np.bool_)
    for message in range(applied.size):
        mine = entity[message]
        renews[message] = applied[message] != NONE and version[message] == held[mine] + 1
        if renews[message]:
            held[mine] = version[message]
    return renews


@compiled
def overwrite(applied: Ints, entity: Ints, version: Ints, held: Ints) -> Flags:
    """Which messages change a copy that is always as of the last that arrived; *held* as in `refresh`."""
    renews = np.empty(applied.size, np.bool_)
    for message in range(applied.size):
        mine = entity[message]
        renews[message] = applied[message] != NONE and version[message] != held[mine]
        if renews[message]:
            held[mine] = version[message]
    return renews


@compiled
def accumulate(applied: Ints, entity: Ints, version: Ints, held: Ints, wrong: Flags) -> Ints:
    """As of which version a copy is after each message, where it adds up whatever arrives; NONE where that is as before.

    *wrong*: whose deltas did not fit, shape (entities,); such a copy counts as of the last version up to which it was right.
    """
    becomes = np.full(applied.size, NONE)
    for message in range(applied.size):
        if applied[message] == NONE:
            continue
        mine, now = entity[message], version[message]
        if now != held[mine] + 1 or wrong[mine]:
            wrong[mine] = True
            now = min(held[mine], now - 1)
        if now != held[mine]:
            held[mine] = becomes[message] = now
    return becomes
