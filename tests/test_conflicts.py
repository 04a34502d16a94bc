"""Writes in several regions that did not know of each other, and what each resolution makes of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import quiet, recorded, value

from edasim import Journal, measure, simulate
from edasim.journal import NONE
from edasim.mergeable import Counter
from edasim.metrics.conflicts import conflicting, lost_by_merging

STATE = "event_carried_state_transfer"


def in_turn(folder: Path, times: list[float], regions: list[int], *, delay: float, skew: float = 0.0) -> list[list[bool]]:
    """Changes of one entity at these *times* in these *regions*: which are concurrent, lost, and handed to a person."""
    journal = simulate(
        recorded(
            folder,
            times,
            workload={"regions": {"shares": [0.5, 0.5], "clock_skew": skew}},
            network={"latency": {"publish": delay, "deliver": 0, "call": 0}},
        ),
        STATE,
    )
    written = dict(journal.changes) | {"region": np.array([0, *regions])}
    known = [(change, 1 - region, round((time + delay) * 1e9)) for change, (time, region) in enumerate(zip(times, regions, strict=True), 1)]
    exchanges = pd.DataFrame([(0, 1, round(delay * 1e9)), *known], columns=["change", "region", "known"])
    facts = {name: getattr(journal, name) for name in journal.__dataclass_fields__}
    found = conflicting(Journal(**facts | {"changes": written, "exchanges": {name: exchanges[name].to_numpy() for name in exchanges}}))
    return [flags[1:].tolist() for flags in found]


def test_the_last_of_two_concurrent_writes_wins_and_it_is_the_one_a_person_is_shown(tmp_path: Path) -> None:
    concurrent, lost, detected = in_turn(tmp_path, [10.0, 10.5], [0, 1], delay=1)
    assert (concurrent, lost, detected) == ([True, True], [True, False], [False, True])


def test_a_write_that_knows_the_other_replaces_it_knowingly(tmp_path: Path) -> None:
    assert in_turn(tmp_path, [10.0, 11.0], [0, 1], delay=1) == [[False, False]] * 3, "known when it commits"


def test_writes_of_one_region_never_conflict(tmp_path: Path) -> None:
    assert in_turn(tmp_path, [10.0, 10.1], [1, 1], delay=1) == [[False, False]] * 3


def test_a_clock_that_is_behind_loses_even_to_what_it_had_seen(tmp_path: Path) -> None:
    # region 1 writes at 10, region 0 knows it at 10.1 and replaces it at 10.2; its stamp says 9.7
    concurrent, lost, _ = in_turn(tmp_path, [10.0, 10.2], [1, 0], delay=0.1, skew=0.5)
    assert (concurrent, lost) == ([False, False], [False, True])


def several(**changes: Any) -> Journal:
    asked = {"arrivals": {"rate": 4}, "reads": {"rate": 0}, "entities": {"count": 3}, "regions": changes.pop("regions", 2)}
    return simulate(quiet(workload=asked, duration=50, **changes), STATE)


def one_by_one(journal: Journal) -> list[np.ndarray[Any, Any]]:
    """The definitions, pair by pair."""
    changes, skew = journal.changes, journal.facts["clock_skew"]
    known = {
        (change, region): time
        for change, region, time in zip(*(journal.exchanges[c].tolist() for c in ("change", "region", "known")), strict=True)
    }
    rows = list(zip(*(changes[c].tolist() for c in ("committed", "region", "entity")), strict=True))
    found = np.zeros((3, len(rows)), dtype=bool)

    def knows(late: int, early: int) -> bool:
        return known[early, rows[late][1]] <= rows[late][0]

    def stamp(row: tuple[int, int, int]) -> tuple[int, int]:
        return row[0] - (skew if row[1] == 0 else 0), row[1]

    for this, (time, region, entity) in enumerate(rows):
        for other, (then, there, what) in enumerate(rows):
            if there == region or what != entity or NONE in (time, then):
                continue
            concurrent = not knows(this, other) and not knows(other, this)
            found[0, this] |= concurrent
            found[1, this] |= not knows(other, this) and stamp(rows[other]) > stamp(rows[this])
            found[2, this] |= concurrent and (then, there) < (time, region)
    return list(found)


@settings(max_examples=25, deadline=None)
@given(
    regions=st.sampled_from([2, 3, 5]),
    skew=st.sampled_from([0.0, 0.1, 1.0]),
    latency=st.sampled_from([0.0, 0.2, {"dist": "exponential", "mean": 0.5}]),
    down=st.booleans(),
)
def test_counting_at_once_and_pair_by_pair_agree(regions: int, skew: float, latency: Any, down: bool) -> None:
    journal = several(
        regions={"shares": [1 / regions] * regions, "clock_skew": skew},
        network={"latency": {"publish": latency, "deliver": 0, "call": 0}},
        broker={"outages": {"windows": [[20, 25]]}} if down else {},
    )
    for fast, slow in zip(conflicting(journal), one_by_one(journal), strict=True):
        assert np.array_equal(fast, slow)


def test_a_mergeable_type_loses_none_where_the_last_writer_loses_many() -> None:
    journal = several(network={"latency": {"publish": {"dist": "exponential", "mean": 2}, "deliver": 0, "call": 0}})
    assert value(journal, "lost_update_rate") > 0.3
    assert lost_by_merging(journal) == 0
    # every change goes to the other region and to one consumer, with two totals of 8 bytes a region
    assert value(journal, "merge_bytes_per_s") == pytest.approx(journal.changes["time"].size / 50 * 2 * 2 * 16)


def test_a_merge_that_did_not_take_place_would_be_noticed() -> None:
    journal = several(network={"latency": {"publish": 1, "deliver": 0, "call": 0}})
    facts = {name: getattr(journal, name) for name in journal.__dataclass_fields__}
    last = journal.changes["region"].size - 1  # later states of the entity and region would bring an earlier one along
    kept = journal.exchanges["change"] != last
    cut = Journal(**facts | {"exchanges": {name: column[kept] for name, column in journal.exchanges.items()}})
    assert lost_by_merging(cut) == 1


writes = st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5)), max_size=12)


@given(writes=writes, data=st.data())
def test_a_mergeable_type_converges_whatever_the_order_and_duplication(writes: list[tuple[int, int]], data: st.DataObject) -> None:
    replicas, sent = [Counter.of(3)] * 3, []
    for region, amount in writes:
        replicas[region] = replicas[region].add(region, amount)
        sent.append(replicas[region])
    ends = []
    for replica in replicas:
        merged = replica
        for state in data.draw(st.permutations(sent)) + data.draw(st.lists(st.sampled_from(sent), max_size=5)) if sent else []:
            merged = merged.merge(state)
        ends.append(merged)
    assert ends[0] == ends[1] == ends[2]
    assert ends[0].value == sum(amount for _, amount in writes)
    assert ends[0].bytes == 3 * 16


def test_with_one_region_there_is_no_conflict_to_measure() -> None:
    assert not {v.metric for v in measure(simulate(quiet(), STATE))} & {"conflict_rate", "lost_update_rate", "merge_bytes_per_s"}
