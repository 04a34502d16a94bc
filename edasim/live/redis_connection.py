"""Redis as both its technologies need it: a connection that sends without waiting for replies, and clients that never try again unasked."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from edasim.errors import InputError
from edasim.live.protocol import Down, without_password

Command = Sequence[str | bytes | int]
PATIENCE = 5.0  # seconds until a server that does not answer at all counts as down


@contextmanager
def down_if_lost() -> Iterator[None]:
    """A lost connection, a server that is still loading its data, or one that speaks another protocol, is `Down`."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse, OSError) as error:
        raise Down(str(error)) from None


def _settings() -> dict[str, Any]:
    """Who is down is told so: no retries, and replies as Redis has always given them."""
    return {"retry": Retry(NoBackoff(), 0), "socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "protocol": 2}


def client(url: str) -> "redis.Redis":
    """A client of the server at *url*, which is asked once whether it is there. Raises Down, or InputError for what is no such url."""
    try:
        made = redis.Redis.from_url(url, **_settings())
    except ValueError as error:
        raise InputError(f"--url {without_password(url)} is not allowed: must be like redis://host:6379/0 ({error})") from None
    with down_if_lost():
        made.ping()
    return made


@contextmanager
def session(url: str) -> Iterator["redis.Redis"]:
    """A client for a few questions. Raises Down, or InputError with what the server says where it does not allow them."""
    try:
        with down_if_lost(), closing(client(url)) as server:
            yield server
    except redis.ResponseError as error:
        raise InputError(f"{without_password(url)} does not allow it: {error}") from None


class Sending:
    """A connection on which each message is some commands, the last of which says whether it was taken; replies are read as they come."""

    def __init__(self, url: str) -> None:
        self._client = client(url)
        with down_if_lost():
            self._connection: Any = self._client.connection_pool.get_connection()
        self._awaited: deque[tuple[int, int]] = deque()  # message, and how many replies are still to come
        self.loads: list[tuple[int, int, int, int]] = []

    def send(self, message: int, commands: Sequence[Command]) -> None:
        """Send the *commands* of a message (negative: nobody wants to know what became of it)."""
        with down_if_lost():
            self._connection.send_packed_command(self._connection.pack_commands(commands))
        self._awaited.append((message, len(commands)))

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """As `Publishing.attend`."""
        while True:
            left = max(until - time.monotonic_ns(), 0) / 1e9
            if not self._awaited:
                time.sleep(left)
                return
            with down_if_lost():
                if not self._connection.can_read(timeout=left):
                    return
                self._reply(answered)

    def _reply(self, answered: Callable[[int, bool], None]) -> None:
        try:
            self._connection.read_response()
            taken = True
        except redis.ConnectionError:
            raise
        except redis.ResponseError:
            taken = False
        message, replies = self._awaited[0]
        if replies > 1:
            self._awaited[0] = message, replies - 1
            return
        self._awaited.popleft()
        if message >= 0:
            answered(message, taken)

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()
        self._client.close()


def versions(url: str) -> dict[str, str]:
    """The server's version and how it syncs to disk, and the client library's version."""
    with session(url) as server:
        try:
            said, disk = server.info("server"), server.config_get("append*")
        except redis.ResponseError:  # a server may forbid it
            said, disk = {}, {}
    kept = {str(name): str(value) for name, value in disk.items() if name in ("appendonly", "appendfsync")}
    return {"redis": str(said.get("redis_version", "unknown")), "redis-py": redis.__version__, **kept}
