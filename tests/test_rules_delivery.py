"""The rules that decide a number, delivery: how messages are published, kept, delivered, handled and lost. A test a rule."""

import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tiny import column, played, quiet, recorded, value

from edasim import Journal, Luck, Scenario, make_workload, measure, simulate
from edasim.journal import NONE, OUTCOMES
from edasim.partitions import range_assignment

BILLING = {"name": "billing", "instances": 1, "handle_time": 0}


# --- time and ties


def test_time_is_whole_nanoseconds_in_the_journal_and_seconds_outside(tmp_path: Path) -> None:
    journal = played(tmp_path, [1.5], network={"latency": "250ms"})
    assert journal.deliveries["applied"].dtype == np.int64
    assert journal.deliveries["applied"][1] == 2_000_000_000
    assert column(journal, "deliveries", "applied") == [2.0]


def test_at_equal_times_a_fault_starts_before_a_handling_ends(tmp_path: Path) -> None:
    outage = {"windows": [[12, 13]]}
    journal = played(tmp_path, [10.0], consumers=[{**BILLING, "handle_time": 2, "outages": outage}])
    assert column(journal, "deliveries", "applied") == [15.0], "the work was lost at 12 and done again from 13"
    assert column(journal, "deliveries", "attempts") == [2]


def test_at_equal_times_a_fault_ends_before_a_change_arrives(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 20.0], source={"outages": {"windows": [[10, 20]]}})
    assert np.isnan(column(journal, "changes", "committed")[0])
    assert column(journal, "changes", "committed")[1] == 20.0


def test_at_equal_times_changes_are_handled_in_order_of_their_index(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 10.0, 10.0], entities=[2, 1, 3], consumers=[{**BILLING, "handle_time": 1}])
    assert column(journal, "deliveries", "applied") == [11.0, 12.0, 13.0]


def test_stamps_coarser_than_a_second_are_spread_evenly_and_the_notes_say_so(tmp_path: Path) -> None:
    scenario = recorded(tmp_path, [60.0, 60.0, 60.0, 120.0], duration="200s")
    workload = make_workload(scenario, Luck(1, 0))
    assert (workload.times / 1e9).tolist() == [0.0, 60.0, 80.0, 100.0, 120.0]
    assert "whole minutes" in workload.notes[0]


# --- windows of outages


def test_windows_count_from_time_0_warmup_included(tmp_path: Path) -> None:
    journal = played(tmp_path, [15.0, 25.0], warmup="20s", duration="80s", source={"outages": {"windows": [[10, 20]]}})
    assert np.isnan(column(journal, "changes", "committed")).tolist() == [True, False]


def test_faults_go_on_during_the_drain(tmp_path: Path) -> None:
    outage = {"windows": [[101, 150]]}
    journal = played(tmp_path, [99.0], consumers=[{**BILLING, "handle_time": 5, "outages": outage}])
    assert column(journal, "deliveries", "applied") == [155.0]


def test_windows_strike_all_instances_and_random_outages_each_on_its_own_clock() -> None:
    windows = quiet(consumers=[{**BILLING, "instances": 3, "outages": {"windows": [[10, 20]]}}])
    faults = simulate(windows, "event_carried_state_transfer").frame("faults")
    assert faults[["start", "end"]].drop_duplicates().to_numpy().tolist() == [[10, 20]]
    assert sorted(faults["component"]) == ["billing 0", "billing 1", "billing 2"]
    random = quiet(consumers=[{**BILLING, "instances": 3, "outages": {"up": {"dist": "exponential", "mean": 20}, "down": 1}}])
    starts = simulate(random, "event_carried_state_transfer").frame("faults").groupby("component")["start"].first()
    assert starts.nunique() == 3


# --- delivery


def test_a_message_starts_when_it_is_available_and_the_instance_has_handed_over(tmp_path: Path) -> None:
    consumer = {**BILLING, "handle_time": 2, "handover_time": 0.5}
    journal = played(tmp_path, [10.0, 11.0, 20.0], network={"latency": {"publish": 0, "deliver": 1, "call": 0}}, consumers=[consumer])
    # available 11, 12, 21; starts 11, 13 + 0.5, 21
    assert column(journal, "deliveries", "applied") == [13.0, 15.5, 23.0]


def test_delivery_never_occupies_an_instance(tmp_path: Path) -> None:
    journal = played(
        tmp_path, [10.0, 10.1], network={"latency": {"publish": 0, "deliver": 5, "call": 0}}, consumers=[{**BILLING, "handle_time": 1}]
    )
    assert column(journal, "deliveries", "applied") == [16.0, 17.0]


