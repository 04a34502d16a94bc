"""Notifications turn into load on the source: what it has to do at a growing rate of changes, and where it has too much to do."""

from collections.abc import Sequence
from math import inf, isnan, nan
from typing import NamedTuple

import pandas as pd

from edasim.candidates import Candidate, candidates_of
from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, short
from edasim.findings import Finding
from edasim.incidents import without_faults
from edasim.patterns import Pattern, patterns_of
from edasim.runs import REPLICATIONS
from edasim.scenario import Scenario, TraceArrivals
from edasim.sweeps import by_default, sweep
from edasim.theory import falls_behind_at, saturating_rate
from edasim.workload import rate_of

RATE = "workload.arrivals.rate"
USUAL = ("event_notification", "event_carried_state_transfer", "request_response")
CHANGES = 2000  # in the window at the highest rate
AROUND = (0.25, 0.5, 0.75, 0.9, 1.1, 1.3)  # of the rate at which the first option meets a limit
SATURATED = 0.97  # of what the servers can do: more is noise or saturation


def load_sweep(
    scenario: Scenario,
    rates: Sequence[float] | None = None,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """What the source has to do at each of *rates* changes per second, which come as a Poisson process whatever the scenario says.

    A sweep over the rate, with two columns more, from `edasim.theory`: `saturates_at`, the rate from which on the option asks more of
    the source than it can do (NaN: no formula), and `falls_behind_at`, that from which on its slowest consumer can't keep up at the
    latest. Without *rates* some around the least of these. By default notifications, transfers of state and plain requests.

    It is the load alone that is looked at, so nothing fails, and the window is just as long as it takes for 2,000 changes to come at
    the highest rate, after a quarter of that to warm up. Above either limit queues grow until it ends: latencies depend on its length.

    Raises InputError for what `compare` refuses, and where rates are needed because no limit is known.
    """
    steady = without_faults(scenario.with_overrides({"workload.arrivals": {"process": "poisson"}}))
    patterns, options = by_default(scenario, USUAL, patterns, options)
    limits = {candidate.name: by_hand(candidate) for candidate in candidates_of(steady, patterns, options)}
    first = min((limit for pair in limits.values() for limit in pair if 0 < limit < inf), default=nan)
    if rates is None and isnan(first):
        raise InputError("rates: give some: no option is known to meet a limit at any")
    values = [float(f"{share * first:.3g}") for share in AROUND] if rates is None else list(rates)
    steady = steady.with_overrides({"duration": CHANGES / max(values), "warmup": CHANGES / max(values) / 4})
    swept = sweep(steady, {RATE: values}, patterns, options=options, replications=replications, jobs=jobs).rename(columns={RATE: "value"})
    saturates, falls_behind = ({option: pair[place] for option, pair in limits.items()} for place in (0, 1))
    return swept.assign(saturates_at=swept["option"].map(saturates), falls_behind_at=swept["option"].map(falls_behind))


def steady(scenario: Scenario, changes: int) -> Scenario:
    """The scenario on an ordinary day, for as long as so many *changes* take: nothing fails, and they come at the mean rate.

    Whatever swings or bursts becomes a Poisson process; a trace stays as it was recorded. Raises InputError where nothing changes.
    """
    rate = rate_of(scenario)
    if not rate:
        raise InputError("workload.arrivals: nothing changes, so there is nothing to see")
    calm = without_faults(scenario).with_overrides({"warmup": 0, "duration": changes / rate, "drain": 0})
    recorded = isinstance(scenario.workload.arrivals, TraceArrivals)
    return calm if recorded else calm.with_overrides({"workload.arrivals": {"process": "poisson", "rate": rate}})


class Limits(NamedTuple):
    """From which rate of changes on an option saturates the *source* (NaN: no formula), and the slowest of its *consumers* falls behind."""

    source: float
    consumers: float

    @property
    def consumers_first(self) -> bool:
        """Whether a consumer falls behind before the source is saturated, as far as is known."""
        return self.consumers < inf if isnan(self.source) else self.consumers < self.source


def by_hand(candidate: Candidate) -> Limits:
    """The limits of an option by the formulas of `edasim.theory`."""
    scenario, patterns = candidate.scenario, patterns_of(candidate.pattern, candidate.scenario)
    slowest = min(falls_behind_at(scenario, *pair) for pair in zip(scenario.consumers, patterns, strict=True))
    try:
        return Limits(saturating_rate(scenario, candidate.pattern), slowest)
    except InputError:
        return Limits(nan, slowest)


def limits_of(swept: pd.DataFrame, option: str) -> Limits:
    """The limits of an option in a `load_sweep`."""
    row = swept[swept["option"] == option].iloc[0]
    return Limits(float(row["saturates_at"]), float(row["falls_behind_at"]))


def course(swept: pd.DataFrame, option: str, metric: str, component: str = "") -> dict[float, Estimate]:
    """*metric* of one option by the rate of changes, of several consumers the worst; empty where it does not apply.

    What does not happen at all, such as a kind of request that nobody makes, is zero by nature.
    """
    mine = swept[(swept["option"] == option) & (swept["metric"] == metric)]
    rows = mine[mine["component"] == component].assign(component="")
    found = {rate: estimates(rows[rows["value"] == rate], metric) for rate in sorted(set(mine["value"]))}
    return {rate: of.get(option, Estimate(0.0, 0.0, 0.0, mine["unit"].iloc[0])) for rate, of in found.items()}


def saturates_in_simulation(swept: pd.DataFrame, option: str) -> float:
    """At which rate of changes the simulated source is asked for as much as its servers can do; NaN where no rate came that far.

    On the straight line through the two highest rates below saturation, if at the next one the source is saturated: call backs wait
    for their answers, so from there on they hold back, and what is asked for hardly rises.
    """
    busy = {rate: found.mean for rate, found in course(swept, option, "source_utilisation").items()}
    below = [rate for rate, share in busy.items() if share < SATURATED]
    if len(below) < 2 or len(below) == len(busy):
        return nan
    (start, low), (end, high) = ((rate, busy[rate]) for rate in below[-2:])
    return end + (1 - high) * (end - start) / (high - low) if high > low else nan


def when_the_source_saturates(swept: pd.DataFrame) -> Finding:
    """Of a `load_sweep`: from which rate of changes on each option asks more of the source than it can do, simulated and by hand."""
    return Finding("\n".join(f"* `{option}`: {saturation(swept, option)}." for option in dict.fromkeys(swept["option"])))


def saturation(swept: pd.DataFrame, option: str) -> str:
    """Where an option meets a limit, in words: that of the source, or before that its consumers'."""
    limits, most = limits_of(swept, option), max(swept["value"])
    busy = short(course(swept, option, "source_utilisation")[most].mean, "share")
    asked = f"at {most:.4g}, the most simulated, that is asked for {busy} of what it can do"
    if limits.consumers_first:
        late = f"its consumers fall behind from {limits.consumers:.4g} changes per second on, or sooner"
        known = f", which consumers that kept up would do from {limits.source:.4g} on (by hand)" if limits.source < inf else ""
        return f"{late}, before they saturate the source{known}; {asked}"
    source, simulated = limits.source, saturates_in_simulation(swept, option)
    known = f"saturates the source from {source:.4g} changes per second on (by hand)"
    if isnan(source) or source == inf:
        known = "no formula says from where on it saturates the source" if isnan(source) else "never saturates the source (by hand)"
    if isnan(simulated):
        return f"{known}; {asked}"
    apart = f": {short(abs(simulated / source - 1), 'share')} apart" if 0 < source < inf else ""
    return f"{known}, from {simulated:.4g} on (simulated){apart}"
