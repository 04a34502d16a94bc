"""Storage over years: what a table and an event store grow to, from a window of minutes, and when that passes a budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf, isfinite

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import Comparison, by_key
from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, short
from edasim.extrapolation import Extrapolation
from edasim.findings import Finding, listed
from edasim.journal import Journal
from edasim.metrics.cost import currency, storage_cost
from edasim.metrics.storage import TRUTH, storage
from edasim.metrics.values import Value
from edasim.patterns import Pattern, pattern_of
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Scenario
from edasim.sweeps import MOST as MOST_OPTIONS
from edasim.sweeps import by_default
from edasim.units import YEAR_S, size

Floats = NDArray[np.float64]
USUAL = ("event_carried_state_transfer", "event_sourcing", "event_sourcing_cqrs")
YEARS = (0, 1 / 52, 1 / 12, 1 / 4, 1 / 2, 1, 2, 3, 4, 5)
MOST = 100  # years
STORES = 3  # of the options shown
SAID = (1, 3, 5)  # years that a finding names, as far as they were asked for
TENFOLD = 10
Look = Callable[[Journal, Mapping[str, Scenario], Sequence[float]], list[list[Value]]]  # of a journal, scenarios by option, and years
SIZE, COST, GROWTH = "storage_bytes", "cost_per_month", "storage_growth_bytes_per_day"
MEASURED = "storage_bytes_measured"  # at the end of the window


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
    formula for each component, from what the window shows. The metrics are `storage_bytes`; `cost_per_month` of the component "storage",
    where that has a price; and at the first of the years what was measured: `storage_growth_bytes_per_day` in the window, in total, and
    `storage_bytes_measured` at its end. Intervals cover what differs between replications, the noise of the window's rates and sizes.
    They do not say that the next year is like this window.

    By default the scenario's options, at most five, of which three may be event stores; or else a table beside two of them. Raises
    InputError for what `compare` refuses, for years that can't be, and where entities fall silent and none are born.
    """
    times = asked_years(years)
    chosen = candidates_of(scenario, *tables_beside_events(scenario, USUAL, patterns, options))
    return by_year(chosen, projected, times, replications, jobs).assign(simulated=scenario.window[1] / YEAR_S)


def asked_years(years: Sequence[float]) -> list[float]:
    """These *years* in order. Raises InputError unless there is at least one, and all are numbers from 0 to 100."""
    if not years or not all(isfinite(time) and 0 <= time <= MOST for time in years):
        raise InputError(f"years: {list(years)} is not allowed: must be at least one number from 0 to {MOST}")
    return sorted(set(map(float, years)))


def by_year(chosen: Sequence[Candidate], look: Look, years: Sequence[float], replications: int, jobs: int) -> pd.DataFrame:
    """What *look* makes of each journal for each of *years*: the rows of `compare` with a column `years` more."""
    scenario = chosen[0].scenario
    asked = partial(_looked, look=look, scenarios={candidate.name: candidate.scenario for candidate in chosen}, years=years)
    found = over_replications(chosen, asked, seed=scenario.seed, replications=replications, jobs=jobs)
    rows = []
    for number, time in enumerate(years):
        values = by_key({option: [run[number] for run in runs] for option, runs in found.items()})
        results = Comparison(scenario, scenario.seed, tuple(chosen), values, replications).results
        rows.append(results.assign(years=time))
    return pd.concat(rows, ignore_index=True)


def _looked(journal: Journal, look: Look, scenarios: Mapping[str, Scenario], years: Sequence[float]) -> list[list[Value]]:
    return look(journal, scenarios, years)


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


def projected(journal: Journal, scenarios: Mapping[str, Scenario], years: Sequence[float]) -> list[list[Value]]:
    """What one run says of each of the *years*: the values of `storage_over_years`. *scenarios* by option."""
    projection = Extrapolation(journal, scenarios[journal.facts["option"]], max(years))
    values = [_values(journal, projection.at(time)) for time in years]
    return [values[0] + _measured(journal), *values[1:]]


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
    mine = rows[(rows["option"] == option) & (rows["component"] == component) & (rows["metric"] == metric)]
    ends = {end: mine[end].fillna(mine["mean"]) for end in ("low", "high")}
    return mine.assign(**ends).set_index("years")[["mean", "low", "high"]].sort_index()


def reaches(sizes: "pd.Series[float]", level: float) -> float:
    """After how many years *sizes*, indexed by years, first are at *level*, in a straight line from one to the next; inf if never."""
    values, years = sizes.to_numpy(dtype=np.float64), sizes.index.to_numpy(dtype=np.float64)
    above = np.flatnonzero(values >= level)
    if not above.size:
        return inf
    last = int(above[0])
    if last == 0:
        return float(years[0])
    part = (level - values[last - 1]) / (values[last] - values[last - 1])
    return float(years[last - 1] + part * (years[last] - years[last - 1]))


