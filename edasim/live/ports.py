"""Ports of this machine that a server may take, so that two that are started at once never get the same one.

They lie below the ports that the kernel gives to outgoing connections: a client that keeps calling a dead server's port in that range
can be given the very port as its own and then talks to itself.
"""

import random
import socket
from dataclasses import dataclass, field

from edasim.errors import InputError

FIRST, LAST = 20_000, 29_999  # Linux gives outgoing connections 32768 to 60999
TRIES = 200


@dataclass
class Ports:
    """Loopback ports that are ours until `release`, or until this process ends, however it ends."""

    claims: list[socket.socket] = field(default_factory=list)

    def claim(self) -> int:
        """A port on which nothing listens, and that no other process of edasim claims. Raises InputError where none is found."""
        for port in random.sample(range(FIRST, LAST + 1), TRIES):
            claim = _claim(port)
            if claim is None:
                continue
            self.claims.append(claim)
            if not is_open(port) and _can_be_bound(port):
                return port
        raise InputError(f"no free port: tried {TRIES} from {FIRST} to {LAST} on 127.0.0.1")

    def release(self) -> None:
        """Let others have them; again is harmless."""
        while self.claims:
            self.claims.pop().close()


def is_open(port: int) -> bool:
    """Whether something listens on that port of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _claim(port: int) -> socket.socket | None:
    """A name that only one process of this machine can hold, and that goes with it (Linux, abstract Unix sockets); None: held already."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0edasim-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a connection that lingers is no obstacle
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