def test_in_a_log_a_message_never_comes_before_its_predecessor_but_in_pubsub_it_may() -> None:
    jittery = {"network": {"latency": {"publish": 0, "deliver": {"dist": "exponential", "mean": 5}, "call": 0}}}
    busy = {"workload": {"arrivals": {"rate": 2}, "entities": {"count": 1}}}
    log = simulate(quiet(**jittery, **busy), "event_carried_state_transfer")
    pubsub = simulate(quiet(**jittery, **busy, broker={"kind": "pubsub"}), "event_carried_state_transfer")
    assert value(log, "out_of_order_rate") == 0
    assert value(pubsub, "out_of_order_rate") > 0.5


@pytest.mark.parametrize("kind", ["log", "pubsub"])
def test_messages_overtake_on_the_way_to_every_broker_kind(kind: str) -> None:
    jittery = {"publish": {"dist": "exponential", "mean": 5}, "deliver": 0, "call": 0}
    busy = {"arrivals": {"rate": 2}, "entities": {"count": 1}}
    journal = simulate(
        quiet(network={"latency": jittery}, workload=busy, broker={"kind": kind}, source={"producer": {"ack_timeout": "1h"}}), "cqrs"
    )
    assert value(journal, "out_of_order_rate") > 0.5


def test_appends_queue_per_partition(tmp_path: Path) -> None:
    def partition(entity: int) -> int:
        return zlib.crc32(str(entity).encode()) % 8

    same = next(e for e in range(2, 50) if partition(e) == partition(1))
    other = next(e for e in range(2, 50) if partition(e) != partition(1))
    patient = {"producer": {"ack_timeout": "1h"}}
    entities = [*range(1, 50), 1, same, other]  # codes count up from 1, in order of first appearance
    journal = played(tmp_path, [0.0] * 49 + [60.5] * 3, entities=entities, broker={"append_time": 1}, source=patient)
    assert column(journal, "deliveries", "stored")[-3:] == [61.5, 62.5, 61.5]


def test_an_entity_maps_to_the_partition_of_its_crc_and_an_instance_owns_a_contiguous_range() -> None:
    assert [list(r) for r in range_assignment(8, 3)] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert [list(r) for r in range_assignment(2, 3)] == [[0], [1], []]
    scenario = quiet(workload={"entities": {"count": 50}, "arrivals": {"rate": 5}}, broker={"partitions": 2, "append_time": 1})
    journal = simulate(scenario, "event_carried_state_transfer")
    partition = np.array([zlib.crc32(str(e).encode()) % 2 for e in journal.changes["entity"]])
    for p in (0, 1):  # appends of one partition end at least a second apart
        stored = np.sort(journal.deliveries["stored"][partition[journal.deliveries["change"]] == p])
        assert np.diff(stored[stored != NONE]).min() >= 1_000_000_000


def test_handling_draws_belong_to_the_change_never_to_an_instance() -> None:
    def handled(instances: int) -> Journal:
        consumer = {"name": "billing", "instances": instances, "handle_time": {"dist": "exponential", "mean": "1ms"}}
        return simulate(quiet(consumers=[consumer], workload={"arrivals": {"rate": 1}}), "event_carried_state_transfer")

    one, many = handled(1), handled(4)
    times = [j.deliveries["applied"] - j.deliveries["delivered"] for j in (one, many)]
    alone = np.diff(one.deliveries["delivered"], prepend=0) > 50_000_000  # nobody waited
    assert alone.sum() > 50
    assert np.array_equal(times[0][alone], times[1][alone])


# --- publishing


def test_loss_on_the_network_strikes_publishing_only() -> None:
    lossy = {"network": {"loss": 0.3}, "source": {"producer": {"acks": 0}}}
    assert value(
        simulate(quiet(**lossy, workload={"arrivals": {"rate": 20}}), "event_carried_state_transfer"), "lost_network"
    ) == pytest.approx(0.3, abs=0.05)
    asked = simulate(quiet(network={"loss": 0.3}, workload={"reads": {"rate": 20}}), "request_response")
    assert value(asked, "read_availability") == 1


def test_acks_0_makes_one_attempt() -> None:
    scenario = quiet(network={"loss": 0.5}, source={"producer": {"acks": 0, "retries": 10}})
    assert simulate(scenario, "event_carried_state_transfer").changes["publish_attempts"].max() == 1


