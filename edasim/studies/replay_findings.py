"""What is said of a replay: how long it takes in three years, whether it ever serves, and until when a window has room for it."""

from collections.abc import Sequence
from math import isclose

import pandas as pd

from edasim.estimates import Estimate, rounded, short
from edasim.findings import Finding
from edasim.studies.rebuilding import BULK, LOAD, NEVER, SHARE, STORED, THEN, WORK, at_year, points_of, then
from edasim.studies.years import duration
from edasim.units import YEAR_S

CATCHES_UP = "catches up"
WIDE = 0.5  # an interval that is more of the time than this is said, and not the time: near a load of 1 it has no middle


def fate(found: pd.DataFrame, component: str) -> str:
    """Whether a replay catches up with what goes on, in words; of one run it is what that one does."""
    load, never = (points_of(found, component, metric)[0][-1] for metric in (LOAD, NEVER))
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
    lines = [f"* `{option}`, {rounded(events)} events: {what_a_replay_takes(found, window)}{_outgrown(found, window)}."]
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
    load = points_of(found, component, LOAD)[0][-1]
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
    load, time, stored = points_of(found, component, LOAD)[0][-1].mean, then(found, component), at_year(found, STORED, THEN).mean
    work = {events: point.mean for events, _, point in points_of(found, component, WORK) if events > 0}
    each = (work[1e10] - work[1e4]) / (1e10 - 1e4)  # s c: work is a straight line
    if load * evenly >= 1:
        return False
    start = work[1e4] - each * 1e4
    return time is None or time.mean > 1.03 * (start + each * stored * evenly) / (1 - load * evenly)
