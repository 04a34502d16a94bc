"""Backlog around a fault: how much waits for a consumer, how long it takes to catch up, and in which partitions it waits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.estimates import short, unit_for
from edasim.figures.looks import DASHES, Look, wrapped
from edasim.figures.picture import INK, SHADE, SOFT, Line, caption, drawn, label_beside, looks_of, mark
from edasim.findings import the
from edasim.journal import NONE, OUTCOMES, POISON, SLOW, Journal
from edasim.metrics.backlog import MOST_PARTITIONS, backlog_of_partitions, backlog_over_time, faults_of, partition_of, recoveries, waiting
from edasim.summary import ABSENT

Ints = NDArray[np.int64]
BINS = 400  # of time
COLUMNS = {"most waiting": 52, "caught up after": 118, "lost": 156}  # each so many points to the right of the axes
LOST = [code for code, outcome in enumerate(OUTCOMES) if outcome.startswith("lost_")]
NAMED = 3  # partitions


@dataclass(frozen=True)
class View:
    """What is shown of a run, from *start* to *end*, and which *components* are down from *down* to *up* (none: nothing is); in ns."""

    start: int
    end: int
    down: int = 0
    up: int = 0
    components: tuple[str, ...] = ()

    @property
    def edges(self) -> Ints:
        """Bins of time."""
        return np.linspace(self.start, self.end, BINS + 1).astype(np.int64)

    @property
    def when(self) -> str:
        """What is down, slow or blocked, and for how long, for a title."""
        if not self.components:
            return ""
        down = [component for component in self.components if not component.endswith((SLOW, POISON))]
        said = [f"{' and '.join(map(the, down))} {'is' if len(down) == 1 else 'are'} down"] if down else []
        said += [f"{component.removesuffix(SLOW)} is slow" for component in self.components if component.endswith(SLOW)]
        said += [f"{component.removesuffix(POISON)} has a poison message" for component in self.components if component.endswith(POISON)]
        return f" when {' and '.join(said)} for {short((self.up - self.down) / 1e9, 's')}"

    def across(self, axes: Axes) -> float:
        """Give the *axes* their limits and a label across; the length of its unit, in ns."""
        scale, unit = unit_for("s", (self.end - self.start) / 1e9)
        axes.set_xlim((self.start - self.down) / scale / 1e9, (self.end - self.down) / scale / 1e9)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.set_xlabel(f"time since {'the outage began' if self.components else 'the start of the run'} ({unit})")
        return scale * 1e9


def view_of(journals: Mapping[str, Journal], consumer: str, component: str | None = None) -> View:
    """The fault in the measured window, of any or one *component*, in which most waits for *consumer* with any option.

    From a while before it until every option has caught up; the whole window where there is no fault. Raises InputError where
    *component* never is down.
    """
    found: list[tuple[int, View]] = []
    number = next(iter(journals.values())).facts["consumers"].index(consumer)
    sending = [journal for journal in journals.values() if journal.facts["sends"][number]]
    for journal in sending:
        faults, waits = faults_of(journal, number), waiting(journal, number)
        for start, over in recoveries(journal, number)[0].tolist():
            end = over if over > start else journal.facts["window"][1]  # a poison message that is never put aside
            names = tuple(name for name, spans in faults.items() if ((spans[:, 0] < end) & (spans[:, 1] > start)).any())
            if component is None or component in names:
                found.append((int(waits.most(np.array([start, end + 1]))[0]), View(start, end, start, end, names)))
    if not found and component is not None:
        raise InputError(f"component {component} is never down in the window where {consumer} could notice it")
    if not found:
        return View(*next(iter(journals.values())).facts["window"])
    worst = max(found, key=lambda pair: pair[0])[1]
    last = max(met[1] if (met := _met(journal, consumer, worst)) else worst.up for journal in sending)
    margin = (last - worst.down) * 15 // 100
    return View(max(0, worst.down - margin), last + margin, worst.down, worst.up, worst.components)


def _met(journal: Journal, consumer: str, view: View) -> tuple[int, int] | None:
    """When the fault in view ends for the option, and when as few wait again as before it (the end of the run, if that comes first).

    None where the option does not meet the fault.
    """
    spans, recovered = recoveries(journal, journal.facts["consumers"].index(consumer))
    met = np.flatnonzero((spans[:, 0] < view.up) & (spans[:, 1] > view.down))
    if not met.size:
        return None
    caught_up = recovered[met[-1]] if recovered[met[-1]] != NONE else journal.facts["horizon"]
    return int(spans[met[-1], 1]), int(caught_up)


@drawn
def backlog_after_outage(journals: Mapping[str, Journal], consumer: str, component: str | None = None) -> tuple[Figure, str]:
    """How many messages wait for *consumer* around a fault, an option a row, until all have caught up. *journals* by option, of one luck.

    The fault is the one in which most waits, of *component* if one is given (see `view_of`). Raises InputError where that is never down.
    """
    view = view_of(journals, consumer, component)
    number = next(iter(journals.values())).facts["consumers"].index(consumer)
    sending = {option: journal for option, journal in journals.items() if journal.facts["sends"][number]}
    courses = {option: backlog_over_time(journal, number, view.edges) for option, journal in sending.items()}
    top = max([1, *(int(course.max()) for course in courses.values())])
    heights = [0.5 if option in courses else 0.25 for option in journals]
    figure = Figure(figsize=(6.0, 1.2 + sum(heights)))
    rows = figure.subplots(len(journals), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    words = []
    for axes, (option, look) in zip(rows, looks_of(journals).items(), strict=True):
        length = view.across(axes)
        axes.set(ylim=(0, 1.15 * top), xlabel=axes.get_xlabel() if axes is rows[-1] else "")
        axes.set_yticks([0, top], ["0", f"{top:,}"], fontsize=6)
        axes.annotate(
            wrapped(option), (0, 0.45), (-40, 0), xycoords="axes fraction", textcoords="offset points", ha="right", va="center", fontsize=7
        )
        mark(axes, axes.transAxes, (0, 0.45), look, points=31)
        if option in courses:
            said = _course(axes, courses[option], journals[option], consumer, view, look, length)
        else:
            said = "sends nothing: nothing waits"
            axes.text(0.03, 0.45, said, color=SOFT, fontsize=7, style="italic", va="center", transform=axes.transAxes)
            axes.spines[["left"] if axes is rows[-1] else ["left", "bottom"]].set_visible(False)
            axes.tick_params("both" if axes is not rows[-1] else "y", length=0, labelleft=False)
        words.append(f"{option}: {said}.")
    for axes in [axes for axes, option in zip(rows, journals, strict=True) if option in courses][:1]:
        axes.annotate("messages", (0, 1), (-6, 3), xycoords="axes fraction", textcoords="offset points", ha="right", fontsize=6, color=SOFT)
    for heading, place in COLUMNS.items():
        rows[0].annotate(
            heading, (1, 1), (place, 6), xycoords="axes fraction", textcoords="offset points", ha="right", fontsize=7, color=SOFT
        )
    figure.suptitle(f"{_name(journals)}: what waits for {consumer}{view.when}?", x=0.01, ha="left")
    signs = "Shaded: an outage. Caught up (dashed): from its end until as few wait as before it. " if view.components else ""
    caption(
        figure,
        "One run: messages committed and not yet handled; those that are lost never wait. Dot: the most. "
        f"{signs}Lost: of the messages committed in the time shown.",
    )
    return figure, f"What waits for {consumer}{view.when}. " + " ".join(words)


def _name(journals: Mapping[str, Journal]) -> str:
    return str(next(iter(journals.values())).facts["scenario"])


def _course(axes: Axes, course: Ints, journal: Journal, consumer: str, view: View, look: Look, length: float) -> str:
    """One option's backlog in the time shown, what it comes to behind its row, and the same in words."""
    times = (view.edges - view.down) / length
    peak, most = int(course.argmax()), int(course.max())
    axes.stairs(course, times, fill=True, color=look.colour, lw=0)
    axes.stairs(course, times, color=INK, lw=0.4)
    axes.plot((times[peak] + times[peak + 1]) / 2, most, "o", ms=3, color=INK, clip_on=False, zorder=3)
    _shade(axes, journal, consumer, view, length)
    after = ABSENT
    if met := _met(journal, consumer, view):
        end, caught_up = met
        after = short((caught_up - end) / 1e9, "s") if caught_up > end else "at once"
        if caught_up == journal.facts["horizon"]:
            after = f"> {after}"
        else:
            axes.axvline((caught_up - view.down) / length, color=INK, lw=0.9, ls=(0, (3, 1.5)))
    lost = _lost(journal, consumer, view)
    for place, said in zip(COLUMNS.values(), (f"{most:,}", after, f"{lost:,}"), strict=True):
        axes.annotate(
            said, (1, 0.45), (place, 0), xycoords="axes fraction", textcoords="offset points", ha="right", va="center", fontsize=7
        )
    meets = f"caught up {after if after == 'at once' else f'after {after}'}" if met else "meets no outage"
    return f"most waiting {most:,}, {meets}, lost {lost:,}"


