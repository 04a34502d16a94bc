"""What was drawn for a replication serves its next option, and nothing that asks for something else."""

from pathlib import Path

import numpy as np
import pytest
from tiny import quiet

from edasim import Luck, make_workload
from edasim.drawn import luck_of, workload_of


def test_options_of_a_replication_share_luck_and_workload() -> None:
    luck = luck_of(1, 0)
    first = workload_of(quiet(duration=20), luck)
    assert luck_of(1, 0) is luck
    assert workload_of(quiet(duration=20, consumers=[{"name": "billing", "handle_time": 0.5}]), luck) is first
    assert luck_of(1, 1) is not luck


@pytest.mark.parametrize("other", [{"duration": 30}, {"workload": {"state_bytes": 7}}, {"consumers": [{"name": "another"}]}], ids=str)
def test_who_asks_for_something_else_gets_it(other: dict[str, object]) -> None:
    luck = Luck(1, 0)
    usual = workload_of(quiet(duration=20), luck)
    found, made = workload_of(quiet(**{"duration": 20, **other}), luck), make_workload(quiet(**{"duration": 20, **other}), Luck(1, 0))
    assert found is not usual
    assert found.reads.keys() == made.reads.keys()
    assert found.state_bytes.tolist() == made.state_bytes.tolist()


def test_a_trace_that_was_changed_is_read_again(tmp_path: Path) -> None:
    file, luck = tmp_path / "trace.csv", Luck(1, 0)
    file.write_text("time\n0\n")
    scenario = quiet(duration=20, workload={"arrivals": {"process": "trace", "file": str(file)}})
    sizes = []
    for stamps in ("0\n1\n2\n", "0\n1\n2\n3\n"):
        file.write_text(f"time\n{stamps}")
        sizes.append(workload_of(scenario, luck).times.size)
    assert sizes == [3, 4]


def test_a_long_workload_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.drawn.LARGEST", 10)
    luck, scenario = Luck(1, 0), quiet(duration=100)
    first = workload_of(scenario, luck)
    assert workload_of(scenario, luck) is not first
    assert np.array_equal(workload_of(scenario, luck).times, first.times)
