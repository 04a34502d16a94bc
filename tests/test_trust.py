"""What the notebook on trust and the figure of verdicts show: rows of theory, one queue, and requirements beside their limits."""

from pathlib import Path

import numpy as np
import pytest

from edasim import InputError, Scenario, candidates_of, figures
from edasim.comparison import Comparison
from edasim.figures.verdicts import OUT, _place
from edasim.luck import Luck
from edasim.metrics import Value
from edasim.record.mechanisms import MECHANISMS, table_of_mechanisms
from edasim.studies.queueing import does_the_queue_agree, mm1_over_load
from edasim.studies.requirements import options_held, what_is_required
from edasim.studies.trust import how_well_theory_is_met, in_standard_errors, theory_table
from edasim.validation import Case, judge, quick_rows, read_oracles
from edasim.validation.kept import read_kept
from edasim.validation.quick import changes_in
from edasim.verdicts import Verdict
from edasim.workload import make_workload

FOLDER = Path(__file__).parents[1] / "data" / "oracles"
ROWS = read_oracles(FOLDER / "oracles.csv", FOLDER / "mapping.yaml")


def test_quick_rows_are_those_with_few_changes_counted_in_what_is_simulated() -> None:
    quick = quick_rows(ROWS, 20_000)
    assert {row.row for row in quick} == {row.row for row in ROWS if isinstance(row, Case) and changes_in(row) <= 20_000}
    simulated = [row for row in quick if row.scenarios]
    assert simulated
    for row in simulated:
        counted = sum(make_workload(of, Luck(of.seed, number)).times.size for of in row.scenarios for number in range(row.replications))
        assert counted == pytest.approx(changes_in(row), abs=5 * counted**0.5 + row.replications * len(row.scenarios))
    assert quick_rows(ROWS, 0) == [row for row in ROWS if isinstance(row, Case) and not row.scenarios]


def case(value: float) -> Case:
    return Case("X-1", "a number", "cqrs", (), "latency_mean", {}, value, 0.5)


def test_how_far_a_row_is_off_is_told_in_its_own_standard_errors() -> None:
    runs = np.random.default_rng(1).normal(5, 0.1, 24)
    off = (runs.mean() - 4.9) / (runs.std(ddof=1) / 24**0.5)
    right, exact, wrong = judge(case(4.9), runs.tolist()), judge(case(5), [5.0] * 24), judge(case(9), runs.tolist())
    assert in_standard_errors(right) == pytest.approx(off)
    assert np.isnan(in_standard_errors(exact))
    table = theory_table([right, exact, wrong])
    assert table["off by, in standard errors"].tolist()[:2] == [f"{off:+.2f}", "nothing random"]
    assert table["verdict"].tolist()[1:] == ["agrees", "disagrees"]
    said = how_well_theory_is_met([exact, wrong], ROWS)
    assert "**1 of 2 rows agree with theory**; not `X-1`." in said
    assert "`edasim validate` simulates all" in said
    picture = figures.theory_figure([right, exact, wrong])
    assert "X-1: disagrees" in picture.alt
    assert "nothing random" in picture.alt


def test_the_queue_takes_as_long_as_its_closed_form_says() -> None:
    found = mm1_over_load([0.3], changes=2000, replications=24, jobs=1)
    spread = (found.simulated[0].high - found.simulated[0].low) / 2 / 2.069
    assert found.expected[0] == pytest.approx(0.01 / 0.7)
    assert abs(found.simulated[0].mean - found.expected[0]) <= 3.5 * spread
    assert spread <= 0.03 * found.expected[0] / 3
    assert f"**{found.within} of 1 loads**" in does_the_queue_agree(found)
    assert "0.3: simulated" in figures.mm1_figure(found).alt


def test_a_queue_that_would_grow_for_ever_is_refused() -> None:
    with pytest.raises(InputError, match="load: 1 is not allowed: must be above 0 and below 1"):
        mm1_over_load([0.5, 1])


def verdict(value: float, side: str, limit: float, unit: str = "s") -> Verdict:
    return Verdict("r", "cqrs", "", "", "m", unit, value, value, value, side, limit, "met")


def test_what_is_within_its_limit_stands_left_of_it_by_decades_and_what_is_far_off_at_the_edge() -> None:
    assert _place(verdict(0.5, "at most", 5.0), 0.5) == pytest.approx(-1)
    assert _place(verdict(50.0, "at most", 5.0), 50.0) == pytest.approx(1)
    assert _place(verdict(0.0, "at most", 5.0), 0.0) == -OUT
    assert _place(verdict(1.0, "at most", 0.0), 1.0) == OUT
    assert _place(verdict(0.0, "at most", 0.0), 0.0) == -OUT
    assert _place(verdict(0.9, "at least", 0.99, "share"), 0.9) == pytest.approx(1)
    assert _place(verdict(50.0, "at least", 5.0), 50.0) == pytest.approx(-1)


def test_the_figure_of_verdicts_says_of_each_option_what_it_meets() -> None:
    scenario = Scenario(requirements=[{"metric": "staleness_mean", "at_most": 2}, {"metric": "lost_per_year", "at_most": 5}])
    values = {("cqrs", "consumer", "", "staleness_mean", ""): {0: Value("staleness_mean", 3.0, "s"), 1: Value("staleness_mean", 3.1, "s")}}
    picture = figures.verdicts_figure(Comparison(scenario, 1, tuple(candidates_of(scenario, ["request_response", "cqrs"])), values, 2))
    assert "request_response: staleness_mean at most 2: does not apply; lost_per_year at most 5: undecided (not simulated)." in picture.alt
    assert "cqrs: staleness_mean at most 2: violated (3.05 ± 0.64 s)" in picture.alt


def test_what_is_required_is_told_with_its_reason_and_held_against_few_options() -> None:
    asked = [{"metric": "loss_rate", "at_most": "1%", "because": "people complain"}]
    scenario = Scenario(requirements=asked, duration=5, warmup=0, drain=5, workload={"arrivals": {"rate": 5}, "reads": {"rate": 0}})
    assert what_is_required(scenario) == "* **loss_rate at most 1%**: people complain."
    assert "requires nothing" in what_is_required(Scenario())
    assert len(options_held(scenario, replications=1, jobs=1).candidates) == 4


def test_the_documents_say_of_each_mechanism_what_it_rests_on() -> None:
    text = (Path(__file__).parents[1] / "docs" / "validation.md").read_text(encoding="utf-8")
    shown = text.partition("| mechanism | rows of theory | predicted of real brokers and stores |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert shown.splitlines() == table_of_mechanisms()


def test_what_a_mechanism_was_measured_by_is_among_the_predictions_and_each_of_those_vouches_for_one() -> None:
    metrics = {found.metric for found in read_kept(FOLDER.parent / "validation").predictions}
    named = {begins for mechanism in MECHANISMS for begins in mechanism.measured}
    assert {begins for begins in named if not any(metric.startswith(begins) for metric in metrics)} == set()
    assert {metric for metric in metrics if not metric.startswith(tuple(named))} == set()
