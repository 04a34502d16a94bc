"""How the numbers of edasim/stores.py come out of measurements, and how far off they are at sizes that the fit never saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edasim.distributions import read_table
from edasim.errors import InputError, suggestion
from edasim.estimates import short
from edasim.findings import Finding
from edasim.stores import PRESETS, Floats, Layout, Preset, bytes_on_disk
from edasim.units import SECONDS

CREDIBLE = 0.3  # what times measured in one session on a shared machine can be held to
MOST_BYTES = 500  # of a row beside the payload, and of index entries: what the search goes up to


@dataclass(frozen=True)
class Fit:
    """A model fitted to every other size, from the smallest on, and what it predicts at all; arrays of shape (sizes,)."""

    parameters: dict[str, float]  # seconds, or bytes
    sizes: Floats  # events, or bytes of payload
    measured: Floats  # medians in seconds, or bytes for each event
    low: Floats  # the least and the most measured
    high: Floats
    predicted: Floats

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which sizes the fit saw."""
        return every_other(self.sizes.size)

    @property
    def miss(self) -> Floats:
        """Predicted over measured, less one."""
        return self.predicted / self.measured - 1

    @property
    def worst(self) -> float:
        """The miss at that size, of those held out, where it is largest either way, as a factor is: half is as far off as double."""
        return float(max(self.miss[~self.used], key=lambda miss: abs(np.log1p(miss))))

    @property
    def values(self) -> dict[str, str | int]:
        """The parameters to three digits, or whole bytes, as a YAML file would hold them."""
        if "row" in self.parameters:
            return {name: int(value) for name, value in self.parameters.items()}
        units = {
            name: next((unit for unit in ("s", "ms", "us") if value >= SECONDS[unit]), "ns") for name, value in self.parameters.items()
        }
        return {name: f"{value / SECONDS[units[name]]:.3g}{units[name]}" for name, value in self.parameters.items()}

    @property
    def held_out(self) -> str:
        """The miss at each size held out, in words."""
        missed = zip(self.sizes[~self.used], self.miss[~self.used], strict=True)
        return ", ".join(f"{size:,.0f}: {signed_percent(miss)}" for size, miss in missed)


def signed_percent(share: float) -> str:
    """A share in whole percent, with its sign.

    >>> signed_percent(0.386), signed_percent(-0.0004)
    ('+39 %', '0 %')
    """
    percent = round(100 * share)
    return f"{percent:+d} %" if percent else "0 %"


def every_other(count: int) -> NDArray[np.bool_]:
    """Which of *count* sizes a fit sees: the first, the third, and so on; the others are held out."""
    return np.asarray(np.arange(count) % 2 == 0)


def fit(preset: Preset, folder: Path) -> Fit:
    """The fit behind a *preset*, from its file in *folder*. Raises InputError for a file or rows that are not there."""
    rows = measured_rows(folder / preset.file, preset.rows)
    return fit_bytes(rows, cast(Layout, preset.values["layout"])) if preset.key == "overhead_bytes" else fit_times(rows)


def time_fits(folder: Path) -> dict[str, Fit]:
    """The fits behind all presets of times, such as "sqlite: load"."""
    return {f"{preset.store}: {preset.key}": fit(preset, folder) for preset in PRESETS if preset.key != "overhead_bytes"}


def snapshot_times(folder: Path) -> dict[str, pd.DataFrame]:
    """Loads from a snapshot, which no fit saw: times by the number of events replayed after it (`tail`, above 0), named as `time_fits`."""
    loads = {f"{preset.store}: load": read_table(str(folder / preset.file)) for preset in PRESETS if preset.key == "load"}
    return {name: table[(table["tail"] > 0) & (table["tail"] < table["n"])] for name, table in loads.items() if "tail" in table.columns}


