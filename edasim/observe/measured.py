"""Journals of real brokers (`edasim measure`): what the broker and its client took, without the workload, which was the scenario's own.

Measured are: when a change was sent (`committed`), the middle of the round trip of its confirmation (`stored`), when its handling began
(`delivered`) and ended (`applied`). As in edasim/validation/reality/handover.py, what waited is told from what did not: a message whose
handling began while nobody else was in the way was in transit; one that was there when the message before ended waited for the handover,
and one that had come before the one before was stored waited for the append. Where somebody polls (a relay of an outbox, a reader of an
event table) every message waits for a poll, which is in the scenario: there the transit is that of the quickest.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.estimates import short
from edasim.journal import APPLIED, NONE, WAYS, Journal
from edasim.metrics.backlog import partition_of
from edasim.observe.document import Observed, ObservedFile, Read, written
from edasim.observe.paths import APPEND, BASE, DELIVER, HANDOVER, PER_EVENT, PUBLISH, REBUILD_PER_EVENT
from edasim.observe.sizes import observed_spread, spread_of
from edasim.partitions import owners
from edasim.store_fits import line_through

FEWEST = 30  # messages, for a time
QUICKEST = 0.01  # share of the messages that just caught a poll
FEWEST_SIZES = 4  # numbers of events, for what a load takes
Ints = NDArray[np.int64]


def measured_journal(journal: Journal, name: str) -> Read:
    """What a measured *journal* tells of its broker and client; *name*: of its folder."""
    inputs = [*_on_the_way(journal, name), *_to_consumers(journal, name), *_replay(journal, name)]
    said = journal.facts.get("measured", {})
    versions = [f"{what} {version}" for what, version in said.get("versions", {}).items()]
    where = ", ".join([*versions, *(f"{key} {said[key]}" for key in ("technology", "cpu", "cores", "os", "date") if key in said)])
    file = ObservedFile(name=name, form="journal of a real broker", rows=journal.changes["time"].size, notes=(where,) if where else ())
    return Read(file, tuple(inputs), notes=(*_recovery(journal), *_bytes(journal)))


# --- from the source to the broker


def _on_the_way(journal: Journal, name: str) -> Iterator[Observed]:
    """Publishing, and appending where messages queued for it; a relay stores a whole batch at once, so of one only the former."""
    sent, stored, line = _published(journal)
    if _polled(journal) == "table":
        yield from _quickest(PUBLISH, stored - sent, f"{name}: from committed to published by a relay")
        return
    alone, gaps = [], []
    for number in np.unique(line):
        mine = np.flatnonzero(line == number)
        mine = mine[np.argsort(stored[mine], kind="stable")]
        before = np.concatenate([[np.iinfo(np.int64).min // 2], stored[mine[:-1]]])
        took = stored[mine] - sent[mine]
        free = before <= sent[mine]
        alone.append(took[free])
        usual = np.median(took[free]) if free.any() else np.inf
        gaps.append((stored[mine] - before)[sent[mine] + usual <= before])
    published, append = np.concatenate(alone or [stored]), np.concatenate(gaps or [stored])
    appending = append.mean() if append.size >= FEWEST else 0.0
    said = f"{name}: from sent to the middle of the confirmation's round trip, of messages that met no other at the broker"
    yield from _time(PUBLISH, np.maximum(published - appending, 0), said + (", less the time to append" if appending else ""))
    if append.size >= FEWEST:
        yield from _time(APPEND, append, f"{name}: between two messages stored, of which the second had come before the first was stored")


def _published(journal: Journal) -> tuple[Ints, Ints, Ints]:
    """When each message that was stored at its first attempt was sent and stored, and the line in which it was appended; ns."""
    deliveries, changes = journal.deliveries, journal.changes
    rows = (deliveries["stored"] != NONE) & (changes["publish_attempts"][deliveries["change"]] == 1)
    change, first = np.unique(deliveries["change"][rows], return_index=True)
    line = partition_of(journal, change) if journal.facts["partitions"] else np.zeros(change.size, dtype=np.int64)
    return changes["committed"][change], deliveries["stored"][rows][first], line


# --- from the broker to the consumers


def _to_consumers(journal: Journal, name: str) -> Iterator[Observed]:
    """Transit to a consumer that is idle, and handover of one that is not; of all consumers together, for they have one client."""
    found = [_of_consumer(journal, number) for number in range(len(journal.facts["consumers"]))]
    transit, handover = (np.concatenate([part[place] for part in found] or [np.empty(0, np.int64)]) for place in (0, 1))
    fit = _quickest if _polled(journal) == "events" else _time
    said = f"{name}: from stored to the beginning of handling, of messages that met an idle consumer"
    yield from fit(DELIVER, np.maximum(transit, 0), said)
    yield from _time(HANDOVER, handover, f"{name}: from the end of one message to the beginning of the next, which had come before")


def _of_consumer(journal: Journal, number: int) -> tuple[Ints, Ints]:
    """Transit and handover times at one consumer, in ns; of none that an outage fell into."""
    deliveries = journal.deliveries
    mine = (deliveries["consumer"] == number) & (deliveries["delivered"] != NONE) & (deliveries["stored"] != NONE)
    mine &= (deliveries["outcome"] == APPLIED) & (deliveries["attempts"] == 1) & (deliveries["copies"] == 1)
    stored, begun, ended = (deliveries[column][mine] for column in ("stored", "delivered", "applied"))
    before = _end_before(journal, number, begun, ended, deliveries["change"][mine])
    waited = stored <= before
    usual_handover = np.median((begun - before)[waited]) if waited.any() else 0
    transit = (begun - stored)[(_last_end(stored, ended) + usual_handover <= stored) & ~_struck(journal, stored, begun)]
    usual_transit = np.median(transit) if transit.size else 0
    return transit, (begun - before)[(stored + usual_transit <= before) & ~_struck(journal, before, begun)]


def _struck(journal: Journal, begins: Ints, ends: Ints) -> NDArray[np.bool_]:
    """Whether anybody was down at any time from *begins* to *ends*, each of shape (messages,)."""
    found = np.zeros(begins.size, dtype=bool)
    for start, end in zip(journal.faults["start"].tolist(), journal.faults["end"].tolist(), strict=True):
        found |= (begins < end) & (ends > start)
    return found


def _last_end(stored: Ints, ended: Ints) -> Ints:
    """The last end of any message that was stored before each; far in the past for the first."""
    order = np.argsort(stored, kind="stable")
    found = np.empty_like(stored)
    found[order] = np.concatenate([[np.iinfo(np.int64).min // 2], np.maximum.accumulate(ended[order])[:-1]])
    return found


def _end_before(journal: Journal, number: int, begun: Ints, ended: Ints, change: Ints) -> Ints:
    """When the instance that handled each message ended the one before; far in the past where there was none.

    Which instance it was, a log tells by the partition. Those that compete for a queue take turns as they become free: the n-th to begin
    takes the place of the n-th to end, and the first of them find a free one.
    """
    instances = _instances(journal, number, begun, ended)
    line = np.zeros(begun.size, dtype=np.int64)
    if journal.facts["partitions"] and instances > 1:
        line, instances = owners(journal.facts["partitions"], instances)[partition_of(journal, change)], 1
    found = np.full(begun.size, np.iinfo(np.int64).min // 2)
    for owned in np.unique(line):
        mine = np.flatnonzero(line == owned)
        mine = mine[np.argsort(begun[mine], kind="stable")]
        found[mine[instances:]] = np.sort(ended[mine])[: max(mine.size - instances, 0)]
    return found


def _instances(journal: Journal, number: int, begun: Ints, ended: Ints) -> int:
    """How many instances the consumer has: one each, if there are as many as consumers; else as many as were at work at once."""
    count, all_of_them = sum(journal.facts["sends"]), journal.facts["machines"]["consumer"]
    if all_of_them == count or count == 1:
        return int(all_of_them // max(count, 1)) or 1
    moments = np.concatenate([begun, ended])
    steps = np.repeat([1, -1], [begun.size, ended.size])
    return int(np.cumsum(steps[np.lexsort((steps, moments))]).max(initial=1))


# --- replay


def _replay(journal: Journal, name: str) -> Iterator[Observed]:
    """base + per_event x n of loads, in log space, each number of events by its median; and what an event takes when all are read."""
    loads = pd.DataFrame({"n": journal.loads["events"], "s": journal.loads["duration"] / 1e9})
    loads = loads[(loads["n"] > 0) & (loads["s"] > 0)]
    medians = loads.groupby("n")["s"].median()
    if len(medians) >= FEWEST_SIZES:
        base, per_event = line_through(medians.index.to_numpy(np.float64), medians.to_numpy(np.float64))
        said = f"{name}: {len(loads):,} loads of {len(medians)} numbers of events, medians, least squares of the logarithms"
        for path, value in ((BASE, base), (PER_EVENT, per_event)):
            yield Observed(path=path, value=written(value, "s"), unit="s", source=said, seen=len(loads))
    for way, items, duration in zip(*(journal.rebuilds[column].tolist() for column in ("way", "items", "duration")), strict=True):
        if WAYS[way] == "log" and items:
            said = f"{name}: a log of {items:,} messages read as a whole"
            yield Observed(path=REBUILD_PER_EVENT, value=written(duration / items / 1e9, "s"), unit="s", source=said, seen=items)


# --- what is no input: notes


def _recovery(journal: Journal) -> Iterator[str]:
    """How long the broker was down each time. It was struck on purpose, so nothing says how often that happens."""
    names, faults = journal.facts["components"]["faults"], journal.faults
    if "broker" in names:
        spans = (faults["end"] - faults["start"])[(faults["component"] == names.index("broker")) & (faults["end"] > faults["start"])] / 1e9
        if spans.size:
            down = short(float(spans.mean()), "s")
            yield f"the broker was struck {spans.size} times and down for {down} on average: an incident's `down`, but not how often"


def _bytes(journal: Journal) -> Iterator[str]:
    """Bytes stored for each message beside its payload, where what is stored is never taken away."""
    sizes, deliveries = journal.storage["bytes"], journal.deliveries
    if sizes.size < 2 or (np.diff(sizes) < 0).any() or not (journal.facts["partitions"] or journal.facts["truth"] == "events"):
        return
    _, first = np.unique(deliveries["change"], return_index=True)
    stored, payload = deliveries["stored"][first], deliveries["bytes"][first]
    start, end = journal.storage["time"][[0, -1]]
    between = (stored != NONE) & (stored > start) & (stored <= end)
    if between.sum() >= FEWEST:
        beside = float((sizes[-1] - sizes[0] - payload[between].sum()) / between.sum())
        each = f"each of {between.sum():,} messages takes {short(beside, 'bytes')} beside its payload"
        yield f"{each}: `event_store.overhead_bytes`, where truth is events"


def _polled(journal: Journal) -> str:
    """What is polled: the table of an outbox, by a relay; the table of events, by consumers; nothing."""
    polls = journal.facts.get("measured", {}).get("technology") == "postgres"
    return str(journal.facts["truth"]) if polls else ""


def _quickest(path: str, taken: NDArray[np.float64] | Ints, said: str) -> Iterator[Observed]:
    if taken.size >= FEWEST:
        least = written(float(np.quantile(taken, QUICKEST)) / 1e9, "s")
        yield Observed(path=path, value=least, unit="s", source=f"{said}: the quickest in a hundred of {taken.size:,}", seen=taken.size)


def _time(path: str, taken: NDArray[np.float64] | Ints, said: str) -> Iterator[Observed]:
    if taken.size >= FEWEST:
        yield observed_spread(path, spread_of(taken / 1e9), "s", f"{said}: {taken.size:,} messages, lognormal with their mean and spread")
