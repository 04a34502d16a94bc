"""How many servers does each side need? The least with which p99 stays within a limit, by the read rate: split, and in one shared pool.

Each side is simulated alone, as in `edasim.studies.split`: calls take no time and nothing fails. Arrivals are Poisson, so where service
is exponential the answer is Erlang's (M/M/c), and stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, nan

import pandas as pd

from edasim.candidates import Candidate
from edasim.distributions import Distribution, Exponential
from edasim.errors import InputError
from edasim.estimates import short
from edasim.findings import Finding
from edasim.patterns import Pattern, pattern_of
from edasim.requirements import limit_of
from edasim.runs import over_replications
from edasim.scenario import Scenario
from edasim.studies.split import PAIR, READS, REQUESTS, WRITES, at_load, busy_servers, only_queues, todays_rates, worst
from edasim.theory import servers_by_erlang
from edasim.units import seconds

MULTIPLES = (1, 10, 100, 1000)  # of today's read rate
TRIED = 2  # numbers of servers at once
REPLICATIONS = 4
QUIET = 1e-9  # a rate at which nothing is asked
Key = tuple[str, float]  # what is sized, and at which rate of reads
READ_MODEL, SOURCE = "read_model.servers", "source.servers"


@dataclass(frozen=True)
class Side:
    """What is to be sized: one queue, where its *servers* stand in the scenario, and how long its requests may take (p99 by metric)."""

    candidate: Candidate
    servers: str
    busy: float  # servers on average
    limits: Mapping[str, float]

    def with_servers(self, name: str, count: int) -> Candidate:
        """The same with so many servers."""
        return replace(self.candidate, name=name, scenario=self.candidate.scenario.with_overrides({self.servers: count}))


def servers_needed(
    scenario: Scenario,
    rates: Sequence[float] | None = None,
    limit: float | str | None = None,
    patterns: tuple[Pattern | str, Pattern | str] = PAIR,
    *,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """The least servers with which p99 is within the *limit* at each of *rates*, in reads a second of each consumer, at today's changes.

    Columns: `reads_per_s`, `changes_per_s`, `consumers`, `limit_s` of reads; the simulated answers `read_model` (of each consumer),
    `write_side`, `shared`, which has to keep both limits; and `read_model_by_hand`, `write_side_by_hand` by Erlang's formula (NaN where
    service is not exponential). Infinite: service alone takes too long. By default 1, 10, 100 and 1000 times today's reads.

    The limits are the scenario's requirements on `read_latency_p99` and `write_latency_p99`; where there is none, *limit*. Raises
    InputError where there is neither, for a limit that is no time, and for rates that are not above 0.
    """
    shared, split = (pattern_of(pattern) for pattern in patterns)
    plain = only_queues(scenario)
    changes, reads = todays_rates(plain)
    wanted = [multiple * reads for multiple in MULTIPLES if reads] if rates is None else list(rates)
    if any(rate <= 0 for rate in wanted):
        raise InputError("rates: reads a second must be above 0")
    limits = {metric: _limit(scenario, metric, limit) for metric in (READS, WRITES)}
    alone, count = {READS: limits[READS]}, len(scenario.consumers)
    sides = {("write_side", 0.0): _side(plain, split, SOURCE, (changes, 0.0), {WRITES: limits[WRITES]})}
    sides |= {("read_model", rate): _side(_one_reader(plain), split, READ_MODEL, (QUIET, rate), alone) for rate in wanted}
    sides |= {("shared", rate): _side(_one_reader(plain), shared, SOURCE, (changes, count * rate), limits) for rate in wanted}
    least = least_servers(sides, replications, jobs)
    write_time = scenario.source.write_time if split.truth == "table" else None
    by_hand = _by_hand(write_time, changes, limits[WRITES])
    rows = []
    for rate in wanted:
        simulated = (least["read_model", rate], least["write_side", 0.0], least["shared", rate])
        rows.append(
            (rate, changes, count, limits[READS], *simulated, _by_hand(scenario.read_model.read_time, rate, limits[READS]), by_hand)
        )
    names = ["reads_per_s", "changes_per_s", "consumers", "limit_s", "read_model", "write_side", "shared"]
    return pd.DataFrame(rows, columns=[*names, "read_model_by_hand", "write_side_by_hand"])


def _limit(scenario: Scenario, metric: str, otherwise: float | str | None) -> float:
    """The limit in seconds that the scenario requires of *metric* for anybody, or else the given one."""
    asked = [limit_of(scenario, metric, consumer=name) for name in (None, *(consumer.name for consumer in scenario.consumers))]
    if known := [limit for limit in asked if limit is not None]:
        return min(known)
    if otherwise is None:
        raise InputError(f"limit: give one: the scenario has no requirement on {metric}")
    try:
        return seconds(otherwise)
    except ValueError as error:
        raise InputError(f"limit: {error}") from None


def _one_reader(scenario: Scenario) -> Scenario:
    """All reads from one consumer, whose queue is the same."""
    first = scenario.consumers[0]
    return scenario.with_overrides({"consumers": [{"name": first.name, "backoff": first.backoff}], "incidents": [], "requirements": []})


def _side(scenario: Scenario, pattern: Pattern, servers: str, rates: tuple[float, float], limits: Mapping[str, float]) -> Side:
    asked = at_load(scenario, rates, 1.0)
    candidate = Candidate(pattern.name, pattern, asked)
    of_reads = servers == READ_MODEL
    return Side(candidate, servers, rates[1] * scenario.read_model.read_time.mean() if of_reads else busy_servers(candidate, rates), limits)


def least_servers(sides: Mapping[Key, Side], replications: int, jobs: int) -> dict[Key, float]:
    """Of each side the least number of servers that are not asked for more than they can do and keep its limits, mean p99 over runs.

    With more servers no request waits longer on the same luck, so the first number that keeps them is the least. Infinite where as many
    servers as requests do not.
    """
    first = {side: int(of.busy) + 1 for side, of in sides.items()}
    found = _first_kept(sides, first, replications, jobs)
    left = [side for side in sides if side not in found]
    if left:  # is any number enough?
        enough = _kept(sides, {side: [REQUESTS] for side in left}, replications, jobs)
        found |= {side: inf for side in left if not enough[side]}
    while left := [side for side in sides if side not in found]:
        first = {side: first[side] + TRIED for side in left}
        found |= _first_kept(sides, first, replications, jobs)
    return found


def _first_kept(sides: Mapping[Key, Side], first: Mapping[Key, int], replications: int, jobs: int) -> dict[Key, float]:
    """The first number that keeps a side's limits, of those sides that a few from *first* on do."""
    kept = _kept(sides, {side: range(start, start + TRIED) for side, start in first.items()}, replications, jobs)
    return {side: counts[0] for side, counts in kept.items() if counts}


