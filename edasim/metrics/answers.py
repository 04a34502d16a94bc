"""What readers get: how many of their questions are not answered with data fresher than some age. Exact, from the reads of a journal."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edasim.journal import Journal
from edasim.timelines import in_version_order

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
UNANSWERED = np.iinfo(np.int64).max  # how stale no answer is


def share_not_fresher(journal: Journal, consumer: int, ages_s: ArrayLike) -> Floats:
    """Of the reads that *consumer* asks in the window the share not answered with data fresher than each of *ages_s*; shape of *ages_s*.

    An answer's staleness is the time from the commit of the first change that it does not show to the moment of asking; 0 where it
    shows all that was committed then. Fresher than an age means less stale than that. At age 0, which nothing is fresher than, the
    share is that of the reads that get old data or none: 1 - read_availability x (1 - stale_read_rate). No answer is never fresh, so
    at age infinity the share is 1 - read_availability. Never rises with the age. NaN where nobody asks.

    How long an answer takes does not count: its age is that when it was asked for.
    """
    return at_least(staleness_of_answers(journal, consumer), ages_s)


def at_least(staleness: Ints, ages_s: ArrayLike) -> Floats:
    """The share of answers, so stale in ns, shape (reads,), that are not fresher than each of *ages_s*; shape of *ages_s*, NaN for none.

    >>> at_least(np.array([0, 2_000_000_000, UNANSWERED]), [0, 1, 3, np.inf]).round(2).tolist()
    [0.67, 0.67, 0.33, 0.33]
    """
    ages = np.asarray(ages_s, dtype=np.float64)
    if not staleness.size:
        return np.full(ages.shape, np.nan)
    least = np.clip(np.rint(ages * 1e9), 1, 2.0**62).astype(np.int64)
    return np.asarray((staleness.size - np.searchsorted(np.sort(staleness), least)) / staleness.size)


def staleness_of_answers(journal: Journal, consumer: int) -> Ints:
    """How stale the answer to each read was that *consumer* asked in the window, in ns; shape (reads,).

    0 where it shows all changes; at least 1 where it does not, even in the very nanosecond of the commit; UNANSWERED where there is none.
    """
    mine = counted_reads(journal, consumer)
    asked, answered, entity, seen, true = (
        journal.reads[name][mine] for name in ("asked", "answered", "entity", "version_seen", "version_true")
    )
    staleness = np.where(answered, 0, UNANSWERED)
    stale = answered & (seen < true)
    staleness[stale] = np.maximum(asked[stale] - first_unseen(journal, entity[stale], seen[stale]), 1)
    return staleness


def counted_reads(journal: Journal, consumer: int) -> NDArray[np.bool_]:
    """Which rows of `reads` are reads that *consumer* asks in the window, each first asked then, however often it is tried; (reads,)."""
    start, end = journal.facts["window"]
    return np.asarray((journal.reads["consumer"] == consumer) & (journal.reads["time"] >= start) & (journal.reads["time"] < end))


def first_unseen(journal: Journal, entity: Ints, seen: Ints) -> Ints:
    """When the first change of each *entity* committed that has a newer version than *seen*, in ns; shape of *entity*.

    There must be one. Changes may come in any order: versions say which comes first.
    """
    rows = journal.in_version_order
    columns = journal.changes["entity"][rows], journal.changes["committed"][rows]
    committed, begin = in_version_order(*columns, journal.entities["weight"].size)
    return np.asarray(committed[begin[entity] + seen])
