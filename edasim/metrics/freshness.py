"""Freshness, from the side of who reads: exact time averages over the window, entities weighted by popularity.

An entity is *stale* from the first change that the copy has not seen until it has seen all. *Staleness* is the time since that
change, 0 when fresh ("age" in Cho and Garcia-Molina, SIGMOD 2000). *Age of information* is the time since the commit of the
newest version held (Kaul, Yates and Gruteser, INFOCOM 2012); version 0 was there from time 0, or from the entity's birth.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edasim.journal import NONE, Journal, rows_of, rows_where, rows_within
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, mean, percentiles, quantiles, rate, share
from edasim.statistics import LEVELS

if TYPE_CHECKING:
    from edasim.compiled.pieces import Course, Weighed

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
    weighed = weighed_of(journal, number)
    values = _stale_reads(journal, number, name)
    total = float(weighed.mass.sum())
    if total > 0:
        values += [
            Value("stale_fraction", float(weighed.stale_mass.sum()) / total, "share", name),
            Value("staleness_mean", float(weighed.late.sum()) / total, "s", name),
            Value("versions_behind_mean", float(weighed.behind.sum()) / total, "versions", name),
            Value("age_mean", float(weighed.age.sum()) / total, "s", name),
        ]
        values += percentiles("staleness", _quantiles(weighed, total), (95, 99), "s", name)
        if weighed.peak.size:
            values.append(Value("age_peak_mean", float(np.average(weighed.peak, weights=weighed.weight)), "s", name))
    return [*values, Value("diverged_entities", float(diverged(journal, number)), "entities", name, nature="count", level=1.0)]


def _empty(journal: Journal, number: int) -> int:
    """The version held of an entity that nothing was refreshed of: none in a cache, 0 in a copy."""
    return NONE if journal.facts["reads"][number] == "cache" else 0


def pieces_of(journal: Journal, number: int) -> Pieces:
    """The course of every entity at consumer *number*."""
    from edasim.compiled.pieces import pieces_of_all

    found = pieces_of_all(*_courses(journal, number), *_lives(journal), _empty(journal, number), *journal.facts["window"])
    return Pieces(
        weight=journal.entities["weight"][found.entity],
        begin=found.begin / 1e9,
        end=found.end / 1e9,
        behind=found.behind,
        unseen=np.where(found.unseen == NONE, np.nan, found.unseen / 1e9),
        held_since=found.since / 1e9,
        drops=found.drops,
    )


def _courses(journal: Journal, number: int) -> tuple[Ints, "Course", "Course"]:
    """When versions were made, commits, and how the copies at consumer *number* were refreshed; entity by entity."""
    return journal.made, journal.commits, journal.copies[number]


def _lives(journal: Journal) -> tuple[Ints, Ints]:
    from edasim.compiled.sorting import whole

    return whole(journal.entities["born"]), whole(journal.entities["silent"])


def weighed_of(journal: Journal, number: int) -> "Weighed":
    """What averages over time at consumer *number* are made of."""
    from edasim.compiled.pieces import Weighed, weigh

    made, commits, copies = _courses(journal, number)
    most = made.size + copies.time.size + journal.entities["weight"].size
    room = Weighed(*(np.empty(most) for _ in Weighed._fields))
    (born, silent), (start, end) = _lives(journal), journal.facts["window"]
    weight = np.ascontiguousarray(journal.entities["weight"]).view()
    weight.setflags(write=False)
    pieces, stale, drops = weigh(made, commits, copies, born, silent, weight, _empty(journal, number), start, end, room)
    return Weighed(*(column[:count] for column, count in zip(room, [pieces] * 4 + [stale] * 3 + [drops] * 2, strict=True)))


def _quantiles(weighed: "Weighed", total: float) -> Floats:
    """The exact quantiles of staleness over time, at LEVELS: in a piece it is uniform, so its distribution is a sum of ramps."""
    from edasim.compiled.ramps import ramps

    mass = weighed.stale_mass
    fresh = total - float(mass.sum())
    if not mass.size:
        return np.zeros(LEVELS.size)
    points, reached = np.empty(2 * mass.size), np.empty(2 * mass.size)
    ramps(weighed.low, weighed.high, mass, fresh, points, reached, (np.empty((points.size, 2)), np.empty((points.size, 2))))
    return np.where(LEVELS * total <= fresh, 0.0, np.interp(LEVELS * total, reached, points))


def _stale_reads(journal: Journal, number: int, name: str) -> list[Value]:
    reads = rows_within(rows_of(journal.reads, number), journal.facts["window"])
    reads = rows_where(reads, reads["answered"])
    return rate("stale_read_rate", reads["version_seen"] < reads["version_true"], name)


def _own_writes(journal: Journal, number: int, name: str) -> list[Value]:
    """Does whoever wrote a change find it `own_after` its commit? As the reads said that asked or waited for it, else evaluated exactly."""
    from edasim.compiled.pieces import late_by_then

    counted = in_window(journal)
    mine = (journal.own_reads["consumer"] == number) & counted[journal.own_reads["change"]]
    if mine.any():
        latency = journal.own_reads["latency"][mine]
        in_time = latency[latency != NONE]
        values = rate("read_your_writes_miss_rate", latency == NONE, name) + mean("own_read_latency_mean", in_time, name)
        return values + quantiles("own_read_latency", in_time, (99,), name)
    if journal.facts["reads"][number] == "source":
        return [_zero("read_your_writes_miss_rate", "share", name)]
    after, empty = journal.facts["own_after"], _empty(journal, number)
    late = late_by_then(journal.commits, journal.copies[number], tuple(journal.facts["window"]), after, empty)
    return share("read_your_writes_miss_rate", late, int(np.count_nonzero(counted)), name)


def diverged(journal: Journal, number: int) -> int:
    """How many entities' copy at consumer *number* differs from the source when the run is over, after the drain."""
    from edasim.compiled.pieces import newest_of_each

    horizon = journal.facts["horizon"]
    true = newest_of_each(journal.commits, horizon, 0)
    held = newest_of_each(journal.copies[number], horizon, _empty(journal, number))
    return int(((held != NONE) & (held != true)).sum())
