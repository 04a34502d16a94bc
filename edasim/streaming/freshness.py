"""Freshness of one consumer's copies, added up as they are refreshed: the metrics of `edasim.metrics.freshness`."""

import numpy as np

from edasim.afterwards.inputs import Inputs
from edasim.errors import InputError
from edasim.faults import NEVER
from edasim.journal import NONE
from edasim.luck import nanoseconds
from edasim.metrics.values import Value, percentiles
from edasim.statistics import LEVELS
from edasim.streaming import courses
from edasim.streaming.draws import Columns
from edasim.streaming.sketch import Lasting


class Freshness:
    """What is known of one consumer's copies so far."""

    def __init__(self, run: Inputs, number: int) -> None:
        weight = run.workload.population.weight
        course = np.zeros((weight.size, courses.COLUMNS), dtype=np.int64)
        course[:, [courses.FIRST, courses.LAST, courses.AHEAD]] = NONE
        self._name, self._horizon = run.scenario.consumers[number].name, run.horizon
        self._brings_part = run.patterns[number].carries == "delta"
        self._lasting = Lasting()
        nothing, nobody = np.empty((0, 2), dtype=np.int64), np.array([NONE, 0])
        self._state = courses.Course(
            course, nothing, nobody, weight, self._lasting.slope, self._lasting.moment, np.zeros(1, dtype=np.int64)
        )
        start, end = (int(moment) for moment in nanoseconds(np.array(run.scenario.window)))
        self._span = courses.Span(start, end, int(nanoseconds(run.scenario.workload.reads.own_after)))
        self._sums, self._counts = np.zeros(6), np.zeros(5, dtype=np.int64)
        self._kept: Columns = {name: np.empty(0, dtype=np.int64) for name in ("applied", "entity", "version")}

    def go_on(self, commits: Columns, applied: Columns, watermark: int) -> None:
        """The next *commits* in version order, and what was *applied*; of what is before the *watermark* everything is known."""
        self._make_room(commits["entity"].size)
        courses.note(self._state, commits["entity"], commits["committed"])
        rows = {name: np.concatenate([values, applied[name]]) for name, values in self._kept.items()}
        self._add(courses.refresh(self._state, self._span, rows["applied"], rows["entity"], rows["version"], watermark))
        if self._brings_part and self._counts[courses.GAPS]:
            raise InputError(f"{self._name}: a delta comes before the one that it follows on, which can't be streamed")
        later = np.flatnonzero(rows["applied"] >= watermark)
        self._kept = {name: values[later] for name, values in rows.items()}

    @property
    def waiting(self) -> int:
        """How many messages are applied after the last watermark."""
        return self._kept["applied"].size

    def _add(self, more: "tuple[courses.Floats, courses.Ints]") -> None:
        self._sums += more[0]
        self._counts += more[1]

    def _make_room(self, commits: int) -> None:
        """At least so many free links."""
        links, pool = self._state.links, self._state.pool
        if pool[1] >= commits:
            return
        size = len(links)
        more = np.zeros((size + 2 * commits, 2), dtype=np.int64)
        more[:size] = links
        more[size:, courses.NEXT] = [*range(size + 1, len(more)), pool[0]]
        pool[:] = size, pool[1] + len(more) - size
        self._state = self._state._replace(links=more)

    def values(self) -> list[Value]:
        """The metrics, now that the run is over."""
        empty: Columns = {name: np.empty(0, dtype=np.int64) for name in ("applied", "entity", "version", "committed")}
        self.go_on(empty, empty, NEVER)
        self._add(courses.rest(self._state, self._span, self._horizon))
        name, sums, counts = self._name, self._sums, self._counts
        total = float(self._state.weight.sum()) * (self._span.end - self._span.start)
        self._lasting.most = int(self._state.longest[0])
        values = [
            Value("stale_fraction", float(sums[courses.STALE]) / total, "share", name),
            Value("staleness_mean", float(sums[courses.STALENESS]) / total / 1e9, "s", name),
            Value("versions_behind_mean", float(sums[courses.BEHIND]) / total, "versions", name),
            Value("age_mean", float(sums[courses.AGE]) / total / 1e9, "s", name),
            *percentiles("staleness", self._lasting.quantiles(LEVELS, total), (95, 99), "s", name),
        ]
        if counts[courses.DROPS]:
            values.append(Value("age_peak_mean", float(sums[courses.PEAKS] / sums[courses.PEAK_WEIGHTS]) / 1e9, "s", name))
        values.append(Value("diverged_entities", float(counts[courses.DIVERGED]), "entities", name, nature="count", level=1.0))
        writes, missed = int(counts[courses.WRITES]), int(counts[courses.MISSED])
        return values + (
            [Value("read_your_writes_miss_rate", missed / writes, "share", name, nature="rate", trials=writes)] if writes else []
        )
