"""The rules of the event store (docs/semantics.md): commands, conflicts, snapshots, time travel, archive, old versions, rebuilds."""

from collections import deque
from heapq import heappop, heappush
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import column, merged, played, quiet

from edasim import InputError, Journal, Scenario, measure, simulate
from edasim.afterwards.events import Upcasts
from edasim.journal import NONE, WAYS
from edasim.metrics.replay import pieces, replayed_events
from edasim.time_travel import after

FREE: dict[str, Any] = {"load": {"base": 0, "per_event": 0}, "snapshot_time": 0}


def carts(**changes: Any) -> Scenario:
    """Five carts that change 3 times a second, on two servers that need a third of a second for each command: conflicts are common."""
    usual: dict[str, Any] = {
        "duration": "60s",
        "drain": "20s",
        "workload": {"arrivals": {"rate": 3}, "entities": {"count": 5, "popularity": "zipf"}},
        "source": {"servers": 2, "write_time": {"dist": "exponential", "mean": 0.3}, "read_time": 0.01},
        "event_store": {**FREE, "snapshot_every": 4},
    }
    return quiet(**merged(usual, changes))


def metrics(journal: Journal) -> dict[str, float]:
    """All values of no consumer's by metric and component."""
    return {f"{v.metric}.{v.component}".rstrip("."): v.value for v in measure(journal) if not v.consumer}


# --- commands


def test_who_appends_second_loads_again_and_commits_after_the_first(tmp_path: Path) -> None:
    store = {**FREE, "snapshot_every": 0}
    journal = played(tmp_path, [10.0, 10.5], "event_sourcing", source={"servers": 2, "write_time": 1}, event_store=store)
    assert column(journal, "changes", "committed") == [11.0, 12.5], "the second tried at 11.5, met version 1, and took a second more"
    assert column(journal, "changes", "version") == [1, 2]
    assert journal.frame("conflicts").to_dict("records") == [{"time": 11.5, "change": 2, "gave_up": False}]
    assert metrics(journal)["append_conflict_rate"] == pytest.approx(1 / 4), "one of four attempts: the first change has another entity"
    assert metrics(journal)["append_failed_rate"] == 0


def test_without_retries_the_second_is_refused(tmp_path: Path) -> None:
    store = {**FREE, "conflict_retries": 0}
    journal = played(tmp_path, [10.0, 10.5], "event_sourcing", source={"servers": 2, "write_time": 1}, event_store=store)
    assert column(journal, "changes", "version") == [1, NONE]
    assert metrics(journal)["append_failed_rate"] == pytest.approx(1 / 3)
    writes = journal.frame("requests").query("kind == 'write'")
    assert writes["ok"].tolist() == [True, True, False]
    assert writes["latency"].tolist() == [1, 1, 1]


def test_a_command_that_gives_up_has_kept_a_server_busy_all_the_same(tmp_path: Path) -> None:
    store = {**FREE, "conflict_retries": 0}
    journal = played(tmp_path, [10.0, 10.5], "event_sourcing", source={"servers": 2, "write_time": 1}, event_store=store)
    assert metrics(journal)["source_utilisation"] == pytest.approx(3 * 1 / (2 * 100))


def test_work_that_an_outage_ends_is_no_work(tmp_path: Path) -> None:
    source = {"servers": 1, "write_time": 1, "outages": {"windows": [[10.5, 20]]}}
    for pattern in ("event_sourcing", "cqrs"):
        journal = played(tmp_path, [10.0, 15.0, 30.0], pattern, source=source, event_store=FREE)
        assert metrics(journal)["source_utilisation"] == pytest.approx(2 * 1 / 100), "that at 0 and that at 30"


def test_one_server_never_meets_a_newer_version() -> None:
    journal = simulate(carts(source={"servers": 1, "write_time": 0.3}), "event_sourcing")
    assert metrics(journal)["append_conflict_rate"] == 0


