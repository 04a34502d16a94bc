"""How often to snapshot: what loads, and loads and snapshots together, cost at each interval."""

from collections.abc import Sequence
from math import inf, isfinite, nan
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edasim.estimates import Estimate, short
from edasim.figures.layout import caption, heading
from edasim.figures.looks import DASHES, looks
from edasim.figures.picture import INK, SOFT, drawn, runs
from edasim.studies.snapshots import NEVER, SAVED, WORK, at, cheapest, intervals_of


class Series(NamedTuple):
    """A line of a panel: its *name*, its metric, and at which interval (by number) and how far from it, in points, the name stands."""

    name: str
    metric: str
    component: str
    number: int
    beside: tuple[float, float]


PANELS: tuple[tuple[str, str, tuple[Series, ...]], ...] = (  # what it is, its unit, and the lines
    ("load of one entity", "s", (Series("mean", "load_time_mean", "", -2, (4, -9)), Series("p99", "load_time_p99", "", -2, (-14, 7)))),
    (
        "server time per change",
        "s",
        (
            Series("loads and snapshots", WORK, "", 0, (8, 4)),
            Series("loads", WORK, "loads", 3, (4, -9)),
            Series("snapshots", WORK, "snapshots", 2, (6, 4)),
        ),
    ),
    ("stored per change", "bytes", (Series("snapshots", SAVED, "", 1, (6, 4)),)),
)
BY_DECADES = ("load of one entity", "stored per change")
HIGHEST = 4  # times the least work: what costs more is cut off


@drawn
def load_against_interval(swept: pd.DataFrame) -> tuple[Figure, str]:
    """What a snapshot after every so many events makes of loads, of the servers' work and of storage: a `snapshot_sweep`.

    Upright: the interval that costs the servers least by the square root law. Dotted: what that law assumes of a load, (k - 1) / 2 events.
    What no snapshots at all cost is written, not drawn: it is far above all else.
    """
    tried, option = intervals_of(swept), str(swept["option"].iloc[0])
    sizes = [every for every in tried if every]
    look = looks({option: swept["pattern"].iloc[0]})[option]
    figure = Figure(figsize=(6.0, 5.2))
    panels = figure.subplots(len(PANELS), 1, sharex=True, height_ratios=[0.8, 1.3, 0.7])
    heading(figure, f"{swept['scenario'].iloc[0]}, {option}: {_title(swept)}")
    for axes, (label, unit, lines) in zip(panels, PANELS, strict=True):
        sizes_up = [at(swept, every, series.metric, series.component).mean for every in sizes for series in lines]
        if label in BY_DECADES and max(sizes_up) > 10 * min((size for size in sizes_up if size > 0), default=inf):
            axes.set_yscale("log")
            axes.minorticks_off()
        for number, series in enumerate(lines):
            points = [at(swept, every, series.metric, series.component) for every in sizes]
            _line(axes, sizes, points, series, look.colour, number)
        axes.set_ylabel(label)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: short(value, unit)))
        axes.margins(y=0.15)
        if axes.get_yscale() == "linear":
            axes.set_ylim(0, 1.2 * max(sizes_up) or 1)
    work = [at(swept, every, WORK).mean for every in sizes]
    panels[1].set_ylim(0, min(HIGHEST * min(work), 1.25 * max(work)) or 1)
    _by_law(panels, swept, sizes)
    panels[-1].set_xscale("log")
    panels[-1].minorticks_off()
    ticks = _apart(sizes, int(swept["own"].iloc[0]))
    panels[-1].set_xticks(ticks, [f"{every:,}" for every in ticks])
    panels[-1].set_xlabel("events of an entity from one snapshot to the next")
    never = f" Without snapshots a load takes {at(swept, NEVER, 'load_time_mean')}." if NEVER in tried else ""
    caption(
        figure,
        f"Mean of {runs(swept)} with its 95 % interval; {swept['stored'].iloc[0]:,} events are stored. Upright: what costs least by the "
        f"square root law. Dotted: loads by hand, half an interval, as in long streams.{never}",
    )
    said = "; ".join(
        f"{f'every {every:,}' if every else 'never'}: a load {at(swept, every, 'load_time_mean')}, {at(swept, every, WORK)} per change"
        for every in tried
    )
    return figure, f"{option}, by the number of events between snapshots: {said}."


def _apart(sizes: Sequence[int], own: int) -> list[int]:
    """Those of the intervals that leave room for their numbers: the scenario's *own* always."""
    ticks: list[int] = []
    for every in sizes:
        if (not ticks or every > 1.5 * ticks[-1]) and (every == own or not every < own < 1.5 * every):
            ticks.append(every)
    return ticks


def _title(swept: pd.DataFrame) -> str:
    """Which intervals cost least: all that can't be told from the best one."""
    best, alike = cheapest(swept)
    if NEVER in alike and len(alike) > 1:
        return f"from every {min(filter(None, alike)):,} events to never, snapshots cost about the same"
    if len(alike) > 1:
        return f"a snapshot every {min(alike):,} to {max(alike):,} events costs least"
    return f"a snapshot every {best:,} events costs least" if best else "never to take a snapshot costs least"


def _line(axes: Axes, sizes: Sequence[int], points: Sequence[Estimate], series: Series, colour: str, number: int) -> None:
    """One series over the intervals, with its name beside it."""
    means = np.array([point.mean if point.mean > 0 or axes.get_yscale() == "linear" else nan for point in points])
    low, high = (np.array([point.ends[end] for point in points]) for end in (0, 1))
    axes.fill_between(sizes, np.maximum(low, means / 5), high, color=colour, alpha=0.25, lw=0)
    axes.plot(sizes, means, color=INK, lw=2.2, ls=DASHES[number % len(DASHES)], zorder=3)
    axes.plot(sizes, means, color=colour, lw=1.2, ls=DASHES[number % len(DASHES)], marker="osD"[number], ms=4, mec=INK, mew=0.5, zorder=4)
    place = min(series.number, len(sizes) - 1) if series.number >= 0 else max(series.number, -len(sizes))
    axes.annotate(series.name, (sizes[place], means[place]), series.beside, textcoords="offset points", fontsize=7, zorder=6)


def _by_law(panels: Sequence[Axes], swept: pd.DataFrame, sizes: Sequence[int]) -> None:
    """The cheapest interval by the law, and the mean load that it assumes."""
    law = float(swept["cheapest"].iloc[0])
    if isfinite(law) and sizes[0] <= law <= sizes[-1]:
        for axes in panels:
            axes.axvline(law, color=SOFT, lw=0.8, zorder=0)
        said, top = f"least by the law: {law:.3g}", ("data", "axes fraction")
        panels[1].annotate(said, (law, 1), (4, -9), xycoords=top, textcoords="offset points", fontsize=7, color=SOFT)
    base, per_event = float(swept["base"].iloc[0]), float(swept["per_event"].iloc[0])
    by_hand = {every: base + per_event * (every - 1) / 2 for every in sizes}
    highest = max(at(swept, every, "load_time_p99").mean for every in sizes)
    panels[0].plot(
        *zip(*((every, time) for every, time in by_hand.items() if time <= highest), strict=True), ls=":", color=INK, lw=1.2, zorder=5
    )
    own = int(swept["own"].iloc[0])
    if own in sizes:
        for axes in panels:
            axes.axvline(own, color=SOFT, lw=0.8, ls=(0, (2, 2)), zorder=0)
        panels[1].annotate(
            "the scenario's", (own, 1), (4, -19), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=7, color=SOFT
        )
