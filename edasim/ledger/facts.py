"""Facts: what is so at one consumer of an option, in the words of the complexity ledger; each fact has one of a few values.

That messages are lost, repeated or late is one of four: *none* (the scenario leaves no way), *unseen* (there is a way, but no run
showed it), *possible* (there is a way, and nobody has looked), *seen*. An example: a consumer that is restarted twice a week while it
reads a log has `duplicates` possible; seen, once a comparison with its incidents has counted them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import get_args

import pandas as pd

from edasim.candidates import Candidate
from edasim.causes import latenesses, losses, repeats
from edasim.estimates import short
from edasim.patterns import Carries, Pattern, Reads, Truth, always_calls, answers_reads, patterns_of, way_out
from edasim.scenario import Consumer, Scenario
from edasim.summary import in_words

SEEN = ("none", "unseen", "possible", "seen")
YES_NO = ("yes", "no")
FACTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "truth": get_args(Truth),
        "carries": get_args(Carries),
        "reads": (*get_args(Reads), "nothing"),
        "publish": ("direct", "outbox", "cdc", "subscription", "republished", "nothing"),
        "broker": ("log", "queue", "pubsub", "nothing"),
        "partitions": ("one", "several"),
        "instances": ("one", "several"),
        "relays": ("none", "one", "several"),
        "calls_back": YES_NO,
        "own_reads": ("usual", "source", "wait"),
        "duplicates": SEEN,
        "losses": SEEN,
        "lateness": SEEN,
        "gaps": SEEN,
        "conflicts": SEEN,
        "collisions": SEEN,
        "failures": YES_NO,
        "snapshots": YES_NO,
        "schema_changes": YES_NO,
        "archive": YES_NO,
        "compaction": YES_NO,
    }
)
"""What a part may ask for in `when`; the head of moving_parts.yaml says what each means."""

WORDS = (
    *("consumers", "duplicates", "losses", "lateness", "gaps", "conflicts", "collisions", "failures", "rebuild", "partitions", "instances"),
    *("relays", "poll", "snapshot_every", "schema_changes", "archive_after", "cache_ttl", "interval", "servers", "regions", "retention"),
)
"""What a part's text may name in braces."""


@dataclass(frozen=True)
class Facts:
    """What is so at a *consumer*: a value for each of FACTS, and the clauses that stand for each of WORDS."""

    consumer: str
    values: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]


def facts_of(candidate: Candidate, results: pd.DataFrame | None = None) -> list[Facts]:
    """What is so at each consumer of an option; *results* of a comparison say what was seen, if it was looked at.

    >>> from edasim import Scenario, candidates_of
    >>> scenario = Scenario(network={"ack_loss": 0.01})
    >>> found = facts_of(candidates_of(scenario, ["event_carried_state_transfer"])[0])[0]
    >>> found.values["duplicates"], found.words["duplicates"]
    ('possible', ('an acknowledgement that is lost makes the publisher send again',))
    """
    patterns = patterns_of(candidate.pattern, candidate.scenario)
    return [_facts(candidate, *pair, results) for pair in zip(candidate.scenario.consumers, patterns, strict=True)]


def _facts(candidate: Candidate, consumer: Consumer, pattern: Pattern, results: pd.DataFrame | None) -> Facts:
    scenario = candidate.scenario
    publish = way_out(candidate.pattern, scenario) if pattern.sends else "nothing"
    watched = _watched(candidate, consumer, pattern, publish, results)
    failures = tuple(_failures(scenario, consumer))
    chained = consumer.listens_to is not None and pattern.sends
    relayed = publish in ("outbox", "cdc", "subscription") and not chained
    values = {
        "truth": pattern.truth,
        "carries": pattern.carries,
        "reads": answers_reads(pattern, consumer),
        "publish": "republished" if chained else publish,
        "broker": scenario.broker.kind if pattern.sends else "nothing",
        "partitions": _several(scenario.broker.partitions),
        "instances": _several(consumer.instances),
        "relays": _several(scenario.source.relay.instances) if relayed else "none",
        "calls_back": _yes(pattern.sends and (always_calls(pattern, consumer) or consumer.needs_more > 0)),
        "own_reads": scenario.workload.reads.own if pattern.reads != "source" else "usual",
        "failures": _yes(pattern.sends and bool(failures)),
        "snapshots": _yes(pattern.truth == "events" and scenario.event_store.snapshot_every > 0),
        "schema_changes": _yes(scenario.event_store.schema_changes.changes_per_year > 0),
        "archive": _yes(pattern.truth == "events" and scenario.event_store.archive_after is not None),
        "compaction": _yes(pattern.sends and scenario.broker.kind == "log" and scenario.broker.compaction is not None),
    }
    rebuilt = _shown(_rows(candidate, consumer, results), ("rebuild_time",)) or ("how long that takes was not measured",)
    values |= {fact: value for fact, (value, _) in watched.items()}
    words = {fact: clauses for fact, (_, clauses) in watched.items()}
    return Facts(consumer.name, values, {**_words(scenario, consumer), **words, "failures": failures, "rebuild": rebuilt})


# --- what may happen, and what was seen of it -------------------------------------------------------------------------------


