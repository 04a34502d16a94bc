"""Own reads: whoever wrote a change reads it back `own_after` its commit, at each consumer that reads anything.

`usual` is evaluated from what the consumer holds (edasim/metrics/freshness.py) and loads nothing. With `source` such a read asks the
region that wrote the change, past any copy or cache and whoever answers the consumer's other reads. With `wait` it waits, at no cost,
until what the consumer keeps holds the change or a newer one; what a cache does not hold a read would fetch. A consumer that reads at
the source has it at once.
"""

from bisect import bisect_right
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edasim.afterwards.inputs import Inputs
from edasim.journal import NONE
from edasim.luck import nanoseconds

Ints = NDArray[np.int64]
Columns = Mapping[str, Ints]


def own_reads(run: Inputs, asked: Mapping[int, Ints], changes: Columns, refreshes: Columns) -> Columns:
    """The journal's table of own reads: of each change that committed how long each consumer's took; none with `usual`.

    *asked*: of each consumer that asked the source from the first attempt to the answer, by change; NONE where there was none in time.

    A read at the source that had all its time only after the run's end is not in it.
    """
    change = np.flatnonzero(changes["committed"] != NONE)
    if asked:
        change = change[changes["committed"][change] + _longest(run) <= run.horizon]
    latency = {number: mine[change] for number, mine in asked.items()}
    if run.scenario.workload.reads.own == "wait":
        looks = changes["committed"][change] + nanoseconds(run.scenario.workload.reads.own_after)
        wanted = {"entity": changes["entity"][change], "version": changes["version"][change], "look": looks}
        waiting = [number for number, reads in enumerate(run.reads) if reads not in ("nothing", "source")]
        latency = {number: _waits(run, number, wanted, refreshes) for number in waiting}
    return {
        "change": np.tile(change, len(latency)),
        "consumer": np.repeat(np.array([*latency], dtype=np.int64), change.size),
        "latency": np.concatenate([*latency.values(), np.empty(0, dtype=np.int64)]),
    }


def _longest(run: Inputs) -> int:
    """From a commit until its reader has given up for good at the latest."""
    reads = run.scenario.workload.reads
    backoff = max(consumer.backoff for consumer in run.scenario.consumers)
    return int(nanoseconds(reads.own_after + (reads.retries + 1) * reads.timeout + reads.retries * backoff))


def _waits(run: Inputs, number: int, wanted: Columns, refreshes: Columns) -> NDArray[np.int64]:
    """How long it takes from each look until consumer *number* would show the version wanted, or a newer one; NONE: past the timeout."""
    timeout = int(nanoseconds(run.scenario.workload.reads.timeout))
    fetches = run.reads[number] == "cache"  # what it does not hold
    held: dict[int, tuple[list[int], list[int]]] = {}  # entity -> when what is held of it changes, and to which version
    mine = refreshes["consumer"] == number
    for entity, time, version in zip(*(refreshes[name][mine].tolist() for name in ("entity", "time", "version")), strict=True):
        times, versions = held.setdefault(entity, ([], []))
        times.append(time)
        versions.append(version)

    def shown(entity: int, version: int, look: int) -> int:
        times, versions = held.get(entity, ((), ()))
        row = bisect_right(times, look) - 1
        holds, now = versions[row] if row >= 0 else (NONE if fetches else 0), look
        while now - look <= timeout:
            if holds >= version or (fetches and holds == NONE):
                return now - look
            row += 1
            if row == len(times):
                break
            holds, now = versions[row], times[row]
        return NONE

    looked = zip(*(wanted[name].tolist() for name in ("entity", "version", "look")), strict=True)
    return np.array([shown(*one) for one in looked], dtype=np.int64)
