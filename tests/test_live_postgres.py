"""Claims about PostgreSQL as it is measured: as a table with an outbox and queues, and as an event store."""

import itertools
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from live import body, changes, client, handle_all, killed_consumer, now, publish, removed, take, target

from edasim.errors import InputError
from edasim.live.private import Server, start_private
from edasim.live.protocol import Down, Target
from edasim.live.technologies import technology
from edasim.patterns import PRESETS
from edasim.scenario import Scenario

psycopg = client("psycopg")
TECHNOLOGY = technology("postgres")
pytestmark = pytest.mark.broker("postgres")
PREFIXES = (f"edasim-{number}-" for number in itertools.count())
STATE, EVENTS = PRESETS["event_carried_state_transfer"], PRESETS["event_sourcing_state_transfer"]
ONE = [{"name": "billing", "instances": 1}]


def queues(consumers: list[dict[str, Any]] | None = None, **parts: Any) -> Scenario:
    return Scenario(**{"broker": {"kind": "queue"}, "consumers": consumers or ONE, "source": {"publish": "outbox", "servers": 4}, **parts})


def events(consumers: list[dict[str, Any]] | None = None, **parts: Any) -> Scenario:
    usual = {"broker": {"kind": "log", "partitions": 4}, "source": {"servers": 4}, "event_store": {"snapshot_every": 0}}
    return Scenario(**{**usual, "consumers": consumers or ONE, **parts})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = start_private("postgres", Scenario())
    yield started
    started.stop()


def schema_of(target: Target) -> str:
    return target.name("tables")


class Run:
    """The tables of one test, and its connections."""

    def __init__(self, server: Server, scenario: Scenario, truth: str) -> None:
        self.scenario, self.open = scenario, []  # type: ignore[var-annotated]
        self.target: Target = target("postgres", server.url, next(PREFIXES), truth)
        self.names = TECHNOLOGY.names(self.target, scenario)
        self.names.make()

    def kept(self, connection: Any) -> Any:
        self.open.append(connection)
        return connection

    def publishing(self) -> Any:
        return self.kept(TECHNOLOGY.publishing(self.target, self.scenario))

    def relaying(self) -> Any:
        return self.kept(TECHNOLOGY.relaying(self.target, self.scenario))

    def consuming(self, consumer: int = 0, instance: int = 0) -> Any:
        return self.kept(TECHNOLOGY.consuming(self.target, self.scenario, consumer, instance))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.target.url) as connection:
            connection.execute(f'SET search_path = "{schema_of(self.target)}"')  # type: ignore[arg-type]
            return connection.execute(query).fetchall()  # type: ignore[arg-type]


@pytest.fixture
def run(server: Server) -> Iterator[Any]:
    made: list[Run] = []

    def make(scenario: Scenario, truth: str = "table") -> Run:
        made.append(Run(server, scenario, truth))
        return made[-1]

    yield make
    server.restart()  # where a test left it dead
    for one in made:
        for connection in one.open:
            connection.close()
        one.names.remove()


def relay_all(relay: Any) -> list[int]:
    """Poll until there is nothing left; the changes that were published, in order."""
    published: list[int] = []
    while relay.poll(published.extend):
        pass
    return published


# A table with an outbox


def test_a_change_is_committed_relayed_taken_and_gone_once_acknowledged(run: Any) -> None:
    here = run(queues())
    assert publish(here.publishing(), range(100)) == dict.fromkeys(range(100), True)
    assert here.names.waiting("billing") == set(range(100))
    assert sorted(relay_all(here.relaying())) == list(range(100))
    assert sorted(changes(handle_all(here.consuming(), 100))) == list(range(100))
    assert here.names.waiting("billing") == set()


def test_a_row_and_its_outbox_row_are_one_transaction_and_a_repeat_of_it_does_nothing(run: Any) -> None:
    here = run(queues())
    publish(here.publishing(), [7])
    publish(here.publishing(), [7])  # as after a lost answer
    assert here.rows("SELECT entity, version FROM entities") == [(7, 1)]
    assert here.rows("SELECT change, sent FROM outbox") == [(7, False)]


