"""What lies between a broker and a consumer's work: transit to one that is idle, and handover to one that has just ended a message.

Both are seen in stamps of single messages: when each was sent, and when its handling began and ended. A message that was sent while
nobody was at work was in transit until its handling began. One that was there already when its consumer ended the message before waited
for the handover, which is service time: acknowledging, fetching, the client's own code.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.observe.document import distribution

Floats = NDArray[np.float64]
FEWEST = 20  # messages


class Stamps(NamedTuple):
    """When each message was sent, and when its handling began and ended, by the instance that did it; seconds, shape (messages,)."""

    sent: Floats
    begun: Floats
    ended: Floats
    instance: NDArray[np.int64]


class Fitted(NamedTuple):
    """Transit and handover times that were seen, in seconds."""

    transit: Floats
    handover: Floats

    def said(self, name: str) -> dict[str, Any]:
        """One of the two as a scenario file holds it: lognormal, with the mean and the spread that were seen."""
        seen: Floats = getattr(self, name)
        return distribution("lognormal", float(seen.mean()), float(seen.std() / seen.mean()), "s")


def fitted(stamps: Stamps, fewest: int = FEWEST) -> Fitted:
    """Transit and handover times in *stamps*. Raises ValueError where fewer than *fewest* messages tell either."""
    handovers, before = _after_the_last(stamps)
    if not (stamps.sent <= before).any():
        raise ValueError("no message waited")
    transit = _in_transit(stamps, float(np.median(handovers[stamps.sent <= before])))
    waited = stamps.sent + np.median(transit) <= before  # it was there when its consumer became free
    found = Fitted(transit, handovers[waited])
    if min(found.transit.size, found.handover.size) < fewest:
        raise ValueError(f"{found.transit.size} messages met an idle consumer and {found.handover.size} waited: too few")
    return found


def _after_the_last(stamps: Stamps) -> tuple[Floats, Floats]:
    """From the end of the message before, at the same instance, to the beginning of each; and that end (minus infinity: none was)."""
    before = np.full(stamps.sent.size, -np.inf)
    for instance in np.unique(stamps.instance):
        mine = np.flatnonzero(stamps.instance == instance)
        mine = mine[np.argsort(stamps.begun[mine], kind="stable")]
        before[mine[1:]] = stamps.ended[mine[:-1]]
    return stamps.begun - before, before


def _in_transit(stamps: Stamps, handover: float) -> Floats:
    """From sent to begun of messages that were sent when nobody was at work, nor had been for the time of a handover."""
    order = np.argsort(stamps.sent, kind="stable")
    last_end = np.concatenate([[-np.inf], np.maximum.accumulate(stamps.ended[order])[:-1]])
    idle = order[last_end + handover <= stamps.sent[order]]
    return np.asarray((stamps.begun - stamps.sent)[idle])
