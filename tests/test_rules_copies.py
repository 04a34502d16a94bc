"""The rules that decide a number, copies: what they hold, who answers reads, how fresh the answers are, what is stored. A test a rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import column, played, quiet

from edasim import InputError, Journal, measure, simulate

BILLING = {"name": "billing", "instances": 1, "handle_time": 0}


def values(journal: Journal) -> dict[str, float]:
    """Metric -> value, with component where it has one."""
    return {f"{v.metric}.{v.component}".rstrip("."): v.value for v in measure(journal)}


# --- what events carry


def test_a_late_state_does_not_overwrite_newer_state(tmp_path: Path) -> None:
    # the first attempt of the first change meets a broker that is down: it comes after the second change
    journal = played(tmp_path, [10.0, 11.0], broker={"outages": {"windows": [[9.9, 10.5]]}})
    assert column(journal, "deliveries", "applied") == [11.1, 11.0]
    assert journal.frame("refreshes")["version"].tolist()[1:] == [2], "the late one changed nothing, yet counts as applied"
    assert values(journal)["out_of_order_rate"] == pytest.approx(1 / 3)


def test_a_lost_state_heals_at_the_next_change_and_a_lost_delta_only_when_the_gap_is_noticed(tmp_path: Path) -> None:
    fault: dict[str, Any] = {"broker": {"outages": {"windows": [[9, 11]]}}, "source": {"producer": {"retries": 0}}}
    state = played(tmp_path, [10.0, 20.0], **fault)
    delta = played(tmp_path, [10.0, 20.0], "table/delta/copy", **fault)
    wrong = played(tmp_path, [10.0, 20.0], "table/delta/copy", **fault, consumers=[{**BILLING, "on_gap": "ignore"}])
    never = played(tmp_path, [10.0], "table/delta/copy", **fault)
    assert [values(j)["diverged_entities"] for j in (state, delta, wrong, never)] == [0, 0, 1, 1]
    assert values(delta)["source_requests_per_s.call_back"] == pytest.approx(1 / 100)
    assert "source_requests_per_s.call_back" not in values(state)


def test_a_notice_calls_back_and_gets_what_is_newest_when_it_is_served(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 10.5], "event_notification", network={"latency": {"publish": 0, "deliver": 0, "call": 1}})
    assert journal.frame("refreshes")[["time", "version"]].to_numpy().tolist()[1:] == [[12.0, 2.0]]
    assert column(journal, "deliveries", "applied") == [12.0, 14.0], "the instance waits for its answer"


def test_call_backs_retry_until_the_source_is_back(tmp_path: Path) -> None:
    source = {"outages": {"windows": [[10.5, 15]]}, "producer": {"ack_timeout": "1h"}}
    slow = {"latency": {"publish": 0.6, "deliver": 0, "call": 0}}
    journal = played(tmp_path, [10.0], "event_notification", source=source, network=slow)
    calls = journal.frame("requests").query("kind == 'call_back'")
    assert column(journal, "deliveries", "applied") == [15.6], "asked at 10.6, 11.6, ... and answered at 15.6"
    assert calls["ok"].tolist()[1:] == [False] * 5 + [True]


@pytest.mark.parametrize("pattern", ["event_notification", "table/notice/source", "table/delta/copy"])
def test_calling_a_source_that_is_down_again_and_again_at_once_is_refused(pattern: str) -> None:
    scenario = quiet(source={"outages": {"windows": [[5, 6]]}}, consumers=[{**BILLING, "backoff": 0}])
    with pytest.raises(InputError, match=r"consumers\.billing\.backoff"):
        simulate(scenario, pattern)


def test_a_notice_to_a_cache_evicts_and_the_next_read_asks(tmp_path: Path) -> None:
    reads = {"workload": {"reads": {"rate": 5}}, "source": {"cache_ttl": "1h"}}
    plain = played(tmp_path, [10.0, 50.0], "cached_reads", **reads)
    evicting = played(tmp_path, [10.0, 50.0], "table/notice/cache", **reads)
    assert values(plain)["stale_read_rate"] > 0.3
    assert values(evicting)["stale_read_rate"] == 0


# the first attempt of the first change meets a broker that is down: it comes after the second change
LATE: dict[str, Any] = {"broker": {"outages": {"windows": [[9.9, 10.5]]}}}


def test_with_last_arrival_a_late_state_overwrites_a_newer_one_until_the_next_change(tmp_path: Path) -> None:
    forgetful = {**BILLING, "apply": "last_arrival"}
    journal = played(tmp_path, [10.0, 11.0, 20.0], **LATE, consumers=[forgetful])
    held = journal.frame("refreshes").query("entity == 1")
    assert held[["time", "version"]].to_numpy().tolist() == [[11.0, 2], [11.1, 1], [20.0, 3]]
    found = values(journal)
    mass = 3 / 4 * 90 + 1 / 4 * 100  # as popular as they change; the entity of change 0 is there from 0, this one from 10 on
    assert found["stale_fraction"] == pytest.approx(3 / 4 * (1 + 20 - 11.1) / mass, rel=1e-6)
    assert found["diverged_entities"] == 0
    assert values(played(tmp_path, [10.0, 11.0], **LATE, consumers=[forgetful]))["diverged_entities"] == 1


def test_with_last_arrival_a_delta_that_comes_late_is_added_all_the_same_and_the_copy_is_wrong_unnoticed(tmp_path: Path) -> None:
    for changes, consumer, wrong, calls in (
        ([10.0, 11.0], {"apply": "last_arrival"}, 1, 0),
        ([10.0, 11.0], {}, 0, 1),  # who compares versions notices the gap and asks
    ):
        journal = played(tmp_path, changes, "table/delta/copy", **LATE, consumers=[{**BILLING, **consumer}])
        assert values(journal)["diverged_entities"] == wrong
        assert (journal.frame("requests")["kind"] == "call_back").sum() == calls


def test_with_last_arrival_a_delta_that_comes_twice_is_added_twice(tmp_path: Path) -> None:
    twice: dict[str, Any] = {"network": {"ack_loss": 1.0}, "source": {"producer": {"retries": 1}}}
    forgetful = {**BILLING, "apply": "last_arrival"}
    wrong = [
        values(played(tmp_path, [10.0], "table/delta/copy", **twice, consumers=[consumer]))["diverged_entities"]
        for consumer in (forgetful, BILLING, {**forgetful, "deduplicate": True})
    ]
    assert wrong == [2, 0, 0], "both entities had their one change twice"
    assert values(played(tmp_path, [10.0], **twice, consumers=[forgetful]))["diverged_entities"] == 0, "a state may come twice"


def test_a_whole_entity_makes_a_wrong_copy_right_again(tmp_path: Path) -> None:
    forgetful = {**BILLING, "apply": "last_arrival"}
    never, always = (
        played(tmp_path, [10.0, 11.0, 20.0], "table/delta/copy", **LATE, consumers=[{**forgetful, "needs_more": share}])
        for share in (0.0, 1.0)
    )
    assert [values(journal)["diverged_entities"] for journal in (never, always)] == [1, 0]


def test_a_share_of_events_makes_the_handler_call_back_anyway_the_same_ones_whatever_the_share() -> None:
    asked = {}
    for share in (0.0, 0.3, 0.6, 1.0):
        consumer = {**BILLING, "needs_more": share}
        journal = simulate(quiet(workload={"arrivals": {"rate": 10}, "entities": {"count": 1}}, consumers=[consumer]), "cqrs")
        calls = journal.frame("requests").query("kind == 'call_back'")["time"]
        asked[share] = set(calls)
        assert len(calls) == pytest.approx(share * journal.changes["time"].size, abs=100)
    assert not asked[0.0]
    assert asked[0.3] < asked[0.6] < asked[1.0]


def test_who_only_reacts_to_a_notice_asks_for_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    asked = {"workload": {"reads": {"rate": 5}}}
    journal = played(tmp_path, [10.0, 11.0], "event_notification", **asked, consumers=[{**BILLING, "on_notice": "react"}])
    found = values(journal)
    assert column(journal, "deliveries", "applied") == [10.0, 11.0]
    assert journal.frame("requests")["kind"].unique().tolist() == ["write"]
    assert journal.reads["time"].size == journal.refreshes["time"].size == 0
    assert not {"stale_fraction", "read_availability", "storage_bytes.copy", "rebuild_time"} & set(found)
    assert {"loss_rate", "latency_p99"} <= set(found)
    copied = played(tmp_path, [10.0, 11.0], **asked, consumers=[{**BILLING, "on_notice": "react"}])
    assert values(copied)["read_availability"] == 1, "only a notice brings no data"


# --- reads


def test_version_seen_and_version_true_are_taken_when_asked() -> None:
    scenario = quiet(
        workload={"arrivals": {"rate": 5}, "reads": {"rate": 20}}, network={"latency": {"publish": 1, "deliver": 0, "call": 0}}
    )
    journal = simulate(scenario, "event_carried_state_transfer")
    changes, reads = journal.changes, journal.reads
    for time, entity, seen, true in zip(*(reads[c].tolist() for c in ("time", "entity", "version_seen", "version_true")), strict=True):
        mine = changes["committed"][changes["entity"] == entity]
        assert (true, seen) == ((mine <= time).sum(), (mine + 1_000_000_000 <= time).sum())


def test_a_source_that_is_down_refuses_reads_and_writes_while_copies_answer(tmp_path: Path) -> None:
    down: dict[str, Any] = {"source": {"outages": {"windows": [[20, 70]]}}, "workload": {"reads": {"rate": 20}}}
    asked = played(tmp_path, [10.0, 50.0], "request_response", **down)
    assert values(asked)["read_availability"] == pytest.approx(0.5, abs=0.03)
    assert np.isnan(column(asked, "changes", "committed")[1])
    assert values(played(tmp_path, [10.0, 50.0], **down))["read_availability"] == 1


def test_a_read_that_takes_longer_than_the_timeout_was_not_answered() -> None:
    slow = quiet(workload={"reads": {"rate": 1, "timeout": "1s"}}, source={"read_time": "1100ms"})
    found = values(simulate(slow, "request_response"))
    assert found["read_availability"] == 0
    assert found["source_requests_per_s.read"] > 0.5, "the source worked all the same"


def test_writes_to_one_entity_commit_in_arrival_order(tmp_path: Path) -> None:
    slow_then_fast = {"dist": "exponential", "mean": 5}
    scenario = quiet(workload={"arrivals": {"rate": 5}, "entities": {"count": 3}}, source={"write_time": slow_then_fast, "servers": 100})
    changes = simulate(scenario, "request_response").changes
    for entity in range(3):
        mine = changes["entity"] == entity
        assert np.all(np.diff(changes["committed"][mine]) >= 0)
        assert changes["version"][mine].tolist() == list(range(1, mine.sum() + 1))


def test_a_cache_entry_lives_from_its_fetch_and_reading_does_not_renew_it() -> None:
    scenario = quiet(workload={"reads": {"rate": 10}, "entities": {"count": 1}}, source={"cache_ttl": 10})
    journal = simulate(scenario, "cached_reads")
    fetched = journal.frame("requests").query("kind == 'read'")["time"].to_numpy()
    assert 8 <= fetched.size <= 10
    assert np.diff(fetched).min() >= 10


def test_each_consumer_has_its_own_cache() -> None:
    scenario = quiet(
        workload={"reads": {"rate": 10}, "entities": {"count": 1}},
        source={"cache_ttl": "1h"},
        consumers=[BILLING, {**BILLING, "name": "quota"}],
    )
    assert (simulate(scenario, "cached_reads").frame("requests")["kind"] == "read").sum() == 2


def test_a_bulk_poll_is_one_call_and_brings_everything(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 11.0, 70.0], "polling", entities=[1, 2, 1], source={"polling": {"interval": 60}})
    assert (journal.frame("requests")["kind"] == "poll").sum() == 4, "at 0, 60, 120 and 180"
    assert journal.frame("refreshes")[["time", "version"]].to_numpy().tolist() == [[0, 1], [60, 1], [60, 1], [120, 2]]


def test_random_polling_asks_once_in_each_interval() -> None:
    journal = simulate(quiet(source={"polling": {"interval": 10, "order": "random"}}), "polling")
    times = journal.frame("requests").query("kind == 'poll'")["time"].to_numpy()
    assert (times // 10).tolist() == list(range(20))
    assert np.unique(times % 10).size == 20


def test_own_writes_are_looked_for_once_after_each_commit_and_load_nothing(tmp_path: Path) -> None:
    slow = {"latency": {"publish": 2, "deliver": 0, "call": 0}}
    journal = played(
        tmp_path, [10.0, 20.0, 21.5], network=slow, workload={"reads": {"own_after": "2s"}}, source={"producer": {"ack_timeout": "1h"}}
    )
    assert values(journal)["read_your_writes_miss_rate"] == 0, "applied exactly when it is looked for"
    journal = played(tmp_path, [10.0], network=slow, workload={"reads": {"own_after": "1.9s"}}, source={"producer": {"ack_timeout": "1h"}})
    assert values(journal)["read_your_writes_miss_rate"] == 1
    assert journal.reads["time"].size == 0


# --- freshness


def test_all_entities_exist_from_time_0_and_are_fresh_everywhere() -> None:
    journal = simulate(quiet(workload={"arrivals": {"rate": 1e-9}}), "event_carried_state_transfer")
    found = values(journal)
    assert found["stale_fraction"] == found["staleness_mean"] == 0
    assert found["age_mean"] == pytest.approx(50), "version 0 was there at time 0"
    assert found["storage_bytes.source"] == 10 * 2000


def test_staleness_age_and_versions_behind_are_exact_time_averages(tmp_path: Path) -> None:
    # one entity of two, equally popular: stale 10..13 and, after changes at 20 and 22 that come at 23 and 25, 20..25
    slow = {"latency": {"publish": 3, "deliver": 0, "call": 0}}
    journal = played(tmp_path, [10.0, 20.0, 22.0], network=slow, source={"producer": {"ack_timeout": "1h"}})
    weight = 3 / 4  # of the changes are of this entity; the other changed at 0 and came at 3; both are born with their first change
    mass = weight * 90 + (1 - weight) * 100
    found = values(journal)
    assert found["stale_fraction"] == pytest.approx((weight * (3 + 5) + (1 - weight) * 3) / mass)
    area = 3**2 / 2 + 3**2 / 2 + (3**2 - 1**2) / 2  # from 23 on the first change not seen is that of 22
    assert found["staleness_mean"] == pytest.approx((weight * area + (1 - weight) * 4.5) / mass)
    assert found["versions_behind_mean"] == pytest.approx((weight * (3 + 2 + 2 * 1 + 2) + (1 - weight) * 3) / mass)
    assert found["age_peak_mean"] == pytest.approx(np.average([3, 3, 13, 5], weights=[1 / 4, 3 / 4, 3 / 4, 3 / 4]))


def test_what_is_zero_by_nature_is_exactly_zero() -> None:
    found = [v for v in measure(simulate(quiet(workload={"reads": {"rate": 1}}), "request_response")) if v.nature == "zero"]
    assert {v.metric for v in found} >= {"loss_rate", "stale_fraction", "staleness_p99", "stale_read_rate", "read_your_writes_miss_rate"}
    assert all(v.value == 0 for v in found)


# --- storage, loads, rebuild


def test_storage_growth_is_end_minus_start_over_the_duration(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 30.0, 60.0], "event_sourcing", warmup="20s", duration="80s", event_store={"snapshot_every": 0})
    found = values(journal)
    assert found["storage_bytes.events"] == 4 * (200 + 50), "a stored event is its delta and the overhead"
    assert found["storage_growth_bytes_per_day.events"] == pytest.approx(2 * 250 / 80 * 86400)


def test_a_snapshot_is_stored_after_every_so_many_events_and_loads_count_the_events_after_it(tmp_path: Path) -> None:
    times = [float(t) for t in range(1, 11)]
    journal = played(
        tmp_path,
        times,
        "event_sourcing",
        event_store={"snapshot_every": 4, "snapshot_bytes": 1000, "load": {"base": 0.001, "per_event": 0.01}},
    )
    loads = journal.frame("loads").query("kind == 'command'")
    assert loads["events"].tolist()[1:] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert np.allclose(loads["duration"], 0.001 + 0.01 * loads["events"])
    assert values(journal)["storage_bytes.snapshots"] == 2 * 1000


def test_history_is_stored_loaded_and_replayed() -> None:
    free = {"base": 0, "per_event": 0}
    scenario = quiet(
        event_store={"history": 1000, "snapshot_every": 0, "load": free}, workload={"entities": {"count": 1}, "arrivals": {"rate": 1}}
    )
    journal = simulate(scenario, "event_sourcing")
    changes = journal.changes["time"].size
    before = [int((journal.changes["committed"] < time).sum()) for time in journal.changes["time"]]
    assert journal.frame("loads").query("kind == 'command'")["events"].tolist() == [1000 + count for count in before]
    assert values(journal)["rebuild_events"] == 1000 + changes
    assert values(journal)["rebuild_time"] == pytest.approx(1 + 50e-6 * (1000 + changes)), "one stream, so one worker has it all"


def test_a_log_holds_what_is_younger_than_its_retention_and_copies_hold_the_rows_again(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 80.0, 95.0], broker={"retention": 30}, consumers=[BILLING, {**BILLING, "name": "quota"}])
    found = values(journal)
    assert found["storage_bytes.log"] == 2 * 2000
    assert found["storage_bytes.source"] == 2 * 2000, "the entities of a trace are born with their first change"
    assert found["storage_bytes.copy"] == 2 * found["storage_bytes.source"]
    assert found["storage_bytes"] == sum(v for k, v in found.items() if k.startswith("storage_bytes."))


def test_the_bytes_of_copies_are_those_of_the_versions_applied() -> None:
    sizes = {
        "state_bytes": {"dist": "uniform", "low": 100, "high": 1000},
        "arrivals": {"rate": 10},
        "entities": {"count": 20, "new_share": 0.2},
    }
    lossy = {"loss": 0.2, "latency": {"publish": {"dist": "exponential", "mean": 0.5}}}
    consumers = [BILLING, {**BILLING, "name": "quota", "apply": "last_arrival"}]
    scenario = quiet(workload=sizes, network=lossy, source={"producer": {"retries": 0}}, consumers=consumers)
    journal = simulate(scenario, "event_carried_state_transfer")
    found = {(v.consumer, v.component): v.value for v in measure(journal) if v.metric == "storage_bytes"}
    changes, end = journal.changes, journal.facts["window"][1]
    for number, name in enumerate(("billing", "quota")):
        held = dict.fromkeys(range(20), round(scenario.workload.state_bytes.mean()))
        for time, entity, consumer, version in zip(
            *(journal.refreshes[c].tolist() for c in ("time", "entity", "consumer", "version")), strict=True
        ):
            if consumer == number and time <= end:
                held[entity] = int(changes["bytes"][(changes["entity"] == entity) & (changes["version"] == version)][0])
        assert found[name, "copy"] == sum(held.values())
    assert found["", "copy"] == found["billing", "copy"] + found["quota", "copy"]
    factor = next(v.value for v in measure(journal) if v.metric == "duplication_factor")
    assert factor == pytest.approx(found["", "copy"] / found["", "source"])


def test_an_outbox_holds_what_is_not_acknowledged_yet(tmp_path: Path) -> None:
    broker = {"outages": {"windows": [[50, 150]]}}
    journal = played(tmp_path, [10.0, 60.0, 70.0], source={"publish": "outbox"}, broker=broker)
    assert values(journal)["storage_bytes.outbox"] == 2 * 2000


# --- found by an independent simulation of the same rules


def test_a_cache_holds_nothing_at_the_start_so_what_was_never_fetched_is_not_stale(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 20.0], "cached_reads")
    found = values(journal)
    assert found["stale_fraction"] == found["staleness_p99"] == found["diverged_entities"] == 0, "nobody read, nobody was misled"


def test_time_averages_of_a_cache_agree_with_poisson_reads() -> None:
    scenario = quiet(
        duration=2000, workload={"arrivals": {"rate": 2}, "reads": {"rate": 5}, "entities": {"count": 20}}, source={"cache_ttl": 10}
    )
    found = values(simulate(scenario, "cached_reads"))
    assert found["stale_fraction"] == pytest.approx(found["stale_read_rate"], abs=0.02)


def test_age_counts_from_an_entitys_birth(tmp_path: Path) -> None:
    journal = played(tmp_path, [50.0, 60.0], consumers=[{**BILLING, "handle_time": 1}])
    # peaks: 1 s after each birth (two entities) and 11 s, a second after the change at 60
    assert values(journal)["age_peak_mean"] == pytest.approx(np.average([1, 1, 11], weights=[1, 2, 2]))


def test_a_poll_served_at_the_very_time_of_a_change_does_not_miss_it_for_ever(tmp_path: Path) -> None:
    source = {"polling": {"interval": 0.5}, "read_time": 0.002, "write_time": 0.001}
    journal = played(tmp_path, [0.502, 0.7], "polling", entities=[0, 1], source=source)
    assert values(journal)["diverged_entities"] == 0


def test_a_log_stores_duplicates_too() -> None:
    scenario = quiet(network={"ack_loss": 0.4}, source={"producer": {"retries": 20}}, workload={"arrivals": {"rate": 10}})
    journal = simulate(scenario, "event_carried_state_transfer")
    assert values(journal)["storage_bytes.log"] == pytest.approx(2000 * journal.deliveries["copies"].sum(), rel=0.02)
    assert journal.deliveries["copies"].sum() > 1.5 * journal.deliveries["change"].size
