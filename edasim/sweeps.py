"""Sweeps: the same comparison at several points, which differ in one or more inputs, all points and options on the same luck."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import pandas as pd
import yaml

from edasim.candidates import candidates_of
from edasim.comparison import Comparison
from edasim.documents import read_yaml
from edasim.errors import InputError
from edasim.experiment import comparisons_at
from edasim.patterns import Pattern
from edasim.provenance import provenance
from edasim.ranges import Range
from edasim.runs import REPLICATIONS
from edasim.scenario import Scenario

MOST = 5  # options in a figure, unless more are asked for


def by_default(
    scenario: Scenario, presets: Sequence[Pattern | str], patterns: Sequence[Pattern | str] | None, options: Sequence[str] | None
) -> tuple[Sequence[Pattern | str] | None, Sequence[str] | None]:
    """The *patterns* and *options* to compare; where none are asked for the scenario's first five options, or else these *presets*."""
    if patterns is not None or options is not None:
        return patterns, options
    return (None, [option.name for option in scenario.options[:MOST]]) if scenario.options else (presets, None)


Points = Sequence[Mapping[str, Any]]  # at each point what is changed, by dotted path


def grid(over: Mapping[str, Sequence[Any]]) -> Points:
    """All combinations of the values at each dotted path; the last path varies fastest.

    >>> grid({"broker.kind": ["log", "queue"], "source.servers": [1, 8]})[1]
    {'broker.kind': 'log', 'source.servers': 8}

    Raises InputError where a path has no value.
    """
    for path, values in over.items():
        if not values:
            raise InputError(f"{path}: there must be at least one value")
    return [dict(zip(over, values, strict=True)) for values in product(*over.values())]


def latin_hypercube(ranges: Mapping[str, tuple[float, float]], points: int, seed: int) -> Points:
    """*points* spread evenly over the *ranges* of several paths: each range, cut into that many parts, has one point in each part.

    McKay, Beckman and Conover (Technometrics 1979). Where both ends of a range are whole numbers, so are the values.

    >>> sorted(point["source.servers"] for point in latin_hypercube({"source.servers": (1, 4), "network.loss": (0.0, 0.1)}, 4, seed=1))
    [1, 2, 3, 4]
    """
    from scipy.stats.qmc import LatinHypercube  # takes a second to import

    if points < 1:
        raise InputError(f"points: {points} is not allowed: must be at least 1")
    places = LatinHypercube(len(ranges), rng=np.random.default_rng(seed)).random(points)
    over = [Range(path, path, *ends, whole=all(isinstance(end, int) for end in ends)) for path, ends in ranges.items()]
    return [{each.target: each.at(place) for each, place in zip(over, row, strict=True)} for row in places.tolist()]


def points_of(over: Sequence[str], points: int | None, seed: int) -> Points:
    """The points that a command line asks for: ``path=v1,v2`` for a grid; ``path=low..high`` and how many *points* to spread over ranges.

    >>> points_of(["source.servers=1,8"], None, seed=1), len(points_of(["network.loss=0.0..0.1"], 5, seed=1))
    ([{'source.servers': 1}, {'source.servers': 8}], 5)

    Raises InputError for what is neither, for both at once, and for a path that is given twice.
    """
    lists: dict[str, list[Any]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for text in over:
        path, _, said = (part.strip() for part in text.partition("="))
        if path in lists or path in ranges:
            raise InputError(f"--over {path}: is given twice")
        low, dots, high = said.partition("..")
        if dots:
            ranges[path] = _ends(path, low, high)
        else:
            lists[path] = _values(path, said)
    if bool(ranges) != (points is not None) or (ranges and lists):
        raise InputError("--over takes values (path=v1,v2), or ranges (path=low..high) together with --points, but not both")
    return grid(lists) if points is None else latin_hypercube(ranges, points, seed)


def _values(path: str, said: str) -> list[Any]:
    try:
        found = read_yaml(f"[{said}]")
    except yaml.YAMLError:
        found = []
    if not path or not isinstance(found, list) or not found:
        raise InputError(f"--over {path}={said} is not allowed: must be path=value,value,...")
    return found


def _ends(path: str, low: str, high: str) -> tuple[float, float]:
    try:
        ends = [read_yaml(end) for end in (low, high)]
    except yaml.YAMLError:
        ends = [None, None]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends) or not ends[0] < ends[1]:
        raise InputError(f"--over {path}={low}..{high} is not allowed: must be two numbers, the lower one first")
    return ends[0], ends[1]


