"""Exploring: what a panel shows when a slider is moved, how to get that again, and that it works in a real browser."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lab import Lab, jupyterlab

from edasim import InputError, Luck, Scenario, cli, make_workload
from edasim.candidates import candidates_of
from edasim.documents import read_yaml
from edasim.explore import VIEWS, Panel, panel, picker
from edasim.explore.circumstances import CIRCUMSTANCES
from edasim.explore.inputs import Input, ranges, stops
from edasim.figures import loss_against_outage
from edasim.figures.picture import WIDTH, sketched
from edasim.incidents import without_faults
from edasim.patterns import FOLLOWS, QUESTIONS, Pattern
from edasim.ranges import value_at
from edasim.screens import value_at_path
from edasim.studies.incident_course import Course
from edasim.studies.outages import OutageLosses
from edasim.studies.projection import Lags
from edasim.studies.queueing import PATTERN, Queue, mm1
from edasim.templates import notebook_page

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SCENARIOS = sorted((ROOT / "data" / "scenarios").glob("*.yaml"))
USUAL = ROOT / "data" / "scenarios" / "usage-metering.yaml"
TINY = """
name: tiny
warmup: 0
duration: 5min
drain: 10s
workload: {arrivals: {rate: 2}, reads: {rate: 1}, entities: {count: 20}}
consumers: [{name: billing, instances: 2}, {name: stock}]
assumptions:
  - {path: source.producer.retries, range: [0, 4], basis: guess}
requirements: [{metric: stale_fraction, at_most: 10%}]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return file


def opened(file: Path, view: str = "lag", **given: Any) -> Panel:
    return panel(Scenario.load(file, given), view, str(file), given)


def shown_scenario(found: Panel) -> Scenario:
    return found.scenario.with_overrides(found.changes)


# The panel


def test_nothing_is_simulated_before_something_is_moved(tiny: Path) -> None:
    untouched = opened(tiny)
    assert untouched.figure.value == ""
    assert untouched.known == {}


def test_a_moved_slider_changes_the_figure_and_moved_back_it_is_as_before_without_a_new_run(tiny: Path) -> None:
    moved = opened(tiny)
    moved.choose("as it is")
    slider, before = moved.sliders["network.latency.deliver"], moved.figure.value
    assert re.fullmatch(r'<img alt="[^"]{40,}" src="data:image/png;base64,[^"]{1000,}" width="840" style="max-width: 100%">', before)
    poll = moved.sliders["source.relay.poll"]
    own = poll.index
    poll.index = len(poll.options) - 1
    after = moved.figure.value
    assert after != before
    assert moved.finding.outputs[0]["data"]["text/markdown"]
    poll.index, runs = own, len(moved.known)
    assert moved.figure.value == before
    assert len(moved.known) == runs == 2
    assert slider.label == "1 ms"


def test_what_is_not_possible_is_one_line_and_the_next_move_works(tiny: Path) -> None:
    def study(scenario: Scenario, **asked: Any) -> Any:
        if scenario.source.producer.retries == 4:
            raise InputError("four is <too many>")
        return usual(scenario, **asked)

    found = opened(tiny, "loss")
    usual, found.view = found.view.study, replace(found.view, study=study)
    slider = found.sliders["source.producer.retries"]
    slider.index = 4
    assert "four is &lt;too many&gt;" in found.about.value
    assert (found.figure.value, found.finding.outputs, found.again.value) == ("", (), "")
    slider.index = 2
    assert found.figure.value.startswith("<img")


def test_a_slider_goes_over_what_is_assumed_or_from_half_to_twice(tiny: Path) -> None:
    found = opened(tiny)
    assert [label for label, _ in opened(tiny, "loss").sliders["source.producer.retries"].options] == ["0", "1", "2", "3", "4"]
    polls = found.sliders["source.relay.poll"].options
    assert (polls[0], ("100 ms", "100ms"), polls[-1]) == (("50 ms", "50ms"), polls[polls.index(("100 ms", "100ms"))], ("200 ms", "200ms"))
    rates = [value for _, value in found.sliders["workload.arrivals.rate"].options]
    assert (rates[0], rates[-1]) == (1.0, 6.0)  # Black Friday, three times as busy, is within reach
    assert len(found.sliders) <= 5


