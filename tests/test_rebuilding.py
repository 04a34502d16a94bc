"""How long a replay takes: the formula by hand, event by event, and against simulated rebuilds; what is said, and the figure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_delivery_figures import collisions
from tiny import quiet

from edasim import InputError, compare
from edasim.estimates import Estimate
from edasim.figures import Picture, replay_against_history
from edasim.scenario import Rebuild
from edasim.stores import REBUILT_UP_TO
from edasim.studies.rebuilding import BULK, STORED, at_year, course, measured_up_to, replay_over_history, then
from edasim.studies.replay_findings import (
    fate,
    how_long,
    how_long_a_replay_takes,
    lasting,
    series,
    what_a_replay_takes,
    workers_in_words,
)
from edasim.units import YEAR_S

CARTS = quiet(
    duration="400s",
    workload={"arrivals": {"rate": 5}, "entities": {"count": 50, "popularity": "zipf"}},
    source={"servers": 8},
    event_store={"load": {"base": 0, "per_event": 0}, "rebuild": {"base": 2, "per_event": "1ms", "workers": 4}},
)
EVEN = quiet(
    workload={"arrivals": {"process": "renewal", "gap": "10ms"}, "entities": {"count": 64, "popularity": "uniform"}},
    event_store={"rebuild": {"base": 0, "per_event": "1ms", "workers": 2}, "load": {"base": 0, "per_event": 0}},
    duration="10s",
)
MEASURED = Path(__file__).resolve().parents[1] / "data" / "measurements" / "m6_sqlite.csv"
HOT = (1 / np.arange(1, 51)) / (1 / np.arange(1, 51)).sum()


@pytest.fixture(scope="module")
def carts() -> pd.DataFrame:
    return replay_over_history(CARTS, replications=10, jobs=1)


@pytest.fixture(scope="module")
def even() -> pd.DataFrame:
    return replay_over_history(EVEN, replications=2, jobs=1)


# The formula


def test_two_workers_alike_serve_after_half_of_the_work_and_what_comes_meanwhile(even: pd.DataFrame) -> None:
    by_hand = 10_000 * 0.5 * 0.001 / (1 - 100 * 0.5 * 0.001)
    assert course(even, "2")[10_000.0].mean == pytest.approx(by_hand, rel=1e-3)
    assert course(even, "16")[1e9].mean == pytest.approx(1e9 / 16 * 0.001 / (1 - 100 / 16 * 0.001), rel=1e-3)


def served_after(rng: np.random.Generator, workers: int, stored: int, rate: float, each: float) -> float:
    """One replay of events of unequal entities, event by event: when the last worker was once done with all that had come."""
    backlog = rng.multinomial(stored, HOT)
    done = [each * float(backlog[worker::workers].sum()) for worker in range(workers)]
    now = 0.0
    while now < max(done):
        gaps, entities = rng.exponential(1 / rate, 1000), rng.choice(HOT.size, 1000, p=HOT)
        for gap, entity in zip(gaps.tolist(), entities.tolist(), strict=True):
            now += gap
            if now < done[entity % workers]:  # else it was idle once, and this one is none of its backlog
                done[entity % workers] += each
    return max(done)


def test_the_formula_is_what_a_replay_event_by_event_takes() -> None:
    rng, rate, each, stored = np.random.default_rng(7), 50.0, 0.02, 10_000
    share = HOT[0::4].sum()
    times = [served_after(rng, 4, stored, rate, each) for _ in range(20)]
    changes = {"workload.arrivals.rate": rate, "duration": "60s", "event_store.rebuild": {"base": 0, "per_event": each, "workers": 4}}
    found = course(replay_over_history(CARTS.with_overrides(changes), replications=10, jobs=1), "4")[float(stored)]
    by_hand = stored * share * each / (1 - rate * share * each)
    mine, theirs = np.std(times, ddof=1) / 20**0.5, (found.high - found.low) / 2 / 2.26
    assert mine <= 0.06 * by_hand / 3
    assert abs(np.mean(times) - by_hand) <= 3.5 * mine
    assert abs(found.mean - by_hand) <= 3.5 * theirs + 0.01 * by_hand  # the rate of its window is not quite 50
    assert theirs <= 0.06 * by_hand / 3


@pytest.mark.parametrize("history", [100_000, round(3 * 5 * YEAR_S)])
def test_a_simulated_rebuild_with_so_much_history_takes_as_long(carts: pd.DataFrame, history: int) -> None:
    aged = CARTS.with_overrides({"event_store.history": history, "workload.reads": {"rate": 0}})
    rows = compare(aged, ["event_sourcing_cqrs"], replications=4, jobs=1)
    simulated = rows[(rows["component"] == "events") & (rows["metric"] == "catch_up_time")].iloc[0]
    found = course(carts, "4")[100_000.0] if history == 100_000 else then(carts, "4")
    assert found is not None
    error = (found.high - found.low) / 2 / 2.26 + (simulated["high"] - simulated["low"]) / 2 / 3.18
    assert abs(found.mean - simulated["mean"]) <= 3.5 * error
    assert error <= 0.05 * found.mean / 3


def test_in_three_years_there_is_what_three_years_of_changes_bring(carts: pd.DataFrame) -> None:
    stored = at_year(carts, STORED, 3.0)
    assert stored.low <= 3 * 5 * YEAR_S <= stored.high
    at_the_end = at_year(carts, STORED, 0.0).mean
    assert course(carts, "4").keys() > {at_the_end, stored.mean, 1e4, 1e10}


def test_a_bulk_load_reads_a_row_an_entity_and_grows_with_births(even: pd.DataFrame) -> None:
    flat = [point.mean for point in course(even, BULK).values()]
    assert flat == pytest.approx([64 / 2 * 0.001 / (1 - 100 * 0.5 * 0.001)] * len(flat), rel=1e-3)
    born = EVEN.with_overrides({"workload.entities.new_share": 0.2, "workload.arrivals": {"process": "poisson", "rate": 100}})
    found = then(replay_over_history(born, replications=10, jobs=1), BULK)
    by_hand = 0.2 * 100 * 3 * YEAR_S / 2 * 0.001 / 0.95
    assert found is not None
    assert abs(found.mean - by_hand) <= 3.5 * (found.high - found.low) / 2 / 2.26
    assert (found.high - found.low) / 2 / 2.26 <= 0.2 * by_hand / 3


def test_where_entities_are_born_the_years_share_the_work_evenly() -> None:
    born = CARTS.with_overrides({"workload.entities.new_share": 0.2, "duration": "60s"})
    found = replay_over_history(born, replications=2, jobs=1)
    shares = found[found["metric"] == "busiest_share"].set_index("component")["mean"]
    assert shares.to_dict() == {"1": 1.0, "4": 0.25, "16": 0.0625}


# What is said


def test_more_workers_do_not_help_a_single_entity() -> None:
    alone = CARTS.with_overrides({"workload.entities": {"count": 1, "popularity": "uniform"}, "duration": "60s"})
    found = replay_over_history(alone, replications=2, jobs=1)
    assert series(found) == [["1", "4", "16"], [BULK]]
    assert "Of 16 workers the busiest has 100 % of the events, not 6.25 %" in how_long_a_replay_takes(found)
    assert "With 1, 4 or 16 workers" in how_long_a_replay_takes(found)


def test_changes_that_come_faster_than_a_worker_applies_them_are_never_caught_up_with(even: pd.DataFrame) -> None:
    slow = EVEN.with_overrides({"event_store.rebuild.per_event": "30ms"})  # a hundred a second
    found = replay_over_history(slow, replications=2, jobs=1)
    assert [bool(course(found, workers)) for workers in ("1", "2", "4", "16")] == [False, False, True, True]
    said = "with 2 workers a replay never catches up: changes come faster than they are applied"
    assert what_a_replay_takes(found, 60.0) == said
    assert "1 or 2 workers never catches up" in replay_against_history(found, 60.0).alt
    assert "never" not in how_long_a_replay_takes(even)


def near(each: str, replications: int) -> pd.DataFrame:
    """One worker and 30 changes a second, which take it so long *each*."""
    rebuild = {"base": "3s", "per_event": each, "workers": 1}
    workload = {"arrivals": {"process": "poisson", "rate": 30}, "entities": {"count": 37}}
    return replay_over_history(quiet(duration=20, workload=workload, event_store={"rebuild": rebuild}), replications=replications, jobs=1)


def test_a_load_below_one_is_not_never_because_some_runs_had_more() -> None:
    found = near("32.2ms", 10)  # 0.966
    never = found[(found["metric"] == "never_catches_up") & (found["component"] == "1")]["mean"]
    (few,) = set(never)
    assert 0 < few < 1
    assert then(found, "1") is None
    assert fate(found, "1") == fate(found, BULK) == f"may never catch up ({round(few * 10)} of 10 runs)"
    assert "that come faster" not in how_long_a_replay_takes(found)
    assert "may never catch up" in replay_against_history(found).alt
    assert fate(near("40ms", 5), "1") == "never catches up"


def test_near_a_load_of_one_a_range_is_said_and_it_is_what_the_formula_gives_at_the_ends_of_the_load() -> None:
    found = near("30ms", 10)  # 0.9
    time, load = then(found, "1"), found[(found["metric"] == "load") & (found["component"] == "1")].iloc[0]
    assert time is not None
    assert load["low"] < 0.9 < load["high"] < 1
    per_s = load[["low", "high"]] / 0.03
    low, high = (3 + 0.03 * (per_s * 3 * YEAR_S)) / (1 - per_s * 0.03)
    assert (time.low, time.high) == (pytest.approx(low, rel=0.01), pytest.approx(high, rel=0.01))
    assert 0 < time.low < 3 * YEAR_S * 0.9 / 0.1 < time.high, "the truth"
    assert how_long(Estimate(10.0, 1e4, 1e8, "s")) == f"{lasting(1e4)} to {lasting(1e8)}"
    assert how_long(Estimate(100.0, 90.0, 110.0, "s")) == "1.67 min"


@pytest.mark.parametrize("workers", [[0], [-1], [1.5]])
def test_workers_are_whole_numbers_from_one(workers: list[int]) -> None:
    with pytest.raises(InputError, match=r"workers: .* is not allowed: each must be a whole number from 1"):
        replay_over_history(CARTS, workers=workers, replications=1, jobs=1)


def test_that_the_busiest_holds_up_others_is_said_only_where_it_takes_time(carts: pd.DataFrame) -> None:
    assert "the busiest has" in how_long_a_replay_takes(carts)
    rare = {"workload.arrivals": {"process": "renewal", "gap": "20s"}, "event_store.rebuild": {"base": "1h", "per_event": "1us"}}
    assert "the busiest has" not in how_long_a_replay_takes(replay_over_history(CARTS.with_overrides(rare), replications=2, jobs=1))


def test_the_window_has_room_until_the_replay_has_grown_out_of_it(even: pd.DataFrame) -> None:
    later, now = (then(even, "2", years) for years in (3.0, 0.0))
    assert later is not None
    assert now is not None
    halfway = (later.mean + now.mean) / 2
    assert "more than the window" in what_a_replay_takes(even, halfway)
    assert "it outgrows the window after 1.5 years" in how_long_a_replay_takes(even, halfway)
    assert "within the window" in what_a_replay_takes(even, later.mean * 1.01)


def test_what_was_measured_goes_as_far_as_the_measurements_of_the_preset() -> None:
    rebuilds = pd.read_csv(MEASURED).query("what.str.startswith('projection rebuild (batch, in memory')")
    assert rebuilds["n"].max() == REBUILT_UP_TO["sqlite"]
    assert measured_up_to(Rebuild(preset="sqlite")) == REBUILT_UP_TO["sqlite"]
    assert measured_up_to(Rebuild(preset="sqlite", per_event="1ms")) is None, "what is given wins, and it is nobody's measurement"
    assert measured_up_to(Rebuild()) is None


def test_where_truth_is_a_table_there_is_no_past_to_replay() -> None:
    with pytest.raises(InputError, match="truth is a table, which keeps no events"):
        replay_over_history(CARTS, "cqrs")
    assert workers_in_words(["16"]) == "16 workers"


# The figure


@pytest.fixture(scope="module")
def picture(carts: pd.DataFrame) -> Picture:
    return replay_against_history(carts, 1e9)


def test_no_words_collide(picture: Picture) -> None:
    assert collisions(picture) == []


def test_lines_are_solid_as_far_as_is_known_and_dashed_beyond(carts: pd.DataFrame, picture: Picture) -> None:
    lines = [line for line in picture.figure.axes[0].lines if len(np.asarray(line.get_xdata())) > 2]
    known = carts["known"].iloc[0]
    assert known == at_year(carts, STORED, 0.0).mean == pytest.approx(2050, rel=0.1)
    assert len(lines) == 2 * 4
    for line in lines:
        assert line.is_dashed() == (float(np.max(np.asarray(line.get_xdata()))) > known)
