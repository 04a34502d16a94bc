"""Faults made real, at the times that luck says: an instance is killed or asked to stop, and comes back; a broker is killed and restarted.

A consumer that can't connect when it comes back, because the broker is down, is down until it can. What is written down is what happened.
"""

import threading
import time
from collections.abc import Callable

from edasim.live.processes import Lives
from edasim.live.protocol import Private

Span = tuple[int, int]
LOOK_S = 0.2  # between two looks whether who comes back is connected


class Alarm:
    """Waits for times of `monotonic_ns`, until it is cancelled."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def wait_until(self, when: int) -> bool:
        """Whether that time came; False where the run was over before."""
        return not self._cancelled.wait(max(when - time.monotonic_ns(), 0) / 1e9)

    def cancel(self) -> None:
        """Nothing comes any more."""
        self._cancelled.set()


def strike_instance(lives: Lives, spans: list[Span], alarm: Alarm, *, killed: bool) -> list[Span]:
    """Take an instance down in each of *spans*, and let it come back; when it was down. *killed*: by a crash, else it finishes first."""
    down: list[Span] = []
    for start, end in spans:
        if not alarm.wait_until(start):
            break
        since = time.monotonic_ns()
        (lives.crash if killed else lives.leave)()
        if alarm.wait_until(end):
            lives.begin()
            while not lives.is_ready(LOOK_S) and alarm.wait_until(0):
                pass
        down.append((since, time.monotonic_ns()))
    return down


def strike_broker(private: Private, spans: list[Span], alarm: Alarm) -> list[Span]:
    """Kill the broker at the start of each of *spans* and restart it at the end; when it was down, until it took connections again.

    Once the alarm is cancelled it is not restarted: whoever ends the run may be ending the broker.
    """
    down: list[Span] = []
    for start, end in spans:
        if not alarm.wait_until(start):
            break
        since = time.monotonic_ns()
        private.kill()
        if alarm.wait_until(end):  # else the run is over: it is restarted once more if anybody needs it
            private.restart()
        down.append((since, time.monotonic_ns()))
    return down


def sample(ask: Callable[[], int | None], moments: list[int], alarm: Alarm) -> list[tuple[int, int]]:
    """What is stored at each of *moments*, as far as that can be told."""
    found: list[tuple[int, int]] = []
    for moment in moments:
        if not alarm.wait_until(moment):
            break
        size = ask()
        if size is not None:
            found.append((moment, size))
    return found
