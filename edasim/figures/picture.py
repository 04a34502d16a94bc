"""A picture is a drawn figure and the same in words; and the parts that all figures are drawn with."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Transform, offset_copy

from edasim.figures.looks import Look, looks, wrapped
from edasim.journal import Journal

STYLE = Path(__file__).parents[1] / "edasim.mplstyle"
WIDTH = 840  # how wide a page shows a figure, in pixels; on a narrower screen it shrinks
INK, SOFT, LINE, SHADE = "#1c2126", "#57606a", "#e3e7eb", "#dde2e8"
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Picture:
    """A drawn figure and the same in words; a notebook displays it with those words as its alternative text."""

    figure: Figure
    alt: str
    png: bytes = field(repr=False)

    def save(self, path: Path) -> None:
        """Write the PNG; the same figure gives the same bytes."""
        path.write_bytes(self.png)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict[str, str], dict[str, dict[str, object]]]:
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "width": WIDTH}}


def drawn(make: Callable[Given, tuple[Figure, str]]) -> Callable[Given, Picture]:
    """Draw what *make* returns in the project's style, whatever the user's settings are, and leave those as they were."""

    @wraps(make)
    def draw(*args: Given.args, **kwargs: Given.kwargs) -> Picture:
        with matplotlib.rc_context():
            matplotlib.rc_file(STYLE)
            figure, alt = make(*args, **kwargs)
            FigureCanvasAgg(figure)
            file = BytesIO()
            figure.savefig(file, format="png", metadata={"Software": None})
        return Picture(figure, alt, file.getvalue())

    return draw


def name_rows(axes: Axes, styles: Mapping[str, Look], *, named: bool) -> None:
    """Options as rows from top to bottom, each with its marker beside its name."""
    axes.set_ylim(len(styles) - 0.4, -0.6)
    axes.set_yticks(range(len(styles)), [wrapped(option) for option in styles])
    axes.tick_params(axis="y", length=0, pad=16)
    axes.hlines(range(len(styles)), 0, 1, color=LINE, lw=0.5, transform=axes.get_yaxis_transform(), zorder=0)
    for row, look in enumerate(styles.values() if named else ()):
        mark(axes, axes.get_yaxis_transform(), (0, row), look)


def mark(axes: Axes, where: Transform, at: tuple[float, float], look: Look, points: float = 10) -> None:
    """The marker of an option, so many *points* to the left of a place *at* the edge of the axes."""
    beside = offset_copy(where, axes.get_figure(root=True), -points, 0, units="points")
    axes.plot(*at, look.marker, color=look.colour, mec=INK, clip_on=False, transform=beside)


def nothing(axes: Axes, row: int, why: str) -> str:
    """Say in a row, and in words, why nothing is drawn there."""
    axes.text(
        0.03, row, why, color=SOFT, fontsize=7, style="italic", va="center", transform=axes.get_yaxis_transform(), backgroundcolor="white"
    )
    return why


def caption(figure: Figure, text: str) -> None:
    """Below the figure: what its signs mean."""
    figure.supxlabel(fill(text, 108), x=0.01, ha="left", fontsize=7, color=SOFT)


def looks_of(journals: Mapping[str, Journal]) -> dict[str, Look]:
    """The look of each option that *journals* has a run of."""
    return looks({option: journal.facts["pattern"] for option, journal in journals.items()})
