"""Publishing: how a committed change leaves the source, as edasim/simpy_model/publisher.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.broker import append_message, keep_message
from edasim.fast_path.clock import ARRIVAL, COMPLETION, schedule, schedule_with
from edasim.fast_path.consumer import again, lose
from edasim.fast_path.containers import append, at, begun, draw, is_down, next_start
from edasim.fast_path.groups import offer
from edasim.fast_path.memory import (
    ACKNOWLEDGED,
    JOINS,
    LINGERED,
    LOG,
    QUEUED,
    RELAY_NOTES,
    REQUEST_ARRIVES,
    RETRIES,
    World,
)
from edasim.fast_path.placing import dies, partition_of
from edasim.faults import NEVER
from edasim.journal import LOST_BROKER, LOST_NETWORK, LOST_OVERFLOW, LOST_PUBLISH, NONE


@compiled_part
def publish(w: World, publisher: int, change: int, when: int) -> None:
    """A change commits then (the clock may not be there yet)."""
    mine = w.publishers[publisher]
    if mine.relay >= 0:
        schedule(w, when, COMPLETION + change, RELAY_NOTES, publisher, change)
    elif mine.batch == 1:
        send(w, publisher, change, when, 0, 0)
    else:
        schedule(w, when, COMPLETION + change, JOINS, publisher, change)


# --- batches


@compiled_part
def member(w: World, publisher: int, change: int, place: int) -> int:
    """The message at that place of the batch that begins with the *change*."""
    batch = w.sent[publisher, change]
    return w.flat[batch.members + place] if batch.member_count else change


@compiled_part
def members(w: World, publisher: int, change: int) -> int:
    """How many messages the batch has that begins with the *change*."""
    return max(w.sent[publisher, change].member_count, 1)


@compiled_part
def joins(w: World, publisher: int, change: int) -> None:
    """A message waits for others."""
    mine, now = w.publishers[publisher], w.s[0].now
    waits = w.lists[mine.lingering]
    if waits.length and _died_since(w, publisher, mine.linger_since, now):
        _forget_lingering(w, publisher)
    append(w, mine.lingering, change)
    if waits.length == 1:
        mine.linger_since = now
        schedule(w, now + mine.linger, ARRIVAL + change, LINGERED, publisher, change)
    if waits.length == mine.batch:
        _flush(w, publisher, now)


@compiled_part
def lingered(w: World, publisher: int, change: int) -> None:
    """The first of those that wait has waited long enough."""
    mine, now = w.publishers[publisher], w.s[0].now
    if w.lists[mine.lingering].length and at(w, mine.lingering, 0) == change:
        if _died_since(w, publisher, mine.linger_since, now):
            _forget_lingering(w, publisher)
        else:
            _flush(w, publisher, now)


@compiled_part
def _died_since(w: World, publisher: int, then: int, now: int) -> bool:
    down = w.publishers[publisher].source_down
    return begun(w, down, now) > begun(w, down, then)


@compiled_part
def _forget_lingering(w: World, publisher: int) -> None:
    waits = w.lists[w.publishers[publisher].lingering]
    for place in range(waits.length):
        _lose(w, publisher, w.flat[waits.begin + place], LOST_PUBLISH)
    waits.length = 0


@compiled_part
def _flush(w: World, publisher: int, now: int) -> None:
    s, waits = w.s[0], w.lists[w.publishers[publisher].lingering]
    begin, count = s.flat_used, waits.length
    for place in range(count):
        w.flat[begin + place] = w.flat[waits.begin + place]
    s.flat_used += count
    waits.length = 0
    send_batch(w, publisher, begin, count, now, 0)


@compiled_part
def send_batch(w: World, publisher: int, begin: int, count: int, now: int, after: int) -> int:
    """Send what lies in flat from *begin* on as one request; when it arrives, which is not before *after*."""
    first = w.flat[begin]
    batch = w.sent[publisher, first]
    batch.members, batch.member_count = (begin, count) if count > 1 else (0, 0)
    return send(w, publisher, first, now, 0, after)


# --- requests


@compiled_part
def send(w: World, publisher: int, change: int, now: int, tries: int, after: int) -> int:
    """Send the request then; when it arrives, which is not before *after*."""
    mine, sent = w.publishers[publisher], w.sent[publisher, change]
    attempt = sent.attempts
    sent.attempts += 1
    if mine.blind:
        sent.acknowledged = now
    for place in range(1, sent.member_count):
        other = w.sent[publisher, member(w, publisher, change, place)]
        other.attempts += 1
        if mine.blind:
            other.acknowledged = now
    if tries == 0:
        sent.answered = 0
    if mine.lossy and _lost(w, publisher, change, attempt, now):
        _unanswered(w, publisher, change, attempt, now, tries, LOST_NETWORK)
        return after
    arrives = max(now + draw(w, mine.latency, change, attempt), after)
    if arrives == w.s[0].now:
        request_arrives(w, publisher, change, attempt, now, tries)
    else:
        schedule_with(w, arrives, ARRIVAL + change, REQUEST_ARRIVES, publisher, change, attempt, now, tries, 0)
    return arrives


@compiled_part
def _lost(w: World, publisher: int, change: int, attempt: int, now: int) -> bool:
    """Whether the network loses a request that is sent *now*."""
    mine = w.publishers[publisher]
    if is_down(w, mine.net_down, now) and draw(w, mine.outage_loss, change, attempt) != 0:
        return True
    return draw(w, mine.loss, change, attempt) != 0


@compiled_part
def request_arrives(w: World, publisher: int, change: int, attempt: int, sent: int, tries: int) -> None:
    """A request is at the broker."""
    mine, row, now = w.publishers[publisher], w.sent[publisher, change], w.s[0].now
    if mine.plain:
        stored, visible = append_message(w, mine.topic, change, attempt, now)
        if visible != NONE:
            _offer(w, publisher, change, w.topics[mine.topic].sequence, stored, visible)
        _answer(w, publisher, change, attempt, sent, tries, now, visible if mine.waits_for_all else stored, False)
    elif mine.idempotent and _recognised(w, publisher, change, now):
        answered = row.answer_visible if mine.waits_for_all else row.answer_stored
        _answer(w, publisher, change, attempt, sent, tries, now, max(now, answered), False)
    else:
        _arrive_batch(w, publisher, change, attempt, sent, tries)


@compiled_part
def _recognised(w: World, publisher: int, change: int, now: int) -> bool:
    """Whether the broker still has the message from an earlier try."""
    row, topic = w.sent[publisher, change], w.publishers[publisher].topic
    return row.answered != 0 and not (w.topics[topic].forgets and dies(w, topic, row.answer_stored) <= now)


@compiled_part
def _arrive_batch(w: World, publisher: int, change: int, attempt: int, sent: int, tries: int) -> None:
    """Append each partition's part at once. A queue takes a message when it is stored, and may refuse it then."""
    s, mine = w.s[0], w.publishers[publisher]
    count, now = members(w, publisher, change), s.now
    kept = s.flat_used  # how many, then rows (change, sequence, stored, visible)
    s.flat_used += 1 + 4 * count
    after = s.flat_used
    w.flat[kept] = count
    s.batches += 1
    for place in range(count):
        message = member(w, publisher, change, place)
        line = w.lines[mine.topic, partition_of(w, message) if s.kind == LOG else 0]
        if line.batch != s.batches:
            line.batch = s.batches
            line.batch_stored, line.batch_visible = append_message(w, mine.topic, message, attempt, now)
        elif line.batch_stored != NONE:
            keep_message(w, mine.topic, message, line.batch_stored, line.batch_visible)
        row = kept + 1 + 4 * place
        w.flat[row], w.flat[row + 1] = message, w.topics[mine.topic].sequence
        w.flat[row + 2], w.flat[row + 3] = line.batch_stored, line.batch_visible
    if mine.by_queue and w.flat[kept + 3] > now:
        schedule_with(w, w.flat[kept + 3], COMPLETION + change, QUEUED, publisher, change, attempt, sent, tries * LATER + kept, now)
        return
    _hand_over(w, publisher, change, attempt, sent, tries, kept, now)
    if s.flat_used == after:
        s.flat_used = kept


