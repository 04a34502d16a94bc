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
from math import isclose
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.estimates import Estimate, short
from edasim.findings import Finding
from edasim.journal import WAYS, Journal
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, rate
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS
from edasim.scenario import Rebuild, Scenario
from edasim.stores import REBUILT_UP_TO
from edasim.studies.short_runs import unread
from edasim.studies.snapshots import event_store_of
from edasim.studies.years import Point, by_point, duration
from edasim.units import YEAR_S

WORKERS = (1, 4, 16)
DECADES = (4, 10)  # of events
THEN = 3.0  # years
BULK = "bulk"
TIME, NEVER, STORED, RATE, SHARE = "catch_up_time", "never_catches_up", "events_stored", "changes_per_s", "busiest_share"
LOAD, WORK = "load", "work"  # r s c, and b + n s c
CATCHES_UP = "catches up"
WIDE = 0.5  # an interval that is more of the time than this is said, and not the time: near a load of 1 it has no middle


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
    return next(point for _, when, point in _points(found, "", metric) if when == years)


def course(found: pd.DataFrame, component: str) -> dict[float, Estimate]:
    """How long it takes until it serves, by the number of events stored; empty where it never does, or that is not known."""
    stored = {years: point.mean for _, years, point in _points(found, "", STORED)}
    return dict(sorted((stored.get(years, history), point) for history, years, point in _points(found, component, TIME)))


def _points(found: pd.DataFrame, component: str, metric: str) -> list[tuple[float, float, Estimate]]:
    """The rows of one component and metric: at how many events, or in which year (NaN: the other), and what is there."""
    mine = (found["component"].to_numpy() == component) & (found["metric"].to_numpy() == metric)
    columns = (found[name].to_numpy()[mine].tolist() for name in ("history", "years", "mean", "low", "high", "unit"))
    return [(history, years, Estimate(*point)) for history, years, *point in zip(*columns, strict=True)]


def then(found: pd.DataFrame, component: str, years: float = THEN) -> Estimate | None:
    """How long it takes so many *years* after the run; None where it may never catch up."""
    return course(found, component).get(at_year(found, STORED, years).mean)


def fate(found: pd.DataFrame, component: str) -> str:
    """Whether a replay catches up with what goes on, in words; of one run it is what that one does."""
    load, never = (_points(found, component, metric)[0][-1] for metric in (LOAD, NEVER))
    if load.ends[1] < 1:
        return CATCHES_UP
    runs = int(found["replications"].max())
    return "never catches up" if load.low >= 1 else f"may never catch up ({round(never.mean * runs)} of {runs} runs)"


def series(found: pd.DataFrame) -> list[list[str]]:
    """The numbers of workers, those together that take as long (within 3 %) because more of them don't help; and last the bulk load."""
    groups: list[list[str]] = []
    for component in dict.fromkeys(filter(None, map(str, found["component"]))):
        mine = then(found, component)
        theirs = then(found, groups[-1][0]) if groups else None
        if groups and (mine is None or theirs is None):
            alike = fate(found, component) == fate(found, groups[-1][0])
        else:
            alike = mine is not None and theirs is not None and isclose(mine.mean, theirs.mean, rel_tol=0.03)
        if groups and alike and component != BULK:
            groups[-1].append(component)
        else:
            groups.append([component])
    return groups


def workers_in_words(group: Sequence[str]) -> str:
    """So many workers, or any of these numbers of them.

    >>> workers_in_words(["1"]), workers_in_words(["1", "4", "16"])
    ('1 worker', '1, 4 or 16 workers')
    """
    *others, last = group
    return f"{', '.join(others)}{' or ' if others else ''}{last} worker{'' if last == '1' else 's'}"


def lasting(seconds: float) -> str:
    """So many *seconds* in words, years where there are some.

    >>> lasting(90.0), lasting(1e8)
    ('1.5 min', '3.17 years')
    """
    return duration(seconds / YEAR_S) if seconds > YEAR_S else short(seconds, "s")


