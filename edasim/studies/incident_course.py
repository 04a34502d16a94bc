"""One incident minute by minute: what waits and what readers meet, in one run of each option, until all have recovered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from edasim.candidates import Candidate
from edasim.errors import InputError, suggestion
from edasim.estimates import short
from edasim.findings import Finding
from edasim.incidents import Strike, all_up_again, strike, struck_for, until_recovered
from edasim.journal import NONE, Journal
from edasim.luck import Luck
from edasim.metrics.backlog import recoveries, waiting
from edasim.patterns import Pattern
from edasim.scenario import Incident, Scenario
from edasim.studies.incidents import options_to_show, with_incidents

AFTER = 0.5  # shown after the last recovery, of the time until then: what was lost stays stale
NEVER = 3.0  # the same where an option does not recover


class Met(NamedTuple):
    """When an option met an incident: from *begin* until *end*, and from *recovered* on as few wait again as before (infinite: not
    within the run); in s from the start of the run."""

    begin: float
    end: float
    recovered: float


@dataclass(frozen=True)
class Course:
    """One incident in one run of each option, on one luck: *journals* by option, all equally long.

    *consumer* is the one that is looked at; *when* the incident begins and is over, for all instances; *met*: by option when it strikes
    that option (absent: it does not) and that has recovered; *shown* from when until when, in s from the start of the run.
    """

    scenario: Scenario
    incident: Incident
    consumer: str
    when: Strike
    journals: dict[str, Journal]
    met: dict[str, Met]
    shown: tuple[float, float]


def incident_course(
    scenario: Scenario,
    incident: Incident | str,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    consumer: str | None = None,
) -> Course:
    """One run of each option (see `options_to_show`) through an *incident*, or through that of this name that `with_incidents` has.

    Looked at is the *consumer* that it strikes, or else the one for which most waits, if none is given. Raises InputError for an
    unknown consumer or incident, and what `compare` refuses.
    """
    incident = incident_named(scenario, incident) if isinstance(incident, str) else incident
    luck = Luck(scenario.seed, 0)
    journals = _equally_long(options_to_show(scenario, patterns, options), incident, luck)
    number = _most_struck(journals, incident) if consumer is None else scenario.consumer_number(consumer)
    met = {option: found for option, journal in journals.items() if (found := _met(journal, number))}
    end = min(journal.facts["window"][1] for journal in journals.values()) / 1e9
    when = Strike(strike(incident, scenario, luck).start, all_up_again(incident, scenario, luck))
    return Course(scenario, incident, scenario.consumers[number].name, when, journals, met, _shown(when, list(met.values()), end))


def incident_named(scenario: Scenario, name: str) -> Incident:
    """The incident of that *name* in the *scenario*, or among the usual ones where it names none; InputError where there is none."""
    known = {incident.name: incident for incident in with_incidents(scenario).incidents}
    if name not in known:
        raise InputError(f"incident {name} is not in the scenario: {suggestion(name, known)}")
    return known[name]


def _equally_long(candidates: Sequence[Candidate], incident: Incident, luck: Luck) -> dict[str, Journal]:
    """The run of each option until it has recovered, all as long as the longest."""
    found = {candidate.name: until_recovered(candidate, luck, incident)[1] for candidate in candidates}
    longest = max(journal.facts["window"][1] for journal in found.values())
    for candidate in candidates:
        if found[candidate.name].facts["window"][1] < longest:
            found[candidate.name] = struck_for(longest / 1e9 - candidate.scenario.warmup, candidate, luck, incident)
    return found


def _most_struck(journals: Mapping[str, Journal], incident: Incident) -> int:
    """The number of the consumer that the *incident* strikes, or else of that for which most waits at any time with any option."""
    names = next(iter(journals.values())).facts["consumers"]
    if incident.component in names:
        return int(names.index(incident.component))
    return max(range(len(names)), key=lambda number: max(_most_waiting(journal, number) for journal in journals.values()))


def _most_waiting(journal: Journal, number: int) -> int:
    found = waiting(journal, number)
    return int(found.at(found.begins).max()) if found.begins.size else 0


def _met(journal: Journal, number: int) -> Met | None:
    spans, times = recoveries(journal, number)
    if not len(spans):
        return None
    never = (times == NONE) | (times > journal.facts["window"][1])
    return Met(spans[:, 0].min() / 1e9, spans[:, 1].max() / 1e9, inf if never.any() else float(times.max()) / 1e9)


def _shown(when: Strike, met: Sequence[Met], end: float) -> tuple[float, float]:
    """From a while before the incident until a while after the last has recovered; longer where one does not."""
    known = [when.end, *(found.end for found in met), *(found.recovered for found in met if found.recovered < inf)]
    longest = max(known) - when.start
    after = NEVER if any(found.recovered == inf for found in met) else AFTER
    return max(0.0, when.start - 0.15 * longest), min(end, when.start + (1 + after) * longest)


def how_it_recovered(course: Course) -> Finding:
    """Of one run, by option: how long after the incident all is as before."""
    return Finding("\n".join(f"* `{option}`: {recovery_in_words(course, option)}." for option in course.journals))


def recovery_in_words(course: Course, option: str) -> str:
    """How long after the end of the incident an *option* has recovered."""
    journal = course.journals[option]
    if not journal.facts["sends"][course.scenario.consumer_number(course.consumer)]:
        return "sends nothing, so nothing waits"
    if option not in course.met:
        return "is not struck"
    _, end, recovered = course.met[option]
    if recovered == inf:
        return f"not recovered {short(journal.facts['window'][1] / 1e9 - end, 's')} after its end"
    return f"recovered {short(recovered - end, 's')} after its end" if recovered > end else "recovered at once"