def test_changes_of_one_entity_commit_in_the_order_in_which_they_came(run: Any) -> None:
    here = run(queues())
    publishing = here.publishing()
    for change in range(50):
        publishing.publish(change, 3, body(change))
    answers: dict[int, bool] = {}
    while len(answers) < 50:
        publishing.attend(now() + 10_000_000, answers.__setitem__)
    assert relay_all(here.relaying()) == list(range(50))
    assert here.rows("SELECT version, convert_from(body, 'UTF8') FROM entities") == [(50, body(49).decode())]


def test_a_relay_takes_at_most_a_batch(run: Any) -> None:
    here = run(queues(source={"publish": "outbox", "relay": {"batch": 10}}))
    publish(here.publishing(), range(25))
    relay = here.relaying()
    assert [relay.poll(lambda changes: None) for _ in range(4)] == [10, 10, 5, 0]


class Killed(Exception):
    """The relay is gone."""


def test_a_relay_that_dies_between_publishing_and_marking_publishes_again(run: Any) -> None:
    here = run(queues(source={"publish": "outbox", "relay": {"batch": 10}}))
    publish(here.publishing(), range(10))

    def die(changes: list[int]) -> None:
        raise Killed

    with pytest.raises(Killed):
        here.relaying().poll(die)
    assert sorted(relay_all(here.relaying())) == list(range(10))
    assert sorted(changes(handle_all(here.consuming(), 20))) == sorted([*range(10), *range(10)])


def test_several_relays_share_the_outbox_and_publish_each_change_once(run: Any) -> None:
    here = run(queues(source={"publish": "outbox", "relay": {"batch": 5, "instances": 2}}))
    publish(here.publishing(), range(10))
    other = here.relaying()
    theirs: list[int] = []
    ours: list[int] = []
    here.relaying().poll(lambda changes: (ours.extend(changes), other.poll(theirs.extend))[0])  # while it has not marked its own
    assert sorted(ours + theirs) == list(range(10))
    assert len(ours) == len(theirs) == 5


def test_every_consumer_has_a_queue_whose_instances_never_take_the_same_row(run: Any) -> None:
    here = run(queues([{"name": "billing", "instances": 2}, {"name": "search"}]))
    publish(here.publishing(), range(2))
    relay_all(here.relaying())
    first, second = take(here.consuming(0, 0), 1), take(here.consuming(0, 1), 1)
    assert sorted(changes(first + second)) == [0, 1]
    assert sorted(changes(handle_all(here.consuming(1), 2))) == [0, 1]


def test_what_a_killed_consumer_had_taken_is_free_at_once(run: Any) -> None:
    here = run(queues([{"name": "billing", "instances": 1, "prefetch": 3, "commit": {"messages": 3}}]))
    publish(here.publishing(), range(5))
    relay_all(here.relaying())
    assert len(killed_consumer(here.target, here.scenario, count=3, acknowledged=0)) == 3
    assert sorted(changes(handle_all(here.consuming(), 5))) == list(range(5))


def test_several_messages_are_acknowledged_in_one_transaction(run: Any) -> None:
    here = run(queues([{"name": "billing", "instances": 1, "prefetch": 3, "commit": {"messages": 3}}]))
    publish(here.publishing(), range(5))
    relay_all(here.relaying())
    consuming = here.consuming()
    taken = take(consuming, 3)
    assert here.names.waiting("billing") == set(range(5))
    consuming.acknowledge(taken)
    assert here.names.waiting("billing") == set(range(5)) - set(changes(taken))


