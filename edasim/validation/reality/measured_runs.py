"""One's own measured runs (`edasim measure`): inputs from one journal, predictions of another, in the same rows as the shipped ones.

A measured run has the workload and the handling times of replication 0 of its scenario, so the simulation of it has the very same.
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
from edasim.metrics import measure
from edasim.metrics.delivery import in_window
from edasim.observe import observe
from edasim.observe.journals import journal_at
from edasim.observe.matching import observed_in
from edasim.runs import journal_of
from edasim.scenario import Consumer, Scenario
from edasim.validation.reality.prediction import Prediction
from edasim.workload import rate_of

Floats = NDArray[np.float64]
SHARES = ("loss_rate", "duplicate_rate", "publish_failed_rate")
CLOSE = 0.025  # of shares, absolute
FEW, USUAL = 0.2, 0.3  # of waiting, where work is ten times the handover, and else
MOST_LOAD = 0.95


class Both(NamedTuple):
    """A run as it was measured, and as it was simulated."""

    candidate: Candidate
    measured: Journal
    simulated: Journal
    fitted_on: str


def predicted_run(scenario: Scenario, option: str, fit: Path, run: Path) -> list[Prediction]:
    """What was measured in the journal *run* of an *option* of a *scenario*, predicted with inputs observed in the journal *fit*.

    Both are folders. Raises InputError where one is no journal, or *run* is not one of that scenario.
    """
    measured, observed = journal_at(run), observe([fit])
    if measured.facts["scenario"] != scenario.name:
        raise InputError(f"{run.name} is a run of scenario {measured.facts['scenario']}, not of {scenario.name}")
    changed = scenario.with_overrides({found.path: found.value for found in observed_in(scenario, observed)})
    candidate = candidate_named(changed, option)
    simulated = journal_of(candidate, Luck(measured.facts["seed"], measured.facts["replication"]))
    both = Both(candidate, measured, simulated, fit.name)
    waits = (found for number, of in enumerate(candidate.scenario.consumers) for found in _waits(both, number, of))
    return [*waits, *_shares(both)]


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
                case=f"{both.measured.facts['scenario']}: {consumer.name}",
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
        consumer, luck = both.candidate.scenario.consumers[number], Luck(journal.facts["seed"], journal.facts["replication"])
        handling = luck.times(f"handle {consumer.name}", consumer.handle_time, changes["time"].size)
        begun = deliveries["applied"][mine] - np.array(handling)[change]
    return np.asarray((begun - changes["committed"][change]) / 1e9)


def _shares(both: Both) -> Iterator[Prediction]:
    """What is lost, repeated and refused, by the same metrics code."""
    simulated = {(value.metric, value.consumer): value.value for value in measure(both.simulated) if not value.component}
    for value in measure(both.measured):
        if value.metric in SHARES and not value.component and (value.metric, value.consumer) in simulated:
            yield Prediction(
                broker=_technology(both.measured),
                metric=value.metric,
                case=": ".join(filter(None, (str(both.measured.facts["scenario"]), value.consumer))),
                unit="share",
                fitted_on=both.fitted_on,
                measured=value.value,
                predicted=simulated[value.metric, value.consumer],
                credible=f"{CLOSE:g} of all",
                allowed=CLOSE,
            )


def _technology(journal: Journal) -> str:
    return str(journal.facts.get("measured", {}).get("technology", "a broker"))
