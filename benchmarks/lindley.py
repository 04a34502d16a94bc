"""The yardstick 'bare loop', the limit: Lindley's recursion (1952) over given draws, compiled by numba, and nothing around it.

All times are whole nanoseconds, as edasim's are; messages are in the order in which they were produced.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@numba.njit
def queue(produced: Ints, service: Ints) -> Ints:
    """Latency of each message in one FIFO queue with one server; *produced* and *service* have shape (messages,)."""
    latencies = np.empty_like(produced)
    free = 0
    for message in range(produced.size):
        free = max(free, produced[message]) + service[message]
        latencies[message] = free - produced[message]
    return latencies


@numba.njit
def append(produced: Ints, partition: Ints, partitions: int, time: int) -> Ints:
    """When each message is in the log: every partition appends one at a time, each for *time*."""
    appended = np.empty_like(produced)
    free = np.zeros(partitions, np.int64)
    for message in range(produced.size):
        mine = partition[message]
        free[mine] = max(free[mine], produced[message]) + time
        appended[message] = free[mine]
    return appended


@numba.njit
def in_order(times: Ints) -> Ints:
    """The messages ordered by *times*, at equal times by number. Few are out of order, so each is put in its place from behind."""
    order = np.arange(times.size)
    for place in range(1, times.size):
        message = order[place]
        while place > 0 and times[order[place - 1]] > times[message]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = message
    return order


@numba.njit
def handle(produced: Ints, appended: Ints, order: Ints, instance: Ints, instances: int, handling: Ints) -> Ints:
    """Latency of each delivery: every *instance* of every group handles one message at a time, in *order*.

    *instance* says which instance of each group reads a message, shape (messages,); *handling* and the result have shape (groups,
    messages).
    """
    latencies = np.empty_like(handling)
    for group in range(handling.shape[0]):
        free = np.zeros(instances, np.int64)
        for message in order:
            mine = instance[message]
            free[mine] = max(free[mine], appended[message]) + handling[group, message]
            latencies[group, message] = free[mine] - produced[message]
    return latencies
