"""Conflicts: writes of one entity in several regions that did not know of each other, and what each resolution makes of them.

A write *knows* another if it had come to its region by the time it committed. Two writes are *concurrent* if neither knows the other.

* Last writer wins: the larger stamp stays, stamps being commit times read off the region's own clock. A write is *lost*, and nobody is
  told, if one of another region that does not know it has a larger stamp. With clocks that agree these are the concurrent later
  ones; with clocks that don't, a write can even lose to one that it had seen.
* Detect: version vectors tell concurrent writes from later ones. Of every concurrent pair the later write is *handed to a person*.
* Merge: the effects of both stay, as in `edasim.mergeable`. Nothing is lost; every message and row carries totals of each region.
"""

import numpy as np
from numpy.typing import NDArray

from edasim.journal import NONE, Journal, committed_rows
from edasim.mergeable import BYTES_PER_REGION, Counter
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, rate

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def conflicts(journal: Journal) -> list[Value]:
    """conflict_rate, lost_update_rate, detected_conflict_rate and merge_bytes_per_s; nothing where there is one region only."""
    if journal.facts["regions"] == 1:
        return []
    if journal.facts["writers"] == 1:  # the others call it, so nobody writes without knowing
        return [Value(metric, 0.0, "share", nature="zero") for metric in RATES]
    counted = in_window(journal)
    found = dict(zip(RATES, conflicting(journal), strict=True))
    values = [value for metric, hit in found.items() for value in rate(metric, hit[counted])]
    return [*values, Value("merge_bytes_per_s", _merge_bytes(journal, counted), "bytes/s")]


RATES = ("conflict_rate", "lost_update_rate", "detected_conflict_rate")


def conflicting(journal: Journal) -> tuple[Flags, Flags, Flags]:
    """Which changes are concurrent with another, which are lost if the last writer wins, and which a person is handed; each (changes,)."""
    changes, regions = journal.changes, journal.facts["writers"]
    skew = np.full(regions, journal.facts["clock_skew"])
    skew[0] = 0  # behind all others
    known = _known(journal)
    concurrent, lost, detected = (np.zeros(changes["time"].size, dtype=bool) for _ in range(3))
    done = committed_rows(changes)
    for here in range(regions):
        mine = done[changes["region"][done] == here]
        for there in range(regions):
            theirs = done[changes["region"][done] == there]
            if here == there or not mine.size or not theirs.size:
                continue
            others = Others(changes["entity"][theirs], changes["committed"][theirs], known[here][theirs])
            entity, time = changes["entity"][mine], changes["committed"][mine]
            unaware = others.until(entity, known[there][mine])  # they commit before they know of mine
            concurrent[mine] |= others.latest_known(entity, unaware) > time
            detected[mine] |= others.latest_known(entity, others.until(entity, time, including=here > there)) > time
            lost[mine] |= unaware > others.until(entity, time + skew[here] - skew[there], including=here > there)
    return concurrent, lost, detected


class Others:
    """What another region wrote, by entity and in order of time: when each write committed, and when it is known here."""

    def __init__(self, entity: Ints, committed: Ints, known: Ints) -> None:
        order = np.lexsort((committed, entity))
        self._entity, self._committed = entity[order], committed[order]
        self._times, ranks = np.unique(known[order], return_inverse=True)
        number = np.unique(self._entity, return_inverse=True)[1]  # one running maximum serves all entities, which come one after the other
        self._latest = np.maximum.accumulate(number * self._times.size + ranks) - number * self._times.size

    def until(self, entity: Ints, time: Ints, *, including: bool = False) -> Ints:
        """How many writes of smaller entities, or of this one before each asked *time*, there are; *including* those at the very time."""
        count = self._entity.size
        kind = np.repeat([1, 2 if including else 0], [count, entity.size])
        order = np.lexsort((kind, np.concatenate([self._committed, time]), np.concatenate([self._entity, entity])))
        found = np.empty(order.size, dtype=np.int64)
        found[order] = np.cumsum(order < count)
        return found[count:]

    def latest_known(self, entity: Ints, until: Ints) -> Ints:
        """Of the writes of *entity* among the first *until* when the last of them was known here; NONE if there are none."""
        last = np.maximum(until - 1, 0)
        return np.where((until > 0) & (self._entity[last] == entity), self._times[self._latest[last]], NONE)


def lost_by_merging(journal: Journal) -> int:
    """How many of the committed changes some region has not seen in the end if the type is mergeable: all is replayed, with real merges.

    Each change adds one to its entity's `Counter` in its own region, which sends the counter as it is then. What is still on its way
    when the run ends has been replayed, too.
    """
    changes, regions = journal.changes, journal.facts["writers"]
    entity, region = changes["entity"].tolist(), changes["region"].tolist()
    held: list[dict[int, Counter]] = [{} for _ in range(regions)]
    sent: dict[int, Counter] = {}
    done = committed_rows(changes)
    done = done[changes["committed"][done] < journal.facts["horizon"]]
    commits = zip(changes["committed"][done].tolist(), [1] * done.size, done.tolist(), changes["region"][done].tolist(), strict=True)
    told = (journal.exchanges[column].tolist() for column in ("known", "change", "region"))
    arrivals = ((known, 0, change, where) for known, change, where in zip(*told, strict=True))
    for _, is_commit, change, where in sorted([*commits, *arrivals]):
        mine = held[where].get(entity[change], Counter.of(regions))
        if is_commit:
            sent[change] = held[where][entity[change]] = mine.add(region[change], 1)
        else:
            held[where][entity[change]] = mine.merge(sent[change])
    return int(done.size) - min(sum(counter.value for counter in replica.values()) for replica in held)


def _known(journal: Journal) -> Ints:
    """When each region knows each change (never: the largest number there is), shape (regions, changes)."""
    known = np.full((journal.facts["writers"], journal.changes["time"].size), np.iinfo(np.int64).max)
    known[journal.exchanges["region"], journal.exchanges["change"]] = journal.exchanges["known"]
    return known


def _merge_bytes(journal: Journal, counted: Flags) -> float:
    """What the totals of all regions add to each message: to the other regions, and to each consumer that is sent any; a second."""
    start, end = journal.facts["window"]
    receivers = journal.facts["writers"] - 1 + sum(journal.facts["sends"])
    return float(counted.sum() * receivers * BYTES_PER_REGION * journal.facts["writers"] / ((end - start) / 1e9))


def appends(journal: Journal) -> list[Value]:
    """append_conflict_rate (share of attempts to append) and append_failed_rate (share of commands); commands that arrive in the window."""
    if journal.facts["truth"] != "events":
        return []
    start, end = journal.facts["window"]
    arrived = (journal.changes["time"] >= start) & (journal.changes["time"] < end)
    met = arrived[journal.conflicts["change"]]
    appended, met_newer = int((arrived & (journal.changes["committed"] != NONE)).sum()), int(met.sum())
    gave_up = int((met & journal.conflicts["gave_up"]).sum())
    attempts = np.repeat([True, False], [met_newer, appended])
    commands = np.repeat([True, False], [gave_up, appended])
    return [*rate("append_conflict_rate", attempts), *rate("append_failed_rate", commands)]
