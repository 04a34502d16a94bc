"""Incidents: how often a component goes down and for how long, with intervals that are honest about how few there were.

An example: three incidents in a year are 3 a year, and it may be 0.6 to 8.8. Two outages that took 10 and 30 minutes took 20 minutes on
average, and that may be 7 minutes to 2.8 hours where lengths are exponential.

How often: exact for independent incidents (Garwood, Biometrika 1936). How long: lognormal from ten on, exponential with fewer. Which of
them lengths really are is not known, so the interval of their mean is, from five on, the wider of two: the exact one of the exponential,
2 n mean / chi-squared with 2 n degrees of freedom, and Cox's of the lognormal (as in Zhou and Gao, Statistics in Medicine 16:783, 1997).
With fewer than five the latter would reach from seconds to months, so it is the exact one alone, and the source says what it misses.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import t as students_t

from edasim.errors import InputError
from edasim.estimates import short
from edasim.metrics.storage import DAY_S
from edasim.observe.columns import COMPONENT, END, START, as_name, column_of
from edasim.observe.document import ObservedFile, ObservedIncidents, Read, distribution, written
from edasim.observe.events import read_csv
from edasim.observe.stamps import day, moment, seconds_of
from edasim.observe.texts import name_of
from edasim.scenario import COMPONENTS
from edasim.statistics import CONFIDENCE, count_interval
from edasim.units import YEAR_S

Floats = NDArray[np.float64]
Watched = tuple[float, float]  # from when to when, in seconds since 1970
SEVERAL = 5  # incidents, for an interval that knows more shapes than one
ENOUGH = 10  # incidents, for a lognormal
DATE = re.compile(r"\d{4}-\d\d-\d\d")
BROKERS = ("kafka", "rabbitmq", "redis", "nats", "redpanda")  # what a scenario calls broker


def watched_in(text: str | None) -> Watched | None:
    """The time that `--watched START/END` says incidents were written down in; None where it is left out.

    A date alone is the whole of the day.

    >>> watched_in("2025-01-01/2025-01-01")
    (1735689600.0, 1735776000.0)

    Raises InputError where it is no time, or ends before it starts.
    """
    if text is None:
        return None
    start, slash, end = text.partition("/")
    if not slash:
        raise InputError(f"--watched {text} is not allowed: must be start/end, such as 2025-01-01/2025-12-31")
    found = moment(start, "--watched"), moment(end, "--watched") + (DAY_S if DATE.fullmatch(end.strip()) else 0.0)
    if found[1] <= found[0]:
        raise InputError(f"--watched {text} is not allowed: its end must be after its start")
    return found


def mean_length(lengths: Floats) -> tuple[float, float, float, float | None]:
    """Mean, low, high and coefficient of variation (None: exponential) of how long incidents took, shape (incidents,), none of them 0.

    >>> [round(number) for number in mean_length(np.array([600.0, 1800.0]))[:3]]
    [1200, 431, 9909]
    """
    mean, low, high = _as_exponential(lengths)
    if lengths.size < SEVERAL or np.ptp(lengths) == 0:
        return mean, low, high, None
    middle, least, most, cv = _as_lognormal(lengths)
    estimate, spread = (middle, cv) if lengths.size >= ENOUGH else (mean, None)
    return estimate, min(low, least), max(high, most, estimate), spread


def _as_exponential(lengths: Floats) -> tuple[float, float, float]:
    """Mean, low and high where lengths are exponential."""
    free, outside = 2 * lengths.size, (1 - CONFIDENCE) / 2
    total = 2 * float(lengths.sum())
    return float(lengths.mean()), float(total / chi2.ppf(1 - outside, free)), float(total / chi2.ppf(outside, free))


def _as_lognormal(lengths: Floats) -> tuple[float, float, float, float]:
    """Mean, low, high (a year at most) and coefficient of variation where lengths are lognormal."""
    count, logs = lengths.size, np.log(lengths)
    variance = float(logs.var(ddof=1))
    middle = float(logs.mean()) + variance / 2
    half = float(students_t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * np.sqrt(variance / count + variance**2 / (2 * (count - 1)))
    high = float(np.exp(min(middle + half, np.log(YEAR_S))))
    return float(np.exp(middle)), float(np.exp(middle - half)), high, float(np.sqrt(np.expm1(variance)))


def covered(incidents: int) -> str:
    """In how many cases the interval of the mean length holds the truth: measured, as the table of docs/observe.md says it.

    >>> covered(3)
    'the interval of the mean holds it in 95 % of cases where lengths are exponential, in 75 to 90 % where they are lognormal of cv 3'
    """
    exponential, skewed = ("95", "75 to 90") if incidents < SEVERAL else ("97 to 99", "92 to 95")
    cases = f"in {exponential} % of cases where lengths are exponential, in {skewed} % where they are lognormal of cv 3"
    return f"the interval of the mean holds it {cases}"


def how_often(starts: Floats, watched: Watched | None) -> tuple[float, float, float] | None:
    """Incidents a year with their interval; without *watched* between the first and the last of all, which only starts the clock.

    None where that can't be told: of one incident alone.

    >>> tuple(round(number, 2) for number in how_often(np.array([0.0, 1.0, 2.0]), (0.0, YEAR_S)))
    (3.0, 0.62, 8.77)
    """
    count, span = (starts.size, watched[1] - watched[0]) if watched else (starts.size - 1, float(np.ptp(starts)))
    if not count or span <= 0:
        return None
    low, high = count_interval(float(count), float(count), 1.0)
    return count * YEAR_S / span, low * YEAR_S / span, high * YEAR_S / span


def incidents_of(path: Path, header: str, names: list[str], watched: Watched | None) -> Read:
    """What a CSV file of incidents tells.

    Raises InputError for a row without start, end or component, one that ends before it starts, and one outside the time *watched*.
    """
    columns = [column_of(names, known, units=known is not COMPONENT) for known in (START, END, COMPONENT)]
    if columns[2] is None:
        raise InputError(f"{name_of(path)} has starts and ends of incidents, but not of what: it needs a column component")
    start, end, component = (str(column) for column in columns)
    table = read_csv(path, header, [start, end, component])
    if table.empty:
        raise InputError(f"{name_of(path)} has no rows: there is nothing to observe")
    starts, ends = seconds_of(table[start], start)[0], seconds_of(table[end], end)[0]
    what = table[component].map(lambda name: _component(str(name)), na_action="ignore")
    _check(name_of(path), starts, ends, what.isna().to_numpy() | (what == "").to_numpy(), watched)
    found = {name: (starts[mine], (ends - starts)[mine]) for name in dict.fromkeys(what) for mine in [(what == name).to_numpy()]}
    file = ObservedFile(name=name_of(path), form="incidents", rows=len(table), notes=_watched_in_words(watched))
    incidents = tuple(observed_incidents(name, *times, watched, name_of(path)) for name, times in found.items() if _is_told(times, watched))
    alone = [name for name, times in found.items() if not _is_told(times, watched)]
    return Read(file, incidents=incidents, not_found=tuple(_alone(name, *found[name], name_of(path)) for name in alone))


def _component(text: str) -> str:
    """What was down, as a scenario calls it."""
    name = as_name(text)
    return "broker" if name.lower() in BROKERS else name.lower() if name.lower() in COMPONENTS else name


def _check(name: str, starts: Floats, ends: Floats, nameless: NDArray[np.bool_], watched: Watched | None) -> None:
    outside = np.zeros(starts.size, dtype=bool) if watched is None else (starts < watched[0]) | (starts > watched[1])
    complaints = {
        "has no start that can be read": ~np.isfinite(starts),
        "has no end that can be read": ~np.isfinite(ends),
        "ends before it starts": ends < starts,
        "has no component": nameless,
        "starts outside the time that --watched says": outside,
    }
    for complaint, rows in complaints.items():
        if rows.any():
            raise InputError(f"{name}: the incident in row {int(np.argmax(rows)) + 1} {complaint}")


def _is_told(times: tuple[Floats, Floats], watched: Watched | None) -> bool:
    return how_often(times[0], watched) is not None and bool((times[1] > 0).any())


def _watched_in_words(watched: Watched | None) -> tuple[str, ...]:
    if watched:
        return (f"watched from {day(watched[0])} until {day(watched[1])}, as --watched says",)
    return ("--watched was left out: how often is counted from the first to the last incident, as nothing is known of before and after",)


def observed_incidents(component: str, starts: Floats, lengths: Floats, watched: Watched | None, name: str) -> ObservedIncidents:
    """How often and how long a *component* was down, from the *starts* and *lengths* of its incidents, shape (incidents,)."""
    often = how_often(starts, watched)
    assert often is not None
    lasting = lengths[lengths > 0]
    mean, low, high, cv = mean_length(lasting)
    kind = "exponential" if cv is None else "lognormal"
    few = f", taken for exponential as there are fewer than {ENOUGH}" if lasting.size < ENOUGH else f", taken for {kind}"
    zero = f", {lengths.size - lasting.size} of length 0 left out" if lasting.size < lengths.size else ""
    return ObservedIncidents(
        component=component,
        per_year=float(f"{often[0]:.4g}"),
        low=float(f"{often[1]:.4g}"),
        high=float(f"{often[2]:.4g}"),
        down=distribution(kind, mean, cv, "s"),
        down_low=written(low, "s"),
        down_high=written(high, "s"),
        seen=starts.size,
        source=f"{name}: {_counted(starts.size)}{few}{zero}; the longest took {short(float(lengths.max()), 's')}; {covered(lasting.size)}",
    )


def _counted(incidents: int) -> str:
    return "1 incident" if incidents == 1 else f"{incidents:,} incidents"


def _alone(component: str, starts: Floats, lengths: Floats, name: str) -> str:
    if not (lengths > 0).any():
        return f"incidents of {component}: {name} has none that took any time"
    known = "say with --watched START/END from when to when incidents were written down"
    return f"how often {component} goes down: {name} has only one moment of it; {known}"
