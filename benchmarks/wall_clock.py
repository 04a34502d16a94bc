"""Seconds and peak memory of `edasim compare` and `edasim report` with their defaults, of a large store, and of nine patterns 30 times.

Children are included.

Of the report, which begins with an empty cache, also the seconds of each notebook.

python benchmarks/wall_clock.py
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = str(ROOT / "data" / "scenarios" / "usage-metering.yaml")
# 10 million events over 100,000 entities with snapshots: storage, loads, rebuilds and what there will be in five years
LARGE = """
from edasim import Scenario, compare
from edasim.studies.rebuilding import replay_over_history
from edasim.studies.years import storage_over_years
large = Scenario(duration="1min", workload={"entities": {"count": 100_000}}, event_store={"history": 10_000_000, "archive_after": "1d"})
compare(large, ["event_sourcing"], replications=2)
storage_over_years(large, ["event_sourcing"], years=[1, 3, 5], replications=2)
replay_over_history(large, replications=2)
"""

# the options that every scenario without options has, as often as an interval is good for
PATTERNS = """
from edasim import Scenario, paired_comparison
if __name__ == "__main__":
    found = paired_comparison(Scenario(), replications=30, jobs=2)
    found.results, found.differences
"""


def resident_bytes(pid: int) -> int:
    """Memory of the process and all its descendants now (Linux: proportional shares, so that shared pages count once)."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(resident_bytes(int(child)) for child in (task / "children").read_text().split())
    except (OSError, ValueError):  # it ended meanwhile
        pass
    return total


def measured(*arguments: str) -> tuple[float, int]:
    """Seconds and peak bytes of Python with these *arguments*."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - started, peak


def main() -> None:
    """Print a line a command."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "edasim compare": ("-m", "edasim", "compare", DEFAULT),
            "the same again": ("-m", "edasim", "compare", DEFAULT),
            "edasim report": ("-m", "edasim", "report", DEFAULT, "--out", f"{folder}/report"),
            "10 million events": ("-c", LARGE),
            "nine patterns x 30": ("-c", PATTERNS),
        }
        for name, arguments in commands.items():
            os.environ["EDASIM_CACHE"] = str(Path(folder, "cache of report" if "report" in arguments else "cache"))  # both empty at first
            seconds, peak = measured(*arguments)
            print(f"{name:<18} {seconds:6.1f} s   peak {peak / 1e6:6.0f} MB")
        for notebook in sorted(Path(folder, "report").glob("*.ipynb")):
            seconds = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["papermill"]["duration"]
            print(f"{notebook.stem:<32} {seconds:6.1f} s")


if __name__ == "__main__":
    main()
