"""From the memory of the loop, when the run is over, to what was found."""

import numpy as np

from edasim.afterwards.found import Answers, AtConsumer, Found, Topic
from edasim.afterwards.inputs import Inputs
from edasim.fast_path import memory as m
from edasim.fast_path.opening import Opening
from edasim.journal import COLUMNS, IN_FLIGHT, NONE, Table


def found_in(run: Inputs, opening: Opening, w: m.World) -> Found:
    """What happened."""
    s = w.s[0]
    changes = {name: w.changes[name].copy() for name in ("version", "committed", "ended", "service")}
    if run.writers > 1:
        _number_late_commits(run, w, changes["version"])
    refreshes = _expired(run, w, w.refreshes[: s["refreshes_used"]])
    groups = {number: _at_consumer(run, opening, w, group) for group, number in enumerate(opening.of_consumer)}
    readers = w.askers[: s["own_begin"]]
    own = w.askers[s["own_begin"] :]
    published = (run.workload.regions if run.writers > 1 else 0, np.arange(run.changes))
    return Found(
        sources=run.writers,
        **changes,
        publish_attempts=w.sent["attempts"][published] if opening.topics else None,
        acknowledged=w.sent["acknowledged"][published] if opening.topics else None,
        topics=[_topic(w, number) for number in range(len(opening.topics))],
        groups=groups,
        answers={int(asker["consumer"]): _answers(w, asker) for asker in readers},
        own_reads={int(asker["consumer"]): _answers(w, asker).latency for asker in own},
        refreshes=_columns("refreshes", refreshes),
        requests=_columns("requests", w.requests[: s["requests_used"]]),
        loads=_rows(w, "loads", m.LOADS),
        conflicts=_rows(w, "conflicts", m.CONFLICTS),
        snapshots=_rows(w, "snapshots", m.SNAPSHOTS),
        snapshot_contents=_rows(w, "snapshot_contents", m.CONTENTS),
        exchanges=_rows(w, "exchanges", m.EXCHANGES),
    )


def _columns(table: str, rows: m.Ints) -> Table:
    return {name: rows[:, place].astype(dtype) for place, (name, dtype) in enumerate(COLUMNS[table].items())}


def _rows(w: m.World, table: str, number: int) -> Table:
    rows = w.rows[: w.s[0]["rows_used"]]
    mine = rows[rows["table"] == number]
    return {name: mine[field].astype(dtype) for field, (name, dtype) in zip("abcde", COLUMNS[table].items(), strict=False)}


def _answers(w: m.World, asker: np.void) -> Answers:
    reads = w.reads[asker["first"] : asker["first"] + asker["count"]]
    return Answers(*(reads[name].copy() for name in ("asked", "latency", "seen")))


def _number_late_commits(run: Inputs, w: m.World, version: m.Ints) -> None:
    """What would commit after the run gets its version all the same, though nobody hears of it."""
    committed, entity = w.changes["committed"], run.workload.entities
    newest = w.streams["length"][run.writers].copy()  # of all regions together
    late = np.flatnonzero(committed >= run.horizon)
    for change in late[np.argsort(committed[late], kind="stable")].tolist():
        newest[entity[change]] += 1
        version[change] = newest[entity[change]]


def _expired(run: Inputs, w: m.World, refreshes: m.Ints) -> m.Ints:
    """With the expiries that no read came to see, in the order in which caches came to hold the entries."""
    rows = [refreshes]
    for number, reads in enumerate(run.reads):
        if reads == "cache":
            entries = w.copies[number]
            gone = np.flatnonzero((entries["cached"] == 1) & (entries["expires"] <= run.horizon))
            gone = gone[np.argsort(entries["born"][gone])]
            rows.append(np.stack([entries["expires"][gone], gone, np.full(gone.size, number), np.full(gone.size, NONE)], axis=1))
    return np.concatenate(rows) if len(rows) > 1 else refreshes


def _topic(w: m.World, topic: int) -> Topic:
    log, gone = [], []
    for number in w.lines["log"][topic]:
        begin, length = int(w.lists[number]["begin"]), int(w.lists[number]["length"])
        entries = w.entries[w.flat[begin : begin + length]]
        log.append(np.stack([entries[name] for name in ("sequence", "change", "stored", "visible")], axis=1))
        gone.append(entries["gone"].copy())
    return Topic(log, gone)


def _at_consumer(run: Inputs, opening: Opening, w: m.World, group: int) -> AtConsumer:
    settings, mine = w.groups[group], w.deliveries[group]
    names = ("delivered", "applied", "attempts", "repeats", "failure")
    columns = {name: mine[name].copy() for name in names}
    stored = mine["stored"].copy() if opening.kind == m.QUEUE else w.stored[settings["topic"]].copy()
    if opening.kind == m.QUEUE:  # one that waited until somebody had room counts as delivered when it could have been there
        begin = w.lists[settings["deliver"]]["begin"]
        soonest = np.minimum(columns["delivered"], stored + w.flat[begin : begin + run.changes])
        columns["delivered"] = np.where(columns["delivered"] == NONE, NONE, soonest)
    rows = w.rows[: w.s[0]["rows_used"]]
    parked = rows[(rows["table"] == m.PARKED) & (rows["c"] == group)]
    consumer = run.scenario.consumers[int(settings["consumer"])]
    upstream = None if consumer.listens_to is None else run.scenario.consumer_number(consumer.listens_to)
    return AtConsumer(
        topic=int(settings["topic"]),
        upstream=upstream,
        stored=stored,
        **columns,
        parked=np.stack([parked["a"], parked["b"]], axis=1),
        poisoned=_poisoned(run, w, group),
    )


def _poisoned(run: Inputs, w: m.World, group: int) -> list[tuple[int, int]]:
    """From the commit of each poison message that came here until it was put aside, or the run ended; in order."""
    mine = w.deliveries[group]
    spans = []
    for change in np.flatnonzero(mine["last_failed"] != NONE).tolist():
        waits = mine["failure"][change] == IN_FLIGHT and mine["applied"][change] == NONE
        spans.append((int(w.changes["committed"][change]), run.horizon if waits else int(mine["last_failed"][change])))
    return sorted(spans)
