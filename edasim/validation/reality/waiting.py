"""How long messages wait until their handling begins: other loads, other numbers of consumers, another kind of work than was fitted to.

Transit and handover are fitted to the run with one consumer, exponential work and half the load, one for each broker and length of work.
Every other run is simulated with them, driven by its own recorded arrivals and handling times, so nothing else is left to chance.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import candidate_named
from edasim.distributions import read_table
from edasim.journal import Journal
from edasim.runs import journal_of
from edasim.scenario import Scenario
from edasim.validation.reality.handover import Fitted, Stamps, fitted
from edasim.validation.reality.prediction import OUTSIDE, Prediction
from edasim.validation.reality.recorded import RecordedLuck

SESSIONS = {"rabbit": "RabbitMQ", "redis": "Redis streams", "rabbitS20": "RabbitMQ", "redisS20": "Redis streams"}
FITTED_ON = "1c_exp_0.5"
MOST_LOAD = 0.95  # effective: work and handover; beyond that nothing is claimed
Floats = NDArray[np.float64]


class Recording(NamedTuple):
    """A run as it was recorded, and the file that holds its arrivals."""

    session: str  # such as redisS20: 20 ms of work
    name: str  # such as 2c_exp_0.8: two consumers, exponential work, nominal load
    file: Path
    stamps: Stamps

    @property
    def consumers(self) -> int:
        """How many consumers compete."""
        return int(self.name[0])

    @property
    def waits(self) -> Floats:
        """From sent to the beginning of handling, in seconds."""
        return self.stamps.begun - self.stamps.sent

    @property
    def work(self) -> Floats:
        """How long handling took, in seconds, in the order of sending."""
        return self.stamps.ended - self.stamps.begun


def recordings(folder: Path) -> Iterator[Recording]:
    """The runs whose stamps are in *folder*."""
    for file in sorted((folder / "traces").glob("m1_trace_*.csv.gz")):
        session, _, name = file.name.removeprefix("m1_trace_").removesuffix(".csv.gz").partition("_")
        columns = read_table(str(file))
        of = [columns[column].to_numpy(np.float64) for column in ("t_pub", "t_recv", "t_end")]
        yield Recording(session, name, file, Stamps(*of, columns["consumer"].to_numpy(np.int64)))


def waiting(folder: Path) -> list[Prediction]:
    """The predictions of waiting, for every run but those that were fitted to."""
    runs = {(run.session, run.name): run for run in recordings(folder)}
    fits = {session: fitted(runs[session, FITTED_ON].stamps) for session in SESSIONS}
    held_out = [run for run in runs.values() if run.name != FITTED_ON]
    return [prediction for run in held_out for prediction in _of_run(run, fits[run.session])]


def scenario_of(run: Recording, fit: Fitted) -> Scenario:
    """The *run* as a scenario: a queue that its consumers compete for.

    All of the transit is on the way to the consumer, since one connection keeps the order of what it publishes.
    """
    transit, handover = fit.said("transit"), fit.said("handover")
    consumer = {"name": "consumer", "instances": run.consumers, "handle_time": float(run.work.mean()), "handover_time": handover}
    return Scenario.from_mapping(
        {
            "name": f"{run.session} {run.name}",
            "warmup": 0,
            "duration": float(run.stamps.sent[-1]) + 1,
            "workload": {
                "arrivals": {"process": "trace", "file": str(run.file), "columns": {"time": "t_pub"}},
                "reads": {"rate": 0},
            },
            "source": {"write_time": 0},
            "network": {"latency": {"publish": 0, "deliver": transit, "call": 0}},
            "broker": {"kind": "queue"},
            "consumers": [consumer],
        }
    )


def simulated_waits(run: Recording, fit: Fitted) -> Floats:
    """From committed to the beginning of handling, in seconds, in the order of sending."""
    scenario = scenario_of(run, fit)
    luck = RecordedLuck({"handle consumer": run.work})
    journal: Journal = journal_of(candidate_named(scenario, "event_carried_state_transfer"), luck)
    return np.asarray((journal.deliveries["applied"] - journal.changes["committed"]) / 1e9 - run.work)


def _of_run(run: Recording, fit: Fitted) -> Iterator[Prediction]:
    simulated, work, handover = simulated_waits(run, fit), float(run.work.mean()), float(fit.handover.mean())
    rate = (run.stamps.sent.size - 1) / float(run.stamps.sent[-1])
    load = rate * (work + handover) / run.consumers
    share = 0.2 if work >= 10 * handover else 0.3
    for metric, of in {"wait mean": np.mean, "wait p50": np.median, "wait p95": lambda waits: np.quantile(waits, 0.95)}.items():
        found = Prediction(
            broker=SESSIONS[run.session],
            metric=metric,
            case=f"{run.name.replace('_', ' ')}, work {1e3 * work:.0f} ms",
            unit="s",
            fitted_on=f"m1_trace_{run.session}_{FITTED_ON}",
            measured=float(of(run.waits)),
            predicted=float(of(simulated)),
            credible=f"{share:.0%}".replace("%", " %"),
        )
        if load > MOST_LOAD:
            yield replace(found, explanation=f"effective load {load:.2f}, above {MOST_LOAD:g}: the queue only grows", credible="-")
        else:
            yield replace(found, allowed=share * found.measured)
