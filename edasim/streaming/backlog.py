"""What waits at the broker for one consumer, as messages come and go: the metrics of `edasim.metrics.backlog`, where nobody ever fails."""

import numpy as np

from edasim.afterwards.inputs import Inputs
from edasim.faults import NEVER
from edasim.luck import nanoseconds
from edasim.metrics.backlog import MOST_PARTITIONS
from edasim.metrics.values import Value
from edasim.streaming.draws import Columns
from edasim.streaming.loops import waits
from edasim.streaming.waiting import Waiting


class Backlog:
    """How many messages wait for one consumer, and the most that did."""

    def __init__(self, run: Inputs, number: int) -> None:
        self._name, broker = run.scenario.consumers[number].name, run.scenario.broker
        self._places = broker.partitions if broker.kind == "log" and broker.partitions <= MOST_PARTITIONS else 0
        self._waiting, self._most = (np.zeros(broker.partitions + 1, dtype=np.int64) for _ in range(2))
        self._window = tuple(int(moment) for moment in nanoseconds(np.array(run.scenario.window)))
        self._begins, self._ends = Waiting(), Waiting()

    def go_on(self, stored: Columns, applied: Columns, watermark: int) -> None:
        """Messages that were *stored*, and others that were *applied*; of what is before the *watermark* everything is known."""
        begins = self._begins.until({name: stored[name] for name in ("stored", "partition")}, "stored", watermark)
        ends = self._ends.until({name: applied[name] for name in ("applied", "partition")}, "applied", watermark)
        start, end = self._window
        waits(begins["stored"], begins["partition"], ends["applied"], ends["partition"], start, end, self._waiting, self._most)

    @property
    def waiting(self) -> int:
        """How many messages are stored, or applied, after the last watermark."""
        return max(len(self._begins), len(self._ends))

    def values(self) -> list[Value]:
        """The metrics, now that the run is over."""
        nothing: Columns = {name: np.empty(0, dtype=np.int64) for name in ("stored", "applied", "partition")}
        self.go_on(nothing, nothing, NEVER)
        places = [("", -1), *((f"partition {place}", place) for place in range(self._places))]
        return [Value("backlog_max", float(self._most[place]), "messages", self._name, component) for component, place in places]
