"""Sweeps over one input, and whatever else is looked at over replications: one loop, one luck."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tiny import quiet

from edasim import PRESETS, InputError, Journal, Scenario, candidates_of, compare, measure, paired_comparison, simulate, sweeps
from edasim.cli import run
from edasim.experiment import comparisons_at
from edasim.runs import Task, look_at, over_replications, parts
from edasim.sweeps import by_default, latin_hypercube, points_of, sweep

BUSY = {"workload": {"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 5}}, "duration": 20}
TWO = ["cqrs", "polling"]


def changes_of(journal: Journal, *, times: int = 1) -> int:
    """How many changes there were, so many *times*."""
    return times * journal.changes["time"].size


# Over replications


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_option_of_every_replication_is_looked_at_in_order(jobs: int) -> None:
    found = over_replications(candidates_of(quiet(**BUSY), TWO), partial(changes_of, times=2), seed=7, replications=3, jobs=jobs)
    assert list(found) == TWO
    for option in TWO:
        assert found[option] == [2 * changes_of(simulate(quiet(**BUSY), option, seed=7, replication=number)) for number in range(3)]


def test_options_of_a_replication_share_its_luck_and_replications_do_not() -> None:
    found = over_replications(candidates_of(quiet(**BUSY), TWO), changes_of, seed=7, replications=3, jobs=1)
    assert found["cqrs"] == found["polling"]
    assert len(set(found["cqrs"])) == 3


def test_a_comparison_is_what_measure_sees_over_replications() -> None:
    scenario = quiet(**BUSY)
    comparison = paired_comparison(scenario, TWO, replications=2, jobs=1)
    seen = over_replications(candidates_of(scenario, TWO), measure, seed=scenario.seed, replications=2, jobs=1)
    for option in TWO:
        for replication, values in enumerate(seen[option]):
            for value in values:
                assert comparison.values[option, value.consumer, value.incident, value.metric, value.component][replication] == value
    assert sum(map(len, comparison.values.values())) == sum(len(values) for runs in seen.values() for values in runs)


@pytest.mark.parametrize(("asked", "why"), [({"replications": 0}, "replications: 0"), ({"jobs": 0}, "jobs: 0"), ({"jobs": -2}, "jobs: -2")])
def test_impossible_numbers_of_replications_and_jobs_are_refused(asked: dict[str, int], why: str) -> None:
    with pytest.raises(InputError, match=why):
        over_replications(candidates_of(quiet(), TWO), changes_of, seed=1, **asked)


# A sweep


def test_a_sweep_is_a_comparison_for_each_value() -> None:
    scenario = quiet(**BUSY)
    swept = sweep(scenario, {"source.servers": [1, 2]}, TWO, replications=2, jobs=1)
    for servers in (1, 2):
        alone = compare(scenario.with_overrides({"source.servers": servers}), TWO, replications=2, jobs=1)
        rows = swept[swept["source.servers"] == servers].drop(columns="source.servers").reset_index(drop=True)
        assert rows.equals(alone)


def test_values_share_their_luck_and_may_be_anything_that_a_scenario_takes() -> None:
    outages = [None, {"windows": [[2, 3]]}]
    swept = sweep(quiet(**BUSY), {"broker.outages": outages}, ["cqrs"], replications=2, jobs=1)
    served = swept[(swept["metric"] == "source_requests_per_s") & (swept["component"] == "")]
    assert served["broker.outages"].tolist() == outages
    assert served["mean"].nunique() == 1, "the broker's outage changes nothing at the source, whose luck is the same"


def test_an_option_that_sets_the_path_keeps_its_own_value() -> None:
    options = [{"name": "small", "pattern": "cqrs"}, {"name": "big", "pattern": "cqrs", "set": {"source.servers": 10}}]
    scenario = quiet(**BUSY, source={"write_time": "10ms"}, options=options)
    swept = sweep(scenario, {"source.servers": [1, 2]}, replications=1, jobs=1)
    busy = swept[swept["metric"] == "source_utilisation"].pivot_table("mean", "option", "source.servers")
    assert busy.loc["small", 1] == pytest.approx(2 * busy.loc["small", 2])
    assert busy.loc["big", 1] == busy.loc["big", 2]


@pytest.mark.parametrize(("values", "why"), [([], "at least one value"), ([1, 0], "source.servers")])
def test_what_can_not_be_swept_is_refused_before_anything_is_simulated(
    values: list[int], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "comparisons_at", lambda *_, **__: pytest.fail("simulated"))
    with pytest.raises(InputError, match=why):
        sweep(quiet(), {"source.servers": values}, ["cqrs"])


def test_by_default_a_figure_has_five_options_at_most() -> None:
    many = quiet(options=[{"name": f"option {number}", "pattern": "cqrs"} for number in range(7)])
    assert by_default(many, list(PRESETS), None, None) == (None, [f"option {number}" for number in range(5)])
    assert by_default(quiet(), ["cqrs"], None, None) == (["cqrs"], None)
    assert by_default(many, ["cqrs"], ["polling"], None) == (["polling"], None)


# Several inputs


def test_a_grid_is_all_combinations_and_a_row_says_where_it_belongs() -> None:
    swept = sweep(quiet(**BUSY), {"source.servers": [1, 2], "broker.kind": ["log", "queue"]}, ["cqrs"], replications=2, jobs=1)
    points = swept[["source.servers", "broker.kind"]].drop_duplicates().to_numpy().tolist()
    assert points == [[1, "log"], [1, "queue"], [2, "log"], [2, "queue"]]
    alone = compare(quiet(**BUSY).with_overrides({"source.servers": 2, "broker.kind": "queue"}), ["cqrs"], replications=2, jobs=1)
    last = swept[(swept["source.servers"] == 2) & (swept["broker.kind"] == "queue")].drop(columns=["source.servers", "broker.kind"])
    assert last.reset_index(drop=True).equals(alone)


def test_a_latin_hypercube_has_one_point_in_each_part_of_each_range() -> None:
    points = latin_hypercube({"network.loss": (0.0, 0.5), "source.servers": (1, 20)}, 10, seed=3)
    assert sorted(int(point["network.loss"] * 20) for point in points) == list(range(10))
    assert sorted((point["source.servers"] - 1) // 2 for point in points) == list(range(10))
    assert points == latin_hypercube({"network.loss": (0.0, 0.5), "source.servers": (1, 20)}, 10, seed=3)


def test_points_of_a_long_sweep_are_not_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.runs.SLICE", 2)
    begun: list[int] = []

    def points() -> Iterator[Scenario]:
        for number in range(10):
            begun.append(number)
            yield quiet(duration=5, source={"servers": number + 1})

    comparisons = comparisons_at(points(), ["cqrs"], replications=1, jobs=1, total=10)
    next(comparisons)
    assert len(begun) == 2
    assert len(list(comparisons)) == 9


@pytest.mark.parametrize(
    ("over", "points", "why"),
    [
        (["source.servers"], None, "must be path=value"),
        (["source.servers=1..8"], None, "together with --points"),
        (["source.servers=1,2"], 5, "together with --points"),
        (["source.servers=8..1"], 5, "the lower one first"),
        (["source.servers=few..many"], 5, "must be two numbers"),
        (["source.servers=1", "source.servers=2"], None, "given twice"),
        (["source.servers=1..8"], 0, "points: 0"),
    ],
)
def test_what_is_no_list_and_no_range_is_refused(over: list[str], points: int | None, why: str) -> None:
    with pytest.raises(InputError, match=why):
        points_of(over, points, seed=1)


# The command line


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A small scenario as a file."""
    (tmp_path / "busy.yaml").write_text(quiet(**BUSY).as_yaml(), encoding="utf-8")
    return str(tmp_path / "busy.yaml")


