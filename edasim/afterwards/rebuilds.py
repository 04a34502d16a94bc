"""Rebuilding a lost copy, or a read model in a new shape: from all events, from the broker's log, or from the source's rows in bulk.

Each of the workers has entities of its own (entity number modulo workers), because the order of an entity's events must be kept: one
with a very long stream holds up the rest. A rebuild takes `rebuild.base`, and then `rebuild.per_event` for each event, message or row.

*While nothing changes*: all there is to read at the end of the window. *While changes go on*: what there is when the window begins, and
behind it, in order, each change that commits from then on. It has caught up when every worker was once done with all that had come.
Changes stop at the end of the window, so what is left of a worker's work by then, R, is extrapolated: R / (1 - load), where load is the
share of its time that the changes of the window took (a queue drains at the difference of the rates); at a load of 1 or more never.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.events import Upcasts, migrated
from edasim.afterwards.inputs import Inputs
from edasim.afterwards.tables import Held
from edasim.faults import NEVER
from edasim.journal import NONE, WAYS, Table
from edasim.luck import nanoseconds
from edasim.patterns import KEPT

Ints = NDArray[np.int64]
DRAWN = 10_000_000  # times: of more the mean is known well enough


class Items(NamedTuple):
    """What a rebuild reads, by entity: how many *items*, how long they take beyond `per_event` (nanoseconds), and which are *missing*."""

    items: Ints
    extra: NDArray[np.float64]
    missing: NDArray[np.bool_]
    evenly: int = 0  # items of entities that nobody knows by name: every worker has as many

    @property
    def number(self) -> int:
        """All items."""
        return int(self.items.sum()) + self.evenly


class CaughtUp(NamedTuple):
    """How long a rebuild takes until it has caught up (nanoseconds; NONE: it never does), and whether that was *seen* in the window."""

    after: int
    seen: bool


def ways(run: Inputs, log: Held | None) -> list[str]:
    """The ways in which a copy can be rebuilt, the usual one first; none where nobody keeps one and truth is a table."""
    keeps = any(reads in KEPT for reads in run.reads)
    usual = "events" if run.pattern.truth == "events" else "source"
    from_log = keeps and run.pattern.carries in ("state", "delta") and log is not None
    return ([usual] if keeps or usual == "events" else []) + (["log"] if from_log else [])


def rebuilds(run: Inputs, changes: Table, log: Held | None) -> dict[str, Ints]:
    """The journal's table: a row for each way, the usual one first. *log*: what the broker's log holds of what the source published."""
    window = [int(moment) for moment in nanoseconds(np.array(run.scenario.window))]
    rows = []
    for way in ways(run, log):
        begin, end = (_items(run, changes, log, way, moment) for moment in window)
        caught_up = _caught_up(run, changes, way, begin, window)
        rows.append((WAYS.index(way), end.number, end.missing.sum(), max(_work(run, way, end)), begin.number, *caught_up))
    names = ("way", "items", "missing", "duration", "backlog", "catch_up", "seen")
    return {name: np.array([row[place] for row in rows], dtype=np.int64) for place, name in enumerate(names)}


def _items(run: Inputs, changes: Table, log: Held | None, way: str, time: int) -> Items:
    """What there is to read at *time*."""
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import most_of_each

    entities = run.history.size
    done = (changes["committed"] != NONE) & (changes["committed"] < time)
    committed = np.bincount(changes["entity"][done], minlength=entities)
    exists = (np.arange(entities) < run.workload.population.initial) | (committed > 0)
    nothing, nobody = np.zeros(entities), np.zeros(entities, dtype=bool)
    if way == "events":
        return Items(run.history + migrated(run) + committed, Upcasts(run).cost_of_all(run.history), nobody, run.departed)
    if way == "source":
        return Items(exists.astype(np.int64), nothing, nobody)
    assert log is not None
    there = log.change[(log.since <= time) & ((log.until > time) | (log.until == NONE))]
    held = np.bincount(changes["entity"][there], minlength=entities)
    if run.pattern.carries == "delta":  # all that ever happened must be there
        return Items(held, nothing, exists & ((held < committed) | (np.arange(entities) < run.workload.population.initial)))
    newest = most_of_each(whole(changes["entity"][there]), whole(changes["version"][there]), entities)
    return Items(held, nothing, exists & ((newest < committed) | (committed == 0)))


def _by_worker(run: Inputs, values: NDArray[np.float64] | Ints) -> NDArray[np.float64]:
    """The sum of *values* (by entity) over the entities of each worker."""
    workers = run.scenario.event_store.rebuild.workers
    return np.asarray(np.bincount(np.arange(values.size) % workers, weights=values, minlength=workers), dtype=np.float64)


def _work(run: Inputs, way: str, read: Items) -> list[int]:
    """How long each worker takes to read its part, `base` included, in nanoseconds."""
    settings, rng = run.scenario.event_store.rebuild, run.luck.stream(f"rebuild from {way}")
    share, rest = divmod(read.evenly, settings.workers)
    items = _by_worker(run, read.items).astype(np.int64) + share + (np.arange(settings.workers) < rest)
    more = Upcasts(run).cost_of_departed(read.evenly / settings.workers)
    parts = zip(items.tolist(), (_by_worker(run, read.extra) + more).tolist(), strict=True)
    work = []
    for count, extra in parts:
        mean = settings.per_event.mean()
        total = float(settings.per_event.sample(rng, count).sum()) if items.sum() <= DRAWN else mean * count
        work.append(int(nanoseconds(settings.base + total)) + round(extra))
    return work


def _caught_up(run: Inputs, changes: Table, way: str, begin: Items, window: list[int]) -> CaughtUp:
    """Of a rebuild that begins with the window."""
    from edasim.compiled.sorting import stable_order, whole
    from edasim.compiled.steps import grouped

    start, end = window
    workers = run.scenario.event_store.rebuild.workers
    times = run.luck.times(f"rebuild from {way}, live", run.scenario.event_store.rebuild.per_event, run.changes).values
    live = np.flatnonzero((changes["committed"] >= start) & (changes["committed"] < end))
    live = live[stable_order(changes["committed"][live])]
    rows, begins = grouped(whole(changes["entity"][live] % workers), workers)
    at_work = [
        _worker(backlog, changes["committed"][mine] - start, times[mine], end - start)
        for backlog, mine in zip(_work(run, way, begin), np.split(live[rows], begins[1:-1]), strict=True)
    ]
    if any(after == NONE for after, _ in at_work):
        return CaughtUp(NONE, False)
    return max(at_work)


def _worker(backlog: int, arrivals: Ints, service: Ints, span: int) -> CaughtUp:
    """When a worker is first done with all that has come: its *backlog*, then *arrivals* within *span*, each for its *service*."""
    done = backlog + np.concatenate([[0.0], np.cumsum(service.astype(np.float64))])
    idle = np.flatnonzero(done <= np.concatenate([arrivals, [span]]))
    if idle.size:
        return CaughtUp(round(done[idle[0]]), True)
    load = float(service.sum(dtype=np.float64)) / span
    return CaughtUp(min(span + round((int(done[-1]) - span) / (1 - load)), NEVER), False) if load < 1 else CaughtUp(NONE, False)
