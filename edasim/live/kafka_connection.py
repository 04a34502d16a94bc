"""Connections to what speaks Kafka's protocol: their settings, and how a lost broker is noticed, which the client itself hides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from edasim.errors import InputError
from edasim.live.protocol import Down, without_password

PATIENCE_S = 5.0  # until a broker that does not answer counts as down
LOST = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT)


def settings(url: str) -> dict[str, Any]:
    """What every client is told. Raises InputError for what is no list of hosts and ports."""
    hosts = url.removeprefix("kafka://").split(",")
    if not all(":" in host and "/" not in host and host.rpartition(":")[2].isdigit() for host in hosts):
        raise InputError(f"--url {without_password(url)} is not allowed: must be like host:9092 or host:9092,other:9092")
    return {"bootstrap.servers": ",".join(hosts), "log_level": 0, "socket.nagle.disable": True}


@contextmanager
def down_if_lost() -> Iterator[None]:
    """A broker that does not answer is `Down`. Whatever else it refuses is an error of ours."""
    try:
        yield
    except KafkaException as error:
        if error.args[0].code() not in LOST:
            raise
        raise Down(error.args[0].str()) from None


class Lost:
    """Whether a client has told that its broker is gone; it would try for ever and say nothing."""

    def __init__(self) -> None:
        self._said: str | None = None

    def __call__(self, error: KafkaError) -> None:
        """What the client calls on errors."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._said = error.str()

    def check(self) -> None:
        """Raises Down where it has."""
        if self._said is not None:
            raise Down(self._said)
