"""Provenance: which code, of which versions, made a result, and from which inputs."""

import json
import platform
import subprocess
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from edasim.errors import InputError

_PACKAGE = Path(__file__).parent
DECIDES = ("simpy", "numpy", "scipy", "numba")  # packages that numbers of a run depend on


@cache
def versions() -> dict[str, str]:
    """The version of this package, of Python, and of the packages that a run's numbers depend on."""
    return {"edasim": metadata.version("edasim"), "python": platform.python_version(), **{name: metadata.version(name) for name in DECIDES}}


@cache
def code() -> str:
    """A digest of this package's own code as it stands on disk, so that a changed line is another version."""
    digest = sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def version() -> dict[str, object]:
    """What decides the numbers of a run beside its inputs: two processes in which it is the same make the same results."""
    return {"versions": versions(), "code": code()}


@cache
def commit() -> str | None:
    """The commit of the checkout that this package runs from, with "+" where something is changed; None where it is installed."""
    git = ("git", "-C", str(_PACKAGE.parent))
    try:
        if subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True, check=False, timeout=10).returncode:
            return None
        head, changed = (
            subprocess.run([*git, *asked], capture_output=True, text=True, check=False, timeout=10).stdout.strip()
            for asked in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "edasim"))
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return f"{head}+" if changed else head or None


def provenance() -> dict[str, Any]:
    """All of it, as plain data."""
    return {**version(), "commit": commit()}


def digest(said: object) -> str:
    """A digest of plain data such as a scenario, the files that it names by their content: the same on every machine."""
    return sha256(json.dumps(_by_content(said), sort_keys=True).encode()).hexdigest()


def _by_content(said: object) -> object:
    if isinstance(said, dict):
        return {key: _named(part) if key == "file" and isinstance(part, str) else _by_content(part) for key, part in said.items()}
    return [_by_content(part) for part in said] if isinstance(said, list) else said


def _named(file: str) -> str:
    """What stands for a file: its content, or where it is not there its name."""
    return content_digest(Path(file)) if Path(file).is_file() else Path(file).name


def content_digest(file: Path) -> str:
    """A digest of what is in a file. Raises InputError where it can't be read."""
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror}") from None
