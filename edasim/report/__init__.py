"""The notebooks as a report: run on one scenario, turned into pages that ask no other host, put in place all at once."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edasim.comparison import records
from edasim.fast_path import prepare
from edasim.provenance import digest
from edasim.report.asked import gated, parameters, refuse_impossible, sources
from edasim.report.drift import Drift, read_results
from edasim.report.drift_in_words import what_changed
from edasim.report.notebooks import execute, own_kernel, read, write
from edasim.report.placing import put_in_place, refuse_foreign, workshop_beside
from edasim.report.published import as_csv, comparison_of, fullest, published_in
from edasim.report.thumbnails import thumbnail
from edasim.scenario import Scenario
from edasim.screens import unbroken
from edasim.shipped import NOTEBOOKS
from edasim.studies.requirements import what_is_decided
from edasim.summary import one_screen
from edasim.templates import Page, Run, Summary, fetched_elsewhere, headline, index_page, notebook_page
from edasim.verdicts import verdict_table

if TYPE_CHECKING:
    from nbformat import NotebookNode


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
    compare_with: Path | None = None,
    progress: bool = True,
) -> Path:
    """Run *notebooks* on the scenario and publish them in the folder *out*: a page each, an index, `results.json` and `results.csv`.

    *notebooks* are files or folders of notebooks, by default the project's own. Each takes the papermill parameters
    `scenario_file`, `overrides`, `replications` and `quick`; what is not given is left to its own default. With the `results.json` of
    an earlier report to *compare_with*, the index says what changed since, and so do `changes.md` and `changes.csv`. A report is built
    beside *out* and then takes the place of a former one; Ctrl-C or a full disk leaves the former one as it was.

    Returns the path of `index.html`. Raises `InputError` before any kernel starts, for a parameter that a notebook lacks or declares
    as something else, an earlier report that can't be read, or a folder that holds somebody's files, and `ReportFailed` at the end,
    with the report in place, if a cell raised.
    """
    target, scenario_file = Path(out).resolve(), Path(scenario_file)
    given = parameters(scenario_file, overrides, replications, quick)
    run = Run(Scenario.load(scenario_file, given.get("overrides")), scenario_file, Path(out), given, compare_with)
    refuse_impossible(run.scenario)
    prepared = {source: gated(source, given) for source in sources(notebooks or [NOTEBOOKS])}
    before = read_results(compare_with) if compare_with else None
    refuse_foreign(target)
    prepare()
    with workshop_beside(target) as workshop, own_kernel(workshop):
        report = workshop / "report"
        report.mkdir()
        pages = []
        for number, (source, notebook) in enumerate(prepared.items(), start=1):
            bar = {"desc": f"{number}/{len(prepared)} {source.stem}"} if progress else False
            pages.append(_page(source, notebook, report, run, bar))
        _publish(report, pages, run, before)
        put_in_place(report, target)
    if stopped := [f"{page.name}.ipynb stopped at {page.failure}" for page in pages if page.failure]:
        raise ReportFailed("; ".join(stopped))
    return target / "index.html"


def _page(source: Path, notebook: "NotebookNode", report: Path, run: Run, bar: dict[str, str] | bool) -> Page:
    """Execute *notebook* where its source stands, keep it in *report*, and write its page beside it."""
    kept = report / source.name
    write(notebook, kept)
    failure = execute(kept, source.parent, run.given, bar)
    executed = read(kept)
    executed.cells = [cell for cell in executed.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    executed.metadata.papermill.update(input_path=source.name, output_path=source.name)  # not the folder that is gone
    write(executed, kept)
    try:
        published = published_in(executed)
    except ValueError as error:
        published, failure = [], failure or f"what it published is no JSON: {error}"
    title, summary = headline(executed)
    title = title or source.stem
    html = notebook_page(executed, source.parent, title=title, scenario=run.scenario.name, file=source.name, failure=failure)
    kept.with_suffix(".html").write_text(html, encoding="utf-8")
    return Page(source.stem, title, summary, failure, published, fetched_elsewhere(html), thumbnail(executed))


def _publish(report: Path, pages: Sequence[Page], run: Run, before: Mapping[str, Any] | None) -> None:
    """Write what belongs to the report as a whole: the scenario, the results, what changed since *before*, and the index."""
    shutil.copyfile(run.scenario_file, report / run.scenario_copy)
    published = [one for page in pages for one in page.published]
    summary = _summary(fullest(published), run.scenario, before, report) if published else Summary()
    (report / "index.html").write_text(index_page(run, pages, summary), encoding="utf-8")


def _summary(results: dict[str, Any], scenario: Scenario, before: Mapping[str, Any] | None, report: Path) -> Summary:
    """What came out, in short; it is written for machines too."""
    comparison = comparison_of(scenario, results)
    verdicts = comparison.verdicts if comparison else None
    results |= {"digest": digest(scenario.as_mapping())} | ({} if verdicts is None else {"verdicts": records(verdicts)})
    (report / "results.json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (report / "results.csv").write_text(as_csv(results), encoding="utf-8")
    if comparison is None or verdicts is None:
        return Summary(results=results)
    changed = _changed(Drift(before, results), report) if before else None
    table = None if verdicts.empty else unbroken(verdict_table(verdicts))
    return Summary(what_is_decided(verdicts), table, unbroken(one_screen(comparison.results)), changed, results)


def _changed(drift: Drift, report: Path) -> str:
    said = what_changed(drift)
    (report / "changes.md").write_text(said + "\n", encoding="utf-8")
    drift.rows.to_csv(report / "changes.csv", index=False, lineterminator="\n")
    return said
