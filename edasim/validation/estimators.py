"""What is read off one replication: a metric by its name or, where edasim has no such metric, one of the estimators here."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, LOST_BROKER, LOST_OVERFLOW, LOST_RETENTION, NONE, REQUESTS
from edasim.luck import Luck
from edasim.metrics.conflicts import conflicting
from edasim.metrics.delivery import in_window
from edasim.metrics.freshness import pieces_of
from edasim.validation.observed import Run
from edasim.validation.output_analysis import coverage, mean_wait_of_first

WAITED = 1e-9  # seconds: less is rounding
PAUSE = 500  # mean gaps: a queue is empty after it, and no exponential gap is as long


def estimate(name: str, run: Run) -> float:
    """The estimator of that *name*, or else the metric. Raises InputError when there is neither."""
    return float(ESTIMATORS[name](run)) if name in ESTIMATORS else run.metric(name)


# --- delivery


def _repeats(run: Run) -> NDArray[np.int64]:
    """Second handlings by the crash that caused them: the first after the first handling."""
    return run.per_outage(run.of_last("applied")[run.of_last("copies") > 1])


def _acknowledged_but_lost(run: Run) -> NDArray[np.int64]:
    acknowledged = run.journal.changes["acknowledged"][run.of_last("change")] != NONE
    return run.per_outage(run.of_last("stored")[acknowledged & (run.of_last("outcome") == LOST_BROKER)])


def _batches(run: Run) -> NDArray[np.int64]:
    """The sizes of the batches: their messages are stored at the same moment."""
    return np.asarray(np.unique(run.of_last("stored"), return_counts=True)[1])


def _expired_share(run: Run) -> float:
    """Of the changes that committed in an outage, those that were lost to retention."""
    spans, commits = run.outages(), run.commits()
    at = np.searchsorted(spans[:, 0], commits, side="right") - 1
    during = (at >= 0) & (commits < spans[np.maximum(at, 0), 1])
    return float((run.of_last("outcome")[during] == LOST_RETENTION).mean())


def _time_to_acknowledge(run: Run) -> float:
    delay = run.journal.changes["acknowledged"][run.of_last("change")] - run.of_last("stored")
    return float(delay[run.of_last("outcome") == APPLIED].mean() / 1e9)


# --- backlog


def _backlog_at(run: Run, moments: NDArray[np.int64]) -> NDArray[np.int64]:
    arrived, left = np.sort(run.journal.changes["committed"]), np.sort(run.journal.deliveries["applied"])
    return np.searchsorted(arrived, moments, side="right") - np.searchsorted(left, moments, side="right")


def _times_to_empty(run: Run) -> NDArray[np.float64]:
    """From the end of each outage until nothing waits or is handled: a departure that leaves the system empty."""
    left = np.sort(run.journal.deliveries["applied"])
    empty = left[_backlog_at(run, left) == 0]
    ends = run.outages()[:, 1]
    return np.asarray((empty[np.minimum(np.searchsorted(empty, ends), empty.size - 1)] - ends) / 1e9)


def _extra_delay(run: Run) -> float:
    return float((run.sojourns() - run.scenario.consumers[-1].handle_time.mean()).sum() / len(run.outages()))


def _scv_of_departures(run: Run) -> float:
    """The squared coefficient of variation of the gaps between departures of the first stage."""
    first = run.journal.deliveries["applied"][run.journal.deliveries["consumer"] == 0]
    gaps = np.diff(np.sort(first[first >= run.journal.facts["window"][0]]))
    return float(gaps.var() / gaps.mean() ** 2)


def _in_flight(run: Run) -> float:
    """Messages between commit and handled, as a time average over the window; those that committed before it count, too."""
    start, end = run.journal.facts["window"]
    deliveries = run.journal.deliveries
    begin = np.clip(run.journal.changes["committed"][deliveries["change"]], start, end)
    done = np.clip(np.where(deliveries["applied"] == NONE, end, deliveries["applied"]), start, end)
    return float((done - begin).sum() / (end - start))


def _waits_of_first(run: Run) -> NDArray[np.float64]:
    """The mean wait of the first customers after each pause that so many follow: a queue that starts empty, again and again."""
    waits, size = run.waits(), run.p["customers"]
    starts = np.flatnonzero(np.diff(run.commits(), prepend=-np.inf) > PAUSE / run.p["lambda"] * 1e9)
    full = starts[:-1][np.diff(starts) >= size]  # the last may be cut off by the end of the run
    return np.asarray(waits[full[:, None] + np.arange(size)].mean(axis=1))


def _coverage_of_first(run: Run) -> float:
    """How often a 90 % interval over n such starts covers the truth."""
    means, size = _waits_of_first(run), run.p["n"]
    truth = mean_wait_of_first(run.p["customers"], run.p["lambda"], 1 / run.p["mean_service"])
    return coverage(means[: means.size // size * size].reshape(-1, size), truth, confidence=0.9)


# --- freshness


def _age_beyond(run: Run) -> float:
    """The share of time in which the age of information is above x: in a piece it rises with the clock."""
    pieces = pieces_of(run.journal, len(run.scenario.consumers) - 1)
    above = np.clip(pieces.end - np.maximum(pieces.begin, pieces.held_since + run.p["x"]), 0, None)
    return float((pieces.weight * above).sum() / (pieces.weight * (pieces.end - pieces.begin)).sum())


def _in_first_region(run: Run, flags: NDArray[np.bool_]) -> float:
    """The share of the first region's writes in the window that are flagged."""
    return float(flags[in_window(run.journal) & (run.journal.changes["region"] == 0)].mean())


