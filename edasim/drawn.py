"""What was drawn for a replication, kept for the next option of the same one: each process draws for itself, and seldom twice."""

import json
from functools import lru_cache
from threading import get_ident
from weakref import WeakKeyDictionary

from edasim.candidates import files_as_they_are
from edasim.luck import Luck
from edasim.scenario import Scenario
from edasim.workload import Workload, make_workload

LARGEST = 4_000_000  # changes and reads of a workload that is kept

_workloads: WeakKeyDictionary[Luck, tuple[str, Workload]] = WeakKeyDictionary()  # the last of each luck, and what it was asked for


def luck_of(seed: int, replication: int) -> Luck:
    """The luck of a replication: that of the last call, if it was for the same one in the same thread, with all that it has drawn."""
    return _luck(seed, replication, get_ident())


@lru_cache(maxsize=1)
def _luck(seed: int, replication: int, thread: int) -> Luck:
    return Luck(seed, replication)


def workload_of(scenario: Scenario, luck: Luck) -> Workload:
    """The workload of a scenario, the same one for all options of a replication that ask the same; a long one is not kept."""
    asked = scenario.workload.model_dump_json()
    files = files_as_they_are(json.loads(asked)) if '"file"' in asked else []
    said = json.dumps([asked, scenario.window, [consumer.name for consumer in scenario.consumers], files])
    if _workloads.get(luck, ("", None))[0] != said:
        made = make_workload(scenario, luck)
        if made.times.size + sum(times.size for times, _ in made.reads.values()) > LARGEST:
            return made
        _workloads[luck] = said, made
    return _workloads[luck][1]
