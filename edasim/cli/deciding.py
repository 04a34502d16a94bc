"""Hold what is required against options: an architecture fitness function."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from edasim.cli.arguments import (
    FORMATS,
    Engine,
    Format,
    Jobs,
    Out,
    Replications,
    ScenarioFile,
    Seed,
    Set,
    check_possible,
    check_writable,
    load,
)
from edasim.cli.output import write
from edasim.errors import InputError

EXIT = {"met": 0, "violated": 1, "undecided": 3}


def check(
    scenario: ScenarioFile,
    option: Annotated[str | None, typer.Option(help="The option to check; all of them if left out.")] = None,
    pattern: Annotated[str | None, typer.Option(help="A pattern to check instead.")] = None,
    set_: Set = None,
    replications: Replications = None,
    budget: Annotated[int | None, typer.Option(help="Replications at most; they double until all is decided.")] = None,
    seed: Seed = None,
    engine: Engine = "auto",
    jobs: Jobs = -1,
    assumptions: Annotated[
        bool, typer.Option("--assumptions/--no-assumptions", help="Hold it at the ends of what is assumed, too.")
    ] = True,
    format_: Format = "table",
    out: Out = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Each requirement as a test, in JUnit XML.")] = None,
) -> None:
    """Hold what the scenario requires against an option. Exit 0: met, 1: violated, 3: undecided within the budget.

    Without --option or --pattern it is met if some option meets all, and violated if each violates some.
    """
    from edasim.decision.check_words import as_junit, in_words
    from edasim.decision.checking import BUDGET
    from edasim.decision.checking import check as checked
    from edasim.runs import REPLICATIONS

    check_possible(format_, FORMATS, seed)
    check_writable(out, scenario)
    check_writable(junit, scenario, *filter(None, [out]), option="--junit")
    if replications is not None and budget is not None and replications > budget:
        raise InputError(f"--replications {replications} is not allowed: must be at most the --budget, {budget}")
    if option is not None and pattern is not None:
        raise InputError("give --option or --pattern, not both")
    found = checked(
        load(scenario, set_),
        None if option is None else [option],
        None if pattern is None else [pattern],
        replications=REPLICATIONS if replications is None else replications,
        budget=BUDGET if budget is None else budget,
        seed=seed,
        jobs=jobs,
        engine=engine,
        progress=sys.stderr.isatty(),
        assumptions=assumptions,
    )
    if format_ == "json":
        write(json.dumps(found.as_json(), indent=1, allow_nan=False, ensure_ascii=False), out)
    elif format_ == "csv":
        write(found.verdicts.merge(found.within, how="left", on=["option", "requirement"]).to_csv(index=False).rstrip("\n"), out)
    else:
        write(in_words(found), out)
    if junit is not None:
        write(as_junit(found), junit)
    raise typer.Exit(EXIT[found.outcome])
