"""In which form a file is: told by what is in it, whatever its name."""

from pathlib import Path

from edasim.errors import InputError
from edasim.observe.access_log import access_log_of, is_access_log
from edasim.observe.columns import END, START, TIME, column_of
from edasim.observe.document import Read
from edasim.observe.events import parquet_of, separator_of, table_of
from edasim.observe.incidents import Watched, incidents_of
from edasim.observe.journals import journal_of
from edasim.observe.json_events import json_of
from edasim.observe.prometheus import is_prometheus, prometheus_of
from edasim.observe.texts import PARQUET, first_bytes, first_document, first_lines, name_of, shown

FORMS = (
    "CSV or parquet with a header such as time,key,bytes",
    "JSON lines of time, key and bytes, CloudEvents, Debezium, kcat -J or rpk",
    "an access log in the common or combined format",
    "CSV of incidents with a header such as start,end,component",
    "the JSON of a Prometheus range query",
    "the folder of a journal",
)


def read(path: Path, watched: Watched | None) -> Read:
    """What the file or folder *path* tells; *watched*: in which time incidents were written down.

    Raises InputError where it does not exist, is empty, is in no known form, or is not as its form has it.
    """
    if path.is_dir():
        return journal_of(path)
    if first_bytes(path).startswith(PARQUET):
        return parquet_of(path)
    lines = first_lines(path)
    if not lines:
        raise InputError(f"{name_of(path)} is empty: there is nothing to observe")
    if lines[0][0] in "{[":
        return prometheus_of(path) if is_prometheus(first_document(path)) else json_of(path)
    if any(is_access_log(line) for line in lines):
        return access_log_of(path)
    return _table(path, lines[0], watched)


def _table(path: Path, header: str, watched: Watched | None) -> Read:
    """A CSV file with this *header*. Raises InputError where that has no column that is known."""
    names = [name.strip().strip('"') for name in header.split(separator_of(header))]
    if column_of(names, START, units=True) and column_of(names, END, units=True):
        return incidents_of(path, header, names, watched)
    if column_of(names, TIME, units=True):
        return table_of(path, header, names)
    raise InputError(f"{name_of(path)} is in no known form: its first line is {shown(header)!r}; known are {'; '.join(FORMS)}")
