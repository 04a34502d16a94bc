"""How long a replay takes until it serves, by how many events there are."""

from math import ceil, floor, log10
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from edasim.estimates import Estimate, short
from edasim.figures.layout import Line, Room, label_beside, placed
from edasim.figures.looks import Dash, Look
from edasim.figures.picture import INK, SHADE, SOFT, drawn, runs
from edasim.studies.rebuilding import BULK, DECADES, RATE, STORED, THEN, at_year, course, then
from edasim.studies.replay_findings import fate, how_long, series, what_a_replay_takes, workers_in_words
from edasim.units import YEAR_S

WEEK = 7 * 86400.0
UPRIGHT = {1.0: "1 s", 60.0: "1 min", 3600.0: "1 h", 8 * 3600.0: "8 h", WEEK: "1 week", 52 * WEEK: "1 year"}
AGES = {1 / 365.25: "1 day", 1 / 12: "1 month", 1.0: "1 year", 10.0: "10 years", 100.0: "100 years", 1e3: "1,000 years"}
LOOKS = (Look("#0072B2", "o"), Look("#009E73", "s"), Look("#D55E00", "D"), Look("#CC79A7", "v"), Look("#E69F00", "^"))
IN_BULK = Look("#57606a", "P")
LONG = 12  # letters of a time
HIGH, ROOM = 1.95, Room(left=0.75, right=1.65, above=0.5, below=0.4)  # above stand the years
DASHED: Dash = (0, (4, 2))


@drawn
def replay_against_history(found: pd.DataFrame, window: float | None = None) -> tuple[Figure, str]:
    """How long a replay takes until it serves, while changes go on, a line for each number of workers: `replay_over_history`.

    Solid as far as it was measured or simulated, dashed where it is extrapolated. Upright: now, and in three years. Across: the *window*
    of seconds that the team has. In the shaded row: who never catches up, or may not.
    """
    title = f"{found['scenario'].iloc[0]}: {what_a_replay_takes(found, window)}"
    groups = series(found)
    styles = [IN_BULK if group == [BULK] else LOOKS[number % len(LOOKS)] for number, group in enumerate(groups)]
    figure, (axes,) = placed(1, 1, HIGH, ROOM, title=title, signs=_signs(found))
    left, right = _across(axes, found)
    never = _up(axes, [course(found, group[0]) for group in groups], (left, right), window)
    ends: list[tuple[float, float]] = []
    labels, words = [], []
    for group, look in zip(groups, styles, strict=True):
        points = course(found, group[0])
        name = "bulk load of a table" if group == [BULK] else workers_in_words(group)
        said = _said(found, group[0])
        ends.append((right, _line(axes, found, points, look, right) if points else never * 0.99 ** len(ends)))
        labels.append([Line(name, look), *map(Line, said)])
        words.append(f"{name} {' '.join(said)}")
    _marks(axes, found, window)
    label_beside(axes, ends, labels)
    return figure, f"{title}. Until it serves, by the number of events stored. {'; '.join(words)}."


def _said(found: pd.DataFrame, component: str) -> list[str]:
    """How long it takes in three years, or whether it ever catches up; two lines where one is too long to stand beside the axes."""
    time = then(found, component)
    if time is None:
        return fate(found, component).replace(" (", "\n(").split("\n")
    lasts = how_long(time)
    return ["in 3 years:", lasts] if len(lasts) > LONG else [f"in 3 years: {lasts}"]


