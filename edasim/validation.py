"""Does the model agree with theory? Published rows of numbers, each simulated through the public scenario interface.

Acceptance: at least 20 independent replications, |error| <= 3.5 standard errors, and the standard error at most a third of the
tolerance, so that a noisy test can't pass by being wide. Where nothing is random the error must be within the tolerance.
"""

import gc
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.nativetypes import NativeEnvironment
from joblib import Parallel, delayed
from numpy.typing import NDArray

from edasim.errors import InputError, suggestion
from edasim.experiment import simulate
from edasim.journal import APPLIED, LOST_BROKER, LOST_NETWORK, LOST_OVERFLOW, LOST_RETENTION, NONE, Journal
from edasim.luck import Luck
from edasim.metrics.delivery import in_window
from edasim.scenario import Scenario

REPLICATIONS = 24
PATTERN = "event_carried_state_transfer"
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One replication of a scenario: the journal, and the row's parameters."""

    scenario: Scenario
    journal: Journal
    p: Parameters

    def of_last(self, column: str) -> NDArray[Any]:
        """A column of the last consumer's deliveries, a row a committed change in the window."""
        deliveries = self.journal.deliveries
        mine = deliveries["consumer"] == len(self.scenario.consumers) - 1
        return np.asarray(deliveries[column][mine][in_window(self.journal)[deliveries["change"][mine]]])

    def commits(self) -> NDArray[np.int64]:
        """When these changes committed."""
        return np.asarray(self.journal.changes["committed"][self.of_last("change")])

    def sojourns(self) -> NDArray[np.float64]:
        """From commit to applied in seconds, of those that were."""
        applied = self.of_last("applied")
        return np.asarray((applied - self.commits())[applied != NONE] / 1e9)

    def waits(self) -> NDArray[np.float64]:
        """The sojourns without the handling, which belongs to the change."""
        consumer = self.scenario.consumers[-1]
        handle = Luck(self.scenario.seed, self.journal.facts["replication"]).times(
            f"handle {consumer.name}", consumer.handle_time, self.journal.changes["time"].size
        )
        done = self.of_last("applied") != NONE
        return np.asarray(self.sojourns() - np.array(handle)[self.of_last("change")[done]] / 1e9)

    def outages(self) -> NDArray[np.int64]:
        """Start and end of every outage that began in the window; shape (outages, 2), in order of starts."""
        faults, (start, end) = self.journal.faults, self.journal.facts["window"]
        met = (faults["start"] >= start) & (faults["end"] < end)
        spans = np.stack([faults["start"][met], faults["end"][met]], axis=1)
        return np.asarray(spans[np.argsort(spans[:, 0])])

    def per_outage(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of the *moments* each outage is the first to follow; shape (outages,)."""
        starts = self.outages()[:, 0]
        following = np.searchsorted(starts, moments, side="right")
        return np.bincount(following[following < starts.size], minlength=starts.size)

    def share(self, outcome: int) -> float:
        """The share of changes with that outcome."""
        return float((self.of_last("outcome") == outcome).mean())


WAITED = 1e-9  # seconds: less is rounding


def _failed(run: Run) -> NDArray[np.bool_]:
    return np.asarray(run.journal.changes["acknowledged"][run.of_last("change")] == NONE)


def _repeats(run: Run) -> NDArray[np.int64]:
    """Second handlings by the crash that caused them: the first after the first handling."""
    return run.per_outage(run.of_last("applied")[run.of_last("copies") > 1])


def _acknowledged_but_lost(run: Run) -> NDArray[np.int64]:
    lost = (run.of_last("outcome") == LOST_BROKER) & ~_failed(run)
    return run.per_outage(run.of_last("stored")[lost])


def _batches(run: Run) -> NDArray[np.int64]:
    """The sizes of the batches: their messages are stored at the same moment."""
    return np.asarray(np.unique(run.of_last("stored"), return_counts=True)[1])


def _backlog_at(run: Run, moments: NDArray[np.int64]) -> NDArray[np.int64]:
    arrived, left = np.sort(run.journal.changes["committed"]), np.sort(run.journal.deliveries["applied"])
    return np.searchsorted(arrived, moments, side="right") - np.searchsorted(left, moments, side="right")


def _times_to_empty(run: Run) -> NDArray[np.float64]:
    """From the end of each outage until nothing waits or is handled: a departure that leaves the system empty."""
    left = np.sort(run.journal.deliveries["applied"])
    empty = left[_backlog_at(run, left) == 0]
    ends = run.outages()[:, 1]
    return np.asarray((empty[np.minimum(np.searchsorted(empty, ends), empty.size - 1)] - ends) / 1e9)


def _scv_of_departures(run: Run) -> float:
    """The squared coefficient of variation of the gaps between departures of the first stage."""
    first = run.journal.deliveries["applied"][run.journal.deliveries["consumer"] == 0]
    gaps = np.diff(np.sort(first[first >= run.journal.facts["window"][0]]))
    return float(gaps.var() / gaps.mean() ** 2)


def _expired_share(run: Run) -> float:
    """Of the changes that committed in an outage, those that were lost to retention."""
    spans, commits = run.outages(), run.commits()
    at = np.searchsorted(spans[:, 0], commits, side="right") - 1
    during = (at >= 0) & (commits < spans[np.maximum(at, 0), 1])
    return float((run.of_last("outcome")[during] == LOST_RETENTION).mean())


ESTIMATORS: Mapping[str, Callable[[Run], float]] = {
    "sojourn": lambda run: run.sojourns().mean(),
    "sojourn_std": lambda run: run.sojourns().std(),
    "sojourn_beyond": lambda run: (run.sojourns() > run.p["t"]).mean(),
    "sojourn_quantile": lambda run: np.quantile(run.sojourns(), run.p["q"]),
    "wait": lambda run: run.waits().mean(),
    "wait_std": lambda run: run.waits().std(),
    "wait_beyond": lambda run: (run.waits() > run.p["t"]).mean(),
    "waits": lambda run: (run.waits() > WAITED).mean(),
    "does_not_wait": lambda run: (run.waits() <= WAITED).mean(),
    "number_in_system": lambda run: run.sojourns().mean() * run.p["lambda"],  # Little's law
    "throughput": lambda run: run.sojourns().size / run.scenario.duration,
    "availability": lambda run: 1 - np.diff(run.outages(), axis=1).sum() / 1e9 / run.scenario.duration,
    "overflow": lambda run: run.share(LOST_OVERFLOW),
    "overflow_per_outage": lambda run: (run.of_last("outcome") == LOST_OVERFLOW).sum() / len(run.outages()),
    "scv_of_departures": _scv_of_departures,
    "batch_size": lambda run: _batches(run).mean(),
    "full_batches": lambda run: (_batches(run) == run.p["max_batch"]).mean(),
    "time_to_empty": lambda run: _times_to_empty(run).mean(),
    "backlog_after_outage": lambda run: _backlog_at(run, run.outages()[:, 1]).mean(),
    "extra_delay_per_outage": lambda run: (run.sojourns() - run.scenario.consumers[-1].handle_time.mean()).sum() / len(run.outages()),
    "lost_network": lambda run: run.share(LOST_NETWORK),
    "reported_failed": lambda run: _failed(run).mean(),
    "stored_but_failed": lambda run: (_failed(run) & (run.of_last("stored") != NONE)).mean(),
    "attempts": lambda run: run.journal.changes["publish_attempts"][run.of_last("change")].mean(),
    "redundant_copies": lambda run: np.maximum(run.of_last("copies") - 1, 0).mean(),
    "duplicated": lambda run: (run.of_last("copies") > 1).mean(),
    "repeats": lambda run: _repeats(run).mean(),
    "repeats_std": lambda run: _repeats(run).std(),
    "repeats_variance": lambda run: _repeats(run).var(),
    "no_repeats": lambda run: (_repeats(run) == 0).mean(),
    "acknowledged_but_lost": lambda run: _acknowledged_but_lost(run).mean(),
    "no_acknowledged_lost": lambda run: (_acknowledged_but_lost(run) == 0).mean(),
    "expired": lambda run: (run.of_last("outcome") == LOST_RETENTION).sum() / len(run.outages()),
    "expired_share": _expired_share,
    "time_to_acknowledge": lambda run: (
        (run.journal.changes["acknowledged"][run.of_last("change")] - run.of_last("stored"))[run.of_last("outcome") == APPLIED].mean() / 1e9
    ),
}


@dataclass(frozen=True)
class Case:
    """A row in scope: how it is simulated and what it must come out as. *tolerance* is absolute."""

    row: str
    quantity: str
    scenario: Scenario
    estimator: str
    p: Parameters
    value: float
    tolerance: float
    one_sided: bool


@dataclass(frozen=True)
class Verdict:
    """What became of one row."""

    row: str
    quantity: str
    expected: float
    simulated: float
    low: float
    high: float
    verdict: str  # agrees, disagrees, too noisy, or out of scope
    note: str = ""


def read_oracles(file: Path, mapping_file: Path, prefixes: Sequence[str] = ()) -> list["Case | Verdict"]:
    """The rows of *file* whose id starts with one of *prefixes* (all by default), in order: a case, or the verdict that it is out of scope.

    Raises InputError for files that can't be read, and for a row that the mapping neither simulates nor names as out of scope.
    """
    try:
        rows = pd.read_csv(file, dtype={"tolerance": str})
        mapping = yaml.safe_load(mapping_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file} and {mapping_file} must be a CSV of rows and their mapping: {' '.join(str(error).split())}") from None
    missing = {"id", "model", "parameters", "quantity", "value", "tolerance"} - set(rows.columns)
    if missing:
        raise InputError(f"{file} has no column {', '.join(sorted(missing))}")
    for prefix in prefixes:
        if not rows["id"].str.startswith(prefix).any():
            raise InputError(f"--rows {prefix} is not known: {suggestion(prefix, sorted({str(row).split('-')[0] for row in rows['id']}))}")
    wanted = rows[rows["id"].str.startswith(tuple(prefixes))] if prefixes else rows
    return [_case(row, mapping) for _, row in wanted.iterrows()]


def _case(row: "pd.Series[Any]", mapping: Mapping[str, Any]) -> "Case | Verdict":
    identity, quantity, family = str(row["id"]), str(row["quantity"]), str(row["id"]).split("-")[0]
    try:
        p = json.loads(row["parameters"])
        value = float(row["value"])
        for rule in mapping["out_of_scope"]:
            asked = {"family": family, "quantity": quantity, "model": row["model"]}
            if all(asked[key] == rule[key] for key in asked.keys() & set(rule)) and rendered(rule.get("when", True), p):
                return Verdict(identity, quantity, value, np.nan, np.nan, np.nan, "out of scope", rule["reason"])
        plan = _laid_over(mapping["families"][family], mapping["families"][family].get("models", {}).get(row["model"], {}))
        parts = [plan.get("scenario", {}), {"consumer": plan.get("consumer", {})}]
        parts += [part for key, part in plan.get("variants", {}).items() if key in p][:1]
        raw = mapping["base"]
        for part in parts:
            consumer = {"consumers": [_laid_over(raw["consumers"][0], part.get("consumer", {}))]} if part.get("consumer") else {}
            raw = {**_laid_over(raw, {key: item for key, item in part.items() if key != "consumer"}), **consumer}
        return Case(
            row=identity,
            quantity=quantity,
            scenario=Scenario.from_mapping(rendered(raw, p)),
            estimator=plan["quantities"][quantity],
            p=p,
            value=value,
            tolerance=_tolerance(str(row["tolerance"]), plan, quantity, value, p),
            one_sided=quantity in plan.get("at_most", ()),
        )
    except (KeyError, TypeError, ValueError, TemplateError) as error:
        raise InputError(f"row {identity} ({row['model']}: {quantity}) can't be simulated: the mapping has nothing for {error}") from None


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """*below* with *above*, mapping by mapping."""
    both = {
        key: _laid_over(below[key], item)
        for key, item in above.items()
        if isinstance(item, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **both}


def rendered(value: Any, p: Parameters) -> Any:
    """*value* with every "{{ expression }}" computed from the parameters *p*.

    >>> rendered({"rate": "{{ 2 * p['lambda'] }}"}, {"lambda": 0.5})
    {'rate': 1.0}
    """
    if isinstance(value, Mapping):
        return {key: rendered(item, p) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, p) for item in value]
    return (
        NativeEnvironment(undefined=StrictUndefined).from_string(value).render(p=p) if isinstance(value, str) and "{{" in value else value
    )


def _tolerance(text: str, plan: Mapping[str, Any], quantity: str, value: float, p: Parameters) -> float:
    """The mapping's tolerance for the quantity, or the row's where that is a percentage, or 3 standard deviations of a share."""
    if quantity in plan.get("tolerances", {}):
        return float(rendered(plan["tolerances"][quantity], p)) * abs(value)
    if text.endswith("%"):
        return float(text[:-1]) / 100 * abs(value)
    if quantity in plan.get("at_most", ()):
        return abs(value)
    return float(3 * np.sqrt(value * (1 - value) / plan["sample"]))


def _estimates(scenario: Scenario, wanted: Sequence[tuple[str, Parameters]], replication: int) -> list[float]:
    """One replication of the scenario, read by each estimator."""
    journal = simulate(scenario, PATTERN, replication=replication)
    gc.collect()  # the components of a run refer to each other: a worker would keep several runs in memory
    return [float(ESTIMATORS[name](Run(scenario, journal, p))) for name, p in wanted]


def judge(case: Case, estimates: Sequence[float]) -> Verdict:
    """The acceptance rule."""
    mean, spread = float(np.mean(estimates)), float(np.std(estimates, ddof=1)) / len(estimates) ** 0.5
    error = mean - case.value
    verdict, note = "agrees", f"{error / spread:+.2f} standard errors" if spread else "nothing random"
    if case.one_sided:
        verdict = "agrees" if error <= -3.5 * spread or (not spread and error <= 0) else "disagrees"
        note = "a bound, not to be exceeded"
    elif spread <= 1e-12 * max(abs(mean), 1.0):
        verdict = "agrees" if abs(error) <= max(case.tolerance, 1e-9) else "disagrees"
    elif abs(error) > 3.5 * spread:
        verdict = "disagrees"
    elif spread > case.tolerance / 3:
        verdict, note = "too noisy", f"standard error {spread:.3g}, at most {case.tolerance / 3:.3g} is allowed"
    return Verdict(case.row, case.quantity, case.value, mean, mean - 3.5 * spread, mean + 3.5 * spread, verdict, note)


def validate(cases: Iterable["Case | Verdict"], *, jobs: int = -1) -> list[Verdict]:
    """The verdict on every row. Rows with one scenario share its runs; replications run in *jobs* processes."""
    rows = list(cases)
    shared: dict[str, list[Case]] = {}
    for case in rows:
        if isinstance(case, Case):
            shared.setdefault(case.scenario.as_yaml(), []).append(case)
    found: dict[str, Verdict] = {row.row: row for row in rows if isinstance(row, Verdict)}
    parallel = Parallel(n_jobs=jobs)
    for group in shared.values():
        once = partial(_estimates, group[0].scenario, [(case.estimator, case.p) for case in group])
        table = parallel(delayed(once)(replication) for replication in range(REPLICATIONS))
        found |= {case.row: judge(case, [row[i] for row in table]) for i, case in enumerate(group)}
    return [found[row.row] for row in rows]


def as_text(verdicts: Sequence[Verdict], form: str) -> str:
    """The verdicts as a table for people, JSON (a list of rows; null where nothing was simulated) or CSV."""
    frame = pd.DataFrame([asdict(verdict) for verdict in verdicts])
    if form == "csv":
        return str(frame.to_csv(index=False)).rstrip("\n")
    if form == "json":
        rows = [{key: None if item != item else item for key, item in asdict(verdict).items()} for verdict in verdicts]
        return json.dumps(rows, indent=1, allow_nan=False, ensure_ascii=False)
    lines = [f"{'row':<11} {'expected':>11} {'simulated':>11}   {'+- 3.5 SE':>9}  verdict"]
    for verdict in verdicts:
        numbers = f"{verdict.expected:>11.6g} {verdict.simulated:>11.6g} +- {(verdict.high - verdict.low) / 2:>8.3g}"
        if verdict.verdict == "out of scope":
            numbers = f"{verdict.expected:>11.6g} {'-':>11}    {'-':>8}"
        lines.append(f"{verdict.row:<11} {numbers}  {verdict.verdict} ({verdict.note}): {verdict.quantity}")
    counts = pd.Series([verdict.verdict for verdict in verdicts]).value_counts()
    lines.append(f"{len(verdicts)} rows: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return "\n".join(lines)
