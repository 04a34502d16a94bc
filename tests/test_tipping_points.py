"""Tipping points: what is known in closed form is within the interval, both ways; and what has none is said to have none."""

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from test_delivery_figures import collisions, words_of
from tiny import quiet, recorded

from edasim import InputError, Scenario, candidates_of, figures, runs
from edasim.decision import held
from edasim.decision.held import Held
from edasim.decision.movable import Movable, movable, movable_inputs, usual_inputs
from edasim.decision.tipping_points import TippingPoint, TippingPoints, _one_way, tipping_points, what_would_change_our_mind
from edasim.incident_effects import totals, weighted
from edasim.incidents import values_in
from edasim.luck import Luck
from edasim.metrics.names import IN_INCIDENTS
from edasim.ranges import Range
from edasim.statistics import Interval
from edasim.studies.bracketing import Point

SENT = "event_carried_state_transfer"
EVEN = {"process": "renewal", "gap": 0.1}  # ten changes a second, evenly, so without noise: 999 in 100 s, the first at 0.1 s
POISSON = {"process": "poisson", "rate": 10}
PRODUCER = {"producer": {"retries": 0}}
WINDOWS = "broker.outages.windows"


def required(*asked: dict[str, Any], **changes: Any) -> Scenario:
    return quiet(**{"seed": 1, "duration": 100, "drain": 20, "workload": {"arrivals": EVEN}, "requirements": list(asked), **changes})


def the_only(found: TippingPoints) -> TippingPoint:
    assert len(found.points) == 1, found.points
    return found.points[0]


def down_for(seconds: float, **changes: Any) -> Scenario:
    """One outage of the broker, of a window of 100 s; at most a tenth of all may be lost."""
    outage = {"outages": {"windows": [[20, 20 + seconds]]}, "replicas": 1}
    return required({"metric": "loss_rate", "at_most": "10%"}, broker=outage, source={"write_time": 0, **PRODUCER}, **changes)


# Closed forms


def test_an_outage_tips_where_it_loses_more_than_a_tenth() -> None:
    """The hundredth of 999 is one too many: the one at 29.9 s, in an outage that begins at 20 s."""
    point = the_only(tipping_points(down_for(4), SENT, inputs=[WINDOWS], jobs=1))
    assert point.low <= 9.9 <= point.high
    assert point.high - point.low <= 0.2
    assert point.ratio == pytest.approx(9.9 / 4, rel=0.02)
    assert point.sentence.startswith(f"holds until the length of `broker.outages.windows` reaches {point.value} (")
    assert point.sentence.endswith("now 4 s): then `loss_rate at most 10%` is violated")


def test_retries_bridge_what_they_take() -> None:
    """With 3 retries of 1.1 s an outage loses 3.3 s less, so it may be 13.2 s long."""
    point = the_only(tipping_points(down_for(8).with_overrides({"source.producer.retries": 3}), SENT, inputs=[WINDOWS], jobs=1))
    assert point.low <= 13.2 <= point.high
    assert point.high - point.low <= 0.3


def test_a_threshold_beyond_twice_is_found() -> None:
    """Retries bridge 3.3 s, so that neither half a second nor a whole one loses anything; the tenth of 999 is lost from 4.2 s on."""
    one = [{"metric": "loss_rate", "at_most": "1%"}]
    scenario = down_for(0.5).with_overrides({"source.producer.retries": 3, "requirements": one})
    point = the_only(tipping_points(scenario, SENT, inputs=[WINDOWS], jobs=1))
    assert point.low <= 4.2 <= point.high
    assert point.high - point.low <= 0.3


def test_an_outage_longer_than_what_the_broker_keeps_is_found() -> None:
    """Changes are kept for 50 s: outages of 10 s and 20 s lose nothing; one of 60 s loses the changes of 10 s, a hundredth of all."""
    lost = [{"metric": "lost_retention", "at_most": "1%"}]
    scenario = required(duration=1000, broker={"retention": 50}).with_overrides(
        {"requirements": lost, "consumers.billing.outages": {"windows": [[100, 110]]}}
    )
    point = the_only(tipping_points(scenario, SENT, inputs=["consumers.billing.outages.windows"], jobs=1))
    assert point.low <= 60 <= point.high
    assert point.high - point.low <= 3


