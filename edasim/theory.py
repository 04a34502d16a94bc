"""Closed forms to hold simulated numbers against, each with its source or its derivation."""

from math import exp, expm1, inf, log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc

from edasim.errors import InputError
from edasim.patterns import Pattern, always_calls, answers_reads, pattern_of, patterns_of
from edasim.scenario import Consumer, Scenario


def mm1_mean_time(arrival_rate: float, service_rate: float) -> float:
    """Mean time in system of one server with Poisson arrivals and exponential service (M/M/1), in seconds; rates per second.

    1 / (service_rate - arrival_rate): Kleinrock, Queueing Systems, volume 1 (1975), section 3.2.

    >>> mm1_mean_time(80, 100)
    0.05

    Raises InputError where the queue would grow for ever.
    """
    if not 0 <= arrival_rate < service_rate:
        raise InputError(f"arrival_rate: {arrival_rate:g} is not allowed: must be at least 0 and less than service_rate, {service_rate:g}")
    return 1 / (service_rate - arrival_rate)


def doomed_windows(scenario: Scenario) -> list[tuple[float, float]]:
    """In which times [start, end), in seconds, a committed change is lost because the broker is down, with direct publishing.

    The publisher sends at once and again every w = ack_timeout + backoff, at most r = retries times (never with acks 0). Latencies
    are milliseconds beside w, so attempt k of a change committed at t meets the broker at t + k w. The message is lost if every
    attempt meets a broker that is down; in an outage [s, e) these are the changes with t >= s and t + r w < e: the window
    [s, e - r w), empty where the retries outlast the outage. Left out: outages less than w apart, a source that dies meanwhile,
    and what a dead leader had not copied.

    >>> from edasim import Scenario
    >>> outages = {"windows": [[900, 930], [2000, 2003]]}
    >>> doomed_windows(Scenario(broker={"outages": outages}, source={"producer": {"ack_timeout": "1s", "backoff": "0.5s", "retries": 4}}))
    [(900.0, 924.0)]

    Raises InputError where the broker has no scheduled outages.
    """
    producer, outages = scenario.source.producer, scenario.broker.outages
    if outages is None or not outages.windows:
        raise InputError("broker.outages: has no windows, so this formula does not apply")
    retries = 0 if producer.acks == 0 else producer.retries
    spent = retries * (producer.ack_timeout + producer.backoff)
    return [(start, end - spent) for start, end in outages.windows if end - spent > start]


def lost_in_broker_outages(scenario: Scenario, rate: float | None = None, committed: ArrayLike | None = None) -> float:
    """How many messages the `doomed_windows` cost a consumer inside the measured window.

    From the *rate* of changes per second it is the expected number, rate x sum of max(0, length of outage - r w); from the times
    at which changes *committed*, in seconds, the number itself.

    >>> from edasim import Scenario
    >>> scenario = Scenario(broker={"outages": {"windows": [[100, 130]]}}, source={"producer": {"retries": 0}})
    >>> lost_in_broker_outages(scenario, rate=50), lost_in_broker_outages(scenario, committed=[99, 100, 129.9, 130])
    (1500.0, 2.0)

    Raises InputError where the broker has no scheduled outages, or unless exactly one of *rate* and *committed* is given.
    """
    if (rate is None) == (committed is None):
        raise InputError("give either rate or committed")
    first, last = scenario.window
    inside = [(max(start, first), min(end, last)) for start, end in doomed_windows(scenario)]
    if rate is not None:
        return rate * sum(max(0.0, end - start) for start, end in inside)
    times = np.asarray(committed, dtype=np.float64)
    return float(sum(np.count_nonzero((times >= start) & (times < end)) for start, end in inside))


