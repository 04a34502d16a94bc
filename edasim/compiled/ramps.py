"""Sums of ramps: how much of the time a quantity that rises evenly in each of many pieces is at most so large."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.sorting import ordered

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
BITS = 11  # of a digit
SHIFTS = 8  # by which numbers are put in place one by one, on average, before they are sorted by all their digits instead
UNSIGNED = np.iinfo(np.int64).max


@compiled
def ramps(low: Floats, high: Floats, mass: Floats, fresh: float, points: Floats, reached: Floats, room: tuple[Floats, Floats]) -> None:
    """In each piece the quantity rises evenly from *low* to *high*, shape (pieces,), and has a *mass*; beside them a mass is 0 (*fresh*).

    *points*, shape (2 x pieces,), gets all ends in order (at the same one in theirs, lows first), and *reached* the mass up to each, summed
    in this order. No number is NaN. *room*: two arrays to work in, shape (2 x pieces, 2).
    """
    ends, there = room
    zeros, below = _put(low, high, mass, ends)
    first = 0 if below else zeros  # what is 0 is first and needs no sorting, unless anything is below
    _sort(ends[first:], there[first:])
    keys = ends.view(np.int64)
    slope, sum_of, before = ends[0, 1], 0.0, 0.0
    for place in range(points.size):
        keys[place, 0] ^= (keys[place, 0] >> 63) & UNSIGNED  # a number again
        now = ends[place, 0]
        if place:
            sum_of += slope * (now - before)
            slope += ends[place, 1]
        points[place], reached[place] = now, fresh + sum_of
        before = now


@compiled
def _put(low: Floats, high: Floats, mass: Floats, ends: Floats) -> tuple[int, bool]:
    """Put into *ends* whole numbers that have the order of the ends, and by how much the slope changes there; lows first, of those zeros.

    How many zeros there are, and whether anything is below.
    """
    zeros, below, size, keys = 0, False, low.size, ends.view(np.int64)
    for value in low:
        zeros += value == 0
        below |= value < 0
    zero, more = 0, zeros
    for piece in range(size):
        is_zero = low[piece] == 0
        row = np.uint64(zero if is_zero else more)
        zero, more = zero + is_zero, more + (not is_zero)
        slope = mass[piece] / (high[piece] - low[piece])
        ends[row, 0], ends[row, 1] = low[piece] + 0.0, slope  # -0 becomes 0
        ends[size + piece, 0], ends[size + piece, 1] = high[piece] + 0.0, -slope
    for place in range(2 * size):
        keys[place, 0] ^= (keys[place, 0] >> 63) & UNSIGNED  # with their sign bit a number's bits are in order but for negative ones
    return zeros, below


@compiled
def _sort(ends: Floats, there: Floats) -> None:
    """Sort *ends* by their whole numbers, stably: by their two leading digits, and then each is put in its place. *there*: room."""
    count, keys, moved = len(ends), ends.view(np.int64), there.view(np.int64)
    if count < 2:
        return
    least, most = keys[0, 0], keys[0, 0]
    for place in range(count):
        least, most = min(least, keys[place, 0]), max(most, keys[place, 0])
    span, shift = np.uint64(most - least), np.uint64(0)
    while span >> shift >= np.uint64(1 << 2 * BITS):
        shift += np.uint64(1)
    first, second, mask = np.zeros(1 << BITS, np.int64), np.zeros(1 << BITS, np.int64), np.uint64((1 << BITS) - 1)
    for place in range(count):
        digits = np.uint64(keys[place, 0] - least) >> shift
        first[digits & mask] += 1
        second[digits >> np.uint64(BITS)] += 1
    first, second = np.cumsum(first) - first, np.cumsum(second) - second
    for place in range(count):
        digit = (np.uint64(keys[place, 0] - least) >> shift) & mask
        row = np.uint64(first[digit])
        first[digit] += 1
        moved[row, 0], there[row, 1] = keys[place, 0], ends[place, 1]
    for place in range(count):
        digit = np.uint64(moved[place, 0] - least) >> shift >> np.uint64(BITS)
        row = np.uint64(second[digit])
        second[digit] += 1
        keys[row, 0], ends[row, 1] = moved[place, 0], there[place, 1]
    if not _put_in_place(keys, ends):
        order = ordered(keys[:, 0].copy())
        there[:] = ends
        for place in range(count):
            ends[place, 0], ends[place, 1] = there[order[place], 0], there[order[place], 1]


@compiled
def _put_in_place(keys: Ints, ends: Floats) -> bool:
    """Whether that was done: it is given up, with equal keys still in their order, where many lie far from their places."""
    left = SHIFTS * len(keys)
    for number in range(1, len(keys)):
        key = keys[number, 0]
        if keys[number - 1, 0] > key:
            place, mine = number, ends[number, 1]
            while place > 0 and keys[place - 1, 0] > key:
                keys[place, 0], ends[place, 1] = keys[place - 1, 0], ends[place - 1, 1]
                place -= 1
            keys[place, 0], ends[place, 1] = key, mine
            left -= number - place
            if left < 0:
                return False
    return True
