"""The report: what its pages promise a reader, and what it does to somebody's files."""

import csv
import json
import os
import re
import shlex
import sys
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from edasim import in_words, paired_comparison
from edasim.cli import run
from edasim.comparison import RESULTS as RESULTS_COLUMNS
from edasim.comparison import RESULTS_MIME
from edasim.documents import parse_override
from edasim.errors import InputError
from edasim.report import ReportFailed, write_report
from edasim.report.published import published_in
from edasim.scenario import Scenario
from edasim.templates import Run, fetched_elsewhere

PARAMETERS = """scenario_file: str = "scenario.yaml"  # path
overrides: dict = {}  # dotted paths and values
replications: int = 5  # runs
quick: bool = False  # fewer and shorter runs"""
FIGURE = """import matplotlib.pyplot as plt
plt.plot([0, 1], [0, 1])
display(plt.gcf(), metadata={"image/png": {"alt": 'Staleness <rises> & "falls"'}})
plt.close()
svg = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'><rect width='40' height='20'/></svg>"
display({"image/svg+xml": svg}, metadata={"image/svg+xml": {"alt": "a drawing"}}, raw=True)"""
RESULTS = f"""import json
display({{"{RESULTS_MIME}": open("published.json").read(), "text/plain": "repr-of-results"}}, raw=True)"""
SHOP = """name: shop <b>bold
question: What of </title><script>alert(1)</script> & billing?
duration: 10s
warmup: 0
network: {loss: 0.5}
source: {producer: {acks: 0}}
options: [{name: ask, pattern: request_response}, {name: "tell <all>", pattern: event_notification}]
requirements: [{metric: loss_rate, at_most: 1%}]
"""
WHERE = "import os, sys\nprint('kernel:', sys.executable, 'in', os.path.basename(os.getcwd()), '; secret-code', replications, quick)"


def notebook(path: Path, *code: str, words: str = "# A *title*\n\nA **paragraph**.", parameters: str = PARAMETERS) -> Path:
    """A notebook file with a kernel that nobody has, a cell of *words*, one of parameters and the cells of *code*."""
    cells = [new_markdown_cell(words), new_code_cell(parameters, metadata={"tags": ["parameters"]}), *map(new_code_cell, code)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": {"name": "nobodys", "display_name": "Nobody's"}}), path)
    return path


def scenario(folder: Path) -> Path:
    """A scenario whose words are markup."""
    path = folder / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return path


def entries(folder: Path) -> dict[str, bytes]:
    """Everything below *folder*, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a notebook publishes of the scenario."""
    return paired_comparison(Scenario.load(scenario(tmp_path_factory.mktemp("published"))), replications=3, jobs=1).as_json()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, published: dict[str, Any]) -> Path:
    """A report of two notebooks, of which the second fails, made where a foreign `python3` kernel and a backend lie in wait.

    It is compared with an earlier one, in which `ask` had no other load on the source than `tell <all>`.
    """
    folder = tmp_path_factory.mktemp("a {brace} & a space")
    notebook(folder / "notebooks" / "good.ipynb", FIGURE, RESULTS, WHERE)
    (folder / "notebooks" / "published.json").write_text(json.dumps(published))
    notebook(folder / "notebooks" / "poor.ipynb", "def half(x):\n    return x / 0", "half(1)", "print('never said')")
    (folder / "old.json").write_text(json.dumps(published | {"replicated": [earlier(row) for row in published["replicated"]]}))
    foreign = folder / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "foreign", "language": "python"}))
    asked: dict[str, Any] = {"overrides": {"seed": 7}, "replications": 3, "quick": True, "compare_with": Path("old.json")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(foreign.parents[1]))
        patch.setenv("MPLBACKEND", "Agg")
        patch.chdir(folder)
        with pytest.raises(ReportFailed, match=r"^poor\.ipynb stopped at In \[4\]: ZeroDivisionError: division by zero$"):
            write_report(scenario(folder), Path("out"), notebooks=[Path("notebooks")], **asked)
        assert os.environ["JUPYTER_PATH"] == str(foreign.parents[1])
        assert os.environ["MPLBACKEND"] == "Agg"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    return folder / "out"


def earlier(row: dict[str, Any]) -> dict[str, Any]:
    """A row of values by replication as it was before: one more request a second, in each replication."""
    return row | {"value": [value + 1 for value in row["value"]]} if row["metric"] == "source_requests_per_s" else row


