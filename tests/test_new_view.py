"""A view more on live data: until when it serves, against sums by hand."""

import pytest
from tiny import quiet

from edasim import InputError
from edasim.figures import new_view_against_workers
from edasim.studies.new_view import course, how_long_until_it_serves, new_view

YEAR = 365.25 * 86400
EVEN = quiet(
    workload={"arrivals": {"process": "renewal", "gap": 10}, "entities": {"count": 64, "popularity": "uniform"}},
    event_store={"rebuild": {"base": 0, "per_event": "1ms"}, "load": {"base": 0, "per_event": 0}},
)


def test_twice_the_workers_take_half_the_time_where_entities_are_alike() -> None:
    swept = new_view(EVEN, [1, 2, 4], ["event_sourcing_cqrs", "cqrs"], replications=2, jobs=1)
    events = course(swept, "event_sourcing_cqrs")
    backlog, load = 0.001 * YEAR / 10, 0.001 / 10
    for workers, point in events.items():
        assert point.alone.mean == pytest.approx(backlog / workers, rel=0.05), "the busiest worker's share is that of the run"
        assert point.caught_up is not None
        assert point.caught_up.mean == pytest.approx(point.alone.mean / (1 - load / workers), rel=1e-4)
    assert course(swept, "cqrs")[1].alone.mean == pytest.approx(0.001 * 64), "a row an entity"


def test_a_hot_entity_bounds_what_workers_can_do() -> None:
    hot = EVEN.with_overrides({"workload.entities": {"count": 8, "popularity": "zipf", "skew": 3}})
    swept = new_view(hot, [1, 8], ["event_sourcing_cqrs"], replications=2, jobs=1)
    few, many = course(swept, "event_sourcing_cqrs").values()
    share = 1 / sum(rank**-3.0 for rank in range(1, 9))
    assert many.alone.mean / few.alone.mean == pytest.approx(share, rel=0.02)
    assert "8 times the workers make it 1." in how_long_until_it_serves(swept)


def test_a_view_that_reads_more_slowly_than_changes_come_never_serves() -> None:
    slow = EVEN.with_overrides({"event_store.rebuild": {"base": 0, "per_event": 12}})
    swept = new_view(slow, [1, 4], ["event_sourcing_cqrs"], replications=2, jobs=1)
    assert course(swept, "event_sourcing_cqrs")[1].caught_up is None
    said = how_long_until_it_serves(swept)
    assert "with 1 worker it never catches up" in said
    assert "with 4 workers it serves after" in said
    assert "1: never catches up" in new_view_against_workers(swept).alt


def test_who_keeps_no_read_model_has_none_to_build() -> None:
    swept = new_view(EVEN, [1], ["request_response"], replications=2, jobs=1)
    assert "No option keeps a read model" in how_long_until_it_serves(swept)
    assert new_view_against_workers(swept).png
    with pytest.raises(InputError, match="at least one"):
        new_view(EVEN, [])
