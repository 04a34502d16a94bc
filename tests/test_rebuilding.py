"""How long rebuilds take as the years go by: the laws against runs with that much history, and against sums by hand."""

import pytest
from tiny import quiet

from edasim import InputError, compare
from edasim.figures import rebuild_against_years
from edasim.studies.rebuilding import CAUGHT_UP, MISSING, NEVER, TIME, course, how_long_rebuilds_take, rebuild_over_years, together

YEAR = 365.25 * 86400
CARTS = quiet(
    duration="400s",
    workload={"arrivals": {"rate": 5}, "entities": {"count": 50, "popularity": "zipf"}},
    source={"servers": 8, "write_time": 0, "read_time": 0},
    event_store={"load": {"base": 0, "per_event": 0}, "rebuild": {"base": 2, "per_event": "10us", "workers": 4}},
    consumers=[{"name": "billing", "instances": 1, "handle_time": 0}],
)


def test_a_year_later_a_rebuild_takes_what_it_takes_with_a_year_of_history() -> None:
    projected = rebuild_over_years(CARTS, ["event_sourcing_cqrs"], years=[1], replications=20, jobs=1)
    aged = CARTS.with_overrides({"event_store.history": round(5 * YEAR), "workload.reads": {"rate": 0}})
    simulated = compare(aged, ["event_sourcing_cqrs"], replications=2, jobs=1)
    rows = simulated[simulated["component"] == "events"].set_index("metric")["mean"]
    for metric in (TIME, CAUGHT_UP):
        found = course(projected, "event_sourcing_cqrs", "events", metric)[1.0]
        error = (found.high - found.low) / 2 / 2.09
        assert abs(found.mean - rows[metric]) <= 3.5 * error
        assert error <= 0.05 * rows[metric] / 3


def test_a_rebuild_from_the_source_reads_a_row_an_entity_and_grows_with_births() -> None:
    born = CARTS.with_overrides({"workload.entities.new_share": 0.2})
    for scenario, births in ((CARTS, 0.0), (born, 0.2 * 5)):
        rows = rebuild_over_years(scenario, ["event_carried_state_transfer"], years=[2], replications=20, jobs=1)
        found = course(rows, "event_carried_state_transfer", "source", TIME)
        by_hand = 2 + 10e-6 * (50 + births * 2 * YEAR) / 4
        assert found[2.0].mean == pytest.approx(by_hand, rel=0.05 if births else 1e-5)
        assert course(rows, "event_carried_state_transfer", "source", MISSING)[2.0].mean == 0


@pytest.mark.parametrize("active_for", ["50s", None])
def test_where_entities_are_born_the_years_share_the_work_evenly(active_for: str | None) -> None:
    born = CARTS.with_overrides({"workload.entities": {"count": 50, "popularity": "zipf", "new_share": 0.2, "active_for": active_for}})
    rows = rebuild_over_years(born, ["event_sourcing_cqrs"], years=[5], replications=10, jobs=1)
    found = course(rows, "event_sourcing_cqrs", "events", TIME)[5.0]
    by_hand = 2 + 10e-6 * 5 * 5 * YEAR / 4
    error = (found.high - found.low) / 2 / 2.26
    assert abs(found.mean - by_hand) <= 3.5 * error
    assert error <= 0.06 * by_hand / 3


def test_without_births_the_hottest_entity_s_worker_decides() -> None:
    short = CARTS.with_overrides({"duration": "20s", "workload.entities": {"count": 50, "popularity": "uniform"}})
    short = short.with_overrides({"workload.arrivals": {"process": "renewal", "gap": 0.2}})
    rows = rebuild_over_years(short, ["event_sourcing_cqrs"], years=[1], replications=3, jobs=1)
    by_hand = 2 + 10e-6 * 5 * YEAR * 13 / 50  # worker 0 has 13 of the 50
    assert course(rows, "event_sourcing_cqrs", "events", TIME)[1.0].mean == pytest.approx(by_hand, rel=0.02), "no short sample decides"


def test_a_compacted_log_is_shared_by_its_entities_not_by_who_is_popular() -> None:
    hot = {"count": 200, "popularity": "zipf", "skew": 2.0}
    store = {"base": 0, "per_event": "10ms", "workers": 4}
    changes = {"workload.arrivals.rate": 50, "workload.entities": hot, "event_store.rebuild": store, "duration": "60s"}
    scenario = CARTS.with_overrides({**changes, "broker.partitions": 1, "broker.compaction": {"min_dirty_ratio": 0.1}})
    later = 1200 / YEAR
    rows = rebuild_over_years(scenario, ["event_carried_state_transfer"], years=[later], replications=5, jobs=1)
    longer = scenario.with_overrides({"duration": "1200s", "workload.reads": {"rate": 0}})
    simulated = compare(longer, ["event_carried_state_transfer"], replications=5, jobs=1)
    simulated = simulated[(simulated["metric"] == TIME) & (simulated["component"] == "log")].iloc[0]
    assert course(rows, "event_carried_state_transfer", "log", TIME)[later].mean == pytest.approx(simulated["mean"], rel=0.12)


def test_a_log_levels_off_and_lacks_what_is_older_than_its_retention() -> None:
    scenario = CARTS.with_overrides({"broker.retention": "1d", "broker.partitions": 1})
    rows = rebuild_over_years(scenario, ["event_carried_state_transfer", "event_sourcing_cqrs"], years=[1, 2], replications=3, jobs=1)
    for option in ("event_carried_state_transfer", "event_sourcing_cqrs"):
        found = course(rows, option, "log", TIME)
        assert found[1.0] == found[2.0]
    messages = 5 * 86400
    share = (1 + 1 / 5 + 1 / 9) / 4.5  # about what the worker of the hottest entity has
    assert found[1.0].mean == pytest.approx(2 + 10e-6 * messages * share, rel=0.2)
    states, deltas = (course(rows, option, "log", MISSING)[2.0].mean for option in ("event_carried_state_transfer", "event_sourcing_cqrs"))
    assert states == pytest.approx(0, abs=1e-6), "each of fifty entities changes within a day"
    assert deltas == 1, "no cart's first delta is there any more"


def test_changes_that_come_faster_than_a_worker_reads_are_never_caught_up_with() -> None:
    slow = CARTS.with_overrides({"event_store.rebuild": {"base": 2, "per_event": 1, "workers": 4}})
    rows = rebuild_over_years(slow, ["event_sourcing_cqrs"], years=[1], replications=2, jobs=1)
    assert course(rows, "event_sourcing_cqrs", "events", NEVER)[1.0].mean == 1
    assert not course(rows, "event_sourcing_cqrs", "events", CAUGHT_UP)
    assert "it never catches up" in how_long_rebuilds_take(rows)
    assert "never catches up" in rebuild_against_years(rows).alt


def test_options_that_take_as_long_stand_together() -> None:
    rows = rebuild_over_years(CARTS, ["event_notification", "event_carried_state_transfer", "polling"], years=[1], replications=2, jobs=1)
    assert [way for _, way in together(rows)[0]] == ["source"] * 3
    picture = rebuild_against_years(rows)
    assert "event_notification, event_carried_state_transfer, polling from the source in bulk" in picture.alt


def test_where_nobody_keeps_anything_there_is_nothing_to_rebuild() -> None:
    rows = rebuild_over_years(CARTS, ["request_response"], years=[1], replications=2, jobs=1)
    assert "nothing to rebuild" in how_long_rebuilds_take(rows)
    assert rebuild_against_years(rows).png


def test_years_must_not_be_negative() -> None:
    with pytest.raises(InputError, match="years"):
        rebuild_over_years(CARTS, years=[-1])
