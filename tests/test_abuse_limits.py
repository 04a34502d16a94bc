"""What is too much is refused or bounded, with the limit in the line: each in a process whose memory and time are held (docs/limits.md)."""

import gzip
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny import QUIET, merged

from edasim.bounded import DEEPEST_JSON, LONGEST_TEXT, MOST_FILE, MOST_RESULTS, MOST_ROWS, MOST_TEXT, said_of
from edasim.distributions import MOST_MIXED
from edasim.documents import DEEPEST, LONGEST, MOST_PARTS
from edasim.journal_damage import MOST_BYTES
from edasim.scenario import MOST_LISTED, MOST_WINDOWS
from edasim.simpy_model.limits import MOST
from edasim.workload import MOST as MOST_CHANGES

MOST_MEMORY = 1_000_000_000  # bytes that any of these may have in memory at once
MOST_TIME = 60  # seconds, on a machine that has other things to do
MEASURED = """
import resource, sys
from edasim.cli import run
code = run(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
raise SystemExit(code)
"""


def bounded(*arguments: object, folder: Path) -> tuple[int, str]:
    """The exit code and what was said, of a command that had little memory and little time."""

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6_000_000_000, 6_000_000_000))  # addresses, of which libraries reserve much

    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=MOST_TIME,
        cwd=folder,
        env={**os.environ, "EDASIM_CACHE": "off"},
        preexec_fn=limits,
        check=False,
    )
    *said, peak = done.stderr.splitlines()
    assert int(peak.split()[1]) < MOST_MEMORY, done.stderr[-500:]
    return done.returncode, "\n".join(said)


def laughs(folder: Path) -> Path:
    """Ten aliases of ten aliases ...: a billion once they are filled in."""
    lines = ["a0: &a0 [lol]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10))]
    return written(folder, "\n".join(lines))


def merges(folder: Path) -> Path:
    """The same with merge keys."""
    lines = ["a0: &a0 {k: v}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10))]
    return written(folder, "\n".join(lines))


def written(folder: Path, text: str) -> Path:
    file = folder / "bomb.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def sparse(file: Path, size: int) -> Path:
    """A file of so many zero bytes that takes no room."""
    with file.open("wb") as opened:
        opened.truncate(size)
    return file


def pipe(folder: Path) -> Path:
    """A pipe that nobody writes into."""
    os.mkfifo(folder / "pipe.yaml")
    return folder / "pipe.yaml"


def loop(folder: Path) -> Path:
    """A link that leads to itself."""
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    return folder / "loop.yaml"


def many(key: str, item: str) -> Callable[[Path], Path]:
    """A list of a thousand and one items, which a scenario may not have; a million would not fit into its file."""
    return lambda folder: written(folder, f"{key}: [{', '.join(item.format(i=i) for i in range(1001))}]")


SCENARIOS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "aliases": (laughs, "too many parts once aliases are filled in: at most 50,000"),
    "merge keys": (merges, "too many parts once aliases are filled in: at most 50,000"),
    "nesting": (lambda folder: written(folder, "[" * 400_000), "nested too deeply: at most 50"),
    "nesting by lines": (lambda folder: written(folder, "- " * 400_000), "nested too deeply: at most 50"),
    "parts": (lambda folder: written(folder, "a: [" + "1," * 400_000 + "]"), "too many parts: at most 50,000"),
    "documents": (lambda folder: written(folder, "---\na: 1\n" * 80_000), "expected a single document"),
    "keys": (lambda folder: written(folder, "\n".join(f"k{i}: 1" for i in range(20_000))), "is not a known key"),
    "a long text": (lambda folder: written(folder, f"name: {'9' * 900_000}"), "at most 10,000 are allowed"),
    "a long number": (lambda folder: written(folder, f"seed: {':59' * 300_000}"), "at most 10,000 are allowed"),
    "100 MB": (lambda folder: sparse(folder / "large.yaml", 100_000_000), "too large: 100 MB; at most 1 MB"),
    "a device": (lambda folder: Path("/dev/zero"), "must be a regular file, not a pipe or a device"),
    "a pipe": (pipe, "must be a regular file, not a pipe or a device"),
    "a folder": (lambda folder: folder, "does not exist"),
    "a loop of links": (loop, "can't be read"),
    "consumers": (many("consumers", "{{name: c{i}}}"), "at most 1000 items"),
    "options": (many("options", "{{name: o{i}, pattern: cqrs}}"), "at most 1000 items"),
    "incidents": (many("incidents", "{{name: i{i}, component: broker, per_year: 1, down: 1s}}"), "at most 1000 items"),
    "requirements": (many("requirements", "{{metric: loss_rate, at_most: 1}}"), "at most 1000 items"),
    "assumptions": (many("assumptions", "{{path: a.b, basis: guess}}"), "at most 1000 items"),
    "outages": (
        lambda folder: written(folder, f"source: {{outages: {{windows: {[[i, i + 0.5] for i in range(10_001)]}}}}}"),
        "at most 10000",
    ),
    "distributions": (
        lambda folder: written(folder, f"network: {{latency: {{dist: mixture, of: [{'1ms, ' * 101}], weights: {[1] * 101}}}}}"),
        "at most 100 distributions",
    ),
    "regions": (lambda folder: written(folder, "workload: {regions: 21}"), "from 1 to 20 regions"),
    "a rate": (lambda folder: written(folder, "workload: {arrivals: {rate: 1.0e+300}}"), "less than or equal to 1000000000"),
    "instances": (lambda folder: written(folder, "consumers: [{name: a, instances: 1000000}]"), "less than or equal to 10000"),
    "not a number": (lambda folder: written(folder, "network: {loss: .nan}"), "must be a finite number"),
    "infinite": (lambda folder: written(folder, "duration: .inf"), "duration"),
}


@pytest.mark.parametrize("bomb", SCENARIOS)
def test_a_scenario_that_is_too_much_is_refused_with_the_limit(bomb: str, tmp_path: Path) -> None:
    make, limit = SCENARIOS[bomb]
    code, said = bounded("scenario", "show", make(tmp_path), folder=tmp_path)
    assert (code, said.count("\n")) == (2, 0), said
    assert said.startswith("edasim: ")
    assert limit in said


def test_as_many_changes_as_no_memory_holds_are_refused_before_they_are_made(tmp_path: Path) -> None:
    file = written(tmp_path, "workload: {arrivals: {rate: 1000000000}}")
    code, said = bounded("compare", file, "--patterns", "cqrs", "--replications", "1", "--jobs", "1", folder=tmp_path)
    assert code == 2
    assert "at most 50,000,000 are allowed" in said


def packed(folder: Path) -> Path:
    """A gzip file of a few hundred kB that unpacks to 300 MB."""
    file = folder / "own.csv.gz"
    with gzip.open(file, "wb", compresslevel=9) as opened:
        opened.write(b"time,note\n")
        for _ in range(300):
            opened.write((b"1," + b"x" * 197 + b"\n") * 5_000)
    return file


def rows(folder: Path) -> Path:
    """Six million rows, whose text is within its limit."""
    file = folder / "own.csv"
    file.write_text("time\n" + "1\n" * 6_000_000, encoding="utf-8")
    return file


def parquet(folder: Path) -> Path:
    """Six million times the same number: 20 kB on the disk."""
    pd.DataFrame({"time": np.zeros(6_000_000)}).to_parquet(folder / "own.parquet")
    return folder / "own.parquet"


def texts(folder: Path) -> Path:
    """A text of 1 MB that is repeated 100,000 times: 100 GB once it is filled in."""
    column = pd.Categorical.from_codes(np.zeros(100_000, dtype=np.int8), ["x" * 1_000_000])
    pd.DataFrame({"time": column}).to_parquet(folder / "own.parquet")
    return folder / "own.parquet"


TRACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "1 GB": (lambda folder: sparse(folder / "own.csv", 1_000_000_000), "too large: 1,000 MB; at most 100 MB"),
    "gzip": (packed, "too large: at most 100 MB are allowed, unpacked"),
    "rows": (rows, "too long: at most 5,000,000 rows"),
    "parquet rows": (parquet, "too long: at most 5,000,000 rows"),
    "parquet texts": (texts, "text that is too long: at most 10,000 bytes"),
    "zero bytes": (lambda folder: sparse(folder / "own.csv", 90_000_000), "own.csv"),
    "a device": (lambda folder: Path("/dev/zero"), "must be a regular file, not a pipe or a device"),
    "a folder": (lambda folder: folder, "is a folder"),
}


