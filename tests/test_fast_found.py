"""The event loop where it is tight: much that happens at one moment, and interrupts while it runs."""

import signal
from typing import Any

import pytest
from both_engines import assert_identical
from tiny import quiet

from edasim import Scenario, simulate
from edasim.fast_path import event_loop, lists, world
from edasim.fast_path.draws import interrupts_kept
from edasim.fast_path.loop import run
from edasim.fast_path.memory import World


def agreed(scenario: Scenario, name: str) -> None:
    assert_identical(simulate(scenario, name, engine="fast"), simulate(scenario, name, engine="simpy"))


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has room for more than what is said to be needed."""
    monkeypatch.setattr(world, "SPARE", 1)
    monkeypatch.setattr(lists, "SPARE", 1)

    def looked_at(memory: World, most: int) -> bool:
        """A run, one moment after the other: none may need more than there is."""
        over = run(memory, 1)
        for name in world.GROWING:
            assert memory.s[0][f"{name}_used"] <= getattr(memory, name).shape[0], name
        return over

    monkeypatch.setattr(event_loop, "run", looked_at)


def crowd(count: int, **each: Any) -> list[dict[str, Any]]:
    return [{"name": f"c{number}", "instances": 1, **each} for number in range(count)]


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize("kind", ["log", "queue", "pubsub"])
def test_all_that_waits_for_a_relay_is_handed_to_many_consumers_at_one_moment(kind: str) -> None:
    relay = {"batch": 1000, "outages": {"windows": [[1, 100]]}}
    source = {"write_time": 0, "publish": "outbox", "relay": relay, "producer": {"acks": 0}}
    consumers = crowd(30, handle_time=0.001, prefetch=1000, redeliver_after=5)
    rate = {"arrivals": {"process": "renewal", "gap": 0.5}, "entities": {"count": 50}}
    scenario = quiet(duration=150, drain=50, source=source, broker={"kind": kind}, consumers=consumers)
    agreed(scenario.with_overrides({f"workload.{key}": value for key, value in rate.items()}), "event_carried_state_transfer")


@pytest.mark.usefixtures("no_room")
def test_many_consumers_read_one_change_back() -> None:
    scenario = quiet(duration=20, consumers=crowd(300)).with_overrides(
        {"workload.reads": {"rate": 0, "own": "source", "own_after": 1}, "workload.arrivals": {"rate": 5}}
    )
    agreed(scenario, "request_response")


@pytest.mark.usefixtures("no_room")
def test_what_is_known_before_the_run_has_room_however_much_it_is() -> None:
    often = {"up": {"dist": "exponential", "mean": 0.5}, "down": 0.25}
    source = {"publish": "outbox", "relay": {"outages": often}}
    scenario = quiet(duration=1000, drain=0, source=source, broker={"kind": "queue", "outages": often})
    agreed(scenario, "event_carried_state_transfer")
    late = {"workload.reads": {"rate": 50, "timeout": 0.1, "retries": 1}, "network.latency.call": 0.2}
    agreed(quiet(duration=100).with_overrides(late), "request_response")


@pytest.mark.usefixtures("no_room")
def test_one_large_message_pushes_out_all_that_is_on_its_way() -> None:
    sizes = {"dist": "mixture", "weights": [0.98, 0.02], "of": [1, 2000]}
    workload = {"workload.state_bytes": sizes, "workload.arrivals": {"rate": 100}, "workload.entities.count": 50}
    broker = {"partitions": 1, "retention_bytes": 2000, "replicas": 1}
    consumers = crowd(5, handle_time=0.001)
    scenario = quiet(duration=30, broker=broker, consumers=consumers, network={"latency": {"publish": 0, "deliver": 10, "call": 0}})
    agreed(scenario.with_overrides(workload), "event_carried_state_transfer")


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_until_compiled_code_is_done() -> None:
    usual = signal.getsignal(signal.SIGINT)
    went_on: list[bool | str] = []

    def interrupted(*, asked: bool) -> None:
        with interrupts_kept() as hand_on:
            signal.raise_signal(signal.SIGINT)
            went_on.append(asked)
            if asked:
                hand_on()
                went_on.append("lost")

    for asked in (True, False):
        with pytest.raises(KeyboardInterrupt):
            interrupted(asked=asked)
        assert signal.getsignal(signal.SIGINT) is usual
    assert went_on == [True, False]


CENTURY = 100 * 365 * 86400


@pytest.mark.parametrize("kind", ["log", "queue", "pubsub"])
@pytest.mark.parametrize(
    "changes",
    [
        {"broker.append_time": CENTURY, "network.latency.deliver": CENTURY},
        {"broker.replica_fetch": CENTURY, "broker.replica_copy": CENTURY, "broker.replicas": 3, "network.latency.deliver": CENTURY},
        {"source.producer.ack_timeout": CENTURY, "source.producer.backoff": CENTURY, "network.loss": 0.5, "drain": 0.9 * CENTURY},
        {"consumers.billing.handle_time": CENTURY, "consumers.billing.handover_time": CENTURY, "network.latency.deliver": CENTURY},
        {"consumers.billing.handle_time": CENTURY, "consumers.billing.slow": {"windows": [[1, 90]], "factor": 1e6}},
        {
            "workload.reads": {"rate": 5, "timeout": CENTURY, "retries": 3},
            "consumers.billing.backoff": CENTURY,
            "network.latency.call": CENTURY,
        },
    ],
    ids=["append", "copies", "retries", "handling", "slow", "reads"],
)
def test_times_of_a_hundred_years_add_up(kind: str, changes: dict[str, Any]) -> None:
    for name in ("event_carried_state_transfer", "event_notification", "cached_reads"):
        agreed(quiet(broker={"kind": kind}, workload={"arrivals": {"rate": 0.2}}).with_overrides(changes), name)
