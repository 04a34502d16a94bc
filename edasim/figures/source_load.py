"""Notifications turn into load on the source: call backs, what the source has to do, and who waits for it."""

from collections.abc import Mapping, Sequence
from math import inf, isnan

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.estimates import Estimate
from edasim.figures.layout import Line, caption, heading, label_beside, lay_out, name_lines
from edasim.figures.looks import DASHES, Dash, Look, Scale, looks
from edasim.figures.picture import INK, drawn, mark, runs, scale_up
from edasim.studies.source_load import Limits, course, limits_of

PANELS = (  # metric, component, unit, what it is
    ("source_requests_per_s", "call_back", "1/s", "call backs"),
    ("source_utilisation", "", "share", "source work"),
    ("write_latency_p99", "", "s", "commit p99"),
    ("latency_p99", "", "s", "delivery p99"),
)


@drawn
def load_on_source(swept: pd.DataFrame) -> tuple[Figure, str]:
    """What a growing rate of changes asks of the source and who waits for it, an option a line: a `load_sweep`.

    From above: call backs; work asked of the source as a share of what its servers can do; how long changes take to commit, and from
    there until the slowest consumer has handled them. Upright: from where on, by hand, the source or a consumer can't keep up.
    """
    styles = looks(dict(zip(swept["option"], swept["pattern"], strict=True)))
    limits = {option: limits_of(swept, option) for option in styles}
    rates = sorted(set(swept["value"]))
    figure = Figure(figsize=(6.0, 5.6))
    panels = figure.subplots(len(PANELS), 1, sharex=True)
    heading(figure, f"{swept['scenario'].iloc[0]}: do notifications turn into load on the source?")
    words: dict[str, list[str]] = {option: [] for option in styles}
    for axes, (metric, component, unit, label) in zip(panels, PANELS, strict=True):
        found = {option: course(swept, option, metric, component) for option in styles}
        panel(axes, found, styles, unit, label)
        for option, points in found.items():
            words[option].append(f"{label} {points[rates[-1]] if points else 'nothing sent'}")
    panels[1].axhline(1, color=INK, lw=0.8, zorder=0)
    panels[-1].set_xlim(0, rates[-1] * 1.03)
    panels[-1].set_xlabel("changes per second")
    _upright(panels, limits, styles, rates[-1])
    heights = {option: course(swept, option, "source_utilisation")[rates[-1]].mean for option in styles}
    labels = [[*name_lines(option, look), Line(_limit(limits[option]))] for option, look in styles.items()]
    label_all(figure, panels[1], [(rates[-1], height) for height in heights.values()], labels)
    caption(
        figure,
        f"Mean of {runs(swept)} at each rate, with its 95 % interval (band). Upright, by hand: dashed, the "
        "source is asked for all that it can do (100 %); dotted, in the lowest panel, a consumer can't keep up. Beyond either, queues grow "
        "until the run ends, so latencies depend on its length. Reads at the source wait like commits. Nothing fails here.",
    )
    said = " ".join(f"{option}: {', '.join(words[option])}; {_limit(limits[option])}." for option in styles)
    return figure, f"Load on the source by the rate of changes, at {rates[-1]:g} per second. {said}"


def panel(axes: Axes, found: Mapping[str, Mapping[float, Estimate]], styles: Mapping[str, Look], unit: str, label: str) -> None:
    """One metric of all options; by decades where latencies differ much."""
    points = [point for course in found.values() for point in course.values()]
    sizes = [size for point in points for size in (point.mean, point.ends[1])] or [0.0]
    scale = Scale.of(sizes) if unit == "s" else Scale(None)
    scale_up(axes, scale, sizes, unit, label)
    for number, (option, course_of) in enumerate(found.items()):
        _line(axes, scale, course_of, styles[option], DASHES[number % len(DASHES)])


def _line(axes: Axes, scale: Scale, points: Mapping[float, Estimate], look: Look, dash: Dash) -> None:
    """One option's course with its band."""
    if not points:
        return
    rates, means = list(points), [scale.at(point.mean) for point in points.values()]
    low, high = np.array([[scale.at(max(0.0, end)) for end in point.ends] for point in points.values()]).T
    axes.fill_between(rates, low, high, color=look.colour, alpha=0.25, lw=0)
    axes.plot(rates, means, ls=dash, color=look.colour, lw=1.5, marker=look.marker, mec=INK, ms=4.5, clip_on=False)


def _upright(panels: Sequence[Axes], limits: Mapping[str, Limits], styles: Mapping[str, Look], most: float) -> None:
    """Lines where an option meets its first limit, with its marker on top; those of close lines stand side by side."""
    marked: list[tuple[Axes, float]] = []
    for option, found in limits.items():
        first = found.consumers if found.consumers_first else found.source
        if first <= most:
            met, dash = (panels[-1:], (0, (1, 1.5))) if found.consumers_first else (panels, (0, (4, 2)))
            for axes in met:
                axes.axvline(first, color=INK, lw=0.8, ls=dash, zorder=0)
            close = sum(axes is met[0] and abs(first - other) < 0.03 * most for axes, other in marked)
            mark(met[0], met[0].get_xaxis_transform(), (first, 1.07), styles[option], points=-9 * close)
            marked.append((met[0], first))


def _limit(found: Limits) -> str:
    """Which limit an option meets first, in words."""
    if found.consumers_first:
        return f"consumers late from {found.consumers:.3g} /s"
    if isnan(found.source):
        return "no formula for its limit"
    return "source never saturated" if found.source == inf else f"source saturated at {found.source:.4g} /s"


def label_all(figure: Figure, axes: Axes, points: Sequence[tuple[float, float]], labels: Sequence[Sequence[Line]]) -> None:
    """Labels for *points* of one panel, with the height of all panels to spread over."""
    grid = axes.get_subplotspec()
    assert grid is not None
    whole = figure.add_subplot(grid.get_gridspec()[:, 0])
    whole.set(xlim=(0, 1), ylim=(0, 1))
    whole.set_axis_off()
    lay_out(figure)  # now panels have their places
    places = whole.transAxes.inverted().transform(axes.transData.transform(np.array(points)))
    label_beside(whole, [(float(across), float(up)) for across, up in places], labels)
