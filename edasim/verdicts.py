"""Verdicts: the requirements of a scenario, each held against each option of a comparison.

A requirement is **met** by an option where the whole 95 % interval of its metric is within the limit, **violated** where none of it
is, and **undecided** where it has values on both sides, where nothing is known of one side, or where what it is about was not simulated.
It **does not apply** where the option has no such metric: who loads no entity from events has no time for that.

A requirement that names no consumer binds every consumer, one that names no incident the ordinary run and every incident: the worst of
them decides. An example: lost in a year 12 (8 to 16) for one consumer and 90 (70 to 110) for another; of at most 100, the second
decides, and that is undecided.

Where truth is a table no past state can be had at all: that violates any limit on the time that it takes.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import inf, isnan, nan
from typing import Any, NamedTuple

import pandas as pd

from edasim.estimates import Estimate, short
from edasim.metrics.names import ABILITIES, AT_THE_END, INCIDENTS
from edasim.requirements import Bound, bounds_of
from edasim.scenario import Requirement

SIGNS = {"met": "✓", "undecided": "?", "violated": "✗", "does not apply": "–"}  # noqa: RUF001  (an en dash, as tables have it)
SEVERITY = ("met", "undecided", "violated")


class Verdict(NamedTuple):
    """What a requirement, in words, says of an option: by the *metric* of which consumer and incident ("": of none), against which limit.

    *low* and *high* are the 95 % interval of the *mean*, NaN where that is not known.
    """

    requirement: str
    option: str
    consumer: str
    incident: str
    metric: str
    unit: str
    mean: float
    low: float
    high: float
    side: str  # at most or at least ...
    limit: float  # ... that, in the unit
    verdict: str  # one of SIGNS

    @property
    def is_lopsided(self) -> bool:
        """Whether the mean is far from the middle of its interval: mean ± half of it would say something else than the interval."""
        return self.mean != 0 and abs((self.low + self.high) / 2 - self.mean) > 0.1 * (self.high - self.low)

    @property
    def number(self) -> str:
        """The mean and its interval, for people; or why there is none."""
        if isnan(self.mean):
            return {"violated": "can't be done", "undecided": "not simulated"}.get(self.verdict, self.verdict)
        if self.is_lopsided:
            return f"{short(self.mean, self.unit)} ({short(self.low, self.unit)} to {short(self.high, self.unit)})"
        return str(Estimate(self.mean, self.low, self.high, self.unit))


def whose(found: Verdict) -> list[tuple[str, str]]:
    """The consumer and the incident that decide, each with its preposition, but for those that the requirement names itself.

    >>> whose(Verdict("lost_per_year at most 10", "cdc", "order service", "", "lost_per_year", "", 1.0, 0.5, 2.0, "at most", 10, "met"))
    [('at', 'order service')]
    """
    named = f"{found.requirement} "
    return [(word, name) for word, name in (("at", found.consumer), ("in", found.incident)) if name and f" {word} {name} " not in named]


def with_whose(found: Verdict) -> str:
    """The number, and at whom or in what it is not met."""
    who = ", ".join(name for _, name in whose(found))
    return f"{found.number} ({who})" if who and found.verdict != "met" else found.number


def rows_of(verdicts: pd.DataFrame) -> list[Verdict]:
    """The rows of `verdicts_of`, whatever columns there are besides."""
    return [Verdict(*row) for row in verdicts[list(Verdict._fields)].itertuples(index=False)]


def verdicts_of(requirements: Iterable[Requirement], options: Sequence[str], results: pd.DataFrame) -> pd.DataFrame:
    """A row for each of the *requirements* and *options*, with the columns of `Verdict`; *results* are those of a comparison.

    Raises InputError for a requirement on something that is no metric, or without a limit.
    """
    rows = [row for asked in requirements for row in _verdicts(asked, options, results)]
    return pd.DataFrame(rows, columns=list(Verdict._fields))


def _verdicts(asked: Requirement, options: Sequence[str], results: pd.DataFrame) -> Iterator[Verdict]:
    rows = _bound_by(asked, results)
    absent = "violated" if asked.metric in ABILITIES else "does not apply"
    otherwise = absent if _is_simulated(asked, results) else "undecided"
    for bound in bounds_of(asked):
        for option in options:
            found = [_verdict(asked, bound, row) for row in rows[rows["option"] == option].to_dict("records")]
            nothing = Verdict(said(asked, bound), option, "", "", asked.metric, "", nan, nan, nan, *bound, otherwise)
            yield max(found, key=_how_bad) if found else nothing


def _is_simulated(asked: Requirement, results: pd.DataFrame) -> bool:
    """Whether the *results* have the incident that is asked about, or any where the metric is of incidents."""
    incidents = set(results["incident"]) - {""}
    return asked.incident in incidents if asked.incident else bool(incidents) or asked.metric not in INCIDENTS


def _bound_by(asked: Requirement, results: pd.DataFrame) -> pd.DataFrame:
    """The rows of *results* that the requirement is about, totals only. A recovery that was not seen to its end has no upper end."""
    rows = results[results["component"] == ""]
    for column, name in (("consumer", asked.consumer), ("incident", asked.incident)):
        rows = rows if name is None else rows[rows[column] == name]
    found = rows[rows["metric"] == asked.metric]
    if asked.metric == "recovery_time":
        keys = ["option", "consumer", "incident"]
        never = rows[(rows["metric"] == "unrecovered_rate") & (rows["mean"] > 0)].set_index(keys).index
        found = found.assign(high=found["high"].mask(found.set_index(keys).index.isin(never)))
    return found


def _verdict(asked: Requirement, bound: Bound, row: Mapping[Hashable, Any]) -> Verdict:
    option, consumer, incident, metric, unit, mean, low, high = (row[name] for name in Verdict._fields[1:9])
    decided = "violated" if mean > 0 == bound.limit and bound.side == "at most" else bound.decides(low, high)  # what was seen is there
    return Verdict(said(asked, bound), option, consumer, incident, metric, unit, mean, low, high, *bound, decided)


def _how_bad(found: Verdict) -> tuple[int, float, float]:
    mean, end = (found.mean, found.high) if found.side == "at most" else (-found.mean, -found.low)
    return SEVERITY.index(found.verdict), mean, end


def said(asked: Requirement, bound: Bound) -> str:
    """A requirement in words, with the limit as the team wrote it.

    >>> said(Requirement(metric="storage_bytes", at_most="500GB"), Bound("at most", 5e11))
    'storage_bytes at the end of the window at most 500GB'
    """
    where = f" at {asked.consumer}" if asked.consumer else ""
    when = f" in {asked.incident}" if asked.incident else " at the end of the window" if asked.metric in AT_THE_END else ""
    return f"{asked.metric}{where}{when} {bound.side} {asked.at_most if bound.side == 'at most' else asked.at_least}"


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts as text: a row a requirement, a column an option; a sign, a word, the number, and at whom or in what it is not met."""
    cells = [_cell(row) for row in rows_of(verdicts)]
    table = verdicts.assign(cell=cells)[["option", "requirement", "cell"]].drop_duplicates(["option", "requirement"])
    return table.pivot(index="requirement", columns="option", values="cell").loc[
        verdicts["requirement"].unique(), verdicts["option"].unique()
    ]