def last_writer_loses(rate: float, shares: ArrayLike, popularity: ArrayLike, delay: float) -> float:
    """The share of writes that the last writer silently overwrites, where Poisson writes of *rate* a second come from several regions.

    *shares*: of the writes, by region; *popularity*: weights of the entities; *delay*: seconds until a write is known in the other
    regions, the same for all. A write of region r to an entity with share p of the writes is lost if another region writes that
    entity within the delay: 1 - exp(-rate p (1 - share_r) delay). This is the mean over writes; clocks agree. Derived; the rate at
    which replicas have to be reconciled: Gray, Helland, O'Neil and Shasha (SIGMOD 1996).

    >>> round(last_writer_loses(2.0, [0.5, 0.5], [1.0], 0.1), 4)
    0.0952

    Raises InputError for a rate or a delay below 0.
    """
    if rate < 0 or delay < 0:
        raise InputError(f"rate and delay must be at least 0, not {rate:g} and {delay:g}")
    region, weight = np.asarray(shares, dtype=np.float64), np.asarray(popularity, dtype=np.float64)
    entity = weight / weight.sum()
    lost = -np.expm1(-rate * delay * np.outer(1 - region, entity))
    return float(region @ lost @ entity)


def saturating_rate(scenario: Scenario, pattern: Pattern | str) -> float:
    """At how many changes per second the source has as much to do as its servers can: from there on its queue grows without end.

    The rate at which `source_work` equals `source.servers`; infinite where it never does, 0 where reads alone are too many. Consumers
    that call back are taken to keep up: where they fall behind before (`falls_behind_at`) it is they who set the limit.

    >>> from edasim import Scenario
    >>> source = {"servers": 1, "write_time": "10ms", "read_time": "20ms"}
    >>> consumers = [{"name": "billing", "instances": 9}, {"name": "quota", "instances": 9}]
    >>> scenario = Scenario(source=source, consumers=consumers, workload={"reads": {"per_change": 2}})
    >>> patterns = ("event_carried_state_transfer", "event_notification", "request_response")
    >>> [round(saturating_rate(scenario, pattern), 6) for pattern in patterns]  # 1 / 0.01, 1 / (0.01 + 2 x 0.02), 1 / (0.01 + 2 x 2 x 0.02)
    [100.0, 20.0, 11.111111]

    Raises InputError where `source_work` does.
    """
    idle = scenario.source.servers - source_work(scenario, pattern, 0.0)
    per_change = source_work(scenario, pattern, 1.0) - source_work(scenario, pattern, 0.0)
    return max(0.0, idle) / per_change if per_change else inf


def source_work(scenario: Scenario, pattern: Pattern | str, rate: float) -> float:
    """How many servers of the source are busy on average at *rate* changes per second, as long as its queue does not grow.

    By the utilisation law (Denning and Buzen 1978) each kind of request keeps rate x service time of them busy: writes, reads that
    ask the source (which grow with the rate where they are given per change), own reads that do, bulk polls, and call backs, one from
    each consumer for each change that makes it call. Left out: repeats of any kind, call backs after gaps, and that consumers which
    have fallen behind call less often.

    Raises InputError where reads miss a cache, where truth is events (loading costs what was there before), and for several regions.
    """
    pattern, source, reads = pattern_of(pattern), scenario.source, scenario.workload.reads
    patterns = patterns_of(pattern, scenario)
    if pattern.truth == "events" or any(mine.reads == "cache" for mine in patterns) or len(scenario.workload.regions.shares) > 1:
        raise InputError(f"pattern {pattern.name}: there is no closed form for caches, stores of events or several regions")
    asked = reads.rate if reads.rate is not None else (reads.per_change or 0.0) * rate
    work, read_time = rate * source.write_time.mean(), source.read_time.mean()
    for consumer, mine in zip(scenario.consumers, patterns, strict=True):
        work += (rate if mine.sends else 0.0) * calling_share(consumer, mine) * read_time
        if reads.own == "source" and answers_reads(mine, consumer) != "nothing":
            work += rate * read_time
        if mine.reads == "source":
            work += asked * read_time
        elif not mine.sends:
            work += read_time / source.polling.interval
    return work


