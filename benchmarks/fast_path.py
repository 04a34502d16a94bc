"""edasim by its public interface against four yardsticks on the same work in the same session, each held against queueing theory.

W1 is one FIFO queue, W2 a partitioned log with two consumer groups (parameters: textbook_simpy.py). edasim's run includes workload,
luck, journal, and the delivery and freshness metrics; the others record the latency of each delivery. Compiling is not counted.

python benchmarks/fast_path.py [--messages 1000000] [--textbook 50000] [--pairs 5] [--work W1 W2] [--engine auto]
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import cimba_models
import numpy as np
import recursions
import textbook_simpy
import tuned_simpy
from expected import Check, Expected, batch_means, checked, expected_of_log, expected_of_queue
from numpy.typing import NDArray
from scenarios import PATTERN, log_scenario, queue_scenario

from edasim import Journal, Scenario, simulate
from edasim.metrics.delivery import delivery
from edasim.metrics.freshness import freshness

Floats = NDArray[np.float64]

Run = Callable[[int, int], Any]  # takes messages and a seed

RUNS: dict[str, tuple[Run, Run, Run, Callable[[int], Scenario]]] = {
    "W1": (textbook_simpy.run_queue, tuned_simpy.run_queue, cimba_models.run_queue, queue_scenario),
    "W2": (textbook_simpy.run, tuned_simpy.run_log, cimba_models.run_log, log_scenario),
}
WARM_UP = 2_000  # messages: whatever is compiled is compiled then
TURNS = 5  # of two recursions
GOALS = {("W2", "textbook SimPy"): 100, ("W2", "cimba"): 5}  # how many times as fast as these edasim means to be


class Contender(NamedTuple):
    """Who does the work: *run* is timed; *latencies* reads what it returns, seconds, shape (groups, messages)."""

    name: str
    messages: int
    run: Run
    latencies: Callable[[Any], Floats]


class Timed(NamedTuple):
    """What was measured of one contender: messages per second in each pair, and its mean latency beside theory."""

    contender: Contender
    rates: list[float]
    check: Check


def run_edasim(scenario_of: Callable[[int], Scenario], engine: str, messages: int, seed: int) -> Journal:
    """One run and its metrics, as a user asks for them."""
    journal = simulate(scenario_of(messages), PATTERN, seed=seed, engine=engine)
    delivery(journal)
    freshness(journal)
    return journal


def latencies_of(journal: Journal) -> Floats:
    """From commit to the end of handling."""
    deliveries = journal.deliveries
    latency = (deliveries["applied"] - journal.changes["committed"][deliveries["change"]]) / 1e9
    return np.array([latency[deliveries["consumer"] == number] for number in range(len(journal.facts["consumers"]))])


def contenders(work: str, given: argparse.Namespace) -> list[Contender]:
    """All who do a piece of work; edasim is the last."""
    textbook, tuned, cimba, scenario_of = RUNS[work]
    return [
        Contender("textbook SimPy", given.textbook, textbook, lambda run: np.array(list(run["latencies"].values()))),
        Contender("hand-tuned SimPy", given.messages, tuned, lambda latencies: np.atleast_2d(np.array(latencies))),
        Contender("cimba", given.messages, cimba, lambda latencies: latencies),
        Contender("edasim", given.messages, partial(run_edasim, scenario_of, given.engine), latencies_of),
    ]


def timed(everybody: list[Contender], expected: Expected, pairs: int) -> list[Timed]:
    """Let everybody run once in each pair, with that pair's seed."""
    rates: dict[str, list[float]] = {contender.name: [] for contender in everybody}
    kept: dict[str, list[Floats]] = {contender.name: [] for contender in everybody}
    for contender in everybody:
        contender.run(WARM_UP, 0)
    for seed in range(1, pairs + 1):
        for contender in everybody:
            gc.collect()  # each pays for its own garbage
            begun = time.perf_counter()
            result = contender.run(contender.messages, seed)
            seconds = time.perf_counter() - begun
            latencies = contender.latencies(result)
            rates[contender.name].append(latencies.shape[1] / seconds)
            kept[contender.name].append(batch_means(latencies))
            del result
    return [Timed(contender, rates[contender.name], checked(kept[contender.name], expected)) for contender in everybody]


def ratios(fast: list[float], slow: list[float]) -> str:
    """Median and range of the ratios of paired runs."""
    paired = sorted(ours / theirs for ours, theirs in zip(fast, slow, strict=True))
    return f"{statistics.median(paired):9.3g} ({paired[0]:.3g} to {paired[-1]:.3g})"


def print_contenders(work: str, found: list[Timed], expected: Expected) -> None:
    """A line each: speed, how many times as fast edasim is, and by how much its mean latency misses theory."""
    print(f"{work}, theory: {expected.words}")
    print(f"  {'':<17}{'messages':>10}{'messages/s':>14}   {'edasim to it':<27}{'goal':>5}   mean latency")
    for row in found:
        name = row.contender.name
        goal = GOALS.get((work, name), "")
        ratio = ratios(found[-1].rates, row.rates)
        print(f"  {name:<17}{row.contender.messages:>10,}{statistics.median(row.rates):>14,.0f}   {ratio:<27}{goal:>5}   {row.check}")


def side_by_side(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of each, by turns: both are short, and what ran before leaves its traces in caches and memory."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * TURNS):
        for which in (0, 1) if turn % 2 else (1, 0):
            begun = time.perf_counter()
            (first, second)[which]()
            seconds[which].append(time.perf_counter() - begun)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def print_recursion(work: str, expected: Expected, messages: int, pairs: int) -> None:
    """The same of the recursion alone, with edasim's kernels and with the bare loop, on the same draws."""
    compute = recursions.WORK[work]
    kept, bare, edasim = [], [], []
    for seed in range(1, pairs + 1):
        draws = compute.draws(messages, seed)
        result = compute.bare(draws)
        if not np.array_equal(result, compute.edasim(draws)):
            raise SystemExit(f"{work}: edasim's recursion differs from the bare loop on the same draws")
        kept.append(batch_means(result / 1e9))
        seconds = side_by_side(partial(compute.bare, draws), partial(compute.edasim, draws))
        bare.append(messages / seconds[0])
        edasim.append(messages / seconds[1])
    print("  only the recursion, on given draws")
    print(f"  {'bare loop':<17}{messages:>10,}{statistics.median(bare):>14,.0f}   {'':<35}{checked(kept, expected)}")
    print(f"  {'edasim':<17}{messages:>10,}{statistics.median(edasim):>14,.0f}   {ratios(edasim, bare)} of the bare loop, goal 0.5")


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--textbook", type=int, default=50_000, help="messages of textbook SimPy, which is slow")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--work", nargs="+", choices=["W1", "W2"], default=["W1", "W2"])
    parser.add_argument("--engine", default="auto")
    given = parser.parse_args()
    for work in given.work:
        expected = expected_of_queue() if work == "W1" else expected_of_log()
        print_contenders(work, timed(contenders(work, given), expected, given.pairs), expected)
        print_recursion(work, expected, given.messages, given.pairs)
        print(flush=True)


if __name__ == "__main__":
    main()
