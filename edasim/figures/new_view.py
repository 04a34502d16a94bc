"""How long until a read model in a new shape serves, by how many workers build it."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from edasim.estimates import short
from edasim.figures.looks import DASHES, Look, looks
from edasim.figures.picture import INK, SHADE, SOFT, Line, caption, drawn, label_beside, name_lines, runs, titled
from edasim.studies.new_view import Building, course
from edasim.studies.years import duration

TICKS = (1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0)  # seconds
NEVER = 4  # times the longest: where "never" stands


@drawn
def new_view_against_workers(swept: pd.DataFrame) -> tuple[Figure, str]:
    """How long a view in a new shape takes on live data, an option a line, by the number of workers: `new_view`.

    Filled: until it has caught up with the changes. Hollow, in the shaded row: it never does.
    """
    styles = looks(dict(zip(swept["option"], swept["pattern"], strict=True)))
    found = {option: points for option in styles if (points := course(swept, option))}
    figure = Figure(figsize=(6.0, 3.3))
    axes = figure.subplots()
    figure.suptitle(titled(swept, "how long until a new view serves?"), x=0.01, ha="left")
    times = [point.caught_up.mean for points in found.values() for point in points.values() if point.caught_up is not None]
    alone = [point.alone.mean for points in found.values() for point in points.values()]
    top = NEVER * max(times or alone or [1.0])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ends, labels, words = [], [], []
    for number, (option, points) in enumerate(found.items()):
        ends.append(_line(axes, points, styles[option], number, top))
        last = points[max(points)]
        labels.append([*name_lines(option, styles[option]), Line(_said(last))])
        words.append(f"{option}: " + ", ".join(f"{workers}: {_said(point)}" for workers, point in points.items()))
    _axes(axes, sorted(set(swept["workers"])), min([*times, *alone], default=1.0), top)
    if ends:
        label_beside(axes, ends, labels)
    caption(
        figure,
        f"Mean of {runs(swept)} with its 95 % interval, while changes go on. Hollow, in the shaded row: changes come to a worker "
        f"faster than it applies them. Dotted: twice the workers, half the time. {_when(swept)}",
    )
    return figure, f"Until a new view serves, by the number of workers. {'. '.join(words)}."


def _when(swept: pd.DataFrame) -> str:
    years = float(swept["years"].iloc[0]) if len(swept) else 0.0
    return f"Extrapolated to {duration(years)} from now." if years else "At the end of the run."


def _line(axes: Axes, points: dict[int, Building], look: Look, number: int, top: float) -> tuple[float, float]:
    """One option; its last point."""
    caught_up = {workers: point.caught_up for workers, point in points.items() if point.caught_up is not None}
    dash = DASHES[number % len(DASHES)]
    if caught_up:
        means = [found.mean for found in caught_up.values()]
        low, high = ([found.ends[end] for found in caught_up.values()] for end in (0, 1))
        axes.fill_between(list(caught_up), low, high, color=look.colour, alpha=0.3, lw=0)
        axes.plot(list(caught_up), means, color=INK, lw=2.2, ls=dash)
        axes.plot(list(caught_up), means, look.marker, color=look.colour, lw=1.3, ls=dash, mec=INK, zorder=4, clip_on=False)
        least = min(caught_up)
        axes.plot(list(caught_up), [means[0] * least / workers for workers in caught_up], ":", color=SOFT, lw=0.9, zorder=1)
    for workers in points.keys() - caught_up.keys():
        axes.plot(workers, top, look.marker, color="white", mec=INK, zorder=4, clip_on=False)
    most = max(points)
    return float(most), caught_up[most].mean if most in caught_up else top


def _axes(axes: Axes, workers: list[int], least: float, top: float) -> None:
    axes.axhspan(top / 2, top * 2, color=SHADE, lw=0, zorder=0)
    axes.annotate(
        "never", (0, top), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=7, color=SOFT
    )
    axes.set_ylim(least / 2, top * 2)
    ticks = [tick for tick in TICKS if least / 2 <= tick < top / 2]
    axes.set_yticks(ticks, [short(tick, "s") for tick in ticks])
    axes.set_xticks(workers)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers that build it")
    axes.set_ylabel("time until it serves")


def _said(point: Building) -> str:
    return "never catches up" if point.caught_up is None else short(point.caught_up.mean, "s")
