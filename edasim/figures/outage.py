"""What an outage costs, by its length."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from edasim.estimates import Estimate, short, unit_for
from edasim.figures.looks import DASHES, Dash, Look, looks
from edasim.figures.picture import INK, LINE_HEIGHT, Line, caption, drawn, label_beside, name_lines, runs
from edasim.findings import the
from edasim.sweeps import courses_of, lengths_of


@drawn
def loss_against_outage(swept: pd.DataFrame, consumer: str) -> tuple[Figure, str]:
    """How many messages for *consumer* each option loses, against the length of an outage: an `outage_sweep`.

    Options that lose the same at every length share a line, and stand together at its end.
    """
    courses, lengths = courses_of(swept, consumer), lengths_of(swept)
    component, scenario = swept["outage_of"].iloc[0], swept["scenario"].iloc[0]
    scale, unit = unit_for("s", lengths[-1])
    styles = looks(dict(zip(swept["option"], swept["pattern"], strict=True)))
    lines = sum(len(_label(course, options, styles)) + 0.6 for course, options in courses.items())
    figure = Figure(figsize=(6.0, max(2.9, 1.3 + LINE_HEIGHT * lines)))
    axes = figure.subplots()
    times = np.array(lengths) / scale
    most = max((point.ends[1] for course in courses for point in course), default=0.0) or 1.0
    axes.set(xlim=(-0.03 * times[-1], times[-1] or 1.0), ylim=(-0.04 * most, 1.05 * most))
    middle = (sum(not _is_zero(course) for course in courses) - 1) / 2
    for number, course in enumerate(sorted(courses, key=_is_zero)):
        _course(axes, times, course, styles[courses[course][0]], DASHES[number % len(DASHES)], 3.5 * (number - middle))
    axes.set(xlabel=f"length of the outage ({unit})", ylabel="messages lost in the window")
    axes.yaxis.set_major_formatter("{x:,.0f}" if most > 5 else "{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    whom = "" if component == consumer else f" {consumer}"
    figure.suptitle(fill(f"{scenario}: what does a longer outage of {the(component)} cost{whom}?", 80), x=0.01, ha="left")
    caption(
        figure,
        f"Markers: mean of {runs(swept)}; hollow: none seen; side by side, so that none hides another. "
        "Bands: 95 % interval, or the bound where none was seen. Options that lose the same share a line. Luck and other "
        "outages are the same at every length.",
    )
    named = sorted(courses, key=_is_zero, reverse=True)  # who sends nothing stands lowest
    label_beside(axes, [(times[-1], course[-1].mean) for course in named], [_label(course, courses[course], styles) for course in named])
    words = [f"{option}: {_in_words(lengths, course)}." for course, options in courses.items() for option in options]
    return figure, f"Messages for {consumer} lost, by the length of an outage of {the(component)}. " + " ".join(words)


def _is_zero(course: Sequence[Estimate]) -> bool:
    return all(point.is_zero for point in course)


def _course(axes: Axes, times: NDArray[np.float64], course: Sequence[Estimate], look: Look, dash: Dash, points: float) -> None:
    """One line with its band, moved so many *points*; without markers where it is zero by nature."""
    beside = offset_copy(axes.transData, axes.get_figure(root=True), points, 0, units="points")
    low, high = np.array([point.ends for point in course]).T
    means = np.array([point.mean for point in course])
    if _is_zero(course):
        axes.plot(times, means, ls=":", color=INK, lw=0.8)
        return
    axes.fill_between(times, low, high, color=look.colour, alpha=0.25, lw=0, transform=beside)
    axes.plot(times, means, ls=dash, color=look.colour, transform=beside, clip_on=False)
    for time, point in zip(times, course, strict=True):
        face = "white" if point.is_unseen else look.colour
        axes.plot(time, point.mean, look.marker, color=face, mec=INK, transform=beside, clip_on=False, zorder=3)


def _in_words(lengths: Sequence[float], course: Sequence[Estimate]) -> str:
    if _is_zero(course):
        return "sends nothing, so loses nothing"
    return ", ".join(
        f"{point} {'at ' + short(length, 's') if length else 'without it'}" for length, point in zip(lengths, course, strict=True)
    )


def _label(course: Sequence[Estimate], options: Sequence[str], styles: Mapping[str, Look]) -> list[Line]:
    """The options that a line is of, and what they lose in the end."""
    names = [line for option in options for line in name_lines(option, styles[option])]
    return [*names, Line("sends nothing: 0" if _is_zero(course) else str(course[-1]))]
