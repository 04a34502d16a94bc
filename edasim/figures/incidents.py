"""A bad day: one incident over time, and what all of them cost."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edasim.comparison import Comparison
from edasim.estimates import Estimate, short, unit_for
from edasim.figures.comparison import scale_across
from edasim.figures.layout import caption, heading
from edasim.figures.looks import Look, Scale, looks, wrapped
from edasim.figures.picture import INK, SHADE, drawn, looks_of, mark, nothing, runs
from edasim.metrics.backlog import backlog_over_time
from edasim.metrics.over_time import met_over_time
from edasim.studies.incident_course import Course, recovery_in_words
from edasim.studies.incidents import costs_by_incident, happens, often, silent

BINS = 200  # of time
WIDER = 4  # bins in which reads are counted
COLUMNS = {"lost_per_year": "messages lost in a year", "recovery_time": "time to recover"}
ROW = 0.2  # in inches
MOST_TICKS = 4
GAP = 1.3  # rows for the title of an incident
WORDS = 0.6  # of the axes more, for words to the right of what they say
Floats = NDArray[np.float64]


@drawn
def incident_over_time(course: Course) -> tuple[Figure, str]:
    """What waits for a consumer and what its readers meet around one incident, an option a row, until all have recovered.

    Left: messages that wait in all. Right: reads that get stale data, or no answer. Of one run of each option, on one luck.
    """
    number, start = course.scenario.consumer_number(course.consumer), course.when.start
    edges = np.linspace(course.shown[0] * 1e9, course.shown[1] * 1e9, BINS + 1).astype(np.int64)
    scale, unit = unit_for("s", course.shown[1] - start)
    times = (edges / 1e9 - start) / scale
    waits = {option: backlog_over_time(journal, number, edges) for option, journal in course.journals.items()}
    meets = {option: met_over_time(journal, number, edges[::WIDER]) for option, journal in course.journals.items()}
    most = max(1, *(int(found.max()) for found in waits.values()))
    top = _top(max(float(np.max(stale + silent)) for stale, silent in meets.values()))
    figure = Figure(figsize=(6.0, 1.35 + 0.5 * len(waits)))
    grid = figure.subplots(len(waits), 2, sharex=True, squeeze=False)
    words = []
    for (left, right), (option, look) in zip(grid, looks_of(course.journals).items(), strict=True):
        _backlog(left, times, waits[option], most, look)
        _reads(right, times[::WIDER], *meets[option], top, look)
        for axes in (left, right):
            _mark_times(axes, course, option, scale)
        said = recovery_in_words(course, option)
        _name(left, option, look)
        left.annotate(said, (1, 1), (0, 2), xycoords="axes fraction", textcoords="offset points", ha="right", fontsize=6.5)
        words.append(f"{option}: most waiting {int(waits[option].max()):,}, {said}; {_worst(*meets[option])}.")
    for axes, title in zip(grid[0], ("messages waiting", "reads: stale, or no answer"), strict=True):
        axes.annotate(title, (0, 1), (0, 14), xycoords="axes fraction", textcoords="offset points", fontsize=7.5, fontweight="bold")
    for axes in grid[-1]:
        axes.set_xlim(times[0], times[-1])
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.set_xlabel(f"since the incident began ({unit})")
    what = happens(course.incident)
    heading(figure, f"{course.scenario.name}: {what}")
    caption(
        figure,
        f"One run, consumer {course.consumer}. Shaded: the incident. Dashed: recovered, as few wait as before it. Left: committed and not "
        "yet handled; those that are lost never wait. Right, coloured: share of reads that get stale data; hatched: no answer.",
    )
    return figure, f"{what[0].upper()}{what[1:]}: what waits for {course.consumer}, and what its readers meet. " + " ".join(words)


def _top(peak: float) -> float:
    return next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if peak <= top), 1.0)


def _backlog(axes: Axes, times: Floats, waits: NDArray[np.int64], most: int, look: Look) -> None:
    axes.stairs(waits, times, fill=True, color=look.colour, lw=0)
    axes.stairs(waits, times, color=INK, lw=0.4)
    axes.set_ylim(0, 1.1 * most)
    axes.set_yticks([0, most], ["0", f"{most:,}"], fontsize=6)


def _reads(axes: Axes, times: Floats, stale: Floats, unanswered: Floats, top: float, look: Look) -> None:
    axes.stairs(stale, times, fill=True, color=look.colour, lw=0)
    axes.stairs(stale + unanswered, times, baseline=stale, fill=True, fc="white", ec=INK, hatch="///////", lw=0.5)
    axes.stairs(stale, times, color=INK, lw=0.4)
    axes.set_ylim(0, 1.1 * top)
    axes.set_yticks([0, top], ["0", short(top, "share")], fontsize=6)


def _mark_times(axes: Axes, course: Course, option: str, scale: float) -> None:
    """Shade when the option is struck, and mark when it has recovered."""
    if option not in course.met:
        return
    begin, end, recovered = ((time - course.when.start) / scale for time in course.met[option])
    axes.axvspan(begin, end, color=SHADE, lw=0.8, zorder=0)
    if recovered < (course.shown[1] - course.when.start) / scale:
        axes.axvline(recovered, color=INK, lw=0.9, ls=(0, (3, 1.5)))


def _name(axes: Axes, option: str, look: Look) -> None:
    axes.annotate(
        wrapped(option), (0, 0.45), (-34, 0), xycoords="axes fraction", textcoords="offset points", ha="right", va="center", fontsize=7
    )
    mark(axes, axes.transAxes, (0, 0.45), look, points=26)


def _worst(stale: Floats, unanswered: Floats) -> str:
    met = " and ".join(
        f"no answer to up to {short(most, 'share')}" if silent else f"up to {short(most, 'share')} stale"
        for silent, most in enumerate((float(stale.max()), float(unanswered.max())))
        if most > 0
    )
    return f"of reads {met}" if met else "reads are always answered and fresh"


@drawn
def incident_costs_figure(costs: Comparison) -> tuple[Figure, str]:
    """What each incident costs each option that sends messages: lost in a year of such incidents, and how long recovery takes.

    Incidents one below the other, options as rows, of several consumers the one who fares worst.
    """
    quiet, incidents = silent(costs), costs.scenario.incidents
    styles = looks({candidate.name: candidate.pattern for candidate in costs.candidates if candidate.name not in quiet})
    block = len(styles) + GAP
    figure = Figure(figsize=(6.0, 1.2 + ROW * block * len(incidents)))
    words: dict[tuple[str, str], list[str]] = {(incident.name, option): [] for incident in incidents for option in styles}
    never = costs_by_incident(costs, "unrecovered_rate")
    columns = figure.subplots(1, 2, sharey=True)
    for axes, (metric, label) in zip(columns, COLUMNS.items(), strict=True):
        found = {name: _without_messages(by_option) for name, by_option in costs_by_incident(costs, metric).items()}
        scale = _across(axes, [estimate for by_option in found.values() for estimate in by_option.values()], label)
        for place, incident in enumerate(incidents):
            for row, (option, look) in enumerate(styles.items(), 1):
                late = never[incident.name].get(option) if metric == "recovery_time" else None
                said = _cost(axes, place * block + row, look, scale, found[incident.name].get(option), late)
                words[incident.name, option].append(f"{label} {said}")
    _rows(columns[0], styles, [f"{incident.name}, {often(incident)}" for incident in incidents], block)
    columns[1].tick_params(axis="y", length=0)
    heading(figure, f"{costs.scenario.name}: what does each incident cost?")
    left_out = f" Not shown, because they send nothing and so lose nothing: {', '.join(quiet)}." if quiet else ""
    caption(
        figure,
        f"Filled marker: mean of {runs(costs.results)} with one incident each; its line: 95 % interval. Hollow: none seen lost, "
        "line up to the 95 % bound. Of several consumers the one who fares worst. Recovery: from the end of the incident until as few "
        f"wait as before it.{left_out}",
    )
    said = " ".join(f"{incident}, {option}: {', '.join(parts)}." for (incident, option), parts in words.items())
    return figure, f"What each incident costs. {said}"


def _without_messages(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Numbers of messages, with nothing behind them: the axis says what they are."""
    return {option: estimate._replace(unit=estimate.unit.replace("messages", "")) for option, estimate in found.items()}


