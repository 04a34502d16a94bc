"""Claims about a measured run beside its simulation, with a simulated journal in the place of the measured one."""

from dataclasses import replace
from typing import Any

import numpy as np
from tiny import quiet

from edasim import Journal, Scenario, simulate
from edasim.live.beside import beside, beside_as_text
from edasim.live.writing import machine

STATE = "event_carried_state_transfer"


def in_its_place(journal: Journal, **changes: Any) -> Journal:
    measured = {"technology": "kafka", "versions": {"kafka": "9"}, **machine()}
    return replace(journal, facts={**journal.facts, "engine": "measured", "measured": measured}, **changes)


def lossy(**outages: Any) -> Scenario:
    return quiet(broker={"outages": {"windows": [[10, 20]], **outages}}, source={"producer": {"retries": 0}})


def test_the_same_run_is_the_same_on_both_sides() -> None:
    scenario = lossy()
    table = beside(in_its_place(simulate(scenario, STATE, seed=7)), scenario, STATE)
    assert table["measured"].notna().all()
    np.testing.assert_array_equal(table["measured"], table["simulated"])
    assert table.loc[table["metric"] == "loss_rate", "measured"].item() > 0.05


def test_an_outage_that_really_was_longer_is_simulated_as_long() -> None:
    journal = simulate(lossy(), STATE)
    faults = {**journal.faults, "end": journal.faults["end"] + 10_000_000_000}
    table = beside(in_its_place(journal, faults=faults), lossy(), STATE).set_index("metric")
    lost = table.loc["loss_rate"]
    assert 1.8 * lost["measured"] < lost["simulated"] < 2.2 * lost["measured"]


def test_the_text_says_on_what_it_was_measured_and_leaves_out_what_never_happened() -> None:
    scenario = lossy()
    journal = in_its_place(simulate(scenario, STATE))
    text = beside_as_text(beside(journal, scenario, STATE), journal)
    assert "on kafka" in text
    assert "kafka 9" in text
    assert "loss_rate" in text
    assert "lost_retention" not in text
    assert "duplicate_rate" in text  # that nothing was handled twice is worth a line
