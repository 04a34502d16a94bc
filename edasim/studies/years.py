"""Storage over years: what a table and an event store grow to, from a window of minutes, and when that passes a budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite

import numpy as np
import pandas as pd

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import Comparison, by_key
from edasim.errors import InputError
from edasim.estimates import short
from edasim.extrapolation import Extrapolation
from edasim.falling_behind import keeps_growing
from edasim.journal import Journal
from edasim.metrics.cost import currency, storage_cost
from edasim.metrics.storage import storage
from edasim.metrics.values import Value
from edasim.patterns import Pattern, pattern_of
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Scenario
from edasim.studies.short_runs import unread
from edasim.sweeps import MOST as MOST_OPTIONS
from edasim.sweeps import by_default
from edasim.units import YEAR_S

USUAL = ("event_carried_state_transfer", "event_sourcing", "event_sourcing_cqrs")
YEARS = (0, 1 / 52, 1 / 12, 1 / 4, 1 / 2, 1, 2, 3, 4, 5)
MOST = 100  # years
SOON = 0.2  # years: what is less is said in days
STORES = 3  # of the options shown
Point = tuple[str, float]  # what is asked for, such as "years", and how much of it
Look = Callable[[Journal, Mapping[str, Scenario], Sequence[Point]], list[list[Value]]]  # of a journal, scenarios by option, and points
SIZE, COST, GROWTH = "storage_bytes", "cost_per_month", "storage_growth_bytes_per_day"
TABLE = "table_bytes"  # what a table of the same entities would take, and nothing else
MEASURED = "storage_bytes_measured"  # at the end of the window
WAITING = "waiting_growth_bytes_per_day"  # of what waits for somebody who is slower than the changes
BUSY = "changes_in_window"  # times as many as at the mean rate


def storage_over_years(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    years: Sequence[float] = YEARS,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """Bytes stored so many *years* after the start of the run, by component and in total (""), one copy of everything: an `Extrapolation`.

    The rows of `compare` with two columns more: `years`, and `simulated`, how many of them were; what lies beyond is extrapolated, by a
    formula for each component, from the mean rate and what the window shows of each change. The metrics are `storage_bytes`;
    `table_bytes`, what a table that overwrites would take alone; `cost_per_month` of the component "storage", where that has a price; and
    at the first of the years what was measured: `storage_growth_bytes_per_day` in the window, in total, `storage_bytes_measured` at its
    end, and `changes_in_window`, times as many as at the mean rate. There, too, by component and consumer: `waiting_growth_bytes_per_day`,
    of what keeps growing because somebody is slower than the changes. Intervals cover what differs between replications, what the window
    shows. They do not say that the next year is like this window.

    Nobody reads, which is quicker and changes nothing here, unless loads decide when a snapshot is taken.

    By default the scenario's options, at most five, of which three may be event stores; or else a table beside two of them. Raises
    InputError for what `compare` refuses, for years that can't be, and where entities fall silent and none are born.
    """
    times = asked_years(years)
    presets, names = tables_beside_events(scenario, USUAL, patterns, options)
    chosen = candidates_of(scenario, presets, names)
    if not any(candidate.scenario.event_store.snapshot_on == "load" for candidate in chosen):
        chosen = candidates_of(unread(scenario), presets, names)
    found = by_point(chosen, projected, [("years", time) for time in times], replications, jobs)
    return found.assign(simulated=scenario.window[1] / YEAR_S)


def asked_years(years: Sequence[float]) -> list[float]:
    """These *years* in order. Raises InputError unless there is at least one, and all are numbers from 0 to 100."""
    if not years or not all(isfinite(time) and 0 <= time <= MOST for time in years):
        raise InputError(f"years: {list(years)} is not allowed: must be at least one number from 0 to {MOST}")
    return sorted(set(map(float, years)))


def by_point(chosen: Sequence[Candidate], look: Look, points: Sequence[Point], replications: int, jobs: int) -> pd.DataFrame:
    """What *look* makes of each journal for each of *points*: the rows of `compare` with a column more for each kind of point."""
    scenario = chosen[0].scenario
    asked = partial(_looked, look=look, scenarios={candidate.name: candidate.scenario for candidate in chosen}, points=points)
    found = over_replications(chosen, asked, seed=scenario.seed, replications=replications, jobs=jobs)
    rows = []
    for number, (kind, place) in enumerate(points):
        values = by_key({option: [run[number] for run in runs] for option, runs in found.items()})
        results = Comparison(scenario, scenario.seed, tuple(chosen), values, replications).results
        rows.append(results.assign(**{kind: place}))
    return pd.concat(rows, ignore_index=True)


def _looked(journal: Journal, look: Look, scenarios: Mapping[str, Scenario], points: Sequence[Point]) -> list[list[Value]]:
    return look(journal, scenarios, points)


def tables_beside_events(
    scenario: Scenario,
    presets: Sequence[Pattern | str],
    patterns: Sequence[Pattern | str] | None = None,
    options: Sequence[str] | None = None,
) -> tuple[Sequence[Pattern | str] | None, Sequence[str] | None]:
    """As `by_default`; but of the scenario's own options event stores first have a place, though no more than three of the five."""
    if patterns is not None or options is not None or not scenario.options:
        return by_default(scenario, presets, patterns, options)
    events = {option.name: pattern_of(option.pattern).truth == "events" for option in scenario.options}
    stores = [name for name, keeps in events.items() if keeps][:STORES]
    tables = [name for name, keeps in events.items() if not keeps][: MOST_OPTIONS - len(stores)]
    return None, [name for name in events if name in stores or name in tables]


