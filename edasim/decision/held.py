"""An option held against what is required of it while one input is moved: each run is made once, and serves all requirements.

A requirement at a value of an input is a `Point`: by how much the metric is beyond the limit, with its interval; above 0 it is violated.
What decides is what decides a verdict (`edasim.verdicts`): of several consumers and incidents the worst.

As in `edasim.studies.tipping` replications are added until it is clear, and all looks together have 5 % to be wrong.

How often an incident happens changes nothing in it, but only what it weighs in a year: no run is made for that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, isnan, nextafter

from edasim.candidates import Candidate
from edasim.comparison import Comparison, Key, by_key
from edasim.decision.movable import Movable
from edasim.incidents import DURING, values_in
from edasim.intervals import difference
from edasim.metrics import Value, measure
from edasim.metrics.names import INCIDENTS
from edasim.runs import Act, at_points, look_at
from edasim.scenario import Incident, Requirement
from edasim.statistics import Interval
from edasim.studies.bracketing import Point
from edasim.studies.tipping import widened
from edasim.verdicts import Verdict, verdicts_of

OF_INCIDENTS = frozenset({*INCIDENTS, *DURING, "recovery_time", "diverged_entities"})  # metrics that an incident has
IN_A_YEAR = "_per_year"
READ_WITH = {"unrecovered_rate": "recovery_time"}


@dataclass
class Held:
    """One option and the requirements that it is held against, always on the same luck; *looks*: after how many replications."""

    candidate: Candidate
    requirements: tuple[Requirement, ...]
    seed: int
    looks: Sequence[int]
    jobs: int
    progress: bool = False
    _runs: dict[tuple[str, str, int], list[Value]] = field(default_factory=dict, repr=False)

    @property
    def incidents(self) -> list[Incident]:
        """Those that a requirement speaks about."""
        named = {asked.incident for asked in self.requirements}
        of_all = any(asked.incident is None and asked.metric in OF_INCIDENTS for asked in self.requirements)
        return [incident for incident in self.candidate.scenario.incidents if of_all or incident.name in named]

    def held_to(self, requirements: Iterable[Requirement]) -> "Held":
        """The same option and runs, and fewer requirements."""
        return replace(self, requirements=tuple(requirements))

    def points(self, at: Movable | None = None, value: float = 0.0) -> dict[str, Point | None]:
        """Each requirement, in words, at this *value* of an input, or as the scenario is; None where it does not apply.

        Replications are added until one is violated, or all are clear, or there are as many as there may be.
        """
        found: dict[str, Point | None] = {}
        for count in self.looks:
            for words, point in self._points(at, value, count).items():
                known = found.get(words)
                found[words] = known if known is not None and known.sign else point  # the first look that is clear decides
            signs = [point.sign for point in found.values() if point is not None]
            if 1 in signs or 0 not in signs:
                break
        return found

    def point(self, requirement: str, at: Movable, value: float) -> Point:
        """One requirement at this *value* of an input, with replications added until it is clear."""
        for count in self.looks:
            point = self._points(at, value, count).get(requirement)
            if point is not None and point.sign:
                return point
        return point or Point(value, Interval(0.0, -inf, inf), count, ("", ""))

    def is_touched_by(self, at: Movable) -> bool:
        """Whether some metric that is required clearly differs at half or twice what the input is now; first tried on one run."""
        beside = [values[0] for values in (at.above, at.below) if values]
        moved = [value for value in beside if self._values(at, value, 1) != self._values(None, 0.0, 1)]
        return any(self._differs(at, value) for value in moved)

    def _differs(self, at: Movable, value: float) -> bool:
        """Whether something required is clearly more or less there than it is now, or is there in one of both alone."""
        ours, theirs = self._by_key(at, value, self.looks[0]), self._by_key(None, 0.0, self.looks[0])
        if ours.keys() != theirs.keys():
            return True
        both = {key: sorted(ours[key].keys() & theirs[key].keys()) for key in ours}
        found = [difference([ours[key][run] for run in runs], [theirs[key][run] for run in runs]) for key, runs in both.items() if runs]
        return any(each.low > 0 or each.high < 0 for each in found)

    def _points(self, at: Movable | None, value: float, count: int) -> dict[str, Point | None]:
        values = self._by_key(at, value, count)
        results = Comparison(self.candidate.scenario, self.seed, (self.candidate,), values, count).results
        rows = [
            widened(Interval(*row[:3]), row[3], len(self.looks))
            for row in results[["mean", "low", "high", "replications"]].itertuples(index=False)
        ]
        results = results.assign(low=[row.low for row in rows], high=[row.high for row in rows])
        verdicts = verdicts_of(self.requirements, [self.candidate.name], results)
        return {found.requirement: _beyond(found, value, count) for found in map(Verdict._make, verdicts.itertuples(index=False))}

    def _by_key(self, at: Movable | None, value: float, count: int) -> dict[Key, dict[int, Value]]:
        return by_key({self.candidate.name: self._values(at, value, count)})

    def _values(self, at: Movable | None, value: float, count: int) -> list[list[Value]]:
        """What is required, by replication: in the window, in each incident, and in a year of them."""
        scenario = self.candidate.scenario
        moved = replace(self.candidate, scenario=scenario if at is None else at.moved(scenario, value))
        struck = self.candidate if at is not None and at.strikes_the_window_alone else moved
        parts = [self._in_window(moved, count)] if self._asks_for_the_window else []
        for incident in self.incidents:
            number = [each.name for each in scenario.incidents].index(incident.name)
            parts.append(self._in_incident(struck, struck.scenario.incidents[number], count))
        runs = [[value for part in parts for value in part[number]] for number in range(count)]
        return [[*run, *in_a_year(run)] for run in runs]

    @property
    def _asks_for_the_window(self) -> bool:
        return any(asked.incident is None and asked.metric not in INCIDENTS for asked in self.requirements)

    def _in_window(self, candidate: Candidate, count: int) -> list[list[Value]]:
        return self._made(candidate, "", partial(look_at, look=measure), count)

    def _in_incident(self, candidate: Candidate, incident: Incident, count: int) -> list[list[Value]]:
        once = incident.model_copy(update={"per_year": 1.0})
        made = self._made(candidate, once.model_dump_json(), partial(values_in, incidents=(once,)), count)
        return [[weighted(value, incident.per_year) for value in run if value.incident] for run in made]

    def _made(self, candidate: Candidate, what: str, act: Act[list[Value]], count: int) -> list[list[Value]]:
        """The first so many replications; those that are not there yet are made."""
        keys = [(candidate.digest, what, number) for number in range(count)]
        wanted = {"unrecovered_rate", *(asked.metric for asked in self.requirements)}
        if missing := [number for number, key in enumerate(keys) if key not in self._runs]:
            how = at_points([[candidate]], act, seed=self.seed, replications=missing, jobs=self.jobs, progress=self.progress)
            for number, values in zip(missing, next(how)[candidate.name], strict=True):
                self._runs[keys[number]] = [value for value in values if value.metric in wanted and not value.component]
        return [[value for value in self._runs[key] if self._binds(value)] for key in keys]

    def _binds(self, value: Value) -> bool:
        """Whether a requirement is on this metric of this consumer and incident, or reads its metric with it."""
        return any(
            asked.metric in (value.metric, READ_WITH.get(value.metric))
            and asked.consumer in (None, value.consumer)
            and asked.incident in (None, value.incident)
            for asked in self.requirements
        )


def weighted(value: Value, per_year: float) -> Value:
    """What an incident that happens once a year does in a year, if it happens *per_year* times."""
    if not value.metric.endswith(IN_A_YEAR):
        return value
    return replace(value, value=value.value * per_year, level=value.level * per_year)


def in_a_year(run: Sequence[Value]) -> list[Value]:
    """The totals over all incidents of a year, for each consumer, as `incidents.values_in` makes them."""
    found: dict[tuple[str, str], list[Value]] = {}
    for value in run:
        if value.metric.endswith(IN_A_YEAR):
            found.setdefault((value.metric, value.consumer), []).append(value)
    return [_total(parts) for parts in found.values()]


def _total(parts: Sequence[Value]) -> Value:
    counted = [part for part in parts if part.nature == "count"]
    whole = replace(parts[0], incident="", value=sum(part.value for part in parts))
    if not counted:
        return whole
    spread = sum(part.level * abs(part.value) for part in counted)
    return replace(whole, nature="count", level=max(part.level for part in counted), around=(spread,))


def _beyond(found: Verdict, value: float, count: int) -> Point | None:
    """By how much the metric is beyond the limit; None where the option does not have it. At the limit it is met."""
    if found.verdict == "does not apply":
        return None
    low, high = (-inf if isnan(found.low) else found.low), (inf if isnan(found.high) else found.high)
    ends = (low - found.limit, high - found.limit) if found.side == "at most" else (found.limit - high, found.limit - low)
    mean = 0.0 if isnan(found.mean) else (found.mean - found.limit) * (1 if found.side == "at most" else -1)
    return Point(value, Interval(mean, ends[0], nextafter(0, -1) if ends[1] == 0 else ends[1]), count, (found.consumer, found.incident))
