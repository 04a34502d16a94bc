"""What a consumer that is killed leaves to be handled again: as many messages as it had handled and not acknowledged.

Known are the prefetch window, how many messages are acknowledged at once, how many it had processed, and the rule of redelivery.
"""

from collections.abc import Iterator
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from edasim.distributions import read_table
from edasim.journal import APPLIED, Journal
from edasim.validation.reality.bare import Row, bare, played, rows_of
from edasim.validation.reality.prediction import Prediction

BROKERS = {"rabbit": "RabbitMQ", "redis": "Redis streams"}
HANDLING = 0.0005  # seconds a message: not recorded; so short that what is not redelivered is done before the first redelivery is due
START = 0.001  # seconds: when all messages come
BACK = 0.1  # seconds until another consumer takes over
UNKNOWN = "how long handling took was not recorded, and the time counts from a delivery before the kill; no closeness was written down"


def redelivery(folder: Path) -> Iterator[Prediction]:
    """Effects that happened twice, messages lost, and when the first message came again."""
    for name in ("m4_rabbit.csv", "m4_redis.csv"):
        table = read_table(str(folder / name))
        for _, rows in table.groupby(["prefetch", "ack_batch", "param"], sort=False):
            system, prefetch, batch, wait = rows[["system", "prefetch", "ack_batch", "param"]].to_numpy()[0].tolist()
            played_rows = [_killed(row, prefetch, batch, wait / 1000) for row in rows_of(rows)]
            case = f"prefetch {prefetch}, acknowledges {batch}, {len(rows)} runs" + (f", idle {wait} ms" if wait else "")
            common: dict[str, Any] = {"broker": BROKERS[system], "case": case, "fitted_on": "nothing: the settings"}
            twice = sum(int((journal.deliveries["copies"] == 2).sum()) for journal in played_rows)
            lost = sum(int((journal.deliveries["outcome"] != APPLIED).sum()) for journal in played_rows)
            exact: dict[str, Any] = {"unit": "messages", "credible": "exact", "allowed": 0.0}
            duplicates = float(rows["duplicate_effects"].sum())
            between = rows["duplicate_effects"] - rows["processed_before_kill"] % batch
            why = f"in {(between == 1).sum()} of {len(rows)} runs the kill fell between the effect of a message and its acknowledgement"
            yield Prediction(metric="handled twice after a kill", measured=duplicates, predicted=twice, **common, **exact).explained(why)
            yield Prediction(metric="lost after a kill", measured=float(rows["lost"].sum()), predicted=lost, **common, **exact)
            if wait:
                seen, again = (
                    float(rows["first_redelivery_s"].median()),
                    float(np.median([_first_again(journal) for journal in played_rows])),
                )
                told: dict[str, Any] = {"unit": "s", "credible": "-", "allowed": nan, "explanation": UNKNOWN}
                yield Prediction(metric="first comes again after", measured=seen, predicted=again, **common, **told)


def _killed(row: Row, prefetch: int, batch: int, wait: float) -> Journal:
    """All messages come at once; the consumer is killed in the middle of the message after those processed."""
    end = START + (row["processed_before_kill"] + 0.5) * HANDLING
    consumer = {
        "handle_time": HANDLING,
        "prefetch": prefetch,
        "commit": {"messages": batch},
        "redeliver_after": wait or None,
        "outages": {"windows": [[end, end + BACK]]},
    }
    whole = -(-row["N"] // batch) * batch  # the last batch is acknowledged, too
    arrivals = {"process": "renewal", "gap": START, "batch": whole}
    return played(bare("killed", consumer, duration=1.5 * START, workload={"arrivals": arrivals}))


def _first_again(journal: Journal) -> float:
    """From the kill until a message comes that had been handed out before, in seconds."""
    deliveries, (start, _) = journal.deliveries, (journal.faults["start"][0], journal.faults["end"][0])
    again = deliveries["applied"][(deliveries["attempts"] > 1)]
    later = again[again > start]
    return float((later.min() - HANDLING * 1e9 - start) / 1e9) if later.size else nan
