"""What is lost to who is not connected, and what a bounded queue loses: counts, which a broker either reproduces or does not."""

from collections.abc import Iterator
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edasim.distributions import read_table
from edasim.journal import APPLIED, LOST_DISCONNECTED, LOST_OVERFLOW, NONE, Journal
from edasim.recorded import RecordedLuck
from edasim.validation.reality.bare import Row, bare, played, recorded_arrivals, rows_in
from edasim.validation.reality.handover import Fitted, Stamps, fitted
from edasim.validation.reality.prediction import Prediction

CLOSE = 5  # messages: how well the times of connecting and disconnecting are known
RUNS = 8  # of the bounded queue, where the handover and the work of lost messages are drawn
DRIVEN_WITHIN = 0.025  # of the share lost
BYTES = 1000  # of a message, where a bound in messages has to be said in bytes


def disconnected(folder: Path) -> Iterator[Prediction]:
    """Fire and forget while the subscriber is off for W of T seconds, around the middle: how many messages it misses.

    The schedule of publishing was drawn from a seed that is in the file, and was drawn from it again; it was not measured.
    """
    for row in rows_in(folder / "m2a_disconnect.csv"):
        schedule = folder / "traces" / f"m2a_schedule_{row['seed']}.csv.gz"
        begun = (row["T"] - row["W"]) / 2 - float(read_table(str(schedule))["t_pub"][0])  # a trace counts from its first change
        off = {"windows": [[begun, begun + row["actual_off_s"]]], "on_restart": "resume"} if row["W"] else None
        arrivals = {"workload": {"arrivals": recorded_arrivals(schedule)}}
        scenario = bare("off", {"outages": off}, duration=row["T"], broker={"kind": "pubsub"}, **arrivals)
        lost = int((played(scenario).deliveries["outcome"] == LOST_DISCONNECTED).sum())
        found = Prediction(
            broker={"redis_pubsub": "Redis pub/sub", "mqtt_qos0_clean": "MQTT (QoS 0)"}[row["system"]],
            metric="lost while disconnected",
            case=f"off {row['W']:g} of {row['T']:g} s, run {row['rep']}",
            unit="messages",
            fitted_on="nothing: times as measured",
            measured=row["lost"],
            predicted=lost,
            credible=f"{CLOSE} messages",
            allowed=CLOSE,
        )
        yield found.explained(_why_missed(row, lost))


def _why_missed(row: Row, scheduled: int) -> str:
    """Where the run's own count of what was published while the subscriber was off stands: with the schedule, or with what was lost."""
    counted, arrived = row["published_in_actual_off"], row["published_in_actual_off"] - row["lost"]
    said = f"by the schedule {scheduled} messages fell into the time noted as off; the run itself counted {counted} published in it"
    if abs(counted - scheduled) > CLOSE:
        return f"{said}, so its publisher or its stamps were behind the schedule"
    late = 1e3 * abs(arrived) / row["rate"]
    return f"{said}, of which {arrived} arrived all the same: what was noted and what the broker noticed differ by about {late:.0f} ms"


# --- a bounded queue that nobody reads

RULES: dict[tuple[str, str], tuple[str, dict[str, Any], int]] = {  # system and mode: its name, what bounds it, acks
    ("mosquitto-qos1-offline-session", "max_queued_messages"): ("MQTT (QoS 1)", {"kind": "queue", "overflow": "reject"}, 0),
    ("redis-stream", "MAXLEN ="): ("Redis streams", {"kind": "log"}, 1),
    ("redis-stream", "MAXLEN ~"): ("Redis streams", {"kind": "log"}, 1),
    ("nats-jetstream", "discard old"): ("NATS JetStream", {"kind": "log"}, 1),
    ("nats-jetstream", "discard new"): ("NATS JetStream", {"kind": "queue", "overflow": "reject"}, 1),
    ("rabbitmq", "drop-head"): ("RabbitMQ", {"kind": "queue", "overflow": "drop_oldest"}, 1),
    ("rabbitmq", "reject-publish"): ("RabbitMQ", {"kind": "queue", "overflow": "reject"}, 1),
}