def _hit_ratio(run: Run) -> float:
    """The share of reads that did not ask the source."""
    start, end = run.journal.facts["window"]
    reads, requests = run.journal.reads["time"], run.journal.requests
    misses = requests["time"][requests["kind"] == REQUESTS.index("read")]
    return 1 - float(((misses >= start) & (misses < end)).sum() / ((reads >= start) & (reads < end)).sum())


# --- the event store


def _work_per_event(run: Run) -> float:
    """Seconds that the source's servers work for each change: loads and snapshots."""
    return float(run.journal.requests["service"].sum() / 1e9 / run.journal.changes["time"].size)


def _in_log(run: Run) -> NDArray[np.float64]:
    """How many messages the log holds at each of the times that were noted, from the start of the window on; all are of one size."""
    table, start = run.journal.storage, run.journal.facts["window"][0]
    log = (table["component"] == run.journal.facts["components"]["storage"].index("log")) & (table["time"] >= start)
    return np.asarray(table["bytes"][log] / run.scenario.workload.state_bytes.mean())


def _writes_until_all_are_there(run: Run) -> float:
    """How many changes it takes until every entity has changed, again and again: the mean."""
    missing, begin, counts = set(range(run.scenario.workload.entities.count)), 0, []
    for number, entity in enumerate(run.journal.changes["entity"].tolist(), start=1):
        missing.discard(entity)
        if not missing:
            counts.append(number - begin)
            missing, begin = set(range(run.scenario.workload.entities.count)), number
    return float(np.mean(counts))


