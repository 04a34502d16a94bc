"""One's own measured runs (`edasim measure`): inputs from one journal, predictions of another, in the same rows as the shipped ones.

A measured run has the workload of replication 0 of its scenario, so the simulation of it has the very same. What is known of the run beside
its outcome is an input, too: how long each handling took (asleep for 10 ms is 10.1 ms or more), and when somebody was down.
"""

from collections.abc import Iterator
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.candidates import Candidate, candidate_named
from edasim.errors import InputError
from edasim.journal import APPLIED, Journal
from edasim.luck import Luck
from edasim.metrics import Value, measure
from edasim.metrics.delivery import in_window
from edasim.observe import observe
from edasim.observe.journals import journal_at
from edasim.observe.matching import observed_in
from edasim.recorded import as_it_was, recorded_luck
from edasim.runs import journal_of
from edasim.scenario import Consumer, Scenario
from edasim.store_fits import signed_percent
from edasim.validation.reality.prediction import OUTSIDE, Prediction
from edasim.workload import rate_of

Floats = NDArray[np.float64]
SHARES = ("loss_rate", "duplicate_rate", "publish_failed_rate")
RECOVERY = "recovery_time"
NAMED = {
    "rabbitmq": "RabbitMQ",
    "redis-streams": "Redis streams",
    "redis-pubsub": "Redis pub/sub",
    "kafka": "Kafka protocol",
    "postgres": "PostgreSQL",
}
CLOSE = 0.025  # of all messages, where a queue is bounded
FEW_MESSAGES = 5  # else
FEW, USUAL = 0.2, 0.3  # of waiting, where work is ten times the handover, and else; of recovery
MOST_LOAD = 0.95


class Both(NamedTuple):
    """A run as it was measured, and as it was simulated."""

    candidate: Candidate
    measured: Journal
    simulated: Journal
    luck: Luck
    fitted_on: str
    case: str


def predicted_run(scenario: Scenario, option: str, fit: Path, run: Path) -> list[Prediction]:
    """What was measured in the journal *run* of an *option* of a *scenario*, predicted with inputs observed in the journal *fit*.

    Both are folders. What misses is predicted once more with what the run itself tells of its inputs: if that is close enough, it explains
    the miss. Raises InputError where one is no journal, or *run* is not one of that scenario.
    """
    measured = journal_at(run)
    if measured.facts["scenario"] != scenario.name:
        raise InputError(f"{run.name} is a run of scenario {measured.facts['scenario']}, not of {scenario.name}")
    found = _with_inputs_of(fit, scenario, option, measured, run.name)
    if all(prediction.verdict != OUTSIDE for prediction in found):
        return found
    again = {(other.metric, other.case): other for other in _with_inputs_of(run, scenario, option, measured, run.name)}
    return [prediction.explained(_why(prediction, again[prediction.metric, prediction.case])) for prediction in found]


def _why(missed: Prediction, again: Prediction) -> str:
    """What a prediction with the missed run's own inputs says, if it is close enough: then the inputs differed, and not the model."""
    if again.verdict == OUTSIDE:
        return ""
    off = signed_percent(again.error) if again.measured else f"{again.error:.3g}"
    return f"with the times that this run itself tells {again.predicted:.3g} is predicted, not {missed.predicted:.3g}: the error is {off}"


def _with_inputs_of(fit: Path, scenario: Scenario, option: str, measured: Journal, name: str) -> list[Prediction]:
    changed = scenario.with_overrides({found.path: found.value for found in observed_in(scenario, observe([fit]))})
    candidate = as_it_was(candidate_named(changed, option), measured)
    luck = recorded_luck(measured)
    both = Both(candidate, measured, journal_of(candidate, luck), luck, fit.name, name)
    waits = (found for number, of in enumerate(candidate.scenario.consumers) for found in _waits(both, number, of))
    return [*waits, *_values(both)]


def _waits(both: Both, number: int, consumer: Consumer) -> Iterator[Prediction]:
    """From committed to the beginning of handling; where the queue only grows nothing is claimed."""
    measured, simulated = (_waited(both, journal, number) for journal in (both.measured, both.simulated))
    work, handover = consumer.handle_time.mean(), consumer.handover_time.mean()
    load = rate_of(both.candidate.scenario) * (work + handover) / consumer.instances
    share = FEW if work >= 10 * handover else USUAL
    for metric, at in {"wait mean": None, "wait p50": 0.5, "wait p95": 0.95}.items():
        if measured.size and simulated.size:
            seen, found = (float(waits.mean() if at is None else np.quantile(waits, at)) for waits in (measured, simulated))
            yield Prediction(
                broker=_technology(both.measured),
                metric=metric,
                case=both.case,
                unit="s",
                fitted_on=both.fitted_on,
                measured=seen,
                predicted=found,
                credible=f"{100 * share:.0f} %" if load <= MOST_LOAD else "-",
                allowed=share * seen if load <= MOST_LOAD else nan,
                explanation="" if load <= MOST_LOAD else f"effective load {load:.2f}, above {MOST_LOAD:g}: the queue only grows",
            )


def _waited(both: Both, journal: Journal, number: int) -> Floats:
    """Seconds of each message of the window that was handled once; what a simulated one began with is its end less its handling time."""
    deliveries, changes = journal.deliveries, journal.changes
    mine = (deliveries["consumer"] == number) & (deliveries["outcome"] == APPLIED) & (deliveries["attempts"] == 1)
    mine &= in_window(journal)[deliveries["change"]]
    change = deliveries["change"][mine]
    if journal.facts["engine"] == "measured":
        begun = deliveries["delivered"][mine]
    else:
        consumer = both.candidate.scenario.consumers[number]
        handling = both.luck.times(f"handle {consumer.name}", consumer.handle_time, changes["time"].size)
        begun = deliveries["applied"][mine] - handling.values[change]
    return np.asarray((begun - changes["committed"][change]) / 1e9)


def _values(both: Both) -> Iterator[Prediction]:
    """What is lost, repeated and refused, and how long recovery takes, by the same metrics code."""
    simulated = {(value.metric, value.consumer): value.value for value in measure(both.simulated) if not value.component}
    for value in measure(both.measured):
        if value.metric in (*SHARES, RECOVERY) and not value.component and (value.metric, value.consumer) in simulated:
            close, credible = _closeness(both, value)
            yield Prediction(
                broker=_technology(both.measured),
                metric=value.metric,
                case=both.case,
                unit=value.unit,
                fitted_on=both.fitted_on,
                measured=value.value,
                predicted=simulated[value.metric, value.consumer],
                credible=credible,
                allowed=close,
            )


def _closeness(both: Both, value: Value) -> tuple[float, str]:
    """How far off a value may be, and the same in words; as data/README.md has it for like cases."""
    if value.metric == RECOVERY:
        return USUAL * value.value, f"{100 * USUAL:.0f} %"
    if both.candidate.scenario.broker.max_length is not None:
        return CLOSE, f"{CLOSE:g} of all"
    return FEW_MESSAGES / in_window(both.measured).sum(), f"{FEW_MESSAGES} messages"


def _technology(journal: Journal) -> str:
    technology = str(journal.facts.get("measured", {}).get("technology", "a broker"))
    return NAMED.get(technology, technology)
