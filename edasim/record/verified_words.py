"""What holding records to account came to, in words, for a terminal: a table of inputs and one of requirements for each record."""

from collections.abc import Iterator, Sequence

from edasim.markdown import one_line
from edasim.record.verifying import Kept, Verification, Verified

UNCHANGED = (
    "Nothing observed was given (--observed): with the same seed only an edit of a scenario or an upgrade could have changed an answer."
)
NO_PLACE = "Nothing that was observed has a place in a scenario of these records, so nothing was held against it."


def in_words(found: Verification) -> str:
    """All records, one below the other, and what is not held to account."""
    parts = ["\n".join(_record(record)) for record in found.verified]
    parts += [f"{one_line(name)} is {status}: not held to account" for name, status in found.others.items()]
    if not found.verified:
        parts.append("No record is accepted, so nothing was run." if not found.broken else "No record could be run.")
    if found.is_without_place:
        parts.append(NO_PLACE)
    return "\n\n".join(parts if found.observed else [*parts, UNCHANGED])


def _record(record: Verified) -> Iterator[str]:
    yield f"{one_line(record.record)}: {one_line(record.chosen)}"
    if record.inputs:
        rows = [("input", "assumed", "observed", "tips at", "")]
        rows += [(each.path, each.assumed, each.observed, each.tips, each.word) for each in record.inputs]
        yield from _aligned(rows)
        yield ""
    yield from _aligned([("requirement", "signed", "now", ""), *map(_kept, record.kept)])
    yield from (f"  {one_line(change)}" for change in record.changes)
    yield from (f"  can't be held to account: {one_line(why)}" for why in record.not_held)


def _kept(each: Kept) -> tuple[str, str, str, str]:
    number = f": {each.number}" if each.number not in ("", each.now) else ""
    return each.requirement, each.signed or "not signed", f"{each.now or 'not held'}{number}", each.remark


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip()
