"""What real event stores took, beside what the presets predict."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from edasim.estimates import short
from edasim.figures.layout import caption, heading
from edasim.figures.picture import INK, LINE, SOFT, drawn
from edasim.store_fits import CREDIBLE, Fit, signed_percent

ACROSS = 2  # panels beside each other
MODEL = "#0072B2"
BEYOND = 10  # times the largest measured: as far as the line goes on
EVENTS, SECONDS = (30, 2e7), (2e-4, 200)


@drawn
def replay_times(fits: Mapping[str, Fit], snapshots: Mapping[str, pd.DataFrame] | None = None) -> tuple[Figure, str]:
    """What loading or rebuilding took by the number of events, beside base + per_event x n, a store a panel: `time_fits`.

    *snapshots*: loads from a snapshot, which no fit saw, at the number of events replayed after it: `snapshot_times`.
    """
    rows = -(-len(fits) // ACROSS)
    figure = Figure(figsize=(6.0, 1.1 + 1.75 * rows))
    panels = figure.subplots(rows, ACROSS, sharex=True, sharey=True, squeeze=False).flatten()
    held = np.concatenate([fit.miss[~fit.used] for fit in fits.values()])
    near = int((np.abs(held) <= CREDIBLE).sum())
    heading(figure, f"{near} of {held.size} sizes that the fits never saw are predicted within {CREDIBLE * 100:.0f} %")
    words = []
    for place, (name, fit) in enumerate(fits.items()):
        axes = panels[place]
        _scales(axes, left=place % ACROSS == 0, lowest=place + ACROSS >= len(fits))
        said = _panel(axes, fit, (snapshots or {}).get(name))
        axes.set_title(name)
        words.append(f"{name}: {said}.")
    for axes in panels[len(fits) :]:
        axes.set_axis_off()
        axes.legend(*panels[0].get_legend_handles_labels(), loc="center left")
    caption(
        figure,
        "Circles: medians, each with the least and the most measured. Line: base + per_event x events, fitted to the filled circles; "
        f"shaded: within {CREDIBLE * 100:.0f} % of it; dashed: extrapolated beyond the largest measured. Diamonds, if any: at the events "
        "replayed after the snapshot.",
    )
    return figure, f"Measured and predicted times by the number of events. {' '.join(words)}"


def _scales(axes: Axes, *, left: bool, lowest: bool) -> None:
    """Both axes by decades, the same in every panel; labels only at the edges."""
    axes.set(xscale="log", yscale="log", xlim=EVENTS, ylim=SECONDS)
    axes.xaxis.set_major_locator(FixedLocator([1e2, 1e4, 1e6]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(FixedLocator([1e-3, 1e-2, 1e-1, 1, 10, 100]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s" if value >= 1 else f"{1000 * value:g} ms"))
    axes.minorticks_off()
    axes.tick_params(labelbottom=lowest, labelleft=left)
    axes.set(xlabel="events replayed" if lowest else "", ylabel="time" if left else "")
    axes.grid(True, color=LINE, lw=0.5)


def _panel(axes: Axes, fit: Fit, snapshots: pd.DataFrame | None) -> str:
    """One store: the line and the points, and in words what the line is and how far off it is."""
    base, per_event, most = fit.parameters["base"], fit.parameters["per_event"], float(fit.sizes[-1])
    measured, beyond = np.geomspace(fit.sizes[0], most), np.geomspace(most, BEYOND * most)
    whole = np.concatenate([measured, beyond])
    near, far = ((1 + sign * CREDIBLE) * (base + per_event * whole) for sign in (-1, 1))
    axes.fill_between(whole, near, far, color=MODEL, alpha=0.15, lw=0, label=f"within {CREDIBLE * 100:.0f} %")
    axes.plot(measured, base + per_event * measured, color=MODEL, label="base + per_event x events")
    axes.plot(beyond, base + per_event * beyond, color=MODEL, ls=(0, (4, 2)), label="extrapolated")
    axes.vlines(fit.sizes, fit.low, fit.high, color=SOFT, lw=0.8)
    for seen, fill, label in ((fit.used, INK, "measured, the fit saw it"), (~fit.used, "white", "measured, held out")):
        axes.plot(fit.sizes[seen], fit.measured[seen], "o", ms=4.5, color=fill, mec=INK, zorder=3, label=label)
    if snapshots is not None:
        axes.plot(
            snapshots["tail"], snapshots["median_s"], "D", ms=3, color="white", mec=MODEL, zorder=4, label="from a snapshot, no fit saw it"
        )
    at = fit.sizes[~fit.used][np.argmax(fit.miss[~fit.used] == fit.worst)]
    formula = f"{short(base, 's')} + {short(per_event, 's')} x events"
    worst = f"held out: at worst {signed_percent(fit.worst)}, at {at:,.0f}"
    axes.text(0.99, 0.04, f"{formula}\n{worst}", transform=axes.transAxes, ha="right", va="bottom", fontsize=7)
    return f"{formula}, {worst}"
