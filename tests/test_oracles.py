"""The model against theory, through the public scenario interface: `edasim validate`, row by row."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edasim import InputError
from edasim.cli import run
from edasim.validation import ESTIMATORS, Case, Verdict, judge, read_oracles, validate

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


def test_every_row_is_simulated_or_out_of_scope_with_a_reason() -> None:
    families = "MM1 MMC MM1K ERLB MG1 GM1 TAND BRK BATCH LING VAC OUT MD1K RTRY GE CRSH CRSK FAIL RETN OVFL QRM"
    assert {row.row.split("-")[0] for row in ROWS} == set(families.split())
    left_out = {row.row: row.note for row in ROWS if isinstance(row, Verdict)}
    assert set(left_out) == {"MM1-S1.6", "MM1-S2.6", "GM1-S1.3", "BRK-S1.4"}
    assert all(left_out.values())
    assert {case.estimator for case in CASES} == set(ESTIMATORS), "nothing in the house that nobody uses"


def case(value: float, tolerance: float, *, one_sided: bool = False) -> Case:
    return Case("X-1", "a number", CASES[0].scenario, "sojourn", {}, value, tolerance, one_sided)


def test_a_noisy_estimate_is_not_accepted_for_being_wide() -> None:
    rng = np.random.default_rng(1)
    assert judge(case(5, 0.1), list(5 + 0.05 * rng.standard_normal(24))).verdict == "agrees"
    assert judge(case(5, 0.1), list(5 + 2 * rng.standard_normal(24))).verdict == "too noisy"
    assert judge(case(5, 0.1), list(5.2 + 0.05 * rng.standard_normal(24))).verdict == "disagrees"
    assert judge(case(5, 0.1), [5.05] * 24).verdict == "agrees"
    assert judge(case(5, 0.1), [5.2] * 24).verdict == "disagrees"
    assert judge(case(5, 5, one_sided=True), list(4 + 0.05 * rng.standard_normal(24))).verdict == "agrees"
    assert judge(case(5, 5, one_sided=True), list(5 + 0.05 * rng.standard_normal(24))).verdict == "disagrees"


def other_rows(folder: Path, **columns: object) -> Path:
    """Row QRM-S1 with other *columns*, as a file of a user's own."""
    rows = pd.read_csv(FOLDER / "oracles.csv")
    file = folder / "own.csv"
    rows[rows["id"] == "QRM-S1"].assign(**columns).to_csv(file, index=False)
    return file


def test_other_points_of_the_same_rows_are_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = other_rows(tmp_path, parameters='{"k": 3, "mu": 2.0, "n": 3}', value=(1 + 1 / 2 + 1 / 3) / 2)
    assert run(["validate", "--oracles", str(file), "--jobs", "1"]) == 0
    assert "1 agrees" in capsys.readouterr().out


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