@pytest.fixture
def unexecuted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """`write_report` into `tmp_path/out` that prepares notebooks but starts no kernel."""
    monkeypatch.setattr(papermill, "execute_notebook", partial(papermill.execute_notebook, prepare_only=True))
    return partial(write_report, scenario(tmp_path), tmp_path / "out", progress=False)


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any execution of a notebook fails the test."""
    monkeypatch.setattr(papermill, "execute_notebook", lambda *_, **__: pytest.fail("a kernel was about to start"))


def test_a_page_asks_no_other_host_and_is_small(report: Path) -> None:
    for page in report.glob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert fetched_elsewhere(html) == []
        assert "default-src 'none'" in html
        assert all(source.startswith("data:") for source in re.findall(r'\ssrc="([^"]*)', html))
        assert len(re.sub(r'"data:[^"]*"', "", html)) < 60_000


def test_a_page_keeps_the_alternative_text_of_its_figures(report: Path) -> None:
    html = (report / "good.html").read_text(encoding="utf-8")
    alt = re.findall(r"""<img alt=('[^']*'|"[^"]*") src="data:image/(png|svg)""", html)
    assert alt == [("""'Staleness &lt;rises&gt; &amp; "falls"'""", "png"), ('"a drawing"', "svg")]


def test_a_page_hides_the_code_and_links_to_the_executed_notebook(report: Path) -> None:
    html = (report / "good.html").read_text(encoding="utf-8")
    assert "import os" not in html
    assert "scenario_file" not in html
    assert '<a href="good.ipynb">' in html
    executed = nbformat.read(report / "good.ipynb", as_version=4)
    assert executed.metadata.papermill.parameters["replications"] == 3
    assert executed.metadata.papermill.output_path == "good.ipynb"


def test_a_notebook_runs_in_this_interpreter_and_in_its_own_folder_with_what_was_asked(report: Path) -> None:
    assert f"kernel: {sys.executable} in notebooks ; secret-code 3 True" in (report / "good.html").read_text(encoding="utf-8")


