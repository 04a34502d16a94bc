"""Every figure. The only module that imports matplotlib, and never its global state: a figure is a value with a description.

An option has the fixed colour of its pattern, its own marker and its name beside it: never colour alone.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from io import BytesIO
from math import floor, isnan, log10, nan
from pathlib import Path
from typing import ParamSpec

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edasim.journal import LOADS, Journal
from edasim.metrics import measure
from edasim.metrics.over_time import stale_over_time, unanswered_over_time
from edasim.patterns import PRESETS, Pattern, pattern_of
from edasim.summary import SCALES, in_words, worst_consumer

STYLE = Path(__file__).with_name("edasim.mplstyle")
WIDTH = 840  # how wide a page shows a figure, in pixels; on a narrower screen it shrinks
INK, SOFT, LINE, SHADE = "#1c2126", "#57606a", "#d5dae0", "#e9edf1"
# Okabe and Ito (2008): told apart by people of any colour vision; their grey as in R's palette of that name.
COLOURS = dict(
    zip(PRESETS, ("#000000", "#999999", "#F0E442", "#E69F00", "#0072B2", "#CC79A7", "#56B4E9", "#D55E00", "#009E73"), strict=True)
)
MARKERS = dict(zip(PRESETS, "sDv^oPhX*", strict=True))
MORE_MARKERS = "<>pdH8"
PANELS = (
    ("loss_rate", "How much is lost?", "changes lost"),
    ("stale_fraction", "How often are readers stale?", "time stale"),
    ("storage_growth_bytes_per_day", "How fast does storage grow?", "growth per day"),
    ("rebuild_time", "How long does a replay of everything take?", "rebuild time"),
)
COMPONENTS = {  # of storage: colour and hatch
    "source": ("#c9d1d9", ""),
    "outbox": ("#f6d7a7", ".."),
    "wal": ("#f6d7a7", "oo"),
    "log": ("#f3e3d3", "////"),
    "copy": ("#cfe6f5", "...."),
    "events": ("#efd3e2", "xxxx"),
    "snapshots": ("#e2d5ee", "----"),
    "read_model": ("#cfeadf", "\\\\\\\\"),
    "dead_letters": ("#f5c6c0", "++"),
}
BINS, B = 300, "bytes"
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Picture:
    """A drawn figure and what it shows in words; a notebook displays it with those words as its alternative text."""

    figure: Figure
    alt: str
    png: bytes = field(repr=False)

    def save(self, path: Path) -> None:
        """Write the PNG; the same figure gives the same bytes."""
        path.write_bytes(self.png)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict[str, str], dict[str, dict[str, object]]]:
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "width": WIDTH}}


def _drawn(make: Callable[Given, tuple[Figure, str]]) -> Callable[Given, Picture]:
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


@dataclass(frozen=True)
class Look:
    """How an option is drawn, in every figure."""

    colour: str
    marker: str


def looks(options: Mapping[str, Pattern | str]) -> dict[str, Look]:
    """The look of each option, by name: the colour of its pattern; two options of one pattern differ by their marker.

    A pattern that is no preset takes the colour of the first preset that shares most of its three answers.

    >>> looks({"kafka": "event_carried_state_transfer", "kafka-cdc": "event_carried_state_transfer"})
    {'kafka': Look(colour='#0072B2', marker='o'), 'kafka-cdc': Look(colour='#0072B2', marker='<')}
    """
    found: dict[str, Look] = {}
    for option, pattern in options.items():
        preset = _nearest(pattern_of(pattern))
        taken = {look.marker for look in found.values()}
        marker = next((m for m in (MARKERS[preset], *MORE_MARKERS, *MARKERS.values()) if m not in taken), MARKERS[preset])
        found[option] = Look(COLOURS[preset], marker)
    return found


def _nearest(pattern: Pattern) -> str:
    shared = {name: sum(getattr(pattern, q) == getattr(preset, q) for q in ("truth", "carries", "reads")) for name, preset in PRESETS.items()}
    return max(shared, key=lambda name: shared[name])


def _looks_of(journals: Mapping[str, Journal]) -> dict[str, Look]:
    return looks({option: journal.facts["pattern"] for option, journal in journals.items()})


def _wrapped(name: str, width: int = 18) -> str:
    """*name* on several lines, broken after its own separators.

    >>> _wrapped("event_sourcing_state_transfer")
    'event_sourcing_\\nstate_transfer'
    """
    lines = [""]
    for part in re.findall(r"[^_\-/ ]*[_\-/ ]?", name):
        lines = [*lines, part] if lines[-1] and len(lines[-1] + part) > width else [*lines[:-1], lines[-1] + part]
    return "\n".join(lines)


def _unit(unit: str, size: float) -> tuple[float, str]:
    """By what to divide numbers of up to *size*, and what the unit is called then."""
    scales = SCALES.get(unit, ((1.0, unit),))
    scale, name = next((found for found in scales if size >= found[0]), scales[-1])
    return scale, name.strip()


def _short(value: float, unit: str) -> str:
    return in_words(value, nan, nan, unit)


def _name_rows(axes: Axes, styles: Mapping[str, Look]) -> None:
    """Options as rows from top to bottom, each with its marker beside its name."""
    axes.set_ylim(len(styles) - 0.4, -0.6)
    axes.set_yticks(range(len(styles)), [_wrapped(option) for option in styles])
    axes.tick_params(axis="y", length=0, pad=13)
    for row, look in enumerate(styles.values()):
        axes.plot(-0.04, row, look.marker, color=look.colour, mec=INK, clip_on=False, transform=axes.get_yaxis_transform())


@dataclass(frozen=True)
class _Scale:
    """Where numbers stand: linear from zero, or, where they differ by more than 30 times, by decades from *lowest* with 0 apart."""

    lowest: float | None

    @classmethod
    def of(cls, sizes: Sequence[float]) -> "_Scale":
        positive = [size for size in sizes if size > 0]
        apart = positive and min(sizes) >= 0 and max(positive) > 30 * min(positive)
        return cls(10.0 ** floor(log10(min(positive))) if apart else None)

    def at(self, value: float) -> float:
        if self.lowest is None:
            return value
        return 0.0 if value <= 0 else max(0.5, 1 + log10(value / self.lowest))

    def mark(self, axes: Axes, most: float, unit: str, label: str) -> None:
        """Limits, ticks and label of the axis across, for numbers of up to *most*."""
        scale, name = _unit(unit, most)
        axes.set_xlabel(f"{label} ({name})" if self.lowest is None else label)
        if self.lowest is None:
            axes.xaxis.set_major_formatter(lambda value, _: f"{value / scale:g}")
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            axes.set_xlim(min(0.0, axes.get_xlim()[0]), most * 1.08)
            return
        decades = range(1, floor(self.at(most)) + 1)
        ticks = list(decades)[:: max(1, len(decades) // 4)]
        axes.set_xticks([0, *ticks], ["0", *(_short(self.lowest * 10.0 ** (tick - 1), unit).removesuffix("/day") for tick in ticks)])
        axes.set_xlim(-0.35, max(self.at(most) + 0.2, 2))
        axes.axvspan(-0.35, 0.42, color=SHADE, lw=0, zorder=0)


@_drawn
def one_screen_figure(results: pd.DataFrame) -> tuple[Figure, str]:
    """What is lost, how stale readers are, how storage grows and what a replay takes: options as rows, of consumers the worst off.

    *results* as `compare` returns them. Zero by nature, none seen up to a bound, and what does not apply are told apart in words.
    """
    styles = looks(dict(zip(results["option"], results["pattern"], strict=True)))
    figure = Figure(figsize=(6.0, 1.7 + 0.54 * len(styles)))
    words: dict[str, list[str]] = {option: [] for option in styles}
    for axes, (metric, title, label) in zip(figure.subplots(2, 2, sharey=True).flat, PANELS, strict=True):
        rows = worst_consumer(results, metric)
        sizes = [float(size) for size in rows[["mean", "high"]].to_numpy().ravel() if not isnan(size)] or [0.0]
        scale = _Scale.of(sizes)
        axes.set_title(title)
        axes.hlines(range(len(styles)), 0, 1, color=LINE, lw=0.5, transform=axes.get_yaxis_transform(), zorder=0)
        if len(rows):
            scale.mark(axes, max(sizes) or 1.0, str(rows["unit"].iloc[0]), label)
        for row, (option, look) in enumerate(styles.items()):
            said = _row(axes, row, look, scale, rows.loc[option] if option in rows.index else None)
            words[option].append(f"{label} {said}")
        if axes.get_subplotspec().is_first_col():
            _name_rows(axes, styles)
    count = int(results["replications"].max())
    figure.suptitle(f"{results['scenario'].iloc[0]}: what each option loses, how stale its readers are, what it stores and replays")
    figure.supxlabel(
        f"Filled marker: mean. Line: 95 % interval over {count} replications. Hollow marker: none seen, and a line up to the 95 % bound.\n"
        "Of several consumers the one who fares worst."
    )
    return figure, "One row an option. " + " ".join(f"{option}: {', '.join(said)}." for option, said in words.items())


def _row(axes: Axes, row: int, look: Look, scale: _Scale, found: "pd.Series[float] | None") -> str:
    """One option in one panel, and the same in words."""
    if found is None:
        axes.text(0.03, row, "does not apply", color=SOFT, style="italic", va="center", transform=axes.get_yaxis_transform())
        return "does not apply"
    mean, low, high, unit = (found[name] for name in ("mean", "low", "high", "unit"))
    left, right = (scale.at(mean if isnan(end) else max(end, 0) if mean >= 0 else end) for end in (low, high))
    seen = mean != 0
    axes.plot([left, right], [row, row], color=INK, lw=1, marker="|", ms=5, solid_capstyle="butt")
    axes.plot(scale.at(mean), row, look.marker, color=look.colour if seen or not high > 0 else "white", mec=INK, clip_on=False, zorder=3)
    said = _short(mean, unit) if seen else f"none seen, < {_short(high, unit)}" if high > 0 else "0 by nature"
    start, end = axes.get_xlim()
    on_the_left = seen and right - start > 0.62 * (end - start)
    axes.annotate(
        said,
        (left if on_the_left else right, row),
        (-6 if on_the_left else 6, 0),
        textcoords="offset points",
        ha="right" if on_the_left else "left",
        va="center",
        fontsize=7,
        style="normal" if seen else "italic",
    )
    return in_words(mean, low, high, unit) if seen else said


def _faults(journal: Journal, consumer: str) -> dict[str, list[tuple[float, float]]]:
    """When the source, the broker and any instance of *consumer* are down, in seconds; by name, only those that ever are."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, start, end in journal.frame("faults")[["component", "start", "end"]].itertuples(index=False):
        component = re.sub(r" \d+$", "", name)
        if component in ("source", "broker", consumer):
            found.setdefault(component, []).append((start, end))
    return found


