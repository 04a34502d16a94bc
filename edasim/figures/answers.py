"""What readers get: how fresh answers are, and how many there are when the source is down."""

from collections.abc import Iterable, Mapping, Sequence
from math import floor, isnan, log10

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from edasim.estimates import Estimate, short
from edasim.figures.looks import DASHES, Dash, Look, Scale, looks
from edasim.figures.picture import INK, LINE, SHADE, SOFT, Line, caption, drawn, label_beside, name_lines, runs, scale_up
from edasim.studies.answers import NEVER, STEPS

LEAST = 1e-4  # of reads: smaller shares stand at the edge of zero's row
AGES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86400.0, 864000.0)  # with a tick, s
DOWNTIMES = (0.5, 0.2, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0001, 0.00001)  # with a tick


@drawn
def freshness_curve(curves: pd.DataFrame) -> tuple[Figure, str]:
    """How many reads are not answered with data fresher than an age, for all ages: a curve an option. *curves* as of `freshness_curves`.

    Ages go by decades; left of them stands the share that does not get the newest data, right of them that which gets no answer.
    """
    scenario, consumer = curves["scenario"].iloc[0], curves["consumer"].iloc[0]
    styles = looks(dict(zip(curves["option"], curves["pattern"], strict=True)))
    known = {option: by_age(curves, option) for option in styles}
    found = {option: course for option, course in known.items() if not isnan(course[0.0].mean)}
    figure = Figure(figsize=(6.0, 3.6))
    axes = figure.subplots()
    figure.suptitle(f"{scenario}: how fresh is what {consumer} gets?", x=0.01, ha="left")
    if not found:
        return figure, _no_curve(axes, f"nobody reads at {consumer}", styles)
    share = Scale(LEAST)
    scale_up(axes, share, [0.0, max(course[0.0].ends[1] for course in found.values())], "share", "reads not answered so, by decades")
    places = _ages_across(axes, found, share)
    for number, (option, course) in enumerate(found.items()):
        _curve(axes, places, course, styles[option], number / len(found), DASHES[number % len(DASHES)], share)
    never = {option: course[NEVER] for option, course in found.items()}
    labels = [[*name_lines(option, styles[option]), Line(_silence(of, "never answered"))] for option, of in never.items()]
    label_beside(axes, [(places[NEVER], share.at(of.mean)) for of in never.values()], labels)
    silent = "".join(f" {option}: nobody reads, so no curve." for option in known if option not in found)
    caption(
        figure,
        f"Mean of {runs(curves)}, for each age alone with its 95 % interval (band). An answer is as old as the "
        "first change that it does not show; no answer is never fresh, so each curve ends at what is never answered. Hollow: none seen. "
        f"Shares below {short(LEAST, 'share')} stand at the edge of zero's shaded row.{silent}",
    )
    return figure, f"What {consumer} gets that is no fresher than an age. " + " ".join(
        f"{option}: {_curve_in_words(course)}." for option, course in found.items()
    ) + silent


def _no_curve(axes: Axes, why: str, options: Iterable[str]) -> str:
    """Say in place of all curves, and in words, why there is none."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, color=SOFT, style="italic", ha="center")
    return f"There is no curve for {', '.join(options)}: {why}."


def by_age(curves: pd.DataFrame, option: str) -> dict[float, Estimate]:
    """One option's share at each age."""
    mine = curves[curves["option"] == option]
    rows = zip(mine["age_s"], mine["mean"], mine["low"], mine["high"], mine["unit"], strict=True)
    return {age: Estimate(*estimate) for age, *estimate in rows}


def _ages_across(axes: Axes, found: Mapping[str, Mapping[float, Estimate]], share: Scale) -> dict[float, float]:
    """The places of the ages between which anything happens, of 0 and of for ever; limits and ticks of the axis across."""
    first, last = _range(found, share)
    scale = Scale(first)
    end = scale.at(last) + 0.8
    ages = [age for age in next(iter(found.values())) if first <= age <= last]
    places = {0.0: 0.0} | {age: scale.at(age) for age in ages} | {NEVER: end}
    ticks = {0.0: "newest"} | {scale.at(age): short(age, "s") for age in AGES if first <= age <= last} | {end: "any data"}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlim(-0.35, end + 0.3)
    axes.set_xlabel("not answered with data fresher than this age, by decades")
    for side in ((-0.35, 0.42), (end - 0.3, end + 0.3)):
        axes.axvspan(*side, color=SHADE, lw=0, zorder=0)
    return places


