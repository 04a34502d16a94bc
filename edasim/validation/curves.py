"""What all replications say together: a feature of the curve that a sweep draws, or their spread; with its uncertainty.

The lowest point of a noisy curve lies too low: each replication's own minimum would be biased. So the feature is taken from the
mean curve, and the jackknife (Quenouille 1949, Tukey 1958) turns it into one number a replication: their mean is the feature without
its bias of order 1/replications, and their spread gives its standard error.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DEGREE = 4


def lowest(points: Floats, curve: Floats) -> tuple[float, float]:
    """Where the *curve* through these *points* is lowest, and how low: of a polynomial of degree 4 fitted by least squares.

    >>> where, low = lowest(np.linspace(0, 1, 8), 3 + (np.linspace(0, 1, 8) - 0.25) ** 2)
    >>> round(where, 6), round(low, 6)
    (0.25, 3.0)
    """
    fit = Polynomial.fit(points, curve, DEGREE)
    flat = fit.deriv().roots()
    inside = flat.real[(abs(flat.imag) < 1e-9) & (flat.real > points[0]) & (flat.real < points[-1])]
    candidates = np.array([points[0], *inside, points[-1]])
    return float(candidates[fit(candidates).argmin()]), float(fit(candidates).min())


FEATURES: Mapping[str, Callable[[Floats, Floats], float]] = {  # of the points and a table of shape (replications, points)
    "where_lowest": lambda points, table: lowest(points, table.mean(axis=0))[0],
    "lowest": lambda points, table: lowest(points, table.mean(axis=0))[1],
    "lowest_point": lambda points, table: float(points[table.mean(axis=0).argmin()]),
    "standard_deviation": lambda points, table: float(table[:, 0].std(ddof=1)),
    "variance": lambda points, table: float(table[:, 0].var(ddof=1)),
}


def by_replication(feature: str, points: Sequence[float], table: Floats) -> list[float]:
    """The *feature* of the *table* as one number a replication; it has the shape (replications, points)."""
    of, at, count = FEATURES[feature], np.array(points), len(table)
    without = [of(at, np.delete(table, left_out, axis=0)) for left_out in range(count)]
    return [count * of(at, table) - (count - 1) * other for other in without]
