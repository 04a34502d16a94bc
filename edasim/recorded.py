"""What was recorded of a real run and is no outcome: how long each handling took, and when somebody was down."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edasim.candidates import Candidate
from edasim.distributions import Distribution
from edasim.journal import APPLIED, Journal
from edasim.luck import Draws, Luck, nanoseconds
from edasim.units import NANOSECONDS


class RecordedLuck(Luck):
    """The luck of one replication in which the draws of some streams are those that were *recorded*: by name of the stream, in seconds.

    Where the first attempt of a change was not recorded (NaN: the message was lost there), and for later attempts, the distribution is
    drawn from, as ever. An example: `RecordedLuck({"handle billing": seconds})` handles the n-th change in the n-th of *seconds*.
    """

    def __init__(self, recorded: Mapping[str, NDArray[np.float64]], seed: int = 1, replication: int = 0) -> None:
        super().__init__(seed, replication)
        self._recorded = recorded

    def times(self, name: str, distribution: Distribution, count: int) -> Draws:
        """*count* times in nanoseconds: those recorded where there are any. Raises ValueError where there are more or fewer of them."""
        draws = super().times(name, distribution, count)
        seconds = self._recorded.get(name)
        if seconds is not None:
            if len(seconds) != count:
                raise ValueError(f"{name}: {len(seconds)} times were recorded for {count} changes")
            known = np.flatnonzero(np.isfinite(seconds))
            draws.values[known] = nanoseconds(seconds[known])
        return draws


def recorded_luck(journal: Journal) -> RecordedLuck:
    """The luck of a measured run, its handling times as they were: of messages handled once; of others they are drawn."""
    handlings = {}
    for number, name in enumerate(journal.facts["consumers"]):
        taken = np.full(journal.changes["time"].size, np.nan)
        deliveries = journal.deliveries
        mine = (deliveries["consumer"] == number) & (deliveries["outcome"] == APPLIED) & (deliveries["attempts"] == 1)
        taken[deliveries["change"][mine]] = (deliveries["applied"] - deliveries["delivered"])[mine] / NANOSECONDS
        handlings[f"handle {name}"] = taken
    return RecordedLuck(handlings, journal.facts["seed"], journal.facts["replication"])


def as_it_was(candidate: Candidate, journal: Journal) -> Candidate:
    """The option with outages as they really were: a broker needs its time to start, a consumer its time to connect.

    Those of the first instance of a consumer stand for all. Where the broker is the source's own database (PostgreSQL), both are down.
    """
    changes: dict[str, object] = {}
    places = {"broker": "broker.outages", "relay 0": "source.relay.outages"}
    places |= {f"{consumer.name} 0": f"consumers.{consumer.name}.outages" for consumer in candidate.scenario.consumers}
    for number, name in enumerate(journal.facts["components"]["faults"]):
        rows = np.flatnonzero(journal.faults["component"] == number)
        if rows.size and name in places:
            spans = np.stack([journal.faults[side][rows] / NANOSECONDS for side in ("start", "end")], axis=1)
            changes[f"{places[name]}.windows"] = spans.tolist()
            changes |= {f"{places[name]}.{side}": None for side in ("up", "down")}
            if name == "broker" and journal.facts.get("measured", {}).get("technology") == "postgres":
                changes["source.outages"] = {"windows": spans.tolist()}
    return replace(candidate, scenario=candidate.scenario.with_overrides(changes)) if changes else candidate
