"""The one-screen comparison: an option a row, the metrics that decide first, no more digits than the interval carries."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from edasim.comparison import Comparison

SCREEN = {
    "loss_rate": "lost",
    "latency_p99": "latency p99",
    "stale_fraction": "time stale",
    "staleness_p99": "staleness p99",
    "lost_update_rate": "lost updates",
    "storage_growth_bytes_per_day": "storage growth",
    "rebuild_time": "replay: rebuild",
    "load_time_mean": "replay: load one",
    "source_requests_per_s": "source load",
    "read_availability": "reads answered",
    "cost_per_month": "cost",
}
ABSENT = "–"  # noqa: RUF001  (an en dash, as tables have it)
CERTAIN = 0.001  # an interval that is this small a part of the mean is not shown
LOWER_IS_WORSE = frozenset({"read_availability"})
SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "share": ((0.01, " %"),),
    "s": ((86400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " us")),
    "bytes": ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")),
}
SCALES["bytes/day"] = tuple((scale, f"{unit}/day") for scale, unit in SCALES["bytes"])
SCALES["bytes/s"] = tuple((scale, f"{unit}/s") for scale, unit in SCALES["bytes"])
SCALES["1/s"] = ((1.0, " /s"),)


FOOT = f"Mean ± half of its 95 % interval over replications; of several consumers the one who fares worst; {ABSENT} does not apply."


def worst_consumer(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of *metric* in total (no component), for each option that of the consumer who fares worst; indexed by option.

    Rows of incidents don't count, unless *results* has no others: those of some incident are what is asked for then.
    """
    rows = outside_incidents(results)
    rows = rows[(rows["metric"] == metric) & (rows["component"] == "")]
    rows = rows.sort_values("mean", ascending=metric in LOWER_IS_WORSE, kind="stable")
    return rows.drop_duplicates("option").set_index("option")


def outside_incidents(results: pd.DataFrame) -> pd.DataFrame:
    """The rows of *results* that are of no incident; all of them if each is of one."""
    ordinary = results["incident"] == "" if "incident" in results else pd.Series(True, results.index)
    return results[ordinary] if ordinary.any() else results


def one_screen(results: pd.DataFrame, metrics: Mapping[str, str] = SCREEN) -> pd.DataFrame:
    """The comparison as text: a row an option, a column for each of *metrics* (to its title), as mean ± half of its 95 % interval.

    Of several consumers the one who fares worst. A dash: the metric does not apply to this option; what applies to none has no column.
    """
    options = list(dict.fromkeys(results["option"]))
    table = pd.DataFrame(index=pd.Index(options, name="option"))
    for metric, title in metrics.items():
        rows = worst_consumer(results, metric)
        if rows.empty:
            continue
        table[title] = [in_words(*rows.loc[o, ["mean", "low", "high", "unit"]]) if o in rows.index else ABSENT for o in options]
    return table


def in_words(mean: float, low: float, high: float, unit: str) -> str:
    """A number with its interval, for people.

    ± half of it, or its ends where that would reach below 0 or above 100 %; a bound where none was seen, or nothing else, or where only one
    end is known. An interval within 0.1 % of the mean is left out, and so are the digits beyond it; where it is not known, a question mark.

    >>> in_words(0.0123, 0.0113, 0.0133, "share"), in_words(0, 0, 0.0003, "share"), in_words(0, 0, 0, "s")
    ('1.23 ± 0.10 %', '0 (< 0.030 %)', '0')
    >>> in_words(0.2, 0, 0.76, "events"), in_words(0.99, 0.95, 1.0, "share"), in_words(1, 0.9989, 1, "share")
    ('0.20 (0.00 to 0.76) events', '99.0 (95.0 to 100.0) %', '100 (> 99.89 %)')
    >>> in_words(52.3, 45.2, float("nan"), "s"), in_words(52.3, float("nan"), float("nan"), "s")
    ('52.3 (> 45.2) s', '52.3 ± ? s')
    """
    if mean == 0 and not high > 0:
        return "0"
    if mean == 0:
        scale, suffix = _scale(unit, high)
        return f"0 (< {_rounded(high / scale, high / scale)}{suffix})"
    scale, suffix = _scale(unit, abs(mean))
    half = (high - low) / 2
    if unit == "share" and mean == 1 and low < 1:
        return f"100 (> {_rounded(low / scale, (1 - low) / scale)}{suffix})"
    size = min(mean, 1 - mean) if unit == "share" and 0 < mean < 1 else abs(mean)  # 99.97 % is not 100 %
    if math.isnan(half):
        for sign, end in ((">", low), ("<", high)):
            if not math.isnan(end):
                said, bound = (_rounded(value / scale, abs(mean - end) / scale) for value in (mean, end))
                return f"{said} ({sign} {bound}){suffix}"
        return f"{_rounded(mean / scale, size / scale / 10)} ± ?{suffix}"
    if mean - half < 0 <= low or (unit == "share" and mean + half > 1 >= high):  # ± would say what can't be
        said, least, most = (_rounded(value / scale, half / scale) for value in (mean, low, high))
        return f"{said} ({least} to {most}){suffix}"
    if half <= size * CERTAIN:
        return f"{_rounded(mean / scale, size / scale / 10)}{suffix}"
    return f"{_rounded(mean / scale, half / scale)} ± {_rounded(half / scale, half / scale)}{suffix}"


