"""The event loop: what happens next, until the end of the run. One compiled function calls all stages."""

from edasim.compiled import compiled, compiled_part
from edasim.fast_path.clock import FAULT_ENDS, FAULT_STARTS, drop_first, schedule
from edasim.fast_path.containers import at
from edasim.fast_path.handling import answered, await_fault, call, called, handled, instance_fails, instance_returns, tries_again
from edasim.fast_path.instance import put_back
from edasim.fast_path.log_group import deal, look
from edasim.fast_path.memory import (
    ACKNOWLEDGED,
    ANSWERED,
    APPENDS,
    BROKER_DIES,
    BROKER_RETURNS,
    CALLED,
    CALLS_AGAIN,
    COMMITS,
    FETCHED,
    HANDLED,
    INSTANCE_FAILS,
    INSTANCE_RETURNS,
    JOINS,
    LINGERED,
    MEMBERS_CHANGED,
    OVERDUE,
    OWN_READ,
    PAUSE_ENDS,
    POLL_ARRIVES,
    POLL_IS_DUE,
    POLLED,
    QUEUE,
    QUEUED,
    REACHES_BUFFER,
    READ_AGAIN,
    READ_ARRIVES,
    READ_IS_DUE,
    RELAY_ASKS,
    RELAY_DIES,
    RELAY_NOTES,
    RELAY_RETURNS,
    REQUEST_ARRIVES,
    RETRIES,
    TOLD,
    TRIES_AGAIN,
    WRITE_ARRIVES,
    World,
)
from edasim.fast_path.publisher import joins, lingered, queued, request_arrives, retries
from edasim.fast_path.readers import (
    attempt_read,
    await_next_poll,
    fetched,
    open_reader,
    poll_arrives,
    poll_is_due,
    polled,
    read_again,
    read_arrives,
    read_is_due,
)
from edasim.fast_path.relay import acknowledged, await_tick, relay_asks, relay_dies, relay_notes
from edasim.fast_path.source import appends, await_next_write, commits, told, write_arrives
from edasim.fast_path.subscribers import reaches_buffer
from edasim.fast_path.work_queue import broker_dies, broker_returns, overdue


@compiled
def open_all(w: World) -> None:
    """What the SimPy model schedules before its run, in the same order."""
    s = w.s[0]
    for group in range(s.groups if s.kind == QUEUE else 0):
        down = w.topics[w.groups[group].topic].down
        for number in range(w.lists[down].length):
            schedule(w, at(w, down, number), FAULT_STARTS, BROKER_DIES, group, 0)
            schedule(w, at(w, down + 1, number), FAULT_ENDS, BROKER_RETURNS, group, 0)
    for publisher in range(w.publishers.size):
        if w.publishers[publisher].relay >= 0:
            down = w.relays[w.publishers[publisher].relay].down
            for number in range(w.lists[down].length):
                schedule(w, at(w, down, number), FAULT_STARTS, RELAY_DIES, publisher, 0)
                schedule(w, at(w, down + 1, number), FAULT_ENDS, RELAY_RETURNS, publisher, 0)
    for source in range(s.regions):
        await_next_write(w, source)
    s.stop_eid = s.eid
    for instance in range(w.instances.size):
        await_fault(w, instance)
    for consumer in range(s.consumers):  # what reads for it, if anything does
        for asker in range(s.own_begin):
            if w.askers[asker].consumer == consumer:
                open_reader(w, asker)
        for poller in range(s.polls):
            if w.pollers[poller].consumer == consumer:
                await_next_poll(w, poller)


@compiled
def wanted(w: World) -> tuple[int, int, int, int, int, int, int, int, int]:
    """How large moments, nodes, entries, items, handed, requests, refreshes, rows and flat must be for whatever happens next."""
    s = w.s[0]
    fetched_again = s.entries_used * s.may_return
    return (
        s.moments_used + s.margin + fetched_again + s.items_used * s.may_be_sent,
        s.nodes_used + s.margin + fetched_again + s.unacknowledged,
        s.entries_used + s.margin,
        s.items_used + s.margin,
        s.handed_used + s.margin + s.items_used,
        s.requests_used + s.margin,
        s.refreshes_used + s.margin + (s.entities if s.polls else 0),
        s.rows_used + s.margin,
        s.flat_used + 4 * s.flat_grown + 8 * s.margin,
    )


@compiled_part
def is_full(w: World) -> bool:
    """Whether some array has to be made larger first."""
    moments, nodes, entries, items, handed, requests, refreshes, rows, flat = wanted(w)
    full = moments > w.moments.size or nodes > w.nodes.size or entries > w.entries.size or items > w.items.size
    full = full or handed > w.handed.size or requests > w.requests.shape[0] or refreshes > w.refreshes.shape[0]
    return full or rows > w.rows.size or flat > w.flat.size