def test_whole_numbers_tip_between_one_and_the_next() -> None:
    """12 s of outage are bridged to 8.7 s with 3 retries and to 9.8 s with 2, but to 10.9 s with 1."""
    scenario = down_for(12).with_overrides({"source.producer.retries": 3})
    point = the_only(tipping_points(scenario, SENT, inputs=["source.producer.retries"], jobs=1))
    assert (point.low, point.high) == (1, 2)
    assert "holds until `source.producer.retries` falls to 1 (now 3)" in point.sentence


def test_a_rate_tips_where_servers_would_be_busier_than_they_may_be() -> None:
    """Writes of 1 ms on 8 servers: a tenth of them is busy at 800 a second."""
    busy = {"metric": "source_utilisation", "at_most": "10%"}
    scenario = required(busy, duration=2, source={"write_time": 0.001}, workload={"arrivals": {"process": "renewal", "gap": 0.005}})
    point = the_only(tipping_points(scenario, SENT, inputs=["workload.arrivals.gap"], jobs=1))
    assert point.low <= 1 / 800 <= point.high
    assert "falls to 1.2" in point.sentence


def test_a_queue_tips_where_its_mean_time_is_the_limit() -> None:
    """M/M/1: 1 / (100 - rate) is 20 ms at 50 a second; a window that begins empty has a little less."""
    latency, handle = {"metric": "latency_mean", "at_most": "20ms"}, {"dist": "exponential", "mean": "10ms"}
    scenario = required(latency, duration=100, warmup=10, workload={"arrivals": {"process": "poisson", "rate": 20}}).with_overrides(
        {"consumers.billing.handle_time": handle, "broker.partitions": 1}
    )
    point = the_only(tipping_points(scenario, SENT, inputs=["workload.arrivals.rate"], most=6, jobs=1))
    assert point.low <= 50 <= point.high
    assert point.high - point.low <= 10, "not by being wide"


def test_tables_tip_where_their_rows_fill_the_disk_and_all_smaller_rows_fit() -> None:
    scenario = required({"metric": "storage_bytes", "at_most": "30kB"})  # ten rows
    point = the_only(tipping_points(scenario, "request_response", inputs=["workload.state_bytes"], jobs=1))
    assert point.low <= 3000 <= point.high
    assert point.over.low == 2000 / 16


def test_an_input_may_tip_both_ways() -> None:
    """A cache that lives too long is stale; one that does not live long asks too often."""
    fresh, seldom = {"metric": "staleness_p99", "at_most": "20s"}, {"metric": "source_requests_per_s", "at_most": 11}
    scenario = required(fresh, seldom, workload={"arrivals": EVEN, "reads": {"rate": 20}}).with_overrides({"source.cache_ttl": "15s"})
    found = tipping_points(scenario, "cached_reads", inputs=["source.cache_ttl"], jobs=1)
    assert {(point.requirement, point.estimate < point.now) for point in found.points} == {
        ("staleness_p99 at most 20s", False),
        ("source_requests_per_s at most 11", True),
    }
    assert [point.distance for point in found.points] == sorted(point.distance for point in found.points)
    below, above = sorted(found.points, key=lambda point: point.estimate)
    assert below.over == above.over
    assert below.over.low < below.low < below.now < above.high <= above.over.high


def incident(**changes: Any) -> Scenario:
    """The broker is down for 5 s twice a year: that loses the 50 changes that commit in it on average, 100 in a year."""
    down = {"name": "restart", "component": "broker", "per_year": 2, "down": 5}
    asked, workload = {"metric": "lost_per_year", "at_most": 250}, {"arrivals": POISSON}
    return required(asked, incidents=[down], source={"write_time": 0, **PRODUCER}, workload=workload, **changes)


def test_incidents_tip_where_their_number_times_what_they_lose_is_the_limit() -> None:
    inputs = ["incidents.restart.per_year", "incidents.restart.down", "workload.arrivals.rate"]
    found = tipping_points(incident(), SENT, inputs=inputs, most=6, jobs=1)
    by_path = {point.over.path: point for point in found.points}
    assert by_path["incidents.restart.per_year"].low <= 5 <= by_path["incidents.restart.per_year"].high
    assert by_path["incidents.restart.down"].low <= 12.5 <= by_path["incidents.restart.down"].high
    assert by_path["workload.arrivals.rate"].low <= 25 <= by_path["workload.arrivals.rate"].high