def _range(found: Mapping[str, Mapping[float, Estimate]], share: Scale) -> tuple[float, float]:
    """The ages between which the curves fall, and a little more: the first is a decade."""
    ages = [age for age in next(iter(found.values())) if 0 < age < NEVER]
    heights = np.array([[share.at(course[age].mean) for age in (0.0, *ages, NEVER)] for course in found.values()])
    falling = np.flatnonzero((np.abs(np.diff(heights)) > 0.02).any(axis=0))  # from the number-th of 0 and the ages to the next
    if not falling.size:
        return ages[0], ages[-1]
    first, last = ages[max(0, int(falling[0]) - 1)], ages[min(len(ages) - 1, int(falling[-1]) + 1)]
    decade = max(ages[0], 10.0 ** floor(log10(first) + 1e-9))
    return decade, max(last, next((age for age in ages if age >= 10 * decade), ages[-1]))


def _curve(
    axes: Axes, places: Mapping[float, float], course: Mapping[float, Estimate], look: Look, begin: float, dash: Dash, share: Scale
) -> None:
    """One option's curve with its band and a marker a decade, the first *begin* of one after the first age."""
    shown = [course[age] for age in places]
    across, means = np.array(list(places.values())), np.array([share.at(point.mean) for point in shown])
    low, high = np.array([[share.at(end) for end in point.ends] for point in shown]).T
    axes.fill_between(across[:-1], low[:-1], high[:-1], color=look.colour, alpha=0.25, lw=0)
    axes.plot([across[-1]] * 2, [low[-1], high[-1]], color=INK, lw=1, marker="_", ms=5)
    axes.plot(across, means, ls=dash, color=look.colour, lw=1.5, zorder=1.9 if dash == "-" else 2)  # what is broken hides nothing
    marks = np.unique([0, len(across) - 1, *range(1 + round(STEPS * begin), len(across) - 1, STEPS)])
    for place in marks:
        face = "white" if shown[place].is_unseen else look.colour
        axes.plot(across[place], means[place], look.marker, color=face, mec=INK, ms=4.5, zorder=3, clip_on=False)


def _silence(share: Estimate, words: str) -> str:
    """How many reads get no answer, in *words*."""
    return "always answered" if share.is_zero else f"{words}: {share}"


def _curve_in_words(course: Mapping[float, Estimate]) -> str:
    asked = {f"{short(age, 's')}": course[age] for age in (0.01, 1.0, 100.0) if age in course}
    told = ", ".join(f"{share} no fresher than {age}" for age, share in asked.items())
    return f"{course[0.0]} not the newest, {told}, {_silence(course[NEVER], 'never answered')}"


