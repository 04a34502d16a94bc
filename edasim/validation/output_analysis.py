"""Rows on output analysis: how often an interval covers the truth, and where a series is cut. Some need numbers only and no scenario."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edasim.statistics import CONFIDENCE, interval, mser
from edasim.validation.cases import Parameters

SERIES = 200  # of a replication
LENGTH = 5000  # of a series: its asymptotic variance holds


def coverage(experiments: ArrayLike, truth: float, confidence: float = CONFIDENCE) -> float:
    """The share of *experiments*, shape (experiments, replications), whose interval of the mean holds the *truth*.

    >>> coverage([[1.0, 2.0, 3.0], [7.0, 8.0, 9.0]], truth=2.5)
    0.5
    """
    found = [interval(experiment, confidence) for experiment in np.asarray(experiments, dtype=np.float64)]
    return float(np.mean([each.low <= truth <= each.high for each in found]))


def mean_wait_of_first(customers: int, arrival_rate: float, service_rate: float) -> float:
    """The expected average wait, in seconds, of the first *customers* of M/M/1 that starts empty; rates per second.

    The k-th after the first waits sum over j <= k of E[max(S_j, 0)] / j, S_j being j services less j gaps (Spitzer 1956). When j
    customers have come, as many services as are still wanting of j take 1 / service_rate each; those done by then are negative binomial.

    >>> round(mean_wait_of_first(2, 1.0, 1.0), 6)  # the second waits for what is left of the first: a half times a mean service
    0.25
    """
    from scipy.stats import nbinom  # takes a third of a second to import

    waits = np.zeros(customers)
    for j in range(1, customers):
        done = np.arange(j)
        wanting = (j - done) @ nbinom.pmf(done, j, arrival_rate / (arrival_rate + service_rate))
        waits[j] = waits[j - 1] + wanting / service_rate / j
    return float(waits.mean())


def _naive_coverage(p: Parameters, replication: int) -> float:
    """How often an interval covers that takes the values of an AR(1) series with mean 0 for independent replications."""
    from scipy.signal import lfilter  # takes half a second to import

    rng = np.random.default_rng([20, replication])
    shocks = rng.standard_normal((SERIES, LENGTH))
    shocks[:, 0] /= np.sqrt(1 - p["phi"] ** 2)  # it starts stationary
    return coverage(lfilter([1], [1, -p["phi"]], shocks, axis=1), truth=0)


def _settling(p: Parameters) -> NDArray[np.float64]:
    """A series that settles at 5: what is left of c falls by a factor a at each step, beside a sawtooth."""
    i = np.arange(p["n"])
    return np.asarray(5 + p["c"] * p["a"] ** i + 7919 * i % 101 / 101 - 0.5)


STATISTICS: Mapping[str, Callable[[Parameters, int], float]] = {  # of a row's parameters and the number of a replication
    "naive_coverage": _naive_coverage,
    "mser5_cut": lambda p, replication: mser(_settling(p)),
    "mser5_mean": lambda p, replication: _settling(p)[mser(_settling(p)) :].mean(),
    "mser1_cut": lambda p, replication: mser(_settling(p), batch=1),
}
