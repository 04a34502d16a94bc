"""Whatever comes in ends in a result or in one line: thousands of random inputs of every kind (tests/fuzzing.py)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing import KINDS, Machine, fuzz

LEAST = 20_000
KEPT = Path(__file__).parents[1] / "data" / "validation" / "fuzzed.json"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDASIM_CACHE", "off")
        yield Machine(tmp_path_factory.mktemp("fuzzing"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("notebook", "parameters of a report")])  # those import for seconds
def test_any_input_ends_in_a_result_or_in_one_line(kind: str, machine: Machine) -> None:
    if os.environ.get("EDASIM_SLOW") == "1":
        pytest.skip("the slow test puts in more of each kind")
    assert fuzz(kind, 20, machine).total() > 0


@pytest.mark.slow
def test_twenty_thousand_inputs_end_in_a_result_or_in_one_line(machine: Machine) -> None:
    done = {kind: fuzz(kind, often, machine) for kind, (_, often) in KINDS.items()}
    assert sum(codes.total() for codes in done.values()) >= LEAST
    for kind, codes in done.items():
        assert codes[0] if kind == "cache" else codes[2], f"{kind}: nothing was refused, so nothing was tried"


def test_the_count_that_is_kept_is_of_the_kinds_that_there_are() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert set(kept["by kind"]) == set(KINDS)
    assert kept["inputs"] == sum(kept["by kind"].values()) >= LEAST
