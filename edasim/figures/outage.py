"""Loss: what an outage costs, by its length, an option a line."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from edasim.estimates import rounded, short
from edasim.figures.layout import Line, Room, height_beside, label_beside, name_lines, placed, room_beside, room_for_tick
from edasim.figures.looks import Look, looks
from edasim.figures.picture import INK, SOFT, drawn
from edasim.findings import the
from edasim.statistics import none_in
from edasim.studies.outage_findings import grows, headline
from edasim.studies.outages import LONGEST_S, OutageLosses
from edasim.studies.usual_outages import allowed, usual_length

TICKS = {1.0: "1 s", 10.0: "10 s", 60.0: "1 min", 600.0: "10 min", 3600.0: "1 h", LONGEST_S: "6 h"}
BELOW, ABOVE = -0.35, 6.0  # of the axis: beneath zero, and by how much it is higher than the largest loss
WAYS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7")  # of Okabe and Ito's colours those that stand out as lines


@drawn
def loss_against_outage(found: OutageLosses) -> tuple[Figure, str]:
    """How many events each option loses in one outage, against its length.

    Options that lose the same at every length share a line. Upright: the 95th percentile of the scenario's own outages; across: how
    many it allows one to lose. Dashed: extrapolated, as far as the slope is known.
    """
    alike = sorted(found.alike(), key=lambda options: _end(found, options[0])[1])
    patterns = {candidate.name: candidate.pattern for candidate in found.comparison.candidates}
    styles = told_apart(looks(patterns))
    labels = [_label(found, options, styles) for options in alike]
    most = _most(found)
    room = Room(left=0.34 + room_for_tick(_tick(ABOVE * most)), right=room_beside(labels), above=0.25, below=0.45)
    figure, (axes,) = placed(1, 1, max(2.0, height_beside(labels)), room, title=headline(found), signs=_signs(found))
    _axes(axes, found, most)
    for option, *_ in alike:
        _course(axes, found, option, styles[option])
    _limits(axes, found)
    label_beside(axes, [_end(found, options[0]) for options in alike], labels)
    words = [f"{option}: {grows(found, option)}." for option in patterns]
    return figure, f"Events lost in one outage of {the(found.incident.component)}, by its length. {' '.join(words)}"


def told_apart(styles: Mapping[str, Look]) -> dict[str, Look]:
    """These looks, but where all options are of one pattern, so that its colour says nothing, with a colour for each."""
    colours = iter(WAYS if len({look.colour for look in styles.values()}) == 1 else ())
    return {option: replace(look, colour=next(colours, look.colour)) for option, look in styles.items()}


def _most(found: OutageLosses) -> float:
    """The largest number that is shown, of events lost or that may be."""
    ends = [_end(found, option)[1] for option in found.courses] + [lost.ends[1] for course in found.courses.values() for lost in course]
    return max(10.0 / ABOVE, allowed(found.scenario, found.incident) or 0.0, *ends)


def _tick(value: float) -> str:
    return f"{value:,.0f}"


def _axes(axes: Axes, found: OutageLosses, most: float) -> None:
    first = min(1.0, found.lengths[0]) * 0.8
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1, linscale=0.6)
    axes.set(xlim=(first, max(LONGEST_S, found.lengths[-1]) * 1.15), ylim=(BELOW, ABOVE * most))
    axes.set(xlabel=f"length of an outage of {the(found.incident.component)}", ylabel="events lost per incident")
    axes.set_xticks(list(TICKS), list(TICKS.values()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))


def _course(axes: Axes, found: OutageLosses, option: str, look: Look) -> None:
    """One line with its band, and dashed what is beyond; hollow markers where none was seen, none where there is none to lose.

    Between two lengths it is straight on linear axes, so it is bent on these.
    """
    course, further = found.courses[option], found.beyond(option)
    if all(lost.is_zero for lost in course):
        axes.plot([found.lengths[0], LONGEST_S], [0, 0], ls=":", color=INK, lw=0.8)
        return
    between = np.unique(np.concatenate([found.lengths, np.geomspace(found.lengths[0], found.lengths[-1], 200)]))
    low, high, mean = (np.interp(between, found.lengths, part) for part in zip(*((*lost.ends, lost.mean) for lost in course), strict=True))
    axes.fill_between(between, np.maximum(low, 0.0), high, color=look.colour, alpha=0.2, lw=0)
    axes.plot(between, mean, color=look.colour, lw=1.4)
    for length, lost in zip(found.lengths, course, strict=True):
        axes.plot(length, lost.mean, look.marker, color="white" if lost.is_unseen else look.colour, mec=INK, zorder=3)
    if further and further.end > further.start:
        dashed = np.geomspace(further.start, further.end, 60)
        axes.plot(dashed, [further.at(length) for length in dashed], ls=(0, (4, 2.5)), color=look.colour, lw=1.2)


def _end(found: OutageLosses, option: str) -> tuple[float, float]:
    """Where the line of an option ends."""
    course, further = found.courses[option], found.beyond(option)
    if all(lost.is_zero for lost in course):
        return LONGEST_S, 0.0
    return (further.end, further.loss) if further else (found.lengths[-1], course[-1].mean)


def _limits(axes: Axes, found: OutageLosses) -> None:
    """The team's own outage, what it allows one to lose, and from where on all is extrapolated."""
    usual, limit = usual_length(found.scenario, found.incident), allowed(found.scenario, found.incident)
    top, last, box = axes.get_xaxis_transform(), found.lengths[-1], {"fc": axes.get_facecolor(), "ec": "none", "pad": 1}
    if last < LONGEST_S:
        axes.axvline(last, color=SOFT, lw=0.6, ls=":", zorder=0)
        known = any(found.beyond(option) and _end(found, option)[0] > last for option in found.courses)
        words = "extrapolated" if known else "not known"
        axes.text(
            LONGEST_S, 0.985, words, transform=top, ha="right", va="top", fontsize=7, color=SOFT, style="italic", bbox=box, zorder=1.5
        )
    if usual is not None and axes.get_xlim()[0] <= usual <= axes.get_xlim()[1]:
        axes.axvline(usual, color=INK, lw=0.9, zorder=1)
        side = "left" if usual < 3 * axes.get_xlim()[0] else "center"
        axes.text(usual, 1.01, f"your 95th percentile: {short(usual, 's')}", transform=top, ha=side, va="bottom", fontsize=7)
    if limit is not None:
        axes.axhline(limit, color=INK, lw=0.9, ls=(0, (1, 1)), zorder=1)
        words = f"required: at most {limit:,.4g}"
        axes.annotate(
            words, (LONGEST_S, limit), (0, 2), textcoords="offset points", ha="right", va="bottom", fontsize=7, bbox=box, zorder=1.5
        )


