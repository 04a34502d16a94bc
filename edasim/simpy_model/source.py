"""The source: the service that owns the truth. Writes, reads, call backs and bulk polls share its servers, first come first served.

Where it is the one source of several regions, writes of the others are calls to it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from heapq import heapreplace

import numpy as np
from numpy.typing import NDArray

from edasim.faults import NEVER, Downtimes
from edasim.journal import NONE, REQUESTS
from edasim.simpy_model.clock import ARRIVAL, COMMIT, Moment
from edasim.simpy_model.event_store import EventStore
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
        if done > NEVER:
            done = NEVER
        heapreplace(self._free, done)
        if self._fails and (crash := self._downtimes.next_start(now)) <= done:
            return crash, False
        return done, True


class Commits:
    """What became of each change at the source that wrote it: a column each, shared by the sources of all regions."""

    def __init__(self, run: Run) -> None:
        self.version = run.column(NONE)
        self.committed = run.column(NONE)
        self.ended = run.column(NONE)  # when the write committed or failed
        self.write_times = run.times("write", run.scenario.source.write_time)
        # the work of each write; where truth is events it adds up from loads, attempts to append and snapshots
        self.service = run.column(0) if run.pattern.truth == "events" else array("q", self.write_times)


class Source:
    """Commits changes in order of arrival per entity, and answers requests.

    Its queue is first come first served and its outages are known, so when a write of a table commits is known when it arrives. No row
    locks: a write that finishes before an earlier one of the same entity gives its server back and commits right after it.
    Where truth is events, a write is a command under optimistic concurrency: it loads the entity, decides and appends.
    """

    def __init__(self, run: Run, commits: Commits, region: int = 0) -> None:
        self.run = run
        self.downtimes = run.downtimes(f"source {region}" if region else "source", run.scenario.source.outages)
        self._fails = bool(self.downtimes.intervals)
        self.servers = Servers(run.scenario.source.servers, self.downtimes)
        self.events = EventStore(run, region) if run.pattern.truth == "events" else None
        self._write_times = commits.write_times
        self._payload = list(zip(run.workload.items.tolist(), run.workload.quantities.tolist(), strict=True)) if self.events else []
        self.version, self.committed, self.ended, self.service = commits.version, commits.committed, commits.ended, commits.service
        self._entity = run.entity
        self.order: Sequence[int] = range(0)  # the changes that are written here, as they arrive ...
        self.arrived = 0  # ... and how many of them have
        self._history: dict[int, array[int]] = {}  # entity -> when each version commits, in order
        self.publish: Callable[[int, int], object] | None = None  # called with a change and when it commits

    def open(self, changes: NDArray[np.int64]) -> None:
        """From now on these *changes* arrive: each at its time, or a call later if another region sends it here."""
        run, arrivals = self.run, self.run.workload.times[changes]
        self.order = range(run.changes) if changes.size == run.changes else changes.tolist()
        if run.writers == 1 and (abroad := np.flatnonzero(run.workload.regions)).size:
            call = run.scenario.network.latency.call
            arrivals = arrivals.copy()
            arrivals[abroad] += run.luck.times("write there", call, run.changes).values[abroad]
            order = np.argsort(arrivals, kind="stable")
            self.order, arrivals = order.tolist(), arrivals[order]
        self._arrivals = iter(zip(arrivals.tolist(), self.order, strict=True))
        self._await_next(Moment(run.clock, self._arrive))

    def _await_next(self, arrival: Moment) -> None:
        for time, change in self._arrivals:
            arrival.subject = change
            arrival.happen(time, ARRIVAL + change)
            return

    def _arrive(self, arrival: Moment) -> None:
        self.arrived += 1
        self._write(arrival.subject, arrival.time)
        self._await_next(arrival)

    def _write(self, change: int, now: int) -> None:
        if self._fails and self.downtimes.is_down(now):
            self.ended[change] = now
            return
        if self.events is not None:
            self._command(self.events, change, now, 0)
            return
        history = self._stream(self._entity[change])
        done, served = self.servers.admit(now, self.service[change])
        if served and history and history[-1] > done:
            done = history[-1]
            crash = self.downtimes.next_start(now)
            done, served = (crash, False) if crash <= done else (done, True)
        self.ended[change] = done
        if served:
            self._commit(history, change, done)

    def _stream(self, entity: int) -> "array[int]":
        """When each version of *entity* commits; an array that its next commit is added to."""
        history = self._history.get(entity)
        if history is None:
            history = self._history[entity] = array("q")
        return history

    def _commit(self, history: "array[int]", change: int, done: int) -> None:
        history.append(done)
        self.version[change] = len(history)
        self.committed[change] = done
        if self.publish is not None:
            self.publish(change, done)

    def _command(self, store: EventStore, change: int, now: int, attempt: int) -> None:
        """Load the entity, decide, append: it holds one server until then. A snapshot that the load makes due comes after it."""
        entity = self._entity[change]
        version = self.version_at(entity, now)
        load, due = store.load(now, entity, version, command=True)
        work = load + self._write_times[change]
        done, served = self.servers.admit(now, work)
        if not served:
            self.ended[change] = done
            return
        self.service[change] += work
        self.run.clock.at(done, COMMIT + change, self._append, (change, done - work, attempt))
        if due:
            self.service[change] += self._snapshot(store, now, entity, version)

    def _append(self, moment: Moment) -> None:
        """Append unless the entity has changed since it was loaded: then the command is repeated, at the end of the queue, or gives up."""
        (change, loaded, attempt), now = moment.subject, moment.time
        entity, store = self._entity[change], self.events
        assert store is not None
        if self.version_at(entity, now) > self.version_at(entity, loaded):
            gave_up = attempt == self.run.scenario.event_store.conflict_retries
            self.run.conflicts.add((now, change, gave_up))
            if gave_up:
                self.ended[change] = now
            else:
                self._command(store, change, now, attempt + 1)
            return
        self.ended[change] = now
        item, quantity = self._payload[change]
        version = self.version_at(entity, now) + 1
        due = store.append(entity, version, item, quantity)
        self._commit(self._stream(entity), change, now)
        if due:
            self.service[change] += self._snapshot(store, now, entity, version)

    def _snapshot(self, store: EventStore, now: int, entity: int, version: int) -> int:
        """A snapshot is a job of its own for the servers, for which nobody waits: the work it took, none if the source died before."""
        if not self.servers.admit(now, store.writing)[1]:
            return 0
        store.snapshot(now, entity, version)
        return store.writing

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
        due, version = False, 0
        if self.events is not None and entity != NONE:
            version = self.version_at(entity, now)
            load, due = self.events.load(now, entity, version, command=False)
            read_time += load
        done, served = self.servers.admit(now, read_time)
        if due and served and self.events is not None:
            read_time += self._snapshot(self.events, now, entity, version)
        back, work = (back, read_time) if served else (0, 0)
        self.run.requests.add((asked, kind, done + back - asked, served, work, 0))
        return done + back, served
