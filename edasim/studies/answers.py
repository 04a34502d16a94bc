"""What readers get, over replications: how fresh answers are, and what the source's downtime does to them."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.candidates import candidates_of
from edasim.comparison import COLUMNS
from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, short
from edasim.findings import Finding, extremes, listed
from edasim.journal import Journal
from edasim.metrics.answers import downtime_share, share_not_fresher, staleness_of_answers
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Scenario
from edasim.statistics import Interval, interval, rate_interval
from edasim.sweeps import by_default
from edasim.units import seconds

Floats = NDArray[np.float64]
USUAL = ("request_response", "cached_reads", "polling", "event_notification", "event_carried_state_transfer")
UPTIMES = (0.9, 0.95, 0.99, 0.995, 0.999)
OUTAGES_LONG = 400  # outages that would fill the window
NEVER = np.inf  # the age than which only no answer is not fresher
STEPS = 10  # ages a decade


def freshness_curves(
    scenario: Scenario,
    consumer: str,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """The share of what *consumer* asks that is not answered with data fresher than an age, for ages from 0 to for ever.

    Rows as those of `compare`, of the metric `share_not_fresher`, with a column more, `age_s`: 0, ten ages a decade from 1 ms to the
    length of the window, and infinity, where the share is that of the reads that get no answer. The intervals are those of each age
    alone. NaN where nobody asks. By default the scenario's first five options, or five presets.

    Raises InputError for an unknown consumer, and for what `compare` refuses.
    """
    number = scenario.consumer_number(consumer)
    ages = (0.0, *ages_up_to(scenario.duration), NEVER)
    chosen = candidates_of(scenario, *by_default(scenario, USUAL, patterns, options))
    look = partial(_freshness, consumer=number, ages=ages)
    found = over_replications(chosen, look, seed=scenario.seed, replications=replications, jobs=jobs)
    rows = []
    for candidate in chosen:
        runs = found[candidate.name]
        curves, reads = np.array([run.shares for run in runs]), np.array([run.reads for run in runs])
        shares = [_share(curves[:, number], reads) for number in range(len(ages))]
        if runs[0].always:
            shares[-1] = Interval(0.0, 0.0, 0.0)
        names_of = (scenario.name, candidate.name, candidate.pattern.name, consumer, "", "share_not_fresher", "", "share")
        rows += [(*names_of, share.mean, share.low, share.high, replications, age) for age, share in zip(ages, shares, strict=True)]
    return pd.DataFrame(rows, columns=[*COLUMNS, "age_s"])


def ages_up_to(longest: float) -> list[float]:
    """Ages from 1 ms to at least *longest*, ten a decade, in seconds.

    >>> len(ages_up_to(1.0)), ages_up_to(1.0)[::10]
    (31, [0.001, 0.01, 0.1, 1.0])
    """
    return [float(f"{10 ** (step / STEPS):.12g}") for step in range(-3 * STEPS, int(np.ceil(STEPS * np.log10(longest))) + 1)]


class Answers(NamedTuple):
    """Of one consumer in one run: the *shares* of its *reads* not fresher than some ages, and whether it *always* is answered."""

    shares: Floats
    reads: int
    always: bool


def _freshness(journal: Journal, consumer: int, ages: Sequence[float]) -> Answers:
    reads = staleness_of_answers(journal, consumer).size
    always = reads > 0 and journal.facts["reads"][consumer] == "copy"  # which is there by nature
    return Answers(share_not_fresher(journal, consumer, ages), reads, always)


def _share(shares: Floats, reads: NDArray[np.int64]) -> Interval:
    """The mean over replications of the *shares* of so many *reads*, without those in which nobody asked."""
    asked = reads > 0
    return rate_interval(shares[asked], reads[asked]) if asked.any() else Interval(np.nan, np.nan, np.nan)


def uptime_sweep(
    scenario: Scenario,
    uptimes: Sequence[float] = UPTIMES,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    down: float | str | None = None,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """The share of reads that get no answer, by the share of time that the source is up: random outages, *down* long on average.

    Without *down* that is a 400th of the window: an hour has outages of nine seconds, a year as many of almost a day. Up and down
    times are exponential and take the place of the source's own outages; all else is as the scenario and its options say, and all
    options share their luck. Rows as those of `compare`, of the metric `unanswered`, for each consumer, with four columns more:
    `uptime` as asked for; `downtime`, the share of the measured time in which the source was down, over all replications, which is what
    was met: few long outages in a short window make it differ from 1 - uptime; `outages`, how many that were; and `down_s`.

    The intervals say how well the unanswered share is known for the downtime that was met, not for the one asked for: they are those
    of a ratio estimate (Cochran, Sampling Techniques, 1977, chapter 6). By default the scenario's first five options, or five presets.

    Raises InputError for an uptime that is not between 0 and 1, and for what `compare` refuses.
    """
    length = scenario.duration / OUTAGES_LONG if down is None else down
    scenarios = {uptime: _up(scenario, uptime, length) for uptime in uptimes}
    rows = []
    for uptime, changed in scenarios.items():
        chosen = candidates_of(changed, *by_default(scenario, USUAL, patterns, options))
        met = over_replications(chosen, _met, seed=scenario.seed, replications=replications, jobs=jobs)
        for candidate in chosen:
            runs = met[candidate.name]
            downtime, outages = np.array([run.downtime for run in runs]), sum(run.outages for run in runs)
            for number, consumer in enumerate(scenario.consumers):
                share = _unanswered([run.answers[number] for run in runs], downtime)
                names = (scenario.name, candidate.name, candidate.pattern.name, consumer.name, "", "unanswered", "", "share")
                found = (share.mean, share.low, share.high, replications, uptime, float(downtime.mean()), outages)
                rows.append((*names, *found))
    return pd.DataFrame(rows, columns=[*COLUMNS, "uptime", "downtime", "outages"]).assign(down_s=seconds(length))


def _up(scenario: Scenario, uptime: float, down: float | str) -> Scenario:
    """The scenario with a source that is up for this share of the time."""
    if not 0 < uptime < 1:
        raise InputError(f"uptimes: {uptime} is not allowed: must be more than 0 and less than 1")
    try:
        length = seconds(down)
    except ValueError as error:
        raise InputError(f"down: {error}") from None
    times = {"down": {"dist": "exponential", "mean": length}, "up": {"dist": "exponential", "mean": length * uptime / (1 - uptime)}}
    return scenario.with_overrides({"source.outages": times})


class Met(NamedTuple):
    """What one run met: the share of the window in which the source was down, in how many outages, and answers by consumer."""

    downtime: float
    outages: int
    answers: list[Answers]


def _met(journal: Journal) -> Met:
    start, end = journal.facts["window"]
    source = journal.faults["component"] == journal.facts["components"]["faults"].index("source")
    outages = source & (journal.faults["start"] < end) & (journal.faults["end"] > start)
    answers = [_freshness(journal, consumer, [NEVER]) for consumer in range(len(journal.facts["consumers"]))]
    return Met(downtime_share(journal, "source"), int(outages.sum()), answers)


def _unanswered(answers: Sequence[Answers], downtime: Floats) -> Interval:
    """The mean over replications of the share of reads without an answer, as a multiple of the downtime met."""
    if answers[0].always:
        return Interval(0.0, 0.0, 0.0)
    shares, reads = np.array([float(run.shares[0]) for run in answers]), np.array([run.reads for run in answers])
    if not (reads > 0).all() or not shares.any() or not downtime.any():
        return _share(shares, reads)
    mean = float(shares.mean())
    rest = shares - mean / downtime.mean() * downtime  # what the downtime does not explain; zero on average
    hit = (downtime > 0) | (shares > 0)  # the other runs met nothing and say nothing
    half = interval(rest[hit]).high * hit.mean()  # NaN where one run met it all
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half)) if half == half else Interval(mean, np.nan, np.nan)


def who_answers_freshest(curves: pd.DataFrame, age_s: float = 1.0) -> Finding:
    """Of `freshness_curves`: how many reads get no data fresher than *age_s* (or the nearest age there is), or none at all."""
    ages = sorted(set(curves["age_s"]))
    age = min(ages, key=lambda known: abs(known - age_s))
    consumer = curves["consumer"].iloc[0]
    if curves["mean"].isna().all():
        return Finding(f"Nobody reads at `{consumer}`, so no answer is late or fresh.")
    lines = {f"Not answered with data fresher than {short(age, 's')}": age, "With old data or none": 0.0, "Never answered": NEVER}
    said = {words: extremes(curves[curves["age_s"] == at], "share_not_fresher") for words, at in lines.items()}
    return Finding("\n".join(f"* **{words}**, of what `{consumer}` asks: {found}." for words, found in said.items()))


def what_downtime_costs_readers(swept: pd.DataFrame, consumer: str) -> Finding:
    """Of an `uptime_sweep`: who leaves most unanswered when the source is down most, how much of its downtime readers notice."""
    mine = swept[swept["consumer"] == consumer]
    if mine["mean"].isna().all():
        return Finding(f"Nobody reads at `{consumer}`, so nobody notices.")
    worst, rarest = mine[mine["uptime"] == mine["uptime"].min()], mine.sort_values("outages", kind="stable").iloc[0]
    down, fewest = float(worst["downtime"].max()), f"{rarest['outages']} {'outage' if rarest['outages'] == 1 else 'outages'}"
    noticed = {option: noticed_of(found, down) for option, found in estimates(worst, "unanswered").items() if found.mean and down}
    lines = [
        f"* **Unanswered at `{consumer}` with the source down for {short(down, 'share')} of the time**: {extremes(worst, 'unanswered')}.",
        *(f"* Of that downtime readers notice {found} with {listed([option])}." for option, found in noticed.items()),
        f"* The point at {short(1 - float(rarest['downtime']), 'share')} uptime rests on {fewest}.",
    ]
    return Finding("\n".join(lines))


def noticed_of(unanswered: Estimate, downtime: float) -> Estimate:
    """The share of reads without an answer as a share of the *downtime*."""
    return Estimate(unanswered.mean / downtime, unanswered.low / downtime, unanswered.high / downtime, "share")
