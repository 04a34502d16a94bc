"""How a metric settles from an empty start, and where its warm-up is cut."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.estimates import unit_for
from edasim.figures.layout import caption, heading
from edasim.figures.looks import Look, looks
from edasim.figures.picture import INK, SHADE, SOFT, drawn, mark
from edasim.scenario import Scenario
from edasim.studies.warm_up import Course, is_warm_up_enough, moving_average

MOST = 5  # options
SMOOTH = 20  # the moving average is over this part of the course on either side


@drawn
def warm_up_figure(scenario: Scenario, courses: Sequence[Course]) -> tuple[Figure, str]:
    """The course of each option from an empty start, at most five: its moving average, the cut and the scenario's own warm-up."""
    shown = courses[:MOST]
    figure = Figure(figsize=(6.0, 0.9 + 0.95 * len(shown)))
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    heading(figure, f"{scenario.name}: is its warm-up long enough?")
    styles = looks({course.option: course.pattern for course in shown})
    for axes, course in zip(panels, shown, strict=True):
        _course(axes, course, styles[course.option])
        axes.axvspan(0, scenario.warmup, color=SHADE, lw=0, zorder=0)
    panels[-1].set_xlim(0, scenario.warmup + scenario.duration)
    panels[-1].set_xlabel("seconds from an empty start")
    left = f" Options left out: {len(courses) - len(shown)}." if len(courses) > len(shown) else ""
    caption(
        figure,
        "Mean over runs by change (or read, or second), pale; dark, its moving average (Welch). Shaded: the scenario's own warm-up. "
        f"Dashed: what MSER-5 cuts off. Nothing fails here.{left}",
    )
    return figure, f"From an empty start. {is_warm_up_enough(scenario, shown)}"


def _course(axes: Axes, course: Course, look: Look) -> None:
    """One option's course with its moving average and its cut."""
    divisor, unit = unit_for(course.unit, float(course.values.max(initial=0.0)))
    values = course.values / divisor
    smooth = moving_average(values, len(values) // SMOOTH)
    axes.plot(course.times, values, color=look.colour, lw=0.4, alpha=0.6)
    axes.plot(course.times[: smooth.size], smooth, color=INK, lw=1.4)
    axes.set_ylim(0, 1.05 * (values.max(initial=0.0) or 1.0))
    axes.set_ylabel(f"{course.metric}\n({unit})", fontsize=7)
    said = "refused: has not settled" if course.cut is None else "settled from the start" if course.cut == 0 else ""
    if course.cut:
        axes.axvline(course.cut, color=INK, lw=1.0, ls=(0, (4, 2)))
    axes.text(0.03, 1.02, course.option, transform=axes.transAxes, va="bottom", fontsize=7.5)
    mark(axes, axes.transAxes, (0.03, 1.1), look, points=8)
    axes.text(1, 1.02, said, transform=axes.transAxes, va="bottom", ha="right", fontsize=7, style="italic", color=SOFT)
