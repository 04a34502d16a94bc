"""Journals of real brokers: what their client and broker took comes out again, and nothing of the workload that was put in."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edasim import Journal, Scenario, simulate
from edasim.cli import run
from edasim.journal import NONE
from edasim.luck import Luck
from edasim.observe import Observations, observe
from edasim.observe.joining import together
from edasim.observe.matching import observed_in, without_place
from edasim.ranges import quantity
from edasim.store_fits import line_through

SCENARIO: dict[str, Any] = {
    "warmup": 0,
    "duration": "100s",
    "workload": {"arrivals": {"rate": 60}, "reads": {"rate": 0}},
    "source": {"write_time": 0},
    "network": {"latency": {"publish": "3ms", "deliver": {"dist": "lognormal", "mean": "2ms", "cv": 0.3}, "call": 0}},
    "broker": {"kind": "queue"},
    "consumers": [{"name": "billing", "instances": 1, "handle_time": {"dist": "exponential", "mean": "8ms"}, "handover_time": "1.5ms"}],
}


def as_measured(journal: Journal, scenario: Scenario, **facts: Any) -> Journal:
    """As a real broker's would be: a delivery is when handling began."""
    deliveries = dict(journal.deliveries)
    begun = np.array(deliveries["delivered"])
    for number, consumer in enumerate(scenario.consumers):
        mine = (deliveries["consumer"] == number) & (deliveries["applied"] != NONE)
        handling = Luck(scenario.seed, 0).times(f"handle {consumer.name}", consumer.handle_time, journal.changes["time"].size).values
        begun[mine] = deliveries["applied"][mine] - handling[deliveries["change"][mine]]
    return replace(journal, facts={**journal.facts, "engine": "measured", **facts}, deliveries={**deliveries, "delivered": begun})


def measured(folder: Path, pattern: str = "event_carried_state_transfer", **changes: Any) -> Path:
    """The folder of a journal of the scenario with *changes*, as a real broker's."""
    scenario = Scenario(**{**SCENARIO, **changes})
    journal = simulate(scenario, pattern)
    as_measured(journal, scenario, measured={"technology": "rabbitmq", "cpu": "AMD EPYC"}).write(folder)
    return folder


def mean(found: Observations, path: str) -> float:
    """The mean of what was observed there, in seconds."""
    observed = found.at(path)
    assert observed is not None, path
    value = observed.value["mean"] if isinstance(observed.value, dict) else observed.value
    return float(quantity(path, value)[0])


def test_transit_handover_and_publishing_come_out_as_they_went_in(tmp_path: Path) -> None:
    found = observe([measured(tmp_path / "one")])
    assert mean(found, "network.latency.publish") == pytest.approx(0.003, rel=0.01)
    assert mean(found, "network.latency.deliver") == pytest.approx(0.002, rel=0.03)
    assert mean(found, "consumers.*.handover_time") == pytest.approx(0.0015, rel=0.01)
    assert found.files[0].form == "journal of a real broker"
    assert "technology rabbitmq" in found.files[0].notes[0]


@pytest.mark.parametrize("kind", ["queue", "log"])
def test_handover_is_told_apart_from_waiting_for_one_of_several_instances(tmp_path: Path, kind: str) -> None:
    consumers = [{**SCENARIO["consumers"][0], "instances": 2}]
    workload = {"arrivals": {"rate": 120}, "reads": {"rate": 0}}
    broker = {"kind": kind, "replicas": 1, "partitions": 8}
    found = observe([measured(tmp_path / "two", consumers=consumers, workload=workload, broker=broker)])
    assert mean(found, "consumers.*.handover_time") == pytest.approx(0.0015, rel=0.05)


def test_the_workload_of_a_measured_run_was_the_scenarios_own_and_is_not_told(tmp_path: Path) -> None:
    found = observe([measured(tmp_path / "one")])
    assert not any(observed.path.startswith("workload") or observed.path.endswith("handle_time") for observed in found.inputs)
    assert any(text.startswith("workload.arrivals.rate: it would be told by") for text in found.not_found)


