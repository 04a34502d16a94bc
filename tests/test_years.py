"""Storage over years: the closed forms, the projection against long runs and by hand, what is said of it, and the figure."""

from itertools import pairwise
from math import inf, log
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson
from test_delivery_figures import collisions, words_of
from tiny import merged, quiet, recorded

from edasim import InputError, Journal, Luck, Scenario, figures, make_workload, simulate
from edasim.distributions import Exponential
from edasim.estimates import Estimate, short
from edasim.extrapolation import Extrapolation
from edasim.figures import Picture
from edasim.lives import Popularity
from edasim.metrics.storage import storage
from edasim.studies.growth import how_storage_grows, reaches, spent_after, table_times, what_stands_out, when_spent
from edasim.studies.years import course, storage_over_years, tables_beside_events
from edasim.theory import compacted, grown, snapshots_taken
from edasim.units import YEAR_S

REPLICATIONS = 20
SHORT, LONG = 400, 4000  # seconds: of the window that is looked at, and until when it is projected and simulated
SMALL: dict[str, Any] = {
    "name": "small",
    "duration": SHORT,
    "drain": 20,
    "workload": {
        "arrivals": {"rate": 2},
        "entities": {"count": 100, "popularity": "zipf", "skew": 1.0, "new_share": 0.1},
        "reads": {"rate": 0.5},
        "state_bytes": {"dist": "uniform", "low": 500, "high": 1500},
        "delta_bytes": 100,
    },
    "broker": {"retention": 1000, "partitions": 4},
    "event_store": {
        "snapshot_every": 10,
        "snapshot_bytes": 500,
        "overhead_bytes": 10,
        "load": {"base": 0, "per_event": 0},
        "snapshot_time": 0,
    },
}
CALM: dict[str, Any] = {  # a change a second of ten entities, each of 1,000 bytes
    "workload": {
        "arrivals": {"process": "renewal", "gap": "1s"},
        "entities": {"count": 10, "popularity": "uniform"},
        "state_bytes": 1000,
        "delta_bytes": 100,
        "reads": {"rate": 0},
    },
    "broker": {"retention": "1h"},
    "event_store": {"overhead_bytes": 0, "snapshot_every": 50, "snapshot_bytes": 1000},
}


def small(**changes: Any) -> Scenario:
    """Four hundred seconds of two changes a second, a tenth of them births."""
    return quiet(**merged(SMALL, changes))


def calm(**changes: Any) -> Scenario:
    """A hundred seconds in which all can be counted by hand."""
    return quiet(**merged(CALM, changes))


def stored(journal: Journal) -> dict[str, float]:
    """Bytes by component at the end of the window."""
    return {v.component: v.value for v in storage(journal) if v.metric == "storage_bytes" and v.component and not v.consumer}


def after(years: float, pattern: str, scenario: Scenario) -> dict[str, float]:
    """What one run of the scenario says of so many years."""
    return Extrapolation(simulate(scenario, pattern), scenario, max(years, 1.0)).at(years)


# Closed forms


