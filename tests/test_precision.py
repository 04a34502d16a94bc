"""Replications until it is precise enough, or the budget is spent: it says which."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny import quiet

from edasim import InputError, paired_comparison
from edasim.cli import run
from edasim.precision import precise_comparison, precision_of

BUSY = quiet(workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 5}}, duration=20, source={"read_time": "10ms"})
ROW: dict[str, Any] = {"option": "cqrs", "consumer": "", "incident": "", "component": "", "unit": "s", "replications": 10}


def rows(*estimates: tuple[str, float, float]) -> pd.DataFrame:
    """Results with a *metric*, its mean and half its interval each."""
    return pd.DataFrame([{**ROW, "metric": name, "mean": mean, "low": mean - half, "high": mean + half} for name, mean, half in estimates])


def test_half_an_interval_may_be_the_precision_over_one_more_than_it() -> None:
    found = precision_of(rows(("a", 1, 0.0476), ("b", 1, 0.0477)), 0.05, ["a", "b"])
    assert (found.met, found.unmet["metric"].tolist()) == (1, ["b"])


def test_what_is_zero_by_nature_is_precise_and_what_was_never_seen_is_named() -> None:
    unseen = rows(("b", 0.0, 0.0)).assign(high=0.001, unit="share")
    found = precision_of(pd.concat([rows(("a", 0, 0)), unseen]), 0.05, ["a", "b"])
    assert (found.met, len(found.unmet), found.unseen["metric"].tolist()) == (1, 0, ["b"])
    assert "never seen, so without a relative precision: b of cqrs 0 (< 0.10 %)" in str(found)


def test_an_interval_that_is_not_known_is_not_precise() -> None:
    assert len(precision_of(rows(("a", 1.0, float("nan"))), 0.05, ["a"]).unmet) == 1


def test_replications_are_added_until_it_is_precise_and_are_those_of_one_comparison() -> None:
    found, reached = precise_comparison(BUSY, ["request_response"], precision=0.05, metrics=["source_utilisation"], jobs=1)
    assert 10 < found.replications < 200
    assert reached.unmet.empty
    assert str(reached) == f"precision: all 1 are within 5 % of the mean after {found.replications} replications"
    same = paired_comparison(BUSY, ["request_response"], replications=found.replications, jobs=1)
    pd.testing.assert_frame_equal(found.results, same.results, check_exact=True)
    fewer = precision_of(paired_comparison(BUSY, ["request_response"], replications=10, jobs=1).results, 0.05, ["source_utilisation"])
    assert not fewer.unmet.empty


def test_a_spent_budget_says_what_is_not_precise_yet() -> None:
    found, reached = precise_comparison(BUSY, ["request_response"], precision=0.001, metrics=["source_utilisation"], budget=12, jobs=1)
    assert found.replications == 12
    assert str(reached).startswith(
        "precision: the budget of 12 replications is spent, and 1 of 1 are not within 0.1 % of the mean: source_utilisation of request_"
    )


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"precision": 0.0}, "precision: 0"),
        ({"budget": 9}, "budget: 9"),
        ({"metrics": ["latency_p9"]}, "latency_p9 is not among.*latency_p9"),
    ],
)
def test_impossible_wishes_are_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        precise_comparison(BUSY, ["cqrs"], jobs=1, **{"precision": 0.05, **asked})


def test_the_command_line_says_after_the_table_how_precise_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "busy.yaml"
    file.write_text(BUSY.as_yaml(), encoding="utf-8")
    asked = ["compare", str(file), "--patterns", "cqrs", "--jobs", "1", "--precision", "50%", "--metrics", "source_utilisation"]
    assert run(asked) == 0
    assert "precision: all 1 are within 50 % of the mean after 10 replications" in capsys.readouterr().err
    for wrong in (["--precision", "much"], ["--precision", "0"], ["--budget", "5"]):
        assert run(["compare", str(file), *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
