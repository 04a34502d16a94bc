"""Forced choices: scenarios that leave one answer, which the tool must give. Whatever else it weighs, here it may not be wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from edasim import Scenario, paired_comparison
from edasim.comparison import Comparison
from edasim.decision.checking import check
from edasim.decision.choosing import choose, what_is_left
from edasim.decision.smallest_step import smallest_steps
from edasim.patterns import PRESETS
from edasim.studies.requirements import who_meets_all

STATE, NOTICE, STORE, STORED = "event_carried_state_transfer", "event_notification", "event_sourcing", "event_sourcing_cqrs"
QUIET = {
    "warmup": 0,
    "duration": 100,
    "drain": 60,
    "workload": {"arrivals": {"rate": 20}, "entities": {"count": 50}, "reads": {"rate": 20}},
}
FALLS = {"windows": [[20, 30], [60, 70]]}
WRITES_LITTLE = {"arrivals": {"rate": 0.1}, "reads": {"rate": 0.5}, "entities": {"count": 10}}

ONCE_A_MINUTE = {"arrivals": {"rate": 0.02}, "reads": {"rate": 0.05}, "entities": {"count": 10}}


@dataclass(frozen=True)
class Forced:
    """A *scenario* (dotted paths), options (each a pattern and what it changes; or presets), what is required, and who must pass or not."""

    scenario: Mapping[str, Any]
    options: Mapping[str, tuple[str, Mapping[str, Any]]]
    required: Mapping[str, Any]
    met: tuple[str, ...]
    violated: tuple[str, ...]
    smallest: tuple[str, ...] | None = None
    more: list[Mapping[str, Any]] = field(default_factory=list)  # required besides


def presets(*names: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    return {name: (name, {}) for name in names}


def ways_out(**changed: Any) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """State by each way of publishing, with the same settings otherwise."""
    return {way: (STATE, {"source.publish": way, **changed}) for way in ("direct", "outbox", "cdc")}


CHOICES = {
    "zero loss can't be had with acks 1 where leaders fail, whatever relays before": Forced(
        {"broker.outages": FALLS, "broker.replica_copy": "2s", "broker.replicas": 3},
        {"ask": ("request_response", {}), **ways_out(**{"source.producer.acks": 1})},
        {"metric": "loss_rate", "at_most": 0},
        met=("ask",),
        violated=("direct", "outbox", "cdc"),
        smallest=("ask",),
    ),
    "acks all and a relay lose nothing where leaders fail": Forced(
        {"broker.outages": FALLS, "broker.replica_copy": "100ms", "source.producer.acks": "all", "drain": 300},
        ways_out(),
        {"metric": "loss_rate", "at_most": 0},
        met=("outbox", "cdc"),
        violated=("direct",),
    ),
    "no effect comes twice only where every id is remembered": Forced(
        {"consumers.consumer.outages": FALLS, "drain": 300},
        {"plain": (STATE, {}), "forgets": (STATE, {"network.ack_loss": 0.05}), "knows": (STATE, {"consumers.consumer.deduplicate": True})},
        {"metric": "duplicate_rate", "at_most": 0},
        met=("knows",),
        violated=("plain", "forgets"),
    ),
    "several relays lose the order, one keeps it": Forced(
        {
            "workload.entities.count": 2,
            "network.latency": {"publish": {"dist": "exponential", "mean": 0.05}, "deliver": 0.001, "call": 0.001},
            "source": {"publish": "outbox", "relay": {"poll": 0.01, "batch": 1}},
        },
        {"one": (STATE, {}), "several": (STATE, {"source.relay.instances": 4})},
        {"metric": "out_of_order_rate", "at_most": 0},
        met=("one",),
        violated=("several",),
    ),
    "reads that must be answered whatever happens need a copy at hand": Forced(
        {"source.outages": {"windows": [[20, 30]]}},
        presets("request_response", NOTICE, STATE),
        {"metric": "read_availability", "at_least": 1},
        met=(NOTICE, STATE),
        violated=("request_response",),
    ),
    "who reads own writes at once can't read a projection, a copy or a cache": Forced(
        {"workload.reads.own_after": 0},
        presets(*PRESETS),
        {"metric": "read_your_writes_miss_rate", "at_most": 0},
        met=("request_response", STORE),
        violated=("cached_reads", "polling", NOTICE, STATE, "cqrs", STORED, "event_sourcing_state_transfer"),
        smallest=("request_response",),
    ),
    "a source that is down an hour a day answers no 99.9 % of reads": Forced(
        {
            "duration": "1d",
            "workload": ONCE_A_MINUTE,
            "source.outages": {"windows": [[36_000, 39_600]]},
            "consumers.consumer.commit.every": "1h",
        },
        presets("request_response", "cached_reads", STORE, STATE, "cqrs", "polling"),
        {"metric": "read_availability", "at_least": "99.9%"},
        met=(STATE, "cqrs", "polling"),
        violated=("request_response", "cached_reads", STORE),
        smallest=("polling", STATE, "cqrs"),
    ),
    "any past state within a second takes truth that is kept as events": Forced(
        {},
        presets(*PRESETS),
        {"metric": "point_in_time_load_mean", "at_most": "1s"},
        met=(STORE, STORED, "event_sourcing_state_transfer"),
        violated=("request_response", "cached_reads", "polling", NOTICE, STATE, "cqrs"),
        smallest=(STORE,),
    ),
    "little data, no outages and few reads leave the simplest": Forced(
        {"workload": WRITES_LITTLE},
        presets(*PRESETS),
        {"metric": "staleness_mean", "at_most": "2min"},
        met=tuple(PRESETS),
        violated=(),
        smallest=("request_response",),
        more=[{"metric": "read_availability", "at_least": "90%"}, {"metric": "source_utilisation", "at_most": "50%"}],
    ),
    "a subscriber that is away misses what passes": Forced(
        {"consumers.consumer.outages": FALLS, "drain": 300},
        {"heard": (STATE, {"broker.kind": "pubsub"}), "kept": (STATE, {}), "queued": (STATE, {"broker.kind": "queue"})},
        {"metric": "loss_rate", "at_most": 0},
        met=("kept", "queued"),
        violated=("heard",),
    ),
    "what a broker is down for is lost without an outbox": Forced(
        {"broker.outages": FALLS, "broker.replicas": 1, "source.producer": {"retries": 2, "ack_timeout": 1}, "drain": 300},
        ways_out(),
        {"metric": "loss_rate", "at_most": 0},
        met=("outbox", "cdc"),
        violated=("direct",),
    ),
    "in a year too": Forced(
        {"incidents": [{"name": "restart", "component": "broker", "per_year": 12, "down": "30s"}], "broker.replicas": 1},
        ways_out(**{"source.producer.retries": 2}),
        {"metric": "lost_per_year", "at_most": 1000},
        met=("outbox", "cdc"),
        violated=("direct",),
    ),
    "a disk that holds the table does not hold its history": Forced(
        {"event_store.history": 1_000_000},
        presets("request_response", STORE, STORED),
        {"metric": "storage_bytes", "at_most": "10MB"},
        met=("request_response",),
        violated=(STORE, STORED),
        smallest=("request_response",),
    ),
    "a long history is not rebuilt in a minute": Forced(
        {"event_store.history": 50_000_000, "event_store.archive_after": None},
        presets(STATE, STORED),
        {"metric": "rebuild_time", "at_most": "1min"},
        met=(STATE,),
        violated=(STORED,),
    ),
    "deltas that skip a gap stay wrong": Forced(
        {"broker.outages": {"windows": [[20, 30]]}, "broker.replicas": 1, "source.producer.retries": 0, "source.publish": "direct"},
        {"skips": (STORED, {"consumers.consumer.on_gap": "ignore"}), "asks": (STORED, {}), "state": (STATE, {})},
        {"metric": "diverged_entities", "at_most": 5},
        met=("asks", "state"),
        violated=("skips",),
    ),
    "fresher than the polls or the cache is told or asked": Forced(
        {"source.polling.interval": "20s", "source.cache_ttl": "30s"},
        presets("request_response", "cached_reads", "polling", STATE),
        {"metric": "staleness_p99", "at_most": "1s"},
        met=("request_response", STATE),
        violated=("cached_reads", "polling"),
        smallest=("request_response",),
    ),
    "more reads than a source can answer go to copies": Forced(
        {"workload.reads.rate": 300, "source": {"servers": 1, "read_time": "5ms"}},
        presets("request_response", STORE, STATE, "cqrs"),
        {"metric": "source_utilisation", "at_most": "80%"},
        met=(STATE, "cqrs"),
        violated=("request_response", STORE),
    ),
    "more changes than a source can be asked about carry their state": Forced(
        {"workload.arrivals.rate": 150, "source": {"servers": 1, "read_time": "10ms"}, "consumers.consumer.instances": 8},
        presets(NOTICE, STATE),
        {"metric": "source_utilisation", "at_most": "80%"},
        met=(STATE,),
        violated=(NOTICE,),
    ),
    "who sends once and asks for no answer loses what the network loses": Forced(
        {"network.loss": 0.05},
        {"blind": (STATE, {"source.producer.acks": 0}), "told": (STATE, {"source.producer.retries": 10})},
        {"metric": "loss_rate", "at_most": "0.1%"},
        met=("told",),
        violated=("blind",),
    ),
    "a log that forgets before its reader is back has lost it": Forced(
        {"consumers.consumer.outages": {"windows": [[20, 50]]}, "drain": 300},
        {"short": (STATE, {"broker.retention": "10s"}), "long": (STATE, {"broker.retention": "7d"})},
        {"metric": "loss_rate", "at_most": 0},
        met=("long",),
        violated=("short",),
    ),
    "a message that nobody can handle stops a log without dead letters": Forced(
        {"consumers.consumer.poison": [20], "consumers.consumer.instances": 1, "consumers.consumer.backoff": "100ms"},
        {"waits": (STATE, {"consumers.consumer.dead_letter": False}), "parks": (STATE, {})},
        {"metric": "in_flight_rate", "at_most": "5%"},
        met=("parks",),
        violated=("waits",),
    ),
    "a consumer slower than the changes is never fresh": Forced(
        {"consumers.consumer.handle_time": "200ms"},
        presets("request_response", STATE, "cqrs"),
        {"metric": "staleness_p95", "at_most": "2s"},
        met=("request_response",),
        violated=(STATE, "cqrs"),
    ),
    "two regions that both accept writes overwrite each other": Forced(
        {"workload.regions": 2, "workload.entities.count": 2, "network.latency": "50ms"},
        presets("request_response", STATE),
        {"metric": "lost_update_rate", "at_most": "1%"},
        met=("request_response",),
        violated=(STATE,),
    ),
    "a queue that drops its oldest loses under a peak, one that refuses a relay does not": Forced(
        {"broker": {"kind": "queue", "max_length": 5}, "consumers.consumer.outages": {"windows": [[20, 40]]}, "drain": 300},
        {
            "drops": (STATE, {"broker.overflow": "drop_oldest", "source.publish": "outbox"}),
            "refuses": (STATE, {"broker.overflow": "reject", "source.publish": "outbox"}),
        },
        {"metric": "loss_rate", "at_most": 0},
        met=("refuses",),
        violated=("drops",),
    ),
}


def scenario_of(forced: Forced) -> Scenario:
    options = [{"name": name, "pattern": pattern, "set": dict(changed)} for name, (pattern, changed) in forced.options.items()]
    required = [dict(forced.required), *map(dict, forced.more)]
    return Scenario(**QUIET).with_overrides({**forced.scenario, "options": options, "requirements": required})


def compared(forced: Forced) -> Comparison:
    return paired_comparison(scenario_of(forced), replications=3, jobs=1)


@pytest.mark.parametrize("what", CHOICES)
def test_a_forced_choice_is_made(what: str) -> None:
    forced = CHOICES[what]
    comparison = compared(forced)
    words = comparison.verdicts.groupby("option")["verdict"].agg(list)
    said = {option: "violated" if "violated" in of else "undecided" if "undecided" in of else "met" for option, of in words.items()}
    assert said == {**dict.fromkeys(forced.met, "met"), **dict.fromkeys(forced.violated, "violated")}
    left = choose(comparison)
    assert set(left.vetoes) == set(forced.violated)
    assert set(left.front) <= set(forced.met)
    assert set(left.meets) == set(forced.met) == set(who_meets_all(comparison.verdicts)[0])
    smallest = set(smallest_steps(comparison).smallest)
    assert smallest <= set(left.front)
    if forced.smallest is not None:
        assert smallest == set(forced.smallest)


@pytest.mark.parametrize("limit", ["100ms", "1min"])
def test_where_requirements_rule_each_other_out_nobody_is_left_and_it_is_said_what_to_relax(limit: str) -> None:
    """Fresh, and answered while the source is down: who asks is not answered, who keeps a copy is late by its consumer's outage."""
    forced = Forced(
        {"source.outages": FALLS, "consumers.consumer.outages": {"windows": [[35, 50], [75, 90]]}},
        presets("request_response", STATE),
        {"metric": "read_availability", "at_least": "99%"},
        met=(),
        violated=(),
        more=[{"metric": "staleness_mean", "at_most": limit}],
    )
    comparison = compared(forced)
    left, text = choose(comparison), what_is_left(choose(comparison))
    if limit == "1min":
        assert left.meets == (STATE,)
        return
    assert (left.front, smallest_steps(comparison).smallest) == ((), {})
    assert "**No option meets all requirements.** These come closest:" in text
    assert {each.option: each.met_by for each in left.closest} == {"request_response": (STATE,), STATE: ("request_response",)}
    for each in left.closest:  # with the limit as it is relaxed the option is a choice
        side = "at_least" if "availability" in each.requirement else "at_most"
        asked = [dict(one) for one in (forced.required, *forced.more)]
        relaxed = [{**one, side: each.limit} if side in one else one for one in asked]
        again = Comparison(scenario_of(forced).with_overrides({"requirements": relaxed}), *vars_of(comparison))
        assert choose(again).meets == (each.option,)


def vars_of(comparison: Comparison) -> tuple[Any, ...]:
    return comparison.seed, comparison.candidates, comparison.values, comparison.replications


def test_a_check_of_a_forced_choice_comes_to_the_same() -> None:
    forced = CHOICES["a subscriber that is away misses what passes"]
    found = check(scenario_of(forced), replications=3, budget=3, jobs=1, assumptions=False)
    assert found.outcomes == {"heard": "violated", "kept": "met", "queued": "met"}
