"""What docs/ci.md tells a team to put into its CI works as it stands there."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
import yaml
from click.testing import CliRunner
from papermill.cli import papermill

from edasim import Scenario
from edasim.cli import app

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
GITHUB, GITLAB = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))


def commands(said: Any) -> Iterator[str]:
    """Every shell line that calls edasim, wherever it stands in a CI file."""
    if isinstance(said, str):
        yield from (command.strip() for command in re.findall(r"(?:^\s*|&& )(edasim [^;\n]+)", said, re.MULTILINE))
    for part in said.values() if isinstance(said, dict) else said if isinstance(said, list) else ():
        yield from commands(part)


@pytest.mark.parametrize("line", sorted({*commands(GITHUB), *commands(GITLAB), *commands(TEXT)}))
def test_every_edasim_command_is_one_that_the_command_line_takes(line: str) -> None:
    group: Any = typer.main.get_command(app)
    name, *words = shlex.split(line)[1:]
    command = group.commands[name]
    if name == "record":
        command, words = command.commands[words[0]], words[1:]
    context = command.make_context(name, list(words))
    assert Path(words[0]) in (context.params.get("scenario"), context.params.get("folder"))


def test_both_compare_with_the_branch_that_a_request_goes_to() -> None:
    for said in (GITHUB, GITLAB):
        assert "edasim report my-system.yaml --out report --compare-with before/results.json" in set(commands(said))


def test_github_uses_public_actions_of_one_major_version_and_uploads_what_is_made() -> None:
    steps = GITHUB["jobs"]["report"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in used)
    assert steps[-1]["uses"].startswith("actions/upload-artifact@")
    assert steps[-1]["if"] == "always()"
    assert steps[-1]["with"]["path"] == "report"
    assert not {"contents", "actions"} ^ set(GITHUB["permissions"])


def test_gitlab_keeps_the_report_whatever_happens() -> None:
    kept = GITLAB["report"]["artifacts"]
    assert (kept["when"], kept["paths"]) == ("always", ["report/"])


STUBS = """
git() { if [ "$1" = worktree ]; then mkdir target; [ -z "$THERE" ] || touch target/my-system.yaml; fi; }
edasim() { echo "$@" >> called; [ "$2" = my-system.yaml ] || return "$STATUS"; }
set -e
"""


@pytest.mark.parametrize(
    ("branch", "there", "status", "compares"),
    [("", "", "0", False), ("main", "", "0", False), ("main", "yes", "0", True), ("main", "yes", "1", False), ("main", "yes", "2", False)],
)
def test_gitlab_compares_with_the_target_branch_where_that_makes_a_report(
    branch: str, there: str, status: str, compares: bool, tmp_path: Path
) -> None:
    (script,) = GITLAB["report"]["script"]
    told = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": branch, "THERE": there, "STATUS": status, "PATH": os.environ["PATH"]}
    subprocess.run(["bash", "-c", STUBS + script], cwd=tmp_path, env=told, check=True)
    last = (tmp_path / "called").read_text(encoding="utf-8").splitlines()[-1]
    assert last == "report my-system.yaml --out report" + " --compare-with before/results.json" * compares


def test_only_the_default_scenario_is_looked_for_from_the_folder_of_a_notebook() -> None:
    """So that a notebook runs wherever papermill is called."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.id for cell in code if "../" in cell.source and "parameters" not in cell.metadata.get("tags", [])] == [], path.name


@pytest.mark.parametrize("line", re.findall(r"^papermill (.+)$", TEXT, re.MULTILINE))
def test_the_papermill_commands_give_a_notebook_what_is_asked_in_its_type(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the start of a kernel: what is injected runs here, where the command is typed."""
    for folder in ("notebooks", "data"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(papermill, [*shlex.split(line), "--prepare-only"])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = {}
    for cell in nbformat.read("out.ipynb", as_version=4).cells:
        if {"parameters", "injected-parameters"} & {*cell.metadata.get("tags", [])}:
            exec(cell.source, told)
    assert [type(told[name]).__name__ for name in ("scenario_file", "overrides", "replications", "quick")] == ["str", "dict", "int", "bool"]
    assert told["replications"] == 50 or told["quick"] is True
    scenario = Scenario.load(told["scenario_file"], told["overrides"])
    assert (scenario.name, scenario.broker.kind) == ("web-shop", told["overrides"].get("broker.kind", "log"))