def test_an_input_that_is_no_number_has_no_slider() -> None:
    scenario = Scenario(consumers=[{"name": "a", "handle_time": {"dist": "mixture", "of": [1, 2], "weights": [0.5, 0.5]}}])
    asked = [Input("consumers.a.handle_time"), Input("network.loss"), Input("network.loss", (0, 0.2)), Input("no.such.input")]
    assert [(over.path, over.low, over.high) for over in ranges(scenario, asked)] == [("network.loss", 0, 0.2)]


def test_every_stop_of_a_slider_is_a_value_that_the_scenario_takes() -> None:
    scenario = Scenario()
    asked = [Input(path) for path in ("source.cache_ttl", "workload.state_bytes", "source.servers", "workload.arrivals.rate")]
    for over in ranges(scenario, asked):
        values = list(stops(scenario, over).values())
        assert 8 <= len(values) <= 22
        assert len({scenario.with_overrides({over.target: value}).model_dump_json() for value in values}) == len(values)


def test_a_panel_is_about_the_first_consumer_that_a_requirement_names_or_the_first(tiny: Path) -> None:
    asked = [{"metric": "staleness_p99", "at_most": "5s", **whose} for whose in ({}, {"consumer": "stock"})]
    assert opened(tiny, requirements=asked).consumer == "stock"
    assert opened(tiny, requirements=asked[:1]).consumer == "billing"


def test_a_name_with_dots_is_read_as_far_as_it_is_one(tiny: Path) -> None:
    two = [{"name": "shop"}, {"name": "shop.billing", "outages": {"windows": [[1, 2]]}}]
    scenario = Scenario.load(tiny, {"consumers": two, "consumers.shop.billing.handle_time": "7ms", "consumers.shop.instances": 3})
    assert [consumer.instances for consumer in scenario.consumers] == [3, Scenario().consumers[0].instances]
    assert value_at(scenario, "consumers.shop.billing.handle_time") == value_at(scenario, "consumers.1.handle_time") == "7ms"
    assert value_at_path(scenario, "consumers.shop.billing.handle_time") == "7ms"
    assert without_faults(scenario).consumers[1].outages is None
    with pytest.raises(InputError, match=r"consumers\.shops\.billing\.outages: shops is not in the list; .*shop"):
        scenario.with_overrides({"consumers.shops.billing.outages": None})


def test_an_incident_and_a_consumer_with_dots_in_their_names_have_their_sliders(tiny: Path) -> None:
    down = {"name": "db v2.1", "component": "shop.billing", "per_year": 2, "down": "10s"}
    found = opened(tiny, "incident", consumers=[{"name": "shop.billing"}], incidents=[down])
    assert {"incidents.db v2.1.down", "consumers.shop.billing.handle_time.mean"} <= set(found.sliders)
    slider = found.sliders["incidents.db v2.1.down"]
    slider.index = 0
    assert found.figure.value.startswith("<img"), found.about.value
    assert shown_scenario(found).incidents[0].down.mean() == 5  # type: ignore[union-attr]


def test_a_panel_in_an_incident_shows_the_consumer_whose_slider_it_has(tiny: Path) -> None:
    usual = {"per_year": 2, "down": "10s"}
    both = [{"name": component, "component": component, **usual} for component in ("stock", "broker")]
    scenario = Scenario.load(tiny, {"incidents": both})
    for incident, consumer in (("stock", "stock"), ("broker", "billing")):
        found = panel(scenario, "incident", incident=incident)
        assert f"consumers.{consumer}.handle_time.mean" in found.sliders
        assert found.view.study(found.short, **found.view.asked).consumer == consumer


def test_what_a_trace_brings_has_no_slider() -> None:
    assert "workload.delta_bytes" not in opened(USUAL, "storage").sliders


def test_a_sketch_says_what_the_figure_says_in_the_pixels_of_a_page(tiny: Path) -> None:
    view = opened(tiny, "loss").view
    found = view.study(Scenario.load(tiny), **view.asked)
    sketch = sketched(loss_against_outage)(found)
    assert sketch.alt == loss_against_outage(found).alt
    assert int.from_bytes(sketch.packed(1)[16:20], "big") == WIDTH


# Circumstances


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_the_circumstances_are_what_their_names_say(file: Path) -> None:
    scenario = Scenario.load(file).with_overrides({"warmup": 0, "duration": 3600})
    name = scenario.consumers[-1].name
    days = {day: scenario.with_overrides(changes(scenario, name)) for day, changes in CIRCUMSTANCES.items()}
    usual = make_workload(scenario, Luck(1, 0)).rate
    assert days["as it is"] == scenario
    assert days["calm day"].as_mapping() == without_faults(scenario).as_mapping()
    ((begin, end),) = days["broker outage"].broker.outages.windows  # type: ignore[union-attr, misc]
    assert 0 < begin < end < 3600
    busy = days["Black Friday"].with_overrides({"duration": 1200})  # as many changes in a third of the time
    assert make_workload(busy, Luck(1, 0)).rate == pytest.approx(3 * usual)
    consumer = days["slow consumer"].consumers[-1]
    assert usual * consumer.handle_time.mean() / consumer.instances == pytest.approx(0.95, rel=0.01)


