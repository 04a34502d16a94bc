"""Random bad input, thousands of it: what each kind is, how it gets in, and what must come out.

Every input goes in where a user's would: through the command line in this process, or, where the command would go on for seconds, through
the function that it calls first. It must end in a result, or be refused in one line with exit code 2; nothing else on the disk changes.
How many there were is kept in data/validation/fuzzed.json, made by `python tests/fuzzing.py --out data/validation/fuzzed.json`.
"""

import argparse
import gzip
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from signing import SHOP
from tiny import merged

from edasim import InputError, Scenario, simulate
from edasim.cli import run
from edasim.comparison import Comparison
from edasim.experiment import paired_comparison
from edasim.record.blocks import generated
from edasim.results_cache import CacheWarning

ROOT = Path(__file__).parents[1]
TINY = merged(SHOP, {"duration": "2s", "drain": "1s", "options": [SHOP["options"][0]], "assumptions": []})
RUN = ["--replications", "2", "--jobs", "1"]
MOST_CHANGES = 1000  # in a mutated scenario that is simulated: what takes longer is what was asked for, and no bug
Draw = st.DrawFn


# --- what is put in -----------------------------------------------------------------------------------------------------------

HOSTILE = (
    *("", " ", "~", "null", "yes", "nan", "inf", "-inf", "1e400", "-1", "1e300s", "250ms", "2kB", "9" * 400, "-0.0", "1_000", "0x10"),
    *("12:30:45", "2026-13-45", "{{ 7*7 }}", "{% raw %}", "<script>alert(1)</script>", '"""', "\\", "\x00", "\x1b[31m", "\u202e", "é" * 30),
    *(
        "../../../etc/passwd",
        "/dev/zero",
        "/",
        ".",
        "x" * 20_000,
        "consumers.billing",
        "a.b.c",
        "!!python/object:os.system",
        "%s%n",
        "$(id)",
    ),
)
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**30,
    -(10**30),
    1e300,
    -1e300,
    5e-324,
    -0.0,
    0.1,
    1e9,
    float("nan"),
    float("inf"),
    -float("inf"),
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(-10, 1000), st.floats(), st.sampled_from(HOSTILE), st.text(max_size=8)
)
JUNK = st.one_of(
    PLAIN,
    st.lists(PLAIN, max_size=3),
    st.dictionaries(st.sampled_from([*HOSTILE[:8], "dist", "mean", "file", "name", "kind", "value"]), PLAIN, max_size=3),
    st.sampled_from([1, 2, 45, 60, 300]).map(lambda depth: json.loads("[" * depth + "]" * depth)),
    st.sampled_from([{"dist": "exponential", "mean": 1e300}, {"dist": "pareto", "mean": "1s", "cv": 1e-300}, {"windows": [[5, 1]]}]),
)
TOKENS = st.sampled_from(
    [
        *HOSTILE[:24],
        "&a ",
        "*a",
        "<<: *a",
        "- ",
        ": ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        "|",
        ">",
        "'",
        '"',
        "#",
        "---\n",
        "...\n",
        "\t",
        "\n  ",
        "!!str ",
    ]
)


