"""What falls behind the changes for ever: a relay or a queue's consumer that is slower than they come, and by how much.

What waits for it grows by (messages that come - messages that it can handle) a second. There come as many for each change as in the
window. A relay takes `batch` at each `poll`, of each of its `instances`; a consumer can handle as many as `theory.falls_behind_at` says.
That is the most, for failures, outages and a busy source make both slower. So where clearly more came than went in both halves of the
window, it can handle as many as went, if that is clearly less. A queue of 4 a second to which 5 come grows by one message a second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, IN_FLIGHT, NONE, Journal
from edasim.metrics.backlog import Waiting
from edasim.metrics.delivery import in_window
from edasim.metrics.storage import DAY_S
from edasim.patterns import pattern_of, patterns_of, way_out
from edasim.scenario import Scenario
from edasim.theory import falls_behind_at

Ints = NDArray[np.int64]
STORES = {"outbox": "outbox", "cdc": "wal"}  # where a relay's messages wait; a subscription reads the events, which stay anyway
CLEARLY = 2  # standard deviations of what comes and what goes, as of a queue at its limit


@dataclass(frozen=True)
class Stage:
    """What waits in *component* for *who* (a consumer, or "": the relay): bytes a message, how many more a second, and how many at most."""

    component: str
    who: str
    message_bytes: float
    growth_per_s: float
    most: float = np.inf


def relays(journal: Journal, scenario: Scenario, changes_per_s: float) -> list[Stage]:
    """The relay of each region that writes; none where the source publishes without one."""
    publish = way_out(pattern_of(journal.facts["pattern"]), scenario)
    if publish == "direct" or not any(journal.facts["sends"]):
        return []
    changes, settings, counted = journal.changes, scenario.source.relay, in_window(journal)
    regions = changes["region"] if journal.facts["writers"] > 1 else np.zeros_like(changes["region"])
    stages = []
    for region in np.unique(regions[counted]):
        mine = (regions == region) & (changes["committed"] != NONE)
        most = settings.batch * settings.instances / settings.poll
        able = _able(journal, changes["committed"][mine], changes["acknowledged"][mine], most)
        share = float((mine & counted).sum() / counted.sum())
        size = float(changes["bytes"][mine & counted].mean())
        stages.append(Stage(STORES.get(publish, ""), "", size, max(share * changes_per_s - able, 0.0)))
    return stages


def queues(journal: Journal, scenario: Scenario, changes_per_s: float, sent_per_s: float) -> Iterator[Stage]:
    """The queue of each consumer, where the broker has queues; *sent_per_s*: as many leave the source at most."""
    if scenario.broker.kind != "queue":
        return
    deliveries, (start, end), changes = journal.deliveries, journal.facts["window"], max(int(in_window(journal).sum()), 1)
    patterns = patterns_of(pattern_of(journal.facts["pattern"]), scenario)
    for number, (consumer, pattern) in enumerate(zip(scenario.consumers, patterns, strict=True)):
        mine = (deliveries["consumer"] == number) & np.isin(deliveries["outcome"], (APPLIED, IN_FLIGHT))
        stored = deliveries["stored"][mine]
        there = (stored >= start) & (stored < end)
        if not there.any():
            continue
        able = _able(journal, stored, deliveries["applied"][mine], falls_behind_at(scenario, consumer, pattern))
        come = min(changes_per_s * min(float(there.sum()) / changes, 1.0), sent_per_s)
        most = np.inf if scenario.broker.max_length is None else scenario.broker.max_length + consumer.instances * consumer.prefetch
        yield Stage("log", consumer.name, float(deliveries["bytes"][mine][there].mean()), max(come - able, 0.0), most)


def keeps_growing(stages: Sequence[Stage]) -> dict[tuple[str, str], float]:
    """By how many bytes a day what waits gets more, today, by component and whom it waits for; not where a queue is limited."""
    found: dict[tuple[str, str], float] = {}
    for stage in stages:
        if stage.most == np.inf:
            key = stage.component, stage.who
            found[key] = found.get(key, 0.0) + stage.growth_per_s * stage.message_bytes * DAY_S
    return found


def _able(journal: Journal, came: Ints, went: Ints, most: float) -> float:
    """How many can go in a second: *most*; or as many as went in the window, if clearly more came in both halves and those are fewer."""
    start, end = journal.facts["window"]
    seconds, edges = (end - start) / 1e9, np.linspace(start, end, 3).astype(np.int64)
    number = np.diff(np.searchsorted(np.sort(came), edges))
    more = np.diff(Waiting.of(came, went).at(edges))
    done = float((number - more).sum())
    behind = bool(np.all(more > CLEARLY * np.sqrt(2 * number))) and done + CLEARLY * done**0.5 < most * seconds
    return done / seconds if behind else most
