"""What becomes of writes in several regions, by how much later they hear of each other and by how much their clocks differ."""

from collections.abc import Sequence
from math import floor, log10

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from edasim.estimates import Estimate, short
from edasim.figures.layout import Line, caption, heading, label_beside
from edasim.figures.looks import Dash, Look, Scale
from edasim.figures.picture import INK, SHADE, drawn
from edasim.mergeable import BYTES_PER_REGION
from edasim.studies.resolutions import estimate_at, skews_of

LOST, HANDED, MERGED = Look("#D55E00", "v"), Look("#0072B2", "o"), Look("#009E73", "*")
WAYS: dict[str, tuple[tuple[str, str], Look, Dash, float]] = {  # last: so many points aside, so that none hides another
    "lost_update_rate": (("lost silently", "(last writer wins)"), LOST, "-", -3),
    "detected_conflict_rate": (("handed to a person", "(version vectors)"), HANDED, (0, (5, 1.5)), 3),
}


@drawn
def conflicts_over_delay(swept: pd.DataFrame) -> tuple[Figure, str]:
    """Of a `conflict_sweep` the share of writes that is lost, handed over or merged, by the delay between regions; and by clock skew.

    All by decades, zero apart. Below, for one delay, what a clock that is behind adds; left out if the sweep has no skews.
    """
    skewed = len(skews_of(swept)[1]) > 1
    figure = Figure(figsize=(6.0, 5.2 if skewed else 3.3))
    upper, *lower = figure.subplots(1 + skewed, 1, squeeze=False, height_ratios=[1.4, 1][: 1 + skewed])[:, 0]
    regions, runs = swept["regions"].iloc[0], swept["replications"].max()
    scale = _scale(swept.loc[swept["metric"].isin(list(WAYS)), "mean"].tolist())
    words = _by_delay(upper, swept, scale)
    for axes in lower:
        words += _by_skew(axes, swept, scale)
    heading(figure, f"{swept['scenario'].iloc[0]}: what becomes of writes in {regions} regions?")
    lines = "One run, so without bands" if runs == 1 else f"Mean of {runs} runs; bands: 95 % interval of each point alone"
    formula = (
        "Thin: lost silently by the formula for Poisson writes" if swept["by_hand"].notna().any() else "No formula applies to these writes"
    )
    caption(
        figure,
        f"{lines}; hollow: none seen. Markers side by side, so that none hides another: with clocks that agree, of two writes that do not "
        f"know each other the earlier is lost, or the later handed over, which is as many. {formula}. Outages as in the scenario.",
    )
    return figure, f"Share of writes in {regions} regions, by what becomes of them. " + " ".join(words)


def _scale(shares: Sequence[float]) -> Scale:
    """By decades from the smallest share, at most five of them."""
    positive = [share for share in shares if share > 0] or [1e-3]
    return Scale(10.0 ** max(floor(log10(min(positive))), floor(log10(max(positive))) - 4))


def _by_delay(axes: Axes, swept: pd.DataFrame, scale: Scale) -> list[str]:
    """Lost and handed over by the delay between regions, and the same in words."""
    delays = sorted(set(swept["delay_s"]))
    across = _scale(delays)
    _axes(axes, swept, scale, across, delays, "regions hear of each other after")
    hand = swept[swept["by_hand"].notna()]
    axes.plot(
        [across.at(delay) for delay in hand["delay_s"]],
        [scale.at(share) for share in hand["by_hand"]],
        ls="-.",
        color=INK,
        lw=0.9,
        zorder=2.5,
    )
    points, labels, words = [], [], []
    for metric in WAYS:
        found = [estimate_at(swept, metric, delay) for delay in delays]
        points.append(_line(axes, [across.at(delay) for delay in delays], found, scale, metric))
        labels.append(
            [Line(WAYS[metric][0][0], WAYS[metric][1]), Line(WAYS[metric][0][1]), Line(f"{found[-1]} after {short(delays[-1], 's')}")]
        )
        shares = ", ".join(f"{share} after {short(delay, 's')}" for delay, share in zip(delays, found, strict=True))
        words.append(f"{' '.join(WAYS[metric][0])}: {shares}.")
    cost = f"{BYTES_PER_REGION * int(swept['regions'].iloc[0])} bytes a message"
    axes.plot([across.at(delay) for delay in delays], [0] * len(delays), ls=":", color=MERGED.colour)
    axes.plot(across.at(delays[-1]), 0, MERGED.marker, color=MERGED.colour, mec=INK, clip_on=False, ms=8)
    points.append((across.at(delays[-1]), 0.0))
    labels.append([Line("merged: 0 lost, by nature", MERGED), Line(f"pays {cost}")])
    label_beside(axes, points, labels)
    return [*words, f"merged: 0 lost, pays {cost}, as version vectors do."]