def _across(axes: Axes, found: pd.DataFrame) -> tuple[float, float]:
    """The axis of events, and above it how many years they take to come; the ends of it."""
    now, later = (at_year(found, STORED, years).mean for years in (0.0, THEN))
    left = min(10.0 ** DECADES[0], 10.0 ** floor(log10(max(now, 1.0))))
    right = max(10.0 ** DECADES[1], 10.0 ** ceil(log10(max(later, 1.0))))
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("events stored")
    per_year = at_year(found, RATE, 0.0).mean * YEAR_S
    ages = {years * per_year: name for years, name in AGES.items() if left <= years * per_year <= right}
    if ages:
        above = axes.secondary_xaxis("top")
        above.xaxis.set_major_locator(FixedLocator(list(ages)))
        above.xaxis.set_minor_locator(NullLocator())
        above.set_xticks(list(ages), list(ages.values()))
        above.set_xlabel("so many years of changes at the rate of the run", fontsize=7, color=SOFT)
        above.tick_params(labelsize=7, colors=SOFT)
    return left, right


def _up(axes: Axes, courses: list[dict[float, Estimate]], ends: tuple[float, float], window: float | None) -> float:
    """The axis of time; at which height of it "never" stands."""
    times = [_at(points, events) for points in courses if points for events in ends] + [window or 60.0]
    top = max([*times, *(point.ends[1] for points in courses for point in points.values())]) * 2
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    never = top * 2
    if not all(courses):
        axes.axhspan(top, top * 4, color=SHADE, lw=0, zorder=0)
        top *= 4
    low = 0.2 * min(times)  # room below the lines for the names of the uprights
    axes.set_ylim(low, top)
    axes.set_yticks(list(UPRIGHT), list(UPRIGHT.values()))
    axes.set_ylim(low, top)
    axes.set_ylabel("time until it serves")
    return never


def _at(points: dict[float, Estimate], events: float) -> float:
    """The time with so many *events*: a straight line from point to point, as the formula is."""
    return float(np.interp(events, list(points), [point.mean for point in points.values()]))


def _line(axes: Axes, found: pd.DataFrame, points: dict[float, Estimate], look: Look, right: float) -> float:
    """One number of workers, solid up to what is known; its height at the right."""
    known, events = float(found["known"].iloc[0]), np.array([*points])
    means, low, high = (
        np.array([values[place] for values in ((point.mean, *point.ends) for point in points.values())]) for place in range(3)
    )
    axes.fill_between(events, low, high, color=look.colour, alpha=0.3, lw=0)
    axes.plot(events, means, color=look.colour, lw=1.3, ls=DASHED)
    axes.plot(np.minimum(events, known), np.interp(np.minimum(events, known), events, means), color=look.colour, lw=2.2)
    for years in (0.0, THEN):
        then_stored = at_year(found, STORED, years).mean
        axes.plot(then_stored, points[then_stored].mean, look.marker, color=look.colour, mec=INK, zorder=5, clip_on=True)
    return _at(points, right)


def _marks(axes: Axes, found: pd.DataFrame, window: float | None) -> None:
    """Now and in three years, each with its interval, and the window."""
    beside: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "color": SOFT}
    for years, name in ((0.0, "now"), (THEN, "in 3 years")):
        at = at_year(found, STORED, years)
        axes.axvspan(*at.ends, color=SOFT, alpha=0.2, lw=0, zorder=0)
        axes.axvline(at.mean, color=SOFT, lw=0.8, zorder=0)
        left = at.mean * 30 > axes.get_xlim()[1]
        side = "right" if left else "left"
        axes.annotate(name, (at.mean, 0), (-3 if left else 3, 4), xycoords=("data", "axes fraction"), ha=side, **beside)
    if window is not None:
        axes.axhline(window, color=INK, lw=0.9, ls=(0, (1, 1.5)), zorder=1)
        axes.annotate(f"window {short(window, 's')}", (0, window), (3, 3), xycoords=("axes fraction", "data"), **beside)


def _signs(found: pd.DataFrame) -> str:
    known, way = float(f"{found['known'].iloc[0]:.3g}"), "measured" if found["measured"].iloc[0] else "simulated"
    return (
        f"Mean of {runs(found)} with its 95 % interval (band). Solid: {way}, up to {known:,.0f} events; dashed: extrapolated. Changes go "
        "on meanwhile, and the busiest worker decides. A bulk load reads a row an entity instead."
    )
