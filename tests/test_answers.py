"""What readers get: the share of reads that get no fresher answer, exactly; over replications, calm and in an incident; and its figure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_delivery_figures import collisions, words_of
from tiny import played, quiet, value

from edasim import PRESETS, InputError, Journal, Scenario, candidates_of, figures, simulate
from edasim.figures import Picture
from edasim.figures.answers import courses_of
from edasim.incidents import affected, all_up_again, lengths_of, strike, struck_for, without_faults
from edasim.luck import Luck
from edasim.metrics.answers import share_not_fresher, staleness_of_answers
from edasim.statistics import Interval
from edasim.studies.answers import (
    AGES,
    NEVER,
    freshness_curves,
    incident_at,
    moments_of,
    never_late,
    of_incidents,
    reader_to_show,
    who_answers_freshest,
    within,
)

SECOND = 1_000_000_000
DOWN = 10.0
OPTIONS: list[dict[str, Any]] = [
    {"name": "ask", "pattern": "request_response"},
    {"name": "ask-cached", "pattern": "cached_reads"},
    {"name": "poll", "pattern": "polling"},
    {"name": "direct", "pattern": "event_carried_state_transfer"},
    {"name": "outbox", "pattern": "event_carried_state_transfer", "set": {"source.publish": "outbox"}},
]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Two minutes in which the source and the broker fail, which is neither calm nor an incident; and two incidents of their own."""
    return quiet(
        name="bad-minutes",
        warmup=20,
        duration=120,
        drain=60,
        workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 10}, "entities": {"count": 20}},
        source={"outages": {"windows": [[90, 95]]}, "polling": {"interval": "20s"}, "cache_ttl": "5s"},
        broker={"outages": {"windows": [[30, 40]]}},
        network={"latency": "2ms"},
        consumers=[{"name": "billing", "handle_time": "100ms"}, {"name": "quota", "handle_time": 0}],
        incidents=[
            {"name": "crash", "component": "source", "per_year": 6, "down": DOWN},
            {"name": "restart", "component": "broker", "per_year": 12, "down": DOWN},
        ],
        requirements=[{"metric": "staleness_p99", "at_most": "5s", "consumer": "billing"}],
        options=OPTIONS,
    )


@pytest.fixture(scope="module")
def curves(scenario: Scenario) -> pd.DataFrame:
    return freshness_curves(scenario, "billing", replications=3, jobs=1)


@pytest.fixture(scope="module")
def crash(scenario: Scenario) -> pd.DataFrame:
    return freshness_curves(scenario, "billing", incident=incident_at(scenario, "source"), replications=3, jobs=1)


@pytest.fixture(scope="module")
def pictures(curves: pd.DataFrame, crash: pd.DataFrame) -> dict[str, Picture]:
    """The figure with each of the two incidents."""
    return {"restart": figures.freshness_curve(curves), "crash": figures.freshness_curve(crash)}


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
    shares = share_not_fresher(journal, 0, [0.0, *AGES, NEVER])
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


def test_a_polled_copy_is_as_stale_as_its_closed_form_says() -> None:
    """Polled every T, changed at rate c: stale by t or more with (T - t - (1 - exp(-c (T - t))) / c) / T, over the phase of the read."""
    every, rate, ages = 10.0, 0.2, np.array([1e-3, 2.0, 5.0, 8.0])
    workload = {"arrivals": {"process": "poisson", "rate": rate}, "entities": {"count": 1}, "reads": {"rate": 2}}
    polled = quiet(duration=40 * every, drain=0, workload=workload, source={"polling": {"interval": every}})
    found = np.array([share_not_fresher(simulate(polled, "polling", replication=number), 0, ages) for number in range(20)])
    left, error = every - ages, found.std(axis=0, ddof=1) / np.sqrt(20)
    expected = (left - (1 - np.exp(-rate * left)) / rate) / every
    assert (np.abs(found.mean(axis=0) - expected) <= 3.5 * error).all()
    assert (error <= 0.05 / 3).all()


# Curves over replications


