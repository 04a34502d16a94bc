"""Handling a message, its failures and call backs, and an instance's outages, as edasim/simpy_model/instance.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.clock import ARRIVAL, COMPLETION, FAULT_ENDS, FAULT_STARTS, schedule
from edasim.fast_path.consumer import fails, newly_known, park, slowed
from edasim.fast_path.containers import at, draw
from edasim.fast_path.copies import affect
from edasim.fast_path.groups import crash, disconnect, reconnect
from edasim.fast_path.instance import commit, from_inbox, progress, put_back, take, wait
from edasim.fast_path.log_group import released
from edasim.fast_path.memory import (
    ANSWERED,
    CALLED,
    CALLS_AGAIN,
    HANDLED,
    INSTANCE_FAILS,
    INSTANCE_RETURNS,
    LOG,
    NOBODY,
    TRIES_AGAIN,
    World,
)
from edasim.fast_path.publisher import publish
from edasim.fast_path.source import serve, version_at
from edasim.fast_path.work_queue import acknowledge_handled
from edasim.faults import NEVER
from edasim.journal import NONE

CALL_BACK = 2


@compiled_part
def handled(w: World, instance: int) -> None:
    """An attempt to handle the message in hand has ended."""
    mine, now = w.instances[instance], w.s[0].now
    number, change = mine.group, mine.change
    group = w.groups[number]
    if mine.attempt != NONE:
        if group.may_fail and fails(w, number, change, mine.attempt, now):
            _failed(w, instance, now)
            return
        if group.may_call and _needs_call(w, number, change):
            call(w, instance, now)
            return
        _apply(w, number, change, now, NONE)
    finish(w, instance, now)


@compiled_part
def _needs_call(w: World, group: int, change: int) -> bool:
    """Whether the handler must ask the source: a notice brings no data, some events not enough of it, a delta can't fill a gap."""
    mine = w.groups[group]
    if mine.always or draw(w, mine.more, change, 0) != 0:
        return True
    asked = w.changes[change]
    return mine.copy != 0 and asked.version > w.copies[mine.consumer, asked.entity].held + 1


@compiled_part
def _apply(w: World, group: int, change: int, now: int, fetched: int) -> None:
    """The message was handled to the end, with the version *fetched* by a call back if there was one."""
    mine, row, asked = w.groups[group], w.deliveries[group, change], w.changes[change]
    if mine.dedup and not newly_known(w, group, change):
        return
    if fetched == NONE:
        affect(w, mine.consumer, mine.effect, now, asked.entity, asked.version)
    else:
        affect(w, mine.consumer, mine.whole, now, asked.entity, fetched)
    if row.applied == NONE:
        row.applied = now
    else:
        row.repeats += 1
    if mine.republish >= 0:
        publish(w, mine.republish, change, now)


@compiled_part
def finish(w: World, instance: int, now: int) -> None:
    """The message in hand is done with: the next one is taken."""
    mine = w.instances[instance]
    place = mine.place
    mine.has_hand = 0
    mine.last_end = now
    if mine.inbox_count:
        take(w, instance, from_inbox(w, instance), now)
    if not mine.settles:
        return
    if w.s[0].kind == LOG:
        progress(w, instance, place, now)
        if mine.stopped:
            commit(w, instance)
            released(w, mine.group)
    else:
        acknowledge_handled(w, instance, place, now)


# --- failed attempts


@compiled_part
def _failed(w: World, instance: int, now: int) -> None:
    mine = w.instances[instance]
    group = w.groups[mine.group]
    same = mine.failed_place == mine.place and mine.failed_item == mine.item
    mine.failures = mine.failures + 1 if same else 1
    mine.failed_place, mine.failed_item = mine.place, mine.item
    if group.dead_letter and mine.failures >= group.max_attempts:
        park(w, mine.group, mine.change, now)
        finish(w, instance, now)
    else:
        wait(w, instance, now + group.backoff, ARRIVAL, TRIES_AGAIN, 0)


@compiled_part
def tries_again(w: World, instance: int) -> None:
    """The next attempt to handle the message in hand."""
    mine, now = w.instances[instance], w.s[0].now
    row = w.deliveries[mine.group, mine.change]
    mine.attempt = row.attempts
    row.attempts += 1
    took = slowed(w, mine.group, draw(w, w.groups[mine.group].handle, mine.change, mine.attempt), now)
    wait(w, instance, now + took, COMPLETION, HANDLED, 0)


# --- call backs


@compiled_part
def call(w: World, instance: int, now: int) -> None:
    """Ask the source."""
    mine = w.instances[instance]
    there = draw(w, w.groups[mine.group].call_there, mine.change, w.deliveries[mine.group, mine.change].calls)
    wait(w, instance, now + there, ARRIVAL, CALLED, now)


@compiled_part
def called(w: World, instance: int, asked: int) -> None:
    """The question arrives at the source."""
    mine = w.instances[instance]
    group, change, row = w.groups[mine.group], mine.change, w.deliveries[mine.group, mine.change]
    number = row.calls
    row.calls += 1
    back = draw(w, group.call_back, change, number)
    service = draw(w, group.call_read, change, number)
    answer, ok = serve(w, _source_of(w, change), CALL_BACK, asked, w.changes[change].entity, service, back)
    if ok:
        wait(w, instance, answer, COMPLETION, ANSWERED, answer - back)
    else:
        wait(w, instance, min(answer, NEVER) + group.backoff, ARRIVAL, CALLS_AGAIN, 0)


@compiled_part
def _source_of(w: World, change: int) -> int:
    return w.changes[change].region if w.s[0].regions > 1 else 0


@compiled_part
def answered(w: World, instance: int, served: int) -> None:
    """The answer is here, as of when it was served."""
    mine, now = w.instances[instance], w.s[0].now
    change = mine.change
    version = version_at(w, _source_of(w, change), w.changes[change].entity, served)
    mine.moment = NOBODY
    _apply(w, mine.group, change, now, version)
    finish(w, instance, now)


# --- outages


@compiled_part
def await_fault(w: World, instance: int) -> None:
    """The next outage, if there is one."""
    mine = w.instances[instance]
    if mine.fault < w.lists[mine.downtimes].length:
        schedule(w, at(w, mine.downtimes, mine.fault), FAULT_STARTS, INSTANCE_FAILS, instance, 0)


@compiled_part
def instance_fails(w: World, instance: int) -> None:
    """An outage begins."""
    mine, now = w.instances[instance], w.s[0].now
    mine.down = mine.stopped = 1
    if mine.has_hand and mine.begins > now:
        put_back(w, instance)
    mine.left = mine.moment_time - now
    mine.moment = NOBODY
    if w.groups[mine.group].redo:
        crash(w, instance, now)
        mine.has_hand = 0
        mine.last_end = -NEVER
    else:
        disconnect(w, instance, now)
    schedule(w, at(w, mine.downtimes + 1, mine.fault), FAULT_ENDS, INSTANCE_RETURNS, instance, 0)


@compiled_part
def instance_returns(w: World, instance: int) -> None:
    """An outage ends."""
    mine, now = w.instances[instance], w.s[0].now
    mine.down = 0
    mine.polls_from = now
    if mine.has_hand:
        wait(w, instance, now + mine.left, COMPLETION, mine.moment_kind, mine.moment_subject)
    reconnect(w, instance, now)
    mine.fault += 1
    await_fault(w, instance)