def calling_share(consumer: Consumer, pattern: Pattern) -> float:
    """The share of messages whose handling calls the source back: each notice that must become data, `needs_more` of other events."""
    return 1.0 if always_calls(pattern, consumer) else consumer.needs_more


def falls_behind_at(scenario: Scenario, consumer: Consumer, pattern: Pattern) -> float:
    """At how many changes per second the *consumer*, whose pattern is *pattern*, can no longer keep up; infinite where nothing is sent.

    An instance handles one message after the other and waits for the answer where it calls back, so a second is enough for at most
    instances / (handover + handling + calling share x (two ways + read_time)) messages. It is sooner where partitions have unequal
    traffic, where handling fails, and where the source is busy.

    >>> from edasim import PRESETS, Scenario
    >>> scenario = Scenario(source={"read_time": "8ms"})  # 2 instances; handling 10 ms, a call 1 + 8 + 1 ms
    >>> [falls_behind_at(scenario, scenario.consumers[0], PRESETS[pattern]) for pattern in ("event_notification", "cqrs")]
    [100.0, 200.0]
    """
    call = 2 * scenario.network.latency.call.mean() + scenario.source.read_time.mean()
    busy = consumer.handover_time.mean() + consumer.handle_time.mean() + calling_share(consumer, pattern) * call
    return consumer.instances / busy if pattern.sends and busy else inf


def erlang_c(servers: int, load: float) -> float:
    """The share of requests that wait for one of *servers*, with Poisson arrivals and exponential service (M/M/c).

    *load*: arrival rate x mean service time, in servers. Erlang's second formula: Kleinrock, Queueing Systems, volume 1 (1975),
    section 3.5; from his first by the recursion B(c) = load B(c - 1) / (c + load B(c - 1)), C = c B / (c - load (1 - B)).

    >>> erlang_c(1, 0.8), round(erlang_c(2, 1.0), 6)
    (0.8, 0.333333)

    Raises InputError where the queue would grow for ever.
    """
    if servers < 1 or not 0 <= load < servers:
        raise InputError(f"load: {load:g} is not allowed: must be at least 0 and less than the number of servers, {servers}")
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return servers * blocked / (servers - load * (1 - blocked))


def takes_longer(servers: int, load: float, service_time: float, limit: float) -> float:
    """The share of requests to an M/M/c queue that take longer than *limit*, waiting and service (a mean of *service_time*) together.

    Who does not wait is done after an exponential time, who waits after the sum of that and an exponential wait of the rate
    (servers - load) / service_time: with C = `erlang_c`, k = servers - load - 1 and x = limit / service_time it is
    exp(-x) (1 + C (1 - exp(-k x)) / k), and exp(-x) (1 + C x) where k = 0. Gross and Harris, Fundamentals of Queueing Theory (1998), 2.3.

    >>> round(takes_longer(1, 0.8, 0.01, 0.05), 6)  # M/M/1: exp(-(1 - 0.8) 0.05 / 0.01)
    0.367879
    """
    waits, spare, times = erlang_c(servers, load), servers - load - 1, limit / service_time
    growth = times if abs(spare) < 1e-9 else -expm1(-spare * times) / spare
    return exp(-times) * (1 + waits * growth)


def servers_by_erlang(load: float, service_time: float, limit: float, share: float = 0.01) -> float:
    """The least number of servers of an M/M/c queue with which at most this *share* of requests take longer than *limit*.

    Infinite where service alone takes longer than that too often.

    >>> servers_by_erlang(0.8, 0.01, 0.05), servers_by_erlang(0.8, 0.01, 0.2), servers_by_erlang(0.8, 0.01, 0.04)
    (3, 2, inf)
    """
    if exp(-limit / service_time) > share:
        return inf
    servers = int(load) + 1
    while takes_longer(servers, load, service_time, limit) > share:
        servers += 1
    return servers