def places_in(tree: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of plain data."""
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, part in parts:
        yield (*here, step)
        yield from places_in(part, (*here, step))


@st.composite
def mutated(draw: Draw, tree: Any, most: int = 3) -> Any:
    """Plain data with one to a few parts dropped, renamed, doubled, or replaced by anything."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, most))):
        places = list(places_in(tree))
        if not places:
            return deepcopy(draw(JUNK))
        *way, last = draw(st.sampled_from(places))
        parent = tree
        for step in way:
            parent = parent[step]
        _change(draw, parent, last)
    return tree


def _change(draw: Draw, parent: Any, step: Any) -> None:
    what = draw(st.sampled_from(["replace"] * 5 + ["drop", "rename", "add", "wrap"]))
    if what == "replace":
        parent[step] = deepcopy(draw(JUNK))
    elif what == "wrap":
        parent[step] = [parent[step]]
    elif isinstance(parent, list):
        parent.append(deepcopy(draw(JUNK)) if what == "add" else parent[step])
    elif what == "add":
        parent[draw(st.sampled_from([*HOSTILE[:30], "name", "outages", "file"]))] = deepcopy(draw(JUNK))
    else:
        part = parent.pop(step)
        if what == "rename":
            parent[draw(st.sampled_from([str(step).upper(), f"{step}s", str(step)[:-1]]))] = part


def as_yaml(tree: Any) -> str:
    """JSON, but for numbers that it has none of: YAML has them."""
    return json.dumps(tree, ensure_ascii=False).replace("NaN", ".nan").replace("-Infinity", "-.inf").replace("Infinity", ".inf")


@st.composite
def spoilt(draw: Draw, content: bytes, most: int = 4) -> bytes:
    """A file cut off, or with bytes and words of it changed, doubled or put in."""
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.integers(0, len(content)))
        what = draw(st.sampled_from(["cut", "byte", "token", "double", "take"]))
        rest = b"" if what == "cut" else content[place + 1 :] if what in ("byte", "take") else content[place:]
        inner = content[place : place + 40] if what == "double" else b""
        if what in ("byte", "token"):
            inner = draw(TOKENS).encode("utf-8", "surrogatepass") if what == "token" else bytes([draw(st.integers(0, 255))])
        content = content[:place] + inner + rest
    return content


# --- how it gets in -----------------------------------------------------------------------------------------------------------


class Machine:
    """A folder with what a user has: scenarios, results, records, observations, recorded changes and a journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used = 0
        self.scenario = self.file("tiny.yaml", yaml.safe_dump(TINY, sort_keys=False))
        scenario = Scenario.load(self.scenario)
        self.comparison: Comparison = paired_comparison(scenario, replications=2, jobs=1)
        self.results = json.loads(json.dumps(self.comparison.as_json()))
        simulate(scenario, "event_carried_state_transfer").write(folder / "journal")
        self.journal = {path.name: path.read_bytes() for path in (folder / "journal").iterdir()}

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return path

    def spoilt_journal(self, name: str, content: bytes) -> Path:
        folder = self.folder / "spoilt"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for other, whole in self.journal.items():
            (folder / other).write_bytes(content if other == name else whole)
        return folder


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, what it printed, and the exception that nobody caught."""

    code: int
    out: str
    err: str


def asked(*arguments: object) -> Outcome:
    """The command line with *arguments*; a warning counts as an exception: users would see where it came from."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CacheWarning)  # it is said, and the result is right
        code = run([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def called(function: Callable[[], object]) -> Outcome:
    """A function that a command calls first, as that command would report it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*normalize")  # nbformat's own advice on cells without an id
        try:
            return Outcome(0, str(function()), "")
        except InputError as error:
            return Outcome(2, "", f"edasim: {' '.join(str(error).split())}\n")


def check(outcome: Outcome, what: object) -> None:
    """A result, or one line: nothing else is allowed."""
    assert outcome.code in (0, 1, 2, 3), (outcome, what)
    assert "Traceback" not in outcome.err, (outcome, what)
    if outcome.code == 2 and not outcome.err.startswith("Usage: "):  # no arguments: what there is
        lines = outcome.err.splitlines()
        assert len(lines) == 1, (outcome, what)
        assert lines[0].startswith("edasim: "), (outcome, what)
        assert lines[0].isprintable(), (outcome, what)


# --- the kinds ----------------------------------------------------------------------------------------------------------------


def scenario_keys(draw: Draw, machine: Machine) -> Outcome:
    """A valid scenario with keys and values changed, shown."""
    return asked("scenario", "show", machine.file("s.yaml", as_yaml(draw(mutated(TINY)))))


def scenario_defaults(draw: Draw, machine: Machine) -> Outcome:
    """One value anywhere among all that a scenario has, changed with --set."""
    tree = {"a": Scenario(**TINY).as_mapping()}
    place = draw(st.sampled_from(list(places_in(tree))[1:]))
    value = as_yaml(deepcopy(draw(JUNK)))
    return asked("scenario", "show", machine.scenario, "--set", f"{'.'.join(map(str, place[1:]))}={value}")


def scenario_text(draw: Draw, machine: Machine) -> Outcome:
    """The text of a scenario spoilt, or no scenario at all."""
    text = draw(
        st.one_of(spoilt(yaml.safe_dump(TINY).encode()), st.lists(TOKENS, max_size=12).map("".join).map(str.encode), st.binary(max_size=40))
    )
    return asked("scenario", "show", machine.file("t.yaml", text))


