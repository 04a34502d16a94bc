"""What an outage loses, by its length: each outage an incident of its own, from a quiet system, on the same luck.

The loss of one outage is what is lost with it less what is lost without it, of the consumer that loses most. All lengths and options
begin in the same moment of the same replication, the very moment at which the scenario's own incident strikes (`edasim.incidents`).

By hand: a publisher that tries r times more, every w = ack_timeout + backoff, bridges r w seconds; of an outage of D seconds at a rate
of 50 changes a second it loses 50 max(0, D - r w). With 3 retries and w = 1.1 s that is nothing at 3 s, 335 at 10 s, and from there on
50 more for each second. A relay waits instead: it loses nothing at any length. So the course is made of straight lines that bend where
something gives way: the retries, a queue that is full, what the broker retains. Beyond what was simulated it goes on at the mean rate of
changes, whatever the traffic of the moment, and only as far as its slope is known (`edasim.studies.outage_bends`).

Where none was lost in n outages of a length, on average at most about 3/n are (`statistics.none_in`): n counts outages, not messages,
because the messages of one outage share its luck.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edasim.candidates import Candidate
from edasim.comparison import Comparison, Key, by_key
from edasim.distributions import Constant
from edasim.errors import InputError
from edasim.estimates import Estimate, estimates
from edasim.incidents import PHASE_S, SETTLE_S, all_up_again, fault, strike, turns_of, without_faults
from edasim.journal import OUTCOMES, Journal
from edasim.luck import Luck, nanoseconds
from edasim.metrics import Value
from edasim.metrics.delivery import LOST
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS, at_points, checked, journal_of
from edasim.scenario import Incident, Scenario, TraceArrivals
from edasim.studies.incidents import options_to_show
from edasim.studies.outage_bends import Beyond, bends, beyond, share_lost
from edasim.studies.short_runs import unread
from edasim.studies.usual_outages import struck_how, usual_length
from edasim.studies.ways_out import ways_out
from edasim.traces import read_trace
from edasim.units import seconds
from edasim.workload import Floats, Workload, make_workload, rate_of

GRID = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 21600.0)
SHORTEST_S, LONGEST_S = 0.01, GRID[-1]  # the longest: six hours
CHANGES = 2000  # in the longest run, about: at 5 changes a second an outage of 4 min
FEWEST = 4  # lengths, however many changes they take
CLOSE = 1.5  # a length of the grid this many times longer or shorter than one that matters gives way to it
LOST_CODES = [OUTCOMES.index(outcome) for outcome in LOST]
METRIC = "lost_per_incident"
CAME = "changes"  # while the outage lasts: not what it does, so it is in no comparison


@dataclass(frozen=True)
class OutageLosses:
    """What outages of a component lose: by option the loss of one outage at each of *lengths* (in s), as simulated.

    *incident* is what happens (its `down` apart), at a mean *rate* of changes per second; *comparison* holds what each replication
    lost, its incidents named by their length. *shares*: how much of what came between the last two lengths was lost, by option.
    """

    incident: Incident
    rate: float
    lengths: tuple[float, ...]
    comparison: Comparison
    courses: Mapping[str, tuple[Estimate, ...]]
    shares: Mapping[str, Estimate]

    @property
    def scenario(self) -> Scenario:
        """The scenario whose outages these are."""
        return self.comparison.scenario

    def alike(self) -> list[list[str]]:
        """The options, those together that lose the same at every length, and beyond."""
        found: dict[tuple[tuple[Estimate, ...], Beyond | None], list[str]] = {}
        for option, course in self.courses.items():
            found.setdefault((course, self.beyond(option)), []).append(option)
        return [*found.values()]

    def beyond(self, option: str) -> Beyond | None:
        """An option's loss beyond the longest outage that was simulated, up to 6 h; None where it can't be said."""
        candidate = next(candidate for candidate in self.comparison.candidates if candidate.name == option)
        bent, rate = bends(candidate, self.incident, self.rate), self.rate * turns_of(self.incident, candidate.scenario)
        return beyond(self.lengths, self.courses[option], self.shares[option], bent, rate, LONGEST_S)


def loss_by_outage(
    scenario: Scenario,
    component: str = "broker",
    *,
    patterns: Sequence[Pattern | str] | None = None,
    options: Sequence[str] | None = None,
    lengths: Sequence[float | str] | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> OutageLosses:
    """What one outage of *component* ("source", "relay", "network", "broker" or a consumer's name) loses, by its length.

    The outage is as the scenario's own incident of that component, whatever its length, and the only thing that fails. Nobody reads
    meanwhile: no read loses a message. It is looked at until 30 s after its end; then changes stop, and what waits is drained. Without
    *patterns* or *options* the scenario's own, as `options_to_show` has them, or else `ways_out` of the source. Without *lengths*
    those of `lengths_for`.

    Raises InputError for an unknown component, an impossible length, or what `compare` refuses.
    """
    incident, rate = struck_how(scenario, component), rate_of(scenario)
    if patterns is None:
        scenario = ways_out(scenario)
    candidates = options_to_show(scenario, patterns, options)
    times = lengths_for(scenario, incident, candidates, rate) if lengths is None else _given(lengths)
    act = partial(lost_by_length, incident=incident, lengths=times)
    numbers = range(checked(replications, jobs))
    found = next(at_points([candidates], act, seed=scenario.seed, replications=numbers, jobs=jobs))
    values = by_key(found)
    lost = {key: of for key, of in values.items() if key[3] == METRIC}
    comparison = Comparison(scenario, scenario.seed, tuple(candidates), lost, replications)
    shares = {candidate.name: _share(values, candidate.name, times) for candidate in candidates}
    return OutageLosses(incident, rate, times, comparison, _courses(comparison, times), shares)


def _given(lengths: Sequence[float | str]) -> tuple[float, ...]:
    try:
        times = sorted({seconds(length) for length in lengths})
    except ValueError as error:
        raise InputError(f"lengths: {error}") from None
    if not times or times[0] <= 0:
        raise InputError("lengths: there must be at least one, and each must be above 0")
    return tuple(times)


def lengths_for(scenario: Scenario, incident: Incident, candidates: Sequence[Candidate], rate: float) -> tuple[float, ...]:
    """The lengths to simulate, in s: 1, 3, 10, ..., the usual one and those at which the loss of an option bends.

    As long as a run has at most 2,000 changes at this mean *rate*, or the shortest four, and not beyond the end of a trace.
    """
    usual = usual_length(scenario, incident) or 0.0
    matter = {usual, *(bend.length for candidate in candidates for bend in bends(candidate, incident, rate))}
    matter = {length for length in matter if SHORTEST_S <= length <= LONGEST_S}
    grid = {length for length in GRID if all(max(length / other, other / length) >= CLOSE for other in matter)}
    found, beside = sorted(matter | grid), scenario.warmup + PHASE_S + SETTLE_S
    affordable = [length for number, length in enumerate(found) if number < FEWEST or rate * (beside + length) <= CHANGES]
    ends = _end_of_trace(scenario)
    if beside + found[0] > ends:
        raise InputError(f"workload.arrivals: the trace ends at {ends:.4g} s, before an outage of {found[0]:g} s is over")
    return tuple(length for length in affordable if beside + length <= ends)


def _end_of_trace(scenario: Scenario) -> float:
    arrivals = scenario.workload.arrivals
    return float(read_trace(arrivals).times[-1]) if isinstance(arrivals, TraceArrivals) else np.inf


def _courses(comparison: Comparison, lengths: Sequence[float]) -> dict[str, tuple[Estimate, ...]]:
    rows = comparison.results
    found = [estimates(rows[rows["incident"] == str(length)], METRIC) for length in lengths]
    return {candidate.name: tuple(_known(of[candidate.name]) for of in found) for candidate in comparison.candidates}


def _share(values: Mapping[Key, Mapping[int, Value]], option: str, lengths: Sequence[float]) -> Estimate:
    """How much of what came between the last two *lengths* (or in the only one) an option lost, at the consumer that loses most."""
    by_consumer = [_between(values, (option, key[1]), METRIC, lengths) for key in values if key[0] == option and key[3] == METRIC]
    return _known(share_lost(max(by_consumer, key=np.sum), _between(values, (option, ""), CAME, lengths)))


def _between(values: Mapping[Key, Mapping[int, Value]], whose: tuple[str, str], metric: str, lengths: Sequence[float]) -> Floats:
    """By how much a *metric* grows from the last length but one to the last, in each replication; shape (replications,)."""
    found = [np.array([value.value for value in values[*whose, str(length), metric, ""].values()]) for length in lengths[-2:]]
    return np.asarray(found[-1] - (found[0] if len(found) > 1 else 0.0))


def _known(found: Estimate) -> Estimate:
    """An estimate that equals itself: one run has no interval, and NaN equals nothing."""
    return Estimate(found.mean, *found.ends, found.unit)


# --- one replication


def lost_by_length(candidate: Candidate, luck: Luck, incident: Incident, lengths: tuple[float, ...]) -> list[Value]:
    """What outages of these *lengths* lose at each consumer in one replication, and what comes: values whose incident is the length."""
    calm = without_faults(unread(candidate.scenario))
    outages = {length: incident.model_copy(update={"down": Constant(value=length)}) for length in lengths}
    ends = {length: all_up_again(outage, calm, luck) + SETTLE_S for length, outage in outages.items()}
    whole = calm.model_copy(update={"duration": max(ends.values()) - calm.warmup})
    workload = make_workload(whole, luck)
    quiet = None if _never_loses(whole) else journal_of(replace(candidate, scenario=whole), luck, workload)
    values = []
    for length, outage in outages.items():
        what = fault(candidate.scenario, outage, strike(outage, calm, luck))
        struck = calm.with_overrides({**what, "duration": ends[length] - calm.warmup})
        hit = journal_of(replace(candidate, scenario=struck), luck, workload.until(int(nanoseconds(struck.window[1]))))
        values += [_lost_at(consumer, hit, quiet, str(length)) for consumer in range(len(struck.consumers))]
        values.append(_came(workload, strike(outage, calm, luck).start, all_up_again(outage, calm, luck), str(length)))
    return values


def _came(workload: Workload, begin: float, over: float, length: str) -> Value:
    """How many changes come from the *begin* of an outage until it is *over*, in s."""
    first, last = np.searchsorted(workload.times, nanoseconds(np.array([begin, over])))
    return Value(CAME, float(last - first), "changes", incident=length)


def _never_loses(calm: Scenario) -> bool:
    """Whether nothing can be lost while nothing fails: then there is no need to see how much."""
    network, broker = calm.network, calm.broker
    return network.loss == 0 and broker.max_length is None and broker.retention_bytes is None and broker.retention > calm.duration


def _lost_at(consumer: int, hit: Journal, quiet: Journal | None, length: str) -> Value:
    """What the outage took from one consumer: of the changes that both runs have, those lost with it less those lost without."""
    count, name = hit.changes["committed"].size, hit.facts["consumers"][consumer]
    if not hit.facts["sends"][consumer] or not hit.faults["start"].size:
        return Value(METRIC, 0.0, "events", name, nature="zero", incident=length)
    lost = _lost(hit, consumer, count) - (_lost(quiet, consumer, count) if quiet else 0)
    return Value(METRIC, float(lost), "events", name, nature="count", incident=length, level=1.0)


def _lost(journal: Journal, consumer: int, count: int) -> int:
    """How many of the first *count* changes were lost on the way to a consumer."""
    deliveries = journal.deliveries
    mine = (deliveries["consumer"] == consumer) & (deliveries["change"] < count)
    return int(np.isin(deliveries["outcome"][mine], LOST_CODES).sum())
