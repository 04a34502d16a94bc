"""What readers get: how fresh answers are while all is well, and while one incident lasts, over replications.

**Calm** is the scenario with nothing ever down, slow or poisoned, over its window. **In the incident** are the reads from the moment at
which one incident strikes a quiet system until it is over and every consumer has recovered, with whichever of the compared options that
takes longest: all options answer for the same span of a replication. Were each looked at only until it has recovered itself, one that
recovers quickly would be judged by its worst seconds alone. The span ends with the run, at most four minutes after a short incident
struck, if some option has not recovered by then. What stays wrong after it, such as a lost message, is in the span only as far as
that reaches.

A read counts once however often it is tried: as stale as the answer of the attempt that was answered, and as never fresh if none was.

How sure that is, **counts what shares its luck once**. A message that is lost makes all reads stale until the next change, so of calm
the changes of the window count, and not its reads (or these, where they are fewer): where none of n is staler, up to about 3/n may be. All
reads of an incident share its luck: there the incidents count, one a replication, and of fewer than 299 it is not said that surely less
than 1 % are late, because of an incident unlike those that were seen. Where some were late in each the spread over replications decides.

By hand: one entity, a change every 50 s, and one of ten incidents loses it. Three incidents without any stale read, of 700 reads each,
come along in 0.9^3 = 73 % of cases; taken for 2,100 independent reads they would say "below 0.15 %", as incidents they say "below 63 %".

An example: the source is down for 30 s, and the slowest of the options has recovered 10 s later. Who asks the source ten times a second
gets no answer to 300 of 400 reads, so its curve never falls below 75 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import COLUMNS
from edasim.estimates import Estimate, estimates, short
from edasim.findings import Finding, consumer_to_show, listed
from edasim.incidents import affected, all_up_again, lengths_of, strike, struck_for, without_faults
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.metrics.answers import at_least, counted_reads, staleness_of_answers
from edasim.metrics.delivery import in_window
from edasim.patterns import Pattern
from edasim.requirements import limit_of
from edasim.runs import REPLICATIONS, at_points, checked, journal_of
from edasim.scenario import Incident, Scenario
from edasim.statistics import Interval, interval, rate_interval, unseen
from edasim.studies.incidents import with_incidents
from edasim.sweeps import by_default

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Spread = Callable[[Floats, Sequence[int]], Interval]  # of shares in replications, of which so many reads are independent
USUAL = ("request_response", "cached_reads", "polling", "event_notification", "event_carried_state_transfer")
METRIC = "share_not_fresher"
REQUIRED, ALLOWED = "staleness_p99", 0.01  # the requirement on staleness, and the share of reads that it lets be staler
AGE_S = 1.0  # to ask about where nothing is required
NEVER = inf  # the age than which only no answer is not fresher
STEPS = 10  # ages a decade
AGES = tuple(float(f"{10 ** (step / STEPS):.12g}") for step in range(-3 * STEPS, 4 * STEPS + 1))  # 1 ms to almost 3 h


def freshness_curves(
    scenario: Scenario,
    consumer: str,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    incident: Incident | None = None,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """The share of what *consumer* asks that is not answered with data fresher than an age, for ages from 0 to for ever.

    Rows as those of `compare`, of the metric `share_not_fresher`: first with no incident, which is calm, then in the *incident*, by
    default that which `incident_at` names for the broker. With four columns more: `age_s`: 0, ten ages a decade, that of the limit, and
    infinity, where the share is that of the reads that get no answer; `limit_s`: what the scenario allows `staleness_p99` to be, or NaN;
    `reads`: how many were asked, in all replications together; `span_s`: in how long a time, on average. The intervals are those of each
    age alone, by changes in calm, by incidents in the incident; `replications` those in which anybody asked. NaN where nobody asks. By
    default the scenario's first five options, or five presets.

    Raises InputError for an unknown consumer, and for what `compare` refuses.
    """
    number, incident = scenario.consumer_number(consumer), incident or incident_at(scenario)
    limits = {name: limit_of(scenario, REQUIRED, consumer=consumer, incident=name or None) for name in ("", incident.name)}
    ages = sorted({0.0, *AGES, *(limit for limit in limits.values() if limit is not None), NEVER})
    chosen = candidates_of(scenario, *by_default(scenario, USUAL, patterns, options))
    numbers = range(checked(replications, jobs))
    act = partial(_asked, incident=incident, consumer=number)
    found = next(at_points([chosen], act, seed=scenario.seed, replications=numbers, jobs=jobs))
    rows = []
    for name, runs, spread in (("", _calm(found), of_calm), (incident.name, _during(found), of_incidents)):
        for candidate in chosen:
            names = (scenario.name, candidate.name, candidate.pattern.name, consumer, name, METRIC, "", "share")
            rows += [(*names, *row, limits[name]) for row in _rows(runs[candidate.name], ages, spread)]
    return pd.DataFrame(rows, columns=[*COLUMNS, "age_s", "reads", "span_s", "limit_s"]).astype({"limit_s": float})


def incident_at(scenario: Scenario, component: str = "broker") -> Incident:
    """The *scenario*'s first incident that strikes *component* ("broker" or "source"), or the usual one if it names none.

    >>> incident_at(Scenario()).name, incident_at(Scenario(), "source").name
    ('broker-restart', 'source-restart')
    """
    known = (*scenario.incidents, *with_incidents(Scenario()).incidents)
    return next(incident for incident in known if incident.component == component)


def reader_to_show(scenario: Scenario, results: pd.DataFrame) -> str:
    """The consumer that the *scenario* allows least staleness; where it tells none from the others, who is stale for longest."""
    usual = consumer_to_show(results)
    limits = {each.name: limit_of(scenario, REQUIRED, consumer=each.name) for each in scenario.consumers}
    return min(limits, key=lambda name: (limits[name] is None, limits[name], name != usual))


class Asked(NamedTuple):
    """Of one consumer: how stale each answer is, in ns, shape (reads,), and in how long it was asked; *always*: answered by nature.

    *apart*: how many of the reads can be taken for independent of each other.
    """

    staleness: Ints
    span_s: float
    always: bool
    apart: int = 1


class Run(NamedTuple):
    """One option in one replication: what it answers while all is *calm*, and from *begin* on, when an incident strikes.

    *time* and *staleness* of those reads have shape (reads,); *recovered*: when the option is as before. All in ns.
    """

    calm: Asked
    time: Ints
    staleness: Ints
    begin: int
    recovered: int


def _asked(candidate: Candidate, luck: Luck, incident: Incident, consumer: int) -> Run:
    calm = journal_of(replace(candidate, scenario=without_faults(candidate.scenario)), luck)
    hit = struck_for(lengths_of(incident, candidate.scenario, luck)[0], candidate, luck, incident)
    begin, recovered = affected(hit, strike(incident, candidate.scenario, luck).start, all_up_again(incident, candidate.scenario, luck))
    since = replace(hit, facts={**hit.facts, "window": [begin, hit.facts["window"][1]]})
    time = hit.reads["time"][counted_reads(since, consumer)]
    always = hit.facts["reads"][consumer] == "copy"  # which is there by nature
    answers = staleness_of_answers(calm, consumer)
    asked = Asked(answers, _seconds(calm), always, max(1, min(answers.size, int(in_window(calm).sum()))))
    return Run(asked, time, staleness_of_answers(since, consumer), begin, recovered)


def _seconds(journal: Journal) -> float:
    start, end = journal.facts["window"]
    return float(end - start) / 1e9


def _calm(found: dict[str, list[Run]]) -> dict[str, list[Asked]]:
    return {option: [run.calm for run in runs] for option, runs in found.items()}


def _during(found: dict[str, list[Run]]) -> dict[str, list[Asked]]:
    """What is asked of each option until the last one has recovered, replication by replication."""
    ends = [max(run.recovered for run in of_replication) for of_replication in zip(*found.values(), strict=True)]
    return {option: [_until(run, end) for run, end in zip(runs, ends, strict=True)] for option, runs in found.items()}


def _until(run: Run, end: int) -> Asked:
    return Asked(run.staleness[run.time < end], (end - run.begin) / 1e9, run.calm.always)


def of_calm(shares: Floats, apart: Sequence[int]) -> Interval:
    """The interval of *shares* of reads in replications of which so many are *apart*, independent of each other; not known of one run.

    >>> of_calm(np.zeros(3), [100, 100, 100])
    Interval(mean=0.0, low=0.0, high=0.0099...)
    """
    return interval(shares) if shares.size == 1 and shares.any() else rate_interval(shares, apart)


def of_incidents(shares: Floats, apart: Sequence[int]) -> Interval:
    """The interval of *shares* of reads, one an incident: Student's t, and at least that of so many incidents where one had none, or all.

    >>> of_incidents(np.zeros(3), [1, 1, 1])
    Interval(mean=0.0, low=0.0, high=0.63...)
    """
    mean, bound, count = float(shares.mean()), unseen(shares.size), shares.size
    found = Interval(mean, mean, mean) if count == 1 and mean in (0, 1) else interval(shares)
    low = min(found.low, 1 - bound) if shares.max() == 1 else found.low
    high = max(found.high, bound) if shares.min() == 0 else found.high
    return Interval(mean, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1)))


def _rows(runs: Sequence[Asked], ages: Sequence[float], spread: Spread) -> list[tuple[float, ...]]:
    """At each age the share with its interval, of how many replications, the age, how many reads there were, and in how long."""
    count = sum(run.staleness.size > 0 for run in runs) or len(runs)
    reads, span = sum(run.staleness.size for run in runs), float(np.mean([run.span_s for run in runs]))
    shares = zip(ages, _shares(runs, ages, spread), strict=True)
    return [(share.mean, share.low, share.high, count, age, reads, span) for age, share in shares]


def _shares(runs: Sequence[Asked], ages: Sequence[float], spread: Spread) -> list[Interval]:
    """At each age the mean over replications, without those in which nobody asked; a share that is the same as at the age before once."""
    asked = [run for run in runs if run.staleness.size]
    if not asked:
        return [Interval(np.nan, np.nan, np.nan)] * len(ages)
    curves, apart = np.array([at_least(run.staleness, ages) for run in asked]), [run.apart for run in asked]
    known: dict[bytes, Interval] = {}
    for shares in curves.T:
        if shares.tobytes() not in known:
            known[shares.tobytes()] = spread(shares, apart)
    found = [known[shares.tobytes()] for shares in curves.T]
    return [*found[:-1], Interval(0.0, 0.0, 0.0)] if asked[0].always else found


def age_of(curves: pd.DataFrame) -> float:
    """The age to ask about: what is required where that is known, else `AGE_S`."""
    limit = curves["limit_s"].iloc[0]
    return AGE_S if np.isnan(limit) else float(limit)


def moments_of(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of `freshness_curves` by what they are of: "calm", and the incident's name."""
    return {str(name) or "calm": rows for name, rows in curves.groupby("incident", sort=False)}