def test_a_table_knows_no_conflicts() -> None:
    assert not {"append_conflict_rate", "point_in_time_load_mean"} & metrics(simulate(carts(), "cqrs")).keys()


@settings(max_examples=40)
@given(
    gaps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=40),
    servers=st.integers(1, 4),
    every=st.integers(0, 5),
    on=st.sampled_from(["append", "load"]),
    retries=st.integers(0, 3),
    costs=st.tuples(*[st.integers(0, 4)] * 4),
)
def test_commands_commit_when_an_explicit_queue_of_them_says(
    tmp_path_factory: pytest.TempPathFactory,
    gaps: list[tuple[int, int]],
    servers: int,
    every: int,
    on: str,
    retries: int,
    costs: tuple[int, int, int, int],
) -> None:
    """An independent simulation with an explicit queue and explicit servers, in tenths of a second."""
    write, base, per_event, writing = costs
    times = np.cumsum([gap for gap, _ in gaps]).tolist()
    entities = [entity for _, entity in gaps]
    journal = played(
        tmp_path_factory.mktemp("trace"),
        [time / 10 for time in times],
        "event_sourcing",
        entities=entities,
        duration="1000s",
        source={"servers": servers, "write_time": write / 10},
        event_store={
            "snapshot_every": every,
            "snapshot_on": on,
            "snapshot_time": writing / 10,
            "load": {"base": base / 10, "per_event": per_event / 10},
            "conflict_retries": retries,
        },
    )
    expected = explicit_queue(times, entities, servers, every, on, retries, *costs)
    assert [round(time * 10) for time in column(journal, "changes", "committed") if time == time] == [t for t in expected if t is not None]
    assert [time == time for time in column(journal, "changes", "committed")] == [time is not None for time in expected]


def explicit_queue(
    times: list[int],
    entities: list[int],
    servers: int,
    every: int,
    on: str,
    retries: int,
    write: int,
    base: int,
    per_event: int,
    writing: int,
) -> list[int | None]:
    """When each command commits, in whole ticks; None: it gives up. Jobs wait in one line; of equal times ends come before arrivals."""
    commits: dict[int, list[int]] = {}
    covered: dict[int, int] = {}
    committed: list[int | None] = [None] * len(times)
    # the trace begins with one command of another entity at 0, as `played` does
    agenda: list[tuple[int, int, int, tuple[Any, ...]]] = []
    arrivals = [(0, 99, -1), *((time, entity, number) for number, (time, entity) in enumerate(zip(times, entities, strict=True)))]
    for time, entity, number in arrivals:
        heappush(agenda, (time, 1, number, ("arrive", entity, number, 0)))
    line: deque[tuple[int, tuple[Any, ...]]] = deque()
    idle = servers

    def join(now: int, entity: int, number: int, attempt: int) -> None:
        tail = len(commits.get(entity, [])) - covered.get(entity, 0)
        line.append((base + per_event * tail + write, ("append", entity, number, attempt)))
        if on == "load" and 0 < every <= tail:
            covered[entity] = len(commits.get(entity, []))
            line.append((writing, ("snapshot",)))

    def serve(now: int) -> None:
        nonlocal idle
        while line and idle:
            work, job = line.popleft()
            idle -= 1
            heappush(agenda, (now + work, 0, job[2] if job[0] == "append" else 1000, (*job, now)))

    while agenda:
        now, _, _, what = heappop(agenda)
        if what[0] == "arrive":
            join(now, *what[1:])
        else:
            idle += 1
            if what[0] == "append":
                _, entity, number, attempt, loaded = what
                if any(loaded < commit for commit in commits.get(entity, [])):
                    if attempt < retries:
                        join(now, entity, number, attempt + 1)
                else:
                    commits.setdefault(entity, []).append(now)
                    if number >= 0:
                        committed[number] = now
                    if on == "append" and every and len(commits[entity]) // every > covered.get(entity, 0) // every:
                        covered[entity] = len(commits[entity])
                        line.append((writing, ("snapshot",)))
        serve(now)
    return committed


