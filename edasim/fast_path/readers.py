"""Who answers reads: the source, a cache, or a copy that is polled in bulk, as edasim/simpy_model/readers.py says."""

import numpy as np

from edasim.compiled import compiled_part
from edasim.fast_path.clock import COMPLETION, READ, schedule, schedule_with
from edasim.fast_path.containers import at, draw
from edasim.fast_path.copies import affect, holds, keep
from edasim.fast_path.memory import (
    FETCHED,
    POLL_ARRIVES,
    POLL_IS_DUE,
    POLLED,
    READ_AGAIN,
    READ_ARRIVES,
    READ_IS_DUE,
    REFRESH,
    World,
)
from edasim.fast_path.source import serve, version_at
from edasim.faults import NEVER
from edasim.journal import NONE

READ_REQUEST, POLL = 1, 3


@compiled_part
def open_reader(w: World, asker: int) -> None:
    """The first read of this consumer, and the attempts that are given up before they arrive."""
    mine = w.askers[asker]
    if mine.cache < 0:
        for read in range(mine.count):
            if draw(w, mine.there, read, 0) > mine.timeout:
                _give_up(w, asker, read, w.reads[mine.first + read].time + mine.timeout)
    _await_next(w, asker)


@compiled_part
def _await_next(w: World, asker: int) -> None:
    mine = w.askers[asker]
    if mine.cursor == mine.count:
        return
    if mine.cache >= 0:
        time = w.reads[mine.first + mine.cursor].time
    else:
        read = at(w, mine.order, mine.cursor)
        time = w.reads[mine.first + read].time + draw(w, mine.there, read, 0)
    schedule(w, time, READ, READ_IS_DUE, asker, 0)


@compiled_part
def read_is_due(w: World, asker: int) -> None:
    """The next read is made, where there is a cache, or arrives at the source."""
    mine = w.askers[asker]
    if mine.cache >= 0:
        attempt_read(w, asker, mine.cursor, w.s[0].now)
    else:
        read = at(w, mine.order, mine.cursor)
        read_arrives(w, asker, read, 0, w.reads[mine.first + read].time)
    mine.cursor += 1
    _await_next(w, asker)


@compiled_part
def attempt_read(w: World, asker: int, read: int, now: int) -> None:
    """An attempt: from the cache if it holds the entity, else from the source."""
    mine = w.askers[asker]
    asked = w.reads[mine.first + read]
    if mine.cache >= 0 and holds(w, mine.cache, now, asked.entity):
        asked.asked, asked.latency = now, now - asked.time
        asked.seen = w.copies[mine.cache, asked.entity].version
        return
    attempt = asked.attempts
    there = draw(w, mine.there, read, attempt)
    schedule_with(w, now + there, READ, READ_ARRIVES, asker, read, attempt, now, 0, 0)
    if there > mine.timeout:
        _give_up(w, asker, read, now + mine.timeout)


@compiled_part
def read_arrives(w: World, asker: int, read: int, attempt: int, asked: int) -> None:
    """The request arrives at the source. It is known at once when its answer will be back."""
    mine = w.askers[asker]
    reading = w.reads[mine.first + read]
    back_takes = draw(w, mine.back, read, attempt)
    service = draw(w, mine.service, read, attempt)
    source = reading.region if mine.own and w.s[0].regions > 1 else 0
    back, ok = serve(w, source, READ_REQUEST, asked, reading.entity, service, back_takes)
    if ok and mine.cache >= 0:
        schedule_with(w, back, COMPLETION, FETCHED, asker, read, attempt, back - back_takes, 0, 0)
    if ok and back - asked <= mine.timeout:
        reading.asked, reading.latency = asked, back - reading.time
    elif w.s[0].now - asked <= mine.timeout:  # else it was given up when it was sent
        _give_up(w, asker, read, min(back, asked + mine.timeout))


@compiled_part
def _give_up(w: World, asker: int, read: int, now: int) -> None:
    mine = w.askers[asker]
    if w.reads[mine.first + read].attempts < mine.retries:
        schedule(w, min(now, NEVER) + mine.backoff, READ, READ_AGAIN, asker, read)


@compiled_part
def read_again(w: World, asker: int, read: int) -> None:
    """The next attempt."""
    reading, now = w.reads[w.askers[asker].first + read], w.s[0].now
    reading.attempts += 1
    reading.asked = now
    attempt_read(w, asker, read, now)


@compiled_part
def fetched(w: World, asker: int, read: int, attempt: int, served: int) -> None:
    """The answer arrives at the cache."""
    mine, now = w.askers[asker], w.s[0].now
    entity = w.reads[mine.first + read].entity
    version = version_at(w, 0, entity, served)
    keep(w, mine.cache, now, entity, version, now + draw(w, mine.ttl, read, attempt))


# --- polling


@compiled_part
def await_next_poll(w: World, poller: int) -> None:
    """The next poll, if there is one."""
    mine = w.pollers[poller]
    if mine.cursor < mine.count:
        schedule(w, at(w, mine.times, mine.cursor), READ, POLL_IS_DUE, poller, 0)


@compiled_part
def poll_is_due(w: World, poller: int) -> None:
    """A poll is made."""
    mine, now = w.pollers[poller], w.s[0].now
    schedule_with(w, now + draw(w, mine.there, mine.cursor, 0), READ, POLL_ARRIVES, poller, mine.cursor, now, 0, 0, 0)
    mine.cursor += 1
    await_next_poll(w, poller)


@compiled_part
def poll_arrives(w: World, poller: int, poll: int, asked: int) -> None:
    """It arrives at the source."""
    mine = w.pollers[poller]
    back = draw(w, mine.back, poll, 0)
    answered, ok = serve(w, 0, POLL, asked, NONE, draw(w, mine.service, poll, 0), back)
    if ok:
        schedule(w, answered, COMPLETION, POLLED, poller, answered - back)


@compiled_part
def polled(w: World, poller: int, served: int) -> None:
    """The answer is here: everything that had committed when it was served."""
    mine, source, now = w.pollers[poller], w.sources[0], w.s[0].now
    late = w.flat[mine.late : mine.late + w.s[0].changes]
    changed = np.empty(mine.late_count + source.arrived - mine.seen, dtype=np.int64)
    known, left = 0, 0
    for place in range(mine.late_count + source.arrived - mine.seen):
        change = late[place] if place < mine.late_count else at(w, source.order, mine.seen + place - mine.late_count)
        committed = w.changes[change].committed
        if committed > served:
            late[left] = change
            left += 1
        elif committed != NONE:
            changed[known] = w.changes[change].entity
            known += 1
    mine.late_count, mine.seen = left, source.arrived
    before = NONE
    for entity in np.sort(changed[:known]):
        if entity != before:
            affect(w, mine.consumer, REFRESH, now, entity, version_at(w, 0, entity, served))
        before = entity
