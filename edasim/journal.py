"""The journal: what happened, as columns, without statistics. A journal measured on a real broker has the same columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edasim.bounded import json_of, text_of
from edasim.errors import InputError
from edasim.time_travel import Replay, State, replayed
from edasim.timelines import in_version_order
from edasim.units import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from edasim.compiled.pieces import Course

Table = Mapping[str, NDArray[Any]]

NONE = -1  # in a time column: it did not happen; in a version column: nothing is held
OUTCOMES = (
    "applied",
    "in_flight",
    "dead_letter",
    "lost_publish",
    "lost_network",
    "lost_broker",
    "lost_overflow",
    "lost_retention",
    "lost_disconnected",
    "lost_consumer",
)
APPLIED, IN_FLIGHT, DEAD_LETTER = range(3)
LOST_PUBLISH, LOST_NETWORK, LOST_BROKER, LOST_OVERFLOW, LOST_RETENTION, LOST_DISCONNECTED, LOST_CONSUMER = range(3, len(OUTCOMES))
REQUESTS = ("write", "read", "call_back", "poll")
LOADS = ("command", "read")
SLOW, POISON = ", slow", ", poison"  # after a consumer's name in `faults`: no name has a comma
WAYS = ("events", "log", "source")  # what a lost copy can be rebuilt from: all events, the broker's log, the source's rows in bulk

TIMES = frozenset(
    {
        "time",
        "committed",
        "acknowledged",
        "stored",
        "delivered",
        "applied",
        "asked",
        "latency",
        "service",
        "start",
        "end",
        "duration",
        "catch_up",
    }
)
COLUMNS: Mapping[str, Mapping[str, type]] = {
    "changes": {
        "time": np.int64,  # asked for
        "entity": np.int64,
        "version": np.int64,  # of the entity, in commit order; NONE when the source refused it
        "region": np.int64,
        "bytes": np.int64,  # of the message that carries it
        "committed": np.int64,
        "publish_attempts": np.int64,
        "acknowledged": np.int64,  # NONE when the publisher gave up or never sent
        "item": np.int64,  # the payload: so many of this item are put in (or taken out)
        "quantity": np.int64,
    },
    "refreshes": {"time": np.int64, "entity": np.int64, "consumer": np.int64, "version": np.int64},
    "deliveries": {
        "change": np.int64,  # row of `changes`
        "consumer": np.int64,
        "stored": np.int64,
        "delivered": np.int64,  # measured: when its handling first began, since a client can't tell earlier
        "applied": np.int64,
        "attempts": np.int64,
        "copies": np.int64,
        "outcome": np.int8,
        "bytes": np.int64,  # of the message
    },
    "reads": {
        "time": np.int64,
        "entity": np.int64,
        "consumer": np.int64,
        "asked": np.int64,  # when the attempt that was answered (or the last one) was made; versions are those of then
        "answered": np.bool_,
        "latency": np.int64,
        "version_seen": np.int64,
        "version_true": np.int64,
    },
    "own_reads": {"change": np.int64, "consumer": np.int64, "latency": np.int64},  # of what one wrote; NONE: no answer in time, or too old
    # service: what the source did for it to the end, attempts of commands that gave up included
    "requests": {"time": np.int64, "kind": np.int8, "latency": np.int64, "ok": np.bool_, "service": np.int64, "bytes": np.int64},
    "storage": {"time": np.int64, "component": np.int64, "bytes": np.int64, "consumer": np.int64},  # whose copy; NONE: nobody's
    "faults": {"component": np.int64, "start": np.int64, "end": np.int64},
    "loads": {"time": np.int64, "kind": np.int8, "entity": np.int64, "events": np.int64, "duration": np.int64},
    "exchanges": {"change": np.int64, "region": np.int64, "known": np.int64},  # when a region came to know what another had written
    "conflicts": {"time": np.int64, "change": np.int64, "gave_up": np.bool_},  # an append that met a newer version than was loaded
    "snapshots": {"time": np.int64, "entity": np.int64, "version": np.int64, "region": np.int64},  # taken in the run, up to which version
    "snapshot_contents": {"snapshot": np.int64, "item": np.int64, "quantity": np.int64},  # by row of `snapshots`
    "rebuilds": {
        "way": np.int8,
        "items": np.int64,  # events, messages or rows to be read at the end of the window
        "missing": np.int64,  # entities that can't be had this way; NONE: not known
        "duration": np.int64,  # while nothing changes
        "backlog": np.int64,  # the same of a rebuild that begins with the window, while changes go on; NONE: nobody did that
        "catch_up": np.int64,  # ... until it has caught up; NONE: it never does
        "seen": np.bool_,  # whether that was within the window; else it is extrapolated from there
    },
    "entities": {"weight": np.float64, "born": np.int64, "silent": np.int64, "history": np.int64},  # history: events stored before the run
}


def committed_rows(changes: Table) -> NDArray[np.int64]:
    """The rows of *changes* that committed, those of one entity in the order of their versions; in order of time, if versions follow it."""
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import commit_order, commits_in_order

    columns = [whole(changes[name]) for name in ("committed", "entity", "version")]
    if commits_in_order(*columns):
        return np.arange(columns[0].size)
    rows = np.flatnonzero(changes["committed"] != NONE)
    found: NDArray[np.int64] = rows[commit_order(*(whole(column[rows]) for column in columns))]
    return found


def rows_of(table: Table, consumer: int) -> Table:
    """The rows of one *consumer* in a *table* that has such a column."""
    return rows_where(table, table["consumer"] == consumer)


def rows_at(table: Table, rows: NDArray[np.int64]) -> Table:
    """These *rows* of a *table*, not copied where they are all of them as they come."""
    from edasim.compiled.sorting import all_in_order

    if rows.size == len(next(iter(table.values()))) and all_in_order(rows):
        return table
    return {name: values[rows] for name, values in table.items()}


def in_time(table: Table) -> Table:
    """The rows of a *table* in order of time, not copied where they are already."""
    from edasim.compiled.sorting import stable_order

    if np.all(table["time"][1:] >= table["time"][:-1]):
        return table
    order = stable_order(table["time"])
    return {name: values[order] for name, values in table.items()}


def rows_within(table: Table, window: Sequence[int]) -> Table:
    """The rows of a *table* with a time in the *window* [start, end)."""
    return rows_where(table, (table["time"] >= window[0]) & (table["time"] < window[1]))


def rows_where(table: Table, which: NDArray[np.bool_]) -> Table:
    """The rows for *which* it is so, not copied where they stand together."""
    first, count = int(which.argmax()) if which.size else 0, int(np.count_nonzero(which))
    rows = slice(first, first + count) if which[first : first + count].all() else which
    return {name: values[rows] for name, values in table.items()}


def rows_in_time(changes: Table, committed: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of *changes* that committed (as `committed_rows`), in order of time; at the same time in the order of their versions."""
    from edasim.compiled.sorting import stable_order

    times = changes["committed"][committed]
    return committed if np.all(times[1:] >= times[:-1]) else committed[stable_order(times)]


