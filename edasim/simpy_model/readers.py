"""Who answers reads: the source, a cache, or the consumer's own copy, kept fresh by messages or by polling in bulk.

Reads of a copy or a read model change nothing, so they are answered after the run, from what the copy held (see tables.py).
Reads go on while a consumer's handlers are down.
"""

from collections.abc import Generator

import numpy as np

from edasim.journal import NONE
from edasim.luck import nanoseconds
from edasim.scenario import Polling
from edasim.simpy_model.clock import COMPLETION, READ, Moment
from edasim.simpy_model.copies import Cache, Copy
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import POLL, Source
from edasim.simpy_model.source import READ as READ_REQUEST


class Reader:
    """One consumer's reads that ask the source. A read that is not answered within the timeout was not answered."""

    def __init__(self, run: Run, number: int, source: Source, cache: Cache | None) -> None:
        self.run, self.source, self.cache = run, source, cache
        name = run.scenario.consumers[number].name
        times, entities = run.workload.reads[name]
        self.times: list[int] = times.tolist()
        self.entities: list[int] = entities.tolist()
        count = len(self.times)
        call, luck = run.scenario.network.latency.call, run.luck
        self._there = luck.times(f"read {name} there", call, count)
        self._back = luck.times(f"read {name} back", call, count)
        self._service = luck.times(f"read {name}", run.scenario.source.read_time, count)
        self._ttl = luck.times(f"cache ttl {name}", run.scenario.source.cache_ttl, count)
        self._timeout = int(nanoseconds(run.scenario.workload.reads.timeout))
        self.answered = [False] * count
        self.latency = [NONE] * count
        self.cached = [NONE] * count  # the version that the cache answered with

    def ask(self) -> Generator[Moment, None, None]:
        """Every read of this consumer, in order of time: from the cache if it holds the entity, else from the source."""
        if self.cache is None:
            arrivals = np.array(self.times, dtype=np.int64) + np.array(self._there, dtype=np.int64)
            for read in np.argsort(arrivals, kind="stable").tolist():
                yield self.run.clock.until(self.times[read] + self._there[read], READ)
                self._serve(read)
            return
        for read, time in enumerate(self.times):
            yield self.run.clock.until(time, READ)
            if self.cache.holds(time, self.entities[read]):
                self.answered[read], self.latency[read] = True, 0
                self.cached[read] = self.cache.version(self.entities[read])
            else:
                self.run.clock.at(time + self._there[read], READ, self._arrived, read)

    def _arrived(self, moment: Moment) -> None:
        read = moment.subject
        back, ok = self._serve(read)
        if ok:
            self.run.clock.at(back, COMPLETION, self._fetched, read)

    def _serve(self, read: int) -> tuple[int, bool]:
        back, ok = self.source.serve(READ_REQUEST, self.times[read], self.entities[read], self._service[read], self._back[read])
        self.answered[read] = ok and back - self.times[read] <= self._timeout
        self.latency[read] = back - self.times[read] if self.answered[read] else NONE
        return back, ok

    def _fetched(self, moment: Moment) -> None:
        read = moment.subject
        assert self.cache is not None
        version = self.source.version_at(self.entities[read], moment.time - self._back[read])  # as of when it was served
        self.cache.keep(moment.time, self.entities[read], version, moment.time + self._ttl[read])


class Poller:
    """Refreshes one consumer's copy in bulk: one call for everything; a poll that fails waits for the next."""

    def __init__(self, run: Run, number: int, source: Source, copy: Copy) -> None:
        self.run, self.source, self.copy = run, source, copy
        self._name = run.scenario.consumers[number].name
        self._seen = 0  # changes that had arrived at an earlier poll ...
        self._late: list[int] = []  # ... and of these the ones that had not committed yet

    def poll(self) -> Generator[Moment, None, None]:
        """Poll until the end of the run."""
        run, clock = self.run, self.run.clock
        times = self._times(run.scenario.source.polling)
        there = run.luck.times(f"poll {self._name} there", run.scenario.network.latency.call, len(times))
        back = run.luck.times(f"poll {self._name} back", run.scenario.network.latency.call, len(times))
        service = run.luck.times(f"poll {self._name}", run.scenario.source.read_time, len(times))
        for poll, time in enumerate(times):
            yield clock.until(time, READ)
            clock.at(time + there[poll], READ, self._arrived, (time, service[poll], back[poll]))

    def _times(self, polling: Polling) -> list[int]:
        """When to poll, up to the end of the run: every interval, once at a random time of each, or with exponential gaps."""
        rng = self.run.luck.stream(f"poll {self._name} times")
        interval, count = int(nanoseconds(polling.interval)), int(self.run.horizon / nanoseconds(polling.interval)) + 1
        if polling.order == "poisson":
            times = np.cumsum(rng.exponential(interval, 2 * count + 100)).astype(np.int64)
        else:
            times = np.arange(count) * interval + (rng.integers(0, interval, count) if polling.order == "random" else 0)
        return times[times < self.run.horizon].tolist()  # type: ignore[no-any-return]

    def _arrived(self, moment: Moment) -> None:
        asked, service, back = moment.subject
        answered, ok = self.source.serve(POLL, asked, NONE, service, back)
        if ok:
            self.run.clock.at(answered, COMPLETION, self._refreshed, answered - back)

    def _refreshed(self, moment: Moment) -> None:
        """The answer is here: everything that had committed when it was served."""
        served: int = moment.subject
        fresh = [*self._late, *range(self._seen, self.source.arrived)]
        self._seen = self.source.arrived
        self._late = [change for change in fresh if self.source.committed[change] > served]
        changed = {self.run.entity[change] for change in fresh if NONE < self.source.committed[change] <= served}
        for entity in sorted(changed):
            self.copy.refresh(moment.time, entity, self.source.version_at(entity, served))
