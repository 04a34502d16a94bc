"""A queue of its own for each consumer: its instances compete for the messages, which are kept until they are acknowledged.

An instance has at most `prefetch` messages that it did not acknowledge; instances with room get messages in turn. What comes
back (a crash, a broken connection, `redeliver_after`) takes its old place in the queue. Overflow is asked only when nobody has room.
"""

from collections.abc import Sequence
from dataclasses import replace
from heapq import heappop, heappush, heapreplace

import numpy as np

from edasim.afterwards.found import AtConsumer
from edasim.faults import NEVER
from edasim.journal import LOST_BROKER, LOST_CONSUMER, LOST_OVERFLOW, NONE
from edasim.luck import nanoseconds
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import ARRIVAL, FAULT_ENDS, FAULT_STARTS, Moment
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.instance import Instance, Message
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source

Entry = tuple[int, int, int, int]  # (place in the order of the broker, change, stored, from when on it can be sent)


class Worker(Instance):
    """One instance: its window holds the deliveries that it did not acknowledge yet, by number."""

    group: "QueueGroup"
    settles = True

    def __init__(self, group: "QueueGroup", number: int) -> None:
        super().__init__(group, number)
        self.window: set[int] = set()
        self.handled: list[int] = []  # of the window

    def settle(self, message: Message, now: int) -> None:
        """Acknowledge the message, or so many at once."""
        self.handled.append(message[3])
        if len(self.handled) >= self.group.acknowledge_every:
            done, self.handled = self.handled, []
            self.group.acknowledged(self, done, now)

    def held(self) -> list[Message]:
        """What is in its hand and inbox."""
        return [*([] if self.in_hand is None else [self.in_hand]), *self.inbox]

    def crash(self, now: int) -> None:
        """What it did not acknowledge comes back to the queue; what was acknowledged before it was handled is lost."""
        for message in self.held():
            if self.group.commits_first or message[3] not in self.group.unacknowledged:
                self.group.lose(message[2], LOST_CONSUMER if self.group.commits_first else LOST_BROKER)  # the broker had forgotten it
        self.inbox = []
        self.group.disconnected(self, keeps=set(), now=now)

    def disconnect(self, now: int) -> None:
        """It keeps what it has in hand; the rest comes back to the queue, unless it was acknowledged already."""
        if self.group.commits_first:
            keeps = self.window
        else:
            keeps = set() if self.in_hand is None else {self.in_hand[3]}
            self.inbox = []
        self.group.disconnected(self, keeps, now)

    def reconnect(self, now: int) -> None:
        """It goes on with what it has, and gets more."""
        self.stopped = False
        self.take_next(now)
        self.group.connected(self, now)

    def drop_connection(self) -> set[int]:
        """The broker is gone: what is in hand is finished, though nobody will hear of it; the deliveries that are."""
        if self.in_hand is not None and self.begins > self.clock.now:
            self.put_back()
        if not self.group.commits_first:
            self.inbox = []
        self.window, self.handled = set(), []
        return set() if self.in_hand is None else {self.in_hand[3]}


