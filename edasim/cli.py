"""The command line. It only calls the package; bad input is one line on stderr and exit code 2."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from edasim.documents import parse_override, read_yaml
from edasim.errors import InputError
from edasim.scenario import Scenario
from edasim.shipped import DATA
from edasim.tables import aside, write_csv, write_parquet

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__)
scenario_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, complete and describe scenarios.")
app.add_typer(scenario_app, name="scenario")

INTERRUPTED = 130
FORMATS = ("table", "json", "csv")
SWEEP_FORMATS = ("table", "csv", "parquet")
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
Patterns = Annotated[str | None, typer.Option(help="Patterns, separated by commas: presets or truth/carries/reads.")]
Options = Annotated[str | None, typer.Option(help="Options of the scenario, separated by commas.")]
Seed = Annotated[int | None, typer.Option(help="Instead of the scenario's seed.")]
Jobs = Annotated[int, typer.Option(help="Processes; -1: one a core.")]
Format = Annotated[str, typer.Option("--format", help="table, json or csv.")]
Out = Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")]


@app.command()
def compare(
    scenario: ScenarioFile,
    patterns: Patterns = None,
    options: Options = None,
    set_: Set = None,
    replications: Replications = None,
    seed: Seed = None,
    engine: Annotated[str, typer.Option(help="auto, simpy or fast.")] = "auto",
    jobs: Jobs = -1,
    format_: Format = "table",
    out: Out = None,
    precision: Annotated[
        str | None, typer.Option(help="Add replications until every metric's 95 % interval is within this share of its mean, such as 5%.")
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="The metrics meant by --precision, separated by commas; those of the table.")] = None,
    budget: Annotated[int | None, typer.Option(help="Replications at most, with --precision; 200 if left out.")] = None,
    incidents: Annotated[
        bool, typer.Option("--incidents/--no-incidents", help="Simulate the scenario's incidents, each on its own, too.")
    ] = True,
) -> None:
    """Compare patterns (or the scenario's options) on the same luck, with 95 % intervals."""
    from edasim.experiment import paired_comparison
    from edasim.precision import BUDGET, precise_comparison
    from edasim.runs import REPLICATIONS

    _possible(format_, FORMATS, seed)
    if precision is None and (metrics is not None or budget is not None):
        raise InputError(f"--{'metrics' if budget is None else 'budget'} needs --precision")
    _writable(out)
    settings: dict[str, Any] = {
        "options": _names(options),
        "replications": REPLICATIONS if replications is None else replications,
        "seed": seed,
        "jobs": jobs,
        "engine": engine,
        "progress": sys.stderr.isatty(),
        "incidents": incidents,
    }
    loaded = _load(scenario, set_)
    if precision is None:
        _write(_formatted(paired_comparison(loaded, _names(patterns), **settings), format_), out)
        return
    wanted: dict[str, Any] = {
        "precision": _share("--precision", precision),
        "metrics": _names(metrics),
        "budget": BUDGET if budget is None else budget,
    }
    comparison, reached = precise_comparison(loaded, _names(patterns), **wanted, **settings)
    _write(_formatted(comparison, format_), out)
    typer.echo(str(reached), err=True)


@app.command()
def sweep(
    scenario: ScenarioFile,
    over: Annotated[
        list[str], typer.Option(metavar="PATH=V1,V2,... or PATH=LOW..HIGH", help="What to vary; may be repeated: all combinations.")
    ],
    points: Annotated[int | None, typer.Option(help="So many points spread evenly over the ranges LOW..HIGH (Latin hypercube).")] = None,
    patterns: Patterns = None,
    options: Options = None,
    set_: Set = None,
    replications: Replications = None,
    seed: Seed = None,
    jobs: Jobs = -1,
    format_: Annotated[str, typer.Option("--format", help="table, csv or parquet (which needs --out).")] = "table",
    out: Out = None,
    cluster: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run on the Dask scheduler there: tcp://host:8786.")] = None,
) -> None:
    """Compare at several points: values of one or more inputs, all on the same luck. Stopped, it goes on where it was."""
    from edasim import sweeps
    from edasim.cluster import on_cluster
    from edasim.runs import REPLICATIONS

    _possible(format_, SWEEP_FORMATS, seed)
    if format_ == "parquet" and out is None:
        raise InputError("--format parquet needs --out")
    _writable(out)
    loaded = _load(scenario, set_)
    chosen = sweeps.points_of(over, points, loaded.seed if seed is None else seed)
    count = REPLICATIONS if replications is None else replications
    settings: dict[str, Any] = {"options": _names(options), "replications": count, "seed": seed, "jobs": jobs}
    with on_cluster(cluster) if cluster else nullcontext():
        frames = sweeps.sweep_rows(loaded, chosen, _names(patterns), **settings, progress=sys.stderr.isatty())
        of_one_type = frames if format_ == "table" else sweeps.for_files(frames, chosen)
        _write_frames(of_one_type, format_, out, sweeps.about(loaded, seed, count))


def _write_frames(frames: Iterator[Any], form: str, out: Path | None, about: dict[str, Any]) -> None:
    """The rows of a sweep as they come, but for a table, whose columns are as wide as all of them ask for."""
    if form == "table":
        from edasim.summary import sweep_as_text

        _write(sweep_as_text(frames, shutil.get_terminal_size().columns if sys.stdout.isatty() else None), out)
    elif out is None:
        write_csv(frames, sys.stdout)
    else:
        with aside(out) as part:
            if form == "parquet":
                write_parquet(frames, part, about)
            else:
                with part.open("w", encoding="utf-8", newline="") as file:
                    write_csv(frames, file)


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


@app.command()
def validate(
    rows: Annotated[
        str | None, typer.Option(help="Beginnings of row ids, separated by commas, such as MM1-,RTRY; all if left out.")
    ] = None,
    oracles: Annotated[Path | None, typer.Option(help="Other rows of the same models: a CSV with the columns of the shipped one.")] = None,
    jobs: Jobs = -1,
    format_: Format = "table",
    out: Out = None,
) -> None:
    """Hold the simulation against theory: published numbers, each simulated as a scenario. Exit 1 when one disagrees."""
    from edasim import validation

    _possible(format_, FORMATS)
    if jobs == 0 or jobs < -1:
        raise InputError(f"--jobs {jobs} is not allowed: must be at least 1, or -1 for one a core")
    _writable(out)
    folder = DATA / "oracles"
    if not (folder / "mapping.yaml").exists():
        raise InputError("there are no oracles beside this installation: run it in a checkout")
    cases = validation.read_oracles(oracles or folder / "oracles.csv", folder / "mapping.yaml", _names(rows) or ())
    verdicts = validation.validate(cases, jobs=jobs)
    _write(validation.as_text(verdicts, format_), out)
    if any(verdict.verdict in ("disagrees", "too noisy") for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def tipping(
    scenario: ScenarioFile,
    over: Annotated[str, typer.Option(metavar="PATH=LOW,HIGH", help="The input, and the range to search.")],
    metric: Annotated[str, typer.Option(help="By which metric one is better than the other.")],
    options: Annotated[str | None, typer.Option(help="Two options of the scenario.")] = None,
    patterns: Annotated[str | None, typer.Option(help="Two patterns.")] = None,
    better: Annotated[str | None, typer.Option(help="less or more of the metric.")] = None,
    consumer: Annotated[str | None, typer.Option(help="Instead of the one who fares worst.")] = None,
    set_: Set = None,
    jobs: Jobs = -1,
    format_: Format = "table",
    out: Out = None,
) -> None:
    """At which value of an input the better of two options changes, with an interval."""
    from edasim.studies.tipping import points_of, tipping_point, where_it_tips

    _possible(format_, FORMATS)
    _writable(out)
    path, ends = parse_override(over)
    low_high = [read_yaml(end) for end in str(ends).split(",")]
    if len(low_high) != 2:
        raise InputError(f"--over {over}: must be path=low,high, such as workload.arrivals.rate=10,80")
    found = tipping_point(
        _load(scenario, set_),
        path,
        (low_high[0], low_high[1]),
        metric,
        _names(options),
        patterns=_names(patterns),
        better=better,
        consumer=consumer,
        jobs=jobs,
        progress=sys.stderr.isatty(),
    )
    _write_found(where_it_tips(found), points_of(found), format_, out)


@app.command()
def sensitivity(
    scenario: ScenarioFile,
    metric: Annotated[str, typer.Option(help="The metric that may depend on the assumptions.")],
    option: Annotated[str | None, typer.Option(help="An option of the scenario.")] = None,
    pattern: Annotated[str | None, typer.Option(help="A pattern.")] = None,
    method: Annotated[str, typer.Option(help="tornado, morris or sobol (of what Morris finds to matter).")] = "tornado",
    set_: Set = None,
    jobs: Jobs = -1,
    format_: Format = "table",
    out: Out = None,
) -> None:
    """Which of the scenario's assumptions matter to a metric of one option."""
    from edasim.candidates import candidates_of
    from edasim.studies import screening
    from edasim.studies import sensitivity as alone

    _possible(format_, FORMATS)
    _writable(out)
    if method not in ("tornado", "morris", "sobol"):
        raise InputError(f"--method {method} is not allowed: must be one of tornado, morris, sobol")
    if (option is None) == (pattern is None):
        raise InputError("give either --option or --pattern")
    loaded, progress = _load(scenario, set_), sys.stderr.isatty()
    about = candidates_of(loaded, pattern and [pattern], option and [option])[0].name
    if method == "tornado":
        effects = alone.tornado(loaded, about, metric, jobs=jobs, progress=progress)
        _write_found(alone.what_matters(effects), alone.effects_of(effects), format_, out)
        return
    screened = screening.morris(loaded, about, metric, jobs=jobs, progress=progress)
    if method == "morris":
        _write_found(screening.what_screening_finds(screened), screening.factors_of(screened), format_, out)
        return
    indices = screening.sobol(screened)
    _write_found(screening.what_causes_variance(indices), screening.factors_of(indices), format_, out)


@app.command()
def warmup(
    scenario: ScenarioFile,
    patterns: Patterns = None,
    options: Options = None,
    set_: Set = None,
    replications: Replications = None,
    jobs: Jobs = -1,
    format_: Format = "table",
    out: Out = None,
) -> None:
    """Which warm-up MSER-5 suggests for each option, and whether the scenario's own is enough."""
    from edasim.runs import REPLICATIONS
    from edasim.studies.warm_up import cuts_of, is_warm_up_enough, warm_ups

    _possible(format_, FORMATS)
    _writable(out)
    loaded = _load(scenario, set_)
    runs = REPLICATIONS if replications is None else replications
    found = warm_ups(loaded, _names(patterns), options=_names(options), replications=runs, jobs=jobs, progress=sys.stderr.isatty())
    _write_found(is_warm_up_enough(loaded, found), cuts_of(loaded, found), format_, out)


def _write_found(words: str, rows: Any, form: str, out: Path | None) -> None:
    """A finding in words, or its rows."""
    if form == "csv":
        words = str(rows.to_csv(index=False)).rstrip("\n")
    elif form == "json":
        from edasim.comparison import records

        words = json.dumps({"finding": words, "rows": records(rows)}, indent=1, allow_nan=False, ensure_ascii=False)
    _write(words, out)


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


def _possible(form: str, forms: Sequence[str], seed: int | None = None) -> None:
    if form not in forms:
        raise InputError(f"--format {form} is not allowed: must be one of {', '.join(forms)}")
    if seed is not None and seed < 0:
        raise InputError(f"--seed {seed} is not allowed: must be at least 0")


def _share(option: str, text: str) -> float:
    """A share as a number or in percent."""
    try:
        return float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise InputError(f"{option} {text} is not allowed: must be a share such as 5% or 0.05") from None


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
    with aside(out) as part:
        part.write_text(text + "\n", encoding="utf-8")


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
        code = INTERRUPTED
    if code == INTERRUPTED:  # as typer says, too
        return _complain("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int = 2) -> int:
    typer.echo(f"edasim: {' '.join(message.split())}", err=True)
    return code


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """The console script."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")  # joblib's workers end with the command: nothing leaks
    signal.signal(signal.SIGTERM, _interrupt)  # ends like Ctrl-C: nothing half-written is left
    raise SystemExit(run())
