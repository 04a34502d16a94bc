"""Who changes when, block after block: as `edasim.workload` makes it at once."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.compiled.choosing import choose, guide_to
from edasim.compiled.sorting import whole
from edasim.errors import InputError
from edasim.luck import Luck, nanoseconds
from edasim.scenario import BurstyArrivals, DailyArrivals, PoissonArrivals, RenewalArrivals, Scenario, TraceArrivals
from edasim.workload import FOREVER, Population, Workload, bursty_clock, daily_clock, mean_rate, weights_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DRAWN = 4096  # gaps at a time, as in a whole run: their sums are rounded alike
BLOCK = 1 << 13  # changes, about: their columns stay close to the processor
MOST = 1_000_000_000
MOST_SWITCHES = 10_000_000  # of a bursty process: its states are known from the beginning


class Block(NamedTuple):
    """Changes in order of arrival, shape (changes,), times in nanoseconds. *watermark*: no later change comes before it."""

    times: Ints
    entities: Ints
    watermark: int


def beginning(scenario: Scenario) -> Workload:
    """The workload of a run before anything has happened in it: its entities. Raises InputError for more than can be streamed."""
    asked, end = scenario.workload, scenario.window[1]
    if isinstance(asked.arrivals, TraceArrivals):
        raise InputError("workload.arrivals: a trace is read as a whole: simulate it")
    rate = mean_rate(asked.arrivals)
    if rate * end > MOST:
        raise InputError(
            f"workload.arrivals: about {rate * end:.3g} changes; at most {MOST:,} can be streamed: lower the rate or the duration"
        )
    if isinstance(asked.arrivals, BurstyArrivals) and 2 * end / (asked.arrivals.mean_low + asked.arrivals.mean_high) > MOST_SWITCHES:
        raise InputError(
            f"workload.arrivals: mean_low and mean_high are so short that there are more than {MOST_SWITCHES:,} bursts and lulls"
        )
    weight, nothing = weights_of(asked.entities), np.empty(0, dtype=np.int64)
    always = np.zeros(weight.size, dtype=np.int64), np.full(weight.size, FOREVER), np.zeros(weight.size, dtype=np.int64)
    return Workload(
        end=int(nanoseconds(end)),
        rate=rate,
        times=nothing,
        entities=nothing,
        regions=nothing,
        state_bytes=nothing,
        delta_bytes=nothing,
        notice_bytes=nothing,
        items=nothing,
        quantities=nothing,
        population=Population(weight, *always, initial=weight.size),
        reads={consumer.name: (nothing, nothing) for consumer in scenario.consumers},
        notes=(),
    )


def blocks(scenario: Scenario, luck: Luck, population: Population) -> Iterator[Block]:
    """All changes of a run; entities of the *population* are chosen as popular as they are."""
    rng, cumulative = luck.stream("entities"), np.cumsum(population.weight)
    known = cumulative, guide_to(cumulative), whole(population.born), whole(population.silent)
    for times in _times(scenario, luck):
        entities = np.empty(times.size, dtype=np.int64)
        choose(rng.random(times.size), np.arange(times.size), whole(times), *known, entities)  # everybody is always there
        yield Block(times, entities, int(times[-1]))


def joined(parts: Sequence[Block]) -> Block:
    """Blocks that follow each other as one."""
    times, entities = (np.concatenate([np.empty(0, dtype=np.int64), *(part[column] for part in parts)]) for column in (0, 1))
    return Block(times, entities, parts[-1].watermark if parts else 0)


def _times(scenario: Scenario, luck: Luck) -> Iterator[Ints]:
    """When changes come, in nanoseconds, in arrays that are not empty."""
    arrivals, end = scenario.workload.arrivals, nanoseconds(scenario.window[1])
    assert not isinstance(arrivals, TraceArrivals)
    for groups in _joined(_groups(arrivals, scenario.window[1], luck), max(BLOCK // arrivals.batch, 1)):
        times = nanoseconds(np.repeat(groups, arrivals.batch))
        times = times[: np.searchsorted(times, end)]
        for first in range(0, times.size, 2 * BLOCK):
            yield times[first : first + 2 * BLOCK]


def _joined(pieces: Iterator[Floats], least: int) -> Iterator[Floats]:
    """The same values in arrays of at least so many, and at most twice as many; the last may be shorter."""
    waiting: list[Floats] = []
    for piece in chain.from_iterable(np.array_split(piece, -(-piece.size // least)) for piece in pieces if piece.size):
        waiting.append(piece)
        if sum(values.size for values in waiting) >= least:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _groups(arrivals: PoissonArrivals | RenewalArrivals | BurstyArrivals | DailyArrivals, span: float, luck: Luck) -> Iterator[Floats]:
    """When groups of changes come, in seconds, before *span*."""
    rng = luck.stream("arrivals")
    if isinstance(arrivals, RenewalArrivals):
        yield from _accumulated(lambda count: arrivals.gap.sample(rng, count), span)
    elif isinstance(arrivals, PoissonArrivals):
        yield from _accumulated(lambda count: rng.exponential(arrivals.batch / arrivals.rate, count), span)
    else:
        clock, expected = daily_clock(arrivals, span) if isinstance(arrivals, DailyArrivals) else bursty_clock(arrivals, span, luck)
        for unit_rate in _accumulated(lambda count: rng.exponential(float(arrivals.batch), count), float(expected[-1])):
            yield np.interp(unit_rate, expected, clock)


def _accumulated(gaps: Callable[[int], Floats], span: float) -> Iterator[Floats]:
    """Cumulated gaps up to *span*."""
    last, total = 0.0, 0
    while last < span:
        times = last + np.cumsum(gaps(DRAWN))
        last, total = float(times[-1]), total + DRAWN
        if total > 2 * MOST:
            raise InputError(f"workload.arrivals: more than {MOST:,} changes can't be streamed: lower the rate or the duration")
        yield times[: np.searchsorted(times, span)]
