"""Measure the runs of runs.yaml once more, on brokers started here, and leave a journal of each in a folder beside this file.

python data/measurements/runs/make.py [TECHNOLOGY ...]     # all by default: a quarter of an hour; the machine should do nothing else

What is there already is left as it is: remove a folder to measure it again. edasim/validation/reality/measured_runs.py reads them.
"""

import sys
from pathlib import Path

from edasim.live import measure
from edasim.validation.reality.own_runs import runs_in

HERE = Path(__file__).parent


def main() -> None:
    """Measure what is missing."""
    for run in runs_in(HERE):
        if run.folder.exists() or (sys.argv[1:] and run.technology not in sys.argv[1:]):
            continue
        journal = measure(run.scenario, run.option, on=run.technology, start=True)
        aside = run.folder.with_name(f".{run.folder.name}.part")
        journal.write(aside)
        aside.rename(run.folder)
        print(f"{run.technology}, {run.name}: {journal.deliveries['change'].size:,} messages", flush=True)


if __name__ == "__main__":
    main()
