"""Reading a log: each instance owns partitions, progress belongs to the group, and partitions move when instances come and go.

Instance i of n owns a contiguous range of partitions. When one that others are up beside crashes or is back, the group rebalances:
what is in hand is finished, progress is committed, nothing else is taken for `rebalance`, and then the partitions are
dealt anew over the instances that are up. A group that was down as a whole comes back as it was, without a pause.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence

from edasim.faults import NEVER
from edasim.journal import LOST_CONSUMER
from edasim.luck import nanoseconds
from edasim.partitions import range_assignment
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import FAULT_STARTS, Moment
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.instance import Instance, Message
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source

AFTER_FAULTS = FAULT_STARTS + (1 << 39)  # when all faults of the same moment have ended and started


class LogReader(Instance):
    """Reads its partitions. Progress is committed after handling (every so long, or so many messages), or before, at each poll.

    A poll takes what is available, at most `commit.messages`; committing before means that what a poll took and a crash kept from
    being handled is lost. Nobody asks for the progress of who never fails, so it is noted only where somebody may.
    """

    group: "LogGroup"

    def __init__(self, group: "LogGroup", number: int, partitions: range) -> None:
        super().__init__(group, number)
        self.partitions = partitions
        self.settles = group.may_return
        self._uncommitted = 0
        self._polled, self._poll_left = 0, 0  # when it polled last, and how many messages more that poll may return

    def offer(self, sequence: int, change: int, partition: int, stored: int, visible: int, now: int) -> bool:
        """The log has a message that can be fetched from *visible* on. Who takes nothing now fetches it later.

        A message never comes before its predecessor; *sequence* is its place in the order of the broker.
        """
        if self.stopped:
            return True
        group = self.group
        attempt = group.attempts[change]
        available = visible + (group.delivery.at(change, attempt) if attempt else group.delivery[change])
        if group.broker.fails:
            available += group.broker.downtimes.up_from(visible) - visible
        if available < group.reaches[partition]:
            available = group.reaches[partition]
        else:
            group.reaches[partition] = available
        if self.in_hand is None:
            self._take((available, sequence, change, partition, stored), now)
        else:
            self.receive((available, sequence, change, partition, stored), now)
        return True

    def settle(self, message: Message, now: int) -> None:
        """Note the progress, and commit it when its time has come."""
        group = self.group
        group.ends[message[3]].append(now)
        if group.commit_messages:
            self._uncommitted += 1
            if self._uncommitted >= group.commit_messages:
                self.commit()
        if self.stopped:
            self.commit()
            group.released()

    def commit(self) -> None:
        """Everything handled so far need not be handled again."""
        self._uncommitted = 0
        for partition in self.partitions:
            self.group.committed[partition] = len(self.group.ends[partition])

    def _taken(self, available: int, start: int) -> None:
        if available > self._polled or not self._poll_left:
            self._polled, self._poll_left = start, self.group.commit_messages or NEVER
        self._poll_left -= 1

    def put_back(self) -> None:
        """The message in hand was still on its way: so was the poll that would return it."""
        super().put_back()
        self._poll_left = 0

    def crash(self, now: int) -> None:
        """Each partition returns to its last commit; what was committed before it was handled is lost."""
        group = self.group
        if group.commits_first:
            unhandled = [] if self.in_hand is None else [self.in_hand]
            unhandled += sorted(message for message in self.inbox if message[0] <= self._polled)[: self._poll_left]
            for message in unhandled:
                group.lose(message[2], LOST_CONSUMER)
                group.ends[message[3]].append(now)
        else:
            for partition in self.partitions:
                group.go_back(partition, now)
        self._uncommitted = self._poll_left = 0
        self.inbox = []
        if group.rebalances:
            group.members_changed(now)

    def disconnect(self, now: int) -> None:
        """It keeps what it has; what was on its way is fetched again."""
        self.inbox = sorted(message for message in self.inbox if message[0] <= now)

    def reconnect(self, now: int) -> None:
        """It reads on where it was, or where the group says."""
        if self.group.rebalances:
            self.group.members_changed(now)
        else:
            self.read_on(now)

    def pause(self) -> None:
        """The group rebalances: finish what is in hand, keep nothing else."""
        if self.in_hand is not None and self.begins > self.clock.now:
            self.put_back()
        self.inbox = []
        self.stopped = True
        self.commit()

    def read_on(self, now: int) -> None:
        """Fetch from the log what comes after what it has, and go on."""
        self.stopped = False
        self.take_next(now)  # what it had fetched, and was about to look at when it stopped, comes first
        group = self.group
        for partition in self.partitions:
            has = len(group.ends[partition]) + sum(message[3] == partition for message in self.inbox)
            has += self.in_hand is not None and self.in_hand[3] == partition
            group.reaches[partition] = 0
            for sequence, change, stored, visible in group.broker.log[partition].after(has):
                self.offer(sequence, change, partition, stored, max(visible, now), now)

    def dropped(self, sequence: int, when: int) -> None:
        """The log drops that message then: if it is in hand and would start later, another takes its place."""
        if self.in_hand is not None and self.in_hand[1] == sequence and self.start >= when:
            self.put_back()
            self.take_next(self.clock.now)


class LogGroup(Group):
    """A consumer group of a log: progress per partition, and who reads which."""

    def __init__(self, run: Run, number: int, broker: Broker, sources: Sequence[Source], keeps: Copy | Cache | None) -> None:
        super().__init__(run, number, broker, sources, keeps)
        settings, partitions = self.settings, run.scenario.broker.partitions
        self.ends = [array("q") for _ in range(partitions)]  # when the messages at the head of the log were done with
        self.committed = [0] * partitions  # how many of them, at least
        self.reaches = [0] * partitions  # when the last message delivered of each partition came
        self.may_return = settings.outages is not None
        self.rebalances = settings.outages is not None and settings.outages.on_restart == "redo" and settings.instances > 1
        self.commit_messages = settings.commit.messages or 0
        self._commit_every = int(nanoseconds(settings.commit.every or 0.0))
        owned = range_assignment(partitions, settings.instances)
        self.instances: list[LogReader] = [LogReader(self, i, mine) for i, mine in enumerate(owned)]  # type: ignore[assignment]
        self._owner = [instance for instance in self.instances for _ in instance.partitions]
        self.offers = [instance.offer for instance in self._owner]
        self._members = list(self.instances)
        self._rebalance = int(nanoseconds(settings.rebalance))
        self._changed: Moment | None = None  # the members did: somebody will look
        self._pause: Moment | None = None  # the end of the pause
        broker.on_drop.append(lambda partition, sequence, when: self._owner[partition].dropped(sequence, when))

    def go_back(self, partition: int, now: int) -> None:
        """Forget the progress since the last commit before *now*: at a tick of `every` from time 0, or after so many messages."""
        ends, done = self.ends[partition], self.committed[partition]
        if self._commit_every:
            done = max(done, bisect_right(ends, (now - 1) // self._commit_every * self._commit_every))
        del ends[done:]

    def members_changed(self, now: int) -> None:
        """An instance crashed or is back: look who is up once all faults of this moment have struck."""
        if self._changed is None:
            self._changed = self.run.clock.at(now, AFTER_FAULTS, self._look)

    def _look(self, moment: Moment) -> None:
        self._changed = None
        up = [instance for instance in self.instances if not instance.down]
        if up == self._members and self._pause is None:
            for instance in up:
                if instance.stopped:
                    instance.read_on(moment.time)
        elif up:
            for instance in up:
                instance.pause()
            self._pause = self.run.clock.at(moment.time + self._rebalance, AFTER_FAULTS, self._deal)

    def _deal(self, moment: Moment) -> None:
        if moment is self._pause:
            self.released()

    def released(self) -> None:
        """Deal the partitions anew, if the pause is over and nobody has a message of before in hand."""
        now = self.run.clock.now
        up = [instance for instance in self.instances if not instance.down]
        if self._pause is None or self._pause.time > now or not up or any(instance.in_hand for instance in up):
            return
        self._pause, self._members = None, up
        for instance, mine in zip(up, range_assignment(len(self.ends), len(up)), strict=True):
            instance.partitions = mine
            self._owner[mine.start : mine.stop] = [instance] * len(mine)
        self.offers[:] = [instance.offer for instance in self._owner]
        for instance in up:
            instance.read_on(now)
