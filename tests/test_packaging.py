"""Claims about installing and starting edasim: the files that name its packages agree, and run.py does what it promises."""

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hatchling import build
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text())


def ranges(lines: list[str]) -> dict[str, SpecifierSet]:
    """Package name to allowed versions; conda writes some names with an underscore."""
    requirements = [Requirement(line) for line in lines]
    found = {canonicalize_name(requirement.name): requirement.specifier for requirement in requirements}
    assert len(found) == len(requirements), "a package is named twice"
    return found


def pins() -> dict[str, SpecifierSet]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return ranges([line for line in lines if line.strip() and not line.startswith("#")])


def required_here(name: str, extras: frozenset[str]) -> Iterator[str]:
    """Every package that the installed `name` needs on this machine, direct or not."""
    todo, seen = [(name, extras)], set()
    while todo:
        package, wanted = todo.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        yield canonicalize_name(package)
        for line in importlib.metadata.requires(package) or []:
            requirement = Requirement(line)
            if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *wanted}):
                todo.append((requirement.name, frozenset(requirement.extras)))


# Packages


def test_conda_and_pip_are_given_the_same_packages_and_ranges() -> None:
    by_conda = ranges([line for line in CONDA["dependencies"] if isinstance(line, str)])
    assert str(by_conda.pop("python")) == PROJECT["requires-python"]
    assert by_conda.pop("pip") == SpecifierSet()
    assert by_conda == ranges(PROJECT["dependencies"])


@pytest.mark.parametrize("extra", ["brokers", "cluster"])
def test_tests_have_the_other_extras_too(extra: str) -> None:
    assert set(PROJECT["optional-dependencies"][extra]) <= set(PROJECT["optional-dependencies"]["test"])


def test_no_client_of_a_broker_is_needed_to_simulate() -> None:
    clients = set(ranges(PROJECT["optional-dependencies"]["brokers"]))
    code = "import sys, edasim, edasim.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not clients & set(ranges(PROJECT["dependencies"]))
    assert not {client.replace("-", "_") for client in clients} & set(loaded)


def test_conda_asks_conda_forge_and_nothing_else() -> None:
    assert CONDA["name"] == "edasim"
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert [line for line in CONDA["dependencies"] if isinstance(line, dict)] == [{"pip": ["-e ."]}]


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    for name, allowed in ranges(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]).items():
        assert sorted(bound.operator for bound in allowed) == ["<", ">="], name


def test_constraints_are_exact_versions_and_name_no_registry() -> None:
    for name, version in pins().items():
        assert re.fullmatch(r"==[^*]+", str(version)), name
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    pinned = pins()
    for name, allowed in ranges(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]).items():
        version = str(pinned[name]).removeprefix("==")
        assert version in allowed, name


def test_every_indirect_dependency_is_pinned_too() -> None:
    assert set(required_here("edasim", frozenset({"test"}))) - {"edasim"} <= set(pins())


def test_the_wheel_holds_the_whole_package_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wheel = zipfile.ZipFile(tmp_path / build.build_wheel(str(tmp_path)))
    inside = {name for name in wheel.namelist() if not name.startswith("edasim-0.1.0.dist-info/")}
    package = (path for path in (ROOT / "edasim").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert inside == {path.relative_to(ROOT).as_posix() for path in package}
    assert "edasim/py.typed" in inside


# The files that the two commands start from


@pytest.mark.parametrize("name", ["run.py", "pyproject.toml", "constraints.txt", "edasim/cli", "notebooks", "tests", ".ci/run"])
def test_what_a_start_needs_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_ci_can_be_started() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_console_script_has_something_to_call() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="edasim")
    assert callable(script.load())


def test_run_py_imports_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "run.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_old_python_is_told_so_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ast.parse((ROOT / "run.py").read_text(), feature_version=(3, 7))  # it must get as far as the check
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit) as stopped:
        load(ROOT / "run.py")
    monkeypatch.undo()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "run.py: edasim needs Python 3.11 or newer, this is 3.10.\n"


