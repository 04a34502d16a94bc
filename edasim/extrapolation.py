"""What the window of a journal says about the years to come: bytes by component, each by a closed form.

A straight line through ten minutes is wrong: a log levels off when its first messages are too old, a compacted one at its keys, a table
and its copies grow with births only. So sizes, and what there is of each for a change, are measured in the window, and each component
follows its own law:

* `source`, `copy`, `read_model`: (entities at the start + births x t) x bytes of a row
* `events`: events before the run + changes x t, x bytes of one; `archive`: those of them that are old enough and behind a snapshot
* `snapshots`: each entity's events / `snapshot_every`, rounded down, or one if only the last is kept; and one for each migrated entity
* `log`: what was stored within `retention`; of that the newest message of each entity and what waits for the cleaner, if it is compacted
* `dead_letters` for each change as in the window; `outbox`, `wal`, and what waits in a queue, as at the end of the window; but where a
  relay or a consumer is slower than the changes, what waits for it grows for ever (`falling_behind`)

Changes come at the mean rate of their process, or as counted in the window of a trace; for each change every year is taken to be like
the window: the same births and faults; only rows, events and messages get larger, by `payload_growth` a year. Rows of entities that fell
silent stay, for nothing deletes them; all rows count at the size of the year, as if each were written anew. A birth whose message a copy
lost, or still waits for, counts all the same. What was stored twice in a log counts once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edasim.falling_behind import queues, relays
from edasim.journal import LOADS, LOST_BROKER, Journal
from edasim.lives import Floats, Popularity, committed_per_s
from edasim.metrics.backlog import partition_of
from edasim.metrics.delivery import in_window
from edasim.metrics.storage import DAY_S, storage
from edasim.scenario import Scenario, TraceArrivals
from edasim.theory import at_least, compacted, grown, snapshots_taken
from edasim.traces import read_trace
from edasim.units import YEAR_S

Ints = NDArray[np.int64]
Number = Callable[[ArrayLike, int, ArrayLike], Floats]  # of snapshots: all or the last
DRAWS = 32  # of each group of entities, to work out what can be archived


class Extrapolation:
    """Bytes by component some years after the start of a run, up to the *longest*; of a table, too. Of its *journal*, in *scenario*."""

    def __init__(self, journal: Journal, scenario: Scenario, longest: float) -> None:
        self._journal, self._scenario = journal, scenario
        self._start, self._end = journal.facts["window"]
        self._seconds = (self._end - self._start) / 1e9
        self._initial = journal.facts["initial_entities"]
        found = [value for value in storage(journal) if value.component]
        self._stored = {(v.component, v.consumer): v.value for v in found if v.metric == "storage_bytes"}
        self._per_day = {v.component: v.value for v in found if v.metric == "storage_growth_bytes_per_day"}
        changes = journal.changes
        births = changes["committed"][(changes["version"] == 1) & (changes["entity"] >= self._initial)]
        counted = float(in_window(journal).sum()) / self._seconds
        self._changes_per_s = committed_per_s(journal, scenario)
        self.busy = counted / self._changes_per_s if counted else 0.0  # times as many changes as in the long run has the window
        self._times = self.busy or 1.0
        self._births_per_s = float(((births >= self._start) & (births < self._end)).sum()) / self._seconds / self._times
        active, until = scenario.workload.entities.active_for, longest * YEAR_S
        self._popularity = Popularity(journal, active, self._changes_per_s, self._births_per_s, until)
        behind = relays(journal, scenario, self._changes_per_s)
        self._sent_per_s = self._changes_per_s - sum(stage.growth_per_s for stage in behind)
        stages = [*behind, *queues(journal, scenario, self._changes_per_s, self._sent_per_s)]
        self.waiting = [stage for stage in stages if (stage.component, "") in self._stored]

    def at(self, years: float) -> dict[str, float]:
        """Bytes by component after so many *years*, one copy of everything."""
        found = self._rows(years) | self._waiting(years)
        if ("events", "") in self._stored:
            found |= self._events(years) | {"snapshots": self._snapshots(years)}
        if self._scenario.broker.kind == "log" and ("log", "") in self._stored:
            found["log"] = sum(self._log(years, topic) for topic in self._topics())
        return found

    def table(self, years: float) -> float:
        """Bytes of a table that holds the newest state of each entity and nothing else, whether this option keeps one or not."""
        if ("source", "") in self._stored:
            return self._rows(years)["source"]
        return self._entities(years) * self._larger(years) * _row_bytes(self._scenario) * float(self._journal.facts["writers"])

    def _entities(self, years: float) -> float:
        """How many there will be, or were."""
        return float(self._initial + self._births_per_s * years * YEAR_S)

    def _rows(self, years: float) -> dict[str, float]:
        """Tables, copies and read models: as many rows as there are entities."""
        rows = self._entities(years) * self._larger(years)
        found: dict[str, float] = {}
        for (component, consumer), size in self._stored.items():
            if component == "source" or consumer:
                now = self._rows_now(consumer)
                found[component] = found.get(component, 0.0) + (size / now * rows if now else 0.0)
        return found

    def _rows_now(self, consumer: str) -> int:
        """How many rows the source, or the copy of *consumer*, has at the end of the window."""
        changes, refreshes = self._journal.changes, self._journal.refreshes
        there = (changes["version"] > 0) & (changes["committed"] <= self._end)
        entity = changes["entity"][there]
        if consumer:
            mine = refreshes["consumer"] == self._journal.facts["consumers"].index(consumer)
            entity = refreshes["entity"][mine & (refreshes["time"] <= self._end)]
        return int(self._initial) + np.unique(entity[entity >= self._initial]).size

    def _waiting(self, years: float) -> dict[str, float]:
        """What is parked for ever, and what waits to be published or handled."""
        waits = ("outbox", "wal") if self._scenario.broker.kind == "log" else ("outbox", "wal", "log")
        found = {component: self._stored[component, ""] for component in waits if (component, "") in self._stored}
        later = self._lasting(years) - self._end / 1e9
        for stage in self.waiting:
            if stage.growth_per_s:
                most = stage.most * stage.message_bytes * self._larger(years)
                found[stage.component] += min(stage.growth_per_s * stage.message_bytes * later, most)
        found = {component: max(size, 0.0) for component, size in found.items()}
        if "dead_letters" in self._per_day:
            found["dead_letters"] = self._per_day["dead_letters"] / self._times / DAY_S * self._lasting(years)
        return found

    def _larger(self, years: float) -> float:
        """By how much rows and messages are larger then."""
        return float((1 + self._scenario.workload.payload_growth) ** years)

    def _lasting(self, years: float) -> float:
        """So many seconds of today's traffic are as many bytes as all that comes until then."""
        return YEAR_S * grown(years, self._scenario.workload.payload_growth)

    def _events(self, years: float) -> dict[str, float]:
        """Bytes of all events that there ever were, and of those how many can be archived."""
        settings, committed = self._scenario.event_store, self._journal.changes["committed"]
        past = self._at_start("events") + self._at_start("archive")
        now = self._stored["events", ""] + self._stored.get(("archive", ""), 0.0)
        number = int(((committed > 0) & (committed <= self._end)).sum())
        per_s = self._changes_per_s * (now - past) / max(number, 1)
        total = past + per_s * self._lasting(years)
        if settings.archive_after is None:
            return {"events": total}
        if not settings.snapshot_every:  # no event is ever behind one
            return {"events": total, "archive": 0.0}
        hot = self._hot(years) * (per_s * self._larger(years) / self._changes_per_s if self._changes_per_s else 0.0)
        return {"events": min(hot, total), "archive": max(total - hot, 0.0)}

    def _at_start(self, component: str) -> float:
        """Bytes of *component* at time 0."""
        table, number = self._journal.storage, self._journal.facts["components"]["storage"].index(component)
        return float(table["bytes"][(table["component"] == number) & (table["time"] == 0)].sum())

    def _hot(self, years: float) -> float:
        """How many events are not archived: of each entity all but min(those older than `archive_after`, those behind a snapshot)."""
        settings = self._scenario.event_store
        assert settings.archive_after is not None
        now = years * YEAR_S
        before = now - settings.archive_after
        lives = self._popularity.lives(now, before)
        age = settings.history / self._changes_per_s if self._changes_per_s else 0.0  # of the oldest event at the start
        old = np.clip((age + before) / age, 0.0, 1.0) if age else float(before >= 0)
        stored = np.where(lives.born > 0, lives.born <= before, old) * lives.stored
        split = max(before, 0.0)
        rng = np.random.default_rng(0)  # the same draws for every time and option
        recent = self._popularity.changes(lives, split, now)
        older = stored + rng.poisson(self._popularity.changes(lives, 0.0, split), (DRAWS, lives.count.size))
        every = older + (lives.stored - stored) + rng.poisson(recent, older.shape)
        waiting = np.maximum(older - self._behind(every, lives.stored), 0).mean(axis=0)  # old enough, behind no snapshot
        gone = self._journal.facts["event_store"]["departed"]
        return float((lives.stored - stored + recent + waiting) @ lives.count + gone["events"] * (1 - gone["covered"] * old))

    def _behind(self, every: Floats, stored: Floats) -> Floats:
        """Of *every* event of an entity those behind a snapshot; one that is due at a load waits for the next command or read."""
        settings = self._scenario.event_store
        at_once = every // settings.snapshot_every * settings.snapshot_every
        if settings.snapshot_on == "append":
            return np.asarray(at_once)
        waits = np.maximum((every - 1) // settings.snapshot_every, stored // settings.snapshot_every) * settings.snapshot_every
        commands = self._commands()
        return np.asarray(commands * np.minimum(waits, at_once) + (1 - commands) * at_once)

    def _commands(self) -> float:
        """The share of loads that are those of commands."""
        loads = self._journal.loads["kind"]
        return float((loads == LOADS.index("command")).mean()) if loads.size else 1.0

    def _snapshots(self, years: float) -> float:
        """Bytes of snapshots: what migrated entities began as, and of each entity all that were taken or the last."""
        settings, size = self._scenario.event_store, self._scenario.event_store.snapshot_bytes * self._journal.facts["writers"]
        lives = self._popularity.lives(years * YEAR_S)
        migrated = float(lives.count[lives.stored == 0].sum()) + self._journal.facts["event_store"]["departed"]["snapshots"]
        if not settings.snapshot_every:
            return float(migrated * size)
        at_start = float((lives.stored // settings.snapshot_every) @ lives.count)
        expected = self._popularity.changes(lives, 0.0, years * YEAR_S)
        taken = float(self._taken(expected, lives.stored) @ lives.count)
        if settings.snapshot_keep == "last":
            return float((migrated + taken * self._larger(years)) * size)
        larger = self._lasting(years) / (years * YEAR_S) if years else 1.0
        return float((migrated + at_start + (taken - at_start) * larger) * size)

    def _taken(self, expected: Floats, stored: Floats) -> Floats:
        """How many snapshots an entity has, on average. One due at a load waits for the next command or read, which are as popular."""
        settings = self._scenario.event_store
        number: Number = _has_snapshot if settings.snapshot_keep == "last" else snapshots_taken
        if settings.snapshot_on == "append":
            return number(expected, settings.snapshot_every, stored)
        commands = self._commands()
        waits = np.maximum(number(expected, settings.snapshot_every, stored - 1), number(0.0, settings.snapshot_every, stored))
        return commands * waits + (1 - commands) * number(expected, settings.snapshot_every, stored)

    def _topics(self) -> list[Ints]:
        """Of each topic the changes whose message was stored in the window."""
        facts, deliveries = self._journal.facts, self._journal.deliveries
        readers = {upstream: number for number, upstream in enumerate(facts["listens_to"]) if facts["sends"][number]}
        kept = (deliveries["stored"] >= self._start) & (deliveries["stored"] < self._end) & (deliveries["outcome"] != LOST_BROKER)
        return [deliveries["change"][kept & (deliveries["consumer"] == number)] for number in readers.values()]

    def _log(self, years: float, topic: Ints) -> float:
        """Bytes of one *topic* in a log: what is not too old, of each partition at most `retention_bytes`, without what was compacted."""
        if not topic.size:
            return 0.0
        broker, sizes = self._scenario.broker, self._journal.changes["bytes"][topic]
        since = max(years - broker.retention / YEAR_S, 0.0)
        per_s = min(topic.size / self._seconds / self._times, self._sent_per_s)
        size = float(sizes.mean()) * per_s * (self._lasting(years) - self._lasting(since))
        if broker.compaction is not None:
            number = per_s * (years - since) * YEAR_S
            keys, new = self._keys(years, since, per_s / max(self._changes_per_s, 1e-9))
            size *= compacted(keys, number, broker.compaction.min_dirty_ratio, new) / number if number else 1.0
        if broker.retention_bytes is None:
            return float(size)
        share = np.bincount(partition_of(self._journal, topic), sizes) / sizes.sum()
        return float(np.minimum(share * size, broker.retention_bytes).sum())

    def _keys(self, years: float, since: float, stored: float) -> tuple[float, float]:
        """Of how many entities there is a message since then, and the share of messages whose entity has none. *stored*: of the changes."""
        begin, now = since * YEAR_S, years * YEAR_S
        lives = self._popularity.lives(now, begin)
        silent = np.exp(-stored * self._popularity.changes(lives, begin, now)) * np.where(lives.born > begin, 1 - stored, 1.0)
        births = self._births_per_s / max(self._changes_per_s, 1e-9)
        active = lives.count * lives.weight * (lives.silent > now)
        return float((1 - silent) @ lives.count), float(births + (1 - births) * (active @ silent) / max(active.sum(), 1e-9))


def _row_bytes(scenario: Scenario) -> float:
    """What a row of a table takes, on average: as recorded in a trace, or as the scenario says."""
    arrivals = scenario.workload.arrivals
    recorded = read_trace(arrivals).state_bytes if isinstance(arrivals, TraceArrivals) and arrivals.columns.state_bytes else None
    return scenario.workload.state_bytes.mean() if recorded is None else float(recorded.mean())


def _has_snapshot(expected: ArrayLike, every: int, already: ArrayLike = 0) -> Floats:
    """The chance that an entity has a snapshot: as `snapshots_taken`, of which only the last is kept."""
    return at_least(every - np.asarray(already), expected)
