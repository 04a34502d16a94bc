"""Nothing that a scenario, a trace or a cache says runs, reads a file outside the folders it names, or becomes a script in a report."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from nbconvert.filters import markdown2html
from signing import SHOP
from tiny import merged

from edasim import InputError, Scenario
from edasim.documents import read_yaml
from edasim.report import write_report
from edasim.report.drift import Drift
from edasim.report.drift_in_words import what_changed
from edasim.shipped import NOTEBOOKS

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">[c](javascript:alert(3)) {{ 7*7 }} $\\\\href{javascript:alert(4)}{x}$'
NAME = "<img src=x onerror=alert(5)>{{ 6*7 }}"
HOSTILE: dict[str, Any] = merged(
    SHOP,
    {
        "name": NAME,
        "question": EVIL,
        "duration": "10s",
        "consumers": [{"name": NAME, "handle_time": {"dist": "exponential", "mean": "10ms"}}],
        "options": [{"name": f"a {NAME}", "pattern": "request_response"}, {"name": f"b {NAME}", "pattern": "event_carried_state_transfer"}],
        "incidents": [{"name": f"i {NAME}", "component": "broker", "per_year": 2, "down": "1s"}],
        "requirements": [{"metric": "loss_rate", "at_most": "5%", "because": EVIL, "consumer": NAME}],
        "assumptions": [{"path": "workload.arrivals.rate", "range": [10, 40], "basis": "guess", "source": EVIL}],
    },
)


def scenario(folder: Path, **changes: Any) -> Path:
    file = folder / "scenario.yaml"
    file.write_text(yaml.safe_dump(merged(HOSTILE, changes)), encoding="utf-8")
    return file


@pytest.mark.slow
@pytest.mark.browser
def test_no_script_of_a_hostile_scenario_runs_in_its_report_and_no_request_leaves(tmp_path: Path, browser_path: str) -> None:
    from playwright.sync_api import sync_playwright

    index = write_report(
        scenario(tmp_path), tmp_path / "report", notebooks=[NOTEBOOKS / "00-start-here.ipynb", NOTEBOOKS / "01-decision.ipynb"], quick=True
    )
    happened: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("dialog", lambda dialog: (happened.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: happened.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
        for file in (index, *sorted(index.parent.glob("0*.html"))):
            page.goto(file.as_uri())
            page.wait_for_load_state("load")
            assert NAME in page.inner_text("body"), "shown as it is written"
            assert page.locator("img[onerror], a[href^='javascript:'], body script").count() == 0, file.name
        browser.close()
    assert happened == []


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [id]", "!!python/name:os.system", "!!python/tuple [1]", "!own 1"])
def test_a_tag_in_a_scenario_is_refused_so_none_can_name_code(tag: str) -> None:
    with pytest.raises(yaml.YAMLError, match="a tag such as"):
        read_yaml(f"a: {tag}")


@pytest.mark.parametrize("text", ["\\e[31m", "\\x00", "\\u202e", "\\x9b"])
def test_what_a_terminal_takes_for_a_command_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="control character"):
        read_yaml(f'name: "a{text}"')


def recorded(folder: Path, file: str, key: str = "") -> Path:
    """A scenario in `scenarios` whose trace is *file*; or, of an option with this *key*, set there."""
    (folder / "scenarios").mkdir(parents=True, exist_ok=True)
    said: dict[str, Any] = {"workload": {"arrivals": {"process": "trace", "file": file}}}
    if key:
        said = {"options": [{"name": "a", "pattern": "cqrs", "set": {key: file}}]}
    path = folder / "scenarios" / "own.yaml"
    path.write_text(json.dumps(said), encoding="utf-8")
    return path


def a_trace(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("time\n0\n1\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("place", ["scenarios/own.csv", "scenarios/below/own.csv", "traces/own.csv", "traces/below/own.csv"])
def test_a_scenario_reads_files_of_its_folder_and_of_traces_beside_it(place: str, tmp_path: Path) -> None:
    a_trace(tmp_path / place)
    assert Scenario.load(recorded(tmp_path, f"../{place}")).workload.arrivals.process == "trace"


@pytest.mark.parametrize("key", ["", "workload.arrivals.file"])
@pytest.mark.parametrize("place", ["secret/own.csv", "own.csv", "traces-too/own.csv"])
def test_a_scenario_reads_no_file_elsewhere_whoever_it_names(place: str, key: str, tmp_path: Path) -> None:
    secret = a_trace(tmp_path / place)
    for named in (f"../{place}", str(secret), f"../traces/../{place}"):
        with pytest.raises(
            InputError, match="must be in the scenario's folder, in the folder traces beside it, or in a folder that EDASIM_"
        ):
            Scenario.load(recorded(tmp_path, named, key))


def test_a_link_leads_no_scenario_elsewhere(tmp_path: Path) -> None:
    a_trace(tmp_path / "secret" / "own.csv")
    file = recorded(tmp_path, "link.csv")
    (file.parent / "link.csv").symlink_to(tmp_path / "secret" / "own.csv")
    with pytest.raises(InputError, match="must be in the scenario's folder"):
        Scenario.load(file)


def test_the_user_may_name_any_file_and_further_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_trace(tmp_path / "elsewhere" / "own.csv")
    named = {"workload.arrivals": {"process": "trace", "file": str(file)}}
    plain = tmp_path / "plain.yaml"
    plain.write_text("name: plain\n", encoding="utf-8")
    assert Scenario.load(plain, named).workload.arrivals.process == "trace"
    monkeypatch.setenv("EDASIM_FILES", str(file.parent))
    assert Scenario.load(recorded(tmp_path, str(file))).workload.arrivals.process == "trace"


def test_nothing_in_the_package_unpickles() -> None:
    package = Path(__file__).parents[1] / "edasim"
    words = ("import pickle", "pickle.load", "joblib.Memory", "joblib.load", "allow_pickle=True", "yaml.unsafe_load", "yaml.full_load")
    found = [(file.name, word) for file in package.rglob("*.py") for word in words if word in file.read_text(encoding="utf-8")]
    assert found == []


def test_an_earlier_report_puts_nothing_into_the_one_that_names_it() -> None:
    now: dict[str, Any] = {"scenario": "shop", "seed": 1, "inputs": {}, "versions": {}, "results": [], "replicated": []}
    verdicts = [{"requirement": EVIL, "option": NAME, "verdict": EVIL}]
    before = now | {"scenario": EVIL, "versions": {NAME: EVIL}, "inputs": {NAME: EVIL}, "verdicts": verdicts}
    said = markdown2html(what_changed(Drift(before, now | {"verdicts": [verdicts[0] | {"verdict": "met"}]})))
    assert "alert(1)" in said, "it is told, as a text"
    assert "<script" not in said
    assert "<img" not in said
    assert 'href="javascript' not in said
