"""Claims that hold on every technology, in whole runs: nothing is lost and nothing handled twice while nothing goes wrong, and so on."""

from typing import Any

import pytest
from live import client
from tiny import merged, value

from edasim import Scenario
from edasim.journal import OUTCOMES, Journal
from edasim.live import measure
from edasim.live.private import start_private

STATE, EVENTS = "event_carried_state_transfer", "event_sourcing_state_transfer"
BASE: dict[str, Any] = {
    "warmup": 0,
    "duration": 2,
    "drain": 10,
    "workload": {"arrivals": {"rate": 200}, "reads": {"rate": 0}, "entities": {"count": 20}},
    "broker": {"partitions": 1, "replicas": 1},
    "event_store": {"snapshot_every": 0},
    "consumers": [{"name": "billing", "instances": 1, "handle_time": "1ms"}],
}
RUNS = {
    "rabbitmq": ("rabbitmq", STATE, {"broker": {"kind": "queue"}}),
    "redis-streams": ("redis-streams", STATE, {"broker": {"kind": "log"}}),
    "redis-streams-queue": ("redis-streams", STATE, {"broker": {"kind": "queue"}}),
    "redis-pubsub": ("redis-pubsub", STATE, {"broker": {"kind": "pubsub"}}),
    "kafka": ("kafka", STATE, {"broker": {"kind": "log"}}),
    "postgres-outbox": ("postgres", STATE, {"broker": {"kind": "queue"}, "source": {"publish": "outbox"}}),
    "postgres-events": ("postgres", EVENTS, {"broker": {"kind": "log"}, "source": {"servers": 1}}),  # several collide, and try again
}
KEPT = {name: run for name, run in RUNS.items() if name != "redis-pubsub"}


def runs(which: dict[str, Any]) -> list[Any]:
    return [pytest.param(*run, marks=pytest.mark.broker(run[0]), id=name) for name, run in which.items()]


def measured(technology: str, pattern: str, changes: dict[str, Any], consumer: dict[str, Any]) -> Journal:
    settings = merged(BASE, changes)
    return measure(Scenario(**{**settings, "consumers": [{**BASE["consumers"][0], **consumer}]}), pattern, on=technology, start=True)


@pytest.mark.slow
@pytest.mark.parametrize(("technology", "pattern", "changes"), runs(RUNS))
def test_a_quiet_run_applies_every_message_exactly_once_and_in_order(technology: str, pattern: str, changes: dict[str, Any]) -> None:
    journal = measured(technology, pattern, changes, {})
    found = journal.deliveries
    assert found["change"].size > 300
    assert (found["outcome"] == OUTCOMES.index("applied")).all()
    assert (found["attempts"] == 1).all()
    assert (found["copies"] == 1).all()
    assert value(journal, "out_of_order_rate") == 0
    assert (journal.changes["publish_attempts"] == 1).all()
    assert (journal.changes["acknowledged"] >= journal.changes["committed"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("technology", "pattern", "changes"), runs(KEPT))
def test_a_killed_consumer_loses_nothing_and_repeats_at_most_what_it_had_not_acknowledged(
    technology: str, pattern: str, changes: dict[str, Any]
) -> None:
    journal = measured(technology, pattern, changes, {"prefetch": 10, "commit": {"messages": 10}, "outages": {"windows": [[0.8, 1.2]]}})
    found = journal.deliveries
    assert (found["outcome"] == OUTCOMES.index("applied")).all()
    assert (found["copies"] - 1).sum() <= 9
    assert (found["attempts"] - 1).sum() <= 10


@pytest.mark.slow
@pytest.mark.broker("rabbitmq")
def test_a_run_on_somebody_elses_rabbitmq_touches_nothing_but_its_own_queues() -> None:
    pika = client("pika")
    scenario = Scenario(**merged(BASE, {"broker": {"kind": "queue"}, "duration": 1}))
    server = start_private("rabbitmq", scenario)
    try:
        connection = pika.BlockingConnection(pika.URLParameters(server.url))
        channel = connection.channel()
        channel.queue_declare("foreign", durable=True)
        channel.basic_publish("", "foreign", b"their message")
        measure(scenario, STATE, on="rabbitmq", url=server.url)
        _, properties, body = channel.basic_get("foreign")
        assert (body, properties.headers) == (b"their message", None)
        connection.close()
    finally:
        server.stop()
