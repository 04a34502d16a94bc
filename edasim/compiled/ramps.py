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
def ramps(low: Floats, high: Floats, mass: Floats, fresh: float, points: Floats, reached: Floats) -> None:
    """In each piece the quantity rises evenly from *low* to *high*, shape (pieces,), and has a *mass*; beside them a mass is 0 (*fresh*).

    *points*, shape (2 x pieces,), gets all ends in order (at the same one in theirs, lows first), and *reached* the mass up to each, summed
    in this order. No number is NaN.
    """
    keys, slopes = points.view(np.int64), np.empty(points.size)
    begin = _at_zero(low)
    _put(low, high, mass, begin > 0, keys, slopes)
    _sort(keys[begin:], slopes[begin:])
    for place in range(keys.size):
        keys[place] ^= (keys[place] >> 63) & UNSIGNED  # a number again
    slope, sum_of = slopes[0], 0.0
    reached[0] = fresh + 0.0
    for place in range(1, points.size):
        sum_of += slope * (points[place] - points[place - 1])
        reached[place] = fresh + sum_of
        slope += slopes[place]


@compiled
def _at_zero(low: Floats) -> int:
    """How many begin at 0: they are first and need no sorting. None where anything is below."""
    count = 0
    for value in low:
        if value < 0:
            return 0
        count += value == 0
    return count


@compiled
def _put(low: Floats, high: Floats, mass: Floats, zeros_first: bool, keys: Ints, slopes: Floats) -> None:
    """The ends as whole numbers that have the same order, and by how much the slope changes there; lows first, of those zeros first."""
    size, count = low.size, 0
    bits = keys.view(np.float64)
    for part in range(2 if zeros_first else 1):
        for piece in range(size):
            if zeros_first and (low[piece] == 0) != (part == 0):
                continue
            bits[count] = low[piece] + 0.0  # -0 becomes 0
            slopes[count] = mass[piece] / (high[piece] - low[piece])
            count += 1
    for piece in range(size):
        bits[size + piece] = high[piece] + 0.0
        slopes[size + piece] = -(mass[piece] / (high[piece] - low[piece]))
    for place in range(keys.size):
        keys[place] ^= (keys[place] >> 63) & UNSIGNED  # with their sign bit a number's bits are in order but for negative ones


@compiled
def _sort(keys: Ints, slopes: Floats) -> None:
    """Sort *keys*, and *slopes* with them, stably: by their two leading digits, and then each is put in its place."""
    if keys.size < 2:
        return
    least, span, shift = keys.min(), np.uint64(keys.max() - keys.min()), np.uint64(0)
    while span >> shift >= np.uint64(1 << 2 * BITS):
        shift += np.uint64(1)
    first, second, mask = np.zeros(1 << BITS, np.int64), np.zeros(1 << BITS, np.int64), np.uint64((1 << BITS) - 1)
    for key in keys:
        digits = np.uint64(key - least) >> shift
        first[digits & mask] += 1
        second[digits >> np.uint64(BITS)] += 1
    first, second = np.cumsum(first) - first, np.cumsum(second) - second
    there, with_them = np.empty_like(keys), np.empty_like(slopes)
    for place in range(keys.size):
        digit = (np.uint64(keys[place] - least) >> shift) & mask
        row = np.uint64(first[digit])
        first[digit] += 1
        there[row], with_them[row] = keys[place], slopes[place]
    for place in range(keys.size):
        digit = np.uint64(there[place] - least) >> shift >> np.uint64(BITS)
        row = np.uint64(second[digit])
        second[digit] += 1
        keys[row], slopes[row] = there[place], with_them[place]
    if not _put_in_place(keys, slopes):
        order = ordered(keys)
        keys[:], slopes[:] = keys[order], slopes[order]


@compiled
def _put_in_place(keys: Ints, slopes: Floats) -> bool:
    """Whether that was done: it is given up, with equal keys still in their order, where many lie far from their places."""
    left = SHIFTS * keys.size
    for number in range(1, keys.size):
        key = keys[number]
        if keys[number - 1] > key:
            place, mine = number, slopes[number]
            while place > 0 and keys[place - 1] > key:
                keys[place], slopes[place] = keys[place - 1], slopes[place - 1]
                place -= 1
            keys[place], slopes[place] = key, mine
            left -= number - place
            if left < 0:
                return False
    return True
