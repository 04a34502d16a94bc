"""How much of a run is warm-up? The course of a metric from an empty start, and where MSER-5 cuts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import candidates_of
from edasim.errors import InputError
from edasim.estimates import short
from edasim.findings import Finding
from edasim.incidents import without_faults
from edasim.journal import NONE, Journal
from edasim.metrics.over_time import stale_over_time
from edasim.patterns import Pattern
from edasim.runs import over_replications
from edasim.scenario import Scenario
from edasim.statistics import mser

MOST = 5000  # points of a course: more are averaged in groups
LEAST = 1e-9  # a course that varies less, time being in nanoseconds, is level but for rounding

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """How a metric went from an empty start, averaged over replications: its *values*, in *unit*, at *times* in seconds.

    *cut*: after how many seconds it has settled by MSER-5; None where it was *refused*.
    """

    option: str
    pattern: str
    metric: str
    unit: str
    times: Floats
    values: Floats
    cut: float | None
    refused: str


def warm_ups(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    consumer: str | None = None,
    replications: int = 10,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> list[Course]:
    """The course of each option, from time 0 to the end of the window, on an ordinary day (nothing fails), cut by `statistics.mser`.

    Where something is sent: the latency of each change in order of commit; where readers ask the source: that of each read; else the
    share that is stale, second by second. The i-th of each replication are averaged (Welch 1983). Of the first consumer, unless asked.
    """
    number = 0 if consumer is None else scenario.consumer_number(consumer)
    whole = without_faults(scenario).with_overrides({"warmup": 0, "duration": scenario.warmup + scenario.duration})
    candidates = candidates_of(whole, patterns, options)
    look = partial(course_of, consumer=number)
    luck = scenario.seed if seed is None else seed
    found = over_replications(candidates, look, seed=luck, replications=replications, jobs=jobs, progress=progress)
    return [averaged(candidate.name, candidate.pattern.name, found[candidate.name]) for candidate in candidates]


def course_of(journal: Journal, consumer: int) -> tuple[str, Floats, Floats]:
    """What one run gives: the metric, and its times (seconds) and values."""
    end = journal.facts["window"][1]
    if journal.facts["sends"][consumer]:
        mine = journal.deliveries["consumer"] == consumer
        applied = journal.deliveries["applied"][mine]
        committed = journal.changes["committed"][journal.deliveries["change"][mine]]
        kept = (applied != NONE) & (committed < end) & (committed != NONE)
        order = np.argsort(committed[kept], kind="stable")
        return "latency", committed[kept][order] / 1e9, (applied - committed)[kept][order] / 1e9
    if journal.facts["reads"][consumer] in ("source", "cache"):
        reads = journal.reads
        read = (reads["consumer"] == consumer) & reads["answered"] & (reads["time"] < end)
        if read.any():
            return "read latency", reads["time"][read] / 1e9, reads["latency"][read] / 1e9
    edges = np.arange(0, end + 1, 1_000_000_000, dtype=np.int64)
    return "stale", edges[:-1] / 1e9, np.nan_to_num(stale_over_time(journal, consumer, edges))


def averaged(option: str, pattern: str, runs: Sequence[tuple[str, Floats, Floats]]) -> Course:
    """The mean course over replications, and its cut."""
    shortest = min(values.size for _, _, values in runs)
    group = max(1, -(-shortest // MOST))
    kept = shortest // group * group
    columns = [[times for _, times, _ in runs], [values for _, _, values in runs]]
    times, values = (np.mean([run[:kept] for run in of], axis=0).reshape(-1, group).mean(axis=1) for of in columns)
    metric, unit = runs[0][0], "share" if runs[0][0] == "stale" else "s"
    try:
        cut = mser(values) if np.ptp(values) > LEAST else 0
    except InputError as error:
        return Course(option, pattern, metric, unit, times, values, None, str(error))
    return Course(option, pattern, metric, unit, times, values, float(times[cut]) if cut else 0.0, "")


def moving_average(values: Floats, half: int) -> Floats:
    """Welch's: the mean of up to *half* values on either side, as many on each, fewer near the beginning (Welch 1983).

    >>> moving_average(np.array([0.0, 3.0, 3.0, 3.0]), 1).tolist()
    [0.0, 2.0, 3.0]
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    middle = np.arange(values.size - half)
    wide = np.minimum(middle, half)
    return np.asarray((sums[middle + wide + 1] - sums[middle - wide]) / (2 * wide + 1))


def is_warm_up_enough(scenario: Scenario, courses: Sequence[Course]) -> Finding:
    """Which warm-up MSER-5 suggests for each option, and whether the scenario's own is enough."""
    return Finding("\n".join(f"* `{course.option}` ({course.metric}): {_verdict(scenario, course)}." for course in courses))


def _verdict(scenario: Scenario, course: Course) -> str:
    mine = short(scenario.warmup, "s")
    if course.cut is None:
        return f"refused: {course.refused} (`duration`, now {short(scenario.duration, 's')})"
    said = "settled from the start" if course.cut == 0 else f"settled after {short(course.cut, 's')}"
    return f"{said}; the warm-up of {mine} is {'enough' if course.cut <= scenario.warmup else 'too short'}"


def cuts_of(scenario: Scenario, courses: Sequence[Course]) -> pd.DataFrame:
    """A row an option: the suggested warm-up in seconds (None: refused, and why) beside the scenario's own."""
    rows = [(course.option, course.metric, course.cut, scenario.warmup, course.refused) for course in courses]
    return pd.DataFrame(rows, columns=["option", "metric", "suggested_s", "warmup_s", "refused"])
