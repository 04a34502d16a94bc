"""The notebooks as a report, and the simulation held against theory."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edasim.cli.arguments import FORMATS, Format, Jobs, Out, Replications, Set, check_possible, check_writable, names_in
from edasim.cli.output import write
from edasim.documents import parse_override
from edasim.errors import InputError
from edasim.shipped import DATA

if TYPE_CHECKING:
    from edasim.validation import Verdict


def report(
    scenario: Annotated[Path | None, typer.Argument(help="Scenario file; the shipped default if left out.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report; a former report there is replaced.")] = Path("reports"),
    set_: Set = None,
    replications: Replications = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer replications.")] = False,
    compare_with: Annotated[
        Path | None, typer.Option(metavar="OLD/results.json", help="Say what changed since the report that left this file.")
    ] = None,
) -> None:
    """Run all notebooks on the scenario and leave a report: index.html, a page a notebook, results.json, results.csv."""
    from edasim.report import ReportFailed, write_report

    default = DATA / "scenarios" / "usage-metering.yaml"
    if scenario is None and not default.exists():
        raise InputError("there is no default scenario beside this installation: name a scenario file")
    overrides = dict(parse_override(text) for text in set_ or [])
    asked: dict[str, Any] = {"overrides": overrides, "replications": replications, "quick": quick, "compare_with": compare_with}
    try:
        index = write_report(scenario or default, out, **asked)
    except ReportFailed as error:
        typer.echo(f"edasim: the report is in {out}, but {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"report: {_shown(index)}")
    if (changes := index.with_name("changes.md")).exists():
        typer.echo(f"what changed: {_shown(changes)}")


def validate(
    rows: Annotated[
        str | None, typer.Option(help="Beginnings of row ids, separated by commas, such as MM1-,RTRY; all if left out.")
    ] = None,
    oracles: Annotated[Path | None, typer.Option(help="Other rows of the same models: a CSV with the columns of the shipped one.")] = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="Also predict what was measured on real brokers, and say how many inputs were fuzzed; --out: a folder."),
    ] = False,
    jobs: Jobs = -1,
    format_: Format = "table",
    out: Out = None,
) -> None:
    """Hold the simulation against theory: published numbers, each simulated as a scenario. Exit 1 when one disagrees.

    With --all real brokers as well: what was measured on them is predicted. Exit 1 also when a prediction misses and nothing explains it.
    """
    from edasim import validation

    check_possible(format_, FORMATS)
    if jobs == 0 or jobs < -1:
        raise InputError(f"--jobs {jobs} is not allowed: must be at least 1, or -1 for one a core")
    if all_ and out is not None and out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is not allowed: with --all it must be a folder, or not be there yet")
    check_writable(None if all_ else out)
    folder = DATA / "oracles"
    if not (folder / "mapping.yaml").exists():
        raise InputError("there are no oracles beside this installation: run it in a checkout")
    cases = validation.read_oracles(oracles or folder / "oracles.csv", folder / "mapping.yaml", names_in(rows) or ())
    verdicts = validation.validate(cases, jobs=jobs)
    missed = False
    if all_:
        missed = _everything(verdicts, out)
    else:
        write(validation.as_text(verdicts, format_), out)
    if missed or any(verdict.verdict in ("disagrees", "too noisy") for verdict in verdicts):
        raise typer.Exit(1)


def _everything(verdicts: Sequence["Verdict"], out: Path | None) -> bool:
    """Predict, say and keep everything; whether a prediction misses and nothing explains it."""
    from edasim.validation.kept import fuzzed_in, keep
    from edasim.validation.reality import predict_all
    from edasim.validation.summary import in_words, unexplained_in

    predictions = predict_all(DATA / "measurements")
    if out is not None:
        keep(out, verdicts, predictions)
    typer.echo(in_words(verdicts, predictions, fuzzed_in(DATA / "validation")))
    return bool(unexplained_in(predictions))


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
