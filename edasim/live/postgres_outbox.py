"""PostgreSQL as a table with an outbox, a relay, and a queue for each consumer that is a table, too.

A change is one transaction: the entity's row, and a row of the outbox. The relay publishes in a transaction of its own and marks
afterwards, as it must where the broker is another system: whoever kills it in between makes it publish again.
"""

from collections.abc import Callable, Iterator

from psycopg import sql

from edasim.live.postgres_commands import Command, Workers
from edasim.live.postgres_connection import Connection, Schema, channel_of, connect, down_if_lost
from edasim.live.postgres_waiting import Waiting
from edasim.live.protocol import Message, Target
from edasim.scenario import Scenario

CHANGE = (  # a repeat of what was stored, but never confirmed, does nothing
    b"WITH logged AS (INSERT INTO outbox (change, entity, body) VALUES ($1, $2, $3) ON CONFLICT (change) DO NOTHING RETURNING entity, body)"
    b" INSERT INTO entities AS e (entity, version, body) SELECT entity, 1, body FROM logged"
    b" ON CONFLICT (entity) DO UPDATE SET version = e.version + 1, body = excluded.body"
)
TABLES = (
    "CREATE TABLE entities (entity bigint PRIMARY KEY, version bigint NOT NULL, body bytea NOT NULL)",
    "CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY, change bigint PRIMARY KEY, entity bigint NOT NULL,"
    " body bytea NOT NULL, sent boolean NOT NULL DEFAULT false)",
    "CREATE INDEX ON outbox (position) WHERE NOT sent",
)
QUEUE = "CREATE TABLE {} (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, change bigint NOT NULL, body bytea NOT NULL)"
TO_PUBLISH = "SELECT position, change, body FROM outbox WHERE NOT sent ORDER BY position LIMIT %s FOR UPDATE"
PUBLISH = (
    "INSERT INTO {} (change, body) SELECT change, body FROM unnest(%s::bigint[], %s::bytea[]) WITH ORDINALITY AS t (change, body, number)"
    " ORDER BY number"
)
TAKE = "SELECT position, change FROM {} WHERE position <> ALL(%s) ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED"


def queue_of(number: int) -> str:
    """The table of a consumer."""
    return f"queue_{number}"


def _on_queue(statement: str, number: int) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(queue_of(number)))


class OutboxNames(Schema):
    """The tables of a run."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        queues = [QUEUE.format(queue_of(number)) for number in range(len(scenario.consumers))]
        super().__init__(target, scenario, [*TABLES, *queues])

    def waiting(self, consumer: str) -> set[int]:
        """As `Names.waiting`: in its queue, or in the outbox."""
        number = self.scenario.consumer_number(consumer)
        with self.connected() as connection:
            rows = connection.execute(_on_queue("SELECT change FROM {} UNION SELECT change FROM outbox WHERE NOT sent", number)).fetchall()
        return {int(str(change)) for (change,) in rows}

    def read_all(self) -> int | None:
        """A queue is no log."""
        return None


class OutboxPublishing(Workers):
    """The service that owns the table; changes of one entity have one worker, so they commit in the order in which they came."""

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """As `Publishing.publish`; what is confirmed is the commit."""
        self.give(entity, change, _change_row(change, entity, body))


def _change_row(change: int, entity: int, body: bytes) -> Command:
    yield CHANGE, [change, entity, body]
    return True


class OutboxRelay:
    """One relay; several share the outbox by skipping the rows that others have taken."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self._batch = scenario.source.relay.batch
        self._take = TO_PUBLISH + (" SKIP LOCKED" if scenario.source.relay.instances > 1 else "")
        self._queues = range(len(scenario.consumers))
        self._channels = [channel_of(target, queue_of(number)) for number in self._queues]
        self._service = connect(target, scenario)
        self._broker = connect(target, scenario)

    def poll(self, published: Callable[[list[int]], None]) -> int:
        """As `Relaying.poll`."""
        with down_if_lost(), self._service.transaction():
            rows = self._service.execute(self._take, [self._batch]).fetchall()
            if not rows:
                return 0
            positions, changes, bodies = (list(column) for column in zip(*rows, strict=True))
            self._publish(changes, bodies)
            published([int(str(change)) for change in changes])
            self._service.execute("UPDATE outbox SET sent = true WHERE position = ANY(%s)", [positions])
        return len(rows)

    def close(self) -> None:
        """As `Relaying.close`."""
        self._service.close()
        self._broker.close()

    def _publish(self, changes: list[object], bodies: list[object]) -> None:
        with self._broker.transaction():
            for number in self._queues:
                self._broker.execute(_on_queue(PUBLISH, number), [changes, bodies])
                self._broker.execute("SELECT pg_notify(%s, '')", [self._channels[number]])


class QueueConsuming:
    """Takes rows one by one, locked by a transaction that is committed when all that it holds is acknowledged.

    What a killed instance had locked is free as soon as its connection is gone. That it was taken before is written nowhere.
    """

    def __init__(self, target: Target, scenario: Scenario, consumer: int) -> None:
        settings = scenario.consumers[consumer]
        self._most = settings.commit.messages or 1
        self._queue = consumer
        self._connection: Connection = connect(target, scenario)
        self._held: list[int] = []
        with down_if_lost():
            self._waiting = Waiting(self._connection, channel_of(target, queue_of(consumer)), settings.poll_interval)

    def messages(self) -> Iterator[list[Message]]:
        """As `Consuming.messages`, one at a time."""
        while True:
            with down_if_lost():
                message = self._take()
            if message is not None:
                yield [message]
                continue
            with down_if_lost():
                for _ in self._waiting.wait():
                    yield []

    def _take(self) -> Message | None:
        if len(self._held) >= self._most:
            return None
        if not self._held:
            self._connection.execute("BEGIN")
        row = self._connection.execute(_on_queue(TAKE, self._queue), [self._held]).fetchone()
        if row is None:
            if not self._held:
                self._connection.execute("COMMIT")
            return None
        position, change = (int(str(value)) for value in row)
        self._held.append(position)
        return Message(change, False, position)

    def acknowledge(self, messages: "list[Message]") -> None:
        """As `Consuming.acknowledge`: its rows are deleted."""
        positions = [int(str(message.handle)) for message in messages]
        with down_if_lost():
            self._connection.execute(_on_queue("DELETE FROM {} WHERE position = ANY(%s)", self._queue), [positions])
            self._held = [position for position in self._held if position not in positions]
            if not self._held:
                self._connection.execute("COMMIT")

    def close(self) -> None:
        """As `Consuming.close`: what it held is free."""
        self._connection.close()
