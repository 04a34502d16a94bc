"""The rules of several regions: where a change is written, when the others know of it, and what a call costs. A test a rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import played, quiet, value

from edasim import InputError, Journal, Luck, Scenario, make_workload, measure, simulate
from edasim.journal import NONE

TWO = {"workload": {"regions": 2}}
LATENCY = {"latency": {"publish": 0.2, "deliver": 0.1, "call": 0.5}}


def written(pattern: str, **changes: Any) -> Journal:
    """Twenty changes a second of ten entities, in two regions."""
    asked = {"arrivals": {"rate": 20}, "regions": 2, "reads": {"rate": 0}}
    return simulate(quiet(workload=asked, **changes), pattern)


def test_a_region_has_its_share_of_the_writes_and_the_rest_of_the_luck_stays() -> None:
    one, two = (
        make_workload(quiet(workload={"arrivals": {"rate": 100}, "regions": regions}), Luck(1, 0))
        for regions in (1, {"shares": [0.7, 0.3]})
    )
    assert np.array_equal(one.times, two.times)
    assert np.array_equal(one.entities, two.entities)
    assert not one.regions.any()
    assert (two.regions == 1).mean() == pytest.approx(0.3, abs=0.02)


def test_shares_add_up_and_a_number_of_regions_means_equal_ones() -> None:
    with pytest.raises(InputError, match="add up to 1"):
        Scenario(workload={"regions": {"shares": [0.6, 0.6]}})
    for impossible in (1000, 0, True, [], "two", {"shares": []}):
        with pytest.raises(InputError, match=r"workload\.regions"):
            Scenario(workload={"regions": impossible})
    assert Scenario(workload={"regions": 4}) == Scenario(workload={"regions": {"shares": [0.25] * 4}})


def test_a_region_knows_of_a_change_one_publish_and_one_deliver_latency_after_its_commit() -> None:
    journal = written("event_carried_state_transfer", network=LATENCY)
    rows = journal.exchanges
    assert np.array_equal(rows["region"], 1 - journal.changes["region"][rows["change"]])
    assert np.array_equal(rows["known"], journal.changes["committed"][rows["change"]] + 300_000_000)
    assert np.array_equal(np.sort(rows["change"]), np.arange(journal.changes["time"].size))


def test_while_the_broker_is_down_what_regions_tell_each_other_waits() -> None:
    down = {"outages": {"windows": [[20, 30]]}}
    journal = written("event_carried_state_transfer", network=LATENCY, broker=down)
    sent = journal.changes["committed"][journal.exchanges["change"]] / 1e9 + 0.2
    arrived = np.where((sent >= 20) & (sent < 30), 30, sent) + 0.1
    assert np.allclose(journal.exchanges["known"] / 1e9, arrived)


def test_versions_number_the_commits_of_all_regions_in_order_of_time() -> None:
    slow = {"write_time": {"dist": "exponential", "mean": 0.3}, "servers": 50}
    changes = written("event_carried_state_transfer", source=slow).changes
    for entity in range(10):
        mine = np.flatnonzero(changes["entity"] == entity)
        in_order = mine[np.argsort(changes["committed"][mine], kind="stable")]
        assert changes["version"][in_order].tolist() == list(range(1, mine.size + 1))


def test_every_region_has_its_own_servers_and_its_own_outages() -> None:
    busy = {"write_time": 0.08, "servers": 1}
    one = simulate(quiet(workload={"arrivals": {"rate": 20}, "reads": {"rate": 0}}, source=busy), "event_carried_state_transfer")
    two = written("event_carried_state_transfer", source=busy)
    assert value(one, "source_utilisation") > 0.9
    assert value(two, "source_utilisation") == pytest.approx(0.8, abs=0.1)
    random = {"outages": {"up": {"dist": "exponential", "mean": 10}, "down": {"dist": "exponential", "mean": 5}}}
    journal = written("event_carried_state_transfer", source=random)
    assert journal.facts["components"]["faults"][:2] == ["source", "source 1"]
    refused = journal.changes["committed"] == NONE
    for region, name in enumerate(("source", "source 1")):
        spans = journal.frame("faults")
        spans = spans[spans["component"] == name]
        down = (
            (journal.changes["time"][:, None] / 1e9 >= spans["start"].to_numpy())
            & (journal.changes["time"][:, None] / 1e9 < spans["end"].to_numpy())
        ).any(1)
        mine = journal.changes["region"] == region
        assert np.array_equal(refused[mine], down[mine])


@pytest.mark.parametrize("pattern", ["request_response", "event_notification", "polling", "event_sourcing"])
def test_where_nothing_or_notices_are_sent_one_region_writes_and_the_others_call_it(pattern: str) -> None:
    journal = written(
        pattern, network=LATENCY, source={"write_time": 0.01, "servers": 100}, event_store={"load": {"base": 0, "per_event": 0}}
    )
    latency = journal.changes["committed"] - journal.changes["time"]
    abroad = journal.changes["region"] == 1
    assert abroad.any()
    assert (latency[~abroad] >= 10_000_000).all()
    assert (latency[abroad] >= 510_000_000).all(), "a call there before"
    writes = journal.frame("requests").query("kind == 'write'")
    assert np.allclose(writes["latency"][abroad], latency[abroad] / 1e9 + 0.5), "the answer takes as long back"
    assert {v: value(journal, v) for v in ("conflict_rate", "lost_update_rate", "detected_conflict_rate")} == dict.fromkeys(
        ("conflict_rate", "lost_update_rate", "detected_conflict_rate"), 0.0
    )


def test_writes_that_call_another_region_commit_in_the_order_in_which_they_arrive(tmp_path: Path) -> None:
    journal = written("polling", network={"latency": {"publish": 0, "deliver": 0, "call": {"dist": "exponential", "mean": 1}}})
    changes = journal.changes
    for entity in range(10):
        mine = np.flatnonzero(changes["entity"] == entity)
        in_order = mine[np.argsort(changes["committed"][mine], kind="stable")]
        assert changes["version"][in_order].tolist() == list(range(1, mine.size + 1))
    assert value(journal, "diverged_entities") == 0, "a poll overlooks nobody who came late"


def test_a_source_that_is_down_refuses_the_writes_of_the_regions_that_call_it(tmp_path: Path) -> None:
    journal = written("event_notification", network=LATENCY, source={"outages": {"windows": [[40, 60]]}})
    changes = journal.changes
    arrives = changes["time"] / 1e9 + 0.5 * changes["region"]
    assert np.array_equal(changes["committed"] == NONE, (arrives >= 40) & (arrives < 60))


def test_a_delta_after_a_gap_is_fetched_from_the_region_that_wrote_it() -> None:
    overtaking = {"latency": {"publish": {"dist": "exponential", "mean": 0.3}, "deliver": 0, "call": 0}}
    for pattern in ("event_carried_state_transfer", "table/delta/copy", "event_sourcing_cqrs"):
        journal = written(pattern, network=overtaking, source={"publish": None if "sourcing" in pattern else "direct"})
        assert value(journal, "diverged_entities") == 0


def test_the_tables_of_all_regions_are_stored(tmp_path: Path) -> None:
    sizes = [
        next(
            v for v in measure(played(tmp_path, [10.0, 20.0], pattern, **TWO)) if v.metric == "storage_bytes" and v.component == "source"
        ).value
        for pattern in ("event_carried_state_transfer", "event_notification")
    ]
    assert sizes == [2 * 2 * 2000, 2 * 2000], "two entities, twice where both regions write"


def test_a_consumer_that_asks_a_source_is_refused_where_several_write() -> None:
    asks = {"name": "billing", "carries": "nothing", "reads": "source"}
    with pytest.raises(InputError, match=r"consumers\.billing\.reads"):
        simulate(quiet(**TWO, consumers=[asks, {"name": "quota"}]), "event_carried_state_transfer")
