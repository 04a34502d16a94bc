"""The page of a decision record in MADR 4 form, as it is before people write in it: words and numbers for record.md.jinja.

Every number is computed and has no more digits than its interval carries; every text that people wrote is escaped.
"""

import json
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isinf, isnan
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edasim import markdown
from edasim.decision.assumed import RUNS
from edasim.decision.tipping_points import told
from edasim.markdown import code, plain, sentence
from edasim.patterns import Pattern
from edasim.ranges import canonical_path, value_at
from edasim.record.blocks import generated
from edasim.record.context import workload_in_words
from edasim.record.evidence import Evidence
from edasim.record.front_matter import number_of
from edasim.record.mechanisms import mechanisms_of
from edasim.record.not_modelled import NOT_MODELLED, QUESTIONS
from edasim.record.outcome_words import consequences_of, numbered, verdicts_of_chosen, with_number
from edasim.record.signed import Signed, named_beside
from edasim.record.trigger_words import names_in, triggers_of
from edasim.scenario import Assumption
from edasim.statistics import CONFIDENCE
from edasim.summary import ABSENT
from edasim.verdicts import SIGNS, Verdict, limits_of, rows_of

TEMPLATES = Path(__file__).parents[1] / "templates"
LONGEST = 60  # letters of a value in a table


@dataclass(frozen=True)
class Drawing:
    """A picture that lies beside the record: its file's *name*, what it shows in words, and its content."""

    name: str
    alt: str
    content: bytes


def page_of(found: Evidence, signed: Signed, commands: Sequence[str], folder: Path, today: date, picture: Drawing | None = None) -> str:
    """The record as Markdown. *commands* confirm it; *folder* is where it will lie: files are named from there."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters |= {"plain": plain, "code": code, "link": quote, "number": number_of, "fenced": fenced}
    environment.filters["generated"] = _generated
    names = names_in(found)
    return environment.get_template("record.md.jinja").render(
        signed=signed,
        today=today.isoformat(),
        chosen=found.chosen,
        scenario=found.scenario,
        workload=workload_in_words(found.scenario),
        drivers=[(words, asked.because) for words, asked, _ in limits_of(found.scenario.requirements)],
        options=_options(found, folder),
        outcome=_outcome(found),
        verdicts=list(_verdict_rows(found)),
        how_sure=_how_sure(found),
        consequences=consequences_of(found),
        parts=found.parts,
        commands="\n".join(commands),
        triggers=triggers_of(found),
        picture=picture,
        first=sentence(found.check.first, names),
        assumptions=[_assumed(found, each, folder) for each in most_influential_first(found)],
        questions=QUESTIONS,
        not_modelled=NOT_MODELLED,
        mechanisms=mechanisms_of(found.chosen),
        compared=found.comparison.replications,
        runs=found.check.comparison.replications,
        confidence=f"{100 * found.comparison.confidence:.4g} %",
        ends=RUNS,
        row=markdown.row,
    )


def _generated(text: str, name: str) -> str:
    """A block of the page, and an empty line behind it; what is left out of it leaves no gap."""
    return str(generated(name, re.sub("\n{3,}", "\n\n", text))) + "\n"


def fenced(text: str, language: str) -> str:
    """A text as a block of code, whatever backticks are in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


@dataclass(frozen=True)
class _Considered:
    name: str
    pattern: Pattern
    changes: Sequence[str]
    said: str


def _options(found: Evidence, folder: Path) -> list[_Considered]:
    """All options; the chosen one with the verdicts of its check, which may have had more replications."""
    changes = {option.name: option.set for option in found.scenario.options}
    rows = rows_of(found.comparison.verdicts)
    rows = [row for row in rows if row.option != found.chosen.name] + verdicts_of_chosen(found)
    return [
        _Considered(
            candidate.name,
            candidate.pattern,
            [f"{path}: {short_value(_beside(path, value, folder))}" for path, value in changes.get(candidate.name, {}).items()],
            _fares([row for row in rows if row.option == candidate.name]),
        )
        for candidate in found.comparison.candidates
    ]


