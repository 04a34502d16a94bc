"""The source: the service that owns the truth. Writes, reads, call backs and bulk polls share its servers, first come first served."""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from heapq import heapreplace

from edasim.journal import NONE, REQUESTS
from edasim.simpy_model.clock import ARRIVAL, Moment
from edasim.simpy_model.event_store import EventStore
from edasim.simpy_model.faults import Downtimes
from edasim.simpy_model.run import Run

WRITE, READ, CALL_BACK, POLL = range(len(REQUESTS))


class Servers:
    """Several servers behind one queue, first come first served; what is queued or served when they go down is lost."""

    def __init__(self, count: int, downtimes: Downtimes) -> None:
        self._free = [0] * count
        self._downtimes = downtimes
        self._fails = bool(downtimes.intervals)
        self._life = 0

    def admit(self, now: int, service: int) -> tuple[int, bool]:
        """When a request that arrives *now* ends, and whether it is served; arrivals must come in order of time."""
        if self._fails and self._downtimes.begun(now) != self._life:
            self._free, self._life = [0] * len(self._free), self._downtimes.begun(now)
        free = self._free[0]
        done = (free if free > now else now) + service
        heapreplace(self._free, done)
        if self._fails and (crash := self._downtimes.next_start(now)) <= done:
            return crash, False
        return done, True


class Source:
    """Commits changes in order of arrival per entity, and answers requests.

    Its queue is first come first served and its outages are known, so when a write commits is known when it arrives.
    No row locks: a write that finishes before an earlier one of the same entity gives its server back and commits right after it.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.downtimes = run.downtimes("source", run.scenario.source.outages)
        self._fails = bool(self.downtimes.intervals)
        self.servers = Servers(run.scenario.source.servers, self.downtimes)
        self.events = EventStore(run) if run.pattern.truth == "events" else None
        self.version = run.column(NONE)
        self.committed = run.column(NONE)
        self.ended = run.column(NONE)  # when the write committed or failed
        self.service = array("q", run.times("write", run.scenario.source.write_time))  # plus loading, where truth is events
        self._entity = run.entity
        self.arrived = 0  # how many changes have arrived
        self._history: dict[int, list[int]] = {}  # entity -> when each version commits, in order
        self.publish: Callable[[int, int], object] | None = None  # called with a change and when it commits

    def open(self) -> None:
        """From now on every change of the workload arrives at its time."""
        self._arrivals: list[int] = self.run.workload.times.tolist()
        if self._arrivals:
            self.run.clock.at(self._arrivals[0], ARRIVAL, self._arrive, 0)

    def _arrive(self, arrival: Moment) -> None:
        change: int = arrival.subject
        self._write(change, arrival.time)
        self.arrived = change = change + 1
        if change < len(self._arrivals):
            arrival.subject = change
            arrival.happen(self._arrivals[change], ARRIVAL + change)

    def _write(self, change: int, now: int) -> None:
        if self._fails and self.downtimes.is_down(now):
            self.ended[change] = now
            return
        entity = self._entity[change]
        history = self._history.get(entity)
        if history is None:
            history = self._history[entity] = []
        if self.events is not None:
            load = self.events.load(now, entity, bisect_right(history, now), command=True)
            self.service[change] += load
        done, served = self.servers.admit(now, self.service[change])
        if served and history and history[-1] > done:
            done = history[-1]
            crash = self.downtimes.next_start(now)
            done, served = (crash, False) if crash <= done else (done, True)
        self.ended[change] = done
        if served:
            history.append(done)
            self.version[change] = len(history)
            self.committed[change] = done
            if self.publish is not None:
                self.publish(change, done)

    def version_at(self, entity: int, time: int) -> int:
        """The newest version of *entity* that is committed at *time*."""
        return bisect_right(self._history.get(entity, ()), time)

    def serve(self, kind: int, asked: int, entity: int, read_time: int, back: int) -> tuple[int, bool]:
        """Serve a request that arrives now and was *asked* then: when the answer is back (or it failed), and whether there is one.

        A source that is down refuses at once. *entity* NONE asks for everything.
        """
        now = self.run.clock.now
        if self.downtimes.is_down(now):
            self.run.requests.add((asked, kind, now - asked, False, 0, 0))
            return now, False
        if self.events is not None and entity != NONE:
            read_time += self.events.load(now, entity, self.version_at(entity, now), command=False)
        done, served = self.servers.admit(now, read_time)
        back = back if served else 0
        self.run.requests.add((asked, kind, done + back - asked, served, read_time, 0))
        return done + back, served
