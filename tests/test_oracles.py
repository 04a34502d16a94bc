"""The model against theory, through the public scenario interface: `edasim validate`, row by row."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from closed_forms import best, closed_form, dm1, first_mean_wait, md1, mm1

from edasim import InputError
from edasim.cli import run
from edasim.validation import ESTIMATORS, STATISTICS, Case, Verdict, judge, read_oracles, validate
from edasim.validation.curves import by_replication, lowest
from edasim.validation.kept import read_kept
from edasim.validation.output_analysis import coverage, mean_wait_of_first

FOLDER = Path(__file__).parents[1] / "data" / "oracles"
ROWS = read_oracles(FOLDER / "oracles.csv", FOLDER / "mapping.yaml")
CASES = [row for row in ROWS if isinstance(row, Case)]


@cache
def verdicts(family: str) -> dict[str, Verdict]:
    """All rows of a family: they share their runs."""
    return {verdict.row: verdict for verdict in validate([case for case in CASES if case.row.split("-")[0] == family], jobs=2)}


@pytest.mark.slow
@pytest.mark.parametrize("row", [case.row for case in CASES])
def test_the_simulation_agrees_with_theory(row: str) -> None:
    found = verdicts(row.split("-")[0])[row]
    assert found.verdict == "agrees", found


@pytest.mark.slow
@pytest.mark.parametrize("row", [case.row for case in CASES])
def test_the_verdict_that_is_kept_is_the_one_that_comes_out(row: str) -> None:
    kept = {found.row: found for found in read_kept(FOLDER.parent / "validation").verdicts}[row]
    found = verdicts(row.split("-")[0])[row]
    assert (kept.verdict, kept.simulated) == (found.verdict, pytest.approx(found.simulated, rel=1e-6))


def test_a_verdict_is_kept_on_every_row_of_the_oracles() -> None:
    assert [found.row for found in read_kept(FOLDER.parent / "validation").verdicts] == [row.row for row in ROWS]


def test_every_row_is_simulated_or_out_of_scope_with_a_reason() -> None:
    queues = "MM1 MMC MM1K ERLB MG1 GM1 TAND BRK BATCH LING VAC OUT MD1K"
    delivery = "RTRY GE CRSH CRSK FAIL RETN OVFL QRM"
    freshness = "AOI AOIK AOIOPT FRESH TTL REPL RYW POLL LWW"
    stores = "SNAP OPTK CMPT ZIPF DRTY OCC BDAY REBLD"
    analysis = "COV MSER LAW"
    families = " ".join([queues, delivery, freshness, stores, analysis])
    assert {row.row.split("-")[0] for row in ROWS} == set(families.split())
    left_out = {row.row: row.note for row in ROWS if isinstance(row, Verdict)}
    assert set(left_out) == {"MM1-S1.6", "MM1-S2.6", "GM1-S1.3", "BRK-S1.4"}
    assert all(left_out.values())


def test_most_rows_vouch_for_a_metric_itself_and_no_estimator_is_unused() -> None:
    used = {case.estimator for case in CASES}
    metrics = "latency_mean latency_std lost_overflow lost_network publish_failed_rate stored_but_failed_rate publish_attempts_mean"
    metrics += " redundant_copies_mean duplicate_rate age_mean age_peak_mean staleness_mean stale_fraction stale_read_rate"
    metrics += " versions_behind_mean read_your_writes_miss_rate load_events_mean catch_up_time"
    assert used - set(ESTIMATORS) - set(STATISTICS) == set(metrics.split())
    assert {*ESTIMATORS, *STATISTICS} <= used
    assert {case.row.split("-")[0] for case in CASES if not case.scenarios} == {"COV", "MSER"}, "all others are simulated"


def case(value: float, tolerance: float, *, one_sided: bool = False) -> Case:
    return Case("X-1", "a number", "cqrs", CASES[0].scenarios, "latency_mean", {}, value, tolerance, one_sided)


def test_a_noisy_estimate_is_not_accepted_for_being_wide() -> None:
    rng = np.random.default_rng(1)
    assert judge(case(5, 0.1), list(5 + 0.05 * rng.standard_normal(24))).verdict == "agrees"
    assert judge(case(5, 0.1), list(5 + 2 * rng.standard_normal(24))).verdict == "too noisy"
    assert judge(case(5, 0.1), list(5.2 + 0.05 * rng.standard_normal(24))).verdict == "disagrees"
    assert judge(case(5, 0.1), [5.05] * 24).verdict == "agrees"
    assert judge(case(5, 0.1), [5.2] * 24).verdict == "disagrees"
    assert judge(case(5, 5, one_sided=True), list(4 + 0.05 * rng.standard_normal(24))).verdict == "agrees"
    assert judge(case(5, 5, one_sided=True), list(5 + 0.05 * rng.standard_normal(24))).verdict == "disagrees"


def other_rows(folder: Path, row: str = "QRM-S1", **columns: object) -> Path:
    """A shipped row with other *columns*, as a file of a user's own."""
    rows = pd.read_csv(FOLDER / "oracles.csv")
    file = folder / "own.csv"
    rows[rows["id"] == row].assign(**columns).to_csv(file, index=False)
    return file


