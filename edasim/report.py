"""The notebooks as a report: run on one scenario, turned into pages that ask no other host, put in place all at once.

papermill and nbformat are imported where they are used: they take seconds, and `import edasim` must not.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from edasim.errors import InputError, suggestion
from edasim.scenario import Scenario
from edasim.templates import RESULTS_MIME, Page, Run, fetched_elsewhere, headline, index_page, notebook_page

if TYPE_CHECKING:
    from nbformat import NotebookNode

MARKER = ".edasim-report"  # lists what a report wrote: a folder that holds anything else is never replaced
_NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


class ReportFailed(RuntimeError):
    """At least one notebook did not run to its end; the report is in place all the same and shows where it stopped."""


def write_report(
    scenario_file: Path,
    out: Path,
    *,
    notebooks: Sequence[Path] | None = None,
    overrides: Mapping[str, object] | None = None,
    replications: int | None = None,
    quick: bool = False,
    progress: bool = True,
) -> Path:
    """Run *notebooks* on the scenario and publish them in the folder *out*: a page each, an index, `results.json`.

    *notebooks* are files or folders of notebooks, by default the project's own. Each takes the papermill parameters
    `scenario_file`, `overrides`, `replications` and `quick`; what is not given is left to its own default. A report is built
    beside *out* and then takes the place of a former one; Ctrl-C or a full disk leaves the former one as it was.

    Returns the path of `index.html`. Raises `InputError` before any kernel starts, for a parameter that a notebook lacks or a
    folder that holds somebody's files, and `ReportFailed` at the end, with the report in place, if a cell raised.
    """
    target, scenario_file = Path(out).resolve(), Path(scenario_file)
    given = _parameters(scenario_file, overrides, replications, quick)
    run = Run(Scenario.load(scenario_file, given.get("overrides")), scenario_file, Path(out), given)
    _refuse_impossible(run.scenario)
    prepared = {source: _gated(source, given) for source in _sources(notebooks or [_NOTEBOOKS])}
    _refuse_foreign(target)
    with _workshop(target) as workshop:
        report = workshop / "report"
        report.mkdir()
        pages = []
        for number, (source, notebook) in enumerate(prepared.items(), start=1):
            bar = {"desc": f"{number}/{len(prepared)} {source.stem}"} if progress else False
            pages.append(_page(source, notebook, report, run, bar))
        _publish(report, pages, run)
        _put_in_place(report, target)
    if stopped := [f"{page.name}.ipynb stopped at {page.failure}" for page in pages if page.failure]:
        raise ReportFailed("; ".join(stopped))
    return target / "index.html"


def _refuse_impossible(scenario: Scenario) -> None:
    """What the model or the trace would refuse is bad input here too: said before any kernel starts, with a former report untouched."""
    from edasim.candidates import candidates_of
    from edasim.luck import Luck
    from edasim.workload import make_workload

    candidates_of(scenario)
    make_workload(scenario, Luck(scenario.seed, 0))


def _parameters(scenario_file: Path, overrides: Mapping[str, object] | None, replications: int | None, quick: bool) -> dict[str, Any]:
    """What the caller gave, as papermill can inject it: plain JSON values, the scenario by its absolute path."""
    if replications is not None and (isinstance(replications, bool) or not isinstance(replications, int) or replications < 1):
        raise InputError(f"replications: {replications!r} is not allowed: must be a whole number of at least 1")
    try:
        plain = json.loads(json.dumps(dict(overrides or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"overrides: a notebook takes only numbers, texts, lists and mappings ({error})") from None
    given = {"scenario_file": str(scenario_file.resolve()), "overrides": plain, "replications": replications, "quick": quick}
    return {name: value for name, value in given.items() if value}


def _sources(paths: Sequence[Path]) -> list[Path]:
    """The notebooks at *paths*, those of a folder in the order of their names; no two may want the same page."""
    found = [file.resolve() for path in map(Path, paths) for file in (sorted(path.glob("*.ipynb")) if path.is_dir() else [path])]
    if not found:
        raise InputError(f"no notebooks (*.ipynb) in {', '.join(map(str, paths))}")
    taken = {"index"}
    for file in found:
        if file.suffix != ".ipynb" or not file.is_file():
            raise InputError(f"{file}: no such notebook")
        if file.stem.lower() in taken:
            raise InputError(f"{file}: its page {file.stem}.html would overwrite another page: give it another name")
        taken.add(file.stem.lower())
    return found


def _gated(source: Path, given: Mapping[str, object]) -> "NotebookNode":
    """The notebook at *source*, made to run in this interpreter; refused if it doesn't declare a parameter that is given."""
    import papermill
    from nbformat import ValidationError

    try:
        notebook = _read(source)
    except (ValueError, AttributeError, ValidationError) as error:
        raise InputError(f"{source}: not a notebook: {shorten(str(error), 120)}") from None
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.update(kernelspec=kernel, language_info={"name": "python"})
    declared = papermill.inspect_notebook(notebook)
    for name in given:
        if name not in declared:
            known = suggestion(name, declared) if declared else "it declares none in a cell tagged parameters"
            raise InputError(f"{source.name} has no parameter {name}: {known}")
    return notebook


