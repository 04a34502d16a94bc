"""Backlog: how many messages wait for a consumer, and how long after a fault it is as few as before. Exact, by the times of events.

What waits *at the broker* is stored and not yet handled (`backlog_max`); what waits *in all* is committed and not yet handled, so
that what an outbox holds back counts too (`recovery_time`, `backlog_over_time`). Handled means for the first time: what a crash
makes a consumer do again only delays the others. Lost messages and dead letters never wait, because nobody will handle them, and
journals don't say when they were given up. Messages in flight wait until the end: who never catches up has not recovered.
"""

from dataclasses import dataclass
from re import escape, fullmatch

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, IN_FLIGHT, NONE, POISON, SLOW, Journal
from edasim.metrics.values import Value
from edasim.partitions import partition_of_each

Ints = NDArray[np.int64]
MOST_PARTITIONS = 64  # of more there are no rows of their own


def backlog(journal: Journal) -> list[Value]:
    """The most that waits at the broker, for each consumer and each of its partitions, and how long recovery takes."""
    consumers = [(number, name) for number, name in enumerate(journal.facts["consumers"]) if journal.facts["sends"][number]]
    return [value for number, name in consumers for value in _of_consumer(journal, number, name)]


def _of_consumer(journal: Journal, number: int, name: str) -> list[Value]:
    window = np.array(journal.facts["window"])
    change, stored, applied = _messages(journal, number)
    values = [Value("backlog_max", float(Waiting.of(stored, applied).most(window)[0]), "messages", name)]
    if 0 < journal.facts["partitions"] <= MOST_PARTITIONS:
        for place, mine in enumerate(by_partition(journal, change)):
            most = Waiting.of(stored[mine], applied[mine]).most(window)[0]
            values.append(Value("backlog_max", float(most), "messages", name, f"partition {place}"))
    spans, recovered = recoveries(journal, number)
    if len(spans):
        until = np.where(recovered == NONE, journal.facts["horizon"], recovered)
        values.append(Value("recovery_time", float((until - spans[:, 1]).mean()) / 1e9, "s", name))
    return values


@dataclass(frozen=True)
class Waiting:
    """How many messages wait over time: one more from each of *begins* on, one less from each of *ends* on; both in order, in ns."""

    begins: Ints
    ends: Ints

    @classmethod
    def of(cls, begins: Ints, ends: Ints) -> "Waiting":
        """Of messages that wait from *begins* until *ends*, shape (messages,), NONE where that did not happen."""
        times = (np.sort(found[found != NONE], kind="stable") for found in (begins, ends))  # nearly in order already: stable is faster
        return cls(*times)

    def at(self, times: Ints) -> Ints:
        """How many wait at each of *times*, after all that happens then."""
        return np.asarray(np.searchsorted(self.begins, times, side="right") - np.searchsorted(self.ends, times, side="right"))

    def before(self, times: Ints) -> Ints:
        """How many wait just before each of *times*."""
        return self.at(times - 1)

    def most(self, edges: Ints) -> Ints:
        """The most that wait at any time in each bin [edge, next edge), of *edges* in order; shape (edges - 1,)."""
        from edasim.compiled.sorting import whole
        from edasim.compiled.steps import most_at_once

        return most_at_once(whole(self.begins), whole(self.ends), whole(edges))

    def falls_to(self, levels: Ints, times: Ints) -> Ints:
        """The first time, at or after each of *times*, when at most as many wait as its level says; NONE where that never comes."""
        found = np.where(self.at(times) <= levels, times, NONE)
        left = self.at(self.ends)  # it falls only when one is handled
        for level in np.unique(levels[found == NONE]):
            low = np.append(self.ends[left <= level], NONE)
            late = (found == NONE) & (levels == level)
            found[late] = low[np.searchsorted(low[:-1], times[late])]
        return found


def waiting(journal: Journal, consumer: int) -> Waiting:
    """What waits in all for *consumer* (its number): committed, and not yet handled."""
    change, _, applied = _messages(journal, consumer)
    return Waiting.of(journal.changes["committed"][change], applied)


