"""Claims about a broker of Kafka's protocol as it is measured: partitions, committed offsets, and what is read again."""

import itertools
import re
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from live import SECOND, body, changes, client, killed_consumer, now, publish, removed, take, target

from edasim.errors import InputError
from edasim.live.private import Server, start_private
from edasim.live.protocol import Down, Target
from edasim.live.technologies import technology
from edasim.patterns import PRESETS
from edasim.scenario import Scenario

admin = client("confluent_kafka.admin")
TECHNOLOGY = technology("kafka")
pytestmark = pytest.mark.broker("kafka")
PREFIXES = (f"edasim-{number}-" for number in itertools.count())
STATE = PRESETS["event_carried_state_transfer"]


def scenario(instances: int = 1, **parts: Any) -> Scenario:
    consumer = {"name": "billing", "instances": instances, **parts.pop("consumer", {})}
    return Scenario(broker={"kind": "log", "partitions": 4, "replicas": 1, **parts.pop("broker", {})}, consumers=[consumer], **parts)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = start_private("kafka", scenario())
    yield started
    started.stop()


class Run:
    """The topic of one test, and its connections."""

    def __init__(self, server: Server, scenario: Scenario) -> None:
        self.scenario, self.open = scenario, []  # type: ignore[var-annotated]
        self.target: Target = target("kafka", server.url, next(PREFIXES))
        self.names = TECHNOLOGY.names(self.target, scenario)
        self.names.make()

    def close(self) -> None:
        while self.open:
            self.open.pop().close()

    def kept(self, connection: Any) -> Any:
        self.open.append(connection)
        return connection

    def publishing(self) -> Any:
        return self.kept(TECHNOLOGY.publishing(self.target, self.scenario))

    def consuming(self, instance: int = 0) -> Any:
        return self.kept(TECHNOLOGY.consuming(self.target, self.scenario, 0, instance))


@pytest.fixture
def run(server: Server) -> Iterator[Any]:
    made: list[Run] = []

    def make(scenario: Scenario) -> Run:
        made.append(Run(server, scenario))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.names.remove()


def partition(entity: int) -> int:
    return zlib.crc32(str(entity).encode()) % 4


def test_what_is_published_is_confirmed_and_read_until_it_is_committed(run: Any) -> None:
    here = run(scenario())
    assert publish(here.publishing(), range(100)) == dict.fromkeys(range(100), True)
    consuming = here.consuming()
    taken = take(consuming, 100)
    assert sorted(changes(taken)) == list(range(100))
    assert here.names.waiting("billing") == set(range(100))
    consuming.acknowledge(taken)
    assert here.names.waiting("billing") == set()
    assert here.names.read_all() == 100


def test_an_entity_has_the_partition_that_it_has_in_the_model_and_keeps_its_order(run: Any) -> None:
    here = run(scenario())
    publish(here.publishing(), range(40))
    taken = take(here.consuming(), 40)
    assert {message.change: message.handle[0] for message in taken} == {change: partition(change) for change in range(40)}
    for number in range(4):
        mine = [message.change for message in taken if message.handle[0] == number]
        assert mine == sorted(mine)


def test_each_instance_reads_its_own_range_of_partitions(run: Any) -> None:
    here = run(scenario(instances=3))
    publish(here.publishing(), range(60))
    for instance, mine in enumerate([{0, 1}, {2}, {3}]):
        expected = {change for change in range(60) if partition(change) in mine}
        assert set(changes(take(here.consuming(instance), len(expected)))) == expected


def test_an_instance_without_a_partition_waits_in_peace(run: Any) -> None:
    here = run(scenario(instances=5))
    publish(here.publishing(), range(10))
    assert take(here.consuming(4), 1, patience_s=0.3) == []


def test_a_killed_reader_is_followed_by_one_that_begins_at_what_was_committed(run: Any) -> None:
    here = run(scenario())
    publish(here.publishing(), range(40))
    taken = killed_consumer(here.target, here.scenario, count=40, acknowledged=15)
    assert sorted(taken) == list(range(40))
    assert here.names.waiting("billing") == set(taken[15:])
    assert set(changes(take(here.consuming(), 25))) == set(taken[15:])


def test_who_commits_before_handling_is_given_no_more_than_it_commits_at_once(run: Any) -> None:
    here = run(scenario(consumer={"commit": {"messages": 7, "when": "before"}}))
    publish(here.publishing(), range(30))
    sizes = []
    for messages in here.consuming().messages():
        sizes.append(len(messages))
        if sum(sizes) == 30:
            break
    assert max(sizes) <= 7


def test_names_that_are_there_are_refused_and_removing_leaves_what_is_not_ours(run: Any, server: Server) -> None:
    theirs = admin.AdminClient({"bootstrap.servers": server.url, "log_level": 0})
    if "foreign" not in theirs.list_topics(timeout=5).topics:
        theirs.create_topics([admin.NewTopic("foreign", 1, 1)])["foreign"].result()
    here = run(scenario())
    other = TECHNOLOGY.names(here.target, here.scenario)
    with pytest.raises(InputError, match="is there already on this broker: nothing was changed"):
        other.make()
    other.remove()
    publish(here.publishing(), range(5))
    consuming = here.consuming()
    consuming.acknowledge(take(consuming, 5))
    here.close()
    removed(here.names)
    assert set(theirs.list_topics(timeout=5).topics) == {"foreign"}
    assert theirs.list_consumer_groups().result().valid == []


def test_a_broker_that_is_gone_is_noticed(run: Any) -> None:
    own = start_private("kafka", scenario())
    here = target("kafka", own.url)
    try:
        names = TECHNOLOGY.names(here, scenario())
        names.make()
        publishing, consuming = TECHNOLOGY.publishing(here, scenario()), TECHNOLOGY.consuming(here, scenario(), 0, 0)
        publish(publishing, range(5))
        own.kill()
        with pytest.raises(Down):
            publishing.attend(now() + 10 * SECOND, lambda change, stored: None)
        with pytest.raises(Down):
            publishing.publish(5, 5, body(5))
        with pytest.raises(Down):
            take(consuming, 10)
        publishing.close()
        consuming.close()
    finally:
        own.stop()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (scenario(broker={"outages": {"windows": [[1, 2]]}}), "--set broker.outages=null"),
        (scenario(broker={"retention": "1min"}), "--set broker.retention=7d"),
        (scenario(instances=2, consumer={"outages": {"up": "5s", "down": "1s"}}), r"--set consumers\.0\.instances=1"),
        (scenario(instances=2, consumer={"outages": {"windows": [[5, 6]], "rolling": True}}), r"--set consumers\.0\.instances=1"),
    ],
)
def test_what_a_topic_cannot_do_here_is_a_sentence(asked: Scenario, said: str) -> None:
    assert re.search(said, TECHNOLOGY.why_not(asked, STATE) or "")


def test_what_a_topic_can_do_is_not_refused() -> None:
    assert TECHNOLOGY.why_not(scenario(instances=2, consumer={"outages": {"windows": [[5, 6]]}}), STATE) is None


@pytest.mark.parametrize("url", ["redis://here", "127.0.0.1", "http://127.0.0.1:9092"])
def test_an_address_that_is_none_is_refused_in_a_line(url: str) -> None:
    with pytest.raises(InputError, match=r"--url .* is not allowed: must be like host:9092"):
        TECHNOLOGY.publishing(target("kafka", url), scenario())


def test_versions_say_which_broker_and_client_it_was(server: Server) -> None:
    assert TECHNOLOGY.versions(target("kafka", server.url))["cluster"] == "tansu_cluster"
