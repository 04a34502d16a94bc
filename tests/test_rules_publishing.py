"""The rules that decide a number, publishing: batches, repeats, bursts of loss, relays. A test a rule."""

from pathlib import Path

import numpy as np
import pytest
from tiny import column, merged, played, quiet, recorded, value

from edasim import InputError, Luck, simulate
from edasim.scenario import GilbertElliott

BATCH = {"producer": {"batch": 3, "linger": 2}}


def storage(journal, component: str) -> list[tuple[float, float]]:  # noqa: ANN001
    frame = journal.frame("storage")
    return frame[frame["component"] == component][["time", "bytes"]].to_numpy().tolist()


# --- batches


def test_a_batch_leaves_when_it_is_full_or_its_first_message_has_lingered(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 11.0, 11.5, 20.0, 21.0], source=BATCH)
    assert column(journal, "deliveries", "stored") == [11.5, 11.5, 11.5, 22.0, 22.0]


def test_a_batch_is_lost_as_one_and_sent_again_as_one(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 10.5, 11.0], source=BATCH, broker={"outages": {"windows": [[5, 12]]}})
    assert column(journal, "deliveries", "stored") == [12.1] * 3, "tried at 11, no answer, again 1 s + 0.1 s later"
    assert column(journal, "changes", "publish_attempts") == [2, 2, 2]


def test_a_batch_has_the_luck_of_its_first_change() -> None:
    jittery = {"latency": {"publish": {"dist": "exponential", "mean": 0.5}, "deliver": 0, "call": 0}}
    scenario = quiet(network=jittery, source=merged(BATCH, {"producer": {"ack_timeout": "1h"}}), broker={"partitions": 1})
    journal = simulate(scenario, "event_carried_state_transfer")
    stored, committed = journal.deliveries["stored"], journal.changes["committed"]
    latency = Luck(scenario.seed, 0).times("publish", scenario.network.latency.publish, committed.size).values
    first = np.flatnonzero(np.append(True, np.diff(stored) != 0))
    sizes = np.diff(np.append(first, stored.size))
    full = first[sizes == 3]
    assert full.size > 100
    assert np.array_equal(stored[full], committed[full + 2] + latency[full])


def test_a_source_that_dies_while_messages_linger_loses_them(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 14.0], source={**BATCH, "outages": {"windows": [[11, 13]]}})
    assert column(journal, "deliveries", "outcome") == ["lost_publish", "applied"]
    assert column(journal, "deliveries", "applied")[1] == 16.0
    assert column(journal, "changes", "publish_attempts") == [0, 1]


def test_a_batch_costs_each_partition_one_append(tmp_path: Path) -> None:
    source = {"producer": {"batch": 4, "linger": 2, "ack_timeout": "1h"}}
    one = played(tmp_path, [10.0] * 4, source=source, broker={"partitions": 1, "append_time": 1})
    assert column(one, "deliveries", "stored") == [11.0] * 4
    queue = played(tmp_path, [10.0] * 4, source=source, broker={"kind": "queue", "append_time": 1})
    assert column(queue, "deliveries", "stored") == [11.0] * 4


# --- repeats


def test_an_idempotent_producer_stores_a_message_once_though_acknowledgements_are_lost() -> None:
    def published(idempotent: bool):  # noqa: ANN202
        producer = {"retries": 20, "idempotent": idempotent}
        return simulate(quiet(network={"ack_loss": 0.3}, source={"producer": producer}, workload={"arrivals": {"rate": 5}}), "cqrs")

    plain, idempotent = published(False), published(True)
    assert plain.deliveries["copies"].max() > 1
    assert idempotent.deliveries["copies"].max() == 1
    assert np.array_equal(plain.changes["publish_attempts"], idempotent.changes["publish_attempts"])


@pytest.mark.parametrize(("durable", "kept"), [(True, 4000), (False, 2000)])  # the change at time 0 is forgotten, too
def test_an_idempotent_repeat_is_stored_again_when_the_broker_has_forgotten_the_first(tmp_path: Path, durable: bool, kept: int) -> None:
    slow = {"latency": {"publish": 0.6, "deliver": 0, "call": 0}}
    asleep = [{"name": "billing", "instances": 1, "handle_time": 0, "outages": {"windows": [[5, 30]]}}]
    broker = {"durable": durable, "outages": {"windows": [[11, 11.2]]}, "retention": 1000, "partitions": 1}
    source = {"producer": {"idempotent": True, "retries": 1}}
    journal = played(tmp_path, [10.0], broker=broker, source=source, consumers=asleep, network=slow)
    # stored at 10.6, its answer would come at 11.2, too late; again at 11.1, arrives at 11.7
    assert column(journal, "deliveries", "outcome") == ["applied"]
    assert storage(journal, "log")[-1] == [100.0, kept]


