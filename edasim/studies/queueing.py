"""A queue that everybody can check by hand: M/M/1, the time in system against the load, simulated and by its closed form.

Changes come independently (Poisson) with rate r, one instance handles each for an exponential time of mean s, and nothing else takes
time. The mean from commit to applied is s / (1 - r s): with s of 10 ms and a load r s of 0.5 that is 20 ms, with 0.9 it is 100 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edasim.errors import InputError
from edasim.estimates import Estimate, estimates
from edasim.experiment import comparisons_at
from edasim.findings import Finding
from edasim.scenario import PoissonArrivals, Scenario
from edasim.theory import mm1_mean_time

LOADS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
SERVICE = 0.01  # seconds
CHANGES = 6000  # measured in each run, after as many as a twelfth of that
PATTERN = "event_carried_state_transfer"


@dataclass(frozen=True)
class Queue:
    """The mean time in system at each load, in seconds: *simulated* with its interval, and *expected* by the closed form."""

    service: float
    loads: tuple[float, ...]
    simulated: tuple[Estimate, ...]
    expected: tuple[float, ...]
    replications: int

    @property
    def within(self) -> int:
        """At how many loads the closed form lies in the interval."""
        pairs = zip(self.simulated, self.expected, strict=True)
        return sum(found.low <= value <= found.high for found, value in pairs)


def mm1_over_load(
    loads: Sequence[float] = LOADS,
    *,
    service: float = SERVICE,
    changes: int = CHANGES,
    replications: int = 5,
    seed: int = 1,
    jobs: int = -1,
) -> Queue:
    """M/M/1 at each of *loads*, above 0 and below 1, with a mean *service* time in seconds; in runs of about so many *changes*.

    Each load has luck of its own, so that the points are off independently of each other.

    Raises InputError for a load at which the queue would grow for ever.
    """
    for load in loads:
        if not 0 < load < 1:
            raise InputError(f"load: {load:g} is not allowed: must be above 0 and below 1")
    points = [mm1(load / service, service, changes, seed + number) for number, load in enumerate(loads)]
    found = comparisons_at(points, [PATTERN], replications=replications, jobs=jobs)
    simulated = tuple(estimates(of.results, "latency_mean")[PATTERN] for of in found)
    expected = tuple(mm1_mean_time(load / service, 1 / service) for load in loads)
    return Queue(service, tuple(loads), simulated, expected, replications)


def around(scenario: Scenario, *, replications: int = 3, jobs: int = -1) -> Queue:
    """M/M/1 at the load of a *scenario* that `mm1` made, and at three more, in runs as long and on luck from its seed on.

    Raises InputError for a load at which the queue would grow for ever.
    """
    arrivals, service = scenario.workload.arrivals, scenario.consumers[0].handle_time.mean()
    if not isinstance(arrivals, PoissonArrivals):
        raise InputError("workload.arrivals: must be poisson, as in M/M/1")
    loads = sorted({0.3, 0.6, 0.9, float(f"{arrivals.rate * service:.6g}")})
    changes = max(1, round(arrivals.rate * scenario.duration))
    return mm1_over_load(loads, service=service, changes=changes, replications=replications, seed=scenario.seed, jobs=jobs)


def mm1(rate: float, service: float, changes: int = CHANGES, seed: int = 1) -> Scenario:
    """The scenario of an M/M/1 queue: *rate* changes a second, one instance with an exponential *service* time, no latency, no fault."""
    return Scenario(
        name="mm1",
        seed=seed,
        warmup=changes / 12 / rate,
        duration=changes / rate,
        workload={"arrivals": {"rate": rate}, "reads": {"rate": 0}, "entities": {"count": 1}},
        source={"write_time": 0},
        network={"latency": 0},
        broker={"partitions": 1, "replicas": 1},
        consumers=[{"name": "server", "instances": 1, "handle_time": {"dist": "exponential", "mean": service}}],
    )


def does_the_queue_agree(found: Queue) -> Finding:
    """At how many loads the closed form lies within the interval, and how far off the mean is where it is furthest."""
    off = {load: value.mean / expected - 1 for load, value, expected in zip(found.loads, found.simulated, found.expected, strict=True)}
    worst = max(off, key=lambda load: abs(off[load]))
    return Finding(
        f"The closed form lies within the 95 % interval at **{found.within} of {len(found.loads)} loads**; the simulated mean is furthest "
        f"from it at a load of {worst:g}, by {off[worst]:+.1%}.".replace("%.", " %.").replace("%;", " %;")
    )