class QueueGroup(Group):
    """One consumer's queue and the instances that compete for what is in it."""

    def __init__(self, run: Run, number: int, broker: Broker, sources: Sequence[Source], keeps: Copy | Cache | None) -> None:
        super().__init__(run, number, broker, sources, keeps)
        settings, queue = self.settings, run.scenario.broker
        self.stored = run.column(NONE)  # a queue may refuse what another takes
        self.acknowledge_every = settings.commit.messages or 1
        self.unacknowledged: dict[int, tuple[Entry, Worker]] = {}  # by delivery
        self._waiting: list[Entry] = []  # heap
        self._deliveries = 0
        self._most = NEVER if queue.max_length is None else queue.max_length
        self._drops = queue.overflow == "drop_oldest"
        self._after = None if settings.redeliver_after is None else int(nanoseconds(settings.redeliver_after))
        self._came_back: dict[int, int] = {}  # overdue deliveries that somebody still has in work -> their place
        self._done: set[int] = set()  # places of messages acknowledged by one while others have them too: not delivered once more
        self._up = True
        self._ready: dict[Worker, None] = {}  # those with room, in turn
        self.workers = [Worker(self, i) for i in range(settings.instances)]
        self.instances = list(self.workers)
        self._ready = dict.fromkeys(self.workers)
        self.offers = [self.put] * queue.partitions
        for start, end in broker.downtimes.intervals:
            run.clock.at(start, FAULT_STARTS, self._broker_dies)
            run.clock.at(end, FAULT_ENDS, self._broker_is_back)

    def put(self, sequence: int, change: int, partition: int, stored: int, visible: int, now: int) -> bool:
        """The broker has stored a message: whether the queue takes it. Who drops the oldest tells nobody."""
        entry = (sequence, change, stored, stored)
        full = not self._ready and len(self._waiting) >= self._most
        if full and not self._drops:
            return False
        self.again(change, besides=self.stored[change] != NONE)
        if self.stored[change] == NONE:
            self.stored[change] = stored
        if not full:
            heappush(self._waiting, entry)
            self._deliver(now)
        else:
            lost = heapreplace(self._waiting, entry) if self._waiting else entry
            self.lose(lost[1], LOST_OVERFLOW)
        return True

    def _deliver(self, now: int) -> None:
        """Send what waits to who has room, in turn."""
        while self._waiting and self._ready:
            entry = heappop(self._waiting)
            sequence, change, stored, sent = entry
            if sequence in self._done:
                continue
            worker = next(iter(self._ready))
            del self._ready[worker]
            self._deliveries += 1
            worker.window.add(self._deliveries)
            if len(worker.window) < self.settings.prefetch:
                self._ready[worker] = None
            available = max(sent + self.delivery.at(change, self.attempts[change]), now)  # not before it was handed out
            if not self.commits_first:
                self.unacknowledged[self._deliveries] = (entry, worker)
                if self._after is not None:
                    self.run.clock.at(available + self._after, ARRIVAL + change, self._overdue, self._deliveries)
            worker.receive((available, sequence, change, self._deliveries, stored), now)

    def found(self, topic: int, committed: Sequence[int]) -> AtConsumer:
        """As of any group; a message that waited until somebody had room counts as delivered when it could have been there."""
        found = super().found(topic, committed)
        soonest = found.stored + np.array(self.delivery)
        return replace(found, delivered=np.where(found.delivered == NONE, NONE, np.minimum(found.delivered, soonest)))

    def acknowledged(self, worker: Worker, deliveries: list[int], now: int) -> None:
        """These are done with: the worker has room for others."""
        for delivery in deliveries:
            self.unacknowledged.pop(delivery, None)
            if delivery in self._came_back:
                self._done.add(self._came_back.pop(delivery))
        worker.window.difference_update(deliveries)
        self.connected(worker, now)

    def connected(self, worker: Worker, now: int) -> None:
        """The worker may get messages, if it has room."""
        if self._up and not worker.down and len(worker.window) < self.settings.prefetch:
            self._ready.setdefault(worker)
            self._deliver(now)

    def disconnected(self, worker: Worker, keeps: set[int], now: int) -> None:
        """The worker is gone for now: what it did not acknowledge and *keeps* not comes back at once, or so long after its delivery."""
        self._ready.pop(worker, None)
        gone, worker.window, worker.handled = worker.window - keeps, keeps, []
        if self._after is None:
            for delivery in sorted(gone):
                self._come_back(delivery, now)
            self._deliver(now)

    def _come_back(self, delivery: int, sent: int) -> None:
        found = self.unacknowledged.pop(delivery, None)
        if found is not None:
            sequence, change, stored, _ = found[0]
            heappush(self._waiting, (sequence, change, stored, sent))

    def _overdue(self, moment: Moment) -> None:
        """It was delivered so long ago and not acknowledged. Who has it in work all the same has a copy of its own from now on.

        An acknowledgement by any of them ends it: what is in work is finished, nothing more is delivered.
        """
        found = self.unacknowledged.get(moment.subject)
        if found is not None and found[0][0] not in self._done:
            if moment.subject in found[1].window:
                self.again(found[0][1], besides=True)
                self._came_back[moment.subject] = found[0][0]
            self._come_back(moment.subject, moment.time)
            self._deliver(moment.time)

    def _broker_dies(self, moment: Moment) -> None:
        """All connections break. What survives is delivered again; what is in hand is finished besides."""
        self._up = False
        self._ready.clear()
        in_hand = {delivery for worker in self.workers for delivery in worker.drop_connection()}
        back = self.broker.downtimes.up_from(moment.time)
        entries = [(entry, False) for entry in self._waiting]
        entries += [(entry, delivery in in_hand) for delivery, (entry, _) in self.unacknowledged.items()]
        self._waiting, self.unacknowledged, self._came_back = [], {}, {}
        for (sequence, change, stored, sent), worked_on in sorted(entries):
            if self.broker.forgets and self.broker.dies(stored) <= moment.time:
                if not worked_on:
                    self.lose(change, LOST_BROKER)
            else:
                if worked_on:
                    self.again(change, besides=True)
                heappush(self._waiting, (sequence, change, stored, max(sent, back)))

    def _broker_is_back(self, moment: Moment) -> None:
        self._up = True
        for worker in self.workers:
            self.connected(worker, moment.time)
