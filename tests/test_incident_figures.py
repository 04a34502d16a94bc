"""A bad day: one incident over time, what each costs in a year, and the words and figures about it."""

from math import inf
from typing import Any

import pytest
from test_delivery_figures import collisions
from tiny import quiet

from edasim import PRESETS, Comparison, Scenario, figures
from edasim.figures import Picture
from edasim.studies.incident_course import Course, how_it_recovered, incident_course
from edasim.studies.incidents import (
    USUAL,
    costs_by_incident,
    deploy_in,
    in_a_year,
    incident_costs,
    incidents_table,
    silent,
    what_incidents_cost,
    which_incidents,
    with_incidents,
    worst_incident,
)

RESTART = {"name": "restart", "component": "broker", "per_year": 2, "down": 10}
PAUSE = {"name": "pause", "component": "billing", "per_year": 50, "down": 10}
DEPLOY = {"name": "deploy", "component": "billing", "per_year": 100, "down": 5, "kind": "rolling"}
STEADY = [{"name": "billing", "instances": 1, "handle_time": 0.1, "commit": {"messages": 1}, "rebalance": 0}]
ONE = ["event_carried_state_transfer"]
HARDLY = {"latency": 0, "loss": 1e-9}


def day(*incidents: dict[str, Any], **changes: Any) -> Scenario:
    """A change each 0.2 s, published once, to a consumer that handles ten a second."""
    base = {"workload": {"arrivals": {"process": "renewal", "gap": 0.2}}, "source": {"producer": {"retries": 0}}, "consumers": STEADY}
    return quiet(**{"name": "day", **base, "incidents": list(incidents), **changes})


@pytest.fixture(scope="module")
def costs() -> Comparison:
    return incident_costs(day(RESTART, PAUSE, DEPLOY, network=HARDLY), replications=3, jobs=1)


@pytest.fixture(scope="module")
def course() -> Course:
    return incident_course(day(PAUSE), day(PAUSE).incidents[0])


# Which incidents, which options


def test_a_scenario_that_names_no_incident_gets_some_that_are_said_to_be_assumed() -> None:
    assert which_incidents(day()).startswith("Assumed, because the scenario names none")
    assert [incident.component for incident in with_incidents(day()).incidents] == ["broker", "source", "billing"]
    assert which_incidents(day(RESTART)).startswith("The scenario names these")
    assert with_incidents(day(RESTART)) == day(RESTART)


def test_every_incident_is_said_with_how_often_it_happens() -> None:
    slow = {**PAUSE, "name": "slow", "kind": "slow", "factor": 3}
    poison = {"name": "poison", "component": "billing", "kind": "poison", "per_year": 1}
    burst = {"name": "burst", "component": "network", "per_year": 7, "down": {"dist": "exponential", "mean": 9}, "loss": 0.5}
    said = which_incidents(day(RESTART, DEPLOY, slow, poison, burst)).splitlines()[2:]
    assert said == [
        "* **restart**, 2 a year: the broker is down for 10 s.",
        "* **deploy**, 100 a year: billing restarts, one instance after the other, each for 5 s.",
        "* **slow**, 50 a year: billing takes 3 times as long for 10 s.",
        "* **poison**, 1 a year: billing meets a message that it can never handle.",
        "* **burst**, 7 a year: the network loses 50 % of what is published for 9 s on average.",
    ]


def test_of_more_than_five_options_those_that_send_nothing_are_left_out_first() -> None:
    patterns = ["request_response", "cached_reads", *(name for name, pattern in PRESETS.items() if pattern.sends)]
    options = [{"name": f"own-{pattern}", "pattern": pattern} for pattern in patterns]
    found = incident_costs(day(PAUSE, options=options), replications=1, jobs=1)
    chosen = [candidate.pattern.name for candidate in found.candidates]
    assert len(chosen) == 5
    assert all(PRESETS[name].sends for name in chosen)


def test_a_deploy_is_the_scenarios_own_or_the_usual_one() -> None:
    assert deploy_in(day(RESTART, DEPLOY)).name == "deploy"
    assert (deploy_in(day(RESTART)).name, deploy_in(day(RESTART)).kind) == ("billing-deploy", "rolling")


# Over time


def test_a_paused_consumer_has_worked_off_what_came_after_as_long_as_the_pause(course: Course) -> None:
    """By hand: 10 s at 5 a second leave 50; at 10 a second, while 5 come, they take 10 s."""
    met = course.met[ONE[0]]
    assert met.end - met.begin == pytest.approx(10)
    assert met.recovered - met.end == pytest.approx(10, abs=0.5)
    assert course.shown[0] < met.begin < met.recovered < course.shown[1]


def test_who_is_not_struck_has_not_met_the_incident(course: Course) -> None:
    assert "request_response" not in course.met
    assert "`request_response`: sends nothing, so nothing waits" in how_it_recovered(course)


