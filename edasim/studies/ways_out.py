"""Ways out of the source: how a change that has been committed becomes a message, and who tries again when that fails."""

from edasim.scenario import Scenario

PATTERN = "event_notification"
PATIENT = 10  # times as many retries as usual
USUAL = 3  # retries


def ways_out(scenario: Scenario, pattern: str = PATTERN) -> Scenario:
    """The *scenario* with five options of one *pattern*: sent once and blindly; with retries; with ten times as many; outbox; CDC.

    Itself if it names options. The retries are the scenario's own, three where it has none; so are the acknowledgements that a direct
    publisher awaits, one where there are none. The relays await those of all replicas: with fewer, what no follower has copied when
    the leader fails is lost to a relay, too.

    >>> [option.name for option in ways_out(Scenario()).options]
    ['direct-acks-0', 'direct-3-retries', 'direct-30-retries', 'outbox', 'cdc']
    """
    if scenario.options:
        return scenario
    producer = scenario.source.producer
    usual, acks = producer.retries or USUAL, producer.acks or 1
    ways = {"direct-acks-0": _direct(0, usual)}
    ways |= {f"direct-{retries}-retries": _direct(acks, retries) for retries in (usual, PATIENT * usual)}
    ways |= {publish: {"source.publish": publish, "source.producer.acks": "all"} for publish in ("outbox", "cdc")}
    return scenario.with_overrides({"options": [{"name": name, "pattern": pattern, "set": said} for name, said in ways.items()]})


def _direct(acks: int | str, retries: int) -> dict[str, object]:
    return {"source.publish": "direct", "source.producer.acks": acks, "source.producer.retries": retries}
