"""What was measured on real brokers is predicted, honestly: other runs than those fitted to, all rows there, every miss explained."""

import json
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_observe_measured import SCENARIO, as_measured

from edasim import InputError, Scenario, figures, simulate
from edasim.candidates import candidate_named
from edasim.cli import run
from edasim.conservation import check_conservation
from edasim.distributions import Exponential
from edasim.journal import NONE
from edasim.luck import Luck
from edasim.observe import observe
from edasim.observe.journals import journal_at
from edasim.observe.paths import APPEND, PUBLISH
from edasim.patterns import pattern_of
from edasim.ranges import quantity
from edasim.recorded import RecordedLuck, as_it_was, recorded_luck
from edasim.shipped import DATA
from edasim.studies import reality
from edasim.validation import Verdict
from edasim.validation.kept import Kept, keep, read_kept
from edasim.validation.reality import Prediction, errors_by_metric, predict_all
from edasim.validation.reality.durability import durability
from edasim.validation.reality.handover import Stamps, fitted
from edasim.validation.reality.measured_runs import predicted_run
from edasim.validation.reality.overflow import disconnected, unread
from edasim.validation.reality.own_runs import own_runs, runs_in
from edasim.validation.reality.prediction import NO_CLAIM, OUTSIDE, WITHIN
from edasim.validation.reality.redelivery import redelivery
from edasim.validation.reality.stores import stores
from edasim.validation.reality.waiting import FITTED_ON, recordings, waiting
from edasim.validation.summary import fuzzed_in_words, in_words, unexplained_in

MEASURED = DATA / "measurements"


def prediction(measured: float = 10.0, predicted: float = 11.0, allowed: float = 2.0, **other: Any) -> Prediction:
    said = {"broker": "RabbitMQ", "metric": "wait mean", "case": "a case", "unit": "s", "fitted_on": "another", "credible": "20 %"}
    return Prediction(**{**said, "measured": measured, "predicted": predicted, "allowed": allowed, **other})


# --- how a prediction is judged


def test_a_prediction_is_within_what_is_credible_or_outside_or_nothing_is_claimed() -> None:
    assert prediction().verdict == WITHIN
    assert prediction(predicted=12.0).verdict == WITHIN
    assert prediction(predicted=12.1).verdict == OUTSIDE
    assert prediction(predicted=7.9).verdict == OUTSIDE
    assert prediction(allowed=nan).verdict == NO_CLAIM
    assert prediction(predicted=12.5).error == pytest.approx(0.25)
    assert prediction(measured=0, predicted=3).error == 3


def test_only_a_miss_is_explained() -> None:
    assert prediction().explained("because").explanation == ""
    assert prediction(predicted=20).explained("because").explanation == "because"


def test_errors_by_metric_leave_out_what_nothing_is_claimed_of() -> None:
    found = errors_by_metric([prediction(), prediction(predicted=20), prediction(predicted=900, allowed=nan)])
    assert found[["predicted", "within"]].to_numpy().tolist() == [[2, 1]]
    assert found["median_error"].tolist() == [pytest.approx(0.55)]
    assert found["worst_error"].tolist() == [pytest.approx(1.0)]


# --- what predictions are made of


def test_recorded_luck_gives_what_was_recorded_and_draws_where_nothing_was() -> None:
    luck, usual = RecordedLuck({"handle billing": np.array([0.001, nan, 0.003])}, seed=4), Luck(4, 0)
    found = luck.times("handle billing", Exponential(dist="exponential", mean=1.0), 3)
    drawn = usual.times("handle billing", Exponential(dist="exponential", mean=1.0), 3)
    assert found.values.tolist() == [1_000_000, drawn.values[1], 3_000_000]
    assert found.at(0, 1) == drawn.at(0, 1), "a later attempt was not recorded"
    with pytest.raises(ValueError, match="3 times were recorded for 4 changes"):
        luck.times("handle billing", Exponential(dist="exponential", mean=1.0), 4)


def test_transit_and_handover_are_told_from_stamps_alone() -> None:
    rng = np.random.default_rng(1)
    sent = np.cumsum(rng.exponential(0.012, 2000))
    begun, ended, free = np.empty(2000), np.empty(2000), -1.0
    for message, (moment, work) in enumerate(zip(sent, rng.exponential(0.006, 2000), strict=True)):
        begun[message] = max(moment + 0.001, free + 0.002)
        free = ended[message] = begun[message] + work
    found = fitted(Stamps(sent, begun, ended, np.zeros(2000, dtype=np.int64)))
    assert found.transit == pytest.approx(np.full(found.transit.size, 0.001))
    assert found.handover == pytest.approx(np.full(found.handover.size, 0.002))
    assert min(found.transit.size, found.handover.size) > 300
    with pytest.raises(ValueError, match="too few"):
        fitted(Stamps(sent[:30], begun[:30], ended[:30], np.zeros(30, dtype=np.int64)))


