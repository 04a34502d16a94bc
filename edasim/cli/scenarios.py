"""Make, complete and describe scenarios."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edasim.cli.arguments import ScenarioFile, Set, check_writable, load
from edasim.cli.output import write
from edasim.errors import InputError
from edasim.scenario import Scenario

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


def new(
    out: Annotated[Path | None, typer.Argument(help="File to write; standard output if left out.")] = None,
    observed: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", metavar="OBSERVED.yaml", help="With what was observed filled in (edasim observe); may be repeated, the first counts."
        ),
    ] = None,
) -> None:
    """Write a short scenario to start from: eight keys, defaults for the rest."""
    if out is not None and out.exists():
        raise InputError(f"{out} exists already: name another file")
    check_writable(out)
    write(SHORT.rstrip("\n") if not observed else _started_from(observed), out)


def _started_from(observed: list[Path]) -> str:
    from edasim.observe import Observations
    from edasim.observe.joining import together
    from edasim.observe.starting import short_scenario

    return short_scenario(together([Observations.load(path) for path in observed]))


def show(scenario: ScenarioFile, set_: Set = None) -> None:
    """Print the scenario with every default filled in."""
    typer.echo(load(scenario, set_).as_yaml(), nl=False)


def schema() -> None:
    """Print the JSON schema of scenarios."""
    typer.echo(json.dumps(Scenario.model_json_schema(), indent=1))
