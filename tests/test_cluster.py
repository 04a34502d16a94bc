"""Beyond one machine: a real scheduler and two worker processes on loopback; one of them dies on the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from joblib import Parallel, delayed, parallel_config
from tiny import quiet

from edasim import InputError, Scenario, candidates_of, measure, sweep
from edasim.cli import run
from edasim.cluster import on_cluster
from edasim.provenance import version
from edasim.results_cache import ResultsCache
from edasim.runs import Task, look_at

SCENARIO = quiet(workload={"arrivals": {"process": "poisson", "rate": 40}, "reads": {"rate": 20}}, duration=60)
OVER = {"source.servers": [1, 2, 3]}
TWO = ["cqrs", "polling"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    monkeypatch.setenv("EDASIM_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


class Cluster:
    """A scheduler and its workers, ended with the block."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._stack, self._folder = stack, folder
        self._start("scheduler", "--host", "127.0.0.1", "--port", self.address.rsplit(":", 1)[1], "--no-dashboard")
        self.workers = [self._start("worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny") for _ in range(2)]

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:]]
        process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._stack.callback(self._end, process)
        return process

    @staticmethod
    def _end(process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


def alone(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The sweep on this machine, without the cache."""
    with monkeypatch.context() as patch:
        patch.setenv("EDASIM_CACHE", "off")
        return sweep(scenario, OVER, TWO, replications=4, jobs=1)


@pytest.mark.slow
def test_a_cluster_gives_the_same_to_the_byte_and_a_worker_that_dies_loses_nothing(
    cluster: Cluster, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "busy.yaml"
    file.write_text(SCENARIO.as_yaml(), encoding="utf-8")
    asked = [sys.executable, "-c", "from edasim.cli import main; main()", "sweep", str(file), "--over", "source.servers=1,2,3"]
    asked += ["--patterns", ",".join(TWO), "--replications", "4", "--format", "parquet"]
    far = subprocess.Popen([*asked, "--cluster", cluster.address, "--out", "far"], cwd=tmp_path)
    while far.poll() is None and not list(kept.rglob("*.parquet")):
        time.sleep(0.01)
    assert far.poll() is None, "it is under way"
    os.kill(cluster.workers[0].pid, signal.SIGKILL)
    assert far.wait() == 0
    assert len(list(kept.rglob("*.parquet"))) == 24, "each is kept as soon as it is made"
    subprocess.run([*asked, "--out", "near"], cwd=tmp_path, env={**os.environ, "EDASIM_CACHE": "off"}, check=True)
    assert (tmp_path / "far").read_bytes() == (tmp_path / "near").read_bytes()


@pytest.mark.slow
def test_a_script_may_choose_the_cluster_with_joblib(cluster: Cluster, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client

    with Client(cluster.address), parallel_config(backend="dask"):
        found = sweep(SCENARIO, OVER, TWO, replications=4)
    pd.testing.assert_frame_equal(found, alone(SCENARIO, monkeypatch), check_exact=True)


@pytest.mark.slow
def test_results_are_kept_here_where_workers_keep_nothing(cluster: Cluster, kept: Path) -> None:
    tasks = [Task(candidates_of(SCENARIO, ["cqrs"])[0], partial(look_at, look=measure), 1, number) for number in range(2)]
    with on_cluster(cluster.address):
        made = Parallel()(delayed(task.done)(None, version()) for task in tasks)
    for task, (found, said) in zip(tasks, made, strict=True):
        task.keep(found, ResultsCache(kept), said)
        assert task.kept(ResultsCache(kept), said) == found
    assert len(list(kept.rglob("*.parquet"))) == 2


def test_a_scheduler_that_does_not_answer_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "busy.yaml"
    file.write_text(SCENARIO.as_yaml(), encoding="utf-8")
    address = f"tcp://127.0.0.1:{free_port()}"
    for wrong in (address, "nonsense://x", "tcp://"):
        begun = time.monotonic()
        assert run(["sweep", str(file), "--over", "source.servers=1", "--cluster", wrong]) == 2
        assert time.monotonic() - begun < 30
        assert capsys.readouterr().err.startswith(f"edasim: cluster {wrong}: no scheduler answers there")


def test_a_cluster_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'edasim\[cluster\]'"), on_cluster("tcp://127.0.0.1:1"):
        pass
