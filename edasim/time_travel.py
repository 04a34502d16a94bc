"""Time travel: the state of an entity at any past time, rebuilt from its events through the newest snapshot before that time.

Each change has a small payload, as the events of a shopping cart have: so many of an *item* are put in, or taken out again. A cart never
holds fewer than none, so the order of events matters, and a replay that skips or repeats one is found out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Table = Mapping[str, NDArray[Any]]
State = dict[int, int]  # item -> how many


class Replay(NamedTuple):
    """The *state* of an entity at one *version*, the version of the snapshot it was built from (0: none), and how many events followed."""

    state: State
    version: int
    snapshot: int
    events: int


def after(state: State, item: int, quantity: int) -> State:
    """The *state* after one event.

    >>> after({7: 1}, 7, 2), after({7: 1}, 7, -3)
    ({7: 3}, {})
    """
    left = state.get(item, 0) + quantity
    others = {other: count for other, count in state.items() if other != item}
    return {**others, item: left} if left > 0 else others


def folded(state: State, events: Iterable[tuple[int, int]]) -> State:
    """The *state* after all *events* (item, quantity), in their order."""
    for item, quantity in events:
        state = after(state, item, quantity)
    return state


def replayed(events: Sequence[tuple[int, int]], snapshots: Table, contents: Table, entity: int, *, keep: str) -> Replay:
    """The state of *entity* after its *events* (item, quantity): its newest snapshot that covers no later one, and those after it.

    *snapshots* and their *contents* are the tables of a journal; "all" are still there, or the "last" of each entity (*keep*).
    """
    kept = np.flatnonzero(snapshots["entity"] == entity)[0 if keep == "all" else -1 :]
    usable = kept[snapshots["version"][kept] <= len(events)]
    state, begin = State(), 0
    if usable.size:
        newest = usable[-1]
        begin = int(snapshots["version"][newest])
        held = contents["snapshot"] == newest
        state = dict(zip(contents["item"][held].tolist(), contents["quantity"][held].tolist(), strict=True))
    return Replay(folded(state, events[begin:]), len(events), begin, len(events) - begin)
