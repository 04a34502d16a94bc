"""Consumer groups: what becomes of each change at one consumer, as edasim/simpy_model/consumer.py says."""

import numpy as np

from edasim.compiled import compiled_part
from edasim.fast_path.containers import draw, is_down, note
from edasim.fast_path.memory import PARKED, World
from edasim.faults import NEVER
from edasim.journal import DEAD_LETTER, IN_FLIGHT, NONE

LONGEST = NEVER - 1


@compiled_part
def again(w: World, group: int, change: int, besides: bool) -> None:
    """Another copy of the message is on its way, *besides* an earlier one or not: what was lost may come yet."""
    mine = w.deliveries[group, change]
    if besides and mine.failure == IN_FLIGHT and mine.applied == NONE:
        mine.copies += 1
    elif mine.failure != DEAD_LETTER:
        mine.failure = IN_FLIGHT


@compiled_part
def lose(w: World, group: int, change: int, reason: int) -> None:
    """One copy of the message is gone, for the *reason*; it is lost unless another is applied, parked or on its way."""
    mine = w.deliveries[group, change]
    if mine.copies > 0:
        mine.copies -= 1
    elif mine.failure != DEAD_LETTER:
        mine.failure = reason


@compiled_part
def park(w: World, group: int, change: int, now: int) -> None:
    """The message goes to the dead letters."""
    w.deliveries[group, change].failure = DEAD_LETTER
    note(w, PARKED, now, change, group, 0, 0)


@compiled_part
def fails(w: World, group: int, change: int, attempt: int, now: int) -> bool:
    """Whether this attempt to handle the change, which ends *now*, fails."""
    mine, row = w.groups[group], w.deliveries[group, change]
    if row.poison:
        row.last_failed = now
        return True
    return mine.fail_rate != 0 and draw(w, mine.fails, change, attempt) != 0


@compiled_part
def slowed(w: World, group: int, handling: int, start: int) -> int:
    """How long a *handling* takes that begins then: longer where the consumer is slow."""
    if not is_down(w, w.groups[group].slow, start):
        return handling
    longer = np.rint(handling * w.factors[group])
    return int(longer) if longer < LONGEST else LONGEST


@compiled_part
def newly_known(w: World, group: int, change: int) -> bool:
    """Remember the message as handled; whether it was not remembered yet. The oldest is forgotten where there is no room."""
    mine, row = w.groups[group], w.deliveries[group, change]
    if row.known:
        return False
    row.known = 1
    w.flat[mine.known_begin + (mine.known_head + mine.known_count) % mine.known_room] = change
    mine.known_count += 1
    if mine.known_count > mine.window:
        oldest = w.flat[mine.known_begin + mine.known_head]
        w.deliveries[group, oldest].known = 0
        mine.known_head = (mine.known_head + 1) % mine.known_room
        mine.known_count -= 1
    return True
