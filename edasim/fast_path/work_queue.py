"""A queue whose instances compete for messages, as edasim/simpy_model/work_queue.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.clock import ARRIVAL, schedule
from edasim.fast_path.consumer import again, lose
from edasim.fast_path.containers import draw, popped, pushed, up_from
from edasim.fast_path.instance import empty_inbox, from_inbox, put_back, receive, take_next
from edasim.fast_path.memory import NOBODY, OVERDUE, World
from edasim.fast_path.placing import dies
from edasim.faults import NEVER
from edasim.journal import LOST_BROKER, LOST_CONSUMER, LOST_OVERFLOW, NONE

# --- those with room, in turn, and each one's window of deliveries: lists linked both ways


@compiled_part
def _set_ready(w: World, group: int, instance: int) -> None:
    """It waits for its turn, behind the others, if it does not wait already."""
    mine, one = w.groups[group], w.instances[instance]
    if one.ready:
        return
    one.ready, one.ready_before, one.ready_after = 1, mine.ready_tail, NOBODY
    if mine.ready_tail >= 0:
        w.instances[mine.ready_tail].ready_after = instance
    else:
        mine.ready_head = instance
    mine.ready_tail = instance


@compiled_part
def _unset_ready(w: World, group: int, instance: int) -> None:
    mine, one = w.groups[group], w.instances[instance]
    if not one.ready:
        return
    one.ready = 0
    if one.ready_before >= 0:
        w.instances[one.ready_before].ready_after = one.ready_after
    else:
        mine.ready_head = one.ready_after
    if one.ready_after >= 0:
        w.instances[one.ready_after].ready_before = one.ready_before
    else:
        mine.ready_tail = one.ready_before


@compiled_part
def _into_window(w: World, instance: int, delivery: int) -> None:
    one, row = w.instances[instance], w.handed[delivery]
    row.windowed, row.window_before, row.window_after = 1, one.window_tail, NOBODY
    if one.window_tail >= 0:
        w.handed[one.window_tail].window_after = delivery
    else:
        one.window_head = delivery
    one.window_tail = delivery
    one.window_count += 1


@compiled_part
def _out_of_window(w: World, instance: int, delivery: int) -> None:
    one, row = w.instances[instance], w.handed[delivery]
    if not row.windowed:
        return
    row.windowed = 0
    one.window_count -= 1
    if row.window_before >= 0:
        w.handed[row.window_before].window_after = row.window_after
    else:
        one.window_head = row.window_after
    if row.window_after >= 0:
        w.handed[row.window_after].window_before = row.window_before
    else:
        one.window_tail = row.window_before


@compiled_part
def _await_acknowledgement(w: World, group: int, delivery: int) -> None:
    mine, row = w.groups[group], w.handed[delivery]
    row.unacknowledged, row.before, row.after = 1, NOBODY, mine.unacknowledged
    if mine.unacknowledged >= 0:
        w.handed[mine.unacknowledged].before = delivery
    mine.unacknowledged = delivery
    w.s[0].unacknowledged += 1


@compiled_part
def _acknowledge(w: World, group: int, delivery: int) -> bool:
    """Nobody waits for it any more; whether anybody did."""
    mine, row = w.groups[group], w.handed[delivery]
    if not row.unacknowledged:
        return False
    row.unacknowledged = 0
    w.s[0].unacknowledged -= 1
    if row.before >= 0:
        w.handed[row.before].after = row.after
    else:
        mine.unacknowledged = row.after
    if row.after >= 0:
        w.handed[row.after].before = row.before
    return True


# --- the queue


@compiled_part
def _wait_in_queue(w: World, group: int, item: int, sent: int) -> None:
    mine, row = w.groups[group], w.items[item]
    mine.waiting = pushed(w, mine.waiting, (row.sequence, row.change, row.stored, sent, 0, item))
    mine.waiting_count += 1


@compiled_part
def put(w: World, group: int, sequence: int, change: int, stored: int, now: int) -> bool:
    """The broker has stored a message: whether the queue takes it. Who drops the oldest tells nobody."""
    s, mine, row = w.s[0], w.groups[group], w.deliveries[group, change]
    full = mine.ready_head == NOBODY and mine.waiting_count >= mine.most
    if full and not mine.drops:
        return False
    again(w, group, change, row.stored != NONE)
    if row.stored == NONE:
        row.stored = stored
    item = s.items_used
    s.items_used += 1
    entry = w.items[item]
    entry.sequence, entry.change, entry.stored, entry.done = sequence, change, stored, 0
    if not full:
        _wait_in_queue(w, group, item, stored)
        _deliver(w, group, now)
    elif mine.waiting_count == 0:
        lose(w, group, change, LOST_OVERFLOW)
    else:
        mine.waiting, oldest = popped(w, mine.waiting)
        mine.waiting_count -= 1
        _wait_in_queue(w, group, item, stored)
        lose(w, group, oldest[1], LOST_OVERFLOW)
    return True


@compiled_part
def _deliver(w: World, group: int, now: int) -> None:
    """Send what waits to who has room, in turn."""
    s, mine = w.s[0], w.groups[group]
    while mine.waiting_count and mine.ready_head >= 0:
        mine.waiting, message = popped(w, mine.waiting)
        mine.waiting_count -= 1
        sequence, change, stored, sent, _, item = message
        if w.items[item].done:
            continue
        worker = mine.ready_head
        _unset_ready(w, group, worker)
        delivery = s.handed_used
        s.handed_used += 1
        row = w.handed[delivery]
        row.group, row.item, row.sent, row.worker, row.unacknowledged, row.came_back = group, item, sent, worker, 0, 0
        _into_window(w, worker, delivery)
        if w.instances[worker].window_count < mine.prefetch:
            _set_ready(w, group, worker)
        available = max(sent + draw(w, mine.deliver, change, w.deliveries[group, change].attempts), now)
        if not mine.commits_first:
            _await_acknowledgement(w, group, delivery)
            if mine.after != NEVER:
                schedule(w, min(available, NEVER) + mine.after, ARRIVAL + change, OVERDUE, group, delivery)
        receive(w, worker, (available, sequence, change, delivery, stored, item), now)


@compiled_part
def acknowledge_handled(w: World, instance: int, delivery: int, now: int) -> None:
    """A worker is done with a message: it acknowledges it, or so many at once."""
    mine = w.instances[instance]
    group = mine.group
    w.handed[delivery].handled_after = mine.handled_head
    mine.handled_head = delivery
    mine.handled_count += 1
    if mine.handled_count < w.groups[group].acknowledge_every:
        return
    done = mine.handled_head
    mine.handled_head, mine.handled_count = NOBODY, 0
    while done >= 0:
        row = w.handed[done]
        _acknowledge(w, group, done)
        if row.came_back:
            row.came_back = 0
            w.items[row.item].done = 1
        _out_of_window(w, instance, done)
        done = row.handled_after
    connected(w, instance, now)


@compiled_part
def connected(w: World, instance: int, now: int) -> None:
    """The worker may get messages, if it has room."""
    mine = w.instances[instance]
    group = w.groups[mine.group]
    if group.up and not mine.down and mine.window_count < group.prefetch:
        _set_ready(w, mine.group, instance)
        _deliver(w, mine.group, now)


@compiled_part
def _disconnected(w: World, instance: int, keeps: int, now: int) -> None:
    """The worker is gone for now: what it did not acknowledge comes back, but for the one delivery that it *keeps*."""
    mine = w.instances[instance]
    number = mine.group
    group = w.groups[number]
    _unset_ready(w, number, instance)
    mine.handled_head, mine.handled_count = NOBODY, 0
    comes_back = group.after == NEVER
    delivery = mine.window_head
    while delivery >= 0:
        following = w.handed[delivery].window_after
        w.handed[delivery].windowed = 0
        if delivery != keeps and comes_back:
            _come_back(w, number, delivery, now)
        delivery = following
    mine.window_head, mine.window_tail, mine.window_count = NOBODY, NOBODY, 0
    if keeps >= 0:
        _into_window(w, instance, keeps)
    if comes_back:
        _deliver(w, number, now)


@compiled_part
def _come_back(w: World, group: int, delivery: int, sent: int) -> None:
    if _acknowledge(w, group, delivery):
        _wait_in_queue(w, group, w.handed[delivery].item, sent)


@compiled_part
def overdue(w: World, group: int, delivery: int) -> None:
    """It was delivered so long ago and not acknowledged. Who has it in work all the same has a copy of its own from now on."""
    row, now = w.handed[delivery], w.s[0].now
    if not row.unacknowledged or w.items[row.item].done:
        return
    if row.windowed:
        again(w, group, w.items[row.item].change, True)
        row.came_back = 1
    _come_back(w, group, delivery, now)
    _deliver(w, group, now)


# --- outages


@compiled_part
def queue_crash(w: World, instance: int, now: int) -> None:
    """What it did not acknowledge comes back to the queue; what was acknowledged before it was handled is lost."""
    mine = w.instances[instance]
    first = w.groups[mine.group].commits_first
    if mine.has_hand and (first or not w.handed[mine.place].unacknowledged):
        lose(w, mine.group, mine.change, LOST_CONSUMER if first else LOST_BROKER)
    while mine.inbox_count:
        message = from_inbox(w, instance)
        if first or not w.handed[message[3]].unacknowledged:
            lose(w, mine.group, message[2], LOST_CONSUMER if first else LOST_BROKER)
    _disconnected(w, instance, NOBODY, now)


@compiled_part
def queue_disconnect(w: World, instance: int, now: int) -> None:
    """It keeps what it has in hand; the rest comes back to the queue, unless it was acknowledged already."""
    mine = w.instances[instance]
    if w.groups[mine.group].commits_first:
        _unset_ready(w, mine.group, instance)
        mine.handled_head, mine.handled_count = NOBODY, 0
        if w.groups[mine.group].after == NEVER:
            _deliver(w, mine.group, now)
        return
    empty_inbox(w, instance)
    _disconnected(w, instance, mine.place if mine.has_hand else NOBODY, now)


@compiled_part
def queue_reconnect(w: World, instance: int, now: int) -> None:
    """It goes on with what it has, and gets more."""
    w.instances[instance].stopped = 0
    take_next(w, instance, now)
    connected(w, instance, now)


@compiled_part
def broker_dies(w: World, group: int) -> None:
    """All connections break. What survives is delivered again; what is in hand is finished besides."""
    s, mine = w.s[0], w.groups[group]
    now = s.now
    mine.up = 0
    instances = range(mine.first_instance, mine.first_instance + mine.instances)
    for instance in instances:
        _unset_ready(w, group, instance)
        _drop_connection(w, instance)
    back = up_from(w, w.topics[mine.topic].down, now)
    entries, count = mine.waiting, mine.waiting_count  # and to these what was not acknowledged
    mine.waiting, mine.waiting_count = NOBODY, 0
    while mine.unacknowledged >= 0:
        delivery = mine.unacknowledged
        row, item = w.handed[delivery], w.items[w.handed[delivery].item]
        worker = w.instances[row.worker]
        worked_on = worker.has_hand and worker.place == delivery
        _acknowledge(w, group, delivery)
        entries = pushed(w, entries, (item.sequence, item.change, item.stored, row.sent, int(worked_on), row.item))
        count += 1
    for delivery in range(mine.first_handed, s.handed_used):
        if w.handed[delivery].group == group:
            w.handed[delivery].came_back = 0
    mine.first_handed = s.handed_used
    for _ in range(count):
        entries, entry = popped(w, entries)
        _, change, stored, sent, worked_on, item = entry
        if w.topics[mine.topic].forgets and dies(w, mine.topic, stored) <= now:
            if not worked_on:
                lose(w, group, change, LOST_BROKER)
        else:
            if worked_on:
                again(w, group, change, True)
            _wait_in_queue(w, group, item, max(sent, back))


@compiled_part
def _drop_connection(w: World, instance: int) -> None:
    """The broker is gone: what is in hand is finished, though nobody will hear of it."""
    mine = w.instances[instance]
    if mine.has_hand and mine.begins > w.s[0].now:
        put_back(w, instance)
    if not w.groups[mine.group].commits_first:
        empty_inbox(w, instance)
    delivery = mine.window_head
    while delivery >= 0:
        w.handed[delivery].windowed = 0
        delivery = w.handed[delivery].window_after
    mine.window_head, mine.window_tail, mine.window_count = NOBODY, NOBODY, 0
    mine.handled_head, mine.handled_count = NOBODY, 0


@compiled_part
def broker_returns(w: World, group: int) -> None:
    """Everyone connects again."""
    mine = w.groups[group]
    mine.up = 1
    for instance in range(mine.first_instance, mine.first_instance + mine.instances):
        connected(w, instance, w.s[0].now)
