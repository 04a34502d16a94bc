"""How long it takes to rebuild a lost copy, or a read model in a new shape, as the years go by; and whether it ever catches up.

What there is to read is measured at the end of the window, and how fast it grows within it; from there on each way follows its own law:

* from all `events`: those stored then, and what comes in at the rate of the window
* from the `source` in bulk: a row for each entity, and births
* from the broker's `log`: what it keeps of the messages (`edasim.extrapolation`): it levels off with retention, or at a message an entity
  where it is compacted; and it may not have all that a copy must have

The busiest worker decides. Of what comes it gets the share that popularity says; where entities are born, over the years all get as
much. While changes go on, it has caught up after the time of the rebuild / (1 - load), where load is the share of its time that they
take; at a load of 1 it never does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from edasim.candidates import candidates_of
from edasim.estimates import Estimate, short
from edasim.extrapolation import Extrapolation
from edasim.findings import Finding
from edasim.journal import WAYS, Journal
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, rate
from edasim.patterns import Pattern, pattern_of
from edasim.runs import REPLICATIONS
from edasim.scenario import Scenario
from edasim.studies.years import YEARS, asked_years, by_year, tables_beside_events
from edasim.units import YEAR_S

USUAL = ("event_carried_state_transfer", "event_sourcing_cqrs")
FROM = {"events": "all events", "source": "the source in bulk", "log": "the broker's log"}
TIME, CAUGHT_UP, NEVER, MISSING = "rebuild_time", "catch_up_time", "never_catches_up", "rebuild_missing_share"


def rebuild_over_years(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    years: Sequence[float] = YEARS,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """What a rebuild takes so many *years* after the run, by way (`component`): the rows of `compare` with a column `years` more.

    Metrics: `rebuild_time`, while nothing changes; `catch_up_time`, while changes go on as in the window, and `never_catches_up`, the
    share of replications in which it never does; `rebuild_missing_share`, of the entities that a copy can't have this way. Year 0
    is always among them: that is simulated, all else is extrapolated. Intervals cover what differs between replications.

    Nobody reads, which is quicker and changes nothing here. By default the scenario's options, at most five, or a copy fed by states
    beside an event store. Raises InputError for years that can't be, and for what `compare` refuses.
    """
    times = sorted({0.0, *asked_years(years)})
    unread = scenario.with_overrides({"workload.reads": {"rate": 0}})
    chosen = candidates_of(unread, *tables_beside_events(scenario, USUAL, patterns, options))
    return by_year(chosen, rebuilt, times, replications, jobs)


def rebuilt(journal: Journal, scenarios: Mapping[str, Scenario], years: Sequence[float]) -> list[list[Value]]:
    """For each of *years* after the run what rebuilding takes, each way."""
    scenario = scenarios[journal.facts["option"]]
    rows = [{name: column[row] for name, column in journal.rebuilds.items()} for row in range(journal.rebuilds["way"].size)]
    laws = [Law.of(journal, scenario, row, max(years)) for row in rows]
    return [[value for law in laws for value in law.at(time)] for time in years]


class Law(NamedTuple):
    """One way to rebuild: what there is to read at the end of the run, how it grows, and what the busiest worker has of it."""

    way: str
    base: float  # seconds
    each: float  # seconds that one item takes
    busiest: float  # items of the busiest worker
    share: float  # of the changes, that it gets
    per_s: float  # changes
    growth: float  # items a second
    entities: float
    initial: float  # entities, at the start of the run
    births_per_s: float
    retention: float  # seconds
    compacted: bool
    missing: float  # entities
    workers: int
    log: Extrapolation | None
    complete: bool  # whether the newest message of an entity is enough

    @classmethod
    def of(cls, journal: Journal, scenario: Scenario, row: Mapping[str, float], longest: float) -> "Law":
        """The law of one *row* of the journal's `rebuilds`."""
        settings, (start, end) = scenario.event_store.rebuild, journal.facts["window"]
        changes, way, each = journal.changes, WAYS[int(row["way"])], settings.per_event.mean()
        counted, initial = in_window(journal), journal.facts["initial_entities"]
        born = (changes["version"] == 1) & (changes["entity"] >= initial)
        per_s, births_per_s = (float(number.sum()) / ((end - start) / 1e9) for number in (counted, counted & born))
        return cls(
            way=way,
            base=settings.base,
            each=each,
            busiest=max(row["duration"] / 1e9 - settings.base, 0.0) / each if each else 0.0,
            share=_busiest_share(journal, births_per_s, settings.workers),
            per_s=per_s,
            growth={"events": per_s, "source": births_per_s}.get(way, 0.0),
            entities=float(initial + born.sum()),
            initial=float(initial),
            births_per_s=births_per_s,
            retention=scenario.broker.retention,
            compacted=scenario.broker.compaction is not None,
            missing=float(row["missing"]),
            workers=settings.workers,
            log=Extrapolation(journal, scenario, longest) if way == "log" else None,
            complete=pattern_of(journal.facts["pattern"]).carries == "state",
        )

    def at(self, years: float) -> list[Value]:
        """What it takes so many *years* later."""
        work, missing = self._read(years)
        time, load = self.base + self.each * work, self.each * self.share * self.per_s
        entities = self.entities + self.births_per_s * years * YEAR_S
        never = rate(NEVER, np.array([load >= 1]))[0]
        values = [Value(TIME, time, "s"), never, Value(MISSING, missing / entities if entities else 0.0, "share")]
        values += [Value(CAUGHT_UP, time / (1 - load), "s")] if load < 1 else []
        return [replace(value, component=self.way) for value in values]

    def _read(self, years: float) -> tuple[float, float]:
        """How many items the busiest worker reads, and how many entities are missing."""
        if self.log is None or not years:
            share = self.share if self.way == "events" else 1 / self.workers
            return self.busiest + share * self.growth * years * YEAR_S, self.missing
        messages, keys = self.log.in_log(years)
        evenly = keys if self.compacted else 0.0  # a message of each entity; of those that wait for the cleaner popular ones have more
        before = max(years * YEAR_S - self.retention, 0.0)  # who was there then has deltas that are no more
        missing = self.entities + self.births_per_s * years * YEAR_S - keys if self.complete else self.initial + self.births_per_s * before
        return evenly / self.workers + self.share * (messages - evenly), max(missing, 0.0)


