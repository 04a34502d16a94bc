"""What the tests of every technology need: messages sent and taken through its adapter, against a private broker."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from edasim.live.protocol import Consuming, Message, Names, Publishing, Target
from edasim.live.technologies import technology
from edasim.scenario import Scenario

SECOND = 1_000_000_000


def client(module: str) -> Any:
    """A client library; where it is missing all tests of the module that asks are skipped, or fail where brokers are required."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        if os.environ.get("EDASIM_REQUIRE_BROKERS") == "1":
            raise
        pytest.skip(f"no broker: {module} is not installed: edasim[brokers] brings it", allow_module_level=True)


def now() -> int:
    return time.monotonic_ns()


def body(change: int, size: int = 40) -> bytes:
    return f"{change} ".encode().ljust(size, b"x")


def publish(connection: Publishing, changes: Iterable[int], patience_s: float = 20) -> dict[int, bool]:
    """Send messages and await each answer: change -> whether it was stored. Those without an answer are not in it."""
    answers: dict[int, bool] = {}
    wanted = list(changes)
    for change in wanted:
        connection.publish(change, change, body(change))
        connection.attend(0, answers.__setitem__)
    deadline = now() + int(patience_s * SECOND)
    while len(answers) < len(wanted) and now() < deadline:
        connection.attend(now() + SECOND // 100, answers.__setitem__)
    return answers


def take(connection: Consuming, count: int, patience_s: float = 20) -> list[Message]:
    """The next messages, in the order in which they come, none of them acknowledged: *count*, or as many as came in time."""
    taken: list[Message] = []
    deadline = now() + int(patience_s * SECOND)
    for messages in connection.messages():
        taken += messages
        if len(taken) >= count or now() > deadline:
            break
    return taken


def handle_all(connection: Consuming, count: int, at_once: int = 1) -> list[Message]:
    """Take *count* messages and acknowledge them, *at_once* at a time."""
    handled: list[Message] = []
    while len(handled) < count and (taken := take(connection, at_once)):
        connection.acknowledge(taken)
        handled += taken
    return handled


def changes(messages: Iterable[Message]) -> list[int]:
    return [message.change for message in messages]


def removed(names: Names) -> None:
    names.remove()
    names.remove()


def target(technology: str, url: str, prefix: str = "edasim-test-", truth: str = "table") -> Target:
    return Target(technology, url, prefix, truth)


def killed_consumer(target: Target, scenario: Scenario, count: int, acknowledged: int) -> list[int]:
    """Start a process that consumes, kill it once it has so many messages and acknowledged so many of them; their changes."""
    asked = json.dumps([dataclasses.asdict(target), scenario.as_mapping(), count, acknowledged])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", "import live; live.consume_for_ever()", asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        taken = process.stdout.readline()
        process.kill()
    return [int(word) for word in taken.split()]


def consume_for_ever() -> None:
    """What `killed_consumer` starts."""
    where, what, count, acknowledged = json.loads(sys.argv[1])
    target, scenario = Target(**where), Scenario(**what)
    connection = technology(target.technology).consuming(target, scenario, 0, 0)
    taken = take(connection, count)
    if acknowledged:
        connection.acknowledge(taken[:acknowledged])
    print(*changes(taken), flush=True)
    time.sleep(60)
