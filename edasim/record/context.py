"""A scenario's workload in a few sentences, for who reads a decision and not the scenario."""

from collections.abc import Iterator

from edasim.estimates import rounded, short
from edasim.markdown import code, plain
from edasim.scenario import Scenario, TraceArrivals
from edasim.workload import rate_of

PROCESSES = {
    "poisson": "independent of each other (Poisson)",
    "renewal": "with independent gaps",
    "bursty": "in bursts",
    "daily": "with the swing of a day",
}


def workload_in_words(scenario: Scenario) -> tuple[str, ...]:
    """Sentences in Markdown on changes, reads, consumers, and on what goes wrong.

    >>> for said in workload_in_words(Scenario()):
    ...     print(said)
    50 changes a second on average, independent of each other (Poisson), of 10,000 entities.
    500 reads a second at each consumer.
    Who must learn of the changes: `consumer`.
    A run measures 10 min of that.
    """
    return tuple(_sentences(scenario))


def _sentences(scenario: Scenario) -> Iterator[str]:
    arrivals, entities, reads = scenario.workload.arrivals, scenario.workload.entities, scenario.workload.reads
    recorded = isinstance(arrivals, TraceArrivals)
    how = "as recorded" if isinstance(arrivals, TraceArrivals) else PROCESSES[arrivals.process]
    whose = "those in the trace" if isinstance(arrivals, TraceArrivals) and arrivals.columns.entity else f"{entities.count:,} entities"
    yield f"{rounded(rate_of(scenario))} changes a second{'' if recorded else ' on average'}, {how}, of {whose}."
    yield (
        f"{reads.rate:,.6g} reads a second at each consumer."
        if reads.rate is not None
        else f"{reads.per_change:,.6g} reads for each change."
    )
    yield f"Who must learn of the changes: {', '.join(code(consumer.name) for consumer in scenario.consumers)}."
    for incident in scenario.incidents:
        lasts = f"for {short(incident.down.mean(), 's')}" if incident.kind != "poison" else "a message that can't be handled"
        kind = "" if incident.kind in ("process", "poison") else f" ({incident.kind})"
        yield f"{plain(incident.name)}: {rounded(incident.per_year)} times a year at {code(incident.component)}, {lasts}{kind}."
    yield f"A run measures {short(scenario.duration, 's')} of that{', each incident on its own' if scenario.incidents else ''}."
