"""Turns: who asks servers that are first come first served, and comes again where no answer came in time."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.heaps import replace_first

Ints = NDArray[np.int64]
NONE = -1  # as in edasim.journal


@compiled
def take_turns(first: Ints, service: Ints, asked: Ints, latency: Ints, left: Ints, free: Ints, again: Ints, at: Ints, limits: Ints) -> bool:
    """Serve all that ask, by Kiefer and Wolfowitz's recursion (1955); False: somebody needs a *service* that is not known, so begin again.

    Of shape (questions,): *first*, the time of each one's first attempt, in order; *service*, how long its next attempt takes (NONE: not
    known); *asked*, when that is made; *latency*, from the first attempt to the answer; how many attempts are *left* beside it. *free*: a
    heap of when each server is. *again*: a ring of those who come again, in order because each comes as long after its attempt; *at*: how
    many have come for the first time, where the ring begins and how many are in it. *limits*: the timeout, and the pause after it.
    """
    coming, head, waiting = at
    timeout, pause = limits
    while coming < first.size or waiting:
        who = again[head] if waiting else coming
        if waiting and (coming == first.size or (asked[who], who) < (first[coming], coming)):
            if service[who] == NONE:
                break
            head, waiting = (head + 1) % again.size, waiting - 1
        else:
            who = coming
            coming += 1
        now = asked[who]
        done = max(now, free[0]) + service[who]
        replace_first(free, done)
        if done - now <= timeout:
            latency[who] = done - first[who]
        elif left[who]:
            asked[who], service[who] = now + timeout + pause, NONE
            left[who] -= 1
            again[(head + waiting) % again.size] = who
            waiting += 1
    at[0], at[1], at[2] = coming, head, waiting
    return not waiting
