"""How late is the read model, who misses what they have just written, and what does it cost to make sure?

The projection lag of a change is the time from its commit until the read model shows it or a newer version. Whoever reads a change back
some time after its commit misses it if its lag is longer: the curve of misses against that time is the share of lags above it, so one
run gives the whole curve (`read_your_writes_miss_rate` is its value at `own_after`). A change that never comes is missed for ever. Where
the copy forgets versions (`apply: last_arrival`) a change that was shown once counts as shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import COLUMNS, Comparison, by_key
from edasim.errors import InputError
from edasim.estimates import Estimate, column, estimates, short
from edasim.findings import Finding
from edasim.journal import Journal
from edasim.metrics import Value
from edasim.metrics.delivery import in_window
from edasim.metrics.freshness import freshness
from edasim.metrics.load import load
from edasim.patterns import Pattern, pattern_of
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Scenario
from edasim.statistics import Interval, interval, rate_interval
from edasim.studies.spectrum import at_every_consumer
from edasim.summary import outside_incidents

Floats = NDArray[np.float64]
PUSH, RELAY, POLL = "push", "relay-polls", "consumers-poll"
STEPS = 20  # times a decade
FIRST = 1e-3  # the first of them, in seconds
OWN = ("usual", "source", "wait")
COSTS = {  # of each way to read what one wrote
    "read_your_writes_miss_rate": "misses",
    "own_read_latency_p99": "own read p99",
    "source_requests_per_s": "requests to the source",
    "source_utilisation": "source busy",
    "read_latency_p99": "other reads p99",
}
MODELS = {  # of each read model
    "storage_bytes": "takes",
    "latency_p99": "delivery p99",
    "stale_fraction": "time stale",
    "staleness_p99": "staleness p99",
    "read_latency_p99": "reads p99",
}


def lags(journal: Journal, consumer: int) -> Floats:
    """From each commit in the window until the copy of *consumer* shows it or a newer version, in seconds (infinite: never).

    Shape (changes,).
    """
    counted, mine = in_window(journal), journal.refreshes["consumer"] == consumer
    entity, version, committed = (journal.changes[name][counted] for name in ("entity", "version", "committed"))
    of, time, held = (journal.refreshes[name][mine] for name in ("entity", "time", "version"))
    if not of.size:
        return np.full(entity.size, np.inf)
    order = np.argsort(of, kind="stable")  # rows come in order of time
    of, time, held = of[order], time[order], held[order]
    base = int(max(version.max(initial=0), held.max())) + 2  # one running maximum serves all entities, which come one after the other
    row = np.searchsorted(np.maximum.accumulate(of * base + held), entity * base + version)
    there = np.minimum(row, of.size - 1)
    shown = (row < of.size) & (of[there] == entity)
    return np.where(shown, (time[there] - committed) / 1e9, np.inf)


@dataclass(frozen=True)
class Lags:
    """The lags of changes at one consumer's read model by option, an array a run; *own_after*: how soon writers read back, in seconds."""

    scenario: str
    consumer: str
    own_after: float
    patterns: Mapping[str, str]
    runs: Mapping[str, tuple[Floats, ...]]

    def missed(self, option: str, after: float) -> Interval:
        """The share of changes that whoever reads them back so many seconds after the commit misses, with its 95 % interval."""
        found = [run for run in self.runs[option] if run.size]
        if not found:
            return Interval(np.nan, np.nan, np.nan)
        return rate_interval([float(np.mean(run > after)) for run in found], [run.size for run in found])

    def quantile(self, option: str, share: float) -> Estimate:
        """The time after which this *share* of changes is there: mean over runs; infinite where it never is in some of them."""
        found = [float(np.quantile(run, share, method="higher")) for run in self.runs[option] if run.size]
        if not np.isfinite(found).all():
            return Estimate(np.inf, np.nan, np.nan, "s")
        known = interval(found) if found else Interval(np.nan, np.nan, np.nan)
        return Estimate(known.mean, known.low, known.high, "s")

    @property
    def times(self) -> list[float]:
        """The times of the curves: 20 a decade from 1 ms to the longest lag, and at least to `own_after`."""
        taken = np.concatenate([run for runs in self.runs.values() for run in runs])
        longest = max([FIRST, self.own_after, *taken[np.isfinite(taken)].tolist()])
        steps = int(np.ceil(STEPS * np.log10(longest / FIRST) - 1e-9)) + 1
        return [float(f"{FIRST * 10 ** (step / STEPS):.12g}") for step in range(steps)]

    def curves(self) -> pd.DataFrame:
        """The share missed by the time since the commit: rows as those of `compare`, metric `missed`, with a column more, `after_s`."""
        rows = []
        for option, pattern in self.patterns.items():
            for after in self.times:
                share = self.missed(option, after)
                names = self.scenario, option, pattern, self.consumer, "", "missed", "", "share"
                rows.append((*names, share.mean, share.low, share.high, len(self.runs[option]), after))
        return pd.DataFrame(rows, columns=[*COLUMNS, "after_s"])


