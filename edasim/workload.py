"""Workload: what the world asks for, as arrays. Changes at the source, reads at each consumer, and who is popular."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e

from edasim.distributions import Constant, Distribution, read_column
from edasim.errors import InputError
from edasim.luck import Luck, Times, nanoseconds
from edasim.scenario import BurstyArrivals, DailyArrivals, Entities, PoissonArrivals, RenewalArrivals, Scenario, TraceArrivals
from edasim.traces import LARGEST, Trace, read_trace
from edasim.units import NANOSECONDS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FOREVER = np.iinfo(np.int64).max
ITEMS = 10  # that a cart can hold
QUANTITIES = (-2, -1, 1, 1, 2, 3)  # of what is put in or taken out; more goes in than out
BY_CHANGE = ("times", "entities", "regions", "state_bytes", "delta_bytes", "notice_bytes", "items", "quantities")
MOST = 50_000_000  # changes, or reads of one consumer, in one run


@dataclass(frozen=True)
class Population:
    """The entities: how popular each is, and from when to when (nanoseconds) it is active; arrays of shape (entities,), not written to.

    *lived*: for how long an entity was active before time 0, where entities fall silent; else 0.
    """

    weight: Floats
    born: Times
    silent: Times
    lived: Times
    initial: int  # how many exist from time 0

    def __post_init__(self) -> None:
        _fix(self.weight, self.born, self.silent, self.lived)

    def choose(self, rng: np.random.Generator, times: Times) -> Ints:
        """One active entity for each time, with probability proportional to its weight among those active then.

        By rejection: exact, and free where all entities are always active. Raises InputError when nobody is active.
        """
        from edasim.compiled.choosing import choose, guide_to  # here, because numba takes long to load
        from edasim.compiled.sorting import whole

        cumulative = np.cumsum(self.weight)
        chosen, guide = np.empty(times.size, dtype=np.int64), guide_to(cumulative)
        pending = np.arange(times.size)
        if times.size and (self.born.max() > times.min() or self.silent.min() <= times.max()):
            born, silent = (np.searchsorted(np.sort(moments), times, side="right") for moments in (self.born, self.silent))
            if np.any(born == silent):
                raise self._nobody("no", times[born == silent])
        known = whole(times), cumulative, guide, whole(self.born), whole(self.silent)
        for _ in range(10_000):
            if not pending.size:
                return chosen
            pending = choose(rng.random(pending.size), pending, *known, chosen)
        raise self._nobody("almost no", times[pending])

    @staticmethod
    def _nobody(how: str, times: Times) -> InputError:
        when = times[0] / NANOSECONDS
        return InputError(f"workload.entities: {how} entity is active at {when:g} s: raise new_share, active_for or count")


@dataclass(frozen=True)
class Workload:
    """What is asked for in [0, end): changes in order of arrival, arrays of shape (changes,), and reads by consumer.

    Several runs may share one, so no array is written to.
    """

    end: int
    rate: float  # changes a second: of the process, or as counted where they were recorded
    times: Times
    entities: Ints
    regions: Ints  # where each change is written
    state_bytes: Ints
    delta_bytes: Ints
    notice_bytes: Ints
    items: Ints  # each change's payload: so many of this item are put in, or taken out
    quantities: Ints
    population: Population
    reads: dict[str, tuple[Times, Ints]]  # consumer -> times, entities; shape (reads,)
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        _fix(*(getattr(self, name) for name in BY_CHANGE), *(column for columns in self.reads.values() for column in columns))

    def until(self, end: int) -> "Workload":
        """The beginning of this workload, as that of a run whose window ends then (in nanoseconds)."""
        count, known = int(np.searchsorted(self.times, end)), int(np.flatnonzero(self.population.born < end).max(initial=-1)) + 1
        kept = {name: getattr(self, name)[:count] for name in BY_CHANGE}
        of_entity = {name: getattr(self.population, name)[:known] for name in ("weight", "born", "silent", "lived")}
        reads = {name: (times[times < end], entities[times < end]) for name, (times, entities) in self.reads.items()}
        return replace(self, end=end, reads=reads, population=replace(self.population, **of_entity), **kept)


def _fix(*columns: NDArray[Any]) -> None:
    for column in columns:
        column.setflags(write=False)


def make_workload(scenario: Scenario, luck: Luck) -> Workload:
    """The workload of one replication. Raises InputError when the scenario asks for more than a run can hold."""
    asked = scenario.workload
    end = int(nanoseconds(scenario.window[1]))
    trace = read_trace(asked.arrivals) if isinstance(asked.arrivals, TraceArrivals) else None
    times = _stamped(trace, end) if trace is not None else _arrivals(scenario, luck)
    entities, population = _entities(asked.entities, trace, times, luck)
    rate = asked.reads.rate if asked.reads.rate is not None else (asked.reads.per_change or 0.0) * times.size / scenario.window[1]
    return Workload(
        end=end,
        rate=_rate(scenario, times),
        times=times,
        entities=entities,
        regions=_regions(asked.regions.shares, times.size, luck),
        state_bytes=_sizes(None if trace is None else trace.state_bytes, asked.state_bytes, "state_bytes", times.size, luck),
        delta_bytes=_sizes(None if trace is None else trace.delta_bytes, asked.delta_bytes, "delta_bytes", times.size, luck),
        notice_bytes=_sizes(None, asked.notice_bytes, "notice_bytes", times.size, luck),
        items=luck.stream("items").integers(0, ITEMS, times.size),
        quantities=luck.stream("quantities").choice(QUANTITIES, times.size),
        population=population,
        reads={consumer.name: _reads(consumer.name, rate, scenario.window[1], population, luck) for consumer in scenario.consumers},
        notes=() if trace is None else (*trace.notes, *_coverage(trace, scenario)),
    )


def rate_of(scenario: Scenario) -> float:
    """The `rate` of the workload, which need not be made for it. Raises InputError for a trace that can't be read.

    >>> rate_of(Scenario())
    50.0
    """
    arrivals, end = scenario.workload.arrivals, int(nanoseconds(scenario.window[1]))
    return _rate(scenario, _stamped(read_trace(arrivals), end) if isinstance(arrivals, TraceArrivals) else np.empty(0, dtype=np.int64))


def _rate(scenario: Scenario, recorded: Times) -> float:
    arrivals = scenario.workload.arrivals
    return recorded.size / scenario.window[1] if isinstance(arrivals, TraceArrivals) else mean_rate(arrivals)


def _stamped(trace: Trace, end: int) -> Times:
    """When changes were recorded before *end*, in nanoseconds."""
    times = nanoseconds(trace.times)
    return times[times < end]


def _coverage(trace: Trace, scenario: Scenario) -> tuple[str, ...]:
    last, end = float(trace.times[-1]), scenario.window[1]
    if last < end * 0.99:
        return (f"The trace ends at {last:.6g} s, before the measured window does ({end:.6g} s): the rest is silence.",)
    return (f"The trace goes on to {last:.6g} s; only its first {end:.6g} s are used.",) if last > end * 1.01 else ()


def _arrivals(scenario: Scenario, luck: Luck) -> Times:
    arrivals, span, rng = scenario.workload.arrivals, scenario.window[1], luck.stream("arrivals")
    assert not isinstance(arrivals, TraceArrivals)
    _bounded(mean_rate(arrivals) * span, "workload.arrivals", "changes")
    if isinstance(arrivals, RenewalArrivals):
        groups = _accumulate(lambda count: arrivals.gap.sample(rng, count), span)
    elif isinstance(arrivals, PoissonArrivals):
        groups = _accumulate(lambda count: rng.exponential(arrivals.batch / arrivals.rate, count), span)
    else:
        clock, expected = daily_clock(arrivals, span) if isinstance(arrivals, DailyArrivals) else bursty_clock(arrivals, span, luck)
        unit_rate = _accumulate(lambda count: rng.exponential(float(arrivals.batch), count), float(expected[-1]))
        groups = np.interp(unit_rate, expected, clock)  # a Poisson process with any rate is a unit-rate one in its own clock
    times = nanoseconds(np.repeat(groups, arrivals.batch))
    return times[times < nanoseconds(span)]


def mean_rate(arrivals: PoissonArrivals | RenewalArrivals | BurstyArrivals | DailyArrivals) -> float:
    """Changes a second of a process in the long run, whatever a window has of them."""
    if isinstance(arrivals, RenewalArrivals):
        return arrivals.batch / arrivals.gap.mean()
    if isinstance(arrivals, BurstyArrivals):
        stay = arrivals.mean_low + arrivals.mean_high
        return (arrivals.rate_low * arrivals.mean_low + arrivals.rate_high * arrivals.mean_high) / stay
    return arrivals.rate


def _bounded(expected: float, where: str, what: str) -> None:
    if expected > MOST:
        raise InputError(f"{where}: about {expected:.3g} {what} in one run; at most {MOST:,} are allowed: lower the rate or the duration")


def _accumulate(gaps: Callable[[int], Floats], span: float) -> Floats:
    """Cumulated gaps up to *span*; a longer span only adds to the end."""
    blocks: list[Floats] = []
    last, total = 0.0, 0
    while last < span:
        block = last + np.cumsum(gaps(4096))
        blocks.append(block)
        last, total = float(block[-1]), total + 4096
        _bounded(total, "workload.arrivals", "changes")
    times = np.concatenate(blocks) if blocks else np.empty(0)
    return times[times < span]


def daily_clock(arrivals: DailyArrivals, span: float) -> tuple[Floats, Floats]:
    """Times and expected changes until then; the rate is rate x exp(k cos) / I0(k) with k such that peak / mean is as asked."""
    from scipy.optimize import brentq  # costs a tenth of a second to import

    peak = arrivals.peak_to_mean
    k = 0.0 if peak == 1 else float(brentq(lambda x: 1 / i0e(x) - peak, 0.0, 2 * math.pi * peak**2 + 1))
    clock = np.linspace(0.0, span, 2 + min(2_000_000, int(2000 * span / arrivals.period)))
    rate = arrivals.rate * np.exp(k * (-np.cos(2 * math.pi * clock / arrivals.period) - 1)) / i0e(k)
    steps = np.diff(clock) * (rate[1:] + rate[:-1]) / 2
    return clock, np.concatenate([[0.0], np.cumsum(steps)])


def bursty_clock(arrivals: BurstyArrivals, span: float, luck: Luck) -> tuple[Floats, Floats]:
    """Times at which the state switches and expected changes until then."""
    rng = luck.stream("arrivals states")
    high = bool(rng.random() < arrivals.mean_high / (arrivals.mean_low + arrivals.mean_high))
    clock, expected = [0.0], [0.0]
    while clock[-1] < span:
        stay = rng.exponential(arrivals.mean_high if high else arrivals.mean_low)
        clock.append(clock[-1] + stay)
        expected.append(expected[-1] + stay * (arrivals.rate_high if high else arrivals.rate_low))
        high = not high
    return np.array(clock), np.array(expected)


def _entities(asked: Entities, trace: Trace | None, times: Times, luck: Luck) -> tuple[Ints, Population]:
    """The entity of each change, and the population they are drawn from."""
    if trace is not None and trace.keys is not None:
        return _recorded(trace.keys[: times.size], times)
    weights = weights_of(asked)
    births = np.flatnonzero(luck.stream("births").random(times.size if asked.new_share else 0) < asked.new_share)
    rng = luck.stream("births rank")
    silent, lived = _lives(asked, weights.size, times[births], luck)
    population = Population(
        weight=np.concatenate([weights, weights[rng.integers(0, weights.size, births.size)]]),
        born=np.concatenate([np.zeros(weights.size, dtype=np.int64), times[births]]),
        silent=silent,
        lived=lived,
        initial=weights.size,
    )
    entities = population.choose(luck.stream("entities"), times) if births.size < times.size else np.empty(times.size, dtype=np.int64)
    entities[births] = weights.size + np.arange(births.size)
    return entities, population


def _recorded(keys: Ints, times: Times) -> tuple[Ints, Population]:
    """A trace with its own keys: an entity is born with its first change, and as popular as it was."""
    count = int(keys.max()) + 1 if keys.size else 1
    first = np.full(count, FOREVER)
    np.minimum.at(first, keys, times)
    weight = np.maximum(np.bincount(keys, minlength=count), 1).astype(np.float64)
    never = np.full(count, FOREVER)
    return keys, Population(weight=weight, born=first, silent=never, lived=np.zeros(count, dtype=np.int64), initial=0)


def _lives(asked: Entities, initial: int, births: Times, luck: Luck) -> tuple[Times, Times]:
    """When each entity falls silent, and for how long it was active before time 0: those there then have a uniform share left."""
    lived = np.zeros(initial + births.size, dtype=np.int64)
    if asked.active_for is None:
        return np.full(lived.size, FOREVER), lived
    active = asked.active_for.sample(luck.stream("active"), lived.size)
    left = active[:initial] * luck.stream("active left").random(initial)
    lived[:initial] = nanoseconds(active[:initial] - left)
    active[:initial] = left
    return np.concatenate([np.zeros(initial, dtype=np.int64), births]) + nanoseconds(active), lived


def weights_of(asked: Entities) -> Floats:
    """Popularity by rank, shape (count,): 1 / rank^skew, equal, or the shares of the keys in a file, sorted and resampled."""
    if asked.popularity == "zipf":
        return np.arange(1, asked.count + 1, dtype=np.float64) ** -asked.skew
    if asked.popularity == "uniform":
        return np.ones(asked.count)
    assert asked.file is not None
    assert asked.column is not None
    import pandas as pd  # takes a quarter of a second to import, and only files need it

    shares = pd.Series(read_column(asked.file, asked.column)).value_counts().to_numpy(dtype=np.float64)
    ranks = (np.arange(asked.count) + 0.5) / asked.count * shares.size
    return np.asarray(shares[ranks.astype(np.int64)])


def _regions(shares: tuple[float, ...], count: int, luck: Luck) -> Ints:
    """The region that writes each change, by its share; the same draws for any shares."""
    if len(shares) == 1:
        return np.zeros(count, dtype=np.int64)
    place = np.searchsorted(np.cumsum(shares), luck.stream("regions").random(count), side="right")
    return np.minimum(place, len(shares) - 1)


def _sizes(recorded: Floats | None, distribution: Distribution, name: str, count: int, luck: Luck) -> Ints:
    if recorded is None and isinstance(distribution, Constant):
        return np.full(count, np.rint(min(distribution.value, LARGEST)), dtype=np.int64)
    values = recorded[:count] if recorded is not None else distribution.sample(luck.stream(name), count)
    return np.rint(np.minimum(values, LARGEST)).astype(np.int64)


def _reads(consumer: str, rate: float, span: float, population: Population, luck: Luck) -> tuple[Times, Ints]:
    _bounded(rate * span, "workload.reads", "reads")
    from edasim.compiled.sorting import in_order

    rng = luck.stream(f"reads {consumer}")
    times = in_order(nanoseconds(rng.uniform(0.0, span, rng.poisson(rate * span))))
    times = times[times < nanoseconds(span)]
    if population.initial == 0:  # nobody to read about before the first entity is born
        times = times[times >= population.born.min()]
    return times, population.choose(luck.stream(f"reads entities {consumer}"), times)
