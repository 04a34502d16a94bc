"""PostgreSQL as an event store: one table of events, to which is appended what fits on the version that was loaded.

Consumers read it in the order of transactions and, within one, of positions, and only below the oldest transaction that still runs: a
position that was given earlier can be committed later, and whoever had read past it would never see it.
"""

import time
from collections.abc import Iterator
from typing import cast

from edasim.live.postgres_commands import Command, Workers
from edasim.live.postgres_connection import Connection, Schema, channel_of, connect, down_if_lost
from edasim.live.postgres_waiting import Waiting
from edasim.live.protocol import Message, Target
from edasim.partitions import partition_for, range_assignment
from edasim.scenario import Scenario

EVENTS = "events"
TABLES = (
    "CREATE TABLE events (added_by xid8 NOT NULL DEFAULT pg_current_xact_id(), position bigint GENERATED ALWAYS AS IDENTITY,"
    " entity bigint NOT NULL, version bigint NOT NULL, change bigint NOT NULL UNIQUE, part int NOT NULL, body bytea NOT NULL,"
    " PRIMARY KEY (entity, version))",
    "CREATE INDEX ON events (added_by, position)",
    "CREATE TABLE checkpoints (consumer int, instance int, added_by xid8 NOT NULL DEFAULT '0', position bigint NOT NULL DEFAULT 0,"
    " PRIMARY KEY (consumer, instance))",
)
CHECKPOINT = "INSERT INTO checkpoints (consumer, instance) VALUES ({}, {})"
LOAD = b"SELECT change, body FROM events WHERE entity = $1 ORDER BY version"
APPEND = (
    b"WITH added AS (INSERT INTO events (entity, version, change, part, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
    b" RETURNING 1) SELECT pg_notify($6, '') FROM added"
)
READ = (  # `added_by` alone would be the text that is selected, and 1000 before 999
    "SELECT added_by::text, position, change, body FROM events WHERE (added_by, position) > (%s::xid8, %s)"
    " AND added_by < pg_snapshot_xmin(pg_current_snapshot()) AND part BETWEEN %s AND %s ORDER BY events.added_by, position LIMIT %s"
)
BEHIND = (
    "SELECT change FROM events e JOIN checkpoints c ON c.consumer = %s AND c.instance = %s"
    " WHERE part BETWEEN %s AND %s AND (e.added_by, e.position) > (c.added_by, c.position)"
)
COMMIT = "UPDATE checkpoints SET added_by = %s::xid8, position = %s WHERE consumer = %s AND instance = %s"
AT_ONCE = 100  # events in one answer


def _parts(scenario: Scenario, consumer: int) -> list[range]:
    """The partitions that each instance of a consumer reads."""
    return range_assignment(scenario.broker.partitions, scenario.consumers[consumer].instances)


class EventNames(Schema):
    """The tables of a run."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        instances = [(number, i) for number, consumer in enumerate(scenario.consumers) for i in range(consumer.instances)]
        super().__init__(target, scenario, [*TABLES, *(CHECKPOINT.format(*each) for each in instances)])

    def waiting(self, consumer: str) -> set[int]:
        """As `Names.waiting`: behind the checkpoint of the instance whose they are."""
        number = self.scenario.consumer_number(consumer)
        behind: set[int] = set()
        with self.connected() as connection:
            for instance, mine in enumerate(_parts(self.scenario, number)):
                if mine:
                    rows = connection.execute(BEHIND, [number, instance, mine[0], mine[-1]]).fetchall()
                    behind |= {int(str(change)) for (change,) in rows}
        return behind

    def read_all(self) -> int | None:
        """As `Names.read_all`, in portions as a replay reads them."""
        count = 0
        with self.connected() as connection, connection.transaction(), connection.cursor("replay") as cursor:
            cursor.itersize = 10 * AT_ONCE
            for _ in cursor.execute("SELECT body FROM events ORDER BY added_by, position"):
                count += 1
        return count


class EventPublishing(Workers):
    """The service that owns the events. Any worker may have the next command, so two can meet at one entity: the later loads again."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        super().__init__(target, scenario)
        self._partitions = scenario.broker.partitions
        self._tries = 1 + scenario.event_store.conflict_retries
        self._channel = channel_of(target, EVENTS).encode()

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """As `Publishing.publish`; what is confirmed is the commit, what is refused had too many conflicts."""
        self.give(change, change, self._append(change, entity, body))

    def _append(self, change: int, entity: int, body: bytes) -> Command:
        part = partition_for(entity, self._partitions)
        for _ in range(self._tries):
            began = time.monotonic_ns()
            found = yield LOAD, [entity]
            self.loads.append((began, entity, found.ntuples, time.monotonic_ns() - began))
            if any(int.from_bytes(found.get_value(row, 0) or b"") == change for row in range(found.ntuples)):
                return True  # stored by an attempt of which no answer came
            added = yield APPEND, [entity, found.ntuples + 1, change, part, body, self._channel]
            if added.ntuples:
                return True
        return False


class EventConsuming:
    """Reads events of the partitions of one instance from its checkpoint."""

    def __init__(self, target: Target, scenario: Scenario, consumer: int, instance: int) -> None:
        settings = scenario.consumers[consumer]
        self._me = [consumer, instance]
        self._mine = _parts(scenario, consumer)[instance]
        at_most = settings.commit.messages if settings.commit.when == "before" else None
        self._at_once = at_most or AT_ONCE
        self._connection: Connection = connect(target, scenario)
        with down_if_lost():
            self._waiting = Waiting(self._connection, channel_of(target, EVENTS), settings.poll_interval)
            found = "SELECT added_by::text, position FROM checkpoints WHERE consumer = %s AND instance = %s"
            (self._place,) = self._connection.execute(found, self._me).fetchall()

    def messages(self) -> Iterator[list[Message]]:
        """As `Consuming.messages`."""
        while True:
            with down_if_lost():
                messages = self._read()
            if messages:
                yield messages
                continue
            with down_if_lost():
                for _ in self._waiting.wait():
                    yield []

    def _read(self) -> list[Message]:
        if not self._mine:
            return []
        rows = self._connection.execute(READ, [*self._place, self._mine[0], self._mine[-1], self._at_once]).fetchall()
        if rows:
            self._place = rows[-1][:2]
        return [Message(int(str(change)), False, (added_by, position)) for added_by, position, change, _ in rows]

    def acknowledge(self, messages: "list[Message]") -> None:
        """As `Consuming.acknowledge`: the checkpoint is behind the newest."""
        place = cast(tuple[str, int], messages[-1].handle)
        with down_if_lost():
            self._connection.execute(COMMIT, [*place, *self._me])

    def close(self) -> None:
        """As `Consuming.close`."""
        self._connection.close()
