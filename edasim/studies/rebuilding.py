"""Replay: how long until what is rebuilt from all events serves, by how many events there are; and a bulk load of a table beside it.

Each of w workers has entities of its own (number modulo w), because the order of an entity's events must be kept. So the busiest decides:
it has the share s of all events, as popularity says, at least 1/w and never less than the hottest entity's; where entities are born, over
the years all workers get as much. It takes b seconds to start, then c an event; n events are stored, and r a second come meanwhile. Work
of b + n s c is there when it begins, and comes on at the rate r s c. It serves when it was once done with all that had come:

    T = (b + n s c) / (1 - r s c)    where r s c < 1, else never

The load r s c is the mean over replications, with its interval, and T its own at the ends of that: a mean of the T of runs would be
decided by whichever has a load next to 1. Where the interval of the load reaches 1, it is not known whether it ever catches up.

That is the mean busy period of an M/G/1 queue that begins with so much work (Conway, Maxwell and Miller, Theory of Scheduling, 1967;
Kleinrock, Queueing Systems I, 1975), and what a fluid would take. What is left out: of several workers alike the unluckiest decides.

By hand: 2 workers, entities alike, 1 ms an event, 100 changes a second, 10,000 events stored, started at once. The busiest has 5,000 of
them, 5 s of work, and 50 a second come, which take it 5 % of its time: T = 5 / 0.95 = 5.26 s. A bulk load reads a row for each entity
that there is by then, so it levels off where none is born; its workers have as many rows each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.estimates import Estimate
from edasim.journal import WAYS, Journal
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, rate
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS
from edasim.scenario import Rebuild, Scenario
from edasim.stores import REBUILT_UP_TO
from edasim.studies.short_runs import unread
from edasim.studies.snapshots import event_store_of
from edasim.studies.years import Point, by_point
from edasim.units import YEAR_S

WORKERS = (1, 4, 16)
DECADES = (4, 10)  # of events
THEN = 3.0  # years
BULK = "bulk"
TIME, NEVER, STORED, RATE, SHARE = "catch_up_time", "never_catches_up", "events_stored", "changes_per_s", "busiest_share"
LOAD, WORK = "load", "work"  # r s c, and b + n s c


def replay_over_history(
    scenario: Scenario,
    pattern: Pattern | str | None = None,
    *,
    workers: Sequence[int] = WORKERS,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """How long a replay takes until it serves while changes go on, by the number of events stored (`history`) and of workers.

    The rows of `compare` with columns more: `history`, from 10^4 to 10^10 events; or `years`, 0 (the end of the run) or 3. Metrics by
    `component`, which is a number of workers, or "bulk" for a load of the rows of a table by as many workers as the scenario has:
    the `load` of the busiest worker by changes and the `work` that is there, `catch_up_time` from both (only where the interval of the load
    is below 1), and `never_catches_up`, the share of replications with more load than that. By `years` also `events_stored` and
    `changes_per_s`, and at year 0 by `component` the `busiest_share` of the events. `workers` has the scenario's own number, which is
    always among them; `known` up to how many events the time is `measured`, where it is that of a store's preset, or else was
    simulated: beyond, it is extrapolated.

    Intervals cover what differs between replications: the rate of changes, births, and who is popular. By default of the first option
    that keeps events, or `event_sourcing`; nobody reads.

    Raises InputError for workers below 1, where truth is a table, and for what `compare` refuses.
    """
    if not all(isinstance(count, int) and count >= 1 for count in workers):
        raise InputError(f"workers: {list(workers)} is not allowed: each must be a whole number from 1")
    chosen = event_store_of(unread(scenario), pattern)
    settings = chosen.scenario.event_store.rebuild
    counts = tuple(sorted({*workers, settings.workers}))
    points = [("years", 0.0), ("years", THEN), *(("history", 10.0 ** (half / 2)) for half in range(2 * DECADES[0], 2 * DECADES[1] + 1))]
    rows = with_times(by_point([chosen], partial(replayed, workers=counts), points, replications, jobs))
    up_to = measured_up_to(settings)
    known = at_year(rows, STORED, 0.0).mean if up_to is None else up_to
    return rows.assign(workers=settings.workers, known=known, measured=up_to is not None)


def with_times(rows: pd.DataFrame) -> pd.DataFrame:
    """*rows* with those of `catch_up_time` beside those of the `load` and `work` that it comes from, where the load is surely below 1."""
    load, work = (rows[rows["metric"] == metric].reset_index(drop=True) for metric in (LOAD, WORK))
    known = np.fmax(load["high"], load["mean"]) < 1
    ends = {end: work[end].clip(lower=0) / (1 - load[end]) for end in ("mean", "low", "high")}
    return pd.concat([rows, work.assign(metric=TIME, **ends)[known]], ignore_index=True)


def measured_up_to(settings: Rebuild) -> float | None:
    """The largest number of events whose rebuild was measured on the store that the time comes from; None where it is somebody's guess."""
    return None if settings.preset is None or "per_event" in settings.model_fields_set else float(REBUILT_UP_TO[settings.preset])


