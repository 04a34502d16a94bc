"""The simulation beside theory: how far each row is off, and a queue over its load."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edasim.estimates import short
from edasim.figures.layout import caption, heading
from edasim.figures.picture import INK, LINE, SHADE, SOFT, drawn
from edasim.studies.queueing import Queue
from edasim.studies.trust import in_standard_errors
from edasim.theory import mm1_mean_time
from edasim.validation import LIMIT, Verdict

FITS, FAILS, THEORY = "#0072B2", "#D55E00", "#57606a"


@drawn
def theory_figure(verdicts: Sequence[Verdict]) -> tuple[Figure, str]:
    """The error of each row in its own standard errors, with the limits beyond which it disagrees; a row a line."""
    figure = Figure(figsize=(6.0, 1.15 + 0.2 * len(verdicts)))
    axes = figure.subplots()
    agree = sum(found.verdict == "agrees" for found in verdicts)
    heading(figure, f"{agree} of {len(verdicts)} rows agree with theory")
    reach = max([LIMIT + 0.5, *(abs(off) for found in verdicts if not math.isnan(off := in_standard_errors(found)))]) + 0.5
    for sign in (-1, 1):
        axes.axvspan(sign * LIMIT, sign * reach, color=SHADE, lw=0, zorder=0)
        axes.axvline(sign * LIMIT, color=SOFT, lw=0.8, ls=(0, (4, 2)))
    axes.axvline(0, color=INK, lw=0.8)
    for row, found in enumerate(verdicts):
        off, fits = in_standard_errors(found), found.verdict == "agrees"
        axes.plot(
            0 if math.isnan(off) else off, row, "D" if math.isnan(off) else "o" if fits else "X", color=FITS if fits else FAILS, mec=INK
        )
    axes.set_yticks(range(len(verdicts)), [f"{found.row}" for found in verdicts])
    axes.tick_params(axis="y", length=0)
    axes.hlines(range(len(verdicts)), -reach, reach, color=LINE, lw=0.5, zorder=0)
    axes.set(
        ylim=(len(verdicts) - 0.4, -0.6), xlim=(-reach, reach), xlabel="simulated less expected, in standard errors of the simulated mean"
    )
    caption(
        figure,
        f"Shaded: more than {LIMIT:g} standard errors off, so it disagrees. Circle: agrees; cross: does not; diamond: nothing in it is "
        "random, and it comes out as theory says. What each row is, stands in the table.",
    )
    said = [f"{found.row}: {found.verdict}, {in_standard_errors(found):+.2f}".replace(", +nan", ", nothing random") for found in verdicts]
    return figure, f"Error of each row in standard errors; the limits are ± {LIMIT:g}. {'; '.join(said)}."


@drawn
def mm1_figure(found: Queue) -> tuple[Figure, str]:
    """The mean time in system over the load: simulated with its interval, and the curve of the closed form."""
    figure = Figure(figsize=(6.0, 3.2))
    axes = figure.subplots()
    heading(figure, f"M/M/1: theory is within the interval at {found.within} of {len(found.loads)} loads")
    loads = np.linspace(0.01, max(0.95, *found.loads), 200)
    curve = [mm1_mean_time(load / found.service, 1 / found.service) for load in loads]
    axes.plot(loads, curve, color=THEORY)
    axes.annotate("theory: s / (1 - load)", (loads[120], curve[120]), (-8, 10), textcoords="offset points", ha="right", color=THEORY)
    for load, value in zip(found.loads, found.simulated, strict=True):
        axes.plot([load, load], value.ends, color=INK, lw=1.2, marker="_", ms=6)
        axes.plot(load, value.mean, "o", color=FITS, mec=INK, zorder=3)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value, "s")))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    axes.set(xlim=(0, 1), xlabel="load: rate of changes x mean service time", ylabel="mean time in system")
    axes.grid(True, color=LINE, lw=0.5)
    caption(
        figure,
        f"Circles: mean of {found.replications} simulated runs with its 95 % interval. s: mean service time, {short(found.service, 's')}.",
    )
    points = zip(found.loads, found.simulated, found.expected, strict=True)
    said = [f"{load:g}: simulated {value}, theory {short(expected, 's')}" for load, value, expected in points]
    return figure, f"Mean time in system by load. {'; '.join(said)}."