def unread(folder: Path) -> Iterator[Prediction]:
    """N messages into a place for K, nobody consuming: how many are lost, the oldest that survives, how often a publisher is told."""
    for row in rows_in(folder / "m2b_static.csv"):
        broker, rule, acks = RULES[row["system"], row["mode"]]
        bound = {"retention_bytes": row["K"] * BYTES, "partitions": 1} if rule["kind"] == "log" else {"max_length": row["K"]}
        journal = _filled(row["N"], {**rule, **bound}, acks)
        applied = journal.deliveries["change"][journal.deliveries["outcome"] == APPLIED]
        told = int((journal.changes["acknowledged"] == NONE).sum())
        counts = {
            "lost": (row["lost"], row["N"] - applied.size),
            "oldest that survives": (row["first"], int(applied.min())),
            "publishers told": (row["publisher_errors"], told),
        }
        for metric, (measured, predicted) in counts.items():
            yield Prediction(
                broker=broker,
                metric=f"full: {metric}",
                case=f"{row['N']:,} into {row['K']:,}, {row['mode']}",
                unit="messages",
                fitted_on="nothing: the bound",
                measured=measured,
                predicted=predicted,
                credible="exact",
                allowed=0,
            )


def _filled(messages: int, broker: dict[str, Any], acks: int) -> Journal:
    """A message each millisecond while the consumer is down, which then handles what is left."""
    scenario = bare(
        "full",
        {"outages": {"windows": [[0, messages / 1000 + 1]]}},
        duration=(messages + 0.5) / 1000,
        workload={"arrivals": {"process": "renewal", "gap": "1ms"}, "state_bytes": BYTES},
        source={"producer": {"acks": acks}},
        broker=broker,
    )
    return played(scenario)


# --- a bounded queue with a consumer that is too slow

SYSTEM = "RabbitMQ"
FITTED_ON = "reject-publish_0.8"


def bounded(folder: Path) -> Iterator[Prediction]:
    """What a queue of 10 loses at loads of .8 to 1.5: driven by the recorded arrivals, and the recorded work where it is there.

    Where no stamps were kept, the arrivals are those of the same schedule, and work is exponential with the mean that was measured.
    """
    fit = fitted(_stamps(_trace(folder, FITTED_ON)))
    for row in rows_in(folder / "m2c_rabbit.csv"):
        name = f"{row['mode']}_{row['rho_nominal']}"
        if name == FITTED_ON:
            continue
        driven = (folder / "traces" / f"m2c_trace_rabbit_{name}.csv.gz").exists()
        lost = float(np.mean([_lost_share(folder, row, name if driven else None, fit, run) for run in range(RUNS)]))
        yield Prediction(
            broker=SYSTEM,
            metric="lost by a queue of 10",
            case=f"{row['mode']}, load {row['rho_nominal']:g}" + ("" if driven else ", work drawn"),
            unit="share",
            fitted_on=f"m2c_trace_rabbit_{FITTED_ON}",
            measured=row["lost_frac"],
            predicted=lost,
            credible=f"{DRIVEN_WITHIN:g} of all" if driven else "-",
            allowed=DRIVEN_WITHIN if driven else nan,
            explanation="" if driven else "the stamps of this run were not kept, so its work is not the one that was recorded",
        )


def _trace(folder: Path, name: str) -> Path:
    return folder / "traces" / f"m2c_trace_rabbit_{name}.csv.gz"


def _stamps(file: Path) -> Stamps:
    """Those of the messages that were handled."""
    rows = read_table(str(file)).dropna()
    sent, begun, ended = (rows[column].to_numpy(np.float64) for column in ("t_pub", "t_start", "t_end"))
    return Stamps(sent, begun, ended, np.zeros(len(rows), dtype=np.int64))


def _lost_share(folder: Path, row: Row, name: str | None, fit: Fitted, run: int) -> float:
    file = _trace(folder, name or FITTED_ON)
    rows: pd.DataFrame = read_table(str(file))
    work = {"handle consumer": (rows["t_end"] - rows["t_start"]).to_numpy(np.float64)} if name else {}
    rule = "reject" if row["mode"] == "reject-publish" else "drop_oldest"
    handling = {"dist": "exponential", "mean": row["svc_ms_actual"] / 1000}
    scenario = bare(
        "bounded",
        {"handle_time": handling, "handover_time": fit.said("handover")},
        duration=float(rows["t_pub"].iloc[-1]) + 1,
        workload={"arrivals": recorded_arrivals(file)},
        network={"latency": {"publish": 0, "deliver": fit.said("transit"), "call": 0}},
        broker={"max_length": int(row["K"]), "overflow": rule},
    )
    return float((played(scenario, RecordedLuck(work, replication=run)).deliveries["outcome"] == LOST_OVERFLOW).mean())
