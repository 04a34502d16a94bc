"""Claims about whole runs on a real broker: paired with the simulation, judged like it, and safe for whoever else uses the broker."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live import client as library
from tiny import merged, value

from edasim import InputError, Journal, Scenario, simulate
from edasim.cli import run as run_cli
from edasim.conservation import check_conservation
from edasim.journal import APPLIED, NONE, OUTCOMES
from edasim.live import measure
from edasim.live.course import Course
from edasim.live.private import Server, start_private
from edasim.live.redis_stream_names import StreamNames
from edasim.luck import Luck

redis = library("redis")
pytestmark = pytest.mark.broker("redis-streams")
STATE = "event_carried_state_transfer"
SHORT: dict[str, Any] = {
    "name": "short",
    "warmup": 0,
    "duration": 2,
    "drain": 2,
    "workload": {"arrivals": {"rate": 100}, "reads": {"rate": 50}, "entities": {"count": 20}},
    "broker": {"preset": "redis-streams"},
    "consumers": [{"name": "billing", "instances": 1, "handle_time": "2ms"}],
}


def short(consumer: dict[str, Any] | None = None, **changes: Any) -> Scenario:
    settings = merged(SHORT, changes)
    return Scenario(**{**settings, "consumers": [{**SHORT["consumers"][0], **(consumer or {})}]})


def outcomes(journal: Journal) -> dict[str, int]:
    codes, counts = np.unique(journal.deliveries["outcome"], return_counts=True)
    return {OUTCOMES[code]: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that is somebody else's: measured with its url."""
    started = start_private("redis-streams", short())
    yield started
    started.stop()


@pytest.fixture(scope="module")
def measured(server: Server) -> Journal:
    return measure(short(), STATE, url=server.url)


# --- paired with the simulation


def test_a_measured_run_has_the_changes_and_reads_of_the_simulated_one(measured: Journal) -> None:
    simulated = simulate(short(), STATE)
    for table, columns in {"changes": ("time", "entity", "version", "bytes", "item"), "reads": ("time", "entity")}.items():
        for column in columns:
            np.testing.assert_array_equal(getattr(measured, table)[column], getattr(simulated, table)[column])


@pytest.mark.slow
def test_a_handling_takes_as_long_as_luck_has_drawn_and_never_less() -> None:
    scenario = short({"handle_time": {"dist": "exponential", "mean": "4ms"}})
    journal = measure(scenario, STATE, start=True)
    drawn = Luck(scenario.seed, 0).times("handle billing", scenario.consumers[0].handle_time, journal.changes["time"].size)
    took = journal.deliveries["applied"] - journal.deliveries["delivered"]
    assert (took >= drawn.values).all()
    assert np.median(took - drawn.values) < 2_000_000  # a sleep is a little longer than asked for


def test_every_message_of_a_quiet_run_is_applied_in_order_of_its_times(measured: Journal) -> None:
    check_conservation(measured)
    assert outcomes(measured) == {"applied": measured.changes["time"].size}
    found = measured.deliveries
    committed = measured.changes["committed"][found["change"]]
    assert (committed <= found["stored"]).all()
    assert (found["stored"] <= found["delivered"]).all()
    assert (found["applied"] - found["delivered"] >= 2_000_000).all()


def test_a_measured_journal_is_read_back_and_says_on_what_it_was_measured(measured: Journal, tmp_path: Path) -> None:
    measured.write(tmp_path / "journal")
    read = Journal.read(tmp_path / "journal")
    assert read.facts == measured.facts
    assert read.facts["engine"] == "measured"
    said = read.facts["measured"]
    assert said["technology"] == "redis-streams"
    assert {"cpu", "cores", "memory_bytes", "os", "date", "versions"} <= set(said)
    assert os.uname().nodename not in str(said)
    assert value(read, "loss_rate") == 0