@pytest.mark.parametrize("seed", [1000, 1001, 1002])
def test_the_schedule_of_publishing_is_the_one_that_its_seed_gives(seed: int) -> None:
    import random

    rng, times, now = random.Random(seed), [], 0.0
    while (now := now + rng.expovariate(500)) < 4:
        times.append(now)
    kept = pd.read_csv(MEASURED / "traces" / f"m2a_schedule_{seed}.csv.gz")["t_pub"]
    assert kept.to_numpy() == pytest.approx(times, abs=1e-6)
    published = pd.read_csv(MEASURED / "m2a_disconnect.csv").query("seed == @seed")["published"]
    assert set(published) == {len(times)}


# --- the predictions


def test_waiting_is_predicted_for_every_recorded_run_that_was_not_fitted_to() -> None:
    found, runs = waiting(MEASURED), [run for run in recordings(MEASURED) if run.name != FITTED_ON]
    assert len(found) == 3 * len(runs) == 66
    claimed = [prediction for prediction in found if prediction.verdict != NO_CLAIM]
    assert len(claimed) == 48
    assert all("20 %" not in prediction.credible or prediction.verdict == WITHIN for prediction in found), "work of 20 ms: all"
    assert {(found.broker, found.case, found.metric) for found in claimed if found.verdict == OUTSIDE} == {
        *(("RabbitMQ", "1c const 0.1, work 5 ms", f"wait {which}") for which in ("mean", "p50", "p95")),
        ("RabbitMQ", "2c exp 0.1, work 5 ms", "wait mean"),
        ("RabbitMQ", "2c exp 0.5, work 5 ms", "wait p50"),
        ("Redis streams", "2c exp 0.1, work 5 ms", "wait p95"),
    }
    assert all("with those the error is" in found.explanation for found in claimed if found.verdict == OUTSIDE)


def test_waiting_without_a_handover_is_far_too_short() -> None:
    """What the handover is good for: without it half of the wait at a load of .8 is missing (work 20 ms)."""
    from edasim.validation.reality.waiting import simulated_waits

    runs = {run.name: run for run in recordings(MEASURED) if run.session == "redisS20"}
    fit = fitted(runs[FITTED_ON].stamps)
    without = simulated_waits(runs["1c_exp_0.8"], fit._replace(handover=np.array([1e-9, 2e-9])))
    assert without.mean() < 0.7 * runs["1c_exp_0.8"].waits.mean()
    assert simulated_waits(runs["1c_exp_0.8"], fit).mean() > 0.8 * runs["1c_exp_0.8"].waits.mean()


def test_a_bounded_queue_that_nobody_reads_loses_keeps_and_tells_exactly_as_measured() -> None:
    found = list(unread(MEASURED))
    assert len(found) == 3 * 20
    assert {prediction.verdict for prediction in found} == {WITHIN}
    assert all(prediction.predicted == prediction.measured for prediction in found)


def test_who_is_not_connected_misses_what_was_published_meanwhile() -> None:
    found = list(disconnected(MEASURED))
    assert len(found) == 32
    assert sum(prediction.verdict == WITHIN for prediction in found) == 30
    assert unexplained_in(found) == []


def test_a_killed_process_loses_nothing_that_was_written_and_a_power_loss_what_was_not_synced() -> None:
    found = {(prediction.metric, prediction.case): prediction for prediction in durability(MEASURED)}
    missed = {case for (_, case), prediction in found.items() if prediction.verdict == OUTSIDE}
    assert missed == {"killed, synchronous_commit=off, 2 runs", "power lost, synchronous_commit=off, 4 runs"}
    killed = found["acknowledged and lost, mean", "killed, appendfsync everysec, 2 runs"]
    assert (killed.measured, killed.predicted) == (0, 0)


def test_a_kill_repeats_what_was_handled_and_not_acknowledged() -> None:
    found = list(redelivery(MEASURED))
    assert sum(prediction.metric == "handled twice after a kill" for prediction in found) == 20
    missed = [prediction for prediction in found if prediction.verdict == OUTSIDE]
    assert [(prediction.measured, prediction.predicted) for prediction in missed] == [(1, 0), (2, 0)]
    assert all("between the effect of a message and its acknowledgement" in prediction.explanation for prediction in missed)