def share_by_loop(journal: Journal, consumer: int, begin: float, end: float, age: float) -> tuple[int, int]:
    """How many reads are asked from *begin* to *end*, in ns, and how many of them get nothing fresher than *age*, one after the other."""
    commits: dict[int, list[int]] = {}
    for entity, version, committed in zip(*(journal.changes[name].tolist() for name in ("entity", "version", "committed")), strict=True):
        if committed >= 0:
            commits.setdefault(entity, [0] * 1000)[version] = committed
    names = ("consumer", "time", "asked", "answered", "entity", "version_seen", "version_true")
    asked = late = 0
    for who, first, at, answered, entity, seen, true in zip(*(journal.reads[name].tolist() for name in names), strict=True):
        if who == consumer and begin <= first < end:
            asked += 1
            fresh = answered and (seen >= true or at - commits[entity][seen + 1] < age * 1e9)
            late += not fresh
    return asked, late


def test_calm_is_what_runs_without_any_fault_give(curves: pd.DataFrame, scenario: Scenario) -> None:
    for name in ("ask-cached", "poll", "outbox"):
        runs = [simulate(without_faults(scenario), name, replication=number) for number in range(3)]
        for age in (0.01, 1.0, 5.0, NEVER):
            counted = [share_by_loop(run, 0, run.facts["window"][0], run.facts["window"][1], age) for run in runs]
            rows = curves[(curves["incident"] == "") & (curves["option"] == name) & (curves["age_s"] == age)]
            assert rows["mean"].tolist() == [pytest.approx(np.mean([late / asked for asked, late in counted]))]
            assert rows["reads"].tolist() == [sum(asked for asked, _ in counted)]


def test_in_an_incident_all_options_answer_until_the_last_has_recovered(curves: pd.DataFrame, scenario: Scenario) -> None:
    incident, shares, spans = scenario.incidents[1], dict[tuple[str, float], list[float]](), []
    for number in range(3):
        luck = Luck(scenario.seed, number)
        begin = strike(incident, scenario, luck).start
        hits = {each.name: struck_for(lengths_of(incident, scenario, luck)[0], each, luck, incident) for each in candidates_of(scenario)}
        ends = {name: affected(hit, begin, all_up_again(incident, scenario, luck))[1] for name, hit in hits.items()}
        spans.append(max(ends.values()) / 1e9 - begin)
        assert ends["outbox"] > ends["direct"] >= ends["ask"], "the relay's backlog is drained last"
        for name, hit in hits.items():
            for age in (0.01, 5.0, NEVER):
                asked, late = share_by_loop(hit, 0, begin * 1e9, max(ends.values()), age)
                shares.setdefault((name, age), []).append(late / asked)
    rows = curves[curves["incident"] == "restart"].set_index(["option", "age_s"])
    assert {key: rows.loc[key, "mean"] for key in shares} == {key: pytest.approx(np.mean(found)) for key, found in shares.items()}
    assert rows["span_s"].unique().tolist() == [pytest.approx(np.mean(spans))]
    assert np.mean(spans) > DOWN + 1


def test_a_read_that_is_tried_again_in_time_counts_once_and_is_answered() -> None:
    """Refused at once, and asked again 10 s later: of an outage of 40 s the first three quarters get no answer."""
    tried = quiet(
        workload={"arrivals": {"process": "poisson", "rate": 1}, "reads": {"rate": 20, "retries": 1}},
        consumers=[{"name": "billing", "backoff": "10s"}],
        incidents=[{"name": "crash", "component": "source", "per_year": 1, "down": 40}],
    )
    found = freshness_curves(tried, "billing", ["request_response"], incident=tried.incidents[0], replications=4, jobs=1)
    last = found[(found["incident"] == "crash") & (found["age_s"] == NEVER)].iloc[0]
    error = np.sqrt(0.75 * 0.25 / last["reads"])
    assert last["span_s"] == pytest.approx(40)
    assert abs(last["mean"] - 0.75) <= 3.5 * error
    assert error <= 0.05 / 3


