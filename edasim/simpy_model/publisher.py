"""Publishing: how a committed change leaves the source. Direct, or through a relay that reads what was committed and never loses."""

from collections import deque
from collections.abc import Generator

import simpy

from edasim.journal import NONE, OUTCOMES
from edasim.luck import nanoseconds
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import ARRIVAL, COMPLETION, READ, Moment
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.faults import Downtimes
from edasim.simpy_model.run import Run

LOST_PUBLISH, LOST_NETWORK, LOST_BROKER = (OUTCOMES.index(f"lost_{where}") for where in ("publish", "network", "broker"))


class Publisher:
    """Sends each committed change at once, and again while no acknowledgement comes in time, from the memory of the source.

    An acknowledgement later than *ack_timeout* counts as none. A source that dies while it waits to send again loses the message.
    """

    endless = False  # whether it sends until acknowledged

    def __init__(self, run: Run, broker: Broker, groups: list[Group]) -> None:
        settings, network = run.scenario.source.producer, run.scenario.network
        self._clock, self._broker, self._append, self._partition = run.clock, broker, broker.append, broker.partition
        self.attempts = run.column(0)
        self.acknowledged = run.column(NONE)
        self.source_downtimes = Downtimes([])
        self._groups = groups
        self._waits_for_all = settings.acks == "all"
        self._blind = settings.acks == 0 and not self.endless  # a relay waits for an acknowledgement all the same
        self._retries = 0 if self._blind else settings.retries
        self._timeout = int(nanoseconds(settings.ack_timeout))
        self._backoff = int(nanoseconds(settings.backoff))
        assert isinstance(network.loss, float)
        self._lossy, self._forgetful = network.loss > 0, network.ack_loss > 0
        self._latency = run.times("publish", network.latency.publish)
        self._loss = run.luck.hits("loss", network.loss, run.changes)
        self._ack_loss = run.luck.hits("ack loss", network.ack_loss, run.changes)
        self._kept = run.column(0)  # copies that consumers will see

    def publish(self, change: int, now: int, attempt: int = 0, after: int = 0) -> int:
        """Send the change then (the first time when it commits); when it arrives, which is not before *after*."""
        self.attempts[change] += 1
        if self._blind:
            self.acknowledged[change] = now  # it is never told otherwise
        if self._lossy and self._loss.at(change, attempt):
            self._unanswered(change, attempt, now, LOST_NETWORK)
            return after
        arrives = now + (self._latency.at(change, attempt) if attempt else self._latency[change])
        if arrives < after:
            arrives = after
        if arrives == self._clock.now:
            self._arrive(change, attempt, now, arrives)
        else:
            self._clock.at(arrives, ARRIVAL + change, self._arrived, (change, attempt, now))
        return arrives

    def _arrived(self, moment: Moment) -> None:
        change, attempt, sent = moment.subject
        self._arrive(change, attempt, sent, moment.time)

    def _arrive(self, change: int, attempt: int, sent: int, now: int) -> None:
        stored, visible = self._append(change, attempt, now)
        if visible != NONE:
            self._kept[change] += 1
            partition, sequence = self._partition[change], self._broker.sequence
            for group in self._groups:
                if attempt:
                    group.hope(change)
                group.owner[partition].offer(sequence, change, partition, stored, visible, now)
        answered = visible if self._waits_for_all else stored
        back = answered + now - sent  # the acknowledgement takes as long as the request
        if self._blind:
            self._settle(change, LOST_BROKER)
        elif answered == NONE or back > sent + self._timeout or (self._forgetful and self._ack_loss.at(change, attempt)):
            self._unanswered(change, attempt, sent, LOST_BROKER)
        else:
            self.acknowledged[change] = back
            if not self._kept[change]:
                self._settle(change, LOST_BROKER)
            if self.endless:
                self._answered(change, back)

    def _unanswered(self, change: int, attempt: int, sent: int, reason: int) -> None:
        if attempt < self._retries or self.endless:
            again = sent + self._timeout + self._backoff
            self._clock.at(again, ARRIVAL + change, self._retry, (change, attempt + 1, sent))
        else:
            self._settle(change, reason)

    def _retry(self, moment: Moment) -> None:
        change, attempt, sent = moment.subject
        if not self.endless and self.source_downtimes.next_start(sent) <= moment.time:
            self._settle(change, LOST_PUBLISH)
        else:
            Publisher.publish(self, change, moment.time, attempt)

    def _settle(self, change: int, reason: int) -> None:
        """Nothing more will be sent: without a copy in the broker the message is lost, for the *reason* of the last attempt."""
        if not self._kept[change]:
            for group in self._groups:
                group.lose(change, reason)

    def _answered(self, change: int, back: int) -> None:
        """The acknowledgement will be back then."""


class Relay(Publisher):
    """Reads committed changes in commit order, at multiples of *poll*, at most *batch* at once, and resends until acknowledged.

    Its one connection keeps their order, but for what has to be sent again. It is a process of its own: it goes on while the
    source is down, and takes its next batch when all of the last is acknowledged.
    """

    endless = True

    def __init__(self, run: Run, broker: Broker, groups: list[Group]) -> None:
        super().__init__(run, broker, groups)
        settings = run.scenario.source.relay
        self._poll = int(nanoseconds(settings.poll))
        self._batch = settings.batch
        self._waiting: deque[int] = deque()
        self._unacknowledged = self._last_arrival = 0
        self._wake = simpy.Event(run.clock)
        run.clock.process(self._relay())

    def publish(self, change: int, now: int, attempt: int = 0, after: int = 0) -> int:
        """The change commits then: it will be there at the next poll."""
        self._clock.at(now, COMPLETION + change, self._committed, change)
        return now

    def _committed(self, moment: Moment) -> None:
        self._waiting.append(moment.subject)
        if len(self._waiting) == 1 and not self._unacknowledged:
            self._rearm()

    def _rearm(self) -> None:
        if not self._wake.triggered:
            self._wake.succeed()

    def _relay(self) -> Generator[simpy.Event, None, None]:
        clock, tick = self._clock, -1
        while True:
            if not self._waiting:
                yield self._wake
            self._wake = simpy.Event(clock)
            tick = max(-(-clock.now // self._poll), tick + 1)  # a tick has one batch
            yield clock.until(tick * self._poll, READ)
            batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            self._unacknowledged = len(batch)
            for change in batch:
                self._last_arrival = super().publish(change, clock.now, after=self._last_arrival)
            yield self._wake
            self._wake = simpy.Event(clock)

    def _answered(self, change: int, back: int) -> None:
        self._clock.at(back, COMPLETION + change, self._acknowledge)

    def _acknowledge(self, moment: Moment) -> None:
        self._unacknowledged -= 1
        if not self._unacknowledged:
            self._rearm()
