"""Own reads that ask the source (afterwards/own_reads.py says what they are)."""

from collections.abc import Callable, Sequence

from edasim.journal import NONE
from edasim.luck import nanoseconds
from edasim.simpy_model.clock import READ, Moment
from edasim.simpy_model.readers import SourceReads
from edasim.simpy_model.run import Run
from edasim.simpy_model.source import Source

Publish = Callable[[int, int], object]


class OwnReads(SourceReads):
    """One consumer's own reads that ask the source: one for each change that commits, numbered as the changes are."""

    def __init__(self, run: Run, number: int, sources: Sequence[Source]) -> None:
        super().__init__(run, number, f"own read {run.scenario.consumers[number].name}", [NONE] * run.changes, run.entity)
        self._sources, self._region = sources, run.workload.regions.tolist()
        self._after = int(nanoseconds(run.scenario.workload.reads.own_after))

    def on_commit(self, change: int, done: int) -> None:
        """The *change* commits at *done*."""
        self.times[change] = done + self._after
        self.run.clock.at(self.times[change], READ, self._look, change)

    def _look(self, moment: Moment) -> None:
        self._attempt(moment.subject, moment.time)

    def _source_of(self, read: int) -> Source:
        return self._sources[self._region[read] if len(self._sources) > 1 else 0]

    @property
    def latency(self) -> list[int]:
        """From the first attempt to the answer, by change; NONE: no answer in time."""
        return self._latency


def asking(run: Run, sources: Sequence[Source]) -> dict[int, OwnReads]:
    """Who reads own changes at the source, by consumer; from now on they hear of every commit."""
    if run.scenario.workload.reads.own != "source":
        return {}
    found = {number: OwnReads(run, number, sources) for number, reads in enumerate(run.reads) if reads != "nothing"}
    for source in sources:
        source.publish = _told(source.publish, list(found.values()))
    return found


def _told(publish: Publish | None, askers: Sequence[OwnReads]) -> Publish:
    """What a source calls with each change and when it commits: to publish it, if anything is published, and to tell who reads it back."""

    def committed(change: int, done: int) -> None:
        if publish is not None:
            publish(change, done)
        for mine in askers:
            mine.on_commit(change, done)

    return committed
