"""The event store: loading an entity replays the events after its newest snapshot, so the load depends on its past."""

import numpy as np

from edasim.luck import nanoseconds
from edasim.simpy_model.run import Run


class EventStore:
    """Streams of events per entity, a snapshot after every so many of them, and what was stored before the run began.

    The load is charged when the request arrives at the source: events that commit while it waits in the queue are not counted.
    """

    def __init__(self, run: Run) -> None:
        settings = run.scenario.event_store
        self._run = run
        self._snapshot_every = settings.snapshot_every
        self._base = int(nanoseconds(settings.load.base))
        self._per_event = float(settings.load.per_event) * 1e9
        self._history = history_of(run).tolist()

    def load(self, now: int, entity: int, version: int, *, command: bool) -> int:
        """The time to load *entity* at *version*, in nanoseconds; noted in the journal."""
        events = self._history[entity] + version
        if self._snapshot_every:
            events %= self._snapshot_every
        duration = self._base + round(self._per_event * events)
        self._run.loads.add((now, 0 if command else 1, entity, events, duration))
        return duration


def history_of(run: Run) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Events stored before the run by entity, shape (entities,): spread over those that exist at time 0 by popularity."""
    population = run.workload.population
    weight = np.where(np.arange(population.weight.size) < population.initial, population.weight, 0.0)
    if not run.scenario.event_store.history or not weight.any():
        return np.zeros(weight.size, dtype=np.int64)
    return run.luck.stream("history").multinomial(run.scenario.event_store.history, weight / weight.sum())
