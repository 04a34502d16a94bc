"""How often to snapshot: the sweep against the square root law and against sums by hand, its finding and its figure."""

from math import isnan

import numpy as np
import pandas as pd
import pytest
from tiny import quiet

from edasim import InputError, Scenario
from edasim.figures import load_against_interval
from edasim.studies.snapshots import (
    BEYOND,
    NEVER,
    SAVED,
    WORK,
    aged,
    at,
    cheapest,
    how_often_to_snapshot,
    intervals_of,
    snapshot_sweep,
)
from edasim.theory import cheapest_snapshots

STORE = {"snapshot_time": "10ms", "snapshot_bytes": 1000, "load": {"base": "1ms", "per_event": "1ms"}}
CARTS = quiet(
    workload={"arrivals": {"rate": 10}, "entities": {"count": 20, "popularity": "uniform"}, "reads": {"rate": 40}},
    source={"servers": 8, "write_time": 0, "read_time": 0},
    event_store=STORE,
)


@pytest.fixture(scope="module")
def swept() -> pd.DataFrame:
    return snapshot_sweep(CARTS, [1, 2, 4, 8, 32, 0], replications=20, jobs=1)


def test_work_per_change_is_that_of_the_law_where_streams_are_long(swept: pd.DataFrame) -> None:
    for every in (1, 2, 4, 8, 32):
        found = at(swept, every, WORK)
        loads = 1 + 40 / 10  # one of the command, four reads
        by_hand = 0.010 / every + loads * (0.001 + 0.001 * (every - 1) / 2)
        error = (found.high - found.low) / 2 / 2.09  # of the mean of 20
        assert abs(found.mean - by_hand) <= 3.5 * error + 1e-12, every
        assert error <= 0.05 * by_hand / 3


def test_the_cheapest_interval_is_the_square_root_law_s(swept: pd.DataFrame) -> None:
    law = cheapest_snapshots(0.010, 5, 0.001)
    assert law == 2
    assert swept["cheapest"].iloc[0] == pytest.approx(law, rel=0.05), "the loads per change are those of one run"
    assert min((1, 2, 4, 8, 32), key=lambda every: at(swept, every, WORK).mean) == 2
    assert at(swept, 2, BEYOND).mean == 0
    assert at(swept, 8, BEYOND).low > 0


def test_loads_are_dearer_and_storage_cheaper_the_rarer_snapshots_are(swept: pd.DataFrame) -> None:
    tried = intervals_of(swept)
    assert tried == [1, 2, 4, 8, 32, 0]
    loads, stored = ([at(swept, every, metric).mean for every in tried] for metric in ("load_events_mean", SAVED))
    assert loads == sorted(loads)
    assert stored == sorted(stored, reverse=True)
    assert stored[0] == pytest.approx(1000), "one of every change"
    assert stored[-1] == 0
    year = 365.25 * 86400
    assert loads[-1] == pytest.approx(10 * year / 20, rel=0.01), "without snapshots a year of its entity"


def test_a_store_with_a_history_of_its_own_keeps_it() -> None:
    own = CARTS.with_overrides({"event_store.history": 5})
    assert aged(own, 3) is own
    assert aged(CARTS, 2).event_store.history == 2 * 10 * 365.25 * 86400


def test_a_day_that_swings_is_looked_at_at_its_mean_rate() -> None:
    daily = {"process": "daily", "rate": 10, "peak_to_mean": 2, "period": "1h"}
    rows = snapshot_sweep(CARTS.with_overrides({"workload.arrivals": daily}), [2], replications=10, jobs=1)
    assert at(rows, 2, "loads_per_change").mean == pytest.approx(5, rel=0.05)


def test_loads_that_cost_nothing_have_no_cheapest_interval() -> None:
    free = CARTS.with_overrides({"event_store.load": {"base": 0, "per_event": 0}, "workload.reads": {"rate": 0}})
    rows = snapshot_sweep(free, replications=2, jobs=1)
    assert np.isinf(rows["cheapest"]).all()
    assert "no formula applies" in how_often_to_snapshot(rows)
    assert load_against_interval(rows).png


def test_a_table_has_no_snapshots_and_intervals_must_be_given_or_none() -> None:
    with pytest.raises(InputError, match="truth is a table"):
        snapshot_sweep(CARTS, pattern="cqrs")
    with pytest.raises(InputError, match="at least one"):
        snapshot_sweep(CARTS, [])
    with pytest.raises(InputError, match="snapshot_every"):
        snapshot_sweep(CARTS, [-1])


def test_the_first_option_that_keeps_events_is_taken() -> None:
    options = [
        {"name": "table", "pattern": "cqrs"},
        {"name": "store", "pattern": "event_sourcing", "set": {"event_store.snapshot_bytes": 7}},
    ]
    scenario = Scenario(**{**CARTS.as_mapping(brief=True), "options": options})
    rows = snapshot_sweep(scenario, [1], replications=2, jobs=1)
    assert set(rows["option"]) == {"store"}
    assert at(rows, 1, SAVED).mean == 7


def test_finding_and_figure_say_what_the_sweep_does(swept: pd.DataFrame) -> None:
    said = str(how_often_to_snapshot(swept))
    assert "a snapshot after every 2 events costs the servers least" in said
    assert "Never, a load takes" in said
    picture = load_against_interval(swept)
    assert "a snapshot every 2 events costs least" in picture.figure.get_suptitle()
    assert "every 32: a load" in picture.alt
    one = snapshot_sweep(CARTS, [4], replications=1, jobs=1)
    assert isnan(at(one, 4, WORK).low)
    assert load_against_interval(one).png


def test_an_interval_with_which_the_servers_cannot_keep_up_is_not_as_good_as_the_best() -> None:
    """However much its work differs from one replication to the next: only few commands get through at all."""
    store = {"load": {"base": 0, "per_event": "20us"}, "history": 100_000_000, "snapshot_time": "1ms"}
    scenario = quiet(
        workload={"arrivals": {"rate": 5}, "reads": {"rate": 5}, "entities": {"count": 5, "popularity": "zipf"}}, event_store=store
    )
    swept = snapshot_sweep(scenario, [10, NEVER], replications=3, jobs=1)
    assert at(swept, NEVER, "load_time_mean").mean > 1
    assert cheapest(swept) == (10, [10])
