"""Share one pool of servers, or split reads from writes? Latencies against load, at equal capacity and at equal cost.

`shared`: one pool serves writes and reads. `split`: the source serves the writes, and each consumer's read model has servers of its own.
At equal service times one pool is the better of the two for the mean wait (Smith and Whitt, Bell System Technical Journal 60, 1981): no
server is idle while a request waits. A split can pay all the same: where a read costs less in a read model, and where slow writes, or
loads from events, hold up quick reads.

Left out, so that only the queues are compared: calls take no time (a read of a read model has none to make), nothing fails, and there
is one region. Changes come as a Poisson process. The projectors' own limit is in `falls_behind`: past it a split answers with ever
older data, however quickly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.candidates import Candidate, candidates_of
from edasim.errors import InputError
from edasim.estimates import Estimate
from edasim.experiment import simulate
from edasim.incidents import without_faults
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.metrics.freshness import freshness
from edasim.metrics.load import load
from edasim.patterns import Pattern, pattern_of, patterns_of
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import DailyArrivals, PoissonArrivals, Scenario
from edasim.statistics import interval
from edasim.theory import falls_behind_at, source_work
from edasim.workload import make_workload

Floats = NDArray[np.float64]
PAIR = ("request_response", "cqrs")  # shared, split
AROUND = (0.5, 0.8, 0.95, 1.1)  # of the load at which the first option saturates
REQUESTS = 5000  # changes and reads in the window, at every load
SHARED, COSTLY, SPLIT, AS_DEAR = "shared", "shared-at-equal-cost", "split", "split-reads-as-dear"
WRITES, READS, ANSWERED, STALE = "write_latency_p99", "read_latency_p99", "read_availability", "stale_read_rate"
UNITS = {WRITES: "s", READS: "s", ANSWERED: "share", STALE: "share"}


class Limits(NamedTuple):
    """From which load on, in times today's, an option's *writes* and *reads* ask for more than their servers can do; one pool: both."""

    writes: float
    reads: float

    @property
    def first(self) -> float:
        """Where the first of both does."""
        return min(self.writes, self.reads)


@dataclass(frozen=True)
class Swept:
    """Latencies of all *options* at all *loads* (in times today's) on the same luck.

    *values*: by (option, load) and metric what each run gave, of several consumers the worst. *limits*: where each option saturates.
    *falls_behind*: the load from which on the slowest projector can't keep up. *priced*: whether prices said what costs the same.
    *today*: changes a second, and reads a second of each consumer.
    """

    scenario: str
    today: tuple[float, float]
    loads: tuple[float, ...]
    options: Mapping[str, Candidate]
    values: Mapping[tuple[str, float, str], Floats]
    limits: Mapping[str, Limits]
    falls_behind: float
    priced: bool

    def by_run(self, option: str, load: float, metric: str) -> Floats:
        """What each run gave; empty where the metric does not apply."""
        return self.values.get((option, load, metric), np.empty(0))

    def course(self, option: str, metric: str) -> dict[float, Estimate]:
        """The *metric* of an option by load, those loads left out at which it does not apply."""
        found = {load: interval(runs) for load in self.loads if (runs := self.by_run(option, load, metric)).size}
        return {load: Estimate(known.mean, known.low, known.high, UNITS[metric]) for load, known in found.items()}

    @property
    def saturates(self) -> float:
        """The load at which the first of the options compared does."""
        return min(limits.first for option, limits in self.limits.items() if option != AS_DEAR)

    def servers(self, option: str) -> str:
        """An option's servers in words."""
        scenario = self.options[option].scenario
        if option in (SHARED, COSTLY):
            return f"{scenario.source.servers} servers"
        each, consumers = scenario.read_model.servers, len(scenario.consumers)
        return f"{scenario.source.servers} + {each if consumers == 1 else f'{consumers} x {each}'} servers"


def share_or_split(
    scenario: Scenario,
    loads: Sequence[float] | None = None,
    patterns: tuple[Pattern | str, Pattern | str] = PAIR,
    *,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> Swept:
    """Latencies of reads and writes at each of *loads*, in times today's, for one shared pool and for the split of the same load.

    *patterns*: the shared and the split one, such as ``("event_sourcing", "event_sourcing_cqrs")``. The split has the scenario's own
    servers. `shared` has as many in all, `shared-at-equal-cost` as many as what the split needs besides would buy: at
    `prices.server_per_month` projectors and broker too; without prices (or none for the source) each instance of a projector counts as
    a server. By default today's, and four around that at which the first of them saturates. The window is as long as it takes for 8,000
    changes and reads to come, after a quarter of that to warm up; beyond saturation latencies depend on its length.

    Raises InputError for patterns that do not share or split, and for what `compare` refuses.
    """
    shared, split = (pattern_of(pattern) for pattern in patterns)
    if shared.reads != "source" or split.reads != "read_model":
        raise InputError(
            f"patterns: {shared.name} and {split.name} are not allowed: the first must read at the source, the second a read model"
        )
    plain = only_queues(scenario)
    rates = todays_rates(plain)
    options = _options(plain, shared, split)
    limits = {option: _limits(candidate, rates) for option, candidate in options.items()}
    first = min(limits[option].first for option in (SPLIT, SHARED, COSTLY))
    if loads is None and first == inf:
        raise InputError("loads: give some: nothing here takes any time, so nothing saturates")
    asked = sorted(loads if loads is not None else {float(f"{share * first:.3g}") for share in AROUND} | ({1.0} if first > 1 else set()))
    behind = min(falls_behind_at(plain, *pair) for pair in zip(plain.consumers, patterns_of(split, plain), strict=True)) / rates[0]
    values = _simulated(options, asked, rates, replications, jobs)
    return Swept(scenario.name, rates, tuple(asked), options, values, limits, behind, server_prices(scenario) is not None)


def only_queues(scenario: Scenario) -> Scenario:
    """Without what is left out here, and with consumers that all read as the option says."""
    own = {f"consumers.{consumer.name}.{key}": None for consumer in scenario.consumers for key in ("carries", "reads")}
    usual: dict[str, Any] = {"workload.regions": 1, "network.latency.call": 0, "workload.reads.own": "usual", "options": []}
    return without_faults(scenario).with_overrides({**own, **usual})


def todays_rates(scenario: Scenario) -> tuple[float, float]:
    """Changes a second, and reads a second of each consumer, of the scenario as it is."""
    arrivals, reads = scenario.workload.arrivals, scenario.workload.reads
    if isinstance(arrivals, PoissonArrivals | DailyArrivals):
        changes = arrivals.rate
    else:
        changes = make_workload(scenario, Luck(scenario.seed, 0)).times.size / scenario.window[1]
    return changes, reads.rate if reads.rate is not None else (reads.per_change or 0.0) * changes


def at_load(scenario: Scenario, rates: tuple[float, float], load: float) -> Scenario:
    """The scenario with *load* times the *rates*, in a window that holds 8,000 changes and reads."""
    changes, reads = (rate * load for rate in rates)
    duration = REQUESTS / (changes + reads * len(scenario.consumers))
    asked = {"workload.arrivals": {"process": "poisson", "rate": changes}, "workload.reads.rate": reads, "workload.reads.per_change": None}
    return scenario.with_overrides({**asked, "duration": duration, "warmup": duration / 4})


def _options(scenario: Scenario, shared: Pattern, split: Pattern) -> dict[str, Candidate]:
    """By name; the last, where a table is read, is the split with reads that take as long as at the source."""
    changed: dict[str, tuple[Pattern, dict[str, Any]]] = {
        SPLIT: (split, {}),
        SHARED: (shared, {"source.servers": scenario.source.servers + len(scenario.consumers) * scenario.read_model.servers}),
        COSTLY: (shared, {"source.servers": for_the_same_money(scenario)}),
    }
    if shared.truth == "table":
        changed[AS_DEAR] = (split, {"read_model.read_time": scenario.as_mapping()["source"]["read_time"]})
    return {name: candidates_of(scenario.with_overrides(own), [pattern])[0] for name, (pattern, own) in changed.items()}


MOST_SERVERS = 100_000  # of one pool


def for_the_same_money(scenario: Scenario) -> int:
    """How many servers one shared pool can have for what the split costs: both sides' servers, projectors, a priced broker.

    Raises InputError for prices so far apart that it would be more than 100,000.

    >>> for_the_same_money(Scenario())  # 8 + 4 servers and 2 instances
    14
    """
    prices = server_prices(scenario) or {"source": 1.0, "read_model": 1.0, "consumer": 1.0}
    machines = {
        "source": scenario.source.servers,
        "read_model": len(scenario.consumers) * scenario.read_model.servers,
        "consumer": sum(consumer.instances for consumer in scenario.consumers),
        "broker": 1,
    }
    worth = sum(prices.get(part, 0.0) * count for part, count in machines.items()) / prices["source"]
    if worth > MOST_SERVERS:
        raise InputError(
            f"prices.server_per_month: the split costs as much as {worth:.3g} servers of a pool; at most {MOST_SERVERS:,} can be"
        )
    return max(1, floor(worth + 1e-9))


def server_prices(scenario: Scenario) -> Mapping[str, float] | None:
    """The prices of machines by component; None where a server of the source has none, so that they buy no servers."""
    prices = None if scenario.prices is None else scenario.prices.server_per_month
    return prices if prices and prices.get("source") else None


def _limits(candidate: Candidate, rates: tuple[float, float]) -> Limits:
    scenario, work = candidate.scenario, busy_servers(candidate, rates)
    source = scenario.source.servers / work if work else inf
    if candidate.pattern.reads == "source":
        return Limits(source, source)
    busy = rates[1] * scenario.read_model.read_time.mean()
    return Limits(source, scenario.read_model.servers / busy if busy else inf)


def busy_servers(candidate: Candidate, rates: tuple[float, float]) -> float:
    """How many servers of the source today's load keeps busy: by hand; where loads from events have no formula, as measured in one run.

    That run has a fifth of what the servers could do if every load replayed no event.
    """
    scenario, (changes, reads) = candidate.scenario, rates
    if candidate.pattern.truth == "table":
        return source_work(scenario, candidate.pattern, changes)
    base = scenario.event_store.load.base
    asked = reads * len(scenario.consumers) if candidate.pattern.reads == "source" else 0.0
    least = changes * (scenario.source.write_time.mean() + base) + asked * (scenario.source.read_time.mean() + base)
    times = scenario.source.servers / 5 / least if least else 1.0
    journal = simulate(at_load(scenario, rates, times), candidate.pattern)
    busy = next(found.value for found in load(journal) if found.metric == "source_utilisation")
    return busy * scenario.source.servers / times


def _simulated(
    options: Mapping[str, Candidate], loads: Sequence[float], rates: tuple[float, float], replications: int, jobs: int
) -> dict[tuple[str, float, str], Floats]:
    """What each run gave: by option, load and metric."""
    asked = {f"{option} at {load!r}": (option, load) for option in options for load in loads}
    loaded = [
        replace(options[option], name=name, scenario=at_load(options[option].scenario, rates, load))
        for name, (option, load) in asked.items()
    ]
    seed = loaded[0].scenario.seed
    measured = over_replications(loaded, worst, seed=seed, replications=replications, jobs=jobs)
    return {
        (*asked[name], metric): np.array([run[metric] for run in runs if metric in run], dtype=np.float64)
        for name, runs in measured.items()
        for metric in UNITS
    }


def worst(journal: Journal) -> dict[str, float]:
    """The metrics of one run, of several consumers that of the one who fares worst."""
    found: dict[str, list[float]] = {}
    for value in load(journal) + freshness(journal):
        if value.metric in UNITS and not value.component:
            found.setdefault(value.metric, []).append(value.value)
    return {metric: min(values) if metric == ANSWERED else max(values) for metric, values in found.items()}
