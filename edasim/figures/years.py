"""Storage over years: what was simulated for minutes, extrapolated component by component, and when it passes a budget."""

from math import inf

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from edasim.estimates import Estimate, short, unit_for
from edasim.figures.looks import Look, looks, wrapped
from edasim.figures.over_time import COMPONENTS
from edasim.figures.picture import INK, NAME, SOFT, caption, drawn, runs
from edasim.studies.years import MEASURED, course, duration, spent_after
from edasim.units import size

NAMED = 4  # components beside a panel; the others are summed up
DASHED = (0, (4, 2))


@drawn
def storage_years(rows: pd.DataFrame, budget: float | str | None = None) -> tuple[Figure, str]:
    """Bytes by component over the years, an option a panel, all on the same axes: the *rows* of `storage_over_years`.

    The square is what was measured at the end of the window; the outline, which comes from the formulas, is solid up to there and dashed
    where it is extrapolated. The band around it is the interval of the total.
    Beside each panel stands what the last year holds, and when the option passes the *budget* of bytes, if there is one (the ring).
    """
    styles = looks(dict(zip(rows["option"], rows["pattern"], strict=True)))
    limit = None if budget is None else size(budget)
    most = max(float(course(rows, option)["high"].max()) for option in styles)
    top = most if limit is None or limit > 3 * most else max(most, limit)
    scale, unit = unit_for("bytes", top)
    figure = Figure(figsize=(6.0, 1.0 + 1.15 * len(styles)))
    panels = figure.subplots(len(styles), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    figure.suptitle(f"{rows['scenario'].iloc[0]}: what does storage grow to over the years?", x=0.01, ha="left")
    words = []
    for axes, (option, look) in zip(panels, styles.items(), strict=True):
        _stack(axes, rows, option, scale)
        axes.set_ylabel(unit)
        spent = [] if limit is None else [_spent(axes, rows, option, limit, scale)]
        words.append(f"{option}: {_beside(axes, rows, option, look, spent)}")
    panels[-1].set_xlabel("years since the start of the run")
    panels[-1].set_xlim(0, rows["years"].max())
    panels[-1].set_ylim(0, top / scale * 1.12)
    _simulated(panels[0], rows)
    caption(
        figure,
        f"One copy of everything, mean of {runs(rows)}. Square: measured at the end of the window. Dashed: extrapolated from the rates and "
        "sizes in the window, each component by its own formula. Band: 95 % interval of the total; it covers the noise of these rates, not "
        "that later years differ from the window.",
    )
    return figure, f"Bytes stored after {rows['years'].max():g} years. " + " ".join(words)


def _stack(axes: Axes, rows: pd.DataFrame, option: str, scale: float) -> None:
    """The components on top of each other, and the outline of their total with its interval."""
    parts = {part: course(rows, option, part)["mean"] / scale for part in _parts(rows, option)}
    total = course(rows, option) / scale
    layers = axes.stackplot(total.index, *parts.values(), colors=[COMPONENTS[part][0] for part in parts])
    for layer, part in zip(layers, parts, strict=True):
        layer.set(hatch=COMPONENTS[part][1], edgecolor=INK, linewidth=0.2)
    axes.fill_between(total.index, total["low"], total["high"], color=INK, alpha=0.3, lw=0)
    known = np.minimum(total.index, rows["simulated"].iloc[0])
    axes.plot(known, np.interp(known, total.index, total["mean"]), color=INK, lw=1.4)
    axes.plot(total.index, total["mean"], color=INK, lw=1.0, ls=DASHED)
    measured = course(rows, option, metric=MEASURED)["mean"].iloc[0] / scale
    axes.plot(rows["simulated"].iloc[0], measured, "s", mfc=INK, mec=INK, ms=3.5, clip_on=False, zorder=6)


def _parts(rows: pd.DataFrame, option: str) -> list[str]:
    """The components of an option, from the bottom up."""
    there = set(rows.loc[(rows["option"] == option) & (rows["metric"] == "storage_bytes"), "component"])
    return [part for part in COMPONENTS if part in there]


def _beside(axes: Axes, rows: pd.DataFrame, option: str, look: Look, spent: list[Line2D]) -> str:
    """To the right of a panel: the option, what it stores in the last year, and the budget; the same in words."""
    last = {part: float(course(rows, option, part)["mean"].iloc[-1]) for part in _parts(rows, option)}
    mean, low, high = course(rows, option).iloc[-1]
    total = f"total {Estimate(mean, low, high, 'bytes')}"
    named = [part for part in sorted(last, key=lambda part: -last[part])[:NAMED] if last[part] > 0]
    said = {part: f"{part.replace('_', ' ')} {short(last[part], 'bytes')}" for part in reversed(last) if part in named}
    keys: list[Line2D | Patch] = [
        Line2D([], [], ls="", marker=look.marker, color=look.colour, mec=INK, label=wrapped(option, NAME)),
        Line2D([], [], color=INK, lw=1.0, ls=DASHED, label=total),
    ]
    keys += [Patch(fc=COMPONENTS[part][0], hatch=COMPONENTS[part][1], ec=INK, label=text) for part, text in said.items()]
    axes.legend(handles=keys + spent, loc="upper left", bbox_to_anchor=(1.0, 1.12), fontsize=7, labelspacing=0.25, frameon=False)
    return f"{', '.join([total, *said.values(), *(str(line.get_label()) for line in spent)])}."


def _spent(axes: Axes, rows: pd.DataFrame, option: str, budget: float, scale: float) -> Line2D:
    """The budget as a line, with a ring where the option passes it; that line with its name."""
    after = spent_after(rows, option, budget)
    passed = after.mean < inf
    line = axes.axhline(budget / scale, color=SOFT, lw=0.8, ls=(0, (1, 1.5)))
    if passed:
        axes.plot(after.mean, budget / scale, "o", mfc="white", mec=INK, ms=5, clip_on=False, zorder=5)
    when = f"after {duration(after.mean)}" if passed else f"not in {rows['years'].max():g} years"
    line.set_label(f"budget {short(budget, 'bytes')}: {when}")
    return line


def _simulated(axes: Axes, rows: pd.DataFrame) -> None:
    """Say above the first panel how little of the time was simulated."""
    years = float(rows["simulated"].iloc[0])
    text = f"simulated: the first {duration(years)}; all beyond is extrapolated"
    axes.set_title(text, fontsize=7, fontweight="normal", color=SOFT)
    for panel in axes.get_shared_x_axes().get_siblings(axes):
        panel.axvline(years, color=INK, lw=0.8)