@pytest.mark.parametrize("bomb", TRACES)
def test_a_trace_that_is_too_much_is_refused_with_the_limit(bomb: str, tmp_path: Path) -> None:
    make, limit = TRACES[bomb]
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(merged(QUIET, {})), encoding="utf-8")
    arrivals = f"workload.arrivals={{process: trace, file: {make(tmp_path)}}}"
    asked = ("compare", scenario, "--set", arrivals, "--patterns", "cqrs", "--replications", "1", "--jobs", "1")
    code, said = bounded(*asked, folder=tmp_path)
    assert (code, said.count("\n")) == (2, 0), said
    assert limit in said


@pytest.mark.parametrize("bomb", ["1 GB", "gzip", "parquet rows", "a device"])
def test_what_is_observed_has_the_same_limits(bomb: str, tmp_path: Path) -> None:
    make, limit = TRACES[bomb]
    code, said = bounded("observe", make(tmp_path), folder=tmp_path)
    assert (code, said.count("\n")) == (2, 0), said
    assert limit in said


WRITTEN_DOWN = {  # how a row of a table in docs/limits.md begins, and its limit
    "size of a file": said_of(MOST_TEXT),
    "keys and values": f"{MOST_PARTS:,}",
    "lists and mappings": f"{DEEPEST}",
    "letters of one value": f"{LONGEST:,}",
    "consumers, options": f"{MOST_LISTED:,} each",
    "windows of an outage": f"{MOST_WINDOWS:,}",
    "distributions in a mixture": f"{MOST_MIXED}",
    "changes, or reads": f"{MOST_CHANGES:,}",
    "polls or outages": f"{MOST:,}",
    "a trace, a column": said_of(MOST_FILE),
    "rows": f"{MOST_ROWS:,}",
    "a text in a parquet file": f"{LONGEST_TEXT:,} bytes",
    "a `results.json`": f"{said_of(MOST_RESULTS)}, {DEEPEST_JSON} levels",
    "a table of a journal": f"{MOST_BYTES / 1e9:g} GB, {MOST_ROWS:,} rows",
}


@pytest.mark.parametrize("what", WRITTEN_DOWN)
def test_a_limit_is_written_down_as_it_is(what: str) -> None:
    text = (Path(__file__).parents[1] / "docs" / "limits.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith(f"| {what}"))
    assert row.split(" | ")[1].removesuffix(" |") == WRITTEN_DOWN[what]
