"""Publishing through a relay, as edasim/simpy_model/relay.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.clock import READ, schedule
from edasim.fast_path.containers import is_down
from edasim.fast_path.memory import NOBODY, RELAY_ASKS, World
from edasim.fast_path.publisher import send_batch


@compiled_part
def relay_notes(w: World, publisher: int, change: int) -> None:
    """A change has committed: it will be there at the next poll."""
    mine = w.relays[w.publishers[publisher].relay]
    mine.commits += 1
    w.sent[publisher, change].place = mine.commits
    w.flat[mine.waiting + mine.tail] = change
    mine.tail += 1
    await_tick(w, publisher, w.s[0].now)


@compiled_part
def await_tick(w: World, publisher: int, now: int) -> None:
    """Ask at the next tick, if there is something to get and somebody to get it."""
    mine = w.relays[w.publishers[publisher].relay]
    if mine.tail == mine.head or mine.will_ask or is_down(w, mine.down, now) or not _free(w, publisher):
        return
    mine.will_ask = 1
    tick = max(-(-now // mine.poll), mine.asked + 1)
    schedule(w, tick * mine.poll, READ, RELAY_ASKS, publisher, tick)


@compiled_part
def _free(w: World, publisher: int) -> int:
    """How many connections have nothing on its way."""
    mine, free = w.relays[w.publishers[publisher].relay], 0
    for number in range(mine.connections, mine.connections + mine.connection_count):
        free += w.connections[number].batch_count == 0
    return free


@compiled_part
def relay_asks(w: World, publisher: int, tick: int) -> None:
    """Every relay that is free gets its share of what waits."""
    s, mine = w.s[0], w.relays[w.publishers[publisher].relay]
    now = s.now
    mine.will_ask = 0
    if is_down(w, mine.down, now):
        return
    mine.asked = tick
    free = _free(w, publisher)
    rows = min(mine.most * free, mine.tail - mine.head)
    first, turn = mine.head, 0
    mine.head += rows
    for number in range(mine.connections, mine.connections + mine.connection_count):
        connection = w.connections[number]
        if connection.batch_count == 0 and turn < free:
            begin, count = s.flat_used, 0
            for row in range(turn, rows, free):
                w.flat[begin + count] = w.flat[mine.waiting + first + row]
                count += 1
            s.flat_used += count
            turn += 1
            connection.batch, connection.batch_count = begin, count
            _send_all(w, publisher, number, now)
    await_tick(w, publisher, now)


@compiled_part
def _send_all(w: World, publisher: int, number: int, now: int) -> None:
    connection, size = w.connections[number], w.publishers[publisher].batch
    begin, end = connection.batch, connection.batch + connection.batch_count
    connection.unacknowledged = -(-connection.batch_count // size)
    for first in range(begin, end, size):
        w.sent[publisher, w.flat[first]].connection = number
        connection.last_arrival = send_batch(w, publisher, first, min(size, end - first), now, connection.last_arrival)


@compiled_part
def acknowledged(w: World, publisher: int, change: int, sent: int) -> None:
    """A request of a relay was answered in time."""
    row, mine = w.sent[publisher, change], w.relays[w.publishers[publisher].relay]
    if row.connection == NOBODY or sent <= mine.died:
        return
    connection = w.connections[row.connection]
    row.connection = NOBODY
    connection.unacknowledged -= 1
    if connection.unacknowledged == 0:
        connection.batch_count = 0
        await_tick(w, publisher, w.s[0].now)


@compiled_part
def relay_dies(w: World, publisher: int) -> None:
    """What it had taken and not yet marked waits again, in the order of commits."""
    mine = w.relays[w.publishers[publisher].relay]
    mine.died = w.s[0].now
    for number in range(mine.connections, mine.connections + mine.connection_count):
        connection = w.connections[number]
        for place in range(connection.batch, connection.batch + connection.batch_count):
            change = w.flat[place]
            w.sent[publisher, change].connection = NOBODY
            mine.head -= 1
            at = mine.head  # insertion, since each batch is in order
            while at + 1 < mine.tail and _precedes(w, publisher, w.flat[mine.waiting + at + 1], change):
                w.flat[mine.waiting + at] = w.flat[mine.waiting + at + 1]
                at += 1
            w.flat[mine.waiting + at] = change
        connection.batch_count = connection.unacknowledged = connection.last_arrival = 0


@compiled_part
def _precedes(w: World, publisher: int, one: int, other: int) -> bool:
    return w.sent[publisher, one].place < w.sent[publisher, other].place
