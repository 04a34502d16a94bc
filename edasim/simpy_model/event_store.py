"""The event store: streams of events, snapshots, and what loading an entity from them costs.

A load replays the events after the entity's newest snapshot, so what it costs depends on the entity's past, that before the run included.
It is charged when the request arrives at the source: events that commit while it waits in the queue are not counted.
"""

from edasim.afterwards.events import Upcasts, covered_at_start
from edasim.luck import nanoseconds
from edasim.simpy_model.run import Run
from edasim.time_travel import State, after

LONGEST = 1 << 58  # nanoseconds that a load can take: nine years


class EventStore:
    """Streams of events per entity in one region, a snapshot after every so many of them, and what was stored before the run began.

    When a snapshot is due it is usable at once; the server that writes it is busy for `snapshot_time` longer, and nobody waits for that.
    """

    def __init__(self, run: Run, region: int = 0) -> None:
        settings = run.scenario.event_store
        self._run, self._region = run, region
        self._every, self._on_append = settings.snapshot_every, settings.snapshot_on == "append"
        self._base = int(nanoseconds(settings.load.base))
        self._per_event = float(settings.load.per_event) * 1e9
        self._upcasts = Upcasts(run)
        self.writing = int(nanoseconds(settings.snapshot_time))  # a snapshot
        self._history: list[int] = run.history.tolist()
        self._covered: list[int] = covered_at_start(run).tolist()  # by entity: how many events its newest snapshot covers
        self._states: dict[int, State] | None = {} if run.writers == 1 else None  # of entities that were appended to

    def load(self, now: int, entity: int, version: int, *, command: bool) -> tuple[int, bool]:
        """The time to load *entity* at *version*, in nanoseconds, noted in the journal; and whether it makes a snapshot due."""
        events = self._history[entity] + version - self._covered[entity]
        duration = self._base + round(self._per_event * events)
        if self._upcasts.per_year:
            duration += self._upcasts.cost(entity, self._history[entity], self._history[entity] - self._covered[entity])
        duration = min(duration, LONGEST)
        self._run.loads.add((now, 0 if command else 1, entity, events, duration))
        return duration, not self._on_append and 0 < self._every <= events

    def append(self, entity: int, version: int, item: int, quantity: int) -> bool:
        """One event more, which makes *version*; whether a snapshot is due: at every multiple of so many events."""
        if self._states is not None:
            self._states[entity] = after(self._states.get(entity, {}), item, quantity)
        if not self._every or not self._on_append:
            return False
        return (self._history[entity] + version) // self._every > self._covered[entity] // self._every

    def snapshot(self, now: int, entity: int, version: int) -> None:
        """A snapshot of *entity* as it is, at *version*."""
        run = self._run
        self._covered[entity] = self._history[entity] + version
        number = run.snapshots.add_numbered((now, entity, version, self._region))
        if self._states is not None:
            for item, quantity in self._states.get(entity, {}).items():
                run.snapshot_contents.add((number, item, quantity))
