"""Accounts: whether every message that was sent has exactly one outcome."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
NONE = -1  # as in edasim.journal


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