def _scale(unit: str, size: float) -> tuple[float, str]:
    scales = SCALES.get(unit, ((1.0, f" {unit}"),))
    return next(((scale, suffix) for scale, suffix in scales if size >= scale), scales[-1])


def _rounded(value: float, precision: float) -> str:
    """*value* to two significant digits of its *precision*."""
    decimals = max(0, 1 - math.floor(math.log10(precision) + 1e-9)) if precision > 0 else 0
    return f"{value:,.{min(decimals, 12)}f}"


def as_text(comparison: "Comparison", width: int | None = None) -> str:
    """The one-screen comparison for a terminal: what was run, the table, how to read it; in blocks of columns that fit *width*."""
    table = one_screen(comparison.results).reset_index()
    start, end = comparison.scenario.window
    seconds = in_words(end - start, end - start, end - start, "s")
    options, runs = _counted(len(table), "option"), _counted(comparison.replications, "replication")
    head = f"{comparison.scenario.name}: {options} on the same luck, {runs} of {seconds}"
    blocks = ["\n".join(lines) for lines in _blocks(table, width)]
    foot = "\n".join([FOOT, *comparison.notes])
    return "\n\n".join([f"{head}, seed {comparison.seed}", *blocks, *incidents_as_text(comparison.results), foot])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def incidents_as_text(results: pd.DataFrame) -> list[str]:
    """What incidents cost, a line an option: lost in a year by all of them together, and the longest recovery; none if there are none."""
    lost, during = worst_consumer(results, "lost_per_year"), results[results["incident"] != ""]
    if lost.empty:
        return []
    lines = ["Incidents, each on its own:"]
    for option in dict.fromkeys(results["option"]):
        mine = during[(during["option"] == option) & (during["metric"] == "recovery_time")]
        said = [f"lost {in_words(*lost.loc[option, ['mean', 'low', 'high', 'unit']])} a year"] if option in lost.index else []
        if len(mine):
            said.append(f"slowest to recover: {_recovery(during, mine.loc[mine['mean'].idxmax()])}")
        lines.append(f"  {option}: {'; '.join(said) or ABSENT}")
    return ["\n".join(lines)]


def _recovery(during: pd.DataFrame, row: pd.Series) -> str:
    """A recovery in words; it is longer than that where some did not recover for as long as they were looked at."""
    same = [during[column] == row[column] for column in ("option", "consumer", "incident")]
    never = during[same[0] & same[1] & same[2] & (during["metric"] == "unrecovered_rate")]["mean"].max()
    said = in_words(row["mean"], row["low"], row["high"], row["unit"])
    said = f"at least {said}, as {in_words(never, never, never, 'share')} have not" if never > 0 else said
    return f"{row['consumer']} from {row['incident']}, {said}"


def sweep_as_text(frames: Iterable[pd.DataFrame], width: int | None = None) -> str:
    """The one-screen comparisons at all points of a sweep, one below the other, for a terminal."""
    tables = []
    for frame in frames:
        point = {path: frame[path].iloc[0] for path in frame.columns[list(frame.columns).index("nature") + 1 :]}
        table = one_screen(frame).reset_index()
        for place, (path, value) in enumerate(point.items()):
            table.insert(place, path, [f"{value:.6g}" if isinstance(value, float) else str(value)] * len(table))
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True).fillna(ABSENT)
    blocks = ["\n".join(lines) for lines in _blocks(whole, width)]
    return "\n\n".join(
        [*blocks, f"Mean ± half of its 95 % interval; of several consumers the one who fares worst; {ABSENT} does not apply."]
    )


def _blocks(table: pd.DataFrame, width: int | None) -> list[list[str]]:
    """The lines of *table*, its first column repeated for every block of columns."""
    columns = [[str(name), *map(str, table[name])] for name in table.columns]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    blocks = [[padded[0]]]
    for column in padded[1:]:
        if width and sum(len(other[0]) + 2 for other in blocks[-1]) + len(column[0]) > width and len(blocks[-1]) > 1:
            blocks.append([padded[0]])
        blocks[-1].append(column)
    rows = [["  ".join(cells).rstrip() for cells in zip(*block, strict=True)] for block in blocks]
    return [[lines[0], "-" * max(map(len, lines)), *lines[1:]] for lines in rows]
