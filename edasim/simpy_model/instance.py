"""One instance of a consumer group: takes messages one at a time, calls back where it must, crashes and starts again."""

from bisect import bisect_right
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from edasim.journal import NONE, OUTCOMES
from edasim.simpy_model.clock import ARRIVAL, COMPLETION, FAULT_ENDS, FAULT_STARTS, NEVER, Moment
from edasim.simpy_model.source import CALL_BACK

if TYPE_CHECKING:
    from edasim.simpy_model.consumer import Group

Message = tuple[int, int, int, int, int]  # (available, place in the order of the broker, change, partition, stored)
LOST_RETENTION, LOST_DISCONNECTED, LOST_CONSUMER = (OUTCOMES.index(f"lost_{where}") for where in ("retention", "disconnected", "consumer"))


class Instance:
    """One instance: handles the messages of its partitions in the order in which they become available, one at a time.

    The next message is taken in hand as soon as it is known, even if it is still on its way; until it is there, one that
    comes earlier takes its place. So a message costs one event here, the end of its handling.
    """

    def __init__(self, group: "Group", number: int, partitions: range) -> None:
        self.group, self.partitions = group, partitions
        self.clock = group.run.clock
        self.down = False
        self._inbox: list[Message] = []  # heap
        self._in_hand: Message | None = None
        self._begins = 0  # when the message in hand is there
        self._moment = Moment(self.clock, self._handled)  # what the message in hand waits for; any other moment is void
        self._last_end = -NEVER
        self.downtimes = group.run.downtimes(f"{group.settings.name} {number}", group.settings.outages)
        self._commits = group.is_log and bool(self.downtimes.intervals)  # nobody asks for the progress of who never fails
        if self.downtimes.intervals:
            self.clock.process(self._fail())

    def offer(self, sequence: int, change: int, partition: int, stored: int, visible: int, now: int) -> None:
        """The broker has a message that can be fetched from *visible* on. Who is down then fetches it later, or misses it.

        In a log it never comes before its predecessor; *sequence* is its place in the order of the broker.
        """
        group = self.group
        attempt = group.attempts[change]
        available = visible + (group.delivery.at(change, attempt) if attempt else group.delivery[change])
        if group.is_log:
            if self.down:
                return
            if group.broker.fails:
                available += group.broker.downtimes.up_from(visible) - visible
            if available < group.reaches[partition]:
                available = group.reaches[partition]
            else:
                group.reaches[partition] = available
        elif self.downtimes.is_down(visible):
            group.lose(change, LOST_DISCONNECTED)
            return
        message = (available, sequence, change, partition, stored)
        if self._in_hand is None and not self.down:
            self._take(message, now)
        elif self._begins > now and self._in_hand is not None and message < self._in_hand:
            self._put_back()
            self._take(message, now)
        else:
            heappush(self._inbox, message)

    def _take(self, message: Message, now: int) -> None:
        """Take the message in hand; if the log has dropped it by the time it would start, the next one in the inbox."""
        group = self.group
        while True:
            available, _, change, partition, stored = message
            attempt = group.attempts[change]
            begins = available if available > now else now
            ready = self._last_end + (group.handover.at(change, attempt) if attempt else group.handover[change])
            start = ready if ready > begins else begins
            if start <= stored + group.retention:
                break
            group.lose(change, LOST_RETENTION)
            if self._commits:
                group.ends[partition].append(now)
            self._in_hand = None
            if not self._inbox:
                return
            message = heappop(self._inbox)
        group.attempts[change] = attempt + 1
        if not attempt:
            group.delivered[change] = available
        self._in_hand, self._begins = message, begins
        handle = group.handle.at(change, attempt) if attempt else group.handle[change]
        self._moment.happen(start + handle, COMPLETION + change)

    def _put_back(self) -> None:
        """The message in hand was still on its way: it is not in hand yet."""
        assert self._in_hand is not None
        group, change = self.group, self._in_hand[2]
        group.attempts[change] -= 1
        if not group.attempts[change]:
            group.delivered[change] = NONE
        heappush(self._inbox, self._in_hand)
        self._in_hand = None
        self._moment = Moment(self.clock, self._handled)

    def close(self) -> None:
        """The run is over: a message in hand that is still on its way is not there."""
        if self._in_hand is not None and self._begins > self.clock.now:
            self._put_back()

    def _handled(self, moment: Moment) -> None:
        if moment is not self._moment or self._in_hand is None:
            return
        if self.group.may_call and self.group.needs_call(self._in_hand[2]):
            self._call(moment.time)
        else:
            self._end(moment.time, None)

    def _end(self, now: int, fetched: int | None) -> None:
        assert self._in_hand is not None
        group = self.group
        _, _, change, partition, _ = self._in_hand
        if fetched is None:
            group.effect(now, group.entity[change], group.version[change])
        else:
            group.whole(now, group.entity[change], fetched)
        if group.applied[change] == NONE:
            group.applied[change] = now
        else:
            group.repeats[change] += 1
        if self._commits:
            group.ends[partition].append(now)
        self._last_end = now
        self._in_hand = None
        if self._inbox:
            self._take(heappop(self._inbox), now)

    # --- call backs: there, served, back; refused ones are tried again after the backoff until answered

    def _wait(self, time: int, order: int, action: Callable[[Moment], None], subject: int) -> None:
        assert self._in_hand is not None
        self._moment = self.clock.at(time, order + self._in_hand[2], action, subject)

    def _call(self, now: int) -> None:
        assert self._in_hand is not None
        change = self._in_hand[2]
        there = self.group.call_there.at(change, self.group.calls[change])
        self._wait(now + there, ARRIVAL, self._called, now)

    def _called(self, moment: Moment) -> None:
        if moment is not self._moment or self._in_hand is None:
            return
        group, change = self.group, self._in_hand[2]
        call = group.calls[change]
        group.calls[change] += 1
        back = group.call_back.at(change, call)
        answered, ok = group.source.serve(CALL_BACK, moment.subject, group.run.entity[change], group.call_read.at(change, call), back)
        if ok:
            self._wait(answered, COMPLETION, self._answered, answered - back)
        else:
            self._wait(answered + group.call_retry, ARRIVAL, self._call_again, 0)

    def _answered(self, moment: Moment) -> None:
        if moment is not self._moment or self._in_hand is None:
            return
        version = self.group.source.version_at(self.group.run.entity[self._in_hand[2]], moment.subject)  # as of when it was served
        self._moment = Moment(self.clock, self._handled)
        self._end(moment.time, version)

    def _call_again(self, moment: Moment) -> None:
        if moment is self._moment:
            self._call(moment.time)

    # --- outages

    def _fail(self) -> Generator[Moment, None, None]:
        outages = self.group.settings.outages
        assert outages is not None
        for start, end in self.downtimes.intervals:
            yield self.clock.until(start, FAULT_STARTS)
            self.down = True
            if self._in_hand is not None and self._begins > start:
                self._put_back()
            held, left = self._moment, self._moment.time - start
            self._moment = Moment(self.clock, self._handled)
            if outages.on_restart == "redo":
                self._forget(start)
            else:
                self._disconnect(start)
            yield self.clock.until(end, FAULT_ENDS)
            self.down = False
            if self._in_hand is not None:
                assert held.action is not None
                self._wait(end + left, COMPLETION, held.action, held.subject)
            self._reconnect(end)

    def _forget(self, now: int) -> None:
        """The process died: work in hand and waiting is lost, progress is what was committed at the last tick before."""
        group = self.group
        if group.is_log:
            tick = (now - 1) // group.commit_every * group.commit_every
            for partition in self.partitions:
                del group.ends[partition][bisect_right(group.ends[partition], tick) :]
        elif self._in_hand is not None:
            group.lose(self._in_hand[2], LOST_CONSUMER)
        self._in_hand, self._last_end = None, -NEVER
        self._inbox = [] if group.is_log else self._miss(now, LOST_CONSUMER)

    def _miss(self, now: int, received: int | None) -> list[Message]:
        """What is left in the inbox when a pubsub connection breaks: what was on its way is missed, unless the broker has yet to send it.

        What had been *received* is lost for that reason, or kept where it is None.
        """
        left = []
        for message in self._inbox:
            available, _, change, _, stored = message
            if stored > now or (available <= now and received is None):
                left.append(message)
            else:
                self.group.lose(change, LOST_DISCONNECTED if available > now or received is None else received)
        return sorted(left)

    def _disconnect(self, now: int) -> None:
        """The process is paused: it keeps what it has; what was on its way is fetched again, or missed where nothing is kept."""
        self._inbox = sorted(message for message in self._inbox if message[0] <= now) if self.group.is_log else self._miss(now, None)

    def _reconnect(self, now: int) -> None:
        """Fetch from the log what comes after what it has, and go on."""
        group = self.group
        if group.is_log:
            for partition in self.partitions:
                has = len(group.ends[partition]) + sum(message[3] == partition for message in self._inbox)
                has += self._in_hand is not None and self._in_hand[3] == partition
                group.reaches[partition] = 0
                for sequence, change, stored, visible in group.broker.log[partition][has:]:
                    self.offer(sequence, change, partition, stored, max(visible, now), now)
        if self._in_hand is None and self._inbox:
            self._take(heappop(self._inbox), now)
