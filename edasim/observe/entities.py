"""How many entities there are and how unequal they are, from how often each key was seen.

The keys that were seen are a lower bound: who changes rarely was not there yet. Chao's estimate is one as well, without any assumption:
with f1 keys seen once and f2 seen twice, f1 (f1 - 1) / (2 (f2 + 1)) are missing at least (Chao, Biometrics 43:783, 1987). With Zipf's
law assumed (the k-th most popular of N entities has a share in proportion to k^-skew) the numbers of keys that were seen once, twice,
and so on tell both N and the skew, by maximum likelihood; which key has which rank is not used, since those seen most are not always
those that are most popular.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import gammaincc, ndtri

from edasim.observe.document import Observed, written
from edasim.observe.paths import COUNT, SKEW
from edasim.statistics import CONFIDENCE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Z = float(ndtri(0.5 + CONFIDENCE / 2))
MOST = 5_000_000  # entities in a scenario
MOST_SKEW = 5.0
FEWEST = 100  # changes
FEWEST_KEYS = 20  # of fewer a law of ranks says nothing
LOOKS = 30  # how finely the likelihood is looked at before its best is searched
AGAIN = 1.5  # changes a key, on average; with fewer, repeats say too little of N


class Entities(NamedTuple):
    """How many entities and how skewed, each as (estimate, low, high); *seen* distinct keys in so many *changes*."""

    number: tuple[float, float, float]
    skew: tuple[float, float, float] | None
    seen: int
    changes: int


def chao1(times_seen: Ints) -> tuple[float, float]:
    """Chao's estimate of how many keys there are at least, and the upper end of its 95 % interval, from how often each was seen.

    >>> [round(number, 1) for number in chao1(np.array([1, 1, 1, 1, 2, 2, 3]))]
    [9.0, 40.8]
    """
    seen, once, twice = times_seen.size, int((times_seen == 1).sum()), int((times_seen == 2).sum())
    missing = once * (once - 1) / (2 * (twice + 1))
    if missing == 0:
        return float(seen), float(seen)
    ratio = once / max(twice, 1)
    variance = max(twice, 1) * (ratio**2 / 2 + ratio**3 + ratio**4 / 4)
    return seen + missing, seen + missing * float(np.exp(Z * np.sqrt(np.log1p(variance / missing**2))))


def entities_of(keys: Ints) -> Entities | None:
    """Count and skew from the *keys* of changes, shape (changes,); None where fewer than `FEWEST` changes have one."""
    if keys.size < FEWEST:
        return None
    times_seen = np.unique(keys, return_counts=True)[1]
    least, most = chao1(times_seen)
    if keys.size < AGAIN * times_seen.size:
        return Entities((least, float(times_seen.size), most), None, times_seen.size, keys.size)
    if not FEWEST_KEYS <= times_seen.size < MOST:
        return Entities((least, float(times_seen.size), most), None, times_seen.size, keys.size)
    count, skew = _zipf(times_seen)
    return Entities(count, skew, times_seen.size, keys.size)


def _zipf(times_seen: Ints) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The number of entities and the skew that are most likely, each with the values that are nearly as likely (profile likelihood)."""
    edges = _classes(int(times_seen.max()))
    found = np.histogram(times_seen, edges)[0].astype(np.float64)
    changes, least = int(times_seen.sum()), float(np.log(times_seen.size))

    def unlikely(log_count: float, skew: float) -> float:
        expected = _expected(edges, changes, float(np.exp(log_count)), skew)
        return float((expected - found * np.log(expected)).sum())

    def at(point: Floats) -> float:
        return unlikely(float(point[0]), float(point[1]))

    bounds = [(least, float(np.log(MOST))), (0.0, MOST_SKEW)]
    starts = [(least + more, skew) for more, skew in ((0.1, 0.3), (1.5, 1.0))]
    within = [np.clip(np.array(start), *np.array(bounds).T) for start in starts]
    # not by slopes: where the skew is strong they are too small to follow, and a search by L-BFGS-B ends at millions of entities
    fits = [minimize(at, start, method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-4, "fatol": 1e-4}) for start in within]
    best = min(fits, key=lambda fit: float(fit.fun))

    def best_with(place: int, value: float) -> float:
        """How unlikely it is at best where one of both has this *value*; where it has the best, at most as unlikely as that."""
        other = (lambda count: unlikely(count, value)) if place else (lambda skew: unlikely(value, skew))
        return _least(other, bounds[1 - place], float(best.x[1 - place]))

    (count, low, high), skew = (_nearly(best_with, place, float(best.x[place]), float(best.fun), bounds[place]) for place in (0, 1))
    return (float(np.exp(count)), float(np.exp(low)), float(np.exp(high))), skew


