"""What a replay costs: the figure."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edasim.estimates import short
from edasim.figures.looks import Look
from edasim.figures.picture import INK, caption, drawn, looks_of, name_rows, nothing
from edasim.journal import Journal
from edasim.patterns import pattern_of


@drawn
def replay_cost(journals: Mapping[str, Journal]) -> tuple[Figure, str]:
    """What a replay costs: events to replay for loading one entity, and the time to rebuild everything. *journals* by option."""
    styles = looks_of(journals)
    figure = Figure(figsize=(6.0, 1.1 + 0.27 * len(styles)))
    left, right = figure.subplots(1, 2, sharey=True)
    words = []
    for row, (option, look) in enumerate(styles.items()):
        whole = journals[option].rebuilds
        one = _load_events(left, row, look, journals[option].loads["events"])
        rebuilt = "nothing to rebuild"
        if whole["way"].size:
            seconds, events = float(whole["duration"][0]) / 1e9, int(whole["items"][0])
            rows = "events" if pattern_of(journals[option].facts["pattern"]).truth == "events" else "rows"
            right.barh(row, seconds, height=0.5, color=look.colour, ec=INK)
            rebuilt = f"{short(seconds, 's')} for {events:,} {rows}"
            right.annotate(rebuilt, (seconds, row), (4, 0), textcoords="offset points", va="center", fontsize=7)
        else:
            nothing(right, row, rebuilt)
        words.append(f"{option}: a load replays {one}; a rebuild: {rebuilt}.")
    name_rows(left, styles, named=True)
    left.set(title="What does one load replay?", xlabel="events to load one entity")
    right.set(title="How long does a rebuild take?", xlabel="seconds")
    for axes in (left, right):
        axes.set_xlim(0, max(axes.dataLim.x1, 1e-9) * 2)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter("{x:g}")
    caption(
        figure, "Marker: median; thick line: middle half of all loads; thin line: from the least to the 99th percentile. One replication."
    )
    return figure, " ".join(words)


def _load_events(axes: Axes, row: int, look: Look, events: NDArray[np.int64]) -> str:
    """How the number of *events* per load is spread, as a line, and in words."""
    if not events.size:
        return nothing(axes, row, "nothing")
    least, early, median, late, most = np.percentile(events, (0, 25, 50, 75, 99))
    axes.plot([least, most], [row, row], color=INK, lw=0.8, marker="|", ms=5)
    axes.plot([early, late], [row, row], color=INK, lw=3, solid_capstyle="butt")
    axes.plot(median, row, look.marker, color=look.colour, mec=INK, zorder=3)
    said = f"median {median:.3g}, p99 {most:.3g}"
    axes.annotate(said, (most, row), (5, 0), textcoords="offset points", va="center", fontsize=7)
    return f"{said} events"
