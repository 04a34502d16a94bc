"""One replication as the estimators see it: the metrics by name, and the columns of the last consumer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.journal import NONE, Journal
from edasim.luck import Luck
from edasim.metrics import AREAS, Value
from edasim.metrics.delivery import in_window
from edasim.scenario import Scenario
from edasim.validation.cases import Parameters

Area = Callable[[Journal], list[Value]]


@dataclass(frozen=True)
class Run:
    """One replication of a scenario: the journal, and the row's parameters."""

    scenario: Scenario
    journal: Journal
    p: Parameters
    measured: dict[Area, list[Value]] = field(default_factory=dict)  # so far; rows that share a run share it

    def asked(self, p: Parameters) -> Self:
        """The same replication, as a row with the parameters *p* sees it."""
        return replace(self, p=p)

    def metric(self, name: str) -> float:
        """The metric of that name: the last consumer's, or all consumers' where it is not one of a consumer."""
        mine = ("", self.scenario.consumers[-1].name)
        for area in AREAS:
            if area not in self.measured:
                self.measured[area] = area(self.journal)
            for value in self.measured[area]:
                if value.metric == name and value.consumer in mine and not value.component:
                    return value.value
        raise InputError(f"{name} is neither an estimator nor a metric of this run")

    def of_last(self, column: str) -> NDArray[np.int64]:
        """A column of the last consumer's deliveries, a row a committed change in the window."""
        deliveries = self.journal.deliveries
        mine = deliveries["consumer"] == len(self.scenario.consumers) - 1
        return np.asarray(deliveries[column][mine][in_window(self.journal)[deliveries["change"][mine]]])

    def commits(self) -> NDArray[np.int64]:
        """When these changes committed."""
        return np.asarray(self.journal.changes["committed"][self.of_last("change")])

    def sojourns(self) -> NDArray[np.float64]:
        """From commit to applied in seconds, of those that were."""
        applied = self.of_last("applied")
        return np.asarray((applied - self.commits())[applied != NONE] / 1e9)

    def waits(self) -> NDArray[np.float64]:
        """The sojourns without the handling, which belongs to the change."""
        consumer = self.scenario.consumers[-1]
        handle = Luck(self.scenario.seed, self.journal.facts["replication"]).times(
            f"handle {consumer.name}", consumer.handle_time, self.journal.changes["time"].size
        )
        done = self.of_last("applied") != NONE
        return np.asarray(self.sojourns() - handle.values[self.of_last("change")[done]] / 1e9)

    def outages(self) -> NDArray[np.int64]:
        """Start and end of every outage that began in the window; shape (outages, 2), in order of starts."""
        faults, (start, end) = self.journal.faults, self.journal.facts["window"]
        met = (faults["start"] >= start) & (faults["end"] < end)
        spans = np.stack([faults["start"][met], faults["end"][met]], axis=1)
        return np.asarray(spans[np.argsort(spans[:, 0])])

    def per_outage(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of the *moments* each outage is the first to follow; shape (outages,)."""
        starts = self.outages()[:, 0]
        following = np.searchsorted(starts, moments, side="right")
        return np.bincount(following[following < starts.size], minlength=starts.size)
