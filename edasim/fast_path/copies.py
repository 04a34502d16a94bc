"""Copies and caches, as edasim/simpy_model/copies.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.containers import note_refresh
from edasim.fast_path.memory import ACCUMULATE, EVICT, EXTEND, NOTHING, OVERWRITE, REFRESH, World
from edasim.journal import NONE


@compiled_part
def hold(w: World, consumer: int, now: int, entity: int, version: int) -> None:
    """The consumer holds that *version* from now on."""
    copy = w.copies[consumer, entity]
    if version != copy.held:
        copy.held = version
        note_refresh(w, now, entity, consumer, version)


@compiled_part
def affect(w: World, consumer: int, effect: int, now: int, entity: int, version: int) -> None:
    """What a handled message, or an answer, does to what the consumer keeps."""
    if effect == NOTHING:
        return
    copy = w.copies[consumer, entity]
    if effect == EVICT:
        if holds(w, consumer, now, entity):
            drop(w, consumer, entity, now)
    elif effect == REFRESH:
        if version > copy.held:
            hold(w, consumer, now, entity, version)
    elif effect == EXTEND:
        if version == copy.held + 1:
            hold(w, consumer, now, entity, version)
    elif effect == OVERWRITE:
        copy.wrong = 0
        hold(w, consumer, now, entity, version)
    elif effect == ACCUMULATE:
        if version == copy.held + 1 and not copy.wrong:
            hold(w, consumer, now, entity, version)
        else:
            copy.wrong = 1
            hold(w, consumer, now, entity, min(copy.held, version - 1))


@compiled_part
def holds(w: World, consumer: int, now: int, entity: int) -> bool:
    """Whether a read *now* is answered from the cache."""
    entry = w.copies[consumer, entity]
    if not entry.cached:
        return False
    if entry.expires <= now:
        drop(w, consumer, entity, entry.expires)
        return False
    return True


@compiled_part
def drop(w: World, consumer: int, entity: int, when: int) -> None:
    """The cache holds the entity no longer."""
    w.copies[consumer, entity].cached = 0
    note_refresh(w, when, entity, consumer, NONE)


@compiled_part
def keep(w: World, consumer: int, now: int, entity: int, version: int, expires: int) -> None:
    """A fetched answer arrived; one that is older than what is held is thrown away."""
    entry = w.copies[consumer, entity]
    if holds(w, consumer, now, entity):
        if entry.version >= version:
            return
    else:
        w.s[0].caches += 1
        entry.born = w.s[0].caches
    entry.cached, entry.version, entry.expires = 1, version, expires
    note_refresh(w, now, entity, consumer, version)