def _watched(
    candidate: Candidate, consumer: Consumer, pattern: Pattern, publish: str, results: pd.DataFrame | None
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """For what may happen to messages and writes: whether it does, and how in words."""
    scenario, rows = candidate.scenario, _rows(candidate, consumer, results)
    looked = results is not None and (not any(each.per_year for each in scenario.incidents) or bool((results["incident"] != "").any()))
    judge = partial(_judged, rows=rows)
    again, lost, late = ([*ways(scenario, consumer, publish)] if pattern.sends else [] for ways in (repeats, losses, latenesses))
    writing = _writing(scenario) if pattern.carries in ("state", "delta") else 1  # else one region writes, the others call it
    both = [f"{writing} regions accept writes"] if writing > 1 else []
    servers = scenario.source.servers
    side = [f"{servers} servers of the source handle commands side by side"] if pattern.truth == "events" and servers > 1 else []
    unhidden = looked and not consumer.deduplicate  # what is recognised as a repeat is not counted as one
    found = {
        "duplicates": judge(again, ("duplicate_rate", "duplicates_per_year"), looked=unhidden),
        "losses": judge(lost, ("loss_rate", "lost_per_year"), looked=looked),
        "conflicts": judge(both, ("conflict_rate",), looked=looked),
        "collisions": judge(side, ("append_conflict_rate",), looked=looked),
    }
    orders = judge([*late, *again], ("out_of_order_rate", "duplicate_rate", "duplicates_per_year"), looked=unhidden)
    missing = judge([*lost, *late], ("loss_rate", "lost_per_year", "out_of_order_rate"), looked=looked)
    return found | {"lateness": orders, "gaps": missing}


def _judged(causes: list[str], metrics: tuple[str, ...], *, rows: pd.DataFrame, looked: bool) -> tuple[str, tuple[str, ...]]:
    """One of SEEN, and the clauses: what was seen, then what causes it."""
    shown = _shown(rows, metrics)
    return "seen" if shown else "none" if not causes else "unseen" if looked else "possible", (*shown, *causes)


def _rows(candidate: Candidate, consumer: Consumer, results: pd.DataFrame | None) -> pd.DataFrame:
    """The totals of *results* that are of this option, and of this consumer or of none."""
    if results is None:
        return pd.DataFrame(columns=["consumer", "metric", "mean", "low", "high", "unit"])
    mine = (results["option"] == candidate.name) & results["consumer"].isin([consumer.name, ""])
    return results[mine & (results["component"] == "") & (results["incident"] == "")]


def _shown(rows: pd.DataFrame, metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Those of *metrics* that are above 0, each with its interval and the consumer's name."""
    above = rows[rows["metric"].isin(metrics) & (rows["mean"] > 0)].drop_duplicates("metric").set_index("metric")
    columns = ["mean", "low", "high", "unit", "consumer"]
    found = {str(metric): row for metric, *row in above[columns].itertuples()}
    return tuple(_said(metric, *found[metric]) for metric in metrics if metric in found)


def _said(metric: str, mean: float, low: float, high: float, unit: str, consumer: str) -> str:
    where = f" at {consumer}" if consumer else ""
    return f"{metric}{where} {in_words(mean, low, high, unit).rstrip()}"


# --- what is so whatever happens --------------------------------------------------------------------------------------------


def _failures(scenario: Scenario, consumer: Consumer) -> Iterator[str]:
    """Why there are messages that the consumer fails to handle."""
    if consumer.failure_rate:
        yield f"{short(consumer.failure_rate, 'share')} of its attempts fail"
    if consumer.poison:
        yield "poison messages"
    for each in scenario.incidents:
        if each.component == consumer.name and each.kind == "poison" and each.per_year:
            yield f"{each.name}, {each.per_year:g} times a year"


def _writing(scenario: Scenario) -> int:
    """How many regions accept writes."""
    return sum(share > 0 for share in scenario.workload.regions.shares)


def _several(count: int) -> str:
    return "several" if count > 1 else "one"


def _yes(so: bool) -> str:
    return "yes" if so else "no"


def _words(scenario: Scenario, consumer: Consumer) -> dict[str, tuple[str, ...]]:
    """Numbers of the scenario that a part's text may name, with their units."""
    store, source = scenario.event_store, scenario.source
    said = {
        "consumers": consumer.name,
        "partitions": f"{scenario.broker.partitions:,}",
        "instances": f"{consumer.instances:,}",
        "relays": f"{source.relay.instances:,}",
        "poll": _duration(source.relay.poll),
        "snapshot_every": f"{store.snapshot_every:,}",
        "schema_changes": f"{store.schema_changes.changes_per_year:g}",
        "archive_after": _duration(store.archive_after),
        "cache_ttl": _duration(source.cache_ttl.mean()),
        "interval": _duration(source.polling.interval),
        "servers": f"{scenario.read_model.servers:,}",
        "regions": f"{_writing(scenario):,}",
        "retention": _duration(scenario.broker.retention),
    }
    return {word: (text,) for word, text in said.items()}


def _duration(seconds: float | None) -> str:
    return "never" if seconds is None else short(seconds, "s")