def _kept(sides: Mapping[Key, Side], tried: Mapping[Key, Sequence[int]], replications: int, jobs: int) -> dict[Key, list[int]]:
    """Which of the numbers *tried* keep a side's limits, in order."""
    asked = {f"{side} {count}": (side, count) for side, counts in tried.items() for count in counts}
    candidates = [sides[side].with_servers(name, count) for name, (side, count) in asked.items()]
    seed = candidates[0].scenario.seed
    measured = over_replications(candidates, worst, seed=seed, replications=replications, jobs=jobs)
    kept: dict[Key, list[int]] = {side: [] for side in tried}
    for name, (side, count) in asked.items():
        runs = measured[name]
        if all(sum(run.get(metric, 0.0) for run in runs) <= limit * len(runs) for metric, limit in sides[side].limits.items()):
            kept[side].append(count)
    return kept


def _by_hand(service: Distribution | None, rate: float, limit: float) -> float:
    """By Erlang's formula; NaN where it does not apply."""
    if not isinstance(service, Exponential) or not service.mean():
        return nan
    return servers_by_erlang(rate * service.mean(), service.mean(), limit)


# What came out


def servers_table(needed: pd.DataFrame) -> pd.DataFrame:
    """`servers_needed` for people: a row a read rate, servers of each side and in all, in brackets by Erlang's formula where it applies."""
    count = int(needed["consumers"].iloc[0]) if len(needed) else 1
    each = "read model" if count == 1 else f"each of {count} read models"
    reads = needed["reads_per_s"] * count
    columns = {
        "reads per change": list(map(_number, reads / needed["changes_per_s"])),
        "reads a second": list(map(_number, reads)),
        each: list(map(_beside, needed["read_model"], needed["read_model_by_hand"])),
        "write side": list(map(_beside, needed["write_side"], needed["write_side_by_hand"])),
        "split in all": list(map(_beside, needed["write_side"] + count * needed["read_model"])),
        "one shared pool": list(map(_beside, needed["shared"])),
    }
    return pd.DataFrame(columns)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _beside(simulated: float, by_hand: float = nan) -> str:
    found, known = ("none is enough" if number == inf else f"{number:.0f}" for number in (simulated, by_hand))
    return found if by_hand != by_hand else f"{found} ({known} by hand)"


def how_each_side_scales(needed: pd.DataFrame) -> Finding:
    """Of `servers_needed`: from what to what each side grows as reads do, and whether the formula agrees."""
    if needed.empty:
        return Finding("Nobody reads, so there is no read side to size.")
    table = servers_table(needed)
    first = table.iloc[0]
    each, limit = table.columns[2], short(float(needed["limit_s"].iloc[0]), "s")
    servers = "server" if set(table[each]) == {"1"} else "servers"
    grown = {column: _from_to(table, column) for column in table.columns}
    said = (
        f"To keep p99 of a read within {limit}, {grown['reads per change']} reads per change take {grown[each]} {servers} for {each}, "
        f"and the write side {first['write side']} whatever is read: {grown['split in all']} in all without "
        f"projectors. One shared pool takes {grown['one shared pool']}"
    )
    known = needed.dropna(subset=["read_model_by_hand"])
    if known.empty:
        return Finding(f"{said}. Reads of the read model are not exponential, so no formula stands beside them.")
    agrees = (known["read_model"] == known["read_model_by_hand"]).sum()
    return Finding(f"{said}. Erlang's formula gives the same number for the read model at {agrees} of {len(known)} rates.")


def _from_to(table: pd.DataFrame, column: str) -> str:
    """What a column goes from and to."""
    first, last = table[column].iloc[0], table[column].iloc[-1]
    return first if first == last else f"{first} to {last}"