def test_a_lost_acknowledgement_stores_the_message_twice_and_it_is_handled_twice() -> None:
    scenario = quiet(network={"ack_loss": 0.3}, source={"producer": {"retries": 20}}, workload={"arrivals": {"rate": 20}})
    journal = simulate(scenario, "event_carried_state_transfer")
    extra = journal.changes["publish_attempts"][journal.deliveries["change"]] - 1
    assert value(journal, "loss_rate") == 0
    assert np.array_equal(journal.deliveries["copies"] - 1, extra), "every attempt arrived"
    assert value(journal, "duplicate_rate") == pytest.approx(0.3, abs=0.05)


def test_an_acknowledgement_later_than_the_timeout_counts_as_none(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], network={"latency": {"publish": 0.6, "deliver": 0, "call": 0}}, source={"producer": {"retries": 2}})
    assert column(journal, "changes", "publish_attempts") == [3]
    assert value(journal, "stored_but_failed_rate") == 1
    assert value(journal, "loss_rate") == 0


def test_a_source_that_dies_between_attempts_loses_the_message(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], broker={"outages": {"windows": [[5, 12]]}}, source={"outages": {"windows": [[11.5, 11.6]]}})
    assert column(journal, "deliveries", "outcome") == ["lost_publish"]


def test_the_last_failure_names_the_loss(tmp_path: Path) -> None:
    down = played(tmp_path, [10.0], broker={"outages": {"windows": [[5, 60]]}})
    assert column(down, "deliveries", "outcome") == ["lost_broker"]
    assert column(down, "changes", "publish_attempts") == [4]
    silent = played(tmp_path, [10.0], network={"loss": 1.0})
    assert column(silent, "deliveries", "outcome") == ["lost_network"]


def test_retries_outlive_a_short_outage(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], broker={"outages": {"windows": [[5, 13]]}})
    assert column(journal, "deliveries", "stored") == [13.3], "attempts at 10, 11.1, 12.2, 13.3"


def test_publishing_never_delays_a_commit(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 10.5], network={"latency": {"publish": 30, "deliver": 0, "call": 0}})
    assert column(journal, "changes", "committed") == [10.0, 10.5]


@pytest.mark.parametrize("publish", ["outbox", "cdc"])
def test_a_relay_polls_at_multiples_of_its_interval_and_never_loses(tmp_path: Path, publish: str) -> None:
    source = {"publish": publish, "relay": {"poll": 2}}
    journal = played(tmp_path, [10.5, 12.0, 12.5], source=source, broker={"outages": {"windows": [[13, 40]]}})
    assert column(journal, "deliveries", "stored")[:2] == [12.0, 12.0], "a change that commits at the tick is seen by it"
    assert column(journal, "deliveries", "stored")[2] >= 40.0
    assert value(journal, "loss_rate") == 0


def test_a_relay_takes_at_most_a_batch_at_once(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.5] * 5, source={"publish": "outbox", "relay": {"poll": 2, "batch": 2}})
    assert column(journal, "deliveries", "stored") == [12.0, 12.0, 14.0, 14.0, 16.0]


# --- the broker


def test_failover_keeps_what_the_follower_had_copied_and_loses_the_rest(tmp_path: Path) -> None:
    broker = {"replicas": 3, "replica_copy": 1, "outages": {"windows": [[11, 12]]}}
    journal = played(tmp_path, [9.5, 10.5], broker=broker)
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_broker"]
    assert column(journal, "changes", "acknowledged") == [9.5, 10.5], "both were acknowledged"


def test_with_acks_all_nothing_acknowledged_is_lost_at_a_failover(tmp_path: Path) -> None:
    broker = {"replicas": 3, "replica_copy": 0.5, "outages": {"windows": [[10.7, 12]]}}
    journal = played(tmp_path, [10.5], broker=broker, source={"producer": {"acks": "all"}})
    assert column(journal, "deliveries", "outcome") == ["applied"]
    assert column(journal, "changes", "publish_attempts") == [3]


def test_with_one_replica_a_killed_process_keeps_what_was_stored(tmp_path: Path) -> None:
    broker = {"replicas": 1, "outages": {"windows": [[11, 12]]}}
    late = {"latency": {"publish": 0, "deliver": 2, "call": 0}}
    journal = played(tmp_path, [10.5], broker=broker, network=late)
    assert column(journal, "deliveries", "outcome") == ["applied"]


