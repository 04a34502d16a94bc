"""Where things stand in a figure: panels at places known ahead, a heading as wide as the figure, labels that do not overlap."""

from collections.abc import Iterable, Sequence
from functools import cache
from textwrap import wrap
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from edasim.figures.looks import Look, wrapped
from edasim.figures.picture import INK, SOFT, mark

INCHES, POINTS = 6.0, 72  # how wide a figure is; points in an inch. All sizes here are inches but for those of letters
HEADING, SMALL = 0.165, 0.12  # a line of a heading, and of a caption
NAME_LINE, FREE = 0.125, 0.06  # a line of a name beside its row, and what is free between two names
LINE_HEIGHT = 0.15  # of a label beside the axes
NAME = 28  # letters of a name in it
BESIDE, SMALL_POINTS = 36.0, 7  # points between the axes and a label, where markers stand; how large its letters are


class Room(NamedTuple):
    """What is kept free for ticks and labels: *left*, *right*, *above* and *below* all panels, and *between* them, across and down."""

    left: float
    right: float
    above: float
    below: float
    between: tuple[float, float] = (0.0, 0.0)


def placed(down: int, across: int, high: float, room: Room, *, title: str = "", signs: str) -> tuple[Figure, list[Axes]]:
    """So many panels *down* and *across*, each so *high*, under a *title*, if any, and over what its *signs* mean; row by row.

    Where they stand is known before anything is drawn: matplotlib finds out by laying out all of it twice, which takes as long as to
    draw it.
    """
    above, below = HEADING * len(heading_lines(title)) + room.above, SMALL * len(caption_lines(signs)) + 0.1 + room.below
    gap, drop = room.between
    height = above + down * high + (down - 1) * drop + below
    width = (INCHES - room.left - room.right - (across - 1) * gap) / across
    figure = Figure(figsize=(INCHES, height))
    figure.set_layout_engine("none")
    lefts = [room.left + column * (width + gap) for column in range(across)]
    bottoms = [height - above - row * (high + drop) - high for row in range(down)]
    panels = [figure.add_axes((left / INCHES, bottom / height, width / INCHES, high / height)) for bottom in bottoms for left in lefts]
    heading(figure, title, y=1 - 0.05 / height, va="top")
    caption(figure, signs, y=0.04 / height, va="bottom")
    return figure, panels


def wide(text: str, points: float, weight: str = "normal") -> float:
    """How wide *text* is in letters of so many *points*, or its widest line; without kerning, which only brings letters closer."""
    return max(sum(_wide(letter, weight) for letter in line) for line in text.split("\n")) * points / POINTS


@cache
def _wide(letter: str, weight: str) -> float:
    """How far the next letter is from this one, in multiples of their size."""
    font = get_font(findfont(FontProperties(weight=weight)))
    font.set_size(POINTS, POINTS)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / (1 << 16) / POINTS  # FreeType counts in parts of a dot


def heading_lines(text: str, width: float = INCHES) -> list[str]:
    """As few lines as a figure of that *width* has room for."""
    points = FontProperties(size=matplotlib.rcParams["figure.titlesize"]).get_size_in_points()
    weight, room = str(matplotlib.rcParams["figure.titleweight"]), 0.97 * width
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if wide(longer, points, weight) <= room:
            lines[-1] = longer
            continue
        lines.append("")
        for letter in word:  # one that is wider than the figure has to be cut
            lines += [letter] if wide(lines[-1] + letter, points, weight) > room else [lines.pop() + letter]
    return [line for line in lines if line]


def heading(figure: Figure, text: str, **place: Any) -> None:
    """Above the figure: what it shows."""
    figure.suptitle("\n".join(heading_lines(text, figure.get_figwidth())), x=0.01, ha="left", parse_math=False, **place)


def caption_lines(text: str) -> list[str]:
    """Its lines, as long as is good to read."""
    return wrap(text, 108)


def caption(figure: Figure, text: str, **place: Any) -> None:
    """Below the figure: what its signs mean."""
    figure.supxlabel("\n".join(caption_lines(text)), x=0.01, ha="left", fontsize=SMALL_POINTS, color=SOFT, parse_math=False, **place)


