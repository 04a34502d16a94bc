"""Compare options, at one point or at several."""

import sys
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from edasim.cli.arguments import (
    FORMATS,
    Engine,
    Format,
    Jobs,
    Options,
    Out,
    Patterns,
    Replications,
    ScenarioFile,
    Seed,
    Set,
    check_possible,
    check_writable,
    load,
    names_in,
    share_in,
)
from edasim.cli.output import formatted, write, write_frames
from edasim.errors import InputError

SWEEP_FORMATS = ("table", "csv", "parquet")


def compare(
    scenario: ScenarioFile,
    patterns: Patterns = None,
    options: Options = None,
    set_: Set = None,
    replications: Replications = None,
    seed: Seed = None,
    engine: Engine = "auto",
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

    check_possible(format_, FORMATS, seed)
    if precision is None and (metrics is not None or budget is not None):
        raise InputError(f"--{'metrics' if budget is None else 'budget'} needs --precision")
    check_writable(out, scenario)
    settings: dict[str, Any] = {
        "options": names_in(options),
        "replications": REPLICATIONS if replications is None else replications,
        "seed": seed,
        "jobs": jobs,
        "engine": engine,
        "progress": sys.stderr.isatty(),
        "incidents": incidents,
    }
    loaded = load(scenario, set_)
    if precision is None:
        write(formatted(paired_comparison(loaded, names_in(patterns), **settings), format_), out)
        return
    wanted: dict[str, Any] = {
        "precision": share_in("--precision", precision),
        "metrics": names_in(metrics),
        "budget": BUDGET if budget is None else budget,
    }
    comparison, reached = precise_comparison(loaded, names_in(patterns), **wanted, **settings)
    write(formatted(comparison, format_), out)
    typer.echo(str(reached), err=True)


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
    engine: Engine = "auto",
    jobs: Jobs = -1,
    format_: Annotated[str, typer.Option("--format", help="table, csv or parquet (which needs --out).")] = "table",
    out: Out = None,
    cluster: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run on the Dask scheduler there: tcp://host:8786.")] = None,
) -> None:
    """Compare at several points: values of one or more inputs, all on the same luck. Stopped, it goes on where it was."""
    from edasim import sweeps
    from edasim.cluster import on_cluster
    from edasim.runs import REPLICATIONS

    check_possible(format_, SWEEP_FORMATS, seed)
    if format_ == "parquet" and out is None:
        raise InputError("--format parquet needs --out")
    check_writable(out, scenario)
    loaded = load(scenario, set_)
    chosen = sweeps.points_of(over, points, loaded.seed if seed is None else seed)
    count = REPLICATIONS if replications is None else replications
    settings: dict[str, Any] = {"options": names_in(options), "replications": count, "seed": seed, "jobs": jobs, "engine": engine}
    with on_cluster(cluster) if cluster else nullcontext():
        frames = sweeps.sweep_rows(loaded, chosen, names_in(patterns), **settings, progress=sys.stderr.isatty())
        of_one_type = frames if format_ == "table" else sweeps.for_files(frames, chosen)
        write_frames(of_one_type, format_, out, sweeps.about(loaded, seed, count))
