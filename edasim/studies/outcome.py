"""When does the source learn what came of its change? By a plain request to a consumer, and by an event that answers an event.

A notification expects no answer. A source that needs one gets it as another event: the consumer, once it has handled the message,
publishes what came of it, and the source listens to that. A plain request is answered by whoever it is put to, or refused at once.
Both on the same luck: the same changes at the same times, the same outages, the same handling time for each change.

Simplifications of the plain request: it is put once, handled at the first attempt, and refused only while all instances are down;
those that are up then do the work of all.
"""

from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import Candidate
from edasim.comparison import COLUMNS
from edasim.errors import InputError
from edasim.estimates import Estimate
from edasim.faults import Downtimes
from edasim.findings import Finding
from edasim.journal import NONE, Journal
from edasim.luck import Luck
from edasim.metrics.delivery import in_window
from edasim.patterns import patterns_of
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Consumer, Scenario
from edasim.simpy_model.source import Servers
from edasim.statistics import Interval, interval, rate_interval

Floats = NDArray[np.float64]
Span = tuple[int, int]
ANSWER = "the source itself"  # as a consumer
STEPS = 20  # times a decade
FIRST = 1e-3  # the first of them, in seconds
NEVER = np.inf
CURVES = {"known_by_event": "by_event", "known_by_request": "by_request", "done_by_request": "done_by_request"}


@dataclass(frozen=True)
class Outcomes:
    """From each commit in the window until the source knows the outcome, in seconds (infinite: it never does); shape (changes,).

    *refused*: the plain request got no for an answer, or none because whoever served it died.
    """

    by_event: Floats
    by_request: Floats
    refused: NDArray[np.bool_]

    @property
    def done_by_request(self) -> Floats:
        """As *by_request*; what was refused is never done."""
        return np.where(self.refused, NEVER, self.by_request)


@dataclass(frozen=True)
class Learnt:
    """When the source learns the outcomes of its changes at *consumer*: several runs of one option."""

    scenario: str
    option: str
    pattern: str
    consumer: str
    runs: tuple[Outcomes, ...]

    def curves(self) -> pd.DataFrame:
        """The share of changes whose outcome the source knows within a time, with 95 % intervals of each time alone.

        Rows as those of `compare`, with a column more, `within_s`: 20 times a decade, from 1 ms to the longest that any took, and
        infinity. Metrics: `known_by_event`, which ends at the share whose outcome the source ever learns; `known_by_request`, a
        refusal being an outcome, too; and of these `done_by_request` without the refusals. NaN where there is no change.
        """
        found = [
            (metric, within, share) for metric, way in CURVES.items() for within, share in zip(self.times, self.shares(way), strict=True)
        ]
        names = self.scenario, self.option, self.pattern, self.consumer, ""
        rows = [(*names, metric, "", "share", share.mean, share.low, share.high, len(self.runs), at) for metric, at, share in found]
        return pd.DataFrame(rows, columns=[*COLUMNS, "within_s"])

    @property
    def times(self) -> list[float]:
        """The times of the curves, in seconds."""
        taken = np.concatenate([times for run in self.runs for times in (run.by_event, run.by_request)])
        longest = max([FIRST, *taken[np.isfinite(taken)].tolist()])
        steps = int(np.ceil(STEPS * np.log10(longest / FIRST) - 1e-9)) + 1
        return [*(float(f"{FIRST * 10 ** (step / STEPS):.12g}") for step in range(steps)), NEVER]

    def shares(self, way: str) -> list[Interval]:
        """The share of the times of one kind in `Outcomes` that are no longer than each of `times`."""
        taken = self.taken(way)
        trials = [times.size for times in taken]
        if not trials:
            return [Interval(np.nan, np.nan, np.nan)] * len(self.times)
        known = np.array([[np.mean(times <= at) if at < NEVER else np.isfinite(times).mean() for at in self.times] for times in taken])
        return [rate_interval(column, trials) for column in known.T]

    def taken(self, way: str) -> list[Floats]:
        """The times of one kind in `Outcomes`, of the runs in which there was any change."""
        return [getattr(run, way) for run in self.runs if run.by_event.size]

    def quantile(self, way: str, share: float) -> Estimate:
        """The time within which this *share* of the outcomes is known, the mean over runs; infinite where it never is in some of them."""
        found = [float(np.quantile(times, share, method="higher")) for times in self.taken(way)]
        if not np.isfinite(found).all():
            return Estimate(NEVER, np.nan, np.nan, "s")
        known = interval(found)
        return Estimate(known.mean, known.low, known.high, "s")

    def never(self, way: str) -> Estimate:
        """The share of changes whose outcome is never known, or whose request is never served."""
        hits = [np.isinf(times) for times in self.taken(way)]
        known = rate_interval([hit.mean() for hit in hits], [hit.size for hit in hits])
        return Estimate(known.mean, known.low, known.high, "share")


