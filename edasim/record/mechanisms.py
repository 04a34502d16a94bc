"""Which published numbers vouch for what an option uses: the families of rows in data/oracles that simulate that mechanism.

`edasim validate` simulates each row and holds it against theory. What no row vouches for rests on rules with worked numbers alone
(tests/test_rules_*.py), and a record says so. An option that sends by an outbox and whose broker restarts uses `relays that fail`,
which no row vouches for, and `outages of the broker`, which OUT and RTRY do.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edasim.candidates import Candidate
from edasim.causes import struck_by
from edasim.patterns import KEPT, patterns_of, way_out
from edasim.scenario import Consumer, GilbertElliott, Scenario

Uses = Callable[[Candidate], bool]


@dataclass(frozen=True)
class Mechanism:
    """A part of the model, which options use it, and the *rows* (families, such as MM1) that vouch for it; none: rules alone do.

    *measured*: the metrics by which it was held against real brokers and stores (edasim/validation/reality), as their names begin.
    """

    name: str
    is_used: Uses
    rows: tuple[str, ...]
    measured: tuple[str, ...] = ()


def mechanisms_of(candidate: Candidate) -> tuple[Mechanism, ...]:
    """The mechanisms that an option uses in its scenario, in the order of a message's way.

    >>> from edasim import Scenario, candidates_of
    >>> [(found.name, found.rows) for found in mechanisms_of(candidates_of(Scenario(), ["cached_reads"])[0])]
    [('servers that calls wait for', ()), ('a cache with a time to live', ('TTL',))]
    """
    return tuple(mechanism for mechanism in MECHANISMS if mechanism.is_used(candidate))


def table_of_mechanisms() -> list[str]:
    """The rows of the table in docs/validation.md: each mechanism, the rows that vouch for it, and what was predicted of real brokers."""
    return [f"| {each.name} | {', '.join(each.rows) or '-'} | {', '.join(each.measured) or '-'} |" for each in MECHANISMS]


def _sends(candidate: Candidate) -> bool:
    return any(pattern.sends for pattern in patterns_of(candidate.pattern, candidate.scenario))


def _answers(*reads: str) -> Uses:
    """Whether any consumer's reads are answered so."""
    return lambda candidate: any(pattern.reads in reads for pattern in patterns_of(candidate.pattern, candidate.scenario))


def _sending(holds: Callable[[Scenario], object]) -> Uses:
    """Whether messages are sent, and the scenario is such."""
    return lambda candidate: _sends(candidate) and bool(holds(candidate.scenario))


def _handling(holds: Callable[[Consumer], object]) -> Uses:
    """Whether messages are sent, and any consumer is such."""
    return _sending(lambda scenario: any(holds(consumer) for consumer in scenario.consumers))


def _events(candidate: Candidate) -> bool:
    return candidate.pattern.truth == "events"


def _relayed(candidate: Candidate) -> bool:
    return _sends(candidate) and way_out(candidate.pattern, candidate.scenario) != "direct"


def _consumers_fail(scenario: Scenario) -> bool:
    return any(struck_by(scenario, consumer.name) for consumer in scenario.consumers)


def _broker_fails(scenario: Scenario) -> bool:
    return bool(struck_by(scenario, "broker"))


def _has_poison(scenario: Scenario) -> bool:
    return any(consumer.poison or consumer.failure_rate for consumer in scenario.consumers) or _has_incidents(scenario, "poison")


def _slows(scenario: Scenario) -> bool:
    return any(consumer.slow for consumer in scenario.consumers) or _has_incidents(scenario, "slow")


def _has_incidents(scenario: Scenario, kind: str) -> bool:
    return any(incident.kind == kind and incident.per_year for incident in scenario.incidents)


