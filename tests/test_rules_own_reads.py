"""The rules of own reads: how whoever wrote a change reads it back, and what that costs. A test a rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_properties import scenarios
from tiny import merged, played, quiet, value

from edasim import PRESETS, Journal, Scenario, measure, simulate
from edasim.journal import NONE, REQUESTS
from edasim.theory import source_work

LATE = {"latency": {"publish": 3, "deliver": 0, "call": 0}}  # a copy is three seconds behind
PATIENT = {"producer": {"ack_timeout": "1h"}}  # nothing is sent twice
MISSES = "read_your_writes_miss_rate"


def written(folder: Path, times: list[float], own: str, pattern: str = "cqrs", **changes: Any) -> Journal:
    """One change at each of *times*, each read back a second later, unless *changes* say when."""
    return played(folder, times, pattern, **merged({"workload": {"reads": {"own": own}}, "source": PATIENT}, changes))


def latencies(journal: Journal) -> list[float | None]:
    """Of each own read but that of the first change, in seconds; None: no answer in time."""
    return [None if np.isnan(taken) else round(taken, 9) for taken in journal.frame("own_reads")["latency"].tolist()[1:]]


def busy(**changes: Any) -> Scenario:
    """Twenty changes a second for 100 s, with copies that lag and a source that takes its time."""
    usual = {
        "workload": {"arrivals": {"rate": 20}, "reads": {"rate": 5}},
        "source": {"write_time": "2ms", "read_time": "3ms", "servers": 2, **PATIENT},
        "network": {"latency": {"dist": "exponential", "mean": "200ms"}},
        "consumers": [{"name": "billing", "handle_time": "10ms"}, {"name": "quota", "handle_time": "1ms"}],
    }
    return quiet(**merged(usual, changes))


def test_an_own_read_that_the_end_of_the_run_cuts_short_is_none(tmp_path: Path) -> None:
    for drain, rows in (("1s", 1), ("100s", 2)):  # the change at time 0 and the one at 99 s; a second to look, two to give up
        journal = written(tmp_path, [99.0], "source", drain=drain)
        assert journal.own_reads["change"].size == rows
        assert value(journal, MISSES) == 0


# The usual way


def test_the_usual_own_read_loads_nothing_and_leaves_no_rows(tmp_path: Path) -> None:
    journal = written(tmp_path, [10.0], "usual", network=LATE)
    assert journal.own_reads["change"].size == 0
    assert set(journal.frame("requests")["kind"]) == {"write"}
    assert value(journal, MISSES) == 1
    assert not [found.metric for found in measure(journal) if found.metric.startswith("own_read_latency")]


# From the source


def test_an_own_read_at_the_source_is_a_request_that_waits_its_turn(tmp_path: Path) -> None:
    # asked at 11.0 and 11.1, there at 11.5 and 11.6, served 11.5 to 11.7 and, by the one server, 11.7 to 11.9; half a second back
    calls = {"latency": {"publish": 3, "deliver": 0, "call": 0.5}}
    journal = written(tmp_path, [10.0, 10.1], "source", network=calls, source={"servers": 1, "read_time": 0.2})
    assert latencies(journal) == [1.2, 1.3]
    asked = journal.frame("requests").query("kind == 'read'").iloc[1:]
    assert asked["time"].round(9).tolist() == [11.0, 11.1]
    assert asked["service"].tolist() == [0.2, 0.2]
    assert value(journal, MISSES) == 0, "the source shows it, the copy would not"
    assert value(journal, "own_read_latency_mean") == pytest.approx((1.2 + 1.2 + 1.3) / 3)


def test_an_own_read_at_the_source_misses_only_without_an_answer_in_time(tmp_path: Path) -> None:
    slow = {"read_time": 2.5, "servers": 9}
    assert latencies(written(tmp_path, [10.0], "source", source=slow)) == [None]
    assert latencies(written(tmp_path, [10.0], "source", source=slow, workload={"reads": {"timeout": 2.5}})) == [2.5]
    down = {"outages": {"windows": [[10.5, 12.5]]}}
    journal = written(tmp_path, [10.0, 20.0], "source", source=down)
    assert latencies(journal) == [None, 0]
    assert value(journal, MISSES) == pytest.approx(1 / 3)


def test_an_own_read_that_the_source_refused_is_tried_again_as_others_are(tmp_path: Path) -> None:
    down = {"outages": {"windows": [[10.5, 12.5]]}}
    again = {"workload": {"reads": {"retries": 3}}, "consumers": [{"name": "billing", "handle_time": 0, "backoff": "0.7s"}]}
    journal = written(tmp_path, [10.0], "source", source=down, **again)
    assert latencies(journal) == [2.1], "asked at 11, 11.7, 12.4, and at 13.1 answered"
    assert journal.frame("requests").query("kind == 'read'")["ok"].tolist()[1:] == [False, False, False, True]


def test_own_reads_load_an_entity_from_its_events() -> None:
    for pattern in ("event_sourcing_cqrs", "event_sourcing"):
        usual, source = (simulate(busy(workload={"reads": {"own": own}}), pattern) for own in ("usual", "source"))
        loads = [(journal.frame("loads")["kind"] == "read").sum() for journal in (usual, source)]
        assert loads[1] - loads[0] == source.own_reads["change"].size == 2 * (source.changes["committed"] != NONE).sum()


@pytest.mark.parametrize("pattern", ["cqrs", "event_notification", "request_response", "cached_reads", "polling"])
def test_own_reads_at_the_source_ask_it_once_for_each_consumer_whoever_answers_other_reads(pattern: str) -> None:
    usual, source = (simulate(busy(workload={"reads": {"own": own}}), pattern) for own in ("usual", "source"))
    start, end = source.facts["window"]
    looks = source.changes["committed"][source.own_reads["change"]] + source.facts["own_after"]
    asked = np.count_nonzero((looks >= start) & (looks < end))
    assert asked == pytest.approx(2 * 20 * 99, abs=3.5 * 2 * np.sqrt(20 * 99)), "from two consumers, of changes a second before"
    more = asked * 0.003 / 100 / 2  # requests x read_time / duration / servers
    kind = REQUESTS.index("read")
    if pattern in ("cqrs", "request_response", "polling"):  # elsewhere a slower source also shifts call backs, or what a cache holds
        assert value(source, "source_utilisation") - value(usual, "source_utilisation") == pytest.approx(more, abs=1e-12)
        reads = [np.count_nonzero((j.requests["kind"] == kind) & (j.requests["time"] < end)) for j in (usual, source)]
        assert reads[1] - reads[0] == asked
    else:
        assert value(source, "source_utilisation") - value(usual, "source_utilisation") == pytest.approx(more, rel=0.02)


def test_own_reads_at_the_source_are_in_the_work_by_hand() -> None:
    for pattern, consumers in (("cqrs", 2), ("request_response", 2), ("event_notification", 1)):  # one of the two only reacts to notices
        usual, source = (
            busy(workload={"reads": {"own": own}}).with_overrides({"consumers.quota.on_notice": "react"}) for own in ("usual", "source")
        )
        assert source_work(source, pattern, 20) - source_work(usual, pattern, 20) == pytest.approx(consumers * 20 * 0.003)


def test_the_reads_of_everybody_else_keep_their_luck() -> None:
    usual, source, wait = (simulate(busy(workload={"reads": {"own": own}}), "cqrs") for own in ("usual", "source", "wait"))
    for journal in (source, wait):
        assert np.array_equal(journal.changes["time"], usual.changes["time"])
        for name in ("time", "entity", "latency"):
            assert np.array_equal(journal.reads[name], usual.reads[name]), "a read model does not notice"
    assert all(np.array_equal(wait.changes[name], usual.changes[name]) for name in usual.changes)


# Waiting


def test_an_own_read_waits_until_the_copy_holds_the_change(tmp_path: Path) -> None:
    # committed at 10, read back at 11, there at 13
    assert latencies(written(tmp_path, [10.0], "wait", network=LATE)) == [2.0], "answered at the very timeout"
    assert latencies(written(tmp_path, [10.0], "wait", network=LATE, workload={"reads": {"timeout": 1.9}})) == [None]
    journal = written(tmp_path, [10.0], "wait", network=LATE, workload={"reads": {"own_after": 4}})
    assert latencies(journal) == [0], "it was there before"
    assert set(journal.frame("requests")["kind"]) == {"write"}, "waiting asks nobody"


def test_a_newer_version_ends_the_wait_too(tmp_path: Path) -> None:
    lost = {"kind": "pubsub", "outages": {"windows": [[9.9, 10.5]]}}
    journal = written(tmp_path, [10.0, 12.0], "wait", broker=lost, source={"producer": {"retries": 0}})
    assert journal.frame("deliveries")["outcome"].tolist()[1:] == ["lost_broker", "applied"]
    assert latencies(journal) == [1.0, 0.0], "from 11 to 12, when the next change brings the whole entity"


def test_what_a_consumer_reads_at_the_source_is_there_at_once_and_who_reads_nothing_does_not_wait(tmp_path: Path) -> None:
    journal = written(tmp_path, [10.0], "wait", "request_response")
    assert journal.own_reads["change"].size == 0
    assert [(found.value, found.nature) for found in measure(journal) if found.metric == MISSES] == [(0, "zero")]
    reacts = {"consumers": [{"name": "billing", "on_notice": "react"}]}
    for own in ("source", "wait"):
        journal = written(tmp_path, [10.0], own, "event_notification", **reacts)
        assert journal.own_reads["change"].size == 0


@pytest.mark.parametrize("pattern", PRESETS)
@pytest.mark.parametrize("apply", ["newest_version", "last_arrival"])
def test_waits_end_at_the_first_moment_at_which_a_read_would_show_the_change(pattern: str, apply: str) -> None:
    scenario = busy(
        duration=40,
        workload={"reads": {"own": "wait", "own_after": "100ms", "timeout": "800ms"}},
        source={"cache_ttl": {"dist": "exponential", "mean": "500ms"}, "polling": {"interval": "3s"}},
        network={"loss": 0.1},
        consumers=[{"name": "billing", "handle_time": "10ms", "apply": apply, "on_gap": "ignore"}],
    )
    journal = simulate(scenario, pattern)
    if PRESETS[pattern].reads == "source":
        assert journal.own_reads["change"].size == 0
        return
    empty, rows = NONE if PRESETS[pattern].reads == "cache" else 0, journal.refreshes
    late = 0
    for change, latency in zip(journal.own_reads["change"], journal.own_reads["latency"], strict=True):
        look, wanted = int(journal.changes["committed"][change]) + 100_000_000, journal.changes["version"][change]
        mine = rows["entity"] == journal.changes["entity"][change]
        times, versions = rows["time"][mine], rows["version"][mine]
        moments = [look, *(int(time) for time in times if look < time <= look + 800_000_000)]
        held = [versions[times <= moment][-1] if (times <= moment).any() else empty for moment in moments]
        shown = [moment - look for moment, version in zip(moments, held, strict=True) if version >= wanted or version == NONE]
        assert latency == (shown[0] if shown else NONE)
        late += latency != 0
    assert late > 20, "some had to wait"


# Everywhere


def test_with_several_regions_an_own_read_goes_to_the_one_that_wrote_the_change() -> None:
    random = {"outages": {"up": {"dist": "exponential", "mean": 10}, "down": {"dist": "exponential", "mean": 5}}}
    asked = {"arrivals": {"rate": 20}, "regions": 2, "reads": {"rate": 0, "own": "source"}}
    journal = simulate(quiet(workload=asked, source=random, network={"latency": {"publish": 9, "deliver": 0, "call": 0}}), "cqrs")
    looks = journal.changes["committed"][journal.own_reads["change"]] + journal.facts["own_after"]
    faults, names = journal.faults, journal.facts["components"]["faults"]
    for region, name in enumerate(("source", "source 1")):
        mine = journal.changes["region"][journal.own_reads["change"]] == region
        spans = faults["component"] == names.index(name)
        down = ((looks[:, None] >= faults["start"][spans]) & (looks[:, None] < faults["end"][spans])).any(axis=1)
        assert 0 < down[mine].sum() < mine.sum()
        assert np.array_equal(journal.own_reads["latency"][mine] == NONE, down[mine]), "nobody else's outage matters"


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    pattern=st.sampled_from([name for name, preset in PRESETS.items() if preset.reads != "source"]),
    kind=st.sampled_from(["log", "queue", "pubsub"]),
    own_after=st.sampled_from([0, 0.05, 1]),
)
def test_who_waits_long_enough_always_reads_what_it_wrote(seed: int, pattern: str, kind: str, own_after: float) -> None:
    patient = {"reads": {"own": "wait", "own_after": own_after, "timeout": "90s"}}
    short = {"cache_ttl": "5s", "polling": {"interval": "10s"}}
    journal = simulate(busy(seed=seed, duration=10, workload=patient, source=short, broker={"kind": kind}), pattern)
    assert journal.own_reads["change"].size == 2 * journal.changes["time"].size > 0
    assert not (journal.own_reads["latency"] == NONE).any()


@settings(max_examples=60)
@given(scenario=scenarios(), pattern=st.sampled_from([*PRESETS]), own=st.sampled_from(["source", "wait"]), retries=st.integers(0, 3))
def test_every_committed_change_is_read_back_once_by_each_reader_in_time_or_not_at_all(
    scenario: Scenario, pattern: str, own: str, retries: int
) -> None:
    asked = scenario.with_overrides({"workload.reads.own": own, "workload.reads.retries": retries})
    journal = simulate(asked, pattern)
    not_asked = {"source": ["nothing"], "wait": ["nothing", "source"]}[own]
    readers = sum(reads not in not_asked for reads in journal.facts["reads"])
    timeout, backoff = asked.workload.reads.timeout, max(consumer.backoff for consumer in asked.consumers)
    most = timeout if own == "wait" else (retries + 1) * timeout + retries * backoff
    committed = journal.changes["committed"][journal.changes["committed"] != NONE] / 1e9
    in_time = committed + asked.workload.reads.own_after + most <= journal.facts["horizon"] / 1e9 if own == "source" else committed >= 0
    assert journal.own_reads["change"].size == readers * np.count_nonzero(in_time)
    answered = journal.own_reads["latency"][journal.own_reads["latency"] != NONE]
    assert np.all((answered >= 0) & (answered <= most * 1e9 + 1))