def learnt(candidate: Candidate, consumer: str, *, replications: int = REPLICATIONS, jobs: int = -1) -> Learnt:
    """Of an option that sends: when the source knows what *consumer* made of each change, in so many runs, the changes and luck of each
    being those of the same replication of `compare`.

    Raises InputError for an unknown consumer, and for an option that sends it nothing.
    """
    scenario, number = candidate.scenario, candidate.scenario.consumer_number(consumer)
    if not patterns_of(candidate.pattern, scenario)[number].sends:
        raise InputError(f"option {candidate.name} sends nothing to {consumer}, so there is no event to answer")
    asking = replace(candidate, scenario=_with_answers(scenario, consumer))
    look = partial(_outcomes, scenario=scenario, number=number)
    found = over_replications([asking], look, seed=scenario.seed, replications=replications, jobs=jobs)
    return Learnt(scenario.name, candidate.name, candidate.pattern.name, consumer, tuple(found[candidate.name]))


def _outcomes(journal: Journal, scenario: Scenario, number: int) -> Outcomes:
    """Of a run with an answering consumer more than the *scenario* has."""
    counted, committed = in_window(journal), journal.changes["committed"]
    luck = Luck(journal.facts["seed"], journal.facts["replication"])
    back, refused = _requested(scenario, scenario.consumers[number], journal, luck)
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
    there, back = (luck.times(f"request {consumer.name} {way}", call, committed.size).values for way in ("there", "back"))
    handling = luck.times(f"handle {consumer.name}", consumer.handle_time, committed.size).values.tolist()
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


def when_the_source_knows(found: Learnt) -> Finding:
    """Which way the source learns sooner and by what factor, how many requests are refused, of how many changes it never learns."""
    if not found.taken("by_event"):
        return Finding(f"No change in the window, so nothing to learn from `{found.consumer}`.")
    silent, refused = found.never("by_event"), found.never("done_by_request")
    lines = [
        f"* **Half of what `{found.consumer}` makes of changes is known** {_both_ways(found, 0.5)}: {_sooner(found)}.",
        f"* **99 of 100 outcomes are known** {_both_ways(found, 0.99)}.",
        f"* **A request is refused**, and the source knows at once, for {refused} of changes.",
        f"* **An event never comes back** for {silent} of changes, and the source is not told.",
    ]
    return Finding("\n".join(lines))


def _both_ways(found: Learnt, share: float) -> str:
    times = {words: found.quantile(way, share) for words, way in (("by request", "by_request"), ("by an event", "by_event"))}
    said = {words: f"within {time}" if time.mean < NEVER else "not even when the run ends" for words, time in times.items()}
    return ", ".join(f"{words} {when}" for words, when in said.items())


def _sooner(found: Learnt) -> str:
    """Which way is sooner in the middle, run by run, if that is certain."""
    ways = ("by_event", "by_request")
    event, request = ([float(np.quantile(times, 0.5, method="higher")) for times in found.taken(way)] for way in ways)
    if not (np.isfinite(event).all() and min(request) > 0):
        return "there is no factor between them"
    factor = interval(np.divide(event, request))
    if not (factor.low > 1 or factor.high < 1):  # one run has no interval
        return "which is sooner is not certain"
    sooner, times = ("by request", factor) if factor.low > 1 else ("by event", interval(np.divide(request, event)))
    return f"{sooner} sooner, {times.mean:.3g} times (95 % interval {times.low:.3g} to {times.high:.3g})"
