"""What a scenario may ask for that this version does not simulate yet: refused in a sentence, never ignored."""

from edasim.patterns import Pattern
from edasim.scenario import GilbertElliott, Scenario

MOST = 1_000_000  # polls of one consumer, or outages of one component, in one run


def why_not(scenario: Scenario, pattern: Pattern) -> list[str]:
    """One sentence for each thing that the scenario asks for and the model can't do; empty when it can be simulated."""
    source, broker, reads = scenario.source, scenario.broker, scenario.workload.reads
    asked = {
        "workload.regions: more than one region": scenario.workload.regions != 1,
        "workload.reads.retries: reads that are tried again": reads.retries > 0,
        "source.relay.instances: several relays": source.relay.instances > 1,
        "source.relay.outages: outages of the relay": source.relay.outages is not None,
        "source.producer.linger and batch: batching": source.producer.linger > 0 or source.producer.batch > 1,
        "source.producer.idempotent: an idempotent producer": source.producer.idempotent,
        "network.loss: loss in bursts (gilbert_elliott)": isinstance(scenario.network.loss, GilbertElliott),
        "broker.kind: queue": broker.kind == "queue",
        "broker.durable: a broker that forgets": not broker.durable,
        "broker.fsync_interval: syncing late": broker.fsync_interval > 0,
        "broker.outages.kind: a power loss": broker.outages is not None and broker.outages.kind == "power",
        "broker.retention_bytes: retention by size": broker.retention_bytes is not None,
        "broker.compaction: compaction": broker.compaction is not None,
        "broker.max_length: bounded queues": broker.max_length is not None,
        "broker.overflow: drop_oldest": broker.overflow != "reject",
    }
    for consumer in scenario.consumers:
        where = f"consumers.{consumer.name}"
        asked |= {
            f"{where}.prefetch: more than one": consumer.prefetch > 1,
            f"{where}.redeliver_after: redelivery after a time": consumer.redeliver_after is not None,
            f"{where}.on_notice: react": consumer.on_notice != "call_back",
            f"{where}.needs_more: partial state": consumer.needs_more > 0,
            f"{where}.listens_to: chains": consumer.listens_to is not None,
            f"{where}.carries and reads: consumers that differ from their option": consumer.carries is not None
            or consumer.reads is not None,
            f"{where}.poll_interval: sleeping after an empty poll": consumer.poll_interval > 0,
            f"{where}.commit.messages: commit by count": consumer.commit.messages is not None,
            f"{where}.commit.when: commit before handling": consumer.commit.when != "after",
            f"{where}.failure_rate: failing attempts": consumer.failure_rate > 0,
            f"{where}.deduplicate: deduplication": consumer.deduplicate is not False,
            f"{where}.apply: last_arrival": consumer.apply != "newest_version",
        }
    horizon = scenario.window[1] + scenario.drain
    if pattern.name == "polling" and horizon / source.polling.interval > MOST:
        return [f"source.polling.interval: {horizon / source.polling.interval:.3g} polls in one run; at most {MOST:,} are allowed"]
    places = {"source.outages": source.outages, "broker.outages": broker.outages}
    places |= {f"consumers.{consumer.name}.outages": consumer.outages for consumer in scenario.consumers}
    for where, outages in places.items():
        if outages is not None and outages.up is not None and horizon / outages.up.mean() > MOST:
            return [f"{where}: {horizon / outages.up.mean():.3g} outages in one run; at most {MOST:,} are allowed"]
    if pattern.truth == "table" and pattern.sends and source.publish == "subscription":
        return ["source.publish: subscription reads an event store, but the truth is a table here; allowed: direct, outbox, cdc"]
    return [f"{what} is not modelled yet" for what, is_asked in asked.items() if is_asked]
