"""PostgreSQL, in two forms: a table with an outbox and queues (`postgres_outbox`), and an event store (`postgres_events`)."""

from collections.abc import Mapping

import psycopg

from edasim.live.limits import nobody_takes_over
from edasim.live.postgres_connection import connect, down_if_lost
from edasim.live.postgres_events import EventConsuming, EventNames, EventPublishing
from edasim.live.postgres_outbox import OutboxNames, OutboxPublishing, OutboxRelay, QueueConsuming
from edasim.live.protocol import Consuming, Names, Publishing, Target
from edasim.patterns import Pattern
from edasim.scenario import Scenario

MOST_CONNECTIONS = 50  # PostgreSQL takes 100 unless it is told otherwise


class Postgres:
    """The technology `postgres`."""

    kinds = frozenset({"queue", "log"})
    truths = frozenset({"table", "events"})
    ways_out = frozenset({"outbox", "subscription"})
    commits = True
    polls = True

    def why_not(self, scenario: Scenario, pattern: Pattern) -> str | None:
        """What tables can't do."""
        broker, source = scenario.broker, scenario.source
        kind = "log" if pattern.truth == "events" else "queue"
        if broker.kind != kind:
            return f"broker.kind: where truth is {pattern.truth}, PostgreSQL is read as a {kind}: --set broker.kind={kind}"
        if not broker.durable:
            return "broker.durable: PostgreSQL always is: --set broker.durable=true"
        if broker.max_length is not None:
            return "broker.max_length: a table has no bound: --set broker.max_length=null"
        if broker.retention < scenario.window[1] + scenario.drain:
            return "broker.retention: a table keeps its rows until they are deleted: --set broker.retention=7d"
        if source.servers > MOST_CONNECTIONS:
            return f"source.servers: each is a connection, of which there are at most {MOST_CONNECTIONS}: --set source.servers=8"
        return (_of_events if pattern.truth == "events" else _of_queues)(scenario)

    def names(self, target: Target, scenario: Scenario) -> Names:
        """The tables of a run."""
        return EventNames(target, scenario) if target.truth == "events" else OutboxNames(target, scenario)

    def publishing(self, target: Target, scenario: Scenario) -> Publishing:
        """The service that owns the truth."""
        return EventPublishing(target, scenario) if target.truth == "events" else OutboxPublishing(target, scenario)

    def consuming(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> Consuming:
        """A connection of one instance."""
        if target.truth == "events":
            return EventConsuming(target, scenario, consumer, instance)
        return QueueConsuming(target, scenario, consumer)

    def relaying(self, target: Target, scenario: Scenario) -> OutboxRelay:
        """A relay of the outbox."""
        return OutboxRelay(target, scenario)

    def versions(self, target: Target) -> Mapping[str, str]:
        """Of the server and the client, and whether a commit waits for the disk unless a connection says otherwise."""
        with connect(target, Scenario()) as connection, down_if_lost():
            said = {"postgresql": connection.info.parameter_status("server_version") or "unknown", "psycopg": psycopg.__version__}
            for setting in ("fsync", "wal_sync_method"):
                (said[setting],) = map(str, connection.execute(f"SHOW {setting}").fetchone() or ["unknown"])
            return said


TECHNOLOGY = Postgres()


def _of_queues(scenario: Scenario) -> str | None:
    for number, consumer in enumerate(scenario.consumers):
        where, path = f"consumers.{consumer.name}", f"--set consumers.{number}"
        if consumer.redeliver_after is not None:
            return f"{where}.redeliver_after: a locked row is free as soon as a connection drops: {path}.redeliver_after=null"
        most = consumer.commit.messages or 1
        if consumer.prefetch != most:
            return f"{where}.prefetch: as many rows are locked as are deleted at once: {path}.prefetch={most}"
    return None


def _of_events(scenario: Scenario) -> str | None:
    store = scenario.event_store
    if store.snapshot_every:
        return "event_store.snapshot_every: every load reads all events here: --set event_store.snapshot_every=0"
    if store.history:
        return "event_store.history: the store begins empty: --set event_store.history=0"
    return nobody_takes_over(scenario)
