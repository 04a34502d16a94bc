"""Where a record goes, and whether it may: nothing that people decided about is overwritten, nor what they edited by hand."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edasim.bounded import content_of
from edasim.errors import InputError
from edasim.record.blocks import MARK, Block, blocks_of, parts_of, replaceable_parts_of
from edasim.record.front_matter import number_of, status_of
from edasim.record.signed import Signed, beside

PROVENANCE = "provenance"  # the block that holds what was signed


@dataclass(frozen=True)
class Place:
    """Where a record goes: the file *out*, what stands there already ("" if nothing does), and the record that it supersedes, if any."""

    out: Path
    before: str
    old: Path | None
    old_text: str = ""

    @property
    def folder(self) -> Path:
        """Where files are named from."""
        return self.out.parent

    @property
    def supersedes(self) -> str | None:
        """The record that this one takes the place of, named from its own folder: as asked for now, or as it says already."""
        if self.old is not None:
            return beside(self.old, self.folder)
        there = [part for part in parts_of(self.before, self.out.name) if isinstance(part, Block) and part.content.strip()]
        signed = [part for part in there if part.name == PROVENANCE]
        return Signed.found_in(signed[0].content, self.out.name).supersedes if signed else None


def place_of(out: Path, supersede: Path | None = None) -> Place:
    """Whether a record may be written to *out*, and another one be superseded by it.

    Raises InputError where *out* is no name for a record, is there and is none, was decided about or was edited by hand in a generated
    block; and where the one to *supersede* is none, was not decided about, or has been superseded by another.
    """
    if out.suffix != ".md" or out.is_dir():
        raise InputError(f"--out {out} is not allowed: must be a Markdown file such as decisions/0007-how-changes-travel.md")
    if not (out.parent.is_dir() or (out.parent.parent.is_dir() and not out.parent.exists())):
        raise InputError(f"--out {out} is not allowed: must be in a folder that exists, or in a new one in a folder that exists")
    before = text_of(out) if out.exists() else ""
    if out.exists():
        if MARK not in before:
            raise InputError(f"--out {out} is there, and is no decision record that edasim wrote: choose another name")
        _check_proposed(before, str(out))
        replaceable_parts_of(before, str(out))
    if supersede is None:
        return Place(out, before, None)
    already = Place(out, before, None).supersedes
    if already not in (None, beside(supersede, out.parent)):
        raise InputError(f"--supersede {supersede}: {out} supersedes {already} already: write a record of its own for it")
    old_text = text_of(supersede)
    _check_can_be_superseded(old_text, supersede, out)
    return Place(out, before, supersede, old_text)


def _check_proposed(text: str, where: str) -> None:
    status = status_of(text, where)
    if status != "proposed":
        raise InputError(f"{where} is {status}: it is never overwritten; use --supersede {where} and another --out")


def _check_can_be_superseded(text: str, old: Path, out: Path) -> None:
    if old.resolve() == out.resolve():
        raise InputError(f"--supersede {old}: a record can't supersede itself: give the new one another --out")
    status = status_of(text, str(old))
    if status == "superseded":
        if superseded_by(out, old) in text:
            return
        raise InputError(f"--supersede {old}: it is superseded already, by another record")
    if status == "proposed":
        raise InputError(f"--supersede {old}: it is only proposed: make it anew instead, with --out {old}")


def superseded_by(new: Path, old: Path) -> str:
    """The status of a record whose place another one takes, with the way there."""
    return f"superseded by {link(new, old.parent)}"


def link(record: Path, folder: Path) -> str:
    """A record's number, which leads to it from *folder*.

    >>> link(Path("decisions/0007-cdc.md"), Path("decisions"))
    '[0007](0007-cdc.md)'
    """
    number = number_of(record.name).replace("[", "(").replace("]", ")")
    return f"[{number}]({quote(beside(record, folder))})"


def text_of(record: Path) -> str:
    """What is in a record, to the byte. Raises InputError where it can't be read, or is no text."""
    try:
        return content_of(record).decode()
    except OSError as error:
        raise InputError(f"{record} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{record} is not UTF-8 text, so it is no decision record") from None


def signed_in(text: str, where: str) -> Signed:
    """What was signed in the record *text*. Raises InputError, naming it *where*, for a record that was edited or holds nothing signed."""
    blocks = blocks_of(text, where)
    if PROVENANCE not in blocks:
        raise InputError(f"{where}: has no block {PROVENANCE}, which holds what was signed: make the record anew")
    return Signed.found_in(blocks[PROVENANCE].content, where)