def projected(journal: Journal, scenarios: Mapping[str, Scenario], points: Sequence[Point]) -> list[list[Value]]:
    """What one run says of each of the *points* in years: the values of `storage_over_years`. *scenarios* by option."""
    years = [time for _, time in points]
    projection = Extrapolation(journal, scenarios[journal.facts["option"]], max(years))
    values = [[*_values(journal, projection.at(time)), Value(TABLE, projection.table(time), "bytes")] for time in years]
    busy = Value(BUSY, projection.busy, "times")
    waiting = [
        Value(WAITING, amount, "bytes/day", who, component) for (component, who), amount in keeps_growing(projection.waiting).items()
    ]
    return [[*values[0], *_measured(journal), busy, *waiting], *values[1:]]


def _values(journal: Journal, stored: Mapping[str, float]) -> list[Value]:
    values = [Value(SIZE, amount, "bytes", component=component) for component, amount in stored.items()]
    values.append(Value(SIZE, sum(stored.values()), "bytes"))
    cost = storage_cost(journal, stored)
    return values if cost is None else [*values, Value(COST, cost, currency(journal), component="storage")]


def _measured(journal: Journal) -> list[Value]:
    """How fast storage grows in the window, and what it is at its end, in total."""
    total = {value.metric: value for value in storage(journal) if not value.component}
    return [total[GROWTH], replace(total[SIZE], metric=MEASURED)]


def course(rows: pd.DataFrame, option: str, component: str = "", metric: str = SIZE) -> pd.DataFrame:
    """One component of one option over the years: mean, low and high (the mean where there is no interval), by `years`."""
    asked = {"option": option, "component": component, "metric": metric}
    mine = np.logical_and.reduce([rows[name].to_numpy() == wanted for name, wanted in asked.items()])  # in pandas four times as slow
    found = {name: rows[name].to_numpy(dtype=np.float64)[mine] for name in ("mean", "low", "high")}
    found |= {end: np.where(np.isnan(found[end]), found["mean"], found[end]) for end in ("low", "high")}
    return pd.DataFrame(found, pd.Index(rows["years"].to_numpy(dtype=np.float64)[mine], name="years")).sort_index()


def duration(years: float, digits: int = 3) -> str:
    """So many years in words, to so many *digits*, short ones in days or less.

    >>> duration(2.4567), duration(1.0), duration(0.01), duration(2.4567, 2)
    ('2.46 years', '1 year', '3.65 d', '2.5 years')
    """
    if years < SOON:
        return short(years * YEAR_S, "s")
    said = f"{years:.{digits}g}"
    return f"{said} year{'' if said == '1' else 's'}"