def test_how_often_an_incident_happens_takes_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    usual = runs.at_points

    def counted(*args: Any, **kwargs: Any) -> Any:
        made.extend(kwargs["replications"])
        return usual(*args, **kwargs)

    monkeypatch.setattr(held, "at_points", counted)
    assert tipping_points(incident(), SENT, inputs=["incidents.restart.per_year"], jobs=1).points
    assert sorted(made) == sorted(set(made)), "each replication of the incident once, and no window"


def test_incidents_simulated_one_by_one_make_the_same_year_as_together() -> None:
    more = {"name": "deploy", "component": "billing", "per_year": 50, "down": 3}
    again = {"name": "crash", "component": "source", "per_year": 3, "down": 2}
    scenario = incident().with_overrides({"incidents": [*incident().as_mapping()["incidents"], more, again]})
    (candidate,) = candidates_of(scenario, [SENT])
    for number in range(3):
        together = values_in(candidate, Luck(1, number), scenario.incidents)
        once = [each.model_copy(update={"per_year": 1.0}) for each in scenario.incidents]
        apart = [
            weighted(value, each.per_year)
            for each, single in zip(scenario.incidents, once, strict=True)
            for value in values_in(candidate, Luck(1, number), [single])
            if value.incident
        ]
        assert [*apart, *totals(apart)] == together
        assert {value.metric for value in together if value.incident} <= set(IN_INCIDENTS)


NEARER, FARTHER, NEVER = "loss_rate at most 10%", "staleness_p99 at most 20s", "stale_fraction at most 1%"


