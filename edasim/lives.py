"""Entities over the years: who is there, since when, and how often each of them will have changed.

The same rules as in `edasim.workload`: a share of the changes creates an entity, all others go to active entities in proportion to their
weights. So with every birth each gets a smaller share of the changes, and a larger one when others fall silent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import Distribution
from edasim.errors import InputError
from edasim.journal import Journal
from edasim.metrics.delivery import in_window
from edasim.scenario import Scenario, TraceArrivals
from edasim.workload import mean_rate

Floats = NDArray[np.float64]
Groups = tuple[Floats, Floats, Floats]  # weight, events stored, how many there are
ALIKE = 0.05  # weights are put together that differ by no more than this part
EVENLY, NEAR = 12, 24  # births are put together within so many parts of all time, and in ever shorter ones near its beginning and its end
LENGTHS = 12  # how long entities are active is represented by so many lengths
MOMENTS = 2000  # at which the sum of all weights is worked out


@dataclass(frozen=True)
class Lives:
    """Groups of entities that are alike; arrays of shape (groups,). Times in seconds since the start of the run."""

    count: Floats
    weight: Floats
    stored: Floats  # events before the run, or the one of its birth
    born: Floats  # 0: there from the start
    silent: Floats  # from then on it changes no more


class Popularity:
    """How the changes spread over entities, from those of a *journal*, their rates, and how long an entity is *active*.

    Good for times up to *until*, in seconds. Raises InputError where entities fall silent and none are born: nobody would be left.
    """

    def __init__(self, journal: Journal, active: Distribution | None, changes_per_s: float, births_per_s: float, until: float) -> None:
        initial = int(journal.facts["initial_entities"])
        weight, stored = journal.entities["weight"], journal.entities["history"]
        self.births_per_s = births_per_s
        self._initial = _alike(weight[:initial], stored[:initial])
        everybody = weight[:initial] if initial else weight  # in a trace with its own keys all are born
        self._newborn = _alike(everybody, np.zeros(everybody.size, dtype=np.int64))
        lives = active is not None and initial > 0
        self._active = _strata(active.sample(np.random.default_rng(0), 4096)) if active is not None and lives else np.array([np.inf])
        self._left = _strata(np.outer(self._active, _middles(LENGTHS)).ravel()) if lives else self._active
        if lives and not births_per_s:
            raise InputError("workload.entities.active_for: nobody was born in the window, so in the end nobody changes: set new_share")
        self._times = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, MOMENTS) * max(until, 1.0)])
        speed = max(changes_per_s - births_per_s, 0.0) / self._weight_at(self._times)
        self._clock = np.concatenate([[0.0], np.cumsum(np.diff(self._times) * (speed[1:] + speed[:-1]) / 2)])

    def _weight_at(self, times: Floats) -> Floats:
        """The sum of the weights of all that are active; at least that of one newborn, for somebody changes."""
        weight, _, count = self._initial
        newborn = float(np.average(self._newborn[0], weights=self._newborn[2]))
        there = float(weight @ count) * (self._left > times[:, None]).mean(axis=1)
        born = self.births_per_s * newborn * np.minimum(self._active, times[:, None]).mean(axis=1)
        return np.asarray(np.maximum(there + born, newborn))

    def lives(self, until: float, since: float = 0.0) -> Lives:
        """All entities that exist *until* then; births come evenly. No group has some that were born *since* some time and some before."""
        there = _crossed(self._initial, np.zeros(1), np.ones(1), self._left)
        if not self.births_per_s or not until:
            return there
        near = np.geomspace(1e-8, 0.5, NEAR)
        edges = np.unique(np.clip([*np.linspace(0, 1, EVENLY + 1), *near, *(1 - near), since / until], 0, 1)) * until
        weight, _, count = self._newborn
        groups = weight, np.ones(weight.size), count / count.sum()
        newborn = _crossed(groups, (edges[1:] + edges[:-1]) / 2, self.births_per_s * np.diff(edges), self._active)
        return Lives(*(np.concatenate(pair) for pair in zip(vars(there).values(), vars(newborn).values(), strict=True)))

    def changes(self, lives: Lives, start: float, end: float) -> Floats:
        """How often an entity of each group changes from *start* to *end*, on average, its birth not counted; shape (groups,)."""
        begin, stop = (np.interp(np.clip(time, lives.born, lives.silent), self._times, self._clock) for time in (start, end))
        return np.asarray(lives.weight * (stop - begin))


def committed_per_s(journal: Journal, scenario: Scenario) -> float:
    """Changes a second that commit in the long run: of those that the process asks for the share that did in the window.

    Of a trace as many as in the window; none where none did there.
    """
    (start, end), asked = journal.facts["window"], journal.changes["time"]
    committed, arrivals = float(in_window(journal).sum()), scenario.workload.arrivals
    if isinstance(arrivals, TraceArrivals):
        return committed / (float(end - start) / 1e9)
    share = committed / max(float(((asked >= start) & (asked < end)).sum()), committed, 1.0)
    return mean_rate(arrivals) * share


def _alike(weight: Floats, stored: NDArray[np.int64]) -> Groups:
    """Entities with (nearly) the same weight and as many events put together: the weight, events and number of each group."""
    if not weight.size:
        return np.empty(0), np.empty(0), np.empty(0)
    size = np.rint(np.log(weight) / ALIKE).astype(np.int64)
    size -= size.min()
    _, group = np.unique(stored * (size.max() + 1) + size, return_inverse=True)
    count = np.bincount(group).astype(np.float64)
    return np.bincount(group, weight) / count, np.bincount(group, stored) / count, count


def _crossed(groups: Groups, born: Floats, number: Floats, active: Floats) -> Lives:
    """Each of *groups* when it is *born*, so many times its *number*, and in equal parts by how long it is *active* then."""
    weight, stored, count = (np.repeat(values, born.size * active.size) for values in groups)
    when, length = (values.ravel() for values in np.meshgrid(born, active, indexing="ij"))
    times = groups[0].size
    parts = np.tile(np.repeat(number / active.size, active.size), times)
    return Lives(count * parts, weight, stored, np.tile(when, times), np.tile(when + length, times))


def _strata(values: Floats) -> Floats:
    """LENGTHS numbers that stand for equal parts of *values*, from the smallest to the largest."""
    return np.array([part.mean() for part in np.array_split(np.sort(values), LENGTHS)])


def _middles(parts: int) -> Floats:
    """The middles of so many equal *parts* of the whole."""
    return (np.arange(parts) + 0.5) / parts
