"""Luck: every random quantity of a run, drawn before it from named streams, so that nothing an engine does can shift another's draws."""

from collections.abc import Callable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from edasim.distributions import Constant, Distribution
from edasim.scenario import GilbertElliott, Outages
from edasim.units import LONGEST_S, NANOSECONDS

Times = NDArray[np.int64]
Sampler = Callable[[np.random.Generator, int], Times]
UNIFORM = 1 << 53  # uniform draws are whole numbers below this


def nanoseconds(values: float | NDArray[np.float64]) -> Times:
    """Seconds as whole nanoseconds (int64), rounded once; at most a hundred years."""
    return np.asarray(np.rint(np.minimum(values, LONGEST_S) * NANOSECONDS), dtype=np.int64)


BLOCK = 1024  # later attempts are rare: their draws are made for so many changes at a time ...
LATE, SMALL_BLOCK = 16, 16  # ... and of this attempt and those after it for so many: what is tried for ever fills no memory
KEPT = 1 << 17  # so many of them at most; what is asked for once more is made once more
ALL_KEPT = 1 << 23  # draws of attempt 0, of all quantities together, that one luck keeps for whoever asks again


class Draws:
    """The draws of one quantity by change (or read): *values* are those of attempt 0, shape (count,); those of later attempts on request.

    What a draw is does not depend on when it is asked for, nor on which others are.
    """

    def __init__(self, name: str, count: int, stream: Callable[[str], np.random.Generator], sample: Sampler) -> None:
        self.values = sample(stream(name), count)
        self._name, self._stream, self._sample = name, stream, sample
        self._later: dict[tuple[int, int], list[int]] = {}  # by attempt and block, the oldest first
        self._kept = 0

    def at(self, index: int, attempt: int) -> int:
        """The draw for this change and attempt."""
        if not attempt:
            return int(self.values[index])
        size = BLOCK if attempt < LATE else SMALL_BLOCK
        block, place = divmod(index, size)
        if (attempt, block) not in self._later:
            rng = self._stream(f"{self._name} attempt {attempt} block {block}")
            self._later[attempt, block] = self._sample(rng, size).tolist()
            self._kept += size
            while self._kept > KEPT:
                self._kept -= len(self._later.pop(next(iter(self._later))))
        return self._later[attempt, block][place]


class Bursts:
    """Loss that comes in bursts (Gilbert 1960, Elliott 1963), by change and attempt: 1 where that attempt is lost.

    The main chain starts stationary and steps once per change; attempt k of a change continues privately from its attempt k - 1.
    """

    def __init__(self, model: GilbertElliott, steps: Draws, losses: Draws) -> None:
        self._turns = (model.p * UNIFORM, model.r * UNIFORM)  # out of good, out of bad
        self._loss = (model.loss_good * UNIFORM, model.loss_bad * UNIFORM)
        self._steps, self._losses = steps, losses
        first = steps.values.tolist()
        bad = bool(first) and first[0] * (model.p + model.r) < model.p * UNIFORM  # the share of time spent in it is p / (p + r)
        self._bad = [bad]
        self._last: dict[int, tuple[int, bool]] = {}  # of changes that were sent again: the state at which attempt
        for step in first[1:]:
            bad ^= step < self._turns[bad]
            self._bad.append(bad)
        loss = np.where(self._bad, self._loss[1], self._loss[0])[: losses.values.size]
        self.values = (losses.values < loss).astype(np.int64)  # of attempt 0

    def at(self, change: int, attempt: int) -> int:
        """Whether this attempt to send the change is lost."""
        known, bad = self._last.get(change, (0, self._bad[change]))
        if known > attempt:
            known, bad = 0, self._bad[change]
        for later in range(known + 1, attempt + 1):
            bad ^= self._steps.at(change, later) < self._turns[bad]
        if attempt:
            self._last[change] = attempt, bad
        return int(self._losses.at(change, attempt) < self._loss[bad])


class Luck:
    """The draws of one replication. A stream is named after what it is for: (seed, replication, name) fixes its content."""

    def __init__(self, seed: int, replication: int) -> None:
        self.seed = seed
        self.replication = replication
        self._draws: dict[str, Draws] = {}

    def stream(self, name: str) -> np.random.Generator:
        """The generator of the stream *name*, at its beginning."""
        words = np.frombuffer(sha256(name.encode()).digest(), dtype="<u4")
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, self.replication, *words.tolist()])))

    def times(self, name: str, distribution: Distribution, count: int) -> Draws:
        """*count* times in nanoseconds from the stream *name*."""
        if isinstance(distribution, Constant):
            always = int(nanoseconds(distribution.value))
            return self._kept(name, f"{distribution!r}", count, lambda _, size: np.full(size, always, dtype=np.int64))
        return self._kept(name, f"{distribution!r}", count, lambda rng, size: nanoseconds(distribution.sample(rng, size)))

    def hits(self, name: str, probability: float, count: int) -> Draws:
        """*count* independent yes (1) or no (0) with this *probability* of yes; raising it never turns a yes into a no."""
        return self._kept(name, f"{probability!r}", count, lambda rng, size: (rng.random(size) < probability).astype(np.int64))

    def losses(self, name: str, loss: float | GilbertElliott, count: int) -> "Draws | Bursts":
        """For *count* changes and their attempts whether each is lost: independently, or in bursts."""
        if not isinstance(loss, GilbertElliott):
            return self.hits(name, loss, count)
        uniform = ("", count, lambda rng, size: rng.integers(0, UNIFORM, size))
        return Bursts(loss, self._kept(f"{name} state", *uniform), self._kept(name, *uniform))

    def _kept(self, name: str, parameters: str, count: int, sample: Sampler) -> Draws:
        key = f"{name} {parameters} {count}"
        if key not in self._draws:
            self._draws[key] = Draws(name, count, self.stream, sample)
            while sum(draws.values.size for draws in self._draws.values()) > ALL_KEPT and len(self._draws) > 1:
                del self._draws[next(iter(self._draws))]
        return self._draws[key]

    def downtimes(self, name: str, outages: Outages | None, until: int) -> list[tuple[int, int]]:
        """When the component *name* is down: [start, end) in nanoseconds, in order, those that start before *until*."""
        if outages is None:
            return []
        if outages.windows is not None:
            windows = [(int(nanoseconds(start)), int(nanoseconds(end))) for start, end in outages.windows]
            return [window for window in windows if window[0] < until]
        assert outages.up is not None
        assert outages.down is not None
        ups, downs = self.stream(f"{name} up"), self.stream(f"{name} down")
        intervals: list[tuple[int, int]] = []
        now = 0
        while now < until:
            start = now + int(nanoseconds(outages.up.sample(ups, 1))[0])
            now = start + int(nanoseconds(outages.down.sample(downs, 1))[0])
            if start < until and now > start:
                intervals.append((start, now))
        return intervals