@compiled
def run(w: World, most: int) -> bool:
    """Let up to *most* moments happen, or until an array is full; whether the run is over."""
    s = w.s[0]
    for _ in range(most):
        if s.heap_size == 0:
            return True
        first = w.heap[0]
        if first.time > s.horizon or (first.time == s.horizon and (first.order > 0 or first.eid > s.stop_eid)):
            return True
        if is_full(w):
            return False
        s.now = first.time
        eid, moment = first.eid, w.moments[first.slot]
        kind, a, b, c, d, e, f = moment.kind, moment.a, moment.b, moment.c, moment.d, moment.e, moment.f
        drop_first(w)
        if HANDLED <= kind <= CALLS_AGAIN:
            if w.instances[a].moment == eid and w.instances[a].has_hand:
                _of_instance(w, kind, a, b)
        elif READ_IS_DUE <= kind <= POLLED:
            _of_reads(w, kind, a, b, c, d)
        elif kind == REQUEST_ARRIVES:
            request_arrives(w, a, b, c, d, e)
        elif kind == WRITE_ARRIVES:
            write_arrives(w, a)
        elif kind <= TOLD:
            _of_source(w, kind, a, b, c, d)
        elif kind <= RELAY_RETURNS:
            _of_publisher(w, kind, a, b, c, d, e, f)
        else:
            _of_group(w, kind, a, b, c, eid)
    return False


@compiled_part
def _of_instance(w: World, kind: int, instance: int, subject: int) -> None:
    if kind == HANDLED:
        handled(w, instance)
    elif kind == TRIES_AGAIN:
        tries_again(w, instance)
    elif kind == CALLED:
        called(w, instance, subject)
    elif kind == ANSWERED:
        answered(w, instance, subject)
    else:
        call(w, instance, w.s[0].now)


@compiled_part
def _of_reads(w: World, kind: int, a: int, b: int, c: int, d: int) -> None:
    if kind == READ_IS_DUE:
        read_is_due(w, a)
    elif kind == READ_ARRIVES:
        read_arrives(w, a, b, c, d)
    elif kind == READ_AGAIN:
        read_again(w, a, b)
    elif kind == FETCHED:
        fetched(w, a, b, c, d)
    elif kind == OWN_READ:
        attempt_read(w, a, b, w.s[0].now)
    elif kind == POLL_IS_DUE:
        poll_is_due(w, a)
    elif kind == POLL_ARRIVES:
        poll_arrives(w, a, b, c)
    else:
        polled(w, a, b)


@compiled_part
def _of_source(w: World, kind: int, a: int, b: int, c: int, d: int) -> None:
    if kind == APPENDS:
        appends(w, a, b, c, d)
    elif kind == COMMITS:
        commits(w, a, b)
    else:
        told(w, a, b)


@compiled_part
def _of_publisher(w: World, kind: int, a: int, b: int, c: int, d: int, e: int, f: int) -> None:
    if kind == RETRIES:
        retries(w, a, b, d, e)
    elif kind == JOINS:
        joins(w, a, b)
    elif kind == LINGERED:
        lingered(w, a, b)
    elif kind == QUEUED:
        queued(w, a, b, c, d, e, f)
    elif kind == RELAY_NOTES:
        relay_notes(w, a, b)
    elif kind == RELAY_ASKS:
        relay_asks(w, a, b)
    elif kind == ACKNOWLEDGED:
        acknowledged(w, a, b, c)
    elif kind == RELAY_DIES:
        relay_dies(w, a)
    else:
        await_tick(w, a, w.s[0].now)


@compiled_part
def _of_group(w: World, kind: int, a: int, b: int, c: int, eid: int) -> None:
    if kind == OVERDUE:
        overdue(w, a, b)
    elif kind == REACHES_BUFFER:
        reaches_buffer(w, a, b, c)
    elif kind == INSTANCE_FAILS:
        instance_fails(w, a)
    elif kind == INSTANCE_RETURNS:
        instance_returns(w, a)
    elif kind == MEMBERS_CHANGED:
        look(w, a)
    elif kind == PAUSE_ENDS:
        deal(w, a, eid)
    elif kind == BROKER_DIES:
        broker_dies(w, a)
    elif kind == BROKER_RETURNS:
        broker_returns(w, a)


@compiled
def close_instances(w: World) -> None:
    """The run is over: a message in hand that is still on its way is not there."""
    w.s[0].now = w.s[0].horizon
    for instance in range(w.instances.size):
        if w.instances[instance].has_hand and w.instances[instance].begins > w.s[0].now:
            put_back(w, instance)