def _refuse_foreign(target: Path) -> None:
    """A folder is replaced only if it is missing, empty, or holds nothing but what a report put there and hidden files."""
    if target.is_mount():
        raise InputError(f"{target}: a mounted folder can't be replaced: name a folder inside it")
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file: a report needs a folder of its own")
    held = {path.name for path in target.iterdir()} if target.exists() else set()
    written = (target / MARKER).read_text(encoding="utf-8").splitlines() if MARKER in held else []
    if strange := sorted(name for name in held.difference(written) if MARKER not in held or not name.startswith(".")):
        raise InputError(f"{target}: holds files that no report wrote ({', '.join(strange[:3])}): name another folder, or empty it")


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """A folder beside *target*, on the same file system, that is gone afterwards; kernels started meanwhile are this interpreter's."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InputError(f"{target}: can't be written: {error.strerror}") from None
    try:
        with _environment(_own_kernel(workshop)):
            yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _own_kernel(workshop: Path) -> dict[str, str]:
    """The environment in which `python3` is this interpreter, whatever kernels and IPython profiles the user has."""
    kernel, profile = workshop / "jupyter" / "kernels" / "python3", workshop / "ipython" / "profile_default"
    kernel.mkdir(parents=True)
    profile.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": start, "display_name": "Python 3", "language": "python"}), encoding="utf-8")
    # ipykernel 7 warns of TCP at every start, and only a profile can stop it.
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n", encoding="utf-8")
    paths = [str(workshop / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {
        "JUPYTER_PATH": os.pathsep.join(paths),
        "JUPYTER_RUNTIME_DIR": str(workshop / "runtime"),
        "IPYTHONDIR": str(workshop / "ipython"),
        "PYTHONWARNINGS": "ignore:resource_tracker",  # joblib's workers end with the kernel: nothing leaks that would outlive it
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # a CI's MPLBACKEND=Agg would lose every figure
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """*variables* in the environment of this process and of those it starts, for as long as the block lasts."""
    former = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(former)


def _page(source: Path, notebook: "NotebookNode", report: Path, run: Run, bar: dict[str, str] | bool) -> Page:
    """Execute *notebook* where its source stands, keep it in *report*, and write its page beside it."""
    kept = report / source.name
    _write(notebook, kept)
    failure = _execute(kept, source.parent, run.given, bar)
    executed = _read(kept)
    executed.cells = [cell for cell in executed.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    executed.metadata.papermill.update(input_path=source.name, output_path=source.name)  # not the folder that is gone
    _write(executed, kept)
    title, summary = headline(executed)
    title = title or source.stem
    html = notebook_page(executed, source.parent, title=title, scenario=run.scenario.name, file=source.name, failure=failure)
    kept.with_suffix(".html").write_text(html, encoding="utf-8")
    return Page(source.stem, title, summary, failure, _results(executed), fetched_elsewhere(html))


def _execute(notebook: Path, folder: Path, given: Mapping[str, object], bar: dict[str, str] | bool) -> str | None:
    """Run the file *notebook* in place, with *folder* as working directory; what stopped it, or None."""
    import papermill

    path = str(notebook).replace("{", "{{").replace("}", "}}")  # papermill formats paths
    try:
        papermill.execute_notebook(path, path, dict(given), kernel_name="python3", cwd=folder, progress_bar=bar)
    except papermill.PapermillExecutionError as error:
        return shorten(f"In [{error.exec_count}]: {error.ename}: {error.evalue}", 300)
    except RuntimeError as error:  # the kernel died: the other notebooks can still be read
        begun = [cell for cell in _read(notebook).cells if cell.cell_type == "code" and cell.metadata.papermill.get("start_time")]
        return f"In [{len(begun)}]: {shorten(str(error), 300)}"
    return None


def _read(path: Path) -> "NotebookNode":
    import nbformat

    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def _write(notebook: "NotebookNode", path: Path) -> None:
    import nbformat

    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def _results(notebook: "NotebookNode") -> str | None:
    """The first object that *notebook* published as `RESULTS_MIME`, as strict JSON."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    published = (output.data[RESULTS_MIME] for output in outputs if RESULTS_MIME in output.get("data", ()))
    return next((json.dumps(found, allow_nan=False, indent=1) for found in published), None)


def _publish(report: Path, pages: Sequence[Page], run: Run) -> None:
    """Write what belongs to the report as a whole: the scenario, the results, the index and the marker."""
    shutil.copyfile(run.scenario_file, report / run.scenario_copy)
    results = next((page.results for page in pages if page.results), None)
    if results:
        (report / "results.json").write_text(results + "\n", encoding="utf-8")
    (report / "index.html").write_text(index_page(run, pages, has_results=bool(results)), encoding="utf-8")
    written = sorted(path.name for path in report.iterdir())
    (report / MARKER).write_text("\n".join(written) + "\n", encoding="utf-8")


def _put_in_place(report: Path, target: Path) -> None:
    """Let *report* take the place of *target*, which comes back if that fails."""
    former = report.with_name("former")
    try:
        if target.exists():
            target.rename(former)
        report.rename(target)
    except BaseException:
        if former.exists() and not target.exists():
            former.rename(target)
        raise
