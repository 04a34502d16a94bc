"""Step functions of time, one per entity, as loops that take each event and each question once."""

import numpy as np
from numpy.typing import NDArray

from edasim.compiled import compiled
from edasim.compiled.sorting import order_unless_given, ordered

Ints = NDArray[np.int64]
_LAST = np.iinfo(np.int64).max


@compiled
def newest_by_then(entity: Ints, time: Ints, of_entity: Ints, at_time: Ints, value: Ints, default: int, including: bool) -> Ints:
    """As `edasim.timelines.value_at`: goes through events and questions in order of time, and keeps what every entity holds."""
    questions, events = order_unless_given(time), order_unless_given(at_time)
    held = np.full(max(_groups(entity), _groups(of_entity)), default)
    found = np.empty(entity.size, np.int64)
    count = 0
    for place in range(entity.size):
        question = questions[place] if questions.size else place
        while count < of_entity.size:
            event = events[count] if events.size else count
            if at_time[event] > time[question] or (at_time[event] == time[question] and not including):
                break
            held[of_entity[event]] = value[event]
            count += 1
        found[question] = held[entity[question]]
    return found


@compiled
def commits_in_order(time: Ints, entity: Ints, version: Ints) -> bool:
    """Whether all changes committed, and `commit_order` has nothing to do: so it is where nothing overtakes and nothing is refused."""
    newest = np.full(_groups(entity), -1)
    before, last = 0, -1
    for commit in range(time.size):
        mine, now, made = np.uint64(entity[commit]), time[commit], version[commit]
        if now < before or (now == before and made < last) or made <= newest[mine]:
            return False
        newest[mine] = made
        before, last = now, made
    return True


@compiled
def commit_order(time: Ints, entity: Ints, version: Ints) -> Ints:
    """Commits in order of time, at the same time of versions; by version alone where those of an entity don't follow its commits."""
    order = _nearly_ordered(time, version)
    newest = np.full(_groups(entity), -1)
    for commit in order:
        if version[commit] <= newest[entity[commit]]:
            return ordered(version)
        newest[entity[commit]] = version[commit]
    return order


@compiled
def _nearly_ordered(time: Ints, version: Ints) -> Ints:
    """The order by time, then by version: by insertion while little is out of place, by digits where much is."""
    order: Ints = np.arange(time.size)
    moved = 0
    for row in range(1, time.size):
        place = row
        while place and (time[order[place - 1]], version[order[place - 1]]) > (time[row], version[row]):
            order[place] = order[place - 1]
            place, moved = place - 1, moved + 1
        order[place] = row
        if moved > 8 * time.size:
            by_version = ordered(version)
            order[:] = by_version[ordered(time[by_version])]
            break
    return order


@compiled
def value_before(entity: Ints, value: Ints, default: Ints) -> Ints:
    """As `edasim.timelines.previous_value`."""
    found = np.empty(entity.size, np.int64)
    last = np.full(_groups(entity), -1)
    for event in range(entity.size):
        before = last[entity[event]]
        found[event] = default[event] if before < 0 else value[before]
        last[entity[event]] = event
    return found


@compiled
def behind(entity: Ints, time: Ints, version: Ints) -> NDArray[np.bool_]:
    """Which events come after one of the same entity that has a larger version; of those at the same time the smaller is first."""
    found = np.zeros(entity.size, np.bool_)
    groups = _groups(entity)
    first, newer = np.full(groups, _LAST), np.full(groups, _LAST)  # when the first of the newer ones came, and the version of the last seen
    for back in range(entity.size):
        event = np.uint64(entity.size - 1 - back)
        mine = np.uint64(entity[event])
        if version[event] >= newer[mine]:
            return _behind_in_any_order(entity, time, version)
        newer[mine] = version[event]
        found[event] = first[mine] < time[event]
        first[mine] = min(first[mine], time[event])
    return found


@compiled
def _behind_in_any_order(entity: Ints, time: Ints, version: Ints) -> NDArray[np.bool_]:
    """`behind`, also where the versions of an entity don't come in order."""
    order, found = ordered(time), np.zeros(entity.size, np.bool_)
    newest = np.full(_groups(entity), -1)
    begin = 0
    for end in range(1, order.size + 1):
        if end < order.size and time[order[end]] == time[order[begin]]:
            continue
        for event in order[begin:end]:
            found[event] = version[event] < newest[entity[event]]
        for event in order[begin:end]:
            newest[entity[event]] = max(newest[entity[event]], version[event])
        begin = end
    return found


@compiled
def most_at_once(begins: Ints, ends: Ints, edges: Ints) -> Ints:
    """The most that have begun and not ended at any time in each bin [edge, next edge); all in order; shape (edges - 1,)."""
    found = np.empty(edges.size - 1, np.int64)
    begun = ended = 0
    for place in range(found.size):
        now, most = edges[place], 0
        while True:
            while begun < begins.size and begins[begun] <= now:
                begun += 1
            while ended < ends.size and ends[ended] <= now:
                ended += 1
            most = begun - ended if now == edges[place] else max(most, begun - ended)
            if begun == begins.size or begins[begun] >= edges[place + 1]:
                break
            now = begins[begun]
        found[place] = most
    return found


@compiled
def grouped(keys: Ints, groups: int) -> tuple[Ints, Ints]:
    """Rows by key, each key's in their order, and where those of each key begin: shapes (rows,) and (groups + 1,).

    Keys are 0 to groups - 1; raises IndexError for others.
    """
    begins = key_begins(keys, groups)
    rows, free = np.empty(keys.size, np.int64), begins.copy()
    for row in range(keys.size):
        rows[free[keys[row]]] = row
        free[keys[row]] += 1
    return rows, begins


@compiled
def key_begins(keys: Ints, groups: int) -> Ints:
    """Where the rows of each key begin once they are put together, shape (groups + 1,). Raises IndexError for keys beyond *groups*."""
    if _groups(keys) > groups:
        raise IndexError("a key that is not there")
    begins = np.zeros(groups + 1, np.int64)
    for key in keys:
        begins[np.uint64(key) + np.uint64(1)] += 1
    for group in range(groups):
        begins[group + 1] += begins[group]
    return begins


@compiled
def sums_until(times: Ints, amounts: Ints, at: Ints) -> Ints:
    """As `edasim.timelines.sum_until`, where *at* is in order."""
    sums = np.zeros(at.size + 1, np.int64)
    place = 0
    for event in range(times.size):
        now = times[event]
        if (place < at.size and at[place] < now) or (place > 0 and at[place - 1] >= now):
            place = np.searchsorted(at, now)
        sums[place] += amounts[event]
    return np.cumsum(sums[:-1])


@compiled
def most_of_each(keys: Ints, values: Ints, groups: int) -> Ints:
    """The largest of the *values* of each key, 0 where it has none; shape (groups,). Keys are 0 to groups - 1; IndexError for others."""
    if _groups(keys) > groups:
        raise IndexError("a key that is not there")
    found = np.zeros(groups, np.int64)
    for row in range(keys.size):
        found[keys[row]] = max(found[keys[row]], values[row])
    return found


@compiled
def _groups(keys: Ints) -> int:
    """How many keys there can be. Raises IndexError for one that can't be: a compiled loop would write just anywhere."""
    most = -1
    for key in keys:
        if key < 0:
            raise IndexError("a key below 0")
        most = max(most, key)
    return most + 1