def test_a_sweep_on_the_command_line_has_a_row_a_point_and_option(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["sweep", file, "--over", "source.servers=1,2", "--over", "broker.kind=log,queue", "--patterns", "cqrs,polling"]
    assert run([*asked, "--replications", "2", "--jobs", "1"]) == 0
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert table[0].startswith("source.servers  broker.kind  option")
    assert [line.split()[:3] for line in table[2:6]] == [
        ["1", "log", "cqrs"],
        ["1", "log", "polling"],
        ["1", "queue", "cqrs"],
        ["1", "queue", "polling"],
    ]
    assert len(table) == 10


def test_csv_and_parquet_hold_the_rows_of_the_sweep_and_parquet_where_they_come_from(file: str, tmp_path: Path) -> None:
    expected = sweep(quiet(**BUSY), {"source.servers": [1, 2]}, TWO, replications=2, jobs=1)
    asked = ["sweep", file, "--over", "source.servers=1,2", "--patterns", ",".join(TWO), "--replications", "2", "--jobs", "1"]
    for form in ("csv", "parquet"):
        assert run([*asked, "--format", form, "--out", str(tmp_path / form)]) == 0
    found = pd.read_csv(tmp_path / "csv", keep_default_na=False, na_values={"low": [""], "high": [""]})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parquet"), expected, check_dtype=False)
    about = json.loads(pq.read_schema(tmp_path / "parquet").metadata[b"edasim"])
    assert (about["seed"], about["replications"], about["scenario"]["duration"]) == (42, 2, "20s")
    assert {"versions", "code", "commit"} <= set(about)


def test_values_of_any_kind_make_one_column(file: str, tmp_path: Path) -> None:
    out, kinds = tmp_path / "kinds", "broker.outages=null,{windows: [[2, 3]]}"
    asked = ["sweep", file, "--over", kinds, "--patterns", "cqrs", "--replications", "1", "--jobs", "1", "--format", "parquet"]
    assert run([*asked, "--out", str(out)]) == 0
    assert pd.read_parquet(out)["broker.outages"].drop_duplicates().tolist() == ["null", '{"windows": [[2, 3]]}']


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_sweep_that_fails_leaves_no_file(form: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = iter([pd.DataFrame({"source.servers": [1]})])

    def failing(*_: object, **__: object) -> Iterator[pd.DataFrame]:
        yield from frames
        raise InputError("no more")

    monkeypatch.setattr(sweeps, "sweep_rows", failing)
    out = tmp_path / "swept"
    assert run(["sweep", file, "--over", "source.servers=1", "--format", form, "--out", str(out)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["busy.yaml"]


@pytest.mark.parametrize(
    "wrong", [["--over", "source.serves=1"], ["--over", "source.servers=0"], ["--over", "source.servers=1", "--format", "parquet"], []]
)
def test_a_sweep_refuses_bad_input_in_one_line(wrong: list[str], file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", file, *wrong]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_parts_of_work_are_of_one_replication_in_order_and_small_at_the_end() -> None:
    tasks = [Task(candidate, partial(look_at, look=measure), 1, number) for number in range(6) for candidate in candidates_of(Scenario())]
    found = list(parts(tasks, 2))
    assert [task for part in found for task in part] == tasks
    assert all(len({task.replication for task in part}) == 1 for part in found)
    assert len(found[0]) == 6
    assert [len(part) for part in found[-8:]] == [1] * 8
