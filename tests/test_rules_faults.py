"""The rules that decide a number, faults beside outages: a network that loses requests, a slow consumer, a poison message."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import column, merged, played, quiet, value

from edasim import InputError, Journal, Luck, candidates_of, simulate
from edasim.comparison import Comparison
from edasim.incidents import incidents_at
from edasim.luck import BLOCK, LATE, SMALL_BLOCK
from edasim.metrics.backlog import faults_of

ONCE = {"producer": {"retries": 0}}
ALONE = {"partitions": 1}


def billing(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "billing", "instances": 1, "handle_time": 0, **changes}]


def faults(journal: Journal) -> list[tuple[str, float, float]]:
    return [tuple(row) for row in journal.frame("faults")[["component", "start", "end"]].to_numpy().tolist()]


# --- the network loses requests


def test_requests_sent_while_the_network_is_out_are_lost(tmp_path: Path) -> None:
    journal = played(tmp_path, [9.9, 10.0, 14.9, 15.0], network={"outages": {"windows": [[10, 15]]}}, source=ONCE)
    assert column(journal, "deliveries", "outcome") == ["applied", "lost_network", "lost_network", "applied"]
    assert faults(journal) == [("network", 10, 15)]


def test_what_is_on_its_way_when_the_network_goes_out_arrives(tmp_path: Path) -> None:
    network = {"latency": {"publish": 2, "deliver": 0, "call": 0}, "outages": {"windows": [[10, 15]]}}
    journal = played(tmp_path, [9.0], network=network, source={"producer": {"retries": 0, "ack_timeout": "1h"}})
    assert column(journal, "deliveries", "applied") == [11.0]


def test_a_retry_bridges_an_outage_of_the_network(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], network={"outages": {"windows": [[10, 12.2]]}})
    assert column(journal, "changes", "publish_attempts") == [3], "at 10, 11.1 and 12.2: it waits 1 s + 0.1 s"
    assert column(journal, "deliveries", "stored") == [12.2]


def test_who_awaits_no_acknowledgement_loses_all_and_is_not_told(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], network={"outages": {"windows": [[10, 15]]}}, source={"producer": {"acks": 0}})
    assert column(journal, "deliveries", "outcome") == ["lost_network"]
    assert column(journal, "changes", "acknowledged") == [10.0]


def test_a_batch_meets_an_outage_of_the_network_as_one(tmp_path: Path) -> None:
    source = {"producer": {"batch": 2, "linger": 5, "retries": 0}}
    journal = played(tmp_path, [9.5, 10.5, 12.5, 13.0], network={"outages": {"windows": [[10, 11]]}}, source=source)
    assert column(journal, "deliveries", "outcome") == ["lost_network", "lost_network", "applied", "applied"], "the one at 0 left alone"


def test_a_relay_resends_until_the_network_is_back_and_then_recovers(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 11.0, 12.0], network={"outages": {"windows": [[9.5, 12.5]]}}, source={"publish": "outbox"})
    assert column(journal, "deliveries", "applied") == [13.3] * 3, "sent at 10, 11.1, 12.2 and 13.3; the others when that is acknowledged"
    assert value(journal, "recovery_time") == pytest.approx(0.8)


def test_what_a_consumer_republishes_is_lost_by_the_network_too(tmp_path: Path) -> None:
    consumers = [*billing(handle_time=2), {"name": "quota", "instances": 1, "handle_time": 0, "listens_to": "billing"}]
    journal = played(tmp_path, [9.0], network={"outages": {"windows": [[10, 15]]}}, source=ONCE, consumers=consumers)
    frame = journal.frame("deliveries")
    assert frame[frame["change"] == 1]["outcome"].tolist() == ["applied", "lost_network"]


def test_the_network_loses_the_share_that_it_says_and_raising_it_spares_none() -> None:
    def lost(loss: float) -> set[int]:
        network = {"outages": {"windows": [[10, 90]], "loss": loss}}
        arrivals = {"process": "renewal", "gap": 0.04}
        journal = simulate(quiet(network=network, source=ONCE, workload={"arrivals": arrivals}), "event_carried_state_transfer")
        return set(journal.frame("deliveries").query("outcome == 'lost_network'")["change"].tolist())

    few, more, all_of_them = lost(0.3), lost(0.6), lost(1.0)
    assert few < more < all_of_them
    assert len(all_of_them) == 2000
    for found, share in ((few, 0.3), (more, 0.6)):
        assert abs(len(found) / 2000 - share) < 3.5 * np.sqrt(share * (1 - share) / 2000)


def test_an_outage_of_the_network_is_no_fault_where_nothing_is_sent(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], "request_response", network={"outages": {"windows": [[5, 15]]}})
    assert faults(journal) == []


# --- a slow consumer


def test_handlings_that_begin_while_a_consumer_is_slow_take_longer(tmp_path: Path) -> None:
    consumers = billing(handle_time=1, slow={"windows": [[10, 15]], "factor": 3})
    journal = played(tmp_path, [9.5, 10.0, 14.9, 15.0], broker=ALONE, consumers=consumers)
    # 9.5 begins before; the next begins at 10.5, the one at 14.9 at once; the last at 17.9, when it is over
    assert column(journal, "deliveries", "applied") == [10.5, 13.5, 17.9, 18.9]
    assert faults(journal) == [("billing, slow", 10, 15)]


def test_a_slow_consumer_is_slow_at_each_attempt(tmp_path: Path) -> None:
    consumers = billing(handle_time=1, backoff=1, max_attempts=2, poison=[10], slow={"windows": [[10, 15]], "factor": 3})
    journal = played(tmp_path, [10.0, 10.5], broker=ALONE, consumers=consumers)
    assert ("billing, poison", 10, 17) in faults(journal), "from 10 to 13, and after a second once more, from 14 to 17"
    assert column(journal, "deliveries", "applied")[1] == 18.0


def test_all_instances_of_a_slow_consumer_are_slow_and_no_other_consumer(tmp_path: Path) -> None:
    slow = {"windows": [[10, 15]], "factor": 3}
    consumers = [*billing(instances=2, handle_time=1, slow=slow), {"name": "quota", "instances": 2, "handle_time": 1}]
    journal = played(tmp_path, [10.0, 10.0], broker={"kind": "queue"}, consumers=consumers)
    frame = journal.frame("deliveries").query("change > 0")
    assert frame.query("consumer == 'billing'")["applied"].tolist() == [13.0, 13.0]
    assert frame.query("consumer == 'quota'")["applied"].tolist() == [11.0, 11.0]
    assert list(faults_of(journal, 0)) == ["billing, slow"]
    assert faults_of(journal, 1) == {}


def test_a_slow_consumer_has_recovered_when_no_more_wait_than_before(tmp_path: Path) -> None:
    consumers = billing(handle_time=0.5, slow={"windows": [[10, 12]], "factor": 4})
    journal = played(tmp_path, [10.0, 11.0, 12.0, 13.0], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "applied") == [12.0, 12.5, 13.0, 13.5]
    assert value(journal, "recovery_time") == 1.5


def test_a_factor_of_one_changes_nothing() -> None:
    def journal(slow: dict[str, Any] | None) -> Journal:
        consumers = billing(handle_time={"dist": "exponential", "mean": 0.05}, slow=slow, failure_rate=0.1)
        return simulate(quiet(consumers=consumers, workload={"arrivals": {"rate": 10}}), "event_carried_state_transfer")

    usual, slowed = (journal(slow).deliveries["applied"] for slow in (None, {"windows": [[10, 90]], "factor": 1}))
    assert np.array_equal(usual, slowed)


# --- a poison message


def test_a_poison_message_is_parked_after_its_attempts_and_others_go_on(tmp_path: Path) -> None:
    consumers = billing(poison=[10], max_attempts=3, backoff=1)
    journal = played(tmp_path, [9.9, 10.0, 10.5], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "outcome") == ["applied", "dead_letter", "applied"]
    assert column(journal, "deliveries", "attempts") == [1, 3, 1]
    assert column(journal, "deliveries", "applied")[2] == 12.0, "it fails at 10, 11 and 12"
    assert faults(journal) == [("billing, poison", 10, 12)]


@pytest.mark.parametrize("kind", ["log", "pubsub"])
def test_without_dead_letters_a_poison_message_blocks_its_partition_for_ever(tmp_path: Path, kind: str) -> None:
    partitions = next(n for n in range(2, 20) if zlib.crc32(b"1") % n != zlib.crc32(b"2") % n)
    consumers = billing(instances=partitions, poison=[10], dead_letter=False)
    broker = {"partitions": partitions, "kind": kind}
    journal = played(tmp_path, [10.0, 10.5, 10.5], entities=[1, 1, 2], broker=broker, consumers=consumers, drain="10s")
    assert column(journal, "deliveries", "outcome") == ["in_flight", "in_flight", "applied"]
    assert faults(journal) == [("billing, poison", 10, journal.facts["horizon"] / 1e9)]
    assert value(journal, "recovery_time") == 100, "not by the end of the run, at 110"


def test_a_poison_message_in_a_queue_keeps_only_the_instance_that_has_it(tmp_path: Path) -> None:
    consumers = billing(instances=2, poison=[10], dead_letter=False)
    journal = played(tmp_path, [10.0, 10.5, 11.0], broker={"kind": "queue"}, consumers=consumers)
    assert column(journal, "deliveries", "outcome") == ["in_flight", "applied", "applied"]
    assert column(journal, "deliveries", "applied")[1:] == [10.5, 11.0]


def test_a_crash_gives_a_poison_message_all_its_attempts_again(tmp_path: Path) -> None:
    consumers = billing(poison=[10], max_attempts=3, backoff=2, outages={"windows": [[13, 20]]})
    journal = played(tmp_path, [10.0], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "attempts") == [5], "at 10 and 12; at 20, 22 and 24"
    assert ("billing, poison", 10, 24) in faults(journal)


def test_a_message_is_poison_to_the_consumer_that_says_so(tmp_path: Path) -> None:
    consumers = [*billing(poison=[10], max_attempts=1), {"name": "quota", "instances": 1, "handle_time": 0}]
    journal = played(tmp_path, [10.0], consumers=consumers)
    frame = journal.frame("deliveries").query("change > 0")
    assert frame["outcome"].tolist() == ["dead_letter", "applied"]


def test_a_poison_message_that_never_arrives_does_nothing(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 11.0], broker={"outages": {"windows": [[9, 10.5]]}}, source=ONCE, consumers=billing(poison=[10]))
    assert column(journal, "deliveries", "outcome") == ["lost_broker", "applied"]
    assert faults(journal) == [("broker", 9, 10.5)]


def test_a_consumer_has_recovered_from_a_poison_message_when_no_more_wait_than_before(tmp_path: Path) -> None:
    consumers = billing(handle_time=0.5, poison=[10], max_attempts=2, backoff=1)
    journal = played(tmp_path, [10.0, 11.0, 12.0, 13.0], broker=ALONE, consumers=consumers)
    assert column(journal, "deliveries", "applied")[1:] == [12.5, 13.0, 13.5], "parked at 12: to 10.5, from 11.5 to 12"
    assert value(journal, "recovery_time") == 1.5


def test_two_times_before_one_change_are_one_poison_message_and_those_after_all_none(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 11.0], consumers=billing(poison=[8, 9, 50], max_attempts=1))
    assert column(journal, "deliveries", "outcome") == ["dead_letter", "applied"]


def test_attempts_without_end_in_no_time_are_refused() -> None:
    forever = billing(poison=[10], dead_letter=False, backoff=0)
    with pytest.raises(InputError, match=r"consumers.billing.poison: .* raise backoff, or set dead_letter: true"):
        simulate(quiet(consumers=forever), "event_carried_state_transfer")


def test_too_many_slowdowns_or_outages_of_the_network_are_refused() -> None:
    often = {"up": 1e-6, "down": 1e-6}
    with pytest.raises(InputError, match=r"network.outages: .* outages in one run"):
        simulate(quiet(network={"outages": often}), "event_carried_state_transfer")
    with pytest.raises(InputError, match=r"consumers.billing.slow: .* outages in one run"):
        simulate(quiet(consumers=billing(slow=often)), "event_carried_state_transfer")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"network": {"outages": {"windows": [[1, 2]], "loss": 2}}}, "network.outages.loss: 2 is not allowed"),
        ({"consumers": billing(slow={"windows": [[1, 2]], "factor": 0.5})}, "consumers.0.slow.factor: 0.5 is not allowed"),
        ({"consumers": billing(slow={"factor": 5})}, "give either windows"),
        ({"consumers": billing(poison=10)}, "consumers.0.poison: 10 is not allowed"),
    ],
)
def test_faults_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        quiet(**wrong)


def test_what_a_late_attempt_draws_does_not_depend_on_when_it_is_asked_for() -> None:
    def drawn(places: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
        hits = Luck(1, 0).hits("x", 0.5, 3000)
        return {place: hits.at(*place) for place in places}

    places = [(index, attempt) for index in (0, 15, 16, BLOCK, 2999) for attempt in (1, LATE - 1, LATE, LATE + 1, 500)]
    assert drawn(places) == drawn(places[::-1])
    late = [Luck(1, 0).hits("x", 0.5, 3000).at(index, LATE) for index in range(SMALL_BLOCK * 60)]
    assert abs(np.mean(late) - 0.5) < 3.5 * 0.5 / np.sqrt(len(late))


# --- as incidents


def happened(incident: dict[str, Any], replications: int = 8, **changes: Any) -> Comparison:
    arrivals = {"process": "renewal", "gap": 0.2}
    asked = {"name": "bad", "per_year": 2, **incident}
    scenario = quiet(**merged({"incidents": [asked], "workload": {"arrivals": arrivals}, "broker": ALONE}, changes))
    chosen = candidates_of(scenario, ["event_carried_state_transfer"])
    return incidents_at(chosen, scenario.incidents, scenario, seed=1, replications=replications, jobs=1)


def mean(found: Comparison, metric: str) -> float:
    rows = found.results
    mine = rows[(rows["metric"] == metric) & (rows["incident"] == "bad") & (rows["consumer"] == "billing")]
    assert len(mine) == 1, mine
    return float(mine.iloc[0]["mean"])


@pytest.mark.parametrize(("loss", "expected"), [(1.0, 50), (0.5, 25)])
def test_a_burst_of_the_network_loses_its_share_of_what_is_sent_in_it(loss: float, expected: int) -> None:
    found = happened({"component": "network", "down": 10, "loss": loss}, source=ONCE)
    spread = np.sqrt(50 * loss * (1 - loss) / 8)
    assert abs(mean(found, "lost_per_incident") - expected) <= 3.5 * spread + 1
    assert mean(found, "lost_per_year") == 2 * mean(found, "lost_per_incident")


def test_a_slow_consumer_recovers_as_fast_as_it_works_off_what_came() -> None:
    slow = {"component": "billing", "kind": "slow", "down": 10, "factor": 10}
    found = happened(slow, consumers=billing(handle_time=0.1))
    assert mean(found, "lost_per_incident") == 0
    assert mean(found, "backlog_max") == pytest.approx(40, abs=3)  # 50 come in 10 s, 10 are handled ...
    assert mean(found, "recovery_time") == pytest.approx(8, abs=1)  # ... then 10 a second are handled, 5 a second come


def test_a_poison_message_costs_the_time_until_it_is_parked_and_the_time_to_catch_up() -> None:
    consumers = billing(handle_time=0.1, max_attempts=4, backoff=1, dead_letter=True)
    found = happened({"component": "billing", "kind": "poison"}, consumers=consumers)
    blocked = 4 * 0.1 + 3 * 1
    assert mean(found, "lost_per_incident") == 0
    assert mean(found, "recovery_time") == pytest.approx(blocked * 5 / (10 - 5), abs=0.3)
    assert mean(found, "backlog_max") == pytest.approx(blocked * 5, abs=1)


def test_a_consumer_keeps_no_fault_of_its_own_while_an_incident_is_looked_at() -> None:
    consumers = billing(handle_time=0.1, slow={"windows": [[0, 100]], "factor": 100}, poison=[0, 1, 2])
    network = {"outages": {"windows": [[0, 100]]}}
    found = happened({"component": "network", "down": 10}, source=ONCE, consumers=consumers, network=network)
    assert mean(found, "lost_per_incident") == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"component": "netwrok", "down": 1}, "did you mean network"),
        ({"component": "billing", "kind": "power", "down": 1}, "bad.kind: power is nothing that happens to billing: allowed: process"),
        ({"component": "network", "kind": "slow", "down": 1}, "bad.kind: slow is nothing that happens to network: allowed: process"),
        ({"component": "billing", "kind": "slow"}, "down is missing"),
        ({"component": "billing", "kind": "slow", "down": 1, "factor": 0.1}, "factor: 0.1 is not allowed"),
    ],
)
def test_an_incident_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        quiet(incidents=[{"name": "bad", "per_year": 1, **wrong}])


def test_what_is_never_put_aside_is_not_recovered_from() -> None:
    consumers = billing(instances=1, handle_time=0.1, dead_letter=False)
    found = happened({"component": "billing", "kind": "poison"}, replications=1, consumers=consumers)
    assert mean(found, "unrecovered_rate") == 1
    assert mean(found, "recovery_time") > 60, "as long as the longest run"


# --- computed once more


def test_slow_handlings_and_poison_messages_are_what_one_server_by_hand_gives() -> None:
    handle_time = {"dist": "exponential", "mean": 0.05}
    slow = {"up": {"dist": "exponential", "mean": 10}, "down": {"dist": "exponential", "mean": 2}, "factor": 4}
    consumers = billing(handle_time=handle_time, slow=slow, poison=[20, 50.5, 80], max_attempts=3, backoff=0.5)
    scenario = quiet(consumers=consumers, broker=ALONE, workload={"arrivals": {"rate": 8}})
    journal = simulate(scenario, "event_carried_state_transfer")
    committed = journal.changes["committed"]
    handle = Luck(scenario.seed, 0).times("handle billing", scenario.consumers[0].handle_time, committed.size)
    spans = [(start, end) for name, start, end in faults(journal) if name == "billing, slow"]
    poison = {int(np.flatnonzero(committed >= time * 1e9)[0]) for time in (20, 50.5, 80)}
    assert len(spans) > 3
    assert len(poison) == 3

    def ends(change: int, attempt: int, start: int) -> int:
        slowed = any(begin <= start / 1e9 < end for begin, end in spans)
        return start + round(handle.at(change, attempt) * (4 if slowed else 1))

    free, expected = 0, []
    for change, came in enumerate(committed.tolist()):
        free = ends(change, 0, max(free, came))
        for attempt in (1, 2) if change in poison else ():
            free = ends(change, attempt, free + 500_000_000)
        expected.append(-1 if change in poison else free)
    assert journal.deliveries["applied"].tolist() == expected


def test_what_the_network_loses_is_what_each_attempt_by_hand_gives() -> None:
    outages = {"up": {"dist": "exponential", "mean": 5}, "down": {"dist": "exponential", "mean": 3}, "loss": 0.7}
    producer = {"retries": 2, "ack_timeout": 1, "backoff": 0.1}
    scenario = quiet(network={"outages": outages}, source={"producer": producer}, workload={"arrivals": {"rate": 10}})
    journal = simulate(scenario, "event_carried_state_transfer")
    committed, spans = journal.changes["committed"], faults(journal)
    hits = Luck(scenario.seed, 0).hits("outage loss", 0.7, committed.size)

    def stored(change: int) -> int:
        for attempt in range(3):
            sent = int(committed[change]) + attempt * 1_100_000_000
            if not (any(start <= sent / 1e9 < end for _, start, end in spans) and hits.at(change, attempt)):
                return sent
        return -1

    expected = [stored(change) for change in range(committed.size)]
    assert journal.deliveries["stored"].tolist() == expected
    assert 20 < expected.count(-1) < committed.size / 2


@pytest.mark.slow
def test_bursts_of_the_network_lose_in_a_long_run_what_incidents_say() -> None:
    down = {"dist": "exponential", "mean": 5}
    often = quiet(
        duration=100_000,
        network={"outages": {"up": {"dist": "exponential", "mean": 195}, "down": down, "loss": 0.5}},
        source={"producer": {"retries": 1, "ack_timeout": 1, "backoff": 0.1}},
        workload={"arrivals": {"process": "renewal", "gap": 0.5}, "entities": {"count": 10, "popularity": "uniform"}},
    )
    runs = [simulate(often, "event_carried_state_transfer", seed=seed) for seed in range(2)]
    lost = np.array([np.histogram(np.flatnonzero(run.deliveries["applied"] == -1), 25, (0, 200_000))[0] for run in runs]).ravel()
    per_second = lost / 4000
    found = happened(
        {"component": "network", "down": down, "loss": 0.5},
        replications=300,
        source={"producer": {"retries": 1, "ack_timeout": 1, "backoff": 0.1}},
        workload={"arrivals": {"process": "renewal", "gap": 0.5}},
    )
    rows = found.results[(found.results["metric"] == "lost_per_incident") & (found.results["consumer"] == "billing")].iloc[0]
    expected, half_width = rows["mean"] / 200, (rows["high"] - rows["low"]) / 2 / 200
    error = float(np.hypot(half_width / 1.97, per_second.std(ddof=1) / np.sqrt(per_second.size)))
    assert abs(per_second.mean() - expected) <= 3.5 * error, (per_second.mean(), expected, error)
    assert error <= 0.3 * expected / 3, "else it would show nothing"
