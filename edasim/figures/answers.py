"""Staleness: how fresh what readers get is, while all is well and in an incident."""

from collections.abc import Iterable, Mapping, Sequence
from math import floor, inf, isnan, log10
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from edasim.estimates import Estimate, short
from edasim.figures.layout import HEADING, Line, Room, apart, height_beside, label_beside, name_lines, placed, room_beside
from edasim.figures.looks import DASHES, Dash, Look, Scale, looks
from edasim.figures.picture import INK, SHADE, SOFT, drawn, runs, scale_up
from edasim.studies.answers import ALLOWED, NEVER, STEPS, age_of, in_so_many, incidents_in, moments_of, never_late, within

LEAST = 1e-4  # of reads: smaller shares stand at the edge of zero's row
FIRST, LAST = 0.001, 3600.0  # the ages between which a figure shows those where anything happens, s
TICKS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
GAP = 0.2  # between ticks, of the axis
ROW, SIGN = 0.125, 7.0  # of a value beside the limit: its height in inches, and the width of a marker in points
Course = Mapping[float, Estimate]


@drawn
def freshness_curve(curves: pd.DataFrame) -> tuple[Figure, str]:
    """How many reads are not answered with data fresher than an age, calm and in an incident: a curve an option, of `freshness_curves`.

    Both by decades, on shared axes; right of all ages stands the share that gets no answer. What is required is a line, with what each
    option comes to there.
    """
    consumer, styles = curves["consumer"].iloc[0], looks(dict(zip(curves["option"], curves["pattern"], strict=True)))
    moments = {name: courses_of(rows) for name, rows in moments_of(curves).items()}
    shown = [course for found in moments.values() for course in found.values()]
    known = {option for found in moments.values() for option in found}
    silent = "".join(f" {option}: nobody reads, so no curve." for option in styles if option not in known)
    if not shown:
        figure = Figure(figsize=(6.0, 3.8))
        return figure, _no_curve(figure.subplots(), f"nobody reads at {consumer}", styles)
    struck = [0, incidents_in([*moments_of(curves).values()][1])]
    labels = _labels(moments, styles, struck[1])
    above = (0.26 if _limits(curves) else 0.12) + HEADING * max(len(_panel_title(name)) for name in moments)
    room = Room(left=0.72, right=room_beside(labels), above=above, below=0.55, between=(0.25, 0.0))
    figure, panels = placed(1, 2, max(2.1, height_beside(labels)), room, title=_title(curves), signs=_explained(curves) + silent)
    panels[1].sharex(panels[0])
    panels[1].sharey(panels[0])
    panels[1].tick_params(labelleft=False)
    plane = _plane(panels, shown, _limits(curves))
    for axes, (name, found) in zip(panels, moments.items(), strict=True):
        _panel(axes, name, found, styles, plane, _limits(curves))
    label_beside(panels[1], [plane.at(NEVER, course) for course in _latest(moments).values()], labels)
    for axes, rows, found, incidents in zip(panels, moments_of(curves).values(), moments.values(), struck, strict=True):
        _required(axes, float(rows["limit_s"].iloc[0]), found, styles, plane, incidents)
    words = [f"{name}: {_in_words(moments[name], age_of(rows))}." for name, rows in moments_of(curves).items()]
    return figure, f"What {consumer} asks and is not answered with data fresher than an age. {' '.join(words)}{silent}"


