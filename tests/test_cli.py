"""The command line, run as a user runs it: results on standard output, one clear line and exit code 2 for bad input."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from edasim import PRESETS, compiled, fast_path
from edasim.cli import run

ROOT = Path(__file__).parents[1]
DEFAULT = str(ROOT / "data" / "scenarios" / "usage-metering.yaml")
COLUMNS = ["scenario", "option", "pattern", "consumer", "incident", "metric", "component", "unit", "mean", "low", "high", "replications"]
SHORT_RUN = ["--set", "duration=20s", "--set", "warmup=0", "--replications", "2", "--jobs", "1"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_compare_prints_every_preset_with_its_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "compare", DEFAULT, *SHORT_RUN)
    assert code == 0
    assert all(any(line.startswith(preset + " ") for line in out.splitlines()) for preset in PRESETS)
    for title in ("lost", "latency p99", "staleness p99", "storage growth", "replay", "source load"):
        assert title in out
    assert "±" in out


def test_json_is_one_object_with_nulls_instead_of_nan(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    code, out, _ = said(capsys, "compare", DEFAULT, *SHORT_RUN[:4], "--replications", "1", "--jobs", "1", "--format", "json", "--seed", "7")
    found = json.loads(out, parse_constant=refuse)
    assert code == 0
    assert {"scenario", "seed", "replications", "engine", "versions", "results", "differences"} <= set(found)
    assert (found["seed"], found["replications"]) == (7, 1)
    assert list(found["results"][0]) == [*COLUMNS, "nature"]
    measured = [row for row in found["results"] if row["metric"] == "latency_mean"]
    assert all(row["low"] is None for row in measured), "one replication has no interval"
    assert {row["baseline"] for row in found["differences"]} == {"request_response"}


def test_csv_has_the_columns_of_the_contract_and_out_writes_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = said(
        capsys, "compare", DEFAULT, *SHORT_RUN, "--patterns", "cqrs,table/notice/cache", "--format", "csv", "--out", str(tmp_path / "r.csv")
    )
    assert (code, out) == (0, "")
    frame = pd.read_csv(tmp_path / "r.csv")
    assert list(frame.columns) == [*COLUMNS, "nature"]
    assert set(frame["option"]) == {"cqrs", "table/notice/cache"}
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_options_are_patterns_with_changes_on_the_same_luck(capsys: pytest.CaptureFixture[str]) -> None:
    web_shop = str(ROOT / "data" / "scenarios" / "web-shop.yaml")
    _, out, _ = said(capsys, "compare", web_shop, *SHORT_RUN, "--options", "kafka-cdc,kafka-direct", "--format", "csv")
    frame = pd.read_csv(StringIO(out))
    assert frame.drop_duplicates("option")[["option", "pattern"]].to_numpy().tolist() == [
        ["kafka-cdc", "event_carried_state_transfer"],
        ["kafka-direct", "event_carried_state_transfer"],
    ]


def test_jobs_do_not_change_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [said(capsys, "compare", DEFAULT, *SHORT_RUN[:-1], jobs, "--patterns", "cqrs", "--format", "json")[1] for jobs in ("1", "2")]
    assert outputs[0] == outputs[1]


ENGINES = {"simpy": "simpy", "fast": "fast", "auto": "fast"}  # asked for, and which makes the runs


def test_an_engine_is_asked_for_and_named_and_any_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("compare", DEFAULT, *SHORT_RUN, "--patterns", "cqrs,event_notification", "--format", "json", "--engine")
    found = [json.loads(said(capsys, *asked, engine)[1]) for engine in ENGINES]
    assert [each.pop("engine") for each in found] == list(ENGINES.values())
    assert found[0] == found[1] == found[2]
    checked = ("check", DEFAULT, *SHORT_RUN, "--pattern", "cqrs", "--format", "json", "--engine")
    required = ("--set", "requirements=[{metric: loss_rate, at_most: 50%}]")
    assert [json.loads(said(capsys, *checked, engine, *required)[1])["engine"] for engine in ENGINES] == list(ENGINES.values())


def test_a_sweep_has_the_same_rows_whichever_engine_makes_them(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("sweep", DEFAULT, *SHORT_RUN, "--over", "source.servers=1,8", "--patterns", "cqrs", "--format", "csv", "--engine")
    rows = {said(capsys, *asked, engine)[1] for engine in ENGINES}
    assert len(rows) == 1
    assert rows != {""}


@pytest.mark.parametrize(("engine", "lines"), [("auto", 1), ("simpy", 0)])
def test_a_first_run_says_that_it_compiles(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, engine: str, lines: int
) -> None:
    monkeypatch.setattr(fast_path, "is_compiled", lambda: False)
    code, out, err = said(capsys, "compare", DEFAULT, *SHORT_RUN, "--patterns", "cqrs", "--engine", engine, "--no-incidents", "--seed", "3")
    assert code == 0
    assert "compiling" not in out
    assert err.count("\n") == lines
    assert err.startswith("edasim: compiling the simulation, about a minute; only this once" if lines else "")


def test_a_first_run_says_where_nothing_can_be_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "kept_in", lambda package: None)
    asked = ("compare", DEFAULT, *SHORT_RUN, "--patterns", "polling", "--no-incidents", "--seed", "4")
    assert "can't be kept" in said(capsys, *asked)[2]


BAD = [
    (["compare", "nowhere.yaml"], "scenario file nowhere.yaml does not exist"),
    (["compare", DEFAULT, "--set", "broker.knd=log"], "broker.knd is not a known key: did you mean kind?"),
    (["compare", DEFAULT, "--set", "network.loss=1.5"], "network.loss: 1.5 is not allowed"),
    (["compare", DEFAULT, "--set", "rate"], "must be path=value"),
    (["compare", DEFAULT, "--set", "workload.arrivals.columns.time=when"], "column when is not in azure_llm_conv.csv.gz"),
    (["compare", DEFAULT, "--set", "workload.regions=99"], "from 1 to 20 regions, not 99"),
    (["compare", DEFAULT, "--set", "broker.preset=kafak"], "must be 'kafka', 'rabbitmq'"),
    (["validate", "--rows", "MMI"], "--rows MMI is not known: did you mean"),
    (["validate", "--oracles", "nowhere.csv"], "nowhere.csv"),
    (["validate", "--format", "xml"], "must be one of table, json, csv"),
    (["compare", DEFAULT, "--patterns", "cqsr"], "did you mean cqrs?"),
    (["compare", DEFAULT, "--patterns", "table/nothing/read_model"], "is incoherent: a read model is fed by events"),
    (["compare", DEFAULT, "--patterns", ""], "nothing to compare"),
    (["compare", DEFAULT, "--options", "a"], "pattern a is not known"),
    (["compare", DEFAULT, "--replications", "0"], "must be at least 1"),
    (["compare", DEFAULT, "--replications", "x"], "--replications"),
    (["compare", DEFAULT, "--seed", "-1"], "must be at least 0"),
    (["compare", DEFAULT, "--jobs", "0"], "must be at least 1, or -1"),
    (["compare", DEFAULT, "--format", "xml"], "must be one of table, json, csv"),
    (["compare", DEFAULT, "--engine", "fsat"], "did you mean fast?"),
    (["compare", DEFAULT, "--set", "source.servers=2000000", "--engine", "fast"], "room for 1,000,000 servers"),
    (["sweep", DEFAULT, "--over", "network.loss=0,0.1", "--engine", "fsat"], "engine fsat is not known: did you mean fast?"),
    (["sweep", DEFAULT, "--over", "source.servers=8,2000000", "--engine", "fast"], "engine fast is not possible: source.servers"),
    (["check", DEFAULT, "--engine", "simpie", "--set", "requirements=[{metric: loss_rate, at_most: 1}]"], "did you mean simpy?"),
    (["compare", DEFAULT, "--out", "/nowhere/results.csv"], "must be a file in a folder that exists"),
    (["compare", DEFAULT, "--frmat", "csv"], "--format"),
    (["compare"], "scenario"),
    (["compar"], "compar"),
    (["scenario", "show", "nowhere.yaml"], "does not exist"),
    (["report", "nowhere.yaml"], "does not exist"),
    (["report", DEFAULT, "--set", "workload.regions=99"], "from 1 to 20 regions, not 99"),
    (["compare", DEFAULT, "--set", "source.polling.interval=1ns"], "polls in one run; at most 1,000,000 are allowed"),
    (["compare", DEFAULT, "--set", "broker.outages={up: 1us, down: 1us}"], "outages in one run; at most 1,000,000 are allowed"),
    (["compare", DEFAULT, "--set", "requirements=[{metric: lost_per_yaer, at_most: 1}]"], "did you mean lost_per_year?"),
    (["report", DEFAULT, "--set", "requirements=[{metric: loss_rate, consumer: qouta}]"], "requirements.0.consumer: qouta is not in"),
    (["compare", DEFAULT, "--set", "options=[{name: a, pattern: cqrs, set: {seed: 7}}]"], "set.seed is not allowed: all options share"),
]


@pytest.mark.parametrize(("arguments", "line"), BAD, ids=lambda value: " ".join(value[2:] or value) if isinstance(value, list) else "")
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert line in err
    assert err.startswith("edasim: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "nothing half-written is left"


@pytest.mark.parametrize("command", [["scenario", "new"], ["observe"], ["record", "verify"], ["scenario", "show"]])
def test_a_name_that_no_file_can_have_is_one_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "a" * 300]) == 2
    error = capsys.readouterr().err
    assert error.startswith("edasim: ")
    assert error.count("\n") == 1


def test_scenario_new_writes_the_short_form_and_never_over_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    assert said(capsys, "scenario", "new", str(path))[0] == 0
    before = path.read_text(encoding="utf-8")
    code, _, err = said(capsys, "scenario", "new", str(path))
    assert code == 2
    assert "exists already" in err
    assert path.read_text(encoding="utf-8") == before
    code, out, _ = said(capsys, "scenario", "show", str(path), "--set", "seed=9")
    assert code == 0
    assert "seed: 9" in out
    assert "retention: 7d" in out


def test_scenario_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "scenario", "schema")
    assert code == 0
    assert set(json.loads(out)["properties"]) >= {"workload", "broker", "consumers"}


def test_the_installed_command_and_its_help() -> None:
    shown = subprocess.run([sys.executable, "-m", "edasim", "--help"], capture_output=True, text=True, check=True)
    assert "compare" in shown.stdout
