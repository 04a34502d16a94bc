"""Causes: by which of a scenario's own settings and faults messages can be lost, come twice or come late at a consumer.

Each is a clause for people; where there is none it can't happen, whatever the luck: what can't be lost is lost 0 times by nature
(tests/test_ledger.py and, with random scenarios, tests/test_properties.py hold that against simulations). Where there is one it may take
very bad luck, so what runs have shown says more (edasim/ledger/facts.py). An example: a consumer that is restarted while it reads a log
handles again what it had not committed; without restarts, lost acknowledgements and outages of the broker nothing comes twice.
"""

from collections.abc import Iterator

from edasim.distributions import Constant
from edasim.scenario import Consumer, Outages, Scenario

TAIL = 10  # a round trip may take so many times its mean: one that is on time by more is never taken for lost
POISONOUS = ("slow", "poison")  # incidents in which no consumer goes down


def struck_by(scenario: Scenario, component: str) -> tuple[str, ...]:
    """The kinds of outages ("process", "power" ...) that the source, relay, network, broker or consumer of this name has; none if never."""
    outages: dict[str, Outages | None] = {"source": scenario.source.outages, "relay": scenario.source.relay.outages}
    outages |= {"network": scenario.network.outages, "broker": scenario.broker.outages}
    outages |= {consumer.name: consumer.outages for consumer in scenario.consumers}
    mine = outages[component]
    own = [getattr(mine, "kind", "process")] if mine is not None and (mine.windows or mine.up is not None) else []
    rare = [each.kind for each in scenario.incidents if each.component == component and each.per_year and each.kind not in POISONOUS]
    return tuple(dict.fromkeys([*own, *rare]))


def line_before(scenario: Scenario, consumer: Consumer) -> list[Consumer]:
    """The consumers that a message passes on its way: *consumer*, whom it listens to, and so on."""
    line = [consumer]
    while line[-1].listens_to is not None:
        line.append(scenario.consumers[scenario.consumer_number(line[-1].listens_to)])
    return line


def repeats(scenario: Scenario, consumer: Consumer, publish: str) -> Iterator[str]:
    """Why a message may be handled more than once; *publish*: how it leaves the source."""
    broker = scenario.broker
    for each in line_before(scenario, consumer):
        if struck_by(scenario, each.name) and broker.kind != "pubsub" and each.commit.when == "after":
            yield f"{each.name} handles again after a restart what it had not acknowledged"
        if broker.kind == "queue" and each.redeliver_after is not None:
            yield f"the queue delivers again what {each.name} has not acknowledged after {each.redeliver_after:g} s"
    if broker.kind == "queue" and struck_by(scenario, "broker"):
        yield "a queue that comes back delivers again what was in work"
    if _may_refuse(scenario) and len(scenario.consumers) > 1:
        yield "what one full queue refused is sent to all of them again"
    if publish not in ("direct", "nothing") and struck_by(scenario, "relay"):
        yield "a relay that comes back sends again what it had not marked as sent"
    yield from _resent(scenario, consumer, publish)


def _resent(scenario: Scenario, consumer: Consumer, publish: str) -> Iterator[str]:
    """Why a publisher may send again what the broker has already, and count twice."""
    if not _tries_again(scenario, publish) or _is_recognised(scenario, consumer):
        return
    if scenario.network.ack_loss > 0:
        yield "an acknowledgement that is lost makes the publisher send again"
    if struck_by(scenario, "broker"):
        yield "a broker that fails leaves the publisher without an answer, so it sends again"
    patience = scenario.source.producer.ack_timeout
    if _round_trip(scenario) * TAIL > patience:
        yield f"an acknowledgement may take longer than the publisher waits for it, {patience:g} s"


def _tries_again(scenario: Scenario, publish: str) -> bool:
    """Whether a message may be sent again. A relay sends until it is told."""
    producer = scenario.source.producer
    return publish not in ("direct", "nothing") or (producer.acks != 0 and producer.retries > 0)


def _is_recognised(scenario: Scenario, consumer: Consumer) -> bool:
    """Whether the broker knows what it has already, and does not forget that; what is republished has no such publisher."""
    return consumer.listens_to is None and scenario.source.producer.idempotent and not any(_forgotten(scenario))


def can_repeat(scenario: Scenario, consumer: Consumer, publish: str) -> bool:
    """Whether a message may be handled more than once by any luck; not by who remembers every id."""
    return consumer.deduplicate is not True and _comes_again(scenario, consumer, publish)


def _comes_again(scenario: Scenario, consumer: Consumer, publish: str) -> bool:
    """Whether a message may be delivered more than once by any luck: unlike in `repeats`, an acknowledgement may always take too long."""
    again = _tries_again(scenario, publish) and not _is_recognised(scenario, consumer)
    return again or any(repeats(scenario, consumer, publish))


