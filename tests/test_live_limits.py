"""Claims about what can't be measured: each is refused in one sentence, and what that says to set instead is then allowed."""

import re
from typing import Any

import pytest
from live import client
from tiny import merged

from edasim import InputError, Scenario
from edasim.documents import parse_override
from edasim.live.limits import why_not
from edasim.live.protocol import Technology
from edasim.live.technologies import TECHNOLOGIES, technology, technology_of
from edasim.patterns import pattern_of

client("redis")

BASE: dict[str, Any] = {"broker": {"preset": "redis-streams"}, "consumers": [{"name": "billing", "instances": 1}]}
WINDOWS = {"windows": [[1, 2]]}
STATE, NOTICE, DELTA = "event_carried_state_transfer", "event_notification", "table/delta/copy"


def consumer(**settings: Any) -> dict[str, Any]:
    return {"consumers": [{"name": "billing", "instances": 1, **settings}]}


REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("broker.replicas", STATE, {"broker": {"replicas": 3}}),
    ("broker.partitions", STATE, {"broker": {"partitions": 2}}),
    ("broker.kind", STATE, {"broker": {"kind": "pubsub"}}),
    ("broker.durable", STATE, {"broker": {"durable": False, "outages": WINDOWS}}),
    ("broker.retention_bytes", STATE, {"broker": {"retention_bytes": "1MB"}}),
    ("broker.compaction", STATE, {"broker": {"compaction": {"min_dirty_ratio": 0.5}}}),
    ("broker.outages.kind", STATE, {"broker": {"outages": {**WINDOWS, "kind": "power"}}}),
    ("broker.overflow", STATE, {"broker": {"kind": "queue", "max_length": 10, "overflow": "reject"}}),
    ("network.loss", STATE, {"network": {"loss": 0.1}}),
    ("network.ack_loss", STATE, {"network": {"ack_loss": 0.1}}),
    ("network.outages", STATE, {"network": {"outages": WINDOWS}}),
    ("workload.regions", STATE, {"workload": {"regions": 2}}),
    ("workload.reads.own", STATE, {"workload": {"reads": {"own": "source"}}}),
    ("source.outages", STATE, {"source": {"outages": WINDOWS}}),
    ("source.publish", STATE, {"source": {"publish": "cdc"}}),
    ("source.producer.batch", STATE, {"source": {"producer": {"batch": 10}}}),
    ("source.producer.linger", STATE, {"source": {"producer": {"linger": "5ms"}}}),
    ("source.producer.idempotent", STATE, {"source": {"producer": {"idempotent": True}}}),
    ("consumers.billing.instances", STATE, consumer(instances=2)),
    ("consumers.billing.on_notice", NOTICE, {}),
    ("consumers.billing.on_gap", DELTA, {}),
    ("consumers.billing.needs_more", STATE, consumer(needs_more=0.1)),
    ("consumers.billing.failure_rate", STATE, consumer(failure_rate=0.1)),
    ("consumers.billing.deduplicate", STATE, consumer(deduplicate=True)),
    ("consumers.billing.slow", STATE, consumer(slow=WINDOWS)),
    ("consumers.billing.poison", STATE, consumer(poison=[5])),
    ("consumers.billing.poll_interval", STATE, consumer(poll_interval="100ms")),
    (
        "consumers.billing.redeliver_after",
        STATE,
        {"broker": {"kind": "queue"}, **consumer(instances=2, outages=WINDOWS)},
    ),
]


def refusal(scenario: Scenario, pattern: str, offered: Technology, *, private: bool = True) -> str:
    return why_not(scenario, pattern_of(pattern), offered, private=private)


@pytest.mark.parametrize(("what", "pattern", "changes"), REFUSED, ids=[f"{what}-{n}" for n, (what, *_) in enumerate(REFUSED)])
def test_what_can_not_be_made_real_is_refused_and_what_to_set_instead_is_allowed(what: str, pattern: str, changes: dict[str, Any]) -> None:
    scenario, offered = Scenario(**merged(BASE, changes)), technology("redis-streams")
    said = refusal(scenario, pattern, offered)
    assert said.startswith(f"{what}: ")
    assert "\n" not in said
    set_instead = re.search(r"--set (\S+?=\S+?)(?=[,;)]|\s|$)", said)
    assert set_instead, said
    assert refusal(scenario.with_overrides(dict([parse_override(set_instead[1])])), pattern, offered) == ""


def test_the_plain_scenario_is_allowed_and_so_are_its_outages() -> None:
    outages = {"broker": {"outages": WINDOWS}, **consumer(outages={**WINDOWS, "on_restart": "resume"}, commit={"messages": 10})}
    for changes in ({}, outages):
        assert refusal(Scenario(**merged(BASE, changes)), STATE, technology("redis-streams")) == ""


def test_a_broker_that_is_not_ours_is_never_killed() -> None:
    scenario = Scenario(**merged(BASE, {"broker": {"outages": WINDOWS}}))
    assert "--url is never killed" in refusal(scenario, STATE, technology("redis-streams"), private=False)


def test_a_pattern_that_sends_nothing_has_nothing_to_measure_on_a_broker() -> None:
    scenario = Scenario(**BASE)
    for pattern in ("request_response", "cached_reads", "polling"):
        assert "sends nothing through a broker" in refusal(scenario, pattern, technology("redis-streams"))


def test_a_technology_without_an_event_store_refuses_patterns_whose_truth_is_events() -> None:
    assert "event store is not made real here" in refusal(Scenario(**BASE), "event_sourcing_cqrs", technology("redis-streams"))


def test_consumers_that_are_sent_different_messages_are_refused() -> None:
    consumers = [{"name": "a", "instances": 1, "carries": "notice", "on_notice": "react"}, {"name": "b", "instances": 1}]
    assert "one kind of message" in refusal(Scenario(**{**BASE, "consumers": consumers}), STATE, technology("redis-streams"))


def test_the_technology_is_the_scenarios_own_unless_another_is_said() -> None:
    assert technology_of(Scenario(**BASE), None) == "redis-streams"
    assert technology_of(Scenario(**BASE), "kafka") == "kafka"
    with pytest.raises(InputError, match=r"names no broker\.preset: say --on"):
        technology_of(Scenario(), None)
    with pytest.raises(InputError, match=r"broker\.preset: nats-core can't be measured"):
        technology_of(Scenario(broker={"preset": "nats-core"}), None)
    with pytest.raises(InputError, match="did you mean kafka"):
        technology_of(Scenario(), "kafke")


def test_a_client_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name}", name="pika")

    monkeypatch.setattr("edasim.live.technologies.import_module", missing)
    with pytest.raises(InputError, match=r"needs the Python package pika: install edasim\[brokers\]"):
        technology("rabbitmq")


def test_every_technology_says_what_it_can_do() -> None:
    for name in TECHNOLOGIES:
        offered = technology(name)
        assert offered.kinds <= {"log", "queue", "pubsub"}
        assert "table" in offered.truths
        assert offered.ways_out <= {"direct", "outbox", "cdc", "subscription"}