def _watched(run: Run) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of the commands with a window between load and append: how many conflicts each met, and whether it gave up. Unended ones aside."""
    luck, count = Luck(run.scenario.seed, run.journal.facts["replication"]), run.journal.changes["time"].size
    times = luck.times("write", run.scenario.source.write_time, count).values
    met, gave_up = (np.zeros(times.size, dtype=np.int64) for _ in range(2))
    np.add.at(met, run.journal.conflicts["change"], 1)
    np.add.at(gave_up, run.journal.conflicts["change"], run.journal.conflicts["gave_up"])
    done = (times > 0) & ((run.journal.changes["committed"] != NONE) | (gave_up > 0))
    return met[done], gave_up[done] > 0


def _attempts(run: Run) -> float:
    met, gave_up = _watched(run)
    return float((met + ~gave_up).mean())


def _conflicts_per_attempt(run: Run) -> float:
    met, gave_up = _watched(run)
    return float(met.sum() / (met + ~gave_up).sum())


def _refused_by_batch(run: Run) -> NDArray[np.int64]:
    """How many of the commands that came at the same moment were refused."""
    _, batch = np.unique(run.journal.changes["time"], return_inverse=True)
    return np.bincount(batch, weights=run.journal.changes["committed"] == NONE).astype(np.int64)


ESTIMATORS: Mapping[str, Callable[[Run], float]] = {
    "sojourn_beyond": lambda run: (run.sojourns() > run.p["t"]).mean(),
    "sojourn_quantile": lambda run: np.quantile(run.sojourns(), run.p["q"]),
    "wait": lambda run: run.waits().mean(),
    "wait_of_first": lambda run: _waits_of_first(run).mean(),
    "coverage_of_first": _coverage_of_first,
    "wait_std": lambda run: run.waits().std(),
    "wait_beyond": lambda run: (run.waits() > run.p["t"]).mean(),
    "waits": lambda run: (run.waits() > WAITED).mean(),
    "does_not_wait": lambda run: (run.waits() <= WAITED).mean(),
    "number_in_system": lambda run: run.sojourns().mean() * run.p["lambda"],  # Little's law
    "throughput": lambda run: run.sojourns().size / run.scenario.duration,
    "availability": lambda run: 1 - np.diff(run.outages(), axis=1).sum() / 1e9 / run.scenario.duration,
    "overflow_per_outage": lambda run: (run.of_last("outcome") == LOST_OVERFLOW).sum() / len(run.outages()),
    "scv_of_departures": _scv_of_departures,
    "batch_size": lambda run: _batches(run).mean(),
    "full_batches": lambda run: (_batches(run) == run.p["max_batch"]).mean(),
    "time_to_empty": lambda run: _times_to_empty(run).mean(),
    "backlog_after_outage": lambda run: _backlog_at(run, run.outages()[:, 1]).mean(),
    "extra_delay_per_outage": _extra_delay,
    "in_flight": _in_flight,
    "repeats": lambda run: _repeats(run).mean(),
    "repeats_std": lambda run: _repeats(run).std(),
    "repeats_variance": lambda run: _repeats(run).var(),
    "no_repeats": lambda run: (_repeats(run) == 0).mean(),
    "acknowledged_but_lost": lambda run: _acknowledged_but_lost(run).mean(),
    "no_acknowledged_lost": lambda run: (_acknowledged_but_lost(run) == 0).mean(),
    "expired": lambda run: (run.of_last("outcome") == LOST_RETENTION).sum() / len(run.outages()),
    "expired_share": _expired_share,
    "time_to_acknowledge": _time_to_acknowledge,
    "age_beyond": _age_beyond,
    "fresh_fraction": lambda run: 1 - run.metric("stale_fraction"),
    "hit_ratio": _hit_ratio,
    "events_replayed": lambda run: run.journal.loads["events"].sum(),
    "snapshots_taken": lambda run: run.journal.snapshots["entity"].size,
    "work_per_event": _work_per_event,
    "in_log_at_end": lambda run: _in_log(run)[-1],
    "in_log_mean": lambda run: _in_log(run).mean(),
    "in_log_peak": lambda run: _in_log(run).max(),
    "writes_until_all_are_there": _writes_until_all_are_there,
    "conflicts_per_attempt": _conflicts_per_attempt,
    "attempts_to_append": _attempts,
    "gave_up": lambda run: _watched(run)[1].mean(),
    "batches_with_a_conflict": lambda run: (_refused_by_batch(run) > 0).mean(),
    "refused_of_a_batch": lambda run: _refused_by_batch(run).mean(),
    "concurrent_in_first": lambda run: _in_first_region(run, conflicting(run.journal)[0]),
    "overwritten_in_first": lambda run: _in_first_region(run, conflicting(run.journal)[1]),
}
