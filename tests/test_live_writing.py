"""Claims about the journal that is made of what was written down: copies, versions, stamps."""

from typing import Any

import numpy as np
from tiny import quiet

from edasim import Scenario
from edasim.journal import NONE
from edasim.live.copied import refresh
from edasim.live.records import ENDED, Records
from edasim.live.writing import machine, versions_of
from edasim.luck import Luck
from edasim.patterns import pattern_of
from edasim.simpy_model.run import Run
from edasim.workload import make_workload


def run_of(pattern: str, **consumer: Any) -> Run:
    arrivals = {"process": "renewal", "gap": 1}
    scenario: Scenario = quiet(
        duration=4,
        workload={"arrivals": arrivals, "entities": {"count": 1}},
        consumers=[{"name": "billing", "instances": 1, **consumer}],
    )
    luck = Luck(1, 0)
    return Run(scenario, pattern_of(pattern), make_workload(scenario, luck), luck)


def handled(*changes: int) -> Records:
    rows = [(ENDED, change, 10 + place, 0, 0) for place, change in enumerate(changes)]
    return Records(*np.array(rows, dtype=np.int64).T)


def held(pattern: str, *changes: int, **consumer: Any) -> list[int]:
    """The versions that a copy held of the one entity, after each message that changed it."""
    run = run_of(pattern, **consumer)
    refresh(run, 0, handled(*changes), np.arange(1, run.changes + 1))
    versions: list[int] = run.refreshes.table()["version"].tolist()
    return versions


def test_a_copy_is_what_the_messages_that_were_handled_make_of_it() -> None:
    assert held("event_carried_state_transfer", 0, 2, 1, 2) == [1, 3]
    assert held("event_carried_state_transfer", 0, 2, 1, apply="last_arrival") == [1, 3, 2]
    assert held("table/delta/copy", 0, 2, on_gap="ignore") == [1]


def test_who_only_reacts_keeps_nothing() -> None:
    assert held("event_notification", 0, 1, on_notice="react") == []


def test_versions_number_the_commits_of_an_entity_and_what_did_not_commit_has_none() -> None:
    entities, committed = np.array([5, 7, 5, 5, 7]), np.array([10, 20, 40, 30, NONE])
    assert versions_of(entities, committed).tolist() == [1, 1, 3, 2, NONE]
    assert versions_of(entities, np.full(5, NONE)).tolist() == [NONE] * 5


def test_what_it_was_measured_on_is_told_without_the_name_of_the_machine() -> None:
    assert set(machine()) == {"cpu", "cores", "memory_bytes", "os", "python", "date"}
