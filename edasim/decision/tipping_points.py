"""What would change our mind: for one option the nearest value of each input at which something that is met now would be violated.

Each input is moved alone, up and down, from what it is now; all else, and all luck, stays. Steps are multiples (`edasim.decision.movable`)
until a requirement is clearly violated; between the last step at which that was clearly met and this one the **tipping point** is closed
in by the search of `edasim.studies.bracketing`, with its noise rules. Its interval has clear values at both ends.

An example: an option publishes 10 changes a second once, without retries, and the broker is down for 5 s. 50 are lost. If 100 of 1000 may
be, it holds until the outage reaches 10 s, which is twice as long.

Like every bracketing search it takes a metric for granted that goes one way: what is violated at 1.5 times and met again at twice as much
is not seen. No run is shortened: a requirement on a window means this window. What is not met now has no tipping point, nor what is
undecided after *most* replications.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite, log

from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from edasim.candidates import candidate_named
from edasim.decision.held import Held
from edasim.decision.movable import WINDOWS, Movable, movable_inputs, usual_inputs
from edasim.errors import InputError
from edasim.estimates import rounded, short
from edasim.findings import Finding, listed
from edasim.markdown import code, sentence
from edasim.ranges import Range
from edasim.requirements import check_requirements
from edasim.runs import checked
from edasim.scenario import Scenario
from edasim.studies.bracketing import Bracket, Point, search
from edasim.studies.requirements import NOTHING
from edasim.studies.tipping import FIRST, MOST, looks
from edasim.verdicts import requirements_in

Steps = list[tuple[float, dict[str, Point | None]]]


@dataclass(frozen=True)
class TippingPoint:
    """Where *requirement*, in words, begins to be violated as one input is moved from what it is *now*: *estimate*, from *low* to *high*.

    It is clearly met at the nearer end of that and clearly violated at the other. *over* reaches from where all that was met still is, or
    is violated, on one side to that on the other. All in the unit of *over*.
    """

    over: Range
    now: float
    requirement: str
    estimate: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        """How many times as much as now."""
        return self.estimate / self.now

    @property
    def distance(self) -> float:
        """How far that is from now, by ratio: twice and half as much are equally far."""
        return abs(log(self.ratio)) if self.ratio > 0 else inf

    @property
    def value(self) -> str:
        """The tipping point itself, for people: of whole numbers the first at which it is violated."""
        first = self.high if self.estimate > self.now else self.low
        return told(self.over, first if self.is_sharp else self.estimate)

    @property
    def sentence(self) -> str:
        """Until where the option holds, and what is violated then."""
        way = "reaches" if self.estimate > self.now else "falls to"
        ends = "" if self.is_sharp else f"{told(self.over, self.low)} to {told(self.over, self.high)}; "
        now = f"now {told(self.over, self.now)}"
        return f"holds until {named(self.over)} {way} {self.value} ({ends}{now}): then `{self.requirement}` is violated"

    @property
    def is_sharp(self) -> bool:
        """Whether it lies between one whole number and the next, so that there is no interval to tell."""
        return self.over.whole and self.high - self.low <= 1


@dataclass(frozen=True)
class TippingPoints:
    """The tipping points of an *option*, the nearest first, and the inputs that have none.

    *holds*: inputs that change what is required, each with the values between which all that is met now still is. *untouched*: those
    that change nothing of it clearly, each between the farthest values tried. *not_now*: requirements that are violated
    or undecided as the scenario is. *not_moved*: why other inputs were not tried, or not further. *met*: what is met
    as the scenario is. *now*: what each input is, by the target of its range. *undecided*: those of *not_now* that are not violated.
    """

    scenario: Scenario
    option: str
    points: tuple[TippingPoint, ...]
    holds: tuple[Range, ...]
    not_now: tuple[str, ...]
    untouched: tuple[Range, ...] = ()
    not_moved: tuple[str, ...] = ()
    met: tuple[str, ...] = ()
    now: Mapping[str, float] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()


def named(over: Range) -> str:
    """An input in a sentence."""
    return f"the length of `{over.path}`" if over.path.endswith(WINDOWS) else f"`{over.path}`"


def told(over: Range, value: float) -> str:
    """A value of an input, to three digits; a whole number where it is one.

    >>> told(Range("a", "a", 0.0, 1.0, "s"), 0.0421), told(Range("a", "a", 0.0, 1.0), 1234.5)
    ('42.1 ms', '1,230')
    """
    return short(value, over.unit) if over.unit else rounded(round(value) if over.whole else value)


@dataclass(frozen=True)
class _Moved:
    """What came of moving one input: the values between which all holds, and a tipping point on either side, or on none."""

    over: Range
    points: tuple[TippingPoint, ...] = ()
    is_touching: bool = True


def tipping_points(
    scenario: Scenario,
    option: str,
    *,
    inputs: Sequence[str] | None = None,
    replications: int = FIRST,
    most: int = MOST,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> TippingPoints:
    """For an option (its name, or that of a pattern) the nearest tipping point in each of *inputs*, on either side.

    By default these are the assumptions that say a range and what every team asks about (`edasim.decision.movable.usual_inputs`).
    At each value there are *replications*, and twice as many, up to *most*, while something is undecided. Inputs are spread over *jobs*
    processes (-1: one a core). An input that the option sets is moved from what the option says.

    Raises InputError for an unknown option or input, an impossible number of replications, and what `compare` refuses.

    >>> asked = [{"metric": "storage_bytes", "at_most": "30MB"}]  # 10,000 rows of 2 kB
    >>> small = Scenario(duration=5, warmup=0, drain=1, requirements=asked)
    >>> found = tipping_points(small, "request_response", jobs=1)
    >>> found.points[0].over.path, round(found.points[0].estimate)
    ('workload.state_bytes', 3000)
    """
    check_requirements(scenario)
    checked(replications, jobs)
    if not 2 <= replications <= most:
        raise InputError(f"replications: {replications} is not allowed: must be at least 2 and at most {most}, the most at one value")
    candidate = candidate_named(scenario, option)
    luck = scenario.seed if seed is None else seed
    held = Held(candidate, candidate.scenario.requirements, luck, looks(replications, most), jobs, progress)
    now = held.points()
    met = tuple(words for words, point in now.items() if point is not None and point.sign < 0)
    undecided = tuple(words for words, point in now.items() if point is not None and point.sign == 0)
    not_now = tuple(words for words, point in now.items() if point is not None and point.sign >= 0)
    live = replace(held.held_to(requirements_in(held.requirements, met)), jobs=1, progress=False)
    paths = usual_inputs(candidate.scenario, [incident.name for incident in live.incidents]) if inputs is None else inputs
    movable, not_moved = movable_inputs(candidate, paths) if met else ((), ())
    tasks = [delayed(_moved)(live, each) for each in movable]
    done = Parallel(n_jobs=min(effective_n_jobs(jobs), len(tasks) or 1), return_as="generator")(tasks)
    found = list(tqdm(done, desc="inputs", total=len(tasks), leave=False, disable=not progress))
    now_by = {each.over.target: each.now for each in movable}
    points = sorted((point for each in found for point in each.points), key=lambda point: point.distance)
    holds = tuple(each.over for each in found if each.is_touching and not each.points)
    untouched = tuple(each.over for each in found if not each.is_touching)
    stopped = (each for each, moved in zip(movable, found, strict=True) if moved.is_touching and not _tips_above(moved))
    short_of = tuple(each.why_no_further for each in stopped if each.why_no_further)
    return TippingPoints(scenario, option, tuple(points), holds, not_now, untouched, not_moved + short_of, met, now_by, undecided)


def _tips_above(found: _Moved) -> bool:
    return any(point.estimate > point.now for point in found.points)


def _moved(held: Held, at: Movable) -> _Moved:
    """One input, moved both ways."""
    if not held.is_touched_by(at):
        return _Moved(at.over, is_touching=False)
    (below, down), (above, up) = (_one_way(held, at, values) for values in (at.below, at.above))
    over = replace(at.over, low=below, high=above)
    return _Moved(over, tuple(replace(point, over=over) for point in (down, up) if point is not None))


def _one_way(held: Held, at: Movable, values: Sequence[float]) -> tuple[float, TippingPoint | None]:
    """How far the input can be moved that way with all clearly met, or to where something is violated; and the tipping point, if so."""
    steps: Steps = []
    for value in values:
        points = held.points(at, value)
        if violated := [words for words, point in points.items() if point is not None and point.sign > 0]:
            found = [_closed_in(held, at, words, steps, value) for words in violated]
            return value, min(found, key=lambda point: point.distance)
        steps.append((value, points))
    return _clear_to(at.now, steps), None


def _clear_to(now: float, steps: Steps) -> float:
    """The last step up to which all is met."""
    for value, points in steps:
        if any(point is not None and point.sign >= 0 for point in points.values()):
            break
        now = value
    return now


def _closed_in(held: Held, at: Movable, words: str, steps: Steps, violated: float) -> TippingPoint:
    """Where a requirement tips, between the last step at which it is clearly met and the one at which it is *violated*."""
    met = [value for value, points in steps if (point := points.get(words)) is not None and point.sign < 0]
    low, high = sorted(((at.now, *met)[-1], violated))
    bracket = search(lambda value: held.point(words, at, value), replace(at.over, low=low, high=high))
    assert bracket.low
    assert bracket.high
    return TippingPoint(at.over, at.now, words, _estimate(bracket), bracket.low.value, bracket.high.value)


def _estimate(bracket: Bracket) -> float:
    """By the straight line through what was found; in the middle, where that is no number: what can't be done is beyond any limit."""
    assert bracket.low
    assert bracket.high
    if not (isfinite(bracket.low.difference.mean) and isfinite(bracket.high.difference.mean)):
        return (bracket.low.value + bracket.high.value) / 2
    assert bracket.estimate is not None
    return bracket.estimate