def test_bytes_and_times_of_stores_are_those_of_their_fits() -> None:
    found = list(stores(MEASURED))
    assert len(found) == 31
    assert sum(prediction.verdict == OUTSIDE for prediction in found) == 4
    assert unexplained_in(found) == []


# --- what is kept and shown


def verdict(row: str, simulated: float = 1.0, said: str = "agrees") -> Verdict:
    return Verdict(row, "a number", 1.0, simulated, 0.9, 1.1, said, "")


def test_what_was_kept_is_read_as_it_was(tmp_path: Path) -> None:
    verdicts, predictions = (verdict("A-1"), verdict("A-2", nan, "out of scope")), (prediction(), prediction(allowed=nan, explanation="no"))
    keep(tmp_path / "kept", verdicts, predictions)
    found = read_kept(tmp_path / "kept")
    assert found.verdicts[0] == verdicts[0]
    assert isnan(found.verdicts[1].simulated)
    assert found.predictions[0] == predictions[0]
    assert found.predictions[1].verdict == NO_CLAIM
    assert found.fuzzed is None
    (tmp_path / "kept" / "made.json").unlink()
    with pytest.raises(InputError, match="does not hold what edasim validate --all --out left there"):
        read_kept(tmp_path / "kept")


def test_what_differs_from_what_was_kept_is_named() -> None:
    kept = Kept((verdict("A-1"), verdict("A-2")), (prediction(),), {"date": "2026-11-30", "code": "other"}, None)
    same = reality.what_was_kept(kept, [verdict("A-1")], [prediction()])
    assert "the code has changed since" in same
    assert "each comes out as it was kept" in same
    other = reality.what_was_kept(kept, [verdict("A-2", 1.01)], [prediction(predicted=11.5)])
    assert "2 of them come out otherwise: A-2, RabbitMQ / wait mean / a case" in other


def test_the_summary_says_how_many_rows_agree_how_far_predictions_are_off_and_what_was_fuzzed() -> None:
    found = [prediction(), prediction(predicted=20), prediction(allowed=nan)]
    fuzzed = {"inputs": 20_500, "date": "2026-11-30", "by kind": {"scenarios": 20_000, "traces": 500}}
    said = in_words([verdict("A-1"), verdict("A-2", said="disagrees"), verdict("A-3", nan, "out of scope")], found, fuzzed)
    assert "theory: 1 of 2 rows agree; not A-2 disagrees; 1 are out of scope" in said
    assert (
        "1 of 2 predictions are as close as is credible, 1 are not (of 1 of them nothing was found out); nothing is claimed of 1 more"
        in said
    )
    assert "20,500 inputs were fuzzed on 2026-11-30 (scenarios 20,000, traces 500)" in said
    assert "was not written down" in fuzzed_in_words(None)


def test_the_tables_number_the_misses_as_the_figure_does_and_hide_none() -> None:
    found = [
        prediction(),
        prediction(predicted=20, explanation="a stall"),
        prediction(allowed=nan, explanation="beyond"),
        prediction(predicted=1),
    ]
    table = reality.misses_table(found)
    assert table["miss"].tolist() == ["1", "2"]
    assert table["why"].tolist() == ["a stall", ""]
    assert len(reality.predictions_table(found)) == 4
    assert reality.unclaimed_table(found)["why"].tolist() == ["beyond"]
    picture = figures.predictions_figure(found)
    assert "Misses: 1: RabbitMQ, wait mean, a case; 2: RabbitMQ, wait mean, a case." in picture.alt


def test_everything_is_validated_by_one_command_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edasim.validation.reality.predict_all", lambda folder: [prediction()])
    assert run(["validate", "--all", "--rows", "QRM-", "--jobs", "1", "--out", str(tmp_path / "kept")]) == 0
    said = capsys.readouterr().out
    assert "theory: 1 of 1 rows agree" in said
    assert "RabbitMQ                wait mean" in said
    assert json.loads((tmp_path / "kept" / "made.json").read_text())["code"]
    monkeypatch.setattr("edasim.validation.reality.predict_all", lambda folder: [prediction(predicted=90)])
    assert run(["validate", "--all", "--rows", "QRM-", "--jobs", "1"]) == 1, "a miss that nothing explains"
    (tmp_path / "file").write_text("")
    assert run(["validate", "--all", "--out", str(tmp_path / "file")]) == 2
    assert "with --all it must be a folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_predictions_that_are_kept_are_those_that_are_made_now() -> None:
    kept, now = read_kept(DATA / "validation").predictions, predict_all(MEASURED)
    assert [(found.broker, found.metric, found.case) for found in kept] == [(found.broker, found.metric, found.case) for found in now]
    assert [found.verdict for found in kept] == [found.verdict for found in now]
    assert [found.predicted for found in kept] == pytest.approx([found.predicted for found in now], rel=1e-6)
    assert unexplained_in(now) == []


