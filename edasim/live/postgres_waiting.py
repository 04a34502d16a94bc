"""How a consumer of a table waits for the next row: it is notified, or it asks again after its `poll_interval`."""

import time
from collections.abc import Iterator

from psycopg import sql

from edasim.live.postgres_connection import Connection

WAIT_S = 0.05  # before a signal is looked for; also when a row is looked for that nobody tells of: its lock was given up


class Waiting:
    """The way in which one consumer waits. *connection* is outside any transaction whenever it waits to be notified."""

    def __init__(self, connection: Connection, channel: str, poll_interval_s: float) -> None:
        self._connection, self._interval_s = connection, poll_interval_s
        if not poll_interval_s:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))

    def wait(self) -> Iterator[None]:
        """Wait for a notification or for an interval, with a step at least every 50 ms."""
        if not self._interval_s:
            for _ in self._connection.notifies(timeout=WAIT_S, stop_after=1):
                pass
            yield
            return
        over = time.monotonic() + self._interval_s
        while (left := over - time.monotonic()) > 0:
            time.sleep(min(left, WAIT_S))
            yield
