"""Regions: several sources that all accept writes of the same entities, each with a table of its own, and tell each other.

A change is known in another region one publish and one deliver latency after its commit; while the broker is down it waits there, and
it is never lost: the tables come to be equal. Versions number the commits of an entity in all regions, in order of time, so that
freshness means the same with one region and with several. Who wrote without knowing what, and what a resolution makes of it,
follows from the journal (edasim/metrics/conflicts.py).
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edasim.faults import Downtimes
from edasim.simpy_model.clock import COMMIT, COMPLETION, Moment
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Commits, Source

Publish = Callable[[int, int], object]


class RegionalSource(Source):
    """One of several sources: it knows what it has committed itself, and what others have once it is told."""

    def __init__(self, run: Run, commits: Commits, region: int) -> None:
        super().__init__(run, commits, region)
        self._known: dict[int, tuple[list[int], list[int]]] = {}  # entity -> when it learnt of something new, and the newest version then

    def learn(self, entity: int, version: int, now: int) -> None:
        """From *now* on it knows this version of the entity."""
        times, versions = self._known.setdefault(entity, ([], []))
        times.append(now)
        versions.append(max(version, versions[-1]) if versions else version)

    def version_at(self, entity: int, time: int) -> int:
        """The newest version of *entity* that is known here at *time*."""
        times, versions = self._known.get(entity, ((), ()))
        told = bisect_right(times, time)
        return versions[told - 1] if told else 0


class Regions:
    """The sources that accept writes, by region; the first is the one where the consumers live. Most scenarios have one.

    *broker* is when the messages between regions have to wait.
    """

    def __init__(self, run: Run) -> None:
        self._run, commits = run, Commits(run)
        self.broker = Downtimes([])
        self._versions: dict[int, int] = {}  # entity -> its newest version in any region
        self._told = array("q")  # rows of `exchanges`
        self._publish: Sequence[Publish] = []
        if run.writers == 1:
            self.sources = [Source(run, commits)]
            return
        self.sources = [RegionalSource(run, commits, region) for region in range(run.writers)]
        latency = run.scenario.network.latency
        self._there = [run.times(f"exchange {region} publish", latency.publish) for region in range(run.writers)]
        self._deliver = [run.times(f"exchange {region} deliver", latency.deliver) for region in range(run.writers)]

    def publish_with(self, publish: Sequence[Publish]) -> None:
        """What each source calls with a change and when it commits."""
        self._publish = publish
        for region, source in enumerate(self.sources):
            source.publish = self._commits_later(region) if isinstance(source, RegionalSource) else publish[region]

    def _commits_later(self, region: int) -> Publish:
        """Versions number the commits of all regions, so a change gets its own when its time has come."""
        return lambda change, done: self._run.clock.at(done, COMMIT + change, self._committed, (region, change))

    def open(self) -> None:
        """From now on changes arrive where they are written."""
        for region, source in enumerate(self.sources):
            source.open(np.flatnonzero((self._run.workload.regions == region) | (len(self.sources) == 1)))

    def close(self) -> None:
        """The run is over: what would commit later gets its versions all the same, though nobody hears of it."""
        commits, entity = self.sources[0].committed, self._run.entity
        if len(self.sources) > 1:
            for _, change in sorted(
                (commits[change], change) for change in range(self._run.changes) if commits[change] >= self._run.horizon
            ):
                self.sources[0].version[change] = self._versions[entity[change]] = self._versions.get(entity[change], 0) + 1

    def exchanges(self) -> dict[str, NDArray[np.int64]]:
        """The journal's table of when each region came to know what another had written."""
        rows = np.frombuffer(self._told, dtype=np.int64).reshape(-1, 3)
        return {name: rows[:, column] for column, name in enumerate(("change", "region", "known"))}

    def _committed(self, moment: Moment) -> None:
        (here, change), now = moment.subject, moment.time
        entity = self._run.entity[change]
        self.sources[here].version[change] = self._versions[entity] = self._versions.get(entity, 0) + 1
        self._learn(here, change, now)
        self._publish[here](change, now)
        for region in range(len(self.sources)):
            if region != here:
                known = self.broker.up_from(now + self._there[region][change]) + self._deliver[region][change]
                self._told.extend((change, region, known))
                self._run.clock.at(known, COMPLETION + change, self._told_of, (region, change))

    def _told_of(self, moment: Moment) -> None:
        region, change = moment.subject
        self._learn(region, change, moment.time)

    def _learn(self, region: int, change: int, now: int) -> None:
        source = self.sources[region]
        assert isinstance(source, RegionalSource)
        source.learn(self._run.entity[change], source.version[change], now)
