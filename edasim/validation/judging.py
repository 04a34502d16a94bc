"""Run what the rows need, judge each by the acceptance rule, and write down the verdicts."""

import gc
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from time import monotonic

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from edasim.experiment import simulate
from edasim.fast_path import prepare
from edasim.scenario import Scenario
from edasim.validation.cases import Case, Parameters, Verdict
from edasim.validation.curves import by_replication
from edasim.validation.estimators import estimate
from edasim.validation.observed import Run
from edasim.validation.output_analysis import STATISTICS

BRIEF = 0.05  # seconds: what shorter runs leave behind is little
LIMIT = 3.5  # standard errors: further off than that a row disagrees
BOUND = "a bound, not to be exceeded"  # what a verdict notes of a row that is one
Place = tuple[int, int]  # (row, point of its sweep)


def judge(case: Case, estimates: Sequence[float]) -> Verdict:
    """The acceptance rule."""
    mean, spread = float(np.mean(estimates)), float(np.std(estimates, ddof=1)) / len(estimates) ** 0.5
    error = mean - case.value
    verdict, note = "agrees", f"{error / spread:+.2f} standard errors" if spread else "nothing random"
    if case.one_sided:
        verdict = "agrees" if error <= -LIMIT * spread or (not spread and error <= 0) else "disagrees"
        note = BOUND
    elif spread <= 1e-12 * max(abs(mean), 1.0):
        verdict = "agrees" if abs(error) <= max(case.tolerance, 1e-9) else "disagrees"
    elif abs(error) > LIMIT * spread:
        verdict = "disagrees"
    elif spread > case.tolerance / 3:
        verdict, note = "too noisy", f"standard error {spread:.3g}, at most {case.tolerance / 3:.3g} is allowed"
    return Verdict(case.row, case.quantity, case.value, mean, mean - LIMIT * spread, mean + LIMIT * spread, verdict, note)


def validate(cases: Iterable[Case | Verdict], *, jobs: int = -1) -> list[Verdict]:
    """The verdict on every row. Rows with one scenario share its runs; replications run in *jobs* processes."""
    rows = list(cases)
    prepare()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # joblib replaces one whose memory has grown; nothing is lost
        tables = _tables(rows, Parallel(n_jobs=jobs))
    return [_verdict(row, table) if isinstance(row, Case) else row for row, table in zip(rows, tables, strict=True)]


def _tables(rows: Sequence[Case | Verdict], parallel: Parallel) -> list[NDArray[np.float64]]:
    """What is read off the runs, for each row; arrays of shape (replications, points of its sweep)."""
    tables = [np.empty((row.replications, max(1, len(row.scenarios))) if isinstance(row, Case) else (0, 0)) for row in rows]
    for table, row in zip(tables, rows, strict=True):
        if isinstance(row, Case) and not row.scenarios:
            table[:, 0] = parallel(delayed(STATISTICS[row.estimator])(row.p, replication) for replication in range(row.replications))
    for (pattern, _, replications), (scenario, places) in _runs(rows).items():
        wanted = [(case.estimator, case.p) for number, _ in places if isinstance(case := rows[number], Case)]
        found = parallel(delayed(_estimates)(scenario, pattern, wanted, replication) for replication in range(replications))
        for (number, point), estimates in zip(places, zip(*found, strict=True), strict=True):
            tables[number][:, point] = estimates
    return tables


def _verdict(case: Case, table: NDArray[np.float64]) -> Verdict:
    return judge(case, by_replication(case.feature, case.points, table) if case.feature else table[:, 0].tolist())


def _runs(rows: Sequence[Case | Verdict]) -> dict[tuple[str, str, int], tuple[Scenario, list[Place]]]:
    """Each scenario to run under its pattern and so many times, and where what is read off its runs belongs."""
    runs: dict[tuple[str, str, int], tuple[Scenario, list[Place]]] = {}
    cases = ((number, row) for number, row in enumerate(rows) if isinstance(row, Case))
    for number, case in cases:
        for point, scenario in enumerate(case.scenarios):
            key = (case.pattern, scenario.as_yaml(), case.replications)
            runs.setdefault(key, (scenario, []))[1].append((number, point))
    return runs


def _estimates(scenario: Scenario, pattern: str, wanted: Sequence[tuple[str, Parameters]], replication: int) -> list[float]:
    """One replication of the scenario, read by each estimator."""
    begun = monotonic()
    run = Run(scenario, simulate(scenario, pattern, replication=replication), {})
    if monotonic() - begun > BRIEF:
        gc.collect()  # the components of a run refer to each other: a worker would keep several runs in memory
    return [estimate(name, run.asked(p)) for name, p in wanted]


def as_text(verdicts: Sequence[Verdict], form: str) -> str:
    """The verdicts as a table for people, JSON (a list of rows; null where nothing was simulated) or CSV."""
    frame = pd.DataFrame([asdict(verdict) for verdict in verdicts])
    if form == "csv":
        return str(frame.to_csv(index=False)).rstrip("\n")
    if form == "json":
        rows = [{key: None if item != item else item for key, item in asdict(verdict).items()} for verdict in verdicts]
        return json.dumps(rows, indent=1, allow_nan=False, ensure_ascii=False)
    lines = [f"{'row':<11} {'expected':>11} {'simulated':>11}   {f'+- {LIMIT:g} SE':>9}  verdict"]
    for verdict in verdicts:
        numbers = f"{verdict.expected:>11.6g} {verdict.simulated:>11.6g} +- {(verdict.high - verdict.low) / 2:>8.3g}"
        if verdict.verdict == "out of scope":
            numbers = f"{verdict.expected:>11.6g} {'-':>11}    {'-':>8}"
        lines.append(f"{verdict.row:<11} {numbers}  {verdict.verdict} ({verdict.note}): {verdict.quantity}")
    counts = pd.Series([verdict.verdict for verdict in verdicts]).value_counts()
    lines.append(f"{len(verdicts)} rows: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return "\n".join(lines)
