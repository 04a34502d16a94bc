"""Partitions of a log: which one an entity maps to, and which instance of a consumer owns it; real brokers are driven by the same rule."""

import zlib
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def partition_for(entity: int, partitions: int) -> int:
    """The partition that an entity always maps to.

    >>> [partition_for(entity, 8) for entity in range(4)]
    [1, 7, 5, 3]
    """
    return zlib.crc32(str(entity).encode()) % partitions


@lru_cache(maxsize=4)
def partition_of_each(entities: int, partitions: int) -> NDArray[np.int64]:
    """The partition that each of so many *entities* maps to, shape (entities,); not to be written to.

    >>> partition_of_each(4, 8)
    array([1, 7, 5, 3])
    """
    found = np.array([partition_for(entity, partitions) for entity in range(entities)], dtype=np.int64)
    found.setflags(write=False)
    return found


def range_assignment(partitions: int, instances: int) -> list[range]:
    """Kafka's range assignor: contiguous ranges, the first ones longer by one where it does not divide.

    >>> range_assignment(8, 3)
    [range(0, 3), range(3, 6), range(6, 8)]
    """
    each, extra = divmod(partitions, instances)
    starts = [each * i + min(i, extra) for i in range(instances + 1)]
    return [range(start, end) for start, end in pairwise(starts)]


def owners(partitions: int, instances: int) -> NDArray[np.int64]:
    """The instance that owns each partition, shape (partitions,).

    >>> owners(8, 3)
    array([0, 0, 0, 1, 1, 1, 2, 2])
    """
    return np.repeat(np.arange(instances), [len(mine) for mine in range_assignment(partitions, instances)])
