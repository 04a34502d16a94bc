"""Publishing to RabbitMQ without waiting: confirmations are told as they come, so arrivals keep their times however long one takes."""

import time
from collections.abc import Callable

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import AMQPError
from pika.frame import Method

from edasim.errors import InputError
from edasim.live.protocol import Down, Target, without_password
from edasim.scenario import Scenario

PATIENCE_S = 5.0  # until a broker that does not answer counts as down
TRANSIENT, PERSISTENT = 1, 2


def parameters(url: str) -> pika.URLParameters:
    """How to connect: at once or not at all, and without heartbeats, which nobody answers who works. Raises InputError for no such url."""
    refusal = InputError(f"--url {without_password(url)} is not allowed: must be like amqp://user:password@host:5672/")
    if not url.startswith(("amqp://", "amqps://")):
        raise refusal
    try:
        found = pika.URLParameters(url)
    except (ValueError, TypeError, KeyError):
        raise refusal from None
    found.heartbeat = 0
    found.connection_attempts = 1
    found.socket_timeout = found.stack_timeout = PATIENCE_S
    return found


class RabbitPublishing:
    """One connection with one channel in confirm mode; a message is persistent where the scenario's broker is durable."""

    def __init__(self, target: Target, scenario: Scenario) -> None:
        self.loads: list[tuple[int, int, int, int]] = []
        self._exchange = target.name("changes")
        mode = PERSISTENT if scenario.broker.durable else TRANSIENT
        self._properties = pika.BasicProperties(delivery_mode=mode)
        self._sent = 0
        self._open: dict[int, int] = {}  # number of a sending on this channel -> change, in order
        self._answered: Callable[[int, bool], None] = lambda change, stored: None
        self._channel: Channel | None = None
        self._lost: str | None = None
        self._loop = IOLoop()
        self._connection = pika.SelectConnection(
            parameters(target.url),
            on_open_callback=self._opened,
            on_open_error_callback=self._closed,
            on_close_callback=self._closed,
            custom_ioloop=self._loop,
        )
        self._serve(PATIENCE_S)
        if self._channel is None:
            self.close()
            raise Down(self._lost or f"no answer within {PATIENCE_S:g} s")

    @property
    def server_version(self) -> str:
        """What the broker says that it is."""
        return str((self._connection.server_properties or {}).get("version", "unknown"))

    def publish(self, change: int, entity: int, body: bytes) -> None:
        """As `Publishing.publish`."""
        if self._lost is not None or self._channel is None:
            raise Down(self._lost or "closed")
        try:
            self._channel.basic_publish(self._exchange, "", body, self._properties)
        except AMQPError as error:
            raise Down(str(error)) from None
        self._sent += 1
        self._open[self._sent] = change
        self._serve(0)

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        """As `Publishing.attend`."""
        self._answered = answered
        self._serve(max(until - time.monotonic_ns(), 0) / 1e9)
        if self._lost is not None:
            raise Down(self._lost)

    def close(self) -> None:
        """As `Publishing.close`."""
        if self._connection.is_open:
            self._connection.close()
        deadline = time.monotonic() + PATIENCE_S
        while not self._connection.is_closed and time.monotonic() < deadline:
            self._run(PATIENCE_S)
        self._run(0)  # the socket is closed one turn of the loop later
        self._loop.close()

    def _serve(self, seconds: float) -> None:
        """Let the network be served for so long, or until the connection opens or breaks; not at all if it is broken."""
        if self._lost is None:
            self._run(seconds)

    def _run(self, seconds: float) -> None:
        timer = self._loop.call_later(seconds, self._loop.stop)
        self._loop.start()
        self._loop.remove_timeout(timer)

    def _opened(self, connection: pika.SelectConnection) -> None:
        connection.channel(on_open_callback=self._confirming)

    def _confirming(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._closed)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._ready(channel))

    def _ready(self, channel: Channel) -> None:
        self._channel = channel
        self._loop.stop()

    def _confirmed(self, frame: Method) -> None:
        """A basic.ack or basic.nack of one sending, or of all up to it."""
        number, stored = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Ack)
        first = next(iter(self._open), number) if frame.method.multiple else number
        for sending in range(first, number + 1):
            change = self._open.pop(sending, None)
            if change is not None:
                self._answered(change, stored)

    def _closed(self, _: object, reason: object) -> None:
        if self._lost is None:
            self._lost = str(reason) or repr(reason)
        self._loop.stop()