# --- time travel


def brute_force(journal: Journal, entity: int, time: float) -> dict[int, int]:
    """The cart after every committed change until *time*, one after the other, from an empty cart."""
    rows = [
        (version, item, quantity)
        for e, committed, version, item, quantity in zip(
            *(journal.changes[name].tolist() for name in ("entity", "committed", "version", "item", "quantity")), strict=True
        )
        if e == entity and NONE < committed <= round(time * 1e9)
    ]
    cart: dict[int, int] = {}
    for _, item, quantity in sorted(rows):
        cart[item] = max(0, cart.get(item, 0) + quantity)
    return {item: count for item, count in cart.items() if count}


@settings(max_examples=25)
@given(
    every=st.integers(0, 9),
    on=st.sampled_from(["append", "load"]),
    keep=st.sampled_from(["all", "last"]),
    reads=st.sampled_from([0, 5]),
    outages=st.sampled_from([None, {"windows": [[20, 25], [40, 41]]}]),
    seed=st.integers(0, 1000),
    asked=st.lists(st.tuples(st.integers(0, 4), st.floats(0, 80)), min_size=1, max_size=8),
)
def test_the_state_at_any_past_time_is_what_the_source_held_then(
    every: int, on: str, keep: str, reads: int, outages: Any, seed: int, asked: list[tuple[int, float]]
) -> None:
    scenario = carts(
        seed=seed,
        workload={"reads": {"rate": reads}},
        source={"outages": outages},
        event_store={"snapshot_every": every, "snapshot_on": on, "snapshot_keep": keep, "history": 50},
    )
    journal = simulate(scenario, "event_sourcing")
    for entity, time in asked:
        replay = journal.replay_to(entity, time)
        assert journal.state_at(entity, time) == replay.state == brute_force(journal, entity, time)
        assert replay.snapshot + replay.events == replay.version
        if every and keep == "all" and on == "append":
            assert replay.events < every


def test_a_snapshot_holds_the_state_at_its_version() -> None:
    journal = simulate(carts(), "event_sourcing")
    assert journal.snapshots["entity"].size > 10
    for number, (entity, time) in enumerate(zip(journal.snapshots["entity"], journal.snapshots["time"], strict=True)):
        held = journal.snapshot_contents["snapshot"] == number
        content = dict(
            zip(journal.snapshot_contents["item"][held].tolist(), journal.snapshot_contents["quantity"][held].tolist(), strict=True)
        )
        assert content == brute_force(journal, int(entity), time / 1e9)


def test_a_table_forgets_and_a_journal_knows_its_ends() -> None:
    with pytest.raises(InputError, match="truth is a table"):
        simulate(carts(), "cqrs").state_at(0, 10)
    journal = simulate(carts(), "event_sourcing")
    for entity, time in ((5, 10.0), (-1, 10.0), (0, -1.0), (0, 81.0)):
        with pytest.raises(InputError, match="is not in the journal"):
            journal.state_at(entity, time)


def test_regions_travel_in_time_without_snapshots() -> None:
    scenario = carts(workload={"regions": 2}, network={"latency": 0.2}, event_store={"snapshot_every": 3})
    journal = simulate(scenario, "event_sourcing_state_transfer")
    assert journal.facts["writers"] == 2
    for entity in range(5):
        assert journal.state_at(entity, 70) == brute_force(journal, entity, 70)


def test_a_cart_never_holds_fewer_than_none_so_the_order_of_events_matters() -> None:
    assert after(after({}, 1, -2), 1, 3) == {1: 3}
    assert after(after({}, 1, 3), 1, -2) == {1: 1}


