"""When the source knows what came of its changes: by a plain request, and by an event that answers an event."""

from math import floor, log10

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from edasim.estimates import short
from edasim.figures.layout import Line, caption, heading, label_beside
from edasim.figures.looks import DASHES, Dash, Look, Scale, looks
from edasim.figures.picture import INK, SHADE, drawn
from edasim.studies.outcome import CURVES, NEVER, Learnt

KNOWN = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)  # ticks, and all


@drawn
def outcome_known(found: Learnt) -> tuple[Figure, str]:
    """The share of changes whose outcome the source knows within a time: by request, by request and done, and by an event.

    By decades of the share that is not known yet: 99 % and 99.9 % are as far apart as 90 % and 99 %, and all stands apart on top.
    """
    curves = {metric: rows for metric, rows in found.curves().groupby("metric") if not rows["mean"].isna().any()}
    scale = Scale(_lowest([1 - float(rows["mean"].iloc[-1]) for rows in curves.values()]))
    styles = looks({"request": "request_response", "event": found.pattern})
    figure = Figure(figsize=(6.0, 3.3))
    axes = figure.subplots()
    _axes(axes, scale, found)
    points, labels, words = [], [], []
    for metric, (name, dash) in _ways(found).items():
        look = styles["event" if metric == "known_by_event" else "request"]
        said = "no change in the window"
        if metric in curves:
            said = _in_words(found, metric)
            points.append((axes.get_xlim()[1], _curve(axes, curves[metric], scale, look, dash)))
            labels.append([Line(name, look), *map(Line, said.split("; "))])
        words.append(f"{name}: {said}.")
    if points:
        label_beside(axes, points, labels)
    heading(figure, f"{found.scenario}: when does the source know what {found.consumer} made of a change?")
    runs = "One run, so without bands" if len(found.runs) == 1 else f"Mean of {len(found.runs)} runs; bands: 95 % interval, each time alone"
    caption(
        figure,
        f"{runs}. The event: {found.option}. Both ways meet the same changes, outages and handling times. A refusal is an outcome, too. "
        "Where a line stays below all, the source never learns of the rest. The axis goes by decades of what is not known yet.",
    )
    return figure, f"Share of changes whose outcome at {found.consumer} the source knows, by time. " + " ".join(words)


def _ways(found: Learnt) -> dict[str, tuple[str, Dash]]:
    """The curves that there are to show: what each is called, and its dash."""
    event = {"known_by_event": ("by an event that answers", DASHES[1])}
    if not any(run.refused.any() for run in found.runs):
        return {"known_by_request": ("by request: none refused", DASHES[0]), **event}
    request = {"known_by_request": ("by request: done or refused", DASHES[0]), "done_by_request": ("by request: done", DASHES[2])}
    return {**request, **event}


def _lowest(silent: list[float]) -> float:
    """The lowest decade of shares not known: 0.1 %, or less if that is what stays unknown in the end."""
    return 10.0 ** min(-3, max(-5, floor(log10(min((share for share in silent if share > 1e-9), default=1)))))


def _axes(axes: Axes, scale: Scale, found: Learnt) -> None:
    """Time across by decades, from where the first outcome is known; upwards the share known."""
    longest, first = found.times[-2], min((float(times.min()) for way in CURVES.values() for times in found.taken(way)), default=1e-3)
    axes.set(xscale="log", xlim=(10.0 ** floor(log10(max(first, 1e-3))), max(longest, 1e-2)), ylim=(scale.at(1.0), -0.35))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: short(time, "s")))
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = [share for share in KNOWN if 1 - share > (scale.lowest or 0) * 0.99]
    axes.set_yticks([0.0, *(scale.at(1 - share) for share in ticks)], ["all", *(short(share, "share") for share in ticks)])
    axes.set(xlabel="time since the commit", ylabel="share of outcomes known")
    axes.axhspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)
    axes.text(0, 0.42, "//", transform=axes.get_yaxis_transform(), ha="center", va="center", fontweight="bold", rotation=90)  # broken


def _curve(axes: Axes, rows: pd.DataFrame, scale: Scale, look: Look, dash: Dash) -> float:
    """One way with its band; the place at which it ends."""
    drawn_rows = rows[rows["within_s"] < NEVER]
    times, mean, low, high = (drawn_rows[column].to_numpy() for column in ("within_s", "mean", "low", "high"))
    places = [scale.at(1 - share) for share in mean]
    least, most = ([scale.at(1 - share) for share in np.where(np.isnan(end), mean, end)] for end in (low, high))  # one run has no interval
    axes.fill_between(times, least, most, color=look.colour, alpha=0.25, lw=0)
    axes.plot(times, places, ls=dash, color=look.colour)
    axes.plot(times[-1], places[-1], look.marker, color=look.colour, mec=INK, clip_on=False, zorder=3)
    return places[-1]


def _in_words(found: Learnt, metric: str) -> str:
    """Within what time half is known, and how much ever is."""
    half, silent = found.quantile(CURVES[metric], 0.5), found.never(CURVES[metric])
    ever = "in the end all" if silent.mean == 0 else f"in the end {short(1 - silent.mean, 'share')}"
    return f"{'half within ' + short(half.mean, 's') if half.mean < NEVER else 'never half'}; {ever}"
