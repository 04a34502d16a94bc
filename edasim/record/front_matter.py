"""The front matter of a decision record, as MADR 4 has it: YAML between two lines of ``---``; its status is what people decide.

A record is proposed until people write ``accepted`` (or ``rejected``, ``deprecated``) there; ``superseded by ...`` is written when a new
record takes its place. From then on it is history.
"""

import json
import re
from pathlib import Path

import yaml

from edasim.documents import read_yaml
from edasim.errors import InputError, suggestion

STATUSES = ("proposed", "accepted", "rejected", "deprecated", "superseded")
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_STATUS = re.compile(r"^status[ \t]*:[^\r\n]*", re.MULTILINE)


def status_of(text: str, where: str) -> str:
    """The status of a document: the first word of what it says, one of STATUSES.

    >>> status_of('---\\nstatus: "superseded by [0007](0007-cdc.md)"\\n---\\n# Title', "0003.md")
    'superseded'

    Raises InputError, naming the document *where*, when there is none, or one that is not known.
    """
    said = _line(text, where)[0]
    try:
        whole = read_yaml(said)["status"]
    except (yaml.YAMLError, TypeError, KeyError):
        whole = None
    if whole is None:
        raise InputError(f"{where}: {said.strip()} is no status: allowed: {', '.join(STATUSES)}")
    first = str(whole).split()[0].lower() if str(whole).strip() else ""
    if first not in STATUSES:
        raise InputError(f"{where}: status {' '.join(str(whole).split())} is not known: {suggestion(first, STATUSES)}")
    return first


def with_status(text: str, status: str, where: str) -> str:
    """The document with another *status*; nothing else changes. Raises InputError where it has no line that says its status.

    >>> with_status("---\\nstatus: accepted\\ndate: 2026-01-31\\n---\\n", "superseded by [0007](0007-cdc.md)", "0003.md")
    '---\\nstatus: "superseded by [0007](0007-cdc.md)"\\ndate: 2026-01-31\\n---\\n'
    """
    _, (begin, end) = _line(text, where)
    return f"{text[:begin]}status: {json.dumps(status, ensure_ascii=False)}{text[end:]}"


def _line(text: str, where: str) -> tuple[str, tuple[int, int]]:
    """The line that says the status, and where in *text* it stands."""
    front = _FRONT.match(text)
    if front is None:
        raise InputError(f"{where}: has no front matter: a record begins with a line ---, one such as status: proposed, and a line ---")
    found = list(_STATUS.finditer(text, front.start(1), front.end(1)))
    if len(found) != 1:
        raise InputError(f"{where}: its front matter must say its status once, such as status: proposed, not {len(found)} times")
    return found[0][0], found[0].span()


def number_of(name: str) -> str:
    """By what a record is called: the number that its file's name begins with, or that name.

    >>> number_of("0007-kafka-cdc.md"), number_of("why-kafka.md")
    ('0007', 'why-kafka')
    """
    stem = Path(name).stem
    found = re.match(r"\d+", stem)
    return found[0] if found else stem
