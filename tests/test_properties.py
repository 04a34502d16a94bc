"""Properties that hold in every scenario, tried on random small ones."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim import PRESETS, Scenario, measure, simulate
from edasim.journal import NONE, OUTCOMES

LOST = [OUTCOMES.index(name) for name in OUTCOMES if name.startswith("lost_")]
times = st.sampled_from([0, 0.01, {"dist": "exponential", "mean": 0.05}, {"dist": "lognormal", "mean": 0.02, "cv": 1}])
SENDING = st.sampled_from(["event_notification", "event_carried_state_transfer", "cqrs"])
windows = st.lists(st.integers(1, 40), min_size=2, max_size=6, unique=True).map(sorted)
outages = st.none() | windows.map(lambda w: {"windows": [w[i : i + 2] for i in range(0, len(w) - 1, 2)]})
bursts = {"model": "gilbert_elliott", "p": 0.1, "r": 0.3, "loss_bad": 0.8, "loss_good": 0.05}
random_outages = outages | st.just({"up": {"dist": "exponential", "mean": 8}, "down": {"dist": "exponential", "mean": 1}})


@st.composite
def broker_outages(draw: st.DrawFn) -> dict[str, Any] | None:
    found = draw(random_outages)
    return found and {**found, "kind": draw(st.sampled_from(["process", "power"]))}


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    def consumer(name: str) -> dict[str, Any]:
        failing = draw(random_outages)
        if failing is not None:
            failing = {**failing, "on_restart": draw(st.sampled_from(["redo", "resume"]))}
            failing["rolling"] = "windows" in failing and draw(st.booleans())
        slow = draw(random_outages)
        messages = draw(st.sampled_from([None, 1, 3]))
        return {
            "name": name,
            "instances": draw(st.integers(1, 3)),
            "handle_time": draw(times),
            "handover_time": draw(times),
            "on_gap": draw(st.sampled_from(["refetch", "ignore"])),
            "on_notice": draw(st.sampled_from(["call_back", "call_back", "react"])),
            "needs_more": draw(st.sampled_from([0.0, 0.3])),
            "apply": draw(st.sampled_from(["newest_version", "last_arrival"])),
            "commit": {
                **({"every": draw(st.sampled_from([0.5, 5]))} if messages is None else {"messages": messages}),
                "when": draw(st.sampled_from(["after", "before"])),
            },
            "prefetch": draw(st.integers(messages or 1, 5)),
            "redeliver_after": draw(st.sampled_from([None, 0.1, 2])),
            "poll_interval": draw(st.sampled_from([0, 0.3])),
            "failure_rate": draw(st.sampled_from([0.0, 0.2])),
            "max_attempts": draw(st.integers(1, 3)),
            "backoff": draw(st.sampled_from([0.01, 0.1])),
            "deduplicate": draw(st.sampled_from([False, True, {"window": 3}])),
            "rebalance": draw(st.sampled_from([0, 0.5])),
            "listens_to": draw(st.sampled_from([None, "billing"])) if name == "quota" else None,
            "outages": failing,
            "slow": slow and {**slow, "factor": draw(st.sampled_from([1, 3]))},
            "poison": draw(st.lists(st.integers(0, 40), max_size=2)),
        }

    network = draw(random_outages)
    return Scenario(
        seed=draw(st.integers(0, 10**6)),
        warmup=draw(st.sampled_from([0, 5])),
        duration=30,
        drain=draw(st.sampled_from([0, 2000])),
        workload={
            "arrivals": draw(st.sampled_from([{"rate": 5}, {"rate": 3, "batch": 3}, {"process": "renewal", "gap": 0.25}])),
            "entities": {"count": draw(st.integers(1, 30)), "new_share": draw(st.sampled_from([0, 0.3]))},
            "reads": {"rate": 3, "timeout": draw(st.sampled_from([0.1, 2])), "retries": draw(st.sampled_from([0, 2]))},
            "regions": draw(st.sampled_from([1, 2, {"shares": [0.2, 0.5, 0.3], "clock_skew": 0.1}])),
        },
        source={
            "servers": draw(st.integers(1, 3)),
            "write_time": draw(times),
            "outages": draw(random_outages),
            "producer": {
                "acks": draw(st.sampled_from([0, 1, "all"])),
                "retries": draw(st.integers(0, 3)),
                "ack_timeout": 0.5,
                "batch": draw(st.sampled_from([1, 1, 4])),
                "linger": draw(st.sampled_from([0, 0.2])),
                "idempotent": draw(st.booleans()),
            },
            "relay": {
                "poll": 0.1,
                "batch": draw(st.sampled_from([2, 100])),
                "instances": draw(st.integers(1, 3)),
                "outages": draw(outages),
            },
            "publish": draw(st.sampled_from(["direct", "outbox"])),
            "polling": {"interval": 7, "order": draw(st.sampled_from(["fixed", "random", "poisson"]))},
            "cache_ttl": draw(times.filter(bool)),
        },
        network={
            "latency": {"publish": draw(times), "deliver": draw(times), "call": draw(times)},
            "loss": draw(st.sampled_from([0.0, 0.3, bursts])),
            "ack_loss": draw(st.sampled_from([0.0, 0.3])),
            "outages": network and {**network, "loss": draw(st.sampled_from([0.5, 1.0]))},
        },
        broker={
            "kind": draw(st.sampled_from(["log", "pubsub", "queue", "queue"])),
            "partitions": draw(st.integers(1, 5)),
            "append_time": draw(times),
            "replicas": draw(st.integers(1, 3)),
            "replica_fetch": draw(st.sampled_from([0, 0.2])),
            "retention": draw(st.sampled_from([3, "7d"])),
            "durable": draw(st.booleans()),
            "fsync_interval": draw(st.sampled_from([0, 1])),
            "retention_bytes": draw(st.sampled_from([None, "10kB"])),
            "compaction": draw(st.sampled_from([None, {"min_dirty_ratio": 0.5}])),
            "max_length": draw(st.sampled_from([None, 0, 2])),
            "overflow": draw(st.sampled_from(["reject", "drop_oldest"])),
            "outages": draw(broker_outages()),
        },
        consumers=[consumer("billing"), consumer("quota")],
    )


@settings(max_examples=300)
@given(scenario=scenarios(), name=st.sampled_from([*PRESETS, "table/notice/cache", "table/delta/copy", "table/notice/source"]))
def test_every_message_ends_in_one_outcome_and_nothing_is_newer_than_the_truth(scenario: Scenario, name: str) -> None:
    journal = simulate(scenario, name)  # raises when conservation is broken
    reads, changes, deliveries = journal.reads, journal.changes, journal.deliveries
    assert np.all(reads["version_seen"] <= reads["version_true"])
    assert np.all(reads["latency"][reads["answered"]] >= 0)
    committed = changes["committed"] != NONE
    assert np.all(changes["committed"][committed] >= changes["time"][committed])
    for entity in np.unique(changes["entity"]):
        mine = np.flatnonzero(committed & (changes["entity"] == entity))
        mine = mine[np.argsort(changes["version"][mine])]
        assert changes["version"][mine].tolist() == list(range(1, mine.size + 1))
        assert np.all(np.diff(changes["committed"][mine]) >= 0), "versions follow commits"
    applied = deliveries["applied"] != NONE
    assert np.all(deliveries["stored"][applied] >= changes["committed"][deliveries["change"]][applied])
    assert np.all(deliveries["delivered"][applied] >= deliveries["stored"][applied])
    assert np.all(deliveries["applied"][applied] >= deliveries["delivered"][applied])
    assert np.all(deliveries["copies"] <= deliveries["attempts"])
    for fate, excuse in excuses(scenario).items():
        assert excuse or not np.any(deliveries["outcome"] == OUTCOMES.index(fate)), fate
    for value in measure(journal):
        assert np.isfinite(value.value), value
        assert value.value >= 0 or value.metric == "storage_growth_bytes_per_day", value
        assert value.unit != "share" or value.value <= 1 + 1e-12, value


def excuses(scenario: Scenario) -> dict[str, bool]:
    """For each way to be lost, whether the scenario has a reason for it."""
    direct, broker = scenario.source.publish == "direct", scenario.broker
    chained = any(consumer.listens_to for consumer in scenario.consumers)  # what a consumer republishes has no relay
    retained = scenario.broker.retention < 1000 or scenario.broker.retention_bytes is not None
    broken = any(consumer.outages is not None for consumer in scenario.consumers)
    before = any(consumer.commit.when == "before" for consumer in scenario.consumers)
    network = scenario.network
    lossy = network.loss != 0 or network.ack_loss > 0 or network.outages is not None
    return {
        "dead_letter": any(consumer.failure_rate > 0 or consumer.poison for consumer in scenario.consumers),
        "lost_publish": direct and scenario.source.outages is not None,
        "lost_network": (direct or chained) and lossy,
        "lost_broker": broker.outages is not None or direct or chained,  # or every acknowledgement came too late
        "lost_overflow": broker.max_length is not None and broker.kind != "log",
        "lost_retention": retained and broker.kind == "log",
        "lost_disconnected": broken and broker.kind == "pubsub",
        "lost_consumer": broken and (before or broker.kind == "pubsub"),
        "in_flight": scenario.drain < 1000 or broker.outages is not None or scenario.source.outages is not None,
    }


SAFE: tuple[dict[str, object], ...] = (
    {"source.publish": "outbox", "consumers.quota.listens_to": None},
    {"source.publish": "cdc", "consumers.quota.listens_to": None, "source.relay.instances": 1},
    {"source.outages": None, "network.loss": 0.0, "network.outages": None},
    {"broker.outages": None},
    {"broker.kind": "log", "broker.replicas": 3, "source.producer.acks": "all"},
    {"broker.durable": True, "broker.fsync_interval": 0, "broker.replicas": 1},
    {"broker.max_length": None, "broker.retention": "7d", "broker.retention_bytes": None},
    {f"consumers.{c}.outages": None for c in ("billing", "quota")},
    {f"consumers.{c}.instances": 1 for c in ("billing", "quota")},
    {f"consumers.{c}.deduplicate": True for c in ("billing", "quota")},
    {"source.producer.idempotent": True},
    {"network.latency.publish": 0.01, "network.latency.deliver": 0.01, "workload.regions": 1},
    {f"consumers.{c}.commit.when": "after" for c in ("billing", "quota")},
)


@settings(max_examples=400)
@given(scenario=scenarios(), safe=st.sets(st.sampled_from(range(len(SAFE))), min_size=4), name=SENDING)
def test_what_leaves_no_way_to_lose_repeat_or_delay_a_message_does_not(scenario: Scenario, safe: set[int], name: str) -> None:
    journal = simulate(scenario.with_overrides({path: value for number in sorted(safe) for path, value in SAFE[number].items()}), name)
    consumer = journal.deliveries["consumer"]
    repeated, gone = journal.deliveries["copies"] > 1, np.isin(journal.deliveries["outcome"], LOST)
    for number, of in enumerate(journal.facts["consumers"]):
        assert journal.facts["can_lose"][number] or not np.any(gone[consumer == number])
        assert journal.facts["can_repeat"][number] or not np.any(repeated[consumer == number])
        late = [value.value for value in measure(journal) if (value.metric, value.consumer) == ("out_of_order_rate", of)]
        assert journal.facts["can_come_late"][number] or not any(late)


@settings(max_examples=40)
@given(scenario=scenarios(), name=st.sampled_from(["event_notification", "event_carried_state_transfer", "event_sourcing_cqrs", "polling"]))
def test_without_loss_every_copy_equals_the_source_after_the_drain(scenario: Scenario, name: str) -> None:
    changes: dict[str, object] = {"drain": 30_000, "network.loss": 0.0, "network.outages": None, "broker.retention": "7d"}
    changes |= {"broker.outages": None, "source.outages": None, "broker.max_length": None, "broker.retention_bytes": None}
    settled = (("outages", None), ("on_gap", "refetch"), ("on_notice", "call_back"), ("apply", "newest_version"), ("failure_rate", 0.0))
    settled += (("poison", []),)
    changes |= {f"consumers.{c}.{key}": value for c in ("billing", "quota") for key, value in settled}
    changes |= {"source.producer.retries": 20, "source.producer.ack_timeout": "60s"}
    journal = simulate(scenario.with_overrides(changes), name)
    diverged = [value.value for value in measure(journal) if value.metric == "diverged_entities"]
    assert diverged == [0, 0]


@settings(max_examples=60)
@given(scenario=scenarios(), name=st.sampled_from(["event_carried_state_transfer", "cqrs"]), delay=st.sampled_from([0.001, 0.1, 3]))
def test_adding_delay_to_every_message_never_lowers_staleness(scenario: Scenario, name: str, delay: float) -> None:
    # all that consumers do is shifted by the delay, unless a clock that isn't has a part in it: polls, call backs, outages, redelivery
    calm: dict[str, object] = {"broker.outages": None, "broker.max_length": None, "broker.retention": "7d", "broker.retention_bytes": None}
    steady = {"outages": None, "poll_interval": 0, "needs_more": 0.0, "redeliver_after": None, "failure_rate": 0.0, "listens_to": None}
    steady |= {"slow": None, "poison": []}
    calm |= {f"consumers.{c}.{key}": value for c in ("billing", "quota") for key, value in steady.items()}
    calm |= {f"consumers.{c}.apply": "newest_version" for c in ("billing", "quota")}
    soon, late = (
        {
            (value.consumer, value.metric): value.value
            for value in measure(simulate(scenario.with_overrides({**calm, "network.latency.deliver": deliver}), name))
            if value.metric in ("stale_fraction", "staleness_mean", "staleness_p95", "staleness_p99", "versions_behind_mean", "age_mean")
        }
        for deliver in (0.01, 0.01 + delay)
    )
    for key, value in soon.items():
        assert late[key] >= value - 1e-12, key


@settings(max_examples=100)
@given(scenario=scenarios(), name=SENDING)
def test_with_acks_all_and_a_replica_that_survives_nothing_acknowledged_is_lost_in_the_broker(scenario: Scenario, name: str) -> None:
    safe = scenario.with_overrides(
        {"broker.kind": "log", "broker.replicas": 3, "source.producer.acks": "all", "consumers.quota.listens_to": None}
    )
    journal = simulate(safe, name)
    acknowledged = journal.changes["acknowledged"][journal.deliveries["change"]] != NONE
    assert not np.any(acknowledged & (journal.deliveries["outcome"] == OUTCOMES.index("lost_broker")))


@settings(max_examples=100)
@given(scenario=scenarios(), name=SENDING)
def test_at_most_once_never_duplicates(scenario: Scenario, name: str) -> None:
    once: dict[str, object] = {"source.producer.retries": 0, "source.publish": "direct"}
    once |= {
        f"consumers.{c}.{key}": value for c in ("billing", "quota") for key, value in (("commit.when", "before"), ("redeliver_after", None))
    }
    assert simulate(scenario.with_overrides(once), name).deliveries["copies"].max(initial=0) <= 1


@settings(max_examples=100)
@given(scenario=scenarios(), name=SENDING)
def test_with_every_id_remembered_no_effect_is_duplicated(scenario: Scenario, name: str) -> None:
    remembered = scenario.with_overrides({f"consumers.{c}.deduplicate": True for c in ("billing", "quota")})
    assert simulate(remembered, name).deliveries["copies"].max(initial=0) <= 1


def lost(scenario: Scenario, name: str) -> set[tuple[int, int]]:
    deliveries = simulate(scenario, name).deliveries
    gone = np.isin(deliveries["outcome"], LOST)
    return set(zip(deliveries["change"][gone].tolist(), deliveries["consumer"][gone].tolist(), strict=True))


UNHURRIED: dict[str, object] = {  # where one message's luck is not another's: nothing queues for the broker, nothing is pushed out
    "broker.kind": "log",
    "broker.append_time": 0,
    "broker.retention": "7d",
    "broker.retention_bytes": None,
    "broker.durable": True,
    "broker.fsync_interval": 0,
    "source.publish": "direct",
    "source.producer.batch": 1,
    "consumers.billing.commit.when": "after",
    "consumers.quota.commit.when": "after",
    "consumers.quota.listens_to": None,
}


@settings(max_examples=100)
@given(scenario=scenarios(), name=SENDING, retries=st.integers(0, 3), more=st.integers(1, 5))
def test_more_retries_never_lose_more(scenario: Scenario, name: str, retries: int, more: int) -> None:
    few, many = (scenario.with_overrides({**UNHURRIED, "source.producer.retries": n}) for n in (retries, retries + more))
    assert lost(many, name) <= lost(few, name)


@settings(max_examples=100)
@given(
    scenario=scenarios(),
    name=SENDING,
    component=st.sampled_from(["broker", "consumers.billing"]),
    length=st.integers(1, 10),
    more=st.integers(1, 10),
)
def test_a_longer_outage_never_loses_less(scenario: Scenario, name: str, component: str, length: int, more: int) -> None:
    def outage(seconds: int) -> Scenario:
        kind = {} if component == "broker" else {"broker.kind": "pubsub", "broker.max_length": None}
        windows = {f"{component}.outages": {"windows": [[10, 10 + seconds]]}}
        calm = dict.fromkeys(("broker.outages", "consumers.billing.outages", "consumers.quota.outages"))
        return scenario.with_overrides({**UNHURRIED, **calm, **kind, **windows})

    assert lost(outage(length), name) <= lost(outage(length + more), name)


def timed(c: float, kind: str) -> Scenario:
    """A scenario in which every time is multiplied by *c*."""
    exponential = {"dist": "exponential"}
    return Scenario(
        warmup=5 * c,
        duration=60 * c,
        drain=100 * c,
        workload={
            "arrivals": {"rate": 8 / c},
            "entities": {"count": 40},
            "reads": {"rate": 2 / c, "own_after": c, "timeout": 2 * c},
        },
        source={
            "write_time": {**exponential, "mean": 0.02 * c},
            "read_time": {**exponential, "mean": 0.03 * c},
            "producer": {"ack_timeout": 0.5 * c, "backoff": 0.1 * c, "batch": 2, "linger": 0.05 * c},
        },
        read_model={"read_time": 0.03 * c},
        event_store={
            "snapshot_every": 5,
            "snapshot_time": 0.01 * c,
            "load": {"base": 0.01 * c, "per_event": 0.002 * c},
            "rebuild": {"base": c, "per_event": {**exponential, "mean": 0.05 * c}, "workers": 2},
        },
        network={"latency": {**exponential, "mean": 0.02 * c}, "loss": 0.1, "ack_loss": 0.1, "outages": {"windows": [[30 * c, 32 * c]]}},
        broker={
            "kind": kind,
            "append_time": 0.002 * c,
            "replica_copy": 0.005 * c,
            "outages": {"windows": [[20 * c, 24 * c]]},
            "retention": 9 * c,
        },
        consumers=[
            {
                "name": "billing",
                "handle_time": {**exponential, "mean": 0.1 * c},
                "handover_time": 0.01 * c,
                "poll_interval": 0.05 * c,
                "commit": {"every": 3 * c},
                "failure_rate": 0.1,
                "backoff": 0.3 * c,
                "rebalance": 1.5 * c,
                "outages": {"windows": [[40 * c, 44 * c]], "rolling": True},
                "slow": {"windows": [[50 * c, 55 * c]], "factor": 3},
                "poison": [35 * c],
            }
        ],
    )


@settings(max_examples=12)
@given(kind=st.sampled_from(["log", "queue", "pubsub"]), name=SENDING)
def test_scaling_every_time_scales_every_time_metric(kind: str, name: str) -> None:
    scale = {"s": 4.0, "1/s": 0.25, "bytes/s": 0.25, "bytes/day": 0.25}
    found = [
        {(v.metric, v.component): (v.value * (scale.get(v.unit, 1.0) if c == 1 else 1.0)) for v in measure(simulate(timed(c, kind), name))}
        for c in (1, 4)
    ]
    for key in found[0].keys() | found[1].keys():
        assert np.isclose(found[0][key], found[1][key], rtol=1e-5, atol=1e-6), (key, found[0][key], found[1][key])
