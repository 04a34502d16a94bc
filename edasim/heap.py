"""The heap: what a process frees it keeps for its next run, because to be given pages again can cost more than to fill them."""

import ctypes
from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
KEPT = 64 << 20  # bytes of free memory that stay at most
LARGE = 32 << 20  # bytes of an array that is no part of the heap: it is given back at once


@cache
def keep_freed_memory() -> None:
    """From now on, where the C library is glibc; it does so by itself once something large was freed. Elsewhere nothing happens."""
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_MMAP_THRESHOLD, LARGE)