def _round_trip(scenario: Scenario) -> float:
    """Mean seconds from sending a message until its acknowledgement is back."""
    broker, copied = scenario.broker, 0.0
    if scenario.source.producer.acks == "all" and broker.kind == "log" and broker.replicas > 1:
        copied = broker.replica_fetch + broker.replica_copy.mean()
    return 2 * scenario.network.latency.publish.mean() + broker.append_time.mean() + copied


def losses(scenario: Scenario, consumer: Consumer, publish: str) -> Iterator[str]:
    """Why a message may never be handled; *publish*: how it leaves the source."""
    if publish == "direct" and struck_by(scenario, "source"):
        yield "a source that dies between the commit and the acknowledgement forgets to publish"
    if publish == "direct" or consumer.listens_to is not None:
        yield from _given_up(scenario)
    yield from _lost_in_the_broker(scenario)
    for each in line_before(scenario, consumer):
        if struck_by(scenario, each.name) and scenario.broker.kind == "pubsub":
            yield f"while {each.name} is down it misses what is published"
        elif struck_by(scenario, each.name) and each.commit.when == "before":
            yield f"{each.name} acknowledges before it handles, so a crash loses what it had taken"


def _given_up(scenario: Scenario) -> Iterator[str]:
    """Why a publisher that does not try for ever may give up."""
    tries = 0 if scenario.source.producer.acks == 0 else scenario.source.producer.retries
    after = f"after {tries} retries the publisher gives up" if tries else "the publisher sends once"
    if struck_by(scenario, "broker"):
        yield f"{after}, however long the broker is down"
    if scenario.network.loss != 0 or struck_by(scenario, "network"):
        yield f"{after}, and the network loses requests"
    if _may_refuse(scenario):
        yield f"{after}, however long the queue is full"


def _may_refuse(scenario: Scenario) -> bool:
    """Whether a queue that is full tells the publisher so."""
    broker = scenario.broker
    return broker.kind == "queue" and broker.max_length is not None and broker.overflow == "reject"


def _forgotten(scenario: Scenario) -> Iterator[str]:
    """Why the broker may forget what it has stored."""
    broker, falls = scenario.broker, struck_by(scenario, "broker")
    led = broker.kind == "log" and broker.replicas > 1
    if falls and led and scenario.source.producer.acks != "all":
        yield f"a leader that fails takes with it what no follower had copied (acks: {scenario.source.producer.acks})"
    if falls and not led and (not broker.durable or ("power" in falls and broker.fsync_interval > 0)):
        yield "a broker that fails loses what it had not written to disk"


def _lost_in_the_broker(scenario: Scenario) -> Iterator[str]:
    """Why a message that is stored may be gone before it is handled."""
    broker = scenario.broker
    yield from _forgotten(scenario)
    if broker.kind == "log" and broker.retention < scenario.window[1] + scenario.drain:
        yield f"the log keeps a message for {broker.retention:g} s only"
    if broker.kind == "log" and broker.retention_bytes is not None:
        yield "the log drops the oldest messages when it is full"
    if broker.kind != "log" and broker.max_length is not None and (broker.kind == "pubsub" or broker.overflow == "drop_oldest"):
        yield "a full buffer drops messages and tells nobody"


def can_come_late(scenario: Scenario, consumer: Consumer, publish: str) -> bool:
    """Whether an older message may be handled first after a newer one by any luck: also one whose first copy failed or was lost."""
    fails = any(each.failure_rate or each.poison for each in line_before(scenario, consumer))
    gone = fails or any(losses(scenario, consumer, publish))
    return any(latenesses(scenario, consumer, publish)) or (gone and _comes_again(scenario, consumer, publish))


def latenesses(scenario: Scenario, consumer: Consumer, publish: str) -> Iterator[str]:
    """Why an older message may be handled after a newer one of the same entity, repeats aside; *publish*: how it leaves the source."""
    broker, latency = scenario.broker, scenario.network.latency
    directly = publish == "direct" or any(each.listens_to is not None for each in line_before(scenario, consumer))
    if directly and not isinstance(latency.publish, Constant):
        yield "messages that are published directly overtake each other"
    if scenario.source.relay.instances > 1 and publish == "outbox":
        yield f"{scenario.source.relay.instances} relays send side by side and overtake each other"
    if scenario.network.loss != 0 or any(struck_by(scenario, where) for where in ("broker", "network")):
        yield "what is sent again comes after what was sent meanwhile"
    if _may_refuse(scenario) and _tries_again(scenario, publish):
        yield "what a full queue refuses is sent again after what came meanwhile"
    if broker.kind == "queue" and any(each.instances > 1 for each in line_before(scenario, consumer)):
        yield "instances that compete for a queue overtake each other"
    if broker.kind != "log" and not isinstance(latency.deliver, Constant):
        yield "deliveries overtake each other"
    if sum(share > 0 for share in scenario.workload.regions.shares) > 1:
        yield "what several regions write comes by ways of its own"
