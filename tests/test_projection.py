"""How late the read model is, and what reading one's own writes costs: lags by hand and by loops, push and poll, words and figure."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_delivery_figures import collisions, words_of
from tiny import merged, played, quiet, value

from edasim import PRESETS, InputError, Journal, Scenario, figures, simulate
from edasim.figures import Picture
from edasim.metrics.delivery import in_window
from edasim.studies.projection import (
    POLL,
    PUSH,
    RELAY,
    Lags,
    how_late,
    lags,
    push_or_poll,
    three_ways,
    ways_table,
    what_own_reads_cost,
)

BUSY: dict[str, Any] = {
    "name": "busy",
    "duration": 60,
    "workload": {"arrivals": {"rate": 20}, "reads": {"rate": 5, "own_after": "200ms"}},
    "source": {"write_time": "2ms", "read_time": "4ms", "servers": 2},
    "network": {"latency": {"publish": {"dist": "exponential", "mean": "20ms"}, "deliver": "1ms", "call": "5ms"}},
    "broker": {"outages": {"windows": [[30, 33]]}},
    "consumers": [{"name": "billing", "handle_time": "10ms"}, {"name": "quota", "handle_time": "1ms"}],
}


def busy(**changes: object) -> Scenario:
    """Twenty changes a second for a minute, with a broker that is away for three seconds of it."""
    return quiet(**merged(BUSY, changes))


def seen(folder: Path, times: list[float], **changes: Any) -> list[float]:
    """The lags of changes at *times*, without that of the first change."""
    return lags(played(folder, times, "cqrs", **changes), 0).round(9).tolist()[1:]


@pytest.fixture(scope="module")
def found() -> Lags:
    return push_or_poll(busy(), "billing", replications=3, jobs=1)


@pytest.fixture(scope="module")
def picture(found: Lags) -> Picture:
    return figures.projection_lag(found)


# Lags


def test_a_lag_is_the_time_from_the_commit_until_the_read_model_shows_the_change(tmp_path: Path) -> None:
    two_seconds = {"latency": {"publish": 2, "deliver": 0, "call": 0}}
    assert seen(tmp_path, [10.0, 20.0], network=two_seconds, source={"producer": {"ack_timeout": "1h"}}) == [2.0, 2.0]


def test_what_is_lost_is_there_with_the_next_change_or_never(tmp_path: Path) -> None:
    lost = {"kind": "pubsub", "outages": {"windows": [[9.9, 10.5], [29.9, 30.5]]}}
    assert seen(tmp_path, [10.0, 12.0, 30.0], broker=lost, source={"producer": {"retries": 0}}) == [2.0, 0.0, np.inf]


def test_a_relay_adds_the_time_to_its_next_poll(tmp_path: Path) -> None:
    relay = {"publish": "outbox", "relay": {"poll": "100ms"}}
    assert seen(tmp_path, [10.03, 20.09], source=relay) == [0.07, 0.01]


@pytest.mark.parametrize("pattern", [name for name, preset in PRESETS.items() if preset.keeps_copy])
def test_lags_are_those_of_a_plain_loop(pattern: str) -> None:
    journal = simulate(busy(network={"loss": 0.1}, source={"polling": {"interval": 7}, "producer": {"retries": 0}}), pattern)
    rows = journal.refreshes
    for consumer in (0, 1):
        expected = []
        for change in np.flatnonzero(in_window(journal)):
            mine = (rows["consumer"] == consumer) & (rows["entity"] == journal.changes["entity"][change])
            shows = mine & (rows["version"] >= journal.changes["version"][change])
            expected.append((rows["time"][shows].min() - journal.changes["committed"][change]) / 1e9 if shows.any() else np.inf)
        assert lags(journal, consumer).tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("own_after", ["0s", "20ms", "50ms", "1s", "10s"])
def test_one_run_gives_the_misses_at_any_own_after(own_after: str) -> None:
    scenario = busy(workload={"reads": {"own_after": own_after}})
    journal = simulate(scenario, "cqrs")
    for number, name in enumerate(("billing", "quota")):
        missed = np.mean(lags(journal, number) > scenario.workload.reads.own_after)
        assert missed == value(journal, "read_your_writes_miss_rate", name)


def test_without_a_refresh_nothing_was_ever_shown() -> None:
    nothing: Journal = simulate(quiet(workload={"arrivals": {"rate": 5}}, broker={"outages": {"windows": [[0, 99]]}}), "cqrs")
    assert nothing.refreshes["time"].size == 0 or np.isinf(lags(nothing, 0)).any()
    empty = simulate(quiet(workload={"arrivals": {"rate": 1e-9}}), "cqrs")
    assert lags(empty, 0).size == 0


# Push or poll


def test_push_is_soonest_and_polls_add_a_uniform_part_of_their_interval(found: Lags) -> None:
    push, relay, poll = (found.quantile(option, 0.5).mean for option in (PUSH, RELAY, POLL))
    assert push < relay < poll
    waits = quiet(workload={"arrivals": {"rate": 20}}, duration=20)
    calm = push_or_poll(waits, "billing", poll_interval="400ms", replications=20, jobs=1)
    for option, most in ((RELAY, 0.1), (POLL, 0.4)):
        shares = [float(np.mean(run > most / 2)) for run in calm.runs[option]]
        assert all(run.max() <= most for run in calm.runs[option])
        error = np.std(shares, ddof=1) / np.sqrt(20)
        assert abs(np.mean(shares) - 0.5) <= 3.5 * error, "uniform over the interval"
        assert error <= 0.05 / 3


def test_only_a_relay_loses_nothing() -> None:
    late = busy(broker={"outages": {"windows": [[50, 70]]}}, source={"producer": {"retries": 0}})  # no next change heals the last ones
    direct = push_or_poll(late, "billing", replications=2, jobs=1)
    assert direct.missed(PUSH, 1e9).mean > 0
    assert direct.missed(RELAY, 1e9).mean == 0


def test_curves_fall_and_end_at_what_never_comes(found: Lags) -> None:
    for option, rows in found.curves().groupby("option"):
        assert rows["mean"].is_monotonic_decreasing
        assert rows["mean"].iloc[0] == 1
        assert ((rows["low"] <= rows["mean"]) & (rows["mean"] <= rows["high"])).all()
        assert rows["mean"].iloc[-1] == np.mean([np.mean(np.isinf(run)) for run in found.runs[option]])


def test_an_event_store_is_read_by_subscription() -> None:
    found = push_or_poll(busy(), "billing", "event_sourcing_cqrs", replications=1, jobs=1)
    assert set(found.patterns.values()) == {"event_sourcing_cqrs"}
    assert found.quantile(RELAY, 0.5).mean > found.quantile(PUSH, 0.5).mean


def test_what_has_no_projection_is_refused() -> None:
    for pattern in ("request_response", "polling"):
        with pytest.raises(InputError, match="has no projection"):
            push_or_poll(busy(), "billing", pattern)
    with pytest.raises(InputError, match="consumer nobody is not in the scenario"):
        push_or_poll(busy(), "nobody")


def test_the_finding_names_each_way(found: Lags) -> None:
    lines = how_late(found).splitlines()
    assert [line.split("`")[1] for line in lines] == [PUSH, RELAY, POLL]
    assert all("whoever reads back after 200 ms misses " in line for line in lines)
    broken = push_or_poll(busy(broker={"outages": {"windows": [[0, 59]]}}, source={"producer": {"retries": 0}}), "billing", replications=1)
    assert "99 of 100 not even when the run ends" in how_late(broken)


# Three ways to read what one wrote


def test_asking_the_source_costs_a_request_for_each_change_and_waiting_none() -> None:
    comparison = three_ways(busy(), own_after="30ms", replications=3, jobs=1)
    results = comparison.results.set_index(["option", "metric", "consumer", "component"])["mean"]
    misses = {own: results[own, "read_your_writes_miss_rate", "billing", ""] for own in ("usual", "source", "wait")}
    assert misses["usual"] > misses["wait"] > misses["source"] == 0
    asked = {own: results[own, "source_requests_per_s", "", ""] for own in ("usual", "source", "wait")}
    assert asked["wait"] == asked["usual"]
    assert asked["source"] - asked["usual"] == pytest.approx(2 * asked["usual"], rel=0.01), "each of two consumers reads each change back"
    busier = results["source", "source_utilisation", "", ""] - results["usual", "source_utilisation", "", ""]
    assert busier == pytest.approx(2 * asked["usual"] * 0.004 / 2, rel=0.01), "requests x read_time / servers"
    table = ways_table(comparison)
    assert table.index.tolist() == ["usual", "source", "wait"]
    assert table.loc["usual", "own read p99"] == table.loc["usual", "own read p99"].strip("0123456789")
    said = what_own_reads_cost(comparison)
    assert "missed 30 ms after its commit" in said
    times = re.search(r"It asks the source ([\d.]+) times a second more", said)
    assert times
    assert float(times[1]) == pytest.approx(asked["source"] - asked["usual"], rel=0.01)
    assert "percentage points busier" in said
    assert "**Waiting** for at most 2 s misses " in said


def test_nobody_reads_back_is_said() -> None:
    calm = three_ways(quiet(workload={"arrivals": {"rate": 1e-9}}), replications=2, jobs=1)
    assert "Nobody reads back" in what_own_reads_cost(calm)
    picture = figures.projection_lag(push_or_poll(quiet(workload={"arrivals": {"rate": 1e-9}}), "billing", replications=2, jobs=1))
    assert "no change in the window" in picture.alt


# The figure


def test_words_do_not_collide_and_can_be_read(picture: Picture) -> None:
    assert collisions(picture) == []
    assert min(text.get_fontsize() for text in words_of(picture) if text.get_text()) >= 6


def test_ways_are_named_told_apart_without_colour_and_own_after_is_marked(picture: Picture, found: Lags) -> None:
    axes = picture.figure.axes[0]
    shown = [text.get_text() for text in words_of(picture)]
    assert all(option in shown and f"{option}: half within " in picture.alt for option in found.runs)
    lines = [line for line in axes.lines if len(line.get_xdata()) > 20]
    assert len({line.get_linestyle() + str(line._unscaled_dash_pattern) for line in lines}) == 3
    upright = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "None" and len(set(line.get_xdata())) == 1]
    assert upright == [0.2]
    assert axes.get_xlabel() == "time from the commit to reading back"


def test_the_title_says_who_misses_how_much(picture: Picture, found: Lags) -> None:
    title = picture.figure._suptitle.get_text().replace("\n", " ")
    assert title.startswith("busy: who reads back 200 ms after the commit misses ")
    assert "(consumers-poll) at billing" in title


def test_the_same_lags_give_the_same_bytes(picture: Picture, found: Lags) -> None:
    assert figures.projection_lag(found).png == picture.png
