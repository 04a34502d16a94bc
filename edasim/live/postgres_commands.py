"""Many commands on a few connections of PostgreSQL, none of which is waited for: as a service does that has as many workers.

A command is a generator: it yields a statement with its parameters, is sent the result, and returns whether the change was stored.
Each connection works on one command at a time, and takes its commands in the order in which they came.
"""

import select
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from edasim.live.postgres_connection import connect, down_if_lost
from edasim.live.protocol import Down, Target
from edasim.scenario import Scenario

Statement = tuple[bytes, Sequence[int | bytes]]
Command = Generator[Statement, PGresult, bool]
BINARY = 1


class Worker:
    """One connection, and the commands that wait for it."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self._connection = connect(target, scenario)
        self.socket = self._connection.fileno()
        self._waiting: deque[tuple[int, Command]] = deque()
        self._result: PGresult | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._waiting)

    def give(self, change: int, command: Command) -> None:
        """The command comes after those that it has. Raises Down where the connection is lost."""
        if self._connection.pgconn.status != ConnStatus.OK:
            raise Down("connection lost")
        self._waiting.append((change, command))
        if len(self._waiting) == 1:
            self._send(next(command))

    def serve(self, answered: Callable[[int, bool], None]) -> None:
        """Read what has come; go on with the command, or begin the next one. Raises Down."""
        server = self._connection.pgconn
        with down_if_lost():
            server.consume_input()
        while self._waiting and not server.is_busy():
            result = server.get_result()
            if result is not None:
                self._result = result
            else:
                self._advance(answered)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(self, statement: Statement) -> None:
        text, parameters = statement
        values = [value if isinstance(value, bytes) else str(value).encode() for value in parameters]
        formats = [BINARY if isinstance(value, bytes) else 0 for value in parameters]
        with down_if_lost():
            self._connection.pgconn.send_query_params(text, values, param_formats=formats, result_format=BINARY)

    def _advance(self, answered: Callable[[int, bool], None]) -> None:
        """The statement is over: its result goes to the command."""
        result, self._result = self._result, None
        assert result is not None
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            self._refused(result)
        change, command = self._waiting[0]
        try:
            self._send(command.send(result))
        except StopIteration as end:
            self._waiting.popleft()
            answered(change, bool(end.value))
            if self._waiting:
                self._send(next(self._waiting[0][1]))

    def _refused(self, result: PGresult) -> None:
        said = (result.error_message or b"").decode(errors="replace").strip()
        if self._connection.pgconn.status != ConnStatus.OK or said.startswith("FATAL"):
            raise Down(said)
        raise psycopg.DatabaseError(said)


class Workers:
    """The service: so many workers as `source.servers` has, for which commands wait."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self.loads: list[tuple[int, int, int, int]] = []
        self._workers: list[Worker] = []
        try:
            for _ in range(scenario.source.servers):
                self._workers.append(Worker(target, scenario))
        except BaseException:
            self.close()
            raise

    def give(self, which: int, change: int, command: Command) -> None:
        """A command for one of the workers (of as many as there are, in turn). Raises Down."""
        self._workers[which % len(self._workers)].give(change, command)

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """As `Publishing.attend`."""
        while True:
            left = max(until - time.monotonic_ns(), 0) / 1e9
            busy = {worker.socket: worker for worker in self._workers if worker.is_busy}
            for socket in select.select(list(busy), [], [], left)[0]:
                busy[socket].serve(answered)
            if time.monotonic_ns() >= until:
                return

    def close(self) -> None:
        """As `Publishing.close`."""
        for worker in self._workers:
            worker.close()
