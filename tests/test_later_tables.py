"""Tables of a journal that are made when somebody looks at them, and loops that take the place of sorts."""

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim import Journal, Scenario, simulate
from edasim.compiled.ramps import ramps
from edasim.compiled.steps import behind
from edasim.journal import COLUMNS

SMALL = Scenario(duration=20, warmup=0, workload={"reads": {"rate": 5}})


def test_a_table_is_made_once_when_somebody_looks_at_it() -> None:
    journal, looks = simulate(SMALL, "cqrs"), list[str]()

    def storage() -> Any:
        looks.append("storage")
        return journal.storage

    again = Journal(journal.facts, **{name: storage if name == "storage" else getattr(journal, name) for name in COLUMNS})
    assert looks == []
    assert again.storage is again.storage
    assert looks == ["storage"]
    assert not again.storage["bytes"].flags.writeable
    with pytest.raises(AttributeError, match="nowhere"):
        _ = again.nowhere  # type: ignore[attr-defined]


def test_a_journal_that_goes_to_another_process_has_all_its_tables() -> None:
    journal = simulate(SMALL, "cqrs")
    found, expected = pickle.loads(pickle.dumps(journal)), simulate(SMALL, "cqrs")
    for name in COLUMNS:
        for column, values in getattr(expected, name).items():
            assert np.array_equal(getattr(found, name)[column], values), (name, column)


ends = st.tuples(st.sampled_from([0.0, 0.5, -1.0, 3.0]) | st.floats(-2, 1e6), st.floats(1e-6, 1e3), st.floats(0.1, 10))


@given(pieces=st.lists(ends, min_size=1, max_size=60), alike=st.booleans())
def test_ramps_are_added_up_in_the_order_of_their_ends(pieces: list[tuple[float, float, float]], alike: bool) -> None:
    low, length, mass = np.array(pieces).T.copy()
    low = np.full_like(low, 1e6) + np.arange(low.size)[::-1] * 1e-9 if alike else low
    high = low + length
    slope = mass / (high - low)
    ends, slopes = np.concatenate([low, high]), np.concatenate([slope, -slope])
    order = np.argsort(ends, kind="stable")
    ends, slopes = ends[order], np.cumsum(slopes[order])
    points, reached = added_up(low, high, mass, 2.0)
    assert points.tolist() == ends.tolist()
    assert reached.tolist() == (2.0 + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(ends))])).tolist()


def added_up(low: Any, high: Any, mass: Any, fresh: float) -> tuple[Any, Any]:
    """What `ramps` finds: points, and the mass up to each."""
    points, reached = np.empty(2 * low.size), np.empty(2 * low.size)
    ramps(low, high, mass, fresh, points, reached, (np.empty((points.size, 2)), np.empty((points.size, 2))))
    return points, reached


@given(events=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 6)), max_size=30), in_order=st.booleans())
def test_who_comes_after_a_newer_version_is_seen_in_any_order(events: list[tuple[int, int, int]], in_order: bool) -> None:
    rows = sorted(set(events), key=lambda event: event[2]) if in_order else events
    entity, time, version = np.array(rows, dtype=np.int64).reshape(-1, 3).T.copy()
    found = behind(entity, time, version)
    late = [any(e == entity[n] and t < time[n] and v > version[n] for e, t, v in rows) for n in range(len(rows))]
    assert found.tolist() == late
    assert all(a[2] <= b[2] for a, b in pairwise(rows)) or not in_order
