"""Properties that hold in every scenario, tried on random small ones."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim import PRESETS, Scenario, measure, simulate
from edasim.journal import NONE, OUTCOMES

LOST = [OUTCOMES.index(name) for name in OUTCOMES if name.startswith("lost_")]
times = st.sampled_from([0, 0.01, {"dist": "exponential", "mean": 0.05}, {"dist": "lognormal", "mean": 0.02, "cv": 1}])
windows = st.lists(st.integers(1, 40), min_size=2, max_size=6, unique=True).map(sorted)
outages = st.none() | windows.map(lambda w: {"windows": [w[i : i + 2] for i in range(0, len(w) - 1, 2)]})
random_outages = outages | st.just({"up": {"dist": "exponential", "mean": 8}, "down": {"dist": "exponential", "mean": 1}})


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    def consumer(name: str) -> dict[str, Any]:
        failing = draw(random_outages)
        if failing is not None:
            failing = {**failing, "on_restart": draw(st.sampled_from(["redo", "resume"]))}
        return {
            "name": name,
            "instances": draw(st.integers(1, 3)),
            "handle_time": draw(times),
            "handover_time": draw(times),
            "on_gap": draw(st.sampled_from(["refetch", "ignore"])),
            "commit": {"every": draw(st.sampled_from([0.5, 5]))},
            "outages": failing,
        }

    return Scenario(
        seed=draw(st.integers(0, 10**6)),
        warmup=draw(st.sampled_from([0, 5])),
        duration=30,
        drain=draw(st.sampled_from([0, 60])),
        workload={
            "arrivals": draw(st.sampled_from([{"rate": 5}, {"rate": 3, "batch": 3}, {"process": "renewal", "gap": 0.25}])),
            "entities": {"count": draw(st.integers(1, 30)), "new_share": draw(st.sampled_from([0, 0.3]))},
            "reads": {"rate": 3},
        },
        source={
            "servers": draw(st.integers(1, 3)),
            "write_time": draw(times),
            "outages": draw(random_outages),
            "producer": {"acks": draw(st.sampled_from([0, 1, "all"])), "retries": draw(st.integers(0, 3)), "ack_timeout": 0.5},
            "publish": draw(st.sampled_from([None, "direct", "outbox"])),
            "polling": {"interval": 7, "order": draw(st.sampled_from(["fixed", "random", "poisson"]))},
            "cache_ttl": draw(times.filter(bool)),
        },
        network={
            "latency": {"publish": draw(times), "deliver": draw(times), "call": draw(times)},
            "loss": draw(st.sampled_from([0.0, 0.3])),
            "ack_loss": draw(st.sampled_from([0.0, 0.3])),
        },
        broker={
            "kind": draw(st.sampled_from(["log", "pubsub"])),
            "partitions": draw(st.integers(1, 5)),
            "append_time": draw(times),
            "replicas": draw(st.integers(1, 3)),
            "replica_fetch": draw(st.sampled_from([0, 0.2])),
            "retention": draw(st.sampled_from([3, "7d"])),
            "outages": draw(random_outages),
        },
        consumers=[consumer("billing"), consumer("quota")],
    )


@settings(max_examples=150)
@given(scenario=scenarios(), name=st.sampled_from([*PRESETS, "table/notice/cache", "table/delta/copy", "table/notice/source"]))
def test_every_message_ends_in_one_outcome_and_nothing_is_newer_than_the_truth(scenario: Scenario, name: str) -> None:
    journal = simulate(scenario, name)  # raises when conservation is broken
    reads, changes, deliveries = journal.reads, journal.changes, journal.deliveries
    assert np.all(reads["version_seen"] <= reads["version_true"])
    assert np.all(reads["latency"][reads["answered"]] >= 0)
    committed = changes["committed"] != NONE
    assert np.all(changes["committed"][committed] >= changes["time"][committed])
    for entity in np.unique(changes["entity"]):
        mine = committed & (changes["entity"] == entity)
        assert changes["version"][mine].tolist() == list(range(1, mine.sum() + 1)), "versions follow arrival order"
        assert np.all(np.diff(changes["committed"][mine]) >= 0)
    applied = deliveries["applied"] != NONE
    assert np.all(deliveries["stored"][applied] >= changes["committed"][deliveries["change"]][applied])
    assert np.all(deliveries["delivered"][applied] >= deliveries["stored"][applied])
    assert np.all(deliveries["applied"][applied] >= deliveries["delivered"][applied])
    assert np.all(deliveries["copies"] <= deliveries["attempts"])
    if scenario.drain and scenario.broker.outages is None:
        assert not np.any(deliveries["outcome"] == OUTCOMES.index("in_flight")) or scenario.source.outages is not None
    if scenario.source.publish == "outbox" and scenario.broker.outages is None and scenario.broker.kind == "log":
        reasons = set(deliveries["outcome"][np.isin(deliveries["outcome"], LOST)].tolist())
        assert reasons <= {OUTCOMES.index("lost_retention")}, "a relay never loses"
    for value in measure(journal):
        assert np.isfinite(value.value), value
        assert value.value >= 0 or value.metric == "storage_growth_bytes_per_day", value
        assert value.unit != "share" or value.value <= 1 + 1e-12, value


@settings(max_examples=40)
@given(scenario=scenarios(), name=st.sampled_from(["event_notification", "event_carried_state_transfer", "event_sourcing_cqrs", "polling"]))
def test_without_loss_every_copy_equals_the_source_after_the_drain(scenario: Scenario, name: str) -> None:
    changes: dict[str, object] = {"drain": 600, "network.loss": 0.0, "broker.retention": "7d"}
    changes |= {"broker.outages": None, "source.outages": None}
    changes |= {f"consumers.{c}.{key}": value for c in ("billing", "quota") for key, value in (("outages", None), ("on_gap", "refetch"))}
    changes |= {"source.producer.retries": 20, "source.producer.ack_timeout": "60s"}
    journal = simulate(scenario.with_overrides(changes), name)
    diverged = [value.value for value in measure(journal) if value.metric == "diverged_entities"]
    assert diverged == [0, 0]