def about(scenario: Scenario, seed: int | None, replications: int) -> dict[str, Any]:
    """Where results of a sweep come from: the scenario's own inputs, seed, replications, versions and commit."""
    inputs = scenario.as_mapping(brief=True)
    return {"scenario": inputs, "seed": scenario.seed if seed is None else seed, "replications": replications, **provenance()}


def sweep(
    scenario: Scenario,
    over: Mapping[str, Sequence[Any]] | Points,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    replications: int = REPLICATIONS,
    seed: int | None = None,
    jobs: int = -1,
    engine: str = "auto",
    progress: bool = False,
) -> pd.DataFrame:
    """What every option gives at each point: a grid of values by dotted path, such as ``workload.arrivals.rate``, or a list of points.

    The rows of `compare` for one point after the other, with a column more for each path: the value there, as it was given. All points
    and options share their luck. An option that sets a path itself keeps its own value.

    >>> swept = sweep(Scenario(duration=10, warmup=0), {"source.servers": [1, 8]}, ["cqrs"], replications=2, jobs=1)
    >>> swept[swept["metric"] == "source_utilisation"]["source.servers"].tolist()
    [1, 8]

    Raises InputError where there is no value, for a path or value that is not allowed, and for what `compare` refuses.
    """
    settings: dict[str, Any] = {"replications": replications, "seed": seed, "jobs": jobs, "engine": engine, "progress": progress}
    return pd.concat(sweep_rows(scenario, over, patterns, options=options, **settings), ignore_index=True)


def sweep_rows(
    scenario: Scenario, over: Mapping[str, Sequence[Any]] | Points, patterns: Sequence[Pattern | str] | None = None, **settings: Any
) -> Iterator[pd.DataFrame]:
    """The rows of `sweep`, a frame for each point as soon as it is done: for sweeps whose results need not be in memory at once."""
    points = grid(over) if isinstance(over, Mapping) else over
    comparisons = comparisons_over(scenario, points, patterns, **settings)
    return (_at(point, comparison.results) for point, comparison in zip(points, comparisons, strict=True))


def _at(point: Mapping[str, Any], results: pd.DataFrame) -> pd.DataFrame:
    return results.assign(**{path: [value] * len(results) for path, value in point.items()})


def for_files(frames: Iterable[pd.DataFrame], points: Points) -> Iterator[pd.DataFrame]:
    """*frames* of `sweep_rows` with one type a column at all points: numbers, or where some value is none, text as JSON has it."""
    numbers = {
        path for path in points[0] if all(isinstance(point[path], int | float) and not isinstance(point[path], bool) for point in points)
    }
    for frame in frames:
        columns = {path: frame[path].astype(float) if path in numbers else frame[path].map(_as_text) for path in points[0]}
        yield frame.assign(**columns)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def comparisons_over(scenario: Scenario, points: Points, patterns: Sequence[Pattern | str] | None, **settings: Any) -> Iterator[Comparison]:
    """The comparison at each of *points*, in their order; every value is checked before the first is simulated.

    Raises InputError also where a path is within another one, is part of what all points share, or is set by every option itself.
    """
    if not points:
        raise InputError("there must be at least one point")
    for path, other in permutations(points[0], 2):
        if other.startswith(f"{path}."):
            raise InputError(f"{other} is within {path}: vary one of them")
    for path in points[0]:
        if path in ("seed", "name", "options"):
            raise InputError(f"{path} can't be varied: all points share it")
    for path, value in {
        (path, json.dumps(value, default=str)): (path, value) for point in points for path, value in point.items()
    }.values():
        scenario.with_overrides({**points[0], path: value})
    chosen = candidates_of(scenario.with_overrides(points[0]), patterns, settings.get("options"), settings.get("engine", "auto"))
    own = [{path for option in scenario.options if option.name == candidate.name for path in option.set} for candidate in chosen]
    for path in points[0] if scenario.options and patterns is None else ():
        if all(path in paths for paths in own):
            raise InputError(f"{path} makes no difference: every option that is compared sets it itself")
    return comparisons_at(map(scenario.with_overrides, points), patterns, total=len(points), **settings)