MECHANISMS = (
    Mechanism("servers that calls wait for", _answers("source", "cache", "read_model"), ()),
    Mechanism("a cache with a time to live", _answers("cache"), ("TTL",)),
    Mechanism(
        "copies refreshed in bulk at intervals",
        lambda candidate: any(
            pattern.reads == "copy" and not pattern.sends for pattern in patterns_of(candidate.pattern, candidate.scenario)
        ),
        ("FRESH",),
    ),
    Mechanism(
        "copies behind messages: how stale and how old they are",
        lambda candidate: _sends(candidate) and _answers(*KEPT)(candidate),
        ("AOI", "AOIK", "AOIOPT", "REPL"),
        ("poll: share", "poll: versions", "notify: share", "notify: versions", "notify: lag"),
    ),
    Mechanism("reading one's own change back", lambda candidate: _sends(candidate) and _answers(*KEPT)(candidate), ("RYW", "POLL")),
    Mechanism("handling by consumers: arrivals, waiting, service", _sends, ("MM1", "MG1", "GM1", "BATCH", "MMC", "BRK"), ("wait",)),
    Mechanism("retries, and requests and acknowledgements that are lost", _sends, ("RTRY",)),
    Mechanism("loss in bursts", _sending(lambda scenario: isinstance(scenario.network.loss, GilbertElliott)), ("GE",)),
    Mechanism(
        "batches of a producer", _sending(lambda scenario: scenario.source.producer.batch > 1 or scenario.source.producer.linger), ("LING",)
    ),
    Mechanism("relays that publish in commit order", _relayed, ("POLL",), ("poll: lag", "delay")),
    Mechanism(
        "relays that fail",
        lambda candidate: _relayed(candidate) and bool(struck_by(candidate.scenario, "relay")),
        (),
        ("lost", "repeats per kill"),
    ),
    Mechanism(
        "outages of the broker: what waits and what is lost meanwhile",
        _sending(_broker_fails),
        ("OUT", "RTRY"),
        ("acknowledged and lost", "loss_rate", "recovery_time"),
    ),
    Mechanism(
        "failover of a replicated log",
        _sending(lambda scenario: scenario.broker.kind == "log" and scenario.broker.replicas > 1 and _broker_fails(scenario)),
        ("FAIL", "QRM"),
    ),
    Mechanism(
        "power losses of the broker", _sending(lambda scenario: "power" in struck_by(scenario, "broker")), (), ("acknowledged and lost",)
    ),
    Mechanism("outages of the source", lambda candidate: bool(struck_by(candidate.scenario, "source")), ()),
    Mechanism("outages of the network", _sending(lambda scenario: struck_by(scenario, "network")), ()),
    Mechanism("retention", _sending(lambda scenario: scenario.broker.kind == "log" and _consumers_fail(scenario)), ("RETN",)),
    Mechanism(
        "queues that overflow",
        _sending(lambda scenario: scenario.broker.kind != "log" and scenario.broker.max_length is not None),
        ("MM1K", "MD1K", "ERLB", "OVFL"),
        ("full", "lost by a queue of 10", "loss_rate", "publish_failed_rate"),
    ),
    Mechanism("compaction", _sending(lambda scenario: scenario.broker.compaction), ("CMPT", "ZIPF", "DRTY")),
    Mechanism(
        "crashes of consumers and what they handle again",
        _sending(_consumers_fail),
        ("CRSH", "CRSK", "BRK"),
        ("handled twice after a kill", "lost after a kill", "lost while disconnected", "duplicate_rate", "recovery_time"),
    ),
    Mechanism("rebalances of a consumer group", _sending(lambda scenario: scenario.broker.kind == "log" and _consumers_fail(scenario)), ()),
    Mechanism(
        "redelivery by a queue",
        _sending(lambda scenario: scenario.broker.kind == "queue" and (_consumers_fail(scenario) or _broker_fails(scenario))),
        (),
        ("first comes again after", "handled twice after a kill", "duplicate_rate"),
    ),
    Mechanism("consumers that are slow for a while", _sending(_slows), ()),
    Mechanism("failing messages and dead letters", _sending(_has_poison), ()),
    Mechanism("deduplication", _handling(lambda consumer: consumer.deduplicate), ()),
    Mechanism("chains of consumers", _handling(lambda consumer: consumer.listens_to), ("TAND",)),
    Mechanism("consumers that poll", _handling(lambda consumer: consumer.poll_interval), ("VAC",)),
    Mechanism("writes in several regions", lambda candidate: len(candidate.scenario.workload.regions.shares) > 1, ("LWW",)),
    Mechanism("loads from events, and snapshots", _events, ("SNAP", "OPTK"), ("time to load an entity", "bytes an event")),
    Mechanism("commands that collide", _events, ("OCC", "BDAY")),
    Mechanism(
        "rebuilds while changes go on", lambda candidate: _events(candidate) or _answers(*KEPT)(candidate), ("REBLD",), ("time to rebuild",)
    ),
)
