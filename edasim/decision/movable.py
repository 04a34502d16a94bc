"""Inputs that can be moved: what a scenario assumes, and what every team asks about, each as one number that may be a multiple of itself.

An input is moved to twice, 4, 8 and 16 times what it is, and to a half ... a 16th; further where its assumed range goes further. It is
moved no further than is allowed, nor where a run could not be compared any more or would be too long (`_why_not_to`).

The arrivals of a trace are moved by their speedup. A trace that is played twice as fast is over in half the time: where it would end
before the window does, it is not moved. Windows of outages are moved by the length of the longest; all begin when they do, and the
others keep their length in proportion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from edasim.candidates import Candidate
from edasim.errors import InputError
from edasim.ranges import Range, assumed, is_allowed, quantity, target_of, value_at
from edasim.scenario import Scenario, TraceArrivals
from edasim.simpy_model.limits import why_not
from edasim.traces import read_trace
from edasim.units import seconds
from edasim.workload import rate_of

FARTHEST = 16  # times as much, or that part of it, at least
HEAVY = 500_000  # changes, deliveries and reads: a run that has more, and more than the scenario as it is, is too long to be tried often
WINDOWS = ".windows"
ASKED = (  # inputs that every team asks about, where a scenario has them
    "workload.arrivals.rate",
    "workload.arrivals.rate_high",
    "workload.arrivals.gap",
    "workload.arrivals.speedup",
    "workload.state_bytes",
    "workload.reads.rate",
    "workload.reads.per_change",
)
OUTAGES = (".windows", ".down", ".up")


@dataclass(frozen=True)
class Movable:
    """An input as one number: what it is *now*, and the multiples *above* and *below* that can be tried, nearest first.

    *over* reaches from the last below to the last above. *why_no_further*: what stopped it short of 16 times as much, if anything did.
    """

    over: Range
    now: float
    above: tuple[float, ...]
    below: tuple[float, ...]
    why_no_further: str = ""

    def moved(self, scenario: Scenario, value: float) -> Scenario:
        """The scenario with this input at *value*."""
        return scenario if value == self.now else _moved(scenario, self.over.target, value, self.now)

    @property
    def strikes_the_window_alone(self) -> bool:
        """Whether incidents, which are simulated without any other fault, can't depend on it."""
        return not self.over.target.startswith("incidents.") and ".outages" in self.over.target


def _moved(scenario: Scenario, target: str, value: float, now: float) -> Scenario:
    if not target.endswith(WINDOWS):
        return scenario.with_overrides({target: value})
    windows = [[start, start + (end - start) * value / now] for start, end in _windows(scenario, target)]
    return scenario.with_overrides({target: windows})


def _windows(scenario: Scenario, target: str) -> list[tuple[float, float]]:
    return [(seconds(start), seconds(end)) for start, end in value_at(scenario, target)]


def movable(candidate: Candidate, path: str, expected: Range | None = None) -> Movable:
    """The input of an option at *path*, to be moved at least to the ends of the range in which it is *expected*.

    Raises InputError where nothing that is one number above 0 stands there.

    >>> from edasim import candidates_of
    >>> found = movable(candidates_of(Scenario(), ["cqrs"])[0], "consumers.consumer.handle_time")
    >>> found.now, found.above, found.over.target
    (0.01, (0.02, 0.04, 0.08, 0.16), 'consumers.consumer.handle_time.mean')
    """
    scenario, target = candidate.scenario, target_of(candidate.scenario, path)
    if path.endswith(WINDOWS):
        now, unit = max((end - start for start, end in _windows(scenario, path)), default=0.0), "s"
    else:
        now, unit = _quantity(path, value_at(scenario, target))
    if not now > 0 or not isfinite(now):
        raise InputError(f"`{path}` is {now:g}, which has no multiples")
    whole = isinstance(now, int) and not is_allowed(scenario, target, now + 0.5)
    ends = [end for end in ((expected.low, expected.high) if expected else ()) if end > 0]
    reach = max([FARTHEST, *(max(end / now, now / end) for end in ends)])
    (above, why), (below, _) = (_tried(candidate, target, now, factor, reach, whole=whole) for factor in (2.0, 0.5))
    over = Range(path, target, (*reversed(below), now)[0], (now, *above)[-1], unit, whole, *_told(expected))
    return Movable(over, now, above, below, why)


def _quantity(path: str, there: object) -> tuple[float | int, str]:
    try:
        return quantity(path, there)
    except InputError:
        raise InputError(f"`{path}` is not one number, or a distribution with one mean, so it has no multiples") from None