def _label(found: OutageLosses, options: Sequence[str], styles: Mapping[str, Look]) -> list[Line]:
    """The options that a line is of, and what they lose at the usual length, or that none was seen in how many."""
    names = [line for option in options for line in name_lines(option, styles[option])]
    runs, course, further = found.comparison.replications, found.courses[options[0]], found.beyond(options[0])
    ends = [Line(f"not beyond {short(further.end, 's')}: {further.why}")] if further and further.why else []
    if all(lost.is_zero for lost in course):
        return [*names, Line("none to lose")]
    if not any(lost.mean for lost in course):
        return [*names, Line(f"0 of {runs}, below {none_in(runs):.2g}"), *ends]
    return [*names, Line(_said(found, options[0])), *ends]


def _said(found: OutageLosses, option: str) -> str:
    """What is lost at the usual length, if that is known, or else in the longest that was simulated."""
    usual, further = usual_length(found.scenario, found.incident), found.beyond(option)
    at = usual if usual in found.lengths else found.lengths[-1]
    if usual and further and further.start < usual <= further.end:
        return f"{short(usual, 's')}: about {rounded(further.at(usual))}"
    return f"{short(at, 's')}: {str(found.courses[option][found.lengths.index(at)]).replace(' events', '')}"


def _signs(found: OutageLosses) -> str:
    runs = found.comparison.replications
    many, band = (f"mean of {runs} outages", "95 % interval") if runs > 1 else ("one outage", "the bound where none was seen")
    return (
        f"Marker: {many} of that length, each alone, less what is lost without it. Band: {band}; hollow: lost in 0 of n outages, so on "
        "average at most about 3/n. Dashed: extrapolated, at the mean rate of changes times the share of them that was lost last, as far "
        "as that share is known. Options that lose the same share a line. All lengths and options share their luck."
    )