def set_text(draw: Draw, machine: Machine) -> Outcome:
    """Any text after --set."""
    text = draw(
        st.one_of(st.text(max_size=20), st.lists(st.one_of(TOKENS, st.sampled_from(["broker", ".", "=", "kind"])), max_size=6).map("".join))
    )
    return asked("scenario", "show", machine.scenario, "--set", text.replace("\x00", ""))


def simulated(draw: Draw, machine: Machine) -> Outcome:
    """A mutated scenario, compared if it is a small one."""
    raw = draw(mutated({key: part for key, part in TINY.items() if key not in ("options", "requirements")}, 2))
    file = machine.file("c.yaml", as_yaml(raw))
    shown = asked("scenario", "show", file)
    if shown.code or not _is_small(Scenario.load(file)):
        return shown
    return asked("compare", file, "--patterns", draw(st.sampled_from(["cqrs", "event_notification", "request_response"])), *RUN)


def _is_small(scenario: Scenario) -> bool:
    from edasim.workload import rate_of

    rates = (rate_of(scenario), scenario.workload.reads.rate or 0, scenario.workload.reads.per_change or 0)
    sizes = (scenario.broker.partitions, scenario.broker.replicas, sum(consumer.instances for consumer in scenario.consumers))
    return scenario.window[1] * max(rates) <= MOST_CHANGES and scenario.window[1] <= 100 and scenario.drain <= 100 and max(sizes) <= 50


TRACE = "time,entity,size\n" + "".join(f"{0.1 * i:.1f},k{i % 5},{100 + i}\n" for i in range(15))
CELLS = st.one_of(
    st.sampled_from(["", "nan", "-1", "1e300", "inf", "0", "5", "2026-01-01", "x", '"a,b"', "1,2", "\x00", "9" * 30]), st.floats().map(str)
)


