"""The processes of a run as who runs it sees them: each is started ahead of its turn, since an import takes longer than a short outage.

They end with the one that started them, because then their standard input does.
"""

import select
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from edasim.live.child import Job

PATIENCE_S = 60.0  # until a process must be connected, or must have ended when it is asked to


class ProcessFailed(RuntimeError):
    """A process of the run ended though nobody wanted it to; with the last line that it said."""


class Life:
    """One process: one life of an instance. It is there, but does nothing before `go`."""

    def __init__(self, module: str, job: Job) -> None:
        self.name = f"{job.name} {job.instance}"
        self._errors = Path(job.folder) / f"{job.name}-{job.instance}-{job.life}.errors"
        with self._errors.open("wb") as errors:
            command = [sys.executable, "-m", module]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self._tell(job.line())

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed() from None

    def go(self, origin: int | None) -> None:
        """Let it begin, in a run that began at *origin*, if it has."""
        if origin is not None:
            self.tell_origin(origin)
        self._tell("go\n")

    def tell_origin(self, origin: int) -> None:
        """Tell it when the run begins."""
        self._tell(f"origin {origin}\n")

    def is_ready(self, within_s: float) -> bool:
        """Whether it is connected *within_s* seconds. Raises ProcessFailed where it has ended."""
        assert self._process.stdout is not None
        said, _, _ = select.select([self._process.stdout], [], [], within_s)
        if said and not self._process.stdout.readline():
            raise self._failed()
        return bool(said)

    def check(self) -> None:
        """Raises ProcessFailed where it has ended."""
        if self._process.poll() is not None:
            raise self._failed()

    def _failed(self) -> ProcessFailed:
        said = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return ProcessFailed(f"{self.name} ended or did not connect: {said[-1] if said else 'it said nothing'}")

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to finish what it has in hand, and wait until it has."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Lives:
    """One instance of a consumer, or one relay: a process, and another one when it comes back. *returns*: how often it will."""

    def __init__(self, module: str, job: Job, returns: int) -> None:
        self._module, self._job, self._returns = module, job, returns
        self._lock = threading.Lock()  # who ends the run must see every process
        self._ended = False
        self._next: Life | None = None
        self._now: Life | None = None
        self.origin: int | None = None
        self._prepare()

    def _prepare(self) -> None:
        with self._lock:
            if not self._ended and self._job.life <= self._returns:
                self._next = Life(self._module, self._job)
                self._job = replace(self._job, life=self._job.life + 1)

    def begin(self) -> None:
        """The next life begins; see `is_ready`."""
        with self._lock:
            self._now, self._next = self._next, None
            if self._now is not None:
                self._now.go(self.origin)
        self._prepare()

    def is_ready(self, within_s: float = PATIENCE_S) -> bool:
        """Whether it is connected within so many seconds. Raises ProcessFailed where it has ended."""
        return self._now is not None and self._now.is_ready(within_s)

    def tell_origin(self, origin: int) -> None:
        """The run begins then."""
        assert self._now is not None
        self.origin = origin
        self._now.tell_origin(origin)

    def crash(self) -> None:
        """It is killed, if it is there."""
        with self._lock:
            life, self._now = self._now, None
        if life is not None:
            life.kill()

    def leave(self) -> None:
        """It is asked to stop, if it is there."""
        with self._lock:
            life, self._now = self._now, None
        if life is not None:
            life.stop()

    def check(self) -> None:
        """Raises ProcessFailed where it ended by itself."""
        with self._lock:
            if self._now is not None:
                self._now.check()

    def end(self) -> None:
        """Kill whatever is left; again is harmless."""
        with self._lock:
            self._ended = True
            left, self._now, self._next = (self._now, self._next), None, None
        for life in left:
            if life is not None:
                life.kill()