def how_well_sizes_are_predicted(fits: Mapping[str, Fit]) -> Finding:
    """Of *fits* to times: how many of the sizes held out are predicted within 30 %, which are not, and from which size on all are."""
    held = [(name, size, miss) for name, of in fits.items() for size, miss in zip(of.sizes[~of.used], of.miss[~of.used], strict=True)]
    far = [(name, size, miss) for name, size, miss in held if abs(miss) > CREDIBLE]
    said = f"**{len(held) - len(far)} of {len(held)} sizes held out are predicted within {CREDIBLE:.0%}**".replace("%", " %")
    if not far:
        return Finding(f"{said}.")
    above = max(size for _, size, _ in far)
    beyond = [abs(miss) for _, size, miss in held if size > above]
    rest = f" Above {above:,.0f} events all are within {short(max(beyond), 'share')}." if beyond else ""
    return Finding(f"{said}; not {'; '.join(f'{name} of {size:,.0f} events ({signed_percent(miss)})' for name, size, miss in far)}.{rest}")


def measured_rows(file: Path, name: str) -> pd.DataFrame:
    """The rows of *file* whose column `what` (of times) or `variant` (of bytes) is *name*."""
    table = read_table(str(file))
    column = "what" if "what" in table.columns else "variant"
    if column not in table.columns:
        raise InputError(f"{file.name} has no column what (of times) or variant (of bytes)")
    rows = table[table[column] == name]
    if rows.empty:
        raise InputError(f"{file.name} has no rows {name}: {suggestion(name, list(dict.fromkeys(map(str, table[column]))))}")
    return rows


def fit_times(rows: pd.DataFrame) -> Fit:
    """base + per_event x n, in seconds, to the columns `n` and `median_s` (`min_s`, `max_s`) of *rows*."""
    sizes, measured = _columns(rows, "n", "median_s")
    used = every_other(sizes.size)
    base, per_event = line_through(sizes[used], measured[used])
    low, high = (np.asarray(rows.get(column, rows["median_s"]), dtype=np.float64) for column in ("min_s", "max_s"))
    return Fit({"base": base, "per_event": per_event}, sizes, measured, low, high, base + per_event * sizes)


def line_through(sizes: Floats, measured: Floats) -> tuple[float, float]:
    """base and per_event, none below 0, so that base + per_event x n is as near as can be; shapes (sizes,), from the smallest size on.

    Least squares of the logarithms, so that every size counts the same and twice too slow is as bad as half.
    """
    from scipy.optimize import least_squares  # takes a fifth of a second to import, and most runs fit nothing

    def off(parameters: Floats) -> Floats:
        modelled: Floats = parameters[0] + parameters[1] * sizes
        return np.log(modelled / measured)

    start = np.array([measured.min() / 2, measured[-1] / sizes[-1]])
    base, per_event = least_squares(off, start, bounds=(0, np.inf), x_scale=start, xtol=1e-12).x
    return float(base), float(per_event)


def fit_bytes(rows: pd.DataFrame, layout: Layout) -> Fit:
    """The whole bytes of `row` and, in pages, of `index`, for each event, to the columns `payload_B` and `slope_B_per_event` of *rows*.

    All are tried, since bytes in pages go in steps; least squares of the logarithms. Of equally good ones it is the smallest.
    """
    sizes, measured = _columns(rows, "payload_B", "slope_B_per_event")
    used = every_other(sizes.size)
    row, index = np.arange(MOST_BYTES), np.arange(1 if layout == "log" else MOST_BYTES)
    tried = bytes_on_disk(layout, sizes[used, None, None], row[:, None].astype(np.float64), index.astype(np.float64))
    off = (np.log(tried / measured[used, None, None]) ** 2).sum(axis=0)
    best = np.unravel_index(np.argmin(off), off.shape)
    parameters = {"row": float(row[best[0]]), "index": float(index[best[1]])}
    return Fit(parameters, sizes, measured, measured, measured, bytes_on_disk(layout, sizes, **parameters))


def _columns(rows: pd.DataFrame, size: str, measured: str) -> tuple[Floats, Floats]:
    """Two columns in order of size. Raises InputError where one is missing, a number is not above 0, or a size is not there twice."""
    for column in (size, measured):
        if column not in rows.columns:
            raise InputError(f"column {column} is missing: {suggestion(column, map(str, rows.columns))}")
    found = rows[[size, measured]].to_numpy(dtype=np.float64)
    if len(found) < 4 or not (found > 0).all() or not (np.diff(found[:, 0]) > 0).all():
        raise InputError(f"{size} and {measured} must be at least 4 rows of numbers above 0, from the smallest {size} to the largest")
    return found[:, 0], found[:, 1]