def test_appending_is_seen_where_messages_queue_for_it_and_publishing_is_what_is_left(tmp_path: Path) -> None:
    broker = {"kind": "queue", "append_time": "10ms"}
    found = observe([measured(tmp_path / "slow", broker=broker)])
    assert mean(found, "broker.append_time") == pytest.approx(0.010, rel=0.02)
    assert mean(found, "network.latency.publish") == pytest.approx(0.003, rel=0.02)
    assert observe([measured(tmp_path / "one")]).at("broker.append_time") is None


def test_a_broker_that_was_struck_says_for_how_long_and_nothing_of_how_often(tmp_path: Path) -> None:
    broker = {"kind": "queue", "outages": {"windows": [[20, 26], [50, 54]]}}
    found = observe([measured(tmp_path / "down", broker=broker)])
    assert found.incidents == ()
    assert any("struck 2 times and down for 5 s on average" in note for note in found.notes)


def test_loads_of_several_lengths_tell_base_and_time_per_event() -> None:
    sizes = np.array([10.0, 100.0, 1000.0, 10_000.0])
    assert line_through(sizes, 0.002 + 3e-5 * sizes) == (pytest.approx(0.002), pytest.approx(3e-5))


def test_what_loads_take_is_observed(tmp_path: Path) -> None:
    workload = {"arrivals": {"rate": 60}, "entities": {"count": 20}, "reads": {"rate": 0}}
    store = {"load": {"base": "2ms", "per_event": "40us"}, "snapshot_every": 0}
    found = observe([measured(tmp_path / "events", "event_sourcing_cqrs", workload=workload, event_store=store)])
    assert mean(found, "event_store.load.base") == pytest.approx(0.002, rel=0.01)
    assert mean(found, "event_store.load.per_event") == pytest.approx(40e-6, rel=0.01)


def test_a_handover_belongs_to_every_consumer_that_a_scenario_has(tmp_path: Path) -> None:
    found = observe([measured(tmp_path / "one")])
    scenario = Scenario(consumers=[{"name": "billing"}, {"name": "warehouse"}])
    placed = [observed.path for observed in observed_in(scenario, found)]
    assert {"consumers.billing.handover_time", "consumers.warehouse.handover_time"} <= set(placed)
    assert without_place(scenario, found) == ()


def seen(path: str, value: Any) -> Observations:
    return Observations(inputs=[{"path": path, "value": value}])


def test_of_several_documents_the_first_counts_for_each_input() -> None:
    found = together([seen("network.latency.deliver", "1ms"), seen("network.latency.deliver", "9ms"), seen("broker.append_time", "2ms")])
    assert [(observed.path, observed.value) for observed in found.inputs] == [
        ("network.latency.deliver", "1ms"),
        ("broker.append_time", "2ms"),
    ]


def test_own_changes_and_a_brokers_preset_make_one_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, broker = tmp_path / "own.yaml", tmp_path / "broker.yaml"
    own.write_text(seen("workload.arrivals.rate", 80.0).as_yaml())
    broker.write_text(observe([measured(tmp_path / "one")]).as_yaml())
    assert run(["scenario", "new", str(tmp_path / "new.yaml"), "--from", str(own), "--from", str(broker)]) == 0
    made = Scenario.load(tmp_path / "new.yaml")
    assert made.workload.arrivals.rate == 80.0  # type: ignore[union-attr]
    assert made.consumers[0].handover_time.mean() == pytest.approx(0.0015, rel=0.01)
    assert {"workload.arrivals.rate", "consumers.billing.handover_time"} <= set(_measured_paths(made))


def _measured_paths(scenario: Scenario) -> Iterator[str]:
    yield from (assumption.path for assumption in scenario.assumptions if assumption.basis == "measured")