def _cell(found: Verdict) -> str:
    word = f"{SIGNS[found.verdict]} {found.verdict}"
    return word if found.verdict == "does not apply" else f"{word}: {with_whose(found)}"


def dominated_by(verdicts: pd.DataFrame) -> dict[str, list[str]]:
    """The options that are no use whatever one weighs most, each with those that beat it; the others are the Pareto front.

    One beats another if it is no worse in the mean of any metric that is required, and in one of them better by whole intervals. A
    requirement that does not apply to an option is no trouble to it: as good as can be; what it can't do is as bad as can be.
    """
    found: dict[str, dict[str, Estimate]] = {}
    for row in rows_of(verdicts):
        worth = -1 if row.side == "at least" else 1
        low, high = (row.low, row.high) if worth > 0 else (-row.high, -row.low)
        estimate = Estimate(worth * row.mean, low, high, "")
        if row.verdict == "does not apply" or (row.verdict == "violated" and isnan(row.mean)):
            far = inf if row.verdict == "violated" else -inf
            estimate = Estimate(far, far, far, "")
        found.setdefault(row.option, {})[row.requirement] = estimate
    beaten = {mine: [other for other in found if _beats(found[other], found[mine])] for mine in found}
    return {option: by for option, by in beaten.items() if by}


def _beats(ours: Mapping[str, Estimate], theirs: Mapping[str, Estimate]) -> bool:
    """Whether *ours* are nowhere worse and somewhere clearly better; less is better. What has no interval decides nothing."""
    known = [name for name in ours if not isnan(ours[name].mean) and not isnan(theirs[name].mean)]
    nowhere_worse = all(ours[name].mean <= theirs[name].mean for name in known)
    return nowhere_worse and any(ours[name].high < theirs[name].low for name in known)


def limits_of(requirements: Iterable[Requirement]) -> Iterator[tuple[str, Requirement, Bound]]:
    """Each limit that is required, in words."""
    for asked in requirements:
        for bound in bounds_of(asked):
            yield said(asked, bound), asked, bound


def requirements_in(requirements: Iterable[Requirement], words: Iterable[str]) -> list[Requirement]:
    """One for each limit that is among the *words*: a requirement with two limits may be met in one alone."""
    wanted = set(words)
    found = [(asked, bound) for words, asked, bound in limits_of(requirements) if words in wanted]
    other = {"at most": "at_least", "at least": "at_most"}
    return [asked.model_copy(update={other[bound.side]: None}) for asked, bound in found]
