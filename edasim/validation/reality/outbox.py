"""An outbox in PostgreSQL behind one relay that polls every T and takes at most B rows: how late its events are, and what kills repeat.

Fitted is how long publishing a row and marking it takes, by bisection, so that the mean delay of the run with T = 50 ms comes out. The
relay measured *sleeps* T after its work; a scenario's relay polls *every* so often, so its interval is that of such a relay: T / (1 -
rows a second x time a row). How many rows a second were written is not in the file: 60, if a run took 20 s, as its count of writes says.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

from edasim.metrics import measure
from edasim.validation.reality.bare import Row, bare, played, rows_in
from edasim.validation.reality.prediction import Prediction

RATE = 60.0  # writes a second
LASTS = 600.0  # seconds simulated
SHARE = 0.15
FITTED_ON = (50.0, 10, 0, 1)  # T in ms, B, kills, repetition
KILLED = 1.0  # seconds between kills, of runs of 20 s with 17 to 19 kills
UNKNOWN = "when in its work the relay was killed was not noted"


def outbox(folder: Path) -> Iterator[Prediction]:
    """Mean delay of all runs but the one fitted to, and what was lost and repeated."""
    rows = rows_in(folder / "m8_outbox.csv")
    fitted = next(row for row in rows if (row["T_ms"], row["batch"], row["kills"], row["rep"]) == FITTED_ON)
    each = per_row(fitted["T_ms"] / 1000, int(fitted["batch"]), fitted["lat_ms_mean"] / 1000)
    for row in rows:
        same = [other["lat_ms_mean"] for other in rows if all(other[key] == row[key] for key in ("T_ms", "batch")) and not other["kills"]]
        yield from _of_run(row, each, same, is_fitted=row is fitted)


def per_row(poll: float, batch: int, mean: float) -> float:
    """How long a row takes, in seconds, if the *mean* delay is that."""
    return float(brentq(lambda each: simulated(poll, batch, each)["latency_mean"] - mean, 1e-4, 0.012, xtol=1e-5))


@cache
def simulated(poll: float, batch: int, each: float, killed: bool = False) -> dict[str, float]:
    """The metrics of a relay that sleeps so long (*poll*, seconds) between its work, each row of which takes so long."""
    relay: dict[str, Any] = {"poll": poll / (1 - RATE * each), "batch": batch}
    if killed:
        relay["outages"] = {"up": {"dist": "exponential", "mean": KILLED}, "down": "1ms"}
    scenario = bare(
        "outbox",
        {},
        duration=LASTS,
        workload={"arrivals": {"rate": RATE}},
        source={"publish": "outbox", "relay": relay, "producer": {"ack_timeout": "1h"}},
        broker={"append_time": each},
    )
    journal = played(scenario)
    found = {value.metric: value.value for value in measure(journal) if not value.component}
    repeats = np.maximum(journal.deliveries["copies"] - 1, 0).sum()
    deaths = max(journal.faults["start"].size, 1)
    return {**found, "repeats_per_kill": float(repeats / deaths)}


def _of_run(row: Row, each: float, same: list[float], *, is_fitted: bool) -> Iterator[Prediction]:
    kills = f", {row['kills']} kills" if row["kills"] else ""
    common: dict[str, Any] = {
        "broker": "PostgreSQL outbox",
        "case": f"T {row['T_ms']:g} ms, B {row['batch']}{kills}, run {row['rep']}",
        "fitted_on": "m8_outbox.csv: T 50 ms, B 10, no kills, run 1",
    }
    found = simulated(row["T_ms"] / 1000, int(row["batch"]), each, bool(row["kills"]))
    if not is_fitted:
        measured = row["lat_ms_mean"] / 1000
        seen: dict[str, Any] = {
            "unit": "s",
            "measured": measured,
            "predicted": found["latency_mean"],
            "credible": "15 %",
            "allowed": SHARE * measured,
        }
        yield Prediction(metric="delay mean", **common, **seen).explained(_why(row, same))
    lost: dict[str, Any] = {
        "unit": "messages",
        "measured": row["lost"],
        "predicted": found["loss_rate"] * row["written"],
        "credible": "exact",
        "allowed": 0.0,
    }
    yield Prediction(metric="lost", **common, **lost)
    if row["kills"]:
        twice = {"unit": "messages", "measured": row["duplicates"] / row["kills"], "predicted": found["repeats_per_kill"]}
        yield Prediction(metric="repeats per kill", **common, **twice, credible="-", explanation=UNKNOWN)


def _why(row: Row, same: list[float]) -> str:
    """How far the measured runs of the *same* setting are apart."""
    return (
        f"runs of this very setting took {min(same):.3g} and {max(same):.3g} ms at a load average of {row['load1']:g}, one in a hundred "
        f"{row['lat_p99']:.3g} ms or more; asking and marking cost something each time, too, and here they come most often"
    )
