"""Metrics read journals, simulated or measured, and nothing else: one vocabulary for all options."""

from edasim.journal import Journal
from edasim.metrics.backlog import backlog
from edasim.metrics.conflicts import appends, conflicts
from edasim.metrics.cost import cost
from edasim.metrics.delivery import delivery
from edasim.metrics.freshness import freshness
from edasim.metrics.load import load
from edasim.metrics.replay import replay
from edasim.metrics.storage import storage
from edasim.metrics.values import Value

__all__ = ["Value", "measure"]

AREAS = (delivery, backlog, freshness, storage, replay, load, conflicts, appends, cost)


def measure(journal: Journal) -> list[Value]:
    """Every metric that applies to the journal, for its one replication. One that can't apply has no value."""
    return [value for area in AREAS for value in area(journal)]
