"""Subscribing: nothing is kept for who is not connected, and a slow subscriber's buffer overflows. An instance has its own partitions."""

from collections.abc import Sequence
from heapq import heapreplace

from edasim.journal import LOST_CONSUMER, LOST_DISCONNECTED, LOST_OVERFLOW
from edasim.partitions import range_assignment
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import ARRIVAL, Moment
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.instance import Instance, Message
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source


class Subscriber(Instance):
    """Gets what passes while it is connected. Where its buffer is bounded, messages wait in it from when they arrive."""

    def offer(self, sequence: int, change: int, partition: int, stored: int, visible: int, now: int) -> bool:
        """A message passes by then. The publisher is not told what becomes of it."""
        group = self.group
        if self.downtimes.is_down(visible):
            group.lose(change, LOST_DISCONNECTED)
            return True
        attempt = group.attempts[change]
        available = visible + (group.delivery.at(change, attempt) if attempt else group.delivery[change])
        message = (available, sequence, change, partition, stored)
        if group.run.scenario.broker.max_length is None:
            self.receive(message, now)
        elif available == now:
            self._buffer(message)
        else:
            self.clock.at(available, ARRIVAL + change, self._arrived, (message, visible))
        return True

    def _arrived(self, moment: Moment) -> None:
        message, passed = moment.subject
        if self.downtimes.begun(moment.time) > self.downtimes.begun(passed):
            self.group.lose(message[2], LOST_DISCONNECTED)
        else:
            self._buffer(message)

    def _buffer(self, message: Message) -> None:
        """Take it in hand if free; else it waits, while there is room, and pushes the oldest out or is lost itself."""
        settings = self.group.run.scenario.broker
        if self.in_hand is not None and len(self.inbox) >= (settings.max_length or 0):
            lost = message
            if settings.overflow == "drop_oldest" and self.inbox:
                lost = heapreplace(self.inbox, message)
            self.group.lose(lost[2], LOST_OVERFLOW)
        else:
            self.receive(message, self.clock.now)

    def crash(self, now: int) -> None:
        """What it had received is lost with it, what was on its way is missed, unless the broker has yet to send it."""
        if self.in_hand is not None:
            self.group.lose(self.in_hand[2], LOST_CONSUMER)
        self._miss(now, LOST_CONSUMER)

    def disconnect(self, now: int) -> None:
        """It keeps what it had received and misses what was on its way."""
        self._miss(now, None)

    def reconnect(self, now: int) -> None:
        """It goes on with what it has."""
        self.stopped = False
        self.take_next(now)

    def _miss(self, now: int, received: int | None) -> None:
        """Lose what is on its way, and what was *received* for that reason, unless that is None: then it is kept."""
        left = []
        for message in sorted(self.inbox):
            available, _, change, _, stored = message
            if stored > now or (available <= now and received is None):
                left.append(message)
            else:
                self.group.lose(change, LOST_DISCONNECTED if available > now or received is None else received)
        self.inbox = left


class SubscriberGroup(Group):
    """One consumer's subscribers, each with its share of the partitions."""

    def __init__(self, run: Run, number: int, broker: Broker, sources: Sequence[Source], keeps: Copy | Cache | None) -> None:
        super().__init__(run, number, broker, sources, keeps)
        self.instances = []
        for i, mine in enumerate(range_assignment(run.scenario.broker.partitions, self.settings.instances)):
            subscriber = Subscriber(self, i)
            self.instances.append(subscriber)
            self.offers += [subscriber.offer] * len(mine)
