"""The rules that decide a number, brokers: queues, what outlives an outage, what is dropped, and buffers that overflow. A test a rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import column, played, quiet, value

from edasim import InputError, simulate
from edasim.afterwards.tables import compacted_at

QUEUE = {"kind": "queue"}


def worker(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "billing", "instances": 1, "handle_time": 1, **changes}]


# --- queues


def test_instances_of_a_queue_compete_for_its_messages(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0] * 5, broker=QUEUE, consumers=worker(instances=2))
    assert column(journal, "deliveries", "applied") == [11.0, 11.0, 12.0, 12.0, 13.0]


def test_a_message_waits_in_the_window_of_a_busy_instance_while_another_is_idle(tmp_path: Path) -> None:
    def applied(prefetch: int) -> list[float]:
        # in turn: 0 and 2 go to the first instance, 1 and 3 to the second; the first has a long message in hand
        consumers = worker(instances=2, prefetch=prefetch, handle_time={"dist": "exponential", "mean": 1})
        return column(played(tmp_path, [10.0] * 4, broker=QUEUE, consumers=consumers), "deliveries", "applied")

    fair, unfair = applied(1), applied(2)
    assert max(unfair) >= max(fair)
    assert fair != unfair


def test_max_length_counts_those_that_wait_and_is_asked_only_when_nobody_has_room(tmp_path: Path) -> None:
    source = {"producer": {"acks": 0}}
    journal = played(tmp_path, [10.0] * 4, broker={**QUEUE, "max_length": 2}, consumers=worker(), source=source)
    assert column(journal, "deliveries", "outcome") == ["applied", "applied", "applied", "lost_overflow"]
    none = played(tmp_path, [10.0] * 2, broker={**QUEUE, "max_length": 0}, consumers=worker(), source=source)
    assert column(none, "deliveries", "outcome") == ["applied", "lost_overflow"]
    assert np.isnan(column(none, "deliveries", "stored")[1])


def test_drop_oldest_loses_the_oldest_that_waits_and_tells_nobody(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0] * 4, broker={**QUEUE, "max_length": 1, "overflow": "drop_oldest"}, consumers=worker())
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_overflow", "lost_overflow", "applied"]
    assert column(journal, "changes", "acknowledged") == [10.0] * 4


def test_a_reject_is_told_and_tried_again_after_the_backoff(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0] * 3, broker={**QUEUE, "max_length": 1}, consumers=worker(), source={"producer": {"backoff": 0.6}})
    assert column(journal, "deliveries", "applied") == [11.0, 12.0, 13.0]
    assert column(journal, "changes", "publish_attempts") == [1, 1, 3], "refused at 10 and 10.6, taken at 11.2"
    refused = played(tmp_path, [10.0] * 3, broker={**QUEUE, "max_length": 1}, consumers=worker(), source={"producer": {"retries": 0}})
    assert column(refused, "deliveries", "outcome")[2] == "lost_overflow"
    assert np.isnan(column(refused, "changes", "acknowledged")[2])


@pytest.mark.parametrize("idempotent", [False, True])
def test_what_was_refused_is_no_repeat_when_a_relay_sends_it_again(tmp_path: Path, idempotent: bool) -> None:
    source = {"publish": "outbox", "relay": {"poll": 0.1}, "producer": {"backoff": 0.6, "idempotent": idempotent}}
    journal = played(tmp_path, [10.0] * 5, broker={**QUEUE, "max_length": 1}, consumers=worker(), source=source)
    assert column(journal, "deliveries", "outcome") == ["applied"] * 5
    assert set(column(journal, "deliveries", "copies")) == {1}


@pytest.mark.parametrize(("retries", "outcome"), [(9, "in_flight"), (1, "lost_overflow")])
def test_what_is_refused_is_lost_when_its_publisher_gives_up_and_not_before(tmp_path: Path, retries: int, outcome: str) -> None:
    slow = worker(handle_time=1000)
    source = {"producer": {"retries": retries, "backoff": 30}}
    journal = played(tmp_path, [10.0] * 3, broker={**QUEUE, "max_length": 1}, consumers=slow, source=source)
    assert column(journal, "deliveries", "outcome") == ["in_flight", outcome, outcome]


def test_what_one_of_two_queues_refuses_is_sent_again_to_both(tmp_path: Path) -> None:
    slow, fast = worker(handle_time=5)[0], {"name": "quota", "instances": 1, "handle_time": 0}
    journal = played(
        tmp_path, [10.0] * 2, broker={**QUEUE, "max_length": 0}, consumers=[slow, fast], source={"producer": {"retries": 1, "backoff": 1}}
    )
    frame = journal.frame("deliveries")
    assert frame[frame["consumer"] == "billing"]["outcome"].tolist()[1:] == ["applied", "lost_overflow"]
    assert frame[frame["consumer"] == "quota"]["copies"].tolist()[1:] == [1, 2]


def test_a_crash_sends_the_unacknowledged_again_at_once_to_who_is_there(tmp_path: Path) -> None:
    down = {"windows": [[10.5, 20]]}
    one = played(tmp_path, [10.0] * 2, broker=QUEUE, consumers=worker(prefetch=2, outages=down))
    assert column(one, "deliveries", "applied") == [21.0, 22.0]
    assert column(one, "deliveries", "attempts") == [2, 1]
    two = {"windows": [[10.5, 20]], "rolling": True}
    journal = played(tmp_path, [5.0, 10.0], broker=QUEUE, consumers=worker(instances=2, outages=two))  # in turn: first, second, first
    assert column(journal, "deliveries", "applied") == [6.0, 11.5], "the second instance got it at 10.5"


def test_redeliver_after_counts_from_the_delivery_not_from_the_crash(tmp_path: Path) -> None:
    down = {"windows": [[11, 40]], "rolling": True}
    consumers = worker(instances=2, handle_time=3, redeliver_after=5, outages=down)
    journal = played(tmp_path, [5.0, 10.0], broker=QUEUE, consumers=consumers)
    assert column(journal, "deliveries", "applied") == [8.0, 18.0], "delivered at 10, so again at 15"


def test_what_comes_back_is_handled_before_what_is_handed_out_later(tmp_path: Path) -> None:
    down = {"windows": [[10.5, 10.6]]}
    consumers = worker(instances=1, handle_time=1, prefetch=4, redeliver_after=4.5, outages=down)
    journal = played(tmp_path, [10.0] * 12, broker=QUEUE, consumers=consumers)
    # 1 to 4 come back at 14.5 and are handed out from 14.6 on, behind 9 to 11; 12 has waited since 10, and is handed out at 18.6
    assert column(journal, "deliveries", "applied") == [18.6, 19.6, 20.6, 21.6, 11.6, 12.6, 13.6, 14.6, 15.6, 16.6, 17.6, 22.6]
    assert journal.deliveries["copies"].max() == 1


def test_who_works_longer_than_redeliver_after_has_company(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], broker=QUEUE, consumers=worker(instances=2, handle_time=8, redeliver_after=5))
    assert column(journal, "deliveries", "applied") == [18.0]
    assert column(journal, "deliveries", "copies") == [2], "the other got it at 15; when the first acknowledged at 18, that was all"


def test_an_acknowledgement_of_several_duplicates_what_was_handled_and_not_acknowledged(tmp_path: Path) -> None:
    consumers = worker(prefetch=4, commit={"messages": 4}, outages={"windows": [[16.5, 17]]})
    journal = played(tmp_path, [10.0] * 7, broker=QUEUE, consumers=consumers)
    assert column(journal, "deliveries", "copies") == [1, 1, 1, 2, 2, 2, 1], "7 handled by 16.5, the first at 0: 7 mod 4 of them twice"


def test_a_queue_that_sends_less_than_is_acknowledged_at_once_is_refused() -> None:
    with pytest.raises(InputError, match="raise prefetch to at least 4"):
        simulate(quiet(broker=QUEUE, consumers=worker(prefetch=3, commit={"messages": 4})), "event_carried_state_transfer")


def test_acknowledged_before_it_is_handled_means_lost_in_a_crash(tmp_path: Path) -> None:
    consumers = worker(prefetch=2, commit={"when": "before"}, outages={"windows": [[10.5, 20]]})
    journal = played(tmp_path, [10.0] * 3, broker=QUEUE, consumers=consumers)
    assert column(journal, "deliveries", "outcome") == ["lost_consumer", "lost_consumer", "applied"]


def test_a_paused_worker_keeps_what_it_has_in_hand(tmp_path: Path) -> None:
    consumers = worker(prefetch=2, outages={"windows": [[10.5, 20]], "on_restart": "resume"})
    journal = played(tmp_path, [10.0] * 2, broker=QUEUE, consumers=consumers)
    assert column(journal, "deliveries", "applied") == [20.5, 21.5]
    assert column(journal, "deliveries", "attempts") == [1, 1]


def test_the_append_line_delays_what_the_queue_takes(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0] * 2, broker={**QUEUE, "append_time": 0.2}, consumers=worker(handle_time=0))
    assert column(journal, "deliveries", "applied") == [10.2, 10.4]


# --- what outlives an outage of the broker


@pytest.mark.parametrize(
    ("durable", "fates", "copies"), [(True, ["applied"] * 3, [2, 1, 1]), (False, ["applied", "lost_broker", "lost_broker"], [1, 0, 0])]
)
def test_a_durable_queue_delivers_once_more_what_was_in_hand(tmp_path: Path, durable: bool, fates: list[str], copies: list[int]) -> None:
    broker = {**QUEUE, "durable": durable, "outages": {"windows": [[10.5, 20]]}}
    journal = played(tmp_path, [10.0] * 3, broker=broker, consumers=worker(prefetch=2))
    assert column(journal, "deliveries", "outcome") == fates
    assert column(journal, "deliveries", "copies") == copies
    assert column(journal, "deliveries", "applied")[0] == 11.0, "what is in hand is finished"


@pytest.mark.parametrize("kind", ["log", "queue"])
@pytest.mark.parametrize(
    ("power", "fates"), [("process", ["applied", "applied", "applied"]), ("power", ["applied", "lost_broker", "lost_broker"])]
)
def test_a_power_loss_takes_what_was_not_synced_and_a_kill_does_not(tmp_path: Path, kind: str, power: str, fates: list[str]) -> None:
    asleep = worker(handle_time=0, outages={"windows": [[5, 30]]})
    broker = {"kind": kind, "fsync_interval": 4, "outages": {"windows": [[16, 17]], "kind": power}}  # syncs at 12; at 16 it is too late
    journal = played(tmp_path, [12.0, 12.5, 15.0], broker=broker, consumers=asleep)
    assert column(journal, "deliveries", "outcome") == fates
    assert column(journal, "changes", "acknowledged") == [12.0, 12.5, 15.0], "all three were acknowledged"


def test_what_was_read_before_a_power_loss_is_not_lost(tmp_path: Path) -> None:
    broker = {"fsync_interval": 100, "outages": {"windows": [[11, 12]], "kind": "power"}}
    journal = played(tmp_path, [10.0, 10.0], broker=broker, consumers=worker())
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_broker"], "the second had not begun"


def test_a_log_that_is_not_durable_forgets_unless_it_has_replicas(tmp_path: Path) -> None:
    asleep = worker(outages={"windows": [[5, 30]]})
    alone = {"durable": False, "outages": {"windows": [[16, 17]]}}
    assert column(played(tmp_path, [10.0], broker=alone, consumers=asleep), "deliveries", "outcome") == ["lost_broker"]
    replicated = {**alone, "replicas": 3, "replica_copy": 0.1}
    assert column(played(tmp_path, [10.0], broker=replicated, consumers=asleep), "deliveries", "outcome") == ["applied"]


# --- what a log drops


def test_retention_by_size_drops_the_oldest_of_a_partition_when_a_newer_one_is_stored(tmp_path: Path) -> None:
    asleep = worker(handle_time=0, outages={"windows": [[5, 30]]})
    broker = {"retention_bytes": 5000, "partitions": 1}  # two messages of 2 kB
    journal = played(tmp_path, [10.0, 11.0, 12.0, 13.0], broker=broker, consumers=asleep)
    assert column(journal, "deliveries", "outcome") == ["lost_retention", "lost_retention", "applied", "applied"]


def test_a_message_dropped_while_the_instance_hands_over_is_lost(tmp_path: Path) -> None:
    consumers = worker(handle_time=0, handover_time=5)
    journal = played(tmp_path, [10.0, 11.0, 12.0, 13.0], broker={"retention_bytes": 5000, "partitions": 1}, consumers=consumers)
    # the first ends at 10, so the next would start at 15; by then 12 and 13 have pushed it out
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_retention", "applied", "applied"]


NEVER = 1 << 62


def test_compaction_keeps_the_newest_of_each_entity_and_what_was_not_read() -> None:
    entity, stored, sizes = np.array([1, 1, 2, 1, 2]), np.arange(1, 6), np.full(5, 10)
    kept = np.full(5, NEVER)
    found = compacted_at(stored, entity, sizes, stored, kept, 0.5)
    assert found.tolist() == [2, 4, NEVER, NEVER, NEVER], "dirty: 20 of 20; 20 of 30; 10 of 30"
    unread = np.array([1, 9, 3, 4, 5])
    assert compacted_at(stored, entity, sizes, unread, kept, 0.5).tolist() == [2, NEVER, NEVER, NEVER, NEVER], (
        "dirty: 20 of 20; 20 of 30, but nothing to take; 10 of 40"
    )


def test_what_is_too_old_counts_no_more_for_compaction() -> None:
    entity, stored, sizes = np.array([1, 2, 3, 4, 4, 5]), np.array([1, 2, 3, 20, 21, 22]), np.full(6, 10)
    gone = stored + 10
    found = compacted_at(stored, entity, sizes, stored, gone, 0.6)
    assert found.tolist() == [11, 12, 13, 21, 31, 32], "at 21 the first three are gone, so dirty is 20 of 20"


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 9), st.integers(0, 4)), min_size=1, max_size=25),
    retention=st.integers(1, 40),
    ratio=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
)
def test_compaction_takes_what_looking_at_the_whole_log_each_time_says(
    rows: list[tuple[int, int, int, int]], retention: int, ratio: float
) -> None:
    stored = np.cumsum([gap for gap, _, _, _ in rows])
    entity, sizes = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    read, gone = stored + np.array([row[3] for row in rows]), stored + retention
    until, cleaned = gone.copy(), 0
    for last, now in enumerate(stored.tolist()):
        there = [m for m in range(last + 1) if until[m] > now]
        dirty = sum(sizes[m] for m in there if m >= cleaned)
        old = [m for m in there if any(entity[m] == entity[later] for later in range(m + 1, last + 1))]
        if old and dirty >= ratio * sum(sizes[m] for m in there):
            until[[m for m in old if read[m] <= now]] = now
            cleaned = last + 1
    assert compacted_at(stored, entity, sizes, read, gone, ratio).tolist() == until.tolist()


def test_compaction_changes_what_is_stored_and_never_what_is_delivered() -> None:
    busy = {"arrivals": {"rate": 20}, "entities": {"count": 5, "popularity": "uniform"}}
    whole = simulate(quiet(workload=busy), "event_carried_state_transfer")
    compacted = simulate(quiet(workload=busy, broker={"compaction": {"min_dirty_ratio": 0.5}}), "event_carried_state_transfer")
    assert np.array_equal(whole.deliveries["applied"], compacted.deliveries["applied"])
    held = [frame[frame["component"] == "log"]["bytes"].iloc[-1] for frame in (whole.frame("storage"), compacted.frame("storage"))]
    assert held[0] == 2000 * whole.changes["time"].size
    assert 5 * 2000 <= held[1] <= 2 * (5 + 8) * 2000, "between the entities and twice that, and a message more a partition"


# --- pub/sub


@pytest.mark.parametrize(
    ("overflow", "fates"),
    [
        ("reject", ["applied", "applied", "lost_overflow", "lost_overflow"]),
        ("drop_oldest", ["applied", "lost_overflow", "lost_overflow", "applied"]),
    ],
)
def test_a_slow_subscriber_overflows(tmp_path: Path, overflow: str, fates: list[str]) -> None:
    broker = {"kind": "pubsub", "max_length": 1, "overflow": overflow}
    journal = played(
        tmp_path, [10.0] * 4, broker=broker, consumers=worker(), network={"latency": {"publish": 0, "deliver": 0.5, "call": 0}}
    )
    assert column(journal, "deliveries", "outcome") == fates
    assert column(journal, "changes", "publish_attempts") == [1] * 4, "the publisher never knows"


def test_overflow_shows_where_messages_went() -> None:
    scenario = quiet(
        broker={**QUEUE, "max_length": 3}, consumers=worker(), workload={"arrivals": {"rate": 2}}, source={"producer": {"acks": 0}}
    )
    journal = simulate(scenario, "event_carried_state_transfer")
    assert value(journal, "lost_overflow") == value(journal, "loss_rate") > 0.3
