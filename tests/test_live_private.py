"""Claims about brokers that we start ourselves: on a port of their own, killed and restarted, and ended without a trace."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import client

from edasim.errors import InputError
from edasim.live import private, servers
from edasim.live.ports import Ports, is_open
from edasim.live.private import Server, start_private
from edasim.scenario import Scenario

psycopg, redis = client("psycopg"), client("redis")
SERVERS = [pytest.param(name, marks=pytest.mark.broker(name), id=name) for name in ("redis-streams", "postgres", "kafka", "rabbitmq")]


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])


def segments() -> list[list[str]]:
    """Key and number of each System V segment of this machine."""
    return [line.split()[:2] for line in Path("/proc/sysvipc/shm").read_text().splitlines()]


def ends(pid: int) -> bool:
    """Whether a process ends within ten seconds; it is not our child, so nobody can wait for it but through its handle."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(private.select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that other users may enter, such as PostgreSQL's: pytest's own are private."""
    with tempfile.TemporaryDirectory(prefix="edasim-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def redis_server() -> Iterator[Server]:
    server = start_private("redis-streams", Scenario())
    yield server
    server.stop()


# Ports


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert is_open(port)
    assert not is_open(port)


def test_two_processes_never_claim_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Ports()
    port = ours.claim()
    asked = f"from edasim.live import ports; ports.FIRST = ports.LAST = {port}; ports.TRIES = 1; print(ports.Ports().claim())"
    other = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert "no free port" in other.stderr
    ours.release()
    again = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert again.stdout.split() == [str(port)]


def test_a_port_on_which_a_stranger_listens_is_never_given() -> None:
    ours = Ports()
    port = ours.claim()
    ours.release()
    with socket.create_server(("127.0.0.1", port)), pytest.MonkeyPatch.context() as patch:
        patch.setattr("edasim.live.ports.FIRST", port)
        patch.setattr("edasim.live.ports.LAST", port)
        patch.setattr("edasim.live.ports.TRIES", 1)
        with pytest.raises(InputError, match="no free port"):
            ours.claim()
    ours.release()


# A server's life


@pytest.mark.parametrize("technology", SERVERS)
def test_a_server_answers_is_killed_comes_back_on_its_port_and_leaves_nothing(technology: str) -> None:
    server = start_private(technology, Scenario())
    port, first = port_of(server.url), server.pid
    assert is_open(port)
    server.kill()
    assert not is_open(port)
    server.restart()
    assert is_open(port)
    assert server.pid not in {first, None}
    second = server.pid
    server.stop()
    server.stop()
    assert not is_open(port)
    assert ends(second or 0)
    assert not server.folder.exists()


@pytest.mark.parametrize("technology", SERVERS)
def test_a_server_ends_with_whoever_started_it_even_by_sigkill(technology: str, folder: Path) -> None:
    code = (
        "import sys; from edasim.live.private import start_private; from edasim.scenario import Scenario\n"
        f"server = start_private({technology!r}, Scenario())\n"
        "print(server.pid, *(company.pid for company in server._company), flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},  # its folder is all that stays
    ) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert pids
        parent.kill()
        parent.wait()
        assert all(ends(pid) for pid in pids)


@pytest.mark.broker("redis-streams")
def test_starts_at_once_get_different_ports() -> None:
    started: list[Server] = []
    done = threading.Event()

    def start() -> None:
        started.append(start_private("redis-streams", Scenario()))
        done.wait()  # a server goes with the thread that started it

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        while len(started) < 4 and any(thread.is_alive() for thread in threads):
            threads[0].join(0.01)
        assert len({server.url for server in started}) == 4
    finally:
        for server in started:
            server.stop()
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.broker("redis-streams")
def test_a_restart_refuses_a_port_that_a_stranger_took(redis_server: Server) -> None:
    redis_server.kill()
    with socket.create_server(("127.0.0.1", port_of(redis_server.url))), pytest.raises(InputError, match="taken by another process"):
        redis_server.restart()


@pytest.mark.broker("redis-streams")
def test_a_killed_server_keeps_what_it_wrote_and_one_that_is_not_durable_nothing(redis_server: Server) -> None:
    forgetful = start_private("redis-streams", Scenario(broker={"durable": False}))
    try:
        for server, kept in ((redis_server, b"1"), (forgetful, None)):
            with redis.Redis.from_url(server.url) as connection:
                connection.set("a", 1)
            server.kill()
            server.restart()
            with redis.Redis.from_url(server.url) as connection:
                assert connection.get("a") == kept
    finally:
        forgetful.stop()


@pytest.mark.broker("redis-streams")
@pytest.mark.parametrize(("interval", "setting"), [(0, "always"), ("1s", "everysec"), ("30s", "no")])
def test_the_sync_interval_of_the_scenario_is_the_nearest_that_redis_has(interval: object, setting: str) -> None:
    server = start_private("redis-streams", Scenario(broker={"fsync_interval": interval}))
    try:
        with redis.Redis.from_url(server.url, decode_responses=True) as connection:
            assert connection.config_get("appendfsync") == {"appendfsync": setting}
    finally:
        server.stop()


@pytest.mark.broker("postgres")
@pytest.mark.parametrize(("interval", "setting"), [(0, "on"), ("1s", "off")])
def test_postgres_waits_for_the_sync_only_where_there_is_no_interval(interval: object, setting: str) -> None:
    server = start_private("postgres", Scenario(broker={"fsync_interval": interval}))
    try:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("show synchronous_commit").fetchone() == (setting,)
    finally:
        server.stop()


@pytest.mark.broker("postgres")
def test_a_killed_postgres_that_is_not_restarted_leaves_no_shared_memory() -> None:
    server = start_private("postgres", Scenario())
    (key, segment) = (server.folder / "data" / "postmaster.pid").read_text().split("\n")[6].split()
    assert [key, segment] in segments()
    server.kill()
    server.stop()
    assert [key, segment] not in segments()


@pytest.mark.broker("redis-streams")
def test_stopping_ends_what_it_started_and_no_other_server(redis_server: Server) -> None:
    other = start_private("redis-streams", Scenario())
    other.kill()
    other.stop()
    assert is_open(port_of(redis_server.url))


# What can't be started


def test_a_missing_program_is_one_line_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.shutil, "which", lambda name, path=None: None)
    with pytest.raises(InputError, match=r"^redis-server is not installed: Debian's redis-server has it$"):
        start_private("redis-streams", Scenario())


