"""The broker: whether and when a message is stored, as edasim/simpy_model/broker.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.containers import append, at, begun, draw, is_down, next_start, up_from
from edasim.fast_path.log_group import dropped
from edasim.fast_path.memory import LOG, NOBODY, World
from edasim.fast_path.placing import dies, partition_of
from edasim.faults import NEVER
from edasim.journal import LOST_BROKER, LOST_RETENTION, NONE


@compiled_part
def append_message(w: World, topic: int, change: int, attempt: int, now: int) -> tuple[int, int]:
    """When the message that arrives *now* is stored, and when consumers can see it; NONE for what never happens."""
    mine = w.topics[topic]
    line = w.lines[topic, partition_of(w, change) if w.s[0].kind == LOG else 0]
    free, crash = line.free, NEVER
    if mine.fails:
        if is_down(w, mine.down, now):
            return NONE, NONE
        life = begun(w, mine.down, now)
        if life != line.life:
            free, line.life = 0, life
        crash = next_start(w, mine.down, now)
    stored = min(max(free, now) + draw(w, mine.append_time, change, attempt), NEVER)  # what is added to fits into 64 bits
    line.free = stored
    if crash <= stored:
        return NONE, NONE
    visible = _visible(w, topic, change, attempt, stored, crash) if mine.copy_count else stored
    keep_message(w, topic, change, stored, visible)
    return stored, visible


@compiled_part
def keep_message(w: World, topic: int, change: int, stored: int, visible: int) -> None:
    """The message is stored then: in a batch all of a partition are at once."""
    s, mine = w.s[0], w.topics[topic]
    if w.stored[topic, change] == NONE:
        w.stored[topic, change] = stored
    mine.sequence += 1
    entry = NOBODY
    if visible != NONE and s.kind == LOG:
        entry = s.entries_used
        s.entries_used += 1
        row = w.entries[entry]
        row.sequence, row.change, row.stored, row.visible, row.gone, row.reason = mine.sequence, change, stored, visible, NEVER, 0
        append(w, w.lines[topic, partition_of(w, change)].log, entry)
    if mine.mortal:
        append(w, mine.by_sequence, entry)
        if entry >= 0:
            _doom(w, topic, entry)


@compiled_part
def _doom(w: World, topic: int, entry: int) -> None:
    """Note when the message just kept will be gone, and which older ones it pushes out."""
    mine, row = w.topics[topic], w.entries[entry]
    death = dies(w, topic, row.stored)
    if death < NEVER:
        row.gone, row.reason = death, LOST_BROKER
    if mine.most == NEVER:
        return
    partition = partition_of(w, row.change)
    line = w.lines[topic, partition]
    line.held += at(w, w.s[0].sizes, row.change)
    while line.held > mine.most and line.oldest < w.lists[line.log].length - 1:
        old = w.entries[at(w, line.log, line.oldest)]
        line.oldest += 1
        line.held -= at(w, w.s[0].sizes, old.change)
        if old.gone > row.stored:
            old.gone, old.reason = row.stored, LOST_RETENTION
        for group in range(w.s[0].groups):
            if w.groups[group].topic == topic:
                dropped(w, w.parts[group, partition].owner, old.sequence, row.stored)


@compiled_part
def _visible(w: World, topic: int, change: int, attempt: int, stored: int, crash: int) -> int:
    """When all followers have copied it; the first follower leads after a crash."""
    mine = w.topics[topic]
    fetched = stored if mine.fetch_every == 0 else -(-stored // mine.fetch_every) * mine.fetch_every
    fetched = min(fetched, NEVER)
    first = min(fetched + draw(w, mine.copies, change, attempt), NEVER)
    visible = first
    for follower in range(1, mine.copy_count):
        visible = max(visible, min(fetched + draw(w, mine.copies + follower, change, attempt), NEVER))
    if visible < crash:
        return visible
    return up_from(w, mine.down, crash) + visible - fetched if first < crash else NONE