def test_other_points_of_the_same_rows_are_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = other_rows(tmp_path, parameters='{"k": 3, "mu": 2.0, "n": 3}', value=(1 + 1 / 2 + 1 / 3) / 2)
    assert run(["validate", "--oracles", str(file), "--jobs", "1"]) == 0
    assert "1 agrees" in capsys.readouterr().out


OTHER_POINTS = (  # busier, idler, faster and slower than the shipped ones
    ("AOI-S1.3", {"lambda": 30.0, "mu": 100.0, "x": 0.06}),
    ("AOI-S1.4", {"lambda": 60.0, "mu": 100.0}),
    ("AOI-S1.7", {"lambda": 0.002, "mu": 0.01}),
    ("AOI-S1.12", {"lambda": 300.0, "mu": 100.0}),
    ("AOI-S1.13", {"lambda": 0.03, "mu": 0.01}),
    ("AOIK-S", {"K_total": 5, "lambda": 120.0, "mu": 100.0}),
    ("FRESH-S1.2", {"poll_interval": 0.05, "update_rate": 100.0}),
    ("FRESH-S1.4", {"poll_interval": 60.0, "update_rate": 0.05}),
    ("FRESH-S1.5", {"poll_interval": 100.0, "update_rate": 0.002}),
    ("TTL-S1.1", {"read_rate": 0.01, "ttl": 150.0, "update_rate": 0.02}),
    ("TTL-S1.2", {"read_rate": 100.0, "ttl": 0.02, "update_rate": 50.0}),
    ("REPL-S1.1", {"delay": 0.02, "update_rate": 100.0}),
    ("REPL-S1.4", {"delay_rate": 0.002, "update_rate": 0.01}),
    ("RYW-S1", {"event_rate": 60.0, "projector_rate": 100.0, "read_after": 0.02}),
    ("POLL-S1.1", {"apply": 1.0, "poll": 60.0, "read_after": 20.0}),
    ("POLL-S1.2", {"apply": 0.02, "poll": 0.01}),
    ("SNAP-S1.1", {"events_per_aggregate": 37, "snapshot_every": 5}),
    ("SNAP-S1.3", {"snapshot_every": 50}),
    ("OPTK-S1", {"loads_per_event": 4, "replay_cost_per_event": 0.5, "snapshot_cost": 400}),
    ("ZIPF-S1", {"keys": 200, "s": 1.5, "writes": 3000}),
    ("DRTY-S1.2", {"live_keys": 2000, "min_cleanable_dirty_ratio": 0.2}),
    ("OCC-S1.1", {"other_writer_rate": 0.1, "window": 0.5}),
    ("BDAY-S1.2", {"K": 50, "n": 10}),
    ("REBLD-S.1", {"lambda": 80.0, "mu": 100.0, "n": 5000}),
    ("COV-S1", {"phi": 0.5}),
    ("COV-S1", {"phi": 0.0}),
)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "p"), OTHER_POINTS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_simulation_agrees_with_theory_at_other_points_too(row: str, p: dict[str, float], tmp_path: Path) -> None:
    shipped = pd.read_csv(FOLDER / "oracles.csv", index_col="id").loc[row]
    file = other_rows(tmp_path, row, parameters=json.dumps(p), value=closed_form(row, shipped["model"], shipped["quantity"], p))
    found = validate(read_oracles(file, FOLDER / "mapping.yaml"), jobs=2)[0]
    assert found.verdict == "agrees", found


