"""Share one pool of servers or split reads from writes: p99 of reads and of writes against load."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edasim.estimates import Estimate
from edasim.figures.layout import Line, caption, heading, name_lines
from edasim.figures.looks import Look, Scale, looks
from edasim.figures.picture import INK, SOFT, drawn, mark
from edasim.figures.source_load import label_all, panel
from edasim.studies.crossover import SIDES, crossover, times
from edasim.studies.split import ANSWERED, COSTLY, READS, SHARED, SPLIT, WRITES, Swept

OPTIONS = (SHARED, COSTLY, SPLIT)


@drawn
def share_or_split(swept: Swept) -> tuple[Figure, str]:
    """p99 of reads and of writes against load: one pool at equal capacity and at equal cost, and the split; upright, their limits."""
    styles = looks({option: swept.options[option].pattern for option in OPTIONS})
    figure = Figure(figsize=(6.0, 4.3))
    panels = dict(zip(SIDES, figure.subplots(2, 1, sharex=True), strict=True))
    words: dict[str, list[str]] = {option: [swept.servers(option)] for option in OPTIONS}
    for metric, axes in panels.items():
        _side(axes, swept, metric, styles, words)
    lowest = panels[WRITES]
    lowest.set_xlim(0, max(swept.loads) * 1.04)
    lowest.set_xlabel("load, in times today's")
    lowest.xaxis.set_major_formatter(FuncFormatter(lambda load, _: times(load) if load else "0"))
    if swept.falls_behind <= max(swept.loads):
        _projectors(panels[READS], swept.falls_behind)
    asked = next((metric for metric in panels if swept.course(SPLIT, metric)), None)
    if asked:
        _labels(figure, panels[asked], swept, styles, asked)
    heading(figure, _title(swept))
    caption(figure, _signs(swept))
    return figure, f"p99 of reads and writes by load. {_title(swept)}. " + " ".join(
        f"{option}: {', '.join(said)}." for option, said in words.items()
    )


def _side(axes: Axes, swept: Swept, metric: str, styles: dict[str, Look], words: dict[str, list[str]]) -> None:
    """One side's latencies of all options, and where each option saturates on this side."""
    found = {option: swept.course(option, metric) for option in styles}
    panel(axes, found, styles, "s", f"{SIDES[metric]}: p99")
    scale = _scale(found)
    if not any(found.values()):
        axes.set_yticks([])
        axes.set_ylabel(f"{SIDES[metric]}: p99")
        axes.text(0.5, 0.5, "nobody asks", transform=axes.transAxes, ha="center", color=SOFT, style="italic")
    for option, course in found.items():
        last = max(course, default=0.0)  # at which any was answered
        words[option].append(f"{SIDES[metric]} {course[last]} at {times(last)} times today's load" if course else f"no {SIDES[metric]}")
        if metric == READS:
            _unanswered(axes, swept, option, scale, styles[option])
    _upright(axes, swept, metric, styles)


def _unanswered(axes: Axes, swept: Swept, option: str, scale: Scale, look: Look) -> None:
    """Hollow markers where reads stay unanswered: the p99 is of those that were answered."""
    answered, course = swept.course(option, ANSWERED), swept.course(option, READS)
    for load in course:
        if answered[load].mean < 1:
            axes.plot(load, scale.at(course[load].mean), look.marker, color="white", mec=look.colour, ms=4.5, clip_on=False, zorder=4)


def _upright(axes: Axes, swept: Swept, metric: str, styles: dict[str, Look]) -> None:
    """Where an option asks for all that its servers can do, with its marker on top; those of close lines stand side by side."""
    most = max(swept.loads) * 1.04
    marked: list[float] = []
    for option, look in styles.items():
        limit = swept.limits[option].reads if metric == READS else swept.limits[option].writes
        if limit <= most:
            axes.axvline(limit, color=INK, lw=0.8, ls=(0, (4, 2)), zorder=0)
            close = sum(abs(limit - other) < 0.03 * most for other in marked)
            mark(axes, axes.get_xaxis_transform(), (limit, 1.07), look, points=-9 * close)
            marked.append(limit)


def _projectors(axes: Axes, load: float) -> None:
    axes.axvline(load, color=INK, lw=0.8, ls=(0, (1, 1.5)), zorder=0)
    axes.annotate(
        "projectors late", (load, 0.97), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points", va="top", fontsize=6.5
    )


def _labels(figure: Figure, axes: Axes, swept: Swept, styles: dict[str, Look], metric: str) -> None:
    """Beside the panels each option's name, its servers, and where it saturates."""
    found = {option: swept.course(option, metric) for option in styles}
    scale = _scale(found)
    ends = [max(course, default=0.0) for course in found.values()]  # the last load at which anything was answered
    points = [(end, scale.at(course[end].mean) if course else 0.0) for end, course in zip(ends, found.values(), strict=True)]
    labels = [[*name_lines(option, look), Line(swept.servers(option)), Line(_limit(swept, option))] for option, look in styles.items()]
    label_all(figure, axes, points, labels)


def _scale(found: Mapping[str, Mapping[float, Estimate]]) -> Scale:
    return Scale.of([size for course in found.values() for point in course.values() for size in (point.mean, point.ends[1])] or [0.0])


def _limit(swept: Swept, option: str) -> str:
    writes, reads = map(times, swept.limits[option])
    return f"saturated at {reads}" if option != SPLIT else f"reads saturated at {reads}, writes {writes}"


def _title(swept: Swept) -> str:
    said = f"{swept.scenario}: at equal cost splitting reads from writes {crossover(swept, COSTLY)}"
    if swept.falls_behind > max(swept.loads):
        return said
    return f"{said}; its projectors fall behind from {times(swept.falls_behind)} times on"


def _signs(swept: Swept) -> str:
    consumers, (changes, reads) = len(swept.options[SPLIT].scenario.consumers), swept.today
    how = "by hand" if swept.options[SPLIT].pattern.truth == "table" else "from the work of one run"
    return (
        f"Mean over runs with its 95 % interval (band). Today: {changes:.3g} changes, {consumers} x {reads:.3g} reads a second. Upright, "
        f"{how}: dashed, a pool is asked for all that it can do; dotted, a projector is, and reads of the split get ever older. Beyond, "
        "latencies depend on how long the run is. Hollow: some reads had no answer in time; where a line ends, all of them. Calls take no "
        "time, nothing fails."
    )
