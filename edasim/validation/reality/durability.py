"""What was acknowledged and is gone after a broker was killed, or after its power was lost, by how it was told to keep things.

Nothing is fitted: what the settings promise is known. A store that syncs at intervals loses in a power loss what came since the last sync:
anything from nothing to rate x interval, and no run says when that was. So the mean over runs is predicted, and the most.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from edasim.distributions import read_table
from edasim.journal import LOST_BROKER, NONE
from edasim.validation.reality.bare import bare, played
from edasim.validation.reality.prediction import Prediction

PHASES = 20  # times since the last sync that are tried, evenly spread
FIRST_SYNC = 10  # seconds: the runs took less, so an interval above that never ended in one
ALL_BUT = 2  # messages: those under way when the broker died, where all are lost; where none is, none


class Setting(NamedTuple):
    """What a store was told, as a scenario says it."""

    broker: str
    durable: bool
    interval: float  # seconds between syncs; 0: before each acknowledgement
    source: str


SETTINGS = {
    "appendfsync always": Setting("Redis streams", True, 0, "appendfsync always"),
    "appendfsync everysec": Setting("Redis streams", True, 1, "appendfsync everysec"),
    "appendfsync no": Setting("Redis streams", True, 30, "appendfsync no: the operating system, after 30 s"),
    "no persistence": Setting("Redis streams", False, 0, "no persistence"),
    "synchronous_commit=on": Setting("PostgreSQL", True, 0, "synchronous_commit=on"),
    "synchronous_commit=off": Setting("PostgreSQL", True, 0.2, "synchronous_commit=off: wal_writer_delay, 200 ms"),
}
WHY = {
    ("synchronous_commit=off", "kill9"): "what was committed is in PostgreSQL's own memory until its WAL writer writes it, at the latest "
    "after 3 x 200 ms, and a killed process loses what is in its memory; in a scenario that is `kind: power`, whatever ended the process",
    ("synchronous_commit=off", "powerloss"): "the documentation of PostgreSQL says up to three times wal_writer_delay, which at 500 a "
    "second is 300 messages, not 100",
}  # fmt: skip


def durability(folder: Path) -> Iterator[Prediction]:
    """Acknowledged and lost, by setting and by what struck."""
    table = pd.concat([read_table(str(folder / name)) for name in ("m3_redis.csv", "m3_pg.csv")])
    for (config, crash), rows in table.groupby(["config", "crash"], sort=False):
        yield from _of_setting(str(config), str(crash), rows)


def _of_setting(config: str, crash: str, rows: pd.DataFrame) -> Iterator[Prediction]:
    setting, rate = SETTINGS[config], float(rows["rate"].iloc[0])
    phased = crash == "powerloss" and 0 < setting.interval < FIRST_SYNC
    lost = np.array([[_lost(sent, rate, setting, crash, phase) for phase in range(PHASES if phased else 1)] for sent in rows["sent"]])
    bound = rate * setting.interval
    spread = 3 * bound / (12 * len(rows)) ** 0.5  # 3 standard errors of the mean of so many uniform losses
    close = spread if phased else ALL_BUT if lost.any() else 0.0
    said = f"uniform up to rate x interval: {spread:.0f} messages" if phased else f"{close:g} messages"
    found = {"acknowledged and lost, mean": (float(rows["acked_lost"].mean()), float(lost.mean()), said, close)}
    if phased:
        most = float(rows["acked_lost"].max())
        found["acknowledged and lost, most"] = (most, float(lost.max()), "not above", max(float(lost.max()) - most, 0.0))
    for metric, (measured, predicted, credible, allowed) in found.items():
        prediction = Prediction(
            broker=setting.broker,
            metric=metric,
            case=f"{'killed' if crash == 'kill9' else 'power lost'}, {config}, {len(rows)} runs",
            unit="messages",
            fitted_on=f"nothing: {setting.source}",
            measured=measured,
            predicted=predicted,
            credible=credible,
            allowed=allowed,
        )
        yield prediction.explained(WHY.get((config, crash), ""))


def _lost(sent: int, rate: float, setting: Setting, crash: str, phase: int) -> int:
    """How many of so many *sent* at this *rate* were acknowledged and are gone, when the crash is this *phase* after a sync."""
    end = (sent - 0.5) / rate
    if 0 < setting.interval < FIRST_SYNC:  # go on sending until the crash is that long after a sync
        end += ((phase + 0.5) / PHASES * setting.interval - end) % setting.interval
    outage = {"kind": "power" if crash == "powerloss" else "process", "windows": [[end, end + 1]]}
    scenario = bare(
        "crash",
        {"outages": {"windows": [[0, end + 2]], "on_restart": "resume"}},
        duration=end,
        workload={"arrivals": {"process": "renewal", "gap": 1 / rate}},
        broker={"durable": setting.durable, "fsync_interval": setting.interval, "outages": outage},
    )
    journal = played(scenario)
    acknowledged = journal.changes["acknowledged"][journal.deliveries["change"]] != NONE
    return int(((journal.deliveries["outcome"] == LOST_BROKER) & acknowledged).sum())
