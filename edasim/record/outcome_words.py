"""An outcome in words: what came out for each requirement, and what is good and bad about it; Markdown, with what people named escaped."""

from collections.abc import Iterator, Mapping, Sequence

from edasim.markdown import code, plain
from edasim.record.consequences import Contrast, contrasts
from edasim.record.evidence import Evidence
from edasim.verdicts import Verdict, rows_of, whose


def verdicts_of_chosen(found: Evidence) -> list[Verdict]:
    """What is required of the chosen option."""
    return rows_of(found.check.verdicts)


def with_number(row: Verdict) -> str:
    """A requirement, and in brackets what came out for it."""
    number = numbered(row)
    return f"{code(row.requirement)}{f' ({number})' if number else ''}"


def numbered(row: Verdict) -> str:
    """What came out for a requirement, of whom and in which incident; empty where there is no number."""
    if row.number == row.verdict:
        return ""
    return " ".join([plain(row.number), *(f"{word} {code(name)}" for word, name in whose(row))])


def consequences_of(found: Evidence) -> list[str]:
    """What is good, neutral and bad about the chosen option, a sentence each; what it meets and what each part is for stand elsewhere."""
    differing = contrasts(found.comparison, found.chosen.name)
    return [*_good(differing), *_neutral(found, differing), *_bad(found, differing)]


def _good(differing: Sequence[Contrast]) -> Iterator[str]:
    for each in differing:
        if each.better:
            yield f"Good, because {_contrasted(each, each.better, less=each.lower_is_better)}."


def _bad(found: Evidence, differing: Sequence[Contrast]) -> Iterator[str]:
    for row in verdicts_of_chosen(found):
        if row.verdict in ("violated", "undecided"):
            yield f"Bad, because {with_number(row)} is {row.verdict}."
    for each in differing:
        if each.worse:
            yield f"Bad, because {_contrasted(each, each.worse, less=not each.lower_is_better)}."
    if new := [plain(part.part) for part in found.parts if not part.already_run]:
        parts = "a part that is not run yet" if len(new) == 1 else "parts that are not run yet"
        yield f"Bad, because it takes {parts}: {', '.join(new)} (see What it takes)."


def _neutral(found: Evidence, differing: Sequence[Contrast]) -> Iterator[str]:
    unclear = [(each, each.unclear) for each in differing if each.unclear]
    if unclear:
        listed = "; ".join(f"{code(each.metric)} ({', '.join(map(code, names))})" for each, names in unclear)
        yield f"Neutral, because no difference is clear in {listed}."
    if running := [plain(part.part) for part in found.parts if part.already_run]:
        yield f"Neutral, because the team runs already what it takes of {', '.join(running)}."


def _contrasted(each: Contrast, others: Mapping[str, str], *, less: bool) -> str:
    where = f"{f' at {code(each.consumer)}' if each.consumer else ''}{f' in {code(each.incident)}' if each.incident else ''}"
    than = ", ".join(f"{code(name)} (by {plain(by)})" for name, by in others.items())
    return f"{code(each.metric)}{where} ({plain(each.number)}) is {'less' if less else 'more'} than with {than}"