@pytest.fixture
def imagined_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is violated from 5 s on, which takes 12 replications to see at 4 s and 8 s; one from 7 s on and one always, without noise."""

    def points(asked: Held, at: Movable | None, value: float, count: int) -> dict[str, Point | None]:
        length, words = 4.0 if at is None else value, {requirement.metric for requirement in asked.requirements}
        wide = {3: 9.0, 6: 9.0, 12: 0.5}[count]
        found = {NEARER: (length - 5, wide), FARTHER: (length - 7, 0.1), NEVER: (1, 0.1)}
        ends = {name: Interval(mean, mean - half, mean + half) for name, (mean, half) in found.items() if name.split()[0] in words}
        return {name: Point(value, interval, count, ("", "")) for name, interval in ends.items()}

    monkeypatch.setattr(Held, "_points", points)
    monkeypatch.setattr(Held, "is_touched_by", lambda *_: True)


@pytest.mark.usefixtures("imagined_noise")
def test_the_nearest_is_found_though_another_is_clear_before_it() -> None:
    asked = [{"metric": "loss_rate", "at_most": "10%"}, {"metric": "staleness_p99", "at_most": "20s"}]
    found = tipping_points(down_for(4).with_overrides({"requirements": asked}), SENT, inputs=[WINDOWS], jobs=1)
    assert found.met == (NEARER, FARTHER)
    assert [(point.requirement, round(point.estimate, 1)) for point in found.points] == [(NEARER, 5.0)]


@pytest.mark.usefixtures("imagined_noise")
def test_what_is_violated_now_leaves_nothing_else_undecided_before_all_replications() -> None:
    """At 4 s the first is met, which takes 12 replications to see, whatever the other is."""
    asked = [{"metric": "loss_rate", "at_most": "10%"}, {"metric": "stale_fraction", "at_most": "1%"}]
    found = tipping_points(down_for(4).with_overrides({"requirements": asked}), SENT, inputs=[WINDOWS], jobs=1)
    assert (found.met, found.not_now) == ((NEARER,), (NEVER,))


@pytest.mark.slow
def test_the_interval_holds_the_tipping_point_as_often_as_it_says() -> None:
    """Poisson changes: of those that may come at any time, a tenth comes in ten of a hundred seconds."""
    poisson, tries = {"arrivals": {"process": "poisson", "rate": 5}}, 60
    found = [tipping_points(down_for(4, workload=poisson), SENT, inputs=[WINDOWS], seed=seed, jobs=1) for seed in range(tries)]
    points = [the_only(each) for each in found if each.points]
    assert len(points) >= tries - 3
    covered = np.mean([point.low <= 10 <= point.high for point in points])
    assert covered >= 0.95 - 3.5 * (0.95 * 0.05 / len(points)) ** 0.5
    assert np.median([point.high - point.low for point in points]) < 6, "not by being wide"


def test_a_tipping_point_of_whole_numbers_is_told_in_whole_numbers() -> None:
    over = Range("source.producer.retries", "source.producer.retries", 0, 48, whole=True)
    told = TippingPoint(over, 3, "loss_rate at most 4%", 0.92, 0, 2).sentence
    assert told == "holds until `source.producer.retries` falls to 1 (0 to 2; now 3): then `loss_rate at most 4%` is violated"


# What has no tipping point


def test_where_nothing_flips_it_is_said_up_to_where_it_holds() -> None:
    scenario = down_for(0.5)
    found = tipping_points(scenario, SENT, inputs=[WINDOWS], jobs=1)
    assert not found.points
    assert [(over.path, over.low, over.high) for over in found.holds] == [(WINDOWS, 0.5 / 16, 8)]
    said = what_would_change_our_mind(found)
    assert said.startswith(f"**Nothing that was tried** makes `{SENT}` violate what it meets now: `loss_rate at most 10%`.")
    assert "the length of `broker.outages.windows` from 31.2 ms to 8 s" in said


def test_what_is_not_met_now_can_not_tip() -> None:
    asked = ({"metric": "loss_rate", "at_most": "1%"}, {"metric": "staleness_p99", "at_most": "1h"})
    scenario = down_for(4).with_overrides({"requirements": list(asked)})
    found = tipping_points(scenario, SENT, inputs=[WINDOWS], jobs=1)
    assert found.not_now == ("loss_rate at most 1%",)
    assert "**Violated now**, so without a tipping point: `loss_rate at most 1%`" in what_would_change_our_mind(found)
    nothing = tipping_points(down_for(40), SENT, jobs=1)
    assert (nothing.points, nothing.holds) == ((), ())
    assert what_would_change_our_mind(nothing) == f"`{SENT}` meets nothing that is required, so nothing can tip: `loss_rate at most 10%`."


def test_what_is_undecided_now_can_not_tip() -> None:
    poisson = {"arrivals": {"process": "poisson", "rate": 5}}
    found = tipping_points(down_for(10, workload=poisson), SENT, inputs=[WINDOWS], jobs=1)
    assert found.not_now == found.undecided == ("loss_rate at most 10%",)


def test_what_an_option_does_not_have_is_neither_met_nor_not() -> None:
    scenario = required({"metric": "load_time_p99", "at_most": "1s"}, {"metric": "loss_rate", "at_most": "10%"})
    found = tipping_points(scenario, SENT, inputs=["workload.state_bytes"], jobs=1)
    assert (found.met, found.not_now) == (("loss_rate at most 10%",), ())


def test_what_can_not_be_done_is_violated_now() -> None:
    """Where truth is a table no past state can be had at all."""
    scenario = down_for(4).with_overrides({"requirements": [{"metric": "point_in_time_load_mean", "at_most": "1s"}]})
    found = tipping_points(scenario, SENT, jobs=1)
    assert (found.not_now, found.undecided) == (("point_in_time_load_mean at most 1s",), ())


def test_an_ability_that_ends_somewhere_tips_in_the_middle_of_where_it_does() -> None:
    """How far beyond the limit what can't be done is, is no number: so no straight line is drawn through it."""
    (candidate,) = candidates_of(down_for(4), [SENT])
    can, can_not = Interval(-1.0, -1.5, -0.5), Interval(inf, inf, inf)

    class Able(Held):
        def points(self, at: Movable | None = None, value: float = 0.0) -> dict[str, Point | None]:
            return {"able": Point(value, can if value < 10 else can_not, 3, ("", ""))}

        def point(self, requirement: str, at: Movable, value: float) -> Point:
            return Point(value, can if value < 10 else can_not, 3, ("", ""))

    held = Able(candidate, (), 1, [3], 1)
    at = movable(candidate, WINDOWS)
    reached, point = _one_way(held, at, at.above)
    assert reached == 16
    assert point is not None
    assert point.low <= 10 <= point.high
    assert point.estimate == (point.low + point.high) / 2


