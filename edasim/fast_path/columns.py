"""What the recursions find, put where it belongs: columns by change, the log by partition, what a copy held. All int64, plain loops."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.journal import NONE

Ints = NDArray[np.int64]


@compiled
def acknowledgements(sent: Ints, arrived: Ints, answered: Ints, change: Ints, timeout: int, acknowledged: Ints) -> int:
    """Note in *acknowledged* (by change) when each answer is back, which takes as long as the request; NONE if that is too late.

    Returns when the first of those that came too late was *sent*; NONE if none did.
    """
    first = NONE
    for message in range(change.size):
        mine = np.uint64(change[message])
        back = answered[message] + arrived[message] - sent[mine]
        if back <= sent[mine] + timeout:
            acknowledged[mine] = back
        elif first == NONE or sent[mine] < first:
            first = sent[mine]
    return first


@compiled
def outcomes(change: Ints, available: Ints, ended: Ints, until: int, delivered: Ints, applied: Ints, attempts: Ints) -> None:
    """Note by change what became of the messages that somebody took in hand, which *ended* by then."""
    for message in range(change.size):
        if ended[message] != NONE:
            mine = np.uint64(change[message])
            delivered[mine] = available[message]
            attempts[mine] = 1
            if ended[message] < until:
                applied[mine] = ended[message]


@compiled
def outlived(available: Ints, ended: Ints, handling: Ints, handover: Ints, stored: Ints, retention: int, until: int) -> bool:
    """Whether the log drops a message for its age before its handling begins, or might where nobody takes it in hand by *until*."""
    for message in range(available.size):
        begun = ended[message] - handling[message] if ended[message] != NONE else max(available[message], until + handover[message])
        if begun > stored[message] + retention:
            return True
    return False


@compiled
def entries(partition: Ints, change: Ints, stored: Ints, visible: Ints, begins: Ints) -> Ints:
    """The log by partition, each in the order of the broker: rows (sequence, change, stored, visible), shape (messages, 4).

    *begins*: where the rows of each partition begin.
    """
    log = np.empty((partition.size, 4), np.int64)
    free = begins.copy()
    for message in range(partition.size):
        mine = np.uint64(partition[message])
        row = np.uint64(free[mine])
        free[mine] += 1
        log[row, 0], log[row, 1], log[row, 2], log[row, 3] = message + 1, change[message], stored[message], visible[message]
    return log
