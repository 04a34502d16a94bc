"""Answers of Prometheus to range queries: counters become rates, histograms of handling times become distributions.

Which metric means what is told by its name, in `MEANINGS`; of whom by its labels, in `WHO`. Counters may start again from 0. The lag of
consumers is no input but an outcome of a run: it is noted, to be held against `backlog_max`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.observe.columns import as_name
from edasim.observe.document import Observed, ObservedFile, Read, written
from edasim.observe.histograms import observed_histogram
from edasim.observe.paths import RATE, READS
from edasim.observe.rates import BATCHES, Rate, rate_of_counts
from edasim.observe.texts import name_of, opened

Floats = NDArray[np.float64]
HTTP = r"http_(server_)?requests?(_seconds|_duration_seconds)?_(total|count)"
MEANINGS = (  # a pattern of whole names, and what they mean; the first that fits counts
    (r"(.*_)?lag(_.*)?|rabbitmq_queue_messages(_ready|_unacked|_unacknowledged)?", "lag"),
    (HTTP, "requests"),
    (r"(?!http).*(handl|process|consum|listener).*_(bucket|sum|count)", "handling"),
    (r"kafka_server_brokertopicmetrics_messagesin(persec)?_total(_count)?|kafka_topic_partition_current_offset", "changes"),
    (
        r"(?!.*(fail|error|drop|reject|retr|consum|handl|deliver|dead|dup|ack)).*(publish|produc|outbox|event|change|message|written).*_total",
        "changes",
    ),
)
WHO = ("consumer", "consumergroup", "consumer_group", "group", "group_id", "listener", "queue", "service", "application", "job")
METHOD = ("method", "http_method", "http_request_method", "verb")
READING = ("GET", "HEAD")
LARGEST = 2.0**63  # of a counter; beyond it even sums of several would overflow
WRITING = ("POST", "PUT", "PATCH", "DELETE")


class Series(NamedTuple):
    """One line of the answer: its labels, and values at times in seconds, arrays of shape (samples,)."""

    labels: Mapping[str, str]
    times: Floats
    values: Floats

    @property
    def name(self) -> str:
        return self.labels.get("__name__", "")

    @property
    def meaning(self) -> str:
        """What it means, as `MEANINGS` says; "": not known."""
        name = self.name.lower()
        return next((meaning for pattern, meaning in MEANINGS if re.fullmatch(pattern, name)), "")

    def label(self, names: Sequence[str]) -> str:
        """The value of the first of the labels *names* that it has."""
        return next((self.labels[name] for name in names if self.labels.get(name)), "")

    @property
    def bound(self) -> float:
        """The upper bound of a bucket, as it is written; NaN where that is no number, or it is no bucket."""
        try:
            return float(self.labels["le"])
        except (KeyError, ValueError):
            return nan

    @property
    def increases(self) -> Floats:
        """By how much a counter grew from each sample to the next; where it fell it began again from 0. Shape (samples - 1,).

        >>> Series({}, np.arange(3.0), np.array([5.0, 8.0, 2.0])).increases.tolist()
        [3.0, 2.0]
        """
        steps = np.diff(self.values)
        return np.where(steps < 0, self.values[1:], steps)


def is_prometheus(document: Any) -> bool:
    """Whether a JSON document is an answer of Prometheus."""
    return isinstance(document, Mapping) and isinstance(document.get("data"), Mapping) and "resultType" in document["data"]


def prometheus_of(path: Path) -> Read:
    """What an answer to a range query tells. Raises InputError where it is none, failed, or has no series."""
    series = _series(path)
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.meaning, []).append(one)
    inputs = [*_changes(groups.get("changes", []), name_of(path)), *_reads(groups.get("requests", []), name_of(path))]
    inputs += _handling(groups.get("handling", []), name_of(path))
    notes = [*_lag(groups.get("lag", []), name_of(path))]
    unknown = dict.fromkeys(as_name(one.name) or "a series without a name" for one in groups.get("", []))
    not_found = [f"what {name} of {name_of(path)} means is not known: docs/observe.md lists the names that are" for name in unknown]
    file = ObservedFile(name=name_of(path), form="Prometheus", rows=sum(one.values.size for one in series))
    return Read(
        file, tuple(inputs), not_found=tuple(not_found), notes=tuple(notes), hints=tuple(_writes(groups.get("requests", []), name_of(path)))
    )


def _series(path: Path) -> list[Series]:
    with opened(path) as file:
        try:
            answer = json.load(file)
        except (ValueError, RecursionError):
            raise InputError(f"{name_of(path)} begins like an answer of Prometheus, but is no whole JSON document") from None
    kind = answer["data"]["resultType"]
    if answer.get("status", "success") != "success" or kind != "matrix":
        raise InputError(f"{name_of(path)}: Prometheus answered with {str(kind)[:20]}, not with a matrix: ask /api/v1/query_range")
    try:
        found = [_one(item) for item in answer["data"]["result"]]
    except OverflowError:
        raise InputError(f"{name_of(path)}: a sample of it is beyond {LARGEST:.2g}, which no counter reaches") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{name_of(path)}: a series of it is not as Prometheus writes it: metric, and values of time and number") from None
    if wrong := next((one for one in found if one.labels.get("le") and isnan(one.bound)), None):
        raise InputError(
            f"{name_of(path)}: a bucket of {as_name(wrong.name)} has the bound le={as_name(wrong.labels['le'])}, which is no number"
        )
    found = [one for one in found if one.values.size > 1]
    if not found:
        raise InputError(f"{name_of(path)}: no series has two values: ask for a longer range, and check the query")
    return found


def _one(item: Mapping[str, Any]) -> Series:
    samples = np.array([(float(time), float(value)) for time, value in item["values"]], dtype=np.float64).reshape(-1, 2)
    samples = samples[np.isfinite(samples).all(axis=1)]
    samples = samples[np.argsort(samples[:, 0], kind="stable")]
    if samples.size and float(np.abs(samples).max()) > LARGEST:
        raise OverflowError("no counter or moment of Prometheus is so large")
    return Series({str(name): str(value) for name, value in item["metric"].items()}, samples[:, 0], samples[:, 1])


def rate_of_counters(series: Sequence[Series]) -> Rate | None:
    """The rate of several counters together, from the first sample of any to the last; None where nothing was counted."""
    start, end = min(one.times[0] for one in series), max(one.times[-1] for one in series)
    samples = max(one.values.size for one in series) - 1
    edges = np.linspace(start, end, min(BATCHES, samples) + 1)
    counts = sum(np.histogram(one.times[1:], edges, weights=one.increases)[0] for one in series)
    return rate_of_counts(np.asarray(counts), float(end - start)) if end > start and np.sum(counts) > 0 else None


def _rate(path: str, series: Sequence[Series], what: str, name: str) -> Iterator[Observed]:
    rate = rate_of_counters(series) if series else None
    if rate is not None:
        said = f"{name}: {rate.seen:,} {what} in {rate.seconds:,.0f} s, of {', '.join(dict.fromkeys(one.name for one in series))}"
        low, high = written(rate.low, "1/s"), written(rate.high, "1/s")
        yield Observed(path=path, value=written(rate.value, "1/s"), low=low, high=high, unit="1/s", source=said, seen=rate.seen)


def _changes(series: Sequence[Series], name: str) -> Iterator[Observed]:
    own = [one for one in series if not one.label(["topic"]).startswith("__")]  # Kafka's own topics
    first = [one for one in own if one.name == own[0].name]  # two metrics may count the same messages
    topics = len({one.label(["topic"]) for one in first})
    where = f" to {topics} topics" if topics > 1 else ""
    yield from _rate(RATE, first, f"messages{where} (samples are too far apart to tell bursts, so poisson)", name)


def _reads(series: Sequence[Series], name: str) -> Iterator[Observed]:
    """Requests that read; all of them where none says its method."""
    reading = [one for one in series if one.label(METHOD).upper() in READING or not any(other.label(METHOD) for other in series)]
    yield from _rate(READS, reading, "reads; divide where more than one consumer reads through this server", name)


def _writes(series: Sequence[Series], name: str) -> Iterator[Observed]:
    writing = [one for one in series if one.label(METHOD).upper() in WRITING]
    yield from _rate(RATE, writing, "writes, each taken for one change", name)


def _handling(series: Sequence[Series], name: str) -> Iterator[Observed]:
    by_who: dict[str, list[Series]] = {}
    for one in series:
        by_who.setdefault(as_name(one.label(WHO)) or "consumer", []).append(one)
    for who, mine in by_who.items():
        yield from observed_histogram(who, mine, name)


def _lag(series: Sequence[Series], name: str) -> Iterator[str]:
    by_who: dict[str, list[Series]] = {}
    for one in series:
        by_who.setdefault(as_name(one.label(WHO)) or "all consumers", []).append(one)
    for who, mine in by_who.items():
        times = np.unique(np.concatenate([one.times for one in mine]))
        total = np.sum([np.interp(times, one.times, one.values) for one in mine], axis=0)
        seen = f"{total.mean():,.0f} messages on average, {total.max():,.0f} at most"
        yield f"{name}: {who} lagged by {seen}: an outcome, to be held against backlog_max"
