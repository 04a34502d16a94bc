"""Reading a log: partitions, progress and rebalancing, as edasim/simpy_model/log_group.py says."""

import numpy as np

from edasim.compiled import compiled_part
from edasim.fast_path.clock import AFTER_FAULTS, schedule
from edasim.fast_path.consumer import lose
from edasim.fast_path.containers import append, at, draw, popped, until, up_from
from edasim.fast_path.instance import commit, empty_inbox, from_inbox, into_inbox, put_back, receive, take_next
from edasim.fast_path.memory import MEMBERS_CHANGED, NOBODY, PAUSE_ENDS, World
from edasim.faults import NEVER
from edasim.journal import LOST_CONSUMER


@compiled_part
def log_offer(w: World, group: int, sequence: int, change: int, stored: int, visible: int, now: int, partition: int) -> None:
    """The log has a message that can be fetched from *visible* on. Who takes nothing now fetches it later."""
    part, mine = w.parts[group, partition], w.groups[group]
    instance = part.owner
    if w.instances[instance].stopped:
        return
    available = min(visible + draw(w, mine.deliver, change, w.deliveries[group, change].attempts), NEVER)
    topic = w.topics[mine.topic]
    if topic.fails:
        available += up_from(w, topic.down, visible) - visible
    available = max(available, part.reaches)
    part.reaches = available
    w.s[0].messages += 1
    receive(w, instance, (available, sequence, change, partition, stored, w.s[0].messages), now)


@compiled_part
def dropped(w: World, instance: int, sequence: int, when: int) -> None:
    """The log drops that message then: if it is in hand and would start later, another takes its place."""
    mine = w.instances[instance]
    if mine.has_hand and mine.sequence == sequence and mine.start >= when:
        put_back(w, instance)
        take_next(w, instance, w.s[0].now)


@compiled_part
def log_crash(w: World, instance: int, now: int) -> None:
    """Each partition returns to its last commit; what was committed before it was handled is lost."""
    mine = w.instances[instance]
    number = mine.group
    group = w.groups[number]
    if group.commits_first:
        if mine.has_hand:
            lose(w, number, mine.change, LOST_CONSUMER)
            append(w, w.parts[number, mine.place].ends, now)
        while mine.inbox_count and mine.poll_left > 0:
            available, _, change, partition, _, _ = from_inbox(w, instance)
            if available > mine.polled:
                break
            lose(w, number, change, LOST_CONSUMER)
            append(w, w.parts[number, partition].ends, now)
            mine.poll_left -= 1
    else:
        for partition in range(mine.first_part, mine.end_part):
            _go_back(w, number, partition, now)
    mine.uncommitted = mine.poll_left = 0
    empty_inbox(w, instance)
    if group.rebalances:
        _members_changed(w, number, now)


