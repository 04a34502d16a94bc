"""How many servers each side needs: Erlang's formula against sums and a queue of its own, the simulation against both."""

from heapq import heapreplace
from math import exp, factorial, inf, isnan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import merged, quiet

from edasim import InputError, Scenario, measure, simulate
from edasim.studies.sizing import how_each_side_scales, servers_needed, servers_table
from edasim.studies.split import READS, at_load, only_queues
from edasim.theory import erlang_c, servers_by_erlang, takes_longer

MODEL: dict[str, Any] = {
    "workload": {"arrivals": {"rate": 20}, "reads": {"rate": 50}, "entities": {"count": 50}},
    "source": {"write_time": {"dist": "exponential", "mean": "20ms"}, "read_time": {"dist": "exponential", "mean": "20ms"}},
    "read_model": {"read_time": {"dist": "exponential", "mean": "20ms"}},
}


def model(**changes: object) -> Scenario:
    """20 changes a second; whatever is asked takes 20 ms on average, exponentially."""
    return quiet(**merged(MODEL, changes))


# Erlang's formula


@pytest.mark.parametrize(("servers", "load"), [(1, 0.3), (2, 1.7), (5, 4.0), (12, 9.5)])
def test_erlangs_recursion_is_his_sum(servers: int, load: float) -> None:
    waiting = load**servers / factorial(servers) * servers / (servers - load)
    assert erlang_c(servers, load) == pytest.approx(waiting / (sum(load**k / factorial(k) for k in range(servers)) + waiting))


def test_a_queue_without_end_is_refused() -> None:
    for servers, load in ((2, 2.0), (0, 0.0), (3, -1.0)):
        with pytest.raises(InputError, match="load"):
            erlang_c(servers, load)


@pytest.mark.parametrize(("servers", "load", "limit"), [(2, 1.4, 0.06), (3, 2.0, 0.05), (4, 2.5, 0.08)])
def test_as_many_take_longer_as_in_a_queue_simulated_here(servers: int, load: float, limit: float) -> None:
    """Twenty-five runs of 20,000 requests each, and the case servers = load + 1, in which the formula has a limit of its own."""
    shares = []
    for run in range(25):
        rng = np.random.default_rng(run)
        arrivals = np.cumsum(rng.exponential(0.02 / load, 22_000))
        service = rng.exponential(0.02, arrivals.size)
        free, took = [0.0] * servers, np.empty(arrivals.size)
        for request in range(arrivals.size):
            done = max(arrivals[request], free[0]) + service[request]
            heapreplace(free, done)
            took[request] = done - arrivals[request]
        shares.append(np.mean(took[2000:] > limit))
    expected, error = takes_longer(servers, load, 0.02, limit), np.std(shares, ddof=1) / 5
    assert abs(np.mean(shares) - expected) <= 3.5 * error
    assert error <= 0.05 * expected / 3


def test_the_least_number_by_hand_keeps_the_limit_and_one_fewer_does_not() -> None:
    for load in (0.5, 3.0, 10.0, 40.0):
        servers = int(servers_by_erlang(load, 0.02, 0.1))
        assert takes_longer(servers, load, 0.02, 0.1) <= 0.01
        assert servers - 1 <= load or takes_longer(servers - 1, load, 0.02, 0.1) > 0.01
    assert servers_by_erlang(3.0, 0.02, 0.02 * 4.6) == inf, "service alone takes longer than that for more than 1 %"
    assert exp(-4.6) > 0.01


# Simulated


@pytest.fixture(scope="module")
def needed() -> pd.DataFrame:
    return servers_needed(model(), [50, 150, 400], limit="105ms", replications=6, jobs=2)


def test_where_service_is_exponential_the_simulation_needs_as_many_as_erlang_says(needed: pd.DataFrame) -> None:
    by_hand = [servers_by_erlang(rate * 0.02, 0.02, 0.105) for rate in (50, 150, 400)]
    for rate, servers in zip((50, 150, 400), by_hand, strict=True):  # cases in which the formula is not close to the edge
        assert takes_longer(int(servers), rate * 0.02, 0.02, 0.105) < 0.009
        assert servers - 1 <= rate * 0.02 or takes_longer(int(servers) - 1, rate * 0.02, 0.02, 0.105) > 0.011
    assert needed["read_model_by_hand"].tolist() == by_hand
    assert needed["read_model"].tolist() == by_hand
    assert needed["write_side"].tolist() == needed["write_side_by_hand"].tolist() == [servers_by_erlang(0.4, 0.02, 0.105)] * 3