@_drawn
def bad_day(journals: Mapping[str, Journal], consumer: str) -> tuple[Figure, str]:
    """What readers at *consumer* meet over time, an option a row: stale data (the share of popularity) and no answer.

    *journals* by option, of one luck. Outages of source, broker and consumer are named on top and shaded where an option meets them.
    """
    styles, first = _looks_of(journals), next(iter(journals.values()))
    number = first.facts["consumers"].index(consumer)
    edges = np.linspace(*first.facts["window"], BINS + 1).astype(np.int64)
    met = {option: _met(journal, number, edges) for option, journal in journals.items()}
    peak = max(float(np.nanmax(sum(both))) for both in met.values())
    top = next(top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if peak <= top or top == 1.0)
    scale, unit = _unit("s", edges[-1] / 1e9)
    figure = Figure(figsize=(6.0, 1.5 + 0.4 * len(styles)))
    lanes, *rows = figure.subplots(len(styles) + 1, 1, sharex=True, height_ratios=[1.0] + [1.3] * len(styles))
    down = {name: spans for journal in journals.values() for name, spans in _faults(journal, consumer).items()}
    for lane, spans in enumerate(down.values()):
        lanes.barh([lane] * len(spans), [(e - s) / scale for s, e in spans], left=[s / scale for s, _ in spans], color=INK, ec=INK, lw=0.8)
    lanes.set_yticks(range(len(down)), [f"{name} down" for name in down])
    lanes.set_ylim(len(down) - 0.4, -0.6)
    lanes.tick_params(axis="both", length=0)
    lanes.spines[:].set_visible(False)
    words = []
    for axes, (option, look) in zip(rows, styles.items(), strict=True):
        stale, silent = met[option]
        times = edges / 1e9 / scale
        for spans in _faults(journals[option], consumer).values():
            for start, end in spans:
                axes.axvspan(start / scale, end / scale, color=SHADE, lw=0.8, zorder=0)
        axes.stairs(stale, times, fill=True, color=look.colour, lw=0)
        axes.stairs(stale + silent, times, baseline=stale, fill=True, fc="white", ec=INK, hatch="//////", lw=0.5)
        axes.stairs(stale, times, color=INK, lw=0.5)
        axes.set_ylim(0, top)
        axes.set_yticks([0, top], ["0", f"{top:.0%}".replace("%", " %")], fontsize=6)
        words.append(_totals(axes, journals[option], consumer, option))
    return figure, " ".join(words)


