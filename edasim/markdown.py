"""What people named, in Markdown: shown as it is written, in a line of its own text or a cell, whatever is in it.

A name may hold a bar, a backtick, a tag or the end of a comment; none of them may make a cell, code, a page's element or end a block.
"""

import re
from collections.abc import Iterable
from html import escape

_PLAIN_CODE = re.compile(r"[\w .,:;=+*/()\[\]{}'%-]*")
_MEANS_SOMETHING = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)|^[-+#]|^\d+(?=[.)]\s)")


def one_line(text: object) -> str:
    """A text on one line, without what can't be seen.

    >>> one_line("how should\\n changes\\treach billing?")
    'how should changes reach billing?'
    """
    return printable(" ".join(str(text).split()))


def printable(text: str) -> str:
    """A text without what can't be seen, such as what a terminal takes for a command."""
    return "".join(letter for letter in text if letter.isprintable())


def plain(text: object) -> str:
    """A text that is shown letter by letter.

    >>> plain("a|b <script> *not* bold -->")
    'a&#124;b &lt;script&gt; &#42;not&#42; bold --&gt;'
    """
    return _MEANS_SOMETHING.sub(lambda found: "".join(f"&#{ord(letter)};" for letter in found[0]), escape(one_line(text), quote=False))


def code(text: object) -> str:
    """A name as code.

    >>> code("workload.arrivals.rate"), code("a`b|c")
    ('`workload.arrivals.rate`', '<code>a&#96;b&#124;c</code>')
    """
    said = one_line(text)
    return f"`{said}`" if said and _PLAIN_CODE.fullmatch(said) else f"<code>{plain(said)}</code>"


def sentence(text: object, names: Iterable[str] = ()) -> str:
    """A computed sentence in Markdown, on one line: what it quotes between backticks is shown as code, and no tag in it is one.

    *names* are those that it may quote: they may have backticks of their own.

    >>> sentence("measure `a<b>.rate` first: 0 (< 12) seen"), sentence("holds for `a`b`", ["a`b"])
    ('measure <code>a&lt;b&gt;.rate</code> first: 0 (&lt; 12) seen', 'holds for <code>a&#96;b</code>')
    """
    longest_first = sorted({name for name in names if name}, key=lambda name: -len(name))
    quoted = re.compile("|".join([*(f"`{re.escape(name)}`" for name in longest_first), "`[^`]*`"]))
    found, done = [], 0
    for match in quoted.finditer(str(text)):
        found += [_unquoted(str(text)[done : match.start()]), code(match[0][1:-1])]
        done = match.end()
    return one_line("".join([*found, _unquoted(str(text)[done:])]))


def _unquoted(text: str) -> str:
    return escape(text, quote=False).replace("`", "&#96;")


def row(*cells: str) -> str:
    """A row of a table, of cells that are Markdown.

    >>> row("`a`", plain("b|c"))
    '| `a` | b&#124;c |'
    """
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
