"""Ask more of a scenario: where the better option changes, which inputs matter, whether the warm-up is enough."""

import sys
from typing import Annotated

import typer

from edasim.cli.arguments import (
    FORMATS,
    Format,
    Jobs,
    Options,
    Out,
    Patterns,
    Replications,
    ScenarioFile,
    Set,
    check_possible,
    check_writable,
    load,
    names_in,
)
from edasim.cli.output import write_found
from edasim.documents import parse_override, read_yaml
from edasim.errors import InputError


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

    check_possible(format_, FORMATS)
    check_writable(out, scenario)
    path, ends = parse_override(over)
    low_high = [read_yaml(end) for end in str(ends).split(",")]
    if len(low_high) != 2:
        raise InputError(f"--over {over}: must be path=low,high, such as workload.arrivals.rate=10,80")
    found = tipping_point(
        load(scenario, set_),
        path,
        (low_high[0], low_high[1]),
        metric,
        names_in(options),
        patterns=names_in(patterns),
        better=better,
        consumer=consumer,
        jobs=jobs,
        progress=sys.stderr.isatty(),
    )
    write_found(where_it_tips(found), points_of(found), format_, out)


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

    check_possible(format_, FORMATS)
    check_writable(out, scenario)
    if method not in ("tornado", "morris", "sobol"):
        raise InputError(f"--method {method} is not allowed: must be one of tornado, morris, sobol")
    if (option is None) == (pattern is None):
        raise InputError("give either --option or --pattern")
    loaded, progress = load(scenario, set_), sys.stderr.isatty()
    about = candidates_of(loaded, pattern and [pattern], option and [option])[0].name
    if method == "tornado":
        effects = alone.tornado(loaded, about, metric, jobs=jobs, progress=progress)
        write_found(alone.what_matters(effects), alone.effects_of(effects), format_, out)
        return
    screened = screening.morris(loaded, about, metric, jobs=jobs, progress=progress)
    if method == "morris":
        write_found(screening.what_screening_finds(screened), screening.factors_of(screened), format_, out)
        return
    indices = screening.sobol(screened)
    write_found(screening.what_causes_variance(indices), screening.factors_of(indices), format_, out)


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

    check_possible(format_, FORMATS)
    check_writable(out, scenario)
    loaded = load(scenario, set_)
    runs = REPLICATIONS if replications is None else replications
    found = warm_ups(loaded, names_in(patterns), options=names_in(options), replications=runs, jobs=jobs, progress=sys.stderr.isatty())
    write_found(is_warm_up_enough(loaded, found), cuts_of(loaded, found), format_, out)
