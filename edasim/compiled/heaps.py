"""Heaps of numbers, the least first: when each of several servers is free next."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled


@compiled
def replace_first(heap: NDArray[np.int64], value: int) -> None:
    """Put *value* into a heap in place of the least."""
    place, child = 0, 1
    while child < heap.size:
        if child + 1 < heap.size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    heap[place] = value
