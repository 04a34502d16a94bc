"""The command line of experiments: `tipping`, `sensitivity` and `warmup` on a small scenario, and what they refuse."""

import json
from pathlib import Path

import pytest
from tiny import quiet

from edasim.cli import run

PAIR = "event_carried_state_transfer,request_response"
TIPS = ["--over", "workload.reads.per_change=0.5,8", "--metric", "wire_bytes_per_s", "--patterns", PAIR, "--jobs", "1"]
MATTERS = ["--metric", "wire_bytes_per_s", "--pattern", "request_response", "--jobs", "1"]


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """A file with a few seconds of Poisson changes and reads, and two assumptions."""
    arrivals = {"process": "poisson", "rate": 20}
    assumed = [
        {"path": "workload.reads.per_change", "range": [1, 9], "basis": "guess"},
        {"path": "workload.state_bytes", "range": ["1kB", "2kB"], "basis": "measured"},
    ]
    small = quiet(duration=3, drain=1, workload={"arrivals": arrivals, "reads": {"rate": None, "per_change": 2}}, assumptions=assumed)
    path = tmp_path / "small.yaml"
    path.write_text(small.as_yaml())
    return str(path)


def test_tipping_says_where_and_gives_its_rows(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tipping", scenario, *TIPS]) == 0
    assert capsys.readouterr().out.startswith("`request_response` beats `event_carried_state_transfer` where")
    assert run(["tipping", scenario, *TIPS, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"][0]["value"] == 0.5
    assert said["rows"][-1]["value"] == 8


@pytest.mark.parametrize("method", ["tornado", "morris", pytest.param("sobol", marks=pytest.mark.slow)])
def test_sensitivity_names_the_guess_to_measure_first(scenario: str, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sensitivity", scenario, *MATTERS, "--method", method]) == 0
    assert "**Measure `workload.reads.per_change` before anything else**" in capsys.readouterr().out


def test_warmup_holds_each_option_against_the_scenarios_own(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["warmup", scenario, "--patterns", PAIR, "--replications", "2", "--jobs", "1", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "option,metric,suggested_s,warmup_s,refused"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tipping", *TIPS, "--metric", "wire"], "metric wire"),
        (["tipping", *TIPS, "--over", "workload.reeds=1,2"], "workload.reeds"),
        (["tipping", *TIPS, "--over", "source.servers=2,2"], "its ends must differ"),
        (["tipping", *TIPS, "--over", "source.servers=2"], "must be path=low,high"),
        (["tipping", *TIPS, "--patterns", "cqrs"], "there must be two"),
        (["tipping", *TIPS, "--better", "best"], "better: best"),
        (["sensitivity", *MATTERS, "--metric", "wire"], "metric wire"),
        (["sensitivity", *MATTERS, "--method", "guessing"], "--method guessing"),
        (["sensitivity", *MATTERS, "--option", "cdc"], "either --option or --pattern"),
        (["sensitivity", *MATTERS, "--set", "assumptions=[]"], "none says a range"),
        (["warmup", "--options", "cdc"], "pattern cdc is not known"),
        (["warmup", "--format", "yaml"], "--format yaml"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(scenario: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *others = arguments
    assert run([command, scenario, *others]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert complaint.startswith("edasim: ")


def test_a_range_may_be_given_from_either_end(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tipping", scenario, *TIPS]) == 0
    one = capsys.readouterr().out
    assert run(["tipping", scenario, *TIPS, "--over", "workload.reads.per_change=8,0.5"]) == 0
    assert capsys.readouterr().out == one