def _met(journal: Journal, consumer: int, edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shares of reads in each bin that get stale data and that get no answer, of all that are asked."""
    silent = np.nan_to_num(unanswered_over_time(journal, consumer, edges))
    return np.nan_to_num(stale_over_time(journal, consumer, edges)) * (1 - silent), silent


def _totals(axes: Axes, journal: Journal, consumer: str, option: str) -> str:
    """Beside an option's row what it adds up to in the window, and the same in words."""
    found = {value.metric: value.value for value in measure(journal) if value.consumer == consumer}
    stale, lost = _short(found["stale_fraction"], "share"), _short(found["loss_rate"], "share") if journal.facts["sends"] else "–"
    silent = _short(1 - found.get("read_availability", 1.0), "share")
    for column, text in enumerate((stale, silent, lost)):
        axes.text(1.2 + 0.18 * column, 0.5, text, transform=axes.transAxes, ha="right", va="center", fontsize=7)
    axes.set_ylabel(_wrapped(option), rotation=0, ha="right", va="center", fontsize=7.5)
    return f"{option}: stale {stale}, no answer {silent}, lost {lost}."


@_drawn
def storage_over_time(journals: Mapping[str, Journal]) -> tuple[Figure, str]:
    """Bytes by component over time, an option a panel, all on the same axes. *journals* by option."""
    styles = _looks_of(journals)
    count, across = len(journals), 3
    figure = Figure(figsize=(6.0, 1.2 + 1.35 * -(-count // across)))
    grid = figure.subplots(-(-count // across), across, sharex=True, sharey=True, squeeze=False)
    tables = {option: journal.frame("storage").pivot(index="time", columns="component", values="bytes") for option, journal in journals.items()}
    most = max(float(table.sum(axis=1).max()) for table in tables.values())
    seconds, time_unit = _unit("s", max(float(table.index[-1]) for table in tables.values()))
    scale, unit = _unit("bytes", most)
    words = []
    for axes, (option, table) in zip(grid.flat, tables.items(), strict=False):
        parts = [component for component in COMPONENTS if component in table]
        layers = axes.stackplot(table.index / seconds, (table[parts] / scale).to_numpy().T, colors=[COMPONENTS[part][0] for part in parts])
        for layer, part in zip(layers, parts, strict=True):
            layer.set(hatch=COMPONENTS[part][1], edgecolor=INK, linewidth=0.4)
        axes.set_title(_wrapped(option, 24), fontsize=7.5, color=INK)
        end = table.iloc[-1]
        axes.text(0.03, 0.97, _short(float(end.sum()), "bytes"), transform=axes.transAxes, va="top", fontsize=7)
        words.append(f"{option}: {', '.join(f'{part} {_short(float(end[part]), B)}' for part in parts)}.")
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    axes.set_ylim(0, most / scale * 1.25)
    used = [part for part in COMPONENTS if any(part in table for table in tables.values())]
    handles = [Patch(facecolor=COMPONENTS[part][0], hatch=COMPONENTS[part][1], edgecolor=INK, label=part.replace("_", " ")) for part in used]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(used), 5))
    figure.supylabel(f"stored ({unit})", fontsize=8)
    figure.supxlabel(f"time since the start of the run ({time_unit})", fontsize=8)
    figure.suptitle("Where do the bytes pile up? In each corner: the total at the end")
    return figure, "Bytes stored at the end. " + " ".join(words)


@_drawn
def replay_cost(journals: Mapping[str, Journal]) -> tuple[Figure, str]:
    """What a replay costs: the events to replay for loading one entity, and the time to rebuild everything. *journals* by option."""
    styles = _looks_of(journals)
    figure = Figure(figsize=(6.0, 1.2 + 0.27 * len(styles)))
    left, right = figure.subplots(1, 2, sharey=True)
    words = []
    for row, (option, look) in enumerate(styles.items()):
        loads = journals[option].loads
        whole = loads["kind"] == LOADS.index("rebuild")
        one, said = loads["events"][~whole], f"{option}: "
        if one.size:
            low, early, middle, late, high = np.percentile(one, (0, 25, 50, 75, 99))
            left.plot([low, high], [row, row], color=INK, lw=0.8, marker="|", ms=5)
            left.plot([early, late], [row, row], color=INK, lw=3, solid_capstyle="butt")
            left.plot(middle, row, look.marker, color=look.colour, mec=INK, zorder=3)
            said += f"loading one entity replays {middle:g} events in the middle, {high:g} at the 99th percentile; "
        if whole.any():
            seconds, events = float(loads["duration"][whole][0]) / 1e9, int(loads["events"][whole][0])
            rows = "events" if pattern_of(journals[option].facts["pattern"]).truth == "events" else "rows"
            right.barh(row, seconds, height=0.5, color=look.colour, ec=INK)
            right.annotate(f"{_short(seconds, 's')}: {events:,} {rows}", (seconds, row), (4, 0), textcoords="offset points", va="center", fontsize=7)
            said += f"a rebuild takes {_short(seconds, 's')} for {events:,} {rows}."
        for axes, drawn in ((left, one.size), (right, whole.any())):
            if not drawn:
                axes.text(0.03, row, "nothing to replay", color=SOFT, style="italic", va="center", transform=axes.get_yaxis_transform())
        words.append(said)
    _name_rows(left, styles)
    left.set(title="How many events does loading one entity replay?", xlabel="events after the last snapshot")
    right.set(title="How long does rebuilding everything take?", xlabel="seconds")
    return figure, " ".join(words)


@_drawn
def sweep_figure(swept: pd.DataFrame, title: str) -> tuple[Figure, str]:
    """How a share changes with one input. *swept*: index the input (named), columns mean, low, high and by_hand (NaN: no formula)."""
    figure = Figure(figsize=(6.0, 2.8))
    axes = figure.subplots()
    for name in ("mean", "low", "high", "by_hand"):
        swept[name] * 100
    axes.set(title=title, xlabel=str(swept.index.name), ylabel="changes lost (%)")
    return figure, title
