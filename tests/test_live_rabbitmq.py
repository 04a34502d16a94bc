"""Claims about RabbitMQ as it is measured: what a queue keeps, refuses, drops and delivers again."""

import csv
import gc
import itertools
import re
import socket
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import changes, client, handle_all, killed_consumer, now, publish, removed, take, target

from edasim.errors import InputError
from edasim.live.private import Server, start_private
from edasim.live.protocol import Down, Names, Target
from edasim.live.servers import program
from edasim.live.technologies import technology
from edasim.patterns import PRESETS
from edasim.scenario import Scenario

pika = client("pika")
TECHNOLOGY = technology("rabbitmq")
pytestmark = pytest.mark.broker("rabbitmq")
STATIC = Path(__file__).parents[1] / "data" / "measurements" / "m2b_static.csv"
PATTERN = PRESETS["event_carried_state_transfer"]
PREFIXES = (f"edasim-{number}-" for number in itertools.count())


def scenario(consumers: list[dict[str, Any]] | None = None, **broker: Any) -> Scenario:
    return Scenario(broker={"kind": "queue", **broker}, consumers=consumers or [{"name": "billing", "instances": 1, "prefetch": 10}])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = start_private("rabbitmq", scenario())
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """pika closes the sockets of a lost connection only when they are collected, which warns."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Run:
    """The names of one test, made for a scenario."""

    def __init__(self, server: Server, scenario: Scenario) -> None:
        self.scenario = scenario
        self.target: Target = target("rabbitmq", server.url, next(PREFIXES))
        self.names: Names = TECHNOLOGY.names(self.target, scenario)
        self.names.make()

    def publishing(self) -> Any:
        return TECHNOLOGY.publishing(self.target, self.scenario)

    def consuming(self, consumer: int = 0, instance: int = 0) -> Any:
        return TECHNOLOGY.consuming(self.target, self.scenario, consumer, instance)


@pytest.fixture
def run(server: Server) -> Iterator[Any]:
    made: list[Run] = []

    def make(scenario: Scenario) -> Run:
        made.append(Run(server, scenario))
        return made[-1]

    yield make
    server.restart()  # where a test left it dead
    for one in made:
        one.names.remove()


def everything(server: Server) -> set[str]:
    """The queues and exchanges that the broker has on disk, but for its own, as it says itself."""
    ctl = Path(program("rabbitmq-server")).with_name("rabbitmqctl")
    environment = {**server._plan.environment, "PATH": "/usr/bin:/bin"}
    said = [
        subprocess.run([ctl, "-q", command, "name"], env=environment, capture_output=True, text=True, check=True, cwd=server.folder).stdout
        for command in ("list_queues", "list_exchanges")
    ]
    return {line for line in "".join(said).split("\n") if line.startswith("edasim") or line == "foreign"}


def test_what_is_published_is_confirmed_taken_and_gone_once_acknowledged(run: Any) -> None:
    here = run(scenario())
    publishing, consuming = here.publishing(), here.consuming()
    assert publish(publishing, range(100)) == dict.fromkeys(range(100), True)
    taken = handle_all(consuming, 100, at_once=10)
    assert changes(taken) == list(range(100))
    assert not any(message.again for message in taken)
    consuming.close()
    publishing.close()
    assert here.names.waiting("billing") == set()


def test_each_consumer_has_a_queue_and_its_instances_share_it(run: Any) -> None:
    here = run(scenario([{"name": "billing", "instances": 2, "prefetch": 5}, {"name": "search", "instances": 1}]))
    first, second = here.consuming(0, 0), here.consuming(0, 1)
    publishing = here.publishing()
    publish(publishing, range(10))
    ours, theirs = take(first, 5), take(second, 5)
    assert sorted(changes(ours) + changes(theirs)) == list(range(10))
    assert here.names.waiting("search") == set(range(10))
    for connection in (publishing, first, second):
        connection.close()


def test_nobody_holds_more_than_the_prefetch(run: Any) -> None:
    here = run(scenario([{"name": "billing", "instances": 1, "prefetch": 3}]))
    publishing, consuming = here.publishing(), here.consuming()
    publish(publishing, range(10))
    assert changes(take(consuming, 10, patience_s=0.5)) == [0, 1, 2]
    assert here.names.waiting("billing") == set(range(3, 10))
    consuming.close()
    publishing.close()


def test_what_a_killed_consumer_had_not_acknowledged_comes_again_and_says_so(run: Any) -> None:
    here = run(scenario([{"name": "billing", "instances": 1, "prefetch": 5}]))
    publishing = here.publishing()
    publish(publishing, range(8))
    assert killed_consumer(here.target, here.scenario, count=5, acknowledged=2) == [0, 1, 2, 3, 4]
    successor = here.consuming()
    again = handle_all(successor, 6)
    assert changes(again) == [2, 3, 4, 5, 6, 7]
    assert [message.again for message in again] == [True] * 5 + [False]  # all that was prefetched, handled or not
    successor.close()
    publishing.close()


def test_a_killed_broker_keeps_what_it_confirmed(run: Any, server: Server) -> None:
    here = run(scenario())
    publishing, consuming = here.publishing(), here.consuming()
    assert all(publish(publishing, range(200)).values())
    server.kill()
    with pytest.raises(Down):
        publishing.attend(now() + 10_000_000_000, lambda change, stored: None)
    with pytest.raises(Down):
        publishing.publish(200, 200, b"200 ")
    with pytest.raises(Down):
        take(consuming, 300)
    with pytest.raises(Down):
        here.publishing()
    publishing.close()
    consuming.close()
    server.restart()
    assert here.names.waiting("billing") == set(range(200))


def test_a_broker_that_is_not_durable_comes_back_with_its_queues_and_without_their_messages(run: Any, server: Server) -> None:
    here = run(scenario(durable=False))
    publishing = here.publishing()
    assert all(publish(publishing, range(50)).values())
    server.kill()
    publishing.close()
    server.restart()
    assert here.names.waiting("billing") == set()
    publishing = here.publishing()
    assert publish(publishing, [50]) == {50: True}
    publishing.close()


@pytest.mark.parametrize(("overflow", "mode"), [("reject", "reject-publish"), ("drop_oldest", "drop-head")])
@pytest.mark.parametrize("limit", [100, 1000])
def test_a_bounded_queue_that_nobody_reads_loses_what_was_measured(run: Any, overflow: str, mode: str, limit: int) -> None:
    rows = csv.DictReader(STATIC.read_text().splitlines())
    measured = next(row for row in rows if (row["system"], row["mode"], int(row["K"])) == ("rabbitmq", mode, limit))
    here = run(scenario(max_length=limit, overflow=overflow))
    publishing = here.publishing()
    answers = publish(publishing, range(int(measured["N"])))
    survivors = here.names.waiting("billing")
    publishing.close()
    assert len(answers) == int(measured["N"])
    assert list(answers.values()).count(False) == int(measured["publisher_errors"])
    assert survivors == set(range(int(measured["first"]), int(measured["last"]) + 1))
    assert len(survivors) == int(measured["survivors"])


def test_a_message_that_is_older_than_the_retention_is_gone(run: Any) -> None:
    here = run(scenario(retention="200ms"))
    publishing = here.publishing()
    publish(publishing, range(5))
    publishing.attend(now() + 400_000_000, lambda change, stored: None)
    assert here.names.waiting("billing") == set()
    publishing.close()


def test_names_that_are_there_are_refused_and_nothing_is_made(run: Any, server: Server) -> None:
    here = run(scenario())
    two = scenario([{"name": "billing"}, {"name": "search"}])
    other = TECHNOLOGY.names(here.target, two)
    with pytest.raises(InputError, match="is there already on this broker: nothing was changed"):
        other.make()
    other.remove()
    assert everything(server) == {here.target.name("changes"), here.target.name("queue", "0")}


def test_removing_leaves_nothing_of_ours_and_all_of_others(run: Any, server: Server) -> None:
    before = everything(server)
    connection = pika.BlockingConnection(pika.URLParameters(server.url))
    channel = connection.channel()
    channel.queue_declare("foreign", durable=True)
    channel.basic_publish("", "foreign", b"theirs")
    here = run(scenario())
    publishing = here.publishing()
    publish(publishing, range(5))
    publishing.close()
    removed(here.names)
    assert everything(server) == before | {"foreign"}
    assert channel.basic_get("foreign", auto_ack=True)[2] == b"theirs"
    channel.queue_delete("foreign")
    connection.close()


@pytest.mark.parametrize(
    ("broker", "consumer", "said"),
    [
        ({"max_length": 0}, {}, "broker.max_length"),
        ({}, {"redeliver_after": "5s"}, r"--set consumers\.0\.redeliver_after=null"),
    ],
)
def test_what_a_classic_queue_cannot_do_is_a_sentence(broker: dict[str, Any], consumer: dict[str, Any], said: str) -> None:
    asked = scenario([{"name": "billing", **consumer}], **broker)
    why = TECHNOLOGY.why_not(asked, PATTERN)
    assert re.search(said, why)
    assert TECHNOLOGY.why_not(scenario(), PATTERN) is None


def test_an_address_that_is_none_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match=r"--url redis://here is not allowed: must be like amqp://"):
        TECHNOLOGY.publishing(target("rabbitmq", "redis://here"), scenario())


def test_who_takes_a_connection_and_says_nothing_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.live.rabbitmq_publishing.PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = target("rabbitmq", f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(Down, match="Timeout during AMQP handshake"):
            TECHNOLOGY.names(asked, scenario()).make()


def test_versions_say_which_broker_and_client_it_was(server: Server) -> None:
    assert set(TECHNOLOGY.versions(target("rabbitmq", server.url))) == {"rabbitmq", "pika"}
    assert TECHNOLOGY.versions(target("rabbitmq", server.url))["rabbitmq"][0].isdigit()
