"""The yardstick 'hand-tuned SimPy': the same two pieces of work with SimPy alone, as fast as we know how to write them.

No Store, no process, no timeout a message: each server has one event, which is armed again for every message and calls back, and one
list in which messages wait. Luck is drawn by numpy, a block at a time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import repeat

import numpy as np
import simpy
import textbook_simpy as work
from simpy.events import NORMAL

BLOCK = 4096  # draws at a time

Arrive = Callable[[float], None]  # takes the time at which the message was produced


def run_queue(messages: int, seed: int) -> list[float]:
    """Latencies in W1, in simulated seconds, in the order in which messages are done."""
    env, rng = simpy.Environment(), np.random.default_rng(seed)
    latencies: list[float] = []
    serve = server(env, exponential(rng, work.QUEUE_SERVICE_RATE), lambda sent: latencies.append(env.now - sent))
    produce(env, rng.exponential(1 / work.QUEUE_ARRIVAL_RATE, messages).tolist(), repeat(serve))
    env.run()
    return latencies


def run_log(messages: int, seed: int) -> list[list[float]]:
    """Latencies in W2 by group, in simulated seconds, in the order in which deliveries are done."""
    env, rng = simpy.Environment(), np.random.default_rng(seed)
    latencies: list[list[float]] = [[] for _ in work.GROUPS]
    instances = [[instance(env, rng, mine) for _ in range(work.INSTANCES)] for mine in latencies]
    partitions = [partition(env, [group[work.owner_of(number)] for group in instances]) for number in range(work.PARTITIONS)]
    shares = np.array(work.weights()) / sum(work.weights())
    by_key = [partitions[work.partition_of(key)] for key in range(work.KEYS)]
    keys = np.searchsorted(np.cumsum(shares)[:-1], rng.random(messages), side="right").tolist()
    produce(env, rng.exponential(1 / work.ARRIVAL_RATE, messages).tolist(), (by_key[key] for key in keys))
    env.run()
    return latencies


def instance(env: simpy.Environment, rng: np.random.Generator, latencies: list[float]) -> Arrive:
    """An instance of a consumer group."""
    return server(env, exponential(rng, work.HANDLING_RATE), lambda produced: latencies.append(env.now - produced))


def partition(env: simpy.Environment, readers: list[Arrive]) -> Arrive:
    """A partition of the log: it appends, and hands over to each of *readers*."""

    def hand_over(produced: float) -> None:
        for reader in readers:
            reader(produced)

    return server(env, repeat(work.APPEND_TIME), hand_over)


def exponential(rng: np.random.Generator, rate: float) -> Iterator[float]:
    """Draws without end, seconds."""
    while True:
        yield from rng.exponential(1 / rate, BLOCK).tolist()


def produce(env: simpy.Environment, gaps: list[float], receivers: Iterator[Arrive]) -> None:
    """Send a message after each of *gaps*, in seconds, to the next of *receivers*."""
    left = iter(gaps)

    def send(_: simpy.Event) -> None:
        next(receivers)(env.now)
        arm(next(left, None))

    arm = armed(env, send)
    arm(next(left, None))


def server(env: simpy.Environment, times: Iterator[float], finish: Arrive) -> Arrive:
    """One message at a time in order, each for the next of *times*, in seconds; then *finish* gets it."""
    waiting: deque[float] = deque()  # the first is being served

    def arrive(produced: float) -> None:
        waiting.append(produced)
        if len(waiting) == 1:
            arm(next(times))

    def done(_: simpy.Event) -> None:
        finish(waiting.popleft())
        if waiting:
            arm(next(times))

    arm = armed(env, done)
    return arrive


def armed(env: simpy.Environment, action: Callable[[simpy.Event], None]) -> Callable[[float | None], None]:
    """What arms the one event that calls *action* after so many seconds; None: never again."""
    event = env.event().succeed()
    env.step()  # it has happened, to no avail: from now on it may be scheduled again and again
    actions = [action]

    def arm(delay: float | None) -> None:
        if delay is not None:
            event.callbacks = actions
            env.schedule(event, NORMAL, delay)

    return arm