@pytest.mark.parametrize("keep", ["all", "last"])
@pytest.mark.parametrize("on", ["append", "load"])
def test_loading_the_past_costs_what_replaying_it_at_many_moments_does(keep: str, on: str) -> None:
    scenario = carts(
        workload={"reads": {"rate": 2}, "entities": {"count": 3}},
        event_store={"snapshot_every": 7, "snapshot_on": on, "snapshot_keep": keep, "load": {"base": 0, "per_event": 0.001}},
    )
    journal = simulate(scenario, "event_sourcing")
    weight = journal.entities["weight"] / journal.entities["weight"].sum()
    moments = np.linspace(0, 60, 3001)[:-1] + 0.01
    replays = [[journal.replay_to(entity, time).events for time in moments] for entity in range(3)]
    mean = float((np.mean(replays, axis=1) * weight).sum())
    assert metrics(journal)["point_in_time_events_mean"] == pytest.approx(mean, rel=0.01)
    assert metrics(journal)["point_in_time_load_mean"] == pytest.approx(0.001 * mean, rel=0.01)


def test_what_was_stored_before_the_run_counts_for_loading_the_past() -> None:
    usual = {"workload": {"arrivals": {"rate": 0.001}, "entities": {"count": 1}}}
    for keep in ("all", "last"):
        scenario = carts(**usual, event_store={"history": 103, "snapshot_every": 10, "snapshot_keep": keep})
        journal = simulate(scenario, "event_sourcing")
        entity, version, _ = pieces(journal)
        assert replayed_events(journal, entity, version).tolist() == [3]


# --- snapshots


def test_a_load_that_replays_too_much_leaves_a_snapshot_behind(tmp_path: Path) -> None:
    store = {**FREE, "snapshot_every": 3, "snapshot_on": "load"}
    journal = played(tmp_path, [float(t) for t in range(1, 10)], "event_sourcing", event_store=store)
    loads = journal.frame("loads").query("kind == 'command'")["events"].tolist()[1:]
    assert loads == [0, 1, 2, 3, 1, 2, 3, 1, 2], "the load of three takes a snapshot before its own event is appended"
    assert journal.frame("snapshots")[["time", "version"]].to_numpy().tolist() == [[4, 3], [7, 6]]


def test_of_snapshots_that_are_replaced_only_the_last_is_stored(tmp_path: Path) -> None:
    times = [float(t) for t in range(1, 13)]
    for keep, number in (("all", 4), ("last", 1)):
        store = {**FREE, "snapshot_every": 3, "snapshot_keep": keep, "snapshot_bytes": 1000}
        assert metrics(played(tmp_path, times, "event_sourcing", event_store=store))["storage_bytes.snapshots"] == number * 1000


def test_entities_that_exist_at_the_start_without_an_event_are_stored_as_a_snapshot_each() -> None:
    for history, begin in ((0, 5), (100_000, 5 * 1), (7, None)):
        store = {"history": history, "snapshot_every": 50_000, "snapshot_keep": "last"}
        journal = simulate(carts(workload={"arrivals": {"rate": 0.001}}, event_store=store), "event_sourcing")
        stored = journal.frame("storage").query("component == 'snapshots' and time == 0")["bytes"].tolist()
        none = int((journal.entities["history"] == 0).sum())
        covered = int((journal.entities["history"] >= 50_000).sum())
        assert stored == [(none + covered) * 2000]
        if history == 0:
            assert none == begin


def test_writing_a_snapshot_keeps_a_server_busy_and_delays_no_commit(tmp_path: Path) -> None:
    store = {**FREE, "snapshot_every": 2, "snapshot_time": 5}
    journal = played(tmp_path, [10.0, 20.0, 21.0], "event_sourcing", source={"servers": 1, "write_time": 1}, event_store=store)
    assert column(journal, "changes", "committed") == [11.0, 21.0, 27.0], "the snapshot of version 2 takes from 21 to 26"
    assert metrics(journal)["source_utilisation"] == pytest.approx((4 * 1 + 5) / 100)