@st.composite
def tables(draw: Draw, text: str) -> bytes:
    """A CSV with cells changed, rows out of order, ragged, empty, packed, or not text at all."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(CELLS)
    rows = draw(st.sampled_from([rows, rows, rows[::-1], rows[:1], rows[:1] + rows[:0:-1], [*rows, ["1"] * 9], []]))
    content = "\n".join(",".join(row) for row in rows).encode()
    content = draw(st.sampled_from([content, content + b"\n", b"\xef\xbb\xbf" + content, gzip.compress(content, mtime=0)]))
    return draw(spoilt(content, 2)) if draw(st.integers(0, 3)) == 0 else content


def trace(draw: Draw, machine: Machine) -> Outcome:
    """A recorded workload that is unsorted, ragged, empty, packed, binary or not of numbers; compared."""
    file = machine.file(draw(st.sampled_from(["own.csv", "own.csv.gz", "own.parquet"])), draw(tables(TRACE)))
    columns = draw(
        st.sampled_from(["{}", "{entity: entity}", "{entity: entity, state_bytes: size}", "{delta_bytes: size}", "{time: size}"])
    )
    arrivals = f"workload.arrivals={{process: trace, file: {file}, columns: {columns}}}"
    return asked("compare", machine.scenario, "--set", arrivals, "--patterns", "event_notification", *RUN)


def trace_parquet(draw: Draw, machine: Machine) -> Outcome:
    """A parquet trace of any types, with bytes changed or not; compared or observed."""
    kinds = st.sampled_from(["float64", "int64", "str", "bool", "datetime64[ns]", "timedelta64[s]", "object", "category"])
    frame = pd.DataFrame({"time": range(8), "entity": list("aabbccdd")})
    kind = draw(kinds)
    frame["time"] = frame["time"].map(lambda value: {"a": value}) if kind == "object" else frame["time"].astype(kind)
    content = io.BytesIO()
    frame.to_parquet(content)
    data = content.getvalue()
    file = machine.file("p.parquet", draw(spoilt(data, 2)) if draw(st.booleans()) else data)
    if draw(st.integers(0, 2)) == 0:
        return asked("observe", file)
    columns = draw(st.sampled_from(["{}", "{entity: entity}", "{state_bytes: time}"]))
    arrivals = f"workload.arrivals={{process: trace, file: {file}, columns: {columns}}}"
    return asked("compare", machine.scenario, "--set", arrivals, "--patterns", "event_notification", *RUN)


def parameters(draw: Draw, machine: Machine) -> Outcome:
    """What a report is given, held against what a notebook declares: refused before any kernel starts."""
    from edasim.report import asked as gate

    file = Path(draw(st.one_of(st.just(str(machine.scenario)), st.sampled_from(HOSTILE))).replace("\x00", ""))
    overrides = draw(st.one_of(st.just({}), st.dictionaries(st.sampled_from(HOSTILE), JUNK, max_size=3), JUNK))
    given_ = {"replications": draw(st.one_of(st.none(), JUNK)), "quick": draw(st.one_of(st.booleans(), JUNK))}
    notebook = ROOT / "notebooks" / "00-start-here.ipynb"
    return called(lambda: gate.gated(notebook, gate.parameters(file, overrides, **given_)) and "gated")


def notebook_file(draw: Draw, machine: Machine) -> Outcome:
    """A spoilt notebook."""
    from edasim.report import asked as gate

    whole = (ROOT / "notebooks" / "00-start-here.ipynb").read_bytes()
    file = machine.file("n.ipynb", draw(st.one_of(spoilt(whole), mutated(json.loads(whole)).map(json.dumps).map(str.encode))))
    return called(lambda: gate.gated(file, {"quick": True}) and "gated")


def results(draw: Draw, machine: Machine) -> Outcome:
    """The results.json of an earlier report, spoilt, read as `edasim report --compare-with` reads it, and compared with a whole one."""
    from edasim.report.drift import Drift, read_results
    from edasim.report.drift_in_words import what_changed

    small = machine.results | {"replicated": machine.results["replicated"][:6], "results": machine.results["results"][:6]}
    changed = st.one_of(mutated(small, 4).map(json.dumps).map(str.encode), spoilt(json.dumps(small).encode()))
    file = machine.file("results.json", draw(changed))

    def compared() -> str:
        drift = Drift(read_results(file), machine.results)
        return f"{what_changed(drift)}{drift.rows}"

    return called(compared)


OBSERVED: dict[str, Any] = {
    "files": [{"name": "a.csv", "form": "events (CSV)", "rows": 10}],
    "inputs": [
        {"path": "workload.arrivals.rate", "value": 51.2, "low": 48, "high": 55, "unit": "1/s", "source": "a.csv: 10 changes", "seen": 10},
        {
            "path": "workload.state_bytes",
            "value": {"dist": "lognormal", "mean": "2kB", "cv": 0.5},
            "low": "1kB",
            "high": "3kB",
            "unit": "bytes",
        },
        {
            "path": "consumers.billing.handle_time",
            "value": {"dist": "exponential", "mean": "10ms"},
            "low": "5ms",
            "high": "20ms",
            "unit": "s",
        },
    ],
    "incidents": [{"component": "broker", "per_year": 3, "low": 0.6, "high": 8.8, "down": "20min", "seen": 3}],
    "not_found": [],
}


def observations(draw: Draw, machine: Machine) -> Outcome:
    """What `edasim observe` wrote, changed by hand, as the beginning of a scenario."""
    tree = mutated(OBSERVED).map(as_yaml).map(lambda text: text.encode("utf-8", "surrogatepass"))
    file = machine.file("observed.yaml", draw(st.one_of(tree, tree, spoilt(yaml.safe_dump(OBSERVED).encode()))))
    return asked("scenario", "new", "--from", file)


SIGNED: dict[str, Any] = {
    "chosen": "rest",
    "scenario_file": "../tiny.yaml",
    "inputs": TINY,
    "digest": "0",
    "seed": 1,
    "replications": 2,
    "budget": 2,
    "verdicts": [{"requirement": "loss_rate at most 5%", "verdict": "met", "number": "0"}],
}


def record(draw: Draw, machine: Machine) -> Outcome:
    """A decision record with its front matter, markers and signed inputs changed, verified."""
    signed = draw(st.one_of(st.just(SIGNED), mutated(SIGNED)))
    status = draw(st.sampled_from(["accepted", "accepted", "proposed", "superseded by [7](7.md)", "", "\x1b", "{}", "*a", "[" * 200]))
    block = generated("provenance", f"```json\n{json.dumps(signed, indent=1)}\n```")
    text = f"---\nstatus: {status}\n---\n# T\n\n{block}\n".encode()
    shutil.rmtree(folder := machine.folder / "decisions", ignore_errors=True)
    folder.mkdir()
    (folder / "0001-a.md").write_bytes(draw(spoilt(text, 2)) if draw(st.integers(0, 2)) == 0 else text)
    return asked("record", "verify", folder, "--jobs", "1")


def requirements(draw: Draw, machine: Machine) -> Outcome:
    """Lists of requirements, assumptions, incidents and options, checked."""
    changed = {key: draw(mutated(SHOP[key])) for key in draw(st.sampled_from([["requirements"], ["assumptions"], ["options"]]))}
    changed |= (
        {"incidents": draw(mutated([{"name": "x", "component": "broker", "per_year": 2, "down": "1s"}]))} if draw(st.booleans()) else {}
    )
    file = machine.file("r.yaml", as_yaml(TINY | changed))
    shown = asked("scenario", "show", file)
    return shown if shown.code else asked("check", file, *RUN, "--budget", "2")


def cached(draw: Draw, machine: Machine) -> Outcome:
    """A cache whose files were changed: what is not whole is made again, and the result is the same."""
    folder = machine.folder / "cache"
    command = ("compare", machine.scenario, "--patterns", "event_notification", *RUN, "--format", "csv")
    with patch.dict(os.environ, {"EDASIM_CACHE": str(folder)}):
        whole = asked(*command)
        for file in sorted(folder.rglob("*.parquet")):
            file.write_bytes(draw(spoilt(file.read_bytes(), 3)))
        again = asked(*command)
    assert again.out == whole.out
    return again


def journal(draw: Draw, machine: Machine) -> Outcome:
    """The folder of a journal with one of its files spoilt, observed."""
    name = draw(st.sampled_from(sorted(machine.journal)))
    content = machine.journal[name]
    if name == "facts.json" and draw(st.booleans()):
        content = json.dumps(draw(mutated(json.loads(content)))).encode()
    else:
        content = draw(spoilt(content, 3))
    return asked("observe", machine.spoilt_journal(name, content))


EVENTS = "time,key,bytes\n" + "".join(f"2026-01-01T00:00:{i:02d}Z,k{i % 5},{100 + i}\n" for i in range(40))
LINES = "".join(json.dumps({"time": f"2026-01-01T00:00:{i:02d}Z", "key": f"k{i % 5}", "bytes": 10 + i}) + "\n" for i in range(30))
DEBEZIUM = "".join(
    json.dumps({"payload": {"op": "u", "ts_ms": 1767225600000 + i, "before": {"id": 1}, "after": {"id": i % 3}, "source": {"table": "t"}}})
    + "\n"
    for i in range(12)
)
ACCESS = "".join(f'10.0.0.1 - - [01/Jan/2026:00:00:{i:02d} +0000] "GET /orders/{i % 4} HTTP/1.1" 200 {i}12\n' for i in range(30))
INCIDENTS = (
    "start,end,component\n2025-01-01,2025-01-02,broker\n2025-03-01T10:00:00Z,2025-03-01T10:30:00Z,billing\n2025-05-01,2025-05-02,broker\n"
)
PROMETHEUS: dict[str, Any] = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            {
                "metric": {"__name__": "http_requests_total", "method": "GET"},
                "values": [[1767225600 + 60 * i, str(100 * i)] for i in range(9)],
            },
            {
                "metric": {"__name__": "handle_seconds_bucket", "le": "0.1", "consumer": "billing"},
                "values": [[1767225600 + 60 * i, str(50 * i)] for i in range(9)],
            },
        ],
    },
}


def observed_files(draw: Draw, machine: Machine) -> Outcome:
    """Recorded changes and access logs, spoilt."""
    text = draw(st.sampled_from([EVENTS, LINES, DEBEZIUM, ACCESS]))
    content = draw(tables(EVENTS)) if text is EVENTS else draw(spoilt(text.encode(), 6))
    return asked("observe", machine.file("changes.csv", content))


def incidents(draw: Draw, machine: Machine) -> Outcome:
    """Incidents as people write them down, and the time in which they did."""
    watched = draw(
        st.sampled_from([None, "2025-01-01/2025-12-31", "2025-01-01", "/", "a/b", "2025-12-31/2025-01-01", "0001-01-01/9999-12-31"])
    )
    file = machine.file("incidents.csv", draw(tables(INCIDENTS)))
    return asked("observe", file, *([] if watched is None else ["--watched", watched]))


def prometheus(draw: Draw, machine: Machine) -> Outcome:
    """An answer of Prometheus that it would not give."""
    changed = mutated(PROMETHEUS, 4).map(json.dumps).map(str.encode)
    return asked("observe", machine.file("prometheus.json", draw(st.one_of(changed, changed, spoilt(json.dumps(PROMETHEUS).encode())))))


def arguments(draw: Draw, machine: Machine) -> Outcome:
    """Commands with options that they do not have, without what they need, or with values that are not allowed."""
    words = st.one_of(
        st.sampled_from(["compare", "sweep", "check", "choose", "observe", "tipping", "sensitivity", "warmup", "scenario", "record"]),
        st.sampled_from(
            ["show", "new", "verify", "--out", "--set", "--jobs", "--seed", "--format", "--patterns", "--options", "--budget", "-h", "--"]
        ),
        st.sampled_from(
            ["nowhere.yaml", "nowhere/x.csv", ".", "-1", "0", "1e9", "5", "\x1b[31m", "é", "a=b", "", "9" * 30, "broker.kind=log"]
        ),
    )
    return asked(*draw(st.lists(words, min_size=1, max_size=6)))


KINDS: dict[str, tuple[Callable[[Draw, Machine], Outcome], int]] = {  # and how often of 20,000 inputs
    "scenario, keys and values": (scenario_keys, 4500),
    "scenario, text": (scenario_text, 3500),
    "--set, any input": (scenario_defaults, 3500),
    "--set, any text": (set_text, 1500),
    "scenario, simulated": (simulated, 500),
    "requirements, assumptions, options, incidents": (requirements, 600),
    "trace, CSV": (trace, 900),
    "trace, parquet": (trace_parquet, 500),
    "parameters of a report": (parameters, 500),
    "notebook": (notebook_file, 200),
    "results.json": (results, 1000),
    "observed.yaml": (observations, 1000),
    "decision record": (record, 700),
    "cache": (cached, 100),
    "journal": (journal, 600),
    "recorded changes and access logs": (observed_files, 1000),
    "incidents": (incidents, 600),
    "Prometheus": (prometheus, 500),
    "arguments": (arguments, 1000),
}


def fuzz(kind: str, count: int, machine: Machine) -> Counter[int]:
    """Put in *count* inputs of a kind; how many ended with which exit code. Raises AssertionError, or what nobody caught."""
    one, _ = KINDS[kind]
    codes: Counter[int] = Counter()

    @settings(
        max_examples=count, database=None, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        outcome = one(data.draw, machine)
        check(outcome, kind)
        codes[outcome.code] += 1

    with _in_folder(machine.folder), patch.dict(os.environ, {"EDASIM_CACHE": "off"}):
        holds()
    return codes


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def main(arguments_: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a JSON file of how many inputs of which kind were put in")
    parser.add_argument("--share", type=float, default=1.0, help="of the 20,000 inputs")
    parser.add_argument("--kind", action="append", help="only this one; may be repeated")
    told = parser.parse_args(arguments_)
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        for kind in told.kind or KINDS:
            codes = fuzz(kind, round(KINDS[kind][1] * told.share), machine)
            found[kind] = codes.total()
            print(f"{kind}: {found[kind]:,} inputs, exit codes {dict(sorted(codes.items()))}", file=sys.stderr)
    versions = {
        "python": platform.python_version(),
        **{name: version(name) for name in ("edasim", "hypothesis", "numpy", "pandas", "pyyaml")},
    }
    said = {"inputs": sum(found.values()), "by kind": found, "date": date.today().isoformat(), "versions": versions}
    if told.out:
        told.out.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
