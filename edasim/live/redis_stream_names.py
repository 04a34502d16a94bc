"""The streams and groups of a run on Redis: made, removed, and asked what they hold."""

from typing import Any, cast

import redis

from edasim.errors import InputError
from edasim.live.bodies import change_of
from edasim.live.protocol import Target, without_password
from edasim.live.redis_connection import session
from edasim.scenario import Scenario

GROUP, BODY = "g", b"b"
Entries = list[tuple[bytes, dict[bytes, bytes]]]


def streams_of(target: Target, scenario: Scenario) -> dict[str, str]:
    """The stream that each consumer reads."""
    is_log = scenario.broker.kind == "log"
    return {c.name: target.name("log") if is_log else target.name("queue", str(n)) for n, c in enumerate(scenario.consumers)}


def group_of(consumer: int) -> str:
    return f"{GROUP}{consumer}"


def change_in(fields: dict[bytes, bytes]) -> int:
    return change_of(fields[BODY])


class StreamNames:
    """The streams and groups of a run."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self._target, self._scenario = target, scenario
        self._streams = streams_of(target, scenario)
        self._keys = sorted(set(self._streams.values()))
        self._made = False

    def make(self) -> None:
        """As `Names.make`."""
        with session(self._target.url) as server:
            for key in self._keys:
                if server.exists(key):
                    raise InputError(f"{key} is there already on {without_password(self._target.url)}: nothing was changed")
            self._made = True
            for number, key in enumerate(self._streams.values()):
                server.xgroup_create(key, group_of(number), id="0", mkstream=True)

    def remove(self) -> None:
        """As `Names.remove`."""
        if not self._made:
            return
        with session(self._target.url) as server:
            server.delete(*self._keys)
        self._made = False

    def waiting(self, consumer: str) -> set[int]:
        """As `Names.waiting`: in a queue all that is in its stream, in a log what the group has not acknowledged."""
        with session(self._target.url) as server:
            key = self._streams[consumer]
            entries = cast(Entries, server.xrange(key))
            if self._scenario.broker.kind == "log":
                entries = _not_acknowledged(server, key, group_of(self._scenario.consumer_number(consumer)), entries)
        return {change_in(fields) for _, fields in entries}

    def read_all(self) -> int | None:
        """As `Names.read_all`."""
        if self._scenario.broker.kind != "log":
            return None
        count, last = 0, "-"
        with session(self._target.url) as server:
            while entries := cast(Entries, server.xrange(self._keys[0], last, "+", count=1000)):
                count += len(entries)
                last = f"({entries[-1][0].decode()}"
        return count

    def stored_bytes(self) -> int | None:
        """In memory, as Redis estimates it from all entries."""
        with session(self._target.url) as server:
            return sum(int(cast(Any, server.memory_usage(key, samples=0)) or 0) for key in self._keys)


def _not_acknowledged(server: "redis.Redis", key: str, group: str, entries: Entries) -> Entries:
    """Of all *entries* of a log those that the group has not read, or has read and not acknowledged."""
    read = next(found for found in cast(Any, server.xinfo_groups(key)) if found["name"] == group.encode())["last-delivered-id"]
    pending = {found["message_id"] for found in cast(Any, server.xpending_range(key, group, "-", "+", max(len(entries), 1)))}
    return [(place, fields) for place, fields in entries if place in pending or _place(place) > _place(read)]


def _place(entry: bytes) -> tuple[int, int]:
    milliseconds, sequence = entry.split(b"-")
    return int(milliseconds), int(sequence)