def what_would_change_our_mind(found: TippingPoints) -> Finding:
    """The tipping points of an option, the nearest first; then between which values of others nothing flips, and what was not asked."""
    if not found.scenario.requirements:
        return Finding(NOTHING)
    if not found.met:
        return Finding(
            f"{code(found.option)} meets nothing that is required, so nothing can tip: {listed(found.not_now)}." if found.not_now else ""
        )
    names = _names(found)
    lines = [_nearest(found), *(f"* {code(found.option)} {sentence(point.sentence, names)}." for point in found.points)]
    moved = [over for over in found.holds if over.low < over.high]
    still = [over for over in found.holds if over.low == over.high]
    if moved:
        lines.append(f"* **No requirement flips** where all else stays: {'; '.join(map(_between, moved))}.")
    if still:
        lines.append(f"* **Unclear right beside what it is now**: {listed([over.path for over in still])}.")
    if found.untouched:
        tried = "; ".join(map(_between, found.untouched))
        lines.append(f"* **No clear change** of what is met now, at half, at twice and at both ends: {tried}.")
    if violated := [words for words in found.not_now if words not in found.undecided]:
        lines.append(f"* **Violated now**, so without a tipping point: {listed(violated)}.")
    if found.undecided:
        lines.append(f"* **Undecided now**, which more replications may change, so without a tipping point: {listed(found.undecided)}.")
    lines += [f"* Not moved, or no further: {sentence(why, names)}." for why in found.not_moved]
    return Finding("\n".join(lines))


def _names(found: TippingPoints) -> set[str]:
    """What its sentences quote: inputs and requirements."""
    inputs = [*(point.over for point in found.points), *found.holds, *found.untouched]
    return {*(over.path for over in inputs), *(point.requirement for point in found.points), *found.met}


def _nearest(found: TippingPoints) -> str:
    if not found.points:
        return f"**Nothing that was tried** makes {code(found.option)} violate what it meets now: {listed(found.met)}."
    first = found.points[0]
    return (
        f"**Nearest**: {sentence(named(first.over), [first.over.path])}, at {first.ratio:.3g} times what it is now. Each input is moved "
        "alone; the interval is that of the values at which it is not clear, at 95 %, whether the requirement is met."
    )


def _between(over: Range) -> str:
    return f"{sentence(named(over), [over.path])} from {told(over, over.low)} to {told(over, over.high)}"
