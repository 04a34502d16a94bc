"""Delivery, counted as messages come: the metrics of `edasim.metrics.delivery`, where nothing is lost, repeated or parked."""

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.inputs import Inputs
from edasim.causes import can_come_late, can_repeat, losses
from edasim.luck import nanoseconds
from edasim.metrics.delivery import LOST
from edasim.metrics.values import Nature, Value, percentiles
from edasim.patterns import way_out
from edasim.statistics import LEVELS
from edasim.streaming.draws import Columns, Ints
from edasim.streaming.loops import latencies, overtaken
from edasim.streaming.sketch import Counted
from edasim.streaming.stages import late


def counted(run: Inputs, committed: Ints) -> NDArray[np.bool_]:
    """Which changes commit inside the measured window; shape (changes,)."""
    start, end = nanoseconds(np.array(run.scenario.window))
    return np.asarray((committed >= start) & (committed < end))


class Publishing:
    """What the publisher was told."""

    def __init__(self, run: Inputs) -> None:
        self._run, self._blind = run, run.scenario.source.producer.acks == 0
        self.committed = self._stored = self._late = 0

    def go_on(self, commits: Columns, stored: Columns) -> None:
        """The next *commits*, and messages that were *stored*."""
        self.committed += int(np.count_nonzero(counted(self._run, commits["committed"])))
        mine = counted(self._run, stored["committed"])
        self._stored += int(np.count_nonzero(mine))
        self._late += int(np.count_nonzero(mine & late(stored, self._run)))

    def values(self) -> list[Value]:
        """The metrics, now that the run is over."""
        if not self.committed:
            return []
        failed = 0 if self._blind else self.committed - self._stored + self._late
        return [
            share("publish_failed_rate", failed, self.committed),
            share("stored_but_failed_rate", self._late, self.committed),
            Value("publish_attempts_mean", 1.0, "attempts"),
        ]


class Delivery:
    """What one consumer got so far."""

    def __init__(self, run: Inputs, number: int) -> None:
        now, consumer, publish = (
            run.scenario.model_copy(update={"incidents": ()}),
            run.scenario.consumers[number],
            way_out(run.pattern, run.scenario),
        )
        self._name = consumer.name
        self._lossy = any(losses(now, consumer, publish))
        self._again, self._may_be_late = can_repeat(now, consumer, publish), can_come_late(now, consumer, publish)
        self._window = tuple(int(moment) for moment in nanoseconds(np.array(run.scenario.window)))
        self._seen = np.zeros((run.workload.population.weight.size, 3), dtype=np.int64)
        self._latency, self._overtaken = Counted(), 0

    def go_on(self, applied: Columns) -> None:
        """Messages that were *applied*, those of each entity in order."""
        times, (start, end) = (applied["applied"], applied["committed"]), self._window
        self._latency.add(*latencies(*times, start, end, self._latency.counts))
        self._overtaken += overtaken(times[0], applied["entity"], applied["version"], times[1], start, end, self._seen)

    def values(self, committed: int) -> list[Value]:
        """The metrics, now that the run is over and so many changes have *committed* in the window."""
        if not committed:
            return []
        name, latency = self._name, self._latency
        values = [share(metric, 0, committed, name, possible=self._lossy) for metric in ("loss_rate", *LOST)]
        values += [share("dead_letter_rate", 0, committed, name), share("in_flight_rate", committed - latency.number, committed, name)]
        values += [share("duplicate_rate", 0, committed, name, possible=self._again), Value("redundant_copies_mean", 0.0, "copies", name)]
        if latency.number:
            values += [Value("latency_mean", latency.mean, "s", name), Value("latency_std", latency.std, "s", name)]
            values += percentiles("latency", latency.quantiles(LEVELS), (50, 95, 99), "s", name, latency.number)
        return [*values, share("out_of_order_rate", self._overtaken, committed, name, possible=self._may_be_late)]


def share(metric: str, hits: int, trials: int, consumer: str = "", *, possible: bool = True) -> Value:
    """As `edasim.metrics.values.rate`, of *hits* that were counted."""
    nature: Nature = "rate" if possible or hits else "zero"
    return Value(metric, hits / trials, "share", consumer, nature=nature, trials=trials)
