"""Sensitivity: indices that are known by hand come out of the whole pipeline."""

from pathlib import Path

import numpy as np
import pytest
from tiny import recorded

from edasim import InputError, Scenario
from edasim.ranges import assumed
from edasim.studies.screening import (
    morris,
    morris_effects,
    morris_sample,
    sobol,
    sobol_indices,
    sobol_sample,
    what_causes_variance,
    what_screening_finds,
)
from edasim.studies.sensitivity import tornado, what_matters

TOLERANCE = 0.2  # of an index
ASSUMED = [
    {"path": "source.write_time", "range": ["1ms", "9ms"], "basis": "measured"},
    {"path": "source.read_time", "range": ["1ms", "5ms"], "basis": "guess"},
    {"path": "source.servers", "range": [2, 5], "basis": "guess"},
    {"path": "workload.state_bytes", "range": ["1kB", "9kB"], "basis": "guess"},
]


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """A change each second; by notifications the source is busy for (write_time + read_time) / servers of each."""
    changes = {"write_time": "5ms", "read_time": "3ms", "servers": 3}
    return recorded(tmp_path, [float(second) for second in range(1, 60)], source=changes, assumptions=ASSUMED)


def test_a_tornado_without_noise_is_the_arithmetic(scenario: Scenario) -> None:
    found = tornado(scenario, "event_notification", "source_utilisation", replications=2, jobs=1)
    busy = {bar.over.path: (bar.low.mean, bar.high.mean) for bar in found.bars}
    per = found.base.mean / (8 / 3)  # of a millisecond
    assert busy["source.write_time"] == pytest.approx((-4 / 3 * per, 4 / 3 * per))
    assert busy["source.read_time"] == pytest.approx((-2 / 3 * per, 2 / 3 * per))
    assert busy["source.servers"] == pytest.approx((8 / 2 * per - 8 / 3 * per, 8 / 5 * per - 8 / 3 * per))
    assert busy["workload.state_bytes"] == (0, 0)
    assert [bar.over.path for bar in found.bars][-1] == "workload.state_bytes"
    assert "**Measure `source.servers` before anything else**" in what_matters(found)
    assert "No clear effect: `workload.state_bytes`" in what_matters(found)


@pytest.mark.slow
def test_indices_of_a_product_are_those_by_hand_and_what_is_inert_is_screened_out(scenario: Scenario) -> None:
    """(w + r) / s with w uniform on 1..9, r on 1..5 and s one of 2, 3, 4, 5."""
    screened = morris(scenario, "event_notification", "source_utilisation", replications=1, trajectories=8, jobs=2)
    assert [each.path for each in screened.mattering] == ["source.write_time", "source.read_time", "source.servers"]
    found = sobol(screened, samples=256)
    share = 1 / np.arange(2, 6)
    w, r, mean = 64 / 12, 16 / 12, 8.0
    square = w + r + mean**2
    whole = square * np.mean(share**2) - (mean * share.mean()) ** 2
    first = np.array([w * share.mean() ** 2, r * share.mean() ** 2, mean**2 * share.var()]) / whole
    total = np.array([w * np.mean(share**2), r * np.mean(share**2), square * share.var()]) / whole
    for index, half, known in ((found.first, found.first_half, first), (found.total, found.total_half, total)):
        error = half / 1.96  # standard, by bootstrap
        assert np.all(np.abs(index - known) <= 3.5 * error)
        assert np.all(error <= TOLERANCE / 3)
    assert what_screening_finds(screened).startswith("**Measure `source.servers` before anything else**")
    assert what_causes_variance(found).startswith("**Measure `source.servers` before anything else**")


def test_the_glue_finds_the_indices_of_ishigami() -> None:
    """7 and 0.1 (Ishigami and Homma 1990): S1 = 0.3139, 0.4424, 0; ST = 0.5576, 0.4424, 0.2437."""
    places = sobol_sample(3, 2048, seed=0)
    x = np.pi * (2 * places - 1)
    first, _, total, _ = sobol_indices(3, np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]), seed=0)
    assert first == pytest.approx([0.3139, 0.4424, 0], abs=0.03)
    assert total == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.03)


def test_samples_come_from_their_seed_and_leave_the_global_state_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    one, other = (morris_effects(places, places.sum(axis=1), 0) for places in (morris_sample(3, 4, 0), morris_sample(3, 4, 0)))
    assert [part.tolist() for part in one] == [part.tolist() for part in other]
    assert one[0] == pytest.approx([1, 1, 1])
    indices = [sobol_indices(3, sobol_sample(3, 8, 0) @ np.arange(1.0, 4.0), 0) for _ in range(2)]
    assert [part.tolist() for part in indices[0]] == [part.tolist() for part in indices[1]]
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]


@pytest.mark.parametrize(("path", "ends"), [("source.serves", [1, 2]), ("source.servers", [0, 2]), ("broker.kind", ["log", "queue"])])
def test_an_assumption_about_nothing_or_beyond_what_is_allowed_is_refused(path: str, ends: list[object]) -> None:
    with pytest.raises(InputError, match="assumptions: "):
        assumed(Scenario(assumptions=[{"path": path, "range": ends, "basis": "guess"}]))
