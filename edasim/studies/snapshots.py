"""How often to take a snapshot: loads get cheaper and snapshots dearer the more there are. Where is the least of both?"""

from collections.abc import Sequence
from functools import partial
from math import inf, isfinite, nan

import numpy as np
import pandas as pd

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import Comparison, by_key
from edasim.errors import InputError
from edasim.estimates import Estimate, short
from edasim.findings import Finding
from edasim.journal import Journal
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value, quantiles
from edasim.patterns import Pattern, pattern_of
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Scenario
from edasim.statistics import interval
from edasim.studies.source_load import steady
from edasim.studies.years import asked_years
from edasim.theory import cheapest_snapshots
from edasim.units import YEAR_S
from edasim.workload import rate_of

CHANGES = 1500  # in the window
ENDLESS = 1e300  # times: how much more something is than nothing
NEVER = 0  # as `event_store.snapshot_every` has it
AROUND = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0, 128.0)  # of the cheapest interval by the formula
WORK, SAVED = "work_per_change", "snapshot_bytes_per_change"
BEYOND, TIMES = "work_beyond_cheapest", "work_times_cheapest"


def snapshot_sweep(
    scenario: Scenario,
    intervals: Sequence[int] | None = None,
    pattern: Pattern | str | None = None,
    *,
    years: float = 1.0,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """What a snapshot after each of these numbers of events (0: never) makes of loads and of the work of the source's servers.

    Metrics, with their 95 % intervals: `load_events_mean`, `load_time_mean`, `load_time_p99` of commands and reads; `work_per_change` by
    `component` (loads, snapshots, and "" for both): seconds of a server for each change; `work_beyond_cheapest` and
    `work_times_cheapest`, how much more and how many times as much that is as at the interval that costs least;
    `snapshot_bytes_per_change`. The column `interval` has the number of events; `cheapest` what the square root law says
    (`edasim.theory.cheapest_snapshots`).

    The store has run for so many *years* at the mean rate before (or has the scenario's `history`, if there is one): streams are as
    long as they would be. Nothing fails, changes come as a Poisson process, and the window is as long as 1,500 of them take. Without
    *intervals* some around the cheapest and the scenario's own. By default the first option that keeps events, or `event_sourcing`.

    Raises InputError where truth is a table, for intervals that can't be, and for what `compare` refuses.
    """
    candidate = event_store_of(scenario, pattern)
    asked_years([years])
    day = aged(steady(candidate.scenario, CHANGES), years)
    law = _law(Candidate(candidate.name, candidate.pattern, day))
    chosen = _intervals(law, day) if intervals is None else sorted(set(intervals), key=lambda every: every or inf)
    if not chosen:
        raise InputError("intervals: there must be at least one")
    candidates = [Candidate(str(every), candidate.pattern, day.with_overrides({"event_store.snapshot_every": every})) for every in chosen]
    settings = day.event_store
    look = partial(costs, writing=settings.snapshot_time, size=settings.snapshot_bytes)
    found = over_replications(candidates, look, seed=scenario.seed, replications=replications, jobs=jobs)
    comparison = Comparison(day, scenario.seed, tuple(candidates), by_key(found), replications)
    rows = pd.concat([comparison.results, _beyond_cheapest(comparison)], ignore_index=True)
    rows = rows.assign(interval=rows["option"].astype(int), option=candidate.name, cheapest=law, own=settings.snapshot_every)
    return rows.assign(base=settings.load.base, per_event=settings.load.per_event, stored=settings.history)


def _beyond_cheapest(comparison: Comparison) -> pd.DataFrame:
    """How much more work a change is at each interval than at the one where it is least, in seconds and times as much.

    Paired, because all have the same luck. Of times the mean and the interval are those of their logarithms: where the servers can't keep
    up, work differs by factors from one replication to the next, and is all the same far above the least in each.
    """
    rows = comparison.results
    work = rows[(rows["metric"] == WORK) & (rows["component"] == "")].set_index("option")
    least = comparison.values[str(work["mean"].idxmin()), "", "", WORK, ""]
    mine = [comparison.values[str(option), "", "", WORK, ""] for option in work.index]
    more = [interval([values[run].value - least[run].value for run in least]) for values in mine]
    times = [interval([np.log(_times(values[run].value, least[run].value)) for run in least]) for values in mine]
    ends = ("mean", "low", "high")
    beyond = work.assign(metric=BEYOND, **{end: [getattr(found, end) for found in more] for end in ends})
    ratio = work.assign(metric=TIMES, unit="times", **{end: np.exp([getattr(found, end) for found in times]) for end in ends})
    return pd.concat([beyond, ratio]).reset_index()


def _times(work: float, least: float) -> float:
    return 1.0 if work == least else work / least if least else ENDLESS


def aged(scenario: Scenario, years: float) -> Scenario:
    """The scenario so many *years* later: its event store has what the mean rate brings by then, unless it has a `history` of its own."""
    if scenario.event_store.history:
        return scenario
    rate = rate_of(scenario)
    return scenario.with_overrides({"event_store.history": round(rate * years * YEAR_S)})


def event_store_of(scenario: Scenario, pattern: Pattern | str | None) -> Candidate:
    """The option of that name or pattern, or the first one whose truth is events."""
    names = [option.name for option in scenario.options]
    if pattern is None:
        stores = [option.name for option in scenario.options if pattern_of(option.pattern).truth == "events"]
        pattern = stores[0] if stores else "event_sourcing"
    found = candidates_of(scenario, options=[str(pattern)]) if pattern in names else candidates_of(scenario, patterns=[pattern])
    if found[0].pattern.truth != "events":
        raise InputError(f"pattern {found[0].name}: truth is a table, which keeps no events")
    return found[0]


def costs(journal: Journal, writing: float, size: float) -> list[Value]:
    """What loads and snapshots cost in the window; *writing* a snapshot takes so long and *size* bytes."""
    start, end = journal.facts["window"]
    loads, taken = journal.loads, journal.snapshots["time"]
    mine = (loads["time"] >= start) & (loads["time"] < end)
    changes = max(int(in_window(journal).sum()), 1)
    seconds = loads["duration"][mine] / 1e9
    snapshots = int(((taken >= start) & (taken < end)).sum())
    work = {"loads": float(seconds.sum()) / changes, "snapshots": snapshots * writing / changes}
    values = [Value(WORK, amount, "s", component=part) for part, amount in work.items()]
    values += [Value(WORK, sum(work.values()), "s"), Value(SAVED, snapshots * size / changes, "bytes")]
    values += [Value("loads_per_change", seconds.size / changes, "loads")]
    if seconds.size:
        values.append(Value("load_events_mean", float(loads["events"][mine].mean()), "events"))
        values.append(Value("load_time_mean", float(seconds.mean()), "s"))
    return [*values, *quantiles("load_time", loads["duration"][mine], (99,))]


def _law(candidate: Candidate) -> float:
    """The cheapest interval by the formula, with the loads per change of one run."""
    settings = candidate.scenario.event_store
    look = partial(costs, writing=0.0, size=0.0)
    found = over_replications([candidate], look, seed=candidate.scenario.seed, replications=1, jobs=1)[candidate.name][0]
    loads = next(value.value for value in found if value.metric == "loads_per_change")
    return cheapest_snapshots(settings.snapshot_time, loads, settings.load.per_event)


def _intervals(law: float, scenario: Scenario) -> list[int]:
    """Some around the cheapest interval, the scenario's own, and never."""
    around = [max(1, round(share * law)) for share in AROUND] if isfinite(law) and law else [1, 3, 10, 30, 100, 300, 1000]
    return [*sorted({*around, scenario.event_store.snapshot_every} - {NEVER}), NEVER]


def at(swept: pd.DataFrame, interval: int, metric: str, component: str = "") -> Estimate:
    """*metric* at one *interval* of a `snapshot_sweep`; NaN where it does not apply."""
    rows = swept[(swept["interval"] == interval) & (swept["metric"] == metric) & (swept["component"] == component)]
    if not len(rows):
        return Estimate(nan, nan, nan, "s")
    row = rows.iloc[0]
    return Estimate(float(row["mean"]), float(row["low"]), float(row["high"]), str(row["unit"]))


def cheapest(swept: pd.DataFrame) -> tuple[int, list[int]]:
    """The interval of a `snapshot_sweep` where a change costs the servers least, and all that cost no clearly more (it is one)."""
    tried = intervals_of(swept)
    best = min(tried, key=lambda every: at(swept, every, WORK).mean)
    return best, [every for every in tried if every == best or at(swept, every, TIMES).low <= 1]


def intervals_of(swept: pd.DataFrame) -> list[int]:
    """The intervals of a `snapshot_sweep`, from often to never."""
    return sorted(set(swept["interval"].tolist()), key=lambda every: every or inf)


def how_often_to_snapshot(swept: pd.DataFrame) -> Finding:
    """Of a `snapshot_sweep`: which interval costs the servers least, simulated and by the formula, and what the scenario's own costs."""
    tried, own = intervals_of(swept), int(swept["own"].iloc[0])
    work = {every: at(swept, every, WORK) for every in tried}
    best, alike = cheapest(swept)
    law, option = float(swept["cheapest"].iloc[0]), swept["option"].iloc[0]
    said = f"by the square root law: after {law:.3g}" if isfinite(law) else "no formula applies, since loads cost nothing"
    lines = [
        f"* `{option}`, {swept['stored'].iloc[0]:,} events stored: a snapshot {_every(best)} costs the servers least of those tried, "
        f"{short(work[best].mean, 's')} for each change ({said}){_as_good(best, alike)}."
    ]
    if own in work and own != best:
        more = at(swept, own, BEYOND)
        share = f", {short(more.mean / work[best].mean, 'share')} more" if work[best].mean else ""
        lines.append(f"* The scenario's own, {_every(own)}, costs {more} more for each change{share}; a load takes {_loads(swept, own)}.")
    lines += [f"* {_every(every).capitalize()}, a load takes {_loads(swept, every)}." for every in dict.fromkeys((best, tried[-1]))]
    return Finding("\n".join(lines))


def _as_good(best: int, alike: Sequence[int]) -> str:
    """Which other intervals can't be told from the best one, in words."""
    others = [f"{every:,}" if every else "never" for every in alike if every != best]
    return f"; not clearly dearer: {', '.join(others)}" if others else ""


def _every(interval: int) -> str:
    return f"after every {interval:,} events" if interval > 1 else "after every event" if interval else "never"


def _loads(swept: pd.DataFrame, interval: int) -> str:
    mean, late = at(swept, interval, "load_time_mean"), at(swept, interval, "load_time_p99")
    return f"{short(mean.mean, 's')} on average, p99 {short(late.mean, 's')}" if np.isfinite(mean.mean) else "nothing: there is none"