def test_a_log_is_read_as_a_whole_after_the_run_and_timed(measured: Journal) -> None:
    assert measured.rebuilds["items"].tolist() == [measured.changes["time"].size]
    assert measured.rebuilds["duration"][0] > 0
    assert measured.rebuilds["catch_up"].tolist() == [NONE]  # nobody tried that


@pytest.mark.slow
def test_two_consumers_each_get_everything() -> None:
    consumers = [{"name": name, "instances": 1, "handle_time": 0} for name in ("billing", "mail")]
    for kind in ("log", "queue"):
        scenario = Scenario(**{**merged(SHORT, {"duration": 1, "broker": {"kind": kind}}), "consumers": consumers})
        journal = measure(scenario, STATE, start=True)
        assert outcomes(journal) == {"applied": 2 * journal.changes["time"].size}


# --- faults


def test_a_killed_consumer_handles_again_only_what_it_had_not_acknowledged() -> None:
    scenario = short({"commit": {"messages": 10}, "outages": {"windows": [[0.8, 1.2]]}})
    journal = measure(scenario, STATE, start=True)
    assert outcomes(journal) == {"applied": journal.changes["time"].size}
    assert (journal.deliveries["copies"] - 1).sum() <= 9
    assert (journal.deliveries["attempts"] - 1).sum() <= 10  # the one in hand, too
    (start, end) = (journal.faults[side][0] / 1e9 for side in ("start", "end"))
    assert 0.8 <= start < 1.0
    assert end >= 1.2
    down = (journal.deliveries["applied"] > start * 1e9) & (journal.deliveries["applied"] < 1.2e9)
    assert not down[journal.deliveries["outcome"] == APPLIED].any()


@pytest.mark.slow
def test_a_consumer_that_is_asked_to_stop_handles_nothing_twice() -> None:
    scenario = short({"commit": {"messages": 10}, "outages": {"windows": [[0.8, 1.2]], "on_restart": "resume"}})
    journal = measure(scenario, STATE, start=True)
    assert outcomes(journal) == {"applied": journal.changes["time"].size}
    assert (journal.deliveries["attempts"] == 1).all()


@pytest.mark.slow
def test_who_acknowledges_first_loses_what_it_had_taken_when_it_is_killed() -> None:
    scenario = short({"commit": {"messages": 50, "when": "before"}, "handle_time": "20ms", "outages": {"windows": [[1, 1.5]]}}, drain=5)
    journal = measure(scenario, STATE, start=True)
    found = outcomes(journal)
    assert set(found) == {"applied", "lost_consumer"}
    assert 1 <= found["lost_consumer"] <= 50
    assert (journal.deliveries["attempts"] <= 1).all()


@pytest.mark.slow
def test_a_subscriber_misses_what_is_published_while_it_is_away() -> None:
    scenario = short({"outages": {"windows": [[0.8, 1.2]]}}, broker={"preset": "redis-pubsub"})
    journal = measure(scenario, STATE, start=True)
    found = journal.deliveries
    start, end = journal.faults["start"][0], journal.faults["end"][0]
    missed = OUTCOMES.index("lost_disconnected")
    passed = (found["stored"] > start) & (found["stored"] < 1.2e9)
    assert passed.sum() > 20
    assert (found["outcome"][passed] == missed).all()
    lost = found["outcome"] == missed
    assert (found["stored"][lost] <= end).all()
    assert set(outcomes(journal)) <= {"applied", "lost_disconnected", "lost_consumer"}


@pytest.mark.slow
def test_what_a_slow_subscriber_has_not_come_to_when_the_run_is_over_is_in_flight_and_not_lost() -> None:
    scenario = short({"handle_time": "20ms"}, broker={"preset": "redis-pubsub"}, duration=1, drain="500ms")
    journal = measure(scenario, STATE, start=True)
    assert set(outcomes(journal)) == {"applied", "in_flight"}
    assert outcomes(journal)["in_flight"] > 10


