"""Each requirement beside its limit: how far within it, or beyond, every option is."""

from math import isnan, log10
from textwrap import wrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.comparison import Comparison
from edasim.estimates import Estimate, short
from edasim.figures.layout import Room, height_for_names, placed, room_for_names
from edasim.figures.looks import Look, looks
from edasim.figures.picture import INK, SHADE, SOFT, drawn, name_rows, runs
from edasim.studies.requirements import in_short
from edasim.summary import SCALES
from edasim.verdicts import SIGNS, Verdict, rows_of

ACROSS, DECADES = 4, 2  # requirements beside each other; decades shown on either side of the limit
ROW = 0.38  # inches
OUT, EDGE = DECADES + 0.25, DECADES + 0.5  # where what is further out stands; where the axis ends


@drawn
def verdicts_figure(comparison: Comparison) -> tuple[Figure, str]:
    """Options as rows, requirements as columns: the metric as a multiple of its limit, by decades. Something must be required."""
    verdicts = comparison.verdicts
    styles = looks({candidate.name: candidate.pattern for candidate in comparison.candidates})
    required = list(verdicts["requirement"].unique())
    across = min(ACROSS, len(required))
    bands = -(-len(required) // across)
    above = 0.14 + 0.11 * max(len(_title(each)) for each in required)
    room = Room(left=room_for_names(styles), right=0.15, above=above, below=0.25, between=(0.08, 0.3 + above))
    title = f"{comparison.scenario.name}: {in_short(verdicts)}"
    signs = (
        "Across: the metric as a multiple of its limit, by decades; where at least a share is required, what is missing of 100 % instead. "
        f"Line: 95 % interval, {runs(comparison.results)}. Shaded: beyond the limit. Of several consumers and incidents the worst."
    )
    figure, panels = placed(bands, across, height_for_names(styles, ROW), room, title=title, signs=signs)
    for number, axes in enumerate(panels):
        if number >= len(required):
            axes.set_axis_off()
            continue
        _limit(axes, required[number], styles, named=number % across == 0)
        mine = verdicts[verdicts["requirement"] == required[number]]
        for found in rows_of(mine):
            _held(axes, list(styles).index(found.option), styles[found.option], found)
    return (
        figure,
        f"Options as rows, requirements as columns. {' '.join(_in_words(verdicts[verdicts['option'] == name]) for name in styles)}",
    )


def _title(requirement: str) -> list[str]:
    return wrap(requirement.replace("_", " "), 19)


def _limit(axes: Axes, requirement: str, styles: dict[str, Look], *, named: bool) -> None:
    """A column: its requirement in words, the limit, and the side beyond it."""
    axes.set_title("\n".join(_title(requirement)), fontsize=6.8)
    name_rows(axes, styles, named=named)
    axes.set_xlim(-EDGE, EDGE)
    axes.set_xticks([-DECADES, 0, DECADES], ["1 %", "limit", "100 ×"], fontsize=6.5)  # noqa: RUF001
    axes.axvspan(0, EDGE, color=SHADE, lw=0, zorder=-1)


def _held(axes: Axes, row: int, look: Look, found: Verdict) -> None:
    """One option: marker and interval, and above them the verdict's sign and the number."""
    if isnan(found.mean):
        said = found.number if found.verdict == "does not apply" else f"{SIGNS[found.verdict]} {found.number}"
        axes.text(-EDGE * 0.96, row, said, fontsize=6, color=SOFT, style="italic", va="center")
        return
    number = Estimate(found.mean, found.low, found.high, found.unit if found.unit in SCALES else "")
    axes.vlines(0, row - 0.2, row + 0.3, color=INK, lw=0.9)
    places = [_place(found, end) for end in (*number.ends, found.mean)]
    axes.plot(places[:2], [row] * 2, color=INK, lw=1, clip_on=False)
    axes.plot(places[2], row, look.marker, color="white" if number.is_unseen else look.colour, mec=INK, ms=4.5, clip_on=False, zorder=3)
    said = short(found.mean, found.unit) if found.is_lopsided else str(number).strip().replace(" )", ")")
    weight = "bold" if found.verdict == "violated" else "normal"
    axes.text(
        -EDGE * 0.96,
        row - 0.38,
        f"{SIGNS[found.verdict]} {said}",
        fontsize=5.8,
        va="center",
        weight=weight,
    )


def _place(found: Verdict, value: float) -> float:
    """Decades beyond the limit, at most so many as are shown; all that is within is negative.

    Of at least 99 %, 99.9 % miss a tenth of what may be missing: a decade within.
    """
    over, under = value, found.limit
    if found.side == "at least":
        over, under = (1 - value, 1 - found.limit) if found.unit == "share" else (found.limit, value)
    if over <= 0:
        return -OUT
    return min(max(log10(over / under), -OUT), OUT) if under > 0 else OUT


def _in_words(mine: pd.DataFrame) -> str:
    said = [
        f"{found.requirement}: {found.verdict}{'' if found.number == found.verdict else f' ({found.number})'}" for found in rows_of(mine)
    ]
    return f"{mine['option'].iloc[0]}: {'; '.join(said)}."