def grown(years: float, growth: float) -> float:
    """How many of today's bytes so many *years* bring for each byte that a year would bring at today's size, if sizes grow each year.

    The integral of (1 + growth)^t from 0 to *years*: ((1 + growth)^years - 1) / log(1 + growth), or *years* without growth.

    >>> grown(2.0, 0.0), round(grown(2.0, 0.5), 3)
    (2.0, 3.083)
    """
    return ((1 + growth) ** years - 1) / log1p(growth) if growth else years


def at_least(events: ArrayLike, expected: ArrayLike) -> NDArray[np.float64]:
    """The chance that a Poisson number, *expected* on average, is at least so many *events*: a regularised gamma function.

    >>> at_least([0, 1, 2], 1.0).round(4).tolist()
    [1.0, 0.6321, 0.2642]
    """
    least, mean = np.asarray(events, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    return np.where(least <= 0, 1.0, gammainc(np.maximum(least, 1.0), mean))


def snapshots_taken(expected: ArrayLike, every: int, already: ArrayLike = 0) -> NDArray[np.float64]:
    """Mean number of snapshots of an entity that has *already* some events and gets a Poisson number more, *expected* on average.

    A snapshot is taken at each multiple of *every* events: the mean of floor((already + N) / every), which is the sum over j of
    P(N >= j x every - already), see `at_least`. Where the standard deviation of N is so far above *every* that any
    remainder is as likely as any other, their mean is (every - 1) / 2: the difference is below 0.00002 snapshots. Derived.

    >>> snapshots_taken([0.5, 250.0, 1e6], 100, already=[99, 0, 0]).round(4).tolist()
    [0.3935, 2.0007, 9999.505]
    """
    mean, begun = np.broadcast_arrays(np.asarray(expected, dtype=np.float64), np.asarray(already, dtype=np.float64))
    taken: NDArray[np.float64] = np.asarray((begun + mean - (every - 1) / 2) / every)
    few = mean <= every**2 / 2 + 20
    mean, begun = mean[few], begun[few]
    sure = np.maximum(np.floor((begun + np.maximum(mean - 9 * np.sqrt(mean), 0.0)) / every), 0.0)  # nine standard deviations below
    number, passed = sure.copy(), np.ones(sure.shape)
    while np.any(passed > 1e-12):
        sure += 1
        passed = at_least(sure * every - begun, mean)
        number += passed
    taken[few] = number
    return taken


def compacted(keys: float, messages: float, dirty_ratio: float, new: float = 0.0) -> float:
    """How many of the last *messages*, which have so many different *keys*, a compacted log holds on average.

    It is cleaned whenever the messages since the last time are *dirty_ratio* r of all (Kafka's min.cleanable.dirty.ratio), which leaves
    the newest of each key: C messages, then up to C r / (1 - r) more, on average C x with x = r / (2 (1 - r)). Of these a share *new*
    has keys that were not there, so on average there are C (1 + new x) keys and C (1 + x) messages. Derived.

    >>> compacted(100, 1e6, 0.5), compacted(105, 1e6, 0.5, new=0.1), compacted(100, 120, 0.5), compacted(100, 1e6, 1.0)
    (150.0, 150.0, 120, 1000000.0)
    """
    if dirty_ratio == 1:
        return messages
    waiting = dirty_ratio / (2 * (1 - dirty_ratio))
    return min(messages, keys * (1 + waiting) / (1 + new * waiting))


def cheapest_snapshots(snapshot_cost: float, loads_per_event: float, cost_per_event: float) -> float:
    """After how many events of an entity to take a snapshot, so that snapshots and replays together cost least: sqrt(2 S / (l c)).

    A snapshot costs S and is shared by k events; each of l loads an event replays (k - 1) / 2 events on average, each at c: S / k + l c
    (k - 1) / 2 is least there. It is the economic order quantity (Harris 1913), and Young's checkpoint interval (CACM 17(9), 1974). Costs
    in any one unit; infinite where loads cost nothing.

    >>> cheapest_snapshots(50, 1, 1)
    10.0
    """
    cost = loads_per_event * cost_per_event
    return float((2 * snapshot_cost / cost) ** 0.5) if cost else inf
