"""The stages of a run as recursions over messages, where nothing downstream changes what happens upstream.

All arrays hold whole numbers (int64), times are nanoseconds. What a stage remembers (who is free when, what is held) comes in as an array
and is updated, so a run may be computed block by block: a stage called with the messages of one block and then with those of the next
gives what it gives with all of them. Stages are plain loops, compiled; edasim/simpy_model says the same as components that act. Where an
index is read from an array it is made unsigned: numba then need not ask whether it counts from the end, which takes longer than the rest.
"""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.heaps import replace_first
from edasim.compiled.sorting import stable_order, whole
from edasim.faults import NEVER
from edasim.journal import NONE

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
SHIFTS = 4  # by which messages are put in place one by one, on average, before they are sorted instead
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
        replace_first(free, done)
    return ended


@compiled
def commit(ended: Ints, entity: Ints, last: Ints) -> Ints:
    """When each write commits: not before an earlier one of its entity. commit[i] = max(ended[i], last[entity[i]]).

    *last*: when the newest version of each entity committed, shape (entities,), 0 to begin with.
    """
    committed = np.empty(ended.size, np.int64)
    for change in range(ended.size):
        mine = np.uint64(entity[change])
        last[mine] = max(ended[change], last[mine])
        committed[change] = last[mine]
    return committed


@compiled
def number(entity: Ints, newest: Ints) -> Ints:
    """The version that each change makes of its entity: one more than the *newest*, shape (entities,), 0 to begin with."""
    version = np.empty(entity.size, np.int64)
    for change in range(entity.size):
        mine = np.uint64(entity[change])
        newest[mine] += 1
        version[change] = newest[mine]
    return version


@compiled
def rises(times: Ints) -> bool:
    """Whether *times* are in order: nothing overtakes."""
    place = 1
    while place < times.size and times[place - 1] <= times[place]:
        place += 1
    return place >= times.size


def arrival_order(times: Ints) -> Ints:
    """Messages ordered by *times*, at equal times by number. Where few overtake, each is put in its place from behind.

    >>> arrival_order(np.array([3, 1, 2, 1])).tolist()
    [1, 3, 2, 0]
    """
    order = np.arange(times.size)
    return order if rises(whole(times)) or _put_in_place(order, times.copy()) else _spread_order(times)[0]


def _spread_order(times: Ints) -> tuple[Ints, Ints]:
    """The same where many overtake, as long as times are spread over the run; and the times in that order."""
    if times.size:
        order, in_order = _nearly_in_order(whole(times))
        if _put_in_place(order, in_order):
            return order, in_order
    order = stable_order(times)
    return order, times[order]


@compiled
def _put_in_place(order: Ints, times: Ints) -> bool:
    """Sort *times* and *order* with them; whether that was done: it is given up where many lie far from their places."""
    left = SHIFTS * times.size
    for number in range(1, times.size):
        time = times[number]
        if times[number - 1] > time:
            place, mine = number, order[number]
            while place > 0 and times[place - 1] > time:
                times[place], order[place] = times[place - 1], order[place - 1]
                place -= 1
            times[place], order[place] = time, mine
            left -= number - place
            if left < 0:
                return False
    return True


@compiled
def _nearly_in_order(times: Ints) -> tuple[Ints, Ints]:
    """Order and times, sorted by which of as many equal parts of the run each lies in."""
    first, last = times.min(), times.max()
    parts = (times.size - 1) / max(last - first, 1)
    begins = np.zeros(times.size + 1, np.int64)
    for time in times:
        begins[np.uint64((time - first) * parts) + np.uint64(1)] += 1
    count = 0
    for part in range(begins.size):
        count += begins[part]
        begins[part] = count
    order, in_order = np.empty(times.size, np.int64), np.empty(times.size, np.int64)
    for number in range(times.size):
        mine = np.uint64((times[number] - first) * parts)
        place = np.uint64(begins[mine])
        begins[mine] += 1
        order[place], in_order[place] = number, times[number]
    return order, in_order


