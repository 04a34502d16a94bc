"""The names of all metrics, and what each is measured in: what a requirement may say. `docs/metrics.md` says what each means."""

from typing import Literal

Kind = Literal["share", "seconds", "bytes", "number"]

DELIVERY = (
    *("loss_rate", "lost_publish", "lost_network", "lost_broker", "lost_overflow", "lost_retention", "lost_disconnected", "lost_consumer"),
    *("dead_letter_rate", "publish_failed_rate", "stored_but_failed_rate", "publish_attempts_mean", "duplicate_rate"),
    *("redundant_copies_mean", "latency_mean", "latency_std", "latency_p50", "latency_p95", "latency_p99"),
    *("hop_loss_rate", "hop_latency_mean", "out_of_order_rate", "in_flight_rate", "backlog_max", "recovery_time"),
)
FRESHNESS = (
    *("stale_fraction", "stale_read_rate", "staleness_mean", "staleness_p95", "staleness_p99", "age_mean", "age_peak_mean"),
    *("versions_behind_mean", "read_your_writes_miss_rate", "own_read_latency_mean", "own_read_latency_p99", "diverged_entities"),
)
STORAGE = ("storage_bytes", "storage_growth_bytes_per_day", "duplication_factor")
REPLAY = (
    *("load_events_mean", "load_time_mean", "load_time_p99", "point_in_time_events_mean", "point_in_time_load_mean"),
    *("rebuild_events", "rebuild_time", "rebuild_missing_entities", "catch_up_time", "never_catches_up"),
)
LOAD = (
    *("source_requests_per_s", "source_utilisation", "read_latency_mean", "read_latency_p99", "write_latency_mean", "write_latency_p99"),
    *("read_availability", "wire_bytes_per_s"),
)
CONFLICTS = (
    *("conflict_rate", "lost_update_rate", "detected_conflict_rate", "append_conflict_rate", "append_failed_rate", "merge_bytes_per_s"),
)
COST = ("cost_per_month",)
INCIDENTS = ("lost_per_incident", "lost_per_year", "duplicates_per_year", "dead_letters_per_incident", "unrecovered_rate")  # only of these
DURING = (
    "backlog_max",
    "stale_fraction",
    "stale_read_rate",
    "staleness_mean",
    "staleness_p95",
    "versions_behind_mean",
)  # of its time
IN_INCIDENTS = (*INCIDENTS, *DURING, "recovery_time", "diverged_entities", "read_availability")

NAMES = (*DELIVERY, *FRESHNESS, *STORAGE, *REPLAY, *LOAD, *CONFLICTS, *COST, *INCIDENTS)
AT_THE_END = frozenset({"storage_bytes", "duplication_factor", "rebuild_events", "rebuild_time", "rebuild_missing_entities"})
"""Metrics of how things stand at the end of the window, and not over it: in a year it is more."""

ABILITIES = frozenset({"point_in_time_events_mean", "point_in_time_load_mean"})
"""Metrics that an option without them does not escape but fails: where truth is a table, no past state can be had at all."""

OF_THE_WHOLE = frozenset(
    {
        *(*STORAGE, *REPLAY, *CONFLICTS, *COST, "publish_attempts_mean", "publish_failed_rate", "stored_but_failed_rate"),
        *("source_requests_per_s", "source_utilisation", "wire_bytes_per_s", "write_latency_mean", "write_latency_p99"),
    }
)
"""Metrics of the system as a whole: no consumer has one of its own."""


def kind_of(metric: str) -> Kind:
    """What a *metric* is measured in.

    >>> [kind_of(metric) for metric in ("loss_rate", "staleness_p99", "wire_bytes_per_s", "lost_per_year")]
    ['share', 'seconds', 'bytes', 'number']
    """
    if "bytes" in metric:
        return "bytes"
    if any(word in metric for word in ("latency", "staleness", "age_")) or metric.endswith(
        ("_time", "_time_mean", "_time_p99", "_load_mean")
    ):
        return "seconds"
    lost_somewhere = metric.startswith("lost_") and "_per_" not in metric
    shares = ("read_availability", "source_utilisation", "never_catches_up")
    return "share" if lost_somewhere or metric.endswith(("_rate", "_fraction")) or metric in shares else "number"