def replayed(
    journal: Journal, scenarios: Mapping[str, Scenario], points: Sequence[Point], workers: tuple[int, ...] = WORKERS
) -> list[list[Value]]:
    """What one run says of each of the *points*, a number of events or years: the values of `replay_over_history`."""
    law = Law.of(journal, scenarios[journal.facts["option"]], workers)
    return [law.at(place) if kind == "history" else law.after(place) for kind, place in points]


class Law(NamedTuple):
    """What a replay comes to, of one run: the letters of the formula, and what there is at the end of it."""

    base: float  # b, seconds
    each: float  # c, seconds
    per_s: float  # r
    share: Mapping[str, float]  # s, by the number of workers; of a bulk load of the changes
    workers: int  # of a bulk load
    stored: float  # events
    initial: float  # entities
    entities: float
    births_per_s: float

    @classmethod
    def of(cls, journal: Journal, scenario: Scenario, workers: Sequence[int]) -> "Law":
        """The law of a *journal* whose truth is events, for each of these numbers of *workers*."""
        settings, (start, end) = scenario.event_store.rebuild, journal.facts["window"]
        counted, initial = in_window(journal), journal.facts["initial_entities"]
        born = (journal.changes["version"] == 1) & (journal.changes["entity"] >= initial)
        per_s, births_per_s = (float(number.sum()) / ((end - start) / 1e9) for number in (counted, counted & born))
        shares = {str(count): busiest_share(journal.entities["weight"], births_per_s, count) for count in workers}
        return cls(
            base=settings.base,
            each=settings.per_event.mean(),
            per_s=per_s,
            share={**shares, BULK: shares[str(settings.workers)]},
            workers=settings.workers,
            stored=float(journal.rebuilds["items"][journal.rebuilds["way"] == WAYS.index("events")][0]),
            initial=float(initial),
            entities=float(initial + born.sum()),
            births_per_s=births_per_s,
        )

    def after(self, years: float) -> list[Value]:
        """What it takes so many *years* after the run, how many events there are, and how fast they come."""
        stored = self.stored + self.per_s * years * YEAR_S
        busiest = [Value(SHARE, share, "share", component=count) for count, share in self.share.items() if count != BULK and not years]
        return [*self.at(stored), Value(STORED, stored, "events"), Value(RATE, self.per_s, "1/s"), *busiest]

    def at(self, events: float) -> list[Value]:
        """What it takes with so many *events* stored."""
        values = []
        for component, share in self.share.items():
            load = self.per_s * share * self.each
            work = self.base + self.each * (self.rows(events) / self.workers if component == BULK else events * share)
            values += [replace(value, component=component) for value in rate(NEVER, np.array([load >= 1]))]
            values += [Value(LOAD, load, "share", component=component), Value(WORK, work, "s", component=component)]
        return values

    def rows(self, events: float) -> float:
        """How many entities there are when so many *events* are stored."""
        births = self.births_per_s / self.per_s if self.per_s else 0.0
        return max(self.entities + births * (events - self.stored), self.initial)


def busiest_share(weight: NDArray[np.float64], births_per_s: float, workers: int) -> float:
    """Of the changes to come the share of the worker with most, as the entities' *weight*, shape (entities,), says."""
    if births_per_s or not weight.sum() > 0:
        return 1 / workers
    return float(np.bincount(np.arange(weight.size) % workers, weight).max() / weight.sum())


def at_year(found: pd.DataFrame, metric: str, years: float) -> Estimate:
    """What there is so many *years* after the run, such as events stored."""
    return next(point for _, when, point in points_of(found, "", metric) if when == years)


def course(found: pd.DataFrame, component: str) -> dict[float, Estimate]:
    """How long it takes until it serves, by the number of events stored; empty where it never does, or that is not known."""
    stored = {years: point.mean for _, years, point in points_of(found, "", STORED)}
    return dict(sorted((stored.get(years, history), point) for history, years, point in points_of(found, component, TIME)))


def points_of(found: pd.DataFrame, component: str, metric: str) -> list[tuple[float, float, Estimate]]:
    """The rows of one component and metric: at how many events, or in which year (NaN: the other), and what is there."""
    mine = (found["component"].to_numpy() == component) & (found["metric"].to_numpy() == metric)
    columns = (found[name].to_numpy()[mine].tolist() for name in ("history", "years", "mean", "low", "high", "unit"))
    return [(history, years, Estimate(*point)) for history, years, *point in zip(*columns, strict=True)]


def then(found: pd.DataFrame, component: str, years: float = THEN) -> Estimate | None:
    """How long it takes so many *years* after the run; None where it may never catch up."""
    return course(found, component).get(at_year(found, STORED, years).mean)
