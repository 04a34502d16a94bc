"""What readers get: the share of reads that get no fresher answer, exactly; and what the source's downtime does to them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit
from test_delivery_figures import collisions, words_of
from tiny import played, quiet, value

from edasim import PRESETS, InputError, Journal, Scenario, figures, simulate
from edasim.estimates import estimates, short
from edasim.figures import Picture
from edasim.figures.answers import by_age, points_of
from edasim.metrics.answers import downtime_share, share_not_fresher, staleness_of_answers
from edasim.studies.answers import (
    NEVER,
    USUAL,
    ages_up_to,
    freshness_curves,
    uptime_sweep,
    what_downtime_costs_readers,
    who_answers_freshest,
)

REPLICATIONS = 20
SECOND = 1_000_000_000
COPIES = list(USUAL[2:])


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Four minutes with an outage of the source and the broker."""
    return quiet(
        name="bad-minutes",
        duration=240,
        drain=60,
        workload={"arrivals": {"process": "poisson", "rate": 2}, "reads": {"rate": 20}, "entities": {"count": 20}},
        source={"outages": {"windows": [[90, 95]]}, "polling": {"interval": "20s"}, "cache_ttl": "5s"},
        broker={"outages": {"windows": [[30, 40]]}},
        network={"latency": "2ms"},
        consumers=[{"name": "billing", "handle_time": "10ms"}, {"name": "quota", "handle_time": 0}],
    )


@pytest.fixture(scope="module")
def curves(scenario: Scenario) -> pd.DataFrame:
    return freshness_curves(scenario, "billing", replications=3, jobs=1)


@pytest.fixture(scope="module")
def swept(scenario: Scenario) -> pd.DataFrame:
    return uptime_sweep(scenario, (0.8, 0.95), replications=REPLICATIONS, jobs=2, down="5s")


@pytest.fixture(scope="module")
def pictures(curves: pd.DataFrame, swept: pd.DataFrame) -> dict[str, Picture]:
    """Both figures once."""
    return {"curve": figures.freshness_curve(curves), "uptime": figures.availability_against_uptime(swept, "billing")}


def with_reads(journal: Journal, *reads: tuple[float, bool, int, int]) -> Journal:
    """The *journal* with these reads of the entity that changes instead: when, whether answered, version seen, version true."""
    times, answered, seen, true = (np.array(column) for column in zip(*reads, strict=True))
    asked, zeros = (times * SECOND).astype(np.int64), np.zeros(len(reads), dtype=np.int64)
    columns: dict[str, Any] = {"time": asked, "asked": asked, "entity": zeros + 1, "consumer": zeros, "latency": zeros}
    return replace(journal, reads={**columns, "answered": answered, "version_seen": seen, "version_true": true})


# The share not fresher, exactly


def test_an_answer_is_as_stale_as_the_first_change_that_it_does_not_show(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 20.0, 30.0])
    journal = with_reads(journal, (35, True, 3, 3), (35, True, 2, 3), (35, True, 0, 3), (36, False, -1, 3))
    assert (np.sort(staleness_of_answers(journal, 0))[:3] / SECOND).tolist() == [0, 5, 25]
    ages = [0, 1, 4.999, 5, 5.001, 25, 26, NEVER]
    assert share_not_fresher(journal, 0, ages).tolist() == [0.75, 0.75, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25]


def test_at_age_zero_old_data_counts_even_in_the_nanosecond_of_the_commit(tmp_path: Path) -> None:
    journal = with_reads(played(tmp_path, [10.0]), (10, True, 0, 1), (10, True, 1, 1))
    assert share_not_fresher(journal, 0, [0, 1e-9, 2e-9]).tolist() == [0.5, 0.5, 0]


