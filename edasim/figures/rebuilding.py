"""How long a rebuild takes as the years go by, each way."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from edasim.estimates import short
from edasim.figures.looks import Look, looks
from edasim.figures.picture import INK, SOFT, Line, caption, drawn, label_beside, runs, titled
from edasim.studies.rebuilding import CAUGHT_UP, FROM, MISSING, TIME, course, together

UPRIGHT = (1.0, 60.0, 3600.0, 86400.0, 7 * 86400.0)  # seconds


@drawn
def rebuild_against_years(rows: pd.DataFrame) -> tuple[Figure, str]:
    """How long a lost copy takes to rebuild so many years from now, a line for each option and way: `rebuild_over_years`."""
    styles = looks(dict(zip(rows["option"], rows["pattern"], strict=True)))
    figure = Figure(figsize=(6.0, 3.6))
    axes = figure.subplots()
    figure.suptitle(titled(rows, "how long does it take to rebuild a lost copy?"), x=0.01, ha="left")
    points, labels, words = [], [], []
    for number, group in enumerate(together(rows)):
        option, way = group[0]
        points.append(_line(axes, rows, option, way, styles[option], number))
        names = [Line(other, styles[other]) for other, _ in group]
        said = [f"from {FROM[way]}: {short(points[-1][1], 's')}", *_beside(rows, option, way)]
        labels.append([*names, *map(Line, said)])
        words.append(f"{', '.join(other for other, _ in group)} {'; '.join(said)}")
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    last = max(rows["years"], default=1.0)
    axes.set_xlim(-0.03 * last, last * 1.02)
    low, high = axes.get_ylim()[0] / 2, axes.get_ylim()[1]
    axes.set_ylim(low, high)
    axes.set_yticks([tick for tick in UPRIGHT if low <= tick <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value, "s")))
    axes.set_ylabel("time to rebuild")
    axes.set_xlabel("years from now, at the changes of the window")
    below: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 6.5, "color": SOFT}
    axes.annotate("simulated", (0, 0), (2, 3), **below)
    axes.annotate("extrapolated", (last / 2, 0), (0, 3), ha="center", **below)
    if points:
        label_beside(axes, points, labels)
    caption(
        figure,
        f"Mean of {runs(rows)} with its 95 % interval (band), while nothing changes. Dashed: extrapolated from what there is to read at "
        "the end of the run and how fast that grows.",
    )
    return figure, f"Time to rebuild after {last:g} years, extrapolated. {'; '.join(words)}."


def _line(axes: Axes, rows: pd.DataFrame, option: str, way: str, look: Look, number: int) -> tuple[float, float]:
    """One option and way: a marker where it was simulated, dashed from there on. Its last point."""
    found = course(rows, option, way, TIME)
    years, kept = list(found), list(found.values())
    means, low, high = (np.array([values[place] for values in ((point.mean, *point.ends) for point in kept)]) for place in range(3))
    dash = (0, (5 + 2 * (number % 3), 1.5 + number % 2))
    axes.fill_between(years, low, high, color=look.colour, alpha=0.3, lw=0)
    axes.plot(years, means, color=INK, lw=2.2, ls=dash)
    axes.plot(years, means, color=look.colour, lw=1.3, ls=dash)
    axes.plot(years[0], means[0], look.marker, color=look.colour, mec=INK, zorder=5, clip_on=False)
    return years[-1], float(means[-1])


def _beside(rows: pd.DataFrame, option: str, way: str) -> list[str]:
    """What else is to be known of the last year: whether it never catches up, and who is missing."""
    time, caught_up, missing = (course(rows, option, way, metric) for metric in (TIME, CAUGHT_UP, MISSING))
    last = max(time)
    never = [] if last in caught_up else ["never catches up with changes"]
    return never + ([f"lacks {short(missing[last].mean, 'share')} of the entities"] if missing[last].mean > 0 else [])