def _shade(axes: Axes, journal: Journal, consumer: str, view: View, length: float) -> None:
    """Shade when something was down that the option needs."""
    for spans in faults_of(journal, journal.facts["consumers"].index(consumer)).values():
        for start, end in spans[(spans[:, 0] < view.end) & (spans[:, 1] > view.start)]:
            sides = (max(start, view.start) - view.down) / length, (min(end, view.end) - view.down) / length
            axes.axvspan(*sides, color=SHADE, lw=0.8, zorder=0)


def _lost(journal: Journal, consumer: str, view: View) -> int:
    """How many messages are lost of those that were committed in the time shown."""
    deliveries, number = journal.deliveries, journal.facts["consumers"].index(consumer)
    committed = journal.changes["committed"][deliveries["change"]]
    mine = (deliveries["consumer"] == number) & (committed >= view.start) & (committed < view.end)
    return int(np.isin(deliveries["outcome"][mine], LOST).sum())


@drawn
def backlog_by_partition(journal: Journal, consumer: str, component: str | None = None) -> tuple[Figure, str]:
    """How many messages wait for *consumer* around a fault in each partition, with one option: the hottest are named, so hot keys show.

    The fault is chosen as by `backlog_after_outage`. Raises InputError where the broker keeps no partitions.
    """
    option, partitions = journal.facts["option"], journal.facts["partitions"]
    if not partitions:
        raise InputError(f"option {option}: keeps no messages by partition")
    view, number = view_of({option: journal}, consumer, component), journal.facts["consumers"].index(consumer)
    courses = backlog_of_partitions(journal, number, view.edges)
    hottest = np.argsort(-courses.max(axis=1), kind="stable")[:MOST_PARTITIONS].tolist()
    figure = Figure(figsize=(6.0, 3.0))
    axes = figure.subplots()
    times = (view.edges[:-1] - view.down) / view.across(axes)
    _shade(axes, journal, consumer, view, view.across(axes))
    for partition in hottest[NAMED:]:
        axes.plot(times, courses[partition], drawstyle="steps-post", color=SOFT, lw=0.5)
    look = looks_of({option: journal})[option]
    for partition, dash in zip(hottest[:NAMED], DASHES, strict=False):
        axes.plot(times, courses[partition], drawstyle="steps-post", color=look.colour, ls=dash, lw=1.5)
    axes.set(ylim=(0, 1.05 * max(1, courses.max())), ylabel="messages waiting")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    peaks = [(float(times[courses[partition].argmax()]), float(courses[partition].max())) for partition in hottest[:NAMED]]
    heats = [_heat(journal, number, partition, view) for partition in hottest[:NAMED]]
    words = [f"partition {partition}: most {int(most):,}" for partition, (_, most) in zip(hottest, peaks, strict=False)]
    label_beside(axes, peaks, [[Line(word), *map(Line, heat)] for word, heat in zip(words, heats, strict=True)])
    figure.suptitle(f"{_name({option: journal})}, {option}: what waits for {consumer} in which partition?", x=0.01, ha="left")
    caption(
        figure,
        f"One run{view.when}: messages committed and not yet handled, by partition. Thick: the {len(peaks)} of {partitions} in which most "
        "wait. Shaded: an outage. Percent: of the messages committed in the time shown.",
    )
    said = " ".join(f"{word}, {', '.join(heat)}." for word, heat in zip(words, heats, strict=True))
    return figure, f"{option}: what waits for {consumer} by partition{view.when}, of {partitions} the hottest. {said}"


def _heat(journal: Journal, number: int, partition: int, view: View) -> tuple[str, str]:
    """How much of the traffic in the time shown goes to the *partition*, and to its busiest entity."""
    mine = journal.deliveries["consumer"] == number
    change = journal.deliveries["change"][mine]
    committed = journal.changes["committed"][change]
    change = change[(committed >= view.start) & (committed < view.end)]
    entities = journal.changes["entity"][change][partition_of(journal, change) == partition]
    if not entities.size:
        return "no message", "no entity"
    busiest = np.bincount(entities)
    one = f"entity {busiest.argmax()} alone {short(float(busiest.max()) / change.size, 'share')}"
    return f"{short(entities.size / change.size, 'share')} of all messages", one
