"""Delivery: what was lost and where, what came late, twice or out of order. Counted over changes committed in the window."""

import numpy as np
from numpy.typing import NDArray

from edasim.journal import APPLIED, NONE, OUTCOMES, Journal, Table, rows_of
from edasim.metrics.values import Value, mean, quantiles, rate, share

Ints = NDArray[np.int64]
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
    from edasim.compiled.accounts import published
    from edasim.compiled.sorting import whole

    changes, deliveries = journal.changes, journal.deliveries
    from_source = np.array([upstream is None for upstream in journal.facts["listens_to"]])
    sent = whole(deliveries["change"]), whole(deliveries["consumer"]), whole(deliveries["stored"])
    of_change = whole(changes["acknowledged"]), whole(changes["publish_attempts"])
    count, failed, in_vain, attempts = published(in_window(journal), *of_change, *sent, from_source)
    values = share("publish_failed_rate", failed, count) + share("stored_but_failed_rate", in_vain, count)
    if count:
        values.append(Value("publish_attempts_mean", attempts / count, "attempts"))
    return values


def _of_consumer(journal: Journal, number: int, name: str) -> list[Value]:
    from edasim.compiled.accounts import tally
    from edasim.compiled.sorting import whole

    deliveries, counted = rows_of(journal.deliveries, number), in_window(journal)
    change, applied, copies = (whole(deliveries[column]) for column in ("change", "applied", "copies"))
    latency = np.empty(change.size, dtype=np.int64)
    committed, outcome = whole(journal.changes["committed"]), _as_it_is(deliveries["outcome"])
    by_outcome, several, too_many, done = tally(counted, committed, change, outcome, copies, applied, APPLIED, latency)
    latency, trials = latency[:done], int(by_outcome.sum())
    lossy, again, late = (journal.facts[can][number] for can in ("can_lose", "can_repeat", "can_come_late"))
    lost = [OUTCOMES.index(where) for where in LOST]
    values = share("loss_rate", int(by_outcome[lost].sum()), trials, name, possible=lossy)
    for code, where in zip(lost, LOST, strict=True):
        values += share(where, int(by_outcome[code]), trials, name, possible=lossy)
    values += share("dead_letter_rate", int(by_outcome[OUTCOMES.index("dead_letter")]), trials, name)
    values += share("in_flight_rate", int(by_outcome[OUTCOMES.index("in_flight")]), trials, name)
    values += share("duplicate_rate", several, trials, name, possible=again)
    if trials:
        values.append(Value("redundant_copies_mean", too_many / trials, "copies", name))
    values += _hop(journal, number, name, deliveries)
    if latency.size:
        values += [*mean("latency_mean", latency, name), Value("latency_std", float((latency / 1e9).std()), "s", name)]
    values += quantiles("latency", latency, (50, 95, 99), name)
    return values + share("out_of_order_rate", _out_of_order(journal, change, applied), trials, name, possible=late)


def _as_it_is(outcome: NDArray[np.int8]) -> NDArray[np.int8]:
    """*outcome* as compiled functions take it: one after the other, not to be written to."""
    found = np.ascontiguousarray(outcome).view()
    found.setflags(write=False)
    return found


def _hop(journal: Journal, number: int, name: str, deliveries: Table) -> list[Value]:
    """What the last hop of a chain adds: of the messages that the consumer before it applied, how many are lost, and how late."""
    names, upstream = journal.facts["consumers"], journal.facts["listens_to"][number]
    if upstream is None:
        return []
    before = journal.deliveries["applied"][journal.deliveries["consumer"] == names.index(upstream)]  # rows come in the same order
    came = in_window(journal)[deliveries["change"]] & (before != NONE)
    lost = np.isin(deliveries["outcome"], [OUTCOMES.index(where) for where in LOST])
    values = rate("hop_loss_rate", lost[came], name, possible=journal.facts["can_lose"][number])
    arrived = came & (deliveries["applied"] != NONE)
    if arrived.any():
        values.append(Value("hop_latency_mean", float((deliveries["applied"] - before)[arrived].mean()) / 1e9, "s", name))
    return values


def _out_of_order(journal: Journal, change: Ints, applied: Ints) -> int:
    """How many messages of changes in the window were first handled after a newer version of their entity."""
    from edasim.compiled.accounts import come_late
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import behind

    entity, version = whole(journal.changes["entity"]), whole(journal.changes["version"])
    late = come_late(in_window(journal), entity, version, change, applied, int(entity.max(initial=-1)) + 1)
    if late != NONE:
        return late
    handled = np.flatnonzero(applied != NONE)
    of = change[handled]
    found = behind(whole(entity[of]), whole(applied[handled]), whole(version[of]))
    return int(np.count_nonzero(found & in_window(journal)[of]))
