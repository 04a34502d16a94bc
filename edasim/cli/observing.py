"""Find a scenario's inputs in a team's own files."""

from pathlib import Path
from typing import Annotated

import typer

from edasim.cli.arguments import Out, check_writable
from edasim.cli.output import write
from edasim.errors import InputError


def observe(
    files: Annotated[list[Path], typer.Argument(help="Recorded changes, access logs, incidents, Prometheus answers, folders of journals.")],
    out: Out = None,
    watched: Annotated[
        str | None, typer.Option(metavar="START/END", help="From when to when incidents were written down: 2025-01-01/2025-12-31.")
    ] = None,
) -> None:
    """Fit a scenario's inputs, with intervals, to what files tell; and say what they don't. docs/observe.md has the forms."""
    from edasim.observe import in_words
    from edasim.observe import observe as observed

    check_writable(out)
    if out is not None and out.exists() and any(file.exists() and file.samefile(out) for file in files):
        raise InputError(f"--out {out} is not allowed: it is one of the files to observe")
    found = observed(files, watched)
    write(found.as_yaml().rstrip("\n"), out)
    typer.echo(in_words(found), err=True)
