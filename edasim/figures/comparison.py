"""Figures of results over replications: estimates with their intervals, one option or one value of an input beside the other."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from edasim.estimates import Estimate, estimates, short, unit_for
from edasim.figures.layout import Room, height_for_names, placed, room_for_names
from edasim.figures.looks import Look, Scale, looks
from edasim.figures.picture import INK, SHADE, drawn, name_rows, nothing, runs

ROW = 0.24  # inches


class Panel(NamedTuple):
    """What a panel shows of each option, the question it answers, what its axis is called, and what one must know to read it."""

    metric: str
    title: str
    label: str
    note: str = ""


PANELS = (
    Panel("loss_rate", "How much is lost?", "changes lost"),
    Panel("stale_fraction", "How often are readers stale?", "time stale"),
    Panel("storage_growth_bytes_per_day", "How fast does storage grow?", "growth per day"),
    Panel("rebuild_time", "How long does a rebuild take?", "rebuild time"),
)
CALLS_OR_COPIES = (
    Panel("source_requests_per_s", "How often is the source asked?", "requests to the source", "Requests: writes, too."),
    Panel("stale_fraction", "How often are readers stale?", "time stale"),
    Panel("wire_bytes_per_s", "What goes over the wire?", "bytes on the wire", "Bytes: messages and answers, not the questions."),
    Panel("duplication_factor", "How many copies are kept?", "copies of all", "Copies: caches, which hold part, do not count."),
)


@drawn
def one_screen_figure(results: pd.DataFrame, panels: Sequence[Panel] = PANELS) -> tuple[Figure, str]:
    """Four metrics side by side, options as rows, of several consumers the one who fares worst.

    By default what is lost, how stale readers are, how storage grows, how long a rebuild takes; with `CALLS_OR_COPIES` what the source,
    the readers, the wire and the disks pay. *results* as `compare` returns them. Zero by nature, none seen up to a bound, and what
    does not apply are told apart in words.
    """
    styles = looks(dict(zip(results["option"], results["pattern"], strict=True)))
    signs = (
        f"Filled marker: mean of {runs(results)}; its line: 95 % interval. "
        "Hollow marker: none seen, line up to the 95 % bound. Of several consumers the one who fares worst."
    )
    signs = " ".join([signs, *(panel.note for panel in panels if panel.note)])
    room = Room(left=room_for_names(styles), right=0.2, above=0.22, below=0.4, between=(0.25, 0.66))
    figure, grid = placed(2, 2, max(0.5, height_for_names(styles, ROW)), room, signs=signs)
    words: dict[str, list[str]] = {option: [] for option in styles}
    for number, (axes, (metric, title, label, _)) in enumerate(zip(grid, panels, strict=True)):
        found = estimates(results, metric)
        sizes = [size for estimate in found.values() for size in (estimate.mean, estimate.ends[1])] or [0.0]
        scale = Scale.of(sizes)
        axes.set_title(title)
        for estimate in list(found.values())[:1]:
            scale_across(axes, scale, max(sizes) or 1.0, estimate.unit, label)
        name_rows(axes, styles, named=number % 2 == 0)
        for row, (option, look) in enumerate(styles.items()):
            said = _estimate(axes, row, look, scale, found[option]) if option in found else nothing(axes, row, "does not apply")
            words[option].append(f"{label} {said}")
    return figure, "Options as rows. " + " ".join(f"{option}: {', '.join(said)}." for option, said in words.items())


def scale_across(axes: Axes, scale: Scale, most: float, unit: str, label: str) -> None:
    """Limits, ticks and label of the axis across, for numbers of up to *most*."""
    divisor, name = unit_for(unit, most)
    if scale.lowest is None:
        axes.set_xlabel(f"{label} ({name.removesuffix('/day')})")
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / divisor:g}"))
        axes.set_xlim(-0.06 * most, most * 1.1)
        return
    axes.set_xlabel(f"{label}, by decades")
    ticks = scale.ticks(most, unit)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlim(-0.35, max(scale.at(most) + 0.3, 2))
    axes.axvspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)
    axes.text(0.42, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center", fontweight="bold")  # the axis is broken


def _estimate(axes: Axes, row: int, look: Look, scale: Scale, found: Estimate) -> str:
    """One option's mean and interval in one panel, and the same in words."""
    left, right = (scale.at(max(end, min(found.mean, 0))) for end in found.ends)
    axes.plot([left, right], [row, row], color=INK, lw=1, marker="|", ms=5)
    axes.plot(scale.at(found.mean), row, look.marker, color="white" if found.is_unseen else look.colour, mec=INK, clip_on=False, zorder=3)
    said = f"none seen: {found}" if found.is_unseen else "0 by nature" if found.is_zero else short(found.mean, found.unit)
    start, end = axes.get_xlim()
    needed = (0.07 + 0.028 * len(said)) * (end - start)  # for the words, at this size
    place, offset, side = scale.at(found.mean), (0, 7), "center"  # above the line, where there is no room beside it
    if end - right > needed:
        place, offset, side = right, (7, 0), "left"
    elif left - start > needed:
        place, offset, side = left, (-7, 0), "right"
    elif found.is_unseen:
        offset, side = (5, 6), "left"
    style = "italic" if found.mean == 0 else "normal"
    axes.annotate(said, (place, row), offset, textcoords="offset points", ha=side, va="center", fontsize=7, style=style)
    return said if found.mean == 0 else str(found)
