"""Storage: bytes by component at the end of the window, how fast they grow, and how often the data is stored again."""

from collections import defaultdict

from edasim.journal import NONE, Journal
from edasim.metrics.values import Value

DAY_S = 86400.0
TRUTH, COPIES = ("source", "events", "snapshots", "archive"), ("copy", "read_model")


def storage(journal: Journal) -> list[Value]:
    """storage_bytes and storage_growth_bytes_per_day, each in total and by component; each consumer's copy; duplication_factor.

    Growth = (end - start of window) / duration. Duplication = bytes of all copies / bytes of the truth, at the end of the window.
    """
    start, end = journal.facts["window"]
    at_start, at_end = _bytes_at(journal, start), _bytes_at(journal, end)
    per_day = DAY_S / ((end - start) / 1e9)
    sizes: dict[str, int] = defaultdict(int)
    growth: dict[str, int] = defaultdict(int)
    values: list[Value] = []
    for (component, consumer), size in at_end.items():
        sizes[component] += size
        growth[component] += size - at_start[component, consumer]
        if consumer != NONE:
            values.append(Value("storage_bytes", float(size), "bytes", journal.facts["consumers"][consumer], component))
    for metric, unit, found, scale in (
        ("storage_bytes", "bytes", sizes, 1.0),
        ("storage_growth_bytes_per_day", "bytes/day", growth, per_day),
    ):
        values += [Value(metric, amount * scale, unit, component=component) for component, amount in found.items()]
        values.append(Value(metric, sum(found.values()) * scale, unit))
    truth, copies = (sum(sizes[component] for component in part if component in sizes) for part in (TRUTH, COPIES))
    return [*values, Value("duplication_factor", copies / truth, "times")] if truth else values


def _bytes_at(journal: Journal, time: int) -> dict[tuple[str, int], int]:
    """Bytes by component and consumer (NONE: nobody's) at a *time* that was noted."""
    table, names = journal.storage, journal.facts["components"]["storage"]
    then = table["time"] == time
    keys = zip(table["component"][then].tolist(), table["consumer"][then].tolist(), strict=True)
    return {(names[code], consumer): size for (code, consumer), size in zip(keys, table["bytes"][then].tolist(), strict=True)}
