"""What a sweep costs: processor time of one replication of one option, of keeping and finding its result, and what a million points take.

python benchmarks/scale.py [SCENARIO]
"""

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import textbook_simpy

from edasim import Scenario, candidates_of, measure
from edasim.provenance import version
from edasim.results_cache import usual_cache
from edasim.runs import Task, look_at

DEFAULT = Path(__file__).resolve().parents[1] / "data" / "scenarios" / "web-shop.yaml"
REPLICATIONS = 5
MESSAGES = 20_000  # of the yardstick
POINTS, A_POINT = 1_000_000, 10  # replications


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this process."""
    begun = process_time()
    work()
    return process_time() - begun


def main() -> None:
    """Print what was measured and what follows from it."""
    scenario = Scenario.load(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
    candidates = candidates_of(scenario)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EDASIM_CACHE"] = folder
        cache = usual_cache()
        tasks = [Task(candidate, partial(look_at, look=measure), 1, number) for candidate in candidates for number in range(REPLICATIONS)]
        run = median(seconds(partial(task.done, None, version())) for task in tasks)
        whole = median(seconds(partial(task.done, cache, version())) for task in tasks)
        found = median(seconds(partial(task.kept, cache, [])) for task in tasks)
        size = median(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
    yardstick = seconds(partial(textbook_simpy.run, MESSAGES, 1))
    runs = POINTS * A_POINT * len(candidates)
    print(f"{scenario.name}: {len(candidates)} options, {scenario.duration + scenario.warmup:g} s simulated")
    print(f"textbook SimPy         {yardstick * 1e3:8.1f} ms   for {MESSAGES:,} messages")
    print(f"one run                {run * 1e3:8.1f} ms   {run / yardstick:.3f} of textbook SimPy")
    print(f"keeping its result     {(whole - run) * 1e3:8.1f} ms   {(whole - run) / run:.3f} of the run")
    print(f"finding it again       {found * 1e3:8.1f} ms   {found / run:.3f} of the run")
    print(f"a result takes         {size / 1e3:8.1f} kB")
    print(f"{POINTS:,} points x {A_POINT} replications: {runs * whole / 3600:,.0f} core-hours, {runs:,} files, {runs * size / 1e9:,.0f} GB")


if __name__ == "__main__":
    main()
