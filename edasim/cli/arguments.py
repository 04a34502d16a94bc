"""What several commands ask for, and what is refused before the work is done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edasim.documents import parse_override
from edasim.errors import InputError
from edasim.scenario import Scenario

FORMATS = ("table", "json", "csv")

ScenarioFile = Annotated[Path, typer.Argument(help="Scenario file (YAML).")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one value of the scenario; may be repeated.")]
Replications = Annotated[int | None, typer.Option(help="Independent replications of every option.")]
Patterns = Annotated[str | None, typer.Option(help="Patterns, separated by commas: presets or truth/carries/reads.")]
Options = Annotated[str | None, typer.Option(help="Options of the scenario, separated by commas.")]
Seed = Annotated[int | None, typer.Option(help="Instead of the scenario's seed.")]
Engine = Annotated[str, typer.Option(help="auto, simpy or fast: all give the same numbers (docs/fast-path.md).")]
Jobs = Annotated[int, typer.Option(help="Processes; -1: one a core.")]
Format = Annotated[str, typer.Option("--format", help="table, json or csv.")]
Out = Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")]


def check_possible(form: str, forms: Sequence[str], seed: int | None = None) -> None:
    if form not in forms:
        raise InputError(f"--format {form} is not allowed: must be one of {', '.join(forms)}")
    if seed is not None and seed < 0:
        raise InputError(f"--seed {seed} is not allowed: must be at least 0")


def share_in(option: str, text: str) -> float:
    """A share as a number or in percent."""
    try:
        return float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise InputError(f"{option} {text} is not allowed: must be a share such as 5% or 0.05") from None


def load(path: Path, overrides: Sequence[str] | None) -> Scenario:
    return Scenario.load(path, dict(parse_override(text) for text in overrides or []))


def names_in(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def check_writable(out: Path | None, *inputs: Path, option: str = "--out") -> None:
    """Refuse before the work is done, not after: what can't be written, and what would be written over one of the *inputs*."""
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        raise InputError(f"{option} {out} is not allowed: must be a file in a folder that exists")
    if out is not None and any(out.resolve() == path.resolve() for path in inputs):
        raise InputError(f"{option} {out} is not allowed: it would be written over what is read")
