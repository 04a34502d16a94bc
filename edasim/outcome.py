"""When does the source learn what came of its change? By a plain request to a consumer, and by an event that answers an event.

A notification expects no answer. A source that needs one gets it as another event: the consumer, once it has handled the message,
publishes what came of it, and the source listens to that. A plain request is answered by whoever it is put to, or refused at once.
Both on the same luck: the same changes at the same times, the same outages, the same handling time for each change.

Simplifications of the plain request: it is put once, handled at the first attempt, and refused only while all instances are down;
those that are up then do the work of all.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError, suggestion
from edasim.experiment import Candidate, simulate
from edasim.journal import NONE, Journal
from edasim.luck import Luck
from edasim.metrics.delivery import in_window
from edasim.scenario import Consumer, Scenario
from edasim.simpy_model.faults import Downtimes
from edasim.simpy_model.source import Servers

Floats = NDArray[np.float64]
Span = tuple[int, int]
ANSWER = "the source itself"  # as a consumer


@dataclass(frozen=True)
class Outcomes:
    """From each commit in the window until the source knows the outcome, in seconds (infinite: it never does); shape (changes,).

    *refused*: the plain request got no for an answer, or none because whoever served it died.
    """

    by_event: Floats
    by_request: Floats
    refused: NDArray[np.bool_]


def outcomes(candidate: Candidate, consumer: str, replication: int = 0) -> Outcomes:
    """Of one replication of an option that sends: when the source knows what *consumer* made of each change.

    Raises InputError for an unknown consumer, and for an option that sends it nothing.
    """
    names = [known.name for known in candidate.scenario.consumers]
    if consumer not in names:
        raise InputError(f"consumer {consumer} is not in the scenario: {suggestion(consumer, names)}")
    scenario, number = candidate.scenario, names.index(consumer)
    journal = simulate(_with_answers(scenario, consumer), candidate.pattern, replication=replication)
    if not journal.facts["sends"][number]:
        raise InputError(f"option {candidate.name} sends nothing to {consumer}, so there is no event to answer")
    counted = in_window(journal)
    committed = journal.changes["committed"]
    back, refused = _requested(scenario, scenario.consumers[number], journal, Luck(scenario.seed, replication))
    return Outcomes(_answered(journal)[counted], ((back - committed) / 1e9)[counted], refused[counted])


def _with_answers(scenario: Scenario, consumer: str) -> Scenario:
    """One consumer more: the source, which listens to what *consumer* publishes; all it needs is in the event."""
    listener = {"name": ANSWER, "listens_to": consumer, "instances": 1, "handle_time": 0, "on_notice": "react", "on_gap": "ignore"}
    return Scenario.from_mapping({**scenario.as_mapping(brief=True), "consumers": [*scenario.as_mapping()["consumers"], listener]})


def _answered(journal: Journal) -> Floats:
    mine = journal.deliveries["consumer"] == len(journal.facts["consumers"]) - 1
    change, applied = journal.deliveries["change"][mine], journal.deliveries["applied"][mine]
    known = np.full(journal.changes["time"].size, np.inf)
    known[change] = np.where(applied == NONE, np.inf, (applied - journal.changes["committed"][change]) / 1e9)
    return known


def _requested(scenario: Scenario, consumer: Consumer, journal: Journal, luck: Luck) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """When the answer to the request about each change is back, and whether it is a refusal; shapes (changes,)."""
    call, committed = scenario.network.latency.call, journal.changes["committed"]
    there, back = (np.array(luck.times(f"request {consumer.name} {way}", call, committed.size)) for way in ("there", "back"))
    handling = luck.times(f"handle {consumer.name}", consumer.handle_time, committed.size)
    down = Downtimes(_all_down(journal, consumer))
    servers = Servers(consumer.instances, down)
    arrivals, known, refused = committed + there, committed.copy(), np.zeros(committed.size, dtype=bool)
    for change in np.argsort(arrivals, kind="stable").tolist():
        if committed[change] == NONE:
            continue
        arrives = int(arrivals[change])
        ended, served = (arrives, False) if down.is_down(arrives) else servers.admit(arrives, handling[change])
        known[change], refused[change] = ended + (back[change] if served else 0), not served
    return known, refused


def _all_down(journal: Journal, consumer: Consumer) -> list[Span]:
    """When no instance of the consumer was up."""
    names, faults = journal.facts["components"]["faults"], journal.faults
    spans = []
    for instance in range(consumer.instances):
        mine = faults["component"] == names.index(f"{consumer.name} {instance}")
        spans.append(list(zip(faults["start"][mine].tolist(), faults["end"][mine].tolist(), strict=True)))
    return reduce(_both, spans)


def _both(these: list[Span], those: list[Span]) -> list[Span]:
    shared = ((max(start, begin), min(end, stop)) for start, end in these for begin, stop in those)
    return [(start, end) for start, end in shared if start < end]
