"""A read store behind a write store, by polling every T or by notification: how often a read is stale, and how long a change takes.

Fitted is one number for each session and each way: how long a change takes to be applied, at 20 writes a second (and T = 50 ms). All else
is known: T, the rate of writes and ten equal keys. Polled changes are applied in one transaction, so they are on their way for that long;
notified ones are applied one after another, so it is handling time.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from edasim.distributions import read_table
from edasim.estimates import short
from edasim.metrics import measure
from edasim.store_fits import signed_percent
from edasim.validation.reality.bare import Row, bare, played, rows_of
from edasim.validation.reality.prediction import OUTSIDE, Prediction

FILES = {"m7_pg.csv": "busy machine", "m7_pg_quiet.csv": "quiet machine"}
SLOW, POLL = 20.0, 50.0  # writes a second and T in milliseconds of the runs that are fitted to
CHANGES = 24_000  # simulated: so many that chance is small beside what is credible
SHARE = 0.1
METRICS = {  # as it is called here: what was measured, its unit in the file and in seconds or shares, and the metric
    "share of reads that are stale": ("stale_frac", 1.0, "share", "stale_fraction"),
    "versions behind": ("versions_behind_mean", 1.0, "versions", "versions_behind_mean"),
    "lag p50": ("proj_lag_ms_p50", 1e-3, "s", "latency_p50"),
    "lag p95": ("proj_lag_ms_p95", 1e-3, "s", "latency_p95"),
}
ONE_BY_ONE = "who is notified took all that was new at once, where the scenario handles one change after another"


def freshness(folder: Path) -> Iterator[Prediction]:
    """All runs but those fitted to."""
    for name, when in FILES.items():
        table = read_table(str(folder / name))
        for mode in ("poll", "notify"):
            rows = table[table["mode"] == mode]
            is_fitted = (rows["lam_total"] == SLOW) & rows["T_ms"].isin([POLL, 0]) & (rows["seed"] == 1)
            apply = float(rows[is_fitted]["apply_d_ms"].iloc[0])
            for row in rows_of(rows[~is_fitted]):
                yield from _of_run(
                    row, apply / 1000, f"{name}: {mode}, {SLOW:g} writes/s" + (f", T {POLL:g} ms" if mode == "poll" else ""), when
                )


def _of_run(row: Row, apply: float, fitted_on: str, when: str) -> Iterator[Prediction]:
    found = simulated(row, apply)
    for metric, (column, scale, unit, name) in METRICS.items():
        measured = row[column] * scale
        allowed = SHARE * measured
        if unit != "s":  # 3 standard errors of the share; versions behind are as uncertain
            allowed = max(allowed, 3 * row["se"] / row["stale_frac"] * measured)
        prediction = Prediction(
            broker="PostgreSQL",
            metric=f"{row['mode']}: {metric}",
            case=f"{_case(row)}, {when}",
            unit=unit,
            fitted_on=fitted_on,
            measured=measured,
            predicted=found[name],
            credible="10 % or 3 standard errors" if unit != "s" else "10 %",
            allowed=allowed,
        )
        yield prediction.explained(_why(row, apply, name, measured) if prediction.verdict == OUTSIDE else "")


def _case(row: Row) -> str:
    every = f"T {row['T_ms']:g} ms, " if row["mode"] == "poll" else ""
    return f"{every}{row['lam_total']:g} writes/s, seed {row['seed']}"


def simulated(row: Row, apply: float) -> dict[str, float]:
    """The metrics of the run, when applying takes so long (seconds)."""
    return _simulated(row["mode"] == "poll", row["T_ms"] / 1000, row["lam_total"], int(row["keys"]), apply)


@cache
def _simulated(polls: bool, every: float, rate: float, keys: int, apply: float) -> dict[str, float]:
    relay = {"publish": "outbox", "relay": {"poll": every, "batch": 100_000}} if polls else {}
    scenario = bare(
        "projection",
        {} if polls else {"handle_time": apply},
        duration=CHANGES / rate,
        workload={"arrivals": {"rate": rate}, "entities": {"count": keys, "popularity": "uniform"}},
        source=relay,
        network={"latency": {"publish": 0, "deliver": apply if polls else 0, "call": 0}},
    )
    return {value.metric: value.value for value in measure(played(scenario, pattern="cqrs")) if not value.component}


def _why(row: Row, apply: float, name: str, measured: float) -> str:
    """What this run itself tells: how long applying took there, and what the prediction would be with that; commits, stalls, load."""
    own = row["apply_d_ms"] / 1000
    found = simulated(row, own)[name]
    missed = signed_percent(found / measured - 1)
    said = [f"in this run applying took {short(own, 's')}, not {short(apply, 's')}: with that the error is {missed}"]
    if name.startswith("latency"):
        late = found + row["commit_ms_p50"] / 1000
        said.append(f"and with the {row['commit_ms_p50']:.3g} ms of a median commit added {signed_percent(late / measured - 1)}")
    said.append(f"one change in a hundred took {row['proj_lag_ms_p99']:.3g} ms or more, load average {row['load1']:.3g}")
    if row["mode"] == "notify":
        said.append(ONE_BY_ONE)
    return "; ".join(said)
