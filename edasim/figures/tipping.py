"""Where the better of two options changes, as an input grows."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from edasim.estimates import of_differences
from edasim.figures.layout import caption, heading
from edasim.figures.looks import looks, wrapped
from edasim.figures.picture import INK, SHADE, SOFT, drawn, mark
from edasim.ranges import WIDE
from edasim.studies.tipping import Tipping, where_it_tips


@drawn
def tipping_figure(found: Tipping) -> tuple[Figure, str]:
    """How much more the first option has of the metric than the second, at each value tried, and where that changes its sign."""
    figure = Figure(figsize=(6.0, 3.3))
    axes = figure.subplots()
    heading(figure, f"{found.scenario}: at which {found.over.target} does the better option change?")
    _differences(axes, found)
    _sides(axes, found)
    if found.over.low > 0 and found.over.high > WIDE * found.over.low:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(found.over.low, found.over.high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}" if not found.over.unit else found.over.said(value)))
    axes.set_xlabel(found.over.target)
    counts = sorted({point.replications for point in found.points})
    caption(
        figure,
        f"Mean of {' to '.join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))} runs at each value, paired, with its 95 % "
        "interval, widened for every look. Filled: clear. Hollow: zero is in the interval. Shaded: the tipping point's interval.",
    )
    return figure, f"Difference between {found.options[0]} and {found.options[1]} by {found.over.target}. {where_it_tips(found)}"


def _differences(axes: Axes, found: Tipping) -> None:
    """The difference at each value, with its interval; those that are clear are filled."""
    ends = [end for point in found.points for end in (point.difference.low, point.difference.high)]
    divisor, unit = of_differences(found.unit, max(map(abs, ends)))
    for point in found.points:
        mean, low, high = (size / divisor for size in (point.difference.mean, point.difference.low, point.difference.high))
        axes.plot([point.value] * 2, [low, high], color=INK, lw=1.0, clip_on=False)
        axes.plot(point.value, mean, "o", color=INK if point.sign else "white", mec=INK, ms=4, clip_on=False, zorder=4)
    axes.plot([point.value for point in found.points], [point.difference.mean / divisor for point in found.points], color=SOFT, lw=0.8)
    axes.axhline(0, color=INK, lw=0.8, zorder=0)
    first, second = (wrapped(option, 30) for option in found.options)
    axes.set_ylabel(f"{found.metric} ({unit}),\n{first}\nless {second}", fontsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    most = max(map(abs, ends)) / divisor or 1.0
    axes.set_ylim(-1.1 * most, 1.1 * most)


def _sides(axes: Axes, found: Tipping) -> None:
    """Who is better above and below zero, and the interval of the tipping point."""
    styles = looks(dict(zip(found.options, found.patterns, strict=True)))
    for height, sign in ((0.9, 1), (0.1, -1)):
        best = found.best(sign)
        axes.text(1.06, height, f"{wrapped(best, 24)}\nis better", transform=axes.transAxes, va="center", fontsize=7)
        mark(axes, axes.transAxes, (1.06, height), styles[best], points=9)
    if found.estimate is not None and found.low and found.high:
        axes.axvspan(found.low.value, found.high.value, color=SHADE, lw=0, zorder=-1)
        axes.axvline(found.estimate, color=INK, lw=0.8, ls=(0, (4, 2)), zorder=0)