def _across(axes: Axes, found: Sequence[Estimate], label: str) -> Scale:
    """The axis across, with room for words on its right; what scale it has."""
    sizes = [max(size, 0.0) for estimate in found for size in (estimate.mean, estimate.ends[1])] or [0.0]
    scale = Scale.of(sizes)
    scale_across(axes, scale, max(sizes) or 1.0, found[0].unit if found else "", label)
    axes.tick_params(axis="x", labelsize=6.5)
    if scale.lowest is not None and len(axes.get_xticks()) > MOST_TICKS:  # zero, and every other decade
        kept = [0, *range(1, len(axes.get_xticks()), 2)]
        axes.set_xticks(axes.get_xticks()[kept], [axes.get_xticklabels()[place].get_text() for place in kept])
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + WORDS * (right - left))
    return scale


def _cost(axes: Axes, row: float, look: Look, scale: Scale, found: Estimate | None, never: Estimate | None) -> str:
    """One option's estimate in one incident, and the same in words; dotted on where it is a lower bound."""
    if found is None:
        return nothing(axes, row, "is not struck")
    left, right = (scale.at(max(end, 0.0)) for end in found.ends)
    axes.plot([left, right], [row, row], color=INK, lw=1, marker="|", ms=5)
    axes.plot(scale.at(found.mean), row, look.marker, color="white" if found.is_unseen else look.colour, mec=INK, clip_on=False, zorder=3)
    said = "at once" if found.is_zero and found.unit == "s" else str(found).strip().replace(" )", ")")
    if never is not None and never.mean > 0:
        axes.plot([right, axes.get_xlim()[1]], [row, row], ls=":", color=INK, lw=1)
        said = f"> {short(found.mean, found.unit)}: {short(never.mean, 'share')} never"
    above = 6 if said.startswith(">") else 0
    axes.annotate(said, (right, row), (7, above), textcoords="offset points", va="center", fontsize=7)
    return said


def _rows(axes: Axes, styles: Mapping[str, Look], titles: Sequence[str], block: float) -> None:
    """A title for each incident, and below it the options, each with its marker beside its name."""
    axes.set_ylim(block * len(titles) - GAP + 0.6, -0.6)
    axes.set_yticks(
        [place * block + row for place in range(len(titles)) for row in range(1, len(styles) + 1)], [*styles] * len(titles), fontsize=6.5
    )
    axes.tick_params(axis="y", length=0, pad=16)
    for place, title in enumerate(titles):
        axes.text(
            0.01,
            place * block,
            title,
            fontsize=7.5,
            fontweight="bold",
            va="center",
            transform=axes.get_yaxis_transform(),
        )
        for row, look in enumerate(styles.values(), 1):
            mark(axes, axes.get_yaxis_transform(), (0, place * block + row), look)
