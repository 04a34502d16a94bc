"""What is said of storage over the years: its size beside a table of the same entities, and when it passes a budget."""

from math import inf

import numpy as np
import pandas as pd

from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, rounded, short, unit_for
from edasim.findings import Finding, listed
from edasim.metrics.storage import TRUTH
from edasim.studies.years import BUSY, COST, GROWTH, SIZE, SOON, TABLE, WAITING, course, duration
from edasim.units import YEAR_S, size

SAID = (1, 3, 5)  # years that a finding names, as far as they were asked for
TENFOLD = 10
OFF = 1.1  # times: less is close enough
MANY = 100_000  # times: what is more is not counted


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

    What keeps growing because somebody is slower than the changes. Of event stores also how many times a table of the same entities they
    are, and when they pass ten times of it. And what a straight line through the window would have said instead. Raises InputError for a
    budget that is no size.
    """
    limit = None if budget is None else budget_bytes(budget)
    lines = [] if rows.loc[rows["metric"] == BUSY, "mean"].any() else [f"* {what_stands_out(rows).capitalize()}."]
    for option in dict.fromkeys(rows["option"]):
        said = [_growth(rows, option), _sizes(rows, option), _waiting(rows, option), _budget(rows, option, limit), _times(rows, option)]
        lines.append(f"* `{option}`: {'; '.join(filter(None, said))}.")
    return Finding("\n".join([*lines, straight_line(rows)]))


def budget_bytes(budget: float | str) -> float:
    """A *budget* in bytes, such as "10GB". Raises InputError for what is no size."""
    try:
        return size(budget)
    except ValueError as error:
        raise InputError(f"budget: {budget} is not allowed: {error}") from None


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


def growing(rows: pd.DataFrame, option: str) -> pd.DataFrame:
    """What waits for somebody who is slower than the changes: the rows of its growth; `sure` where all of the interval is above zero."""
    mine = rows[(rows["option"] == option) & (rows["metric"] == WAITING) & (rows["mean"] > 0)]
    return mine.assign(sure=mine["low"] > 0)


def _waiting(rows: pd.DataFrame, option: str) -> str:
    """What keeps growing, or may: of one run nobody knows whether it always does."""
    parts = []
    for _, row in growing(rows, option).iterrows():
        grows = Estimate(*row[["mean", "low", "high", "unit"]])
        what = f"what waits for {row['consumer']}" if row["consumer"] else f"its {row['component']}"
        who = row["consumer"] or "the relay"
        keeps, is_ = ("keeps", "is") if row["sure"] else ("may keep", "may be")
        parts.append(f"{what} {keeps} growing, by {grows}: {who} {is_} slower than the changes")
    return "; ".join(parts)


def _budget(rows: pd.DataFrame, option: str, budget: float | None) -> str:
    if budget is None:
        return ""
    after, most, limit = spent_after(rows, option, budget), rows["years"].max(), short(budget, "bytes")
    if after.mean == inf:
        return f"not more than the budget of {limit} within {most:g} years"
    if after.mean == 0:
        return f"more than the budget of {limit} from the start"
    return f"passes the budget of {limit} in year {int(after.mean) + 1}, {when_spent(after, most)}"


def truth(rows: pd.DataFrame, option: str) -> "pd.Series[float]":
    """Bytes of an option's truth over the years: its table, or its events (archived ones, too) and snapshots."""
    mine = rows[(rows["option"] == option) & (rows["metric"] == SIZE) & rows["component"].isin(TRUTH)]
    return mine.groupby("years")["mean"].sum()


def _times(rows: pd.DataFrame, option: str) -> str:
    """How many times a table of the same entities an event store is at the end, and when it passes ten times."""
    if ((rows["option"] == option) & (rows["component"] == "source")).any():
        return ""
    table, most = course(rows, option, metric=TABLE)["mean"], rows["years"].max()
    times = (truth(rows, option) / table)[table > 0]
    if times.empty:
        return ""
    tenfold = reaches(times, TENFOLD)
    when = f"ten times after {duration(tenfold)}" if tenfold < inf else "at no time ten times"
    then = f"{rounded(times.iloc[-1])} times a table of the same entities after {most:g} years"
    return f"its events and snapshots are {then}, {'ten times from the start' if tenfold == 0 else when}"


