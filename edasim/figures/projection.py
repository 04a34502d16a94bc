"""How late the read model is: the share of changes that one misses by how soon one reads them back, pushed and polled."""

from math import ceil, floor, log10

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from edasim.estimates import Estimate, short
from edasim.figures.layout import Line, caption, heading, label_beside, name_lines
from edasim.figures.looks import DASHES, Dash, Look, Scale, looks
from edasim.figures.picture import INK, SHADE, SOFT, drawn
from edasim.studies.projection import Lags

DECADES = 4  # of shares missed, at most
TIMES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0)  # ticks


@drawn
def projection_lag(found: Lags) -> tuple[Figure, str]:
    """The share of changes that is missed by the time from commit to reading back, a way to get there a line; upright, `own_after`."""
    styles = looks(found.patterns)
    curves = {str(option): rows for option, rows in found.curves().groupby("option", sort=False) if not rows["mean"].isna().any()}
    figure = Figure(figsize=(6.0, 3.4))
    axes = figure.subplots()
    scale = Scale(_lowest(curves))
    _axes(axes, scale, found)
    points, labels, words = [], [], []
    for number, (option, look) in enumerate(styles.items()):
        said = ["no change in the window"]
        if option in curves:
            said = _in_words(found, option)
            points.append((axes.get_xlim()[1], _curve(axes, curves[option], scale, look, DASHES[number % len(DASHES)], number)))
            labels.append([*name_lines(option, look), *map(Line, said)])
        words.append(f"{option}: {', '.join(said)}.")
    if points:
        label_beside(axes, points, labels)
    heading(figure, _title(found, curves))
    runs = len(next(iter(found.runs.values())))
    bands = "One run, so without bands" if runs == 1 else f"Mean of {runs} runs; bands: 95 % interval, each time alone"
    caption(
        figure,
        f"{bands}. A change is missed until the read model shows it or a newer version. Outages of the scenario are in it; where a line "
        "levels out, the rest never comes. By decades: what is smaller than the lowest stands at its edge, none stands apart.",
    )
    return figure, f"Share of changes missed at {found.consumer} by the time since the commit. " + " ".join(words)


def _lowest(curves: dict[str, pd.DataFrame]) -> float:
    """The lowest decade: that of the least share above zero, but at most four decades."""
    least = min((float(share) for rows in curves.values() for share in rows["mean"] if share > 0), default=1e-2)
    return 10.0 ** max(-DECADES, floor(log10(least)))


def _axes(axes: Axes, scale: Scale, found: Lags) -> None:
    first = min((float(run.min()) for runs in found.runs.values() for run in runs if run.size and np.isfinite(run.min())), default=1e-3)
    start = 10.0 ** floor(log10(min(max(first, 1e-3), found.own_after or 1.0)))
    axes.set(xscale="log", xlim=(start, max(found.times[-1], 10 * start)), ylim=(-0.35, scale.at(1.0) + 0.08))
    across = [time for time in TIMES if start <= time <= axes.get_xlim()[1]]
    axes.set_xticks(across, [short(time, "s") for time in across])
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = scale.ticks(1.0, "share")
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set(xlabel="time from the commit to reading back", ylabel="changes missed")
    axes.axhspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)
    axes.text(0, 0.42, "//", transform=axes.get_yaxis_transform(), ha="center", va="center", fontweight="bold", rotation=90)  # broken
    if start <= found.own_after <= axes.get_xlim()[1]:
        axes.axvline(found.own_after, color=INK, lw=0.8, ls=(0, (4, 2)), zorder=0)
        axes.annotate(
            "own_after",
            (found.own_after, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
            color=SOFT,
        )


def _curve(axes: Axes, rows: pd.DataFrame, scale: Scale, look: Look, dash: Dash, number: int) -> float:
    """One way with its band, and its marker at a few places of its own; the place where it ends."""
    times, mean, low, high = (rows[column].to_numpy() for column in ("after_s", "mean", "low", "high"))
    places = np.array([scale.at(share) for share in mean])
    least, most = ([scale.at(share) for share in np.where(np.isnan(end), mean, end)] for end in (low, high))  # one run has no interval
    axes.fill_between(times, least, most, color=look.colour, alpha=0.2, lw=0)
    axes.plot(times, places, ls=dash, color=look.colour)
    some = slice(3 + 3 * number, None, ceil(times.size / 6))
    axes.plot(times[some], places[some], look.marker, color=look.colour, mec=INK, ms=4.5, zorder=3)
    return float(places[-1])


def _in_words(found: Lags, option: str) -> list[str]:
    half, missed, never = found.quantile(option, 0.5), found.missed(option, found.own_after), found.missed(option, found.times[-1])
    middle = f"half within {short(half.mean, 's')}" if half.mean < np.inf else "never half"
    ever = f"never {short(never.mean, 'share')}" if never.mean else "all in the end"
    return [f"{middle}, {ever}", f"after {short(found.own_after, 's')} missed: {short(missed.mean, 'share')}"]


def _title(found: Lags, curves: dict[str, pd.DataFrame]) -> str:
    """How many miss what they wrote, from the best way to the worst."""
    if not curves:
        return f"{found.scenario}: how late is the read model of {found.consumer}?"
    shares = {option: found.missed(option, found.own_after) for option in curves}
    missed = {option: Estimate(share.mean, share.low, share.high, "share") for option, share in shares.items()}
    least, most = (end(missed, key=lambda option: missed[option].mean) for end in (min, max))
    said = f"{found.scenario}: who reads back {short(found.own_after, 's')} after the commit misses {short(missed[least].mean, 'share')}"
    if missed[least].mean == missed[most].mean:
        return f"{said} at {found.consumer}, whichever way it gets there"
    clear = "" if not missed[least].overlaps(missed[most]) else ", no clear difference"
    return f"{said} ({least}) to {short(missed[most].mean, 'share')} ({most}) at {found.consumer}{clear}"