# run.py, with the installers and the final exec replaced


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_py", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Machine:
    """A fresh clone, in a folder with a space in its name, on a machine whose installers only pretend."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "a fresh clone"
        self.root.mkdir()
        for name in ("run.py", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root)
        self.run = load(self.root / "run.py")
        self.installs: list[list[str]] = []
        self.started: list[list[str]] = []
        self.on_install: Callable[[], int] = lambda: 0  # returns pip's exit code
        self.uv: str | None = None
        monkeypatch.chdir(folder)
        monkeypatch.setattr(self.run.subprocess, "run", self.pretend)
        monkeypatch.setattr(self.run.shutil, "which", lambda name: self.uv)
        monkeypatch.setattr(self.run.os, "execve", lambda path, line, environment: self.started.append(line))

    def pretend(self, line: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        if "venv" in line:
            self.make_venv(Path(line[-1]))
            return subprocess.CompletedProcess(line, 0, "")
        self.installs.append(line)
        return subprocess.CompletedProcess(line, self.on_install(), "no matching distribution\n")

    def make_venv(self, folder: Path, version: str = f"{sys.version_info.major}.{sys.version_info.minor}.9") -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)
        (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")

    def python_was(self, version: str) -> None:
        (self.root / ".venv" / "pyvenv.cfg").write_text(f"version = {version}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def interrupt() -> int:
    raise KeyboardInterrupt


def test_the_first_start_installs_what_constraints_pin_and_the_second_nothing(machine: Machine) -> None:
    machine.run.main(["report"])
    assert [line[1:] for line in machine.installs] == [["-m", "pip", "install", "-c", "constraints.txt", "-e", "."]]
    machine.run.main(["report"])
    assert len(machine.installs) == 1
    assert len(machine.started) == 2


def test_uv_installs_when_there_is_one(machine: Machine) -> None:
    machine.uv = "/somewhere/uv"
    machine.run.main(["test"])
    python = str(machine.root / ".venv/bin/python")
    assert machine.installs == [["/somewhere/uv", "pip", "install", "--python", python, "-c", "constraints.txt", "-e", ".[test]"]]


def test_only_tests_need_the_test_extra_and_whoever_has_it_has_the_rest(machine: Machine) -> None:
    for command in ("report", "lab", "test", "report", "lab", "test"):
        machine.run.main([command])
    assert [line[-1] for line in machine.installs] == [".", ".[test]"]


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_changed_packages_are_installed_into_the_same_venv(machine: Machine, name: str) -> None:
    machine.run.main(["report"])
    kept = machine.root / ".venv" / "kept"
    kept.touch()
    with (machine.root / name).open("a") as file:
        file.write("# changed\n")
    machine.run.main(["report"])
    assert len(machine.installs) == 2
    assert kept.exists()


def test_an_interrupted_install_is_begun_again_from_an_empty_venv(machine: Machine) -> None:
    machine.on_install = interrupt
    assert machine.run.main(["report"]) == 130
    half_installed = machine.root / ".venv" / "half a package"
    half_installed.touch()
    machine.on_install = lambda: 0
    machine.run.main(["report"])
    assert len(machine.installs) == 2
    assert not half_installed.exists()
    assert len(machine.started) == 1


def test_an_interrupted_update_does_not_pass_for_the_install_before_it(machine: Machine) -> None:
    machine.run.main(["report"])
    machine.on_install = interrupt
    machine.run.main(["test"])
    machine.on_install = lambda: 0
    machine.run.main(["report"])
    assert len(machine.installs) == 3


def test_a_half_made_venv_is_made_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(machine, "make_venv", lambda folder: interrupt())
        assert machine.run.main(["report"]) == 130
    machine.run.main(["report"])
    assert len(machine.started) == 1


def test_a_failed_install_shows_why_and_is_tried_again(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.on_install = lambda: 1
    assert machine.run.main(["report"]) == 1
    assert "no matching distribution" in capsys.readouterr().err
    assert machine.started == []
    machine.run.main(["report"])
    assert len(machine.installs) == 2


def test_its_own_venv_is_remade_for_another_python(machine: Machine) -> None:
    machine.run.main(["report"])
    machine.python_was("3.4.1")
    machine.run.main(["report"])
    assert "3.4" not in (machine.root / ".venv" / "pyvenv.cfg").read_text()
    assert len(machine.installs) == 2


def test_its_own_venv_is_remade_when_its_python_is_gone(machine: Machine) -> None:
    machine.run.main(["report"])
    (machine.root / ".venv/bin/python").unlink()
    (machine.root / ".venv/bin/python").symlink_to("/gone/python")
    machine.run.main(["report"])
    assert (machine.root / ".venv/bin/python").exists()


def test_its_own_venv_is_remade_when_the_project_moves(machine: Machine) -> None:
    machine.run.main(["report"])
    machine.root.rename(machine.root.with_name("moved"))
    load(machine.root.with_name("moved") / "run.py").main(["report"])
    assert len(machine.installs) == 2


def test_somebody_elses_venv_is_used_when_it_fits(machine: Machine) -> None:
    machine.make_venv(machine.root / ".venv")
    machine.run.main(["report"])
    assert len(machine.installs) == len(machine.started) == 1


def test_somebody_elses_venv_is_never_removed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.make_venv(machine.root / ".venv", "3.4.1")
    assert machine.run.main(["report"]) == 2
    assert "is for Python 3.4" in capsys.readouterr().err
    assert (machine.root / ".venv/bin/python").exists()
    assert machine.installs == machine.started == []


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_debian_without_venv_is_told_which_package_to_install(
    machine: Machine, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    assert machine.run.main(["test"]) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert "sudo apt-get install python3-venv" in sentence
    assert not (machine.root / ".venv").exists()
    machine.uv = "/somewhere/uv"  # which needs neither
    machine.run.main(["test"])
    assert len(machine.started) == 1


def test_reports_go_beside_run_py_unless_told_otherwise(machine: Machine) -> None:
    for arguments in ([], ["own.yaml"], ["--out", "there"], ["--out=there"]):
        machine.run.main(["report", *arguments])
    edasim, reports = str(machine.root / ".venv/bin/edasim"), str(machine.root / "reports")
    assert machine.started == [
        [edasim, "report", "--out", reports],
        [edasim, "report", "own.yaml", "--out", reports],
        [edasim, "report", "--out", "there"],
        [edasim, "report", "--out=there"],
    ]
    assert Path.cwd() != machine.root  # own.yaml is where the user stands


def test_tests_run_from_the_project_root(machine: Machine) -> None:
    machine.run.main(["test", "-k", "one claim"])
    assert machine.started == [[str(machine.root / ".venv/bin/python"), "-m", "pytest", "-k", "one claim"]]
    assert Path.cwd() == machine.root


def test_the_lab_listens_to_this_computer_only_and_keeps_its_token(machine: Machine) -> None:
    machine.run.main(["lab", "--no-browser"])
    (line,) = machine.started
    assert line[1:] == ["lab", "--ServerApp.ip=127.0.0.1", "--no-browser", "notebooks"]


def test_an_unknown_command_is_refused_before_anything_is_installed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.run.main(["tset"]) == 2
    assert "report, lab, test" in capsys.readouterr().err
    assert not (machine.root / ".venv").exists()


def test_help_names_every_command(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.run.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"python3 run.py {command} " in shown for command in machine.run.EXTRAS)


# For real, in processes of their own


def test_the_exit_code_is_the_commands_own(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.run.main(["report"])
    monkeypatch.undo()
    edasim = machine.root / ".venv/bin/edasim"
    edasim.write_text('#!/bin/sh\necho "asked: $*"\nexit 7\n')
    edasim.chmod(0o755)
    done = subprocess.run(
        [sys.executable, machine.root / "run.py", "report", "a b"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7
    assert done.stdout == f"asked: report a b --out {machine.root / 'reports'}\n"


THREE_TESTS = """import pytest
def test_plain(): pass
@pytest.mark.slow
def test_slow(): pass
@pytest.mark.browser
def test_browser(): pass
"""
LIVE_TESTS = """import pytest
def test_plain(): pass
@pytest.mark.broker("zeromq")
def test_live(): pass
@pytest.mark.broker("zeromq")
def test_live_too(): pass
"""


def run_tests(folder: Path, tests: str, environment: dict[str, str], *arguments: str) -> str:
    """What pytest says of *tests* with this project's settings and hooks, and nothing on PATH."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "test_some.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", "--rootdir", folder, folder]
    return subprocess.run(
        [*command, *arguments], env={"PATH": str(folder), **environment}, cwd=folder, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.parametrize(
    ("environment", "ending"),
    [
        ({}, "1 passed, 2 skipped"),
        ({"EDASIM_SLOW": "1"}, "2 passed, 1 skipped"),
        ({"EDASIM_REQUIRE_BROWSER": "1"}, "1 passed, 1 skipped, 1 error"),
    ],
)
def test_slow_and_browser_tests_run_where_they_should(tmp_path: Path, environment: dict[str, str], ending: str) -> None:
    said = run_tests(tmp_path, THREE_TESTS, environment)
    assert re.search(rf"=+ {ending} in ", said), said


@pytest.mark.parametrize("arguments", [[], ["-n", "1"]], ids=["one process", "workers"])
def test_live_tests_without_their_broker_are_skipped_and_one_line_says_why(tmp_path: Path, arguments: list[str]) -> None:
    said = run_tests(tmp_path, LIVE_TESTS, {}, *arguments)
    assert re.search(r"=+ 1 passed, 2 skipped in ", said), said
    (line,) = (line for line in said.splitlines() if line.startswith("live tests skipped"))
    assert line.startswith("live tests skipped: 2, zeromq is nothing that is started here")
    assert line.endswith("(2)")


def test_live_tests_fail_where_their_broker_is_required(tmp_path: Path) -> None:
    said = run_tests(tmp_path, LIVE_TESTS, {"EDASIM_REQUIRE_BROKERS": "1"})
    assert re.search(r"=+ 1 passed, 2 errors in ", said), said


# What .ci/run installs, with a machine that only pretends


def ci_run(folder: Path, *, has_policy: bool) -> list[str]:
    """What .ci/run calls, in order, on a machine that has none of what it needs."""
    machine, said = folder / "machine", folder / "said"
    (machine / ".ci").mkdir(parents=True)
    policy = machine / "policy-rc.d"
    if has_policy:
        policy.write_text("#!/bin/sh\nexit 0\n")
    text = (ROOT / ".ci" / "run").read_text()
    (machine / ".ci" / "run").write_text(text.replace("/usr/sbin/policy-rc.d", str(policy)).replace("/usr/lib/", f"{machine}/lib/"))
    commands = {"apt-get": f"tail -1 {policy} >>{said}", "id": "echo 0", "python3": "exit 0"}
    for name, does in commands.items():
        (machine / name).write_text(f'#!/bin/bash\necho "{name} $*" >>{said}\n{does}\n')
        (machine / name).chmod(0o755)
    for name in ("dirname", "tail", "tee", "chmod", "rm"):
        (machine / name).symlink_to(shutil.which(name) or "")
    bash = shutil.which("bash") or ""
    done = subprocess.run([bash, machine / ".ci" / "run"], env={"PATH": str(machine)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert policy.exists() == has_policy
    return said.read_text().splitlines()


@pytest.mark.parametrize("has_policy", [False, True])
def test_ci_installs_the_brokers_without_starting_one_and_leaves_the_policy_as_it_was(tmp_path: Path, has_policy: bool) -> None:
    said = ci_run(tmp_path, has_policy=has_policy)
    (installed,) = (place for place, line in enumerate(said) if line.startswith("apt-get install"))
    assert {"rabbitmq-server", "redis-server", "postgresql"} <= set(said[installed].split())
    assert said[installed + 1] == ("exit 0" if has_policy else "exit 101")
    assert said[-1] == "python3 run.py test -n 2 --dist loadfile"