@pytest.mark.parametrize("interval", [0, "20ms"])
def test_who_waits_is_given_the_next_row_notified_or_after_its_interval(run: Any, interval: object) -> None:
    here = run(queues([{"name": "billing", "instances": 1, "poll_interval": interval}]))
    consuming = here.consuming()
    assert take(consuming, 1, patience_s=0.2) == []
    later = threading.Timer(0.1, lambda: (publish(here.publishing(), [1]), relay_all(here.relaying())))
    later.start()
    assert changes(take(consuming, 1)) == [1]
    later.join()


# An event store


def test_events_are_read_in_order_from_the_checkpoint(run: Any) -> None:
    here = run(events(), "events")
    assert publish(here.publishing(), range(100)) == dict.fromkeys(range(100), True)
    consuming = here.consuming()
    first = take(consuming, 100)
    assert sorted(changes(first)) == list(range(100))
    consuming.acknowledge(first[:40])
    assert here.names.waiting("billing") == set(changes(first[40:]))
    again = here.consuming()
    assert changes(take(again, 60)) == changes(first[40:])
    assert here.names.read_all() == 100


def test_each_instance_reads_its_own_range_of_partitions(run: Any) -> None:
    here = run(events([{"name": "billing", "instances": 3}]), "events")
    publish(here.publishing(), range(60))
    parts = dict(here.rows("SELECT change, part FROM events"))
    for instance, mine in enumerate([{0, 1}, {2}, {3}]):
        expected = {change for change, part in parts.items() if part in mine}
        assert set(changes(take(here.consuming(0, instance), len(expected)))) == expected


def test_a_killed_reader_begins_again_at_its_checkpoint(run: Any) -> None:
    here = run(events(), "events")
    publish(here.publishing(), range(30))
    taken = killed_consumer(here.target, here.scenario, count=30, acknowledged=12)
    assert changes(take(here.consuming(), 18)) == taken[12:]


def test_an_event_that_commits_after_a_later_one_is_not_passed_over(run: Any) -> None:
    here = run(events(), "events")
    insert = "INSERT INTO events (entity, version, change, part, body) VALUES (%s, 1, %s, 0, '1 ')"
    with psycopg.connect(here.target.url, options=f'-c search_path="{schema_of(here.target)}"') as slow:
        slow.execute(insert, [1, 1])  # has its position, and is not committed
        publish(here.publishing(), [2])
        consuming = here.consuming()
        assert take(consuming, 1, patience_s=0.3) == []
        slow.commit()
    assert changes(take(consuming, 2)) == [1, 2]


def test_the_second_of_two_writers_of_one_entity_loads_again_and_both_are_stored(run: Any) -> None:
    here = run(events(), "events")
    publishing = here.publishing()
    answers: dict[int, bool] = {}
    for change in range(20):
        publishing.publish(change, 1, body(change))  # on four connections at once
    while len(answers) < 20:
        publishing.attend(now() + 10_000_000, answers.__setitem__)
    stored = {change for change, taken in answers.items() if taken}
    assert here.rows("SELECT count(*), max(version) FROM events") == [(len(stored), len(stored))]
    assert len(publishing.loads) > 20  # some loaded again
    assert all(entity == 1 and events < 20 and took > 0 for _, entity, events, took in publishing.loads)


def test_without_retries_a_conflict_is_refused_and_never_stored(run: Any) -> None:
    here = run(events(event_store={"snapshot_every": 0, "conflict_retries": 0}), "events")
    publishing = here.publishing()
    answers: dict[int, bool] = {}
    for change in range(4):
        publishing.publish(change, 1, body(change))
    while len(answers) < 4:
        publishing.attend(now() + 10_000_000, answers.__setitem__)
    stored = {change for change, taken in answers.items() if taken}
    assert stored < {0, 1, 2, 3}
    assert {change for (change,) in here.rows("SELECT change FROM events")} == stored


def test_a_command_that_is_sent_again_is_stored_once(run: Any) -> None:
    here = run(events(), "events")
    publish(here.publishing(), [5])
    assert publish(here.publishing(), [5]) == {5: True}
    assert here.names.read_all() == 1


# Both


