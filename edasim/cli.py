"""The command line. It only calls the package; bad input is one line on stderr and exit code 2."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from edasim.documents import parse_override
from edasim.errors import InputError
from edasim.scenario import Scenario

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__)
scenario_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, complete and describe scenarios.")
app.add_typer(scenario_app, name="scenario")

FORMATS = ("table", "json", "csv")
SHORT = """\
name: my-system
question: How should changes of ... reach ...?

workload:
  arrivals: {rate: 50}            # changes per second at the source
  entities: {count: 10000}        # what changes: orders, accounts, customers ...
  state_bytes: 2kB                # size of one of them
  reads: {rate: 100}              # reads per second of each consumer

broker:
  kind: log                       # log (Kafka), queue (RabbitMQ) or pubsub (Redis pub/sub, core NATS)
  outages: {windows: [[150, 180]]}    # an ordinary bad day: seconds from the start

consumers:
  - name: billing                 # who must learn of the changes
    handle_time: {dist: exponential, mean: 10ms}
"""

ScenarioFile = Annotated[Path, typer.Argument(help="Scenario file (YAML).")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one value of the scenario; may be repeated.")]
Replications = Annotated[int | None, typer.Option(help="Independent replications of every option.")]


@app.command()
def compare(
    scenario: ScenarioFile,
    patterns: Annotated[str | None, typer.Option(help="Patterns, separated by commas: presets or truth/carries/reads.")] = None,
    options: Annotated[str | None, typer.Option(help="Options of the scenario, separated by commas.")] = None,
    set_: Set = None,
    replications: Replications = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's seed.")] = None,
    engine: Annotated[str, typer.Option(help="auto, simpy or fast.")] = "auto",
    jobs: Annotated[int, typer.Option(help="Processes; -1: one a core.")] = -1,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Compare patterns (or the scenario's options) on the same luck, with 95 % intervals."""
    from edasim.experiment import paired_comparison
    from edasim.runs import REPLICATIONS

    if format_ not in FORMATS:
        raise InputError(f"--format {format_} is not allowed: must be one of {', '.join(FORMATS)}")
    if seed is not None and seed < 0:
        raise InputError(f"--seed {seed} is not allowed: must be at least 0")
    _writable(out)
    loaded = _load(scenario, set_)
    comparison = paired_comparison(
        loaded,
        _names(patterns),
        options=_names(options),
        replications=REPLICATIONS if replications is None else replications,
        seed=seed,
        jobs=jobs,
        engine=engine,
        progress=sys.stderr.isatty(),
    )
    _write(_formatted(comparison, format_), out)


def _formatted(comparison: Any, form: str) -> str:
    if form == "json":
        return json.dumps(comparison.as_json(), indent=1, allow_nan=False, ensure_ascii=False)
    if form == "csv":
        return str(comparison.results.to_csv(index=False)).rstrip("\n")
    from edasim.summary import as_text

    return as_text(comparison, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


@app.command()
def report(
    scenario: Annotated[Path | None, typer.Argument(help="Scenario file; the shipped default if left out.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report; a former report there is replaced.")] = Path("reports"),
    set_: Set = None,
    replications: Replications = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer replications.")] = False,
) -> None:
    """Run all notebooks on the scenario and leave a report: index.html, a page a notebook, results.json."""
    from edasim.report import ReportFailed, write_report

    default = Path(__file__).resolve().parents[1] / "data" / "scenarios" / "usage-metering.yaml"
    if scenario is None and not default.exists():
        raise InputError("there is no default scenario beside this installation: name a scenario file")
    overrides = dict(parse_override(text) for text in set_ or [])
    try:
        index = write_report(scenario or default, out, overrides=overrides, replications=replications, quick=quick)
    except ReportFailed as error:
        typer.echo(f"edasim: the report is in {out}, but {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"report: {_shown(index)}")


@app.command()
def validate(
    rows: Annotated[
        str | None, typer.Option(help="Beginnings of row ids, separated by commas, such as MM1-,RTRY; all if left out.")
    ] = None,
    oracles: Annotated[Path | None, typer.Option(help="Other rows of the same models: a CSV with the columns of the shipped one.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1: one a core.")] = -1,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Hold the simulation against theory: published numbers, each simulated as a scenario. Exit 1 when one disagrees."""
    from edasim import validation

    if format_ not in FORMATS:
        raise InputError(f"--format {format_} is not allowed: must be one of {', '.join(FORMATS)}")
    if jobs == 0 or jobs < -1:
        raise InputError(f"--jobs {jobs} is not allowed: must be at least 1, or -1 for one a core")
    _writable(out)
    folder = Path(__file__).resolve().parents[1] / "data" / "oracles"
    if not (folder / "mapping.yaml").exists():
        raise InputError("there are no oracles beside this installation: run it in a checkout")
    cases = validation.read_oracles(oracles or folder / "oracles.csv", folder / "mapping.yaml", _names(rows) or ())
    verdicts = validation.validate(cases, jobs=jobs)
    _write(validation.as_text(verdicts, format_), out)
    if any(verdict.verdict in ("disagrees", "too noisy") for verdict in verdicts):
        raise typer.Exit(1)


@scenario_app.command()
def new(out: Annotated[Path | None, typer.Argument(help="File to write; standard output if left out.")] = None) -> None:
    """Write a short scenario to start from: eight keys, defaults for the rest."""
    if out is not None and out.exists():
        raise InputError(f"{out} exists already: name another file")
    _writable(out)
    _write(SHORT.rstrip("\n"), out)


@scenario_app.command()
def show(scenario: ScenarioFile, set_: Set = None) -> None:
    """Print the scenario with every default filled in."""
    typer.echo(_load(scenario, set_).as_yaml(), nl=False)


@scenario_app.command()
def schema() -> None:
    """Print the JSON schema of scenarios."""
    typer.echo(json.dumps(Scenario.model_json_schema(), indent=1))


def _load(path: Path, overrides: Sequence[str] | None) -> Scenario:
    return Scenario.load(path, dict(parse_override(text) for text in overrides or []))


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _writable(out: Path | None) -> None:
    """Refuse before the work is done, not after."""
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        raise InputError(f"--out {out} is not allowed: must be a file in a folder that exists")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
        return
    aside = out.with_name(f".{out.name}.part")
    try:
        aside.write_text(text + "\n", encoding="utf-8")
        aside.replace(out)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{out} can't be written: {error.strerror}") from None


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with *arguments*; the exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        code = command(args=None if arguments is None else list(arguments), prog_name="edasim", standalone_mode=False)
    except InputError as error:
        return _complain(str(error))
    except TyperException as error:
        if error.format_message().startswith("Usage:"):  # nothing was asked for: the help
            typer.echo(error.format_message(), err=True)
            return 2
        return _complain(error.format_message())
    except Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        return _complain("interrupted", 130)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int = 2) -> int:
    typer.echo(f"edasim: {' '.join(message.split())}", err=True)
    return code


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _interrupt)  # ends like Ctrl-C: nothing half-written is left
    raise SystemExit(run())