@drawn
def availability_against_uptime(swept: pd.DataFrame, consumer: str) -> tuple[Figure, str]:
    """How many reads of *consumer* get no answer, against how much of the time the source is up: an `uptime_sweep`.

    By decades both ways; the grey stripe is what a reader meets who needs the source for every answer.
    """
    mine = swept[swept["consumer"] == consumer]
    styles = looks(dict(zip(mine["option"], mine["pattern"], strict=True)))
    known = {option: points_of(mine, option) for option in styles}
    found = {option: points for option, points in known.items() if points and not isnan(points[0][1].mean)}
    figure = Figure(figsize=(6.0, 3.6))
    axes = figure.subplots()
    figure.suptitle(f"{mine['scenario'].iloc[0]}: who answers {consumer} when the source is down?", x=0.01, ha="left")
    if not found:
        return figure, _no_curve(axes, f"nobody reads at {consumer}, or the source was never down", styles)
    downtimes = [downtime for points in found.values() for downtime, _ in points]
    share = Scale(min(LEAST, 10.0 ** floor(log10(min(downtimes)))))
    sizes = [size for points in found.values() for _, point in points for size in (point.mean, point.ends[1])]
    scale_up(axes, share, [0.0, *sizes], "share", "reads not answered, by decades")
    across = Scale(10.0 ** floor(log10(min(downtimes))))
    _uptimes_across(axes, across, min(downtimes), max(downtimes))
    ends = np.array([min(downtimes), max(downtimes)])
    axes.plot([across.at(end) for end in ends], [share.at(end) for end in ends], color=LINE, lw=7, zorder=0.5)
    zeros = [option for option, points in found.items() if all(point.is_zero for _, point in points)]
    for (option, points), dash in zip(found.items(), DASHES * len(found), strict=False):
        aside = 5.0 * (zeros.index(option) - (len(zeros) - 1) / 2) if option in zeros else 0.0
        _points(axes, [(across.at(downtime), point) for downtime, point in points], styles[option], dash, share, aside)
    worst = {option: points[-1] for option, points in found.items()}
    labels = [[*name_lines(option, styles[option]), Line(_silence(of, "not answered"))] for option, (_, of) in worst.items()]
    label_beside(axes, [(across.at(downtime), share.at(of.mean)) for downtime, of in worst.values()], labels)
    least, most = int(mine["outages"].min()), int(mine["outages"].max())
    caption(
        figure,
        f"Each point: {runs(mine)} with {f'{least} to ' if least < most else ''}{most} random outages of the source in all, "
        f"{short(float(mine['down_s'].iloc[0]), 's')} long on average, at the uptime that they met, with the 95 % interval of the share "
        "at that uptime. Grey stripe: every read needs the source, and fails as often as that is down. "
        "Labels: at the lowest uptime. Markers at 0 stand side by side; hollow: none seen.",
    )
    words = " ".join(f"{option}: {_points_in_words(points)}." for option, points in found.items())
    return figure, f"Reads of {consumer} not answered, by the uptime of the source. {words}"


def points_of(swept: pd.DataFrame, option: str) -> list[tuple[float, Estimate]]:
    """The downtime met and the share not answered, of one option, by downtime; without what met none."""
    mine = swept[(swept["option"] == option) & (swept["downtime"] > 0)].sort_values("downtime")
    rows = zip(mine["downtime"], mine["mean"], mine["low"], mine["high"], mine["unit"], strict=True)
    return [(float(downtime), Estimate(*estimate)) for downtime, *estimate in rows]


def _uptimes_across(axes: Axes, scale: Scale, least: float, most: float) -> None:
    """Limits and ticks of the axis across: downtimes by decades, called by the uptime."""
    ticks = {scale.at(downtime): short(1 - downtime, "share") for downtime in DOWNTIMES if 0.6 * least <= downtime <= 1.7 * most}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlim(scale.at(0.6 * least), scale.at(1.7 * most))
    axes.set_xlabel("share of the time that the source is up, its downtime by decades")


def _points(axes: Axes, points: Sequence[tuple[float, Estimate]], look: Look, dash: Dash, share: Scale, aside: float) -> None:
    """One option's points, their intervals, and a line through them; moved so many typographic points *aside*."""
    beside = offset_copy(axes.transData, axes.get_figure(root=True), aside, 0, units="points")
    across, means = [place for place, _ in points], [share.at(point.mean) for _, point in points]
    axes.plot(across, means, ls=dash, color=look.colour, lw=1.5)
    for place, point in points:
        axes.plot([place, place], [share.at(end) for end in point.ends], color=INK, lw=1, marker="_", ms=5)
        face = "white" if point.is_unseen else look.colour
        axes.plot(place, share.at(point.mean), look.marker, color=face, mec=INK, zorder=3, transform=beside)


def _points_in_words(points: Sequence[tuple[float, Estimate]]) -> str:
    if all(point.is_zero for _, point in points):
        return "always answered"
    return ", ".join(f"{point} at {short(1 - downtime, 'share')}" for downtime, point in points)
