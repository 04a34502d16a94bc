"""Every combination of answers to the three questions, on one workload: what is sent, how often the source is asked, what is kept.

By arithmetic, from means: nothing is simulated, nothing fails, and nobody queues. At 50 changes a second of 2 kB, two consumers that
are sent the whole state receive 2 x 50 x 2 kB = 200 kB a second; if they are sent notices they call 2 x 50 = 100 times a second instead.
"""

from collections.abc import Iterator
from itertools import product
from math import nan
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.estimates import short
from edasim.luck import Luck
from edasim.patterns import PRESETS, QUESTIONS, Pattern, answers_reads, patterns_of
from edasim.scenario import Consumer, Scenario
from edasim.theory import calling_share
from edasim.workload import Workload, make_workload

DAY_S = 86_400.0


class Combination(NamedTuple):
    """What one pattern asks for: bytes of messages a second, calls to the source a second (an upper bound where a cache answers some
    of them: *cached*), bytes of the consumers' copies, and bytes a day by which rows or events grow."""

    pattern: Pattern
    sent: float
    calls: float
    cached: bool
    kept: float
    growth: float


def combinations(scenario: Scenario) -> list[Combination]:
    """Each pattern that can work at every consumer of the *scenario*, the presets first, with what it asks for.

    Sizes and, where arrivals are a trace, rates are those of the scenario's first replication. Raises InputError for a workload that
    can't be made.
    """
    workload = make_workload(scenario, Luck(scenario.seed, 0))
    return [_combination(pattern, list(found), scenario, workload) for pattern, found in _possible(scenario)]


def _possible(scenario: Scenario) -> Iterator[tuple[Pattern, list[Pattern]]]:
    """Each coherent pattern with what it is at each consumer, the presets first."""
    others = []
    for answers in product(*QUESTIONS.values()):
        try:
            others.append(Pattern(*answers))
        except InputError:
            continue
    for pattern in dict.fromkeys([*PRESETS.values(), *others]):
        try:
            yield pattern, patterns_of(pattern, scenario)
        except InputError:  # a consumer's own answers don't go with it
            continue


def _combination(pattern: Pattern, at: list[Pattern], scenario: Scenario, workload: Workload) -> Combination:
    pairs = list(zip(scenario.consumers, at, strict=True))
    reads = {name: times.size / scenario.window[1] for name, (times, _) in workload.reads.items()}
    message = {"nothing": 0.0, **{size: _mean(getattr(workload, f"{size}_bytes")) for size in ("notice", "state", "delta")}}
    entity = message["state"]
    born = workload.population.weight.size - workload.population.initial
    row = {"copy": entity, "read_model": scenario.read_model.bytes_per_entity}
    kept = sum(row.get(answers_reads(mine, consumer), 0.0) for consumer, mine in pairs)
    rows = entity * born / scenario.window[1]
    events = workload.rate * _mean(scenario.event_store.stored_bytes(workload.delta_bytes))
    return Combination(
        pattern,
        sent=workload.rate * sum(message[mine.carries] for _, mine in pairs),
        calls=sum(_calls(consumer, mine, scenario, workload.rate, reads[consumer.name]) for consumer, mine in pairs),
        cached=any(mine.reads == "cache" for _, mine in pairs),
        kept=kept * workload.population.initial,
        growth=DAY_S * (events if pattern.truth == "events" else rows),
    )


def _mean(sizes: NDArray[np.int64]) -> float:
    return float(sizes.mean()) if sizes.size else nan


def _calls(consumer: Consumer, pattern: Pattern, scenario: Scenario, rate: float, reads: float) -> float:
    """How often a consumer asks the source, a second: at most, where it keeps a cache."""
    if pattern.reads in ("source", "cache"):
        return reads + (rate * calling_share(consumer, pattern) if pattern.sends else 0.0)
    return rate * calling_share(consumer, pattern) if pattern.sends else 1 / scenario.source.polling.interval


def combinations_table(found: list[Combination]) -> pd.DataFrame:
    """The combinations as a table for a page, a row each; *up to*: a cache answers some."""
    rows = [
        (
            one.pattern.name if one.pattern.name in PRESETS else "",
            one.pattern.truth,
            one.pattern.carries,
            one.pattern.reads.replace("_", " "),
            short(one.sent, "bytes/s"),
            ("up to " if one.cached and one.calls else "") + short(one.calls, "1/s"),
            short(one.kept, "bytes"),
            short(one.growth, "bytes/day"),
        )
        for one in found
    ]
    asked = ["messages", "calls to the source", "kept again", "rows or events grow by"]
    return pd.DataFrame(rows, columns=["preset", "truth is kept in", "an event carries", "a read is answered by", *asked])
