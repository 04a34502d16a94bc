"""What readers met over time: the course of what the freshness and load metrics average over the whole window."""

import numpy as np
from numpy.typing import NDArray

from edasim.journal import Journal
from edasim.metrics.backlog import merged
from edasim.metrics.freshness import pieces_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 1e-12  # a smaller share is rounding: of an hour it would be a few nanoseconds


def stale_over_time(journal: Journal, consumer: int, edges_ns: Ints) -> Floats:
    """The share of popularity that is stale at *consumer*, averaged over each bin; shape (edges - 1,).

    Exact: integrated over the pieces in which nothing changed, not sampled. NaN where a bin lies outside the measured window, no entity
    is there yet, or the consumer only reacts and reads nothing. Weighted by the bins' lengths, its mean is `stale_fraction` wherever
    all entities are there all the time.
    """
    if journal.facts["reads"][consumer] == "source":
        return np.zeros(edges_ns.size - 1)
    if journal.facts["reads"][consumer] == "nothing":
        return np.full(edges_ns.size - 1, np.nan)
    found = pieces_of(journal, consumer)
    stale = ~np.isnan(found.unseen)
    edges = edges_ns / 1e9
    there = _overlap(found.weight, found.begin, found.end, edges)
    missed = _overlap(found.weight[stale], found.begin[stale], found.end[stale], edges)
    return _share(np.where(missed > there * LEAST, missed, 0.0), there)


def _share(part: Floats | Ints, of: Floats | Ints) -> Floats:
    """*part* / *of*; NaN where there is nothing to have a share of."""
    return np.where(of > 0, part / np.where(of > 0, of, 1), np.nan)


def _overlap(weight: Floats, begin: Floats, end: Floats, edges: Floats) -> Floats:
    """The time that pieces from *begin* to *end* share with each bin, times their *weight*; shape (edges - 1,)."""
    inside = (end > edges[0]) & (begin < edges[-1])
    weight, begin, end = weight[inside], np.maximum(begin[inside], edges[0]), np.minimum(end[inside], edges[-1])
    first, last = np.searchsorted(edges, begin, side="right") - 1, np.searchsorted(edges, end, side="left") - 1
    whole = np.where(first == last, 0.0, weight)
    sums = np.bincount(first, weight * (np.minimum(end, edges[first + 1]) - begin), edges.size)
    sums += np.bincount(last, whole * (end - edges[last]), edges.size)
    between = np.cumsum(np.bincount(first + 1, whole, edges.size) - np.bincount(last, whole, edges.size))
    return np.asarray(sums[:-1] + between[:-1] * np.diff(edges))


def unanswered_over_time(journal: Journal, consumer: int, edges_ns: Ints) -> Floats:
    """The share of reads asked by *consumer* in each bin that got no answer; NaN where nobody asked; shape (edges - 1,)."""
    mine = journal.reads["consumer"] == consumer
    times, answered = journal.reads["time"][mine], journal.reads["answered"][mine]
    asked, _ = np.histogram(times, edges_ns)
    refused, _ = np.histogram(times[~answered], edges_ns)
    return _share(refused, asked)


def met_over_time(journal: Journal, consumer: int, edges_ns: Ints) -> tuple[Floats, Floats]:
    """Of all that readers at *consumer* ask in each bin: the share that gets stale data, and the share that gets no answer.

    What is answered is taken to be stale as often as popularity is: readers don't know which entity has just changed. Where
    nobody asks or nothing is there yet both are 0.
    """
    silent = np.nan_to_num(unanswered_over_time(journal, consumer, edges_ns))
    return np.nan_to_num(stale_over_time(journal, consumer, edges_ns)) * (1 - silent), silent


def outages_of(journal: Journal, consumer: str) -> dict[str, Ints]:
    """When the source, the broker and any instance of *consumer* were down inside the measured window; shape (outages, 2), in ns.

    Only components that ever were; outages of several instances that overlap count as one.
    """
    start, end = journal.facts["window"]
    faults, names = journal.faults, journal.facts["components"]["faults"]
    found: dict[str, Ints] = {}
    for component in ("source", "broker", consumer):
        mine = [
            code for code, name in enumerate(names) if name == component or (name.startswith(f"{component} ") and component == consumer)
        ]
        met = np.isin(faults["component"], mine) & (faults["start"] < end) & (faults["end"] > start)
        spans = np.stack([np.clip(faults[side][met], start, end) for side in ("start", "end")], axis=1)
        if len(spans):
            found[component] = merged(spans)
    return found
