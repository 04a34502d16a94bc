"""The notebooks: thin, without outputs in git, and right for every scenario that they are run with."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from edasim import Scenario
from edasim.report import write_report
from edasim.templates import fetched_elsewhere

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
START = ROOT / "notebooks" / "00-start-here.ipynb"
CONTRACT = {"scenario_file": "str", "overrides": "dict", "replications": "int", "quick": "bool"}
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


# As they are in git


@every_notebook
def test_a_notebook_in_git_is_valid_small_and_has_no_outputs(path: Path) -> None:
    raw = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(raw)
    assert path.stat().st_size < 30_000
    assert raw["metadata"] == KERNEL
    for cell in raw["cells"]:
        assert set(cell["metadata"]) <= {"tags"}, cell["id"]
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None), cell["id"]


@every_notebook
def test_about_half_of_a_notebook_is_words_and_its_code_is_short(path: Path) -> None:
    code, words = cells(path, "code"), cells(path, "markdown")
    assert len(words) >= 0.4 * (len(code) + len(words))
    lengths = sorted(len([line for line in cell.source.splitlines() if line.strip()]) for cell in code)
    assert lengths[-1] <= 15
    assert lengths[len(lengths) // 2] <= 6


@every_notebook
def test_a_notebook_only_calls(path: Path) -> None:
    for cell in cells(path, "code"):
        defined = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
        assert not defined, cell.id


@every_notebook
def test_no_typed_sentence_states_a_result(path: Path) -> None:
    quantity = re.compile(r"\d[\d.,]*\s?(?:%|[munk]?s\b|min\b|[kMGT]?B\b|times\b|messages\b)")
    for cell in cells(path, "markdown"):
        assert [found for found in quantity.findall(cell.source) if found != "95 %"] == [], cell.id


@every_notebook
def test_parameters_are_the_contract_each_with_its_meaning(path: Path) -> None:
    declared = papermill.inspect_notebook(str(path))
    assert {name: parameter["inferred_type_name"] for name, parameter in declared.items()} == CONTRACT
    assert all(len(parameter["help"]) > 20 for parameter in declared.values())
    tagged = [cell for cell in cells(path, "code") if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert all("|" not in line and line.split("#")[0].count("=") == 1 for line in tagged[0].source.splitlines())


def test_the_default_scenario_exists_and_is_the_command_lines() -> None:
    default = ast.literal_eval(papermill.inspect_notebook(str(START))["scenario_file"]["default"])
    assert (START.parent / default).resolve() == ROOT / "data" / "scenarios" / "usage-metering.yaml"


# Executed

FOREIGN = """
name: parcels
question: Who should hear of a parcel that moves?
seed: 7
warmup: 10s
duration: 2min
workload:
  arrivals: {process: bursty, rate_low: 2, rate_high: 30, mean_low: 20s, mean_high: 5s}
  entities: {count: 1}
  reads: {per_change: 2}
broker: {kind: pubsub}
consumers:
  - {name: tracking, instances: 3, handle_time: 4ms}
options:
  - {name: ask, pattern: request_response}
  - {name: evict, pattern: table/notice/cache}
  - {name: tell, pattern: event_carried_state_transfer}
  - {name: tell-later, pattern: event_carried_state_transfer, set: {source.publish: outbox}}
  - {name: deltas, pattern: events/delta/copy}
  - {name: rows, pattern: polling}
  - {name: views, pattern: cqrs}
incidents:
  - {name: tracking-crash, component: tracking, per_year: 3, down: {dist: exponential, mean: 20s}}
requirements:
  - {metric: loss_rate, at_most: 0.1%}
"""
UNUSUAL = {
    "duration": "2min",
    "workload.reads": {"rate": 0},
    "workload.regions": {"shares": [0.5, 0.3, 0.2], "clock_skew": "1s"},
    "broker": {"kind": "queue", "outages": None},
    "source.outages": None,
    "consumers.marketing.outages": None,
    "consumers.marketing.on_notice": "react",
}
# Parameters that a notebook is run with: the scenario, what is changed in it, and the rest. In JupyterLab: tests/test_explore.py.
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "options and requirements": ("web-shop", {"quick": True, "overrides": {"duration": "3min"}}),
    "a scenario never seen": ("parcels", {"replications": 2}),
    "nothing fails, nobody reads, three regions, a queue": ("customer-details", {"overrides": UNUSUAL, "replications": 1}),
}


@pytest.fixture(scope="module", params=SETS)
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report: every notebook executed by papermill, and its page."""
    name, given = SETS[request.param]
    folder = tmp_path_factory.mktemp("executed")
    scenario = ROOT / "data" / "scenarios" / f"{name}.yaml"
    if name == "parcels":
        scenario = folder / "parcels.yaml"
        scenario.write_text(FOREIGN, encoding="utf-8")
    return write_report(scenario, folder / "report", progress=False, **given).parent


def outputs(notebook: Any, mime: str) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", []) if mime in output.get("data", {})]


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_on_any_scenario_and_every_figure_has_words(path: Path, executed: Path) -> None:
    notebook = nbformat.read(executed / path.name, as_version=4)
    page = executed.joinpath(f"{path.stem}.html").read_text(encoding="utf-8")
    figures = outputs(notebook, "image/png")
    assert figures
    assert all(len(figure.metadata["image/png"]["alt"]) > 40 for figure in figures)
    assert page.count("data:image/png") == len(figures)
    assert "No description has been provided" not in page
    assert fetched_elsewhere(page) == []
    assert str(ROOT) not in page
    for cell in notebook.cells:
        made = cell.get("outputs", [])
        assert not [output for output in made if output.output_type in ("stream", "error")], cell.id
        kinds = [set(output.get("data", {})) for output in made]
        for place, kind in enumerate(kinds):  # what a figure shows is said below it
            assert "image/png" not in kind or "text/markdown" in kinds[place + 1], cell.id


def test_the_page_tells_the_question_the_inputs_and_the_hand_check(tmp_path: Path) -> None:
    scenario = ROOT / "data" / "scenarios" / "usage-metering.yaml"
    index = write_report(scenario, tmp_path / "report", notebooks=[START], progress=False, quick=True)
    page = index.with_name(f"{START.stem}.html").read_text(encoding="utf-8")
    loaded = Scenario.load(scenario)
    assert loaded.question in page
    assert all(assumption.path in page for assumption in loaded.assumptions)
    assert "agrees: +0" in page  # counted from the times of the changes, the simulation loses exactly that


@pytest.mark.slow
def test_one_option_alone_leaves_nothing_to_choose_and_stops_no_notebook(tmp_path: Path) -> None:
    scenario = tmp_path / "alone.yaml"
    scenario.write_text(FOREIGN.split("options:")[0] + "options:\n  - {name: alone, pattern: event_sourcing}\n", encoding="utf-8")
    comparing = [path for path in NOTEBOOKS if path.stem.startswith(("01", "06", "07"))]
    index = write_report(scenario, tmp_path / "report", notebooks=comparing, progress=False, quick=True)
    assert "No two options differ" in index.with_name("01-decision.html").read_text(encoding="utf-8")