def test_all_options_are_shown_for_equally_long() -> None:
    """A relay works off its outbox after the broker is back, who publishes directly has nothing to work off."""
    slow = [{**STEADY[0], "handle_time": 0.19}]
    found = incident_course(day(RESTART, consumers=slow), day(RESTART).incidents[0])
    windows = {journal.facts["window"][1] for journal in found.journals.values()}
    assert len(windows) == 1
    assert found.met["event_sourcing_cqrs"].recovered > found.met[ONE[0]].recovered + 60


def test_what_never_recovers_is_said_and_not_marked() -> None:
    overloaded = day(PAUSE, consumers=[{"name": "billing", "instances": 1, "handle_time": 0.25}])
    found = incident_course(overloaded, overloaded.incidents[0], ONE)
    assert found.met[ONE[0]].recovered == inf
    assert "not recovered" in how_it_recovered(found)
    assert "not recovered" in figures.incident_over_time(found).alt


# In a year


def test_a_year_is_what_one_incident_loses_times_how_often_it_happens(costs: Comparison) -> None:
    """By hand: 10 s at 5 a second, twice a year; a consumer that is down loses nothing."""
    lost = costs_by_incident(costs, "lost_per_incident")["restart"][ONE[0]]
    assert lost.mean == pytest.approx(50, abs=1)
    assert in_a_year(costs)[ONE[0]].mean == pytest.approx(2 * lost.mean)
    assert costs_by_incident(costs, "lost_per_year")["pause"][ONE[0]].is_unseen


def test_the_finding_names_the_costliest_incident_and_the_last_to_recover(costs: Comparison) -> None:
    said = what_incidents_cost(costs)
    assert f"`{ONE[0]}` loses" in said
    assert "all that was seen in `restart`" in said
    assert worst_incident(costs).name == "restart"
    rows = costs.results[costs.results["metric"] == "recovery_time"]
    last = rows.loc[rows["mean"].idxmax()]
    assert f"**Last to recover**: `{last['option']}` from `{last['incident']}`" in said
    assert "not recovered" not in said.lower()


def test_who_loses_nothing_is_told_from_who_has_nothing_to_lose(costs: Comparison) -> None:
    said = what_incidents_cost(costs)
    assert silent(costs) == ["request_response"]
    assert "**Can lose none**, because none of these incidents leaves a way to, with `event_sourcing_cqrs`" in said
    assert "because nothing is sent, with `request_response`" in said
    unseen = what_incidents_cost(incident_costs(day(PAUSE, network=HARDLY), ONE, replications=1, jobs=1))
    assert f"**None seen lost in any incident** with `{ONE[0]}`: 0 (< " in unseen


def test_where_nothing_is_lost_the_worst_incident_is_the_last_to_be_recovered_from() -> None:
    found = incident_costs(day(DEPLOY, PAUSE), ONE, replications=1, jobs=1)
    assert worst_incident(found).name == "pause"


def test_the_table_has_a_row_for_each_option_and_says_which_zeros_are_bounds(costs: Comparison) -> None:
    table = incidents_table(costs)
    assert list(table.index) == list(USUAL)
    assert list(table.columns) == ["restart", "pause", "deploy", "all, in a year"]
    assert set(table.loc["request_response"]) == set(table.loc["event_sourcing_cqrs"]) == {"0"}
    assert table.loc[ONE[0], "pause"].startswith("0 (<")


# Figures


@pytest.fixture(scope="module")
def pictures(costs: Comparison, course: Course) -> dict[str, Picture]:
    return {"costs": figures.incident_costs_figure(costs), "over time": figures.incident_over_time(course)}


@pytest.mark.parametrize("name", ["costs", "over time"])
def test_no_words_of_a_bad_day_collide(name: str, pictures: dict[str, Picture]) -> None:
    assert collisions(pictures[name]) == []


def test_the_words_beside_a_figure_name_every_option(pictures: dict[str, Picture]) -> None:
    assert [option for option in USUAL if f"{option}: " not in pictures["over time"].alt] == []
    assert [option for option in USUAL[1:] if f"restart, {option}: " not in pictures["costs"].alt] == []


def test_every_incident_has_a_row_for_each_option_that_sends(pictures: dict[str, Picture]) -> None:
    labels = [label.get_text() for label in pictures["costs"].figure.axes[0].get_yticklabels()]
    assert labels == [*USUAL[1:]] * 3
    assert "request_response" in pictures["costs"].figure._supxlabel.get_text()  # type: ignore[attr-defined]


def test_the_moment_of_recovery_is_marked_where_it_is(course: Course, pictures: dict[str, Picture]) -> None:
    row = list(course.journals).index(ONE[0])
    axes = pictures["over time"].figure.axes[2 * row]
    marked = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1 and line.get_transform() != axes.transAxes]
    assert any(place == pytest.approx(course.met[ONE[0]].recovered - course.when.start) for place in marked)
