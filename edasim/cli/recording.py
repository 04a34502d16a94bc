"""Write a decision down, and hold the decisions of a folder to account."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edasim.cli.arguments import Jobs, Replications, ScenarioFile, Set
from edasim.documents import parse_override
from edasim.errors import InputError


class WriteUnlessNamed(TyperGroup):
    """`edasim record SCENARIO ...` is `edasim record write SCENARIO ...`: a first word that names no command begins its arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = not args or args[0] in self.commands or args[0] == "--help"
        return super().parse_args(ctx, args if named else ["write", *args])


record_app = typer.Typer(
    cls=WriteUnlessNamed,
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="SCENARIO ... | verify FOLDER ...",
    help="Write a decision down, and hold the decisions of a folder to account. Its own options: edasim record write --help",
)


@record_app.command("write")
def write_down(
    scenario: ScenarioFile,
    chosen: Annotated[str, typer.Option(help="The option, or the pattern, that was chosen.")],
    out: Annotated[Path, typer.Option(metavar="decisions/0007-TITLE.md", help="The record; one that is only proposed is made anew.")],
    supersede: Annotated[
        Path | None, typer.Option(metavar="decisions/0003-TITLE.md", help="The record whose place this one takes; both say so.")
    ] = None,
    set_: Set = None,
    replications: Replications = None,
    budget: Annotated[int | None, typer.Option(help="Replications at most, while a requirement is undecided.")] = None,
    jobs: Jobs = -1,
) -> None:
    """Write the decision for an option as a record (MADR), with its evidence. Also without the word write: a scenario that is called
    verify is ./verify."""
    from edasim.decision.checking import BUDGET
    from edasim.record.writing import write_record
    from edasim.runs import REPLICATIONS

    settings: dict[str, Any] = {
        "overrides": dict(parse_override(text) for text in set_ or []),
        "supersede": supersede,
        "replications": REPLICATIONS if replications is None else replications,
        "budget": BUDGET if budget is None else budget,
        "jobs": jobs,
        "progress": sys.stderr.isatty(),
    }
    written = write_record(scenario, chosen, out, **settings)
    typer.echo(f"record: {written.record}")
    for block in written.put_back:
        typer.echo(f"the generated part {block} had been removed, and is there again", err=True)


@record_app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of the records.")],
    observed: Annotated[Path | None, typer.Option(metavar="observed.yaml", help="What edasim observe wrote.")] = None,
    jobs: Jobs = -1,
) -> None:
    """Run every accepted record again, with what was observed: exit 1 when a requirement no longer holds, 3 when that is undecided."""
    from edasim.observe.document import Observations
    from edasim.record.verified_words import in_words
    from edasim.record.verifying import verify as verify_folder

    observations = None if observed is None else Observations.load(observed)
    found = verify_folder(folder, observations, jobs=jobs, progress=sys.stderr.isatty())
    typer.echo(in_words(found))
    if found.broken:
        raise InputError("; ".join(found.broken))
    raise typer.Exit(found.exit_code)
