"""Cost: the team's own price book, worked by hand on a run so small that all of it can be counted."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import merged, quiet

from edasim import InputError, Journal, Scenario, compare, measure, simulate
from edasim.metrics.cost import MONTH_S

PRICES: dict[str, Any] = {
    "currency": "CHF",
    "storage_per_gb_month": {"source": 2, "copy": 3, "log": 5, "events": 7, "snapshots": 11, "read_model": 13},
    "requests_per_million": {"write": 1, "read": 10, "message": 100},
    "server_per_month": {"source": 1000, "read_model": 100, "consumer": 10, "broker": 1},
    "transfer_per_gb": 0.5,
}
SMALL: dict[str, Any] = {
    "source": {"servers": 3},
    "broker": {"replicas": 2, "replica_copy": 0},
    "read_model": {"servers": 7},
    "consumers": [{"name": "billing", "instances": 4, "handle_time": 0}, {"name": "quota", "instances": 2, "handle_time": 0}],
    "workload": {
        "arrivals": {"process": "renewal", "gap": "1s"},
        "entities": {"count": 10, "popularity": "uniform"},
        "state_bytes": 1000,
        "delta_bytes": 100,
        "reads": {"rate": 0},
    },
    "event_store": {"overhead_bytes": 0, "snapshot_every": 0, "history": 100_000_000},
}


def run(pattern: str, prices: object, **changes: Any) -> Journal:
    """A hundred seconds with a change each second: 99 changes of 10 entities of 1,000 bytes, two consumers, no faults."""
    return simulate(quiet(**merged(merged(SMALL, changes), {"prices": prices})), pattern)


def costs(journal: Journal) -> dict[str, float]:
    return {v.component: v.value for v in measure(journal) if v.metric == "cost_per_month"}


def test_each_part_is_what_one_works_out_by_hand() -> None:
    found = costs(run("event_carried_state_transfer", PRICES))
    per_s = 99 / 100
    assert found["storage"] == pytest.approx((2 * 10_000 + 3 * 2 * 10_000 + 5 * 2 * 99_000) / 1e9), "two copies; a log with two replicas"
    assert found["requests"] == pytest.approx((1 + 100) * per_s * MONTH_S / 1e6), "a write and a message for each change"
    assert found["compute"] == pytest.approx(3 * 1000 + (4 + 2) * 10 + 1)
    assert found["transfer"] == pytest.approx(0.5 * 3 * 1000 * per_s * MONTH_S / 1e9), "sent once, delivered twice"
    assert found[""] == pytest.approx(sum(found[part] for part in ("storage", "requests", "compute", "transfer")))


def test_nothing_is_paid_for_brokers_and_consumers_that_nothing_is_sent_to() -> None:
    assert costs(run("request_response", PRICES))["compute"] == 3 * 1000
    assert costs(run("cqrs", PRICES))["compute"] == 3 * 1000 + 2 * 7 * 100 + (4 + 2) * 10 + 1


def test_regions_that_write_have_servers_of_their_own() -> None:
    assert costs(run("cqrs", {"server_per_month": {"source": 1}}, workload={"regions": 4})) == {"compute": 12, "": 12}
    assert costs(run("request_response", {"server_per_month": {"source": 1}}, workload={"regions": 4})) == {"compute": 3, "": 3}


def test_an_event_store_pays_for_all_that_was_ever_stored() -> None:
    found = costs(run("event_sourcing_cqrs", {"storage_per_gb_month": {"events": 7}}))
    assert found["storage"] == pytest.approx(7 * (100_000_000 + 99) * 100 / 1e9)


def test_one_price_holds_for_every_component() -> None:
    journal = run("event_carried_state_transfer", {"storage_per_gb_month": 2})
    stored = {v.component: v.value for v in measure(journal) if v.metric == "storage_bytes" and not v.consumer}
    assert costs(journal)["storage"] == pytest.approx(2 * (stored[""] + stored["log"]) / 1e9), "the log is there twice"


def test_without_prices_nothing_is_said_of_cost_and_without_a_price_nothing_of_a_part() -> None:
    assert costs(run("cqrs", None)) == {}
    assert costs(run("cqrs", {})) == {}
    assert costs(run("cqrs", {"transfer_per_gb": 0})) == {"transfer": 0, "": 0}


def test_costs_are_in_the_teams_currency() -> None:
    scenario = quiet(**merged(SMALL, {"prices": PRICES}))
    rows = compare(scenario, ["cqrs"], replications=2, jobs=1)
    assert set(rows[rows["metric"] == "cost_per_month"]["unit"]) == {"CHF/month"}


def test_the_template_in_the_documents_is_a_price_book_that_is_understood() -> None:
    text = (Path(__file__).parents[1] / "docs" / "scenario.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    template = next(block for block in blocks if list(block) == ["prices"])
    assert set(costs(run("cqrs", template["prices"]))) == {"storage", "requests", "compute", "transfer", ""}


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"storage_per_gb_month": {"disk": 1}}, r"prices\.storage_per_gb_month\.disk is not a known key: allowed: source, outbox"),
        ({"requests_per_million": {"reads": 1}}, r"prices\.requests_per_million\.reads is not a known key: did you mean read\?"),
        ({"server_per_month": {"broker": -1}}, r"prices\.server_per_month\.broker: -1 is not allowed"),
        ({"storage_per_gb_month": "cheap"}, r"prices\.storage_per_gb_month: cheap is not allowed: must be a valid number$"),
        ({"transfer_per_gb": {"wire": 1}}, r"prices\.transfer_per_gb: .* is not allowed"),
    ],
)
def test_a_price_for_something_that_does_not_exist_is_refused(prices: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Scenario(prices=prices)


def test_a_scenario_with_prices_survives_being_written_and_read() -> None:
    scenario = Scenario(prices=PRICES)
    assert Scenario.from_mapping(scenario.as_mapping()) == scenario
    assert scenario.with_overrides({"prices.transfer_per_gb": 1}).prices.storage_per_gb_month == PRICES["storage_per_gb_month"]  # type: ignore[union-attr]