@pytest.mark.parametrize("every", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("mean", [0.0, 0.3, 5.0, 99.5, 2000.0, 30_000.0])
@pytest.mark.parametrize("already", [-1, 0, 1, 99])
def test_snapshots_taken_are_the_mean_of_a_rounded_down_poisson_number(every: int, mean: float, already: int) -> None:
    numbers = np.arange(0, int(mean + 12 * mean**0.5 + 30))
    brute = float(np.maximum((already + numbers) // every, 0) @ poisson.pmf(numbers, mean))
    assert snapshots_taken(mean, every, already) == pytest.approx(brute, abs=2e-5)


def test_a_compacted_log_goes_from_its_keys_to_what_the_dirty_ratio_allows() -> None:
    rng, ratio, keys = np.random.default_rng(1), 0.3, 400
    log_: dict[int, int] = {}
    clean, dirty, sizes = 0, 0, []
    for key in rng.integers(0, keys, 40_000).tolist():
        log_[key] = log_.get(key, 0) + 1
        dirty += 1
        if dirty >= ratio * (clean + dirty):
            clean, dirty, log_ = len(log_), 0, dict.fromkeys(log_, 1)
        sizes.append(clean + dirty)
    assert np.mean(sizes[20_000:]) == pytest.approx(compacted(keys, 1e9, ratio), rel=0.01)


def test_growing_payloads_are_the_integral_of_their_growth() -> None:
    times = np.linspace(0, 3, 100_001)
    assert grown(3, 0.2) == pytest.approx(float(np.trapezoid(1.2**times, times)))
    assert grown(2, 0.5) == pytest.approx((1.5**2 - 1) / log(1.5))
    assert grown(3, 0) == 3


# Who changes how often


@pytest.mark.parametrize("active", [None, Exponential(dist="exponential", mean=400)], ids=["for ever", "for a while"])
@pytest.mark.parametrize("births_per_s", [0.1, 1.9])
def test_all_changes_go_to_somebody(active: Exponential | None, births_per_s: float) -> None:
    journal = simulate(small(duration=20), "event_sourcing")
    popularity = Popularity(journal, active, 2.0, births_per_s, 1e5)
    for until in (10.0, 1000.0, 1e5):
        lives = popularity.lives(until)
        assert lives.count.sum() == pytest.approx(100 + births_per_s * until)
        assert popularity.changes(lives, 0, until) @ lives.count == pytest.approx((2.0 - births_per_s) * until, rel=0.03)


def test_entities_that_are_put_together_are_still_all_there() -> None:
    journal = simulate(small(duration=20, event_store={"history": 5000}), "event_sourcing")
    lives = Popularity(journal, None, 2.0, 0.0, 1e5).lives(0.0)
    weight, history = journal.entities["weight"][:100], journal.entities["history"][:100]
    assert lives.count.sum() == 100
    assert lives.count @ lives.weight == pytest.approx(weight.sum())
    assert lives.count @ lives.stored == history.sum() == 5000


@pytest.mark.parametrize("active", [None, {"dist": "exponential", "mean": 600}, {"dist": "lognormal", "mean": 3000, "cv": 1}], ids=str)
def test_over_generations_snapshots_keys_and_events_not_archived_are_those_of_the_workload(active: dict[str, Any] | None) -> None:
    """Over forty times the window, counted change by change, without the model; keys at many moments, because there are few."""
    until, recent, every = 18_000, 300, 5
    moments = np.arange(until / 2, until + 1, 2 * recent)
    entities = {"new_share": 0.1, "active_for": active}
    scenario = small(workload={"entities": entities}, event_store={"snapshot_every": every, "archive_after": recent})
    counted = []
    for replication in range(REPLICATIONS // 2):
        workload = make_workload(scenario.with_overrides({"duration": until}), Luck(1, replication))
        number = np.bincount(workload.entities)
        old = np.bincount(workload.entities[workload.times < (until - recent) * 1e9], minlength=number.size)
        places = np.searchsorted(workload.times, [(moments - recent) * 1e9, moments * 1e9]).T
        keys = [np.unique(workload.entities[first:last]).size for first, last in places]
        counted.append([(number // every).sum(), np.mean(keys), (number - np.minimum(old, number // every * every)).sum()])
    projection = Extrapolation(simulate(scenario, "event_sourcing"), scenario, 1.0)
    projection._changes_per_s, projection._births_per_s = 2.0, 0.2  # as they are, whatever the window says
    projection._popularity = Popularity(projection._journal, scenario.workload.entities.active_for, 2.0, 0.2, YEAR_S)
    keys_then = np.mean([projection._keys(moment / YEAR_S, (moment - recent) / YEAR_S, 1.0)[0] for moment in moments])
    found = projection.at(until / YEAR_S)["snapshots"] / 500 - 100, keys_then, projection._hot(until / YEAR_S)
    error = np.std(counted, axis=0, ddof=1) / len(counted) ** 0.5
    mean = np.mean(counted, axis=0)
    assert np.all(error <= 0.05 * mean / 3)
    assert np.all(np.abs(found - mean) <= 3.5 * error), (found, mean, error)


def test_nobody_left_to_change_is_refused() -> None:
    scenario = small(duration=60, workload={"entities": {"new_share": 0, "active_for": "1h"}})
    with pytest.raises(InputError, match=r"workload\.entities\.active_for: nobody was born"):
        storage_over_years(scenario, ["event_sourcing"], replications=1, jobs=1)


# Against long runs

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "table": ("event_carried_state_transfer", {}),
    "events": ("event_sourcing_cqrs", {"event_store": {"archive_after": 500}}),
    "events, last snapshot": ("event_sourcing", {"event_store": {"snapshot_keep": "last", "archive_after": 2000, "history": 2000}}),
    "snapshots at loads": ("event_sourcing", {"event_store": {"snapshot_on": "load", "snapshot_every": 7}}),
    "archived behind snapshots at loads": (
        "event_sourcing",
        {"event_store": {"snapshot_on": "load", "snapshot_every": 4, "archive_after": 100, "history": 1000}},
    ),
    "active for a while": (
        "event_sourcing",
        {"event_store": {"archive_after": 300}, "workload": {"entities": {"active_for": {"dist": "exponential", "mean": 400}}}},
    ),
}


def test_where_every_event_is_behind_a_snapshot_only_the_young_are_not_archived() -> None:
    entities = {"count": 1000, "new_share": 0.1, "active_for": None}
    scenario = small(
        workload={"arrivals": {"rate": 50}, "entities": entities}, event_store={"snapshot_every": 1, "archive_after": "1d"}, duration=60
    )
    rows = storage_over_years(scenario, ["event_sourcing"], years=[1, 5], replications=8, jobs=1)
    for year in (1, 5):
        found = rows[(rows["years"] == year) & (rows["component"] == "events") & (rows["metric"] == "storage_bytes")].iloc[0]
        by_hand = 86400 * 50 * (100 + 10)
        assert found["mean"] == pytest.approx(by_hand, rel=0.01), "a day's events, however long the store has been there"


@pytest.mark.parametrize("case", CASES)
def test_a_projection_agrees_with_a_run_ten_times_as_long_as_what_it_has_seen(case: str) -> None:
    pattern, changes = CASES[case]
    window, whole = small(**changes), small(**merged(changes, {"duration": LONG}))
    by_hand = [Extrapolation(simulate(window, pattern, replication=r), window, 1.0).at(LONG / YEAR_S) for r in range(REPLICATIONS)]
    run = [stored(simulate(whole, pattern, replication=100 + r)) for r in range(REPLICATIONS)]  # luck of its own
    assert set(by_hand[0]) == set(run[0])
    for component in run[0]:
        projected, simulated = (np.array([found[component] for found in runs]) for runs in (by_hand, run))
        error = float(np.sqrt((projected.var(ddof=1) + simulated.var(ddof=1)) / REPLICATIONS))
        assert error <= 0.1 * simulated.mean() / 3, component
        assert abs(projected.mean() - simulated.mean()) <= 3.5 * error + 1, component  # a byte: where neither has any noise


def test_a_compacted_log_is_on_average_as_large_as_it_is_projected() -> None:
    """Over many moments: at each of them its partitions have been cleaned at some other time."""
    changes = {"broker": {"retention": 1000, "compaction": {"min_dirty_ratio": 0.5}}}
    window, whole = small(**changes), small(**merged(changes, {"duration": LONG}))
    moments = np.linspace(LONG / 2, LONG, 11)
    differences, sizes = [], []
    for replication in range(REPLICATIONS):
        projection = Extrapolation(simulate(window, "cqrs", replication=replication), window, 1.0)
        projected = float(np.mean([projection.at(moment / YEAR_S)["log"] for moment in moments]))
        frame = simulate(whole, "cqrs", replication=100 + replication).frame("storage")
        log_ = frame[(frame["component"] == "log") & (frame["time"] >= LONG / 2)]
        differences.append(projected - log_["bytes"].mean())
        sizes.append(log_["bytes"].mean())
    error = float(np.std(differences, ddof=1)) / REPLICATIONS**0.5
    assert error <= 0.1 * np.mean(sizes) / 3
    assert abs(np.mean(differences)) <= 3.5 * error


# By hand: a change a second

RATE = 1.0


def test_a_table_without_births_never_grows_and_a_log_levels_off() -> None:
    for years in (1, 5):
        found = after(years, "event_carried_state_transfer", calm())
        assert found["source"] == found["copy"] == 10 * 1000
        assert found["log"] == pytest.approx(RATE * 3600 * 1000)


def test_before_the_first_message_is_too_old_the_log_holds_all() -> None:
    assert after(600 / YEAR_S, "cqrs", calm())["log"] == pytest.approx(RATE * 600 * 1000)


def test_events_are_kept_for_ever_and_snapshots_as_asked() -> None:
    found = after(2, "event_sourcing", calm())
    number = RATE * 2 * YEAR_S
    assert found["events"] == pytest.approx(number * 100)
    assert found["snapshots"] == pytest.approx((10 + number / 50) * 1000, rel=1e-5), "ten were migrated"
    assert after(2, "event_sourcing", calm(event_store={"snapshot_keep": "last"}))["snapshots"] == pytest.approx((10 + 10) * 1000)
    assert after(2, "event_sourcing", calm(event_store={"snapshot_every": 0}))["snapshots"] == 10 * 1000


def test_only_what_is_old_and_behind_a_snapshot_is_archived() -> None:
    found = after(2, "event_sourcing", calm(event_store={"archive_after": "90d"}))
    recent = RATE * 90 * 86400 * 100
    assert found["events"] == pytest.approx(recent, rel=1e-3)
    assert found["events"] + found["archive"] == pytest.approx(RATE * 2 * YEAR_S * 100)
    never = after(2, "event_sourcing", calm(event_store={"archive_after": "90d", "snapshot_every": 0}))
    assert never["archive"] == 0, "no snapshot, so no event is behind one"


def test_payloads_that_grow_make_rows_as_large_as_those_of_the_year_and_events_as_large_as_when_they_came() -> None:
    growing = calm(workload={"payload_growth": 0.5})
    assert after(2, "event_carried_state_transfer", growing)["source"] == pytest.approx(10 * 1000 * 1.5**2)
    assert after(2, "event_sourcing", growing)["events"] == pytest.approx(RATE * YEAR_S * 100 * (1.5**2 - 1) / log(1.5))
    assert after(2, "cqrs", growing)["log"] == pytest.approx(RATE * 3600 * 1000 * 1.5**2, rel=1e-3)


def test_a_log_is_bounded_in_each_of_its_partitions() -> None:
    spread = calm(broker={"partitions": 2, "retention_bytes": 20_000})
    crowded = calm(broker={"partitions": 2, "retention_bytes": 20_000}, workload={"entities": {"count": 1}})
    assert after(1, "cqrs", spread)["log"] == 2 * 20_000
    assert after(1, "cqrs", crowded)["log"] == 20_000, "one entity is in one partition"
    assert stored(simulate(spread.with_overrides({"duration": 600}), "cqrs"))["log"] == pytest.approx(2 * 20_000, rel=0.05)


def test_nothing_is_stored_by_a_broker_that_keeps_nothing() -> None:
    assert "log" not in after(1, "cqrs", calm(broker={"kind": "pubsub"}))
    assert after(1, "cqrs", calm(broker={"kind": "queue"}))["log"] == 0, "nothing waits at the end of the window"


def test_dead_letters_pile_up_and_an_outbox_holds_what_it_held() -> None:
    failing = {"name": "billing", "handle_time": 0, "failure_rate": 1, "max_attempts": 1, "backoff": 0}
    found = after(1, "cqrs", calm(consumers=[failing], source={"publish": "outbox"}))
    assert found["dead_letters"] == pytest.approx(RATE * YEAR_S * 1000, rel=0.02)
    assert found["outbox"] <= 1000, "what came since the relay looked"


FIVE: dict[str, Any] = {"workload": {"arrivals": {"process": "renewal", "gap": "200ms"}}}  # changes a second
SLOW: dict[str, dict[str, Any]] = {  # 4 a second
    "log": {"broker": {"kind": "queue"}, "consumers": [{"name": "billing", "instances": 1, "handle_time": "250ms"}]},
    "outbox": {"source": {"publish": "outbox", "relay": {"poll": "1s", "batch": 2, "instances": 2}}},
    "wal": {"source": {"publish": "cdc", "relay": {"poll": "1s", "batch": 4}}},
}


@pytest.mark.parametrize("component", SLOW)
def test_what_waits_for_somebody_slower_than_the_changes_grows_for_ever(component: str) -> None:
    scenario = calm(**merged(FIVE, SLOW[component]))
    found = after(5, "event_carried_state_transfer", scenario)
    assert found[component] == pytest.approx(5 * YEAR_S * 1000, rel=1e-4), "one a second"
    if component != "log":
        assert found["log"] == pytest.approx(4 * 3600 * 1000, rel=0.01), "no more is sent than the relay can"
    longer = simulate(scenario.with_overrides({"duration": 1000}), "event_carried_state_transfer")
    assert stored(longer)[component] == pytest.approx(after(1000 / YEAR_S, "event_carried_state_transfer", scenario)[component], rel=0.02)


def test_a_consumer_slower_than_its_formula_says_is_seen_to_fall_behind() -> None:
    """Every second attempt fails and is tried again a second later: handling takes 1.2 s on average, not 0.1 s."""
    failing = {"name": "billing", "instances": 2, "handle_time": "100ms", "failure_rate": 0.5, "max_attempts": 50}
    scenario = calm(**merged(FIVE, {"broker": {"kind": "queue"}, "consumers": [failing]}), duration=200)
    grows = (5 - 2 / 1.2) * YEAR_S * 1000
    found = [Extrapolation(simulate(scenario, "cqrs", replication=r), scenario, 1.0).at(1)["log"] for r in range(8)]
    error = np.std(found, ddof=1) / len(found) ** 0.5
    assert error < 0.05 * grows / 3
    assert abs(np.mean(found) - grows) <= 3.5 * error


@pytest.mark.parametrize("outage", [None, [[80, 100]]], ids=["busy", "down at the end"])
def test_who_keeps_up_is_not_seen_to_fall_behind(outage: list[Any] | None) -> None:
    consumer = {"handle_time": {"dist": "exponential", "mean": "180ms"}, "outages": outage and {"windows": outage, "on_restart": "resume"}}
    queued = calm(broker={"kind": "queue"}, consumers=[{"name": "billing", "instances": 1, **consumer}])
    scenario = queued.with_overrides({"workload.arrivals": {"process": "poisson", "rate": 5}})
    projections = [Extrapolation(simulate(scenario, "cqrs", replication=r), scenario, 1.0) for r in range(20)]
    assert [stage.growth_per_s for each in projections for stage in each.waiting] == [0] * 20


def test_a_queue_with_a_limit_grows_up_to_it() -> None:
    limited = merged(merged(FIVE, SLOW["log"]), {"broker": {"max_length": 1000}})
    scenario = calm(**limited)
    assert after(5, "event_carried_state_transfer", scenario)["log"] == pytest.approx(1000 * 1000, rel=0.2)
    rows = storage_over_years(scenario, ["event_carried_state_transfer"], replications=2, jobs=1)
    assert "growing" not in how_storage_grows(rows)


def test_years_have_the_mean_rate_and_not_that_of_the_window() -> None:
    """A day in whose first minutes, its trough, there is a third of the changes."""
    daily = {"process": "daily", "rate": 5, "peak_to_mean": 2}
    rows = storage_over_years(calm().with_overrides({"workload.arrivals": daily}), ["event_sourcing"], replications=3, jobs=1)
    assert course(rows, "event_sourcing", "events")["mean"].loc[5] == pytest.approx(5 * 5 * YEAR_S * 100)
    assert "it takes the window's changes for usual, which are 0.3" in how_storage_grows(rows)


def test_without_a_change_in_the_window_nothing_is_said_of_the_years() -> None:
    silent = calm().with_overrides({"workload.arrivals": {"process": "poisson", "rate": 1e-6}})
    rows = storage_over_years(silent, ["cqrs"], replications=2, jobs=1)
    assert "Nothing changed in the window, so nothing is known of later years" in how_storage_grows(rows, "1GB")
    assert "nothing changed in the window" in figures.storage_years(rows, "1GB").alt


def test_what_keeps_growing_is_said_with_whom_it_waits_for() -> None:
    for component, who in (("log", "billing"), ("outbox", "the relay")):
        rows = storage_over_years(calm(**merged(FIVE, SLOW[component])), ["event_carried_state_transfer"], replications=2, jobs=1)
        said = how_storage_grows(rows, "1GB")
        assert f"keeps growing, by 86.4 MB/day: {who} is slower than the changes" in said
        assert "would do here" in said or component == "outbox", "a straight line is right"
        assert "passes the budget of 1 GB after 11.6 d" in what_stands_out(rows, "1GB") or component == "outbox"
        picture = figures.storage_years(rows, "1GB")
        assert f"{component} 158 GB, keeps growing" in picture.alt
        assert collisions(picture) == []
    once = storage_over_years(calm(**merged(FIVE, SLOW["outbox"])), ["event_carried_state_transfer"], replications=1, jobs=1)
    assert "may keep growing" in how_storage_grows(once), "one run"
    assert collisions(figures.storage_years(once, "1GB")) == []


def test_a_recorded_trace_goes_on_as_it_was(tmp_path: Any) -> None:
    scenario = recorded(tmp_path, [float(n) for n in range(1, 100)], list(range(99)), workload={"state_bytes": 1000})
    found = after(1, "event_carried_state_transfer", scenario)
    assert found["source"] == pytest.approx(YEAR_S * 1000, rel=1e-6), "an entity is born each second"


@pytest.mark.parametrize("pattern", ["event_carried_state_transfer", "event_sourcing_cqrs", "event_sourcing_state_transfer"])
@pytest.mark.parametrize("keep", ["all", "last"])
def test_nothing_ever_gets_less(pattern: str, keep: str) -> None:
    changes = {"event_store": {"snapshot_keep": keep, "history": 700, "archive_after": 200}, "workload": {"payload_growth": 0.1}}
    scenario = small(**changes, broker={"compaction": {}})
    projection = Extrapolation(simulate(scenario, pattern), scenario, 10)
    totals = [sum(projection.at(years).values()) for years in (0, 1e-6, 1e-4, 0.01, 0.1, 1, 2, 5, 10)]
    assert all(earlier <= later for earlier, later in pairwise(totals))


def test_more_history_is_never_less_storage() -> None:
    """Where a snapshot is no larger than an event: an entity whose history is not known is one snapshot instead."""
    totals = []
    for history in (0, 10, 1000, 100_000):
        scenario = small(event_store={"history": history, "snapshot_bytes": 100})
        totals.append([sum(after(years, "event_sourcing", scenario).values()) for years in (0, 0.01, 1)])
    assert all(np.all(np.array(fewer) <= np.array(more)) for fewer, more in pairwise(totals))


# What is said


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    prices = {"storage_per_gb_month": 0.5, "currency": "CHF"}
    return storage_over_years(small(prices=prices, broker={"replicas": 3, "replica_copy": 0}), replications=3, jobs=1)


def test_rows_are_tidy_and_parts_add_up(rows: pd.DataFrame) -> None:
    sizes = rows[rows["metric"] == "storage_bytes"]
    total = sizes[sizes["component"] == ""].set_index(["option", "years"])["mean"]
    parts = sizes[sizes["component"] != ""].groupby(["option", "years"])["mean"].sum()
    assert set(sizes["unit"]) == {"bytes"}
    assert set(rows["replications"]) == {3}
    pd.testing.assert_series_equal(total.sort_index(), parts.sort_index(), check_names=False)
    assert rows["simulated"].iloc[0] == SHORT / YEAR_S


def test_storage_costs_what_it_will_be_with_a_log_for_each_replica(rows: pd.DataFrame) -> None:
    for option in dict.fromkeys(rows["option"]):
        cost = course(rows, option, "storage", "cost_per_month")["mean"].iloc[-1]
        copies = course(rows, option)["mean"].iloc[-1]
        if "log" in set(rows.loc[rows["option"] == option, "component"]):
            copies += 2 * course(rows, option, "log")["mean"].iloc[-1]
        assert cost == pytest.approx(0.5 * copies / 1e9)
    assert "CHF/month" in how_storage_grows(rows)


def test_the_year_in_which_a_budget_is_passed_is_between_the_sizes_before_and_after() -> None:
    sizes = pd.Series([0.0, 10.0, 40.0, 40.0], index=[0.0, 1.0, 2.0, 3.0])
    assert [reaches(sizes, level) for level in (0, 5, 25, 40, 41)] == [0, 0.5, 1.5, 2, inf]


def test_budgets_are_passed_sooner_by_those_who_store_more(rows: pd.DataFrame) -> None:
    budget = float(course(rows, "event_sourcing")["mean"].loc[2])
    found = spent_after(rows, "event_sourcing", budget)
    assert found.low <= found.mean == 2 <= found.high
    assert spent_after(rows, "event_sourcing_cqrs", budget).mean < 2
    said = how_storage_grows(rows, budget)
    assert "in year 3, after 2 years" in said
    assert "not more than the budget of 1 TB within 5 years" in how_storage_grows(rows, "1TB")
    assert "more than the budget of 10 B from the start" in how_storage_grows(rows, "10B")


def test_an_event_store_is_held_against_a_table_of_the_same_entities(rows: pd.DataFrame) -> None:
    stored = sum(course(rows, "event_sourcing", part)["mean"].loc[5] for part in ("events", "snapshots"))
    table = course(rows, "event_carried_state_transfer", "source")["mean"].loc[5]
    assert course(rows, "event_sourcing", metric="table_bytes")["mean"].loc[5] == pytest.approx(table, rel=0.02), "all on the same luck"
    said = how_storage_grows(rows)
    assert f"{stored / course(rows, 'event_sourcing', metric='table_bytes')['mean'].loc[5]:.3g} times a table of the same entities" in said
    assert "at no time ten times" in said


def test_a_table_that_an_option_keeps_is_the_table_it_is_held_against(rows: pd.DataFrame) -> None:
    table, source = (course(rows, "event_carried_state_transfer", *which)["mean"] for which in (("", "table_bytes"), ("source",)))
    pd.testing.assert_series_equal(table, source)
    total = course(rows, "event_carried_state_transfer")["mean"]
    assert table_times(rows, "event_carried_state_transfer") == f"{total.iloc[-1] / table.iloc[-1]:.2g}x table"


def test_rows_of_a_recorded_table_are_as_large_as_recorded(tmp_path: Any) -> None:
    file = tmp_path / "trace.csv"
    pd.DataFrame({"time": range(100), "size": [300, 500] * 50}).to_csv(file, index=False)
    trace = {"process": "trace", "file": str(file), "columns": {"state_bytes": "size"}}
    scenario = quiet(workload={"arrivals": trace, "entities": {"count": 7}})
    assert Extrapolation(simulate(scenario, "event_sourcing"), scenario, 1.0).table(3) == 7 * 400


def test_readers_change_nothing_unless_loads_decide_when_a_snapshot_is_taken() -> None:
    at_loads = {"event_store": {"snapshot_on": "load", "snapshot_every": 7, "snapshot_keep": "all"}}
    for changes, alike in (({}, True), (at_loads, False)):
        read = small(**changes, duration=100, workload={"reads": {"rate": 5}})
        silent = read.with_overrides({"workload.reads": {"rate": 0}})
        grown = [storage_over_years(each, ["event_sourcing"], replications=2, jobs=1) for each in (read, silent)]
        sizes = [course(rows, "event_sourcing")["mean"] for rows in grown]
        assert sizes[0].equals(sizes[1]) == alike


def test_the_title_says_who_passes_the_budget_first_or_stores_most(rows: pd.DataFrame) -> None:
    sizes = {option: float(course(rows, option)["mean"].iloc[-1]) for option in dict.fromkeys(rows["option"])}
    most = max(sizes, key=lambda option: sizes[option])
    assert what_stands_out(rows) == f"after 5 years {most} stores {short(sizes[most], 'bytes')}, {table_times(rows, most)}"
    assert what_stands_out(rows, "1TB") == "nobody passes the budget of 1 TB within 5 years"
    between = (sizes[most] + sorted(sizes.values())[-2]) / 2
    assert what_stands_out(rows, between).startswith(f"{most} passes the budget of ")
    assert what_stands_out(rows, "10B") == f"3 of 3 pass the budget of 10 B, {next(iter(sizes))} first, from the start"


def test_when_a_budget_is_spent_comes_with_its_interval_in_one_unit() -> None:
    assert when_spent(Estimate(inf, 4.5, inf, "years"), 5) == "not in 5 years"
    assert when_spent(Estimate(1, 1, 1, "years"), 5) == "after 1 year"
    assert when_spent(Estimate(0.195, 0.19, 0.21, "years"), 5) == "after 71.2 d (69.4 to 76.7)"
    assert when_spent(Estimate(0.21, 0.19, 3, "years"), 5) == "after 0.21 years (0.19 to 3)"


@pytest.mark.parametrize("budget", ["10%", -5, "much"])
def test_a_budget_that_is_no_size_is_refused_in_one_line(rows: pd.DataFrame, budget: float | str) -> None:
    for act in (how_storage_grows, what_stands_out, figures.storage_years):
        with pytest.raises(InputError, match=r"^budget: .* is not allowed: must be a size .*$"):
            act(rows, budget)


def test_a_straight_line_through_the_window_is_shown_to_be_wrong_where_something_levels_off(rows: pd.DataFrame) -> None:
    assert "times as much: it knows nothing of what levels off" in how_storage_grows(rows)
    plain = storage_over_years(small(), ["request_response"], years=(0, 1), replications=2, jobs=1)
    assert "A straight line through the window would do here" in how_storage_grows(plain)


@pytest.mark.parametrize("years", [(), (-1,), (101,), (float("nan"),)])
def test_years_that_can_not_be_are_refused(years: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="years: "):
        storage_over_years(small(), ["cqrs"], years=years)


def test_event_stores_have_a_place_among_the_scenarios_options() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    options = [{"name": name, "pattern": "cqrs"} for name in names] + [{"name": "log", "pattern": "event_sourcing"}]
    assert tables_beside_events(small(options=options), []) == (None, ["a", "b", "c", "d", "log"])


# The figure


@pytest.fixture(scope="module")
def picture(rows: pd.DataFrame) -> Picture:
    return figures.storage_years(rows, float(course(rows, "event_sourcing")["mean"].loc[2]))


def test_no_words_collide_and_all_can_be_read(picture: Picture, rows: pd.DataFrame) -> None:
    for shown in (picture, figures.storage_years(rows), figures.storage_years(rows, "1TB")):
        assert collisions(shown) == []
        assert min(text.get_fontsize() for text in words_of(shown) if text.get_text()) >= 6


def test_all_options_have_the_same_axes_and_what_is_extrapolated_is_dashed(picture: Picture, rows: pd.DataFrame) -> None:
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in picture.figure.axes}) == 1
    for axes in picture.figure.axes:
        solid, dashed = axes.lines[:2]
        known = rows["simulated"].iloc[0]
        assert float(np.max(solid.get_xdata())) <= known < float(np.max(dashed.get_xdata()))
        assert (solid.is_dashed(), dashed.is_dashed()) == (False, True)


def test_what_was_measured_is_where_it_was_measured(picture: Picture, rows: pd.DataFrame) -> None:
    for axes, option in zip(picture.figure.axes, dict.fromkeys(rows["option"]), strict=True):
        square = next(line for line in axes.lines if line.get_marker() == "s")
        across, up = (float(np.asarray(data).item()) for data in square.get_data())
        measured = course(rows, option, metric="storage_bytes_measured")["mean"].iloc[0]
        assert across == rows["simulated"].iloc[0]
        assert up * {"GB": 1e9}[axes.get_ylabel()] == pytest.approx(measured)


def test_the_ring_is_where_the_budget_is_passed(picture: Picture, rows: pd.DataFrame) -> None:
    rings = [line.get_xdata() for line in picture.figure.axes[1].lines if line.get_marker() == "o"]
    assert [float(np.asarray(ring).item()) for ring in rings] == [2.0]
    after = spent_after(rows, "event_sourcing", float(course(rows, "event_sourcing")["mean"].loc[2]))
    assert [after.low, min(after.high, 5.0)] in [np.asarray(line.get_xdata()).tolist() for line in picture.figure.axes[1].lines]
    assert ": after 2 years" in picture.alt


def test_the_table_is_dotted_in_every_panel(picture: Picture, rows: pd.DataFrame) -> None:
    for axes, option in zip(picture.figure.axes, dict.fromkeys(rows["option"]), strict=True):
        table = course(rows, option, metric="table_bytes")["mean"].to_numpy() / 1e9
        assert [line.is_dashed() for line in axes.lines if np.array_equal(np.asarray(line.get_ydata()), table)] == [False, True]


def test_the_figure_names_every_option_and_its_components_in_words(picture: Picture, rows: pd.DataFrame) -> None:
    for option in dict.fromkeys(rows["option"]):
        total = short(float(course(rows, option)["mean"].iloc[-1]), "bytes")
        assert f"{option}: {total}, {table_times(rows, option)}, " in picture.alt
    assert "read models" in picture.alt
    assert "95 % interval" in " ".join(text.get_text() for text in words_of(picture))


def test_one_run_of_one_option_can_be_drawn() -> None:
    alone = storage_over_years(small(duration=60), ["request_response"], years=(0, 1), replications=1, jobs=1)
    assert "1x table" in figures.storage_years(alone).alt
    assert "after 1 year" in how_storage_grows(alone)