LATER = 1 << 40  # more than there is in flat


@compiled_part
def queued(w: World, publisher: int, change: int, attempt: int, sent: int, waits: int, arrived: int) -> None:
    """What was appended in a queue's line is stored now."""
    _hand_over(w, publisher, change, attempt, sent, waits // LATER, waits % LATER, arrived)


@compiled_part
def _hand_over(w: World, publisher: int, change: int, attempt: int, sent: int, tries: int, kept: int, arrived: int) -> None:
    mine, row = w.publishers[publisher], w.sent[publisher, change]
    stored, visible, refused, unstored, unseen = NONE, NONE, False, False, False
    for place in range(kept + 1, kept + 1 + 4 * w.flat[kept], 4):
        stored, visible = max(stored, w.flat[place + 2]), max(visible, w.flat[place + 3])
        unstored, unseen = unstored or w.flat[place + 2] == NONE, unseen or w.flat[place + 3] == NONE
        if w.flat[place + 3] != NONE:
            taken = _offer(w, publisher, w.flat[place], w.flat[place + 1], w.flat[place + 2], w.flat[place + 3])
            refused = refused or not taken
    stored, visible = NONE if unstored else stored, NONE if unseen else visible
    if mine.idempotent and visible != NONE and not refused:
        row.answered, row.answer_stored, row.answer_visible = 1, stored, visible
    _answer(w, publisher, change, attempt, sent, tries, arrived, visible if mine.waits_for_all else stored, refused)


@compiled_part
def _offer(w: World, publisher: int, change: int, sequence: int, stored: int, visible: int) -> bool:
    """Hand the message to all groups; whether all of them take it."""
    mine, row = w.publishers[publisher], w.sent[publisher, change]
    repeated, any_takes, all_take = row.attempts > 1 and not mine.by_queue, False, True
    topic = w.topics[mine.topic]
    for place in range(topic.group_count):
        group = at(w, topic.first_group, place)
        if repeated:
            again(w, group, change, row.kept > 0)
        taken = offer(w, group, sequence, change, stored, visible)
        any_takes, all_take = any_takes or taken, all_take and taken
    row.kept += int(any_takes)
    return all_take


# --- answers


@compiled_part
def _answer(w: World, publisher: int, change: int, attempt: int, sent: int, tries: int, arrived: int, answered: int, refused: bool) -> None:
    mine = w.publishers[publisher]
    back = answered + arrived - sent
    if mine.blind:
        _settle(w, publisher, change, LOST_OVERFLOW if refused else LOST_BROKER)
    elif answered == NONE or back > sent + mine.timeout or (mine.forgetful and draw(w, mine.ack_loss, change, attempt) != 0):
        _unanswered(w, publisher, change, attempt, sent, tries, LOST_BROKER)
    elif refused:
        _send_again(w, publisher, change, attempt, sent, tries, min(back, NEVER) + mine.backoff, LOST_OVERFLOW)
    else:
        for place in range(members(w, publisher, change)):
            message = member(w, publisher, change, place)
            w.sent[publisher, message].acknowledged = back
            if w.sent[publisher, message].kept == 0:
                _lose(w, publisher, message, LOST_BROKER)
        if mine.endless:
            schedule_with(w, back, COMPLETION + change, ACKNOWLEDGED, publisher, change, sent, 0, 0, 0)


@compiled_part
def _unanswered(w: World, publisher: int, change: int, attempt: int, sent: int, tries: int, reason: int) -> None:
    mine = w.publishers[publisher]
    _send_again(w, publisher, change, attempt, sent, tries, min(sent + mine.timeout, NEVER) + mine.backoff, reason)


@compiled_part
def _send_again(w: World, publisher: int, change: int, attempt: int, sent: int, tries: int, when: int, reason: int) -> None:
    mine = w.publishers[publisher]
    if tries < mine.retries or mine.endless:
        schedule_with(w, when, ARRIVAL + change, RETRIES, publisher, change, attempt, sent, tries, 0)
    else:
        _settle(w, publisher, change, reason)


@compiled_part
def retries(w: World, publisher: int, change: int, sent: int, tries: int) -> None:
    """A request that was not answered, or refused, is made again."""
    mine, now = w.publishers[publisher], w.s[0].now
    if mine.endless and sent <= w.relays[mine.relay].died:
        return
    if not mine.endless and next_start(w, mine.source_down, sent) <= now:
        _settle(w, publisher, change, LOST_PUBLISH)
    else:
        send(w, publisher, change, now, tries + 1, 0)


@compiled_part
def _settle(w: World, publisher: int, change: int, reason: int) -> None:
    """Nothing more will be sent: without a copy in the broker the messages are lost, for the *reason* of the last attempt."""
    mine = w.publishers[publisher]
    topic = w.topics[mine.topic]
    for place in range(members(w, publisher, change)):
        message = member(w, publisher, change, place)
        if w.sent[publisher, message].kept == 0:
            _lose(w, publisher, message, reason)
        elif mine.by_queue:
            for number in range(topic.group_count):
                group = at(w, topic.first_group, number)
                if w.deliveries[group, message].stored == NONE:
                    lose(w, group, message, LOST_OVERFLOW)


@compiled_part
def _lose(w: World, publisher: int, change: int, reason: int) -> None:
    topic = w.topics[w.publishers[publisher].topic]
    for place in range(topic.group_count):
        lose(w, at(w, topic.first_group, place), change, reason)
