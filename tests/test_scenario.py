"""The scenario: defaults as the contract says, and bad input refused in one line that names the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edasim import InputError, Scenario
from edasim.cli.scenarios import SHORT
from edasim.documents import parse_override

SCENARIOS = sorted((Path(__file__).parents[1] / "data" / "scenarios").glob("*.yaml"))

BAD: list[tuple[dict[str, Any], str]] = [
    ({"brokr": {}}, "brokr is not a known key: did you mean broker?"),
    ({"workload": {"arrivals": {"rate": -3}}}, "workload.arrivals.rate: -3 is not allowed: must be greater than 0"),
    ({"workload": {"arrivals": {"rate": True}}}, "workload.arrivals.rate: True is not allowed"),
    ({"workload": {"arrivals": {"process": "poison"}}}, "process must be one of poisson, renewal, bursty, daily, trace"),
    ({"workload": {"arrivals": {"process": "renewal"}}}, "workload.arrivals.gap is missing"),
    ({"network": {"loss": 1.5}}, "network.loss: 1.5 is not allowed: must be less than or equal to 1"),
    ({"network": {"latency": {"deliver": "3 parsecs"}}}, "network.latency.deliver: 3 parsecs is not allowed: must be a duration"),
    ({"network": {"latency": {"deliver": "2kB"}}}, "network.latency.deliver: 2kB is not allowed: must be a duration"),
    ({"network": {"latency": {"deliver": {"dist": "lognorml", "mean": 1}}}}, "did you mean lognormal?"),
    ({"workload": {"state_bytes": "5ms"}}, "workload.state_bytes: 5ms is not allowed: must be a size"),
    ({"warmup": float("nan")}, "warmup: nan is not allowed"),
    ({"duration": "200000d"}, "duration: 200000d is not allowed: must be at most"),
    ({"consumers": [{"name": "a"}, {"name": "a"}]}, "consumers must have different names"),
    ({"consumers": [{"name": "a", "handle_tim": 1}]}, "consumers.0.handle_tim is not a known key: did you mean handle_time?"),
    ({"source": {"outages": {"up": 3}}}, "source.outages: {'up': 3} is not allowed: give either windows"),
    ({"source": {"outages": {"windows": [[5, 3]]}}}, "windows must be [start, end] pairs"),
    ({"workload": {"reads": {"rate": 1, "per_change": 1}}}, "give rate or per_change, not both"),
    ({"workload": {"entities": {"popularity": "fitted"}}}, "popularity: fitted needs file and column"),
    ({"seed": -1}, "seed: -1 is not allowed"),
    ({"event_store": {"snapshot_keep": "none"}}, "event_store.snapshot_keep: none is not allowed: must be 'all' or 'last'"),
    ({"event_store": {"rebuild": {"workers": 100_000_000}}}, "event_store.rebuild.workers: 100000000 is not allowed"),
    (
        {"event_store": {"schema_changes": {"changes_per_year": 1e6}}},
        "event_store.schema_changes.changes_per_year: 1000000.0 is not allowed",
    ),
    ({"event_store": {"overhead_bytes": {"layout": "postgres", "row": 9000}}}, "event_store.overhead_bytes.row: 9000 is not allowed"),
    ({"event_store": {"overhead_bytes": 1e18}}, "event_store.overhead_bytes: 1e+18 is not allowed"),
    ({"prices": {"server_per_month": 1e308}}, "prices.server_per_month: 1e+308 is not allowed"),
    (
        {"consumers": [{"name": "quota"}], "requirements": [{"metric": "loss_rate", "at_most": 0, "consumer": "qouta"}]},
        "requirements.0.consumer: qouta is not in the scenario: did you mean quota? allowed: quota",
    ),
    (
        {"requirements": [{"metric": "loss_rate", "at_most": 0, "incident": "restart"}]},
        "requirements.0.incident: restart is not in the scenario: allowed: none",
    ),
    ({"options": [{"name": "a,b", "pattern": "cqrs"}]}, "options.0.name: a,b is not allowed"),
]


@pytest.mark.parametrize(("given", "said"), BAD)
def test_bad_input_is_refused_in_one_line_that_names_key_value_and_what_is_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        Scenario(**given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "more)" not in str(refused.value), "one mistake is one complaint"


def test_minus_zero_is_zero_wherever_a_time_or_a_size_stands() -> None:
    scenario = Scenario(consumers=[{"name": "billing", "handle_time": {"dist": "exponential", "mean": -0.0}}])
    assert (scenario.consumers[0].handle_time.sample(np.random.default_rng(1), 3) == 0).all(), "numpy refuses a scale with a minus"


def test_the_defaults_are_those_of_the_contract() -> None:
    shown = Scenario().as_mapping()
    assert (shown["seed"], shown["warmup"], shown["duration"], shown["drain"]) == (42, "1min", "10min", "10min")
    assert shown["workload"]["arrivals"] == {"process": "poisson", "rate": 50, "batch": 1}
    reads = {"rate": 500, "per_change": None, "own_after": "1s", "own": "usual", "timeout": "2s", "retries": 0}
    assert shown["workload"]["reads"] == reads
    assert shown["source"]["producer"]["retries"] == 3
    assert shown["network"]["latency"]["publish"] == {"dist": "lognormal", "mean": "2ms", "cv": 0.5}
    assert (shown["broker"]["kind"], shown["broker"]["partitions"], shown["broker"]["retention"]) == ("log", 8, "7d")
    assert shown["consumers"][0]["commit"] == {"every": "5s", "messages": None, "when": "after"}
    assert shown["event_store"]["snapshot_every"] == 100


def test_a_partial_mapping_keeps_its_siblings_defaults() -> None:
    publish = Scenario(network={"latency": {"publish": {"mean": "5ms"}}}).network.latency.publish
    assert publish == Scenario(network={"latency": {"publish": {"dist": "lognormal", "mean": "5ms", "cv": 0.5}}}).network.latency.publish


def test_one_latency_instead_of_three_is_drawn_for_each_hop() -> None:
    latency = Scenario(network={"latency": {"dist": "exponential", "mean": "3ms"}}).network.latency
    assert latency.publish == latency.deliver == latency.call
    assert latency.publish.mean() == 0.003


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_show_prints_is_the_same_scenario(path: Path, tmp_path: Path) -> None:
    scenario = Scenario.load(path)
    shown = tmp_path / "shown.yaml"
    shown.write_text(scenario.as_yaml(), encoding="utf-8")
    assert Scenario.load(shown) == scenario


def test_the_short_form_has_eight_keys_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text(SHORT, encoding="utf-8")
    scenario = Scenario.load(path)
    given = yaml.safe_load(SHORT)
    workload, broker, consumer = given["workload"], given["broker"], given["consumers"][0]
    assert len(workload) + len(broker) + len(consumer) == 8
    assert scenario.consumers[0].instances == 2


def test_overrides_address_dotted_paths_and_list_items_by_name() -> None:
    scenario = Scenario(consumers=[{"name": "billing"}, {"name": "quota"}])
    changed = scenario.with_overrides({"workload.arrivals.rate": 80, "consumers.quota.instances": 5, "network.latency.publish.cv": 1})
    assert changed.workload.arrivals.rate == 80  # type: ignore[union-attr]
    assert [consumer.instances for consumer in changed.consumers] == [2, 5]
    assert changed.network.latency.publish == Scenario(network={"latency": {"publish": {"cv": 1}}}).network.latency.publish
    assert scenario.with_overrides({}) is scenario


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("workload.arrivals.rat", "did you mean rate?"),
        ("consumers.biling.instances", "biling is not in the list"),
        ("consumers.7.instances", "7 is not in the list"),
        ("seed.value", "seed"),
    ],
)
def test_an_override_of_a_path_that_does_not_exist_is_refused(path: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        Scenario(seed=1).with_overrides({path: 1})
    assert said in str(refused.value)


def test_override_values_are_read_as_yaml() -> None:
    assert parse_override("a.b=1e3") == ("a.b", 1000.0)
    assert parse_override("a={dist: exponential, mean: 2ms}") == ("a", {"dist": "exponential", "mean": "2ms"})
    with pytest.raises(InputError, match="must be path=value"):
        parse_override("a.b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]\n", "contains itself"),
        ("- a\n", "must be a mapping"),
        ("a: [\n", "is not valid YAML"),
        ("seed: 1\nseed: 2\n", "seed is given twice"),
        ("", "must be a mapping"),
    ],
)
def test_a_file_that_is_not_a_scenario_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        Scenario.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Scenario.load(tmp_path / "none.yaml")


def test_a_file_that_can_not_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, **how: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refused)  # whoever runs the tests may be allowed to read everything
    with pytest.raises(InputError, match=r"my.yaml can't be read: Permission denied"):
        Scenario.load(tmp_path / "my.yaml")