@dataclass(frozen=True)
class Journal:
    """What happened in one run. Times are whole nanoseconds, NONE (-1) where something did not happen.

    *facts* says what the columns can't: the option and its seed, the measured window [start, end) and the end of the run
    in nanoseconds, the names behind the codes in `consumer` and `component`, and what readers read. In place of a table may be given
    what makes it: that is done when somebody first looks at it, and the table is then as if it had been given.
    """

    facts: Mapping[str, Any]
    changes: Table
    refreshes: Table
    deliveries: Table
    reads: Table
    own_reads: Table
    requests: Table
    storage: Table
    faults: Table
    loads: Table
    exchanges: Table
    conflicts: Table
    snapshots: Table
    snapshot_contents: Table
    rebuilds: Table
    entities: Table

    def __post_init__(self) -> None:
        later: dict[str, Callable[[], Table]] = {}
        for name in COLUMNS:
            given = self.__dict__.pop(name)
            if callable(given):
                later[name] = given
            else:
                self._keep(name, given)
        self.__dict__["_later"] = later

    def _keep(self, name: str, given: Table) -> None:
        checked: dict[str, NDArray[Any]] = {
            column: np.asarray(given.get(column, []), dtype=dtype) for column, dtype in COLUMNS[name].items()
        }
        for values in checked.values():
            values.setflags(write=False)
        self.__dict__[name] = checked

    def __getattr__(self, name: str) -> Any:
        """A table that nobody has looked at yet."""
        if name not in self.__dict__.get("_later", {}):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._keep(name, self._later[name]())
        self._later.pop(name, None)
        return self.__dict__[name]

    def __getstate__(self) -> dict[str, Any]:
        """All tables, and nothing that follows from them."""
        return {"facts": self.facts, **{name: getattr(self, name) for name in COLUMNS}, "_later": {}}

    @cached_property
    def in_version_order(self) -> NDArray[np.int64]:
        """As `committed_rows` of its changes."""
        return committed_rows(self.changes)

    @cached_property
    def in_time_order(self) -> NDArray[np.int64]:
        """As `rows_in_time` of its changes."""
        return rows_in_time(self.changes, self.in_version_order)

    @cached_property
    def refreshed(self) -> Sequence[Table]:
        """By consumer, its refreshes in order of time; what came at the same time in the order in which it happened."""
        return [in_time(rows_of(self.refreshes, number)) for number in range(len(self.facts["consumers"]))]

    @cached_property
    def counted(self) -> NDArray[np.bool_]:
        """Which changes committed inside the measured window; shape (changes,)."""
        (start, end), committed = self.facts["window"], self.changes["committed"]
        return np.asarray((committed >= start) & (committed < end))

    @cached_property
    def commits(self) -> "Course":
        """All commits, entity by entity, in order of time."""
        return self._course(rows_at(self.changes, self.in_time_order), "committed")

    @cached_property
    def made(self) -> NDArray[np.int64]:
        """When each version committed, entity by entity in the order of versions; they begin where those of `commits` do."""
        if self.in_time_order is self.in_version_order:
            return self.commits.time
        entity, committed = (self.changes[name][self.in_version_order] for name in ("entity", "committed"))
        return in_version_order(entity, committed, self._entities)[0]

    @cached_property
    def copies(self) -> "Sequence[Course]":
        """By consumer, its refreshes, entity by entity, in order of time."""
        return [self._course(refreshed, "time") for refreshed in self.refreshed]

    @property
    def _entities(self) -> int:
        return int(self.entities["weight"].size)

    def _course(self, events: Table, time: str) -> "Course":
        from edasim.compiled.pieces import Events, course_of
        from edasim.compiled.sorting import whole

        return course_of(Events(*(whole(events[name]) for name in ("entity", time, "version"))), self._entities)

    def frame(self, name: str) -> "pd.DataFrame":
        """The table *name* for people: times in seconds (NaN: it did not happen), names instead of codes."""
        import pandas as pd  # takes a quarter of a second to import, and only people need it

        table: Table = getattr(self, name)
        frame = pd.DataFrame({column: _in_seconds(values) if column in TIMES else values for column, values in table.items()})
        codes = {"consumer": self.facts["consumers"], "component": self.facts["components"][name] if name in ("storage", "faults") else ()}
        codes |= {"outcome": OUTCOMES, "kind": LOADS if name == "loads" else REQUESTS, "way": WAYS}
        for column in codes.keys() & set(table):
            names = np.array([*codes[column], ""], dtype=object)  # NONE is the last
            frame[column] = names[frame[column].to_numpy()] if len(frame) else frame[column].astype(object)
        return frame

    def state_at(self, entity: int, time: float) -> State:
        """The state of *entity* at *time* (seconds): item -> how many, rebuilt from the events; see `replay_to`."""
        return self.replay_to(entity, time).state

    def replay_to(self, entity: int, time: float) -> Replay:
        """The state of *entity* at *time* (seconds), and what it took: the snapshot it was built from and how many events followed.

        What the events stored before the run had put in is not known: every entity begins empty. With several regions that write,
        each has snapshots of its own, so all events are replayed. Raises InputError where truth is a table: nobody knows its past.
        """
        if self.facts["truth"] != "events":
            raise InputError(f"{self.facts['option']}: truth is a table, which holds only the newest state: keep events to travel in time")
        known = 0 <= entity < self.entities["born"].size
        if not known or not 0 <= time * NANOSECONDS <= self.facts["horizon"]:
            raise InputError(
                f"entity {entity} at {time:g} s is not in the journal: there are entities 0 to {self.entities['born'].size - 1}, "
                f"from 0 to {self.facts['horizon'] / NANOSECONDS:g} s"
            )
        snapshots = self.snapshots if self.facts["writers"] == 1 else {name: values[:0] for name, values in self.snapshots.items()}
        keep = self.facts["event_store"]["snapshot_keep"]
        return replayed(self.payload_of(entity, time), snapshots, self.snapshot_contents, entity, keep=keep)

    def payload_of(self, entity: int, time: float) -> list[tuple[int, int]]:
        """What each change of *entity* that had committed by *time* (seconds) brought, in the order of versions: item and quantity."""
        changes = self.changes
        mine = np.flatnonzero(
            (changes["entity"] == entity) & (changes["committed"] != NONE) & (changes["committed"] <= round(time * NANOSECONDS))
        )
        rows = mine[np.argsort(changes["version"][mine], kind="stable")]
        return list(zip(changes["item"][rows].tolist(), changes["quantity"][rows].tolist(), strict=True))

    def write(self, folder: Path) -> None:
        """Write one parquet file a table and ``facts.json`` into *folder* (made if missing); the same journal gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in COLUMNS:
            pq.write_table(pa.table(dict(getattr(self, name))), folder / f"{name}.parquet")
        (folder / "facts.json").write_text(json.dumps(dict(self.facts), indent=1, sort_keys=True), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Journal":
        """The journal that `write` left in *folder*. Raises OSError, ValueError or pyarrow's errors where it is not whole."""
        from edasim.journal_damage import read_table, refuse_damaged

        tables = {name: read_table(folder / f"{name}.parquet") for name in COLUMNS}
        found = cls(facts=json_of(text_of(folder / "facts.json")), **tables)
        refuse_damaged(found)
        return found


def _in_seconds(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(values == NONE, np.nan, values / 1e9)
