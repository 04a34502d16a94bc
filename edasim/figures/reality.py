"""What was measured on real brokers beside what was predicted, and which predictions miss."""

from collections.abc import Mapping, Sequence
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
NUMBERED = 3  # misses of a panel, the furthest: more would cover each other
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
        "Line: predicted is measured. Bar across each point: as far as is credible for it. Ringed: misses; the three furthest of each "
        "panel have their number in the table below. Pale: nothing is claimed. Zero stands at the edge. Above each panel: how many are as "
        "close as is credible.",
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
    for found in sorted((found for found in shown if found in numbers), key=_factor, reverse=True)[:NUMBERED]:
        _number(axes, max(found.measured, floor), max(found.predicted, floor), numbers[found])


def _factor(found: Prediction) -> float:
    """How far off a prediction is as a factor, either way, in decades; where one of both is zero it is furthest."""
    return abs(float(np.log10(found.predicted / found.measured))) if found.predicted and found.measured else np.inf


def _number(axes: Axes, measured: float, predicted: float, number: int) -> None:
    """The number of a miss, on the side away from the line."""
    above = predicted > measured
    side: dict[str, Any] = {"ha": "right", "va": "bottom"} if above else {"ha": "left", "va": "top"}
    place = (measured, predicted)
    axes.annotate(f"{number}", place, (-5, 3) if above else (5, -3), textcoords="offset points", fontsize=6, color=MISS, **side)


def _as_tick(value: float, unit: str) -> str:
    return short(value, unit) if unit in ("s", "bytes") else f"{value:,.10g}"
