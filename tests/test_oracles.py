"""The model against theory, through the public scenario interface.

Acceptance: at least 20 independent replications, |error| <= 3.5 standard errors, and the standard error at most a third of the
tolerance, so that a noisy test can't pass by being wide.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed

from edasim import Luck, Scenario, measure, simulate

ROWS = pd.read_csv(Path(__file__).parents[1] / "data" / "oracles" / "oracles.csv")
CUSTOMERS = {0.5: 40_000, 0.8: 170_000}  # per replication: enough for the tolerance, by Daley's asymptotic variance
REPLICATIONS = 24
QUANTITIES = {
    "mean sojourn W": lambda run, _: run["sojourn"].mean(),
    "mean wait Wq": lambda run, _: run["wait"].mean(),
    "P(sojourn>t)=exp(-(mu-lambda)t)": lambda run, p: (run["sojourn"] > p["t"]).mean(),
    "sojourn quantile": lambda run, p: np.quantile(run["sojourn"], p["q"]),
    "std dev of sojourn (=mean)": lambda run, _: run["sojourn"].std(),
}
TESTED = ROWS[ROWS["quantity"].isin(QUANTITIES)]


def accepted(estimates: list[float], value: float, tolerance: float) -> bool:
    """The acceptance rule; *tolerance* is relative."""
    assert len(estimates) >= 20
    error = abs(float(np.mean(estimates)) - value)
    standard_error = float(np.std(estimates, ddof=1)) / len(estimates) ** 0.5
    return error <= 3.5 * standard_error and standard_error <= tolerance * value / 3


def single_server(rate: float, customers: int) -> Scenario:
    """A log with one partition and one instance, exponential handling with mean 1 s and nothing else that takes time."""
    return Scenario(
        warmup=2000,
        duration=customers / rate,
        drain=1000,
        workload={"arrivals": {"rate": rate}, "entities": {"count": 1}, "reads": {"rate": 0}},
        source={"write_time": 0},
        network={"latency": 0},
        broker={"partitions": 1, "replicas": 1},
        consumers=[{"name": "server", "instances": 1, "handle_time": {"dist": "exponential", "mean": 1}}],
    )


def sojourns(rate: float, replication: int) -> dict[str, np.ndarray]:
    scenario = single_server(rate, CUSTOMERS[rate])
    journal = simulate(scenario, "event_carried_state_transfer", replication=replication)
    sojourn = (journal.deliveries["applied"] - journal.changes["committed"]) / 1e9
    counted = journal.changes["committed"] >= journal.facts["window"][0]
    service = np.array(Luck(scenario.seed, replication).times("handle server", scenario.consumers[0].handle_time, sojourn.size)) / 1e9
    return {"sojourn": sojourn[counted], "wait": (sojourn - service)[counted]}


@cache
def estimates(rate: float) -> dict[str, list[float]]:
    """Every tested row at this rate, estimated in each replication."""
    rows = [row for row in TESTED.itertuples() if json.loads(row.parameters)["lambda"] == rate]

    def one(replication: int) -> list[float]:
        run = sojourns(rate, replication)
        return [float(QUANTITIES[row.quantity](run, json.loads(row.parameters))) for row in rows]

    found = Parallel(n_jobs=2)(delayed(one)(replication) for replication in range(REPLICATIONS))
    return {row.id: [values[i] for values in found] for i, row in enumerate(rows)}


@pytest.mark.slow
@pytest.mark.parametrize("row", list(TESTED.itertuples()), ids=lambda row: row.id)
def test_a_log_consumer_with_one_partition_and_one_instance_is_an_mm1_queue(row) -> None:  # noqa: ANN001
    rate = json.loads(row.parameters)["lambda"]
    assert accepted(estimates(rate)[row.id], row.value, float(row.tolerance.rstrip("%")) / 100)


def test_every_oracle_row_is_tested_or_named_as_left_out() -> None:
    left_out = set(ROWS["id"]) - set(TESTED["id"])
    assert left_out == {"MM1-S1.6", "MM1-S2.6"}, "the asymptotic variance sizes runs, it is no output of one"


def test_a_noisy_estimate_is_not_accepted_for_being_wide() -> None:
    rng = np.random.default_rng(1)
    assert accepted(list(5 + 0.05 * rng.standard_normal(20)), 5, 0.02)
    assert not accepted(list(5 + 2 * rng.standard_normal(20)), 5, 0.02)
    assert not accepted(list(5.2 + 0.05 * rng.standard_normal(20)), 5, 0.02)


def test_a_short_mm1_run_is_already_close() -> None:
    latency = [
        v.value for r in range(20) for v in measure(simulate(single_server(0.5, 5000), "cqrs", replication=r)) if v.metric == "latency_mean"
    ]
    assert abs(np.mean(latency) - 2) <= 3.5 * np.std(latency, ddof=1) / 20**0.5