def test_what_a_dead_broker_was_still_appending_was_never_stored(tmp_path: Path) -> None:
    broker = {"append_time": 2, "outages": {"windows": [[11, 12]]}}
    journal = played(tmp_path, [10.0], broker=broker, source={"producer": {"retries": 0}})
    assert column(journal, "deliveries", "outcome") == ["lost_broker"]
    assert np.isnan(column(journal, "deliveries", "stored")).all()


def test_consumers_read_only_what_all_followers_have(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], broker={"replicas": 2, "replica_copy": 0.25, "replica_fetch": 4})
    assert column(journal, "deliveries", "applied") == [12.25], "fetched at 12, copied a quarter of a second later"


def test_retention_is_exact_by_age(tmp_path: Path) -> None:
    consumer = {**BILLING, "outages": {"windows": [[5, 30]]}}
    journal = played(tmp_path, [19.9, 20.0, 20.1], broker={"retention": 10}, consumers=[consumer])
    assert column(journal, "deliveries", "outcome") == ["lost_retention", "applied", "applied"]


def test_pubsub_keeps_nothing_for_who_is_not_connected(tmp_path: Path) -> None:
    consumer = {**BILLING, "outages": {"windows": [[10, 20]]}}
    late = {"latency": {"publish": 0, "deliver": 2, "call": 0}}
    journal = played(tmp_path, [7.0, 9.0, 15.0, 20.0], broker={"kind": "pubsub"}, consumers=[consumer], network=late)
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_disconnected", "lost_disconnected", "applied"]


# --- consumers that fail


def test_redo_returns_to_the_last_commit_tick(tmp_path: Path) -> None:
    consumer = {**BILLING, "handle_time": 0.5, "commit": {"every": 5}, "outages": {"windows": [[12, 14]]}}
    journal = played(tmp_path, [8.0, 9.5, 10.0, 11.0], consumers=[consumer])
    # the tick at 10 covers what ended by then: 8.5 and 10.0; those of 10.5 and 11.5 are done again
    assert column(journal, "deliveries", "copies") == [1, 1, 2, 2]
    assert column(journal, "deliveries", "applied") == [8.5, 10.0, 10.5, 11.5], "latency ends with the first handling"


def test_commits_tick_from_time_0_whatever_the_traffic(tmp_path: Path) -> None:
    consumer = {**BILLING, "commit": {"every": 5}, "outages": {"windows": [[10, 11]]}}
    journal = played(tmp_path, [4.9, 5.1], consumers=[consumer])
    assert column(journal, "deliveries", "copies") == [1, 2], "a tick at the very time of the crash comes too late"


def test_who_resumes_between_two_polls_reads_on_where_it_was(tmp_path: Path) -> None:
    consumer = {**BILLING, "handle_time": 0.5, "poll_interval": 4, "outages": {"windows": [[11, 15]], "on_restart": "resume"}}
    journal = played(tmp_path, [10.0, 12.0, 13.0], broker={"kind": "log", "partitions": 1}, consumers=[consumer])
    applied = column(journal, "deliveries", "applied")
    assert applied == sorted(applied)
    assert value(journal, "out_of_order_rate") == 0


def test_resume_keeps_the_progress_of_work_in_hand(tmp_path: Path) -> None:
    consumer = {**BILLING, "handle_time": 4, "outages": {"windows": [[12, 15]], "on_restart": "resume"}}
    journal = played(tmp_path, [10.0, 11.0], consumers=[consumer])
    assert column(journal, "deliveries", "applied") == [17.0, 21.0]
    assert column(journal, "deliveries", "copies") == [1, 1]


def test_a_crashed_pubsub_consumer_loses_what_it_had_received(tmp_path: Path) -> None:
    consumer = {**BILLING, "handle_time": 4, "outages": {"windows": [[12, 15]]}}
    journal = played(tmp_path, [10.0, 11.0], broker={"kind": "pubsub"}, consumers=[consumer])
    assert column(journal, "deliveries", "outcome") == ["lost_consumer", "lost_consumer"]


# --- found by an independent simulation of the same rules


def test_a_log_is_read_in_its_own_order_also_when_a_backlog_comes_at_once(tmp_path: Path) -> None:
    """Change 1 is stored after change 2; with both there at 4.31 the log's order decides, or a commit between them would skip one."""
    outages = {"windows": [[1.2, 4.3], [5.2, 6]]}
    consumer = {**BILLING, "handle_time": 0.6, "commit": {"every": "1s"}, "outages": outages}
    journal = played(
        tmp_path,
        [1.0, 1.5],
        broker={"partitions": 1, "outages": {"windows": [[0.9, 1.05]]}},
        network={"latency": {"publish": 0, "deliver": 0.01, "call": 0}},
        consumers=[consumer],
    )
    assert column(journal, "deliveries", "stored") == [2.1, 1.5]
    assert column(journal, "deliveries", "applied") == [6.61, 4.91]


