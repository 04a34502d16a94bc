"""A process of a run as it sees itself: what it shall do comes in lines on its standard input, and its end is the end of this process.

The lines: what it shall do (JSON), `go` when it shall begin, and `origin N` as soon as it is known when the run begins. It says `ready`
when it is connected. SIGTERM asks it to finish what it has in hand.
"""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edasim.live.protocol import Target
from edasim.live.records import Diary, file_of
from edasim.scenario import Scenario

KILLED = 9


@dataclass(frozen=True)
class Job:
    """What one life of a process does: which *instance* of which consumer (or relay), where, and with which luck."""

    scenario: dict[str, Any]  # as a YAML file would hold it
    target: dict[str, str]
    folder: str  # of records
    name: str  # of its records
    consumer: int  # its number; a relay has none: -1
    instance: int
    life: int
    seed: int
    changes: int  # in the run

    def line(self) -> str:
        """The job as a line."""
        return json.dumps(asdict(self)) + "\n"


class Child:
    """This process: its *job*, and what it was told since. `origin` is None until it is known."""

    def __init__(self) -> None:
        self.job = Job(**json.loads(sys.stdin.readline()))
        self.scenario = Scenario(**self.job.scenario)
        self.target = Target(**self.job.target)
        self.origin: int | None = None
        self.stopping = False
        self._go = threading.Event()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal: the one that runs the course decides
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_for_go(self) -> Diary:
        """Returns when it shall begin: its diary."""
        self._go.wait()
        return Diary(file_of(Path(self.job.folder), self.job.name, self.job.instance, self.job.life))

    def say_ready(self) -> None:
        """Tell that it is connected."""
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    def _stop(self, signum: int, frame: object) -> None:
        self.stopping = True

    def _listen(self) -> None:
        for line in sys.stdin:
            if line.startswith("origin"):
                self.origin = int(line.split()[1])
            else:
                self._go.set()
        os.kill(os.getpid(), KILLED)  # nobody is there any more