@pytest.mark.parametrize("truth", ["table", "events"])
def test_a_killed_database_keeps_what_it_confirmed(run: Any, server: Server, truth: str) -> None:
    here = run(queues() if truth == "table" else events(), truth)
    publishing, consuming = here.publishing(), here.consuming()
    assert all(publish(publishing, range(200)).values())
    server.kill()
    with pytest.raises(Down):
        publish(publishing, [200])
    with pytest.raises(Down):
        take(consuming, 300)
    with pytest.raises(Down):
        here.publishing()
    server.restart()
    assert here.names.waiting("billing") >= set(range(200))
    publish(here.publishing(), [201])
    assert 201 in here.names.waiting("billing")


@pytest.mark.parametrize("truth", ["table", "events"])
def test_names_that_are_there_are_refused_and_removing_leaves_what_is_not_ours(run: Any, server: Server, truth: str) -> None:
    here = run(queues() if truth == "table" else events(), truth)
    other = TECHNOLOGY.names(here.target, here.scenario)
    with pytest.raises(InputError, match="is there already in this database: nothing was changed"):
        other.make()
    other.remove()
    assert here.rows("SELECT 1 FROM pg_tables WHERE schemaname = current_schema()")
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS foreigner AS SELECT 1 AS theirs")
    assert (here.names.stored_bytes() or 0) > 8192
    removed(here.names)
    with psycopg.connect(server.url) as connection:
        schemas = {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'").fetchall()}
        assert connection.execute("SELECT theirs FROM foreigner").fetchall() == [(1,)]
    assert schema_of(here.target) not in schemas


def test_without_waiting_for_the_sync_a_connection_says_so(run: Any) -> None:
    here = run(queues(broker={"kind": "queue", "fsync_interval": "1s"}))
    assert here.consuming()._connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    here = run(queues())
    assert here.consuming()._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize(
    ("pattern", "asked", "said"),
    [
        (STATE, queues(broker={"kind": "log"}), "--set broker.kind=queue"),
        (EVENTS, events(broker={"kind": "queue"}), "--set broker.kind=log"),
        (STATE, queues(broker={"kind": "queue", "durable": False}), "--set broker.durable=true"),
        (STATE, queues(broker={"kind": "queue", "max_length": 10}), "--set broker.max_length=null"),
        (STATE, queues(broker={"kind": "queue", "retention": "1min"}), "--set broker.retention=7d"),
        (STATE, queues(source={"publish": "outbox", "servers": 500}), "--set source.servers=8"),
        (STATE, queues([{"name": "billing", "prefetch": 10}]), r"--set consumers\.0\.prefetch=1"),
        (STATE, queues([{"name": "billing", "redeliver_after": "5s"}]), r"--set consumers\.0\.redeliver_after=null"),
        (EVENTS, events(event_store={}), "--set event_store.snapshot_every=0"),
        (EVENTS, events(event_store={"snapshot_every": 0, "history": 5}), "--set event_store.history=0"),
        (EVENTS, events([{"name": "billing", "instances": 2, "outages": {"up": "5s", "down": "1s"}}]), r"--set consumers\.0\.instances=1"),
    ],
)
def test_what_tables_cannot_do_is_a_sentence(pattern: Any, asked: Scenario, said: str) -> None:
    assert re.search(said, TECHNOLOGY.why_not(asked, pattern) or "")


def test_what_tables_can_do_is_not_refused() -> None:
    assert TECHNOLOGY.why_not(queues(), STATE) is None
    assert TECHNOLOGY.why_not(events(), EVENTS) is None


def test_an_address_that_is_none_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match=r"--url redis://here is not allowed: must be like postgresql://"):
        TECHNOLOGY.publishing(target("postgres", "redis://here"), queues())


def test_versions_say_which_database_and_client_it_was(server: Server) -> None:
    assert set(TECHNOLOGY.versions(target("postgres", server.url))) == {"postgresql", "psycopg", "fsync", "wal_sync_method"}