# --- own runs


OWN = MEASURED / "runs"


def test_every_own_run_is_there_with_the_machine_and_the_versions() -> None:
    for own in runs_in(OWN):
        journal = journal_at(own.folder)
        check_conservation(journal)
        assert journal.facts["engine"] == "measured"
        assert {"technology", "versions", "cpu", "cores", "os", "date"} <= set(journal.facts["measured"])
        assert journal.facts["measured"]["technology"] == own.technology
        asked = {pattern_of(own.option).name, own.scenario.name, own.scenario.seed}
        assert {journal.facts["pattern"], journal.facts["scenario"], journal.facts["seed"]} == asked


@pytest.mark.slow
def test_nine_in_ten_of_what_own_runs_did_is_foreseen_and_each_miss_says_why() -> None:
    found = {(prediction.case, prediction.metric): prediction for prediction in own_runs(OWN)}
    runs = {own.folder.name: own for own in runs_in(OWN)}
    assert {case for case, _ in found} == {name for name, own in runs.items() if own.folder != own.fit}
    for name, own in runs.items():
        for metric, why in own.why.items():
            assert found[name, metric].verdict == OUTSIDE, (name, metric)
            assert found[name, metric].explanation.startswith(why)
    assert unexplained_in(list(found.values())) == []
    claimed = [prediction.verdict == WITHIN for prediction in found.values() if prediction.verdict != NO_CLAIM]
    assert np.mean(claimed) > 0.9


def test_a_wait_for_a_poll_is_no_transit() -> None:
    found = observe([OWN / "postgres-half"])  # polls every 50 ms: 25 ms are waited for on average
    publish = found.at(PUBLISH)
    assert publish is not None
    assert 0.0005 < quantity("", publish.value)[0] < 0.005
    assert found.at(APPEND) is None, "a relay's batch is stored at once"


def test_outages_and_handling_times_of_a_run_are_taken_as_they_were() -> None:
    own = next(own for own in runs_in(OWN) if own.folder.name == "postgres-restart")
    journal = journal_at(own.folder)
    asked = as_it_was(candidate_named(own.scenario, own.option), journal).scenario
    assert asked.broker.outages is not None
    ((start, end),) = asked.broker.outages.windows or ()
    assert (start, end) == pytest.approx((10.0002, 14.1852), abs=1e-3), "the database was back a little later than it was asked to"
    assert asked.source.outages is not None, "which is the source's own"
    assert asked.source.outages.windows == asked.broker.outages.windows
    handling = recorded_luck(journal).times("handle billing", asked.consumers[0].handle_time, journal.changes["time"].size)
    once = (journal.deliveries["attempts"] == 1) & (journal.deliveries["applied"] != NONE)
    taken = (journal.deliveries["applied"] - journal.deliveries["delivered"])[once]
    assert handling.values[journal.deliveries["change"][once]] == pytest.approx(taken, abs=1)


def test_a_measured_run_is_predicted_from_another_by_the_same_rows(tmp_path: Path) -> None:
    """Journals of the simulation itself stand for a broker: what one run tells must predict another load."""
    consumer = {**SCENARIO["consumers"][0], "handle_time": {"dist": "exponential", "mean": "20ms"}}
    real = Scenario(**{**SCENARIO, "name": "shop", "consumers": [consumer], "workload": {"arrivals": {"rate": 20}, "reads": {"rate": 0}}})
    busier = real.with_overrides({"workload.arrivals.rate": 38, "seed": 7})
    for name, scenario in (("fit", real), ("run", busier)):
        as_measured(simulate(scenario, "event_carried_state_transfer"), scenario).write(tmp_path / name)
    asked = busier.with_overrides({"network.latency": 0, "consumers.billing.handover_time": 0})
    found = {
        prediction.metric: prediction
        for prediction in predicted_run(asked, "event_carried_state_transfer", tmp_path / "fit", tmp_path / "run")
    }
    assert {"wait mean", "wait p50", "wait p95", "loss_rate", "duplicate_rate"} <= set(found)
    assert {prediction.verdict for prediction in found.values()} == {WITHIN}
    assert abs(found["wait mean"].error) < 0.03
    with pytest.raises(InputError, match="is a run of scenario shop, not of other"):
        predicted_run(asked.with_overrides({"name": "other"}), "event_carried_state_transfer", tmp_path / "fit", tmp_path / "run")
