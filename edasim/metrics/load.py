"""Load: what the source, the readers and the wire have to bear. Time averages over the window."""

from dataclasses import replace

import numpy as np

from edasim.journal import NONE, REQUESTS, Journal, rows_of, rows_where, rows_within
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, mean, quantiles, rate


def load(journal: Journal) -> list[Value]:
    """Requests to the source and its utilisation, latencies of reads and writes, availability of reads, bytes on the wire."""
    start, end = journal.facts["window"]
    duration = (end - start) / 1e9
    requests = journal.requests
    counted = (requests["time"] >= start) & (requests["time"] < end)
    served = counted & requests["ok"]
    values = []
    if journal.facts["servers"]:  # none: nobody watched the source
        work = requests["service"][counted].sum(dtype=np.float64) / 1e9
        values.append(Value("source_requests_per_s", np.count_nonzero(counted) / duration, "1/s"))
        values.append(Value("source_utilisation", work / duration / journal.facts["servers"], "share"))
    for code, kind in enumerate(REQUESTS):
        if asked := np.count_nonzero(counted & (requests["kind"] == code)):
            values.append(Value("source_requests_per_s", asked / duration, "1/s", component=kind))
    writes = requests["latency"][served & (requests["kind"] == REQUESTS.index("write"))]
    values += mean("write_latency_mean", writes) + quantiles("write_latency", writes, (99,))
    for number, name in enumerate(journal.facts["consumers"]):
        values += _reads(journal, number, name)
    return [*values, Value("wire_bytes_per_s", _wire_bytes(journal, served) / duration, "bytes/s")]


def _reads(journal: Journal, number: int, name: str) -> list[Value]:
    asked = rows_within(rows_of(journal.reads, number), journal.facts["window"])
    latency = rows_where(asked, asked["answered"])["latency"]
    values = rate("read_availability", asked["answered"], name)
    if journal.facts["reads"][number] == "copy":  # at hand: it takes no time, whatever happens
        always = [replace(value, nature="one") for value in values if value.value == 1]
        return always + [Value(f"read_latency_{which}", 0.0, "s", name, nature="zero") for which in ("mean", "p99") if latency.size]
    return values + mean("read_latency_mean", latency, name) + quantiles("read_latency", latency, (99,), name)


def _wire_bytes(journal: Journal, served: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> float:
    """Messages sent (every attempt) and delivered (every time), and answers of the source; without requests' own bytes."""
    counted = in_window(journal)
    sent = (journal.changes["bytes"] * journal.changes["publish_attempts"])[counted].sum()
    change = journal.deliveries["change"]
    times = np.where(journal.deliveries["delivered"] != NONE, journal.deliveries["attempts"], 0)
    delivered = (journal.deliveries["bytes"] * times)[counted[change]].sum()
    return float(sent + delivered + journal.requests["bytes"][served].sum())
