"""Sorting whole numbers by their digits, in time that grows with how many there are: a stable order, values in order, ranks."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled

Ints = NDArray[np.int64]
BITS = 11  # of a digit: so many counters stay close to the processor
BINS = 1 << 14  # in which ranks are looked for


def whole(values: NDArray[np.integer] | NDArray[np.bool_]) -> Ints:
    """*values* as every function here takes them: 64 bits each, one after the other, not to be written to.

    A compiled function is made anew for each kind of argument: with this there is one kind.
    """
    found = np.ascontiguousarray(values, dtype=np.int64).view()
    found.setflags(write=False)
    return found


def stable_order(values: NDArray[np.integer]) -> Ints:
    """As np.argsort(values, kind="stable").

    >>> stable_order(np.array([3, 1, 2, 1])).tolist()
    [1, 3, 2, 0]
    """
    return ordered(whole(values))


def stable_order_of_floats(values: NDArray[np.float64]) -> Ints:
    """As np.argsort(values, kind="stable"), of numbers without NaN.

    >>> stable_order_of_floats(np.array([0.5, -2.0, 0.0, -0.0, -1.0])).tolist()
    [1, 4, 2, 3, 0]
    """
    bits = (values + 0.0).view(np.int64)  # -0 becomes 0; with their sign bit a number's bits are in order but for negative ones
    return ordered(whole(bits ^ ((bits >> 63) & np.iinfo(np.int64).max)))


def in_order(values: NDArray[np.integer]) -> Ints:
    """As np.sort(values)."""
    return sorted_values(whole(values))


def all_in_order(values: NDArray[np.integer]) -> bool:
    """Whether no value is below the one before it."""
    return bool(np.all(values[1:] >= values[:-1]))


def at_ranks(values: NDArray[np.integer], ranks: Ints) -> Ints:
    """As np.sort(values)[ranks]: only what stands near them is sorted.

    >>> at_ranks(np.array([30, 10, 20, 10]), np.array([0, 2, 3])).tolist()
    [10, 20, 30]
    """
    return ranked(whole(values), ranks)


@compiled
def ordered(values: Ints) -> Ints:
    """`stable_order` of whole numbers."""
    order = order_unless_given(values)
    return order if order.size else np.arange(values.size)


@compiled
def order_unless_given(values: Ints) -> Ints:
    """`stable_order` of whole numbers; nothing where they are in order already: that takes no memory, which costs more than the look."""
    count = values.size
    low, high, rises = _ends(values)
    if rises:
        return np.empty(0, np.int64)
    order = np.arange(count)
    left, there, other = np.empty(count, np.uint64), np.empty(count, np.uint64), np.empty_like(order)
    for place in range(count):
        left[place] = np.uint64(values[place] - low)
    begins, span, shift = np.empty(1 << BITS, np.int64), np.uint64(high - low), 0
    while shift < 64 and span >> np.uint64(shift):
        _count(left, shift, begins)
        for place in range(count):
            digit = _digit(left[place], shift)
            goes = begins[digit]
            begins[digit] += 1
            there[goes], other[goes] = left[place], order[place]
        left, there, order, other = there, left, other, order
        shift += BITS
    return order


@compiled
def sorted_values(values: Ints) -> Ints:
    """*values* in order."""
    count = values.size
    low, high, rises = _ends(values)
    if rises:
        return values.copy()
    left, there = np.empty(count, np.uint64), np.empty(count, np.uint64)
    for place in range(count):
        left[place] = np.uint64(values[place] - low)
    begins, span, shift = np.empty(1 << BITS, np.int64), np.uint64(high - low), 0
    while shift < 64 and span >> np.uint64(shift):
        _count(left, shift, begins)
        for value in left:
            digit = _digit(value, shift)
            there[begins[digit]] = value
            begins[digit] += 1
        left, there = there, left
        shift += BITS
    found = np.empty(count, np.int64)
    for place in range(count):
        found[place] = np.int64(left[place]) + low
    return found


@compiled
def ranked(values: Ints, ranks: Ints) -> Ints:
    """`at_ranks`: the values in bins that hold a rank are kept, and sorted."""
    low, high, rises = _ends(values)
    if rises:
        return values[ranks]
    span, shift = np.uint64(high - low), 0
    while span >> np.uint64(shift) >= np.uint64(BINS):
        shift += 1
    ends = np.zeros(BINS, np.int64)
    for value in values:
        ends[_bin(value, low, shift)] += 1
    ends, kept = np.cumsum(ends), np.zeros(BINS, np.bool_)
    places = np.searchsorted(ends, ranks, side="right")
    kept[places] = True
    dropped, gone, free = np.empty(BINS, np.int64), 0, np.empty(BINS, np.int64)  # of lower bins
    for place in range(BINS):
        begins = ends[place - 1] if place else 0
        dropped[place], free[place] = gone, begins - gone
        gone += 0 if kept[place] else ends[place] - begins
    near = np.empty(values.size - gone, np.int64)
    for value in values:
        place = _bin(value, low, shift)
        if kept[place]:
            near[free[place]] = value
            free[place] += 1
    found: Ints = sorted_values(near)[ranks - dropped[places]]
    return found


@compiled
def _bin(value: int, low: int, shift: int) -> int:
    return int(np.uint64(value - low) >> np.uint64(shift))


@compiled
def _ends(values: Ints) -> tuple[int, int, bool]:
    """The least and the largest of *values*, and whether they are in order already."""
    if not values.size:
        return 0, 0, True
    low, high, before, rises = values[0], values[0], values[0], True
    for value in values:
        rises &= value >= before
        low, high, before = min(low, value), max(high, value), value
    return low, high, rises


@compiled
def _digit(value: np.uint64, shift: int) -> np.int64:
    return np.int64((value >> np.uint64(shift)) & np.uint64((1 << BITS) - 1))


@compiled
def _count(values: NDArray[np.uint64], shift: int, begins: Ints) -> None:
    """Where in order those with each digit begin."""
    begins[:] = 0
    for value in values:
        begins[_digit(value, shift)] += 1
    before = 0
    for digit in range(begins.size):
        mine = begins[digit]
        begins[digit] = before
        before += mine
