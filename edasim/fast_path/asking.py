"""Who asks the source beside writers: readers, own reads and polls, as records in the memory of the loop."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edasim.afterwards.found import FRESH
from edasim.afterwards.inputs import Inputs
from edasim.fast_path import memory as m
from edasim.fast_path.lists import Lists
from edasim.journal import NONE
from edasim.luck import nanoseconds


@dataclass
class Asking:
    """The *askers* (readers first, then who reads own changes), their reads one after another, and the *pollers*."""

    run: Inputs
    lists: Lists
    askers: list[dict[str, Any]] = field(default_factory=list)
    pollers: list[dict[str, Any]] = field(default_factory=list)
    own_begin: int = 0
    _reads: list[m.Records] = field(default_factory=list)
    _first: int = 0

    def __post_init__(self) -> None:
        run = self.run
        for number, reads in enumerate(run.reads):
            if reads in ("source", "cache"):
                self._reader(number, cached=reads == "cache")
            elif not run.patterns[number].sends:
                self._poller(number)
        self.own_begin = len(self.askers)
        if run.scenario.workload.reads.own == "source":
            for number, reads in enumerate(run.reads):
                if reads != "nothing":
                    self._own(number)

    def reads(self) -> m.Records:
        """All reads of all askers."""
        return self._reads[0] if len(self._reads) == 1 else np.concatenate([np.zeros(0, dtype=m.READING), *self._reads])

    def _reader(self, number: int, *, cached: bool) -> None:
        run, lists, name = self.run, self.lists, self.run.scenario.consumers[number].name
        times, entities = run.workload.reads[name]
        asker = self._asker(number, f"read {name}", times, entities)
        if cached:
            asker |= {"cache": number, "ttl": lists.times(f"cache ttl {name}", run.scenario.source.cache_ttl, times.size)}
        else:
            there = run.luck.times(f"read {name} there", run.scenario.network.latency.call, times.size).values
            asker |= {"cache": m.NOBODY, "order": lists.add(np.argsort(times + there, kind="stable"))}
        self.askers.append(asker)

    def _own(self, number: int) -> None:
        run, name = self.run, self.run.scenario.consumers[number].name
        asker = self._asker(number, f"own read {name}", np.full(run.changes, NONE), run.workload.entities)
        self._reads[-1]["region"] = run.workload.regions
        self.askers.append(asker | {"cache": m.NOBODY, "own": 1})

    def _asker(self, number: int, name: str, times: m.Ints, entities: m.Ints) -> dict[str, Any]:
        run, lists, settings = self.run, self.lists, self.run.scenario.workload.reads
        call, count = run.scenario.network.latency.call, times.size
        reads = np.zeros(count, dtype=m.READING)
        reads["time"] = reads["asked"] = times
        reads["entity"], reads["latency"], reads["seen"] = entities, NONE, FRESH
        self._reads.append(reads)
        first, self._first = self._first, self._first + count
        return {
            "consumer": number,
            "there": lists.times(f"{name} there", call, count),
            "back": lists.times(f"{name} back", call, count),
            "service": lists.times(name, run.scenario.source.read_time, count),
            "timeout": int(nanoseconds(settings.timeout)),
            "retries": settings.retries,
            "backoff": int(nanoseconds(run.scenario.consumers[number].backoff)),
            "first": first,
            "count": count,
        }

    def _poller(self, number: int) -> None:
        run, lists, name = self.run, self.lists, self.run.scenario.consumers[number].name
        times, call = run.poll_times(number), self.run.scenario.network.latency.call
        self.pollers.append(
            {
                "consumer": number,
                "times": lists.add(times),
                "there": lists.times(f"poll {name} there", call, times.size),
                "back": lists.times(f"poll {name} back", call, times.size),
                "service": lists.times(f"poll {name}", run.scenario.source.read_time, times.size),
                "count": times.size,
                "late": lists.room(run.changes),
            }
        )
