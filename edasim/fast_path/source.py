"""The source: writes and requests at its servers, as edasim/simpy_model/source.py says; regions.py's, too."""

from edasim.compiled import compiled_part
from edasim.compiled.heaps import replace_first
from edasim.fast_path.clock import ARRIVAL, COMMIT, COMPLETION, schedule, schedule_with
from edasim.fast_path.containers import at, begun, draw, is_down, next_start, note, note_request, until, up_from
from edasim.fast_path.event_store import append_event, load, snapshot
from edasim.fast_path.memory import APPENDS, COMMITS, CONFLICTS, EXCHANGES, TOLD, WRITE_ARRIVES, World
from edasim.fast_path.own_reads import tell_readers
from edasim.fast_path.publisher import publish
from edasim.faults import NEVER
from edasim.journal import NONE


@compiled_part
def admit(w: World, source: int, now: int, service: int) -> tuple[int, bool]:
    """When a request that arrives *now* ends, and whether it is served."""
    mine = w.sources[source]
    free = w.flat[mine.servers : mine.servers + mine.servers_count]
    if mine.fails and begun(w, mine.down, now) != mine.life:
        free[:] = 0
        mine.life = begun(w, mine.down, now)
    done = min(max(free[0], now) + service, NEVER)
    replace_first(free, done)
    if mine.fails:
        crash = next_start(w, mine.down, now)
        if crash <= done:
            return crash, False
    return done, True


@compiled_part
def await_next_write(w: World, source: int) -> None:
    """The next change that is written here, if there is one."""
    mine = w.sources[source]
    if mine.arrived < w.lists[mine.order].length:
        schedule(w, at(w, mine.arrivals, mine.arrived), ARRIVAL + at(w, mine.order, mine.arrived), WRITE_ARRIVES, source, 0)


@compiled_part
def write_arrives(w: World, source: int) -> None:
    """A change is asked for."""
    mine = w.sources[source]
    change = at(w, mine.order, mine.arrived)
    mine.arrived += 1
    _write(w, source, change, w.s[0].now)
    await_next_write(w, source)


@compiled_part
def _write(w: World, source: int, change: int, now: int) -> None:
    mine, asked = w.sources[source], w.changes[change]
    if mine.fails and is_down(w, mine.down, now):
        asked.ended = now
        return
    if w.s[0].events:
        _command(w, source, change, now, 0)
        return
    stream = w.streams[source, asked.entity]
    done, served = admit(w, source, now, asked.service)
    if served and stream.length > 0 and stream.last > done:
        done = stream.last
        crash = next_start(w, mine.down, now)
        if crash <= done:
            done, served = crash, False
    asked.ended = done
    if served:
        _commit(w, source, change, done)


@compiled_part
def _commit(w: World, source: int, change: int, done: int) -> None:
    s, stream, mine = w.s[0], w.streams[source, w.changes[change].entity], w.changes[change]
    stream.last = done
    stream.length += 1
    mine.version = stream.length
    mine.committed = done
    if s.regional:
        schedule(w, done, COMMIT + change, COMMITS, source, change)
    else:
        w.flat[stream.begin + stream.length - 1] = done
        if s.publishes:
            publish(w, 0, change, done)
    tell_readers(w, change, done)


@compiled_part
def version_at(w: World, source: int, entity: int, time: int) -> int:
    """The newest version of *entity* that is committed (or known in this region) at *time*."""
    stream = w.streams[source, entity]
    if w.s[0].regional:
        told = until(w, stream.known, stream.known_length, time)
        return w.flat[stream.known + w.s[0].changes + told - 1] if told else 0
    if stream.length == 0 or stream.last <= time:
        return stream.length
    return until(w, stream.begin, stream.length, time)


