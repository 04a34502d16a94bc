"""What was measured on real brokers beside what was predicted, and which predictions miss."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from edasim.estimates import short
from edasim.figures.layout import caption, heading
from edasim.figures.looks import Look
from edasim.figures.picture import INK, LINE, SOFT, drawn
from edasim.validation.reality.prediction import NO_CLAIM, OUTSIDE, WITHIN, Prediction

ACROSS = 2
LEGEND = 0.42  # of the height of a panel
MISS = "#B00020"
CLOSE = 0.2  # decades: misses closer together than that share a label
LOOKS: Mapping[str, Look] = {  # in the order of the legend; Okabe and Ito
    "RabbitMQ": Look("#D55E00", "o"),
    "Redis streams": Look("#0072B2", "s"),
    "Redis pub/sub": Look("#56B4E9", "D"),
    "MQTT (QoS 0)": Look("#CC79A7", "v"),
    "MQTT (QoS 1)": Look("#CC79A7", "^"),
    "NATS JetStream": Look("#F0E442", "P"),
    "Kafka protocol": Look("#F0E442", "<"),
    "PostgreSQL": Look("#009E73", "X"),
    "PostgreSQL outbox": Look("#009E73", "p"),
    "SQLite": Look("#E69F00", "d"),
    "eventsourcing (Python)": Look("#999999", "h"),
}
OTHER = Look("#000000", "*")
PANELS: Mapping[str, tuple[str, ...]] = {  # title: how the metrics begin
    "waiting at a broker": ("wait", "latency", "first", "recovery_time"),
    "behind a write store": ("poll: lag", "notify: lag", "delay"),
    "time of replay": ("time to",),
    "messages": ("lost", "full", "acknowledged", "handled", "repeats"),
    "bytes an event": ("bytes",),
    "shares, versions": (
        "poll: share",
        "poll: versions",
        "notify: share",
        "notify: versions",
        "lost by a queue",
        "loss_rate",
        "duplicate_rate",
        "publish_failed_rate",
    ),
}


@drawn
def predictions_figure(predictions: Sequence[Prediction]) -> tuple[Figure, str]:
    """Measured across and predicted up, by decades, a kind of number a panel; misses carry the number that they have in the table."""
    numbers = {found: number for number, found in enumerate(misses_of(predictions), start=1)}
    panels: dict[str, list[Prediction]] = {title: [] for title in PANELS if any(_panel_of(found) == title for found in predictions)}
    for found in predictions:
        panels[_panel_of(found)].append(found)
    rows = -(-len(panels) // ACROSS)
    figure = Figure(figsize=(6.0, 1.7 + 2.3 * rows))
    grid = figure.add_gridspec(rows + 1, ACROSS, height_ratios=[1] * rows + [LEGEND])
    axes = [figure.add_subplot(grid[place // ACROSS, place % ACROSS]) for place in range(len(panels))]
    claimed = [found for found in predictions if found.verdict != NO_CLAIM]
    near = sum(found.verdict == WITHIN for found in claimed)
    heading(figure, f"{near} of {len(claimed)} predictions are as close as is credible")
    for place, (title, shown) in enumerate(panels.items()):
        _panel(axes[place], shown, numbers)
        axes[place].set_title(
            f"{title}: {sum(found.verdict == WITHIN for found in shown)} of {sum(found.verdict != NO_CLAIM for found in shown)}"
        )
    _legend(figure.add_subplot(grid[rows, :]), [broker for broker in LOOKS if any(found.broker == broker for found in predictions)])
    caption(
        figure,
        "Line: predicted is measured. Bar across each point: as far as is credible for it. Ringed: misses, with their numbers in the table "
        "below. Pale: nothing is claimed. Zero stands at the edge. Above each panel: how many are as close as is credible.",
    )
    said = [f"{number}: {found.broker}, {found.metric}, {found.case}" for found, number in numbers.items()]
    parts = [f"{title}: {sum(found.verdict == OUTSIDE for found in shown)} misses among {len(shown)}" for title, shown in panels.items()]
    return figure, f"Measured against predicted. {'; '.join(parts)}. Misses: {'; '.join(said) or 'none'}."


def _panel_of(found: Prediction) -> str:
    """The panel whose beginning of the metric's name fits best."""
    fitting = {begins: title for title, beginnings in PANELS.items() for begins in beginnings if found.metric.startswith(begins)}
    return fitting[max(fitting, key=len)] if fitting else "messages"


