"""Publishing through a relay, which reads what was committed from the outbox, the database's log or the event store: it never loses."""

from collections import deque
from collections.abc import Callable

from edasim.luck import nanoseconds
from edasim.simpy_model.broker import Broker
from edasim.simpy_model.clock import COMPLETION, FAULT_ENDS, FAULT_STARTS, READ, Moment
from edasim.simpy_model.consumer import Group
from edasim.simpy_model.publisher import Publisher, Request
from edasim.simpy_model.run import Run


class Connection:
    """One relay's connection to the broker: it keeps the order of what is sent on it, but for what has to be sent again."""

    def __init__(self) -> None:
        self.last_arrival = 0
        self.unacknowledged: dict[int, list[int]] = {}  # requests on their way, each the first change of those in it
        self.batch: list[int] = []  # what it took last: resent as a whole after a crash


class Relay(Publisher):
    """Reads committed changes in commit order, at multiples of *poll*, at most *batch* a relay, and resends until acknowledged.

    A relay takes its next batch when all of the last is acknowledged; only then its checkpoint moves on. Several relays of an
    outbox ask at the same ticks and get the rows in turn, as concurrent scans that skip locked rows do: what they send overtakes.
    Relays are processes of their own: they go on while the source is down, and their own outages strike all of them. After one
    they send again what they had taken and not yet marked.
    """

    endless = True

    def __init__(self, run: Run, broker: Broker, groups: list[Group], region: int = 0) -> None:
        super().__init__(run, broker, groups)
        settings = run.scenario.source.relay
        self._poll = int(nanoseconds(settings.poll))
        self._most = settings.batch
        self._downtimes = run.downtimes(f"relay {region}" if region else "relay", settings.outages)
        self._waiting: deque[int] = deque()
        self._connections = [Connection() for _ in range(settings.instances)]
        self._of: dict[int, Connection] = {}  # request on its way -> the connection that sent it
        self._place = run.column(0)  # of each change in the order of commits
        self._commits = 0
        self._asked, self._will_ask = -1, False  # the tick at which rows were asked for last, and whether they will be
        self._died = -1  # what was sent by then is nobody's any more
        for start, end in self._downtimes.intervals:
            run.clock.at(start, FAULT_STARTS, self._die)
            run.clock.at(end, FAULT_ENDS, self._return)

    @property
    def on_commit(self) -> Callable[[int, int], object]:
        """What to call with a change and when it commits: it will be there at the next poll."""
        return self._note

    def _note(self, change: int, now: int) -> None:
        self._clock.at(now, COMPLETION + change, self._committed, change)

    def _committed(self, moment: Moment) -> None:
        self._commits += 1
        self._place[moment.subject] = self._commits
        self._waiting.append(moment.subject)
        self._await_tick(moment.time)

    def _await_tick(self, now: int) -> None:
        """Ask at the next tick, if there is something to get and somebody to get it. A tick has one batch a relay."""
        free = any(not connection.batch for connection in self._connections)
        if self._waiting and free and not self._will_ask and not self._downtimes.is_down(now):
            self._will_ask = True
            tick = max(-(-now // self._poll), self._asked + 1)
            self._clock.at(tick * self._poll, READ, self._ask, tick)

    def _ask(self, moment: Moment) -> None:
        """Every relay that is free gets its share of what waits."""
        self._will_ask = False
        if self._downtimes.is_down(moment.time):
            return
        self._asked = moment.subject
        free = [connection for connection in self._connections if not connection.batch]
        rows = [self._waiting.popleft() for _ in range(min(self._most * len(free), len(self._waiting)))]
        for turn, connection in enumerate(free):
            connection.batch = rows[turn :: len(free)]
            self._send_all(connection, moment.time)
        self._await_tick(moment.time)

    def _send_all(self, connection: Connection, now: int) -> None:
        requests = [connection.batch[i : i + self.batch] for i in range(0, len(connection.batch), self.batch)]
        connection.unacknowledged = {request[0]: request for request in requests}
        for request in requests:
            self._of[request[0]] = connection
            connection.last_arrival = self.send_batch(request, now, connection.last_arrival)

    def _answered(self, request: Request, back: int) -> None:
        self._clock.at(back, COMPLETION + request[0], self._acknowledge, request)

    def _acknowledge(self, moment: Moment) -> None:
        change, _, sent, _ = moment.subject
        connection = self._of.get(change)
        if connection is None or sent <= self._died or connection.unacknowledged.pop(change, None) is None:
            return
        del self._of[change]
        if not connection.unacknowledged:
            connection.batch = []
            self._await_tick(moment.time)

    def _retry(self, moment: Moment) -> None:
        if moment.subject[2] > self._died:
            super()._retry(moment)

    def _die(self, moment: Moment) -> None:
        self._died = moment.time
        taken = [change for connection in self._connections for change in connection.batch]
        for connection in self._connections:
            connection.batch, connection.unacknowledged, connection.last_arrival = [], {}, 0
        self._of.clear()
        self._waiting = deque([*sorted(taken, key=self._place.__getitem__), *self._waiting])

    def _return(self, moment: Moment) -> None:
        self._await_tick(moment.time)