def test_published_results_are_files_and_not_on_the_page(report: Path, published: dict[str, Any]) -> None:
    kept = json.loads((report / "results.json").read_text(encoding="utf-8"))
    assert {name: kept[name] for name in published} == published | {"verdicts": kept["verdicts"]}
    with (report / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(RESULTS_COLUMNS)
    assert [(row["option"], row["metric"], float(row["mean"])) for row in rows] == [
        (row["option"], row["metric"], row["mean"]) for row in published["results"]
    ]
    html = (report / "good.html").read_text(encoding="utf-8")
    assert RESULTS_MIME not in html
    assert "repr-of-results" not in html
    index = (report / "index.html").read_text(encoding="utf-8")
    assert 'href="results.json"' in index
    assert 'href="results.csv"' in index


@pytest.mark.parametrize("text", ['{"mean": NaN}', '{"mean": -Infinity}', "{"])
def test_what_is_published_must_be_strict_json(text: str) -> None:
    output = nbformat.v4.new_output("display_data", data={RESULTS_MIME: text})
    with pytest.raises(ValueError, match=r"is no number in JSON|Expecting"):
        published_in(new_notebook(cells=[new_code_cell("show", outputs=[output])]))


def test_the_index_holds_each_option_against_the_requirements(report: Path) -> None:
    """With half of all messages lost, whoever sends any loses half; whoever asks loses none."""
    index = (report / "index.html").read_text(encoding="utf-8")
    assert "1 of 2 options meets the requirement" in index
    assert '<th scope="col">ask</th><th scope="col">tell &lt;all&gt;</th>' in index
    asked, told = r'<td class="met">✓ met: 0</td>', r'<td class="violated">✗ violated: (4|5)\d'
    assert re.search(f'<th scope="row">loss_rate at most 1%</th>{asked}{told}', index)


def test_the_index_has_the_one_screen_comparison(report: Path, published: dict[str, Any]) -> None:
    index = (report / "index.html").read_text(encoding="utf-8")
    requests = next(row for row in published["results"] if (row["option"], row["metric"]) == ("ask", "source_requests_per_s"))
    shown = in_words(*(requests[name] for name in ("mean", "low", "high", "unit")))
    assert '<th scope="col">source load</th>' in index
    assert f'<td class="">{shown}</td>' in index.replace("\u00a0", " ")


def test_the_index_says_what_changed_since_the_earlier_report(report: Path) -> None:
    index, said = ((report / name).read_text(encoding="utf-8") for name in ("index.html", "changes.md"))
    assert "**2 of " in said
    assert "numbers changed clearly" in index
    assert len(re.findall(r"<td[^>]*>-1(?:\.0+)? /s</td>", index)) == 2
    assert "<td>tell &lt;all&gt;</td>" in re.sub(r"<td [^>]*>", "<td>", index)
    with (report / "changes.csv").open(encoding="utf-8", newline="") as file:
        changes = [row for row in csv.DictReader(file) if row["change"] != "none"]
    assert [(row["metric"], float(row["mean"]), row["pairing"]) for row in changes] == [("source_requests_per_s", -1.0, "paired")] * 2


def test_a_thumbnail_is_the_first_figure_and_small(report: Path) -> None:
    index = (report / "index.html").read_text(encoding="utf-8")
    (data, alt), *others = re.findall(r'<img src="data:image/png;base64,([^"]*)" alt="([^"]*)">', index)
    assert not others
    assert alt == "Staleness &lt;rises&gt; &amp; &#34;falls&#34;"
    with Image.open(BytesIO(b64decode(data))) as picture:
        assert picture.width <= 720
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert len(data) < 40_000


def test_markup_in_a_scenario_is_shown_and_not_obeyed(report: Path) -> None:
    index, page = ((report / name).read_text(encoding="utf-8") for name in ("index.html", "good.html"))
    assert "<b>" not in index + page
    assert "<all>" not in index + page
    assert "<script" not in index + page
    assert "<h1>shop &lt;b&gt;bold</h1>" in index
    assert "What of &lt;/title&gt;&lt;script&gt;" in index
    assert "<title>A title · shop &lt;b&gt;bold</title>" in page


def test_a_failing_cell_is_shown_on_its_page_and_in_the_index(report: Path) -> None:
    page, index = ((report / name).read_text(encoding="utf-8") for name in ("poor.html", "index.html"))
    assert '<div class="failed">' in page
    assert "----&gt; 2     return x / 0" in page
    assert "never said" not in page
    assert "papermill-error-cell" not in page + (report / "poor.ipynb").read_text(encoding="utf-8")
    assert "1 of 2 notebooks did not run to the end" in index
    assert "In [4]: ZeroDivisionError: division by zero" in index


def test_the_index_says_how_to_make_the_report_again(report: Path) -> None:
    index = (report / "index.html").read_text(encoding="utf-8")
    command = re.search(r"<pre[^>]*>(edasim report [^<]*)</pre>", index)
    assert command
    assert command[1].endswith(" --out out --set seed=7 --replications 3 --quick --compare-with old.json")
    assert (report / "scenario.yaml").read_bytes() == (report.parent / "shop.yaml").read_bytes()
    assert "A paragraph." in index
    assert "<dd>7</dd>" in index


@pytest.mark.parametrize("value", ["80", "250ms", "a: {b", "", 80, None, [1, "x"], {"dist": "exponential", "mean": "5ms"}])
def test_a_change_is_printed_so_that_the_command_line_reads_the_same(value: object, tmp_path: Path) -> None:
    command = Run(Scenario(), tmp_path, tmp_path, {"overrides": {"some.path": value}}).command
    assert parse_override(shlex.split(command)[-1]) == ("some.path", value)


@pytest.mark.usefixtures("no_kernel")
@pytest.mark.parametrize(
    ("parameters", "asked", "complaint"),
    [
        (
            PARAMETERS.replace("replications", "replicatons"),
            {"replications": 3},
            "one.ipynb has no parameter replications: did you mean replicatons?",
        ),
        (PARAMETERS.replace("quick", "fast"), {"quick": True}, "one.ipynb has no parameter quick: "),
        ("pass", {}, "one.ipynb has no parameter scenario_file: it declares none"),
        (PARAMETERS, {"replications": True}, "replications: True is not allowed"),
        (PARAMETERS, {"overrides": {"seed": {1, 2}}}, "overrides: a notebook takes only"),
        (PARAMETERS, {"overrides": {"workload.arrivals.rat": 3}}, "rat is not a known key"),
        (PARAMETERS, {"replications": "50"}, "replications: '50' is not allowed"),
        (PARAMETERS, {"quick": "yes"}, "quick: 'yes' is not allowed"),
        (
            PARAMETERS.replace("quick: bool = False", 'quick: str = "no"'),
            {"quick": True},
            "one.ipynb: its parameter quick is declared as str: True is not allowed",
        ),
        (PARAMETERS, {"overrides": {"requirements": [{"metric": "los_rate", "at_most": 0}]}}, "no metric has that name: did you mean"),
        (PARAMETERS, {"overrides": {"requirements": [{"metric": "loss_rate", "at_most": "few"}]}}, "'few' is not allowed"),
        (PARAMETERS, {"compare_with": Path("nowhere.json")}, "nowhere.json can't be read"),
    ],
)
def test_a_misspelt_or_mistyped_parameter_is_refused_before_a_kernel_starts(
    parameters: str, asked: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    source = notebook(tmp_path / "one.ipynb", parameters=parameters)
    with pytest.raises(InputError) as refused:
        write_report(scenario(tmp_path), tmp_path / "out", notebooks=[source], **asked)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_kernel")
def test_the_command_line_refuses_an_earlier_report_that_is_none_with_exit_2_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--out", str(tmp_path / "out"), "--compare-with", str(scenario(tmp_path))]
    assert run(["report", str(scenario(tmp_path)), *asked]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "shop.yaml: not JSON" in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_kernel")
def test_notebooks_without_pages_of_their_own_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.ipynb").write_text("not json")
    twins = [notebook(tmp_path / "a" / "one.ipynb"), notebook(tmp_path / "b" / "One.ipynb")]
    refused = partial(write_report, scenario(tmp_path), tmp_path / "out")
    for paths, complaint in [
        ([tmp_path / "empty"], "no notebooks"),
        ([tmp_path / "none.ipynb"], "no such notebook"),
        ([tmp_path / "broken.ipynb"], "not a notebook"),
        ([notebook(tmp_path / "index.ipynb")], "would overwrite another page"),
        (twins, "would overwrite another page"),
    ]:
        with pytest.raises(InputError, match=complaint):
            refused(notebooks=paths)


@pytest.mark.parametrize("held", ["thesis.txt", "mine/thesis.txt", ".git/config"])
def test_a_folder_with_somebodys_files_is_left_alone(held: str, tmp_path: Path, no_kernel: None) -> None:
    precious = tmp_path / "out" / held
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    before = entries(tmp_path / "out")
    with pytest.raises(InputError, match="holds files that no report wrote"):
        write_report(scenario(tmp_path), tmp_path / "out", notebooks=[notebook(tmp_path / "one.ipynb")])
    assert entries(tmp_path / "out") == before


def test_a_former_report_is_replaced_unless_somebody_added_to_it(unexecuted: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unexecuted(notebooks=[notebook(tmp_path / "old.ipynb")])
    (tmp_path / "out" / ".DS_Store").write_text("nobody's work")
    index = unexecuted(notebooks=[notebook(tmp_path / "new.ipynb")])
    assert index == tmp_path / "out" / "index.html"
    assert index.is_file()
    assert not (tmp_path / "out" / "old.html").exists()
    (tmp_path / "out" / "notes.txt").write_text("somebody's")
    before = entries(tmp_path / "out")
    with pytest.raises(InputError, match=r"notes\.txt"):
        unexecuted(notebooks=[tmp_path / "old.ipynb"])
    assert entries(tmp_path / "out") == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_an_interrupted_report_leaves_the_former_one_and_nothing_else(
    stop: type[BaseException], unexecuted: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = notebook(tmp_path / "one.ipynb")
    unexecuted(notebooks=[source])
    before = entries(tmp_path)

    def stopped(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr(papermill, "execute_notebook", stopped)
    with pytest.raises(stop):
        unexecuted(notebooks=[source])
    assert entries(tmp_path) == before


def test_the_former_report_comes_back_if_the_new_one_cannot_take_its_place(
    unexecuted: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = notebook(tmp_path / "one.ipynb")
    unexecuted(notebooks=[source])
    before = entries(tmp_path)
    rename = Path.rename

    def fails_for_the_new_one(self: Path, to: Path) -> Path:
        if self.name == "report":
            raise PermissionError
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(PermissionError):
        unexecuted(notebooks=[source])
    assert entries(tmp_path) == before


def test_the_index_says_what_is_missing(unexecuted: Callable[..., Path], tmp_path: Path) -> None:
    remote = "# Logo\n\n![a logo](https://elsewhere.example/logo.png)\n\n[read on](https://elsewhere.example/more)"
    index = unexecuted(notebooks=[notebook(tmp_path / "one.ipynb", words=remote)]).read_text(encoding="utf-8")
    assert "no notebook published results" in index
    assert not (tmp_path / "out" / "results.json").exists()
    assert "other hosts keep it:</strong> https://elsewhere.example/logo.png</p>" in index


@pytest.mark.browser
def test_a_browser_without_network_shows_every_page_and_figure(report: Path, browser_path: str) -> None:
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        context = browser.new_context(offline=True, viewport={"width": 400, "height": 800})
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for name in ("index", "good", "index", "poor"):  # as one clicks along
            if page.url == "about:blank":
                page.goto((report / "index.html").as_uri())
            else:
                page.click(f"a[href='{name}.html']")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            images = page.eval_on_selector_all("img", "all => all.map(i => [i.alt, i.naturalWidth])")
            assert all(alt and width > 0 for alt, width in images)
            assert bool(images) == (name != "poor")
        browser.close()
    assert complaints == []
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
