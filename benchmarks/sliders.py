"""Seconds from the move of a slider to the figure, for every slider of every view: the median of 5 moves, and its ratio to a yardstick.

The yardstick is one run of the default scenario by the SimPy model, in the same process. Processor time is shown beside it: where that
is much less than the seconds, others used the machine.

python benchmarks/sliders.py [views]
"""

import sys
import time
from statistics import median

from edasim import Scenario, simulate
from edasim.explore import VIEWS, Panel, panel
from edasim.studies.queueing import mm1

MOVES = 5


def moved(shown: Panel, target: str) -> tuple[float, float]:
    """Median seconds, and those of the processor, of a move of this slider to stops where it has not been, and back where it was."""
    slider = shown.sliders[target]
    own, stops = slider.index, range(len(slider.options))
    found = []
    for stop in [stop for stop in stops if stop != own][:: max(1, (len(stops) - 1) // MOVES)][:MOVES]:
        started, worked = time.perf_counter(), time.process_time()
        slider.index = stop
        found.append((time.perf_counter() - started, time.process_time() - worked))
    slider.index = own
    return median(seconds for seconds, _ in found), median(work for _, work in found)


def yardstick() -> float:
    """Median seconds of a default run by the SimPy model."""
    found = []
    for _ in range(MOVES):
        started = time.perf_counter()
        simulate(Scenario(), "cqrs", engine="simpy")
        found.append(time.perf_counter() - started)
    return median(found)


def main() -> None:
    """Print a line a slider."""
    usual = yardstick()
    print(f"{'yardstick':<54} {usual:6.3f} s")
    for view in sys.argv[1:] or VIEWS:
        shown = panel(mm1(0.8, 1.0) if view == "queue" else Scenario(), view)
        shown.choose("as it is")  # compiles and imports what is needed
        for target in shown.sliders:
            seconds, work = moved(shown, target)
            print(f"{view:<13} {target:<40} {seconds:6.3f} s   of the processor {work:6.3f} s   ratio {seconds / usual:.3f}")


if __name__ == "__main__":
    main()
