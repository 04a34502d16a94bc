"""A mergeable type: concurrent writes in several regions need no winner, because their effects can be put together (a CRDT)."""

from collections.abc import Iterable
from dataclasses import dataclass

BYTES_PER_REGION = 16  # two totals of 8 bytes; a version vector, which names the region and counts its writes, takes as many


@dataclass(frozen=True)
class Counter:
    """A PN-counter: what each region has added and taken away in all (Shapiro, Preguica, Baquero and Zawirski, 2011).

    Merging takes the larger total of each region, so it doesn't matter in which order or how often states arrive. A shopping cart is
    such a counter for each item.

    >>> here, there = Counter.of(2).add(0, 3), Counter.of(2).add(1, -1)
    >>> here.merge(there).value, here.merge(there).merge(there) == there.merge(here)
    (2, True)
    """

    added: tuple[int, ...]
    taken: tuple[int, ...]

    @classmethod
    def of(cls, regions: int) -> "Counter":
        """Nothing yet, for so many regions."""
        return cls((0,) * regions, (0,) * regions)

    def add(self, region: int, amount: int) -> "Counter":
        """After a write of *region* that adds *amount*, or takes it away if it is negative."""
        added, taken = list(self.added), list(self.taken)
        (added if amount > 0 else taken)[region] += abs(amount)
        return Counter(tuple(added), tuple(taken))

    def merge(self, other: "Counter") -> "Counter":
        """All that either has seen."""
        return Counter(_larger(self.added, other.added), _larger(self.taken, other.taken))

    @property
    def value(self) -> int:
        """What has been added and not taken away."""
        return sum(self.added) - sum(self.taken)

    @property
    def bytes(self) -> int:
        """What a message that carries it takes."""
        return BYTES_PER_REGION * len(self.added)


def _larger(left: Iterable[int], right: Iterable[int]) -> tuple[int, ...]:
    return tuple(map(max, left, right))
