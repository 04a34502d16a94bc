"""Closed forms to hold simulated numbers against, each with its source or its derivation."""

from math import inf

import numpy as np
from numpy.typing import ArrayLike

from edasim.errors import InputError
from edasim.patterns import Pattern, always_calls, pattern_of, patterns_of
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
    ask the source (which grow with the rate where they are given per change), bulk polls, and call backs, one from each consumer for
    each change that makes it call. Left out: repeats of any kind, call backs after gaps, and that consumers which have fallen behind
    call less often.

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
