"""Freshness, from the side of who reads: exact time averages over the window, entities weighted by popularity.

An entity is *stale* from the first change that the copy has not seen until it has seen all. *Staleness* is the time since that
change, 0 when fresh ("age" in Cho and Garcia-Molina, SIGMOD 2000). *Age of information* is the time since the commit of the
newest version held (Kaul, Yates and Gruteser, INFOCOM 2012); version 0 was there from time 0, or from the entity's birth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.journal import NONE, Journal, rows_of, rows_where, rows_within
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, mean, percentiles, quantiles, rate
from edasim.statistics import LEVELS
from edasim.timelines import in_version_order, value_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def freshness(journal: Journal) -> list[Value]:
    """Freshness metrics of every consumer; a read at the source is fresh by nature."""
    values: list[Value] = []
    for number, name in enumerate(journal.facts["consumers"]):
        if journal.facts["reads"][number] == "nothing":
            continue
        if journal.facts["reads"][number] == "source":
            values += [_zero(metric, unit, name) for metric, unit in ZERO_AT_THE_SOURCE]
        else:
            values += _of_consumer(journal, number, name)
        values += _own_writes(journal, number, name)
    return values


ZERO_AT_THE_SOURCE = (
    ("stale_fraction", "share"),
    ("stale_read_rate", "share"),
    ("staleness_mean", "s"),
    ("staleness_p95", "s"),
    ("staleness_p99", "s"),
    ("versions_behind_mean", "versions"),
)


def _zero(metric: str, unit: str, name: str) -> Value:
    return Value(metric, 0.0, unit, name, nature="zero")


@dataclass(frozen=True)
class Pieces:
    """Pieces of time in which neither the source nor the copy of an entity changed; arrays of shape (pieces,).

    *begin* and *end* are clipped to the window and the entity's active life, in seconds; *unseen* is the commit time of the first
    change not seen (NaN when fresh), *held_since* that of the version held; *drops*: the piece ends with a newer version held.
    """

    weight: Floats
    begin: Floats
    end: Floats
    behind: Ints
    unseen: Floats
    held_since: Floats
    drops: NDArray[np.bool_]


def _of_consumer(journal: Journal, number: int, name: str) -> list[Value]:
    pieces = pieces_of(journal, number)
    values = _stale_reads(journal, number, name)
    mass = pieces.weight * (pieces.end - pieces.begin)
    total = float(mass.sum())
    if total > 0:
        stale = ~np.isnan(pieces.unseen)
        middle = (pieces.begin + pieces.end) / 2
        staleness = np.where(stale, middle - np.where(stale, pieces.unseen, 0.0), 0.0)
        values += [
            Value("stale_fraction", float(mass[stale].sum()) / total, "share", name),
            Value("staleness_mean", float((mass * staleness).sum()) / total, "s", name),
            Value("versions_behind_mean", float((mass * pieces.behind).sum()) / total, "versions", name),
            Value("age_mean", float((mass * (middle - pieces.held_since)).sum()) / total, "s", name),
        ]
        values += percentiles("staleness", _quantiles(pieces, stale, total), (95, 99), "s", name)
        if pieces.drops.any():
            peaks, weights = (pieces.end - pieces.held_since)[pieces.drops], pieces.weight[pieces.drops]
            values.append(Value("age_peak_mean", float(np.average(peaks, weights=weights)), "s", name))
    return [*values, Value("diverged_entities", float(diverged(journal, number)), "entities", name, nature="count", level=1.0)]


def _empty(journal: Journal, number: int) -> int:
    """The version held of an entity that nothing was refreshed of: none in a cache, 0 in a copy."""
    return NONE if journal.facts["reads"][number] == "cache" else 0


def pieces_of(journal: Journal, number: int) -> Pieces:
    """The course of every entity at consumer *number*."""
    from edasim.compiled.pieces import Events, course
    from edasim.compiled.sorting import whole

    refreshes, lives = journal.refreshed[number], (whole(journal.entities["born"]), whole(journal.entities["silent"]))
    versions = [journal.changes[column][journal.in_version_order] for column in ("entity", "committed")]
    made, begins = map(whole, in_version_order(versions[0], versions[1], lives[0].size))
    commits = Events(*(whole(journal.changes[column][journal.in_time_order]) for column in ("entity", "committed", "version")))
    copies = Events(*(whole(refreshes[column]) for column in ("entity", "time", "version")))
    found = course(made, begins, commits, copies, *lives, _empty(journal, number), *journal.facts["window"])
    return Pieces(
        weight=journal.entities["weight"][found.entity],
        begin=found.begin / 1e9,
        end=found.end / 1e9,
        behind=found.behind,
        unseen=np.where(found.unseen == NONE, np.nan, found.unseen / 1e9),
        held_since=found.since / 1e9,
        drops=found.drops,
    )


def _quantiles(pieces: Pieces, stale: NDArray[np.bool_], total: float) -> Floats:
    """The exact quantiles of staleness over time, at LEVELS: in a piece it is uniform, so its distribution is a sum of ramps."""
    from edasim.compiled.sorting import stable_order_of_floats

    low, high = (pieces.begin - pieces.unseen)[stale], (pieces.end - pieces.unseen)[stale]
    mass = (pieces.weight * (pieces.end - pieces.begin))[stale]
    fresh = total - float(mass.sum())
    if not mass.size:
        return np.zeros(LEVELS.size)
    slope = mass / (high - low)
    points = np.concatenate([low, high])
    order = stable_order_of_floats(points)
    points, slopes = points[order], np.cumsum(np.concatenate([slope, -slope])[order])
    reached = fresh + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(points))])
    return np.where(LEVELS * total <= fresh, 0.0, np.interp(LEVELS * total, reached, points))


def _stale_reads(journal: Journal, number: int, name: str) -> list[Value]:
    reads = rows_within(rows_of(journal.reads, number), journal.facts["window"])
    reads = rows_where(reads, reads["answered"])
    return rate("stale_read_rate", reads["version_seen"] < reads["version_true"], name)


def _own_writes(journal: Journal, number: int, name: str) -> list[Value]:
    """Does whoever wrote a change find it `own_after` its commit? As the reads said that asked or waited for it, else evaluated exactly."""
    counted, refreshes, empty = in_window(journal), journal.refreshed[number], _empty(journal, number)
    mine = (journal.own_reads["consumer"] == number) & counted[journal.own_reads["change"]]
    if mine.any():
        latency = journal.own_reads["latency"][mine]
        in_time = latency[latency != NONE]
        values = rate("read_your_writes_miss_rate", latency == NONE, name) + mean("own_read_latency_mean", in_time, name)
        return values + quantiles("own_read_latency", in_time, (99,), name)
    if journal.facts["reads"][number] == "source":
        return [_zero("read_your_writes_miss_rate", "share", name)]
    entity, version = journal.changes["entity"][counted], journal.changes["version"][counted]
    looks = journal.changes["committed"][counted] + journal.facts["own_after"]
    held = value_at(entity, looks, refreshes["entity"], refreshes["time"], refreshes["version"], empty)
    return rate("read_your_writes_miss_rate", (held != NONE) & (held < version), name)


def diverged(journal: Journal, number: int) -> int:
    """How many entities' copy at consumer *number* differs from the source when the run is over, after the drain."""
    refreshes, empty = journal.refreshed[number], _empty(journal, number)
    everyone, horizon = np.arange(journal.entities["weight"].size), journal.facts["horizon"]
    at = np.full(everyone.size, horizon)
    commits = {column: journal.changes[column][journal.in_time_order] for column in ("entity", "committed", "version")}
    true = value_at(everyone, at, commits["entity"], commits["committed"], commits["version"], 0)
    held = value_at(everyone, at, refreshes["entity"], refreshes["time"], refreshes["version"], empty)
    return int(((held != NONE) & (held != true)).sum())
