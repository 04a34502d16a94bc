"""Notifications turn into load on the source: closed forms, the simulation against them, and the figure."""

from math import inf, isnan
from typing import Any

import pandas as pd
import pytest
from scipy.special import stdtrit
from test_delivery_figures import collisions, words_of
from tiny import merged, quiet

from edasim import PRESETS, InputError, Scenario, figures
from edasim.estimates import Estimate
from edasim.figures import Picture
from edasim.studies.source_load import USUAL, course, limits_of, load_sweep, saturates_in_simulation, when_the_source_saturates
from edasim.theory import falls_behind_at, saturating_rate, source_work

REPLICATIONS = 20
SMALL: dict[str, Any] = {
    "name": "small",
    "duration": 40,
    "drain": 20,
    "workload": {"reads": {"rate": 10}, "entities": {"count": 200}},
    "source": {"servers": 1, "write_time": "10ms", "read_time": "20ms"},
    "broker": {"kind": "queue"},
    "consumers": [{"name": "billing", "instances": 9, "handle_time": 0}, {"name": "quota", "instances": 9, "handle_time": 0}],
}


def small(**changes: object) -> Scenario:
    """One server, two consumers that keep up with anything, 10 reads a second each; queues share work evenly."""
    return quiet(**merged(SMALL, changes))


def agrees(found: Estimate, expected: float, tolerance: float) -> bool:
    """Whether an estimate is within 3.5 standard errors, and these are small: a third of the relative *tolerance*."""
    error = (found.high - found.mean) / stdtrit(REPLICATIONS - 1, 0.975)
    return bool(abs(found.mean - expected) <= 3.5 * error <= 3.5 * tolerance * expected / 3)


@pytest.fixture(scope="module")
def swept() -> pd.DataFrame:
    return load_sweep(small(), (10, 14, 18, 24, 32), replications=REPLICATIONS, jobs=2)


@pytest.fixture(scope="module")
def picture(swept: pd.DataFrame) -> Picture:
    return figures.load_on_source(swept)


# By hand


@pytest.mark.parametrize(
    ("pattern", "rate"),
    [
        ("event_carried_state_transfer", 1 / 0.01),
        ("event_notification", 1 / (0.01 + 2 * 0.02)),
        ("request_response", (1 - 2 * 10 * 0.02) / 0.01),
        ("table/notice/source", (1 - 2 * 10 * 0.02) / (0.01 + 2 * 0.02)),
        ("polling", (1 - 2 * 0.02 / 60) / 0.01),
    ],
)
def test_a_source_is_saturated_where_its_work_fills_its_servers(pattern: str, rate: float) -> None:
    assert saturating_rate(small(), pattern) == pytest.approx(rate)
    assert source_work(small(), pattern, rate) == pytest.approx(1)


def test_reads_per_change_grow_with_the_rate() -> None:
    scenario = small(workload={"reads": {"rate": None, "per_change": 3}})
    assert saturating_rate(scenario, "request_response") == pytest.approx(1 / (0.01 + 2 * 3 * 0.02))


def test_events_that_bring_part_of_the_data_call_back_for_the_rest() -> None:
    part = small(consumers=[{"name": "billing", "handle_time": 0, "needs_more": 0.25}])
    assert saturating_rate(part, "cqrs") == pytest.approx(1 / (0.01 + 0.25 * 0.02))
    reacts = small(consumers=[{"name": "billing", "handle_time": 0, "on_notice": "react"}])
    assert saturating_rate(reacts, "event_notification") == pytest.approx(100)


def test_the_limit_of_the_source_is_that_of_consumers_that_keep_up() -> None:
    slow = small(consumers=[{"name": "billing", "instances": 1, "handle_time": "80ms"}])
    assert falls_behind_at(slow, slow.consumers[0], PRESETS["event_notification"]) == pytest.approx(10)
    assert saturating_rate(slow, "event_notification") == pytest.approx(1 / (0.01 + 0.02))
    assert falls_behind_at(slow, slow.consumers[0], PRESETS["polling"]) == inf


def test_reads_alone_can_saturate_a_source_and_nothing_need() -> None:
    assert saturating_rate(small(workload={"reads": {"rate": 100}}), "request_response") == 0
    assert saturating_rate(small(source={"write_time": 0}), "event_carried_state_transfer") == inf


@pytest.mark.parametrize("pattern", ["cached_reads", "event_sourcing", "table/notice/cache"])
def test_what_has_no_closed_form_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="no closed form"):
        saturating_rate(small(), pattern)


# Simulated


@pytest.mark.parametrize("option", USUAL)
def test_below_saturation_the_simulated_source_is_as_busy_as_the_formula_says(option: str, swept: pd.DataFrame) -> None:
    for rate, busy in course(swept, option, "source_utilisation").items():
        if (expected := source_work(small(), option, rate)) < 0.95:
            assert agrees(busy, expected, tolerance=0.06)


