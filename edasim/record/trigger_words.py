"""Revisit triggers in words: the tipping points of the chosen option, and what of it the check leaves open.

The search for tipping points makes fewer replications at a value than a check may, and looks at each on its own. So what is violated,
undecided or met as the scenario is, is said as the check has it: a record has one answer to one question.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape

from edasim.decision.movable import usual_inputs
from edasim.decision.tipping_points import TippingPoints, named, told
from edasim.markdown import code, plain, sentence
from edasim.record.evidence import Evidence
from edasim.record.outcome_words import verdicts_of_chosen
from edasim.statistics import CONFIDENCE
from edasim.studies.tipping import FIRST, MOST, looks

RUNS = f"{FIRST} replications, and up to {MOST} while something is undecided"
EACH = 1 - (1 - CONFIDENCE) / len(looks(FIRST, MOST))  # what the interval of one look holds with


@dataclass(frozen=True)
class Triggers:
    """What to say first, and a line for each trigger and each input or requirement that has none."""

    lead: str
    lines: Sequence[str]


def triggers_of(found: Evidence) -> Triggers:
    """What would change the decision, the nearest first, in Markdown."""
    return Triggers(_lead(found.tipping), [*_lines(found)])


def _lead(tipping: TippingPoints) -> str:
    first = (
        "Look at this decision again when one of these comes near, the nearest first. Each input was moved alone"
        if tipping.points
        else "Nothing that was tried makes the option violate what it meets now. Each input was moved alone"
    )
    return f"{first}: at each value {RUNS}, each interval holds with {100 * EACH:.4g} %, so that all looks together are right with 95 %."


def _lines(found: Evidence) -> Iterator[str]:
    tipping, names = found.tipping, names_in(found)
    checked = {row.requirement: row.verdict for row in verdicts_of_chosen(found)}
    for point in tipping.points:
        word = checked.get(point.requirement, "met")
        but = f" In the check it is {word} already." if word in ("violated", "undecided") else ""
        yield f"{code(found.chosen.name)} {sentence(point.sentence, names)}.{but}"
    for over in tipping.holds:
        if over.low < over.high:
            yield f"No requirement flips for {sentence(named(over), names)} from {told(over, over.low)} to {told(over, over.high)}."
    for words in tipping.not_now:
        yield f"{code(words)} {_as_checked(checked.get(words, 'undecided'))}."
    for why in tipping.not_moved:
        yield f"Not moved, or no further: {_quoting(why, names)}."


def _as_checked(word: str) -> str:
    if word == "does not apply":
        return "does not apply, so it has no tipping point"
    if word == "met":
        return f"is met in the check, but not clearly so over the at most {MOST} replications here, so no tipping point was looked for"
    return f"is {word} in the check, so it has no tipping point"


def as_checked(found: Evidence) -> TippingPoints:
    """The tipping points, with no requirement called violated that the check does not call so."""
    checked = {row.requirement: row.verdict for row in verdicts_of_chosen(found)}
    return replace(found.tipping, undecided=tuple(words for words in found.tipping.not_now if checked.get(words) != "violated"))


def names_in(found: Evidence) -> set[str]:
    """What sentences on the option may quote: inputs, requirements and its name."""
    tipping = found.tipping
    inputs = [*(point.over for point in tipping.points), *tipping.holds, *tipping.untouched]
    required = [row.requirement for row in verdicts_of_chosen(found)]
    usual = usual_inputs(found.chosen.scenario, [incident.name for incident in found.scenario.incidents])
    return {*(over.path for over in inputs), *(each.path for each in found.scenario.assumptions), *usual, *required, found.chosen.name}


def _quoting(why: str, names: Iterable[str]) -> str:
    """A reason in Markdown, the input that it may begin with as code."""
    begin = max((f"`{name}`" for name in names if why.startswith(f"`{name}`")), key=len, default="")
    return f"{code(begin[1:-1]) if begin else ''}{plain(why[len(begin) :])}"


def as_text(finding: str, names: Iterable[str]) -> str:
    """A finding in Markdown as text on one line: no sign is left but those that belong to one of the *names*.

    >>> as_text("**Nearest**: `a`b`.\\n* <code>a&#96;b</code> holds until `c`: 0 (&lt; 2).", ["a`b"])
    'Nearest: a`b. a`b holds until c: 0 (< 2).'
    """
    longest_first = sorted({name for name in names if name}, key=lambda name: -len(name))
    signs = re.compile("|".join([*(f"`{re.escape(name)}`" for name in longest_first), "`[^`]*`", "<code>.*?</code>", r"\*\*", r"\n\* "]))
    found, done = [], 0
    for match in signs.finditer(finding):
        found += [unescape(finding[done : match.start()]), _without_sign(match[0])]
        done = match.end()
    return "".join([*found, unescape(finding[done:])])


def _without_sign(marked: str) -> str:
    if marked.startswith("`"):
        return marked[1:-1]
    return unescape(marked.removeprefix("<code>").removesuffix("</code>")) if marked.startswith("<") else marked.strip("*\n")