def test_versions_say_which_change_comes_first_not_rows(tmp_path: Path) -> None:
    journal = with_reads(played(tmp_path, [10.0, 20.0, 30.0]), (35, True, 1, 3))
    shuffled = {name: column[[3, 0, 2, 1]] for name, column in journal.changes.items()}
    assert shuffled["version"].tolist() == [3, 1, 2, 1]
    assert staleness_of_answers(replace(journal, changes=shuffled), 0).tolist() == [15 * SECOND]


def test_a_read_that_is_tried_again_is_as_stale_as_the_attempt_that_was_answered(tmp_path: Path) -> None:
    journal = with_reads(played(tmp_path, [10.0, 20.0]), (15, True, 1, 2))
    later = {**journal.reads, "asked": np.array([26 * SECOND])}
    assert staleness_of_answers(replace(journal, reads=later), 0).tolist() == [6 * SECOND]


def test_only_reads_of_the_consumer_in_the_window_count(scenario: Scenario) -> None:
    journal = simulate(scenario.with_overrides({"warmup": "30s"}), "polling")
    start, end = journal.facts["window"]
    mine = (journal.reads["consumer"] == 1) & (journal.reads["time"] >= start) & (journal.reads["time"] < end)
    assert staleness_of_answers(journal, 1).size == mine.sum() < journal.reads["time"].size / 2


@pytest.mark.parametrize("pattern", list(PRESETS))
def test_both_ends_of_the_curve_are_known_metrics_and_it_never_rises(pattern: str, scenario: Scenario) -> None:
    journal = simulate(scenario, pattern)
    shares = share_not_fresher(journal, 0, [0.0, *ages_up_to(scenario.duration), NEVER])
    answered, stale = value(journal, "read_availability"), value(journal, "stale_read_rate")
    assert shares[0] == pytest.approx(1 - answered * (1 - stale))
    assert shares[-1] == pytest.approx(1 - answered, abs=1e-12)
    assert (np.diff(shares) <= 0).all()


def test_a_polled_copy_is_as_stale_as_its_interval_is_long_at_most(tmp_path: Path) -> None:
    source = {"polling": {"interval": 10}}
    for asked in (14.5, 19.999):
        journal = played(tmp_path, [10.5, 20.5], "polling", source=source)  # polls at 10 and 20
        journal = with_reads(journal, (asked, True, 0, 1))
        assert share_not_fresher(journal, 0, [asked - 10.5, asked - 10.4]).tolist() == [1, 0]
    busy = quiet(workload={"arrivals": {"process": "poisson", "rate": 20}, "reads": {"rate": 50}}, source=source)
    assert share_not_fresher(simulate(busy, "polling"), 0, 10.0) == 0


def test_where_nobody_reads_there_is_no_share(tmp_path: Path) -> None:
    assert np.isnan(share_not_fresher(played(tmp_path, [10.0]), 0, [0, 1, NEVER])).all()


def test_downtime_counts_inside_the_window() -> None:
    scenario = quiet(warmup=10, duration=100, drain=50, source={"outages": {"windows": [[5, 20], [50, 60], [105, 130]]}})
    journal = simulate(scenario, "cqrs")
    assert downtime_share(journal, "source") == pytest.approx(0.25)
    assert downtime_share(journal, "broker") == 0


# Curves over replications


def test_a_curve_is_the_mean_over_replications_with_its_interval(curves: pd.DataFrame, scenario: Scenario) -> None:
    assert list(dict.fromkeys(curves["option"])) == list(USUAL)
    runs = [share_not_fresher(simulate(scenario, "polling", replication=number), 0, [1.0, NEVER]) for number in range(3)]
    course = by_age(curves, "polling")
    assert course[1.0].mean == pytest.approx(np.mean([run[0] for run in runs]))
    assert course[1.0].low < course[1.0].mean < course[1.0].high
    assert course[NEVER].is_zero, "a copy is there by nature"
    assert not by_age(curves, "request_response")[NEVER].is_zero


def test_ages_are_ten_a_decade_and_reach_the_length_of_the_window() -> None:
    ages = ages_up_to(600)
    assert ages[0] == 0.001
    assert {0.01, 0.1, 1.0, 10.0, 100.0} < set(ages)
    assert ages[-2] < 600 <= ages[-1]


