"""What real event stores cost: times to load and to rebuild, and bytes on disk, each value fitted to a measurement that is named.

How the values come out of the measurements is in edasim/store_fits.py; docs/stores.md shows the same table, how far off they are, and
how a team fits its own.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Store = Literal["sqlite", "postgres", "eventsourcing", "redis-streams"]
RebuiltStore = Literal["sqlite"]
StoredIn = Literal["sqlite", "postgres", "redis-streams", "rabbitmq-classic", "rabbitmq-quorum", "rabbitmq-stream"]
Layout = Literal["log", "sqlite", "postgres"]
Key = Literal["load", "rebuild", "overhead_bytes"]
Floats = NDArray[np.float64]


class Preset(NamedTuple):
    """What one store fills in under one key of `event_store`, as a YAML file would hold it, and the rows it was fitted to."""

    key: Key
    store: str
    values: dict[str, str | int]
    file: str  # in data/measurements/
    rows: str  # those whose column `what` or `variant` says so


PRESETS: tuple[Preset, ...] = (
    Preset("load", "sqlite", {"base": "1.17ms", "per_event": "5.18us"}, "m6_sqlite.csv", "aggregate: open+select+json+fold"),
    Preset("load", "postgres", {"base": "9.41ms", "per_event": "5.5us"}, "m6_pg.csv", "aggregate: connect+select+json+fold"),
    Preset("load", "eventsourcing", {"base": "1.88ms", "per_event": "30.2us"}, "m6_es.csv", "aggregate get, no snapshot"),
    Preset("load", "redis-streams", {"base": "2.19ms", "per_event": "9.24us"}, "m6_redis.csv", "aggregate: connect+XRANGE(1000)+json+fold"),
    Preset(
        "rebuild",
        "sqlite",
        {"base": "5.63ms", "per_event": "9.52us", "workers": 1},
        "m6_sqlite.csv",
        "projection rebuild (batch, in memory then written)",
    ),
    Preset("overhead_bytes", "sqlite", {"layout": "sqlite", "row": 41, "index": 26}, "m5_sqlite.csv", "random"),
    Preset("overhead_bytes", "postgres", {"layout": "postgres", "row": 65, "index": 65}, "m5_pg.csv", "random"),
    Preset("overhead_bytes", "redis-streams", {"layout": "log", "row": 58}, "m5_redis.csv", "stream_xadd"),
    Preset("overhead_bytes", "rabbitmq-classic", {"layout": "log", "row": 210}, "m5_rabbit.csv", "classic durable persistent"),
    Preset("overhead_bytes", "rabbitmq-quorum", {"layout": "log", "row": 298}, "m5_rabbit.csv", "quorum"),
    Preset("overhead_bytes", "rabbitmq-stream", {"layout": "log", "row": 103}, "m5_rabbit.csv", "stream"),
)
REBUILT_UP_TO: dict[RebuiltStore, int] = {"sqlite": 1_000_000}  # events: the largest rebuild that was measured


def decided_by(key: Key, store: str) -> dict[str, str | int]:
    """What *store* fills in under `event_store.` *key*, as a YAML file would hold it.

    >>> decided_by("load", "redis-streams")
    {'base': '2.19ms', 'per_event': '9.24us'}
    """
    return next(preset.values for preset in PRESETS if (preset.key, preset.store) == (key, store))


def bytes_on_disk(layout: Layout, payload: Floats, row: float | Floats, index: float | Floats = 0.0, compressed_to: float = 1.0) -> Floats:
    """Bytes on disk for each event of *payload* bytes, in a store with many such events; shapes broadcast.

    *row*: what is stored with the payload. *index*: bytes for each event in indexes. A log appends, so the two are simply added. In
    pages only whole rows fit, so bytes go in steps. *compressed_to* is PostgreSQL's: the share left of the payload of a large row.

    >>> bytes_on_disk("log", np.array([1000.0]), 60), bytes_on_disk("sqlite", np.array([1000.0]), 40)  # 3 rows of 1,040 in 4,096
    (array([1060.]), array([1365.33333333]))
    """
    payload = np.asarray(payload, dtype=np.float64)
    if layout == "log":
        return payload + row + index
    if layout == "sqlite":
        return _sqlite_pages(payload + row) + index
    return _postgres_pages(payload, row, compressed_to) + index


SQLITE_PAGE = 4096  # the default since 3.12
SQLITE_LEAF_HEADER = 8
SQLITE_LARGEST_LOCAL = SQLITE_PAGE - 35
SQLITE_LEAST_LOCAL = (SQLITE_PAGE - 12) * 32 // 255 - 23
SQLITE_POINTER = 4  # to the first, or in an overflow page to the next, overflow page
SQLITE_LEAST_CELL = 4


def _sqlite_pages(cell: Floats) -> Floats:
    """Bytes of table pages for each row of *cell* bytes: what does not fit into a page goes to overflow pages, shared with no other row.

    SQLite documentation, Database File Format, sections 1.6 B-tree Pages and 1.7 Cell Payload Overflow Pages. Simplified: the levels
    above the leaves (below 1 %) are left out.
    """
    spills = cell > SQLITE_LARGEST_LOCAL
    filling = SQLITE_LEAST_LOCAL + (cell - SQLITE_LEAST_LOCAL) % (SQLITE_PAGE - SQLITE_POINTER)  # leaves only full overflow pages
    local = np.where(spills, np.where(filling <= SQLITE_LARGEST_LOCAL, filling, SQLITE_LEAST_LOCAL), np.maximum(cell, SQLITE_LEAST_CELL))
    overflow = np.ceil((cell - local) / (SQLITE_PAGE - SQLITE_POINTER)) * spills
    rows = (SQLITE_PAGE - SQLITE_LEAF_HEADER) // (local + SQLITE_POINTER * spills)
    pages: Floats = 1 / rows + overflow
    return SQLITE_PAGE * pages


POSTGRES_PAGE = 8192
POSTGRES_ROOM = POSTGRES_PAGE - 24  # without the page header
POSTGRES_LINE_POINTER = 4
POSTGRES_ALIGNMENT = 8
POSTGRES_LARGEST_ROW = 2032  # TOAST_TUPLE_THRESHOLD: four rows a page
POSTGRES_POINTER = 18  # left in the row for a value that is stored in chunks
POSTGRES_CHUNK = 1996  # TOAST_MAX_CHUNK_SIZE: four chunks a page
POSTGRES_CHUNK_HEADER = 36


def _postgres_pages(payload: Floats, row: float | Floats, compressed_to: float) -> Floats:
    """Bytes of table pages for each event: rows above 2 kB are compressed, then their payload is moved out in chunks.

    PostgreSQL documentation, Database Page Layout and TOAST; constants in src/include/access/heaptoast.h. Simplified: the index of the
    chunks (about 1 %) is left out.
    """
    kept = np.where(payload + row > POSTGRES_LARGEST_ROW, payload * compressed_to, payload)
    moved = kept + row > POSTGRES_LARGEST_ROW
    rows = POSTGRES_ROOM // _postgres_item(row + np.where(moved, POSTGRES_POINTER, kept))
    pages: Floats = 1 / rows + moved * _postgres_chunk_pages(kept)
    return POSTGRES_PAGE * pages


def _postgres_item(content: Floats) -> Floats:
    """What a row takes in a page: aligned, and with its pointer."""
    aligned: Floats = np.ceil(content / POSTGRES_ALIGNMENT) * POSTGRES_ALIGNMENT
    return aligned + POSTGRES_LINE_POINTER


def _postgres_chunk_pages(value: Floats) -> Floats:
    """Pages for a value in chunks: four full ones fill a page, but only three fit beside the last one, which is smaller.

    So the last one costs a quarter page where it displaces a fourth, and nothing where others do that; never less than their bytes.
    """
    full, rest = np.divmod(value, POSTGRES_CHUNK)
    last = np.where(rest > 0, _postgres_item(POSTGRES_CHUNK_HEADER + rest), 0)
    held = (full * _postgres_item(np.asarray(POSTGRES_CHUNK_HEADER + POSTGRES_CHUNK, dtype=np.float64)) + last) / POSTGRES_ROOM
    pages: Floats = np.maximum(held, np.where(rest > 0, np.minimum((full + 1) / 4, full / 3), full / 4))
    return pages