def _no_curve(axes: Axes, why: str, options: Iterable[str]) -> str:
    """Say in place of all curves, and in words, why there is none."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, color=SOFT, style="italic", ha="center")
    return f"There is no curve for {', '.join(options)}: {why}."


def courses_of(rows: pd.DataFrame) -> dict[str, Course]:
    """The share at each age by option, of those that anybody asks."""
    found: dict[str, dict[float, Estimate]] = {}
    for option, age, *estimate in rows[["option", "age_s", "mean", "low", "high", "unit"]].itertuples(index=False):
        found.setdefault(option, {})[age] = Estimate(*estimate)
    return {option: course for option, course in found.items() if not isnan(course[NEVER].mean)}


def _title(curves: pd.DataFrame) -> str:
    """How many options surely answer 99 % of reads as fresh as is required, calm; and with how many none was late in the incidents."""
    (calm, well), (incident, ill) = moments_of(curves).items()
    asked = f"{short(1 - ALLOWED, 'share')} of {curves['consumer'].iloc[0]}'s reads data fresher than {short(age_of(well), 's')}"
    kept = f"{calm}, {len(within(well))} of {curves['option'].nunique()} options surely give {asked}"
    other = f" than {short(age_of(ill), 's')}" if age_of(ill) != age_of(well) else ""
    seen = f"in {in_so_many(ill)} ({incident}) {len(never_late(ill))} gave none staler{other}"
    seen = f"in {incident} nobody asked" if ill["mean"].isna().all() else seen
    return f"{curves['scenario'].iloc[0]}: {kept}; {seen}"


def _limits(curves: pd.DataFrame) -> list[float]:
    return [float(limit) for limit in curves["limit_s"].dropna().unique()]


class Plane(NamedTuple):
    """Where ages stand across, in their order and for ever the last, and on which scale shares stand up."""

    places: Mapping[float, float]
    share: Scale

    def at(self, age: float, course: Course) -> tuple[float, float]:
        """Where the share of a *course* at an *age* stands."""
        return self.places[age], self.share.at(course[age].mean)


def _plane(panels: Sequence[Axes], found: Sequence[Course], limits: Sequence[float]) -> Plane:
    """Ages between which anything happens and shares from the smallest decade that is needed; limits, ticks and labels of both axes."""
    positive = [point.mean for course in found for point in course.values() if point.mean > 0]
    share = Scale(max(LEAST, 10.0 ** floor(log10(min([ALLOWED, *positive])) + 1e-9)))
    scale_up(panels[0], share, [0.0, 1.0], "share", "reads not answered with fresher data")
    first, last = _range(found, share, limits)
    scale = Scale(first)
    end = scale.at(last) + 1.3
    _ages_across(panels, {age: scale.at(age) for age in TICKS if first <= age <= last * 1.001}, end)
    shown = [age for age in found[0] if first <= age <= last or age in limits]
    return Plane({age: max(scale.at(age), 1.0) for age in shown} | {NEVER: end}, share)


def _ages_across(panels: Sequence[Axes], places: Mapping[float, float], end: float) -> None:
    """Limits, label and ticks of the axis across, which panels share: those that have room, and no answer at its *end*."""
    ticks: dict[float, str] = {}
    for age, place in places.items():
        if place - max(ticks, default=-inf) > GAP * end:
            ticks[place] = short(age, "s")
    panels[0].set_xticks([*ticks, end], [*ticks.values(), "no\nanswer"])
    panels[0].set_xlim(0.9, end + 0.4)
    for axes in panels:
        axes.set_xlabel("age of the data, by decades")
        axes.axvspan(end - 0.4, end + 0.4, color=SHADE, lw=0, zorder=0)


def _range(found: Sequence[Course], share: Scale, limits: Sequence[float]) -> tuple[float, float]:
    """The ages between which the curves fall, and a little more, from a decade to at least two later; limits from 1 ms on are within."""
    ages = [age for age in found[0] if FIRST <= age <= LAST]
    heights = np.array([[share.at(course[age].mean) for age in ages] for course in found])
    falling = np.flatnonzero((np.abs(np.diff(heights)) > 0.02).any(axis=0))
    ends = [ages[falling[0]], ages[min(falling[-1] + 2, len(ages) - 1)]] if falling.size else []
    first = 10.0 ** floor(log10(max(FIRST, min([*ends, *limits, 1.0]))) + 1e-9)
    return first, max([*ends, *limits, 100 * first])


def _panel_title(name: str) -> list[str]:
    return wrap(name, 24)


def _panel(axes: Axes, name: str, found: Mapping[str, Course], styles: Mapping[str, Look], plane: Plane, limits: Sequence[float]) -> None:
    """One panel: its title, zero's row, and a curve an option."""
    axes.set_title("\n".join(_panel_title(name)), pad=14 if limits else None)
    axes.axhspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)
    if not found:
        axes.text(0.5, 0.5, "nobody asked meanwhile", color=SOFT, style="italic", ha="center", transform=axes.transAxes)
    for number, (option, course) in enumerate(found.items()):
        _curve(axes, course, styles[option], DASHES[number % len(DASHES)], plane)
        _marks(axes, course, styles[option], [*plane.places][3 + 4 * number : -1 : 2 * STEPS], plane, limits)