def within(rows: pd.DataFrame) -> list[str]:
    """The options that surely answer 99 % of reads with data fresher than the age that is asked about: their interval says so.

    Of an incident only where there were enough of them to know that less than 1 % are of another kind.
    """
    if rows["incident"].iloc[0] and unseen(incidents_in(rows)) > ALLOWED:
        return []
    return [option for option, share in _late(rows).items() if share.high <= ALLOWED]


def never_late(rows: pd.DataFrame) -> list[str]:
    """The options of whose reads none was seen that was not answered with data fresher than the age that is asked about."""
    return [option for option, share in _late(rows).items() if share.mean == 0]


def incidents_in(rows: pd.DataFrame) -> int:
    """In how many incidents, one a replication, anybody asked."""
    return int(rows["replications"].max())


def in_so_many(rows: pd.DataFrame) -> str:
    """In how many incidents, in words.

    >>> in_so_many(pd.DataFrame({"replications": [3, 3]}))
    '3 incidents'
    """
    return f"{incidents_in(rows)} incident{'' if incidents_in(rows) == 1 else 's'}"


def _late(rows: pd.DataFrame) -> dict[str, Estimate]:
    return estimates(rows[rows["age_s"] == age_of(rows)], METRIC)


def who_answers_freshest(curves: pd.DataFrame) -> Finding:
    """Of `freshness_curves`, calm and in the incident: who surely is as fresh as is required, of whom no late one was seen, and others."""
    consumer = curves["consumer"].iloc[0]
    if curves["mean"].isna().all():
        return Finding(f"Nobody reads at `{consumer}`, so no answer is late or fresh.")
    return Finding("\n".join(_of_moment(name, rows) for name, rows in moments_of(curves).items()))


