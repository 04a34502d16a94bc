"""Whenever a command is killed, what stands at its target is whole, and the same command gives afterwards what an undisturbed one gives."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from signing import scenario_file

EDASIM = [sys.executable, "-m", "edasim"]
FEW = ["--replications", "2", "--jobs", "1"]
COMMANDS = {
    "compare": ["compare", "shop.yaml", *FEW, "--format", "csv", "--out", "out"],
    "sweep": ["sweep", "shop.yaml", "--over", "workload.arrivals.rate=10,20", *FEW, "--format", "csv", "--out", "out"],
    "check": ["check", "shop.yaml", *FEW, "--budget", "2", "--no-assumptions", "--format", "json", "--out", "out"],
    "observe": ["observe", "changes.csv", "--out", "out"],
    "new": ["scenario", "new", "out"],
}


def machine(folder: Path) -> Path:
    """A folder with a scenario and recorded changes."""
    folder.mkdir()
    scenario_file(folder)
    rows = "".join(f"2026-01-01T00:{i // 60:02d}:{i % 60:02d}Z,k{i % 5},{100 + i}\n" for i in range(600))
    (folder / "changes.csv").write_text("time,key,bytes\n" + rows, encoding="utf-8")
    return folder


def started(arguments: list[str], folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "EDASIM_CACHE": str(folder / "cache")}
    return subprocess.Popen([*EDASIM, *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed_at_random(arguments: list[str], whole: bytes, folder: Path, often: int, longest: float, luck: random.Random) -> int:
    """How many of so many starts were killed before they were done; after each the target is whole, or not there."""
    killed = 0
    for _ in range(often):
        process = started(arguments, folder)
        time.sleep(luck.uniform(0.05, 1) * longest)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        out = folder / "out"
        assert not out.exists() or out.read_bytes() == whole
        out.unlink(missing_ok=True)
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_leaves_a_whole_file_or_none_and_can_be_repeated(command: str, tmp_path: Path) -> None:
    arguments, folder = COMMANDS[command], machine(tmp_path / "killed")
    calm = machine(tmp_path / "calm")
    done = started(arguments, calm)
    assert done.communicate()[1].count("Traceback") == 0
    assert done.returncode in (0, 1, 3)
    whole, began = (calm / "out").read_bytes(), time.monotonic()
    started(arguments, calm).communicate()
    took = time.monotonic() - began  # with what is in the cache by then: no start takes less
    killed = killed_at_random(arguments, whole, folder, 12, took, random.Random(command))
    assert killed >= 4, "most were done before they were killed: nothing was tried"
    again = started(arguments, folder)
    again.communicate()
    assert again.returncode == done.returncode
    assert (folder / "out").read_bytes() == whole, "what the killed ones left in the cache changes nothing"
    assert [path.name for path in folder.glob(".out*")] == [], "the part that a killed one left is gone"


def _has_begun(process: "subprocess.Popen[str]") -> bool:
    """Whether the process handles SIGTERM itself: Python alone does not, edasim does as its first act."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux which signals a process handles")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("later", [0.0, 0.1, 0.3])
def test_an_interrupt_in_the_first_second_is_one_line(number: signal.Signals, later: float, tmp_path: Path) -> None:
    folder = machine(tmp_path / "interrupted")
    process = started(["compare", "shop.yaml"], folder)
    while not _has_begun(process):
        time.sleep(0.002)
    time.sleep(later)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "edasim: interrupted\n")