class Line(NamedTuple):
    """A line of a label beside the axes, with the marker of the option whose name begins there."""

    text: str
    look: Look | None = None


def name_lines(option: str, look: Look) -> list[Line]:
    """An option's name as lines of a label."""
    return [Line(text, None if row else look) for row, text in enumerate(wrapped(option, NAME).split("\n"))]


def room_for_names(options: Iterable[str]) -> float:
    """How much is needed to the left of rows for the names of these *options* and their markers."""
    return 0.32 + max(map(room_for_tick, map(wrapped, options)), default=0.0)


def room_for_tick(text: str) -> float:
    """How much the label of a tick takes."""
    return wide(text, FontProperties(size=matplotlib.rcParams["ytick.labelsize"]).get_size_in_points())


def height_for_names(options: Iterable[str], row: float) -> float:
    """How high panels are that have a row for each of *options*: so high a *row*, or higher if a name needs that."""
    lines = [wrapped(option).count("\n") + 1 for option in options]
    return max(row, NAME_LINE * max(lines, default=1) + FREE) * (len(lines) + 0.2)  # as `name_rows` spreads them


def room_beside(labels: Sequence[Sequence[Line]]) -> float:
    """How much is needed to the right of the axes for these *labels*."""
    return BESIDE / POINTS + 0.06 + max(wide(line.text, SMALL_POINTS) for label in labels for line in label)


def height_beside(labels: Sequence[Sequence[Line]]) -> float:
    """How high axes must be for these *labels* to have room beside them."""
    return sum(map(_height, labels))


def _height(label: Sequence[Line]) -> float:
    return LINE_HEIGHT * (len(label) + 0.6)


def lay_out(figure: Figure) -> None:
    """Give the axes their places, as drawing would, without drawing."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)


def label_beside(axes: Axes, points: Sequence[tuple[float, float]], labels: Sequence[Sequence[Line]]) -> None:
    """To the right of the axes a label for each of *points*, joined to it by a line: at its height, or as near as others let it be."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    lay_out(figure)  # now the axes have their height
    high = axes.get_window_extent().height / figure.dpi
    places = axes.transAxes.inverted().transform(axes.transData.transform(np.array(points)))
    sizes = np.array([_height(label) for label in labels])
    beside = offset_copy(axes.transAxes, figure, 20, 0, units="points")
    line = {"arrowstyle": "-", "lw": 0.5, "color": SOFT, "shrinkA": 0, "shrinkB": 6}
    for label, place, middle in zip(labels, places, apart(places[:, 1] * high, sizes, high) / high, strict=True):
        axes.annotate("", tuple(place), (1, middle), xycoords="axes fraction", textcoords=beside, arrowprops=line)
        for row, (text, look) in enumerate(label):
            at, soft = (1, middle + (len(label) / 2 - row - 0.5) * LINE_HEIGHT / high), row > 0 and row == len(label) - 1
            colour = SOFT if soft else INK
            axes.annotate(
                text,
                at,
                (BESIDE, 0),
                xycoords="axes fraction",
                textcoords="offset points",
                va="center",
                fontsize=SMALL_POINTS,
                color=colour,
            )
            if look:
                mark(axes, axes.transAxes, at, look, points=-28)


def apart(places: NDArray[np.float64], sizes: NDArray[np.float64], room: float) -> NDArray[np.float64]:
    """Middles for labels of these *sizes* that do not overlap, in the order of the *places* they belong to and as near as can be.

    Within [0, room], if there is room for all.

    >>> apart(np.array([1.0, 1.0, 9.0]), np.array([2.0, 2.0, 2.0]), 10.0).tolist()
    [1.0, 3.0, 9.0]
    """
    from scipy.optimize import isotonic_regression  # takes a fifth of a second to import

    order = np.argsort(places, kind="stable")
    offsets = np.cumsum(sizes[order]) - sizes[order] / 2
    free = isotonic_regression(places[order] - offsets).x  # pooled adjacent violators
    found = np.empty_like(places)
    found[order] = np.clip(free, 0, max(0.0, room - sizes.sum())) + offsets
    return found