def table_times(rows: pd.DataFrame, option: str) -> str:
    """How many times a table of the same entities all that an option stores is in the last year, in words; nothing where there is none."""
    table, stored = (float(course(rows, option, metric=metric)["mean"].iloc[-1]) for metric in (TABLE, SIZE))
    if stored > MANY * table > 0:
        return f">{MANY:,}x table"
    return f"{rounded(stored / table, 2)}x table" if table > 0 else ""


def what_stands_out(rows: pd.DataFrame, budget: float | str | None = None) -> str:
    """Who first passes the *budget*, or without one who stores most in the last year: the title of a figure."""
    options, most = list(dict.fromkeys(map(str, rows["option"]))), float(rows["years"].max())
    if not rows.loc[rows["metric"] == BUSY, "mean"].any():
        return "nothing changed in the window, so nothing is known of later years"
    if budget is None:
        last = {option: float(course(rows, option)["mean"].iloc[-1]) for option in options}
        top = max(options, key=lambda option: last[option])
        beside = f", {times}" if (times := table_times(rows, top)) else ""
        return f"after {duration(most)} {top} stores {short(last[top], 'bytes')}{beside}"
    after = {option: spent_after(rows, option, budget_bytes(budget)) for option in options}
    passed = sorted((option for option in options if after[option].mean < inf), key=lambda option: after[option].mean)
    limit = short(budget_bytes(budget), "bytes")
    if not passed:
        return f"nobody passes the budget of {limit} within {duration(most)}"
    first = f"{passed[0]} passes" if len(passed) == 1 else f"{len(passed)} of {len(options)} pass"
    who = f", {passed[0]} first," if len(passed) > 1 else ""
    return f"{first} the budget of {limit}{who} {when_spent(after[passed[0]], most)}"


def when_spent(after: Estimate, most: float) -> str:
    """After how many years a budget is spent, with its 95 % interval, in words; *most* were looked at.

    >>> when_spent(Estimate(2.13, 1.9, 2.4, "years"), 5), when_spent(Estimate(0.01, 0.005, inf, "years"), 5)
    ('after 2.1 years (1.9 to 2.4)', 'after 3.65 d (1.83 d to beyond 5 years)')
    >>> when_spent(Estimate(0.195, 0.19, 0.21, "years"), 5)  # all in the unit of the mean
    'after 71.2 d (69.4 to 76.7)'
    """
    if after.mean in (0, inf):
        return f"not in {duration(most)}" if after.mean else "from the start"
    days = after.mean < SOON
    scale, name = unit_for("s", after.mean * YEAR_S) if days else (YEAR_S, "years")
    early, late = (np.format_float_positional(end * YEAR_S / scale, 3 if days else 2, False, False, "-") for end in after.ends)
    if after.ends[1] == inf:
        early, late = f"{early} {name}", f"beyond {duration(most)}"
    ends = f" ({early} to {late})" if early != late else ""
    return f"after {duration(after.mean, 2)}{ends}"


def straight_line(rows: pd.DataFrame) -> str:
    """By how much a straight line through the window misses the last year, where it misses most."""
    last = rows["years"].max()
    line, found = {}, estimates(rows[rows["years"] == last], SIZE)
    for option, growth in estimates(rows, GROWTH).items():
        if growth.ends[0] <= 0 < growth.ends[1]:  # the window does not show that it grows
            continue
        line[option] = course(rows, option)["mean"].iloc[0] + growth.mean * last * YEAR_S / 86400
    off = {option: line[option] / found[option].mean for option in line if found[option].mean > 0 and line[option] > 0}
    if not off:
        return ""
    worst = max(off, key=lambda option: abs(np.log(off[option])))
    if abs(np.log(off[worst])) < np.log(OFF):
        return f"* A straight line through the window would do here: after {last:g} years it is off by less than a tenth."
    return (
        f"* A straight line through the window would say {short(line[worst], 'bytes')} after {last:g} years with {listed([worst])}, "
        f"{short(off[worst], 'times')} as much: {_unknown(rows, worst, off[worst])}."
    )


def _unknown(rows: pd.DataFrame, option: str, off: float) -> str:
    """What a straight line does not know that is so many times *off*."""
    busy = estimates(rows[rows["option"] == option], BUSY)[option].mean
    if busy > 0 and np.log(busy) / np.log(off) > 0.5:  # that is most of it
        return f"it takes the window's changes for usual, which are {short(busy, 'times')} as many as at the mean rate"
    return "it knows nothing of what levels off" if off > 1 else "it knows nothing of what grows faster later"
