"""Where the messages went: from the commit to what became of them, in counts and shares."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from edasim.comparison import Comparison
from edasim.estimates import Estimate
from edasim.figures.layout import caption, heading
from edasim.figures.looks import Look, looks, wrapped
from edasim.figures.picture import INK, SOFT, drawn, mark
from edasim.journal import OUTCOMES
from edasim.statistics import rate_interval

HATCHES = {"applied": "", "in_flight": "......", "dead_letter": "xxxxxx"}  # of outcomes; what is lost has LOST
LOST = "////////"
BAR, LINE_HEIGHT, GAP, THIN = 0.5, 0.17, 0.14, 0.014  # inches: all messages of an option, a line of words, between options, to scale
LEFT, RIGHT, EDGE = 0.0, 0.39, 0.015  # where the bars stand, and their width; the axes are 1 wide
COLUMNS = {"outcome": 0.425, "messages": 0.745, "share": 1.0}  # of words: the first to the right of its place, the others to the left


class Fate(NamedTuple):
    """How many messages of all replications ended in one outcome, and their share of all, with its 95 % interval."""

    outcome: str
    messages: int
    share: Estimate

    @property
    def name(self) -> str:
        """The outcome, for people."""
        return self.outcome.replace("lost_", "lost: ").replace("_", " ")


@drawn
def destinations(comparison: Comparison, consumer: str) -> tuple[Figure, str]:
    """What became of the messages for *consumer*, an option a row: a ribbon for each outcome, as thick as its share.

    Counts are of all replications, shares with their 95 % intervals. What is too thin to be drawn to scale is a dashed line.
    """
    options = {candidate.name: candidate.pattern for candidate in comparison.candidates}
    fates = {option: fates_of(comparison, option, consumer) for option in options}
    heights = [max(BAR, sum(_slots(found))) + GAP if found else LINE_HEIGHT + GAP for found in fates.values()]
    figure = Figure(figsize=(6.0, 0.95 + sum(heights)))
    grid = figure.subplots(len(options), 1, squeeze=False, height_ratios=heights)[:, 0]
    words = []
    for axes, height, (option, look) in zip(grid, heights, looks(options).items(), strict=True):
        axes.set(xlim=(-0.003, 1), ylim=(height, 0))
        axes.set_axis_off()
        said = _flow(axes, height, look, fates[option]) if fates[option] else _silence(axes, height, comparison, option, consumer)
        words.append(f"{option}: {said}.")
        total = sum(fate.messages for fate in fates[option])
        name = wrapped(option) + (f"\n{total:,} messages" if total else "")
        axes.annotate(name, (0, height / 2), (-20, 0), textcoords="offset points", ha="right", va="center", fontsize=7)
        mark(axes, axes.transData, (0, height / 2), look, points=11)
    for column, place in COLUMNS.items():
        side = "left" if column == "outcome" else "right"
        grid[0].annotate(column, (place, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", ha=side, fontsize=7, color=SOFT)
    together = "one run" if comparison.replications == 1 else f"all {comparison.replications} runs together"
    heading(figure, f"{comparison.scenario.name}: where did the messages for {consumer} go?")
    intervals = "without" if comparison.replications == 1 else "with"
    caption(
        figure,
        f"Counts: {together}. Shares: {intervals} 95 % intervals. Coloured: applied. Hatched or dashed: not. "
        "Dashed: a share too small to be drawn to scale.",
    )
    return figure, f"Where the messages for {consumer} went, {together}. {' '.join(words)}"


def fates_of(comparison: Comparison, option: str, consumer: str) -> list[Fate]:
    """What the messages of *option* for *consumer* ended as, of what there is any; none if it sends nothing.

    Where nothing was lost, the last says how much there could be lost all the same.
    """
    metrics = {outcome: outcome if outcome.startswith("lost_") else f"{outcome}_rate" for outcome in OUTCOMES[1:]}
    found = {outcome: comparison.values.get((option, consumer, "", metric, "")) for outcome, metric in metrics.items()}
    known = {outcome: list(values.values()) for outcome, values in found.items() if values}
    if not known:
        return []
    trials = np.array([value.trials for value in known["in_flight"]])
    shares = {outcome: np.array([value.value for value in values]) for outcome, values in known.items()}
    shares = {"applied": 1 - np.sum(list(shares.values()), axis=0)} | shares
    fates = [_fate(outcome, share, trials) for outcome, share in shares.items() if np.round(share @ trials)]
    if not any(fate.outcome.startswith("lost_") for fate in fates):
        fates.append(_fate("lost_", np.zeros(trials.size), trials)._replace(outcome="none seen lost"))
    return fates


def _fate(
    outcome: str, shares: "np.ndarray[tuple[int], np.dtype[np.float64]]", trials: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> Fate:
    found = rate_interval(shares, trials)
    return Fate(outcome, round(float(shares @ trials)), Estimate(found.mean, found.low, found.high, "share"))


def _flow(axes: Axes, height: float, look: Look, fates: list[Fate]) -> str:
    """The ribbons of one option, each labelled, and the same in words."""
    total = sum(fate.messages for fate in fates)
    slots = _slots(fates)
    left, right = (height - BAR) / 2, (height - sum(slots)) / 2
    axes.add_patch(Rectangle((LEFT, left), EDGE, BAR, fc=look.colour, ec=INK))
    for fate, slot in zip(fates, slots, strict=True):
        size, middle = BAR * fate.messages / total, right + slot / 2
        if fate.messages:
            _ribbon(axes, left + size / 2, middle, size, look.colour, HATCHES.get(fate.outcome, LOST))
        style = "normal" if fate.messages else "italic"
        for (column, place), said in zip(COLUMNS.items(), (fate.name, f"{fate.messages:,}", str(fate.share)), strict=True):
            axes.text(place, middle, said, ha="left" if column == "outcome" else "right", va="center", fontsize=7, style=style)
        left, right = left + size, right + slot
    return ", ".join(f"{fate.name} {fate.messages:,} ({fate.share})" if fate.messages else f"{fate.name}: {fate.share}" for fate in fates)


def _slots(fates: list[Fate]) -> list[float]:
    """The room on the right for each, in inches: its ribbon, or a line of words."""
    total = sum(fate.messages for fate in fates)
    return [max(LINE_HEIGHT, BAR * fate.messages / total) for fate in fates]


def _silence(axes: Axes, height: float, comparison: Comparison, option: str, consumer: str) -> str:
    """Say why there is no ribbon, and return the same."""
    rates = comparison.values.get((option, consumer, "", "loss_rate", ""), {}).values()
    why = "sends nothing" if any(rate.nature == "zero" for rate in rates) else "no change in the window"
    axes.text(LEFT + EDGE, height / 2, f"{why}: nothing can be lost", va="center", style="italic", color=SOFT, fontsize=7)
    return why


def _ribbon(axes: Axes, start: float, end: float, size: float, colour: str, hatch: str) -> None:
    """From the bar on the left to one on the right, both of that *size*, in the option's *colour* unless hatched."""
    first, last, bend = LEFT + EDGE, RIGHT, (LEFT + RIGHT) / 2
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    if size < THIN:
        curve = Path([(first, start), (bend, start), (bend, end), (last + EDGE, end)], codes)
        axes.add_patch(PathPatch(curve, fill=False, ec=INK, lw=0.9, ls=(0, (3, 1.5))))
        return
    half = size / 2
    upper = [(first, start - half), (bend, start - half), (bend, end - half), (last, end - half)]
    lower = [(last, end + half), (bend, end + half), (bend, start + half), (first, start + half)]
    area = Path([*upper, *lower, upper[0]], [*codes, Path.LINETO, *codes[1:], Path.CLOSEPOLY])
    face = "white" if hatch else colour
    axes.add_patch(PathPatch(area, fc=face, ec=INK if hatch else "none", hatch=hatch, lw=0.5, alpha=None if hatch else 0.45))
    axes.add_patch(Rectangle((last, end - half), EDGE, size, fc=face, ec=INK, hatch=hatch))
