"""A tiny scenario to decide about, and records of the decision, for the tests of both."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import merged

from edasim import Scenario
from edasim.decision.tipping_points import TippingPoint, TippingPoints
from edasim.ranges import Range
from edasim.record.evidence import Evidence
from edasim.record.page import Drawing
from edasim.record.writing import Written, write_record

SHOP: dict[str, Any] = {
    "name": "shop",
    "question": "How should orders reach billing?",
    "seed": 1,
    "warmup": 0,
    "duration": "20s",
    "drain": "5s",
    "workload": {"arrivals": {"rate": 20}, "reads": {"rate": 5}, "entities": {"count": 100}},
    "consumers": [{"name": "billing", "handle_time": {"dist": "exponential", "mean": "10ms"}}],
    "options": [
        {"name": "rest", "pattern": "request_response"},
        {"name": "kafka", "pattern": "event_carried_state_transfer", "set": {"source.publish": "outbox"}},
    ],
    "requirements": [
        {"metric": "loss_rate", "at_most": "5%", "because": "a lost order is an invoice nobody sends"},
        {"metric": "staleness_mean", "at_most": "500ms", "consumer": "billing"},
    ],
    "assumptions": [
        {"path": "workload.arrivals.rate", "range": [10, 40], "basis": "measured", "source": "access log"},
        {"path": "consumers.billing.handle_time", "range": ["5ms", "20ms"], "basis": "guess"},
    ],
}
STALE = "staleness_mean at billing at most 500ms"


def scenario_file(folder: Path, **changes: Any) -> Path:
    """The scenario in a file of *folder*, with *changes*."""
    file = folder / "shop.yaml"
    file.write_text(yaml.safe_dump(merged(SHOP, changes), sort_keys=False), encoding="utf-8")
    return file


def tipping_by_hand(scenario: Scenario, option: str, **_: Any) -> TippingPoints:
    """What the search would find, without its many runs: it has tests of its own."""
    rate = Range("workload.arrivals.rate", "workload.arrivals.rate", 1.25, 320.0)
    found = TippingPoint(rate, 20.0, STALE, 204.6, 190.0, 220.0)
    return TippingPoints(scenario, option, (found,), (), (), met=("loss_rate at most 5%", STALE), now={rate.target: 20.0})


def signed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, name: str = "0001-orders.md", chosen: str = "kafka", status: str = "", **asked: Any
) -> Path:
    """A record in `decisions`, made with three replications; of this *status* if one is given, with its figure if *drawn* is."""
    monkeypatch.setattr("edasim.record.evidence.tipping_points", tipping_by_hand)
    if not asked.pop("drawn", False):
        monkeypatch.setattr("edasim.record.writing.drawing_of", _undrawn)
    file = asked.pop("file", None) or scenario_file(folder)
    record = folder / "decisions" / name
    write(file, chosen, record, **asked)
    if status:
        record.write_bytes(record.read_bytes().replace(b"status: proposed", f"status: {status}".encode()))
    return record


def _undrawn(found: Evidence, out: Path) -> Drawing:
    return Drawing(f"{out.stem}.tipping-points.png", "", b"\x89PNG")


def write(file: Path, chosen: str, out: Path, **asked: Any) -> Written:
    """`write_record`, with few replications."""
    usual: dict[str, Any] = {"replications": 3, "budget": 3, "jobs": 1, "today": date(2026, 1, 31)}
    return write_record(file, chosen, out, **{**usual, **asked})
