"""Generated blocks in a document that people write in: a block is made anew each time, all else stays as it is, byte for byte.

A block stands between two comments, which a reader of the rendered page does not see:

    <!-- edasim:begin drivers 3f9a0c2d5e7b1a64 -->
    ## Decision Drivers
    <!-- edasim:end drivers -->

The number is a digest of what stands between, so a block that somebody edited is noticed and never overwritten. An example: of a
document ``a`` + block 1 + ``b`` + block 2 + ``c`` the letters are people's, and remain whatever the blocks say next time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from edasim.errors import InputError

MARK = "<!-- edasim:"
_MARKER = re.compile(r"<!-- edasim:(begin|end) ([a-z-]+)(?: ([0-9a-f]{16}))? -->")


@dataclass(frozen=True)
class Block:
    """A generated part of a document: its name, the digest that its first line carries, and what stands in it now."""

    name: str
    digest: str
    content: str

    @property
    def is_as_generated(self) -> bool:
        """Whether nobody edited it."""
        return digest_of(self.content) == self.digest

    def __str__(self) -> str:
        return f"{MARK}begin {self.name} {self.digest} -->{self.content}{MARK}end {self.name} -->"


def digest_of(content: str) -> str:
    """A digest of a block's content, whatever ends its lines: git may change that."""
    return sha256(content.replace("\r\n", "\n").encode()).hexdigest()[:16]


def generated(name: str, text: str) -> Block:
    """A block that holds *text* on lines of its own. Raises InputError where a name in it is like a marker, which would end the block.

    >>> print(generated("drivers", "## Decision Drivers"))
    <!-- edasim:begin drivers 9cfa594ebed5ddcb -->
    ## Decision Drivers
    <!-- edasim:end drivers -->
    """
    if MARK in text:
        raise InputError(f"a name in the {name} of the record has {MARK} in it, which marks generated blocks: choose another name")
    content = f"\n{text.strip()}\n"
    return Block(name, digest_of(content), content)


def parts_of(text: str, where: str) -> list[Block | str]:
    """A document's blocks and, between them, what people wrote, in order; joined they are the document.

    Raises InputError, naming the document *where*, for a marker without its other half, a block in a block or twice, a damaged marker.
    """
    markers = list(_MARKER.finditer(text))
    if len(markers) != text.count(MARK):
        raise InputError(f"{where}: a marker of a generated block is damaged: must be like <!-- edasim:begin drivers 0123456789abcdef -->")
    parts: list[Block | str] = []
    done = 0
    for begin, end in _pairs(markers, where):
        parts += [text[done : begin.start()], Block(begin[2], begin[3], text[begin.end() : end.start()])]
        done = end.end()
    names = [part.name for part in parts if isinstance(part, Block)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{where}: the generated block {twice[0]} is there twice: remove one of them")
    return [*parts, text[done:]]


def _pairs(markers: list[re.Match[str]], where: str) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    for begin, end in zip(markers[::2], [*markers[1::2], None], strict=False):
        if begin[1] == "end" or begin[3] is None:
            raise InputError(f"{where}: the generated block {begin[2]} ends but has no beginning")
        if end is None or end[1] == "begin" or end[2] != begin[2]:
            raise InputError(f"{where}: the generated block {begin[2]} begins but has no end")
        yield begin, end


def blocks_of(text: str, where: str) -> dict[str, Block]:
    """The blocks of a document by name, in order. Raises InputError as `parts_of` does, and for a block that was edited by hand."""
    found = {part.name: part for part in parts_of(text, where) if isinstance(part, Block)}
    for block in found.values():
        if not block.is_as_generated:
            raise InputError(
                f"{where}: the generated block {block.name} was edited by hand: move your words behind it, "
                "and leave nothing between its two markers: it is then made anew"
            )
    return found


def replaceable_parts_of(text: str, where: str) -> list[Block | str]:
    """The parts of a document of which every block may be made anew: as it was generated, or emptied.

    Raises InputError, naming the document *where*, as `parts_of` and `blocks_of` do, and where it has no block.
    """
    parts = parts_of(text, where)
    blocks_of("".join(str(part) for part in parts if isinstance(part, Block) and part.content.strip()), where)
    if not any(isinstance(part, Block) for part in parts):
        raise InputError(f"{where}: holds no generated block, so it is no decision record that edasim wrote: choose another name")
    return parts


def regenerated(text: str, new: str, where: str) -> tuple[str, list[str]]:
    """The document *text* with each of its blocks as in the *new* one, and the names of those that it lacked and that are put back.

    A block that was removed comes back behind the one that it follows in *new*; one that *new* does not have any more goes. Everything
    between blocks stays. An emptied block is made anew. The lines of a block end as they did, whatever those of people's words end with.
    Raises InputError as `replaceable_parts_of` does.

    >>> old = f"Mine.{generated('a', '1')}Mine, too."
    >>> print(regenerated(old, str(generated("a", "2")), "0001.md")[0])
    Mine.<!-- edasim:begin a ac01d162df437d8a -->
    2
    <!-- edasim:end a -->Mine, too.
    """
    parts, fresh = replaceable_parts_of(text, where), blocks_of(new, "the new document")
    there = [part.name for part in parts if isinstance(part, Block) and part.name in fresh]
    behind: dict[str, list[Block]] = {name: [fresh[name]] for name in there}
    last = there[0]
    for name, block in fresh.items():
        if name in behind:
            last = name
        else:
            behind[last].append(block)
    usual = _line_end(text)
    written = (
        _joined(behind.get(part.name, []), _line_end(part.content) if part.content.strip() else usual) if isinstance(part, Block) else part
        for part in parts
    )
    return "".join(written), [name for name in fresh if name not in there]


def _line_end(text: str) -> str:
    """Windows' where every line ends so: one such line among others is somebody's words, pasted."""
    return "\r\n" if 0 < text.count("\n") == text.count("\r\n") else "\n"


def _joined(blocks: list[Block], line_end: str) -> str:
    return "\n\n".join(map(str, blocks)).replace("\n", line_end)
