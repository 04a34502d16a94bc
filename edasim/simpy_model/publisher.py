"""Publishing: how a committed change leaves the source, directly. What a consumer republishes leaves it in the same way."""

from collections.abc import Callable

from edasim.faults import Downtimes
from edasim.journal import LOST_BROKER, LOST_NETWORK, LOST_OVERFLOW, LOST_PUBLISH, NONE
from edasim.luck import nanoseconds
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import ARRIVAL, COMPLETION, Moment
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.run import Run

Request = tuple[
    int, int, int, int
]  # (change, the first of its batch; number of the attempt; when it was sent; tries of this sending before it)
Kept = tuple[int, int, int, int]  # (change, place in the order of the broker, stored, visible)


class Publisher:
    """Sends each committed change at once, and again while no acknowledgement comes in time, from the memory of the source.

    An acknowledgement later than *ack_timeout* counts as none; a refusal is one that says so, and is tried again after the backoff.
    A source that dies while it waits to send (again) loses the message. With `producer.batch` and `linger` messages wait for each
    other and are sent as one: they share the request's luck, and each partition's part is appended at once. An idempotent
    producer's repeat is recognised while the broker still has the message.
    """

    endless = False  # whether it sends until acknowledged

    def __init__(self, run: Run, broker: Broker, groups: list[Group], topic: str = "") -> None:
        settings, network = run.scenario.source.producer, run.scenario.network
        self._clock, self._broker, self._append, self._partition = run.clock, broker, broker.append, broker.partition
        self.attempts = run.column(0)
        self.acknowledged = run.column(NONE)
        self.source_downtimes = Downtimes([])
        self._groups, self._routes = groups, [group.offers for group in groups]
        self._waits_for_all = settings.acks == "all"
        self._blind = settings.acks == 0 and not self.endless  # a relay waits for an acknowledgement all the same
        self._retries = 0 if self._blind else settings.retries
        self._timeout = int(nanoseconds(settings.ack_timeout))
        self._backoff = int(nanoseconds(settings.backoff))
        self._outages = run.faults["network"]
        self._lossy, self._forgetful = network.loss != 0 or bool(self._outages.intervals), network.ack_loss > 0
        self._latency = run.times(f"publish{topic}", network.latency.publish)
        self._loss = run.losses(f"loss{topic}", network.loss)
        self._outage_loss = run.hits(f"outage loss{topic}", network.outages.loss if network.outages else 0.0)
        self._ack_loss = run.hits(f"ack loss{topic}", network.ack_loss)
        self._kept = run.column(0)  # copies that consumers will see
        self._by_queue = run.scenario.broker.kind == "queue"
        self._idempotent = settings.idempotent
        self._answers: dict[int, tuple[int, int]] = {}  # of an idempotent producer: when the message was stored, and visible
        self.batch = settings.batch
        self._linger = int(nanoseconds(settings.linger))
        self._lingering: list[int] = []  # messages that wait for others
        self._first = 0  # when the first of them committed
        self._members: dict[int, list[int]] = {}  # first of a batch -> the whole batch
        self._plain = self.batch == 1 and not self._by_queue and not self._idempotent

    @property
    def on_commit(self) -> Callable[[int, int], object]:
        """What to call with a change and when it commits (the clock may not be there yet)."""
        return self.send if self.batch == 1 else self._linger_from

    def _linger_from(self, change: int, now: int) -> None:
        self._clock.at(now, COMPLETION + change, self._join, change)

    # --- batches

    def _join(self, moment: Moment) -> None:
        change, now = moment.subject, moment.time
        if self._lingering and self._died_since(self._first, now):
            self._forget_lingering()
        self._lingering.append(change)
        if len(self._lingering) == 1:
            self._first = now
            self._clock.at(now + self._linger, ARRIVAL + change, self._lingered, change)
        if len(self._lingering) == self.batch:
            self._flush(now)

    def _lingered(self, moment: Moment) -> None:
        if self._lingering and self._lingering[0] == moment.subject:
            if self._died_since(self._first, moment.time):
                self._forget_lingering()
            else:
                self._flush(moment.time)

    def _died_since(self, then: int, now: int) -> bool:
        return self.source_downtimes.begun(now) > self.source_downtimes.begun(then)

    def _forget_lingering(self) -> None:
        for change in self._lingering:
            self._lose(change, LOST_PUBLISH)
        self._lingering = []

    def _flush(self, now: int) -> None:
        batch, self._lingering = self._lingering, []
        self.send_batch(batch, now, 0)

    def send_batch(self, batch: list[int], now: int, after: int) -> int:
        """Send these as one request; when it arrives, which is not before *after*."""
        if len(batch) > 1:
            self._members[batch[0]] = batch
        else:
            self._members.pop(batch[0], None)
        return self.send(batch[0], now, after=after)

    # --- requests

    def send(self, change: int, now: int, tries: int = 0, after: int = 0) -> int:
        """Send the request then; when it arrives, which is not before *after*."""
        attempt = self.attempts[change]
        self.attempts[change] = attempt + 1
        if self._blind:
            self.acknowledged[change] = now  # it is never told otherwise
        for member in self._members.get(change, ())[1:]:
            self.attempts[member] += 1
            if self._blind:
                self.acknowledged[member] = now
        if not tries and self._idempotent:
            self._answers.pop(change, None)
        if self._lossy and self._lost(change, attempt, now):
            self._unanswered((change, attempt, now, tries), LOST_NETWORK)
            return after
        arrives = now + (self._latency.at(change, attempt) if attempt else self._latency[change])
        if arrives < after:
            arrives = after
        if arrives == self._clock.now:
            self._arrive((change, attempt, now, tries), arrives)
        else:
            self._clock.at(arrives, ARRIVAL + change, self._arrived, (change, attempt, now, tries))
        return arrives

    def _lost(self, change: int, attempt: int, now: int) -> bool:
        """Whether the network loses a request that is sent *now*."""
        return bool((self._outages.is_down(now) and self._outage_loss.at(change, attempt)) or self._loss.at(change, attempt))

    def _arrived(self, moment: Moment) -> None:
        self._arrive(moment.subject, moment.time)

    def _arrive(self, request: Request, now: int) -> None:
        change, attempt, _, _ = request
        if self._plain:
            stored, visible = self._append(change, attempt, now)
            if visible == NONE:
                pass
            elif self.attempts[change] > 1:
                self._offer(change, self._broker.sequence, stored, visible, now)
            else:  # as _offer does, in a hurry
                self._kept[change] = 1
                partition, sequence = self._partition[change], self._broker.sequence
                for offers in self._routes:
                    offers[partition](sequence, change, partition, stored, visible, now)
            self._answer(request, now, visible if self._waits_for_all else stored)
        elif self._idempotent and self._recognised(change, now):
            stored, visible = self._answers[change]
            self._answer(request, now, max(now, visible if self._waits_for_all else stored))
        else:
            self._arrive_batch(request, now)

    def _recognised(self, change: int, now: int) -> bool:
        """Whether the broker still has the message from an earlier try."""
        return change in self._answers and not (self._broker.forgets and self._broker.dies(self._answers[change][0]) <= now)

    def _arrive_batch(self, request: Request, now: int) -> None:
        """Append each partition's part at once. A queue takes a message when it is stored, and may refuse it then."""
        places: dict[int, tuple[int, int]] = {}
        kept: list[Kept] = []
        for change in self._members.get(request[0], request[:1]):
            line = self._partition[change] if self._broker.is_log else 0
            if line not in places:
                places[line] = self._append(change, request[1], now)
            elif places[line][0] != NONE:
                self._broker.keep(change, *places[line])
            kept.append((change, self._broker.sequence, *places[line]))
        if self._by_queue and kept[0][2] > now:
            self._clock.at(kept[0][2], COMPLETION + request[0], self._queued, (request, kept, now))
        else:
            self._hand_over(request, kept, now, now)

    def _queued(self, moment: Moment) -> None:
        request, kept, arrived = moment.subject
        self._hand_over(request, kept, arrived, moment.time)

    def _hand_over(self, request: Request, kept: list[Kept], arrived: int, now: int) -> None:
        taken = [self._offer(*message, now) for message in kept if message[3] != NONE]
        stored, visible = (max(message[side] for message in kept) for side in (2, 3))
        if any(message[3] == NONE for message in kept):  # one part of a batch is all of it
            visible = NONE
        if any(message[2] == NONE for message in kept):
            stored = NONE
        refused = not all(taken)
        if self._idempotent and visible != NONE and not refused:  # what was refused is no repeat when it comes again
            self._answers[request[0]] = stored, visible
        self._answer(request, arrived, visible if self._waits_for_all else stored, refused=refused)

    def _offer(self, change: int, sequence: int, stored: int, visible: int, now: int) -> bool:
        """Hand the message to all groups; whether all of them take it."""
        partition, taken = self._partition[change], []
        again = self.attempts[change] > 1 and not self._by_queue
        for group in self._groups:
            if again:
                group.again(change, besides=self._kept[change] > 0)
            taken.append(group.offers[partition](sequence, change, partition, stored, visible, now))
        self._kept[change] += any(taken)
        return all(taken)

    # --- answers

    def _answer(self, request: Request, arrived: int, answered: int, *, refused: bool = False) -> None:
        change, attempt, sent, _ = request
        back = answered + arrived - sent  # the acknowledgement takes as long as the request
        if self._blind:
            self._settle(change, LOST_OVERFLOW if refused else LOST_BROKER)
        elif answered == NONE or back > sent + self._timeout or (self._forgetful and self._ack_loss.at(change, attempt)):
            self._unanswered(request, LOST_BROKER)
        elif refused:
            self._send_again(request, back + self._backoff, LOST_OVERFLOW)
        else:
            for member in self._members.get(change, (change,)):
                self.acknowledged[member] = back
                if not self._kept[member]:
                    self._lose(member, LOST_BROKER)
            if self.endless:
                self._answered(request, back)

    def _unanswered(self, request: Request, reason: int) -> None:
        self._send_again(request, request[2] + self._timeout + self._backoff, reason)

    def _send_again(self, request: Request, when: int, reason: int) -> None:
        if request[3] < self._retries or self.endless:
            self._clock.at(when, ARRIVAL + request[0], self._retry, request)
        else:
            self._settle(request[0], reason)

    def _retry(self, moment: Moment) -> None:
        change, _, sent, tries = moment.subject
        if not self.endless and self.source_downtimes.next_start(sent) <= moment.time:
            self._settle(change, LOST_PUBLISH)
        else:
            self.send(change, moment.time, tries + 1)

    def _settle(self, change: int, reason: int) -> None:
        """Nothing more will be sent: without a copy in the broker the messages are lost, for the *reason* of the last attempt.

        What some queues took is lost to those that refused it.
        """
        for member in self._members.get(change, (change,)):
            if not self._kept[member]:
                self._lose(member, reason)
            elif self._by_queue:
                for group in self._groups:
                    if group.stored[member] == NONE:
                        group.lose(member, LOST_OVERFLOW)

    def _lose(self, change: int, reason: int) -> None:
        for group in self._groups:
            group.lose(change, reason)

    def _answered(self, request: Request, back: int) -> None:
        """The acknowledgement will be back then."""