def test_choosing_a_day_moves_the_sliders_that_have_it_and_drops_what_was_moved_before(tiny: Path) -> None:
    found = opened(tiny)
    found.sliders["source.relay.poll"].index = 0
    found.choose("Black Friday")
    assert found.sliders["workload.arrivals.rate"].label == "6"
    assert found.sliders["source.relay.poll"].label == "100 ms"
    assert shown_scenario(found).workload.arrivals.rate == 6  # type: ignore[union-attr]
    found.choose("slow consumer")
    assert found.sliders["workload.arrivals.rate"].label == "2"
    assert shown_scenario(found).consumers[0].handle_time.mean() == pytest.approx(0.95)


# Reproduction


def options_of(result: Any) -> list[str]:
    """The options that a figure of *result* shows; their pattern where they are no options of a comparison."""
    if isinstance(result, pd.DataFrame):
        return [*dict.fromkeys(result["option"])]
    if isinstance(result, Course):
        return [*result.journals]
    if isinstance(result, Lags | Queue):
        return [*dict.fromkeys(result.patterns.values())] if isinstance(result, Lags) else [PATTERN]
    return [candidate.name for candidate in (result.comparison if isinstance(result, OutageLosses) else result).candidates]


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_the_lines_below_a_figure_give_it_again_and_a_table_of_the_same_options(
    view: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if view == "queue":  # which is of M/M/1 only
        tiny.write_text(mm1(rate=20, service=0.01, changes=200).as_yaml())
    found = opened(tiny, view, **{"source.servers": 3})
    found.choose(found.view.circumstances[1])
    next(reversed(found.sliders.values())).index = 0
    assert found.figure.value, found.about.value
    scenario = shown_scenario(found)
    lines = found.reproduction(scenario, found.changes)

    python, command_line, whole = lines.values()
    *statements, last = ast.parse(python).body
    names: dict[str, Any] = {}
    exec(compile(ast.Module(statements, []), "<panel>", "exec"), names)
    figure, results = getattr(names["figures"], found.view.figure.__name__), list[Any]()
    names["figures"] = SimpleNamespace(**{figure.__name__: lambda result, **how: results.append(result) or sketched(figure)(result, **how)})
    picture = eval(compile(ast.Expression(last.value), "<panel>", "eval"), names)  # type: ignore[attr-defined]
    assert picture.png == found.known[scenario.model_dump_json()][0].png

    compared: list[Any] = []
    monkeypatch.setattr("edasim.experiment.paired_comparison", lambda *given, **settings: compared.append((given, settings)))
    monkeypatch.setattr("edasim.cli.comparing.formatted", lambda comparison, form: "")
    command, *words = shlex.split(command_line)
    assert (command, cli.run(words)) == ("edasim", 0)
    (((of, patterns), settings),) = compared
    assert [candidate.name for candidate in candidates_of(of, patterns, settings["options"])] == options_of(results[0])
    assert of.with_overrides({"options": []}).as_mapping() == scenario.with_overrides({"options": []}).as_mapping()
    assert (settings["replications"], settings["incidents"]) == (1, view in ("staleness", "incident"))

    assert Scenario.from_mapping(read_yaml(whole)).as_mapping() == scenario.as_mapping()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["web-shop", "online-retail"])
@pytest.mark.parametrize("view", [view for view in VIEWS if view != "queue"])
def test_every_view_can_be_shown_of_scenarios_with_options_or_few_changes(view: str, name: str) -> None:
    found = opened(ROOT / "data" / "scenarios" / f"{name}.yaml", view)
    found.choose("as it is")
    assert found.figure.value.startswith("<img"), found.about.value


# The pattern picker


def named_or_refused(answers: tuple[Any, ...]) -> str | None:
    try:
        return Pattern(*answers).name
    except InputError:
        return None