def _curve(axes: Axes, course: Course, look: Look, dash: Dash, plane: Plane) -> None:
    """One option's curve with its band, or with the bound where none was seen."""
    shown = [course[age] for age in plane.places]
    across, means = np.array([plane.at(age, course) for age in plane.places]).T
    low, high = np.array([[plane.share.at(end) for end in point.ends] for point in shown]).T
    seen = np.array([point.mean > 0 for point in shown])
    axes.fill_between(across[:-1], low[:-1], high[:-1], where=seen[:-1], color=look.colour, alpha=0.25, lw=0)
    unseen = np.where(seen | (high == means), np.nan, high)
    axes.plot(across[:-1], unseen[:-1], ls=(0, (1, 3)), color=look.colour, lw=1)
    axes.plot([across[-1]] * 2, [low[-1], high[-1]], color=look.colour, lw=1, marker="_", ms=5)
    axes.plot(across, means, ls=dash, color=look.colour, lw=1.5, zorder=1.9 if dash == "-" else 2)  # what is broken hides nothing


def _marks(axes: Axes, course: Course, look: Look, ages: Sequence[float], plane: Plane, limits: Sequence[float]) -> None:
    """Markers at these *ages* and at the end; not near limits, where values stand, nor at zero, unless all is and there are no limits."""
    apart_from = [age for age in ages if all(abs(plane.places[age] - plane.places[limit]) > 0.8 for limit in limits)]
    free = [age for age in apart_from if course[age].mean > 0] or ([] if limits else apart_from)
    for hollow in (False, True):
        if of := [age for age in (*free, NEVER) if course[age].is_unseen is hollow]:
            across, up = zip(*(plane.at(age, course) for age in of), strict=True)
            axes.plot(across, up, look.marker, color="white" if hollow else look.colour, mec=INK, ms=4.5, zorder=3, clip_on=False)


def _latest(moments: Mapping[str, Mapping[str, Course]]) -> Mapping[str, Course]:
    """Each option's curve in the incident, or calm where nobody asked in it."""
    return {option: course for found in moments.values() for option, course in found.items()}


def _labels(moments: Mapping[str, Mapping[str, Course]], styles: Mapping[str, Look], incidents: int) -> list[list[Line]]:
    """Each option's name and how many reads get no answer."""
    return [[*name_lines(option, styles[option]), Line(_silence(option, moments, incidents))] for option in _latest(moments)]


def _required(axes: Axes, limit: float, found: Mapping[str, Course], styles: Mapping[str, Look], plane: Plane, incidents: int) -> None:
    """The limit as a line down, the share that may be staler as a line from there, and at it what the options come to."""
    if isnan(limit):
        return
    at, across = plane.places[limit], plane.share.at(ALLOWED)
    bottom, top = axes.get_ylim()
    axes.plot([at, at, axes.get_xlim()[1]], [top, across, across], color=INK, lw=0.9, ls=(0, (4, 2)), zorder=2.5)
    axes.plot([at, at], [across, bottom], color=SOFT, lw=0.6, zorder=2.5)
    above: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "ha": "center"}
    axes.annotate(f"required: {short(limit, 's')}", (at, 1), (0, 2), fontsize=6.5, color=SOFT, **above)
    alike: dict[str, list[str]] = {}
    for option, course in found.items():
        alike.setdefault(_share(course[limit], incidents), []).append(option)
    heights = [plane.at(limit, found[options[0]])[1] for options in alike.values()]
    _values(axes, at, heights, {text: [styles[option] for option in options] for text, options in alike.items()})


