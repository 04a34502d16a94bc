"""Both engines side by side: the fast path must find what the SimPy model finds, to the nanosecond."""

import numpy as np
import pytest

from edasim import Journal, Scenario, fast_path, simpy_model
from edasim.journal import COLUMNS
from edasim.luck import Luck
from edasim.patterns import Pattern
from edasim.workload import Workload


def assert_identical(one: Journal, other: Journal) -> None:
    """All facts but the engine's name, and every column of every table."""
    assert {**one.facts, "engine": ""} == {**other.facts, "engine": ""}
    for table, columns in COLUMNS.items():
        for column in columns:
            mine, theirs = getattr(one, table)[column], getattr(other, table)[column]
            assert mine.shape == theirs.shape, f"{table}.{column}: {mine.shape} rows and {theirs.shape}"
            different = np.flatnonzero(mine != theirs)
            assert not different.size, f"{table}.{column} differs from row {different[0]} on: {mine[different[0]]}, {theirs[different[0]]}"


@pytest.fixture
def both_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run of a test is made by both engines, which must agree."""
    fast = fast_path.simulate_run

    def agreed(scenario: Scenario, pattern: Pattern, workload: Workload, luck: Luck, option: str) -> Journal:
        found = fast(scenario, pattern, workload, luck, option)
        assert_identical(found, simpy_model.simulate_run(scenario, pattern, workload, luck, option))
        return found

    monkeypatch.setattr(fast_path, "simulate_run", agreed)