@compiled
def append(arrivals: Ints, partition: Ints, time: Ints, free: Ints) -> Ints:
    """When each message is stored: a partition appends one at a time, in order of arrival (Lindley 1952).

    stored[i] = max(arrivals[i], free[partition[i]]) + time[i], which is when the partition is *free* next: shape (partitions,), 0 to begin
    with. Messages come in order of *arrivals*.
    """
    stored = np.empty(arrivals.size, np.int64)
    for message in range(arrivals.size):
        mine = np.uint64(partition[message])
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
        mine = np.uint64(partition[message])
        reaches[mine] = max(visible[message] + delivery[message], reaches[mine])
        available[message] = reaches[mine]
    return available


def handle(available: Ints, instance: Ints, handling: Ints, handover: Ints, last_end: Ints, until: int) -> Ints:
    """As `handle_in_turn`, of messages that come in the order in which they are taken."""
    return handle_in_turn(np.arange(available.size), available, instance, handling, handover, last_end, until)


@compiled
def handle_in_turn(taken: Ints, available: Ints, instance: Ints, handling: Ints, handover: Ints, last_end: Ints, until: int) -> Ints:
    """When the handling of each message ends; NONE for those that nobody takes in hand by *until* (Lindley 1952).

    end[i] = max(available[i], last_end[instance[i]] + handover[i]) + handling[i], which is the instance's *last_end* then: shape
    (instances,), -NEVER to begin with. *taken*: the messages in order of *available*, at equal times in that of the broker. Nothing ends,
    and so nothing else begins, at *until* or later: an end that lies there is one that is not reached.
    """
    ended = np.empty(available.size, np.int64)
    for turn in range(taken.size):
        message = np.uint64(taken[turn])
        mine, there = np.uint64(instance[message]), available[message]
        before = last_end[mine]
        if before < until and there <= until:
            ended[message] = last_end[mine] = max(there, before + handover[message]) + handling[message]
        else:
            ended[message] = NONE
    return ended


def completion_order(ended: Ints, available: Ints, instance: Ints, change: Ints, arrived: Ints, instances: int) -> tuple[Ints, Ints]:
    """Messages in the order in which their handlings end, and when each does; all as the broker has them.

    Order is by time, at equal times by change; but none comes before an earlier one of its instance, and what *arrived* at the broker at
    that very time comes after the rest, since it is handled then.
    """
    order, time = _spread_order(ended)
    _order_ties(order, time, available, instance, change, arrived, instances)
    return order, time


@compiled
def _order_ties(order: Ints, times: Ints, available: Ints, instance: Ints, change: Ints, arrived: Ints, instances: int) -> None:
    """Of two on one instance the later is next as soon as the earlier is done: it goes by the highest change so far."""
    highest = np.full(instances, NONE)
    begin = 0
    while begin + 1 < times.size:
        if times[begin] != times[begin + 1] or times[begin] == NONE:
            begin += 1
            continue
        time, end = times[begin], begin + 2
        while end < times.size and times[end] == time:
            end += 1
        tied = order[begin:end].copy()
        tied = tied[np.argsort(available[tied], kind="mergesort")]
        keys = np.empty(tied.size, np.int64)
        for place in range(tied.size):
            message = tied[place]
            mine, key = instance[message], change[message] + (MIDWAY if arrived[message] == time else 0)
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
        mine = np.uint64(entity[message])
        renews[message] = applied[message] != NONE and version[message] > held[mine]
        if renews[message]:
            held[mine] = version[message]
    return renews


@compiled
def extend(applied: Ints, entity: Ints, version: Ints, held: Ints) -> Flags:
    """Which messages renew a copy to which they bring what changed: those that fit what is *held*, shape (entities,)."""
    renews = np.empty(applied.size, np.bool_)
    for message in range(applied.size):
        mine = np.uint64(entity[message])
        renews[message] = applied[message] != NONE and version[message] == held[mine] + 1
        if renews[message]:
            held[mine] = version[message]
    return renews


@compiled
def overwrite(applied: Ints, entity: Ints, version: Ints, held: Ints) -> Flags:
    """Which messages change a copy that is always as of the last that arrived; *held* as in `refresh`."""
    renews = np.empty(applied.size, np.bool_)
    for message in range(applied.size):
        mine = np.uint64(entity[message])
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
        mine, now = np.uint64(entity[message]), version[message]
        if now != held[mine] + 1 or wrong[mine]:
            wrong[mine] = True
            now = min(held[mine], now - 1)
        if now != held[mine]:
            held[mine] = becomes[message] = now
    return becomes