@pytest.mark.slow
def test_a_killed_broker_keeps_what_it_had_confirmed_and_what_is_tried_again_comes_late() -> None:
    scenario = short(broker={"outages": {"windows": [[0.8, 1.1]]}}, source={"producer": {"ack_timeout": "500ms"}}, drain=4)
    journal = measure(scenario, STATE, start=True)
    assert outcomes(journal) == {"applied": journal.changes["time"].size}
    struck = (journal.changes["time"] > 0.85e9) & (journal.changes["time"] < 1.05e9)
    assert struck.sum() > 5
    assert (journal.changes["publish_attempts"][struck] > 1).all()
    assert value(journal, "recovery_time") > 0


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_the_broker_is_down_ends_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[bool] = []
    kill, restart = Server.kill, Server.restart

    def killed(self: Server) -> None:
        kill(self)
        restarted.clear()
        signal.raise_signal(signal.SIGINT)

    def noted(self: Server) -> None:
        restarted.append(True)
        restart(self)

    monkeypatch.setattr(Server, "kill", killed)
    monkeypatch.setattr(Server, "restart", noted)
    with pytest.raises(KeyboardInterrupt):
        measure(short(broker={"outages": {"windows": [[0.5, 30]]}}, drain=40), STATE, start=True)
    assert restarted == []


@pytest.mark.slow
def test_who_sends_once_loses_what_meets_no_broker() -> None:
    scenario = short(broker={"outages": {"windows": [[0.8, 1.1]]}}, source={"producer": {"acks": 0}})
    journal = measure(scenario, STATE, start=True)
    lost = journal.deliveries["outcome"] == OUTCOMES.index("lost_broker")
    times = journal.changes["time"][journal.deliveries["change"][lost]]
    assert lost.sum() > 10
    assert times.min() > 0.7e9
    assert set(outcomes(journal)) == {"applied", "lost_broker"}


@pytest.mark.slow
def test_a_bounded_queue_drops_its_oldest_and_tells_nobody() -> None:
    scenario = short({"handle_time": "20ms"}, broker={"kind": "queue", "max_length": 5})
    journal = measure(scenario, STATE, start=True)
    found = outcomes(journal)
    assert found["lost_overflow"] > 50
    assert (journal.changes["acknowledged"] != NONE).all()
    assert value(journal, "backlog_max") <= 6  # the bound, and the one that is being handled when another takes its place


@pytest.mark.slow
def test_a_log_that_keeps_a_message_for_too_short_a_time_loses_it() -> None:
    scenario = short({"outages": {"windows": [[0.5, 1.5]]}}, broker={"retention": "300ms"})
    journal = measure(scenario, STATE, start=True)
    lost = journal.deliveries["outcome"] == OUTCOMES.index("lost_retention")
    assert lost.sum() > 30
    assert set(outcomes(journal)) == {"applied", "lost_retention"}


@pytest.mark.slow
def test_a_dead_instances_messages_are_claimed_by_another_after_redeliver_after() -> None:
    settings = {
        "instances": 2,
        "prefetch": 5,
        "redeliver_after": "500ms",
        "handle_time": "15ms",
        "outages": {"windows": [[0.8, 1.6]], "rolling": True},
    }
    journal = measure(short(settings, broker={"kind": "queue"}, drain=5), STATE, start=True)
    assert outcomes(journal) == {"applied": journal.changes["time"].size}
    assert (journal.deliveries["attempts"] > 1).sum() >= 1
    assert [journal.facts["components"]["faults"][code] for code in journal.faults["component"]] == ["billing 0", "billing 1"]


# --- safety


def test_a_run_touches_nothing_but_its_own_names_and_leaves_none(server: Server) -> None:
    client = redis.Redis.from_url(server.url)
    client.set("foreign", "value")
    client.xadd("edasim-foreign", {"a": "b"})
    client.xgroup_create("edasim-foreign", "g0", "0")
    before = {key: client.dump(key) for key in client.scan_iter()}
    measure(short(duration=0.5), STATE, url=server.url)
    assert {key: client.dump(key) for key in client.scan_iter()} == before
    client.flushall()
    client.close()