def test_the_picker_names_every_coherent_combination_and_gives_a_reason_for_every_other() -> None:
    found, coherent = picker(), 0
    for answers in product(*QUESTIONS.values()):
        for choice, answer in zip(found.answers.values(), answers, strict=True):
            choice.value = answer
        said = found.said.value
        if named := named_or_refused(answers):
            coherent += 1
            assert f"<b>{named}</b>" in said
            assert said.count("<li>") >= 3
        else:
            assert re.fullmatch(r'<p role="alert"><b>Incoherent:</b> [^<]{30,}</p>', said)
    assert coherent == 32 - 2 - 1 - 8  # a read model without events; a polled copy of events; state or delta that nobody keeps


def test_every_answer_has_something_that_follows_from_it() -> None:
    assert set(FOLLOWS) == {answer for answers in QUESTIONS.values() for answer in answers}


# Reports and imports


def test_a_report_shows_no_sliders_and_what_introduces_them(tiny: Path) -> None:
    import nbformat

    bundle = opened(tiny)._repr_mimebundle_()
    widget = nbformat.v4.new_output("execute_result", data=bundle)
    words = nbformat.v4.new_markdown_cell("Try this", metadata={"tags": ["interactive"]})
    cells = [words, nbformat.v4.new_code_cell("panel", outputs=[widget]), nbformat.v4.new_markdown_cell("Next")]
    page = notebook_page(nbformat.v4.new_notebook(cells=cells), tiny.parent, title="t", scenario="s", file="f.ipynb", failure=None)
    assert "Next" in page
    assert "Try this" not in page
    assert "running notebook" not in page


def test_importing_edasim_loads_neither_widgets_nor_figures() -> None:
    code = "import sys, edasim; raise SystemExit(any(name in sys.modules for name in ('ipywidgets', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# In a browser

WATCH = """() => {
  window.moves = []; let began = 0, underWay = false;
  const begin = () => { began = performance.now() };
  document.addEventListener('keydown', begin, true); document.addEventListener('mousedown', begin, true);
  new MutationObserver(() => {
    const said = [...document.querySelectorAll('.widget-html')].map(each => each.textContent.trim());
    if (said.some(text => text.startsWith('Simulating'))) { underWay = true; return; }
    if (!underWay || !said.some(text => text.endsWith('the one to quote.'))) return;
    underWay = false;
    const image = document.querySelector('.widget-html img');
    image.decode().then(() => requestAnimationFrame(() => moves.push(performance.now() - began)));
  }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, browser_path: str) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("lab"), browser_path) as running:
        yield running


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots and latencies are kept."""
    folder = Path(os.environ.get("EDASIM_ARTEFACTS") or tmp_path_factory.mktemp("artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def moved(page: Any, move: Any) -> str:
    """Make a *move*, and wait until what it leads to is shown: the figure, and what it shows in words."""
    so_far = page.evaluate("moves.length")
    move()
    page.wait_for_function("count => moves.length > count", arg=so_far, timeout=60_000)
    return str(page.locator(".widget-html img").get_attribute("src")) + page.locator(".jupyter-widgets.widget-output").inner_text()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_jupyterlab_and_its_sliders_redraw_a_figure(path: Path, lab: Lab, artefacts: Path) -> None:
    with lab.opened(path) as (page, complaints):
        code = [cell for cell in lab.run_all(page, path).cells if cell.cell_type == "code"]
        assert [output for cell in code for output in cell.outputs if output.output_type == "error"] == []
        drawn = [cell.id for cell in code if any("image/png" in output.get("data", {}) for output in cell.outputs)]
        assert drawn == [cell.id for cell in code if re.search(r"\bfigures\.\w+\(", cell.source)]
        page.evaluate(WATCH)
        handles = page.locator(".widget-slider .noUi-handle")
        handles.first.scroll_into_view_if_needed()
        usual, slow = (page.get_by_role("button", name=name) for name in ("as it is", "slow consumer"))
        for place in range(handles.count()):
            before = moved(page, usual.click)
            handles.nth(place).focus()
            assert moved(page, partial(page.keyboard.press, "End")) != before, f"slider {place} changes nothing"
        moved(page, slow.click)
        page.screenshot(path=artefacts / f"{path.stem} light.png")
        page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.screenshot(path=artefacts / f"{path.stem} dark.png")
        page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
        latencies = page.evaluate("moves.filter((_, move) => move == 0 || move % 2)")  # but for returns to what was shown
    assert complaints == []
    (artefacts / f"{path.stem} latencies.json").write_text(json.dumps(latencies))
    print(f"{path.stem}: {np.quantile(latencies, 0.95):.0f} ms, 95th percentile of {len(latencies)} moves")
