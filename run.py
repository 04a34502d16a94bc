"""Start edasim from a fresh clone, without installing anything by hand.

    python3 run.py report [SCENARIO] [--out DIR]   every notebook as an HTML report, in reports/ unless told otherwise
    python3 run.py test [PYTEST ARGUMENTS]         the test suite
    python3 run.py lab [JUPYTERLAB ARGUMENTS]      the notebooks in JupyterLab, on this computer only

The first start makes .venv beside this file and installs into it what constraints.txt pins, with uv if there is one
and with pip otherwise; later starts find it ready. The first simulation compiles, which takes about a minute, once.
Needs Python 3.11 or newer and nothing but its standard library.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  before any line that an older Python can't run
    sys.stderr.write("run.py: edasim needs Python 3.11 or newer, this is %d.%d.\n" % sys.version_info[:2])  # noqa: UP031
    raise SystemExit(2)

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = BIN / "python"
# Says that .venv is ours to remake, and in which folder it was made: a moved one has stale paths inside.
MADE = VENV / "made-by-run-py"
# What the last complete install was made from. Absent while an install is under way.
INSTALLED = VENV / "installed-by-run-py"
EXTRAS = {"report": "", "lab": "", "test": "[test]"}
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


# What would let others in: where the lab listens, the secret in its address, and which requests it answers without one.
OPENS = {"i", "ip", "token", "password", "hashed_password", "allow_remote_access", "allow_origin", "allow_origin_pat", "local_hostnames"}
OPENS |= {"disable_check_xsrf", "allow_unauthenticated_access", "identity_provider_class", "authorizer_class", "config", "f"}


class Refusal(Exception):
    """One sentence for the user, and the exit code that goes with it."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


def fingerprint(extra: str) -> str:
    """What an install depends on: the two files that name its packages, the Python, the extra, and where edasim stands."""
    digest = hashlib.sha256(f"{VERSION} {extra} {ROOT}".encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_installed(extra: str) -> bool:
    """Whether .venv already holds what is asked for; whoever has the test extra has the rest."""
    if not INSTALLED.exists():
        return False
    return INSTALLED.read_text() in {fingerprint(extra), fingerprint(EXTRAS["test"])}


def fault_of_venv() -> str | None:
    """Why the .venv that stands there can't be used, or None."""
    config = VENV / "pyvenv.cfg"
    if not PYTHON.exists() or not config.exists():  # a link to a Python that is gone doesn't exist either
        return "has no working Python"
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", config.read_text(), re.MULTILINE)
    version = found[1] if found else "unknown"
    if version != VERSION:
        return f"is for Python {version}, not {VERSION}"
    if MADE.exists() and not INSTALLED.exists():  # packages may be there in part
        return "was left unfinished"
    if MADE.exists() and MADE.read_text() != str(ROOT):
        return "was made in another folder"
    return None


def say(sentence: str) -> None:
    """Progress goes to stderr: stdout belongs to the command that is started."""
    print(f"run.py: {sentence}", file=sys.stderr, flush=True)


def call(*command: str | Path) -> None:
    """Run an installer; it is heard only when it fails."""
    done = subprocess.run(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise Refusal("the install failed, see above; the next start tries again.", 1)


def can_import(module: str) -> bool:
    """Whether a module is there; an empty folder that an uninstall left behind isn't one."""
    spec = importlib.util.find_spec(module)
    return bool(spec and spec.origin)


def make_venv(uv: str | None) -> None:
    """Make .venv, marked as ours before anything else is in it, so that an interrupted one can be remade."""
    VENV.mkdir()
    MADE.write_text(str(ROOT))
    base = getattr(sys, "_base_executable", sys.executable)  # not the Python of another virtual environment: that may go
    if uv:
        call(uv, "venv", "--allow-existing", "--seed", "--python", base, VENV)  # seeded with pip, for a start without uv
    else:
        call(base, "-m", "venv", VENV)


def install(extra: str) -> None:
    """Bring .venv to what constraints.txt pins. Only a complete install leaves its fingerprint."""
    uv = shutil.which("uv")
    fault = fault_of_venv() if VENV.exists() else None
    if fault and not MADE.exists():
        raise Refusal(f"{VENV} {fault}; run.py didn't make it, so please move it away.", 2)
    fresh = bool(fault) or not VENV.exists()
    if fresh and not uv and not all(can_import(module) for module in ("venv", "ensurepip")):
        debian = f"sudo apt-get install python3-venv (or python{VERSION}-venv)"
        raise Refusal(f"this Python can't make virtual environments; on Debian and Ubuntu, {debian} mends that.", 2)
    if fault:
        say(f"{VENV} {fault}: making it again")
        shutil.rmtree(VENV)
    say(f"installing edasim{extra} into {VENV} with {'uv' if uv else 'pip'}, which takes a minute or two")
    if fresh:
        make_venv(uv)
    INSTALLED.unlink(missing_ok=True)
    pip: list[str | Path] = [uv, "pip", "install", "--python", PYTHON] if uv else [PYTHON, "-m", "pip", "install"]
    call(*pip, "-c", "constraints.txt", "-e", f".{extra}")
    INSTALLED.write_text(fingerprint(extra))


def command_line(command: str, arguments: list[str]) -> list[str]:
    """What to start inside .venv."""
    if command == "test":
        return [str(PYTHON), "-m", "pytest", *arguments]
    if command == "lab":
        for argument in arguments:
            if argument.startswith("-") and argument.split("=")[0].split(".")[-1].strip("-").replace("-", "_").lower() in OPENS:
                raise Refusal(f"{argument.split('=')[0]} is not allowed: the lab listens to this computer only and keeps its token.", 2)
        return [str(BIN / "jupyter"), "lab", "--ServerApp.ip=127.0.0.1", *arguments, "notebooks"]
    chosen = any(argument.split("=")[0] == "--out" for argument in arguments)
    return [str(BIN / "edasim"), "report", *arguments, *([] if chosen else ["--out", str(ROOT / "reports")])]


def start(command: str, arguments: list[str]) -> None:
    """Become the command, so that its exit code and its signals are its own."""
    if command != "report":  # a report's scenario is named from where the user stands
        os.chdir(ROOT)
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    line = command_line(command, arguments)
    os.execve(line[0], line, {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV)})


def main(arguments: list[str]) -> int:
    """Install what is missing, then start the command; returns only when that can't be done."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        return 0 if arguments else 2
    command, *rest = arguments
    if command not in EXTRAS:
        say(f"there is no command {command!r}, only {', '.join(EXTRAS)}; see run.py --help")
        return 2
    try:
        if not is_installed(EXTRAS[command]) or fault_of_venv():
            install(EXTRAS[command])
        start(command, rest)
    except Refusal as refusal:
        say(str(refusal))
        return refusal.code
    except KeyboardInterrupt:
        say("interrupted; the next start begins again")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
