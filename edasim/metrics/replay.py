"""Replay: what it costs to load one entity from its events, and to rebuild everything."""

from edasim.journal import LOADS, Journal
from edasim.metrics.values import Value, quantiles


def replay(journal: Journal) -> list[Value]:
    """load_* over the loads in the window, of commands and reads alike; rebuild_* of a rebuild at the end of the window."""
    start, end = journal.facts["window"]
    loads = journal.loads
    rebuilt = loads["kind"] == LOADS.index("rebuild")
    counted = ~rebuilt & (loads["time"] >= start) & (loads["time"] < end)
    values: list[Value] = []
    if counted.any():
        seconds = loads["duration"][counted] / 1e9
        values.append(Value("load_events_mean", float(loads["events"][counted].mean()), "events"))
        values.append(Value("load_time_mean", float(seconds.mean()), "s"))
        values += quantiles("load_time", seconds, (99,), "s")
    if rebuilt.any():
        values.append(Value("rebuild_events", float(loads["events"][rebuilt][0]), "events"))
        values.append(Value("rebuild_time", float(loads["duration"][rebuilt][0]) / 1e9, "s"))
    return values
