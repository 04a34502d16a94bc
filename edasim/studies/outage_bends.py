"""Where the loss of an outage bends, and how far beyond what was simulated it may be continued.

Loss is made of straight lines that bend where something gives way, so it is continued only where its slope is known. Once all that
comes is lost it can't get steeper: the line goes on at the mean rate of changes. Before, it goes on at the share of them that is lost, to
where something may give way that did not yet; where something may have, at an unknown length, it ends.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from edasim.candidates import Candidate
from edasim.estimates import Estimate
from edasim.incidents import turns_of
from edasim.patterns import patterns_of, way_out
from edasim.scenario import COMPONENTS, Arrivals, BurstyArrivals, DailyArrivals, Incident
from edasim.statistics import around

ALL = 0.9  # of what comes: what is not clearly less than all of it counts as all from here on


class Bend(NamedTuple):
    """From outages of this *length* (in s) on something gives way, and *why*; *exact*: just there, and not at some length beyond."""

    length: float
    why: str
    exact: bool = False


class Beyond(NamedTuple):
    """A loss that was extrapolated: from outages of *start* seconds to those of *end*, where it is *loss*; *why* it ends there."""

    start: float
    first: float
    end: float
    loss: float
    why: str = ""

    @property
    def slope(self) -> float | None:
        """How much more is lost for each further second; None where that is not known."""
        return None if self.end == self.start else (self.loss - self.first) / (self.end - self.start)

    def at(self, length: float) -> float:
        """The loss at some *length*, in s, on the straight line."""
        return self.first + (self.slope or 0.0) * (length - self.start)


def bends(candidate: Candidate, incident: Incident, rate: float) -> list[Bend]:
    """Where an option's loss may bend in such an *incident* while *rate* changes a second come, on average; shortest first.

    The end of the retries is exact. The others are the earliest that can be: a queue or a buffer is full when all that came at the
    highest rate waits in it (who is refused then tries again before it loses), a partition when all that came is in one, and age bounds
    what waits.
    """
    return sorted([*_retries(candidate, incident.component), *_room(candidate, incident, rate)])


def _highest(arrivals: Arrivals, mean: float) -> float:
    """The highest rate that changes come at, as far as it is known."""
    if isinstance(arrivals, DailyArrivals):
        return mean * arrivals.peak_to_mean
    return max(mean, arrivals.rate_high) if isinstance(arrivals, BurstyArrivals) else mean


def _retries(candidate: Candidate, component: str) -> Iterator[Bend]:
    producer = candidate.scenario.source.producer
    spent = producer.retries * (producer.ack_timeout + producer.backoff)
    if component in ("broker", "network") and candidate.pattern.sends and _tries_again(candidate) and spent:
        yield Bend(spent, "retries end", exact=True)


def _tries_again(candidate: Candidate) -> bool:
    """Whether the source sends a message directly and, for want of an answer, once more."""
    return way_out(candidate.pattern, candidate.scenario) == "direct" and candidate.scenario.source.producer.acks != 0


def _room(candidate: Candidate, incident: Incident, rate: float) -> Iterator[Bend]:
    broker, sizes, turns = candidate.scenario.broker, candidate.scenario.workload, turns_of(incident, candidate.scenario)
    comes = _highest(sizes.arrivals, rate) * turns
    sent = {"notice": sizes.notice_bytes, "state": sizes.state_bytes, "delta": sizes.delta_bytes}
    carried = {pattern.carries for pattern in patterns_of(candidate.pattern, candidate.scenario) if pattern.sends}
    largest = max((sent[carries].mean() for carries in carried), default=0.0)
    if not carried:
        return
    yield Bend(broker.retention / turns, "retention")
    if broker.max_length is not None and comes:
        yield Bend(broker.max_length / comes + _refused_for(candidate, incident), "queue full")
    if broker.retention_bytes is not None and comes * largest:
        yield Bend(broker.retention_bytes / (comes * largest), "retention in bytes")


def _refused_for(candidate: Candidate, incident: Incident) -> float:
    """How long a full queue may refuse a message before it is lost, in s, if it was sent for the first time then."""
    producer, broker = candidate.scenario.source.producer, candidate.scenario.broker
    retried = broker.overflow == "reject" and _tries_again(candidate) and incident.component not in COMPONENTS
    return producer.retries * producer.backoff if retried else 0.0


def share_lost(lost: ArrayLike, came: ArrayLike) -> Estimate:
    """The share of the changes that *came* which was *lost*, both of shape (replications,): their ratio, its interval by Student's t.

    >>> share_lost([9, 11, 10], [20, 20, 20]).mean, share_lost([0, 0], [0, 5]).ends, share_lost([0], [0]).mean
    (0.5, (0.0, 0.0), 0.0)
    """
    mine, all_of_them = np.asarray(lost, dtype=np.float64), np.asarray(came, dtype=np.float64)
    if not all_of_them.any():
        return Estimate(0.0, 0.0, 1.0, "share")
    share = float(mine.sum() / all_of_them.sum())
    found = around(share, (mine - share * all_of_them) / all_of_them.mean())
    return Estimate(found.mean, found.low, found.high, "share")


def beyond(
    lengths: Sequence[float], course: Sequence[Estimate], share: Estimate, bent: Sequence[Bend], rate: float, longest: float
) -> Beyond | None:
    """The *course* of a loss over *lengths* continued to outages of *longest* seconds, or as far as its slope is known.

    *share*: how much of what came between the last two lengths was lost. Where that is not clearly less than all, the slope is the whole
    mean *rate* of changes, for good. Else it is its share, up to the next of the *bent* places; and it is not known, so that the line
    ends where it begins, if something gave way between these two lengths, or may have given way anywhere, or if chance is too large.
    None where there is nothing to continue: one length alone, or the *longest* already simulated.

    >>> course, bent = [Estimate(loss, loss, loss, "events") for loss in (0, 10, 30)], [Bend(60, "queue full")]
    >>> beyond([1, 10, 30], course, Estimate(0.2, 0.1, 0.3, "share"), bent, 5, 100)
    Beyond(start=30, first=30, end=60, loss=60.0, why='queue full')
    >>> beyond([1, 10, 30], course, Estimate(0.98, 0.95, 1.01, "share"), bent, 5, 100)
    Beyond(start=30, first=30, end=100, loss=380, why='')
    """
    if len(lengths) < 2 or lengths[-1] >= longest:
        return None
    before, last, lost = lengths[-2], lengths[-1], course[-1].mean
    if share.ends[1] >= 1 and share.mean >= ALL:
        return Beyond(last, lost, longest, lost + rate * (longest - last))
    unknown = [bend.why for bend in bent if bend.length <= last and not (bend.exact and bend.length <= before)]
    if share.ends[1] >= 1:
        unknown.append("loss varies")
    if unknown:
        return Beyond(last, lost, last, lost, unknown[0])
    end, why = min([(bend.length, bend.why) for bend in bent if last < bend.length < longest], default=(longest, ""))
    return Beyond(last, lost, end, lost + max(0.0, share.mean) * rate * (end - last), why)
