"""How long a run of a new scenario lasts: long enough to see what it is about, and no longer than a run may be.

An example: a thousand changes of 0.02 a second take 14 hours, so a run lasts a day. With 400 reads a second that day has 35 million of
them, which a run may hold; of 700 a second it would have 60 million, and a run lasts 6 hours, which the scenario says is too short.
"""

from collections.abc import Iterator

from edasim.estimates import short
from edasim.observe.arrivals import CYCLES
from edasim.scenario import BurstyArrivals, DailyArrivals, Scenario
from edasim.units import seconds
from edasim.workload import MOST, rate_of

ENOUGH = 1000  # changes
WINDOWS = ("1min", "10min", "1h", "6h", "1d", "7d", "30d", "365d")
USUAL_S = 600.0
LONG = 5_000_000  # changes, reads and deliveries
EACH_S, EACH_BYTES = 3e-6, 300.0  # of one of them: 4.1 million took 13 s and 1.3 GB (event notification, one core)
SHOWN = 3  # digits


def duration_of(scenario: Scenario) -> str:
    """The first of WINDOWS that is as long as `needed_s` says; where a run would have more than MOST changes or reads, the longest allowed.

    >>> [duration_of(Scenario(workload={"arrivals": {"rate": rate}})) for rate in (50.0, 0.02)]
    ['10min', '1d']
    """
    allowed = [window for window in WINDOWS if _most(scenario, seconds(window)) <= MOST] or [WINDOWS[0]]
    return next((window for window in allowed if seconds(window) >= needed_s(scenario)), allowed[-1])


def needed_s(scenario: Scenario) -> float:
    """The time in which all of `_needs` is there, and what is usual at least.

    >>> needed_s(Scenario(workload={"arrivals": {"process": "daily", "rate": 50.0}}))
    86400.0
    """
    return max(USUAL_S, *_needs(scenario).values())


def _needs(scenario: Scenario) -> dict[str, float]:
    """What a run must see, and how many seconds that takes."""
    arrivals = scenario.workload.arrivals
    found = {f"{ENOUGH:,} changes": ENOUGH / rate_of(scenario)}
    if isinstance(arrivals, DailyArrivals):
        found["a whole swing of the daily rate"] = arrivals.period
    if isinstance(arrivals, BurstyArrivals):
        found[f"{CYCLES} bursts and pauses"] = CYCLES * (arrivals.mean_low + arrivals.mean_high)
    return found


def in_words(scenario: Scenario) -> str:
    """What the duration of the *scenario* means, in lines: for what it is long enough or too short, and how much a run has to do."""
    if _most(scenario, scenario.duration) > MOST:
        return f"more than the {MOST:,} changes or reads that a run may have: lower the rates"
    missed = [what for what, needed in _needs(scenario).items() if needed > scenario.duration]
    if not missed:
        return "\n".join([f"long enough for {' and '.join(_needs(scenario))}", *_work(scenario)])
    longest = scenario.duration == seconds(WINDOWS[-1])
    why = "a run is no longer here" if longest else f"a longer run would have more than {MOST:,} changes or reads"
    return "\n".join([f"too short for {' and '.join(missed)}: {why}", *_work(scenario)])


def _work(scenario: Scenario) -> Iterator[str]:
    """How much a run has to do, where that is much."""
    changes, reads = (rate * scenario.window[1] for rate in (rate_of(scenario), _reads(scenario)))
    work = changes + len(scenario.consumers) * (changes + reads)
    if work > LONG:
        takes = f"about {short(work * EACH_S, 's')} and {short(work * EACH_BYTES, 'bytes')} of memory"
        yield f"about {_about(changes)} changes and {_about(reads)} reads by each consumer: a run takes {takes};"
        swings = isinstance(scenario.workload.arrivals, DailyArrivals)
        yield f"for a first look: --set duration=1h{', which sees only the quietest hour of the day' if swings else ''}"


def _about(number: float) -> str:
    return f"{float(f'{number:.{SHOWN}g}'):,.0f}"


def _most(scenario: Scenario, duration: float) -> float:
    """How many changes, or reads of one consumer, a run of this *duration* has, whichever are more."""
    return max(rate_of(scenario), _reads(scenario)) * (scenario.warmup + duration)


def _reads(scenario: Scenario) -> float:
    reads = scenario.workload.reads
    return reads.rate if reads.rate is not None else rate_of(scenario) * (reads.per_change or 0.0)
