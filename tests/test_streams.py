"""Keeping every event from day to day: the table beside a table, commands that collide, the past of one entity."""

from pathlib import Path

import pytest
from tiny import played, quiet, value

from edasim import InputError, compare, simulate
from edasim.studies.streams import (
    CHANGES,
    beside_a_table,
    busiest,
    past_by_years,
    past_is_exact,
    past_loads,
    past_states,
    step_by_step,
    what_the_past_costs,
    who_collides,
)
from edasim.units import YEAR_S

STORE = {"load": {"base": 0, "per_event": 0}, "snapshot_time": 0, "snapshot_every": 3}


def test_the_past_of_an_entity_is_told_with_what_it_took(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0, 20.0, 30.0, 40.0], "event_sourcing", event_store=STORE)
    entity = busiest(journal)
    table = past_states(journal, entity, [15, 35, 90])
    assert table[["at", "version", "from snapshot", "events replayed"]].to_numpy().tolist() == [
        ["15 s", 1, "–", 1],  # noqa: RUF001
        ["35 s", 3, "version 3", 0],
        ["1.5 min", 4, "version 3", 1],
    ]
    item, quantity = (int(journal.changes[name][1]) for name in ("item", "quantity"))
    assert table["in it"].iloc[0] == (f"{quantity} x item {item}" if quantity > 0 else "nothing")
    assert past_states(journal, entity)["version"].tolist() == [1, 1, 2, 2, 3, 4], "by default six moments, evenly over its changes"


def test_every_past_state_is_checked_against_all_events() -> None:
    scenario = quiet(workload={"arrivals": {"rate": 5}, "entities": {"count": 3}}, event_store=STORE)
    journal = simulate(scenario, "event_sourcing")
    said = past_is_exact(journal)
    assert said.startswith("* 200 of 200 past states")
    entity = busiest(journal)
    assert step_by_step(journal, entity, 90) == journal.state_at(entity, 90)
    broken = dict(journal.snapshot_contents)
    broken["quantity"] = broken["quantity"] + 1
    object.__setattr__(journal, "snapshot_contents", broken)
    assert not past_is_exact(journal).startswith("* 200 of 200"), "a wrong snapshot is found out"


def test_a_run_without_changes_has_no_past() -> None:
    journal = simulate(quiet(workload={"arrivals": {"rate": 0.0001}}), "event_sourcing")
    with pytest.raises(InputError, match="nothing changed"):
        busiest(journal)
    assert "nothing has a past" in past_is_exact(journal)


def test_a_write_on_events_costs_a_load_and_a_table_has_no_conflicts() -> None:
    scenario = quiet(source={"write_time": 0.001, "servers": 4}, event_store={"load": {"base": 0.01, "per_event": 0}})
    results = compare(scenario, ["cqrs", "event_sourcing"], replications=2, jobs=1)
    table = beside_a_table(results)
    assert table.loc["cqrs", "a write takes"].startswith("1.00")
    assert table.loc["event_sourcing", "of that, loading"] == "10.0 ms"
    assert table.loc["cqrs", "appends that met a newer version"] == "–"  # noqa: RUF001
    assert "`event_sourcing`" in who_collides(results)
    assert "No option keeps events" in who_collides(results[results["option"] == "cqrs"])


AGING = quiet(
    workload={"arrivals": {"process": "renewal", "gap": "1s"}, "entities": {"count": 4, "popularity": "uniform"}},
    event_store={"load": {"base": "1ms", "per_event": "10us"}, "snapshot_time": 0, "snapshot_every": 100},
)


@pytest.mark.parametrize("keep", ["all", "last"])
def test_with_all_snapshots_the_past_costs_the_same_however_old_and_with_the_last_it_costs_the_whole_stream(keep: str) -> None:
    rows = past_loads(AGING.with_overrides({"event_store.snapshot_keep": keep}), replications=2, jobs=1)
    found = rows.pivot(index="years", columns="metric", values="mean")
    stream = (found.index.to_numpy() * YEAR_S + CHANGES / 2) / 4
    assert found["stream_events_mean"].to_numpy() == pytest.approx(stream, rel=1e-4)
    assert found["load_all_events_mean"].to_numpy() == pytest.approx(0.001 + 1e-5 * stream, rel=1e-4)
    if keep == "all":
        assert (found["point_in_time_events_mean"] < 100).all(), "never more than from one snapshot to the next"
    else:
        assert (found["point_in_time_events_mean"] > 0.3 * stream).all()
        assert "times what it is after 1 year" in what_the_past_costs(rows)
    assert past_by_years(rows).index.tolist() == ["1 year", "3 years", "5 years"]


def test_one_run_says_nothing_of_what_changes_with_the_years() -> None:
    said = what_the_past_costs(past_loads(AGING, replications=1, jobs=1))
    assert "after 5 years; the stream" in said
    assert "times what" not in said
    assert "change" not in said


def test_a_day_later_a_past_state_takes_what_it_takes_with_a_day_of_history() -> None:
    day = AGING.with_overrides({"workload.arrivals": {"process": "poisson", "rate": 1}, "duration": CHANGES, "drain": 0})
    rows = past_loads(day, years=[1 / 365.25], replications=1, jobs=1).set_index("metric")["mean"]
    aged = simulate(day.with_overrides({"event_store.history": 86400}), "event_sourcing")
    for metric in ("point_in_time_events_mean", "point_in_time_load_mean"):
        assert rows[metric] == pytest.approx(value(aged, metric), rel=1e-12)


def test_where_several_regions_write_there_is_no_one_past() -> None:
    spread = AGING.with_overrides({"workload.regions": {"shares": [0.5, 0.5]}})
    assert "no past to load" in what_the_past_costs(past_loads(spread, "event_sourcing_cqrs", replications=1, jobs=1))