# --- loss in bursts


def test_bursts_lose_as_often_as_their_chain_says_and_retries_meet_the_same_burst() -> None:
    model = GilbertElliott(model="gilbert_elliott", p=0.01, r=0.1, loss_bad=0.7, loss_good=0.001)
    losses = Luck(1, 0).losses("loss", model, 200_000)
    lost = np.array([[losses.at(change, attempt) for attempt in range(2)] for change in range(200_000)], dtype=bool)
    assert lost[:, 0].mean() == pytest.approx(0.0645, abs=0.004)
    assert lost.all(axis=1).mean() == pytest.approx(0.0401, abs=0.003), "independent attempts would give 0.0042"


def test_loss_in_bursts_reaches_the_outcome() -> None:
    bursts = {"model": "gilbert_elliott", "p": 0.5, "r": 0.5, "loss_bad": 1.0}
    journal = simulate(quiet(network={"loss": bursts}, source={"producer": {"retries": 0}}), "event_carried_state_transfer")
    assert value(journal, "lost_network") == pytest.approx(0.5, abs=0.05)


# --- relays


def test_one_relay_keeps_the_order_of_commits_and_several_do_not() -> None:
    jittery = {"latency": {"publish": {"dist": "exponential", "mean": 0.02}, "deliver": 0, "call": 0}}

    def out_of_order(instances: int) -> float:
        source = {"publish": "outbox", "relay": {"instances": instances}, "producer": {"ack_timeout": "1h"}}
        busy = {"arrivals": {"rate": 50}, "entities": {"count": 3}}
        return value(simulate(quiet(network=jittery, source=source, workload=busy), "cqrs"), "out_of_order_rate")

    assert out_of_order(1) == 0
    assert out_of_order(3) > 0.05


def test_several_relays_share_what_waits_each_up_to_its_batch(tmp_path: Path) -> None:
    source = {"publish": "outbox", "relay": {"poll": 2, "batch": 2, "instances": 2}}
    journal = played(tmp_path, [10.5] * 5, source=source)
    assert column(journal, "deliveries", "stored") == [12.0] * 4 + [14.0]


def test_only_an_outbox_can_be_shared() -> None:
    with pytest.raises(InputError, match="cdc has one reader"):
        simulate(quiet(source={"publish": "cdc", "relay": {"instances": 2}}), "event_carried_state_transfer")


def test_a_relay_that_dies_sends_again_what_it_had_not_marked(tmp_path: Path) -> None:
    relay = {"poll": 2, "outages": {"windows": [[12.5, 15]]}}
    slow = {"latency": {"publish": 0.3, "deliver": 0, "call": 0}}
    journal = played(tmp_path, [10.5, 11.0], source={"publish": "outbox", "relay": relay}, network=slow)
    # sent at 12, stored at 12.3, the acknowledgement comes at 12.6: too late; sent again at 16
    assert column(journal, "deliveries", "applied") == [12.3, 12.3]
    assert column(journal, "deliveries", "copies") == [2, 2]
    assert column(journal, "changes", "acknowledged") == [16.6, 16.6]


@pytest.mark.parametrize(("publish", "component"), [("outbox", "outbox"), ("cdc", "wal")])
def test_while_a_relay_is_down_what_it_reads_grows(tmp_path: Path, publish: str, component: str) -> None:
    relay = {"poll": 1, "outages": {"windows": [[10, 50]]}}
    scenario = recorded(tmp_path, [20.0, 30.0, 40.0, 70.0], source={"publish": publish, "relay": relay})
    journal = simulate(scenario, "event_carried_state_transfer")
    held = dict(storage(journal, component))
    assert max(held.values()) == 3 * 2000
    assert max(bytes_ for time, bytes_ in held.items() if time > 71) == 0
    assert column(journal, "deliveries", "applied") == [50.0, 50.0, 50.0, 70.0]
    assert "relay" in set(journal.frame("faults")["component"])