def test_who_requires_nothing_is_told_how_to() -> None:
    found = tipping_points(required(), SENT, jobs=1)
    assert "requires nothing" in what_would_change_our_mind(found)


def test_an_input_that_changes_nothing_required_is_not_followed() -> None:
    found = tipping_points(down_for(4), SENT, inputs=["workload.state_bytes", "source.cache_ttl"], jobs=1)
    assert [(over.path, over.low, over.high) for over in found.untouched] == [
        ("workload.state_bytes", 125, 32_000),
        ("source.cache_ttl", 30 / 16, 480),
    ]
    assert not found.holds
    assert "**No clear change** of what is met now" in what_would_change_our_mind(found)


# Inputs


def test_an_input_that_the_option_sets_is_moved_from_what_it_says() -> None:
    option = {"name": "long", "pattern": SENT, "set": {"broker.outages": {"windows": [[20, 24]]}}}
    scenario = down_for(1).with_overrides({"options": [option]})
    point = the_only(tipping_points(scenario, "long", inputs=[WINDOWS], jobs=1))
    assert (point.now, point.low <= 10 <= point.high) == (4, True)


def test_assumed_ranges_come_first_and_are_searched_to_their_ends() -> None:
    wide = {"path": "consumers.0.handle_time", "range": ["1ms", "1s"], "basis": "guess"}
    scenario = down_for(4).with_overrides({"assumptions": [wide], "consumers.billing.handle_time": "10ms"})
    (candidate,) = candidates_of(scenario, [SENT])
    found, left_out = movable_inputs(candidate, usual_inputs(scenario, []))
    assert found[0].over.path == "consumers.0.handle_time"
    assert found[0].over.basis == "guess"
    assert found[0].over.high == pytest.approx(1.28)
    assert [each.over.path for each in found].count("consumers.billing.handle_time") == 0, "the same input once"
    assert [each.over.path for each in found][1:] == ["workload.arrivals.gap", "workload.state_bytes", WINDOWS]
    assert left_out == ("`workload.reads.rate` is 0, which has no multiples",)


def test_a_distribution_without_one_mean_is_left_out_and_that_is_said() -> None:
    scenario = down_for(4).with_overrides({"consumers.billing.handle_time": {"dist": "uniform", "low": 0, "high": "1ms"}})
    (candidate,) = candidates_of(scenario, [SENT])
    found, left_out = movable_inputs(candidate, ["consumers.billing.handle_time"])
    assert not found
    assert left_out == ("`consumers.billing.handle_time` is not one number, or a distribution with one mean, so it has no multiples",)


def test_a_trace_is_not_played_faster_than_it_lasts(tmp_path: Any) -> None:
    scenario = recorded(tmp_path, np.arange(1, 240.0, 1).tolist(), duration=100)
    (candidate,) = candidates_of(scenario, [SENT])
    found = movable(candidate, "workload.arrivals.speedup")
    assert found.above == (2.0,)
    assert found.below[-1] == 1 / 16
    assert "a faster trace would be over before the measured window is" in found.why_no_further


def test_runs_that_would_be_too_long_are_not_tried_and_windows_stay_in_the_measured_one() -> None:
    (candidate,) = candidates_of(down_for(30, workload={"arrivals": {"process": "poisson", "rate": 500}}), [SENT])
    assert movable(candidate, "workload.arrivals.rate").above == (1000.0, 2000.0)
    assert "more than 500,000 changes" in movable(candidate, "workload.arrivals.rate").why_no_further
    assert movable(candidate, WINDOWS).above == (60.0,)
    assert "not be over when the measured window is" in movable(candidate, WINDOWS).why_no_further


def test_windows_keep_their_beginning_and_their_proportion() -> None:
    (candidate,) = candidates_of(down_for(4).with_overrides({"broker.outages.windows": [[10, 12], [50, 54]]}), [SENT])
    outages = movable(candidate, WINDOWS).moved(candidate.scenario, 6).broker.outages
    assert outages is not None
    assert outages.windows == ((10, 13), (50, 56))


