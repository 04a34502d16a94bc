"""What readers met over time: the course of what the freshness and load metrics average over the whole window."""

import numpy as np
from numpy.typing import NDArray

from edasim.journal import Journal
from edasim.metrics.freshness import pieces_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def stale_over_time(journal: Journal, consumer: int, edges_ns: Ints) -> Floats:
    """The share of popularity that is stale at *consumer*, averaged over each bin; shape (edges - 1,).

    Exact: integrated over the pieces in which nothing changed, not sampled. NaN where a bin lies outside the measured window or
    no entity is there yet. Weighted by the bins' lengths, its mean is `stale_fraction` wherever all entities are there all the time.
    """
    if journal.facts["reads"] == "source":
        return np.zeros(edges_ns.size - 1)
    mine = journal.refreshes["consumer"] == consumer
    found = pieces_of(journal, {column: values[mine] for column, values in journal.refreshes.items()})
    stale = ~np.isnan(found.unseen)
    edges = edges_ns / 1e9
    there = np.diff(_integral(found.weight, found.begin, found.end, edges))
    missed = np.diff(_integral(found.weight[stale], found.begin[stale], found.end[stale], edges))
    return np.divide(missed, there, out=np.full(there.size, np.nan), where=there > 0)


def _integral(weight: Floats, begin: Floats, end: Floats, at: Floats) -> Floats:
    """The integral up to each time *at* of a sum of steps that are *weight* high from *begin* to *end*."""
    return _ramps(weight, begin, at) - _ramps(weight, end, at)


def _ramps(slope: Floats, start: Floats, at: Floats) -> Floats:
    """The sum of ramps slope x (at - start) that have started; shape of *at*."""
    order = np.argsort(start, kind="stable")
    origin = float(start.min()) if start.size else 0.0  # what is subtracted below stays small
    slopes = np.concatenate([[0.0], np.cumsum(slope[order])])
    offsets = np.concatenate([[0.0], np.cumsum((slope * (start - origin))[order])])
    begun = np.searchsorted(start[order], at, side="right")
    return np.asarray(slopes[begun] * (at - origin) - offsets[begun])


def unanswered_over_time(journal: Journal, consumer: int, edges_ns: Ints) -> Floats:
    """The share of reads asked by *consumer* in each bin that got no answer; NaN where nobody asked; shape (edges - 1,)."""
    mine = journal.reads["consumer"] == consumer
    times, answered = journal.reads["time"][mine], journal.reads["answered"][mine]
    asked, _ = np.histogram(times, edges_ns)
    refused, _ = np.histogram(times[~answered], edges_ns)
    return np.divide(refused, asked, out=np.full(asked.size, np.nan), where=asked > 0)
