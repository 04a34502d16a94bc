"""What the broker and those who read from it both ask: where a message belongs, and how long it lives."""

from edasim.compiled import compiled_part
from edasim.fast_path.containers import at, next_start
from edasim.fast_path.memory import World
from edasim.faults import NEVER


@compiled_part
def partition_of(w: World, change: int) -> int:
    """The partition of a change's entity."""
    return at(w, w.s[0].partition, change)


@compiled_part
def dies(w: World, topic: int, stored: int) -> int:
    """When an outage takes what was *stored* then; NEVER if it was safe before."""
    mine = w.topics[topic]
    crash = next_start(w, mine.down, stored) if mine.forgets else NEVER
    if not mine.durable:
        return crash
    synced = -(-stored // mine.sync_every) * mine.sync_every if mine.sync_every else stored
    return NEVER if synced < crash else crash


@compiled_part
def goes(w: World, topic: int, sequence: int) -> tuple[int, int]:
    """From when on the log does not hold the message of that place in the order of the broker, and why; NEVER if it does."""
    mine = w.topics[topic]
    if not mine.mortal:
        return NEVER, 0
    entry = at(w, mine.by_sequence, sequence - 1)
    return (w.entries[entry].gone, w.entries[entry].reason) if entry >= 0 else (NEVER, 0)
