"""What changed since an earlier report, in Markdown: for the index, and for a pull request."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from edasim.differing import THERE
from edasim.estimates import Estimate, short
from edasim.findings import Finding, listed
from edasim.markdown import code, plain
from edasim.report.drift import Drift
from edasim.screens import difference_in_words
from edasim.statistics import CONFIDENCE
from edasim.summary import SCREEN

SHOWN = 15  # changes in the table at most: the others are in changes.csv
NAMED = 8  # inputs and the like in a sentence at most


def what_changed(drift: Drift) -> Finding:
    """What is sure to have changed, how that is known, and what was changed: sentences, and a table of the largest changes."""
    said = (*_numbers(drift), *_verdicts(drift), *_came_and_went(drift), *_causes(drift))
    table = _table(drift.rows[drift.rows["change"] == "clear"])
    return Finding("\n".join(f"* {line}" for line in said) + (f"\n\n{table}" if table else ""))


def _numbers(drift: Drift) -> Iterator[str]:
    rows, seed, former = drift.rows, drift.now["seed"], drift.before["seed"]
    count = rows["change"].value_counts()
    same, clear, unclear = (int(count.get(word, 0)) for word in ("none", "clear", "unclear"))
    if len(rows) and same == len(rows):
        yield f"**Nothing changed**: all {same} numbers that both reports have came out the same in every replication."
        return
    yield (
        f"**{clear} of {len(rows)} numbers changed clearly**: the 95 % interval of their change excludes zero. "
        f"{unclear} may have changed (unclear), {same} did not."
    )
    if (rows["pairing"] == "paired").any():
        yield f"Paired by replication on the same luck (seed {seed}), so that most of the noise cancels."
    if unpaired := int(((rows["pairing"] == "unpaired") & (rows["change"] != "none")).sum()):
        why = f"the seed was {former} and is {seed}" if former != seed else "the reports have other replications"
        chance = f", and about {max(1, round(unpaired * (1 - CONFIDENCE)))} of them may exclude zero by chance alone"
        more = chance if former != seed else "; with the same seed they are wider than they need be"
        yield f"**Not paired**: {why}. {unpaired} differences hold the luck of both reports, so their intervals are wide{more}."


def _verdicts(drift: Drift) -> Iterator[str]:
    for (requirement, option), (before, now) in drift.verdicts.items():
        yield f"**Verdict**: {code(requirement)} was {plain(before)} by {code(option)} and is **{plain(now)}**."


def _came_and_went(drift: Drift) -> Iterator[str]:
    for part in ("option", "consumer", "incident", "metric"):
        gone, new = ([name for name in names if name] for names in drift.missing(part))
        if gone:
            yield f"Only in the report before: {part} {_some(gone)}."
        if new:
            yield f"Only in this report: {part} {_some(new)}."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return listed([plain(name) for name in names[:NAMED]]) + more


def _causes(drift: Drift) -> Iterator[str]:
    if drift.before["scenario"] != drift.now["scenario"]:
        yield f"The report before was of another scenario: {code(drift.before['scenario'])}."
    same_files = drift.before.get("digest") == drift.now.get("digest")
    unnamed = "No input of the scenario changed." if same_files else "No input of the scenario changed, but a file that it names has."
    yield f"Inputs changed: {_from_to(drift.inputs, 'the default')}." if drift.inputs else unnamed
    if drift.versions:
        yield f"Versions changed: {_from_to(drift.versions, 'unknown')}."


def _from_to(differing: Mapping[str, tuple[str, str]], otherwise: str) -> str:
    said = [f"{code(name)} {_changed(ends, otherwise)}" for name, ends in differing.items()]
    more = [f"{len(said) - NAMED} more"] if len(said) > NAMED else []
    return ", ".join(said[:NAMED] + more)


def _changed(ends: tuple[str, str], otherwise: str) -> str:
    """What became of an input; an item of a list is there or not.

    >>> _changed(("2", ""), "the default"), _changed(("", THERE), "the default")
    ('from `2` to the default', 'was added')
    """
    if ends in (("", THERE), (THERE, "")):
        return "was added" if ends[1] else "was taken out"
    return f"from {' to '.join(code(end) if end else otherwise for end in ends)}"


def _table(clear: pd.DataFrame) -> str:
    """The largest of the *clear* changes, by the share of the number that changed; those of single incidents last."""
    if clear.empty:
        return ""
    size = -clear["mean"].abs() / clear[["before", "now"]].abs().max(axis=1)
    largest = clear.assign(of_incident=clear["incident"] != "", size=size).sort_values(["of_incident", "size"], kind="stable")[:SHOWN]
    lines = ["| option | number | before | now | change |", "| :-- | :-- | --: | --: | --: |", *map(_row, largest.to_dict("records"))]
    more = f"\n\n{len(clear) - SHOWN} more clear changes are in `changes.csv`." if len(clear) > SHOWN else ""
    return "\n".join(lines) + more


def _row(row: Mapping[Hashable, Any]) -> str:
    where = ", ".join(row[name] for name in ("consumer", "incident") if row[name])
    number = SCREEN.get(row["metric"], row["metric"]) + (f" ({where})" if where else "")
    ends = (short(row[name], row["unit"]) for name in ("before", "now"))
    change = difference_in_words(Estimate(row["mean"], row["low"], row["high"], row["unit"]))
    return "| " + " | ".join(escape(cell).replace("|", "\\|") for cell in (row["option"], number, *ends, change)) + " |"