def test_who_asks_a_source_that_is_down_gets_no_answer_and_a_copy_gives_one_by_nature(crash: pd.DataFrame) -> None:
    found = courses_of(crash[crash["incident"] == "crash"])
    never = {option: course[NEVER] for option, course in found.items()}
    assert never["ask"].mean > 0.99
    assert 0 < never["ask-cached"].mean < never["ask"].mean
    assert [option for option, share in never.items() if share.is_zero] == ["poll", "direct", "outbox"]


def test_where_none_was_seen_the_bound_is_that_of_as_many_changes_in_calm_and_of_incidents_else(curves: pd.DataFrame) -> None:
    calm, hit = (rows.iloc[-1] for _, rows in curves[curves["option"] == "ask"].groupby("incident"))
    assert (calm["mean"], calm["low"], hit["mean"], hit["low"]) == (0, 0, 0, 0)
    assert calm["high"] == pytest.approx(3 / (5 * 120 * 3), rel=0.1), "the rule of three, of 5 changes a second"
    assert calm["high"] > 1.5 * 3 / calm["reads"], "reads between two changes share their luck"
    assert hit["high"] == pytest.approx(1 - 0.05 ** (1 / 3)), "of three incidents, however many reads they have"


def test_incidents_that_lose_now_and_then_are_never_surely_harmless() -> None:
    """A change that an incident loses makes all later reads stale, and most incidents lose none: the share is known to 3 in n at best."""
    rare = {"workload": {"arrivals": {"process": "poisson", "rate": 0.02}, "entities": {"count": 1}, "reads": {"rate": 20}}}
    lossy = quiet(
        **rare,
        duration=60,
        source={"producer": {"acks": 0, "retries": 0}},
        incidents=[{"name": "b", "component": "broker", "per_year": 4, "down": 10}],
    )
    found = freshness_curves(lossy, "billing", ["event_carried_state_transfer"], replications=20, jobs=1)
    hit = moments_of(found)["b"].query("age_s == 1").iloc[0]
    assert hit["mean"] > 0.01, "the truth is 9 %"
    again = [lossy.with_overrides({"seed": seed}) for seed in range(3)]
    few = [freshness_curves(each, "billing", ["event_carried_state_transfer"], replications=1, jobs=1) for each in again]
    unseen_yet = [rows for rows in (moments_of(one)["b"] for one in few) if never_late(rows)]
    assert len(unseen_yet) >= 2, "or this shows nothing"
    for rows in unseen_yet:
        assert within(rows) == []
        assert rows.query("age_s == 1")["high"].tolist() == [pytest.approx(0.95)]


def test_calm_with_few_changes_is_not_sure_however_many_read() -> None:
    still = quiet(workload={"arrivals": {"process": "poisson", "rate": 0.05}, "entities": {"count": 1}, "reads": {"rate": 50}}, duration=60)
    found = freshness_curves(still, "billing", ["event_carried_state_transfer"], replications=2, jobs=1)
    calm = moments_of(found)["calm"]
    assert calm["reads"].max() > 5000
    assert within(calm) == []
    assert "none staler was seen, but up to " in who_answers_freshest(found).splitlines()[0]


def test_as_many_incidents_as_bound_what_was_not_seen_are_sure(curves: pd.DataFrame) -> None:
    hit = moments_of(curves)["restart"]
    assert [within(hit.assign(replications=count, high=hit["mean"])) for count in (3, 298)] == [[], []]
    assert set(within(hit.assign(replications=299, high=hit["mean"]))) >= {"ask", "ask-cached"}


def test_where_one_incident_has_none_there_may_be_as_many_as_if_all_had() -> None:
    assert of_incidents(np.array([0.0, 0.0, 0.001]), []).high == pytest.approx(of_incidents(np.zeros(3), []).high)
    assert of_incidents(np.array([0.5, 0.5, 0.5]), []) == Interval(0.5, 0.5, 0.5)
    assert of_incidents(np.ones(2), []).low == pytest.approx(1 - of_incidents(np.zeros(2), []).high)
    assert np.isnan(of_incidents(np.array([0.2]), []).high)


