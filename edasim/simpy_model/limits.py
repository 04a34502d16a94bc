"""What a scenario may ask for that can't be simulated: refused in a sentence, never ignored."""

from edasim.patterns import Pattern, patterns_of, way_out
from edasim.scenario import Outages, Scenario

MOST = 1_000_000  # polls of one consumer, or outages of one component, in one run


def why_not(scenario: Scenario, pattern: Pattern) -> str:
    """A sentence that says why the scenario can't be simulated with this pattern; empty when it can."""
    source, broker = scenario.source, scenario.broker
    horizon = scenario.window[1] + scenario.drain
    if pattern.name == "polling" and horizon / source.polling.interval > MOST:
        return f"source.polling.interval: {horizon / source.polling.interval:.3g} polls in one run; at most {MOST:,} are allowed"
    places: dict[str, Outages | None] = {"source.outages": source.outages, "broker.outages": broker.outages}
    places |= {"source.relay.outages": source.relay.outages, "network.outages": scenario.network.outages}
    for consumer in scenario.consumers:
        places |= {f"consumers.{consumer.name}.outages": consumer.outages, f"consumers.{consumer.name}.slow": consumer.slow}
    for where, outages in places.items():
        if outages is not None and outages.up is not None and horizon / outages.up.mean() > MOST:
            return f"{where}: {horizon / outages.up.mean():.3g} outages in one run; at most {MOST:,} are allowed"
    if pattern.truth == "table" and pattern.sends and source.publish == "subscription":
        return "source.publish: subscription reads an event store, but the truth is a table here; allowed: direct, outbox, cdc"
    return _contradiction(scenario, pattern)


def _contradiction(scenario: Scenario, pattern: Pattern) -> str:
    """One sentence about what can't all be true at once, or nothing."""
    source, broker = scenario.source, scenario.broker
    patterns = dict(zip((consumer.name for consumer in scenario.consumers), patterns_of(pattern, scenario), strict=True))
    publish = way_out(pattern, scenario)
    if source.relay.instances > 1 and publish in ("cdc", "subscription"):
        return f"source.relay.instances: several relays can share an outbox; {publish} has one reader: allowed is 1"
    horizon = scenario.window[1] + scenario.drain
    several = len(scenario.workload.regions.shares) > 1 and pattern.carries in ("state", "delta")
    for consumer in scenario.consumers:
        where, upstream = f"consumers.{consumer.name}", consumer.listens_to
        if upstream is not None and patterns[consumer.name].sends and not patterns[upstream].sends:
            silent = patterns[upstream].name
            return f"{where}.listens_to: nothing is sent to {upstream} in pattern {silent}: give it carries: notice, state or delta"
        if broker.kind == "queue" and consumer.commit.messages is not None and consumer.commit.messages > consumer.prefetch:
            return (
                f"{where}.commit.messages: {consumer.commit.messages} acknowledged at once, but a queue sends only prefetch = "
                f"{consumer.prefetch} before: raise prefetch to at least {consumer.commit.messages}"
            )
        if several and patterns[consumer.name].reads in ("source", "cache"):
            return (
                f"{where}.reads: {patterns[consumer.name].reads} asks the source, but with {pattern.carries} every region has one that "
                "accepts writes, and none of them knows all: allowed are copy and read_model"
            )
        asks = consumer.needs_more > 0 or (
            patterns[consumer.name].carries in ("notice", "delta") and patterns[consumer.name].reads != "cache"
        )
        if asks and source.outages is not None and consumer.backoff + scenario.network.latency.call.mean() == 0:
            return f"{where}.backoff: 0 means to call a source that is down for ever at once: raise it, or network.latency.call"
        tries = (consumer.backoff + consumer.handle_time.mean()) * MOST
        if (consumer.failure_rate == 1 or consumer.poison) and not consumer.dead_letter and horizon > tries:
            what = "failure_rate: 1" if consumer.failure_rate == 1 else "poison: a message that is never handled,"
            return f"{where}.{what} without dead letters means more than {MOST:,} attempts: raise backoff, or set dead_letter: true"
    return ""
