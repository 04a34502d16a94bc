"""What each combination of answers asks for, by arithmetic."""

from typing import Any

import pytest

from edasim.patterns import PRESETS, Pattern
from edasim.scenario import Scenario
from edasim.studies.combinations import Combination, combinations, combinations_table

READ_MODEL = {"bytes_per_entity": 5000}


def found(**changed: Any) -> dict[str, Combination]:
    consumers = [{"name": "billing"}, {"name": "stock", "needs_more": 0.5}]
    entities = {"count": 100, "popularity": "uniform"}
    workload = {"arrivals": {"rate": 50}, "entities": entities, "reads": {"rate": 30}, "state_bytes": 2000, "delta_bytes": 200}
    scenario = Scenario(
        warmup=0, duration=200, workload=workload, consumers=consumers, event_store={"overhead_bytes": 50}, read_model=READ_MODEL
    )
    return {one.pattern.name: one for one in combinations(scenario.with_overrides(changed))}


def test_what_a_combination_asks_for_can_be_worked_out_by_hand() -> None:
    asked = found()
    assert asked["event_carried_state_transfer"].sent == 2 * 50 * 2000
    assert asked["event_carried_state_transfer"].calls == 0.5 * 50  # one consumer needs more, half of the time
    assert asked["event_carried_state_transfer"].kept == 2 * 100 * 2000
    assert asked["event_notification"].calls == 2 * 50
    assert asked["event_sourcing_cqrs"].growth == 50 * (200 + 50) * 86400
    assert asked["cqrs"].kept == 2 * 100 * 5000
    assert asked["request_response"].sent == asked["request_response"].kept == asked["cqrs"].growth == 0
    assert asked["request_response"].calls == pytest.approx(2 * 30, rel=0.05)  # reads are Poisson, as many as there were
    assert asked["polling"].calls == 2 / 60


def test_every_preset_comes_first_and_every_other_combination_that_can_work_follows_once() -> None:
    patterns = [one.pattern for one in found().values()]
    assert patterns[: len(PRESETS)] == list(PRESETS.values())
    assert len(set(patterns)) == len(patterns) == 21
    assert Pattern("table", "notice", "cache") in patterns


def test_a_consumer_with_answers_of_its_own_rules_out_what_does_not_go_with_them() -> None:
    asked = found(**{"consumers.billing.carries": "state", "consumers.billing.reads": "copy"})
    assert asked["event_notification"].sent == 50 * (2000 + 120)
    one = found(**{"consumers.stock.carries": "delta"})
    assert "request_response" not in one  # a delta that nobody keeps
    assert "event_carried_state_transfer" in one


def test_the_table_says_where_a_number_is_only_a_bound() -> None:
    table = combinations_table(list(found().values())).set_index("preset")
    assert table.loc["cached_reads", "calls to the source"].startswith("up to ")
    assert table.loc["event_carried_state_transfer", "messages"] == "200 kB/s"
    assert table.loc["event_carried_state_transfer", "kept again"] == "400 kB"
