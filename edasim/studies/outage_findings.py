"""What outages lose, in words: from which length on, how much in one that is usual, and how much more each further second."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import nan

from edasim.estimates import Estimate, rounded, short
from edasim.findings import Finding, extremes, listed
from edasim.requirements import Bound
from edasim.studies.outage_bends import Beyond
from edasim.studies.outages import METRIC, OutageLosses
from edasim.studies.usual_outages import allowed, usual_length

SPARED, IMMUNE, UNCLEAR = "never seen", "never", "seen, but by chance perhaps"


def headline(found: OutageLosses) -> str:
    """From which length on outages lose something with which options; with which that is not clear of chance, or none was seen lost."""
    begin: dict[str, list[str]] = {}
    for option, course in found.courses.items():
        begin.setdefault(_begins(found.lengths, course), []).append(option)
    spared, immune, unclear = (begin.pop(kind, []) for kind in (SPARED, IMMUNE, UNCLEAR))
    outages = f"{found.scenario.name}: {found.incident.component} outages"
    names, parts = partial(_names, among=len(found.courses)), []
    if begin:
        outages += " lose events"
        parts.append(", ".join(f"{when} with {names(options)}" for when, options in begin.items()))
    if spared:
        seen = "none seen lost" if begin else f"up to {short(found.lengths[-1], 's')} were not seen to lose an event"
        parts.append(f"{seen} with {names(spared)}")
    if unclear:
        parts.append(f"{'few seen lost' if begin else 'were seen to lose few events'} with {names(unclear)}")
    if immune and not parts:
        parts.append(f"can lose no event with {names(immune)}")
    return f"{outages} {'; '.join(parts)}"


def _begins(lengths: Sequence[float], course: Sequence[Estimate]) -> str:
    """From which length on a course loses something, if at any length that is clear of chance."""
    if not any(lost.mean for lost in course):
        return IMMUNE if all(lost.is_zero for lost in course) else SPARED
    if not any(lost.ends[0] > 0 for lost in course):
        return UNCLEAR
    first = next(place for place, lost in enumerate(course) if lost.mean)
    return f"beyond {short(lengths[first - 1], 's')}" if first else f"from {short(lengths[0], 's')} on"


def _names(options: Sequence[str], among: int) -> str:
    if 1 < len(options) == among:
        return "every option"
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} and {options[-1]}"


def what_outages_lose(found: OutageLosses) -> Finding:
    """What one outage of the usual length loses, or else the longest that was simulated; whether that is allowed; how loss grows."""
    usual, limit = usual_length(found.scenario, found.incident), allowed(found.scenario, found.incident)
    at = usual if usual in found.lengths else found.lengths[-1]
    rows = found.comparison.results
    whose = ", the 95th percentile of your own" if at == usual else ""
    lines = [f"* **Lost in an outage of {short(at, 's')}{whose}**: {extremes(rows[rows['incident'] == str(at)], METRIC)}."]
    if usual and at != usual:
        said = [f"{_not_simulated(found, options[0], usual)} with {listed(options)}" for options in found.alike()]
        lines.append(f"* In one of {short(usual, 's')}, the 95th percentile of your own: {'; '.join(said)}.")
    if limit is not None and usual:
        lines.append(f"* **At most {limit:,.4g} may be lost** in one of {short(usual, 's')}: {_decided(found, usual, limit)}.")
    elif limit is not None:
        lines.append(f"* **At most {limit:,.4g} may be lost**; how long your own outages are is not said: {_decided(found, None, limit)}.")
    lines += [f"* {listed(options)}: {grows(found, options[0])}." for options in found.alike()]
    return Finding("\n".join(lines))


def _not_simulated(found: OutageLosses, option: str, usual: float) -> str:
    """What an option loses in an outage of a length that was not simulated: extrapolated, or not known and why."""
    further = found.beyond(option)
    if further and further.start <= usual <= further.end:
        lost = further.at(usual)
        return f"{f'about {rounded(lost)}' if lost else 'none'} (extrapolated)"
    return f"not known (beyond {short(further.end, 's')}: {further.why})" if further and further.why else "not known (not simulated)"


def _decided(found: OutageLosses, length: float | None, limit: float) -> str:
    """Which options keep to a *limit* in an outage of that *length*, as far as their intervals tell, and which pass it how soon."""
    verdicts: dict[str, list[str]] = {}
    for option, course in found.courses.items():
        verdict = Bound("at most", limit).decides(*_interval(found, option, length))
        passed = reached(found.lengths, course, limit)
        soon = "" if passed is None else f" (passed at {short(passed, 's')})"
        verdicts.setdefault(verdict, []).append(f"`{option}`{soon}")
    return "; ".join(f"{verdict} with {', '.join(options)}" for verdict, options in verdicts.items())


def _interval(found: OutageLosses, option: str, length: float | None) -> tuple[float, float]:
    """Between what an option's loss lies in an outage of some *length*, relatively as wide where it is extrapolated; NaN: not known."""
    course, further = found.courses[option], found.beyond(option)
    if length in found.lengths:
        return course[found.lengths.index(length)].ends
    if length is None or not further or not further.start <= length <= further.end:
        return nan, nan
    low, high = course[-1].ends
    lost, more = further.at(length), further.at(length) - further.first
    return (low * lost / further.first, high * lost / further.first) if further.first else (low + more, high + more)


