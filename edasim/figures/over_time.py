"""Figures of one run over time: what readers meet while things fail, and where the bytes pile up."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from edasim.estimates import short, unit_for
from edasim.figures.looks import Look, wrapped
from edasim.figures.picture import INK, SHADE, caption, drawn, looks_of, mark
from edasim.journal import Journal
from edasim.metrics import measure
from edasim.metrics.over_time import met_over_time, outages_of
from edasim.summary import ABSENT

BINS = 300  # of time
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
def bad_day(journals: Mapping[str, Journal], consumer: str) -> tuple[Figure, str]:
    """What readers at *consumer* meet over time, an option a row: stale data, or no answer, as shares of what they ask.

    *journals* by option, of one luck. Outages of source, broker and consumer are named on top and shaded where an option meets them.
    """
    first = next(iter(journals.values()))
    number = first.facts["consumers"].index(consumer)
    start, end = first.facts["window"]
    edges = np.linspace(start, end, BINS + 1).astype(np.int64)
    scale, unit = unit_for("s", edges[-1] / 1e9)
    met = {option: met_over_time(journal, number, edges) for option, journal in journals.items()}
    peak = max(float(np.max(stale + silent)) for stale, silent in met.values())
    top = next(top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if peak <= top or top == 1.0)
    down = {name: spans for journal in journals.values() for name, spans in outages_of(journal, consumer).items()}
    figure = Figure(figsize=(6.0, 0.75 + 0.16 * len(down) + 0.41 * len(journals)))
    lanes, *rows = figure.subplots(len(journals) + 1, 1, sharex=True, height_ratios=[0.16 * max(len(down), 1)] + [0.4] * len(journals))
    _lanes(lanes, down, scale)
    words = []
    for axes, (option, look) in zip(rows, looks_of(journals).items(), strict=True):
        (stale, silent), times = met[option], edges / 1e9 / scale
        for start, end in np.concatenate([*outages_of(journals[option], consumer).values(), np.empty((0, 2))]) / 1e9 / scale:
            axes.axvspan(start, end, color=SHADE, lw=0.8, zorder=0)
        axes.stairs(stale, times, fill=True, color=look.colour, lw=0)
        axes.stairs(stale + silent, times, baseline=stale, fill=True, fc="white", ec=INK, hatch="///////", lw=0.5)
        axes.stairs(stale, times, color=INK, lw=0.4)
        axes.set_ylim(0, top)
        axes.set_yticks([0, top], ["0", short(top, "share")], fontsize=6)
        words.append(_totals(axes, journals[option], consumer, option, look))
    rows[-1].set_xlabel(f"time since the start of the run ({unit})")
    lanes.set_title(f"{first.facts['scenario']}: what do readers at {consumer} meet?")
    caption(
        figure,
        "One run. Coloured: share of reads that get stale data. Hatched: no answer. Shaded: something that the option needs is down.",
    )
    return figure, f"What readers at {consumer} meet over the window. " + " ".join(words)


def _lanes(axes: Axes, down: Mapping[str, NDArray[np.int64]], scale: float) -> None:
    """A line for each component that is ever down, with its outages."""
    for lane, spans in enumerate(down.values()):
        starts, lengths = spans[:, 0] / 1e9 / scale, np.diff(spans)[:, 0] / 1e9 / scale
        axes.barh(lane, lengths, height=0.7, left=starts, color=INK, ec=INK, lw=0.6)
    axes.set_yticks(range(len(down)), [f"{name} down" for name in down], fontsize=7)
    axes.set_ylim(max(len(down), 1) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for column, heading in enumerate(("stale", "no answer", "lost")):
        axes.annotate(heading, (1, 0), (38 + 42 * column, 0), xycoords="axes fraction", textcoords="offset points", ha="right", fontsize=7)


def _totals(axes: Axes, journal: Journal, consumer: str, option: str, look: Look) -> str:
    """An option's name before its row, behind it what it adds up to in the window, and the same in words."""
    found = {value.metric: value.value for value in measure(journal) if value.consumer == consumer}
    unanswered = 1 - found["read_availability"] if "read_availability" in found else None
    stale, silent, lost = map(_said, (found.get("stale_fraction"), unanswered, found.get("loss_rate")))
    sends = journal.facts["sends"][journal.facts["consumers"].index(consumer)]
    for place, text in ((-38, wrapped(option)), (38, stale), (80, silent), (122, lost if sends else "none sent")):
        side = (float(place > 0), 0.45)
        axes.annotate(text, side, (place, 0), xycoords="axes fraction", textcoords="offset points", ha="right", va="center", fontsize=7)
    mark(axes, axes.transAxes, (0, 0.45), look, points=29)
    return f"{option}: stale {stale} of the time, no answer to {silent} of reads, {f'lost {lost}' if sends else 'nothing sent'}."


def _said(share: float | None) -> str:
    if share is None:
        return ABSENT
    return "< 0.001 %" if 0 < share < 1e-5 else short(share, "share")


@drawn
def storage_over_time(journals: Mapping[str, Journal]) -> tuple[Figure, str]:
    """Bytes by component over time, an option a panel, all on the same axes. *journals* by option."""
    tables = {option: journal.frame("storage").pivot_table("bytes", "time", "component", "sum") for option, journal in journals.items()}
    most = max(float(table.sum(axis=1).max()) for table in tables.values())
    seconds, time_unit = unit_for("s", max(float(table.index[-1]) for table in tables.values()))
    scale, unit = unit_for("bytes", most)
    down = -(-len(tables) // 3)
    figure = Figure(figsize=(6.0, 0.9 + 1.3 * down))
    grid = figure.subplots(down, 3, sharex=True, sharey=True, squeeze=False)
    words = []
    for axes, (option, look) in zip(grid.flat, looks_of(journals).items(), strict=False):
        table, end = tables[option], tables[option].iloc[-1]
        parts = [component for component in COMPONENTS if component in table]
        layers = axes.stackplot(
            table.index / seconds, *(table[part] / scale for part in parts), colors=[COMPONENTS[part][0] for part in parts]
        )
        for layer, part in zip(layers, parts, strict=True):
            layer.set(hatch=COMPONENTS[part][1], edgecolor=INK, linewidth=0.4)
        axes.set_title(wrapped(option, 22), fontsize=7.5)
        axes.plot(0.06, 0.9, look.marker, color=look.colour, mec=INK, transform=axes.transAxes)
        axes.text(0.12, 0.9, short(float(end.sum()), "bytes"), transform=axes.transAxes, va="center", fontsize=7)
        words.append(f"{option}: " + ", ".join(f"{part} {short(float(end[part]), 'bytes')}" for part in parts) + ".")
    for axes in grid.flat[len(tables) :]:
        axes.set_visible(False)
    for number, axes in enumerate(grid.flat):
        axes.set_xlabel(time_unit if number + 3 >= len(tables) else "")
        axes.tick_params(labelbottom=number + 3 >= len(tables))
        axes.set_ylabel(unit if number % 3 == 0 else "")
    axes.set_ylim(0, most / scale * 1.3)
    used = [part for part in COMPONENTS if any(part in table for table in tables.values())]
    keys = [Patch(facecolor=COMPONENTS[part][0], hatch=COMPONENTS[part][1], edgecolor=INK, label=part.replace("_", " ")) for part in used]
    figure.legend(handles=keys, loc="outside lower center", ncols=min(len(used), 6))
    return figure, "Bytes stored at the end of the window. " + " ".join(words)
