"""Subscribing: nothing is kept for who is not connected, as edasim/simpy_model/subscribers.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.clock import ARRIVAL, schedule_with
from edasim.fast_path.consumer import lose
from edasim.fast_path.containers import Message, begun, draw, is_down, popped, pushed
from edasim.fast_path.instance import from_inbox, into_inbox, receive, take_next
from edasim.fast_path.memory import NOBODY, REACHES_BUFFER, World
from edasim.journal import LOST_CONSUMER, LOST_DISCONNECTED, LOST_OVERFLOW


@compiled_part
def subscriber_offer(w: World, group: int, sequence: int, change: int, stored: int, visible: int, now: int, partition: int) -> None:
    """A message passes by then. The publisher is not told what becomes of it."""
    mine, instance = w.groups[group], w.parts[group, partition].owner
    if is_down(w, w.instances[instance].downtimes, visible):
        lose(w, group, change, LOST_DISCONNECTED)
        return
    available = visible + draw(w, mine.deliver, change, w.deliveries[group, change].attempts)
    w.s[0].messages += 1
    message = (available, sequence, change, partition, stored, w.s[0].messages)
    if not mine.bounded:
        receive(w, instance, message, now)
    elif available == now:
        _buffer(w, instance, message)
    else:
        schedule_with(w, available, ARRIVAL + change, REACHES_BUFFER, instance, pushed(w, NOBODY, message), visible, 0, 0, 0)


@compiled_part
def reaches_buffer(w: World, instance: int, node: int, passed: int) -> None:
    """A message arrives, unless the subscriber was gone in between."""
    _, message = popped(w, node)
    mine = w.instances[instance]
    if begun(w, mine.downtimes, w.s[0].now) > begun(w, mine.downtimes, passed):
        lose(w, mine.group, message[2], LOST_DISCONNECTED)
    else:
        _buffer(w, instance, message)


@compiled_part
def _buffer(w: World, instance: int, message: Message) -> None:
    """Take it in hand if free; else it waits, while there is room, and pushes the oldest out or is lost itself."""
    mine = w.instances[instance]
    group = w.groups[mine.group]
    if mine.has_hand and mine.inbox_count >= group.room:
        lost = message
        if group.drops and mine.inbox_count:
            lost = from_inbox(w, instance)
            into_inbox(w, instance, message)
        lose(w, mine.group, lost[2], LOST_OVERFLOW)
    else:
        receive(w, instance, message, w.s[0].now)


@compiled_part
def subscriber_crash(w: World, instance: int, now: int) -> None:
    """What it had received is lost with it, what was on its way is missed, unless the broker has yet to send it."""
    mine = w.instances[instance]
    if mine.has_hand:
        lose(w, mine.group, mine.change, LOST_CONSUMER)
    _miss(w, instance, now, True)


@compiled_part
def subscriber_disconnect(w: World, instance: int, now: int) -> None:
    """It keeps what it had received and misses what was on its way."""
    _miss(w, instance, now, False)


@compiled_part
def subscriber_reconnect(w: World, instance: int, now: int) -> None:
    """It goes on with what it has."""
    w.instances[instance].stopped = 0
    take_next(w, instance, now)


@compiled_part
def _miss(w: World, instance: int, now: int, crashed: bool) -> None:
    """Lose what is on its way, and what was received where it *crashed*."""
    mine = w.instances[instance]
    waits, count = mine.inbox, mine.inbox_count
    mine.inbox, mine.inbox_count = NOBODY, 0
    for _ in range(count):
        waits, message = popped(w, waits)
        available, _, change, _, stored, _ = message
        if stored > now or (available <= now and not crashed):
            into_inbox(w, instance, message)
        else:
            lose(w, mine.group, change, LOST_CONSUMER if crashed and available <= now else LOST_DISCONNECTED)
