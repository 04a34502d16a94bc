"""A picture is a drawn figure and the same in words; and the parts that all figures are drawn with."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Transform, offset_copy

from edasim.estimates import unit_for
from edasim.figures.looks import Look, Scale, looks, wrapped
from edasim.journal import Journal

STYLE = Path(__file__).parents[1] / "edasim.mplstyle"
WIDTH = 840  # how wide a page shows a figure, in pixels; on a narrower screen it shrinks
SKETCHED: Mapping[Any, Any] = {"figure.dpi": 140, "text.hinting": "no_hinting"}  # a figure of six inches is as wide as a page shows it
INK, SOFT, LINE, SHADE = "#1c2126", "#57606a", "#e3e7eb", "#dde2e8"
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Picture:
    """A drawn figure and the same in words; a notebook displays it with those words as its alternative text."""

    figure: Figure
    alt: str
    canvas: Any = field(repr=False)  # matplotlib's, which has no annotations of its own

    @cached_property
    def png(self) -> bytes:
        """The PNG; the same figure gives the same bytes."""
        return self.packed(6)

    def packed(self, level: int) -> bytes:
        """The PNG, packed at a *level* from 1, which is quick, to 9, which is small."""
        file = BytesIO()
        settings: dict[str, Any] = {"dpi": self.figure.dpi, "metadata": {"Software": None}, "pil_kwargs": {"compress_level": level}}
        imsave(file, np.asarray(self.canvas.buffer_rgba()), format="png", **settings)
        return file.getvalue()

    def save(self, path: Path) -> None:
        """Write the PNG."""
        path.write_bytes(self.png)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict[str, str], dict[str, dict[str, object]]]:
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "width": WIDTH}}


def drawn(make: Callable[Given, tuple[Figure, str]]) -> Callable[Given, Picture]:
    """Draw what *make* returns in the project's style, whatever the user's settings are, and leave those as they were."""

    return _draws(make, {})


def sketched(draw: Callable[Given, Picture]) -> Callable[Given, Picture]:
    """Draw what a `drawn` function draws, quicker: with the pixels of a page's width, and letters as their outlines are."""
    make: Callable[Given, tuple[Figure, str]] = draw.__wrapped__  # type: ignore[attr-defined]
    return _draws(make, SKETCHED)


def _draws(make: Callable[Given, tuple[Figure, str]], settings: Mapping[Any, Any]) -> Callable[Given, Picture]:
    @wraps(make)
    def draw(*args: Given.args, **kwargs: Given.kwargs) -> Picture:
        with matplotlib.rc_context():
            matplotlib.rc_file(STYLE)
            matplotlib.rcParams.update(settings)
            figure, alt = make(*args, **kwargs)
            canvas: Any = FigureCanvasAgg(figure)
            canvas.draw()  # once; `savefig` would lay everything out twice
        return Picture(figure, alt, canvas)

    return draw


def name_rows(axes: Axes, styles: Mapping[str, Look], *, named: bool) -> None:
    """Options as rows from top to bottom, each with its marker beside its name."""
    axes.set_ylim(len(styles) - 0.4, -0.6)
    axes.set_yticks(range(len(styles)), [wrapped(option) for option in styles] if named else [])
    axes.tick_params(axis="y", length=0, pad=16)
    axes.hlines(range(len(styles)), 0, 1, color=LINE, lw=0.5, transform=axes.get_yaxis_transform(), zorder=0)
    for row, look in enumerate(styles.values() if named else ()):
        mark(axes, axes.get_yaxis_transform(), (0, row), look)


def scale_up(axes: Axes, scale: Scale, sizes: Sequence[float], unit: str, label: str) -> None:
    """Limits, ticks and label of the axis up, for numbers of these *sizes*; by decades zero, if there, has a shaded row of its own."""
    most = max(sizes)
    if scale.lowest is None:
        divisor, name = unit_for(unit, most)
        axes.set_ylabel(f"{label} ({name})")
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / divisor:g}"))
        axes.set_ylim(-0.06 * (most or 1), 1.08 * (most or 1))
        return
    ticks, bottom = scale.ticks(most, unit), -0.35
    if min(sizes) >= scale.lowest:
        bottom = 0.85
        del ticks[0.0]
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set_ylabel(label)
    axes.set_ylim(bottom, max(scale.at(most) + 0.15, 2))
    axes.axhspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)


def mark(axes: Axes, where: Transform, at: tuple[float, float], look: Look, points: float = 10) -> None:
    """The marker of an option, so many *points* to the left of a place *at* the edge of the axes."""
    beside = offset_copy(where, axes.get_figure(root=True), -points, 0, units="points")
    axes.plot(*at, look.marker, color=look.colour, mec=INK, clip_on=False, transform=beside)


def nothing(axes: Axes, row: float, why: str) -> str:
    """Say in a row, and in words, why nothing is drawn there."""
    axes.text(
        0.03, row, why, color=SOFT, fontsize=7, style="italic", va="center", transform=axes.get_yaxis_transform(), backgroundcolor="white"
    )
    return why


def runs(results: pd.DataFrame) -> str:
    """How many replications *results* are of, in words."""
    count = int(results["replications"].max()) if len(results) else 0
    return "1 run, so without intervals" if count == 1 else f"{count} runs"


def looks_of(journals: Mapping[str, Journal]) -> dict[str, Look]:
    """The look of each option that *journals* has a run of."""
    return looks({option: journal.facts["pattern"] for option, journal in journals.items()})
