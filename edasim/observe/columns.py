"""What columns are called: the names by which a table of events or of incidents is known."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.observe.paths import DELTA, NOTICE, STATE

# The first that is there counts. Before they are compared, names are written in small letters with underscores: `createdAt` is created_at.
TIME = (
    "time",
    "timestamp",
    "ts",
    "event_time",
    "occurred_at",
    "occurred_on",
    "created_at",
    "created",
    "committed_at",
    "inserted_at",
    "published_at",
    "updated_at",
    "recorded_at",
    "date",
    "datetime",
)
KEY = (
    "key",
    "entity",
    "entity_id",
    "aggregate_id",
    "aggregateid",
    "stream_id",
    "stream_name",
    "stream",
    "subject",
    "partition_key",
    "order_id",
    "customer_id",
    "account_id",
    "customer",
)
BYTES = ("bytes", "size", "length", "octet_length", "payload_bytes")  # taken for STATE, as they do not say which size it is
PATHS = {  # columns of sizes that say which size they are
    "state_bytes": STATE,
    "delta_bytes": DELTA,
    "notice_bytes": NOTICE,
}
START = ("start", "started", "started_at", "start_time", "begin", "from")
END = ("end", "ended", "ended_at", "end_time", "resolved_at", "until", "to")
COMPONENT = ("component", "service", "system", "what")
UNITS = ("s", "ms", "us", "ns")  # that a name of a time may end in: time_ms


def as_name(text: str) -> str:
    """A text as the name of a consumer or component in a scenario: of one line, without slashes and commas, at most 80 letters.

    >>> as_name("shop/billing, v2\\n")
    'shop billing v2'
    """
    return " ".join("".join(" " if letter in "/\\," or not letter.isprintable() else letter for letter in text).split())[:80].strip()


def compared_name(name: object) -> str:
    """A name as it is compared.

    >>> compared_name("createdAt"), compared_name(" Aggregate-ID ")
    ('created_at', 'aggregate_id')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name).strip())
    return re.sub(r"[\s\-.]+", "_", spaced).lower()


def column_of(names: Iterable[str], known: Iterable[str], units: bool = False) -> str | None:
    """The first of the *known* names among *names*, as it is written there; of times also with a unit at its end.

    >>> column_of(["id", "createdAt"], TIME), column_of(["time_ms"], TIME, units=True), column_of(["id"], KEY)
    ('createdAt', 'time_ms', None)
    """
    there: Mapping[str, str] = {compared_name(name): name for name in reversed(list(names))}
    for name in known:
        for written in (name, *(f"{name}_{unit}" for unit in UNITS if units)):
            if written in there:
                return there[written]
    return None


def numbers_in(values: pd.Series) -> NDArray[np.float64]:
    """A column as numbers, NaN where it has none; shape (rows,).

    >>> numbers_in(pd.Series(["1.5", "many", None])).tolist()
    [1.5, nan, nan]
    """
    if values.dtype == object:  # whole numbers of any length, as JSON may have them
        values = values.map(lambda value: str(value) if isinstance(value, int) else value)
    return np.array(pd.to_numeric(values, errors="coerce"), dtype=np.float64)


def unit_in(name: str) -> str | None:
    """The unit that a name of a time ends in.

    >>> unit_in("time_ms"), unit_in("time")
    ('ms', None)
    """
    told = compared_name(name).rpartition("_")[2]
    return told if told in UNITS and told != compared_name(name) else None
