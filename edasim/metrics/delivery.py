"""Delivery: what was lost and where, what came late, twice or out of order. Counted over changes committed in the window."""

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, NONE, OUTCOMES, Journal, Table, rows_of
from edasim.metrics.values import Value, mean, quantiles, rate

LOST = [outcome for outcome in OUTCOMES if outcome.startswith("lost_")]


def delivery(journal: Journal) -> list[Value]:
    """Metrics of messages; where none are sent, none can be lost."""
    sends = journal.facts["sends"]
    values = _publishing(journal) if any(sends) else []
    for number, name in enumerate(journal.facts["consumers"]):
        values += _of_consumer(journal, number, name) if sends[number] else [Value("loss_rate", 0.0, "share", name, nature="zero")]
    return values


def in_window(journal: Journal) -> NDArray[np.bool_]:
    """Which changes committed inside the measured window; shape (changes,)."""
    return journal.counted


def _publishing(journal: Journal) -> list[Value]:
    counted = in_window(journal)
    deliveries = journal.deliveries
    from_source = np.array([upstream is None for upstream in journal.facts["listens_to"]])[deliveries["consumer"]]
    stored = np.zeros(counted.size, dtype=bool)
    stored[deliveries["change"][(deliveries["stored"] != NONE) & from_source]] = True
    failed = journal.changes["acknowledged"] == NONE
    values = rate("publish_failed_rate", failed[counted]) + rate("stored_but_failed_rate", (failed & stored)[counted])
    if counted.any():
        values.append(Value("publish_attempts_mean", float(journal.changes["publish_attempts"][counted].mean()), "attempts"))
    return values


def _of_consumer(journal: Journal, number: int, name: str) -> list[Value]:
    deliveries = rows_of(journal.deliveries, number)
    counted = in_window(journal)[deliveries["change"]]
    outcome = deliveries["outcome"][counted]
    lost = [OUTCOMES.index(where) for where in LOST]
    lossy, again, late = (journal.facts[can][number] for can in ("can_lose", "can_repeat", "can_come_late"))
    values = rate("loss_rate", np.isin(outcome, lost), name, possible=lossy)
    for code, where in zip(lost, LOST, strict=True):
        values += rate(where, outcome == code, name, possible=lossy)
    values += rate("dead_letter_rate", outcome == OUTCOMES.index("dead_letter"), name)
    values += rate("in_flight_rate", outcome == OUTCOMES.index("in_flight"), name)
    handled = counted & (deliveries["outcome"] == APPLIED)
    copies = deliveries["copies"][counted]
    values += rate("duplicate_rate", copies > 1, name, possible=again)
    if copies.size:
        values.append(Value("redundant_copies_mean", float(np.maximum(copies - 1, 0).mean()), "copies", name))
    latency = (deliveries["applied"] - journal.changes["committed"][deliveries["change"]])[handled]
    values += _hop(journal, number, name, counted, deliveries)
    if latency.size:
        values += [*mean("latency_mean", latency, name), Value("latency_std", float((latency / 1e9).std()), "s", name)]
    values += quantiles("latency", latency, (50, 95, 99), name)
    behind = _out_of_order(journal, deliveries["change"], deliveries["applied"])[counted]
    return values + rate("out_of_order_rate", behind, name, possible=late)


def _hop(journal: Journal, number: int, name: str, counted: NDArray[np.bool_], deliveries: Table) -> list[Value]:
    """What the last hop of a chain adds: of the messages that the consumer before it applied, how many are lost, and how late."""
    names, upstream = journal.facts["consumers"], journal.facts["listens_to"][number]
    if upstream is None:
        return []
    before = journal.deliveries["applied"][journal.deliveries["consumer"] == names.index(upstream)]  # rows come in the same order
    came = counted & (before != NONE)
    lost = np.isin(deliveries["outcome"], [OUTCOMES.index(where) for where in LOST])
    values = rate("hop_loss_rate", lost[came], name, possible=journal.facts["can_lose"][number])
    arrived = came & (deliveries["applied"] != NONE)
    if arrived.any():
        values.append(Value("hop_latency_mean", float((deliveries["applied"] - before)[arrived].mean()) / 1e9, "s", name))
    return values


def _out_of_order(journal: Journal, change: NDArray[np.int64], applied: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which messages were first handled after a newer version of their entity; shape (deliveries,)."""
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import behind

    handled = np.flatnonzero(applied != NONE)
    late = np.zeros(change.size, dtype=bool)
    of = change[handled]
    late[handled] = behind(whole(journal.changes["entity"][of]), whole(applied[handled]), whole(journal.changes["version"][of]))
    return late
