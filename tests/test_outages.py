"""What an outage loses, by its length: held against formulas, against a recount by hand, and against the incidents' own numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import same_color
from test_delivery_figures import collisions
from tiny import quiet

from edasim import PRESETS, Comparison, InputError, candidates_of, figures
from edasim.estimates import Estimate
from edasim.figures.looks import looks
from edasim.figures.outage import told_apart
from edasim.incidents import strike
from edasim.luck import Luck
from edasim.studies import outages
from edasim.studies.incidents import incident_costs
from edasim.studies.outage_bends import Bend, Beyond, bends, beyond, share_lost
from edasim.studies.outage_findings import growth, headline, reached, what_outages_lose
from edasim.studies.outages import CHANGES, LONGEST_S, OutageLosses, loss_by_outage
from edasim.studies.usual_outages import allowed, struck_how, usual_length, with_usual_outage
from edasim.studies.ways_out import ways_out
from edasim.workload import make_workload, rate_of

SPACED = {"workload": {"arrivals": {"process": "renewal", "gap": 0.2}}}
RESTART = {"name": "restart", "component": "broker", "per_year": 12, "down": 10}
TRIES = {"source": {"producer": {"retries": 3, "ack_timeout": 1, "backoff": 0.1}}}
LENGTHS = (1, 3.3, 10, 33, 100)
BRIDGED = 3.3  # seconds: 3 x (1 + 0.1)
LEAST, MOST = Estimate(0, 0, 1, "events"), Estimate(150, 140, 160, "events")
NONE, SOME, ALL = (Estimate(share, share - width, share + width, "share") for share, width in ((0, 0), (0.2, 0.1), (1, 0.1)))


@pytest.fixture(scope="module")
def found() -> OutageLosses:
    """The ways out of a source with five changes a second, on a broker that restarts for ten seconds."""
    asked = [{"metric": "lost_per_incident", "at_most": 20}]
    return loss_by_outage(
        quiet(name="tiny", **SPACED, **TRIES, incidents=[RESTART], requirements=asked), lengths=LENGTHS, replications=2, jobs=1
    )


def made(lengths: tuple[float, ...], *courses: tuple[Estimate, ...], **changes: Any) -> OutageLosses:
    """What outages lose, as if it had been simulated."""
    names = [name for name, pattern in PRESETS.items() if pattern.sends][: len(courses)]
    scenario = quiet(**changes)
    comparison = Comparison(scenario, 1, tuple(candidates_of(scenario, names)), {}, 3)
    shares = dict.fromkeys(names, SOME)
    return OutageLosses(struck_how(scenario, "broker"), 5.0, lengths, comparison, dict(zip(names, courses, strict=True)), shares)


# What is lost


def test_a_publisher_loses_what_comes_after_its_retries_and_a_relay_nothing() -> None:
    rate, length, runs = 10.0, 30.0, 15
    options = [{"name": f"{retries}", "pattern": "cqrs", "set": {"source.producer.retries": retries}} for retries in (0, 3)]
    options.append({"name": "outbox", "pattern": "cqrs", "set": {"source.publish": "outbox"}})
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": rate}}, options=options)
    lost = loss_by_outage(scenario, lengths=[3, length], replications=runs, jobs=1)
    for option, bridged in (("0", 0.0), ("3", BRIDGED)):
        expected = rate * (length - bridged)
        error = np.sqrt(expected / runs)
        assert error <= 0.05 * expected / 3
        assert lost.courses[option][1].mean == pytest.approx(expected, abs=3.5 * error)
    assert lost.courses["3"][0] == lost.courses["outbox"][0] == lost.courses["outbox"][1], "0, with the bound of all outages"
    assert lost.courses["outbox"][1].is_unseen
    assert lost.courses["outbox"][1].high == pytest.approx(3 / runs, rel=0.01)


def test_a_subscriber_that_is_down_misses_what_passes() -> None:
    lost = loss_by_outage(
        quiet(**SPACED, broker={"kind": "pubsub"}), "billing", patterns=["cqrs"], lengths=[10, 20], replications=3, jobs=1
    )
    assert [point.mean for point in lost.courses["cqrs"]] == pytest.approx([50, 100], abs=1)


@pytest.mark.parametrize("retries", [0, 3])
def test_a_recount_of_one_run_by_hand_gives_the_same(retries: int) -> None:
    arrivals = {"arrivals": {"process": "poisson", "rate": 8}}
    scenario = quiet(workload=arrivals, source={"producer": {"retries": retries, "ack_timeout": 1, "backoff": 0.1}}, incidents=[RESTART])
    lengths = (1.0, 3.5, 8.0, 20.0)
    lost = loss_by_outage(scenario, patterns=["event_notification"], lengths=lengths, replications=1, jobs=1)
    times = make_workload(scenario.with_overrides({"duration": 300}), Luck(scenario.seed, 0)).times / 1e9
    begin = strike(scenario.incidents[0], scenario, Luck(scenario.seed, 0)).start
    for length, point in zip(lengths, lost.courses["event_notification"], strict=True):
        by_hand = 0
        for time in times:
            attempts = [time + number * 1.1 for number in range(retries + 1)]
            by_hand += all(begin <= attempt < begin + length for attempt in attempts)
        assert point.mean == by_hand


def test_it_is_what_the_incident_of_that_length_loses() -> None:
    lossy = {
        "network": {"latency": "2ms", "loss": 0.1},
        "broker": {"replicas": 3, "replica_fetch": "1s"},
        "source": {"producer": {"retries": 1}},
    }
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 20}}, incidents=[RESTART], **lossy)
    key = ("cqrs", "billing", "restart", "lost_per_incident", "")
    usual = incident_costs(scenario, ["cqrs"], replications=3, jobs=1).values[key]
    lost = loss_by_outage(scenario, patterns=["cqrs"], lengths=[1, 10], replications=3, jobs=1).comparison
    mine = lost.values["cqrs", "billing", "10.0", "lost_per_incident", ""]
    assert [value.value for value in mine.values()] == [value.value for value in usual.values()]
    assert sum(value.value for value in mine.values()) > 0


def test_a_quiet_twin_is_left_out_only_where_it_loses_nothing(monkeypatch: pytest.MonkeyPatch, found: OutageLosses) -> None:
    candidate, luck = found.comparison.candidates[0], Luck(1, 0)
    without = outages.lost_by_length(candidate, luck, found.incident, (5.0,))
    monkeypatch.setattr(outages, "_never_loses", lambda scenario: False)
    assert outages.lost_by_length(candidate, luck, found.incident, (5.0,)) == without
    lossy = replace(candidate, scenario=candidate.scenario.with_overrides({"network.loss": 0.1}))
    twin, _ = outages.lost_by_length(lossy, luck, found.incident, (5.0,))
    monkeypatch.setattr(outages, "_never_loses", lambda scenario: True)
    alone, _ = outages.lost_by_length(lossy, luck, found.incident, (5.0,))
    assert twin.value < alone.value, "what the network loses anyway is not the outage's"


def test_who_sends_nothing_or_can_not_be_struck_has_none_to_lose() -> None:
    lost = loss_by_outage(
        quiet(**SPACED), "relay", patterns=["request_response", "cqrs", "event_sourcing_cqrs"], lengths=[5], replications=1, jobs=1
    )
    assert {option: course[0].is_zero for option, course in lost.courses.items()} == {
        "request_response": True,
        "cqrs": True,
        "event_sourcing_cqrs": False,
    }


def test_an_unknown_component_or_an_impossible_length_is_refused() -> None:
    with pytest.raises(InputError, match="component brocker is not in the scenario"):
        loss_by_outage(quiet(), "brocker")
    for lengths, why in (([], "at least one"), ([0], "above 0"), ([-1], "must be a duration"), (["1 fortnight"], "must be a duration")):
        with pytest.raises(InputError, match=f"lengths: .*{why}"):
            loss_by_outage(quiet(), lengths=lengths)


# Which lengths, which outages, which options


def test_without_options_the_ways_out_of_the_source_are_compared(found: OutageLosses) -> None:
    assert [*found.courses] == ["direct-acks-0", "direct-3-retries", "direct-30-retries", "outbox", "cdc"]
    assert ways_out(found.scenario) == found.scenario, "which names them now"
    assert ["outbox", "cdc"] in found.alike()


def test_lengths_hold_the_usual_one_and_the_bends_and_end_with_the_budget(found: OutageLosses) -> None:
    candidates, rate = found.comparison.candidates, rate_of(found.scenario)
    assert rate == pytest.approx(5)
    assert outages.lengths_for(found.scenario, found.incident, candidates, rate) == pytest.approx((1, BRIDGED, 10, 33, 100, 300))
    often = quiet(workload={"arrivals": {"process": "poisson", "rate": CHANGES}})
    candidates = candidates_of(often, ["event_sourcing_cqrs"])
    assert outages.lengths_for(often, struck_how(often, "broker"), candidates, CHANGES) == (1, 3, 10, 30)
    assert outages.lengths_for(often, struck_how(often, "broker"), candidates, 0.001)[-1] == LONGEST_S


def test_a_trace_is_not_taken_beyond_its_end(tmp_path: Any) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("time\n" + "\n".join(str(time) for time in range(200)))
    scenario = quiet(workload={"arrivals": {"process": "trace", "file": str(file)}}, duration=300)
    lost = loss_by_outage(scenario, patterns=["cqrs"], replications=1, jobs=1)
    assert lost.lengths[-1] == 100
    file.write_text("time\n0\n50")
    with pytest.raises(InputError, match="the trace ends at 50 s, before an outage of 1 s is over"):
        loss_by_outage(scenario, patterns=["cqrs"], replications=1, jobs=1)


def test_the_usual_length_is_the_95th_percentile_of_the_incident_or_else_of_the_outages() -> None:
    random = {"up": 1000, "down": {"dist": "exponential", "mean": 10}}
    windows = {"windows": [[10 * start, 10 * start + 1 + start / 100] for start in range(100)]}
    for broker, incidents, expected in (
        ({"outages": random}, [{**RESTART, "down": 60}], 60),
        ({"outages": random}, [], 10 * np.log(20)),
        ({"outages": windows}, [{**RESTART, "component": "source"}], 1.94),
    ):
        scenario = quiet(broker=broker, incidents=incidents)
        assert usual_length(scenario, struck_how(scenario, "broker")) == pytest.approx(expected, rel=0.02)
    assert usual_length(quiet(), struck_how(quiet(), "billing")) is None


def test_in_a_window_with_the_usual_outage_nothing_else_fails() -> None:
    broken = {"source": {"outages": {"windows": [[5, 10]]}}, "broker": {"outages": {"windows": [[3, 5]]}}, "warmup": 20}
    shown = with_usual_outage(quiet(**broken, incidents=[RESTART]))
    assert shown.source.outages is None
    assert shown.broker.outages
    assert (shown.broker.outages.windows, shown.window) == (((50, 60),), (20, 90))
    assert with_usual_outage(quiet(incidents=[{**RESTART, "down": "1h"}])).duration == 360


def test_a_years_limit_is_shared_out_only_where_there_is_one_incident() -> None:
    in_a_year = [{"metric": "lost_per_year", "at_most": 60}]
    alone = quiet(incidents=[RESTART], requirements=in_a_year)
    assert allowed(alone, alone.incidents[0]) == 5
    two = quiet(incidents=[RESTART, {**RESTART, "name": "crash", "component": "source"}], requirements=in_a_year)
    assert allowed(two, two.incidents[0]) is None
    each = quiet(requirements=[*in_a_year, {"metric": "lost_per_incident", "at_most": 7}])
    assert allowed(each, struck_how(each, "broker")) == 7
    assert allowed(quiet(), struck_how(quiet(), "broker")) is None


def test_a_limit_for_one_consumer_counts_where_the_loss_is_its_own() -> None:
    asked = [{"metric": "lost_per_incident", "at_most": 9}, {"metric": "lost_per_incident", "at_most": 7, "consumer": "billing"}]
    alone = quiet(requirements=asked)
    assert allowed(alone, struck_how(alone, "broker")) == 7
    two = quiet(requirements=asked, consumers=[{"name": "billing"}, {"name": "search"}])
    assert [allowed(two, struck_how(two, component)) for component in ("broker", "search", "billing")] == [9, 9, 7]
    in_a_year = quiet(incidents=[RESTART], requirements=[{"metric": "lost_per_year", "at_most": 60, "consumer": "billing"}])
    assert allowed(in_a_year, in_a_year.incidents[0]) == 5


# Beyond what was simulated


def test_a_loss_is_continued_at_the_mean_rate_as_far_as_its_slope_is_known() -> None:
    course = [LEAST, Estimate(50, 40, 60, "events"), MOST]
    lengths, rate, longest = [1, 10, 30], 5.0, 100.0
    full, passed = [Bend(40, "queue full")], [Bend(9, "queue full")]
    exact, within = [Bend(9, "retries end", exact=True)], [Bend(20, "retries end", exact=True)]
    for share, bent, expected in (
        (ALL, full, Beyond(30, 150, 100, 500)),  # it can't get steeper
        (ALL, passed + within, Beyond(30, 150, 100, 500)),
        (SOME, [], Beyond(30, 150, 100, 220)),
        (SOME, full, Beyond(30, 150, 40, 160, "queue full")),
        (SOME, exact, Beyond(30, 150, 100, 220)),
        (SOME, within, Beyond(30, 150, 30, 150, "retries end")),  # some of it before, some after
        (SOME, passed, Beyond(30, 150, 30, 150, "queue full")),  # perhaps it is not full before 50 s
        (NONE, passed, Beyond(30, 150, 30, 150, "queue full")),
        (Estimate(0.5, -1, 2, "share"), [], Beyond(30, 150, 30, 150, "loss varies")),
        (Estimate(-0.1, -0.2, 0.1, "share"), [], Beyond(30, 150, 100, 150)),  # no outage gives anything back
    ):
        assert beyond(lengths, course, share, bent, rate, longest) == expected
    assert beyond([1], course[:1], ALL, [], rate, longest) is None
    assert beyond([1, 100], course[:2], ALL, [], rate, longest) is None


def test_a_share_lost_is_of_what_came_and_as_certain_as_replications_agree() -> None:
    assert share_lost([10, 20, 300], [10, 20, 300])[:3] == (1, 1, 1)
    assert share_lost([0, 0], [100, 900])[:3] == (0, 0, 0)
    found = share_lost([40, 60, 50], [100, 100, 100])
    assert (found.mean, found.high - found.low) == pytest.approx((0.5, 2 * 4.303 * 0.1 / np.sqrt(3)), rel=1e-3)


def test_what_may_have_given_way_unseen_is_not_carried_on_as_none_lost() -> None:
    kept = quiet(**SPACED, broker={"retention_bytes": "100kB", "partitions": 8})
    lost = loss_by_outage(kept, "billing", patterns=["cqrs"], lengths=[5, 20], replications=2, jobs=1)
    assert lost.courses["cqrs"][-1].is_unseen
    assert lost.beyond("cqrs") == Beyond(20, 0, 20, 0, "retention in bytes"), "from 10 s on, if all is in one partition"
    longer = loss_by_outage(kept, "billing", patterns=["cqrs"], lengths=[300], replications=1, jobs=1)
    assert longer.courses["cqrs"][0].mean > 100


def test_instances_that_go_down_by_turns_fill_a_queue_so_many_times_sooner() -> None:
    deploy = {"name": "deploy", "component": "billing", "kind": "rolling", "down": 20, "per_year": 1}
    scenario = quiet(broker={"kind": "queue", "max_length": 100}, consumers=[{"name": "billing", "instances": 2}], incidents=[deploy])
    (cqrs,) = candidates_of(scenario.with_overrides({"source.publish": "outbox"}), ["cqrs"])
    assert bends(cqrs, struck_how(scenario, "billing"), 5)[0] == Bend(10, "queue full")


def test_who_is_refused_by_a_full_queue_loses_when_his_retries_end_too() -> None:
    scenario = quiet(**SPACED, broker={"kind": "queue", "max_length": 50}, source={"producer": {"retries": 3, "backoff": 10}})
    lost = loss_by_outage(scenario, "billing", patterns=["cqrs"], lengths=[10, 40, 60], replications=2, jobs=1)
    (cqrs,) = lost.comparison.candidates
    assert bends(cqrs, lost.incident, 5)[0] == Bend(40, "queue full"), "10 s until it is, and 3 x 10 s"
    assert bends(cqrs, struck_how(scenario, "broker"), 5)[0] == Bend(10, "queue full"), "by what was sent before"
    assert [point.mean for point in lost.courses["cqrs"]] == pytest.approx([0, 0, 100], abs=2)
    assert lost.beyond("cqrs") == Beyond(60, lost.courses["cqrs"][-1].mean, LONGEST_S, pytest.approx(5 * (LONGEST_S - 40), rel=1e-3))


def test_it_goes_on_at_the_mean_rate_whatever_the_traffic_when_it_struck() -> None:
    daily = {"arrivals": {"process": "daily", "rate": 5, "peak_to_mean": 3, "period": "2h"}}  # it strikes in the trough
    lost = loss_by_outage(quiet(workload=daily), patterns=["cqrs"], lengths=[10, 100], replications=2, jobs=1)
    further = lost.beyond("cqrs")
    assert further
    assert further.first < 0.5 * 5 * 100
    assert further.slope == pytest.approx(5)


def test_a_queue_that_fills_ends_what_is_extrapolated_where_the_simulation_begins_to_lose() -> None:
    broker = {"kind": "queue", "max_length": 100, "overflow": "drop_oldest"}
    lost = loss_by_outage(quiet(**SPACED, broker=broker), "billing", patterns=["cqrs"], lengths=[5, 10], replications=2, jobs=1)
    assert lost.beyond("cqrs") == Beyond(10, 0, 20, 0, "queue full"), "100 at 5 a second"
    longer = loss_by_outage(lost.scenario, "billing", patterns=["cqrs"], lengths=[19, 40, 60], replications=2, jobs=1)
    assert [point.mean for point in longer.courses["cqrs"]] == pytest.approx([0, 100, 200], abs=2)
    further = longer.beyond("cqrs")
    assert further
    assert further.at(100) == pytest.approx(400, abs=10)


def test_an_option_bends_where_its_retries_end_unless_it_sends_blindly_or_a_relay_does() -> None:
    scenario = quiet(**TRIES, broker={"retention": "1h", "retention_bytes": 6000}, workload={"state_bytes": 2000})
    (cqrs,), (relay,) = (candidates_of(scenario.with_overrides({"source.publish": way}), ["cqrs"]) for way in ("direct", "outbox"))
    room, (broker, billing) = (
        [Bend(3000, "retention in bytes"), Bend(3600, "retention")],
        [struck_how(scenario, component) for component in ("broker", "billing")],
    )
    assert bends(cqrs, broker, 0.001) == [Bend(pytest.approx(BRIDGED), "retries end", exact=True), *room]
    assert bends(cqrs, billing, 0.001) == bends(relay, broker, 0.001) == room
    (silent,) = candidates_of(scenario, ["polling"])
    assert bends(silent, broker, 5) == []


def test_options_share_a_line_only_if_they_lose_the_same_beyond_what_was_simulated_too() -> None:
    lost = loss_by_outage(quiet(**SPACED, **TRIES), lengths=[1, 3], replications=1, jobs=1)
    assert lost.courses["direct-3-retries"] == lost.courses["direct-30-retries"] == lost.courses["outbox"]
    assert lost.alike() == [["direct-acks-0"], ["direct-3-retries"], ["direct-30-retries"], ["outbox", "cdc"]]


# In words


def test_the_title_says_from_where_on_who_loses() -> None:
    course, flat = (LEAST, LEAST, MOST), (MOST, MOST, MOST)
    none, zero, few = (LEAST,) * 3, (Estimate(0, 0, 0, "events"),) * 3, (Estimate(0.2, 0, 0.8, "events"),) * 3
    shown = ((course, flat, none), (course, course), (none,), (zero,), (course, few), (few,))
    said = [headline(made((1, 10, 30), *of)) for of in shown]
    assert said == [
        "scenario: broker outages lose events beyond 10 s with event_notification, from 1 s on with event_carried_state_transfer; "
        "none seen lost with cqrs",
        "scenario: broker outages lose events beyond 10 s with every option",
        "scenario: broker outages up to 30 s were not seen to lose an event with event_notification",
        "scenario: broker outages can lose no event with event_notification",
        "scenario: broker outages lose events beyond 10 s with event_notification; few seen lost with event_carried_state_transfer",
        "scenario: broker outages were seen to lose few events with event_notification",
    ]


def test_a_longer_outage_is_said_to_cost_more_only_where_intervals_are_apart() -> None:
    apart, close = Estimate(5, 4, 6, "events"), Estimate(8, 5, 11, "events")
    assert growth((1, 11), (LEAST, MOST)) == "none seen lost up to 1 s; from 1 s on 15 more for each further second"
    assert growth((1, 2), (apart, close)).endswith("no effect of the length is certain")
    assert growth((1,), (MOST,)).endswith("no effect of the length is certain")
    ends = Beyond(11, 150, 11, 150, "queue full"), Beyond(11, 150, 111, 350, "retention"), Beyond(11, 150, 111, 650)
    assert [growth((1, 11), (LEAST, MOST), end).split("; ")[1] for end in ends] == [
        "150 ± 10 events at 11 s, not known beyond (queue full)",
        "from 11 s on 2 more for each further second, up to 1.85 min (retention)",
        "from 11 s on 5 more for each further second",
    ]
    assert growth((1, 2), (LEAST, LEAST)) == "none seen lost up to 2 s: 0 (< 1.0 events) in each"


def test_a_limit_is_passed_where_the_line_between_two_lengths_meets_it() -> None:
    assert reached((1, 11), (LEAST, MOST), 75) == 6
    assert reached((1, 11), (MOST, MOST), 75) == 1
    assert reached((1, 11), (LEAST, MOST), 200) is None


def test_the_finding_says_what_the_usual_outage_loses_and_whether_that_is_allowed(found: OutageLosses) -> None:
    said = what_outages_lose(found)
    assert said.startswith("* **Lost in an outage of 10 s, the 95th percentile of your own**: most with `direct-acks-0`: 50.0 events; ")
    assert "**At most 20 may be lost** in one of 10 s: violated with `direct-acks-0` (passed at 3.9" in said
    assert "met with `direct-30-retries` (passed at 37 s)" in said
    assert "(extrapolated)" not in said
    scenario = found.scenario.with_overrides({"incidents": [{**RESTART, "down": 1000}]})
    longer = replace(found, incident=scenario.incidents[0], comparison=replace(found.comparison, scenario=scenario))
    said = what_outages_lose(longer)
    assert "* In one of 16.7 min, the 95th percentile of your own: about 5,000 (extrapolated) with `direct-acks-0`; " in said
    assert "in one of 16.7 min: violated with `direct-acks-0` (passed at 3.9" in said
    assert "; none (extrapolated) with `outbox` and `cdc`." in said


def test_a_limit_is_never_judged_at_a_shorter_outage_than_the_teams_own() -> None:
    asked = {"requirements": [{"metric": "lost_per_incident", "at_most": 10}]}
    scenario = quiet(**SPACED, **asked, broker={"retention": "15min"}, incidents=[{**RESTART, "component": "billing", "down": "2h"}])
    lost = loss_by_outage(scenario, "billing", patterns=["cqrs"], lengths=[5, 10], replications=2, jobs=1)
    said = what_outages_lose(lost)
    assert "In one of 2 h, the 95th percentile of your own: not known (beyond 15 min: retention) with `cqrs`" in said
    assert "**At most 10 may be lost** in one of 2 h: undecided with `cqrs`" in said
    unsaid = loss_by_outage(quiet(**SPACED, **asked), patterns=["cqrs"], lengths=[5, 10], replications=2, jobs=1)
    assert "how long your own outages are is not said: undecided with `cqrs` (passed at " in what_outages_lose(unsaid)


# The figure


def test_dashed_is_what_is_beyond_the_simulated_and_bands_are_the_intervals(found: OutageLosses) -> None:
    picture = figures.loss_against_outage(found)
    (axes,) = picture.figure.axes
    dashed = [line for line in axes.lines if line.is_dashed() and len(line.get_xdata()) > 2]
    assert len(dashed) == len(found.alike())
    assert {line.get_xdata()[0] for line in dashed} == {found.lengths[-1]}
    assert max(line.get_xdata()[-1] for line in dashed) == pytest.approx(LONGEST_S)
    tops = {round(float(path.vertices[:, 1].max()), 3) for band in axes.collections for path in band.get_paths()}
    assert tops == {round(max(point.high for point in course), 3) for course in found.courses.values()}
    hollow = [line for line in axes.lines if line.get_marker() != "None" and same_color(line.get_markerfacecolor(), "white")]
    assert len(hollow) == sum(point.is_unseen for option, *_ in found.alike() for point in found.courses[option])


def test_no_words_collide_and_all_options_are_named(found: OutageLosses) -> None:
    picture = figures.loss_against_outage(found)
    assert collisions(picture) == []
    texts = {text.get_text() for text in picture.figure.axes[0].texts}
    assert {*found.courses, "required: at most 20", "your 95th percentile: 10 s", "extrapolated", "0 of 2, below 1.5"} <= texts
    assert all(f"{option}: " in picture.alt for option in found.courses)


@pytest.mark.parametrize("names", [["polling"], ["cqrs"], ["event_sourcing_state_transfer", "cqrs", "event_carried_state_transfer"]])
def test_extremes_can_be_drawn(names: list[str]) -> None:
    scenario = quiet(name="a-long-name-of-a-scenario", **SPACED, broker={"max_length": 500, "kind": "queue"})
    lost = loss_by_outage(scenario, patterns=names, lengths=[1, 30][-len(names) :], replications=1, jobs=1)
    assert collisions(figures.loss_against_outage(lost)) == []


def test_options_of_one_pattern_have_colours_of_their_own_here() -> None:
    styles = told_apart(looks(dict.fromkeys("abc", "cqrs")))
    assert len({look.colour for look in styles.values()}) == 3
    mixed = looks({"a": "cqrs", "b": "cqrs", "c": "polling"})
    assert told_apart(mixed) == mixed
