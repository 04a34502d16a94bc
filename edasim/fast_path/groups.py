"""How a group's instances come by their messages is the broker's kind's: whom to ask for what."""

from edasim.compiled import compiled_part
from edasim.fast_path.log_group import log_crash, log_disconnect, log_offer, log_reconnect
from edasim.fast_path.memory import LOG, QUEUE, World
from edasim.fast_path.placing import partition_of
from edasim.fast_path.subscribers import subscriber_crash, subscriber_disconnect, subscriber_offer, subscriber_reconnect
from edasim.fast_path.work_queue import put, queue_crash, queue_disconnect, queue_reconnect


@compiled_part
def offer(w: World, group: int, sequence: int, change: int, stored: int, visible: int) -> bool:
    """The broker has a message for a group: whether it is taken."""
    kind, now = w.s[0].kind, w.s[0].now
    if kind == QUEUE:
        return put(w, group, sequence, change, stored, now)
    if kind == LOG:
        log_offer(w, group, sequence, change, stored, visible, now, partition_of(w, change))
    else:
        subscriber_offer(w, group, sequence, change, stored, visible, now, partition_of(w, change))
    return True


@compiled_part
def crash(w: World, instance: int, now: int) -> None:
    """The process died, with what it had in hand and in its inbox."""
    kind = w.s[0].kind
    if kind == LOG:
        log_crash(w, instance, now)
    elif kind == QUEUE:
        queue_crash(w, instance, now)
    else:
        subscriber_crash(w, instance, now)


@compiled_part
def disconnect(w: World, instance: int, now: int) -> None:
    """The process is paused, with what it has in hand."""
    kind = w.s[0].kind
    if kind == LOG:
        log_disconnect(w, instance, now)
    elif kind == QUEUE:
        queue_disconnect(w, instance, now)
    else:
        subscriber_disconnect(w, instance, now)


@compiled_part
def reconnect(w: World, instance: int, now: int) -> None:
    """The process runs again."""
    kind = w.s[0].kind
    if kind == LOG:
        log_reconnect(w, instance, now)
    elif kind == QUEUE:
        queue_reconnect(w, instance, now)
    else:
        subscriber_reconnect(w, instance, now)
