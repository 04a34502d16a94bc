"""The event store: what loads cost and when snapshots are due, as edasim/simpy_model/event_store.py says."""

import numpy as np

from edasim.compiled import compiled_part
from edasim.fast_path.containers import at, note
from edasim.fast_path.memory import CONTENTS, LOADS, SNAPSHOTS, World

LONGEST = 1 << 58


@compiled_part
def load(w: World, source: int, now: int, entity: int, version: int, kind: int) -> tuple[int, bool]:
    """The time to load *entity* at *version*, noted in the journal; and whether it makes a snapshot due."""
    s = w.s[0]
    history, covered = at(w, s.history, entity), w.streams[source, entity].covered
    events = history + version - covered
    duration = s.load_base + _whole(w.rates[0] * events)
    if s.upcasts:
        duration += _upcast(w, entity, history, history - covered)
    duration = min(duration, LONGEST)
    note(w, LOADS, now, kind, entity, events, duration)
    return duration, not s.on_append and 0 < s.snapshot_every <= events


@compiled_part
def _upcast(w: World, entity: int, stored: int, replayed: int) -> int:
    """The time of upcasting the newest *replayed* of an entity's *stored* events."""
    versions = w.upcasts[entity]
    if stored == 0 or replayed <= 0 or versions < 1:
        return 0
    total = 0.0
    for version in range(1, int(np.floor(versions)) + 1):
        total += max(replayed - np.ceil(version * stored / versions + 0.5) + 1, 0.0)
    return _whole(w.rates[1] * total)


@compiled_part
def _whole(duration: float) -> int:
    """Rounded as Python rounds, and no longer than a load can take."""
    return round(duration) if duration < LONGEST else LONGEST


@compiled_part
def append_event(w: World, source: int, entity: int, version: int, change: int) -> bool:
    """One event more, which makes *version*; whether a snapshot is due."""
    s = w.s[0]
    if s.keeps_states:
        item = at(w, s.payload_items, change)
        s.appended += 1
        left = w.states[entity, item, 0] + at(w, s.payload_quantities, change)
        w.states[entity, item, 0], w.states[entity, item, 1] = max(left, 0), s.appended
    if s.snapshot_every == 0 or not s.on_append:
        return False
    return (at(w, s.history, entity) + version) // s.snapshot_every > w.streams[source, entity].covered // s.snapshot_every


@compiled_part
def snapshot(w: World, source: int, now: int, entity: int, version: int) -> None:
    """A snapshot of *entity* as it is, at *version*: its items in the order in which they were changed last."""
    s = w.s[0]
    w.streams[source, entity].covered = at(w, s.history, entity) + version
    note(w, SNAPSHOTS, now, entity, version, source, 0)
    number = s.snapshots
    s.snapshots += 1
    if not s.keeps_states:
        return
    state, said = w.states[entity], 0
    while True:
        following, when = -1, s.appended + 1
        for item in range(state.shape[0]):
            if state[item, 0] > 0 and said < state[item, 1] < when:
                following, when = item, state[item, 1]
        if following < 0:
            return
        note(w, CONTENTS, number, following, state[following, 0], 0, 0)
        said = when
