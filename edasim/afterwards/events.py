"""What an event store holds: before the run, over time, and what replaying old versions of events costs."""

from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.inputs import Inputs
from edasim.luck import nanoseconds
from edasim.scenario import TraceArrivals
from edasim.timelines import sum_until
from edasim.units import NANOSECONDS, YEAR_S

SAMPLE = 1000  # events
LIVES = 10_000
Ints = NDArray[np.int64]
Table = dict[str, NDArray[np.int64]]


def covered_at_start(run: Inputs) -> Ints:
    """How many of each entity's events before the run its newest snapshot covers, shape (entities,): a multiple of `snapshot_every`."""
    every = run.scenario.event_store.snapshot_every
    return run.history - run.history % every if every else np.zeros_like(run.history)


def migrated(run: Inputs) -> NDArray[np.bool_]:
    """The entities that exist at the start without an event: each is stored as one snapshot, as after a migration from a table."""
    return np.asarray((np.arange(run.history.size) < run.workload.population.initial) & (run.history == 0))


class Departed(NamedTuple):
    """What entities that fell silent before the run left behind: *events*, *snapshots*, and the *covered* share of events behind one."""

    events: int
    snapshots: int
    covered: float


def departed(run: Inputs) -> Departed:
    """Known by a sample of whole lives: a birth, and changes at the rate of the run while active; of a trace its own entities."""
    settings, population = run.scenario.event_store, run.workload.population
    if not run.departed or not settings.snapshot_every:
        return Departed(run.departed, 0, 0.0)
    active, rng = run.scenario.workload.entities.active_for, run.luck.stream("departed")
    births = run.workload.rate * run.scenario.workload.entities.new_share
    if active is None or not population.initial or not births:
        lives = np.bincount(run.workload.entities, minlength=1)
    else:  # as many are active as births replace, so a life has 1 / new_share events on average
        weight, span = population.weight[: population.initial], active.sample(rng, LIVES)
        drawn = weight[rng.integers(0, weight.size, LIVES)]
        lives = 1 + rng.poisson(run.changes_to_living / births * drawn * span / (weight.mean() * active.mean()))
    each = lives // settings.snapshot_every
    kept = each if settings.snapshot_keep == "all" else np.minimum(each, 1)
    covered = float(each.sum()) * settings.snapshot_every / lives.sum()
    return Departed(run.departed, round(run.departed * float(kept.sum()) / lives.sum()), covered)


class Upcasts:
    """What old versions of events cost when they are replayed.

    Of an entity that has h events stored before the run the i-th newest is (i - 0.5) / h of `ages_at_start` old; an event that old is
    floor(age x changes per year) versions behind. What ages during the run is left out.
    """

    def __init__(self, run: Inputs) -> None:
        settings = run.scenario.event_store.schema_changes
        self.per_year, self._time = settings.changes_per_year, float(settings.upcast_time) * 1e9
        self.versions = settings.changes_per_year * ages_at_start(run) / YEAR_S  # that an entity's oldest event is behind, as a fraction
        self._oldest = settings.changes_per_year * age_at_start(run) / YEAR_S  # and the oldest of all

    def cost(self, entity: int, stored: int, replayed: int) -> int:
        """The time, in nanoseconds, of upcasting the newest *replayed* of an entity's *stored* events."""
        versions = float(self.versions[entity])
        if not stored or replayed <= 0 or versions < 1:
            return 0
        behind = replayed - np.ceil(np.arange(1, floor(versions) + 1) * stored / versions + 0.5) + 1
        return round(self._time * float(np.maximum(behind, 0).sum()))

    def cost_of_all(self, stored: NDArray[np.int64]) -> NDArray[np.float64]:
        """The time, in nanoseconds, of upcasting all *stored* events by entity: floor(age x changes per year) each, ages spread evenly."""
        return np.asarray(stored * self._time * mean_floor(self.versions), dtype=np.float64)

    def cost_of_departed(self, events: float) -> float:
        """The time, in nanoseconds, of upcasting so many events of entities that fell silent before the run, ages spread evenly."""
        return events * self._time * float(mean_floor(np.array([self._oldest]))[0])


