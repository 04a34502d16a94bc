"""Measure an option on a real broker, beside its simulation."""

import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edasim.cli.arguments import ScenarioFile, Seed, Set, check_possible, load
from edasim.errors import InputError

if TYPE_CHECKING:
    from edasim.journal import Journal


def measure(
    scenario: ScenarioFile,
    out: Annotated[Path, typer.Option(help="Folder of the journal: must not be there yet.")],
    option: Annotated[str | None, typer.Option(help="An option of the scenario.")] = None,
    pattern: Annotated[str | None, typer.Option(help="A pattern: a preset, or truth/carries/reads.")] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="TECHNOLOGY",
            help="rabbitmq, redis-streams, redis-pubsub, kafka or postgres; broker.preset if left out.",
        ),
    ] = None,
    url: Annotated[str | None, typer.Option(help="A broker that runs: nothing but names of this run is touched there.")] = None,
    start: Annotated[bool, typer.Option("--start", help="Start a broker of its own from what is installed here, and end it.")] = False,
    set_: Set = None,
    seed: Seed = None,
) -> None:
    """Run one option on a real broker, with the scenario's own workload and luck; leave a journal, and print both side by side."""
    from edasim.fast_path import prepare
    from edasim.live import measure as measured
    from edasim.live.beside import beside, beside_as_text
    from edasim.live.measuring import measurable
    from edasim.live.processes import ProcessFailed
    from edasim.live.protocol import Down

    check_possible("table", ("table",), seed)
    check_folder(out)
    loaded, wanted = load(scenario, set_), _option(option, pattern)
    measurable(loaded, wanted, on=on, url=url, start=start)
    longest = loaded.warmup + loaded.duration + loaded.drain
    typer.echo(f"measuring in real time: {loaded.warmup + loaded.duration:g} s, at most {longest:g} s", err=True)
    try:
        journal = measured(loaded, wanted, on=on, url=url, start=start, seed=seed)
    except (ProcessFailed, Down) as error:
        typer.echo(f"edasim: nothing was measured: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from None
    write_folder(journal, out)
    prepare()
    typer.echo(beside_as_text(beside(journal, loaded, wanted), journal))


def _option(option: str | None, pattern: str | None) -> str:
    if (option is None) == (pattern is None):
        raise InputError("say what to measure: --option or --pattern, one of them")
    return option or pattern or ""


def check_folder(out: Path) -> None:
    """Refuse before the work is done, not after."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())) or not out.resolve().parent.is_dir():
        raise InputError(f"--out {out} is not allowed: must be a folder that is not there yet, in one that is")
    if not os.access(out.resolve().parent, os.W_OK):
        raise InputError(f"--out {out} can't be written: its folder does not allow it")


def write_folder(journal: "Journal", out: Path) -> None:
    """Write the journal aside and put it in place: it is there whole or not at all."""
    out = out.resolve()
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        journal.write(part)
        part.replace(out)
    except OSError as error:
        raise InputError(f"--out {out} can't be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