def _share(point: Estimate, incidents: int = 0) -> str:
    """A share in a figure, to two digits; where none was seen in how many *incidents*, or below what it is in calm."""
    if point.is_unseen:
        return f"in 0 of {incidents}" if incidents else f"< {_digits(point.high)}"
    return _digits(point.mean)


def _digits(value: float) -> str:
    return short(float(f"{value:.2g}"), "share")


def _values(axes: Axes, at: float, heights: Sequence[float], alike: Mapping[str, Sequence[Look]]) -> None:
    """At a line down the markers of whom each text is of, and right of it the text: at its height, or as near as others let it be.

    The axes must have been laid out.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    low, high = axes.get_ylim()
    inches = axes.get_window_extent().height / figure.dpi
    wanted = (np.array(heights) - low) / (high - low) * inches
    middles = low + apart(wanted, np.full(len(heights), ROW), inches) / inches * (high - low)
    behind: dict[str, Any] = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
    for (text, of), middle in zip(alike.items(), middles, strict=True):
        for number, look in enumerate(of):
            beside = offset_copy(axes.transData, figure, -SIGN * number, 0, units="points")
            face = "white" if text.startswith(("<", "in 0")) else look.colour
            axes.plot(at, middle, look.marker, color=face, mec=INK, ms=5, transform=beside, zorder=4)
        axes.annotate(text, (at, middle), (5, 0), textcoords="offset points", va="center", fontsize=6.5, bbox=behind, zorder=5)


def _silence(option: str, moments: Mapping[str, Mapping[str, Course]], incidents: int) -> str:
    """How many reads get no answer at all, in the incident; and calm, where there are any."""
    calm, hit = (found[option][NEVER] if option in found else None for found in moments.values())
    never = hit or calm
    assert never is not None
    if never.is_zero:
        return "always answered"
    also = f", calm {_share(calm)}" if hit and calm and calm.mean > 0 else ""
    return f"no answer {_share(never, incidents if hit else 0)}{also}"


def _explained(curves: pd.DataFrame) -> str:
    """What the signs mean, and what was asked in how long."""
    (calm, (asked, window)), (incident, (hit, span)) = (
        (name, (rows["reads"].max(), short(float(rows["span_s"].max()), "s"))) for name, rows in moments_of(curves).items()
    )
    limit = f"Dashed: required, {short(ALLOWED, 'share')} may be staler. " if _limits(curves) else ""
    bands = "" if "without" in runs(curves) else ", bands: 95 % interval of each age alone"
    struck = in_so_many([*moments_of(curves).values()][1])
    return (
        f"Means of {runs(curves)}{bands}. {calm.capitalize()}: {asked:,} reads in {window} each, nothing "
        f"fails. {incident}: {struck}, {hit:,} reads from its begin until all options have recovered, on average {span}. Data is as "
        f"old as the first change that it lacks. Hollow, dotted: none seen, and the bound, by changes (calm) or incidents: reads after one "
        f"share its luck. {limit}Surely: the interval is below {short(ALLOWED, 'share')}, never so of few incidents."
    )


def _in_words(found: Mapping[str, Course], age: float) -> str:
    """Each option's share at the *age* that is asked about, and that of no answer."""
    if not found:
        return "nobody asked meanwhile"
    return "; ".join(f"{option} {course[age]} at {short(age, 's')}, {course[NEVER]} never answered" for option, course in found.items())
