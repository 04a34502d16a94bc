"""Storage over years: what was simulated for minutes, extrapolated component by component, and when it passes a budget."""

from math import inf

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.estimates import short, unit_for
from edasim.figures.layout import INCHES, Room, apart, placed
from edasim.figures.looks import Dash, Look, looks
from edasim.figures.picture import INK, SOFT, drawn, mark, runs
from edasim.metrics.storage import COPIES, TRUTH
from edasim.studies.growth import budget_bytes, growing, spent_after, table_times, what_stands_out, when_spent
from edasim.studies.years import MEASURED, TABLE, course, duration

NAMED = 4  # components beside a panel; the others are small
NAMES = {"source": "source's table", "copy": "copies", "read_model": "read models", "dead_letters": "dead letters"}
DASHED: Dash = (0, (4, 2))
TABLE_DASH: Dash = (0, (1.5, 1.2))
UNDER_WAY = ("outbox", "wal", "log", "dead_letters")
ROOM = Room(left=0.52, right=1.78, above=0.36, below=0.4, between=(0.0, 0.3))  # above each panel stands its option
LINE = 0.125  # inches: of a label
Label = tuple[float, str]  # at which height of the axes, in their unit, and what stands there
COMPONENTS = {  # of storage: colour and hatch
    "source": ("#c9d1d9", ""),
    "outbox": ("#f6d7a7", "..."),
    "wal": ("#f6d7a7", "oo"),
    "log": ("#f3e3d3", "////"),
    "copy": ("#cfe6f5", "...."),
    "events": ("#efd3e2", "xxxx"),
    "snapshots": ("#e2d5ee", "----"),
    "archive": ("#dcd0c4", "||||"),
    "read_model": ("#cfeadf", "\\\\\\\\"),
    "dead_letters": ("#f5c6c0", "++"),
}


@drawn
def storage_years(rows: pd.DataFrame, budget: float | str | None = None) -> tuple[Figure, str]:
    """Bytes by component over the years, an option a panel, all on the same axes: the *rows* of `storage_over_years`.

    The square is what was measured at the end of the window; the outline, which comes from the formulas, is solid up to there and dashed
    where it is extrapolated. The band around it is the interval of the total. Dotted: what a table of the same entities would take.
    Above each panel stands when the option passes the *budget* of bytes, if there is one: the ring, and the bar of its interval. What
    waits for somebody who is slower than the changes "keeps growing". Raises InputError for a budget that is no size.
    """
    styles = looks(dict(zip(rows["option"], rows["pattern"], strict=True)))
    limit = None if budget is None else budget_bytes(budget)
    most = max(float(course(rows, option)["high"].max()) for option in styles)
    top = most if limit is None or limit > 3 * most else max(most, limit)
    scale, unit = unit_for("bytes", top)
    title = f"{rows['scenario'].iloc[0]}: {what_stands_out(rows, budget)}"
    high = 1.3 if len(styles) <= 3 else 0.85
    figure, panels = placed(len(styles), 1, high, ROOM, title=title, signs=_signs(rows))
    words = []
    for axes, (option, look) in zip(panels, styles.items(), strict=True):
        axes.set_xlim(0, rows["years"].max())
        axes.set_ylim(0, top / scale * 1.08 or 1)
        axes.set_ylabel(unit)
        axes.tick_params(labelbottom=axes is panels[-1])
        _stack(axes, rows, option, scale)
        said = [text for _, text in _beside(axes, rows, option, scale)]
        spent = "" if limit is None else _spent(axes, rows, option, limit, scale)
        _above(axes, option, look, spent)
        words.append(f"{option}: {', '.join(filter(None, [*said, spent]))}.")
    panels[-1].set_xlabel("years since the start of the run")
    return figure, f"{title}. Bytes stored after {rows['years'].max():g} years. " + " ".join(words)


def _stack(axes: Axes, rows: pd.DataFrame, option: str, scale: float) -> None:
    """The components on top of each other, the outline of their total with its interval, and the table alone."""
    parts = {part: course(rows, option, part)["mean"] / scale for part in _parts(rows, option)}
    total = course(rows, option) / scale
    layers = axes.stackplot(total.index, *parts.values(), colors=[COMPONENTS[part][0] for part in parts])
    for layer, part in zip(layers, parts, strict=True):
        layer.set(hatch=COMPONENTS[part][1], edgecolor=INK, linewidth=0.2)
    axes.fill_between(total.index, total["low"], total["high"], color=INK, alpha=0.3, lw=0)
    known = np.minimum(total.index, rows["simulated"].iloc[0])
    axes.plot(known, np.interp(known, total.index, total["mean"]), color=INK, lw=1.4)
    axes.plot(total.index, total["mean"], color=INK, lw=1.0, ls=DASHED)
    table = course(rows, option, metric=TABLE)["mean"] / scale
    axes.plot(table.index, table, color="white", lw=3.2, solid_capstyle="butt")
    axes.plot(table.index, table, color=INK, lw=1.8, ls=TABLE_DASH)
    measured = course(rows, option, metric=MEASURED)["mean"].iloc[0] / scale
    axes.plot(rows["simulated"].iloc[0], measured, "s", mfc=INK, mec=INK, ms=3.5, clip_on=False, zorder=6)