@compiled_part
def _go_back(w: World, group: int, partition: int, now: int) -> None:
    """Forget the progress since the last commit before *now*."""
    mine, part = w.groups[group], w.parts[group, partition]
    ends, done = w.lists[part.ends], part.committed
    if mine.commit_every:
        done = max(done, until(w, ends.begin, ends.length, (now - 1) // mine.commit_every * mine.commit_every))
    ends.length = min(ends.length, done)


@compiled_part
def log_disconnect(w: World, instance: int, now: int) -> None:
    """It keeps what it has; what was on its way is fetched again."""
    mine = w.instances[instance]
    waits, count = mine.inbox, mine.inbox_count
    mine.inbox, mine.inbox_count = NOBODY, 0
    for _ in range(count):
        waits, message = popped(w, waits)
        if message[0] <= now:
            into_inbox(w, instance, message)


@compiled_part
def log_reconnect(w: World, instance: int, now: int) -> None:
    """It reads on where it was, or where the group says."""
    mine = w.instances[instance]
    if w.groups[mine.group].rebalances:
        _members_changed(w, mine.group, now)
    else:
        _read_on(w, instance, now)


@compiled_part
def _read_on(w: World, instance: int, now: int) -> None:
    """Fetch from the log what comes after what it has, and go on."""
    mine = w.instances[instance]
    number = mine.group
    mine.stopped = 0
    take_next(w, instance, now)
    parts = mine.end_part - mine.first_part
    has = np.zeros(max(parts, 0), dtype=np.int64)
    waits, count = mine.inbox, mine.inbox_count
    mine.inbox, mine.inbox_count = NOBODY, 0
    for _ in range(count):
        waits, message = popped(w, waits)
        has[message[3] - mine.first_part] += 1
        into_inbox(w, instance, message)
    if mine.has_hand:
        has[mine.place - mine.first_part] += 1
    for partition in range(mine.first_part, mine.end_part):
        has[partition - mine.first_part] += w.lists[w.parts[number, partition].ends].length
    for partition in range(mine.first_part, mine.end_part):
        w.parts[number, partition].reaches = 0
        log = w.lines[w.groups[number].topic, partition].log
        for place in range(has[partition - mine.first_part], w.lists[log].length):
            entry = w.entries[at(w, log, place)]
            log_offer(w, number, entry.sequence, entry.change, entry.stored, max(entry.visible, now), now, partition)


# --- rebalancing


@compiled_part
def _members_changed(w: World, group: int, now: int) -> None:
    """An instance crashed or is back: look who is up once all faults of this moment have struck."""
    mine = w.groups[group]
    if not mine.changed:
        mine.changed = 1
        schedule(w, now, AFTER_FAULTS, MEMBERS_CHANGED, group, 0)


@compiled_part
def look(w: World, group: int) -> None:
    """Who is up? If not those who were, the group rebalances."""
    mine, now = w.groups[group], w.s[0].now
    mine.changed = 0
    same, up = True, 0
    for instance in range(mine.first_instance, mine.first_instance + mine.instances):
        one = w.instances[instance]
        same = same and one.member == 1 - one.down
        up += 1 - one.down
    for instance in range(mine.first_instance, mine.first_instance + mine.instances):
        one = w.instances[instance]
        if one.down:
            continue
        if not (same and mine.pause == NOBODY):
            _pause(w, instance)
        elif one.stopped:
            _read_on(w, instance, now)
    if up and not (same and mine.pause == NOBODY):
        mine.pause_time = now + mine.rebalance
        mine.pause = schedule(w, mine.pause_time, AFTER_FAULTS, PAUSE_ENDS, group, 0)


@compiled_part
def _pause(w: World, instance: int) -> None:
    """The group rebalances: finish what is in hand, keep nothing else."""
    mine = w.instances[instance]
    if mine.has_hand and mine.begins > w.s[0].now:
        put_back(w, instance)
    empty_inbox(w, instance)
    mine.stopped = 1
    commit(w, instance)


@compiled_part
def deal(w: World, group: int, moment: int) -> None:
    """The pause is over, if it is still that one."""
    if moment == w.groups[group].pause:
        released(w, group)


@compiled_part
def released(w: World, group: int) -> None:
    """Deal the partitions anew, if the pause is over and nobody has a message of before in hand."""
    mine, now = w.groups[group], w.s[0].now
    if mine.pause == NOBODY or mine.pause_time > now:
        return
    up = 0
    for instance in range(mine.first_instance, mine.first_instance + mine.instances):
        one = w.instances[instance]
        up += 1 - one.down
        if not one.down and one.has_hand:
            return
    if up == 0:
        return
    mine.pause = NOBODY
    each, extra, first = w.s[0].partitions // up, w.s[0].partitions % up, 0
    turn = 0
    for instance in range(mine.first_instance, mine.first_instance + mine.instances):
        one = w.instances[instance]
        one.member = 1 - one.down
        if one.down:
            continue
        one.first_part, one.end_part = first, first + each + (1 if turn < extra else 0)
        for partition in range(one.first_part, one.end_part):
            w.parts[group, partition].owner = instance
        first, turn = one.end_part, turn + 1
    for instance in range(mine.first_instance, mine.first_instance + mine.instances):
        if not w.instances[instance].down:
            _read_on(w, instance, now)
