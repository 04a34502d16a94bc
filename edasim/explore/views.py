"""Views: the figures that follow sliders, each with the study it draws, in a short run, and the inputs that decide it.

A view is what the static figure above it is, by the same calls, in one short run of few options: quick enough to be moved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edasim import figures, findings
from edasim.errors import InputError, suggestion
from edasim.experiment import compare
from edasim.explore.circumstances import CIRCUMSTANCES, load_path
from edasim.explore.inputs import Input
from edasim.figures import Picture
from edasim.figures.picture import sketched
from edasim.findings import Finding
from edasim.ranges import quantity, value_at
from edasim.requirements import limit_of
from edasim.scenario import Scenario, TraceArrivals
from edasim.studies import answers, growth, incident_course, incidents, outage_findings, outages, projection, queueing, short_runs, years
from edasim.studies import requirements as required
from edasim.studies.ways_out import ways_out

SHORT_RUN = 400  # changes
LOSS = (0, 0.2)  # from none, of which twice is none, to a network that is not fit for use
ONE_RUN = {"replications": 1, "jobs": 1}
SENDING = ("event_notification", "event_sourcing_cqrs")
OF_A_DAY = tuple(CIRCUMSTANCES)
STRUCK = ("as it is", "Black Friday", "slow consumer")  # where the study strikes a system in which nothing else fails


@dataclass(frozen=True)
class View:
    """What *study* finds of a scenario, *asked* so, *figure* draws it and *finding* says it, both of them told *drawn_with*.

    *inputs* are those that decide it, *first* the changes to a scenario that make its run a short one, *ran* what that run is.
    *struck*: one of the scenario's incidents is simulated. Where the study is not *asked* for options or patterns, a table is of
    *patterns*, or of the options that the study has *made* in a scenario without any.
    """

    study: Callable[..., Any]
    figure: Callable[..., Picture]
    finding: Callable[..., Finding]
    asked: Mapping[str, Any]
    inputs: Sequence[Input]
    first: Mapping[str, Any]
    ran: str = "one run of {window}"
    circumstances: Sequence[str] = OF_A_DAY
    drawn_with: Mapping[str, Any] = field(default_factory=dict)
    struck: bool = False
    patterns: Sequence[str] = ()
    made: Callable[[Scenario], Scenario] | None = None

    def drawn(self, scenario: Scenario) -> tuple[Picture, Finding]:
        """The figure of a *scenario*, and what it shows. Raises InputError for what can't be simulated."""
        found = self.study(scenario, **self.asked)
        return sketched(self.figure)(found, **self.drawn_with), self.finding(found, **self.drawn_with)


def view_of(scenario: Scenario, name: str, consumer: str, incident: str | None) -> View:
    """The view of that *name*, for readers at *consumer*, in an *incident* if it is about one (the first, if none is named).

    Raises InputError with close matches for a name that is not there.
    """
    if name not in VIEWS:
        raise InputError(f"view {name} is not known: {suggestion(name, VIEWS)}")
    scenario.consumer_number(consumer)
    chosen = incident_course.incident_named(scenario, incident or incidents.with_incidents(scenario).incidents[0].name)
    return VIEWS[name](scenario, consumer, chosen.name)


def consumer_asked_about(scenario: Scenario) -> str:
    """The first consumer that a requirement names, or the first of all."""
    return next((asked.consumer for asked in scenario.requirements if asked.consumer), scenario.consumers[0].name)


def few(scenario: Scenario, *usual: str) -> dict[str, list[str]]:
    """The first of the scenario's options, as many as there are *usual* patterns, or else those, as studies are asked for them."""
    own = [option.name for option in scenario.options]
    return {"options": own[: len(usual)]} if own else {"patterns": list(usual)}


def sending(scenario: Scenario, most: int) -> dict[str, list[str]]:
    """As many of the scenario's options as are shown at *most*, those that send messages first, or else of patterns that do."""
    own = [candidate.name for candidate in incidents.options_to_show(scenario, None, None)] if scenario.options else []
    return {"options": own[:most]} if own else {"patterns": list(SENDING[:most])}


def inputs(scenario: Scenario, *paths: str) -> list[Input]:
    """How often something changes, and these *paths* but for what a trace brings."""
    arrivals = scenario.workload.arrivals
    recorded = arrivals.columns.model_dump(exclude_none=True) if isinstance(arrivals, TraceArrivals) else {}
    return [Input(path) for path in (load_path(scenario), *paths) if path.removeprefix("workload.") not in recorded]


def comparison(scenario: Scenario, consumer: str, incident: str) -> View:
    """What is lost, how stale readers are, how storage grows and how long a rebuild takes."""
    handling = f"consumers.{consumer}.handle_time"
    return View(
        compare,
        figures.one_screen_figure,
        findings.what_differs,
        {**few(scenario, "event_notification", "event_carried_state_transfer", "event_sourcing_cqrs"), **ONE_RUN, "incidents": False},
        inputs(scenario, handling, "workload.state_bytes", "workload.delta_bytes", "event_store.rebuild.per_event"),
        short_runs.short_run(scenario, SHORT_RUN),
    )