def _parts(rows: pd.DataFrame, option: str) -> list[str]:
    """The components of an option, from the bottom up: its truth, what is under way, copies."""
    there = set(rows.loc[(rows["option"] == option) & (rows["metric"] == "storage_bytes"), "component"])
    return [part for part in (*TRUTH, *UNDER_WAY, *COPIES) if part in there]


def _beside(axes: Axes, rows: pd.DataFrame, option: str, scale: float) -> list[Label]:
    """To the right of a panel, each at its height: what the option stores in the last year, in total and of what, and the table."""
    last = {part: float(course(rows, option, part)["mean"].iloc[-1]) for part in _parts(rows, option)}
    named = sorted((part for part in last if last[part] > 0), key=lambda part: -last[part])[:NAMED]
    total, table = (float(course(rows, option, metric=metric)["mean"].iloc[-1]) for metric in ("storage_bytes", TABLE))
    times = table_times(rows, option)
    labels = [(total, f"{short(total, 'bytes')}{f', {times}' if times else ''}")]
    bottom = 0.0
    for part, amount in last.items():
        if part in named:
            labels.append((bottom + amount / 2, f"{NAMES.get(part, part)} {short(amount, 'bytes')}{_grows(rows, option, part)}"))
        bottom += amount
    if "source" not in last:
        labels.append((table, f"a table would take {short(table, 'bytes')}"))
    _write(axes, [(height / scale, text) for height, text in labels])
    return labels


def _grows(rows: pd.DataFrame, option: str, part: str) -> str:
    """Behind what waits for somebody who is slower than the changes: that it keeps growing, or may."""
    mine = growing(rows, option)
    sure = mine.loc[mine["component"] == part, "sure"]
    return "" if sure.empty else ", keeps growing" if sure.any() else ", may grow on"


def _write(axes: Axes, labels: list[Label]) -> None:
    """Labels beside a panel, the first of them in bold, each joined to its height by a line."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    high, most = figure.get_figheight() * axes.get_position().height, axes.get_ylim()[1]
    places = np.array([height / most for height, _ in labels])
    middles = apart(places * high, np.full(len(labels), LINE), high) / high
    line = {"arrowstyle": "-", "lw": 0.5, "color": SOFT, "shrinkA": 0, "shrinkB": 0}
    for number, ((_, text), place, middle) in enumerate(zip(labels, places, middles, strict=True)):
        axes.annotate("", (1.0, place), (1.04, middle), xycoords="axes fraction", textcoords="axes fraction", arrowprops=line)
        weight = "normal" if number else "bold"
        axes.text(1.05, middle, text, transform=axes.transAxes, va="center", fontsize=7, fontweight=weight)


def _above(axes: Axes, option: str, look: Look, spent: str) -> None:
    """The name of an option over its panel, and when it passes the budget."""
    mark(axes, axes.transAxes, (0, 1.13), look, points=-4)
    axes.annotate(option, (0, 1.13), (11, 0), xycoords="axes fraction", textcoords="offset points", va="center", fontsize=7.5)
    axes.text(
        1 + ROOM.right / (INCHES - ROOM.left - ROOM.right), 1.13, f"{spent} ", transform=axes.transAxes, ha="right", va="center", fontsize=7
    )


def _spent(axes: Axes, rows: pd.DataFrame, option: str, budget: float, scale: float) -> str:
    """The budget as a line, with a ring where the option passes it and a bar for the interval; in words when that is."""
    after, most = spent_after(rows, option, budget), float(rows["years"].max())
    axes.axhline(budget / scale, color=SOFT, lw=0.8, ls=(0, (1, 1.5)))
    if after.mean < inf:
        axes.plot([after.low, min(after.high, most)], [budget / scale] * 2, color=INK, lw=3, alpha=0.5, solid_capstyle="butt")
        axes.plot(after.mean, budget / scale, "o", mfc="white", mec=INK, ms=5, clip_on=False, zorder=5)
    return f"budget {short(budget, 'bytes')}: {when_spent(after, most)}"


def _signs(rows: pd.DataFrame) -> str:
    """What the signs mean."""
    simulated = duration(float(rows["simulated"].iloc[0]))
    return (
        f"One copy of everything, mean of {runs(rows)}. Square: measured after {simulated}, the end of the run. Dashed outline: "
        "extrapolated, each component by its own formula, from the mean rate and what the window shows of each change. Band: 95 % "
        "interval of the total; it covers the noise of the window, not that later years differ. Dotted: a table of the same entities "
        "that overwrites."
    )
