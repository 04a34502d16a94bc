"""Choosing entities by their popularity."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@compiled
def guide_to(cumulative: Floats) -> Ints:
    """Where a search for each of evenly spaced shares of the whole may begin: a guide table (Chen and Asau, AIIE Transactions 1974)."""
    steps, place = cumulative.size, 0
    guide = np.empty(steps, np.int64)
    for step in range(steps):
        least = cumulative[-1] / steps * step * (1 - 1e-12)  # whatever is rounded, no search begins too far on
        while place < steps - 1 and cumulative[place] <= least:
            place += 1
        guide[step] = place
    return guide


@compiled
def choose(draws: Floats, pending: Ints, times: Ints, cumulative: Floats, guide: Ints, born: Ints, silent: Ints, chosen: Ints) -> Ints:
    """The entity that each of *draws* (a share of the whole) falls upon is *chosen* for each *pending* row if it is active at its time.

    Those that are still pending.
    """
    whole, last = cumulative[-1], cumulative.size - 1
    left, count = np.empty_like(pending), 0
    for place in range(pending.size):
        row, share = pending[place], draws[place] * whole
        entity = guide[min(int(draws[place] * guide.size), last)]
        while entity < last and cumulative[entity] <= share:
            entity += 1
        if born[entity] <= times[row] < silent[entity]:
            chosen[row] = entity
        else:
            left[count] = row
            count += 1
    return left[:count]
