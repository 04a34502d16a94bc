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
    return _share(missed, there)


def _share(part: Floats | Ints, of: Floats | Ints) -> Floats:
    """*part* / *of*; NaN where there is nothing to have a share of."""
    return np.where(of > 0, part / np.where(of > 0, of, 1), np.nan)


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
            found[component] = _merged(spans[np.argsort(spans[:, 0], kind="stable")])
    return found


def _merged(spans: Ints) -> Ints:
    """Spans in order of their starts, those that touch or overlap made one."""
    reached = np.maximum.accumulate(spans[:, 1])
    begins = np.append(True, spans[1:, 0] > reached[:-1])
    return np.stack([spans[begins, 0], reached[np.append(begins[1:], True)]], axis=1)


def met_during(journal: Journal, consumer: int, spans_ns: Ints) -> float:
    """The share of what readers at *consumer* ask during the *spans_ns*, shape (spans, 2), that gets stale data or no answer."""
    stale, silent = met_over_time(journal, consumer, spans_ns.ravel())
    return float(np.average((stale + silent)[::2], weights=np.diff(spans_ns).ravel()))
