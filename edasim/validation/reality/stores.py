"""Bytes on disk and times of replay at the sizes that the fits of edasim/stores.py did not see, read off simulated runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edasim.estimates import short
from edasim.journal import Journal
from edasim.store_fits import CREDIBLE, fit
from edasim.stores import PRESETS, Preset
from edasim.validation.reality.bare import bare, played
from edasim.validation.reality.prediction import Prediction

STORES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "eventsourcing": "eventsourcing (Python)",
    "redis-streams": "Redis streams",
    "rabbitmq-classic": "RabbitMQ",
    "rabbitmq-quorum": "RabbitMQ",
    "rabbitmq-stream": "RabbitMQ",
}
METRICS = {"load": "time to load an entity", "rebuild": "time to rebuild", "overhead_bytes": "bytes an event"}
LOG, PAGES = 0.02, 0.15
CHUNKS = (
    "messages share chunks with a header each, and how many do depends on the rate of publishing, which no scenario says: the two series "
    "published at 2,000 a second took 140 B beside the payload, the two faster ones 100 B"
)
EVENTS = 10


def stores(folder: Path) -> Iterator[Prediction]:
    """Every size held out of the fit behind every preset."""
    for preset in PRESETS:
        found = fit(preset, folder)
        held = ~found.used
        sizes = zip(found.sizes[held], found.measured[held], found.low[held], found.high[held], strict=True)
        for size, measured, low, high in sizes:
            is_bytes = preset.key == "overhead_bytes"
            share = CREDIBLE if not is_bytes else LOG if preset.values["layout"] == "log" else PAGES
            predicted = simulated(preset, int(size))
            yield Prediction(
                broker=STORES[preset.store],
                metric=METRICS[preset.key],
                case=f"{preset.store}, {size:,.0f} {'B of payload' if is_bytes else 'events'}",
                unit="bytes" if is_bytes else "s",
                fitted_on=f"{preset.file}: every other size",
                measured=float(measured),
                predicted=predicted,
                credible=f"{share:.0%}".replace("%", " %"),
                allowed=share * float(measured),
            ).explained(_chunks(preset) if is_bytes else _spread(predicted, float(low), float(high)))


def _chunks(preset: Preset) -> str:
    return CHUNKS if preset.store == "rabbitmq-stream" else ""


def _spread(predicted: float, low: float, high: float) -> str:
    """Whether the runs themselves differ as much."""
    side = "above" if predicted > high else "below"
    where = "the prediction is among them" if low <= predicted <= high else f"the line through all sizes lies {side} all of them"
    return f"the runs of this size took {short(low, 's')} to {short(high, 's')}: {where}"


def simulated(preset: Preset, size: int) -> float:
    """What a scenario with this *preset* takes: bytes for each event of *size* bytes, or seconds for *size* events of one entity."""
    if preset.key == "overhead_bytes":
        journal = _journal(preset, EVENTS, {"delta_bytes": size}, history=0)
        table, events = journal.storage, journal.facts["components"]["storage"].index("events")
        return float(table["bytes"][table["component"] == events].max() / EVENTS)
    journal = _journal(preset, 1, {}, history=size)
    if preset.key == "load":
        return float(journal.loads["duration"][0] / 1e9)
    return float(journal.rebuilds["duration"][0] / 1e9)


def _journal(preset: Preset, changes: int, workload: Mapping[str, Any], history: int) -> Journal:
    """So many *changes*, one a second, of one entity with so long a *history*."""
    scenario = bare(
        "store",
        {},
        duration=changes + 0.5,
        workload={"arrivals": {"process": "renewal", "gap": 1}, "entities": {"count": 1}, **workload},
        event_store={"history": history, "snapshot_every": 0, preset.key: {"preset": preset.store}},
    )
    return played(scenario, pattern="event_sourcing")
