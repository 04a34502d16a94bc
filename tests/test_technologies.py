"""Presets of brokers: what a technology decides arrives, what is given wins, and the document shows the table that the program uses."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from edasim import InputError, Scenario
from edasim.scenario import Broker
from edasim.technologies import SETTINGS, Technology, Value, decided_by

PAGE = Path(__file__).parents[1] / "docs" / "technologies.md"
TECHNOLOGIES: tuple[Technology, ...] = get_args(Technology)


def test_every_technology_says_its_kind_once_and_names_keys_of_the_broker_only() -> None:
    assert list(dict.fromkeys(setting.technology for setting in SETTINGS)) == list(TECHNOLOGIES)
    assert len({(setting.technology, setting.key) for setting in SETTINGS}) == len(SETTINGS)
    assert {setting.key for setting in SETTINGS} <= set(Broker.model_fields) - {"preset"}
    assert all(setting.source for setting in SETTINGS)
    for technology in TECHNOLOGIES:
        assert "kind" in decided_by(technology)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_what_a_technology_decides_arrives_and_the_rest_keeps_its_default(technology: Technology) -> None:
    broker, decided = Scenario(broker={"preset": technology}).broker, decided_by(technology)
    expected = Broker.model_validate(decided)
    for key in set(Broker.model_fields) - {"preset"}:
        assert getattr(broker, key) == getattr(expected if key in decided else Broker(), key), key


def test_the_guarantees_that_decide_an_outage() -> None:
    syncs = {technology: Scenario(broker={"preset": technology}).broker.fsync_interval for technology in TECHNOLOGIES}
    assert (syncs["kafka"], syncs["rabbitmq"], syncs["redis-streams"], syncs["nats-jetstream"]) == (30.0, 30.0, 1.0, 120.0)
    kinds = {technology: Scenario(broker={"preset": technology}).broker.kind for technology in TECHNOLOGIES}
    assert list(kinds.values()) == ["log", "queue", "log", "pubsub", "pubsub", "log"]
    assert [name for name in TECHNOLOGIES if not Scenario(broker={"preset": name}).broker.durable] == ["redis-pubsub", "nats-core"]


def test_a_given_key_wins_even_where_it_is_the_default() -> None:
    broker = Scenario(broker={"preset": "redis-streams", "partitions": 12, "replicas": 3, "retention": "7d", "fsync_interval": 0}).broker
    assert (broker.partitions, broker.replicas, broker.retention, broker.fsync_interval) == (12, 3, 7 * 86400.0, 0.0)
    assert broker.overflow == "drop_oldest"


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_another_preset_leaves_nothing_of_the_former(technology: Technology) -> None:
    fresh = Scenario(broker={"preset": technology, "partitions": 5})
    for former in TECHNOLOGIES:
        changed = Scenario(broker={"preset": former, "partitions": 5}).with_overrides({"broker.preset": technology})
        assert changed == fresh
        assert changed.as_mapping(brief=True) == {"broker": {"preset": technology, "partitions": 5}}
    assert fresh.with_overrides({"broker.preset": None}) == Scenario(broker={"partitions": 5})


def test_an_option_may_set_the_preset() -> None:
    options = [{"name": name, "pattern": "event_carried_state_transfer", "set": {"broker.preset": name}} for name in TECHNOLOGIES]
    scenario = Scenario(broker={"preset": "kafka"}, options=options)
    for option in scenario.options:
        assert scenario.with_overrides(option.set).broker == Scenario(broker={"preset": option.name}).broker


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_show_prints_what_was_filled_in_and_what_it_prints_is_the_same_scenario(technology: Technology) -> None:
    scenario = Scenario(broker={"preset": technology})
    shown = yaml.safe_load(scenario.as_yaml())
    assert {key: shown["broker"][key] for key in decided_by(technology)} == decided_by(technology)
    assert Scenario(**shown) == Scenario(**scenario.as_mapping()) == scenario


def test_an_unknown_preset_is_refused_in_one_line_that_says_what_is_allowed() -> None:
    with pytest.raises(InputError) as refused:
        Scenario(broker={"preset": "kafak"})
    assert str(refused.value) == (
        "broker.preset: kafak is not allowed: must be 'kafka', 'rabbitmq', 'redis-streams', 'redis-pubsub', 'nats-core' or 'nats-jetstream'"
    )


def test_the_document_shows_the_table_that_the_program_uses() -> None:
    lines = PAGE.read_text(encoding="utf-8").split("| technology | key | value | source |\n")[1].split("\n\n")[0].splitlines()[1:]
    shown: list[tuple[str, str, Value, str]] = []
    for line in lines:
        technology, key, value, source = (cell.strip() for cell in line.strip("|").split("|"))
        shown.append((technology, key.strip("`"), yaml.safe_load(value.strip("`")), source))
    assert shown == [tuple(setting) for setting in SETTINGS]


def test_the_brokers_and_producers_in_the_document_are_allowed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    brokers = [yaml.safe_load(found) for found in re.findall(r"\{preset: [^}]*\}", text)]
    producers = [yaml.safe_load(found) for found in re.findall(r"`source\.producer: (\{[^}]*\})`", text)]
    assert len(brokers) >= 3
    assert len(producers) >= 2
    for broker in brokers:
        Scenario(broker=broker)
    for producer in producers:
        Scenario(source={"producer": producer})
