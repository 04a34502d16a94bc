"""The yardstick 'textbook SimPy': one queue, and a partitioned log with two consumer groups, the way the SimPy manual teaches it.

A ``Store`` for every place where messages wait, a process for everything that works, a timeout a message, luck
drawn as it is needed. Nothing here is tuned and nothing comes from edasim: it is what edasim is compared with.

    python benchmarks/textbook_simpy.py --messages 20000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
import zlib
from collections.abc import Generator
from typing import Any, NamedTuple, TypedDict

import simpy

# W1: one queue with one server
QUEUE_ARRIVAL_RATE = 0.8  # messages per simulated second, Poisson
QUEUE_SERVICE_RATE = 1.0  # messages per simulated second, exponential

# W2: a partitioned log
ARRIVAL_RATE = 1.0  # messages per simulated second, Poisson
KEYS, SKEW = 1000, 1.0  # Zipf: key k, counted from 0, has weight 1 / (k + 1) ** SKEW
PARTITIONS = 8
APPEND_TIME = 0.05  # seconds, constant
GROUPS = ("billing", "warehouse")
INSTANCES = 4  # in each group; instance i owns the partitions 2i and 2i + 1
HANDLING_RATE = 0.45  # messages per simulated second and instance, exponential

Process = Generator[simpy.Event, Any, None]


class Message(NamedTuple):
    """One message: its key, and the simulated second in which it was produced."""

    key: int
    produced: float


class Run(TypedDict):
    """What a run leaves: latencies in simulated seconds by group, and the wall clock seconds it took."""

    latencies: dict[str, list[float]]
    seconds: float


def weights() -> list[float]:
    """The popularity of every key, not normalised."""
    return [1 / (key + 1) ** SKEW for key in range(KEYS)]


def partition_of(key: int) -> int:
    """The partition that holds all messages of a key."""
    return zlib.crc32(str(key).encode()) % PARTITIONS


def owner_of(partition: int) -> int:
    """The instance that reads a partition."""
    return partition * INSTANCES // PARTITIONS


def produce(env: simpy.Environment, rng: random.Random, messages: int, partitions: list[simpy.Store]) -> Process:
    """Send the messages, each to the partition of its key."""
    keys, cumulated = range(KEYS), list(itertools.accumulate(weights()))
    for _ in range(messages):
        yield env.timeout(rng.expovariate(ARRIVAL_RATE))
        key = rng.choices(keys, cum_weights=cumulated)[0]
        yield partitions[partition_of(key)].put(Message(key, env.now))


def append(env: simpy.Environment, partition: simpy.Store, readers: list[simpy.Store]) -> Process:
    """Append what reaches one partition, one at a time in order, and hand it to one instance of each group."""
    while True:
        message = yield partition.get()
        yield env.timeout(APPEND_TIME)
        for reader in readers:
            yield reader.put(message)


def consume(env: simpy.Environment, rng: random.Random, inbox: simpy.Store, latencies: list[float]) -> Process:
    """Handle what reaches one instance, one at a time in order, and note how old each message was at the end."""
    while True:
        message = yield inbox.get()
        yield env.timeout(rng.expovariate(HANDLING_RATE))
        latencies.append(env.now - message.produced)


def run(messages: int, seed: int) -> Run:
    """Send ``messages`` messages through the system, until both groups have handled every one of them."""
    started = time.perf_counter()
    env, rng = simpy.Environment(), random.Random(seed)
    latencies: dict[str, list[float]] = {group: [] for group in GROUPS}
    inboxes = {group: [simpy.Store(env) for _ in range(INSTANCES)] for group in GROUPS}
    partitions = [simpy.Store(env) for _ in range(PARTITIONS)]
    for group in GROUPS:
        for inbox in inboxes[group]:
            env.process(consume(env, rng, inbox, latencies[group]))
    for number, partition in enumerate(partitions):
        env.process(append(env, partition, [inboxes[group][owner_of(number)] for group in GROUPS]))
    env.process(produce(env, rng, messages, partitions))
    env.run()  # ends when nobody has anything left to do: the endless processes above all wait for a message
    return {"latencies": latencies, "seconds": time.perf_counter() - started}


def send(env: simpy.Environment, rng: random.Random, messages: int, waiting: simpy.Store) -> Process:
    """Send the messages, all to one queue."""
    for _ in range(messages):
        yield env.timeout(rng.expovariate(QUEUE_ARRIVAL_RATE))
        yield waiting.put(env.now)


def serve(env: simpy.Environment, rng: random.Random, waiting: simpy.Store, latencies: list[float]) -> Process:
    """Serve one message after the other, and note how old each was at the end."""
    while True:
        sent = yield waiting.get()
        yield env.timeout(rng.expovariate(QUEUE_SERVICE_RATE))
        latencies.append(env.now - sent)


def run_queue(messages: int, seed: int) -> Run:
    """Send ``messages`` messages through the one queue of W1, until all are served."""
    started = time.perf_counter()
    env, rng = simpy.Environment(), random.Random(seed)
    latencies: list[float] = []
    waiting = simpy.Store(env)
    env.process(serve(env, rng, waiting, latencies))
    env.process(send(env, rng, messages, waiting))
    env.run()
    return {"latencies": {"server": latencies}, "seconds": time.perf_counter() - started}


def partition_rates() -> list[float]:
    """Messages per second that reach each partition: a share of a Poisson stream, so Poisson again."""
    rates, total = [0.0] * PARTITIONS, sum(weights())
    for key, weight in enumerate(weights()):
        rates[partition_of(key)] += ARRIVAL_RATE * weight / total
    return rates


def theory() -> list[tuple[float, float]]:
    """Arrival rate and mean latency of each instance, in theory.

    Appending is M/D/1, exactly (Pollaczek and Khinchine). Handling is taken as M/M/1 as if appending left the
    stream Poisson; it spaces messages out a little, so handling waits are a little shorter than this.
    """
    expected = []
    for instance in range(INSTANCES):
        owned = [rate for number, rate in enumerate(partition_rates()) if owner_of(number) == instance]
        arrivals = sum(owned)
        appends = [APPEND_TIME * (1 + rate * APPEND_TIME / (2 * (1 - rate * APPEND_TIME))) for rate in owned]
        appending = sum(rate * mean for rate, mean in zip(owned, appends, strict=True)) / arrivals
        expected.append((arrivals, appending + 1 / (HANDLING_RATE - arrivals)))
    return expected


def main() -> None:
    """Run once; print the speed, and the mean latencies beside theory."""
    parser = argparse.ArgumentParser(description="Time textbook SimPy and hold it against queueing theory.")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    result = run(given.messages, given.seed)
    print(f"{given.messages / result['seconds']:,.0f} messages/s ({result['seconds']:.2f} s)")
    for group, latencies in result["latencies"].items():
        print(f"{group}: mean latency {sum(latencies) / len(latencies):.3f} s over {len(latencies):,} messages")
    for instance, (rate, mean) in enumerate(theory()):
        print(f"theory, instance {instance}: {rate:.4f} messages/s, load {rate / HANDLING_RATE:.2f}, {mean:.3f} s")
    print(f"theory, a group: {sum(rate * mean for rate, mean in theory()) / ARRIVAL_RATE:.3f} s")


if __name__ == "__main__":
    main()
