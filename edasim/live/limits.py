"""What a scenario may ask for that can't be made real on a broker: refused in a sentence, with what to set instead, before anything starts.

Not refused, since the real one is what is measured: latencies of the network, `append_time`, `handover_time`, `rebalance`, `write_time`.
"""

from collections.abc import Iterator

from edasim.live.protocol import Technology
from edasim.patterns import Pattern, always_calls, answers_reads, patterns_of, way_out
from edasim.scenario import Consumer, Producer, Scenario


def why_not(scenario: Scenario, pattern: Pattern, technology: Technology, *, private: bool) -> str:
    """Why this can't be measured; empty when it can. *private*: the broker is our own, so it may be killed."""
    for refusals in (
        _of_pattern(scenario, pattern, technology),
        _of_source(scenario, pattern, technology),
        _of_broker(scenario, technology, private=private),
        (sentence for number in range(len(scenario.consumers)) for sentence in _of_consumer(scenario, pattern, technology, number)),
        filter(None, [technology.why_not(scenario, pattern)]),
    ):
        for sentence in refusals:
            return sentence
    return ""


def _of_pattern(scenario: Scenario, pattern: Pattern, technology: Technology) -> Iterator[str]:
    here = patterns_of(pattern, scenario)
    if not all(each.sends for each in here):
        silent = next(each for each in here if not each.sends).name
        yield f"pattern {silent} sends nothing through a broker: measure one that does, such as event_carried_state_transfer"
    if len({each.carries for each in here}) > 1:
        yield "consumers.carries: one kind of message can be measured at a time: give all consumers the same, or none of their own"
    if pattern.truth not in technology.truths:
        yield f"pattern {pattern.name}: an event store is not made real here: measure one whose truth is a table, such as cqrs"


def _of_source(scenario: Scenario, pattern: Pattern, technology: Technology) -> Iterator[str]:
    source, producer, usual = scenario.source, scenario.source.producer, Producer()
    out = way_out(pattern, scenario)
    if out not in technology.ways_out:
        yield f"source.publish: {out} is not made real here: {_set('source.publish', technology.ways_out)}"
    if source.outages is not None:
        yield "source.outages: the source is one process, which is not killed: --set source.outages=null"
    for key in ("linger", "batch", "idempotent"):
        if getattr(producer, key) != getattr(usual, key):
            yield f"source.producer.{key}: every message is sent on its own: --set source.producer.{key}={str(getattr(usual, key)).lower()}"
    if len(scenario.workload.regions.shares) > 1:
        yield "workload.regions: changes are published from one place: --set workload.regions=1"
    if scenario.workload.reads.own == "source":
        yield "workload.reads.own: nobody asks the source: --set workload.reads.own=usual"
    for key in ("loss", "ack_loss"):
        if getattr(scenario.network, key) != 0:
            yield f"network.{key}: the real network is measured, and loses nothing on purpose: --set network.{key}=0"
    if scenario.network.outages is not None:
        yield "network.outages: the real network is measured, and never struck: --set network.outages=null"


def _set(path: str, allowed: frozenset[str]) -> str:
    return " or ".join(f"--set {path}={value}" for value in sorted(allowed))


def _of_broker(scenario: Scenario, technology: Technology, *, private: bool) -> Iterator[str]:
    broker = scenario.broker
    if broker.kind not in technology.kinds:
        yield f"broker.kind: {broker.kind} is not what this technology is: {_set('broker.kind', technology.kinds)}"
    if broker.kind == "log" and broker.replicas > 1:
        yield f"broker.replicas: one broker is measured, not {broker.replicas}: --set broker.replicas=1"
    if broker.retention_bytes is not None:
        yield "broker.retention_bytes: brokers drop whole segments and not messages: --set broker.retention_bytes=null"
    if broker.compaction is not None:
        yield "broker.compaction: when a broker compacts is its own affair: --set broker.compaction=null"
    if broker.outages is not None and broker.outages.kind == "power":
        yield "broker.outages.kind: nobody can cut the power here: --set broker.outages.kind=process"
    if broker.outages is not None and not private:
        yield "broker.outages: a broker at --url is never killed: use --start, or --set broker.outages=null"


def _of_consumer(scenario: Scenario, pattern: Pattern, technology: Technology, number: int) -> Iterator[str]:
    consumer, here = scenario.consumers[number], patterns_of(pattern, scenario)[number]
    asks, path = f"consumers.{consumer.name}", f"--set consumers.{number}"
    if always_calls(here, consumer):
        yield f"{asks}.on_notice: call backs ask a source, and there is none: {path}.on_notice=react"
    if answers_reads(here, consumer) in ("source", "cache"):
        yield f"{asks}.reads: {here.reads} asks a source, and there is none: {path}.reads=copy"
    if here.carries == "delta" and consumer.on_gap == "refetch" and consumer.apply == "newest_version":
        yield f"{asks}.on_gap: call backs ask a source, and there is none: {path}.on_gap=ignore"
    if consumer.poll_interval and not technology.polls:
        yield f"{asks}.poll_interval: messages are pushed, or waited for: {path}.poll_interval=0"
    for key, value in _handled_only(consumer).items():
        yield f"{asks}.{key}: handling is only made to take its time: {path}.{key}={value}"


def nobody_takes_over(scenario: Scenario) -> str | None:
    """Why a log whose partitions are given to instances once and for all can't be measured: the sentence of a technology that is one."""
    for number, consumer in enumerate(scenario.consumers):
        outages = consumer.outages
        if consumer.instances > 1 and outages is not None and (outages.windows is None or outages.rolling):
            return (
                f"consumers.{consumer.name}.outages: nobody takes over the partitions of an instance that is down: strike all at once by "
                f"windows, or --set consumers.{number}.instances=1"
            )
    return None


def _handled_only(consumer: Consumer) -> dict[str, str]:
    """What is asked of handling beside that it takes time, and what to set instead."""
    usual = {"listens_to": None, "needs_more": 0.0, "failure_rate": 0.0, "deduplicate": False, "slow": None, "poison": ()}
    said = {"None": "null", "0.0": "0", "False": "false", "()": "[]"}
    return {key: said[str(value)] for key, value in usual.items() if getattr(consumer, key) != value}
