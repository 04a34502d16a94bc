"""All that is predicted, in one list."""

from pathlib import Path

from edasim.validation.reality.durability import durability
from edasim.validation.reality.freshness import freshness
from edasim.validation.reality.outbox import outbox
from edasim.validation.reality.overflow import bounded, disconnected, unread
from edasim.validation.reality.own_runs import own_runs
from edasim.validation.reality.prediction import Prediction
from edasim.validation.reality.redelivery import redelivery
from edasim.validation.reality.stores import stores
from edasim.validation.reality.waiting import waiting

CASES = (waiting, disconnected, unread, bounded, durability, redelivery, stores, freshness, outbox)


def predict_all(folder: Path) -> list[Prediction]:
    """Every prediction for the runs measured in *folder*; it takes a minute."""
    return [*(found for case in CASES for found in case(folder)), *own_runs(folder / "runs")]