def _least(of: Callable[[float], float], bounds: tuple[float, float], likely: float) -> float:
    """The least of a function that has several valleys: looked for around the lowest of `LOOKS` values and a *likely* one.

    >>> round(_least(lambda x: min(abs(x - 0.3), abs(x - 4) + 0.2), (0.0, 5.0), 4.0), 2)
    0.0
    """
    looks = np.unique(np.append(np.linspace(*bounds, LOOKS), np.clip(likely, *bounds)))
    found = [of(float(look)) for look in looks]
    lowest = int(np.argmin(found))
    around = float(looks[max(lowest - 1, 0)]), float(looks[min(lowest + 1, looks.size - 1)])
    return min(found[lowest], float(minimize_scalar(of, bounds=around, method="bounded", options={"xatol": 1e-3}).fun))


def _nearly(
    best_with: Callable[[int, float], float], place: int, best: float, least: float, bounds: tuple[float, float]
) -> tuple[float, float, float]:
    """The *best* value of one parameter, and from where to where it is at most so much less likely that 95 % of truths are inside."""
    ends = []
    for bound in bounds:
        step = 0.01 if bound > best else -0.01
        inside, outside = best, best + step
        while abs(outside - best) < abs(bound - best) and best_with(place, outside) - least < Z**2 / 2:
            inside, outside = outside, best + 2 * (outside - best)
        outside = outside if abs(outside - best) < abs(bound - best) else bound
        is_out = best_with(place, outside) - least >= Z**2 / 2
        ends.append(brentq(lambda at: best_with(place, at) - least - Z**2 / 2, inside, outside, xtol=1e-3) if is_out else bound)
    return best, float(ends[0]), float(ends[1])


def _classes(most: int) -> Floats:
    """Edges of classes of how often a key may be seen: each number up to 10, then ever wider ones; the last is open."""
    wide = np.unique(np.round(10 * 1.25 ** np.arange(1, 2 + int(np.log(max(most, 11) / 10) / np.log(1.25)))))
    return np.concatenate([np.arange(1, 11), wide, [np.inf]]) - 0.5


def _expected(edges: Floats, changes: int, count: float, skew: float) -> Floats:
    """How many of *count* entities are expected to be seen so often as each class says; shape (classes,).

    How often an entity is seen is taken for Poisson. Ranks beyond 30 stand for several alike, so that a million take no longer.
    """
    ranks, alike = _ranks(count)
    share = ranks**-skew
    rates = changes * share / (share * alike).sum()
    below = gammaincc(np.ceil(edges[:-1])[:, None], rates[None, :])  # P(Poisson < edge)
    parts = np.diff(np.vstack([below, np.ones_like(rates)]), axis=0)
    return np.asarray(np.maximum((parts * alike).sum(axis=1), 1e-12))


def _ranks(count: float) -> tuple[Floats, Floats]:
    """Ranks that stand for all of *count*, and how many each stands for; smooth in *count*, as a search needs it."""
    first = np.arange(1.0, min(30.0, np.floor(count)) + 1)
    edges = np.geomspace(first[-1] + 0.5, max(count + 0.5, first[-1] + 0.5 + 1e-9), 60)
    return np.concatenate([first, np.sqrt(edges[1:] * edges[:-1])]), np.concatenate([np.ones(first.size), np.diff(edges)])


def come_and_go(keys: Ints) -> bool:
    """Whether keys are born and fall silent: far fewer are seen in both halves of the changes than if the order did not matter.

    A key that is seen c times is in both halves with probability 1 - 2^(1 - c) then.

    >>> come_and_go(np.repeat(np.arange(100), 5)), come_and_go(np.tile(np.arange(100), 5))
    (True, False)
    """
    half = keys.size // 2
    both = np.intersect1d(keys[:half], keys[half:]).size
    chance = 1 - 2.0 ** (1 - np.unique(keys, return_counts=True)[1])
    return bool(both < chance.sum() - 4 * np.sqrt((chance * (1 - chance)).sum()) - 1)


def observed_entities(keys: Ints, source: str) -> tuple[list[Observed], list[str]]:
    """Count and skew as inputs, and notes."""
    found = entities_of(keys)
    if found is None:
        return [], [f"{source}: only {keys.size} changes have a key: too few to tell how many entities there are"]
    if found.seen == found.changes:
        return [], [f"{source}: every key is seen once: that may be the id of the event; name the column of the entity's key"]
    said = f"{source}; {found.seen} different keys seen, which is a lower bound"
    notes = []
    if come_and_go(keys):
        notes.append(
            f"{source}: keys come and go (those of the first half are not those of the second): entities are born and fall silent. "
            "How many there are, and their skew, is that of the time seen; set workload.entities.new_share and active_for, or run the "
            "recording itself, process: trace"
        )
    how = (
        "Chao's lower bound of how many there are" if found.skew is None else "most likely under Zipf's law, from how often keys were seen"
    )
    count, low, high = (min(max(1, round(number)), MOST) for number in found.number)
    inputs = [Observed(path=COUNT, value=count, low=low, high=high, source=f"{said}; {how}", seen=found.changes)]
    if found.skew is not None:
        skew, low_skew, high_skew = (written(number) for number in found.skew)
        inputs.append(Observed(path=SKEW, value=skew, low=low_skew, high=high_skew, source=f"{said}; {how}", seen=found.changes))
    return inputs, notes
