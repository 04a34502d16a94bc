"""What follows from a choice: in which metrics the chosen option is clearly better or worse than another, and by how much.

Options shared their luck, so a difference is paired by replication, and it is clear where its whole 95 % interval is on one side of zero.
An example: staleness of 1.0 s with the chosen option and 1.4 s with another, in three replications 0.3, 0.4 and 0.5 s less: less by
0.40 ± 0.25 s.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from edasim.comparison import Comparison
from edasim.estimates import Estimate, amount
from edasim.statistics import CONFIDENCE
from edasim.summary import LOWER_IS_WORSE, SCREEN, in_words, worst_consumer
from edasim.verdicts import rows_of


@dataclass(frozen=True)
class Contrast:
    """One metric of the chosen option, with its number, and by how much it is more (in words) with each other option that has it.

    *better*, *worse* and *unclear*: the other options than which the chosen one is so, each with the amount of the difference in words.
    """

    metric: str
    consumer: str
    incident: str
    number: str
    lower_is_better: bool
    better: Mapping[str, str]
    worse: Mapping[str, str]
    unclear: tuple[str, ...]


def contrasts(comparison: Comparison, chosen: str) -> tuple[Contrast, ...]:
    """The *chosen* option beside every other, in what is required first, then in the metrics of one screen.

    Of several consumers the one who decides what is required, else the one who fares worst with the chosen option. Of what is required
    of all incidents their total, where the metric has one: another option may lose in another incident. All intervals are of 95 %.
    """
    comparison = replace(comparison, confidence=CONFIDENCE)
    first = sorted(comparison.candidates, key=lambda candidate: candidate.name != chosen)
    differences = replace(comparison, candidates=tuple(first)).differences
    return tuple(_contrast(row, less, differences) for row, less in _rows(comparison, chosen))


def _rows(comparison: Comparison, chosen: str) -> Iterator[tuple[Mapping[Hashable, Any], bool]]:
    """The rows of the results that are contrasted, each once, and whether less is better in them."""
    results = comparison.results[comparison.results["component"] == ""]
    mine = results[results["option"] == chosen]
    seen: set[str] = set()
    for asked in rows_of(comparison.verdicts):
        rows = mine[(mine["metric"] == asked.metric) & (mine["consumer"] == asked.consumer)]
        of_one = f" in {asked.incident} " in f"{asked.requirement} "
        rows = rows[(rows["incident"] == asked.incident) | ((rows["incident"] == "") & (not of_one))].sort_values("incident")
        if asked.option == chosen and asked.metric not in seen and len(rows):
            seen.add(asked.metric)
            yield rows.iloc[0].to_dict(), asked.side == "at most"
    for metric in SCREEN:
        found = worst_consumer(mine, metric).reset_index()
        if metric not in seen and len(found):
            yield found.iloc[0].to_dict(), metric not in LOWER_IS_WORSE


def _contrast(row: Mapping[Hashable, Any], lower_is_better: bool, differences: pd.DataFrame) -> Contrast:
    same = (differences[name] == row[name] for name in ("consumer", "incident", "metric"))
    rows = differences[(differences["component"] == "") & next(same) & next(same) & next(same)]
    found = {str(each["option"]): Estimate(each["mean"], each["low"], each["high"], each["unit"]) for each in rows.to_dict("records")}
    more = {name: amount(by) for name, by in found.items() if by.low > 0}
    less = {name: amount(by) for name, by in found.items() if by.high < 0}
    unclear = tuple(name for name, by in found.items() if name not in more and name not in less and by.mean != 0)
    words = in_words(row["mean"], row["low"], row["high"], row["unit"])
    better, worse = (more, less) if lower_is_better else (less, more)
    return Contrast(row["metric"], row["consumer"], row["incident"], words, lower_is_better, better, worse, unclear)