def test_the_least_simulated_keeps_the_limit_and_one_fewer_does_not(needed: pd.DataFrame) -> None:
    for rate, servers in zip(needed["reads_per_s"], needed["read_model"].astype(int), strict=True):
        found = []
        for count in (servers, servers - 1):
            scenario = at_load(only_queues(model(read_model={"servers": max(1, count)})), (1e-9, rate), 1.0)
            p99 = [
                value.value for run in range(6) for value in measure(simulate(scenario, "cqrs", replication=run)) if value.metric == READS
            ]
            found.append(np.mean(p99))
        assert found[0] <= 0.105
        assert found[1] > 0.105 or servers - 1 <= rate * 0.02


def test_the_write_side_does_not_grow_with_reads_and_one_pool_does(needed: pd.DataFrame) -> None:
    assert needed["write_side"].nunique() == 1
    assert needed["shared"].is_monotonic_increasing
    assert needed["shared"].iloc[-1] >= needed["read_model"].iloc[-1]
    total = needed["read_model"] + needed["write_side"]
    assert (needed["shared"] <= total).all(), "at equal service times one pool needs no more than two"


def test_each_of_several_consumers_has_its_own_servers_and_one_pool_serves_all() -> None:
    two = model(consumers=[{"name": "billing", "handle_time": 0}, {"name": "quota", "handle_time": 0}])
    found = servers_needed(two, [150], limit="105ms", replications=3, jobs=1).iloc[0]
    assert found["consumers"] == 2
    assert found["read_model"] == servers_by_erlang(3.0, 0.02, 0.105)
    assert found["shared"] > 6.4, "20 changes and 300 reads a second"


def test_constant_service_has_no_formula_and_needs_fewer() -> None:
    found = servers_needed(model(read_model={"read_time": "20ms"}), [400], limit="105ms", replications=2, jobs=1).iloc[0]
    assert isnan(found["read_model_by_hand"])
    assert 8 < found["read_model"] < servers_by_erlang(8.0, 0.02, 0.105)


def test_by_default_multiples_of_todays_reads_are_looked_at() -> None:
    quick = model(source={"read_time": "1ms", "write_time": "1ms"}, read_model={"read_time": "1ms"})
    found = servers_needed(quick, limit="50ms", replications=1, jobs=1)
    assert found["reads_per_s"].tolist() == [50, 500, 5000, 50_000]
    assert servers_needed(model(workload={"reads": {"rate": 0}}), limit=1, replications=1, jobs=1).empty


# Limits


def test_the_limit_is_what_the_scenario_requires_or_else_what_is_given() -> None:
    required = model(
        requirements=[{"metric": READS, "at_most": "80ms"}, {"metric": READS, "at_most": "0.05"}, {"metric": "loss_rate", "at_most": 0}]
    )
    assert servers_needed(required, [50], limit="1s", replications=1, jobs=1)["limit_s"].tolist() == [0.05]
    assert servers_needed(model(), [50], limit="1s", replications=1, jobs=1)["limit_s"].tolist() == [1.0]
    with pytest.raises(InputError, match="limit: give one: the scenario has no requirement on read_latency_p99"):
        servers_needed(model(), [50])
    with pytest.raises(InputError, match="limit"):
        servers_needed(model(), [50], limit="soon")
    with pytest.raises(InputError, match="rates"):
        servers_needed(model(), [0], limit=1)


def test_no_number_is_enough_where_service_alone_takes_too_long() -> None:
    found = servers_needed(model(), [50], limit="40ms", replications=2, jobs=1)
    assert found["read_model"].tolist() == found["read_model_by_hand"].tolist() == [inf]
    assert "none is enough (none is enough by hand)" in servers_table(found).iloc[0].tolist()


# In words


def test_the_table_has_servers_of_each_side_and_in_all(needed: pd.DataFrame) -> None:
    table = servers_table(needed)
    first = needed.iloc[0]
    assert table["reads per change"].tolist() == ["2.5", "7.5", "20"]
    assert table["read model"].iloc[0] == f"{first['read_model']:.0f} ({first['read_model_by_hand']:.0f} by hand)"
    assert table["split in all"].iloc[0] == f"{first['read_model'] + first['write_side']:.0f}"


def test_the_finding_says_how_each_side_grows(needed: pd.DataFrame) -> None:
    said = how_each_side_scales(needed)
    assert said.startswith("To keep p99 of a read within 105 ms, 2.5 to 20 reads per change take ")
    assert said.endswith("Erlang's formula gives the same number for the read model at 3 of 3 rates.")
    assert "Nobody reads" in how_each_side_scales(needed.iloc[:0])
