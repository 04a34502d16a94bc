"""From observations to a scenario: a new one that says what was measured, or the place of each in one that is there already."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from edasim import InputError, Scenario, compare
from edasim.cli import run
from edasim.observe import Observations, observe
from edasim.observe.matching import observed_in, without_place
from edasim.observe.starting import short_scenario
from edasim.ranges import assumed, value_at
from edasim.scenario import DailyArrivals
from edasim.workload import MOST, rate_of

RATE = {
    "path": "workload.arrivals.rate",
    "value": 80.0,
    "low": 70.0,
    "high": 90.0,
    "unit": "1/s",
    "source": "f: 9,000 changes",
    "seen": 9000,
}
BURSTS = {"process": "bursty", "rate_low": 50.0, "rate_high": 200.0, "mean_low": "8s", "mean_high": "2s"}
PROCESS = {**RATE, "path": "workload.arrivals", "value": BURSTS}
HANDLING = {
    "path": "consumers.billing.handle_time",
    "value": {"dist": "lognormal", "mean": "12ms", "cv": 0.6},
    "low": "11ms",
    "high": "13ms",
}
READS = {"path": "workload.reads.rate", "value": 400.0, "low": 390.0, "high": 410.0, "unit": "1/s"}
BROKER = {"component": "broker", "per_year": 3.0, "low": 0.6, "high": 8.8, "down": {"dist": "exponential", "mean": "10min"}, "seen": 3}
BROKER |= {"down_low": "4min", "down_high": "48min"}


def seen(*inputs: dict[str, Any], incidents: tuple[dict[str, Any], ...] = ()) -> Observations:
    return Observations(inputs=inputs, incidents=incidents)


def placed(scenario: Scenario, *inputs: dict[str, Any], incidents: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {found.path: found.value for found in observed_in(scenario, seen(*inputs, incidents=incidents))}


def trace(folder: Path) -> dict[str, Any]:
    pd.DataFrame({"time": [0.0, 1.0, 2.0], "key": [1, 2, 1]}).to_csv(folder / "trace.csv", index=False)
    return {"process": "trace", "file": str(folder / "trace.csv"), "columns": {"entity": "key"}}


def test_a_rate_takes_the_place_of_a_whole_trace(tmp_path: Path) -> None:
    scenario = Scenario(workload={"arrivals": trace(tmp_path)})
    assert placed(scenario, RATE) == {"workload.arrivals": {"process": "poisson", "rate": 80.0}}


def test_a_rate_scales_bursts_and_keeps_how_high_they_are() -> None:
    scenario = Scenario(workload={"arrivals": {"process": "bursty", "rate_low": 10, "rate_high": 90, "mean_low": 30, "mean_high": 10}})
    value = placed(scenario, RATE)["workload.arrivals"]
    assert (value["rate_low"], value["rate_high"]) == pytest.approx((10 * 80 / 30, 90 * 80 / 30))
    assert scenario.with_overrides({"workload.arrivals": value}).workload.arrivals.mean_low == 30  # type: ignore[union-attr]


def test_a_rate_shortens_gaps_and_the_ends_of_its_interval_change_places() -> None:
    scenario = Scenario(workload={"arrivals": {"process": "renewal", "gap": {"dist": "gamma", "mean": "1s", "cv": 0.5}, "batch": 4}})
    (found,) = observed_in(scenario, seen(RATE))
    assert (found.path, found.value, found.low, found.high) == ("workload.arrivals.gap.mean", "50ms", "44.44ms", "57.14ms")


def test_bursts_come_after_their_rate_and_not_where_the_scenario_assumes_something_of_its_process() -> None:
    assert list(placed(Scenario(), RATE, PROCESS)) == ["workload.arrivals.rate", "workload.arrivals"]
    assuming = Scenario(assumptions=[{"path": "workload.arrivals.rate", "range": [40, 60], "basis": "guess"}])
    assert list(placed(assuming, RATE, PROCESS)) == ["workload.arrivals.rate"]
    assert without_place(assuming, seen(RATE, PROCESS)) == ("workload.arrivals",)


def test_what_a_trace_decides_has_no_place_until_the_trace_is_replaced(tmp_path: Path) -> None:
    scenario = Scenario(workload={"arrivals": trace(tmp_path)})
    count = {"path": "workload.entities.count", "value": 77}
    assert placed(scenario, count) == {}
    assert without_place(scenario, seen(count)) == ("workload.entities.count",)
    assert list(placed(scenario, RATE, count)) == ["workload.arrivals", "workload.entities.count"]


def test_reads_are_told_by_change_where_the_scenario_says_them_so() -> None:
    scenario = Scenario(workload={"reads": {"rate": None, "per_change": 10}})
    assert placed(scenario, READS) == {"workload.reads.per_change": 8.0}
    assert placed(scenario, RATE, READS)["workload.reads.per_change"] == 5.0
    assert without_place(scenario, seen(READS)) == ()


def test_handling_times_go_to_the_consumer_of_that_name_and_to_no_other() -> None:
    assert placed(Scenario(consumers=[{"name": "billing"}]), HANDLING) == {HANDLING["path"]: HANDLING["value"]}
    assert placed(Scenario(), HANDLING) == {}
    assert without_place(Scenario(), seen(HANDLING)) == ("consumers.billing.handle_time",)


def test_incidents_go_to_the_one_incident_of_their_component() -> None:
    restart = {"name": "restart", "component": "broker", "per_year": 12, "down": 60}
    scenario = Scenario(incidents=[restart])
    assert placed(scenario, incidents=(BROKER,)) == {"incidents.restart.per_year": 3.0, "incidents.restart.down": BROKER["down"]}
    twice = Scenario(incidents=[restart, {**restart, "name": "power cut", "kind": "power"}])
    assert without_place(twice, seen(incidents=(BROKER,))) == ("incidents of broker",)
    by_name = {**BROKER, "component": "power cut"}
    assert "incidents.power cut.per_year" in placed(twice, incidents=(by_name,))


def test_a_skew_has_no_place_where_all_entities_are_alike() -> None:
    skew = {"path": "workload.entities.skew", "value": 0.7}
    assert placed(Scenario(workload={"entities": {"popularity": "uniform"}}), skew) == {}
    assert placed(Scenario(), skew) == {"workload.entities.skew": 0.7}


def test_everything_that_is_placed_can_be_set() -> None:
    scenario = Scenario(consumers=[{"name": "billing"}], incidents=[{"name": "a.b", "component": "broker", "per_year": 1, "down": 1}])
    found = observed_in(scenario, seen(RATE, READS, HANDLING, incidents=(BROKER,)))
    becomes = scenario.with_overrides({observed.path: observed.value for observed in found})
    assert value_at(becomes, "incidents.a.b.down") == {"dist": "exponential", "mean": "10min"}
    assert value_at(becomes, "consumers.billing.handle_time")["mean"] == "12ms"


def test_a_value_that_no_scenario_takes_is_refused() -> None:
    with pytest.raises(InputError, match=r"workload\.arrivals\.rate"):
        observed_in(Scenario(), seen({"path": "workload.arrivals.rate", "value": -1}))


KINDS = ("abc", [1], {"a": 1}, None, True, "5ms", "2kB", 0, -1, 1e300, 0.5)
PATHS = ("workload.arrivals.rate", "workload.arrivals", "workload.reads.rate", "workload.entities.count", "workload.entities.skew")
PATHS += ("workload.state_bytes", "network.latency.publish", "consumers.billing.handle_time", "nonsense", "consumers..handle_time")


def refusals_of(document: dict[str, Any], scenarios: list[Scenario], folder: Path) -> list[str]:
    """The lines with which a document is refused: when it is loaded, else by the scenarios that are there and by a new one."""
    (folder / "observed.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        observations = Observations.load(folder / "observed.yaml")
    except InputError as error:
        return [str(error)]
    said = []
    for use in (*(partial(without_place, scenario) for scenario in scenarios), short_scenario):
        try:
            use(observations)
        except InputError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("path", PATHS)
def test_no_value_and_no_end_that_a_document_may_hold_is_a_traceback(path: str, tmp_path: Path) -> None:
    gaps, bursts = {"process": "renewal", "gap": 0.1}, {"process": "bursty", "rate_low": 1, "rate_high": 9, "mean_low": 1, "mean_high": 1}
    scenarios = [Scenario(consumers=[{"name": "billing"}], workload={"arrivals": arrivals}) for arrivals in ({"rate": 5}, gaps, bursts)]
    scenarios += [Scenario(workload={"reads": {"rate": None, "per_change": 2}}), Scenario(workload={"arrivals": trace(tmp_path)})]
    scenarios.append(Scenario(warmup=0, duration=0.5, workload={"arrivals": {**trace(tmp_path), "speedup": 1e-9}}))
    for place in ("value", "low", "high"):
        for value in KINDS:
            told = {"path": path, "value": 7.5, "low": 5, "high": 10, place: value}
            assert all("\n" not in line for line in refusals_of({"inputs": [told]}, scenarios, tmp_path))


@pytest.mark.parametrize("value", KINDS)
def test_no_length_or_number_of_incidents_is_a_traceback(value: Any, tmp_path: Path) -> None:
    scenario = Scenario(incidents=[{"name": "restart", "component": "broker", "per_year": 12, "down": 60}])
    for place in BROKER:
        said = refusals_of({"incidents": [{**BROKER, place: value}]}, [scenario], tmp_path)
        assert all("\n" not in line for line in said)


@pytest.mark.parametrize("path", ["workload.arrivals.rate", "workload.reads.rate", "workload.entities.count", "workload.entities.skew"])
@pytest.mark.parametrize("value", ["abc", [1], True, None, "5ms"])
def test_what_is_a_number_is_held_to_it_when_it_is_loaded(path: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "observed.yaml").write_text(yaml.safe_dump({"inputs": [{"path": path, "value": value}]}), encoding="utf-8")
    with pytest.raises(InputError, match=r"inputs\.0\.value: .* is not allowed: must be a number"):
        Observations.load(tmp_path / "observed.yaml")


# A new scenario


def loaded(observations: Observations, folder: Path) -> Scenario:
    (folder / "new.yaml").write_text(short_scenario(observations), encoding="utf-8")
    return Scenario.load(folder / "new.yaml")


def test_a_new_scenario_says_of_each_number_whether_it_was_measured_or_guessed(tmp_path: Path) -> None:
    scenario = loaded(seen(RATE, HANDLING, incidents=(BROKER,)), tmp_path)
    basis = {found.path: found.basis for found in scenario.assumptions}
    assert basis == {
        "workload.arrivals.rate": "measured",
        "consumers.billing.handle_time": "measured",
        "incidents.broker down.per_year": "measured",
        "incidents.broker down.down": "measured",
        "workload.entities.count": "guess",
        "workload.state_bytes": "guess",
        "workload.delta_bytes": "guess",
        "workload.reads.rate": "guess",
    }
    ends = {found.path: (found.low, found.high) for found in assumed(scenario)}
    assert ends["workload.arrivals.rate"] == (70.0, 90.0)
    assert ends["consumers.billing.handle_time"] == (0.011, 0.013)
    assert ends["incidents.broker down.down"] == (240.0, 2880.0)
    assert ends["workload.state_bytes"] == (1000.0, 4000.0)
    assert scenario.workload.arrivals.rate == 80.0  # type: ignore[union-attr]


def test_bursts_are_varied_by_how_high_they_are_so_that_the_rate_has_its_interval(tmp_path: Path) -> None:
    scenario = loaded(seen(RATE, PROCESS), tmp_path)
    (high,) = [found for found in assumed(scenario) if found.path == "workload.arrivals.rate_high"]
    assert (high.low, high.high) == pytest.approx(((70 - 50 * 0.8) / 0.2, (90 - 50 * 0.8) / 0.2))


def test_an_input_without_an_interval_has_no_range(tmp_path: Path) -> None:
    same = {"path": "workload.state_bytes", "value": "500B", "low": "500B", "high": "500B"}
    scenario = loaded(seen(same), tmp_path)
    (found,) = [found for found in scenario.assumptions if found.path == "workload.state_bytes"]
    assert (found.basis, found.range) == ("measured", None)


@pytest.mark.parametrize(
    "observations", [seen(), seen(RATE, PROCESS, READS, HANDLING, incidents=(BROKER, {**BROKER, "component": "audit.log"}))]
)
def test_a_new_scenario_can_be_compared(observations: Observations, tmp_path: Path) -> None:
    scenario = loaded(observations, tmp_path).with_overrides({"duration": 5, "warmup": 0, "drain": 5})
    results = compare(scenario, ["event_notification"], replications=2, jobs=1, incidents=False)
    assert set(results["option"]) == {"event_notification"}


def test_a_path_that_is_in_no_scenario_is_refused() -> None:
    with pytest.raises(InputError, match="nonsense"):
        short_scenario(seen({"path": "nonsense.rate", "value": 1}))


def rates(changes: float, **process: Any) -> list[dict[str, Any]]:
    rate = {**RATE, "value": changes, "low": changes / 2, "high": changes * 2}
    return [rate, {**rate, "path": "workload.arrivals", "value": process}] if process else [rate]


def reads(rate: float) -> dict[str, Any]:
    return {**READS, "value": rate, "low": 0.9 * rate, "high": 1.1 * rate}


LASTING: dict[str, tuple[list[dict[str, Any]], str]] = {
    "as it was observed": (rates(80.0), "10min"),
    "seldom": (rates(0.001), "30d"),  # 1,000 changes take 11.6 days
    "hardly ever": (rates(1e-9), "365d"),
    "with the day": (rates(0.05, process="daily", rate=0.05, peak_to_mean=2.0), "1d"),
    "with the week": (rates(0.05, process="daily", rate=0.05, peak_to_mean=2.0, period="7d"), "7d"),
    "seldom, with the day": (rates(0.001, process="daily", rate=0.001, peak_to_mean=2.0), "30d"),
    "often, with the day": (rates(100.0, process="daily", rate=100.0, peak_to_mean=2.0), "1d"),
    "bursts of seconds": (rates(80.0, **BURSTS), "10min"),
    "bursts of half an hour": (rates(20.0, process="bursty", rate_low=10.0, rate_high=30.0, mean_low=1800, mean_high=1800), "1d"),
    "seldom and read often": ([*rates(0.001), reads(400.0)], "1d"),  # 30 days would have a thousand million reads
    "daily and read too often": ([*rates(50.0, process="daily", rate=50.0, peak_to_mean=2.0), reads(2000.0)], "6h"),
    "by hundreds of thousands": (rates(1e5), "1min"),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_run_is_long_enough_to_see_what_was_observed_and_no_longer_than_it_may_be(name: str, tmp_path: Path) -> None:
    inputs, duration = LASTING[name]
    scenario = loaded(seen(*inputs), tmp_path)
    assert yaml.safe_load(short_scenario(seen(*inputs)))["duration"] == duration
    arrivals, asked = scenario.workload.arrivals, scenario.workload.reads.rate
    assert max(rate_of(scenario), asked or 0.0) * scenario.window[1] <= MOST
    if "too" not in name and isinstance(arrivals, DailyArrivals):
        assert scenario.duration % arrivals.period == 0


def comment_on(*inputs: dict[str, Any]) -> str:
    text = short_scenario(seen(*inputs))
    return " ".join(line.removeprefix("# ") for line in text[: text.index("duration:")].splitlines() if line.startswith("# "))


def test_a_long_run_is_said_to_be_one_and_what_a_short_one_would_see() -> None:
    heavy = comment_on(*rates(100.0, process="daily", rate=100.0, peak_to_mean=2.0))
    assert "about 8,650,000 changes and 17,300,000 reads" in heavy
    assert "GB of memory" in heavy
    assert "duration=1h" in heavy
    assert "quietest hour" in heavy
    assert "memory" not in comment_on(*rates(0.05, process="daily", rate=0.05, peak_to_mean=2.0))


def test_a_run_that_may_not_be_as_long_as_it_should_says_so() -> None:
    assert "too short for 1,000 changes: a longer run would have more than 50,000,000" in comment_on(*rates(0.001), reads(400.0))
    assert "too short for a whole swing of the daily rate" in comment_on(
        *rates(50.0, process="daily", rate=50.0, peak_to_mean=2.0), reads(2000.0)
    )
    assert comment_on(*rates(0.001)) == "long enough for 1,000 changes"
    assert comment_on(*rates(80.0, **BURSTS)) == "long enough for 1,000 changes and 10 bursts and pauses"
    assert "too short for 1,000 changes: a run is no longer here" in comment_on(*rates(1e-9))
    assert "lower the rates" in comment_on(*rates(1e8))


# The command line


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"time": [n / 4 for n in range(400)], "key": [n * n % 37 for n in range(400)], "bytes": 100}).to_csv("changes.csv")
    return tmp_path


def test_from_files_to_a_scenario_on_the_command_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["observe", "changes.csv", "--out", "observed.yaml"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "workload.arrivals.rate: 4" in said.err
    assert run(["scenario", "new", "my-system.yaml", "--from", "observed.yaml"]) == 0
    assert run(["scenario", "show", "my-system.yaml"]) == 0
    assert "rate: 4" in capsys.readouterr().out
    before = (files / "my-system.yaml").read_bytes()
    assert run(["scenario", "new", "my-system.yaml", "--from", "observed.yaml"]) == 2
    assert (files / "my-system.yaml").read_bytes() == before
    assert "exists already" in capsys.readouterr().err


def test_what_can_not_be_observed_is_one_line_exit_2_and_no_file(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "unknown").write_text("what is this?\n", encoding="utf-8")
    assert run(["observe", "changes.csv", "unknown", "--out", "observed.yaml"]) == 2
    assert not (files / "observed.yaml").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_no_file_is_written_over_that_is_observed(files: Path) -> None:
    before = (files / "changes.csv").read_bytes()
    assert run(["observe", "changes.csv", "--out", str(files / "changes.csv")]) == 2
    assert (files / "changes.csv").read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ["", "- 1\n", "1: 2\n", "a: [\n", "unknown: 1\n", "inputs: [{path: workload.arrivals.rate, value: 1, low: .nan}]\n", "inputs: 5\n"],
)
def test_what_is_no_document_of_observations_is_refused(text: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "observed.yaml").write_text(text, encoding="utf-8")
    assert run(["scenario", "new", "new.yaml", "--from", "observed.yaml"]) == 2
    assert capsys.readouterr().err.startswith("edasim: observations observed.yaml")
    assert not (files / "new.yaml").exists()


def test_observing_is_a_function_too(files: Path) -> None:
    assert observe(["changes.csv"]).at("workload.state_bytes").value == "100B"  # type: ignore[union-attr]


OUTSIDE = {
    "a number above": ({**READS, "value": 2000.0}, "workload.reads.rate: 2000.0 is outside its own interval of 390.0 to 410.0"),
    "a mean below": ({**HANDLING, "value": {"dist": "exponential", "mean": "2ms"}}, "2ms is outside its own interval of 11ms to 13ms"),
    "above the only end": ({**READS, "low": None, "value": 500.0}, "500.0 is outside its own interval of no low to 410.0"),
    "ends turned round": ({**READS, "low": 410.0, "high": 390.0}, "low 410.0 is above high 390.0"),
    "ends of durations turned round": ({**HANDLING, "low": "1s", "high": "13ms"}, "low 1s is above high 13ms"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_value_outside_its_own_interval_is_refused(name: str, tmp_path: Path) -> None:
    observed, expected = OUTSIDE[name]
    (tmp_path / "observed.yaml").write_text(yaml.safe_dump({"inputs": [observed]}), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(expected)) as refused:
        Observations.load(tmp_path / "observed.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("wrong", [{"per_year": 9.0}, {"high": 0.1}, {"down_low": "1h"}, {"down": {"dist": "exponential", "mean": "2h"}}])
def test_incidents_outside_their_own_interval_are_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "observed.yaml").write_text(yaml.safe_dump({"incidents": [{**BROKER, **wrong}]}), encoding="utf-8")
    with pytest.raises(InputError, match="incidents of broker"):
        Observations.load(tmp_path / "observed.yaml")


def test_a_value_that_rounding_put_beside_its_interval_is_kept() -> None:
    Observations(inputs=[{**HANDLING, "value": {"dist": "exponential", "mean": "10.999ms"}}])


@pytest.mark.parametrize("ends", [["1ms"], []])
def test_a_range_with_too_few_ends_is_refused_in_one_line(ends: list[str]) -> None:
    guess = {"path": "network.latency.publish", "basis": "guess", "source": "x"}
    with pytest.raises(InputError, match=rf"^assumptions\.1\.range\.{len(ends)} is missing"):
        Scenario(assumptions=[{**guess, "range": ["1ms", "2ms"]}, {**guess, "path": "network.latency.deliver", "range": ends}])
