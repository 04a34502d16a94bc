"""Envelopes: how brokers, connectors and services wrap a change in JSON, and what of it is taken.

| form | told by | time | key | bytes |
|---|---|---|---|---|
| Debezium | `op` and `source` (also inside `payload`) | `source.ts_ms` | `id` of `after`, or of `before` | `after` as JSON |
| kcat -J | `topic`, `ts` | `ts` | `key` | `payload` |
| rpk topic consume | `topic`, `timestamp` | `timestamp` | `key` | `value`, or `value_size` |
| CloudEvents | `specversion` | `time` | `subject`, else `partitionkey` | `data`, `data_base64` |
| plain | a time by its usual names | as a column | as a column | as a column |

A kcat or rpk payload that is itself a Debezium change is taken for one, with the key of the message.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from edasim.observe.columns import BYTES, KEY, PATHS, TIME, column_of, unit_in
from edasim.observe.paths import STATE
from edasim.observe.stamps import UNITS


class Record(NamedTuple):
    """What is taken from one document: its time as it is written, its key, its size in bytes, and the path of the size it is."""

    time: Any
    key: Any
    bytes: Any
    path: str = STATE


KAFKA = {"ts": "payload", "timestamp": "value"}  # kcat -J and rpk: where the time stands, and where the content


def form_of(document: Any) -> str | None:
    """The form of a JSON document; None where it is none that is known.

    >>> form_of({"specversion": "1.0", "time": "2025-01-01T00:00:00Z"}), form_of({"topic": "t", "ts": 1}), form_of({"a": 1})
    ('CloudEvents', 'kcat -J', None)
    """
    if not isinstance(document, Mapping):
        return None
    if _debezium(document) is not None:
        return "Debezium"
    if "topic" in document and ("ts" in document or "timestamp" in document):
        return "kcat -J" if "ts" in document else "rpk topic consume"
    if "specversion" in document:
        return "CloudEvents"
    return "JSON" if column_of(map(str, document), TIME, units=True) else None


def record_of(document: Any) -> Record | None:
    """The change that a document holds; None where it holds none: a tombstone, a row read for a snapshot, something else."""
    form = form_of(document)
    if form == "Debezium":
        return _change(document, None)
    if form in ("kcat -J", "rpk topic consume"):
        return _message(document)
    if form == "CloudEvents":
        data = document.get("data", document.get("data_base64"))
        return Record(document.get("time"), _text(document.get("subject", document.get("partitionkey"))), bytes_of(data))
    return _plain(document) if form else None


def _debezium(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The envelope of a Debezium change, with or without the schema around it."""
    inner = document.get("payload", document)
    has_all = isinstance(inner, Mapping) and "op" in inner and isinstance(inner.get("source"), Mapping)
    return inner if has_all else None


def _change(document: Mapping[str, Any], key: Any) -> Record | None:
    envelope = _debezium(document)
    if envelope is None or envelope["op"] not in ("c", "u", "d"):  # r: read for a snapshot, t: truncated, m: a message
        return None
    row = envelope.get("after") or envelope.get("before")
    row = row if isinstance(row, Mapping) else {}
    name = column_of(map(str, row), ("id", *KEY))
    return Record(envelope["source"].get("ts_ms"), _text(row.get(name or "") if key is None else key), bytes_of(envelope.get("after")))


def _message(document: Mapping[str, Any]) -> Record | None:
    time, content = next(pair for pair in KAFKA.items() if pair[0] in document)
    payload = document.get(content)
    if payload is None:  # a tombstone, or rpk with --meta-only
        size = document.get("value_size")
        return Record(document[time], _text(document.get("key")), size) if size else None
    inner = _parsed(payload)
    if isinstance(inner, Mapping) and _debezium(inner) is not None:
        return _change(inner, _text(document.get("key")))
    return Record(document[time], _text(document.get("key")), bytes_of(payload))


def _parsed(payload: Any) -> Any:
    if isinstance(payload, str) and payload.startswith("{") and '"op"' in payload:
        try:
            return json.loads(payload)
        except (ValueError, RecursionError):
            return None
    return payload


def _text(key: Any) -> Any:
    """A key that may be a document of its own, as a text."""
    return json.dumps(key, sort_keys=True) if isinstance(key, Mapping | list) else key


def _plain(document: Mapping[str, Any]) -> Record:
    names = list(map(str, document))
    time, key = column_of(names, TIME, units=True) or "", column_of(names, KEY)
    named = {path: column_of(names, [column]) for column, path in PATHS.items()}
    path, size = next(((path, name) for path, name in named.items() if name), (STATE, column_of(names, BYTES)))
    when, unit = document.get(time), unit_in(time)
    if unit and isinstance(when, int | float):
        when = when / UNITS[unit]
    return Record(when, _text(document.get(key or "")), document.get(size or ""), path)


def bytes_of(content: Any) -> int | None:
    """How many bytes *content* has: as UTF-8 where it is a text, else as JSON without spaces.

    >>> bytes_of("äb"), bytes_of({"a": 1}), bytes_of(None)
    (3, 7, None)
    """
    if content is None:
        return None
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))
