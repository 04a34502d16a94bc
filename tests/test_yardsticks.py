"""Claims about the yardsticks in benchmarks/: they do the work that queueing theory describes, or their speed would say nothing."""

from collections.abc import Callable

import numpy as np
import pytest
import recursions
import textbook_simpy
import tuned_simpy
from expected import Expected, batch_means, checked, expected_of_log, expected_of_queue

pytest.importorskip("cimba", reason="cimba has no wheel for this machine")
import cimba_models

MESSAGES, RUNS = 40_000, 3
QUEUE, LOG = expected_of_queue(), expected_of_log()


@pytest.mark.parametrize(
    ("run", "groups", "expected"),
    [
        pytest.param(lambda seed: list(textbook_simpy.run_queue(MESSAGES, seed)["latencies"].values()), 1, QUEUE, id="textbook queue"),
        pytest.param(lambda seed: list(textbook_simpy.run(MESSAGES, seed)["latencies"].values()), 2, LOG, id="textbook log"),
        pytest.param(lambda seed: [tuned_simpy.run_queue(MESSAGES, seed)], 1, QUEUE, id="tuned queue"),
        pytest.param(lambda seed: tuned_simpy.run_log(MESSAGES, seed), 2, LOG, id="tuned log"),
        pytest.param(lambda seed: cimba_models.run_queue(MESSAGES, seed), 1, QUEUE, id="cimba queue"),
        pytest.param(lambda seed: cimba_models.run_log(MESSAGES, seed), 2, LOG, id="cimba log"),
        pytest.param(lambda seed: recursions.bare_queue(recursions.queue_draws(MESSAGES, seed)) / 1e9, 1, QUEUE, id="loop queue"),
        pytest.param(lambda seed: recursions.bare_log(recursions.log_draws(MESSAGES, seed)) / 1e9, 2, LOG, id="loop log"),
    ],
)
def test_every_yardstick_does_the_work_of_theory(run: Callable[[int], list[list[float]]], groups: int, expected: Expected) -> None:
    latencies = [np.array(run(seed)) for seed in range(1, RUNS + 1)]
    assert {mine.shape for mine in latencies} == {(groups, MESSAGES)}
    found = checked([batch_means(mine) for mine in latencies], expected)
    assert abs(found.mean - found.expected) <= 3.5 * found.error
    assert found.error <= 0.1 * found.expected / 3


def test_the_bare_loop_takes_messages_of_two_partitions_as_they_are_appended() -> None:
    second = recursions.NANOSECONDS
    draws = recursions.LogDraws(
        produced=np.array([0, 0, second // 100]),
        partition=np.array([0, 0, 1]),  # the second waits for the first to be appended; the third does not, and overtakes it
        instance=np.array([0, 0, 0]),
        handling=np.full((2, 3), second),
        append=np.full(3, recursions.APPEND),
        nothing=np.zeros(3, dtype=np.int64),
    )
    latencies = [second + recursions.APPEND, 3 * second + recursions.APPEND, 2 * second + recursions.APPEND - second // 100]
    assert recursions.bare_log(draws).tolist() == [latencies] * 2
    assert recursions.edasim_log(draws).tolist() == [latencies] * 2


@pytest.mark.parametrize("work", ["W1", "W2"])
def test_edasims_stages_compute_what_the_bare_loop_computes(work: str) -> None:
    compute = recursions.WORK[work]
    draws = compute.draws(MESSAGES, 1)
    assert np.array_equal(compute.bare(draws), compute.edasim(draws))
