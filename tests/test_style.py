"""What keeps the house simple: types and lint are clean, arrows point one way, one idea a module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "edasim").rglob("*.py"))
LAYERS = (
    "scenario",
    "workload",
    "afterwards",
    "simpy_model",
    "fast_path",
    "experiment",
    "studies",
    "ledger",
    "decision",
    "figures",
    "record",
    "explore",
)  # each may import those before it, none after it


def imported(path: Path) -> set[str]:
    """The edasim modules (by their first name) and other packages that a module imports, whenever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {".".join(name.split(".")[:2]) if name.startswith("edasim.") else name.split(".")[0] for name in names}


def module_name(path: Path) -> str:
    return path.relative_to(ROOT / "edasim").with_suffix("").parts[0]


@pytest.mark.slow
@pytest.mark.parametrize("tool", [["mypy"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]], ids=" ".join)
def test_types_and_lint_are_clean(tool: list[str]) -> None:
    run = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_flow_of_data(path: Path) -> None:
    mine, found = module_name(path), imported(path)
    if mine in LAYERS:
        assert not found & {f"edasim.{later}" for later in LAYERS[LAYERS.index(mine) + 1 :]}
    if mine == "metrics":
        assert not found & {"simpy", "edasim.simpy_model", "edasim.patterns", "edasim.scenario", "edasim.experiment"}, "journals only"
    if mine != "figures":
        assert "matplotlib" not in found
    if mine != "simpy_model":
        assert "simpy" not in found


def test_nothing_is_printed_in_the_library() -> None:
    for path in MODULES:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls), path
