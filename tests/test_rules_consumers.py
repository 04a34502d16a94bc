"""The rules that decide a number, consumers: progress, rebalances, failing handlers, repeats, chains, and who differs from the option."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import column, played, quiet, value

from edasim import InputError, Scenario, measure, simulate

ALONE = {"partitions": 1}


def billing(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "billing", "instances": 1, "handle_time": 1, **changes}]


# --- progress


def test_a_commit_after_so_many_messages_covers_exactly_them(tmp_path: Path) -> None:
    consumers = billing(commit={"messages": 3}, outages={"windows": [[15.5, 20]]})
    journal = played(tmp_path, [10.0] * 6, broker=ALONE, consumers=consumers)
    # handled by 15.5: the change at time 0 and five of these; two commits cover six
    assert column(journal, "deliveries", "copies") == [1] * 6
    late = billing(commit={"messages": 3}, outages={"windows": [[14.5, 20]]})
    journal = played(tmp_path, [10.0] * 6, broker=ALONE, consumers=late)
    assert column(journal, "deliveries", "copies") == [1, 1, 2, 2, 1, 1], "five are handled, three committed"


def test_committing_before_handling_loses_what_is_left_of_the_poll_and_repeats_nothing(tmp_path: Path) -> None:
    consumers = billing(commit={"messages": 3, "when": "before"}, outages={"windows": [[14.5, 20]]})
    journal = played(tmp_path, [10.0] * 8, broker=ALONE, consumers=consumers)
    # polled at 10: the first three; at 13: the next three, of which one is handled and two are not
    assert column(journal, "deliveries", "outcome") == ["applied"] * 4 + ["lost_consumer"] * 2 + ["applied"] * 2
    assert max(column(journal, "deliveries", "copies")) == 1


def test_a_poll_before_handling_takes_only_what_is_there(tmp_path: Path) -> None:
    consumers = billing(commit={"when": "before"}, outages={"windows": [[10.5, 20]]})
    journal = played(tmp_path, [10.0, 10.2], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "outcome") == ["lost_consumer", "applied"], "the second came after the poll"


def test_after_an_empty_poll_an_instance_sleeps(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.5, 10.6, 20.0, 21.5], broker=ALONE, consumers=billing(poll_interval=3))
    # the change at 0 ends at 1; polls at 1, 4, 7, 10, 13; handled to 14, 15; polls at 15, 18, 21 to 22; at 22 the last is there
    assert column(journal, "deliveries", "applied") == [14.0, 15.0, 22.0, 23.0]


# --- instances that come and go


def test_partitions_of_a_crashed_instance_move_after_the_pause_and_nothing_restarts_at_0(tmp_path: Path) -> None:
    outage = {"windows": [[12, 100]], "rolling": True}  # the first instance only: the second would be down from 100
    consumers = billing(instances=2, handle_time=0, rebalance=3, commit={"every": 5}, outages=outage)
    entities = list(range(1, 10))
    first = [e for e in entities if zlib.crc32(str(e).encode()) % 2 == 0]
    times = [9.0] * 9 + [11.0] * 9 + [13.0] * 9
    journal = played(tmp_path, times, entities=entities * 3, broker={"partitions": 2}, consumers=consumers, duration="80s", drain="10s")
    frame = journal.frame("deliveries").iloc[1:]
    mine = np.isin(np.tile(entities, 3), first)
    when = np.repeat([9, 11, 13], 9)
    assert set(frame["applied"][mine & (when == 13)]) == {15.0}, "12 + 3 s of pause"
    assert set(frame["applied"][~mine & (when == 13)]) == {15.0}, "the whole group pauses"
    assert set(frame["copies"][mine & (when == 9)]) == {1}, "committed at 10"
    assert set(frame["copies"][mine & (when == 11)]) == {2}, "handled, not committed, so handled again by who took over"
    assert set(frame["copies"][~mine & (when == 11)]) == {1}, "who lives commits before the partitions move"


def test_a_group_that_was_down_as_a_whole_comes_back_without_a_pause(tmp_path: Path) -> None:
    consumers = billing(instances=2, handle_time=0, rebalance=3, outages={"windows": [[5, 20]]})
    journal = played(tmp_path, [10.0], consumers=consumers)
    assert column(journal, "deliveries", "applied") == [20.0]


def test_an_instance_that_comes_back_pauses_the_group_once_more(tmp_path: Path) -> None:
    outage = {"windows": [[5, 20]], "rolling": True}
    consumers = billing(instances=3, handle_time=0, rebalance=3, outages=outage)
    journal = played(tmp_path, [10.0, 21.0, 40.0, 60.0], consumers=consumers)
    # down: 5 to 20, 20 to 35, 35 to 50; pauses from 5, 20, 35 and 50
    assert column(journal, "deliveries", "applied") == [10.0, 23.0, 40.0, 60.0]


def test_a_rebalance_waits_for_what_is_in_hand(tmp_path: Path) -> None:
    outage = {"windows": [[12, 100]], "rolling": True}
    consumers = billing(instances=2, handle_time=8, rebalance=3, outages=outage)
    filler = list(range(1, 10))
    busy = [e for e in [0, *filler] if zlib.crc32(str(e).encode()) % 2 == 1]  # of the second instance
    journal = played(
        tmp_path, [0.0] * len(filler), entities=filler, broker={"partitions": 2}, consumers=consumers, duration="90s", drain="9s"
    )
    applied = journal.frame("deliveries")["applied"].to_numpy()
    second = np.sort(applied[np.isin(journal.changes["entity"], busy)])
    assert second[:2].tolist() == [8.0, 16.0], "in hand when the pause began at 12, finished"
    assert np.nanmin(applied[applied > 16]) == 24.0, "dealt anew at 16, not at 15"


def test_a_paused_instance_keeps_its_partitions(tmp_path: Path) -> None:
    outage = {"windows": [[5, 20]], "rolling": True, "on_restart": "resume"}
    journal = played(
        tmp_path, [10.0] * 9, entities=list(range(1, 10)), broker={"partitions": 2}, consumers=billing(instances=2, outages=outage)
    )
    first = [zlib.crc32(str(e).encode()) % 2 == 0 for e in range(1, 10)]
    applied = np.array(column(journal, "deliveries", "applied"))
    assert applied[first].min() >= 20.0
    assert applied[~np.array(first)].min() == 11.0


def test_rolling_strikes_one_instance_after_another(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], consumers=billing(instances=3, outages={"windows": [[30, 40]], "rolling": True}))
    assert journal.frame("faults")[["component", "start", "end"]].to_numpy().tolist() == [
        ["billing 0", 30.0, 40.0],
        ["billing 1", 40.0, 50.0],
        ["billing 2", 50.0, 60.0],
    ]
    with pytest.raises(InputError, match="rolling needs windows"):
        Scenario(consumers=[{"outages": {"up": 5, "down": 5, "rolling": True}}])


# --- handlers that fail


def test_a_failed_attempt_is_repeated_in_place_and_what_comes_after_it_waits(tmp_path: Path) -> None:
    consumers = billing(failure_rate=1.0, max_attempts=3, backoff=2)
    journal = played(tmp_path, [10.0, 10.0], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "outcome") == ["dead_letter"] * 2
    assert column(journal, "deliveries", "attempts") == [3, 3]
    # 10 to 11, 13 to 14, 16 to 17; then 17 to 18, ...: the two are parked at 17 and 24
    storage = journal.frame("storage")
    parked = storage[storage["component"] == "dead_letters"].set_index("time")["bytes"]
    assert parked[parked.index < 16.9].max() == 2000, "only the change at time 0"
    assert parked[(parked.index > 17.1) & (parked.index < 23.9)].unique().tolist() == [4000]
    assert parked.iloc[-1] == 6000


def test_without_dead_letters_a_poison_message_blocks_what_comes_after_it(tmp_path: Path) -> None:
    consumers = billing(failure_rate=1.0, dead_letter=False, max_attempts=2)
    journal = played(tmp_path, [10.0, 11.0], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "outcome") == ["in_flight"] * 2
    assert column(journal, "deliveries", "attempts") == [0, 0], "the change at time 0 is in the way"
    assert journal.deliveries["attempts"][0] > 50


def test_failures_follow_their_rate_and_copies_count_only_what_was_handled_to_the_end() -> None:
    scenario = quiet(consumers=billing(handle_time=0, failure_rate=0.3, backoff=0.01), workload={"arrivals": {"rate": 20}})
    journal = simulate(scenario, "event_carried_state_transfer")
    attempts = journal.deliveries["attempts"]
    assert (attempts > 1).mean() == pytest.approx(0.3, abs=0.03)
    assert (attempts > 2).mean() == pytest.approx(0.09, abs=0.02)
    assert value(journal, "dead_letter_rate") == pytest.approx(0.3**5, abs=0.004)
    assert journal.deliveries["copies"].max() == 1


def test_a_crash_in_the_backoff_starts_the_count_again(tmp_path: Path) -> None:
    consumers = billing(failure_rate=1.0, max_attempts=3, backoff=2, outages={"windows": [[32, 33]]})
    journal = played(tmp_path, [30.0], broker=ALONE, consumers=consumers)  # attempt 30 to 31, then backoff to 33
    assert column(journal, "deliveries", "attempts") == [4]


# --- repeats


@pytest.mark.parametrize("kind", ["log", "queue"])
def test_a_repeat_that_is_recognised_is_no_attempt_and_has_no_effect(kind: str) -> None:
    def repeated(deduplicate: Any) -> Any:
        scenario = quiet(
            network={"ack_loss": 0.3},
            source={"producer": {"retries": 20}},
            broker={"kind": kind},
            consumers=billing(instances=2, handle_time={"dist": "exponential", "mean": 0.5}, deduplicate=deduplicate),
            workload={"arrivals": {"rate": 2}},
        )
        return simulate(scenario, "event_carried_state_transfer")

    plain, remembered, forgetful = repeated(False), repeated(True), repeated({"window": 1})
    assert value(plain, "duplicate_rate") > 0.2
    assert remembered.deliveries["copies"].max() == 1
    if kind == "log":
        assert remembered.deliveries["attempts"].max() == 1, "on a queue two may have one message in hand: both were attempts"
    assert 0 < value(forgetful, "duplicate_rate") <= value(plain, "duplicate_rate")


def test_ids_outlive_a_crash(tmp_path: Path) -> None:
    consumers = billing(commit={"every": 50}, deduplicate=True, outages={"windows": [[20, 21]]})
    journal = played(tmp_path, [10.0, 18.5], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "copies") == [1, 1]
    assert column(journal, "deliveries", "attempts") == [1, 1]


# --- chains


CHAIN = [
    {"name": "billing", "instances": 1, "handle_time": 1},
    {"name": "ledger", "instances": 1, "handle_time": 2, "listens_to": "billing"},
]


def of(journal: Any, consumer: str, name: str) -> list[Any]:
    frame = journal.frame("deliveries")
    return frame[frame["consumer"] == consumer][name].tolist()[1:]


def test_a_consumer_handles_what_another_republishes(tmp_path: Path) -> None:
    latency = {"latency": {"publish": 0.25, "deliver": 0, "call": 0}}
    journal = played(tmp_path, [10.0, 10.5], broker=ALONE, consumers=CHAIN, network=latency)
    assert of(journal, "billing", "applied") == [11.25, 12.25]
    assert of(journal, "ledger", "stored") == [11.5, 12.5]
    assert of(journal, "ledger", "applied") == [13.5, 15.5]
    metrics = {v.metric: v.value for v in measure(journal) if v.consumer == "ledger" and not v.component}
    # the change at time 0: 1.25 s to billing, 2.25 more to ledger
    assert metrics["latency_mean"] == pytest.approx((3.5 + 3.5 + 5.0) / 3)
    assert metrics["hop_latency_mean"] == pytest.approx((2.25 + 2.25 + 3.25) / 3)
    assert metrics["hop_loss_rate"] == 0


def test_what_the_first_consumer_lost_is_lost_to_all_that_listen_to_it(tmp_path: Path) -> None:
    first = {**CHAIN[0], "failure_rate": 1.0, "max_attempts": 1}
    journal = played(tmp_path, [10.0], consumers=[first, CHAIN[1]])
    assert of(journal, "ledger", "outcome") == ["dead_letter"]


def test_a_repeat_upstream_is_a_repeat_downstream(tmp_path: Path) -> None:
    first = {**CHAIN[0], "commit": {"every": 50}, "outages": {"windows": [[20, 21]]}}
    journal = played(tmp_path, [10.0], consumers=[first, CHAIN[1]])
    assert of(journal, "billing", "copies") == [2]
    assert of(journal, "ledger", "copies") == [2]
    once = played(tmp_path, [10.0], consumers=[first, {**CHAIN[1], "deduplicate": True}])
    assert of(once, "ledger", "copies") == [1]


@pytest.mark.parametrize(
    ("listens_to", "said"), [("nobody", "nobody is no consumer"), ("ledger", "leads back to ledger"), ("audit", "leads back to ledger")]
)
def test_a_chain_must_begin_at_the_source(listens_to: str, said: str) -> None:
    audit = {"name": "audit", "listens_to": "ledger"}
    with pytest.raises(InputError, match=said):
        Scenario(consumers=[{"name": "ledger", "listens_to": listens_to}, audit])


def test_nobody_can_listen_to_who_hears_nothing() -> None:
    deaf = {**CHAIN[0], "carries": "nothing", "reads": "source"}
    with pytest.raises(InputError, match="nothing is sent to billing"):
        simulate(quiet(consumers=[deaf, CHAIN[1]]), "event_carried_state_transfer")
    assert not simulate(quiet(consumers=CHAIN), "request_response").facts["listens_to"][1], "where nothing is sent each asks for itself"


# --- consumers that differ from their option


def test_one_consumer_on_state_and_another_on_notices(tmp_path: Path) -> None:
    notified = {"name": "quota", "instances": 1, "handle_time": 0, "carries": "notice"}
    journal = played(tmp_path, [10.0], consumers=[*billing(handle_time=0), notified])
    calls = {v.component: v.value for v in measure(journal) if v.metric == "source_requests_per_s"}
    assert calls["call_back"] == 2 / 100, "only quota calls back, for both changes"
    assert journal.changes["bytes"].tolist() == [2120, 2120], "the source publishes a message of each kind"
    frame = journal.frame("deliveries")
    assert frame.groupby("consumer")["bytes"].unique().map(list).to_dict() == {"billing": [2000], "quota": [120]}


def test_one_consumer_may_ask_the_source_while_others_get_events(tmp_path: Path) -> None:
    asks = {"name": "quota", "instances": 1, "carries": "nothing", "reads": "source"}
    journal = played(tmp_path, [10.0], consumers=[*billing(), asks], workload={"reads": {"rate": 1}})
    assert set(journal.frame("deliveries")["consumer"]) == {"billing"}
    rows = {(v.consumer, v.metric): v for v in measure(journal)}
    assert rows["quota", "loss_rate"].nature == "zero"
    assert rows["quota", "stale_fraction"].nature == "zero"
    assert rows["billing", "stale_fraction"].value > 0
    assert journal.frame("reads").groupby("consumer")["latency"].max()["billing"] == 0


def test_an_incoherent_difference_names_the_consumer() -> None:
    with pytest.raises(InputError, match=r"consumers\.billing: pattern table/state/source is incoherent"):
        simulate(quiet(consumers=billing(reads="source")), "event_carried_state_transfer")
