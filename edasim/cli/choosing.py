"""Choose among options: vetoes, the Pareto front, the smallest step, and the complexity ledger."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

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
    Seed,
    Set,
    check_possible,
    check_writable,
    load,
    names_in,
)
from edasim.cli.output import write
from edasim.errors import InputError


def choose(
    scenario: ScenarioFile,
    weights: Annotated[
        str | None, typer.Option(metavar="METRIC=WEIGHT,...", help="What weighs how much, of the metrics that are required.")
    ] = None,
    patterns: Patterns = None,
    options: Options = None,
    set_: Set = None,
    replications: Replications = None,
    seed: Seed = None,
    jobs: Jobs = -1,
    incidents: Annotated[
        bool, typer.Option("--incidents/--no-incidents", help="Simulate the scenario's incidents, each on its own, too.")
    ] = True,
    parts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The team's own moving parts, instead of those that are shipped.")
    ] = None,
    format_: Format = "table",
    out: Out = None,
) -> None:
    """Who is vetoed, who is left to choose from, the smallest step that meets all, and what each option makes a team run."""
    from edasim.candidates import candidates_of
    from edasim.decision.choosing import choose as chosen
    from edasim.decision.smallest_step import smallest_steps
    from edasim.decision.weighing import check_weights
    from edasim.experiment import paired_comparison
    from edasim.ledger.moving_parts import ledger, read_parts
    from edasim.runs import REPLICATIONS

    check_possible(format_, FORMATS, seed)
    check_writable(out, scenario)
    loaded, known = load(scenario, set_), read_parts(parts)
    weighed = None if weights is None else weights_in(weights)
    if weighed is not None:
        check_weights(weighed, loaded.requirements)
    ledger(candidates_of(loaded, names_in(patterns), names_in(options)), parts=known)  # refuses what it can't know before the work is done
    comparison = paired_comparison(
        loaded,
        names_in(patterns),
        options=names_in(options),
        replications=REPLICATIONS if replications is None else replications,
        seed=seed,
        jobs=jobs,
        progress=sys.stderr.isatty(),
        incidents=incidents,
    )
    choice, steps = chosen(comparison, weighed, known), smallest_steps(comparison, known)
    write(_formatted(comparison, choice, steps, ledger(comparison.candidates, comparison.results, known), format_), out)


def weights_in(text: str) -> dict[str, float]:
    """The weights of ``metric=weight,...``."""
    found: dict[str, float] = {}
    for each in filter(None, map(str.strip, text.split(","))):
        metric, equals, weight = (word.strip() for word in each.partition("="))
        try:
            value = float(weight)
        except ValueError:
            equals = ""
        if not equals or metric in found:
            raise InputError(f"--weights {each}: must be metric=weight, each metric once, such as lost_per_year=3,staleness_p99=1")
        found[metric] = value
    if not found:
        raise InputError("--weights: must be metric=weight, such as lost_per_year=3,staleness_p99=1")
    return found


def _formatted(comparison: Any, choice: Any, steps: Any, needed: Any, form: str) -> str:
    from edasim.comparison import records
    from edasim.decision.choosing import what_is_left
    from edasim.decision.smallest_step import what_is_smallest
    from edasim.ledger.moving_parts import what_it_takes
    from edasim.provenance import provenance

    if form == "csv":
        return str(choice.rows.to_csv(index=False)).rstrip("\n")
    if form == "table":
        options = f"{len(choice.options)} options on the same luck" if len(choice.options) > 1 else f"{choice.options[0]} alone"
        head = f"{comparison.scenario.name}: {options}, {comparison.replications} replication{'s'[: comparison.replications != 1]}"
        takes = f"What each makes a team build and run beside its source and consumers; a list, and no score:\n\n{what_it_takes(needed)}"
        return "\n\n".join([f"{head}, seed {comparison.seed}", what_is_left(choice), what_is_smallest(steps), takes])
    about = {"scenario": comparison.scenario.name, "seed": comparison.seed, "replications": comparison.replications, **provenance()}
    found = {"options": records(choice.rows), **choice.as_json(), **steps.as_json(), "ledger": records(needed)}
    return json.dumps({**about, **found}, indent=1, allow_nan=False, ensure_ascii=False)
