"""From everything in the event to nothing in it: how much of what a consumer needs does a message bring, and who pays for the rest?

An event that carries the whole entity leaves nothing to ask: it costs bytes and a copy. One that leaves things out, or only says that
something happened, costs the source a call for the rest. No event at all costs a call for each read.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from edasim.findings import Finding, extremes
from edasim.scenario import Scenario

COSTS = {
    "source_requests_per_s": "Calls to the source",
    "stale_fraction": "Time stale",
    "wire_bytes_per_s": "Bytes on the wire",
    "duplication_factor": "Copies of the data",
}


def from_everything_to_nothing(scenario: Scenario) -> Scenario:
    """The scenario with seven options in place of its own, from the whole entity in each event to no event at all.

    `state`: a message brings all that its handling needs; `state-10%-asks`: one in ten handlings needs more, and calls
    (`needs_more`); `state-50%-asks`; `notice-call-back`: the message is an id, and the consumer fetches the entity; `notice-evict`: it
    empties a cache, and the next read fetches; `cached-reads`: no message, entries live for `source.cache_ttl`; `requests`: each read
    is a call. They hold for every consumer, whatever it carries, reads or asks for in the scenario. All else is as the scenario says.

    >>> [option.name for option in from_everything_to_nothing(Scenario()).options][-3:]
    ['notice-evict', 'cached-reads', 'requests']
    """
    own = {"carries": None, "reads": None, "on_notice": "call_back"}
    asked = {
        "state": ("event_carried_state_transfer", 0.0),
        "state-10%-asks": ("event_carried_state_transfer", 0.1),
        "state-50%-asks": ("event_carried_state_transfer", 0.5),
        "notice-call-back": ("event_notification", 0.0),
        "notice-evict": ("table/notice/cache", 0.0),
        "cached-reads": ("cached_reads", 0.0),
        "requests": ("request_response", 0.0),
    }
    options = [
        {"name": name, "pattern": pattern, "set": at_every_consumer(scenario, {**own, "needs_more": share})}
        for name, (pattern, share) in asked.items()
    ]
    return scenario.with_overrides({"options": options})


def at_every_consumer(scenario: Scenario, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides, by dotted path, that make *changes* at each consumer.

    >>> at_every_consumer(Scenario(), {"apply": "last_arrival"})
    {'consumers.0.apply': 'last_arrival'}
    """
    return {f"consumers.{number}.{key}": value for number in range(len(scenario.consumers)) for key, value in changes.items()}


def who_pays_what(results: pd.DataFrame) -> Finding:
    """Of `compare`'s rows: who calls the source most and least, is stale, puts bytes on the wire, and stores the data again."""
    return Finding("\n".join(f"* **{cost}**: {extremes(results, metric)}." for metric, cost in COSTS.items()))
