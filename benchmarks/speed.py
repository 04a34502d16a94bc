"""Messages per second of edasim's SimPy model, journal included, against textbook SimPy on the same work in the same run.

python benchmarks/speed.py --messages 50000 --pairs 9
"""

import argparse
import gc
import statistics
import time

import textbook_simpy as textbook
from scenarios import PATTERN, log_scenario

from edasim import simulate


def edasim_seconds(messages: int, seed: int) -> float:
    """Seconds per message of one run through the public interface."""
    work = log_scenario(messages)
    gc.collect()  # each side pays for its own garbage
    started = time.perf_counter()
    journal = simulate(work, PATTERN, seed=seed, engine="simpy")
    return (time.perf_counter() - started) / journal.changes["time"].size


def textbook_seconds(messages: int, seed: int) -> float:
    """Seconds per message of the yardstick."""
    gc.collect()
    return textbook.run(messages, seed)["seconds"] / messages


def main() -> None:
    """Print the medians of paired runs and of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=9)
    given = parser.parse_args()
    edasim_seconds(given.messages // 10, 0)  # warm up
    pairs = [(textbook_seconds(given.messages, seed), edasim_seconds(given.messages, seed)) for seed in range(given.pairs)]
    ratios = sorted(theirs / ours for theirs, ours in pairs)
    for name, seconds in zip(("textbook SimPy", "edasim"), zip(*pairs, strict=True), strict=True):
        print(f"{name:<15} {1 / statistics.median(seconds):>10,.0f} messages/s (median of {given.pairs})")
    print(f"ratio           {statistics.median(ratios):>10.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