def spent_after(rows: pd.DataFrame, option: str, budget: float) -> Estimate:
    """After how many years an option stores more than the *budget* of bytes; inf: not within the years asked for."""
    sizes = course(rows, option)
    return Estimate(reaches(sizes["mean"], budget), reaches(sizes["high"], budget), reaches(sizes["low"], budget), "years")


def how_storage_grows(rows: pd.DataFrame, budget: float | str | None = None) -> Finding:
    """Of `storage_over_years`: how fast each option grows now, its size after some years, what that costs, and when it passes the *budget*.

    Without a budget event stores are held against the first option whose truth is a table: how many times its size they are, and
    when they pass ten times of it. And what a straight line through the window would have said instead.
    """
    limit = None if budget is None else size(budget)
    lines = []
    for option in dict.fromkeys(rows["option"]):
        said = [_growth(rows, option), _sizes(rows, option), _budget(rows, option, limit) if limit is not None else _times(rows, option)]
        lines.append(f"* `{option}`: {'; '.join(filter(None, said))}.")
    return Finding("\n".join([*lines, straight_line(rows)]))


def _growth(rows: pd.DataFrame, option: str) -> str:
    found = estimates(rows[rows["option"] == option], GROWTH)
    return f"grows by {found[option]} in the window" if option in found else ""


def _sizes(rows: pd.DataFrame, option: str) -> str:
    """The size after some years, each with its interval, and what it costs to keep."""
    mine = rows[rows["option"] == option]
    parts = []
    for year in [year for year in SAID if (mine["years"] == year).any()] or [mine["years"].max()]:
        then = mine[mine["years"] == year]
        cost = estimates(then[then["component"] == "storage"].assign(component=""), COST)
        price = f" ({cost[option]} for what has a price)" if cost and cost[option].mean > 0 else ""
        parts.append(f"{estimates(then, SIZE)[option]}{price} after {year:g} {'year' if year == 1 else 'years'}")
    return ", ".join(parts)


def _budget(rows: pd.DataFrame, option: str, budget: float) -> str:
    after, most, limit = spent_after(rows, option, budget), rows["years"].max(), short(budget, "bytes")
    if after.mean == inf:
        return f"not more than the budget of {limit} within {most:g} years"
    if after.mean == 0:
        return f"more than the budget of {limit} from the start"
    early, late = duration(after.low), duration(after.high) if after.high < inf else f"beyond {most:g} years"
    ends = f" (95 % interval {early} to {late})" if early != late else ""
    return f"passes the budget of {limit} in year {int(after.mean) + 1}, after {duration(after.mean)}{ends}"


def duration(years: float) -> str:
    """So many years in words, short ones in days or less.

    >>> duration(2.4567), duration(1.0), duration(0.01)
    ('2.46 years', '1 year', '3.65 d')
    """
    if years < 0.2:
        return short(years * YEAR_S, "s")
    return f"{years:.3g} year{'' if f'{years:.3g}' == '1' else 's'}"


def truth(rows: pd.DataFrame, option: str) -> "pd.Series[float]":
    """Bytes of an option's truth over the years: its table, or its events (archived ones, too) and snapshots."""
    mine = rows[(rows["option"] == option) & (rows["metric"] == SIZE) & rows["component"].isin(TRUTH)]
    return mine.groupby("years")["mean"].sum()


def _times(rows: pd.DataFrame, option: str) -> str:
    """How many times the first table an event store is at the end, and when it passes ten times."""
    tables = rows.loc[rows["component"] == "source", "option"]
    if tables.empty or option in set(tables):
        return ""
    first = str(tables.iloc[0])
    table, most = truth(rows, first), rows["years"].max()
    times = (truth(rows, option) / table)[table > 0]
    tenfold = reaches(times, TENFOLD)
    when = f"ten times after {duration(tenfold)}" if tenfold < inf else "at no time ten times"
    then = f"{short(times.iloc[-1], 'times')} the table of `{first}` after {most:g} years"
    return f"its events and snapshots are {then}, {'ten times from the start' if tenfold == 0 else when}"


def straight_line(rows: pd.DataFrame) -> str:
    """By how much a straight line through the window misses the last year, where it misses most."""
    last = rows["years"].max()
    line, found = {}, estimates(rows[rows["years"] == last], SIZE)
    for option, growth in estimates(rows, GROWTH).items():
        line[option] = course(rows, option)["mean"].iloc[0] + growth.mean * last * YEAR_S / 86400
    off = {option: line[option] / found[option].mean for option in line if found[option].mean > 0 and line[option] > 0}
    if not off:
        return ""
    worst = max(off, key=lambda option: abs(np.log(off[option])))
    if abs(np.log(off[worst])) < np.log(1.1):
        return f"* A straight line through the window would do here: after {last:g} years it is off by less than a tenth."
    unknown = "what levels off" if off[worst] > 1 else "what grows faster later"
    return (
        f"* A straight line through the window would say {short(line[worst], 'bytes')} after {last:g} years with {listed([worst])}, "
        f"{short(off[worst], 'times')} as much: it knows nothing of {unknown}."
    )