def _of_moment(name: str, rows: pd.DataFrame) -> str:
    title = "Calm" if name == "calm" else f"In `{name}`"
    if rows["mean"].isna().all():
        return f"* **{title}**: nobody asked in the {short(float(rows['span_s'].max()), 's')} that it lasts."
    title = title if name == "calm" else f"{title}, {in_so_many(rows)}"
    age, late, sure = age_of(rows), _late(rows), within(rows)
    unseen_yet = [option for option in never_late(rows) if option not in sure]
    never = estimates(rows[rows["age_s"] == NEVER], METRIC)
    asked = f"{short(1 - ALLOWED, 'share')} of what `{rows['consumer'].iloc[0]}` asks are answered with data fresher than {short(age, 's')}"
    kept = f"surely {asked} with {listed(sure)}" if sure else f"with no option is it sure that {asked}"
    bound = short(float(f"{max((late[option].high for option in unseen_yet), default=0):.2g}"), "share")
    none = f"; none staler was seen, but up to {bound} may be, with {listed(unseen_yet)}" if unseen_yet else ""
    others = ", ".join(f"{share} with `{option}`" for option, share in late.items() if option not in (*sure, *unseen_yet))
    silent = ", ".join(f"{share} with `{option}`" for option, share in never.items() if share.mean > 0)
    return f"* **{title}**: {kept}{none}{others and f'; staler: {others}'}. No answer: {silent or 'none seen, with any option'}."
