"""A broker of our own: started from an installed binary on a free loopback port, killed, restarted, and ended without a trace.

It does not outlive us: the kernel ends it when the thread that started it ends (Linux, PR_SET_PDEATHSIG), even by SIGKILL. Then its folder
under the system's temporary folder is all that is left. Start it from a thread that lives as long as it shall.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from ctypes import CDLL
from pathlib import Path

from edasim.errors import InputError
from edasim.live.ports import Ports, is_open
from edasim.live.servers import PLANS, Plan, missing, program
from edasim.scenario import Scenario

PATIENCE = 60.0  # seconds until a server must answer, or must have ended: RabbitMQ takes 5 to 10 on two quiet cores


def start_private(technology: str, scenario: Scenario) -> "Server":
    """A server of that technology, as the scenario's `broker` wants it, that takes connections.

    Raises InputError where it is not installed, or does not start, with the last line that it said.
    """
    why = missing(technology) if sys.platform == "linux" else "brokers are started on Linux only; elsewhere give --url"
    if why:
        raise InputError(why)
    ports, folder = Ports(), Path(tempfile.mkdtemp(prefix="edasim-"))
    try:
        server = Server(technology, folder, ports, PLANS[technology](folder, ports.claim, scenario))
    except BaseException:
        ports.release()
        shutil.rmtree(folder)
        raise
    try:
        server.prepare()
        server.restart()
    except BaseException:
        server.stop()
        raise
    return server


class Server:
    """A started broker (`Private` of edasim/live/protocol.py)."""

    def __init__(self, technology: str, folder: Path, ports: Ports, plan: Plan) -> None:
        self.url = plan.url
        self.technology, self.folder = technology, folder
        self._ports, self._plan = ports, plan
        self._company: list[subprocess.Popen[bytes]] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def prepare(self) -> None:
        """Make what has to be there before the first start."""
        self.folder.chmod(0o755)  # its user may not be ours
        if self._plan.user:
            shutil.chown(self.folder, self._plan.user)
        for command in self._plan.prepare:
            if self._start(command).wait(PATIENCE):
                raise InputError(f"{Path(command[0]).name} failed: {self._last_words()}")
        self._company = [self._start(command) for command in self._plan.company]

    def restart(self) -> None:
        """Start it, on the same port and data; returns when it takes connections. Raises InputError where it does not."""
        if self.pid:
            return
        if is_open(self._plan.port):
            raise InputError(f"{self.technology}: port {self._plan.port} of 127.0.0.1 is taken by another process")
        self._process = self._start(self._plan.command, self._plan.end)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None:
                raise InputError(f"{self.technology} ended while it started: {self._last_words()}")
            if time.monotonic() > deadline:
                raise InputError(f"{self.technology} did not answer within {PATIENCE:g} s: {self._last_words()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, to its own children too, as when a machine's out-of-memory killer strikes the whole service."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it and remove its folder; again is harmless."""
        try:
            self._end(self._plan.end)
            for process in self._company:
                process.terminate()
                process.wait(PATIENCE)
            _forget_shared_memory(self.folder / "data" / "postmaster.pid")
        finally:
            self._company = []
            self._ports.release()
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def _start(self, command: list[str], at_our_end: signal.Signals = signal.SIGKILL) -> "subprocess.Popen[bytes]":
        user = self._plan.user
        whose = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        name = at_our_end.name.removeprefix("SIG")
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [program("setpriv"), *whose, f"--pdeathsig={name}", "--", *command],
                cwd=self.folder,
                env={**os.environ, **self._plan.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we end it
            )

    def _answers(self) -> bool:
        """Whether a client that says hello is let in."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._plan.port), timeout=1) as client:
            client.sendall(self._plan.hello)
            return client.recv(64).startswith(self._plan.welcome)
        return False

    def _end(self, how: signal.Signals) -> None:
        """Send a signal and wait until all of it is gone; with SIGKILL also to the children, whom it could not tell."""
        if not self.pid:
            return
        assert self._process
        children = _children(self.pid)
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            _see_end(child, how)

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _children(pid: int) -> list[int]:
    """Handles of a process's children: unlike their numbers, they never mean another process. Whoever has them closes them."""
    handles = []
    for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(ProcessLookupError):  # ended by now
            handles.append(os.pidfd_open(int(word)))
    return handles


def _see_end(child: int, how: signal.Signals) -> None:
    """Wait until a child of the server is gone; a killed server could not tell it to end, so it is killed, too."""
    if how == signal.SIGKILL:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(child, how)
    gone, _, _ = select.select([child], [], [], PATIENCE)
    os.close(child)
    if not gone:
        raise TimeoutError(f"a child of the server did not end within {PATIENCE:g} s")


def _forget_shared_memory(pid_file: Path) -> None:
    """Remove the System V segment that a killed PostgreSQL leaves; the last word of its pid file's seventh line says which."""
    if not pid_file.exists():  # it ended as asked
        return
    lines = pid_file.read_text().split("\n")
    if len(lines) > 6 and lines[6].split():
        CDLL(None).shmctl(int(lines[6].split()[-1]), 0, None)  # IPC_RMID
