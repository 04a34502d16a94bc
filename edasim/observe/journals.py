"""Journals: of a simulated run or, with the same columns, of a real broker; what went in is found in what happened.

Only messages count that were published at the first attempt and handled once, at the first: what a retry takes is no latency. How long
handling takes is told by messages that met an idle consumer, whose handling begins when they come; those that waited are left out. What
replication takes until a message may be read is in `network.latency.deliver`, as nothing in a journal says it apart. A journal that was
measured on a real broker is read otherwise: edasim/observe/measured.py.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.journal import APPLIED, NONE, Journal
from edasim.observe.document import Observed, ObservedFile, ObservedIncidents, Read
from edasim.observe.events import Events, observed_events
from edasim.observe.incidents import observed_incidents
from edasim.observe.keys import hashed
from edasim.observe.measured import measured_journal
from edasim.observe.paths import DELIVER, PUBLISH
from edasim.observe.sizes import observed_spread, spread_of
from edasim.observe.texts import name_of
from edasim.patterns import pattern_of
from edasim.scenario import COMPONENTS

FEWEST = 30  # messages


def journal_at(folder: Path) -> Journal:
    """The journal in a *folder*. Raises InputError where there is none."""
    try:
        return Journal.read(folder)
    except (OSError, KeyError, TypeError, ValueError, json.JSONDecodeError, pa.ArrowException):
        raise InputError(f"{name_of(folder)} is a folder, but no journal: it must hold facts.json and a parquet file a table") from None


def journal_of(folder: Path) -> Read:
    """What a journal tells: arrivals, entities, sizes, latencies, handling times, and incidents from its faults."""
    journal = journal_at(folder)
    changes = journal.changes
    if not changes["time"].size:
        raise InputError(f"{name_of(folder)} is a journal without any change: there is nothing to observe")
    if journal.facts.get("engine") == "measured":
        return measured_journal(journal, name_of(folder))
    order = np.argsort(changes["time"], kind="stable")
    sizes = {path: changes["bytes"][order].astype(np.float64) for path in _carried(journal)}
    events = Events(changes["time"][order] / 1e9, hashed(pd.Series(changes["entity"][order])), sizes, ())
    found = observed_events(events, name_of(folder), "journal")
    inputs = [*found.inputs, *_latencies(journal, name_of(folder)), *_handling(journal, name_of(folder))]
    file = ObservedFile(name=name_of(folder), form="journal", rows=changes["time"].size)
    return Read(file, tuple(inputs), tuple(_incidents(journal, name_of(folder))), (), found.notes)


def _carried(journal: Journal) -> Iterator[str]:
    """The path of the size that messages have, where they carry anything."""
    carries = pattern_of(str(journal.facts["pattern"])).carries
    if carries != "nothing":
        yield f"workload.{carries}_bytes"


def _latencies(journal: Journal, name: str) -> Iterator[Observed]:
    """From commit to stored, and from stored to delivered."""
    deliveries, changes = journal.deliveries, journal.changes
    first = (changes["publish_attempts"][deliveries["change"]] == 1) & (deliveries["stored"] != NONE)
    committed = changes["committed"][deliveries["change"]]
    _, alone = np.unique(deliveries["change"][first], return_index=True)  # one publish, however many consumers
    published = (deliveries["stored"] - committed)[first][alone]
    yield from _time(PUBLISH, published, f"{name}: from commit to stored, at the first attempt")
    there = (deliveries["delivered"] != NONE) & (deliveries["stored"] != NONE) & (deliveries["attempts"] == 1)
    said = f"{name}: from stored to delivered; what replication takes until a message may be read is in it"
    yield from _time(DELIVER, (deliveries["delivered"] - deliveries["stored"])[there], said)


def _handling(journal: Journal, name: str) -> Iterator[Observed]:
    for number, consumer in enumerate(journal.facts["consumers"]):
        taken = handled_at_once(journal, number)
        yield from _time(f"consumers.{consumer}.handle_time", taken, f"{name}: of messages that met an idle {consumer}")


def handled_at_once(journal: Journal, number: int) -> NDArray[np.int64]:
    """How long handling took, in ns, of the messages that met an idle consumer and were handled once; shape (messages,).

    Whoever comes while others are waited for or handled may have to wait, and a journal does not say how long.
    """
    deliveries = journal.deliveries
    mine = np.flatnonzero((deliveries["consumer"] == number) & (deliveries["delivered"] != NONE))
    mine = mine[np.argsort(deliveries["delivered"][mine], kind="stable")]
    begun, ended = deliveries["delivered"][mine], deliveries["applied"][mine]
    done = np.maximum.accumulate(np.where(ended == NONE, np.iinfo(np.int64).max, ended)) if mine.size else ended
    idle = begun >= np.concatenate([[0], done[:-1]])
    once = (deliveries["outcome"][mine] == APPLIED) & (deliveries["attempts"][mine] == 1) & (deliveries["copies"][mine] == 1)
    return np.asarray((ended - begun)[idle & once])


def _time(path: str, taken: NDArray[np.int64], said: str) -> Iterator[Observed]:
    if taken.size >= FEWEST:
        yield observed_spread(path, spread_of(taken / 1e9), "s", f"{said}: {taken.size:,} messages, lognormal with their mean and spread")


def _incidents(journal: Journal, name: str) -> Iterator[ObservedIncidents]:
    """Faults that took time, in the time from 0 to the end of the window."""
    names, faults = journal.facts["components"]["faults"], journal.faults
    watched = (0.0, journal.facts["window"][1] / 1e9)
    for number, component in enumerate(names):
        mine = (faults["component"] == number) & (faults["end"] > faults["start"]) & (faults["start"] < journal.facts["window"][1])
        if mine.any() and (component in COMPONENTS or component in journal.facts["consumers"]):
            starts, ends = faults["start"][mine] / 1e9, faults["end"][mine] / 1e9
            yield observed_incidents(component, starts, ends - starts, watched, name)