def push_or_poll(
    scenario: Scenario,
    consumer: str,
    pattern: Pattern | str = "cqrs",
    *,
    poll_interval: float | str = 1.0,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> Lags:
    """The lags at *consumer* by three ways for a change to get there, all else as the scenario says, its outages too.

    `push`: the source sends it at once, the consumer takes it as it comes. `relay-polls`: a relay looks for it every
    `source.relay.poll`. `consumers-poll`: sent at once, but consumers that found nothing sleep for *poll_interval*. Raises InputError for
    a pattern that keeps no copy from messages, an unknown consumer, and an interval that is no time.
    """
    chosen, number = pattern_of(pattern), scenario.consumer_number(consumer)
    if not (chosen.sends and chosen.keeps_copy):
        raise InputError(f"pattern {chosen.name} has no projection: it must send events to a copy or a read model")
    relay = "outbox" if chosen.truth == "table" else "subscription"
    ways: dict[str, tuple[str, Any]] = {PUSH: ("direct", 0), RELAY: (relay, 0), POLL: ("direct", poll_interval)}
    usual = {"carries": None, "reads": None}
    scenario = scenario.with_overrides({"workload.reads.rate": 0, "workload.reads.per_change": None})  # reads make nothing later or sooner
    candidates = [
        _named(
            way,
            scenario.with_overrides({"source.publish": publish, **at_every_consumer(scenario, {**usual, "poll_interval": sleep})}),
            chosen,
        )
        for way, (publish, sleep) in ways.items()
    ]
    found = over_replications(candidates, partial(lags, consumer=number), seed=scenario.seed, replications=replications, jobs=jobs)
    runs = {way: tuple(found[way]) for way in ways}
    return Lags(scenario.name, consumer, scenario.workload.reads.own_after, dict.fromkeys(ways, chosen.name), runs)


def _named(name: str, scenario: Scenario, pattern: Pattern) -> Candidate:
    (found,) = candidates_of(scenario, [pattern])
    return Candidate(name, found.pattern, found.scenario)


def three_ways(
    scenario: Scenario,
    pattern: Pattern | str = "cqrs",
    *,
    own_after: float | str | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> Comparison:
    """Own reads answered as usual, by the source, and after waiting: `workload.reads.own` as options on the same luck.

    They come *own_after* the commit, by default when the scenario says.
    """
    asked = scenario if own_after is None else scenario.with_overrides({"workload.reads.own_after": own_after})
    candidates = [_named(own, asked.with_overrides({"workload.reads.own": own}), pattern_of(pattern)) for own in OWN]
    measured = over_replications(candidates, _of_readers, seed=scenario.seed, replications=replications, jobs=jobs)
    return Comparison(asked, scenario.seed, tuple(candidates), by_key(measured), replications)


def _of_readers(journal: Journal) -> list[Value]:
    """The metrics that own reads can change."""
    return [*load(journal), *freshness(journal)]


# What came out


def how_late(found: Lags) -> Finding:
    """How late changes are by each way, and how many who read back after `own_after` miss theirs."""
    return Finding("\n".join(f"* `{option}`: {_late(found, option)}." for option in found.runs))


def _late(found: Lags, option: str) -> str:
    missed = found.missed(option, found.own_after)
    if np.isnan(missed.mean):
        return "no change in the window"
    share = Estimate(missed.mean, missed.low, missed.high, "share")
    half, most = (found.quantile(option, part) for part in (0.5, 0.99))
    late = f"half of the changes are there {_within(half)}, 99 of 100 {_within(most)}"
    return f"{late}; whoever reads back after {short(found.own_after, 's')} misses {share}"


def _within(time: Estimate) -> str:
    return f"within {time}" if time.mean < np.inf else "not even when the run ends"


def ways_table(comparison: Comparison) -> pd.DataFrame:
    """What each way to read what one wrote costs, a row each: of several consumers the one who fares worst; a dash: nothing to measure."""
    table = pd.DataFrame(index=pd.Index(list(OWN), name="own reads"))
    for metric, title in COSTS.items():
        table[title] = column(estimates(comparison.results, metric), OWN)
    return table


def what_own_reads_cost(comparison: Comparison) -> Finding:
    """What asking the source and waiting buy and cost, beside the usual way."""
    misses, waits = (estimates(comparison.results, metric) for metric in ("read_your_writes_miss_rate", "own_read_latency_p99"))
    if "usual" not in misses:
        return Finding("Nobody reads back: no change in the window, or no consumer keeps anything.")
    more = {metric: estimates(comparison.differences, metric).get("source") for metric in ("source_requests_per_s", "source_utilisation")}
    asked, busy = more.values()
    after, timeout = (short(getattr(comparison.scenario.workload.reads, key), "s") for key in ("own_after", "timeout"))
    took = {own: f"99 of 100 of the answers take at most {waits[own]}" if own in waits else "no answer came" for own in OWN}
    lines = [f"* **As usual** {misses['usual']} of what one wrote is missed {after} after its commit."]
    if "source" in misses and asked is not None and busy is not None:
        points = str(busy).replace(" %", " percentage points")
        lines.append(f"* **Asking the source** misses {misses['source']}, those without an answer in time; {took['source']}.")
        lines.append(f"* It asks the source {asked.mean:.3g} times a second more, and keeps its servers {points} busier.")
    if "wait" in misses:
        lines.append(f"* **Waiting** for at most {timeout} misses {misses['wait']} and asks the source nothing; {took['wait']}.")
    return Finding("\n".join(lines))


def read_models_table(results: pd.DataFrame, option: str) -> pd.DataFrame:
    """Of `compare`'s rows: what each consumer's read model takes and how late it is with one *option*, a row a consumer."""
    rows = outside_incidents(results)
    mine = rows[(rows["option"] == option) & (rows["consumer"] != "") & rows["component"].isin(["", "read_model"])]
    consumers = list(dict.fromkeys(mine["consumer"]))
    table = pd.DataFrame(index=pd.Index(consumers, name="read model of"))
    for metric, title in MODELS.items():
        rows = mine[mine["metric"] == metric].set_index("consumer")
        table[title] = column({str(name): Estimate(*rows.loc[name, list(Estimate._fields)]) for name in rows.index}, consumers)
    return table


def what_read_models_take(results: pd.DataFrame, option: str, rival: str) -> Finding:
    """Of `compare`'s rows: how often all data is stored again with one *option*, and what it asks of the source beside a *rival*."""
    copies, asked = (estimates(results, metric) for metric in ("duplication_factor", "source_requests_per_s"))
    models = len(read_models_table(results, option))
    stored = f"keep {str(copies[option]).split()[0]} bytes for each byte of the truth" if option in copies else "keep nothing"
    return Finding(
        f"With `{option}` the read models of {models} {'consumer' if models == 1 else 'consumers'} {stored}, and the source is asked "
        f"{asked[option].mean:.4g} times a second, however many read. With `{rival}` it is asked {asked[rival].mean:.4g} times."
    )
