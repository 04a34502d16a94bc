"""Views: the figures that follow sliders, each with the study it draws, in a short run, and the inputs that decide it.

A view is what the static figure above it is, by the same calls, in one short run of few options: quick enough to be moved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edasim import figures, findings
from edasim.comparison import Comparison
from edasim.errors import InputError, suggestion
from edasim.experiment import compare, paired_comparison
from edasim.explore.circumstances import CIRCUMSTANCES, load_path
from edasim.explore.inputs import Input
from edasim.figures import Picture
from edasim.findings import Finding
from edasim.metrics.names import INCIDENTS
from edasim.requirements import limit_of
from edasim.scenario import Requirement, Scenario
from edasim.studies import answers, growth, incident_course, incidents, outage_findings, outages, projection, queueing, short_runs, years
from edasim.studies import requirements as required

CHANGES = 600  # of a short run
FEW, FEWER = 4, 3  # options; where each is simulated several times
ONE_RUN = {"replications": 1, "jobs": 1}
SENDING = ("event_notification", "event_carried_state_transfer", "event_sourcing_cqrs")
OF_A_DAY = tuple(CIRCUMSTANCES)
STRUCK = ("as it is", "Black Friday", "slow consumer")  # where the study strikes a system in which nothing else fails


@dataclass(frozen=True)
class View:
    """What *study* finds of a scenario, *asked* so, *figure* draws it and *finding* says it, both of them told *drawn_with*.

    *inputs* are those that decide it, *first* the changes to a scenario that make its run a short one, *ran* what that run is.
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

    def drawn(self, scenario: Scenario) -> tuple[Picture, Finding]:
        """The figure of a *scenario*, and what it shows. Raises InputError for what can't be simulated."""
        found = self.study(scenario, **self.asked)
        return self.figure(found, **self.drawn_with), self.finding(found, **self.drawn_with)


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
    names = [consumer.name for consumer in scenario.consumers]
    return next((asked.consumer for asked in scenario.requirements if asked.consumer in names), names[0])


def few(scenario: Scenario, *usual: str) -> dict[str, list[str]]:
    """The first of the scenario's options, as many as there are *usual* patterns, or else those, as studies are asked for them."""
    own = [option.name for option in scenario.options]
    return {"options": own[: len(usual)]} if own else {"patterns": list(usual)}


def sending(scenario: Scenario) -> dict[str, list[str]]:
    """Three of the scenario's options, those that send messages first, or else three patterns that do."""
    own = [candidate.name for candidate in incidents.options_to_show(scenario, None, None)] if scenario.options else []
    return {"options": own[: len(SENDING)]} if own else {"patterns": list(SENDING)}


def inputs(scenario: Scenario, *paths: str) -> list[Input]:
    """How often something changes, and these *paths*."""
    return [Input(path) for path in (load_path(scenario), *paths)]


def comparison(scenario: Scenario, consumer: str, incident: str) -> View:
    """What is lost, how stale readers are, how storage grows and how long a rebuild takes."""
    handling = f"consumers.{consumer}.handle_time"
    return View(
        compare,
        figures.one_screen_figure,
        findings.what_differs,
        {**few(scenario, "event_notification", "event_carried_state_transfer", "event_sourcing", "cqrs"), **ONE_RUN, "incidents": False},
        inputs(scenario, "source.producer.retries", handling, "event_store.snapshot_every", "workload.delta_bytes"),
        short_runs.short_run(scenario, CHANGES),
    )


def requirements(scenario: Scenario, consumer: str, incident: str) -> View:
    """How far within what is required, or beyond it, every option is; the comparison alone where nothing is required."""
    if not required_without_incidents(scenario):
        return comparison(scenario, consumer, incident)
    paths = f"consumers.{consumer}.handle_time", "workload.state_bytes", "event_store.rebuild.per_event", "network.latency.deliver"
    return replace(
        comparison(scenario, consumer, incident),
        study=held_against_requirements,
        figure=figures.verdicts_figure,
        finding=what_is_decided,
        inputs=inputs(scenario, *paths),
    )


def held_against_requirements(scenario: Scenario, **asked: Any) -> Comparison:
    """A comparison that requires only what can be seen without incidents."""
    return paired_comparison(scenario.model_copy(update={"requirements": required_without_incidents(scenario)}), **asked)


def required_without_incidents(scenario: Scenario) -> tuple[Requirement, ...]:
    """The requirements that an ordinary run can be held against."""
    return tuple(each for each in scenario.requirements if each.incident is None and each.metric not in INCIDENTS)


def what_is_decided(found: Comparison) -> Finding:
    """Which options meet what is required."""
    return required.what_is_decided(found.verdicts)


def loss(scenario: Scenario, consumer: str, incident: str) -> View:
    """What one outage of the broker loses, by its length."""
    return View(
        outages.loss_by_outage,
        figures.loss_against_outage,
        outage_findings.what_outages_lose,
        {**(sending(scenario) if scenario.options else {}), "lengths": ["3s", "10s", "30s"], **ONE_RUN},
        inputs(scenario, "source.producer.retries", "source.producer.ack_timeout", "source.producer.backoff", "source.relay.poll"),
        short_runs.short_run(scenario, CHANGES),
        "one outage of each length",
        STRUCK,
    )


def staleness(scenario: Scenario, consumer: str, incident: str) -> View:
    """How fresh what readers get is, in calm and in an incident."""
    paths = f"consumers.{consumer}.handle_time", "source.polling.interval", "source.cache_ttl"
    return View(
        answers.freshness_curves,
        figures.freshness_curve,
        answers.who_answers_freshest,
        {"consumer": consumer, **few(scenario, "cached_reads", "polling", "event_notification", "event_carried_state_transfer"), **ONE_RUN},
        [*inputs(scenario, *paths), Input("network.loss", (0, 0.2))],
        short_runs.short_run(scenario, CHANGES),
        "{window} of calm, and one incident",
        STRUCK,
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
        short_runs.short_run(scenario, CHANGES),
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
        inputs(scenario, "source.relay.poll", handling, "network.latency.deliver", "source.producer.retries"),
        short_runs.short_run(scenario, CHANGES),
    )


def course(scenario: Scenario, consumer: str, incident: str) -> View:
    """What waits, and what readers meet, minute by minute in one incident."""
    usual = (
        {} if scenario.incidents else {"incidents": [each.model_dump(mode="json") for each in incidents.with_incidents(scenario).incidents]}
    )
    paths = f"incidents.{incident}.down", f"consumers.{consumer}.handle_time", f"consumers.{consumer}.instances"
    return View(
        incident_course.incident_course,
        figures.incident_over_time,
        incident_course.how_it_recovered,
        {"incident": incident, **sending(scenario)},
        inputs(scenario, *paths, "source.producer.retries"),
        {**short_runs.short_run(scenario, CHANGES), **usual},
        "one incident",
        STRUCK,
    )


def queue(scenario: Scenario, consumer: str, incident: str) -> View:
    """The time in system of a scenario that is M/M/1, beside its closed form."""
    return View(
        queueing.around,
        figures.mm1_figure,
        queueing.does_the_queue_agree,
        {"replications": 3, "jobs": 1},
        [*inputs(scenario, f"consumers.{consumer}.handle_time", "duration"), Input("seed", (1, 20))],
        {},
        "three runs at each load",
        ("as it is", "slow consumer"),
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