def misses_of(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Those outside of what is credible, in their order: the first is number 1."""
    return [found for found in predictions if found.verdict == OUTSIDE]


def _legend(axes: Axes, brokers: Sequence[str]) -> None:
    for broker in brokers:
        axes.plot([], [], LOOKS[broker].marker, ls="none", ms=5, color=LOOKS[broker].colour, mec=INK, mew=0.5, label=broker)
    axes.set_axis_off()
    axes.legend(loc="center", ncols=3)


def _panel(axes: Axes, shown: Sequence[Prediction], numbers: Mapping[Prediction, int]) -> None:
    """The points of one kind of number."""
    unit = shown[0].unit
    sizes = np.array([size for found in shown for size in (found.measured, found.predicted) if size > 0])
    least, most = 10 ** np.floor(np.log10(sizes.min())), 10 ** np.ceil(np.log10(sizes.max()) + 0.1)
    floor = least / 10 if any(0 in (found.measured, found.predicted) for found in shown) else least
    axes.set(xscale="log", yscale="log", xlim=(floor * 0.8, most), ylim=(floor * 0.8, most), xlabel="measured", ylabel="predicted")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value < least * 0.5 else _as_tick(value, unit)))
        axis.set_minor_locator(NullLocator())
    axes.plot([floor, most], [floor, most], color=SOFT, lw=0.8)
    axes.grid(True, color=LINE, lw=0.5)
    for found in shown:
        look, miss = LOOKS.get(found.broker, OTHER), found.verdict == OUTSIDE
        x, y = max(found.measured, floor), max(found.predicted, floor)
        if found.verdict != NO_CLAIM:
            axes.plot([x, x], [max(found.measured - found.allowed, floor), max(found.measured + found.allowed, floor)], color=SOFT, lw=0.6)
        axes.plot(x, y, look.marker, ms=4, color=look.colour, mec=INK, mew=0.4, alpha=0.35 if found.verdict == NO_CLAIM else 1, zorder=3)
        if miss:
            axes.plot(x, y, "o", ms=8, mfc="none", mec=MISS, mew=0.9, zorder=4)
    _number(axes, [(max(found.measured, floor), max(found.predicted, floor), numbers[found]) for found in shown if found in numbers])


def _number(axes: Axes, misses: Sequence[tuple[float, float, int]]) -> None:
    """The numbers of *misses* (measured, predicted, number), those that lie close together as one label, on the side away from the line."""
    groups: list[list[tuple[float, float, int]]] = []
    for miss in sorted(misses):
        near = [group for group in groups if _are_close(group[-1], miss)]
        if near:
            near[0].append(miss)
        else:
            groups.append([miss])
    for group in groups:
        above = group[-1][1] > group[-1][0]
        x, y = (group[0] if above else group[-1])[:2]
        side: dict[str, Any] = {"ha": "right", "va": "bottom"} if above else {"ha": "left", "va": "top"}
        text = "\n".join(wrap(spans(sorted(number for _, _, number in group)), 28))
        axes.annotate(text, (x, y), (-5, 3) if above else (5, -3), textcoords="offset points", fontsize=5.5, color=MISS, **side)


def _are_close(one: tuple[float, float, int], other: tuple[float, float, int]) -> bool:
    """Whether two misses lie close together, on the same side of the line."""
    apart = np.abs(np.log10(np.array(one[:2]) / np.array(other[:2])))
    return bool(apart.max() < CLOSE) and (one[1] > one[0]) == (other[1] > other[0])


def spans(numbers: Sequence[int]) -> str:
    """Numbers in order, those that follow each other as a span.

    >>> spans([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9, 10'
    """
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ", ".join(f"{span[0]}-{span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in found)


def _as_tick(value: float, unit: str) -> str:
    return short(value, unit) if unit in ("s", "bytes") else f"{value:,.10g}"
