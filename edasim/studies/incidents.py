"""A bad day: which incidents there are, and what each costs each option, once and in a year.

An incident is simulated on its own, from a quiet system until all is as before (`edasim.incidents`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import Comparison
from edasim.distributions import Constant
from edasim.estimates import Estimate, column, estimates, short
from edasim.findings import Finding, listed, the
from edasim.incidents import incidents_at
from edasim.patterns import Pattern, pattern_of, patterns_of
from edasim.runs import REPLICATIONS
from edasim.scenario import Incident, Scenario
from edasim.sweeps import MOST

USUAL = ("request_response", "event_notification", "event_carried_state_transfer", "event_sourcing_cqrs")
DOES = {"process": "is down", "power": "loses power", "slow": "takes {factor:g} times as long"}


def with_incidents(scenario: Scenario) -> Scenario:
    """The *scenario* itself if it names incidents; else with three that anybody has: the broker restarts, the source, and a deploy.

    >>> [incident.name for incident in with_incidents(Scenario()).incidents]
    ['broker-restart', 'source-restart', 'consumer-deploy']
    """
    if scenario.incidents:
        return scenario
    usual = [
        {"name": "broker-restart", "component": "broker", "per_year": 12, "down": "60s"},
        {"name": "source-restart", "component": "source", "per_year": 12, "down": "30s"},
    ]
    return scenario.with_overrides({"incidents": [*usual, usual_deploy(scenario)]})


def usual_deploy(scenario: Scenario) -> dict[str, Any]:
    """A deploy of the first consumer, twice a week, one instance after the other."""
    first = scenario.consumers[0].name
    return {"name": f"{first}-deploy", "component": first, "per_year": 100, "down": "10s", "kind": "rolling"}


def deploy_in(scenario: Scenario) -> Incident:
    """The first incident that is a rolling deploy, or the usual one if the *scenario* names none."""
    named = [incident for incident in scenario.incidents if incident.kind == "rolling"]
    return named[0] if named else Incident(**usual_deploy(scenario))


def worst_incident(costs: Comparison) -> Incident:
    """That in which some option loses most over a year; where none loses any, that from which one is last to recover."""
    for metric in ("lost_per_year", "recovery_time"):
        most = {name: max((found.mean for found in of.values()), default=0.0) for name, of in costs_by_incident(costs, metric).items()}
        if any(size > 0 for size in most.values()):
            return next(incident for incident in costs.scenario.incidents if incident.name == max(most, key=lambda name: most[name]))
    return costs.scenario.incidents[0]


def which_incidents(scenario: Scenario) -> Finding:
    """The incidents that are looked at, how often each happens, and whether the scenario names them or they are assumed."""
    whose = "The scenario names these" if scenario.incidents else "Assumed, because the scenario names none"
    incidents = with_incidents(scenario).incidents
    return Finding(
        "\n".join([f"{whose}:\n", *(f"* **{incident.name}**, {often(incident)}: {happens(incident)}." for incident in incidents)])
    )


def often(incident: Incident) -> str:
    """How often an *incident* happens, in words."""
    return f"{incident.per_year:,.4g} a year"


def happens(incident: Incident) -> str:
    """What an *incident* is, in words."""
    whom = the(incident.component)
    if incident.kind == "poison" or incident.down is None:
        return f"{whom} meets a message that it can never handle"
    lasts = f"for {short(incident.down.mean(), 's')}{'' if isinstance(incident.down, Constant) else ' on average'}"
    if incident.component == "network":
        return f"{whom} loses {short(incident.loss, 'share')} of what is published {lasts}"
    if incident.kind == "rolling":
        return f"{whom} restarts, one instance after the other, each {lasts}"
    return f"{whom} {DOES[incident.kind].format(factor=incident.factor)} {lasts}"


def incident_costs(
    scenario: Scenario,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> Comparison:
    """What each incident does to each option, and all of them in a year: `incidents_at` for those that `with_incidents` names.

    Options as `options_to_show` has them. Raises InputError for what `compare` refuses.
    """
    scenario = with_incidents(scenario)
    chosen = options_to_show(scenario, patterns, options)
    return incidents_at(chosen, scenario.incidents, scenario, seed=scenario.seed, replications=replications, jobs=jobs)


def options_to_show(scenario: Scenario, patterns: Sequence[Pattern | str] | None, options: Sequence[str] | None) -> list[Candidate]:
    """These *patterns* or *options*; without either at most five of the scenario's own, those that send messages first, or `USUAL`."""
    if patterns is None and options is None:
        silent_last = sorted(scenario.options, key=lambda option: not pattern_of(option.pattern).sends)[:MOST]
        options = [option.name for option in scenario.options if option in silent_last] or None
        patterns = None if options else USUAL
    return candidates_of(scenario, patterns, options)