def _busiest_share(journal: Journal, births_per_s: float, workers: int) -> float:
    """Of the changes to come the share of the worker with most, as the entities' popularity says."""
    weight = journal.entities["weight"]
    if births_per_s or not weight.sum() > 0:
        return 1 / workers
    return float(np.bincount(np.arange(weight.size) % workers, weight).max() / weight.sum())


def course(rows: pd.DataFrame, option: str, way: str, metric: str) -> dict[float, Estimate]:
    """*metric* of one option and way by years, from the rows of `rebuild_over_years`; a year without it is left out."""
    mine = rows[(rows["option"] == option) & (rows["component"] == way) & (rows["metric"] == metric)]
    columns = (mine[name].tolist() for name in ("years", "mean", "low", "high", "unit"))
    return {year: Estimate(mean, low, high, unit) for year, mean, low, high, unit in zip(*columns, strict=True)}


def together(rows: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """Each option and way of `rebuild_over_years`, those together that take as long and lack as many in every year (within 3 %)."""
    groups: list[list[tuple[str, str]]] = []
    for option, way in ways_of(rows):
        for group in groups:
            if group[0][1] == way and all(_alike(rows, (option, way), group[0], metric) for metric in (TIME, MISSING)):
                group.append((option, way))
                break
        else:
            groups.append([(option, way)])
    return groups


def _alike(rows: pd.DataFrame, these: tuple[str, str], those: tuple[str, str], metric: str) -> bool:
    mine, others = ([point.mean for point in course(rows, *which, metric).values()] for which in (these, those))
    return np.allclose(mine, others, rtol=0.03)


def ways_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Each option and way of `rebuild_over_years`, in order."""
    return list(dict.fromkeys(zip(rows["option"], rows["component"], strict=True)))


def how_long_rebuilds_take(rows: pd.DataFrame) -> Finding:
    """Of `rebuild_over_years`: for each option and way how long a rebuild takes now and in the end, and whether it catches up."""
    lines = [
        f"* {', '.join(f'`{option}`' for option, _ in group)}, from {FROM[group[0][1]]}: {_said(rows, *group[0])}."
        for group in together(rows)
    ]
    return Finding("\n".join(lines) or "* Nobody keeps a copy, and truth is a table: there is nothing to rebuild.")


def _said(rows: pd.DataFrame, option: str, way: str) -> str:
    time, caught_up, missing = (course(rows, option, way, metric) for metric in (TIME, CAUGHT_UP, MISSING))
    last = max(time)
    said = (
        f"{short(time[0.0].mean, 's')} at the end of the run (simulated), {short(time[last].mean, 's')} after {last:g} years (extrapolated)"
    )
    return f"{said}{while_changes_go_on(time[last], caught_up.get(last))}{lacking(missing[last])}"


def while_changes_go_on(time: Estimate, caught_up: Estimate | None) -> str:
    """What comes on top of the *time* of a rebuild until it has caught up, in words."""
    if caught_up is None:
        return ", but while changes go on it never catches up"
    later = short(caught_up.mean, "s")
    return f", {later} while changes go on" if later != short(time.mean, "s") else ", hardly more while changes go on"


def lacking(missing: Estimate) -> str:
    """How many of the entities can't be had this way, in words; nothing where all can."""
    return f"; it lacks {short(missing.mean, 'share')} of the entities" if missing.mean > 0 else ""
