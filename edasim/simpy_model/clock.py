"""Simulated time: SimPy's environment in whole nanoseconds, with the rule that orders what happens at equal times."""

from collections.abc import Callable
from heapq import heappush
from typing import Any

import simpy

# at equal times, in this order; within a kind, by the index of the change
FAULT_ENDS, FAULT_STARTS, COMPLETION, COMMIT, ARRIVAL, READ = (kind << 40 for kind in range(6))


class Moment(simpy.Event):
    """Something that happens at a known time. A process may wait for it, or *action* is called with it."""

    env: "Clock"

    def __init__(self, clock: "Clock", action: Callable[["Moment"], None] | None = None, subject: Any = None) -> None:
        self.env = clock
        self.action = action
        self._actions: list[Any] = [] if action is None else [action]
        self._ok = True
        self._value = None
        self.time = 0
        self.subject = subject

    def happen(self, time: int, order: int) -> "Moment":
        """Schedule it; one that has happened may be used again, which spares making another."""
        self.callbacks = self._actions or []  # a process adds itself
        self.time = time
        clock = self.env
        heappush(clock._queue, (time, order, next(clock._eid), self))  # type: ignore[misc]  # as Environment.schedule does
        return self


class Clock(simpy.Environment):
    """Simulated time in nanoseconds from 0."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self._now: int

    @property
    def now(self) -> int:
        """The simulated time in nanoseconds."""
        return self._now

    def at(self, time: int, order: int, action: Callable[[Moment], None], subject: Any = None) -> Moment:
        """Call *action* with a moment at *time* that carries *subject*; *order* is a kind above plus the index of the change."""
        return Moment(self, action, subject).happen(time, order)

    def until(self, time: int, order: int) -> Moment:
        """What a process yields to wait for *time*."""
        return Moment(self).happen(time, order)
