"""Which copy heals: how stale readers are over time when messages get lost and overtake, an option a line."""

from math import floor, log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edasim.estimates import estimates, short, unit_for
from edasim.figures.layout import Line, caption, heading, label_beside, name_lines
from edasim.figures.looks import DASHES, Dash, Look, Scale, looks
from edasim.figures.picture import INK, SHADE, SOFT, drawn
from edasim.screens import value_at_path
from edasim.studies.healing import Healing

DECADES = 3  # from the largest share down
MARKS = 5  # on a line
ROOM = 0.16  # of the axes across, for the name of what is down


@drawn
def healing_over_time(found: Healing) -> tuple[Figure, str]:
    """The share of what readers see stale over time, an option a line, by decades; beside each what it comes to and what it asks for.

    Shares that are smaller than the lowest decade stand at its edge; zero stands apart.
    """
    styles = looks({candidate.name: candidate.pattern for candidate in found.comparison.candidates})
    means = {option: shares.mean(axis=0) for option, shares in found.stale.items()}
    peak = max([0.0, *(float(np.nanmax(mean)) for mean in means.values() if not np.isnan(mean).all())])
    scale = Scale(10.0 ** (floor(log10(peak)) + 1 - DECADES) if peak else 1e-3)
    figure = Figure(figsize=(6.0, 3.8))
    axes = figure.subplots()
    _axes(axes, scale, max(peak, 1e-3), found)
    points, labels, words = [], [], []
    for number, (option, look) in enumerate(styles.items()):
        end = _course(axes, found, option, scale, look, DASHES[number % len(DASHES)], number)
        said = _totals(found, option)
        points.append((axes.get_xlim()[1], end))
        labels.append([*name_lines(option, look), *map(Line, said)])
        words.append(f"{option}: {', '.join(said)}.")
    label_beside(axes, points, labels)
    scenario, runs = found.comparison.scenario, found.comparison.replications
    heading(figure, f"{scenario.name}: which copy at {found.consumer} heals?")
    lines = "One run, so without bands." if runs == 1 else f"Lines: mean of {runs} runs; bands: 95 % interval of each time alone."
    caption(
        figure,
        f"{lines} Of two lines that run together both are dashed. {_met(found)}Shaded: down. Wrong: when all messages have settled, "
        f"of {found.entities:,.0f} entities. Calls: of all consumers, for what a message did not bring.",
    )
    return figure, f"Share of what readers at {found.consumer} see that is stale, over time. " + " ".join(words)


def _axes(axes: Axes, scale: Scale, peak: float, found: Healing) -> None:
    length, unit = unit_for("s", float(found.edges[-1]))
    axes.set_xlim(found.edges[0] / length, found.edges[-1] / length)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    most = 1.0 if peak > 0.3 else peak
    ticks = scale.ticks(most, "share")
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set(
        ylim=(-0.35, scale.at(most) + 0.1), xlabel=f"time since the start of the run ({unit})", ylabel="share that is stale, by decades"
    )
    axes.axhspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)
    axes.text(0, 0.42, "//", transform=axes.get_yaxis_transform(), ha="center", va="center", fontweight="bold", rotation=90)  # broken
    named = -np.inf
    for start, end, component in sorted((*span, component) for component, spans in found.outages.items() for span in spans):
        axes.axvspan(start / length, end / length, color=SHADE, lw=0.8, zorder=0)
        if start - named > ROOM * (found.edges[-1] - found.edges[0]):
            axes.annotate(
                component,
                (start / length, 1),
                (0, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                fontsize=6,
                color=SOFT,
            )
            named = start


def _course(axes: Axes, found: Healing, option: str, scale: Scale, look: Look, dash: Dash, number: int) -> float:
    """One line with its band, and its marker at a few places of its own; the place where it ends."""
    rows = found.curves()
    rows = rows[rows["option"] == option]
    times = (rows["begin_s"] + rows["end_s"]).to_numpy() / 2 / unit_for("s", float(found.edges[-1]))[0]
    mean, low, high = (rows[column].fillna(rows["mean"]).to_numpy() for column in ("mean", "low", "high"))
    places, least, most = ([scale.at(share) for share in shares] for shares in (mean, low, high))
    axes.fill_between(times, least, most, color=look.colour, alpha=0.2, lw=0)
    axes.plot(times, places, ls=dash, color=look.colour, lw=1.4)
    some = slice(2 + 2 * number, None, max(1, times.size // MARKS))
    axes.plot(times[some], places[some], look.marker, color=look.colour, mec=INK, ms=4.5, zorder=3)
    return places[-1]


def _totals(found: Healing, option: str) -> list[str]:
    """What an option comes to: how much of the time it is stale, what is wrong in the end, what it asks the source for."""
    stale, wrong = (estimates(found.results, metric).get(option) for metric in ("stale_fraction", "diverged_entities"))
    if stale is None or wrong is None:
        return ["nothing to read"]
    calls = found.call_backs()[option]
    asks = f", {short(calls.mean, calls.unit).replace(' /s', '')} calls/s" if calls.mean else ", no calls"
    return [
        f"stale {short(stale.mean, 'share')} of the time",
        f"{short(wrong.mean, 'entities').removesuffix(' entities')} wrong in the end{asks}",
    ]


def _met(found: Healing) -> str:
    """What messages meet on their way to the broker, if it is the same with every option."""
    scenarios = [candidate.scenario for candidate in found.comparison.candidates]
    met = {tuple(value_at_path(scenario, path) for path in ("network.loss", "network.latency.publish")) for scenario in scenarios}
    if len(met) > 1:
        return ""
    ((loss, publish),) = met
    return f"A message is lost with probability {loss}; its time to the broker: {publish}. "
