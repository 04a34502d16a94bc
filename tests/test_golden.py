"""The four figures that all of this is for, compared with pictures of them that somebody has looked at.

After a change that is meant: ``pytest tests/test_golden.py --mpl-generate-path=tests/golden``, and look at each of them.
"""

from typing import Any

import pytest
from matplotlib.figure import Figure

from edasim import Scenario, figures
from edasim.requirements import limit_of
from edasim.studies.answers import freshness_curves
from edasim.studies.outages import loss_by_outage
from edasim.studies.rebuilding import replay_over_history
from edasim.studies.years import storage_over_years

# Antialiasing differs between versions of matplotlib's backend; a label that moves by its height is about 4.
looked_at = pytest.mark.mpl_image_compare(baseline_dir="golden", tolerance=2, savefig_kwargs={"dpi": 110}, deterministic=True)
RUNS: dict[str, Any] = {"replications": 3, "jobs": 1}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A small shop with one incident and a requirement for each figure."""
    return Scenario(
        name="corner-shop",
        warmup=10,
        duration=120,
        workload={"arrivals": {"rate": 8}, "entities": {"count": 200, "new_share": 0.1}, "reads": {"rate": 10}},
        consumers=[{"name": "billing"}],
        incidents=[{"name": "broker-restart", "component": "broker", "per_year": 12, "down": {"dist": "exponential", "mean": "20s"}}],
        requirements=[
            {"metric": "lost_per_incident", "at_most": 50},
            {"metric": "staleness_p99", "at_most": "2s"},
            {"metric": "storage_bytes", "at_most": "400GB"},
            {"metric": "rebuild_time", "at_most": "8h"},
        ],
    )


@looked_at
def test_loss_looks_as_it_did(scenario: Scenario) -> Figure:
    return figures.loss_against_outage(loss_by_outage(scenario, **RUNS)).figure


@looked_at
def test_staleness_looks_as_it_did(scenario: Scenario) -> Figure:
    return figures.freshness_curve(freshness_curves(scenario, "billing", **RUNS)).figure


@looked_at
def test_storage_looks_as_it_did(scenario: Scenario) -> Figure:
    return figures.storage_years(storage_over_years(scenario, **RUNS), limit_of(scenario, "storage_bytes")).figure


@looked_at
def test_replay_looks_as_it_did(scenario: Scenario) -> Figure:
    return figures.replay_against_history(replay_over_history(scenario, **RUNS), limit_of(scenario, "rebuild_time")).figure
