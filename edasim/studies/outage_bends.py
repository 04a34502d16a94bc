"""Where the loss of an outage bends, and how far beyond what was simulated it may be continued.

Loss is made of straight lines: past the last thing that gave way each further second loses what comes in it. So the line through the
last two lengths that were simulated goes on to where the next thing may give way, and no further.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edasim.candidates import Candidate
from edasim.estimates import Estimate
from edasim.patterns import patterns_of, way_out


class Bend(NamedTuple):
    """From outages of this *length* (in s) on something may give way, and *why*."""

    length: float
    why: str


class Beyond(NamedTuple):
    """A loss that was extrapolated: from outages of *start* seconds to those of *end*, where it is *loss*; *why* it ends there."""

    start: float
    first: float
    end: float
    loss: float
    why: str = ""

    def at(self, length: float) -> float:
        """The loss at some *length*, in s, on the straight line."""
        if self.end == self.start:
            return self.loss
        return self.first + (self.loss - self.first) * (length - self.start) / (self.end - self.start)


def bends(candidate: Candidate, component: str, rate: float) -> list[Bend]:
    """Where an option's loss may bend, with *component* down while *rate* changes a second come: the earliest it can be, shortest first.

    A queue or a buffer is full when all that came waits in it, a partition when all that came is in one, and age bounds what waits.
    """
    return sorted([*_retries(candidate, component), *_room(candidate, rate)])


def _retries(candidate: Candidate, component: str) -> Iterator[Bend]:
    producer, scenario = candidate.scenario.source.producer, candidate.scenario
    spent = producer.retries * (producer.ack_timeout + producer.backoff)
    blind = way_out(candidate.pattern, scenario) != "direct" or producer.acks == 0
    if component in ("broker", "network") and candidate.pattern.sends and not blind and spent:
        yield Bend(spent, "retries end")


def _room(candidate: Candidate, rate: float) -> Iterator[Bend]:
    broker, sizes = candidate.scenario.broker, candidate.scenario.workload
    sent = {"notice": sizes.notice_bytes, "state": sizes.state_bytes, "delta": sizes.delta_bytes}
    carried = {pattern.carries for pattern in patterns_of(candidate.pattern, candidate.scenario) if pattern.sends}
    largest = max((sent[carries].mean() for carries in carried), default=0.0)
    if not carried:
        return
    yield Bend(broker.retention, "retention")
    if broker.max_length is not None and rate:
        yield Bend(broker.max_length / rate, "queue full")
    if broker.retention_bytes is not None and rate * largest:
        yield Bend(broker.retention_bytes / (rate * largest), "retention in bytes")


def beyond(lengths: Sequence[float], course: Sequence[Estimate], bent: Sequence[Bend], longest: float) -> Beyond | None:
    """The *course* of a loss over *lengths* continued to outages of *longest* seconds, or to where it may bend before.

    With the slope between the last two lengths, at least 0. It ends where it begins if something gave way between these, so that the
    slope beyond is not known. None where there is nothing to continue: one length alone, or the *longest* already simulated.

    >>> course = [Estimate(loss, loss, loss, "events") for loss in (0.0, 50.0, 150.0)]
    >>> beyond([1, 10, 30], course, [Bend(3, "retries end"), Bend(60, "queue full")], 100)
    Beyond(start=30, first=150.0, end=60, loss=300.0, why='queue full')
    """
    if len(lengths) < 2 or lengths[-1] >= longest:
        return None
    (before, less), (last, lost) = ((length, found.mean) for length, found in zip(lengths[-2:], course[-2:], strict=True))
    for bend in bent:
        if before < bend.length <= last:
            return Beyond(last, lost, last, lost, bend.why)
    slope = max(0.0, (lost - less) / (last - before))
    end, why = min([(bend.length, bend.why) for bend in bent if last < bend.length < longest], default=(longest, ""))
    return Beyond(last, lost, end, lost + slope * (end - last), why)
