"""The cache of results under fire: damaged, full, killed, shared, out of date. Whatever happens to it, results are right."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import merged, quiet

from edasim import Candidate, InputError, Journal, Scenario, Value, candidates_of, measure, paired_comparison, results_cache
from edasim.metrics.delivery import delivery, in_window
from edasim.patterns import PRESETS
from edasim.provenance import version
from edasim.results_cache import CacheWarning, ResultsCache, described, usual_cache
from edasim.runs import Task, look_at, over_replications

SMALL = quiet(workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 5}}, duration=10)
SWEEP = [
    "sweep",
    "small.yaml",
    "--over",
    "source.servers=1,2,3",
    "--patterns",
    "cqrs,polling",
    "--replications",
    "4",
    "--format",
    "parquet",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    monkeypatch.setenv("EDASIM_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def found(scenario: Scenario = SMALL, **settings: Any) -> list[Value]:
    """The metrics of one run."""
    return over_replications(candidates_of(scenario, ["cqrs"]), measure, **{"seed": 1, "replications": 1, "jobs": 1, **settings})["cqrs"][0]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# What is kept


def test_what_was_simulated_once_is_not_simulated_again_and_is_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    first = found()
    assert len(files(folder)) == 1
    monkeypatch.setattr("edasim.runs.journal_of", lambda *_: pytest.fail("simulated again"))
    assert found() == first
    assert any(value.around for value in first), "quantile functions too"


def test_whoever_asks_next_gets_what_is_there_and_makes_only_the_rest(folder: Path) -> None:
    paired_comparison(SMALL, ["cqrs"], replications=2, jobs=1)
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    paired_comparison(SMALL, ["polling", "cqrs"], replications=3, jobs=1)
    assert len(files(folder)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_nothing_is_kept_where_the_cache_is_off(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("EDASIM_CACHE", "off")
    assert usual_cache() is None
    found()
    assert not folder.exists()


def changes(journal: Journal) -> int:
    return int(journal.changes["time"].size)


def test_what_is_no_metrics_is_not_kept(folder: Path) -> None:
    over_replications(candidates_of(SMALL, ["cqrs"]), in_window, seed=1, replications=1, jobs=1)
    assert not folder.exists()


class Look:
    """What somebody else looks at: its name says nothing of what it does."""

    def __init__(self, number: float) -> None:
        self.number = number

    def at(self, journal: Journal) -> list[Value]:
        return [Value("mine", self.number, "n")]


def test_what_others_look_at_is_not_kept(folder: Path) -> None:
    for number in (1.0, 2.0):
        looks = over_replications(candidates_of(SMALL, ["cqrs"]), Look(number).at, seed=1, replications=1, jobs=1)
        assert looks["cqrs"][0][0].value == number
    assert described(changes) is None
    assert not folder.exists()


# Names


def key(
    scenario: Scenario, pattern: str = "cqrs", seed: int = 1, replication: int = 0, look: Callable[..., object] = measure
) -> str | None:
    return ResultsCache(Path("nowhere")).key(Candidate("any", PRESETS[pattern], scenario), look, seed, replication)


def leaves(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a scenario with its dotted path; of lists the first item."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(part, list) and part and isinstance(part[0], dict):
        yield from leaves(part[0], f"{path}.0")
    else:
        yield path, part


OTHERS: dict[str, Any] = {  # where no simple value is another one that is allowed
    "workload.arrivals.process": {"workload.arrivals": {"process": "daily"}},
    "workload.entities.popularity": {"workload.entities": {"popularity": "zipf"}},
    "workload.regions.shares": {"workload.regions": 2},
    "workload.reads.per_change": {"workload.reads": {"per_change": 3}},
    "workload.reads.own": {"workload.reads.own": "wait"},
    "source.outages": {"source.outages": {"windows": [[1, 2]]}},
    "source.relay.outages": {"source.relay.outages": {"windows": [[1, 2]]}},
    "source.publish": {"source.publish": "outbox"},
    "source.polling.order": {"source.polling.order": "poisson"},
    "broker.outages": {"broker.outages": {"windows": [[1, 2]]}},
    "broker.compaction": {"broker.compaction": {"min_dirty_ratio": 0.3}},
    "broker.overflow": {"broker.overflow": "drop_oldest"},
    "broker.preset": {"broker.preset": "kafka"},
    "consumers.0.on_notice": {"consumers.billing.on_notice": "react"},
    "consumers.0.on_gap": {"consumers.billing.on_gap": "ignore"},
    "consumers.0.apply": {"consumers.billing.apply": "last_arrival"},
    "consumers.0.outages": {"consumers.billing.outages": {"windows": [[1, 2]]}},
    "event_store.snapshot_on": {"event_store.snapshot_on": "load"},
    "event_store.snapshot_keep": {"event_store.snapshot_keep": "last"},
    "event_store.load.preset": {"event_store.load.preset": "postgres"},
    "event_store.rebuild.preset": {"event_store.rebuild.preset": "sqlite"},
    "network.outages": {"network.outages": {"windows": [[1, 2]]}},
    "consumers.0.slow": {"consumers.billing.slow": {"windows": [[1, 2]]}},
    "consumers.0.poison": {"consumers.billing.poison": [1]},
    "incidents": {"incidents": [{"name": "x", "component": "broker", "per_year": 1, "down": 1}]},
    "options": {"options": [{"name": "x", "pattern": "cqrs"}]},
    "requirements": {"requirements": [{"metric": "loss_rate", "at_most": 0}]},
    "assumptions": {"assumptions": [{"path": "seed", "basis": "guess"}]},
    "already_run": {"already_run": ["kafka"]},
    "prices": {"prices": {"transfer_per_gb": 1}},
}
SKIPPED = {"consumers.0.listens_to"}  # needs a second consumer


def another(path: str, value: Any) -> Scenario | None:
    """The small scenario with some other value there; None if none is found."""
    simple = (not value if isinstance(value, bool) else None, 7, 0.5, "7s", "queue", "all", "before", "uniform", "copy", "notice")
    for overrides in [OTHERS[path]] if path in OTHERS else [{path: other} for other in simple]:
        with suppress(InputError):
            changed = SMALL.with_overrides(overrides)
            if changed.as_mapping() != SMALL.as_mapping():
                return changed
    return None


def test_every_input_that_a_run_depends_on_is_in_the_name_and_no_other() -> None:
    beside = {"name", "question", "seed", "incidents", "options", "requirements", "assumptions", "already_run"}
    skipped = set()
    for path, value in leaves(SMALL.as_mapping()):
        changed = another(path, value)
        if changed is None:
            skipped.add(path)
        else:
            assert (key(changed) == key(SMALL)) == (path.split(".")[0] in beside), path
    assert skipped == SKIPPED


def test_pattern_seed_replication_and_what_is_looked_at_are_in_the_name_and_the_options_name_is_not() -> None:
    names = [key(SMALL), key(SMALL, "polling"), key(SMALL, seed=2), key(SMALL, replication=1), key(SMALL, look=delivery)]
    assert len({*names, None}) == len(names) + 1
    other = Candidate("another", PRESETS["cqrs"], SMALL)
    assert ResultsCache(Path("nowhere")).key(other, measure, 1, 0) == names[0]


def test_the_content_of_a_trace_is_in_the_name(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    scenario = merged({"duration": 10, "warmup": 0}, {"workload": {"arrivals": {"process": "trace", "file": str(trace)}}})
    names = []
    for content in ("time\n1\n2\n", "time\n1\n3\n"):
        trace.write_text(content, encoding="utf-8")
        os.utime(trace, ns=(len(names), len(names)))
        names.append(key(Scenario(**scenario)))
    assert len(set(names)) == 2


def test_another_version_of_the_code_has_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(SMALL)
    monkeypatch.setattr(results_cache, "version", lambda: "changed")
    assert key(SMALL) != before


def test_what_has_no_name_of_its_own_is_not_kept() -> None:
    assert described(lambda journal: [journal]) is None
    assert described(partial(measure, given=[1, 2])) is None
    assert described(partial(measure, given="a")) != described(partial(measure, given="b"))
    assert described(partial(measure, given=(1, "a"))) != described(partial(measure, given=("1", "a")))


def test_numbers_of_numpy_are_kept_too(folder: Path) -> None:
    value, said = Value("loss_rate", np.float64(0.5), "share", trials=np.int64(3)), list[str]()  # type: ignore[arg-type]
    ResultsCache(folder).write("key", [value], said)
    assert ResultsCache(folder).read("key", said) == [value]
    assert not said


def test_a_worker_of_another_version_is_refused() -> None:
    task = Task(candidates_of(SMALL, ["cqrs"])[0], partial(look_at, look=measure), 1, 0)
    with pytest.raises(InputError, match=r"worker on .* runs another version of edasim"):
        task.done(None, {**version(), "code": "another"})


# Damage


def damages(content: bytes) -> Iterator[bytes]:
    """What can happen to a file: cut off, empty, one bit flipped anywhere, something else in its place."""
    yield from (b"", content[: len(content) // 2], content[:-1], b"PAR1", pickle.dumps(os.system))
    for place in range(0, len(content), max(1, len(content) // 150)):
        yield content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


def test_a_damaged_file_is_noticed_or_harmless_and_made_again(folder: Path) -> None:
    first = found()
    (file,) = files(folder)
    content, noticed, tried = file.read_bytes(), 0, 0
    cache = ResultsCache(folder)
    for damaged in damages(content):
        file.write_bytes(damaged)
        said: list[str] = []
        kept = cache.read(file.stem, said)
        assert kept in (None, first), "never wrong numbers"
        assert (kept is None) == bool(said)
        noticed, tried = noticed + (kept is None), tried + 1
    assert noticed > tried / 2
    file.write_bytes(content[:100])
    with pytest.warns(CacheWarning, match="damaged results in .* are made again"):
        assert found() == first
    assert file.read_bytes() == content
    assert found() == first, "without a warning"


def test_the_result_of_another_run_in_its_place_is_noticed(folder: Path) -> None:
    found()
    (file,) = files(folder)
    second = found(seed=2)
    (other,) = set(files(folder)) - {file}
    shutil.copy(file, other)
    with pytest.warns(CacheWarning, match="damaged results"):
        assert found(seed=2) == second


def test_a_folder_in_its_place_is_said_and_the_result_is_right(folder: Path) -> None:
    first = found()
    (file,) = files(folder)
    file.unlink()
    file.mkdir()
    with pytest.warns(CacheWarning) as said:
        assert found() == first
    assert len(said) == 2, [str(warning.message) for warning in said]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_is_said_once_and_results_are_right(jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = paired_comparison(SMALL, ["cqrs"], replications=3, jobs=1)
    (tmp_path / "file").write_text("no folder can be made here", encoding="utf-8")
    monkeypatch.setenv("EDASIM_CACHE", str(tmp_path / "file"))
    with pytest.warns(CacheWarning, match="results can't be kept in") as said:
        found = paired_comparison(SMALL, ["cqrs"], replications=3, jobs=jobs)
    assert found.values == expected.values
    assert len(said) == 1


def test_a_disk_that_fills_up_leaves_nothing_half_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fills_up(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.warns(CacheWarning, match="No space left on device"):
        found()
    assert files(folder) == []


# Killed


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "EDASIM_CACHE": str(folder)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from edasim.cli import main; main()", *arguments]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A scenario of which one run takes a tenth of a second, in a folder of its own."""
    scenario = SMALL.with_overrides({"duration": 60, "workload.arrivals.rate": 40})
    (tmp_path / "small.yaml").write_text(scenario.as_yaml(), encoding="utf-8")
    return tmp_path