def test_ages_are_ten_a_decade_with_that_of_the_limit_and_for_ever(curves: pd.DataFrame, scenario: Scenario) -> None:
    assert {0.001, 0.01, 1.0, 10.0, 1000.0} < set(AGES)
    assert max(AGES) > 3600
    odd = scenario.with_overrides({"requirements": [{"metric": "staleness_p99", "at_most": "7s"}]})
    ages = freshness_curves(odd, "quota", options=["ask"], replications=1, jobs=1)["age_s"].tolist()
    assert sorted({*AGES, 0.0, 7.0, NEVER}) == ages[: len(ages) // 2]
    assert curves["limit_s"].unique().tolist() == [5.0]


def test_the_incident_is_the_scenarios_own_or_the_usual_one(scenario: Scenario) -> None:
    assert [incident_at(scenario, name).name for name in ("broker", "source")] == ["restart", "crash"]
    without = scenario.with_overrides({"incidents": [scenario.incidents[0].model_dump(mode="json")]})
    assert incident_at(without).name == "broker-restart"


def test_the_reader_to_show_is_whose_staleness_is_limited_most(scenario: Scenario) -> None:
    columns = ["option", "consumer", "incident", "component", "metric", "mean"]
    stale = [("ask", "billing", "", "", "stale_fraction", 0.1), ("ask", "quota", "", "", "stale_fraction", 0.3)]
    results = pd.DataFrame(stale, columns=columns)
    assert reader_to_show(scenario, results) == "billing"
    assert reader_to_show(scenario.with_overrides({"requirements": []}), results) == "quota"


def test_an_unknown_consumer_is_refused(scenario: Scenario) -> None:
    with pytest.raises(InputError, match="consumer bilking is not in the scenario"):
        freshness_curves(scenario, "bilking")


def test_the_finding_says_who_is_fresh_how_often_others_are_not_and_who_is_silent(curves: pd.DataFrame, crash: pd.DataFrame) -> None:
    calm, hit = who_answers_freshest(curves).splitlines()
    asked = "99 % of what `billing` asks are answered with data fresher than 5 s"
    assert calm.startswith(f"* **Calm**: surely {asked} with `ask`, `ask-cached`, `direct` and `outbox`; staler: ")
    none = "none staler was seen, but up to 63 % may be, with `ask` and `ask-cached`"
    assert hit.startswith(f"* **In `restart`, 3 incidents**: with no option is it sure that {asked}; {none}; staler: "), (
        "no entry lives longer"
    )
    late = courses_of(moments_of(curves)["restart"])["poll"][5.0]
    assert f"{late} with `poll`" in hit
    assert hit.endswith(". No answer: none seen, with any option.")
    silent = [f"{course[NEVER]} with `{option}`" for option, course in courses_of(moments_of(crash)["crash"]).items()][:2]
    assert who_answers_freshest(crash).endswith(f". No answer: {', '.join(silent)}.")


def test_few_reads_are_never_sure(scenario: Scenario) -> None:
    rare = scenario.with_overrides({"workload.reads.rate": 0.5})
    found = freshness_curves(rare, "billing", options=["ask"], replications=2, jobs=1)
    assert found["reads"].max() < 299, "so many without any late one bound the share by 1 %"
    assert [within(rows) for rows in moments_of(found).values()] == [[], []]


def test_where_nobody_reads_figure_and_finding_say_so() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 1}}, duration=20)
    found = freshness_curves(scenario, "billing", ["polling", "cqrs"], replications=2, jobs=1)
    assert found["mean"].isna().all()
    assert who_answers_freshest(found) == "Nobody reads at `billing`, so no answer is late or fresh."
    assert figures.freshness_curve(found).alt == "There is no curve for polling, cqrs: nobody reads at billing."


def test_where_nobody_asked_in_the_incident_calm_is_shown_alone(curves: pd.DataFrame) -> None:
    alone = curves.assign(**{name: curves[name].where(curves["incident"] == "") for name in ("mean", "low", "high")})
    picture = figures.freshness_curve(alone.assign(reads=curves["reads"].where(curves["incident"] == "", 0)))
    assert "restart: nobody asked meanwhile." in picture.alt
    assert collisions(picture) == []
    assert "**In `restart`**: nobody asked in the " in who_answers_freshest(alone)


