"""Which copy heals: states and deltas that get lost and overtake, on the same luck."""

import numpy as np
import pytest
from test_delivery_figures import collisions
from tiny import quiet, value

from edasim import InputError, Scenario, candidates_of, figures, simulate
from edasim.estimates import Estimate, estimates
from edasim.studies.healing import Healing, healing, lossy, who_heals

NAMES = ["state", "state-last-arrival", "delta-refetch", "delta-ignore"]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Five minutes in which each of twenty entities changes about once in two seconds, and the broker is down for a while."""
    return lossy(
        quiet(
            name="holes",
            duration=300,
            workload={"arrivals": {"rate": 10}, "entities": {"count": 20}},
            broker={"outages": {"windows": [[150, 155]]}},
            consumers=[{"name": "billing", "handle_time": 0}, {"name": "quota", "handle_time": 0, "on_gap": "ignore", "needs_more": 0.5}],
            source={"publish": "outbox"},
        ),
        loss=0.05,
        publish={"dist": "exponential", "mean": 0.3},
    )


@pytest.fixture(scope="module")
def found(scenario: Scenario) -> Healing:
    return healing(scenario, "billing", replications=3, jobs=1)


def test_four_options_stand_in_place_of_the_scenarios_own_and_are_sent_the_same(scenario: Scenario) -> None:
    candidates = candidates_of(scenario)
    assert [candidate.name for candidate in candidates] == NAMES
    assert {candidate.scenario.source.publish for candidate in candidates} == {"direct"}
    assert [{consumer.on_gap for consumer in candidate.scenario.consumers} for candidate in candidates][3] == {"ignore"}
    assert {consumer.needs_more for candidate in candidates for consumer in candidate.scenario.consumers} == {0}


def test_all_options_lose_and_overtake_the_same_messages(found: Healing) -> None:
    for metric in ("loss_rate", "out_of_order_rate"):
        assert len(set(estimates(found.results, metric).values())) == 1
        assert estimates(found.results, metric)["state"].mean > 0.02


def test_a_lost_state_heals_and_a_lost_delta_stays_wrong_until_rebuilt(found: Healing) -> None:
    wrong = estimates(found.results, "diverged_entities")
    assert wrong["delta-ignore"].mean == 20, "every entity lost a delta in five minutes"
    assert wrong["state"].mean == wrong["delta-refetch"].mean < 5, "only what was lost last of an entity"
    assert found.rise("delta-ignore").low > 0.1
    assert found.rise("state").low < 0 < found.rise("state").high


def test_refetching_pays_in_calls_and_forgetting_versions_in_staleness(found: Healing) -> None:
    calls = found.call_backs()
    assert calls["delta-refetch"].mean > 0.05 * 10 * 2, "at least once for each message that is lost, of two consumers"
    assert calls["state"] == calls["state-last-arrival"] == calls["delta-ignore"] == Estimate(0, 0, 0, "1/s")
    more = found.comparison.differences
    assert estimates(more[more["consumer"] == "billing"], "stale_fraction")["state-last-arrival"].low > 0


def test_the_course_averages_to_the_time_stale(found: Healing, scenario: Scenario) -> None:
    stale = estimates(found.results, "stale_fraction")
    for option, rows in found.curves().groupby("option"):
        assert rows["mean"].mean() == pytest.approx(stale[str(option)].mean)
        assert ((rows["low"] >= 0) & (rows["high"] <= 1) & (rows["low"] <= rows["mean"])).all()
    assert found.stale["state"][0].mean() == pytest.approx(value(simulate(scenario, "state"), "stale_fraction"))


def test_the_finding_says_who_grows_worse_only_where_that_is_certain(found: Healing, scenario: Scenario) -> None:
    said = who_heals(found)
    assert "the share that is stale grows with `delta-ignore` by " in said
    assert "no growth is certain with `state`, " in said
    assert "of 20 entities: most with `delta-ignore`: 20" in said
    assert "none with `state`, `state-last-arrival` and `delta-ignore`" in said
    once = who_heals(healing(scenario, "billing", options=["delta-ignore"], replications=1, jobs=1))
    assert "no growth is certain with `delta-ignore`" in once
    assert "run by run" not in once, "nothing to compare with"


def test_outages_that_all_runs_meet_are_shown_and_random_ones_are_not(found: Healing, scenario: Scenario) -> None:
    assert found.outages == {"broker": [(150, 155)]}
    random = scenario.with_overrides({"broker.outages": {"up": {"dist": "exponential", "mean": 50}, "down": 1}})
    assert healing(random, "billing", options=["state"], replications=2, jobs=1).outages == {}


def test_the_figure_says_of_each_option_what_it_comes_to(found: Healing) -> None:
    picture = figures.healing_over_time(found)
    assert [name for name in NAMES if f"{name}: stale " not in picture.alt] == []
    assert picture.alt.count("no calls") == 3
    (axes,) = picture.figure.axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == found.edges.size - 1]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 4, "never by colour alone"
    said = " ".join(picture.figure._supxlabel.get_text().split())
    assert "95 % interval" in said
    assert "lost with probability 0.05; its time to the broker: exponential, mean 300ms" in said
    assert collisions(picture) == []


def test_one_run_and_a_consumer_that_reads_nothing_can_be_drawn() -> None:
    still = quiet(duration=20, workload={"arrivals": {"process": "renewal", "gap": 50}})
    picture = figures.healing_over_time(healing(lossy(still), "billing", replications=1, jobs=1))
    assert "without bands" in picture.figure._supxlabel.get_text()
    assert "state: stale 0 of the time, 0 wrong in the end, no calls" in picture.alt
    deaf = quiet(
        duration=20, consumers=[{"name": "billing", "on_notice": "react"}], options=[{"name": "react", "pattern": "event_notification"}]
    )
    reacting = healing(deaf, "billing", replications=1, jobs=1)
    assert np.isnan(reacting.stale["react"]).all()
    assert "react: nothing to read" in figures.healing_over_time(reacting).alt


def test_an_unknown_consumer_or_an_impossible_loss_is_refused(scenario: Scenario) -> None:
    with pytest.raises(InputError, match="consumer biling is not in the scenario"):
        healing(scenario, "biling")
    with pytest.raises(InputError, match=r"network\.loss"):
        lossy(scenario, loss=2)
