"""Lists that grow, heaps of messages, draws and downtimes, in the memory of the loop."""

from edasim.compiled import compiled_part
from edasim.fast_path.arrays import call_back
from edasim.fast_path.memory import NOBODY, World
from edasim.faults import NEVER

Message = tuple[int, int, int, int, int, int]  # (available, place in the order of the broker, change, partition or delivery, stored, item)


# --- lists


@compiled_part
def append(w: World, number: int, value: int) -> None:
    """Add to the list of that *number*; where it is full it moves to where there is twice the room."""
    mine, s = w.lists[number], w.s[0]
    if mine.length == mine.capacity:
        begin, room = s.flat_used, max(2 * mine.capacity, 8)
        for i in range(mine.length):
            w.flat[begin + i] = w.flat[mine.begin + i]
        s.flat_used += room
        s.flat_grown += room - mine.capacity
        mine.begin, mine.capacity = begin, room
    w.flat[mine.begin + mine.length] = value
    mine.length += 1


@compiled_part
def at(w: World, number: int, place: int) -> int:
    """The value in the list of that *number*."""
    return w.flat[w.lists[number].begin + place]


@compiled_part
def until(w: World, begin: int, length: int, value: int) -> int:
    """How many of the sorted values that *begin* there are at most *value*."""
    low, high = 0, length
    while low < high:
        middle = (low + high) >> 1
        if w.flat[begin + middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled_part
def draw(w: World, stream: int, index: int, attempt: int) -> int:
    """The draw of a stream for this change (or read) and attempt."""
    if attempt == 0:
        return w.flat[w.lists[stream].begin + index]
    return call_back(w.s[0].later, stream, index, attempt)


# --- downtimes: a list of starts, and the next one of ends


@compiled_part
def begun(w: World, down: int, time: int) -> int:
    """How many intervals have begun at *time*."""
    mine = w.lists[down]
    if mine.length == 0 or time < w.flat[mine.begin]:
        return 0
    return until(w, mine.begin, mine.length, time)


@compiled_part
def up_from(w: World, down: int, time: int) -> int:
    """*time* itself if the component is up then, else the end of the interval."""
    number = begun(w, down, time)
    return max(time, at(w, down + 1, number - 1)) if number else time


@compiled_part
def is_down(w: World, down: int, time: int) -> bool:
    """Whether the component is down at *time*."""
    return up_from(w, down, time) > time


@compiled_part
def next_start(w: World, down: int, time: int) -> int:
    """When the next interval begins after *time*; NEVER if none does."""
    number = begun(w, down, time)
    return at(w, down, number) if number < w.lists[down].length else NEVER


# --- heaps of messages (pairing heaps: Fredman and others, 1986)


@compiled_part
def is_before(w: World, one: int, other: int) -> bool:
    """Whether a message comes before another: by all that it consists of."""
    a, b = w.nodes[one], w.nodes[other]
    if a.available != b.available:
        return a.available < b.available
    if a.sequence != b.sequence:
        return a.sequence < b.sequence
    if a.change != b.change:
        return a.change < b.change
    if a.place != b.place:
        return a.place < b.place
    return a.stored < b.stored


@compiled_part
def melded(w: World, one: int, other: int) -> int:
    """Two heaps as one."""
    if one < 0:
        return other
    if other < 0:
        return one
    if is_before(w, other, one):
        one, other = other, one
    w.nodes[other].sibling = w.nodes[one].child
    w.nodes[one].child = other
    return one


@compiled_part
def pushed(w: World, root: int, message: Message) -> int:
    """The heap with one *message* more."""
    s = w.s[0]
    number = s.node_free
    if number >= 0:
        s.node_free = w.nodes[number].sibling
    else:
        number = s.nodes_used
        s.nodes_used += 1
    node = w.nodes[number]
    node.available, node.sequence, node.change, node.place, node.stored, node.item = message
    node.child = node.sibling = NOBODY
    return melded(w, root, number)


@compiled_part
def popped(w: World, root: int) -> tuple[int, Message]:
    """The heap without its first message, and that."""
    s, node = w.s[0], w.nodes[root]
    message = (node.available, node.sequence, node.change, node.place, node.stored, node.item)
    child, pairs = node.child, NOBODY
    node.sibling = s.node_free
    s.node_free = root
    while child >= 0:  # meld the children in pairs, then the pairs into one
        second = w.nodes[child].sibling
        after = w.nodes[second].sibling if second >= 0 else NOBODY
        w.nodes[child].sibling = NOBODY
        if second >= 0:
            w.nodes[second].sibling = NOBODY
        pair = melded(w, child, second)
        w.nodes[pair].sibling = pairs
        pairs, child = pair, after
    found = NOBODY
    while pairs >= 0:
        after = w.nodes[pairs].sibling
        w.nodes[pairs].sibling = NOBODY
        found = melded(w, found, pairs)
        pairs = after
    return found, message


# --- rows of the journal's tables


@compiled_part
def note(w: World, table: int, a: int, b: int, c: int, d: int, e: int) -> None:
    """One row of one of the smaller tables."""
    s = w.s[0]
    row = w.rows[s.rows_used]
    row.table, row.a, row.b, row.c, row.d, row.e = table, a, b, c, d, e
    s.rows_used += 1


@compiled_part
def note_request(w: World, time: int, kind: int, latency: int, ok: int, service: int) -> None:
    """One row of `requests`; how many bytes follows from the run as a whole."""
    s = w.s[0]
    row = s.requests_used
    w.requests[row, 0], w.requests[row, 1], w.requests[row, 2] = time, kind, latency
    w.requests[row, 3], w.requests[row, 4], w.requests[row, 5] = ok, service, 0
    s.requests_used += 1


@compiled_part
def note_refresh(w: World, time: int, entity: int, consumer: int, version: int) -> None:
    """One row of `refreshes`."""
    s = w.s[0]
    row = s.refreshes_used
    w.refreshes[row, 0], w.refreshes[row, 1], w.refreshes[row, 2], w.refreshes[row, 3] = time, entity, consumer, version
    s.refreshes_used += 1
