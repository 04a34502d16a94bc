"""How long messages wait until their handling begins: other loads, other numbers of consumers, another kind of work than was fitted to.

Transit and handover are fitted to the run with one consumer, exponential work and half the load, one for each broker and length of work.
Every other run is simulated with them, driven by its own recorded arrivals and handling times, so nothing else is left to chance.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import read_table
from edasim.estimates import short
from edasim.recorded import RecordedLuck
from edasim.scenario import Scenario
from edasim.store_fits import signed_percent
from edasim.validation.reality.bare import bare, played, recorded_arrivals
from edasim.validation.reality.handover import Fitted, Stamps, fitted
from edasim.validation.reality.prediction import OUTSIDE, Prediction

SESSIONS = {"rabbit": "RabbitMQ", "redis": "Redis streams", "rabbitS20": "RabbitMQ", "redisS20": "Redis streams"}
FITTED_ON = "1c_exp_0.5"
SEEN = 10  # messages that tell what a miss comes from; a fit to predict with takes more
MOST_LOAD = 0.95  # effective: work and handover; beyond that nothing is claimed
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Any]


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
        sent, begun, ended = (columns[column].to_numpy(np.float64) for column in ("t_pub", "t_recv", "t_end"))
        yield Recording(session, name, file, Stamps(sent, begun, ended, columns["consumer"].to_numpy(np.int64)))


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
    return bare(
        f"{run.session} {run.name}",
        {"instances": run.consumers, "handle_time": float(run.work.mean()), "handover_time": handover},
        duration=float(run.stamps.sent[-1]) + 1,
        workload={"arrivals": recorded_arrivals(run.file)},
        network={"latency": {"publish": 0, "deliver": transit, "call": 0}},
    )


def simulated_waits(run: Recording, fit: Fitted) -> Floats:
    """From committed to the beginning of handling, in seconds, in the order of sending."""
    journal = played(scenario_of(run, fit), RecordedLuck({"handle consumer": run.work}))
    return np.asarray((journal.deliveries["applied"] - journal.changes["committed"]) / 1e9 - run.work)


def p95(waits: Floats) -> float:
    """The 95 % quantile."""
    return float(np.quantile(waits, 0.95))


def _of_run(run: Recording, fit: Fitted) -> Iterator[Prediction]:
    simulated, work, handover = simulated_waits(run, fit), float(run.work.mean()), float(fit.handover.mean())
    rate = (run.stamps.sent.size - 1) / float(run.stamps.sent[-1])
    load = rate * (work + handover) / run.consumers
    share = 0.2 if work >= 10 * handover else 0.3
    of_waits: dict[str, Statistic] = {"wait mean": np.mean, "wait p50": np.median, "wait p95": p95}
    for metric, of in of_waits.items():
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
            continue
        found = replace(found, allowed=share * found.measured)
        yield replace(found, explanation=_why(run, fit, simulated, of)) if found.verdict == OUTSIDE else found


def _why(run: Recording, fit: Fitted, simulated: Floats, of: Statistic) -> str:
    """What a miss comes from: predicted once more with what this run itself tells, and without messages that waited unusually long."""
    measured, usual = float(of(run.waits)), run.waits <= simulated.max()
    said = []
    if not usual.all():
        without = float(of(run.waits[usual]))
        said.append(
            f"{(~usual).sum()} of {usual.size} messages waited longer than any simulated one, up to {short(float(run.waits.max()), 's')}: "
            f"without them {short(without, 's')} is measured, and the error is {signed_percent(float(of(simulated[usual])) / without - 1)}"
        )
    try:
        own = fitted(run.stamps, fewest=SEEN)
    except ValueError as error:
        return "; ".join([*said, f"what this run itself tells of its inputs is too little: {error}"])
    again = float(of(simulated_waits(run, own))) / measured - 1
    inputs = " and ".join(
        f"{name} took {short(float(here.mean()), 's')}, not {short(float(there.mean()), 's')}"
        for name, here, there in zip(Fitted._fields, own, fit, strict=True)
    )
    return "; ".join([*said, f"in this run {inputs}: with those the error is {signed_percent(again)}"])
