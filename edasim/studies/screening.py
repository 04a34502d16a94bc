"""Which inputs matter, also together? Morris' screening and Sobol indices of one metric of one option over ranges of inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.estimates import short
from edasim.findings import Finding
from edasim.intervals import over_replications
from edasim.patterns import Pattern
from edasim.ranges import Range
from edasim.scenario import Scenario
from edasim.studies.sensitivity import Subject, checked, measure_first, subject

LEVELS = 4  # of a range, in Morris' grid
MATTERS = 0.1  # of the largest mean effect: factors below it stay at their base value when indices are estimated

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Screened:
    """Morris' elementary effects by factor: the mean size of what the whole range changes, its spread, and half its 95 % interval."""

    about: Subject
    over: tuple[Range, ...]
    mean_effect: Floats
    spread: Floats
    half: Floats

    @property
    def mattering(self) -> list[Range]:
        """The factors whose mean effect may be a tenth of the largest or more (upper end of its interval)."""
        least = MATTERS * float(self.mean_effect.max())
        return [each for each, most in zip(self.over, self.mean_effect + self.half, strict=True) if most > 0 and most >= least]


def morris(
    scenario: Scenario,
    option: Pattern | str,
    metric: str,
    ranges: Sequence[Range] | None = None,
    *,
    trajectories: int = 10,
    consumer: str | None = None,
    replications: int = 3,
    seed: int | None = None,
    jobs: int = -1,
    progress: bool = False,
) -> Screened:
    """Elementary effects (Morris, Technometrics 1991; mu* of Campolongo et al. 2007) on a grid of four levels of each range, by SALib.

    Factors are uniform over their ranges; the intervals are bootstraps over trajectories. All points are on the same luck.
    """
    over = checked(scenario, ranges)
    about = subject(scenario, option, metric, consumer, replications=replications, seed=seed, jobs=jobs, progress=progress)
    places = morris_sample(len(over), trajectories, about.seed)
    return Screened(about, tuple(over), *morris_effects(places, means_at(about, over, places), about.seed))


def means_at(about: Subject, over: Sequence[Range], places: Floats) -> Floats:
    """The metric at each row of *places* in the unit cube, a column a range."""
    points = [{each.target: each.at(place) for each, place in zip(over, row, strict=True)} for row in places.tolist()]
    return np.array([over_replications(run).mean for run in about.at(points)])


def morris_sample(factors: int, trajectories: int, seed: int) -> Floats:
    """Trajectories through the unit cube, shape (trajectories x (factors + 1), factors)."""
    from SALib.sample.morris import sample  # takes a second to import

    return np.asarray(sample(_cube(factors), trajectories, num_levels=LEVELS, seed=seed))


def morris_effects(places: Floats, found: Floats, seed: int) -> tuple[Floats, Floats, Floats]:
    """Mean absolute elementary effect, standard deviation, and half of the 95 % interval of the former, each by factor."""
    from SALib.analyze.morris import analyze

    said = analyze(_cube(places.shape[1]), places, found, num_levels=LEVELS, seed=seed)
    mean, spread, half = (np.asarray(said[name], dtype=np.float64) for name in ("mu_star", "sigma", "mu_star_conf"))
    return mean, spread, half


@dataclass(frozen=True)
class Indices:
    """Sobol indices by factor: which share of the variance it causes alone, and with all others, each with half its interval."""

    about: Subject
    over: tuple[Range, ...]
    first: Floats
    first_half: Floats
    total: Floats
    total_half: Floats


def sobol(screened: Screened, *, samples: int = 64, replications: int | None = None) -> Indices:
    """First-order and total indices of the factors that matter by Morris, the others as the scenario says (Saltelli's sample, by SALib).

    *samples*: a power of two; samples x (factors + 2) points are simulated. Raises InputError where nothing matters.
    """
    over, about = screened.mattering, screened.about
    if not over:
        raise InputError(f"metric {about.metric}: none of the ranges changes it")
    if samples < 2 or samples & (samples - 1):
        raise InputError(f"samples: {samples} is not allowed: must be a power of two")
    about = replace(about, replications=replications or about.replications)
    found = means_at(about, over, sobol_sample(len(over), samples, about.seed))
    return Indices(about, tuple(over), *sobol_indices(len(over), found, about.seed))


def sobol_sample(factors: int, samples: int, seed: int) -> Floats:
    """Saltelli's sample of the unit cube, shape (samples x (factors + 2), factors)."""
    from SALib.sample.sobol import sample

    return np.asarray(sample(_cube(factors), samples, calc_second_order=False, seed=seed))


def sobol_indices(factors: int, found: Floats, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """First-order and total indices, each followed by half of its 95 % interval, by factor."""
    from SALib.analyze.sobol import analyze

    said = analyze(_cube(factors), found, calc_second_order=False, seed=seed + 1)  # 0 would mean: the global state
    first, first_half, total, total_half = (np.asarray(said[name], dtype=np.float64) for name in ("S1", "S1_conf", "ST", "ST_conf"))
    return first, first_half, total, total_half


def _cube(factors: int) -> dict[str, Any]:
    return {"num_vars": factors, "names": [f"x{number}" for number in range(factors)], "bounds": [[0, 1]] * factors}


def what_screening_finds(found: Screened) -> Finding:
    """The most influential guess first, then the mean effect of each input that may matter, the largest first."""
    order = [place for place in np.argsort(-found.mean_effect, kind="stable") if found.over[place] in found.mattering]
    unit, sizes = found.about.unit, zip(found.mean_effect, found.half, found.spread, strict=True)
    said = [f"{short(mean, unit)} ± {short(half, unit)} over its range, spread {short(spread, unit)}" for mean, half, spread in sizes]
    return _ranked(found.over, order, said, found.about, f"less than {MATTERS:.0%} of the largest effect")


def what_causes_variance(found: Indices) -> Finding:
    """The most influential guess first, then which share of the variance each input causes, the largest first."""
    order = list(np.argsort(-found.total, kind="stable"))
    shares = zip(found.first, found.first_half, found.total, found.total_half, strict=True)
    said = [
        f"{100 * one:.0f} ± {100 * half:.0f} % of the variance alone, {100 * all_:.0f} ± {100 * whole:.0f} % with others"
        for one, half, all_, whole in shares
    ]
    return _ranked(found.over, order, said, found.about, "")


def _ranked(over: Sequence[Range], order: Sequence[int], said: Sequence[str], about: Subject, rest: str) -> Finding:
    lines = [measure_first([over[place] for place in order], about)]
    lines += [f"* `{over[place].path}` ({over[place].basis or 'given'}): {said[place]}." for place in order]
    if others := [f"`{each.path}`" for place, each in enumerate(over) if place not in order]:
        lines.append(f"* {rest.capitalize()}: {', '.join(others)}.")
    return Finding("\n".join(lines))


def factors_of(found: Screened | Indices) -> pd.DataFrame:
    """A row an input, the most influential first: Morris' effects in the metric's unit, or Sobol indices."""
    parts = ("mean_effect", "half", "spread") if isinstance(found, Screened) else ("total", "total_half", "first", "first_half")
    frame = pd.DataFrame({"path": [each.target for each in found.over], **{name: getattr(found, name) for name in parts}})
    return frame.sort_values(parts[0], ascending=False, kind="stable")