def requirements(scenario: Scenario, consumer: str, incident: str) -> View:
    """How far within what is required, or beyond it, every option is; the comparison alone where nothing is required."""
    if not required.required_without_incidents(scenario):
        return comparison(scenario, consumer, incident)
    paths = f"consumers.{consumer}.handle_time", "workload.state_bytes", "event_store.rebuild.per_event"
    usual = comparison(scenario, consumer, incident)
    return replace(
        usual,
        study=required.held_without_incidents,
        figure=figures.verdicts_figure,
        finding=required.what_it_decides,
        asked={name: value for name, value in usual.asked.items() if name != "incidents"},
        inputs=inputs(scenario, *paths),
    )


def loss(scenario: Scenario, consumer: str, incident: str) -> View:
    """What one outage of the broker loses, by its length."""
    return View(
        outages.loss_by_outage,
        figures.loss_against_outage,
        outage_findings.what_outages_lose,
        {**(sending(scenario, 3) if scenario.options else {}), "lengths": ["3s", "10s"], **ONE_RUN},
        inputs(scenario, "source.producer.retries", "source.producer.ack_timeout", "source.producer.backoff"),
        short_runs.short_run(scenario, SHORT_RUN),
        "one outage of each length",
        STRUCK,
        made=ways_out,
    )


def staleness(scenario: Scenario, consumer: str, incident: str) -> View:
    """How fresh what readers get is, in calm and in an incident."""
    paths = f"consumers.{consumer}.handle_time", "source.polling.interval", "source.cache_ttl"
    return View(
        answers.freshness_curves,
        figures.freshness_curve,
        answers.who_answers_freshest,
        {"consumer": consumer, **few(scenario, "cached_reads", "polling", "event_carried_state_transfer"), **ONE_RUN},
        [*inputs(scenario, *paths), Input("network.loss", LOSS)],
        short_runs.short_run(scenario, SHORT_RUN),
        "{window} of calm, and one incident",
        STRUCK,
        struck=True,
    )


def storage(scenario: Scenario, consumer: str, incident: str) -> View:
    """What is stored over five years."""
    budget = limit_of(scenario, "storage_bytes")
    return View(
        years.storage_over_years,
        figures.storage_years,
        growth.how_storage_grows,
        {**few(scenario, *years.USUAL), **ONE_RUN},
        inputs(scenario, "event_store.snapshot_every", "workload.delta_bytes", "workload.state_bytes", "broker.retention"),
        short_runs.short_run(scenario, SHORT_RUN),
        drawn_with={} if budget is None else {"budget": budget},
    )


def lag(scenario: Scenario, consumer: str, incident: str) -> View:
    """How late a read model is."""
    handling = f"consumers.{consumer}.handle_time"
    return View(
        projection.push_or_poll,
        figures.projection_lag,
        projection.how_late,
        {"consumer": consumer, **ONE_RUN},
        [*inputs(scenario, "source.relay.poll", handling, "network.latency.deliver"), Input("network.loss", LOSS)],
        short_runs.short_run(scenario, SHORT_RUN),
        patterns=["cqrs"],
    )


def course(scenario: Scenario, consumer: str, incident: str) -> View:
    """What waits, and what readers meet, minute by minute in one incident: of the consumer that it strikes, or else the one asked about."""
    usual = (
        {} if scenario.incidents else {"incidents": [each.model_dump(mode="json") for each in incidents.with_incidents(scenario).incidents]}
    )
    component = incident_course.incident_named(scenario, incident).component
    struck = component if any(component == each.name for each in scenario.consumers) else consumer
    paths = f"incidents.{incident}.down", f"consumers.{struck}.handle_time", "source.producer.retries"
    return View(
        incident_course.incident_course,
        figures.incident_over_time,
        incident_course.how_it_recovered,
        {"incident": incident, "consumer": struck, **sending(scenario, 2)},
        inputs(scenario, *paths),
        {**short_runs.short_run(scenario, SHORT_RUN), **usual},
        "one incident",
        STRUCK,
        struck=True,
    )


def queue(scenario: Scenario, consumer: str, incident: str) -> View:
    """The time in system of a scenario that is M/M/1, beside its closed form."""
    load, handling = load_path(scenario), f"consumers.{consumer}.handle_time"
    rate, service = quantity(load, value_at(scenario, load))[0], scenario.consumers[0].handle_time.mean()
    possible = [Input(path, (queueing.LOADS[0] / other, queueing.LOADS[-1] / other)) for path, other in ((load, service), (handling, rate))]
    return View(
        queueing.around,
        figures.mm1_figure,
        queueing.does_the_queue_agree,
        {"replications": 3, "jobs": 1},
        [*possible, Input("duration"), Input("seed", (1, 20))],
        {"duration": scenario.duration / 2},
        "three runs at each load",
        ("as it is", "slow consumer"),
        patterns=[queueing.PATTERN],
    )


VIEWS: Mapping[str, Callable[[Scenario, str, str], View]] = {
    "comparison": comparison,
    "requirements": requirements,
    "loss": loss,
    "staleness": staleness,
    "storage": storage,
    "lag": lag,
    "incident": course,
    "queue": queue,
}