def started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The sweep in a session of its own, after it has kept something."""
    kept = len(list(folder.rglob("*.parquet")))
    call = command(*SWEEP, *arguments)
    process = subprocess.Popen(
        call,
        cwd=folder.parent,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it, and so would its children
    )
    while process.poll() is None and len(list(folder.rglob("*.parquet"))) <= kept:
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_repeats_nothing_and_ends_with_the_same_bytes(small: Path, folder: Path) -> None:
    undisturbed = subprocess.run(command(*SWEEP, "--out", "whole.parquet"), cwd=small, env=environment(small / "other"), check=True)
    assert undisturbed.returncode == 0
    kept: dict[Path, int] = {}
    for moment in (0.0, 0.05, 0.2):
        process = started(folder, "--out", "killed.parquet", "--jobs", "2")
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
        assert kept.items() <= now.items(), "what was finished before is as it was"
        kept = now
    assert 3 <= len(kept) < 24
    subprocess.run(command(*SWEEP, "--out", "killed.parquet"), cwd=small, env=environment(folder), check=True)
    finished = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    assert kept.items() <= finished.items()
    assert len(finished) == 24
    assert (small / "killed.parquet").read_bytes() == (small / "whole.parquet").read_bytes()


@pytest.mark.slow
def test_two_sweeps_at_once_on_one_cache_end_with_the_same_bytes(small: Path, folder: Path) -> None:
    both = [subprocess.Popen(command(*SWEEP, "--out", out), cwd=small, env=environment(folder)) for out in ("one", "two")]
    assert [process.wait() for process in both] == [0, 0]
    assert (small / "one").read_bytes() == (small / "two").read_bytes()
    assert len(files(folder)) == 24


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["parent", "everyone"])
def test_ctrl_c_stops_at_once_says_so_in_a_line_and_keeps_what_is_done(whom: str, small: Path, folder: Path) -> None:
    process = started(folder, "--over", "workload.reads.rate=1,2,3,4,5", "--jobs", "2", "--out", "stopped.parquet")
    begun = time.monotonic()
    (os.kill if whom == "parent" else os.killpg)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - begun < 10, "it would take much longer"
    assert (process.returncode, said) == (130, "edasim: interrupted\n")
    kept = len(list(folder.rglob("*.parquet")))
    assert 1 <= kept < 120
    assert not (small / "stopped.parquet").exists()
    assert list(islice(small.glob(".stopped*"), 1)) == []
    assert are_gone(process.pid)


def test_an_interrupt_between_two_results_says_nothing_of_its_own(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Task, "keep", interrupted)  # done by the process that hands out the work, while its workers go on
    with pytest.raises(KeyboardInterrupt):
        found(replications=40, jobs=2)
    assert ([str(warning.message) for warning in recwarn], capfd.readouterr()) == ([], ("", ""))


def are_gone(session: int) -> bool:
    """Whether all processes of the session end soon."""
    for _ in range(100):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