def test_notifications_saturate_the_source_where_the_formula_says(swept: pd.DataFrame) -> None:
    assert limits_of(swept, "event_notification").source == pytest.approx(20)
    assert saturates_in_simulation(swept, "event_notification") == pytest.approx(20, rel=0.05)
    assert isnan(saturates_in_simulation(swept, "event_carried_state_transfer")), "no rate came that far"


def test_beyond_saturation_call_backs_grow_no_more(swept: pd.DataFrame) -> None:
    calls = {rate: found.mean for rate, found in course(swept, "event_notification", "source_requests_per_s", "call_back").items()}
    assert calls[10] < calls[14] < calls[18]
    assert calls[32] < calls[24] < 2 * 24 * 0.9, "not two a change any more"


def test_who_makes_no_call_backs_has_none_by_nature(swept: pd.DataFrame) -> None:
    assert all(found.is_zero for found in course(swept, "request_response", "source_requests_per_s", "call_back").values())
    assert course(swept, "request_response", "latency_p99") == {}, "nothing is sent"


def test_the_finding_holds_simulation_and_formula_side_by_side(swept: pd.DataFrame) -> None:
    said = {line.split("`")[1]: line.split("`: ")[1] for line in when_the_source_saturates(swept).splitlines()}
    assert said["event_notification"].startswith("saturates the source from 20 changes per second on (by hand), from ")
    assert said["event_notification"].endswith(" % apart.")
    assert "from 100 changes per second on (by hand); at 32, the most simulated" in said["event_carried_state_transfer"]


def test_consumers_that_fall_behind_first_are_said_to() -> None:
    slow = small(consumers=[{"name": "billing", "instances": 1, "handle_time": "80ms"}])
    swept = load_sweep(slow, patterns=["event_notification", "event_sourcing_cqrs"], replications=2, jobs=1)
    assert sorted(set(swept["value"])) == pytest.approx([2.5, 5, 7.5, 9, 11, 13]), "around the first limit"
    said = when_the_source_saturates(swept).splitlines()
    assert "its consumers fall behind from 10 changes per second on, or sooner" in said[0]
    assert "its consumers fall behind from 12.5 changes per second on" in said[1]
    cached = load_sweep(slow, (2, 4), ["cached_reads"], replications=1, jobs=1)
    assert "no formula says from where on it saturates the source; at 4, the most simulated" in when_the_source_saturates(cached)
    assert "consumers late from 10 /s" in figures.load_on_source(swept).alt


def test_rates_must_be_given_where_no_limit_is_known() -> None:
    with pytest.raises(InputError, match="rates: give some"):
        load_sweep(small(), patterns=["cached_reads"])


def test_a_scenario_without_a_single_rate_is_swept_with_poisson_arrivals() -> None:
    daily = small(workload={"arrivals": {"process": "daily", "rate": 5}})
    swept = load_sweep(daily, (2, 4), ["cqrs"], replications=1, jobs=1)
    assert swept["value"].unique().tolist() == [2, 4]


# The figure


def test_words_do_not_collide_and_can_be_read(picture: Picture) -> None:
    assert collisions(picture) == []
    assert min(text.get_fontsize() for text in words_of(picture) if text.get_text()) >= 6


def test_every_panel_has_the_same_axis_across_and_a_name(picture: Picture) -> None:
    panels = picture.figure.axes[:4]
    assert len({axes.get_xlim() for axes in panels}) == 1
    assert [axes.get_ylabel().split(" (")[0] for axes in panels] == ["call backs", "source work", "commit p99", "delivery p99"]
    assert panels[-1].get_xlabel() == "changes per second"


def test_the_limit_by_hand_is_drawn_where_it_is(picture: Picture) -> None:
    upright = [line for line in picture.figure.axes[1].lines if line.get_marker() == "None" and len(set(line.get_xdata())) == 1]
    assert [line.get_xdata()[0] for line in upright] == pytest.approx([20])


def test_options_are_named_in_figure_and_words_with_their_markers(picture: Picture) -> None:
    shown = [text.get_text() for text in words_of(picture)]
    markers = {line.get_marker() for axes in picture.figure.axes for line in axes.lines}
    assert {look.marker for look in figures.looks({option: option for option in USUAL}).values()} <= markers
    assert [option for option in USUAL if option not in shown or f"{option}: " not in picture.alt] == []
    assert "request_response: call backs 0, " in picture.alt
    assert "delivery p99 nothing sent" in picture.alt
    assert any("latencies depend on its length" in text.replace("\n", " ") for text in shown)


def test_the_same_results_give_the_same_bytes(picture: Picture, swept: pd.DataFrame) -> None:
    assert figures.load_on_source(swept).png == picture.png