def costs_by_incident(costs: Comparison, metric: str) -> dict[str, dict[str, Estimate]]:
    """*metric* by incident and option, of several consumers that of the one who fares worst; empty where it does not apply."""
    rows = costs.results
    return {incident.name: estimates(rows[rows["incident"] == incident.name], metric) for incident in costs.scenario.incidents}


def in_a_year(costs: Comparison, metric: str = "lost_per_year") -> dict[str, Estimate]:
    """*metric* by option, over all incidents of a year."""
    return estimates(costs.results[costs.results["incident"] == ""], metric)


def silent(costs: Comparison) -> list[str]:
    """The options that send nothing, so that no incident can cost them a message."""
    return [of.name for of in costs.candidates if not any(pattern.sends for pattern in patterns_of(of.pattern, of.scenario))]


def incidents_table(costs: Comparison) -> pd.DataFrame:
    """How many messages an option loses in one incident of each kind, and in all of a year; a row an option."""
    options = [candidate.name for candidate in costs.candidates]
    table = pd.DataFrame(index=pd.Index(options, name="option"))
    for incident, found in costs_by_incident(costs, "lost_per_incident").items():
        table[incident] = column(found, options)
    table["all, in a year"] = column(in_a_year(costs), options)
    return table.replace(r"\bmessages\b", "", regex=True).replace(r" +\)", ")", regex=True)


def what_incidents_cost(costs: Comparison) -> Finding:
    """Of each option which incident costs it most in a year; who loses nothing in any; who recovers last, and who never did."""
    total = in_a_year(costs)
    lines = [
        f"* `{option}` loses {_number(lost)} messages in a year, {_mostly(costs, option)}."
        for option, lost in total.items()
        if lost.mean > 0
    ]
    if unseen := [option for option, lost in total.items() if lost.is_unseen]:
        bound = max(total[option] for option in unseen)
        lines.append(f"* **None seen lost in any incident** with {listed(unseen)}: {_number(bound)} messages in a year.")
    if quiet := silent(costs):
        lines.append(f"* **Nothing to lose**, because nothing is sent, with {listed(quiet)}.")
    if spared := [option for option, lost in total.items() if lost.is_zero and option not in quiet]:
        lines.append(f"* **Can lose none**, because none of these incidents leaves a way to, with {listed(spared)}.")
    return Finding("\n".join([*lines, *_recoveries(costs)]))


def _number(lost: Estimate) -> str:
    return str(lost._replace(unit="")).strip().replace(" )", ")")


def _mostly(costs: Comparison, option: str) -> str:
    """In which incident an option loses most over a year, with those whose intervals overlap that one's."""
    found = {name: of[option] for name, of in costs_by_incident(costs, "lost_per_year").items() if option in of and of[option].mean > 0}
    most = max(found, key=lambda name: found[name].mean)
    alike = [name for name, lost in found.items() if lost.overlaps(found[most])]
    if len(found) == 1:
        return f"all that was seen in `{most}`"
    if len(alike) > 1:
        return f"most of it in {listed(alike)}, whose intervals overlap"
    return f"most of it in `{most}`: {_number(found[most])}"


def _recoveries(costs: Comparison) -> Iterator[str]:
    """Who takes longest to recover, from what, and who did not at all in some run."""
    times = {(option, name): time for name, found in costs_by_incident(costs, "recovery_time").items() for option, time in found.items()}
    if times:
        option, name = max(times, key=lambda pair: times[pair].mean)
        others = [other for other, of in times if of == name and other != option and times[other, of].overlaps(times[option, name])]
        alike = f"; the intervals of {listed(others)} overlap" if others else ""
        yield f"* **Last to recover**: `{option}` from `{name}`, {times[option, name]} after its end{alike}."
    for name, found in costs_by_incident(costs, "unrecovered_rate").items():
        if never := [option for option, share in found.items() if share.mean > 0]:
            most = max((found[option] for option in never), key=lambda share: share.mean)
            yield f"* **Not recovered from `{name}`** when the longest run ended, with {listed(never)}: in up to {most} of the runs."
