"""Copies: what a consumer holds of each entity, and what a message does to it.

With `apply: newest_version` a consumer compares versions: a late message changes nothing, a delta is applied only where it fits. With
`last_arrival` it forgets them: a late state overwrites a newer one, and a delta that comes late, twice or after a gap is added all the
same, which makes the copy wrong, unnoticed, until a whole entity arrives.
"""

from edasim.journal import NONE
from edasim.simpy_model.run import Run


class Copy:
    """One consumer's copy (or read model): the version it holds of each entity, 0 at the start.

    A copy that has gone wrong counts as of the last version up to which it was right.
    """

    def __init__(self, run: Run, consumer: int) -> None:
        self.held = [0] * run.workload.population.weight.size
        self._consumer = consumer
        self._refreshed = run.refreshes.add
        self._wrong: set[int] = set()  # entities whose deltas did not fit, where nobody noticed

    def refresh(self, now: int, entity: int, version: int) -> None:
        """The whole entity arrived as of *version*; a late one must not overwrite newer state."""
        if version > self.held[entity]:
            self.held[entity] = version
            self._refreshed((now, entity, self._consumer, version))

    def extend(self, now: int, entity: int, version: int) -> None:
        """What changed with *version* arrived: it fits only on the version before. After a gap the copy is wrong until rebuilt."""
        if version == self.held[entity] + 1:
            self.refresh(now, entity, version)

    def overwrite(self, now: int, entity: int, version: int) -> None:
        """The whole entity arrived as of *version*, and whoever comes last is right."""
        self._wrong.discard(entity)
        self._hold(now, entity, version)

    def accumulate(self, now: int, entity: int, version: int) -> None:
        """What changed with *version* arrived, and is added to whatever is there."""
        if version == self.held[entity] + 1 and entity not in self._wrong:
            self._hold(now, entity, version)
        else:
            self._wrong.add(entity)
            self._hold(now, entity, min(self.held[entity], version - 1))

    def _hold(self, now: int, entity: int, version: int) -> None:
        if version != self.held[entity]:
            self.held[entity] = version
            self._refreshed((now, entity, self._consumer, version))

    def misses_before(self, entity: int, version: int) -> bool:
        """Whether a change between what is held and *version* has not been seen: a delta can't be applied then."""
        return version > self.held[entity] + 1


class Cache:
    """One consumer's cache: entries live for a time from when they were fetched; reading does not renew them."""

    def __init__(self, run: Run, consumer: int) -> None:
        self._entries: dict[int, tuple[int, int]] = {}  # entity -> (version, expires)
        self._consumer = consumer
        self._refreshed = run.refreshes.add

    def holds(self, now: int, entity: int) -> bool:
        """Whether a read *now* is answered from the cache."""
        entry = self._entries.get(entity)
        if entry is None:
            return False
        if entry[1] <= now:
            self._drop(entity, entry[1])
            return False
        return True

    def version(self, entity: int) -> int:
        """The version held of an *entity* that it holds."""
        return self._entries[entity][0]

    def keep(self, now: int, entity: int, version: int, expires: int) -> None:
        """A fetched answer arrived; one that is older than what is held is thrown away."""
        if self.holds(now, entity) and self._entries[entity][0] >= version:
            return
        self._entries[entity] = (version, expires)
        self._refreshed((now, entity, self._consumer, version))

    def evict(self, now: int, entity: int, version: int) -> None:
        """Forget the entity, whatever its newest *version*: the next read asks the source."""
        if self.holds(now, entity):
            self._drop(entity, now)

    def expire_all(self, until: int) -> None:
        """Note the expiries that no read came to see."""
        for entity in list(self._entries):
            self.holds(until, entity)

    def _drop(self, entity: int, when: int) -> None:
        del self._entries[entity]
        self._refreshed((when, entity, self._consumer, NONE))
