"""Storage: bytes by component at the end of the window, and how fast they grow."""

from edasim.journal import Journal
from edasim.metrics.values import Value

DAY_S = 86400.0


def storage(journal: Journal) -> list[Value]:
    """storage_bytes and storage_growth_bytes_per_day, each in total and by component. Growth = (end - start of window) / duration."""
    start, end = journal.facts["window"]
    table = journal.storage
    values: list[Value] = []
    totals = {"storage_bytes": 0.0, "storage_growth_bytes_per_day": 0.0}
    for code, component in enumerate(journal.facts["components"]["storage"]):
        mine = table["component"] == code
        if not mine.any():
            continue
        at = dict(zip(table["time"][mine].tolist(), table["bytes"][mine].tolist(), strict=True))
        growth = (at[end] - at[start]) / ((end - start) / 1e9) * DAY_S
        for metric, value, unit in (("storage_bytes", at[end], "bytes"), ("storage_growth_bytes_per_day", growth, "bytes/day")):
            values.append(Value(metric, float(value), unit, component=component))
            totals[metric] += value
    values += [Value("storage_bytes", totals["storage_bytes"], "bytes")]
    return [*values, Value("storage_growth_bytes_per_day", totals["storage_growth_bytes_per_day"], "bytes/day")]