def test_nothing_is_left_in_flight_after_a_long_drain_whatever_fails() -> None:
    faults = {
        "broker": {"outages": {"up": {"dist": "exponential", "mean": 60}, "down": 3}, "retention": "7d"},
        "network": {"latency": {"dist": "exponential", "mean": "50ms"}},
        "workload": {"arrivals": {"rate": 20}},
        "duration": 300,
        "drain": 300,
    }
    outages = {"up": {"dist": "exponential", "mean": 10}, "down": 2}
    consumer = {**BILLING, "instances": 2, "handle_time": "20ms", "commit": {"every": "1s"}, "outages": outages}
    for replication in range(5):
        journal = simulate(quiet(**faults, consumers=[consumer]), "event_carried_state_transfer", replication=replication)
        assert not np.any(journal.deliveries["outcome"] == OUTCOMES.index("in_flight"))


def test_one_relay_keeps_the_order_of_commits() -> None:
    busy = {"workload": {"arrivals": {"rate": 50}, "entities": {"count": 2}}}
    jittery = {"latency": {"publish": {"dist": "exponential", "mean": 0.05}, "deliver": 0, "call": 0}}
    outbox = simulate(quiet(**busy, network=jittery, source={"publish": "outbox"}), "event_carried_state_transfer")
    direct = simulate(quiet(**busy, network=jittery), "event_carried_state_transfer")
    assert value(outbox, "out_of_order_rate") == 0
    assert value(direct, "out_of_order_rate") > 0.1


def test_backlog_leaves_out_what_was_lost(tmp_path: Path) -> None:
    consumer = {**BILLING, "outages": {"windows": [[20, 60]]}}
    times = [float(t) for t in range(1, 90)]
    journal = played(tmp_path, times, broker={"retention": 10}, consumers=[consumer])
    assert value(journal, "loss_rate") == pytest.approx(30 / 90, abs=0.02)
    assert value(journal, "backlog_max") <= 12


def test_pubsub_asks_who_is_connected_when_it_forwards_the_message(tmp_path: Path) -> None:
    consumer = {**BILLING, "outages": {"windows": [[9.5, 10.5]]}}
    journal = played(tmp_path, [7.0, 9.9], broker={"kind": "pubsub", "append_time": 1}, consumers=[consumer])
    assert column(journal, "deliveries", "outcome") == ["applied", "applied"], "stored at 8 and at 10.9"
    journal = played(tmp_path, [7.0, 9.0], broker={"kind": "pubsub", "append_time": 1}, consumers=[consumer])
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_disconnected"], "stored at 10"


def test_who_sends_without_waiting_is_never_told_of_a_failure() -> None:
    for fault in ({"network": {"loss": 0.3}}, {"broker": {"outages": {"windows": [[10, 50]]}}}):
        journal = simulate(quiet(**fault, source={"producer": {"acks": 0}}), "event_carried_state_transfer")
        assert value(journal, "loss_rate") > 0.2
        assert value(journal, "publish_failed_rate") == 0


# --- conservation and paired luck


def test_with_no_faults_nothing_is_lost_and_every_copy_equals_the_source_after_the_drain() -> None:
    for pattern in ("polling", "event_notification", "event_carried_state_transfer", "cqrs", "event_sourcing_cqrs"):
        journal = simulate(Scenario(duration=60, warmup=0, workload={"reads": {"rate": 1}}), pattern)
        found = {v.metric: v.value for v in measure(journal) if v.consumer == "consumer"}
        assert found["loss_rate"] == 0, pattern
        assert found["diverged_entities"] == 0, pattern


def test_more_loss_on_the_network_never_loses_fewer_messages_on_the_same_luck() -> None:
    lost = [
        simulate(quiet(network={"loss": p}, source={"producer": {"retries": 1}}, workload={"arrivals": {"rate": 20}}), "cqrs").deliveries[
            "outcome"
        ]
        == OUTCOMES.index("lost_network")
        for p in (0.1, 0.3, 0.6)
    ]
    assert all(not (fewer & ~more).any() for fewer, more in pairwise(lost))