def test_bad_input_is_said() -> None:
    bad: list[tuple[Scenario, str, dict[str, Any]]] = [
        (down_for(4), "kafka", {}),
        (down_for(4), SENT, {"inputs": ["workload.arrivals.gapp"]}),
        (down_for(4), SENT, {"replications": 1}),
        (down_for(4), SENT, {"replications": 20}),
        (down_for(4), SENT, {"jobs": 0}),
        (required({"metric": "losses", "at_most": 1}), SENT, {}),
    ]
    for scenario, option, asked in bad:
        with pytest.raises(InputError):
            tipping_points(scenario, option, **asked)


def test_the_number_of_processes_does_not_matter() -> None:
    poisson = {"arrivals": POISSON}
    inputs = [WINDOWS, "workload.state_bytes", "source.producer.retries"]
    one, two = (tipping_points(down_for(4, workload=poisson), SENT, inputs=inputs, most=3, jobs=jobs) for jobs in (1, 2))
    assert (one.points, one.holds, one.untouched) == (two.points, two.holds, two.untouched)


# The figure and the words


def imagined(rows: int, name: str = "consumers.billing.handle_time") -> TippingPoints:
    """So many inputs with a tipping point, on either side in turn, and as many that hold."""
    paths = [f"{name}.{number}" for number in range(rows)]
    ends = [(1.5 + number, 1 / (1.5 + number))[number % 2] for number in range(rows)]
    points = [
        TippingPoint(Range(path, path, 1 / 16, 16.0), 1.0, f"staleness_p99 at {name} at most 5s", end, end * 0.9, end * 1.1)
        for path, end in zip(paths, ends, strict=True)
    ]
    holds = [Range(f"{path}.b", f"{path}.b", 0.25, 16.0, "s") for path in paths]
    now = dict.fromkeys([*paths, *(over.target for over in holds)], 1.0)
    met = ("staleness_p99 at most 5s",)
    return TippingPoints(down_for(4).with_overrides({"name": "n" * 80}), SENT, tuple(points), tuple(holds), (), (), (), met, now)


@pytest.mark.parametrize(
    ("rows", "name"), [(1, "a"), (10, "consumers.billing.handle_time"), (3, "w" * 80), (2, "W" * 40 + " & <b> $x^$ ü")]
)
def test_no_words_collide_whatever_the_names(rows: int, name: str) -> None:
    assert collisions(figures.tipping_points_figure(imagined(rows, name))) == []


def test_the_figure_says_value_interval_and_requirement_and_its_words_say_all() -> None:
    found = tipping_points(down_for(4), SENT, inputs=[WINDOWS, "workload.arrivals.gap"], jobs=1)
    picture = figures.tipping_points_figure(found)
    shown = " ".join(text.get_text() for text in words_of(picture))
    point = the_only(found)
    assert f"{point.value} (" in shown
    assert "loss_rate at most 10%" in shown
    assert what_would_change_our_mind(found) in picture.alt
    assert collisions(picture) == []


def test_backticks_in_names_stay_in_their_names() -> None:
    found = replace(imagined(1, "a`*b*`c"), option="o`<b>`", not_now=("x`_y_`",))
    said = what_would_change_our_mind(found)
    assert "<code>o&#96;&lt;b&gt;&#96;</code>" in said
    assert "<code>a&#96;&#42;b&#42;&#96;c.0</code>" in said
    assert "<code>x&#96;&#95;y&#95;&#96;</code>" in said
    assert "<b>" not in said
    assert "`" not in said.replace("`staleness_p99 at most 5s`", "")


def test_a_figure_without_any_row_says_so() -> None:
    picture = figures.tipping_points_figure(replace(imagined(1), points=(), holds=()))
    assert "no input that was tried" in " ".join(text.get_text() for text in words_of(picture))
    assert collisions(picture) == []


def test_both_ends_of_what_tips_both_ways_are_drawn() -> None:
    found = imagined(1)
    other = replace(found.points[0], estimate=0.5, low=0.4, high=0.6, requirement="loss_rate at most 1%")
    picture = figures.tipping_points_figure(replace(found, points=(*found.points, other), holds=()))
    assert sum(line.get_marker() == "D" for line in picture.figure.axes[0].lines) == 2
    assert collisions(picture) == []