@compiled_part
def _command(w: World, source: int, change: int, now: int, attempt: int) -> None:
    """Load the entity, decide, append: it holds one server until then. A snapshot that the load makes due comes after it."""
    asked = w.changes[change]
    version = version_at(w, source, asked.entity, now)
    took, due = load(w, source, now, asked.entity, version, 0)
    work = took + draw(w, w.s[0].write_time, change, 0)
    done, served = admit(w, source, now, work)
    if not served:
        asked.ended = done
        return
    asked.service += work
    schedule_with(w, done, COMMIT + change, APPENDS, source, change, done - work, attempt, 0, 0)
    if due:
        asked.service += _snapshot(w, source, now, asked.entity, version)


@compiled_part
def appends(w: World, source: int, change: int, loaded: int, attempt: int) -> None:
    """Append unless the entity has changed since it was loaded: then the command is repeated, or gives up."""
    s, asked = w.s[0], w.changes[change]
    now, entity = s.now, asked.entity
    version = version_at(w, source, entity, now)
    if version > version_at(w, source, entity, loaded):
        gave_up = attempt == s.conflict_retries
        note(w, CONFLICTS, now, change, int(gave_up), 0, 0)
        if gave_up:
            asked.ended = now
        else:
            _command(w, source, change, now, attempt + 1)
        return
    asked.ended = now
    due = append_event(w, source, entity, version + 1, change)
    _commit(w, source, change, now)
    if due:
        asked.service += _snapshot(w, source, now, entity, version + 1)


@compiled_part
def _snapshot(w: World, source: int, now: int, entity: int, version: int) -> int:
    """The work that a snapshot took, none if the source died before."""
    writing = w.s[0].snapshot_time
    if not admit(w, source, now, writing)[1]:
        return 0
    snapshot(w, source, now, entity, version)
    return writing


@compiled_part
def serve(w: World, source: int, kind: int, asked: int, entity: int, read_time: int, back: int) -> tuple[int, bool]:
    """Serve a request that arrives now and was *asked* then: when the answer is back (or it failed), and whether there is one."""
    s, mine = w.s[0], w.sources[source]
    now = s.now
    if mine.fails and is_down(w, mine.down, now):
        note_request(w, asked, kind, now - asked, 0, 0)
        return now, False
    due, version = False, 0
    if s.events and entity != NONE:
        version = version_at(w, source, entity, now)
        took, due = load(w, source, now, entity, version, 1)
        read_time += took
    done, served = admit(w, source, now, read_time)
    if due and served:
        read_time += _snapshot(w, source, now, entity, version)
    back, work = (back, read_time) if served else (0, 0)
    note_request(w, asked, kind, done + back - asked, int(served), work)
    return done + back, served


# --- regions


@compiled_part
def commits(w: World, here: int, change: int) -> None:
    """A change commits in one of several regions: it gets its version, is published, and the other regions are told."""
    s, mine = w.s[0], w.changes[change]
    now = s.now
    newest = w.streams[s.regions, mine.entity]  # of all regions together
    newest.length += 1
    mine.version = newest.length
    _learn(w, here, mine.entity, mine.version, now)
    publish(w, here, change, now)
    for region in range(s.regions):
        if region != here:
            there = now + draw(w, s.exchange_there + region, change, 0)
            known = min(up_from(w, s.broker_down, there), NEVER) + draw(w, s.exchange_deliver + region, change, 0)
            note(w, EXCHANGES, change, region, known, 0, 0)
            schedule(w, known, COMPLETION + change, TOLD, region, change)


@compiled_part
def told(w: World, region: int, change: int) -> None:
    """A region comes to know what another has written."""
    mine = w.changes[change]
    _learn(w, region, mine.entity, mine.version, w.s[0].now)


@compiled_part
def _learn(w: World, region: int, entity: int, version: int, now: int) -> None:
    stream, versions = w.streams[region, entity], w.s[0].changes
    place = stream.known + stream.known_length
    w.flat[place] = now
    before = w.flat[place + versions - 1] if stream.known_length else version
    w.flat[place + versions] = max(version, before)
    stream.known_length += 1
