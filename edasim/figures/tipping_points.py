"""How far each input is from where an option would no longer meet what it meets now."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.decision.tipping_points import TippingPoint, TippingPoints, told, what_would_change_our_mind
from edasim.figures.layout import INCHES, NAME_LINE, Room, heading_lines, placed, room_for_tick
from edasim.figures.looks import wrapped
from edasim.figures.picture import INK, LINE, SHADE, SOFT, drawn
from edasim.ranges import Range

HOLDS = "#56B4E9"
BAR, SAID, GAP = 0.2, 0.115, 0.07  # inches: the room of a bar, a line of what is said below it, and between two rows
POINTS, RIGHT, LETTERS = 6.5, 0.15, 26  # how large that is; free to the right; letters of an input's name in a line
LEAST = 4  # the axis reaches to 2 to the power of this at least


@dataclass(frozen=True)
class _Row:
    """One input: between which values all holds, as multiples of now, where it tips, and the same in words."""

    name: str
    low: float
    high: float
    tips: tuple[TippingPoint, ...]
    said: tuple[str, ...]

    @property
    def height(self) -> float:
        return max(BAR + SAID * len(self.said), NAME_LINE * (self.name.count("\n") + 1)) + GAP


@drawn
def tipping_points_figure(found: TippingPoints) -> tuple[Figure, str]:
    """A bar for each input, the nearest to tip on top: as far as all that is met now still is, by multiples of what it is now."""
    title = f"{found.scenario.name}: how far is {found.option} from not meeting what it meets now?"
    ranges = [*{point.over.target: point.over for point in found.points}.values(), *found.holds]
    left = 0.15 + max([room_for_tick(_name(over, found)) for over in ranges], default=0.0)
    rows = [_row(over, found, INCHES - left - RIGHT) for over in ranges]
    high = sum(row.height for row in rows) or BAR
    room = Room(left=left, right=RIGHT, above=0.14, below=0.36)
    figure, (axes,) = placed(1, 1, high, room, title=title, signs=_signs(found))
    _axis(axes, rows, high)
    top = 0.0
    for row in rows:
        _draw(axes, row, top)
        top += row.height
    if not rows:
        axes.text(
            0.5, 0.5, "no input that was tried clearly changes what is met", transform=axes.transAxes, ha="center", va="center", color=SOFT
        )
    return figure, f"Tipping points of {found.option}. {what_would_change_our_mind(found)}"


def _signs(found: TippingPoints) -> str:
    said = (
        "Each input moved alone, all else and all luck the same. Bar: all that is met now is clearly met. Diamond: where it tips, line: "
        "its 95 % interval. Hatched: the requirement named is violated. Stroke: now. "
        "Where a bar ends without a diamond it is unclear, or was not tried."
    )
    more = len(found.untouched)
    return f"{said} Not drawn: {more} {'input' if more == 1 else 'inputs'} without a clear change of it." if more else said


def _name(over: Range, found: TippingPoints) -> str:
    return f"{wrapped(over.path, LETTERS)}\n{_now(over, found)}"


def _now(over: Range, found: TippingPoints) -> str:
    now = found.now[over.target]
    return f"(now {told(over, now)})"


def _row(over: Range, found: TippingPoints, width: float) -> _Row:
    now, tips = found.now[over.target], tuple(point for point in found.points if point.over.target == over.target)
    below = next((point for point in tips if point.estimate < now), None)
    above = next((point for point in tips if point.estimate >= now), None)
    low, high = (below.high if below else over.low), (above.low if above else over.high)
    said = [f"{point.value}{_interval(point)}: {point.requirement}" for point in tips]
    if not below and not above:
        said.append(f"holds from {told(over, low)} to {told(over, high)}" if low < high else "unclear right beside what it is now")
    elif not below or not above:
        said.append(f"holds up to {told(over, high)}" if below else f"holds down to {told(over, low)}")
    return _Row(_name(over, found), low / now, high / now, tips, tuple(line for text in said for line in _lines(text, width)))


def _interval(point: TippingPoint) -> str:
    return "" if point.is_sharp else f" ({told(point.over, point.low)} to {told(point.over, point.high)})"


def _lines(text: str, width: float) -> list[str]:
    """*text* in lines that have room beside the names."""
    with matplotlib.rc_context({"figure.titlesize": POINTS, "figure.titleweight": "normal"}):
        return heading_lines(text, width)


def _axis(axes: Axes, rows: Sequence[_Row], high: float) -> None:
    """By doublings; rows stand at their heights in inches from the top."""
    places = [place for row in rows for place in (row.low, row.high, *(point.ratio for point in row.tips)) if place > 0]
    reach = max([LEAST, *(ceil(abs(log2(place)) - 1e-9) for place in places)])
    axes.set_xscale("log", base=2)
    axes.set_xlim(2.0 ** -(reach + 0.2), 2.0 ** (reach + 0.2))
    powers = sorted({-reach, -(reach // 2), 0, reach // 2, reach})
    axes.set_xticks([2.0**power for power in powers], [_multiple(power) for power in powers])
    axes.minorticks_off()
    axes.set_ylim(high, 0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("the input, by multiples of what it is now")
    tops = [sum(row.height for row in rows[:number]) for number in range(len(rows))]
    axes.set_yticks([top + (row.height - GAP) / 2 for top, row in zip(tops, rows, strict=True)], [row.name for row in rows])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)  # a name may have dollars in it
    axes.tick_params(axis="y", length=0)


def _multiple(power: int) -> str:
    return "now" if not power else f"{2**power} ×" if power > 0 else f"1/{2**-power}"  # noqa: RUF001


def _draw(axes: Axes, row: _Row, top: float) -> None:
    least, most = axes.get_xlim()
    middle = top + BAR / 2
    axes.plot([least, most], [middle] * 2, color=LINE, lw=0.6, zorder=0)
    for point in row.tips:
        first, last = (max(value / point.now, least) for value in (point.low, point.high))
        start, end = (least, first) if point.estimate < point.now else (last, most)
        axes.barh(middle, end - start, BAR * 0.6, start, color=SHADE, hatch="/////", ec=SOFT, lw=0, zorder=1)
        axes.plot([first, last], [middle] * 2, color=INK, lw=1.6, zorder=4, solid_capstyle="butt")
        axes.plot(max(point.ratio, least), middle, "D", color="white", mec=INK, ms=4.5, zorder=5, clip_on=False)
    low, high = max(row.low, least), max(row.high, least)
    axes.barh(middle, high - low, BAR * 0.6, low, color=HOLDS, ec=INK, lw=0.5, zorder=2)
    axes.plot([1, 1], [top + 0.1 * BAR, top + 0.9 * BAR], color=INK, lw=1.1, zorder=3)
    for number, text in enumerate(row.said):
        axes.text(
            0, top + BAR + SAID * (number + 0.5), text, fontsize=POINTS, va="center", transform=axes.get_yaxis_transform(), parse_math=False
        )
