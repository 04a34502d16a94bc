"""Simulated time: moments in a heap, in the order of the SimPy model's clock: time, kind and change, and who was scheduled first."""

from edasim.compiled import compiled_part
from edasim.fast_path.memory import World

FAULT_ENDS, FAULT_STARTS, COMPLETION, COMMIT, ARRIVAL, READ = (kind << 40 for kind in range(6))
AFTER_FAULTS = FAULT_STARTS + (1 << 39)


@compiled_part
def schedule(w: World, time: int, order: int, kind: int, a: int, b: int) -> int:
    """Let it happen at *time*; the number of the moment."""
    return schedule_with(w, time, order, kind, a, b, 0, 0, 0, 0)


@compiled_part
def schedule_with(w: World, time: int, order: int, kind: int, a: int, b: int, c: int, d: int, e: int, f: int) -> int:
    """As `schedule`, where more has to be known then."""
    s = w.s[0]
    slot = s.moment_free
    if slot >= 0:
        s.moment_free = w.moments[slot].a
    else:
        slot = s.moments_used
        s.moments_used += 1
    moment = w.moments[slot]
    moment.kind, moment.a, moment.b, moment.c, moment.d, moment.e, moment.f = kind, a, b, c, d, e, f
    eid = s.eid
    s.eid += 1
    heap, place = w.heap, s.heap_size
    s.heap_size += 1
    while place > 0:
        above = (place - 1) >> 1
        other = heap[above]
        if time > other.time or (time == other.time and (order > other.order or (order == other.order and eid > other.eid))):
            break
        heap[place] = other
        place = above
    mine = heap[place]
    mine.time, mine.order, mine.eid, mine.slot = time, order, eid, slot
    return eid


@compiled_part
def drop_first(w: World) -> None:
    """Take the first moment off the heap; its record may be used again."""
    s, heap = w.s[0], w.heap
    slot = heap[0].slot
    w.moments[slot].a = s.moment_free
    s.moment_free = slot
    s.heap_size -= 1
    size = s.heap_size
    last = heap[size]
    time, order, eid, kept = last.time, last.order, last.eid, last.slot
    place, below = 0, 1
    while below < size:
        if below + 1 < size:
            left, right = heap[below], heap[below + 1]
            if right.time < left.time or (
                right.time == left.time and (right.order < left.order or (right.order == left.order and right.eid < left.eid))
            ):
                below += 1
        other = heap[below]
        if time < other.time or (time == other.time and (order < other.order or (order == other.order and eid < other.eid))):
            break
        heap[place] = other
        place, below = below, 2 * below + 1
    mine = heap[place]
    mine.time, mine.order, mine.eid, mine.slot = time, order, eid, kept