@pytest.mark.parametrize(("row", "age"), [("AOIOPT-1.1", mm1), ("AOIOPT-2.1", md1), ("AOIOPT-3.1", dm1)])
def test_the_fit_through_the_sweep_finds_the_optimum_of_the_closed_form(row: str, age: Callable[[float, float], float]) -> None:
    points = np.array(next(case.points for case in CASES if case.row == row))
    where, low = lowest(points, np.array([age(point, 1.0) for point in points]))
    assert (where, low) == (pytest.approx(best(age)[0], abs=0.05 / 50), pytest.approx(best(age)[1], rel=0.02 / 20))


def test_the_lowest_point_of_noisy_curves_is_not_too_low() -> None:
    points, rng = np.linspace(-1, 1, 8), np.random.default_rng(1)
    tilts = rng.standard_normal((200, 24, 1))  # each replication's curve is tilted: its own minimum is 1/4 too low on average
    curves = points**2 + tilts * points + 0.01 * rng.standard_normal((200, 24, 8))
    means = [np.mean(by_replication("lowest", points, table)) for table in curves]
    assert np.mean(means) == pytest.approx(0, abs=3.5 * np.std(means) / 200**0.5)


def first_waits(rng: np.random.Generator, queues: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The average wait of the first 25 customers of each of so many queues that start empty, by Lindley's recursion (1952)."""
    wait, total = np.zeros(queues), np.zeros(queues)
    for _ in range(24):
        wait = np.maximum(0, wait + rng.exponential(0.9, queues) - rng.exponential(1.0, queues))
        total += wait
    return total / 25


@pytest.mark.parametrize(("customers", "rate", "service"), [(1, 1.0, 0.9), (25, 1.0, 0.9), (10, 50.0, 0.01), (40, 1.0, 1.5)])
def test_what_the_first_customers_wait_comes_out_the_same_by_two_methods(customers: int, rate: float, service: float) -> None:
    chain = first_mean_wait({"customers": customers, "lambda": rate, "mean_service": service})
    assert mean_wait_of_first(customers, rate, 1 / service) == pytest.approx(chain, rel=1e-12)


@pytest.mark.parametrize("row", ["LAW-2.1", "LAW-2.2", "LAW-2.3", "LAW-2.4"])
def test_short_runs_of_a_queue_are_covered_less_often_than_asked_by_lindleys_recursion_too(row: str) -> None:
    found = next(case for case in CASES if case.row == row)
    truth, waits = mean_wait_of_first(25, 1.0, 1 / 0.9), first_waits(np.random.default_rng(3), 200_000)
    experiments = waits.reshape(-1, found.p["n"])
    assert waits.mean() == pytest.approx(truth, abs=3.5 * waits.std() / waits.size**0.5)
    error = 3.5 * (found.value * (1 - found.value) / len(experiments)) ** 0.5
    assert coverage(experiments, truth, confidence=0.9) == pytest.approx(found.value, abs=error)
    assert found.value < 0.9


def test_a_tolerance_in_words_with_a_number_is_absolute() -> None:
    assert next(case.tolerance for case in CASES if case.row == "AOIOPT-1.1") == 0.05


def test_rows_with_the_same_id_are_judged_apart(tmp_path: Path) -> None:
    row = other_rows(tmp_path)
    pd.concat([pd.read_csv(row), pd.read_csv(row).assign(value=1.6)]).to_csv(row, index=False)
    assert [verdict.verdict for verdict in validate(read_oracles(row, FOLDER / "mapping.yaml"), jobs=1)] == ["agrees", "disagrees"]


def test_a_wrong_number_disagrees_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--oracles", str(other_rows(tmp_path, value=1.6)), "--jobs", "1", "--format", "csv"]) == 1
    assert "disagrees" in capsys.readouterr().out


def test_fewer_acknowledgements_than_followers_are_out_of_scope(tmp_path: Path) -> None:
    found = read_oracles(other_rows(tmp_path, parameters='{"k": 1, "mu": 1.0, "n": 2}'), FOLDER / "mapping.yaml")
    assert isinstance(found[0], Verdict)
    assert "no key waits for k" in found[0].note


def test_a_row_that_the_mapping_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="QRM-S1"):
        read_oracles(other_rows(tmp_path, quantity="the meaning of life"), FOLDER / "mapping.yaml")