def test_a_source_that_dies_while_it_writes_a_snapshot_has_none(tmp_path: Path) -> None:
    store = {**FREE, "snapshot_every": 2, "snapshot_time": 5}
    source = {"servers": 1, "write_time": 1, "outages": {"windows": [[22, 30]]}}
    journal = played(tmp_path, [10.0, 20.0, 40.0], "event_sourcing", source=source, event_store=store)
    assert column(journal, "changes", "committed") == [11.0, 21.0, 41.0]
    assert journal.frame("snapshots")[["time", "version"]].to_numpy().tolist() == [[41, 3]], "due since version 2, taken at the next append"


# --- archive and old versions


def test_events_behind_a_snapshot_are_archived_when_they_are_old_enough(tmp_path: Path) -> None:
    store = {**FREE, "snapshot_every": 2, "archive_after": 20}
    journal = played(tmp_path, [10.0, 30.0, 40.0, 41.0, 42.0], "event_sourcing", event_store=store)
    stored = journal.frame("storage").query("component == 'archive'").set_index("time")["bytes"]
    by_hand = [(30, 0), (31, 1), (49, 1), (51, 2), (61, 3), (62, 4), (99, 4)]  # the fifth is behind no snapshot
    for time, events in by_hand:
        assert stored.iloc[stored.index.searchsorted(time, side="right") - 1] == 250 * events, time
    total = metrics(journal)
    assert total["storage_bytes.archive"] + total["storage_bytes.events"] == 6 * 250


def test_events_stored_before_the_run_are_archived_by_their_age() -> None:
    # 400 events that came at one a second: the oldest is 400 s old when the run starts, 500 s when it ends
    store = {**FREE, "history": 400, "snapshot_every": 10, "archive_after": "200s"}
    scenario = quiet(
        workload={"arrivals": {"process": "renewal", "gap": 1}, "entities": {"count": 1}}, event_store=store, warmup=0, duration="100s"
    )
    journal = simulate(scenario, "event_sourcing")
    stored = journal.frame("storage").query("component == 'archive'")["bytes"].to_numpy() / 250
    assert stored[0] == pytest.approx(200, abs=5)
    assert stored[-1] == pytest.approx(300, abs=5)


@settings(max_examples=60)
@given(
    stored=st.integers(1, 40), replayed=st.integers(0, 40), per_year=st.floats(0.1, 5), years=st.floats(0.1, 6), others=st.floats(0.1, 6)
)
def test_an_old_event_costs_an_upcast_for_each_version_that_it_is_behind(
    stored: int, replayed: int, per_year: float, years: float, others: float
) -> None:
    upcasts = Upcasts.__new__(Upcasts)
    upcasts.versions, upcasts._time = per_year * np.array([others, years]), 1000.0
    replayed = min(stored, replayed)
    ages = [(number - 0.5) / stored * years for number in range(1, replayed + 1)]
    behind = [floor(age * per_year + 1e-12) for age in ages]
    near = any(abs(age * per_year - round(age * per_year)) < 1e-9 for age in ages)
    assert near or upcasts.cost(1, stored, replayed) == 1000 * sum(behind)
    spread = np.floor((np.arange(100_000) + 0.5) / 100_000 * per_year * years).mean()
    assert upcasts.cost_of_all(np.array([0, stored]))[1] == pytest.approx(1000 * stored * spread, rel=1e-3, abs=0.1 * stored)


def test_old_versions_make_a_load_dearer() -> None:
    year = 365.25 * 86400
    rate = {"workload": {"arrivals": {"process": "renewal", "gap": 10}, "entities": {"count": 1}}}
    store = {**FREE, "history": round(2 * year / 10), "snapshot_every": 0}
    old = {"changes_per_year": 1, "upcast_time": "1us"}
    scenarios = [quiet(**rate, event_store={**store, **more}) for more in ({}, {"schema_changes": old})]
    plain, upcast = (simulate(scenario, "event_sourcing").frame("loads")["duration"].iloc[0] for scenario in scenarios)
    assert plain == 0
    assert upcast == pytest.approx(1e-6 * round(2 * year / 10) / 2, rel=0.2), "the older half is one version behind"


# --- entities that come and go

