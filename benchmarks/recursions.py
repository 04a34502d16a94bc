"""Only the recursion: the draws of W1 and W2 as arrays, the bare loop over them, and edasim's own stages over the same.

python benchmarks/recursions.py   # what waiting to be appended adds to the mean latency in W2, on the same draws
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import lindley
import numpy as np
import textbook_simpy as work
from numpy.typing import NDArray

from edasim.fast_path import recursions as stages
from edasim.faults import NEVER

Ints = NDArray[np.int64]
NANOSECONDS = 1_000_000_000
APPEND = round(work.APPEND_TIME * NANOSECONDS)

PARTITION_OF = np.array([work.partition_of(key) for key in range(work.KEYS)])
INSTANCE_OF = np.array([work.owner_of(partition) for partition in range(work.PARTITIONS)])


class QueueDraws(NamedTuple):
    """W1: when each message is produced, and how long it is served; nanoseconds, shape (messages,). *nothing*: what edasim draws as 0."""

    produced: Ints
    service: Ints
    nothing: Ints


class LogDraws(NamedTuple):
    """W2: when each message is produced, its partition, the instance that reads it, (messages,); handling times, (groups, messages).

    *append* and *nothing*: edasim draws every time of a message, also those that are always the same or 0.
    """

    produced: Ints
    partition: Ints
    instance: Ints
    handling: Ints
    append: Ints
    nothing: Ints


def queue_draws(messages: int, seed: int) -> QueueDraws:
    """Draws of W1."""
    rng = np.random.default_rng(seed)
    produced = in_nanoseconds(np.cumsum(rng.exponential(1 / work.QUEUE_ARRIVAL_RATE, messages)))
    service = in_nanoseconds(rng.exponential(1 / work.QUEUE_SERVICE_RATE, messages))
    return QueueDraws(produced, service, _times(messages, 0))


def log_draws(messages: int, seed: int) -> LogDraws:
    """Draws of W2."""
    rng = np.random.default_rng(seed)
    produced = in_nanoseconds(np.cumsum(rng.exponential(1 / work.ARRIVAL_RATE, messages)))
    shares = np.array(work.weights()) / sum(work.weights())
    partition = PARTITION_OF[np.searchsorted(np.cumsum(shares)[:-1], rng.random(messages), side="right")]
    handling = in_nanoseconds(rng.exponential(1 / work.HANDLING_RATE, (len(work.GROUPS), messages)))
    return LogDraws(produced, partition, INSTANCE_OF[partition], handling, _times(messages, APPEND), _times(messages, 0))


def _times(messages: int, always: int) -> Ints:
    return np.full(messages, always, dtype=np.int64)


def in_nanoseconds(seconds: NDArray[np.float64]) -> Ints:
    """Whole nanoseconds."""
    return np.rint(seconds * NANOSECONDS).astype(np.int64)


def bare_queue(draws: QueueDraws) -> Ints:
    """Latencies in W1 by the bare loop, nanoseconds, shape (1, messages)."""
    return lindley.queue(draws.produced, draws.service)[np.newaxis]


def bare_log(draws: LogDraws) -> Ints:
    """Latencies in W2 by the bare loop, nanoseconds, shape (groups, messages)."""
    appended = lindley.append(draws.produced, draws.partition, work.PARTITIONS, APPEND)
    order = lindley.in_order(appended)
    return lindley.handle(draws.produced, appended, order, draws.instance, work.INSTANCES, draws.handling)


def edasim_queue(draws: QueueDraws) -> Ints:
    """Latencies in W1 by edasim's stages, nanoseconds, shape (1, messages)."""
    ended = _handled(draws.produced, draws.nothing, 1, draws.service, draws.nothing)
    return (ended - draws.produced)[np.newaxis]


def edasim_log(draws: LogDraws) -> Ints:
    """Latencies in W2 by edasim's stages, nanoseconds, shape (groups, messages)."""
    stored = stages.append(draws.produced, draws.partition, draws.append, np.zeros(work.PARTITIONS, np.int64))
    latencies = np.empty_like(draws.handling)
    for group, handling in enumerate(draws.handling):
        available = stages.deliver(stored, draws.nothing, draws.partition, np.zeros(work.PARTITIONS, np.int64))
        ended = _handled(available, draws.instance, work.INSTANCES, handling, draws.nothing)
        np.subtract(ended, draws.produced, out=latencies[group])
    return latencies


def _handled(available: Ints, instance: Ints, instances: int, handling: Ints, handover: Ints) -> Ints:
    """When the handling of each message ends at one group, as edasim/fast_path/feed_forward.py computes it."""
    taken, last_end = stages.arrival_order(available), np.full(instances, -NEVER)
    return np.asarray(stages.handle_in_turn(taken, available, instance, handling, handover, last_end, NEVER))


class Recursion(NamedTuple):
    """How a piece of work is drawn and computed."""

    draws: Callable[[int, int], Any]
    bare: Callable[[Any], Ints]
    edasim: Callable[[Any], Ints]


WORK = {"W1": Recursion(queue_draws, bare_queue, edasim_queue), "W2": Recursion(log_draws, bare_log, edasim_log)}


def waiting_to_be_appended(messages: int, seed: int) -> NDArray[np.float64]:
    """By how much each message of W2 is later, on average of its deliveries, than if all were appended at once; seconds."""
    draws = log_draws(messages, seed)
    at_once = lindley.handle(draws.produced, draws.produced + APPEND, np.arange(messages), draws.instance, work.INSTANCES, draws.handling)
    return np.asarray((bare_log(draws) - at_once).mean(axis=0) / NANOSECONDS)


def main() -> None:
    """Print the mean and its standard error."""
    runs = np.array([waiting_to_be_appended(1_000_000, seed).mean() for seed in range(20)])
    print(f"waiting to be appended adds {runs.mean():.7f} +- {runs.std(ddof=1) / np.sqrt(runs.size):.7f} s to the mean latency")


if __name__ == "__main__":
    main()
