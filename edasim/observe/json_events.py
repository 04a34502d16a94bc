"""Changes as JSON documents, one a line or one after the other: each is measured, and its content let go."""

from pathlib import Path

import pandas as pd

from edasim.errors import InputError
from edasim.observe.document import Read
from edasim.observe.envelopes import Record, form_of, record_of
from edasim.observe.events import MOST_LEFT_OUT, events_in, observed_events
from edasim.observe.texts import documents, name_of


def json_of(path: Path) -> Read:
    """What a file of JSON documents tells, all of the form of its first.

    Raises InputError where that is none of the known ones, or more than one document in a hundred is of another.
    """
    form, records, broken, skipped = None, list[Record](), 0, 0
    for document in documents(path):
        mine = form_of(document)
        form = form or mine
        if form is None:
            raise InputError(
                f"{name_of(path)}: JSON, but none that edasim knows: time, key and bytes, CloudEvents, Debezium, kcat -J or rpk"
            )
        record = record_of(document) if mine else None
        broken += mine is None
        skipped += mine is not None and record is None
        records += [record] if record else []
    if broken > max(1, MOST_LEFT_OUT * (broken + len(records))):
        raise InputError(f"{name_of(path)}: {broken:,} of {broken + skipped + len(records):,} JSON documents are not of the form {form}")
    if not records:
        raise InputError(f"{name_of(path)}: none of its {skipped:,} JSON documents of the form {form} is a change")
    events = events_in(_table(records), name_of(path))
    notes = [f"{broken:,} documents that can't be read left out"] if broken else []
    notes += [f"{skipped:,} documents that are no change (tombstones, rows read for a snapshot) left out"] if skipped else []
    return observed_events(events._replace(notes=(*events.notes, *notes)), name_of(path), f"events ({form})")


def _table(records: list[Record]) -> pd.DataFrame:
    """Time, key and sizes, a row a record."""
    table = pd.DataFrame({"time": pd.Series([record.time for record in records], dtype=object), "key": [record.key for record in records]})
    for place in dict.fromkeys(record.path for record in records):
        table[place.rpartition(".")[2]] = [record.bytes if record.path == place else None for record in records]
    return table
