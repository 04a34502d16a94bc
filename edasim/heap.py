"""The heap: what a process frees it keeps for its next run, because to be given pages again can cost more than to fill them."""

import ctypes
from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as in glibc's malloc.h
KEPT = 1 << 30  # bytes of free memory that stay at most


@cache
def keep_freed_memory() -> None:
    """From now on, where the C library is glibc; it does so by itself once something large was freed. Elsewhere nothing happens."""
    with _where_it_is_glibc():
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_MMAP_MAX, 0)  # large arrays are part of the heap, too: outside of it they would be given back at once


def give_back() -> None:
    """Give the system all that is free, after a run that was large: a process that only ever grows is taken for one that leaks."""
    with _where_it_is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _where_it_is_glibc() -> suppress:
    return suppress(AttributeError, OSError, TypeError)