def test_names_are_gone_and_processes_ended_when_something_goes_wrong(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Course, *_: object) -> None:
        raise RuntimeError("wrong")

    monkeypatch.setattr(Course, "_publish", wrong)
    with pytest.raises(RuntimeError, match="wrong"):
        measure(short(), STATE, url=server.url)
    client = redis.Redis.from_url(server.url)
    assert client.keys() == []
    assert len(client.client_list()) == 1  # this one
    client.close()


def test_what_was_made_before_the_broker_refused_the_rest_is_removed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    create = redis.Redis.xgroup_create

    def refused(self: Any, key: str, group: str, **settings: Any) -> None:
        if group != "g0":
            raise redis.ResponseError("no more groups")
        create(self, key, group, **settings)

    monkeypatch.setattr(redis.Redis, "xgroup_create", refused)
    two = Scenario(**{**merged(SHORT, {}), "consumers": [{"name": "billing", "instances": 1}, {"name": "search", "instances": 1}]})
    with pytest.raises(InputError, match="does not allow it: no more groups"):
        measure(two, STATE, url=server.url)
    client = redis.Redis.from_url(server.url)
    assert client.keys() == []
    client.close()


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_names_are_removed_waits_until_they_are(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = StreamNames.remove

    def interrupted(self: StreamNames) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.1)  # time for the interrupt to come
        remove(self)

    monkeypatch.setattr(StreamNames, "remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure(short(duration=0.5), STATE, url=server.url)
    client = redis.Redis.from_url(server.url)
    assert client.keys() == []
    client.close()


def test_names_that_are_there_already_are_refused_and_nothing_is_changed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.live.measuring.secrets.token_hex", lambda count: "taken")
    client = redis.Redis.from_url(server.url)
    client.xadd("edasim-taken-log", {"a": "b"})
    before = client.dump("edasim-taken-log")
    with pytest.raises(InputError, match="edasim-taken-log is there already"):
        measure(short(), STATE, url=server.url)
    assert client.dump("edasim-taken-log") == before
    client.flushall()
    client.close()


def test_a_broker_at_a_url_is_never_killed(server: Server) -> None:
    pid = server.pid
    with pytest.raises(InputError, match="--url is never killed"):
        measure(short(broker={"outages": {"windows": [[1, 2]]}}), STATE, url=server.url)
    assert server.pid == pid


def test_an_outage_that_nobody_planned_is_told_in_the_journals_notes(server: Server) -> None:
    scenario = short(source={"producer": {"retries": 5, "ack_timeout": 0.2}})
    with ThreadPoolExecutor() as pool:
        running = pool.submit(measure, scenario, STATE, url=server.url)
        watch = redis.Redis.from_url(server.url)
        while not any(watch.xlen(key) for key in watch.scan_iter("edasim-*-log*")):
            assert not running.done(), "it ended before it published"
        watch.client_kill_filter(_type="normal", skipme=True)
        journal = running.result()
    watch.close()
    assert any("lost in none of the scenario's outages: 1." in note for note in journal.facts["notes"])


# --- the command line


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    file = tmp_path / "short.yaml"
    file.write_text(short(duration=1).as_yaml(), encoding="utf-8")
    return file


def test_the_command_prints_both_sides_and_leaves_a_whole_journal(
    server: Server, scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = scenario_file.with_name("journal")
    assert run_cli(["measure", str(scenario_file), "--pattern", STATE, "--url", server.url, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert {"measured", "simulated", "loss_rate", "latency_mean"} <= set(printed.out.split())
    assert "measuring in real time" in printed.err
    assert Journal.read(out).facts["option"] == STATE
    assert [path.name for path in scenario_file.parent.iterdir() if path.name.endswith(".part")] == []


def test_what_is_refused_is_one_line_before_anything_starts(
    server: Server, scenario_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    good = ["measure", str(scenario_file), "--pattern", STATE]
    for arguments, said in (
        ([*good, "--out", str(tmp_path / "a")], "say which broker: --url of one that runs or --start"),
        ([*good, "--url", server.url, "--start", "--out", str(tmp_path / "a")], "say which broker"),
        (["measure", str(scenario_file), "--start", "--out", str(tmp_path / "a")], "say what to measure"),
        ([*good, "--start", "--out", str(tmp_path / "full")], "must be a folder that is not there yet"),
        ([*good, "--url", "redis://127.0.0.1:1/0", "--out", str(tmp_path / "a")], "can't be reached"),
        ([*good, "--url", "nonsense", "--out", str(tmp_path / "a")], "must be like redis://host:6379/0"),
        ([*good, "--on", "redis", "--start", "--out", str(tmp_path / "a")], "--on redis can't be measured: allowed: rabbitmq"),
        ([*good, "--start", "--set", "network.loss=0.1", "--out", str(tmp_path / "a")], "--set network.loss=0"),
    ):
        assert run_cli(arguments) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
        assert not (tmp_path / "a").exists()


def test_a_service_that_speaks_another_protocol_is_one_line(
    scenario_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web, ThreadPoolExecutor() as pool:

        def answer() -> None:
            taken, _ = web.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                taken.recv(1024)

        answered = pool.submit(answer)
        url = f"redis://127.0.0.1:{web.getsockname()[1]}/0"
        assert run_cli(["measure", str(scenario_file), "--pattern", STATE, "--url", url, "--out", str(tmp_path / "a")]) == 2
        answered.result()
    assert "can't be reached: Protocol error" in capsys.readouterr().err


def begun(scenario_file: Path, url: str, rest: Path) -> subprocess.Popen[str]:
    """`edasim measure` in a process of its own, whose consumers are connected."""
    command = [sys.executable, "-m", "edasim", "measure", str(scenario_file), "--pattern", STATE, "--url", url, "--out", str(rest)]
    command += ["--set", "duration=60"]
    environment = {**os.environ, "TMPDIR": str(rest.parent)}  # what a killed one leaves is gone with the test
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    client = redis.Redis.from_url(url)
    for _ in range(300):
        groups = [group for key in client.scan_iter() for group in client.xinfo_groups(key)]
        if any(group["consumers"] for group in groups):
            break
        assert process.poll() is None, process.stderr and process.stderr.read()
        select.select([], [], [], 0.1)
    else:
        pytest.fail("no consumer came")
    client.close()
    return process


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ends(handle: int) -> bool:
    """Whether a process ends within ten seconds."""
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


def test_a_run_that_is_told_to_end_leaves_no_names_and_no_processes(server: Server, scenario_file: Path, tmp_path: Path) -> None:
    process = begun(scenario_file, server.url, tmp_path / "j")
    children = [os.pidfd_open(child) for child in children_of(process.pid)]
    assert children
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error.strip().splitlines()[-1] == "edasim: interrupted"
    assert {ends(child) for child in children} == {True}
    client = redis.Redis.from_url(server.url)
    assert client.keys() == []
    client.close()
    assert not (tmp_path / "j").exists()


def test_no_process_survives_the_one_that_began_it(server: Server, scenario_file: Path, tmp_path: Path) -> None:
    process = begun(scenario_file, server.url, tmp_path / "j")
    children = [os.pidfd_open(child) for child in children_of(process.pid)]
    assert children
    process.kill()
    process.communicate(timeout=30)
    assert {ends(child) for child in children} == {True}
    client = redis.Redis.from_url(server.url)
    client.flushall()  # nobody was left to remove them
    client.close()
