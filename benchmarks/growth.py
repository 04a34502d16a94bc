"""Cost and memory per message from a hundred thousand messages to a hundred million: W2 (textbook_simpy.py) through one pattern.

By `simulate`, whose journal has columns for every message, metrics included, as far as memory goes; and by `stream`, in blocks of time.
Every size has a process of its own, so that peak memory is its own.

python benchmarks/growth.py [--sizes 100000 1000000 10000000 100000000] [--whole 1000000] [--runs 5] [--engine auto]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from scenarios import PATTERN, log_scenario

from edasim import Scenario, measure, simulate

SIZES = [10**5, 10**6, 10**7, 10**8]
LARGE = 10**7  # from here on a run takes so long that one is enough
WARM_UP = 2_000  # messages: compiled code is loaded then
WAYS = ("simulate", "stream")


class Cost(NamedTuple):
    """What a message costs: nanoseconds in each run, and the peak of the process's memory in bytes."""

    nanoseconds: list[float]
    peak: int


def run_of(way: str, engine: str) -> Callable[[Scenario, int], object]:
    """What takes a scenario and a seed and simulates."""
    if way == "stream":
        stream = import_module("edasim.streaming").stream
        return lambda scenario, seed: stream(scenario, PATTERN, seed=seed)
    return lambda scenario, seed: measure(simulate(scenario, PATTERN, seed=seed, engine=engine))


def can_stream() -> bool:
    """Whether edasim can already simulate in blocks of time."""
    try:
        return hasattr(import_module("edasim.streaming"), "stream")
    except ImportError:
        return False


def cost(way: str, engine: str, messages: int, runs: int) -> Cost:
    """In this process."""
    run = run_of(way, engine)
    run(log_scenario(WARM_UP), 0)
    scenario = log_scenario(messages)
    nanoseconds = []
    for seed in range(1, runs + 1):
        begun = time.perf_counter()
        run(scenario, seed)
        nanoseconds.append((time.perf_counter() - begun) / messages * 1e9)
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(nanoseconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def apart(way: str, engine: str, messages: int, runs: int) -> Cost:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", way, "--engine", engine, "--sizes", str(messages), "--runs", str(runs)]
    return Cost(*json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def print_way(way: str, given: argparse.Namespace) -> None:
    """A line a size, then the largest cost against the smallest."""
    medians = []
    for messages in given.sizes:
        if way == "simulate" and messages > given.whole:
            continue
        found = apart(way, given.engine, messages, 1 if messages >= LARGE else given.runs)
        medians.append(statistics.median(found.nanoseconds))
        spread = f"{min(found.nanoseconds):,.0f} to {max(found.nanoseconds):,.0f}, {len(found.nanoseconds)} runs"
        print(f"{way:<10}{messages:>13,} messages{medians[-1]:>10,.0f} ns each ({spread}), peak {found.peak / 1e9:.2f} GB", flush=True)
    if medians:
        print(f"{way:<10}dearest against cheapest size: {max(medians) / min(medians):.2f} (goal: at most 1.2)")


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--whole", type=int, default=10**6, help="the largest size that simulate does, which keeps everything in memory")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(cost(given.one, given.engine, given.sizes[0], given.runs)))
        return
    print_way("simulate", given)
    if can_stream():
        print_way("stream", given)
    else:
        print("stream    edasim.streaming is not there yet: nothing larger was measured")


if __name__ == "__main__":
    main()
