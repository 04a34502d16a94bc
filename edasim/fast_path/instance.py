"""One instance of a consumer group: which message it takes in hand, and when, as edasim/simpy_model/instance.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.clock import COMPLETION, schedule
from edasim.fast_path.consumer import lose, slowed
from edasim.fast_path.containers import Message, append, draw, popped, pushed
from edasim.fast_path.memory import HANDLED, LOG, NOBODY, World
from edasim.fast_path.placing import goes
from edasim.faults import NEVER
from edasim.journal import LOST_RETENTION, NONE


@compiled_part
def wait(w: World, instance: int, time: int, order: int, kind: int, subject: int) -> None:
    """What the message in hand waits for; what it waited for before is void."""
    mine = w.instances[instance]
    mine.moment_time, mine.moment_kind, mine.moment_subject = time, kind, subject
    mine.moment = schedule(w, time, order + mine.change, kind, instance, subject)


@compiled_part
def into_inbox(w: World, instance: int, message: Message) -> None:
    """The message waits."""
    mine = w.instances[instance]
    mine.inbox = pushed(w, mine.inbox, message)
    mine.inbox_count += 1


@compiled_part
def from_inbox(w: World, instance: int) -> Message:
    """The first message that waits."""
    mine = w.instances[instance]
    mine.inbox, message = popped(w, mine.inbox)
    mine.inbox_count -= 1
    return message


@compiled_part
def in_hand(w: World, instance: int) -> Message:
    """The message in hand."""
    mine = w.instances[instance]
    return mine.available, mine.sequence, mine.change, mine.place, mine.stored, mine.item


@compiled_part
def receive(w: World, instance: int, message: Message, now: int) -> None:
    """The message is here, or on its way."""
    mine = w.instances[instance]
    if not mine.has_hand and not mine.stopped:
        take(w, instance, message, now)
    elif mine.has_hand and mine.begins > now and message < in_hand(w, instance):
        put_back(w, instance)
        take(w, instance, message, now)
    else:
        into_inbox(w, instance, message)


@compiled_part
def take(w: World, instance: int, message: Message, now: int) -> None:
    """Take the message in hand; if the broker has lost or dropped it by the time it would start, the next one in the inbox."""
    mine = w.instances[instance]
    group, number = w.groups[mine.group], mine.group
    while True:
        available, sequence, change, place, stored, item = message
        row = w.deliveries[number, change]
        attempt = row.attempts
        begins = min(max(available, now), NEVER)  # what is added to fits into 64 bits
        ready = mine.last_end + draw(w, group.handover, change, attempt)
        start = min(max(ready, begins), NEVER)
        if not group.plain:
            if group.poll_interval and start > ready:
                looks = max(ready, mine.polls_from)
                begins = start = min(looks - (looks - begins) // group.poll_interval * group.poll_interval, NEVER)
            gone, reason = goes(w, group.topic, sequence)
            if start >= gone:
                _let_go(w, instance, change, place, reason, now)
                if mine.inbox_count == 0:
                    return
                message = from_inbox(w, instance)
                continue
        if start <= stored + group.retention:
            break
        _let_go(w, instance, change, place, LOST_RETENTION, now)
        if mine.inbox_count == 0:
            return
        message = from_inbox(w, instance)
    mine.has_hand = 1
    mine.available, mine.sequence, mine.change, mine.place, mine.stored, mine.item = available, sequence, change, place, stored, item
    mine.begins = begins
    if not group.plain:
        mine.start = start
        if w.s[0].kind == LOG:
            _polls(w, instance, available, start)
        if row.known:
            mine.attempt = NONE
            wait(w, instance, start, COMPLETION, HANDLED, 0)
            return
    row.attempts = attempt + 1
    if attempt == 0 or available < row.delivered:
        row.delivered = available
    mine.attempt = attempt
    handle = draw(w, group.handle, change, attempt)
    if group.may_slow:
        handle = slowed(w, number, handle, start)
    wait(w, instance, start + handle, COMPLETION, HANDLED, 0)


@compiled_part
def _polls(w: World, instance: int, available: int, start: int) -> None:
    """Whoever reads a log gets what a poll returned, and polls again when that is done with."""
    mine = w.instances[instance]
    if available > mine.polled or mine.poll_left == 0:
        mine.polled = start
        messages = w.groups[mine.group].commit_messages
        mine.poll_left = messages if messages else NEVER
    mine.poll_left -= 1


@compiled_part
def _let_go(w: World, instance: int, change: int, place: int, reason: int, now: int) -> None:
    mine = w.instances[instance]
    mine.has_hand = 0
    lose(w, mine.group, change, reason)
    if mine.settles:  # only a log lets go of messages
        progress(w, instance, place, now)


@compiled_part
def progress(w: World, instance: int, partition: int, now: int) -> None:
    """A reader of a log is done with a message: note it, and commit when its time has come."""
    mine = w.instances[instance]
    group = w.groups[mine.group]
    append(w, w.parts[mine.group, partition].ends, now)
    if group.commit_messages:
        mine.uncommitted += 1
        if mine.uncommitted >= group.commit_messages:
            commit(w, instance)


@compiled_part
def commit(w: World, instance: int) -> None:
    """Everything handled so far need not be handled again."""
    mine = w.instances[instance]
    mine.uncommitted = 0
    for partition in range(mine.first_part, mine.end_part):
        part = w.parts[mine.group, partition]
        part.committed = w.lists[part.ends].length


@compiled_part
def put_back(w: World, instance: int) -> None:
    """The message in hand was still on its way: it is not in hand yet."""
    mine = w.instances[instance]
    row = w.deliveries[mine.group, mine.change]
    if mine.attempt != NONE:
        row.attempts -= 1
        if row.attempts == 0:
            row.delivered = NONE
    into_inbox(w, instance, in_hand(w, instance))
    mine.has_hand = 0
    mine.moment = NOBODY
    mine.poll_left = 0


@compiled_part
def take_next(w: World, instance: int, now: int) -> None:
    """Take the first message of the inbox in hand, if it may and there is one."""
    mine = w.instances[instance]
    if not mine.has_hand and mine.inbox_count and not mine.stopped:
        take(w, instance, from_inbox(w, instance), now)


@compiled_part
def empty_inbox(w: World, instance: int) -> None:
    """What was in it is fetched or delivered once more, or never."""
    mine = w.instances[instance]
    while mine.inbox_count:
        from_inbox(w, instance)
