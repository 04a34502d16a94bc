"""The pages of a report: renders the templates that lie beside this file. No page asks another host for anything.

nbconvert is imported where it is used: it takes seconds, and `import edasim` must not.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from edasim.comparison import RESULTS_MIME
from edasim.documents import assignment
from edasim.provenance import digest, provenance
from edasim.scenario import Scenario
from edasim.summary import FOOT
from edasim.verdicts import SIGNS

if TYPE_CHECKING:
    from nbformat import NotebookNode

INTERACTIVE = "interactive"  # the tag of cells that are of no use without a kernel: sliders, and what introduces them
_FOLDER = Path(__file__).parent
_PACKAGES = ("numpy", "scipy", "simpy", "numba", "pandas", "papermill", "nbconvert")
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]  # the first that an output has
_WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
# What a browser fetches by itself: the addresses in any tag but a link to click, and those in style sheets.
_IN_TAGS = re.compile(r"""<(?!a\b)[^>]*?\s(?:src|(?:xlink:)?href|srcset|data|poster)\s*=\s*["']?\s*((?:https?:)?//[^"'\s>]+)""", re.I)
_IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s>]+)""", re.I)


@dataclass(frozen=True)
class Run:
    """What a report was made from."""

    scenario: Scenario  # with its overrides
    scenario_file: Path
    out: Path
    given: Mapping[str, Any]  # the papermill parameters
    compare_with: Path | None = None  # the results.json of an earlier report

    @property
    def scenario_copy(self) -> str:
        """The scenario's name inside the report."""
        return f"scenario{self.scenario_file.suffix}"

    @property
    def changes(self) -> list[str]:
        """The overrides as `--set` takes them: dotted path = value."""
        return [assignment(path, value) for path, value in self.given.get("overrides", {}).items()]

    @property
    def command(self) -> str:
        """What to type to make the report again."""
        words = ["edasim", "report", str(self.scenario_file), "--out", str(self.out)]
        words += [word for change in self.changes for word in ("--set", change)]
        words += ["--replications", str(self.given["replications"])] if "replications" in self.given else []
        words += ["--quick"] * ("quick" in self.given)
        return shlex.join(words + (["--compare-with", str(self.compare_with)] if self.compare_with else []))


@dataclass(frozen=True)
class Picture:
    """A PNG picture as base64, and in words."""

    data: str
    alt: str


@dataclass(frozen=True)
class Page:
    """An executed notebook, as the index shows it."""

    name: str
    title: str  # its first heading
    summary: str  # its first paragraph
    failure: str | None  # the cell and the exception that stopped it
    published: list[dict[str, Any]]  # for results.json
    outside: list[str]  # addresses on other hosts that its outputs ask for and the page doesn't
    picture: Picture | None


@dataclass(frozen=True)
class Summary:
    """What came out, in short, as the index shows it; findings in Markdown, tables as text. None: nothing was published to say so."""

    decided: str | None = None  # which options meet the requirements
    verdicts: pd.DataFrame | None = None  # an option a row, a requirement a column
    headline: pd.DataFrame | None = None  # an option a row, a metric a column
    changed: str | None = None  # since the earlier report
    results: Mapping[str, Any] | None = None  # results.json


def notebook_page(notebook: "NotebookNode", folder: Path, **words: str | None) -> str:
    """The executed *notebook* (an nbformat node) as one self-contained page without its code.

    *words* are `title`, `scenario`, `file` and `failure` (what stopped it, or None). Pictures that its words refer to are
    looked for in *folder* and embedded; what the notebook published for `results.json` is left out, and cells tagged `interactive`.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    shown = deepcopy(notebook)
    shown.cells = [cell for cell in shown.cells if INTERACTIVE not in cell.metadata.get("tags", ())]
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_shown(output)]
    config = Config(NbConvertBase={"display_data_priority": _SHOWN}, CoalesceStreamsPreprocessor={"enabled": True})
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        config=config,
        template_name="notebook",
        extra_template_basedirs=[str(_FOLDER)],
        extra_template_paths=[str(_FOLDER)],
        exclude_input=True,
        exclude_raw=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    html, _ = exporter.from_notebook_node(shown, {"page": words, "metadata": {"name": words["file"], "path": str(folder)}})
    return html


def _is_shown(output: "NotebookNode") -> bool:
    """Not what a reader of the page can't use: published results (nor their repr) and widgets without a kernel."""
    kinds = set(output.get("data", ()))
    if not kinds:
        return output.output_type in ("stream", "error")
    if RESULTS_MIME in kinds:
        kinds -= {"text/plain"}
    return _WIDGET_MIME not in kinds and not kinds.isdisjoint(_SHOWN)


def index_page(run: Run, pages: Sequence[Page], summary: Summary) -> str:
    """The first page of a report: what was asked, what came out, a card for each notebook, and how to make the report again."""
    from nbconvert.filters import markdown2html

    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True)
    environment.filters["markdown"] = lambda text: Markup(markdown2html(text))
    environment.filters["kind"] = lambda cell: {sign: word.replace(" ", "-") for word, sign in SIGNS.items()}.get(cell[:1], "")
    made = {"at": datetime.now().astimezone(), "packages": list(_versions()), "digest": digest(run.scenario.as_mapping()), **provenance()}
    return environment.get_template("index.html.j2").render(run=run, pages=pages, summary=summary, made=made, foot=FOOT)


def _versions() -> Iterator[tuple[str, str]]:
    yield "Python", python_version()
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def headline(notebook: "NotebookNode") -> Iterator[str]:
    """The first heading and the first paragraph of *notebook* as plain text, either of them empty if there is none."""
    from nbconvert.filters import markdown2html

    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^#+ +(.+)$", text, re.M)
    blocks = re.split(r"\n\s*\n", re.sub(r"^#.*$", "\n", text, flags=re.M))
    paragraph = next((block for block in blocks if block.strip() and not block.lstrip().startswith(("<", ">", "|", "!", "- ", "* "))), "")
    for markdown in (heading[1] if heading else "", paragraph):
        yield Markup(markdown2html(markdown)).striptags()


def fetched_elsewhere(html: str) -> list[str]:
    """The addresses on other hosts that a browser would fetch to show *html*; its policy blocks them.

    >>> fetched_elsewhere('<a href="https://a.example">read</a> <img alt="" src="https://b.example/c.png">')
    ['https://b.example/c.png']
    """
    return sorted({*_IN_TAGS.findall(html), *_IN_STYLES.findall(html)})