MORTAL: dict[str, Any] = {
    "duration": "60s",
    "drain": 0,
    "workload": {
        "arrivals": {"rate": 20},
        "entities": {"count": 240, "popularity": "uniform", "new_share": 0.2, "active_for": "60s"},  # 20 x 0.2 x 60 = 240 are active
        "reads": {"rate": 50},
    },
}


def test_where_entities_fall_silent_the_living_have_what_their_lives_brought() -> None:
    means = []
    for store, warmup in (({"history": 1_000_000}, 0), ({}, 240)):
        store = {**FREE, **store, "snapshot_every": 0}
        runs = [simulate(quiet(**MORTAL, warmup=warmup, seed=seed, event_store=store), "event_sourcing") for seed in range(20)]
        means.append(np.array([metrics(run)["load_events_mean"] for run in runs]))
    error = float(np.sqrt(means[0].var(ddof=1) / 20 + means[1].var(ddof=1) / 20))
    assert error <= 0.05 * means[1].mean() / 3
    assert abs(means[0].mean() - means[1].mean()) <= 3.5 * error, "as if the run had warmed up for four lives"
    assert means[1].mean() == pytest.approx(1 + 16 / 240 * 30, rel=0.1), "its birth, and the changes of half a life"


def test_what_the_departed_left_is_stored_and_rebuilt_and_never_loaded() -> None:
    store = {**FREE, "history": 1_000_000, "snapshot_every": 2, "rebuild": {"base": 0, "per_event": 0.001, "workers": 4}}
    journal = simulate(quiet(**MORTAL, event_store=store), "event_sourcing")
    found, gone = metrics(journal), journal.facts["event_store"]["departed"]
    assert journal.entities["history"].sum() + gone["events"] == 1_000_000
    start = journal.frame("storage").query("time == 0").set_index("component")["bytes"]
    assert start["events"] == 1_000_000 * 250
    # a life has 1 + Poisson(4) events, 5 on average; the mean of floor(n / 2) by hand
    chances = np.exp(-4.0) * np.cumprod([1.0, *(4.0 / np.arange(1, 60))])
    snapshots = float((chances * ((1 + np.arange(60)) // 2)).sum()) / 5 * gone["events"]
    living = int((journal.entities["history"] // 2).sum())
    assert start["snapshots"] / 2000 == pytest.approx(snapshots + living, rel=0.02)
    committed = int((journal.changes["committed"] != NONE).sum())
    assert found["rebuild_events"] == 1_000_000 + committed
    assert found["rebuild_time"] == pytest.approx(0.001 * (1_000_000 + committed) / 4, rel=0.02)
    assert journal.loads["events"].max() < 2


def test_the_events_of_who_falls_silent_are_no_older_than_its_life() -> None:
    old = {"schema_changes": {"changes_per_year": 12, "upcast_time": 1}, "archive_after": "61s", "snapshot_every": 1}
    store = {**FREE, **old, "history": 20 * 86400 * 30}
    journal = simulate(quiet(**MORTAL, event_store=store), "event_sourcing")
    assert journal.loads["duration"].max() == 0, "nobody's event is a month old"
    archived = int(journal.frame("storage").query("component == 'archive' and time == 0")["bytes"].iloc[0])
    departed = journal.facts["event_store"]["departed"]["events"]
    assert archived <= departed * 250, "of the living, who live for a minute, nothing is old enough"
    assert archived == pytest.approx(departed * 250, rel=0.001)


def test_a_life_has_as_many_events_as_births_leave_for_it() -> None:
    store = {**FREE, "history": 1_000_000, "snapshot_every": 1}
    for count in (120, 480):  # fewer and more than the 240 that births replace
        entities = {**MORTAL["workload"]["entities"], "count": count}
        scenario = quiet(**merged(MORTAL, {"workload": {"entities": entities}}), event_store={**store, "snapshot_keep": "last"})
        gone = simulate(scenario, "event_sourcing").facts["event_store"]["departed"]
        assert gone["events"] / gone["snapshots"] == pytest.approx(1 / 0.2, rel=0.05), "a snapshot a life"


def test_events_stored_before_a_trace_are_as_large_as_those_of_the_trace(tmp_path: Path) -> None:
    file = tmp_path / "sized.csv"
    file.write_text("time,bytes\n0,5000\n1,5000\n", encoding="utf-8")
    trace = {"process": "trace", "file": str(file), "columns": {"delta_bytes": "bytes"}}
    journal = simulate(quiet(workload={"arrivals": trace}, event_store={"history": 1000, "snapshot_every": 0}), "event_sourcing")
    start = journal.frame("storage").query("component == 'events' and time == 0")["bytes"].iloc[0]
    assert start == 1000 * 5050


def test_time_after_an_entity_fell_silent_counts_for_nothing() -> None:
    late = merged(MORTAL, {"source": {"servers": 1, "write_time": 0.04}, "duration": "100s"})
    journal = simulate(quiet(**late, event_store={**FREE, "snapshot_every": 0}), "event_sourcing")
    entity, _, weight = pieces(journal)
    ends = np.minimum(journal.entities["silent"], 100 * 10**9) - np.maximum(journal.entities["born"], 0)
    spans = np.bincount(entity, weight / journal.entities["weight"][entity], minlength=ends.size)
    assert (spans <= np.maximum(ends, 0) + 1).all()


# --- rebuilds


def test_a_rebuild_takes_as_long_as_the_worker_with_most_to_do(tmp_path: Path) -> None:
    times = [float(t) for t in range(10, 20)]
    store = {**FREE, "rebuild": {"base": 2, "per_event": 1, "workers": 3}}
    journal = played(tmp_path, times, "event_sourcing", entities=[0, 1, 2, 0, 0, 3, 0, 5, 4, 0], event_store=store)
    rows = journal.frame("rebuilds")
    assert rows["way"].tolist() == ["events"]
    # entities are numbered as they appear, so the change at time 0 has entity 0 here, and 0 to 5 are 1, 2, 3, 4, 6, 5
    of_worker = np.bincount(journal.changes["entity"] % 3)
    assert metrics(journal)["rebuild_events"] == 11
    assert metrics(journal)["rebuild_time"] == 2 + of_worker.max()


def test_what_cannot_be_shared_evenly_falls_to_somebody(tmp_path: Path) -> None:
    store = {**FREE, "rebuild": {"base": 0, "per_event": 1, "workers": 4}}
    times = [
        metrics(played(tmp_path, [10.0], "event_sourcing", event_store={**store, "history": n}))["rebuild_time"] for n in (0, 1, 2, 3, 4)
    ]
    assert times == [1, 2, 2, 2, 2], "worker 0 has the first of those that nobody knows by name, and the change at time 0"


def test_a_lost_copy_can_be_read_from_a_log_that_still_has_all_of_it(tmp_path: Path) -> None:
    found = metrics(played(tmp_path, [10.0, 80.0, 95.0], entities=[0, 1, 0], broker={"retention": 30}))
    assert found["rebuild_events"] == found["rebuild_events.source"] == 3, "a row an entity: two and that of time 0"
    assert found["rebuild_events.log"] == 2
    assert found["rebuild_missing_entities.log"] == 1, "the entity of time 0 is too old for the log"
    found = metrics(played(tmp_path, [10.0, 80.0, 95.0], "event_sourcing_cqrs", entities=[0, 1, 0], broker={"retention": 30}))
    assert found["rebuild_missing_entities.log"] == 2, "of deltas all must be there"
    assert found["rebuild_events"] == found["rebuild_events.events"] == 4
    assert "rebuild_events.log" not in metrics(played(tmp_path, [10.0], "event_notification"))


def test_a_compacted_log_has_the_newest_state_of_every_entity(tmp_path: Path) -> None:
    times, entities = [float(t) for t in range(1, 31)], [0, 1, 2] * 10
    compacted = {"compaction": {"min_dirty_ratio": 0}, "partitions": 1}
    found = metrics(played(tmp_path, times, entities=entities, broker=compacted))
    assert found["rebuild_events.log"] == 4
    assert found["rebuild_missing_entities.log"] == 0


def test_a_rebuild_on_live_data_has_caught_up_when_nothing_more_has_come(tmp_path: Path) -> None:
    # five events by 20 s, each takes 2 s: 10 s of work; then one comes at 25 and one at 31
    times = [10.0, 11.0, 12.0, 13.0, 25.0, 31.0, 40.0]
    store = {**FREE, "rebuild": {"base": 0, "per_event": 2, "workers": 1}}
    journal = played(tmp_path, times, "event_sourcing", event_store=store, warmup="20s", duration="80s")
    assert metrics(journal)["catch_up_time"] == 14, "at 30 it has read what there was, at 32 what came at 25, at 34 what came at 31"
    assert metrics(journal)["never_catches_up"] == 0


def test_a_rebuild_that_is_slower_than_the_changes_never_catches_up() -> None:
    store = {**FREE, "rebuild": {"base": 0, "per_event": 1.2, "workers": 1}, "history": 1000}
    scenario = carts(source={"servers": 10, "write_time": 0}, event_store=store)
    found = metrics(simulate(scenario, "event_sourcing"))
    assert found["never_catches_up"] == 1
    assert "catch_up_time" not in found
    store["rebuild"]["workers"] = 5
    found = metrics(simulate(carts(source={"servers": 10, "write_time": 0}, event_store=store), "event_sourcing"))
    assert found["never_catches_up"] == 1, "the hottest of five carts has 44 % of three changes a second, and one worker"
    assert found["rebuild_time"] > 1.2 * 1000 * 0.4


def test_what_is_not_seen_in_the_window_is_extrapolated() -> None:
    store = {**FREE, "rebuild": {"base": 0, "per_event": 0.1, "workers": 1}, "history": 10_000}
    scenario = carts(source={"servers": 10, "write_time": 0}, event_store=store, workload={"entities": {"count": 1}})
    journal = simulate(scenario, "event_sourcing")
    assert journal.rebuilds["seen"].tolist() == [False]
    came = journal.changes["time"].size
    assert metrics(journal)["catch_up_time"] == pytest.approx(60 + (1000 + 0.1 * came - 60) / (1 - 0.1 * came / 60))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    workers=st.integers(1, 4),
    per_event=st.floats(0.01, 0.5),
    pattern=st.sampled_from(["cqrs", "event_sourcing_cqrs"]),
)
def test_catching_up_is_what_working_through_the_changes_one_by_one_gives(seed: int, workers: int, per_event: float, pattern: str) -> None:
    rebuild = {"base": 1, "per_event": per_event, "workers": workers}
    scenario = carts(seed=seed, warmup="10s", source={"servers": 10, "write_time": 0}, event_store={**FREE, "rebuild": rebuild})
    journal = simulate(scenario, pattern)
    start, end = (moment / 1e9 for moment in journal.facts["window"])
    changes = journal.frame("changes").sort_values("committed")
    before = changes[changes["committed"] < start]
    live = changes[changes["committed"].between(start, end, inclusive="left")]
    caught_up = []
    for worker in range(workers):
        backlog = before[before["entity"] % workers == worker]
        if pattern == "cqrs":
            clock = 1 + per_event * sum(1 for entity in range(5) if entity % workers == worker)
        else:
            clock = 1 + per_event * (len(backlog) + sum(1 for entity in range(5) if entity % workers == worker))
        for time in live[live["entity"] % workers == worker]["committed"] - start:
            if time >= clock:
                break
            clock += per_event
        caught_up.append(clock)
    row = journal.frame("rebuilds").iloc[0]
    assert WAYS[journal.rebuilds["way"][0]] == ("source" if pattern == "cqrs" else "events")
    if row["seen"]:
        assert row["catch_up"] == pytest.approx(max(caught_up), abs=1e-6)
    else:
        assert max(caught_up) > end - start
