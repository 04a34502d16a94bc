"""Estimates for people: one number and its interval for each option, and numbers in units that fit them."""

from collections.abc import Iterable, Mapping
from math import isnan
from typing import NamedTuple

import numpy as np
import pandas as pd

from edasim.summary import ABSENT, LOWER_IS_WORSE, SCALES, in_words


class Estimate(NamedTuple):
    """A mean with its 95 % interval (NaN: not known) in *unit*."""

    mean: float
    low: float
    high: float
    unit: str

    @property
    def is_unseen(self) -> bool:
        """Whether none was seen: there may be some all the same, up to *high*."""
        return self.mean == 0 and self.high > 0

    @property
    def is_zero(self) -> bool:
        """Whether it is zero by nature, whatever the luck."""
        return self.mean == 0 and self.high == 0

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the mean twice where there is none."""
        return self.mean if isnan(self.low) else self.low, self.mean if isnan(self.high) else self.high

    def overlaps(self, other: "Estimate") -> bool:
        """Whether the two intervals have a value in common."""
        return self.ends[0] <= other.ends[1] and other.ends[0] <= self.ends[1]

    def __str__(self) -> str:
        return in_words(*self)


def estimates(results: pd.DataFrame, metric: str) -> dict[str, Estimate]:
    """*metric* in total for each option that has it, in the options' order, of several consumers that of the one who fares worst.

    *results* are rows of `compare`, or of a comparison's differences.
    """
    mine = ((results["metric"] == metric) & (results["component"] == "")).to_numpy()
    if "incident" in results:
        ordinary = (results["incident"] == "").to_numpy()
        mine = mine & ordinary if ordinary.any() else mine
    columns = [results[name].array[mine].to_numpy().tolist() for name in ("option", *Estimate._fields)]
    found: dict[str, Estimate] = {}
    for option, *row in zip(*columns, strict=True):  # as `worst_consumer` does, a figure asks this dozens of times
        of_one, known = Estimate(*row), found.get(str(option))
        if known is None or _is_worse(of_one.mean, known.mean, metric):
            found[str(option)] = of_one
    return {option: found[option] for option in map(str, results["option"].unique()) if option in found}


def _is_worse(mean: float, than: float, metric: str) -> bool:
    """Whether a consumer with this *mean* fares worse; what is not known is worse than nothing."""
    if isnan(than):
        return not isnan(mean)
    return mean < than if metric in LOWER_IS_WORSE else mean > than


def column(found: Mapping[str, Estimate], names: Iterable[str]) -> list[str]:
    """The estimates of *names* as text, in their order; a dash: there is none."""
    return [str(found[name]) if name in found else ABSENT for name in names]


def unit_for(unit: str, size: float) -> tuple[float, str]:
    """By what to divide numbers of up to *size* in *unit*, and what their unit is called then.

    >>> unit_for("bytes", 2.5e9), unit_for("share", 0.4)
    ((1000000000.0, 'GB'), (0.01, '%'))
    """
    scales = SCALES.get(unit, ((1.0, unit),))
    scale, name = next((found for found in scales if size >= found[0]), scales[-1])
    return scale, name.strip()


def of_differences(unit: str, size: float) -> tuple[float, str]:
    """As `unit_for`, for differences: those of shares are percentage points.

    >>> of_differences("share", 0.4), of_differences("s", 90)
    ((0.01, 'pp'), (60.0, 'min'))
    """
    scale, name = unit_for(unit, size)
    return scale, "pp" if name == "%" else name


def short(value: float, unit: str) -> str:
    """A number alone, to three digits, in the unit that fits it.

    >>> short(0.01234, "share"), short(90, "s"), short(0.000000012, "share"), short(0, "s")
    ('1.23 %', '1.5 min', '0.0000012 %', '0')
    """
    if value == 0:
        return "0"
    scale, name = unit_for(unit, abs(value))
    return f"{np.format_float_positional(value / scale, precision=3, unique=False, fractional=False, trim='-')} {name}"


def rounded(value: float, digits: int = 3) -> str:
    """A number to so many *digits*, in full.

    >>> rounded(18_934.2), rounded(0.04567), rounded(18_934.2, 2)
    ('18,900', '0.0457', '19,000')
    """
    return f"{float(f'{value:.{digits}g}'):,.15g}"


def amount(by: Estimate) -> str:
    """How large a difference is, whichever way, with its interval; of shares in percentage points.

    >>> amount(Estimate(-0.0123, -0.0133, -0.0113, "share")), amount(Estimate(2.0, 1.5, 2.5, "s"))
    ('1.23 ± 0.10 pp', '2.00 ± 0.50 s')
    """
    low, high = (by.low, by.high) if by.mean >= 0 else (-by.high, -by.low)
    said = in_words(abs(by.mean), low, high, by.unit).strip()
    return said if isnan(by.low) or by.unit != "share" else said.replace("%", "pp")