def mean_floor(most: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of floor(x) where x is spread evenly from 0 to *most*: with n = floor(most), n - n (n + 1) / (2 most).

    >>> mean_floor(np.array([0.5, 2.0, 2.5])).tolist()
    [0.0, 0.5, 0.8]
    """
    whole = np.floor(most)
    return np.asarray(whole - whole * (whole + 1) / (2 * np.maximum(most, 1.0)), dtype=np.float64)


def ages_at_start(run: Inputs) -> NDArray[np.float64]:
    """How long ago, in seconds, each entity's first event came, shape (entities,): the store's age, or its own where it will die."""
    if run.scenario.workload.entities.active_for is not None:
        return np.asarray(run.workload.population.lived / NANOSECONDS)
    return np.full(run.history.size, age_at_start(run))


def age_at_start(run: Inputs) -> float:
    """How long ago, in seconds, the oldest event came that was stored before the run, if they came at the rate of the run."""
    return run.scenario.event_store.history / run.workload.rate if run.workload.rate else 0.0


def stored_over_time(run: Inputs, commits: Table, delta: Ints, snapshots: Table, at: Ints) -> Table:
    """Bytes of events, archived events and snapshots at each of the times *at*, in one region."""
    settings = run.scenario.event_store
    size, usual = settings.stored_bytes(delta), _usual_bytes(run)
    archived = np.zeros(at.size, dtype=np.int64)
    if settings.archive_after is not None:
        archived = _archived(run, commits, size, usual, snapshots, at)
    events = round(settings.history * usual) + sum_until(commits["committed"], size, at)
    series = {"events": events - archived, "snapshots": _snapshots(run, snapshots, at) * round(settings.snapshot_bytes)}
    return series if settings.archive_after is None else {**series, "archive": archived}


def _usual_bytes(run: Inputs) -> float:
    """What an event stored before the run takes, on average: a sample, since pages make it no straight line of the payload."""
    arrivals, payload = run.scenario.workload.arrivals, run.workload.delta_bytes
    if not (isinstance(arrivals, TraceArrivals) and arrivals.columns.delta_bytes and payload.size):  # else as those of the trace
        payload = np.rint(run.scenario.workload.delta_bytes.sample(run.luck.stream("history bytes"), SAMPLE)).astype(np.int64)
    return float(run.scenario.event_store.stored_bytes(payload).mean())


def _snapshots(run: Inputs, snapshots: Table, at: Ints) -> Ints:
    """How many snapshots there are at each of the times *at*. What a migrated entity began as is kept whatever comes after it."""
    every, covered, entity = run.scenario.event_store.snapshot_every, covered_at_start(run), snapshots["entity"]
    ones = np.ones(entity.size, dtype=np.int64)
    number = int(migrated(run).sum()) + departed(run).snapshots + sum_until(snapshots["time"], ones, at)
    if not every:
        return number
    if run.scenario.event_store.snapshot_keep == "all":
        return number + int((run.history // every).sum())
    later = np.ones(entity.size, dtype=bool)
    later[np.unique(entity, return_index=True)[1]] = False  # rows come in order of time
    replaces = later | (covered[entity] > 0)
    return number + int((covered > 0).sum()) - sum_until(snapshots["time"][replaces], ones[replaces], at)


def _archived(run: Inputs, commits: Table, size: Ints, usual: float, snapshots: Table, at: Ints) -> Ints:
    """Bytes of the events that are older than `archive_after` and behind a snapshot, at each of the times *at*."""
    assert run.scenario.event_store.archive_after is not None
    patience = run.scenario.event_store.archive_after
    moved = np.full(commits["entity"].size, np.iinfo(np.int64).max)
    first = np.full(run.history.size, np.iinfo(np.int64).max)  # from when on a snapshot of the run covers what was before it
    np.minimum.at(first, snapshots["entity"], snapshots["time"])
    order = np.lexsort((snapshots["version"], snapshots["entity"]))
    place = snapshots["entity"][order] * (run.changes + 1) + snapshots["version"][order]
    cover = np.searchsorted(place, commits["entity"] * (run.changes + 1) + commits["version"])
    found = order[np.minimum(cover, max(order.size - 1, 0))] if order.size else np.empty(0, dtype=np.int64)
    if order.size:
        behind = (cover < order.size) & (snapshots["entity"][found] == commits["entity"])
        aged = commits["committed"] + int(nanoseconds(patience))
        moved = np.where(behind, np.maximum(aged, snapshots["time"][found]), moved)
    before: Ints = np.rint(_archived_history(run, first, patience, at) * usual).astype(np.int64)
    return before + sum_until(moved, size, at)


def _archived_history(run: Inputs, first: Ints, patience: float, at: Ints) -> Ints:
    """How many of the events stored before the run are archived at each of the times *at*."""
    age = age_at_start(run)
    if not age:
        return np.zeros(at.size, dtype=np.int64)
    ages, gone, covered = ages_at_start(run), departed(run), covered_at_start(run)
    archived = []
    for time in at.tolist():
        seconds = time / NANOSECONDS
        shares = np.clip((ages + seconds - patience) / np.maximum(ages, 1e-9), 0.0, 1.0)
        behind = np.where(first <= time, run.history, covered)
        of_departed = gone.events * gone.covered * min(max((age + seconds - patience) / age, 0.0), 1.0)
        archived.append(int(np.minimum(np.floor(run.history * shares + 0.5), behind).sum()) + round(of_departed))
    return np.array(archived, dtype=np.int64)