def _by_skew(axes: Axes, swept: pd.DataFrame, scale: Scale) -> list[str]:
    """Lost by the skew of clocks at one delay, beside what is handed over there, and the same in words."""
    delay, skews = skews_of(swept)
    across = _scale(skews)
    _axes(axes, swept, scale, across, skews, f"first region's clock is behind by, with a delay of {short(delay, 's')}")
    found = {metric: [estimate_at(swept, metric, delay, skew) for skew in skews] for metric in WAYS}
    points = [_line(axes, [across.at(skew) for skew in skews], shares, scale, metric) for metric, shares in found.items()]
    label_beside(
        axes,
        points,
        [[Line(WAYS[metric][0][0], WAYS[metric][1]), Line(f"{shares[-1]} by {short(skews[-1], 's')}")] for metric, shares in found.items()],
    )
    lost = ", ".join(f"{share} by {short(skew, 's')}" for skew, share in zip(skews, found["lost_update_rate"], strict=True))
    return [f"Lost silently, after {short(delay, 's')}, if a clock is behind: {lost}."]


def _axes(axes: Axes, swept: pd.DataFrame, scale: Scale, across: Scale, values: Sequence[float], label: str) -> None:
    """Decades both ways; zero stands apart, across only where there is one."""
    most = max(swept.loc[swept["metric"].isin(list(WAYS)), ["mean", "high", "by_hand"]].max().max(), 1e-9)
    ticks, times = scale.ticks(most, "share"), across.ticks(max(values), "s")
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set(ylim=(-0.35, max(scale.at(most) + 0.15, 1.5)), ylabel="share of writes, by decades", xlabel=label)
    zero = 0.0 in values
    axes.set_xticks([place for place in times if zero or place], [text for place, text in times.items() if zero or place])
    axes.set_xlim(-0.3 if zero else 0.8, across.at(max(values)) + 0.15)
    axes.axhspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)
    axes.text(0, 0.42, "//", transform=axes.get_yaxis_transform(), ha="center", va="center", fontweight="bold", rotation=90)  # broken
    if zero:
        axes.axvspan(-0.3, 0.42, color=SHADE, lw=0, zorder=0)
        axes.text(0.42, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center", fontweight="bold")


def _line(axes: Axes, places: Sequence[float], found: Sequence[Estimate], scale: Scale, metric: str) -> tuple[float, float]:
    """One line with its band and markers, moved aside; where it ends."""
    _, look, dash, points = WAYS[metric]
    beside = offset_copy(axes.transData, axes.get_figure(root=True), points, 0, units="points")
    low, high = ([scale.at(max(0.0, share.ends[end])) for share in found] for end in (0, 1))
    heights = [scale.at(share.mean) for share in found]
    axes.fill_between(places, low, high, color=look.colour, alpha=0.2, lw=0, transform=beside)
    axes.plot(places, heights, ls=dash, color=look.colour, transform=beside, clip_on=False)
    for place, height, share in zip(places, heights, found, strict=True):
        face = "white" if share.is_unseen else look.colour
        axes.plot(place, height, look.marker, color=face, mec=INK, transform=beside, clip_on=False, zorder=3)
    return places[-1], heights[-1]
