"""One instance of a consumer group: handles messages one at a time, tries again, calls back where it must, crashes and restarts."""

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from edasim.faults import NEVER
from edasim.journal import LOST_RETENTION, NONE
from edasim.simpy_model.clock import ARRIVAL, COMPLETION, FAULT_ENDS, FAULT_STARTS, Moment
from edasim.simpy_model.source import CALL_BACK

if TYPE_CHECKING:
    from edasim.simpy_model.consumer import Group

Message = tuple[int, int, int, int, int]  # (available, place in the order of the broker, change, partition or delivery, stored)


class Instance:
    """One instance: handles the messages in its inbox in the order in which they become available, one at a time.

    The next message is taken in hand as soon as it is known, even if it is still on its way; until it is there, one that
    comes earlier takes its place. So a message costs one event here, the end of its handling. A failed attempt is repeated in
    place after the backoff: what comes after it waits.
    """

    settles = False  # whether somebody must be told that a message is done with

    def __init__(self, group: "Group", number: int) -> None:
        self.group = group
        self.clock = group.run.clock
        self.down = False
        self.stopped = False  # takes nothing: it is down, or its group is rebalancing
        self.inbox: list[Message] = []  # heap
        self.in_hand: Message | None = None
        self.begins = 0  # when the message in hand is there ...
        self.start = 0  # ... and when its handling starts, unless the group is plain
        self._attempt = 0  # which handling of the change this is; NONE for a repeat that is put aside
        self._failed_last: Message | None = None
        self._failures = 0  # of that message in a row
        self._moment = Moment(self.clock, self._handled)  # what the message in hand waits for; any other moment is void
        self._last_end = -NEVER
        self._polls_from = 0  # when it polled first in this life
        self.downtimes = group.run.downtimes(f"{group.settings.name} {number}", group.settings.outages, number)
        if self.downtimes.intervals:
            self.clock.process(self._fail())

    def receive(self, message: Message, now: int) -> None:
        """The message is here, or on its way."""
        if self.in_hand is None and not self.stopped:
            self._take(message, now)
        elif self.begins > now and self.in_hand is not None and message < self.in_hand:
            self.put_back()
            self._take(message, now)
        else:
            heappush(self.inbox, message)

    def _take(self, message: Message, now: int) -> None:
        """Take the message in hand; if the broker has lost or dropped it by the time it would start, the next one in the inbox."""
        group = self.group
        while True:
            available, sequence, change, _, stored = message
            attempt = group.attempts[change]
            begins = available if available > now else now
            ready = self._last_end + (group.handover.at(change, attempt) if attempt else group.handover[change])
            start = ready if ready > begins else begins
            if not group.plain:
                if group.poll_interval and start > ready:
                    begins = start = self._wakes(begins, ready)
                if sequence in group.broker.gone and start >= group.broker.gone[sequence][0]:
                    self._let_go(message, group.broker.gone[sequence][1], now)
                    if not self.inbox:
                        return
                    message = heappop(self.inbox)
                    continue
            if start <= stored + group.retention:
                break
            self._let_go(message, LOST_RETENTION, now)
            if not self.inbox:
                return
            message = heappop(self.inbox)
        self.in_hand = message
        self.begins = begins
        if not group.plain:
            self.start = start
            self._taken(available, start)
            if group.knows(change):
                self._attempt = NONE
                self._moment.happen(start, COMPLETION + change)
                return
        group.attempts[change] = attempt + 1
        if not attempt or available < group.delivered[change]:  # of several copies the one that is there first
            group.delivered[change] = available
        self._attempt = attempt
        handle = group.handle.at(change, attempt) if attempt else group.handle[change]
        if group.may_slow:
            handle = group.slowed(handle, start)
        self._moment.happen(start + handle, COMPLETION + change)

    def _wakes(self, begins: int, ready: int) -> int:
        """When it next looks: it found nothing when it was *ready*, and sleeps a poll interval at a time."""
        ready = max(ready, self._polls_from)
        return ready - (ready - begins) // self.group.poll_interval * self.group.poll_interval

    def _let_go(self, message: Message, reason: int, now: int) -> None:
        self.in_hand = None
        self.group.lose(message[2], reason)
        if self.settles:
            self.settle(message, now)

    def _taken(self, available: int, start: int) -> None:
        """A message that became *available* then is taken in hand at *start*."""

    def settle(self, message: Message, now: int) -> None:
        """The message is done with: handled, put aside, parked or gone."""

    def put_back(self) -> None:
        """The message in hand was still on its way: it is not in hand yet."""
        assert self.in_hand is not None
        group, change = self.group, self.in_hand[2]
        if self._attempt != NONE:
            group.attempts[change] -= 1
            if not group.attempts[change]:
                group.delivered[change] = NONE
        heappush(self.inbox, self.in_hand)
        self.in_hand = None
        self._moment = Moment(self.clock, self._handled)

    def take_next(self, now: int) -> None:
        """Take the first message of the inbox in hand, if it may and there is one."""
        if self.in_hand is None and self.inbox and not self.stopped:
            self._take(heappop(self.inbox), now)

    def close(self) -> None:
        """The run is over: a message in hand that is still on its way is not there."""
        if self.in_hand is not None and self.begins > self.clock.now:
            self.put_back()

    def _handled(self, moment: Moment) -> None:
        if moment is not self._moment or self.in_hand is None:
            return
        group, change = self.group, self.in_hand[2]
        if self._attempt != NONE:
            if group.may_fail and group.fails(change, self._attempt, moment.time):
                self._failed(moment.time)
                return
            if group.may_call and group.needs_call(change):
                self._call(moment.time)
                return
            group.apply(change, moment.time, None)
        self._finish(moment.time)

    def _finish(self, now: int) -> None:
        message, self.in_hand, self._last_end = self.in_hand, None, now
        assert message is not None
        if self.inbox:
            self._take(heappop(self.inbox), now)
        if self.settles:
            self.settle(message, now)

    # --- failed attempts

    def _failed(self, now: int) -> None:
        assert self.in_hand is not None
        self._failures = self._failures + 1 if self._failed_last is self.in_hand else 1
        self._failed_last = self.in_hand
        if self.group.settings.dead_letter and self._failures >= self.group.settings.max_attempts:
            self.group.park(self.in_hand[2], now)
            self._finish(now)
        else:
            self._wait(now + self.group.backoff, ARRIVAL, self._try_again, 0)

    def _try_again(self, moment: Moment) -> None:
        if moment is not self._moment or self.in_hand is None:
            return
        group, change = self.group, self.in_hand[2]
        self._attempt = group.attempts[change]
        group.attempts[change] += 1
        handle = group.slowed(group.handle.at(change, self._attempt), moment.time)
        self._wait(moment.time + handle, COMPLETION, self._handled, 0)

    # --- call backs: there, served, back; refused ones are tried again after the backoff until answered

    def _wait(self, time: int, order: int, action: Callable[[Moment], None], subject: int) -> None:
        assert self.in_hand is not None
        self._moment = self.clock.at(time, order + self.in_hand[2], action, subject)

    def _call(self, now: int) -> None:
        assert self.in_hand is not None
        change = self.in_hand[2]
        there = self.group.call_there.at(change, self.group.calls[change])
        self._wait(now + there, ARRIVAL, self._called, now)

    def _called(self, moment: Moment) -> None:
        if moment is not self._moment or self.in_hand is None:
            return
        group, change = self.group, self.in_hand[2]
        call = group.calls[change]
        group.calls[change] += 1
        back = group.call_back.at(change, call)
        entity, service = group.entity[change], group.call_read.at(change, call)
        answered, ok = group.source_of(change).serve(CALL_BACK, moment.subject, entity, service, back)
        if ok:
            self._wait(answered, COMPLETION, self._answered, answered - back)
        else:
            self._wait(answered + group.backoff, ARRIVAL, self._call_again, 0)

    def _answered(self, moment: Moment) -> None:
        if moment is not self._moment or self.in_hand is None:
            return
        change = self.in_hand[2]
        version = self.group.source_of(change).version_at(self.group.run.entity[change], moment.subject)  # as of when it was served
        self._moment = Moment(self.clock, self._handled)
        self.group.apply(change, moment.time, version)
        self._finish(moment.time)

    def _call_again(self, moment: Moment) -> None:
        if moment is self._moment:
            self._call(moment.time)

    # --- outages

    def _fail(self) -> Generator[Moment, None, None]:
        outages = self.group.settings.outages
        assert outages is not None
        for start, end in self.downtimes.intervals:
            yield self.clock.until(start, FAULT_STARTS)
            self.down = self.stopped = True
            if self.in_hand is not None and self.begins > start:
                self.put_back()
            held, left = self._moment, self._moment.time - start
            self._moment = Moment(self.clock, self._handled)
            if outages.on_restart == "redo":
                self.crash(start)
                self.in_hand, self._last_end = None, -NEVER
            else:
                self.disconnect(start)
            yield self.clock.until(end, FAULT_ENDS)
            self.down = False
            self._polls_from = end
            if self.in_hand is not None:
                assert held.action is not None
                self._wait(end + left, COMPLETION, held.action, held.subject)
            self.reconnect(end)

    def crash(self, now: int) -> None:
        """The process died, with what it had in hand and in its inbox."""

    def disconnect(self, now: int) -> None:
        """The process is paused, with what it has in hand."""

    def reconnect(self, now: int) -> None:
        """The process runs again."""
