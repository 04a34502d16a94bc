"""What changed between two reports: paired where the luck was the same, and honest where it was not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tiny import quiet

from edasim import Comparison, InputError, paired_comparison
from edasim.comparison import KEY, values_of
from edasim.report.drift import Drift, read_results
from edasim.report.drift_in_words import what_changed

SHIFT = 2.0


def published(values: NDArray[np.float64], seed: int = 1, **more: Any) -> dict[str, Any]:
    """A results.json of options 0, 1, ... whose load on the source was so much, shape (options, replications)."""
    numbers = list(range(values.shape[1]))
    rest = {"unit": "1/s", "nature": "measured", "replications": numbers}
    none = {"trials": [0] * len(numbers), "level": [0.0] * len(numbers), "around": [[] for _ in numbers]}
    rows = [
        {**dict(zip(KEY, (str(option), "", "", "source_requests_per_s", ""), strict=True)), **rest, "value": of.tolist(), **none}
        for option, of in enumerate(values)
    ]
    about = {"scenario": "shop", "inputs": {}, "versions": {"edasim": "1"}, "results": []}
    return {**about, "seed": seed, "replicated": rows, **more}


def rates(hits: list[int], trials: int, seed: int) -> dict[str, Any]:
    """A results.json of one option that lost so many of so many *trials* in each replication."""
    run = published(np.array([hits]) / trials, seed)
    run["replicated"][0] |= {"metric": "loss_rate", "unit": "share", "nature": "rate", "trials": [trials] * len(hits)}
    return run


@pytest.fixture(scope="module")
def luck() -> NDArray[np.float64]:
    """The luck of 1000 options in 5 replications: much more than the shift."""
    return np.random.default_rng(7).normal(50, 10, (1000, 5))


def test_a_shift_on_the_same_luck_is_seen_through_the_noise(luck: NDArray[np.float64]) -> None:
    own = np.random.default_rng(8).normal(SHIFT, 0.5, luck.shape)
    rows = Drift(published(luck), published(luck + own)).rows
    assert set(rows["pairing"]) == {"paired"}
    by_hand = stats.ttest_rel(luck + own, luck, axis=1).confidence_interval(0.95)
    assert np.allclose(rows[["low", "high"]], np.transpose([by_hand.low, by_hand.high]))
    covered = ((rows["low"] <= SHIFT) & (rows["high"] >= SHIFT)).mean()
    assert abs(covered - 0.95) <= 3.5 * np.sqrt(0.95 * 0.05 / len(rows))
    assert (rows["change"] == "clear").mean() > 0.9


def test_with_another_seed_the_luck_of_both_is_in_the_interval_and_the_finding_says_so(luck: NDArray[np.float64]) -> None:
    other = np.random.default_rng(9).normal(50 + SHIFT, 30, luck.shape)
    drift = Drift(published(luck), published(other, seed=2))
    rows = drift.rows
    welch = stats.ttest_ind(other, luck, axis=1, equal_var=False).confidence_interval(0.95)
    assert (rows["low"] <= welch.low).all()
    assert (rows["high"] >= welch.high).all()
    covered = ((rows["low"] <= SHIFT) & (rows["high"] >= SHIFT)).mean()
    assert covered >= 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / len(rows))
    assert "**Not paired**: the seed was 1 and is 2. 1000 differences hold the luck of both reports" in what_changed(drift)
    assert "about 50 of them may exclude zero by chance alone" in what_changed(drift)


def test_with_other_replications_it_is_not_paired_either(luck: NDArray[np.float64]) -> None:
    drift = Drift(published(luck[:1]), published(luck[:1, :3]))
    assert drift.rows["pairing"].tolist() == ["unpaired"]
    assert "the reports have other replications" in what_changed(drift)


def test_none_seen_twice_leaves_room_for_what_neither_could_see() -> None:
    row = Drift(rates([0, 0], 1000, seed=1), rates([0, 0], 500, seed=2)).rows.iloc[0]
    assert (row["mean"], row["change"]) == (0, "unclear")
    assert row["low"] == pytest.approx(-3 / 2000, rel=0.01)
    assert row["high"] == pytest.approx(3 / 1000, rel=0.01)


def test_what_is_zero_by_nature_in_both_did_not_change_whatever_the_luck() -> None:
    before, now = rates([0, 0], 1000, seed=1), rates([0, 0], 1000, seed=2)
    for run in (before, now):
        run["replicated"][0]["nature"] = "zero"
    assert Drift(before, now).rows["change"].tolist() == ["none"]
    assert "Not paired" not in what_changed(Drift(before, now))


def test_the_same_numbers_are_no_change(luck: NDArray[np.float64]) -> None:
    finding = what_changed(Drift(published(luck), published(luck)))
    assert finding.startswith("* **Nothing changed**: all 1000 numbers that both reports have came out the same in every replication.")
    assert "No input of the scenario changed." in finding
    assert "|" not in finding


def test_a_finding_names_what_was_changed_what_came_and_went_and_which_verdict_turned(luck: NDArray[np.float64]) -> None:
    held = {"requirement": "loss_rate at most 1%", "option": "0"}
    arrivals = [{"workload": {"arrivals": {"rate": rate}}, "consumers": [{"name": "billing"}]} for rate in (50, 80)]
    before = published(luck[:2], inputs=arrivals[0], verdicts=[{**held, "verdict": "met"}])
    now = published(luck[:3] + 1, inputs=arrivals[1] | {"seed": 1}, verdicts=[{**held, "verdict": "violated"}], versions={"edasim": "2"})
    finding = what_changed(Drift(before, now))
    assert "**2 of 2 numbers changed clearly**" in finding
    assert "Only in this report: option `2`." in finding
    assert "Only in the report before" not in finding
    assert "`loss_rate at most 1%` was met by `0` and is **violated**" in finding
    assert "Inputs changed: `workload.arrivals.rate` from `50` to `80`, `seed` from the default to `1`." in finding
    assert "Versions changed: `edasim` from `1` to `2`." in finding


def test_a_long_list_of_changes_shows_the_largest_first_and_says_how_many_more(luck: NDArray[np.float64]) -> None:
    more = np.arange(1, 41)[:, None]
    finding = what_changed(Drift(published(luck[:1].repeat(40, axis=0)), published(luck[:1] + more)))
    rows = [line for line in finding.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| {option}" for option in range(39, 24, -1)]
    assert "25 more clear changes are in `changes.csv`." in finding


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    scenario = quiet(
        workload={"arrivals": {"rate": 5}, "reads": {"rate": 2}},
        network={"latency": {"dist": "exponential", "mean": "50ms"}, "loss": 0.1},
        requirements=[{"metric": "duplicate_rate", "at_most": 0}],
    )
    return paired_comparison(scenario, ["polling", "event_notification"], replications=2, jobs=1)


def test_what_is_published_holds_the_values_of_each_replication(comparison: Comparison) -> None:
    read = {tuple(row[name] for name in KEY): values_of(row) for row in json.loads(json.dumps(comparison.replicated))}
    assert read == {key: comparison.values[key] for key in read}
    metrics = {key[3] for key in read}
    assert {"loss_rate", "latency_p99", "duplicate_rate"} <= metrics  # of the one screen, and what is required
    assert "duplication_factor" not in metrics
    assert any(value.nature == "quantile" and value.around for of in read.values() for value in of.values())


def test_two_reports_on_one_luck_differ_as_two_options_on_one_luck_do(comparison: Comparison) -> None:
    """An option held against another in one comparison, and the same two in two reports: the same difference."""
    before, now = (comparison.as_json() for _ in range(2))
    before["replicated"] = [{**row, "option": "it"} for row in before["replicated"] if row["option"] == "polling"]
    now["replicated"] = [{**row, "option": "it"} for row in now["replicated"] if row["option"] == "event_notification"]
    rows = Drift(before, now).rows.set_index(["consumer", "metric"])
    rows = rows[rows["change"] != "none"]
    within = comparison.differences.query("component == ''").set_index(["consumer", "metric"]).loc[rows.index]
    assert len(rows) > 3
    assert np.allclose(rows[["mean", "low", "high"]].to_numpy(float), within[["mean", "low", "high"]].to_numpy(float), equal_nan=True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "can't be read"),
        ("<html>", "not JSON"),
        ("[]", "has no scenario"),
        ('{"scenario": "shop", "seed": 1}', "has no inputs"),
        (json.dumps(published(np.ones((1, 2))) | {"replicated": [{"option": "x"}]}), "has no replicated"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_what_is_no_earlier_report_is_refused_in_one_line(content: str | bytes | None, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=complaint) as refused:
        read_results(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("column", "said"), [("value", ["x", "y"]), ("trials", [None, None]), ("value", [1.0])])
def test_an_earlier_report_with_a_number_that_is_none_is_refused(column: str, said: list[object], tmp_path: Path) -> None:
    found = published(np.ones((1, 2)))
    found["replicated"][0][column] = said
    file = tmp_path / "results.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(InputError, match="has no replicated"):
        read_results(file)