def how_long(time: Estimate) -> str:
    """A time in words; where its interval is wide between which two it lies.

    >>> how_long(Estimate(90.0, 80.0, 100.0, "s")), how_long(Estimate(90.0, 60.0, 300.0, "s"))
    ('1.5 min', '1 to 5 min')
    """
    if not _is_wide(time):
        return lasting(time.mean)
    low, high = (lasting(end) for end in time.ends)
    unit = " " + high.split(" ")[1]
    return f"{low.removesuffix(unit)} to {high}"


def _is_wide(time: Estimate) -> bool:
    return time.ends[1] - time.ends[0] > WIDE * time.mean


def what_a_replay_takes(found: pd.DataFrame, window: float | None = None) -> str:
    """How long a replay takes in three years with the scenario's own workers, and whether the *window* of seconds has room for it."""
    own = str(found["workers"].iloc[0])
    time, who = then(found, own), f"with {workers_in_words([own])}"
    if time is None:
        return f"{who} a replay {fate(found, own)}: {_why_not(found, own)}"
    beside = "" if window is None else f", {_beside(time, window)} the window of {short(window, 's')}"
    return f"{who} a replay after three years takes {how_long(time)}{beside}"


def _beside(time: Estimate, window: float) -> str:
    low, high = time.ends
    return "more than" if low > window else "within" if high <= window else "maybe more than"


def how_long_a_replay_takes(found: pd.DataFrame, window: float | None = None) -> Finding:
    """Of `replay_over_history`: how long it takes in three years by workers and in bulk, and until when the *window* has room for it."""
    events, option = at_year(found, STORED, THEN).mean, found["option"].iloc[0]
    lines = [f"* `{option}`, {float(f'{events:.3g}'):,.0f} events: {what_a_replay_takes(found, window)}{_outgrown(found, window)}."]
    for group in series(found):
        time = then(found, group[0])
        name = "Loading the rows of a table in bulk" if group == [BULK] else f"With {workers_in_words(group)}"
        said = (
            f"it {fate(found, group[0])}: {_why_not(found, group[0])}"
            if time is None
            else f"{how_long(time) if _is_wide(time) else time} after three years"
        )
        lines.append(f"* {name}: {said}.")
    return Finding("\n".join([*lines, *_bound(found)]))


def _why_not(found: pd.DataFrame, component: str) -> str:
    """Why it can't be said how long it takes: what changes do to the busiest worker."""
    load = _points(found, component, LOAD)[0][-1]
    return "changes come faster than they are applied" if load.low >= 1 else f"changes take {load} of the busiest worker's time"


def _outgrown(found: pd.DataFrame, window: float | None) -> str:
    """After how many years the window has no more room, where that is known; a replay grows in a straight line."""
    now, later = (then(found, str(found["workers"].iloc[0]), years) for years in (0.0, THEN))
    if window is None or now is None or later is None or later.mean <= now.mean or _is_wide(later):
        return ""
    after = THEN * (window - now.mean) / (later.mean - now.mean)
    return f"; it outgrows the window after {duration(after)}" if 0 < after <= 100 else ""


def _bound(found: pd.DataFrame) -> list[str]:
    """Whether more workers help in proportion; they can't where one entity has much of the events, if that costs time in three years."""
    most = found[found["metric"] == SHARE].iloc[-1]  # they come in order
    evenly = 1 / int(most["component"])
    if most["mean"] <= evenly / 0.8 or not _costs(found, str(most["component"]), evenly / most["mean"]):
        return []
    return [
        f"* Of {most['component']} workers the busiest has {short(most['mean'], 'share')} of the events, not {short(evenly, 'share')}: "
        "the order of an entity's events must be kept, so one that changes often holds up all others."
    ]


def _costs(found: pd.DataFrame, component: str, evenly: float) -> bool:
    """Whether it would take 3 % less, or ever be done, if the busiest had only so much of its events, as a part of them."""
    load, time, stored = _points(found, component, LOAD)[0][-1].mean, then(found, component), at_year(found, STORED, THEN).mean
    work = {events: point.mean for events, _, point in _points(found, component, WORK) if events > 0}
    each = (work[1e10] - work[1e4]) / (1e10 - 1e4)  # s c: work is a straight line
    if load * evenly >= 1:
        return False
    start = work[1e4] - each * 1e4
    return time is None or time.mean > 1.03 * (start + each * stored * evenly) / (1 - load * evenly)
