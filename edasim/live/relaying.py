"""A process that is one relay: it polls at every tick of `source.relay.poll` from the origin, and publishes what had committed by then."""

import time

from edasim.live.child import Child
from edasim.live.protocol import Down, Relaying
from edasim.live.records import CONNECTED, GONE, NO_CHANGE, RELAYED, Diary
from edasim.live.technologies import technology
from edasim.luck import nanoseconds

AGAIN_S = 0.05  # until the next try to connect, or until it is known when the run begins


class Relay:
    """Polls until it is asked to stop."""

    def __init__(self, child: Child, diary: Diary) -> None:
        self._child, self._diary = child, diary
        self._every = int(nanoseconds(child.scenario.source.relay.poll))

    def live(self) -> None:
        """Connect, and again whenever the connection is lost."""
        offered = technology(self._child.target.technology)
        while not self._child.stopping:
            try:
                connection = offered.relaying(self._child.target, self._child.scenario)
            except Down:
                time.sleep(AGAIN_S)
                continue
            self._diary.note(CONNECTED, NO_CHANGE, time.monotonic_ns())
            self._child.say_ready()
            try:
                while not self._child.stopping:
                    self._tick(connection)
            except Down:
                self._diary.note(GONE, NO_CHANGE, time.monotonic_ns())
            connection.close()

    def _tick(self, connection: Relaying) -> None:
        """Sleep until the next tick, and poll; a poll that takes longer than a tick makes it miss one."""
        if self._child.origin is None:
            time.sleep(AGAIN_S)
            return
        since = time.monotonic_ns() - self._child.origin
        time.sleep((self._every - since % self._every) / 1e9)
        connection.poll(lambda changes: self._diary.note_all(RELAYED, changes, time.monotonic_ns()))


def main() -> None:
    """The process."""
    child = Child()
    Relay(child, child.wait_for_go()).live()


if __name__ == "__main__":
    main()
