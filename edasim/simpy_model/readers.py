"""Who answers reads: the source, a cache, or the consumer's own copy, kept fresh by messages or by polling in bulk.

Reads of a copy or a read model change nothing, so they are answered after the run, from what the copy held (see tables.py).
Reads go on while a consumer's handlers are down.
"""

from collections.abc import Generator

import numpy as np

from edasim.afterwards.found import FRESH, Answers
from edasim.journal import NONE
from edasim.luck import nanoseconds
from edasim.simpy_model.clock import COMPLETION, READ, Moment
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import POLL, Source
from edasim.simpy_model.source import READ as READ_REQUEST


class SourceReads:
    """One consumer's reads that ask the source. An attempt that is not answered within the timeout was not answered.

    It is made again, up to `retries` times, the consumer's `backoff` after it was refused or the timeout was over. A source that was
    too slow has worked for the first attempt all the same. Their luck comes from streams with this *name*.
    """

    def __init__(self, run: Run, number: int, name: str, times: list[int], entities: list[int]) -> None:
        self.run, self.times, self.entities = run, times, entities
        count = len(times)
        call = run.scenario.network.latency.call
        self._there = run.times(f"{name} there", call, count)
        self._back = run.times(f"{name} back", call, count)
        self._service = run.times(name, run.scenario.source.read_time, count)
        self._timeout = int(nanoseconds(run.scenario.workload.reads.timeout))
        self._retries, self._backoff = run.scenario.workload.reads.retries, int(nanoseconds(run.scenario.consumers[number].backoff))
        self._attempts = [0] * count  # made before the one that is under way
        self._asked = list(times)  # when the attempt was made that was answered, or the last one
        self._latency = [NONE] * count  # from the first attempt to the answer

    def _source_of(self, read: int) -> Source:
        """Whom this read asks."""
        raise NotImplementedError

    def _attempt(self, read: int, now: int) -> None:
        attempt = self._attempts[read]
        there = self._there.at(read, attempt)
        self.run.clock.at(now + there, READ, self._arrived, (read, attempt, now))
        if there > self._timeout:
            self._give_up(read, now + self._timeout)

    def _arrived(self, moment: Moment) -> None:
        self._serve(*moment.subject)

    def _serve(self, read: int, attempt: int, asked: int) -> None:
        """The request arrives. It is known at once when its answer will be back."""
        back_takes = self._back.at(read, attempt)
        service = self._service.at(read, attempt)
        back, ok = self._source_of(read).serve(READ_REQUEST, asked, self.entities[read], service, back_takes)
        if ok:
            self._served(read, attempt, back, back - back_takes)
        if ok and back - asked <= self._timeout:
            self._asked[read], self._latency[read] = asked, back - self.times[read]
        elif self.run.clock.now - asked <= self._timeout:  # else it was given up when it was sent
            self._give_up(read, min(back, asked + self._timeout))

    def _served(self, read: int, attempt: int, back: int, served: int) -> None:
        """The answer of this attempt will be *back* then, in time or not, and is as of when it was *served*."""

    def _give_up(self, read: int, now: int) -> None:
        """No answer will come in time: by then that is known, and after the backoff the read is tried again."""
        if self._attempts[read] < self._retries:
            self.run.clock.at(now + self._backoff, READ, self._try_again, read)

    def _try_again(self, moment: Moment) -> None:
        read: int = moment.subject
        self._attempts[read] += 1
        self._asked[read] = moment.time
        self._attempt(read, moment.time)


class Reader(SourceReads):
    """One consumer's usual reads, where the source answers them. Each attempt looks into the cache first, if there is one."""

    def __init__(self, run: Run, number: int, source: Source, cache: Cache | None) -> None:
        self.source, self.cache = source, cache
        name = run.scenario.consumers[number].name
        times, entities = run.workload.reads[name]
        super().__init__(run, number, f"read {name}", times.tolist(), entities.tolist())
        self._ttl = run.times(f"cache ttl {name}", run.scenario.source.cache_ttl, len(self.times))
        self._seen = [FRESH] * len(self.times)  # the version that the cache answered with, if it did

    def answers(self) -> Answers:
        """What its reads were answered with."""
        return Answers(*(np.array(column, dtype=np.int64) for column in (self._asked, self._latency, self._seen)))

    def ask(self) -> Generator[Moment, None, None]:
        """Every read of this consumer, in order of time: from the cache if it holds the entity, else from the source."""
        if self.cache is None:
            there = np.array(self._there, dtype=np.int64)
            arrivals = np.array(self.times, dtype=np.int64) + there
            for read in np.flatnonzero(there > self._timeout).tolist():
                self._give_up(read, self.times[read] + self._timeout)
            for read in np.argsort(arrivals, kind="stable").tolist():
                yield self.run.clock.until(self.times[read] + self._there[read], READ)
                self._serve(read, 0, self.times[read])
            return
        for read, time in enumerate(self.times):
            yield self.run.clock.until(time, READ)
            self._attempt(read, time)

    def _source_of(self, read: int) -> Source:
        return self.source

    def _attempt(self, read: int, now: int) -> None:
        if self.cache is not None and self.cache.holds(now, self.entities[read]):
            self._asked[read], self._latency[read] = now, now - self.times[read]
            self._seen[read] = self.cache.version(self.entities[read])
            return
        super()._attempt(read, now)

    def _served(self, read: int, attempt: int, back: int, served: int) -> None:
        if self.cache is not None:
            self.run.clock.at(back, COMPLETION, self._fetched, (read, attempt, served))

    def _fetched(self, moment: Moment) -> None:
        read, attempt, served = moment.subject
        assert self.cache is not None
        version = self.source.version_at(self.entities[read], served)
        self.cache.keep(moment.time, self.entities[read], version, moment.time + self._ttl.at(read, attempt))


class Poller:
    """Refreshes one consumer's copy in bulk: one call for everything; a poll that fails waits for the next."""

    def __init__(self, run: Run, number: int, source: Source, copy: Copy) -> None:
        self.run, self.source, self.copy = run, source, copy
        self._number, self._name = number, run.scenario.consumers[number].name
        self._seen = 0  # changes that had arrived at an earlier poll ...
        self._late: list[int] = []  # ... and of these the ones that had not committed yet

    def poll(self) -> Generator[Moment, None, None]:
        """Poll until the end of the run."""
        run, clock = self.run, self.run.clock
        times: list[int] = run.poll_times(self._number).tolist()
        there = run.times(f"poll {self._name} there", run.scenario.network.latency.call, len(times))
        back = run.times(f"poll {self._name} back", run.scenario.network.latency.call, len(times))
        service = run.times(f"poll {self._name}", run.scenario.source.read_time, len(times))
        for poll, time in enumerate(times):
            yield clock.until(time, READ)
            clock.at(time + there[poll], READ, self._arrived, (time, service[poll], back[poll]))

    def _arrived(self, moment: Moment) -> None:
        asked, service, back = moment.subject
        answered, ok = self.source.serve(POLL, asked, NONE, service, back)
        if ok:
            self.run.clock.at(answered, COMPLETION, self._refreshed, answered - back)

    def _refreshed(self, moment: Moment) -> None:
        """The answer is here: everything that had committed when it was served."""
        served: int = moment.subject
        fresh = [*self._late, *self.source.order[self._seen : self.source.arrived]]
        self._seen = self.source.arrived
        self._late = [change for change in fresh if self.source.committed[change] > served]
        changed = {self.run.entity[change] for change in fresh if NONE < self.source.committed[change] <= served}
        for entity in sorted(changed):
            self.copy.refresh(moment.time, entity, self.source.version_at(entity, served))
