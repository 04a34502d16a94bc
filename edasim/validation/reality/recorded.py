"""Luck that was recorded: handling takes as long, message by message, as it did on the real broker."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import Distribution
from edasim.luck import Draws, Luck, nanoseconds


class RecordedLuck(Luck):
    """The luck of one replication in which the draws of some streams are those that were *recorded*: by name of the stream, in seconds.

    Where the first attempt of a change was not recorded (NaN: the message was lost there), and for later attempts, the distribution is
    drawn from, as ever. An example: `RecordedLuck({"handle billing": seconds})` handles the n-th change in the n-th of *seconds*.
    """

    def __init__(self, recorded: Mapping[str, NDArray[np.float64]], seed: int = 1, replication: int = 0) -> None:
        super().__init__(seed, replication)
        self._recorded = recorded

    def times(self, name: str, distribution: Distribution, count: int) -> Draws:
        """*count* times in nanoseconds: those recorded where there are any. Raises ValueError where there are more or fewer of them."""
        draws = super().times(name, distribution, count)
        seconds = self._recorded.get(name)
        if seconds is not None:
            if len(seconds) != count:
                raise ValueError(f"{name}: {len(seconds)} times were recorded for {count} changes")
            known = np.flatnonzero(np.isfinite(seconds))
            for change, time in zip(known.tolist(), nanoseconds(seconds[known]).tolist(), strict=True):
                draws[change] = time
        return draws
