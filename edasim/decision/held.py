"""An option held against what is required of it while one input is moved: each run is made once, and serves all requirements.

A requirement at a value of an input is a `Point`: by how much the metric is beyond the limit, with its interval; above 0 it is violated.
What decides is what decides a verdict (`edasim.verdicts`): of several consumers and incidents the worst.

As in `edasim.studies.tipping` replications are added until it is clear, and all looks together have 5 % to be wrong. No run is made for
what is clear already: simulating is what takes the time, so a requirement on one incident adds runs of that incident alone.

How often an incident happens changes nothing in it, but only what it weighs in a year: no run is made for that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, isnan, nextafter

from edasim.candidates import Candidate
from edasim.comparison import Comparison, Key, by_key
from edasim.decision.movable import Movable
from edasim.incident_effects import totals, weighted
from edasim.incidents import values_in
from edasim.intervals import difference
from edasim.metrics import Value, measure
from edasim.metrics.names import IN_INCIDENTS, INCIDENTS
from edasim.runs import Act, at_points, look_at
from edasim.scenario import Incident, Requirement
from edasim.statistics import CONFIDENCE, Interval
from edasim.studies.bracketing import Point
from edasim.verdicts import Verdict, requirements_in, rows_of, verdicts_of

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
        of_all = any(asked.incident is None and asked.metric in IN_INCIDENTS for asked in self.requirements)
        return [incident for incident in self.candidate.scenario.incidents if of_all or incident.name in named]

    def held_to(self, requirements: Iterable[Requirement]) -> "Held":
        """The same option and runs, and fewer requirements."""
        return replace(self, requirements=tuple(requirements))

    def points(self, at: Movable | None = None, value: float = 0.0) -> dict[str, Point | None]:
        """Each requirement, in words, at this *value* of an input, or as the scenario is; None where it does not apply.

        The first look at which one is clear decides it; replications are added for the others, until there are as many as there may be.
        """
        found: dict[str, Point | None] = {}
        open_still = self
        for count in self.looks:
            found |= open_still._points(at, value, count)
            unclear = [words for words, point in found.items() if point is not None and not point.sign]
            if not unclear:
                break
            open_still = self.held_to(requirements_in(self.requirements, unclear))
        return found

    def point(self, requirement: str, at: Movable, value: float) -> Point:
        """One requirement at this *value* of an input, for which alone runs are made; unclear where it does not apply."""
        alone = self.held_to(requirements_in(self.requirements, [requirement]))
        return alone.points(at, value)[requirement] or Point(value, Interval(0.0, -inf, inf), self.looks[-1], ("", ""))

    def is_touched_by(self, at: Movable) -> bool:
        """Whether something required clearly differs, or is violated, at half or twice what the input is now or as far as it is moved.

        An input of which one run at either end is exactly the run as it is now is one that nothing reads: there is no second run.
        """
        ends = [values[-1] for values in (at.below, at.above) if values]
        if not any(self._is_read(at, value) for value in ends):
            return False
        beside = [values[0] for values in (at.above, at.below) if values]
        moved = (value for value in dict.fromkeys([*beside, *ends]) if self._is_read(at, value))
        return any(self._differs(at, value) or self._violates(at, value) for value in moved)

    def _is_read(self, at: Movable, value: float) -> bool:
        return self._values(at, value, 1) != self._values(None, 0.0, 1)

    def _violates(self, at: Movable, value: float) -> bool:
        return any(point is not None and point.sign > 0 for point in self._points(at, value, self.looks[0]).values())

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
        confidence = 1 - (1 - CONFIDENCE) / len(self.looks)
        results = Comparison(self.candidate.scenario, self.seed, (self.candidate,), values, count, confidence).results
        verdicts = verdicts_of(self.requirements, [self.candidate.name], results)
        return {found.requirement: _beyond(found, value, count) for found in rows_of(verdicts)}

    def _by_key(self, at: Movable | None, value: float, count: int) -> dict[Key, dict[int, Value]]:
        return by_key({self.candidate.name: self._values(at, value, count)})

    def _values(self, at: Movable | None, value: float, count: int) -> list[list[Value]]:
        """What is required, by replication: in the window, in each incident, and in a year of them."""
        scenario = self.candidate.scenario
        moved = replace(self.candidate, scenario=scenario if at is None else at.moved(scenario, value))
        struck = self.candidate if at is not None and at.strikes_the_window_alone else moved
        in_window = self._in_window(moved, count) if self._asks_for_the_window else [[]] * count
        in_incidents = self._in_incidents(struck, count)
        return [[*whole, *parts, *totals(parts)] for whole, parts in zip(in_window, in_incidents, strict=True)]

    @property
    def _asks_for_the_window(self) -> bool:
        return any(asked.incident is None and asked.metric not in INCIDENTS for asked in self.requirements)

    def _in_window(self, candidate: Candidate, count: int) -> list[list[Value]]:
        keys = [(candidate.digest, "", number) for number in range(count)]
        lacking = [number for number, key in enumerate(keys) if key not in self._runs]
        for number, values in zip(lacking, self._made(candidate, partial(look_at, look=measure), lacking), strict=True):
            self._runs[keys[number]] = values
        return [self._bound(key) for key in keys]

    def _in_incidents(self, candidate: Candidate, count: int) -> list[list[Value]]:
        names = {incident.name for incident in self.incidents}
        struck_by = [incident for incident in candidate.scenario.incidents if incident.name in names]
        once = {incident.name: incident.model_copy(update={"per_year": 1.0}) for incident in struck_by}
        keys = {name: (candidate.digest, incident.model_dump_json()) for name, incident in once.items()}
        for numbers, lacking in self._lacking(keys, count):
            act = partial(values_in, incidents=tuple(once[name] for name in lacking))
            for number, values in zip(numbers, self._made(candidate, act, numbers), strict=True):
                for name in lacking:
                    self._runs[(*keys[name], number)] = [value for value in values if value.incident == name]
        each = [(incident.per_year, keys[incident.name]) for incident in struck_by]
        return [[weighted(value, per_year) for per_year, key in each for value in self._bound((*key, number))] for number in range(count)]

    def _lacking(self, keys: Mapping[str, tuple[str, str]], count: int) -> list[tuple[list[int], tuple[str, ...]]]:
        """Replications, and the incidents that are not there in them yet: those are simulated together, since most share a quiet twin."""
        found: dict[tuple[str, ...], list[int]] = {}
        for number in range(count):
            lacking = tuple(name for name, key in keys.items() if (*key, number) not in self._runs)
            found.setdefault(lacking, []).append(number)
        return [(numbers, lacking) for lacking, numbers in found.items() if lacking]

    def _made(self, candidate: Candidate, act: Act[list[Value]], numbers: list[int]) -> list[list[Value]]:
        """What *act* makes of these replications, in total: of all metrics, since other requirements may be held against them later."""
        if not numbers:
            return []
        how = at_points([[candidate]], act, seed=self.seed, replications=numbers, jobs=self.jobs, progress=self.progress)
        return [[value for value in values if not value.component] for values in next(how)[candidate.name]]

    def _bound(self, key: tuple[str, str, int]) -> list[Value]:
        return [value for value in self._runs[key] if self._binds(value)]

    def _binds(self, value: Value) -> bool:
        """Whether a requirement is on this metric of this consumer and incident, or reads its metric with it."""
        return any(
            asked.metric in (value.metric, READ_WITH.get(value.metric))
            and asked.consumer in (None, value.consumer)
            and asked.incident in (None, value.incident)
            for asked in self.requirements
        )


def _beyond(found: Verdict, value: float, count: int) -> Point | None:
    """By how much the metric is beyond the limit; None where the option does not have it. At the limit it is met.

    What can't be done at all is beyond any limit.
    """
    if found.verdict == "does not apply":
        return None
    if found.verdict == "violated" and isnan(found.mean):
        return Point(value, Interval(inf, inf, inf), count, ("", ""))
    low, high = (-inf if isnan(found.low) else found.low), (inf if isnan(found.high) else found.high)
    ends = (low - found.limit, high - found.limit) if found.side == "at most" else (found.limit - high, found.limit - low)
    mean = 0.0 if isnan(found.mean) else (found.mean - found.limit) * (1 if found.side == "at most" else -1)
    return Point(value, Interval(mean, ends[0], nextafter(0, -1) if ends[1] == 0 else ends[1]), count, ("", ""))
