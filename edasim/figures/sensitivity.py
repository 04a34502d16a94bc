"""Which inputs matter: a tornado of single effects, and effects with all others changing as well."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from edasim.estimates import Estimate, of_differences
from edasim.figures.layout import caption, heading
from edasim.figures.looks import wrapped
from edasim.figures.picture import INK, LINE, SOFT, drawn
from edasim.studies.screening import Indices, Screened, what_causes_variance, what_screening_finds
from edasim.studies.sensitivity import Bar, Subject, Tornado, what_matters

LOW, HIGH, PALE = "#56B4E9", "#E69F00", "#ffffff"


@drawn
def tornado_figure(found: Tornado) -> tuple[Figure, str]:
    """What each input changes in the metric at either end of its range, the widest on top."""
    rows = len(found.bars)
    figure = Figure(figsize=(6.0, 1.3 + 0.5 * rows))
    axes = figure.subplots()
    heading(figure, _title(found.about, "which input changes"))
    most = max(abs(end) for bar in found.bars for _, effect in bar.ends for end in effect.ends)
    divisor, unit = of_differences(found.about.unit, most)
    reach = most / divisor or 1.0
    for row, bar in enumerate(found.bars):
        for (_, effect), colour, hatch in zip(bar.ends, (LOW, HIGH), ("", "////"), strict=True):
            _end(axes, row, effect, divisor, colour if bar.is_clear else PALE, hatch)
        _ends_said(axes, row, bar, divisor, reach)
    names = [f"{wrapped(bar.over.path, 26)}\n({bar.over.basis or 'given'}{'' if bar.is_clear else ', unclear'})" for bar in found.bars]
    axes.set_yticks(range(rows), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(-1.45 * reach, 1.45 * reach)
    axes.axvline(0, color=INK, lw=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    whose = f" for {found.about.consumer}" if found.about.consumer else ""
    axes.set_xlabel(f"change of {found.about.metric}{whose} ({unit})\nfrom {found.base}, the scenario as it is")
    caption(
        figure,
        f"Mean of {found.about.replications} runs at each end, paired, with its 95 % interval (line). Plain: lower end; hatched: upper "
        "end. White: zero is in both intervals. One input at a time, all else as the scenario says.",
    )
    return figure, f"Tornado. {what_matters(found)}"


def _title(about: Subject, question: str) -> str:
    return f"{about.scenario.name}: {question} {about.metric} of {about.candidate.name}?"


def _end(axes: Axes, row: int, effect: Estimate, divisor: float, colour: str, hatch: str) -> None:
    """The bar of one end, with its interval."""
    up = 0.12 if hatch else -0.12
    axes.barh(row + up, effect.mean / divisor, 0.24, color=colour, hatch=hatch, ec=INK, lw=0.5)
    axes.plot([end / divisor for end in effect.ends], [row + up] * 2, color=INK, lw=1.0)


def _ends_said(axes: Axes, row: int, bar: Bar, divisor: float, reach: float) -> None:
    """The value of the input beside each end, outside of its interval."""
    for (value, effect), up in zip(bar.ends, (-0.12, 0.12), strict=True):
        right = effect.mean >= 0
        place = max(0.0, effect.ends[1] / divisor) + 0.03 * reach if right else min(0.0, effect.ends[0] / divisor) - 0.03 * reach
        axes.text(place, row + up, bar.over.said(value), ha="left" if right else "right", va="center", fontsize=6.5)


@drawn
def influence_figure(screened: Screened, indices: Indices | None = None) -> tuple[Figure, str]:
    """Morris' mean effects by input, and beside them the Sobol indices, if given, of those that matter."""
    order = sorted(range(len(screened.over)), key=lambda place: -screened.mean_effect[place])
    rows = {screened.over[place].path: row for row, place in enumerate(order)}
    figure = Figure(figsize=(6.0, 1.3 + 0.4 * len(rows)))
    panels = figure.subplots(1, 1 if indices is None else 2, sharey=True, squeeze=False)[0]
    about = screened.about
    heading(figure, _title(about, "what matters to"))
    _effects(panels[0], screened, order)
    panels[0].set_yticks(
        range(len(rows)), [f"{wrapped(screened.over[place].path, 26)}\n({screened.over[place].basis or 'given'})" for place in order]
    )
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    words = what_screening_finds(screened)
    said = (
        "Squares: mean effect over the whole range, all others anywhere in theirs (Morris). Crosses: its spread; where that is as large, "
        "the input interacts or is not linear."
    )
    if indices is not None:
        _shares(panels[1], indices, rows)
        words = what_causes_variance(indices)
        said += " Circles: share of the variance alone, triangles: with others (Sobol)."
    caption(figure, f"{said} Lines: 95 % intervals over samples.")
    return figure, f"Influence of inputs. {words}"


def _effects(axes: Axes, found: Screened, order: list[int]) -> None:
    divisor, unit = of_differences(found.about.unit, float(found.mean_effect.max()))
    for row, place in enumerate(order):
        mean, half, spread = (size[place] / divisor for size in (found.mean_effect, found.half, found.spread))
        axes.plot([max(0.0, mean - half), mean + half], [row] * 2, color=INK, lw=1.0)
        axes.plot(mean, row, "s", color=HIGH, mec=INK, clip_on=False, zorder=4)
        axes.plot(spread, row + 0.22, "x", color=SOFT, ms=4, clip_on=False)
    _striped(axes, len(order), f"effect on {found.about.metric} ({unit})")


def _shares(axes: Axes, found: Indices, rows: dict[str, int]) -> None:
    for place, each in enumerate(found.over):
        for sizes, halves, marker, up in ((found.first, found.first_half, "o", -0.12), (found.total, found.total_half, "^", 0.12)):
            row = rows[each.path] + up
            axes.plot([100 * (sizes[place] - halves[place]), 100 * (sizes[place] + halves[place])], [row] * 2, color=INK, lw=1.0)
            axes.plot(100 * sizes[place], row, marker, color=LOW, mec=INK, ms=4.5, zorder=4, clip_on=False)
    for path in rows.keys() - {each.path for each in found.over}:
        axes.text(2, rows[path], "left as it is: too little effect", va="center", fontsize=6.5, style="italic", color=SOFT)
    _striped(axes, len(rows), "share of its variance (%)")


def _striped(axes: Axes, rows: int, label: str) -> None:
    axes.hlines(range(rows), 0, 1, color=LINE, lw=0.5, transform=axes.get_yaxis_transform(), zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]), right=axes.get_xlim()[1] * 1.05)
    axes.set_xlabel(label)
