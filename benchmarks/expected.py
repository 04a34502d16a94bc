"""What queueing theory says of the yardsticks' work, and how far a simulated mean is from it."""

from typing import NamedTuple

import numpy as np
import textbook_simpy as work
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BATCHES = 20  # of each run: a batch is many times as long as a queue takes to forget


class Expected(NamedTuple):
    """The mean latency of a delivery in theory, in seconds, and how exact that is."""

    mean: float
    words: str


class Check(NamedTuple):
    """A simulated mean latency and its standard error, by batch means (seconds), beside theory."""

    mean: float
    error: float
    expected: float

    def __str__(self) -> str:
        misses = self.mean - self.expected
        return f"{self.mean:.4f} s, {misses:+.4f} +- {self.error:.4f} from theory ({abs(misses) / self.error:.1f} standard errors)"


def checked(runs: list[Floats], expected: Expected) -> Check:
    """Hold runs, each given by its batch means, against theory."""
    means = np.concatenate(runs)
    return Check(float(means.mean()), float(means.std(ddof=1) / np.sqrt(means.size)), expected.mean)


def batch_means(latencies: Floats) -> Floats:
    """Mean latencies of a run's batches, shape (BATCHES,). *latencies* has shape (groups, messages), messages about in the order of time.

    Groups that read the same messages are not independent, so they share a batch.
    """
    size = latencies.shape[1] // BATCHES
    return np.asarray(latencies[:, : size * BATCHES].reshape(-1, BATCHES, size).mean(axis=(0, 2)))


def expected_of_queue() -> Expected:
    """W1 is M/M/1, exactly."""
    mean = 1 / (work.QUEUE_SERVICE_RATE - work.QUEUE_ARRIVAL_RATE)
    return Expected(mean, f"{mean:.4f} s, exact (M/M/1)")


def expected_of_log() -> Expected:
    """W2, from the shares that the partition rule gives.

    If no message waited to be appended, each instance would see its Poisson stream one append time later, and be an exact M/M/1 queue.
    Messages do wait to be appended, which can only delay what an instance ends, so this is a lower bound, exactly. The wait (M/D/1,
    Pollaczek and Khinchine) is short, and most of it is made up for, since it also spaces messages out: recursions.py finds that it adds
    2 +- 2 microseconds to the mean latency, on the same draws.
    """
    rates = np.array(work.partition_rates())
    instances = np.bincount([work.owner_of(number) for number in range(work.PARTITIONS)], rates)
    mean = work.APPEND_TIME + float(np.average(1 / (work.HANDLING_RATE - instances), weights=instances))
    load = rates * work.APPEND_TIME
    wait = float(np.average(work.APPEND_TIME * load / (2 * (1 - load)), weights=rates))
    words = (
        f"{mean:.5f} s (M/M/1 in each instance, loads {', '.join(f'{rate / work.HANDLING_RATE:.2f}' for rate in instances)}), "
        f"exact but for waiting to be appended, on average {wait:.5f} s"
    )
    return Expected(mean, words)