def reached(lengths: Sequence[float], course: Sequence[Estimate], limit: float) -> float | None:
    """From which length on a mean loss is more than *limit*, on the straight lines between those simulated; None: at none of them.

    >>> reached([1, 10, 30], [Estimate(0, 0, 1, "events"), Estimate(50, 40, 60, "events"), Estimate(150, 140, 160, "events")], 100)
    20.0
    """
    for (start, less), (end, more) in pairwise(zip(lengths, course, strict=True)):
        if less.mean <= limit < more.mean:
            return start + (end - start) * (limit - less.mean) / (more.mean - less.mean)
    return lengths[0] if course[0].mean > limit else None


def grows(found: OutageLosses, option: str) -> str:
    """How the loss of an option grows with the length of an outage."""
    return growth(found.lengths, found.courses[option], found.beyond(option))


def growth(lengths: Sequence[float], course: Sequence[Estimate], further: Beyond | None = None) -> str:
    """How a loss grows with the length of an outage: where it begins, and how steep it is in the end, or *further* on.

    >>> growth([1, 10, 30], [Estimate(0, 0, 1, "events"), Estimate(50, 40, 60, "events"), Estimate(150, 140, 160, "events")])
    'none seen lost up to 1 s; from 10 s on 5 more for each further second'
    """
    first, last = course[0], course[-1]
    if all(lost.is_zero for lost in course):
        return "none to lose"
    if not any(lost.mean for lost in course):
        return f"none seen lost up to {short(lengths[-1], 's')}: {last} in each"
    if len(course) == 1 or first.overlaps(last):
        return f"{first} at {short(lengths[0], 's')}, {last} at {short(lengths[-1], 's')}: no effect of the length is certain"
    spared = [length for length, lost in zip(lengths, course, strict=True) if not lost.mean]
    begins = f"none seen lost up to {short(spared[-1], 's')}" if spared else f"{first} at {short(lengths[0], 's')}"
    if further is None:
        steep = (last.mean - course[-2].mean) / (lengths[-1] - lengths[-2])
        return f"{begins}; from {short(lengths[-2], 's')} on {steep:.3g} more for each further second"
    if further.slope is None:
        return f"{begins}; {last} at {short(lengths[-1], 's')}, not known beyond ({further.why})"
    until = f", up to {short(further.end, 's')} ({further.why})" if further.why else ""
    return f"{begins}; from {short(further.start, 's')} on {further.slope:.3g} more for each further second{until}"