def test_an_unknown_consumer_is_refused(scenario: Scenario) -> None:
    with pytest.raises(InputError, match="consumer bilking is not in the scenario"):
        freshness_curves(scenario, "bilking")


def test_the_finding_says_who_is_freshest_and_who_is_not_answered(curves: pd.DataFrame) -> None:
    fresh, newest, never = who_answers_freshest(curves).splitlines()
    assert fresh.startswith("* **Not answered with data fresher than 1 s**, of what `billing` asks: most with `polling`: ")
    assert "With old data or none" in newest
    assert "0 by nature with `polling`, `event_notification` and `event_carried_state_transfer`" in never
    assert who_answers_freshest(curves, 9.7).startswith("* **Not answered with data fresher than 10 s**")


def test_where_nobody_reads_figures_and_findings_say_so() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 1}}, duration=20)
    curves = freshness_curves(scenario, "billing", ["polling", "cqrs"], replications=2, jobs=1)
    assert curves["mean"].isna().all()
    assert who_answers_freshest(curves) == "Nobody reads at `billing`, so no answer is late or fresh."
    assert figures.freshness_curve(curves).alt == "There is no curve for polling, cqrs: nobody reads at billing."
    swept = uptime_sweep(scenario, (0.9,), ["request_response"], replications=2, jobs=1)
    assert "nobody reads at billing" in figures.availability_against_uptime(swept, "billing").alt
    assert what_downtime_costs_readers(swept, "billing") == "Nobody reads at `billing`, so nobody notices."


def test_who_only_reacts_has_no_curve_beside_those_who_read(scenario: Scenario) -> None:
    changed = scenario.with_overrides({"consumers.billing.on_notice": "react"})
    picture = figures.freshness_curve(freshness_curves(changed, "billing", ["event_notification", "cqrs"], replications=2, jobs=1))
    assert "event_notification: nobody reads, so no curve." in picture.alt
    assert "cqrs: " in picture.alt


# The source's downtime


def test_who_asks_the_source_is_not_answered_as_often_as_that_is_down(swept: pd.DataFrame) -> None:
    for downtime, unanswered in points_of(swept[swept["consumer"] == "billing"], "request_response"):
        error = (unanswered.high - unanswered.mean) / stdtrit(REPLICATIONS - 1, 0.975)
        assert abs(unanswered.mean - downtime) <= 3.5 * error
        assert error <= 0.05 * downtime / 3


def test_a_cache_answers_some_of_it_and_a_copy_all(swept: pd.DataFrame) -> None:
    for uptime in (0.8, 0.95):
        found = estimates(swept[(swept["uptime"] == uptime) & (swept["consumer"] == "billing")], "unanswered")
        assert 0 < found["cached_reads"].mean < found["request_response"].mean
        assert [option for option in USUAL if found[option].is_zero] == COPIES


def test_all_options_meet_the_same_downtime_and_it_is_what_was_met(swept: pd.DataFrame, scenario: Scenario) -> None:
    assert (swept.groupby("uptime")["downtime"].nunique() == 1).all()
    times = {"up": {"dist": "exponential", "mean": 20.0}, "down": {"dist": "exponential", "mean": 5}}
    changed = scenario.with_overrides({"source.outages": times})
    met = [downtime_share(simulate(changed, "cqrs", replication=number), "source") for number in range(REPLICATIONS)]
    assert swept[swept["uptime"] == 0.8]["downtime"].iloc[0] == pytest.approx(np.mean(met))


def test_where_one_run_met_it_all_there_is_no_interval(scenario: Scenario) -> None:
    alone = uptime_sweep(scenario, (0.8,), ["request_response"], replications=1, jobs=1)
    assert alone["mean"].gt(0).all()
    assert alone["low"].isna().all()
    rare = uptime_sweep(scenario.with_overrides({"seed": 8}), (0.995,), ["request_response"], replications=4, jobs=1, down="2s")
    assert rare["outages"].tolist() == [1, 1]
    assert rare["mean"].gt(0).all()
    assert rare["low"].isna().all(), "no spread between runs that met one outage says that there is none"