def short_value(value: object) -> str:
    """What a scenario says of an input, on one line and not too long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _beside(path: str, value: object, folder: Path) -> object:
    """What stands at a dotted *path*, its files named from *folder*: it may be the name of a file itself."""
    last = path.rpartition(".")[2]
    found: object = named_beside({last: value}, folder)[last]
    return found


def _fares(rows: Sequence[Verdict]) -> str:
    """What an option comes to, in a sentence or two."""
    found = {word: [row for row in rows if row.verdict == word] for word in SIGNS}
    lines = [f"Violates {'; '.join(map(with_number, found['violated']))}."] if found["violated"] else []
    lines += [f"Undecided: {'; '.join(map(with_number, found['undecided']))}."] if found["undecided"] else []
    return " ".join(lines) or "Meets all that is required."


def _outcome(found: Evidence) -> str:
    """Because of which verdicts; never a score."""
    rows = verdicts_of_chosen(found)
    words = [row.verdict for row in rows]
    good = sum(word in ("met", "does not apply") for word in words)
    bad, open_ = words.count("violated"), words.count("undecided")
    if good == len(words):
        return f"because it meets {'what is required' if good == 1 else f'all {good} requirements'}"
    though = [f"it violates {bad}"] if bad else []
    though += [f"{open_} {'is' if open_ == 1 else 'are'} undecided"] if open_ else []
    return f"which meets {good} of {len(words)} requirements: {' and '.join(though)}"


def _verdict_rows(found: Evidence) -> Iterator[tuple[Verdict, str, str]]:
    within = found.check.within.set_index("requirement").to_dict("index")
    for verdict, more in zip(verdicts_of_chosen(found), found.check.verdicts["more"], strict=True):
        number = numbered(verdict) or ABSENT
        if verdict.verdict == "undecided" and not isnan(more):
            number += "; no number of replications decides it" if isinf(more) else f"; about {more:,.0f} more replications would decide it"
        yield verdict, number, _within(within.get(verdict.requirement))


def _within(tried: Mapping[Hashable, Any] | None) -> str:
    """At how many of the points of what is assumed a requirement is met."""
    if tried is None:
        return ABSENT
    word = "unclear" if tried["within"] == "unclear" else f"met {tried['within']}"
    open_ = f", undecided at {tried['undecided']}" if tried["undecided"] else ""
    return f"{word}: at {tried['met']} of {tried['points']} points{open_}"


def _how_sure(found: Evidence) -> str:
    """What the intervals mean, and over how many replications each column is."""
    confidence, runs = found.check.comparison.confidence, found.check.comparison.replications
    often = "" if confidence <= CONFIDENCE else ", so that a verdict holds with 95 % however often was looked"
    said = (
        f"Met or violated: the whole interval is on one side of the limit; undecided: on both. ± is half of an interval over {runs} "
        f"replications; each holds with {100 * confidence:.4g} %{often}. Of several consumers and incidents the worst decides."
    )
    if found.check.within.empty:
        return said
    return (
        f"{said} Within what is assumed there are {RUNS} replications at each point, the scenario as it is among them, and intervals of "
        "95 %: what the check of more looks leaves undecided may be clear there, and the other way round; the verdict is that of the check."
    )


@dataclass(frozen=True)
class _Assumed:
    path: str
    value: str
    range: str
    basis: str
    source: str
    tips: str


def most_influential_first(found: Evidence) -> list[Assumption]:
    """The assumptions: guesses before what was measured, and each by how much it changes what is required."""
    effects = found.check.assumed.effects if found.check.assumed else ()
    weights = {effect.over.path: effect.weight for effect in sorted(effects, key=lambda effect: effect.weight)}
    return sorted(found.scenario.assumptions, key=lambda each: (each.basis == "guess", weights.get(each.path, (False, -1.0))), reverse=True)


def _assumed(found: Evidence, each: Assumption, folder: Path) -> _Assumed:
    value = _beside(each.path, value_at(found.chosen.scenario, each.path), folder)
    ends = ABSENT if each.range is None else f"{each.range[0]} to {each.range[1]}"
    return _Assumed(each.path, short_value(value), ends, each.basis, each.source, _tips_at(found, each.path))


def _tips_at(found: Evidence, path: str) -> str:
    """The tipping points of an input in a cell, the nearest first; between which values there is none, where that is known."""
    same = canonical_path(found.scenario, path)
    points = [point for point in found.tipping.points if canonical_path(found.scenario, point.over.path) == same]
    if points:
        return "; ".join(f"{point.value} ({code(point.requirement)})" for point in points)
    for over in (*found.tipping.holds, *found.tipping.untouched):
        if canonical_path(found.scenario, over.path) == same:
            return f"not from {told(over, over.low)} to {told(over, over.high)}"
    return "not tried"