def test_an_unknown_technology_is_refused() -> None:
    with pytest.raises(InputError, match="zeromq is nothing that is started here: allowed: rabbitmq"):
        start_private("zeromq", Scenario())


@pytest.mark.broker("redis-streams")
def test_a_server_that_does_not_start_says_its_last_words_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(private.tempfile, "tempdir", str(folder))
    plan = servers.PLANS["redis-streams"]

    def broken(place: Path, claim: servers.Claim, scenario: Scenario) -> servers.Plan:
        good = plan(place, claim, scenario)
        return servers.Plan(good.url, good.port, [*good.command, "--no-such-setting", "1"], good.hello, good.welcome)

    monkeypatch.setitem(servers.PLANS, "redis-streams", broken)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"redis-streams ended while it started: .+"):
        start_private("redis-streams", Scenario())
    assert list(folder.iterdir()) == []


@pytest.mark.broker("postgres")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_a_server_starts_ends_it(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(private.tempfile, "tempdir", str(folder))
    pids: list[int] = []

    def interrupted(server: Server) -> bool:
        pids.append(server.pid or 0)
        signal.raise_signal(signal.SIGINT)
        return False

    monkeypatch.setattr(Server, "_answers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start_private("postgres", Scenario())
    assert ends(pids[0])
    assert list(folder.iterdir()) == []
