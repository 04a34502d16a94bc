"""What becomes of writes in several regions: lost, handed over or merged; by how late they hear of each other and how clocks differ."""

import numpy as np
import pandas as pd
import pytest
from test_delivery_figures import collisions
from tiny import quiet, value

from edasim import InputError, Scenario, figures, simulate
from edasim.estimates import Estimate
from edasim.metrics.conflicts import conflicting
from edasim.studies.resolutions import (
    PATTERN,
    conflict_sweep,
    estimate_at,
    in_regions,
    lost_by_hand,
    resolutions,
    skews_of,
    what_conflicts_cost,
)

RATES = ("conflict_rate", "lost_update_rate", "detected_conflict_rate")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Ten minutes of writes to ten entities, in two regions of unequal shares."""
    return quiet(
        name="two-shores",
        duration=600,
        workload={"arrivals": {"rate": 5}, "entities": {"count": 10, "popularity": "zipf"}, "regions": {"shares": [0.7, 0.3]}},
        consumers=[{"name": "billing", "handle_time": 0}, {"name": "quota", "handle_time": 0}],
        network={"latency": {"publish": "150ms", "deliver": "50ms", "call": 0}},
    )


@pytest.fixture(scope="module")
def swept(scenario: Scenario) -> pd.DataFrame:
    return conflict_sweep(scenario, ["1ms", "200ms", "2s"], ["100ms", "5s"], replications=6, jobs=1)


# One run


def test_the_table_counts_what_each_resolution_makes_of_one_run(scenario: Scenario) -> None:
    journal = simulate(scenario, PATTERN)
    table, (concurrent, lost, detected) = resolutions(journal), (int(hits.sum()) for hits in conflicting(journal))
    writes = journal.changes["time"].size
    assert table["in the window"].tolist()[:5] == [f"{count:,}" for count in (writes, concurrent, lost, detected, 0)]
    assert table.loc["writes", "share"] == "100 %"
    assert float(table.loc["concurrent with one of another region", "a day"].replace(",", "")) == pytest.approx(concurrent * 144, rel=0.005)


def test_the_bytes_are_those_of_each_message_and_of_all_a_second(scenario: Scenario) -> None:
    journal = simulate(scenario, PATTERN)
    table = resolutions(journal)
    assert table.loc["bytes that these two add to a message", "in the window"] == "32 B"
    per_second = value(journal, "merge_bytes_per_s")
    assert per_second == pytest.approx(journal.changes["time"].size / 600 * 32 * 3), "to the other region and two consumers"
    assert table.loc["bytes that they add on the wire", "in the window"] == f"{per_second:.0f} B/s"


def test_where_one_region_writes_there_is_nothing_to_resolve(scenario: Scenario) -> None:
    with pytest.raises(InputError, match="only one region writes"):
        resolutions(simulate(scenario, "event_notification"))
    with pytest.raises(InputError, match="only one region writes"):
        resolutions(simulate(quiet(), PATTERN))


def test_a_scenario_with_several_regions_keeps_them(scenario: Scenario) -> None:
    assert in_regions(scenario) is scenario
    assert in_regions(quiet()).workload.regions.shares == (0.5, 0.5)


# Over the delay and the skew


def test_a_sweep_gives_what_whole_runs_give(scenario: Scenario) -> None:
    rows = conflict_sweep(scenario, ["200ms"], ["300ms"], replications=1, jobs=1)
    whole = scenario.with_overrides({"network.latency.publish": "200ms", "network.latency.deliver": 0})
    for skew, changed in ((0.0, whole), (0.3, whole.with_overrides({"workload.regions.clock_skew": 0.3}))):
        for metric in RATES:
            assert estimate_at(rows, metric, 0.2, skew).mean == value(simulate(changed, PATTERN), metric), (skew, metric)


def test_the_later_regions_hear_of_each_other_the_more_is_lost(swept: pd.DataFrame) -> None:
    for metric in RATES:
        shares = [estimate_at(swept, metric, delay) for delay in (0.001, 0.2, 2.0)]
        assert shares[0].ends[1] < shares[1].ends[0] < shares[1].ends[1] < shares[2].ends[0]


def test_as_many_are_lost_as_handed_over_and_both_as_the_formula_says(scenario: Scenario) -> None:
    down = scenario.with_overrides({"broker.outages.windows": [[200, 230]]})
    for changed, delays in ((scenario, [0.2]), (down, [0.01, 2.0])):
        rows = conflict_sweep(changed, delays, [], replications=20, jobs=1)
        for delay, hand in lost_by_hand(changed, delays).items():
            for metric in RATES[1:]:
                found = estimate_at(rows, metric, delay)
                error = (found.high - found.low) / 2 / 2.09  # Student's t at 19 degrees of freedom
                assert abs(found.mean - hand) <= 3.5 * error, (metric, delay)
                assert error < hand / 10, "or the test could pass by being wide"


def test_a_clock_that_is_behind_loses_more_and_detects_the_same(swept: pd.DataFrame) -> None:
    delay, skews = skews_of(swept)
    assert (delay, skews) == (0.2, [0, 0.1, 5.0])
    assert len({estimate_at(swept, "detected_conflict_rate", delay, skew) for skew in skews}) == 1
    assert estimate_at(swept, "lost_update_rate", delay, 5.0).low > estimate_at(swept, "lost_update_rate", delay, 0.0).high


@pytest.mark.parametrize(
    "changes",
    [
        {"workload.arrivals.batch": 2},
        {"workload.arrivals": {"process": "renewal", "gap": 1}},
        {"workload.entities.new_share": 0.1},
        {"broker.outages": {"up": 100, "down": 1}},
    ],
    ids=str,
)
def test_no_formula_is_given_where_none_applies(changes: dict[str, object], scenario: Scenario) -> None:
    assert np.isnan(lost_by_hand(scenario.with_overrides(changes), [0.1])[0.1])


def test_impossible_delays_and_skews_are_refused(scenario: Scenario) -> None:
    for delays, skews, why in (([], [], "delays: there must be at least one"), (["-1s"], [], "delays: "), ([1], ["late"], "skews: ")):
        with pytest.raises(InputError, match=why):
            conflict_sweep(scenario, delays, skews)


# The figure and the finding


def test_the_finding_gives_both_ends_the_bytes_the_clocks_and_the_formula(swept: pd.DataFrame) -> None:
    said = what_conflicts_cost(swept)
    assert f"* **Writes lost silently**: {estimate_at(swept, 'lost_update_rate', 0.001)} if regions hear of each other after 1 ms, " in said
    assert "adds 32 bytes to each message" in said
    assert "% if the first region's is 5 s behind." in said
    assert "of 3 delays" in said
    without = what_conflicts_cost(swept[swept["skew_s"] == 0].assign(by_hand=np.nan))
    assert "Clocks" not in without
    assert "By hand" not in without


def test_no_certain_difference_of_clocks_is_called_one(swept: pd.DataFrame) -> None:
    assert "that is no certain difference" in what_conflicts_cost(swept[swept["skew_s"] <= 0.1])


def test_the_figure_says_of_each_way_what_becomes_of_writes(swept: pd.DataFrame) -> None:
    picture = figures.conflicts_over_delay(swept)
    for metric, name in (
        ("lost_update_rate", "lost silently (last writer wins)"),
        ("detected_conflict_rate", "handed to a person (version vectors)"),
    ):
        assert f"{name}: {estimate_at(swept, metric, 0.001)} after 1 ms, {estimate_at(swept, metric, 0.2)} after 200 ms" in picture.alt
    assert "merged: 0 lost, pays 32 bytes a message" in picture.alt
    said = " ".join(picture.figure._supxlabel.get_text().split())
    assert "95 % interval" in said
    assert "Thin: lost silently by the formula" in said
    assert collisions(picture) == []


def test_of_two_lines_that_run_together_neither_hides_the_other(swept: pd.DataFrame) -> None:
    axes = figures.conflicts_over_delay(swept).figure.axes[0]
    first, second = (
        [line.get_transform().transform(line.get_xydata())[0] for line in axes.lines if line.get_marker() == marker]
        for marker in ("v", "o")
    )
    for here, there in zip(first[:3], second[:3], strict=True):  # one for each delay; what follows is beside the axes
        assert np.abs(here - there).max() > 5


def test_one_run_without_skews_or_conflicts_can_be_drawn() -> None:
    rare = quiet(duration=20, workload={"arrivals": {"process": "renewal", "gap": 3}, "entities": {"count": 1000}})
    rows = conflict_sweep(rare, [0.001, 0.1], [], replications=1, jobs=1)
    picture = figures.conflicts_over_delay(rows)
    assert len(picture.figure.axes) == 1
    assert "No formula applies" in picture.figure._supxlabel.get_text()
    assert f"{Estimate(0, 0, estimate_at(rows, 'lost_update_rate', 0.1).high, 'share')} after 100 ms" in picture.alt
    assert collisions(picture) == []
    assert what_conflicts_cost(conflict_sweep(rare.with_overrides({"duration": 1}), [1], [], replications=1, jobs=1))
