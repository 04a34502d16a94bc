"""Which copy heals? Messages that are lost or overtaken, on the same luck, for copies that are told states and copies that are told deltas.

A state brings the whole entity: whatever went wrong before, the entity's next change puts it right. A delta fits only on the version
before it. A consumer that notices the gap can ask the source for the whole; one that does not is wrong from then on. And a consumer
that forgets versions lets a late state overwrite a newer one, until the next change.

What is wrong when changes stop stays wrong: the last change of an entity has no next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import candidates_of
from edasim.comparison import COLUMNS, Comparison, by_key
from edasim.estimates import Estimate, estimates
from edasim.findings import Finding, extremes, listed
from edasim.journal import Journal
from edasim.metrics import Value, measure
from edasim.metrics.over_time import outages_of, stale_over_time
from edasim.runs import over_replications
from edasim.scenario import Scenario
from edasim.statistics import interval
from edasim.studies.spectrum import at_every_consumer

Floats = NDArray[np.float64]
LOSS = 0.01
PUBLISH = {"dist": "lognormal", "mean": "100ms", "cv": 2}  # a spread wide enough for messages to overtake
REPLICATIONS = 4
BINS = 30  # of time
ENDS = 0.2  # of the window, at its beginning and its end: to say whether a course rises


def lossy(scenario: Scenario, loss: float = LOSS, publish: Mapping[str, Any] | str = PUBLISH) -> Scenario:
    """The scenario with messages that get lost and overtake, and with four options in place of its own to hold on to a copy.

    `state`; `state-last-arrival`, which forgets versions; `delta-refetch`, which asks the source after a gap; `delta-ignore`. They
    hold for every consumer. Each message is sent directly and once: it is lost with probability *loss*, and takes *publish* to the
    broker, drawn for each alone. All else is as the scenario says, its outages too, which lose messages besides.

    >>> [option.name for option in lossy(Scenario()).options]
    ['state', 'state-last-arrival', 'delta-refetch', 'delta-ignore']

    Raises InputError for a *loss* that is no probability, or a *publish* that is no time.
    """
    usual = {"carries": None, "reads": None, "apply": "newest_version", "on_gap": "refetch", "needs_more": 0.0}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "state": ("event_carried_state_transfer", {}),
        "state-last-arrival": ("event_carried_state_transfer", {"apply": "last_arrival"}),
        "delta-refetch": ("table/delta/copy", {}),
        "delta-ignore": ("table/delta/copy", {"on_gap": "ignore"}),
    }
    options = [
        {"name": name, "pattern": pattern, "set": at_every_consumer(scenario, {**usual, **own})} for name, (pattern, own) in asked.items()
    ]
    network = {"network.loss": loss, "network.latency.publish": publish}
    sending = {"source.publish": "direct", "source.producer.retries": 0, "source.producer.batch": 1}
    return scenario.with_overrides({**network, **sending, "options": options})


@dataclass(frozen=True)
class Healing:
    """How stale each option's readers at *consumer* are over the window, over replications that share their luck.

    *edges*: of the bins of time, in seconds, shape (bins + 1,); *stale*: by option the share of popularity that is stale, averaged over
    each bin, shape (replications, bins); *entities*: how many there are, the mean over replications; *outages*: by component when it
    was down, in seconds, of those outages that all options and replications meet alike.
    """

    comparison: Comparison
    consumer: str
    edges: Floats
    stale: Mapping[str, Floats]
    entities: float
    outages: Mapping[str, list[tuple[float, float]]]

    @property
    def results(self) -> pd.DataFrame:
        """The rows of `compare` of this consumer and of all together."""
        found = self.comparison.results
        return found[found["consumer"].isin(["", self.consumer])]

    def curves(self) -> pd.DataFrame:
        """Rows as those of `compare`, of the metric `stale_share`, with two columns more, `begin_s` and `end_s`: the bin of time.

        The intervals are those of each bin alone.
        """
        patterns = {candidate.name: candidate.pattern.name for candidate in self.comparison.candidates}
        rows = []
        for option, shares in self.stale.items():
            for begin, end, column in zip(self.edges, self.edges[1:], shares.T, strict=False):
                names = (self.comparison.scenario.name, option, patterns[option], self.consumer, "", "stale_share", "", "share")
                found = _share(column)
                rows.append((*names, found.mean, found.low, found.high, len(shares), begin, end))
        return pd.DataFrame(rows, columns=[*COLUMNS, "begin_s", "end_s"])

    def rise(self, option: str) -> Estimate:
        """How much larger the share that is stale is in the last fifth of the window than in the first."""
        ends = max(1, round(ENDS * (self.edges.size - 1)))
        found = interval(self.stale[option][:, -ends:].mean(axis=1) - self.stale[option][:, :ends].mean(axis=1))
        return Estimate(found.mean, found.low, found.high, "share")

    def call_backs(self) -> dict[str, Estimate]:
        """How many calls a second each option's consumers make because of a gap, all consumers together."""
        rows = self.comparison.results
        found = estimates(rows[rows["component"] == "call_back"].assign(component=""), "source_requests_per_s")
        return {option: found.get(option, Estimate(0, 0, 0, "1/s")) for option in self.stale}