@pytest.mark.parametrize(("asked_for", "why"), [({"uptimes": (1.0,)}, "uptimes: 1.0"), ({"down": "1 blink"}, "down: must be a duration")])
def test_impossible_uptimes_are_refused(asked_for: dict[str, Any], why: str, scenario: Scenario) -> None:
    with pytest.raises(InputError, match=why):
        uptime_sweep(scenario, **asked_for)


def test_the_finding_says_how_much_of_the_downtime_readers_notice(swept: pd.DataFrame) -> None:
    said = what_downtime_costs_readers(swept, "billing")
    assert "most with `request_response`" in said
    assert "0 by nature with `polling`" in said
    assert "Of that downtime readers notice " in said
    rarest = swept[swept["uptime"] == 0.95].iloc[0]
    assert f"The point at {short(1 - rarest['downtime'], 'share')} uptime rests on {rarest['outages']} outages." in said


# Figures


@pytest.mark.parametrize("name", ["curve", "uptime"])
def test_words_do_not_collide_and_can_be_read(name: str, pictures: dict[str, Picture]) -> None:
    assert collisions(pictures[name]) == []
    assert min(text.get_fontsize() for text in words_of(pictures[name]) if text.get_text()) >= 6


@pytest.mark.parametrize("name", ["curve", "uptime"])
def test_options_are_named_in_figure_and_words_with_their_markers(name: str, pictures: dict[str, Picture]) -> None:
    (axes,) = pictures[name].figure.axes
    markers = {line.get_marker() for line in axes.lines}
    assert {look.marker for look in figures.looks({option: option for option in USUAL}).values()} <= markers
    shown = [text.get_text() for text in words_of(pictures[name])]
    assert [option for option in USUAL if option not in shown or f"{option}: " not in pictures[name].alt] == []
    assert any("95 % interval" in text.replace("\n", " ") for text in shown)


def test_the_plateau_is_marked_as_never_answered(pictures: dict[str, Picture], curves: pd.DataFrame) -> None:
    shown = [text.get_text() for text in words_of(pictures["curve"])]
    assert f"never answered: {by_age(curves, 'request_response')[NEVER]}" in shown
    assert shown.count("always answered") == len(COPIES)


def test_numbers_stand_in_the_alternative_text(pictures: dict[str, Picture], curves: pd.DataFrame, swept: pd.DataFrame) -> None:
    assert f"{by_age(curves, 'polling')[1.0]} no fresher than 1 s" in pictures["curve"].alt
    mine = swept[swept["consumer"] == "billing"]
    assert all(f"{unanswered} at " in pictures["uptime"].alt for _, unanswered in points_of(mine, "cached_reads"))


def test_none_seen_and_none_by_nature_are_told_apart(pictures: dict[str, Picture]) -> None:
    assert [line for line in pictures["curve"].figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    row = ("s", "a", "cqrs", "billing", "", "unanswered", "", "share", 0.0, 0.0, 0.01, 2, 0.9, 0.1, 5, 9.0)
    columns = ["scenario", "option", "pattern", "consumer", "incident", "metric", "component", "unit", "mean", "low", "high"]
    swept = pd.DataFrame([row], columns=[*columns, "replications", "uptime", "downtime", "outages", "down_s"])
    assert "a: 0 (< 1.0 %) at 90 %." in figures.availability_against_uptime(swept, "billing").alt


def test_the_same_results_give_the_same_bytes(pictures: dict[str, Picture], curves: pd.DataFrame, swept: pd.DataFrame) -> None:
    assert figures.freshness_curve(curves).png == pictures["curve"].png
    assert figures.availability_against_uptime(swept, "billing").png == pictures["uptime"].png