def test_who_only_reacts_has_no_curve_beside_those_who_read(scenario: Scenario) -> None:
    changed = scenario.with_overrides({"consumers.billing.on_notice": "react"})
    picture = figures.freshness_curve(freshness_curves(changed, "billing", ["event_notification", "cqrs"], replications=2, jobs=1))
    assert "event_notification: nobody reads, so no curve." in picture.alt
    assert "cqrs 0" in picture.alt


# The figure


@pytest.mark.parametrize("name", ["restart", "crash"])
def test_words_do_not_collide_and_can_be_read(name: str, pictures: dict[str, Picture]) -> None:
    assert collisions(pictures[name]) == []
    assert min(text.get_fontsize() for text in words_of(pictures[name]) if text.get_text()) >= 6


def test_no_name_is_too_long(curves: pd.DataFrame) -> None:
    options = [f"kafka with the transactional outbox {number}" for number in range(curves["option"].nunique())]
    named = curves.assign(option=curves["option"].map(dict(zip(dict.fromkeys(curves["option"]), options, strict=True))))
    assert (
        collisions(figures.freshness_curve(named.replace({"incident": {"restart": "broker-restart-in-the-second-region-at-night"}}))) == []
    )


def test_options_are_named_in_figure_and_words_with_their_markers(pictures: dict[str, Picture], scenario: Scenario) -> None:
    calm, incident = pictures["restart"].figure.axes
    assert [calm.get_title("left"), incident.get_title("left")] == ["calm", "restart"]
    assert (calm.get_xlim(), calm.get_ylim()) == (incident.get_xlim(), incident.get_ylim())
    markers = {look.marker for look in figures.looks({each.name: each.pattern for each in scenario.options}).values()}
    for axes in (calm, incident):
        assert markers <= {line.get_marker() for line in axes.lines}
    shown = [text.get_text() for text in words_of(pictures["restart"])]
    assert [each.name for each in scenario.options if each.name not in shown or f"{each.name} " not in pictures["restart"].alt] == []
    assert any("95 % interval" in text.replace("\n", " ") for text in shown)


def test_at_the_limit_stands_what_each_option_comes_to(pictures: dict[str, Picture], curves: pd.DataFrame) -> None:
    for axes, (name, rows) in zip(pictures["restart"].figure.axes, moments_of(curves).items(), strict=True):
        said = {text.get_text() for text in axes.texts}
        assert "required: 5 s" in said
        for option, course in courses_of(rows).items():
            share = course[5.0]
            bound = f"< {float(f'{100 * share.high:.2g}'):g} %" if name == "calm" else "in 0 of 3"
            assert (bound if share.is_unseen else f"{float(f'{100 * share.mean:.2g}'):g} %") in said, option


def test_a_limit_below_all_ages_stands_at_the_edge(curves: pd.DataFrame) -> None:
    picture = figures.freshness_curve(curves.assign(limit_s=0.0))
    assert all("required: 0" in {text.get_text() for text in axes.texts} for axes in picture.figure.axes)
    assert collisions(picture) == []


def test_the_plateau_is_marked_as_no_answer(pictures: dict[str, Picture], crash: pd.DataFrame) -> None:
    shown = [text.get_text() for text in words_of(pictures["crash"])]
    (cached,) = crash[(crash["option"] == "ask-cached") & (crash["incident"] == "crash") & (crash["age_s"] == NEVER)]["mean"]
    assert f"no answer {100 * cached:.2g} %" in shown
    assert shown.count("always answered") == 3


def test_the_title_counts_who_keeps_to_the_limit(pictures: dict[str, Picture], crash: pd.DataFrame) -> None:
    sure, unseen_yet = len(within(moments_of(crash)["calm"])), len(never_late(moments_of(crash)["crash"]))
    title = pictures["crash"].figure.get_suptitle().replace("\n", " ")
    asked = "99 % of billing's reads data fresher than 5 s"
    assert title == f"bad-minutes: calm, {sure} of 5 options surely give {asked}; in 3 incidents (crash) {unseen_yet} gave none staler"


def test_the_same_results_give_the_same_bytes(pictures: dict[str, Picture], curves: pd.DataFrame) -> None:
    assert figures.freshness_curve(curves).png == pictures["restart"].png