def backlog_over_time(journal: Journal, consumer: int, edges_ns: Ints) -> Ints:
    """The most messages that wait in all for *consumer* at any time in each bin; shape (edges - 1,).

    The most and not the mean, so that a figure shows the peak however wide its bins are.
    """
    return waiting(journal, consumer).most(edges_ns)


def recoveries(journal: Journal, consumer: int) -> tuple[Ints, Ints]:
    """The faults that *consumer* met, and when each was recovered from: shapes (faults, 2) and (faults,), in ns.

    Faults that overlap or touch are one. Those count that start in the measured window and end before the run does. Recovered: the
    first time at or after its end when no more wait in all than just before its start; NONE: not before the run ended. A poison
    message that is never put aside is not recovered from, however few wait; it counts from when it came.
    """
    (start, end), horizon = journal.facts["window"], journal.facts["horizon"]
    faults = faults_of(journal, consumer)
    poisoned = any(name.endswith(POISON) and (spans[:, 1] == horizon).any() for name, spans in faults.items())
    spans = merged(np.concatenate([*faults.values(), np.empty((0, 2), dtype=np.int64)]))
    spans = spans[(spans[:, 0] >= start) & (spans[:, 0] < end) & (spans[:, 1] < horizon + poisoned)]
    if not len(spans):
        return spans, np.empty(0, dtype=np.int64)
    found, never = waiting(journal, consumer), spans[:, 1] == horizon
    recovered = found.falls_to(found.before(spans[:, 0]), spans[:, 1])
    spans[never, 1] = spans[never, 0]
    return spans, np.where(never, NONE, recovered)


def faults_of(journal: Journal, consumer: int) -> dict[str, Ints]:
    """When each component was down that can keep messages from *consumer*: source, relay, network, broker, instances (those of one as one).

    Its own instances, also when it was slow or had a poison message, and those of consumers that it listens to. Shape (faults, 2),
    in ns, over the whole run, in order; only components that ever were down.
    """
    names, faults, consumers = journal.facts["components"]["faults"], journal.faults, journal.facts["consumers"]
    whose, name = ["source", "relay", "network", "broker"], consumers[consumer]
    while name is not None:
        whose += [name, f"{name}{SLOW}", f"{name}{POISON}"]
        name = journal.facts["listens_to"][consumers.index(name)]
    found = {}
    for component in whose:
        codes = [code for code, known in enumerate(names) if fullmatch(rf"{escape(component)}( \d+)?", known)]  # an instance, or a region
        mine = np.isin(faults["component"], codes)
        if mine.any():
            found[component] = merged(np.stack([faults["start"][mine], faults["end"][mine]], axis=1))
    return found


def merged(spans: Ints) -> Ints:
    """*spans*, shape (spans, 2), in order, those that touch or overlap made one."""
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reached = np.maximum.accumulate(spans[:, 1])
    begins = np.append(True, spans[1:, 0] > reached[:-1])
    return np.stack([spans[begins, 0], reached[np.append(begins[1:], True)]], axis=1)


def by_partition(journal: Journal, change: Ints) -> list[Ints]:
    """Which of *change* (rows of `changes`) belong to each partition, in a journal whose broker keeps partitions."""
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import grouped

    rows, begins = grouped(whole(partition_of(journal, change)), journal.facts["partitions"])
    return np.split(rows, begins[1:-1])


def partition_of(journal: Journal, change: Ints) -> Ints:
    """The partition of each *change* (rows of `changes`), in a journal whose broker keeps partitions."""
    entity = journal.changes["entity"][change]
    entities = max(journal.entities["weight"].size, int(entity.max(initial=-1)) + 1)
    return partition_of_each(entities, journal.facts["partitions"])[entity]


def _messages(journal: Journal, number: int) -> tuple[Ints, Ints, Ints]:
    """Of all messages that the consumer handles or would have: the change, when it was stored, and when it was applied."""
    deliveries = journal.deliveries
    mine = (deliveries["consumer"] == number) & np.isin(deliveries["outcome"], (APPLIED, IN_FLIGHT))
    return deliveries["change"][mine], deliveries["stored"][mine], deliveries["applied"][mine]