def _share(values: Floats) -> Estimate:
    found = interval(values)
    return Estimate(found.mean, max(0.0, found.low) if found.low == found.low else found.low, min(1.0, found.high), "share")


class _Run(NamedTuple):
    values: list[Value]
    stale: Floats
    entities: int
    outages: dict[str, list[tuple[float, float]]]


def healing(
    scenario: Scenario, consumer: str, *, options: Sequence[str] | None = None, replications: int = REPLICATIONS, jobs: int = -1
) -> Healing:
    """What every option of the *scenario*, usually one that `lossy` made, leaves its readers at *consumer* with, over time.

    Raises InputError for an unknown consumer, and for what `compare` refuses.
    """
    number = scenario.consumer_number(consumer)
    edges = np.linspace(*scenario.window, BINS + 1)
    chosen = candidates_of(scenario, options=options)
    look = partial(_look, consumer=number, edges=edges)
    found = over_replications(chosen, look, seed=scenario.seed, replications=replications, jobs=jobs)
    values = by_key({option: [run.values for run in runs] for option, runs in found.items()})
    comparison = Comparison(scenario, scenario.seed, tuple(chosen), values, replications)
    stale = {option: np.array([run.stale for run in runs]) for option, runs in found.items()}
    every = [run for runs in found.values() for run in runs]
    entities = float(np.mean([run.entities for run in every]))
    outages = {name: spans for name, spans in every[0].outages.items() if all(run.outages.get(name) == spans for run in every)}
    return Healing(comparison, consumer, edges, stale, entities, outages)


def _look(journal: Journal, consumer: int, edges: Floats) -> _Run:
    stale = stale_over_time(journal, consumer, np.rint(edges * 1e9).astype(np.int64))
    outages = outages_of(journal, journal.facts["consumers"][consumer])
    spans = {name: [(start / 1e9, end / 1e9) for start, end in found.tolist()] for name, found in outages.items()}
    return _Run(measure(journal), stale, journal.entities["weight"].size, spans)


def who_heals(found: Healing) -> Finding:
    """How stale each option is, whose readers are worse off in the end than at first, what stays wrong, and what asking costs."""
    against = found.comparison.differences
    more = estimates(against[against["consumer"] == found.consumer], "stale_fraction")
    lines = [
        f"* **Time stale at `{found.consumer}`**: {extremes(found.results, 'stale_fraction')}.",
        f"* **From the first fifth of the window to the last**: {_courses(found)}.",
        f"* **Wrong when all messages have settled**, of {found.entities:,.0f} entities: {extremes(found.results, 'diverged_entities')}.",
        f"* **Calls to the source for what a message did not bring**, of all consumers: {_asking(found.call_backs())}.",
    ]
    if more:
        lines.append(f"* **Time stale beyond `{found.comparison.baseline}`**, run by run: {_beyond(more)}.")
    return Finding("\n".join(lines))


def _courses(found: Healing) -> str:
    rises = {option: found.rise(option) for option in found.stale}
    worse = [f"`{option}` by {_points(rise)}" for option, rise in rises.items() if rise.low > 0]
    level = [option for option, rise in rises.items() if not rise.low > 0]
    said = [f"the share that is stale grows with {', '.join(worse)}"] if worse else []
    return "; ".join([*said, f"no growth is certain with {listed(level)}"] if level else said)


def _asking(calls: Mapping[str, Estimate]) -> str:
    asking = [f"{call} with `{option}`" for option, call in calls.items() if call.mean]
    silent = [option for option, call in calls.items() if not call.mean]
    return "; ".join([*asking, f"none with {listed(silent)}"] if silent else asking)


def _beyond(more: Mapping[str, Estimate]) -> str:
    certain = {option: found for option, found in more.items() if found.low > 0 or found.high < 0}
    said = [f"{_points(found)} with `{option}`" for option, found in certain.items()]
    unclear = [option for option in more if option not in certain]
    return "; ".join([*said, f"no difference is certain with {listed(unclear)}"] if unclear else said)


def _points(found: Estimate) -> str:
    """A difference of shares, which is in percentage points."""
    low, high = sorted(map(abs, found.ends))
    return ("-" if found.mean < 0 else "") + str(Estimate(abs(found.mean), low, high, found.unit)).replace(" %", " pp")
