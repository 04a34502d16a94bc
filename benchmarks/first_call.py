"""Seconds that a fresh process waits: for imports, and for what its first simulation and first metrics take longer than the second.

Compiled code is cached, by a process that goes before and isn't counted. Medians of several processes.

python benchmarks/first_call.py [SCENARIO] [--pattern event_carried_state_transfer] [--processes 5]
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

DEFAULT = Path(__file__).resolve().parents[1] / "data" / "scenarios" / "usage-metering.yaml"
# Times itself from before the import; what Python itself takes to start is not edasim's.
CHILD = """
import sys
from time import perf_counter
begun = perf_counter()
import edasim
imported = perf_counter()
early = "numba" in sys.modules
from edasim import Scenario, measure, simulate
named = perf_counter()
scenario = Scenario.load(sys.argv[1])
seconds = []
for _ in range(2):
    start = perf_counter()
    journal = simulate(scenario, sys.argv[2])
    simulated = perf_counter()
    measure(journal)
    seconds.append((simulated - start, perf_counter() - simulated))
import json
print(json.dumps([imported - begun, named - imported, early, *seconds]))
"""


class Started:
    """One fresh process: seconds of its imports, and how much longer its first calls took than its second."""

    def __init__(self, scenario: str, pattern: str) -> None:
        command = [sys.executable, "-c", CHILD, scenario, pattern]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.imports, self.names, self.numba_at_once, (simulated, measured), (again, measured_again) = json.loads(done.stdout)
        self.first, self.second = simulated + measured, again + measured_again
        self.simulate, self.measure = simulated - again, measured - measured_again


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", default=str(DEFAULT))
    parser.add_argument("--pattern", default="event_carried_state_transfer")
    parser.add_argument("--processes", type=int, default=5)
    given = parser.parse_args()
    Started(given.scenario, given.pattern)  # fills the cache of compiled code
    started = [Started(given.scenario, given.pattern) for _ in range(given.processes)]
    if any(one.numba_at_once for one in started):
        print("import edasim imports numba, which it should leave to whoever simulates")
    print(f"{Path(given.scenario).stem}, {given.pattern}, medians of {given.processes} processes")
    for what, seconds, goal in [
        ("import edasim", [one.imports for one in started], ", goal: under 0.5"),
        ("names that it uses", [one.names for one in started], ""),
        ("first simulate and measure", [one.first for one in started], ""),
        ("the same again", [one.second for one in started], ""),
        ("the first adds", [one.first - one.second for one in started], ", goal: under 1"),
        ("  of it simulate", [one.simulate for one in started], ""),
        ("  of it measure", [one.measure for one in started], ""),
    ]:
        print(f"{what:<28}{statistics.median(seconds):7.3f} s ({min(seconds):.3f} to {max(seconds):.3f}){goal}")


if __name__ == "__main__":
    main()