def _told(expected: Range | None) -> tuple[str, str]:
    """On what ground the input is expected there, and where that is from."""
    return (expected.basis, expected.source) if expected else ("", "")


def _tried(candidate: Candidate, target: str, now: float, factor: float, reach: float, *, whole: bool) -> tuple[tuple[float, ...], str]:
    """The multiples of *now* on one side that can be tried, and why there is no further one."""
    found, multiple = [now], 1.0
    while max(multiple, 1 / multiple) < reach:
        multiple *= factor
        value = int(now * multiple) if whole else now * multiple
        if value == found[-1]:
            break
        if why := _why_not_to(candidate, target, value, now):
            return tuple(found[1:]), why
        found.append(value)
    return tuple(found[1:]), ""


def _why_not_to(candidate: Candidate, target: str, value: float, now: float) -> str:
    """Why the input can't be moved to *value*; empty where it can."""
    before = candidate.scenario
    try:
        after = _moved(before, target, value, now)
    except InputError as error:
        return str(error)
    if reason := why_not(after, candidate.pattern):
        return reason
    if target.endswith(WINDOWS) and _windows(after, target)[-1][1] > max(after.window[1], _windows(before, target)[-1][1]):
        return f"{target}: a longer one would not be over when the measured window is"
    if "arrivals" in target and _covered(after) < min(1.0, _covered(before)):
        return f"{target}: a faster trace would be over before the measured window is; a process with a `rate` can be had at any"
    if work(after) > max(HEAVY, work(before)):
        return f"{target}: beyond that a run has more than {HEAVY:,} changes, deliveries and reads"
    return ""


def _covered(scenario: Scenario) -> float:
    """Which part of a run the recorded arrivals last for; a hundredth is no matter."""
    arrivals = scenario.workload.arrivals
    return float(read_trace(arrivals).times[-1]) / scenario.window[1] / 0.99 if isinstance(arrivals, TraceArrivals) else 1.0


def work(scenario: Scenario) -> float:
    """About how many changes, deliveries and reads a run has."""
    rate, reads, consumers = rate_of(scenario), scenario.workload.reads, len(scenario.consumers)
    read = reads.rate if reads.rate is not None else rate * (reads.per_change or 0.0)
    return scenario.window[1] * (rate + consumers * (rate + read))


def movable_inputs(candidate: Candidate, paths: Sequence[str]) -> tuple[tuple[Movable, ...], tuple[str, ...]]:
    """The inputs of an option at these *paths*, each once, that can be moved; and why others can't be.

    An input that the option sets is moved from what the option says. Raises InputError for an assumed range that is none, and for a path
    at which nothing stands.
    """
    found: list[Movable] = []
    left_out: list[str] = []
    known: list[dict[str, Any]] = []
    ranges = {over.path: over for over in assumed(candidate.scenario)}
    for path in paths:
        if value_at(candidate.scenario, path) is None:
            raise InputError(f"input {path}: nothing stands there in option {candidate.name}, so it can't be moved")
        try:
            each = movable(candidate, path, ranges.get(path))
        except InputError as error:
            left_out.append(str(error))
            continue
        if not each.above and not each.below:
            left_out.append(f"`{path}`: {each.why_no_further}")
            continue
        same = each.moved(candidate.scenario, (each.above or each.below)[0]).as_mapping()  # consumers.0 may be consumers.billing
        if same not in known:
            known.append(same)
            found.append(each)
    return tuple(found), tuple(dict.fromkeys(left_out))


def usual_inputs(scenario: Scenario, incidents: Sequence[str]) -> list[str]:
    """What is assumed to be in a range, then what every team asks about: how much, how long it takes, what is down how long and how often.

    Of these *incidents*, by name. Each as a dotted path.
    """
    names = [consumer.name for consumer in scenario.consumers]
    paths = [*ASKED, *(f"consumers.{name}.handle_time" for name in names)]
    components = ("source", "source.relay", "network", "broker", *(f"consumers.{name}" for name in names))
    paths += [f"{component}.outages{part}" for component in components for part in OUTAGES]
    for incident in (each for each in scenario.incidents if each.name in incidents):
        paths += [f"incidents.{incident.name}.down"] * (incident.kind != "poison") + [f"incidents.{incident.name}.per_year"]
    assumptions = [over.path for over in assumed(scenario)]
    return list(dict.fromkeys([*assumptions, *(path for path in paths if value_at(scenario, path) is not None)]))
