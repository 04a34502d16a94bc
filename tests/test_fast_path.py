"""The fast path gives what the SimPy model gives: on random scenarios, on the shipped ones, whatever is asked for."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_engines import assert_identical
from hypothesis import given, settings
from hypothesis import strategies as st
from test_properties import scenarios
from tiny import quiet

import edasim
from edasim import PRESETS, InputError, Scenario, candidates_of, compare, fast_path, paired_comparison, simulate
from edasim.compiled import kept_in
from edasim.fast_path import lists, world
from edasim.fast_path.draws import Later
from edasim.luck import Draws, Luck
from edasim.patterns import pattern_of

SHIPPED = sorted((Path(__file__).parents[1] / "data" / "scenarios").glob("*.yaml"))
MORE = ["table/notice/cache", "table/delta/copy", "table/notice/source", "events/notice/copy", "events/notice/cache"]
MANY = 2000 if os.environ.get("EDASIM_SLOW") == "1" else 150


@settings(max_examples=MANY)
@given(
    scenario=scenarios(),
    name=st.sampled_from([*PRESETS, *MORE]),
    own=st.sampled_from(["usual", "source", "wait"]),
    snapshots=st.sampled_from([{"snapshot_every": 0}, {"snapshot_every": 2}, {"snapshot_every": 3, "snapshot_on": "load"}]),
    versions=st.sampled_from([0, 50]),
)
def test_random_scenarios_with_every_fault_give_the_identical_journal(
    scenario: Scenario, name: str, own: str, snapshots: dict[str, Any], versions: int
) -> None:
    store = {f"event_store.{key}": value for key, value in snapshots.items()}
    past = {"event_store.history": 200, "event_store.schema_changes.changes_per_year": versions}
    asked = scenario.with_overrides({"workload.reads.own": own, **store, **past})
    try:
        simpy = simulate(asked, name, engine="simpy")
    except InputError:
        return  # a contradiction, refused whoever is asked
    assert_identical(simulate(asked, name, engine="fast"), simpy)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_option_of_every_shipped_scenario_gives_the_identical_journal(file: Path) -> None:
    scenario = Scenario.load(file, {"duration": 60, "warmup": 10})
    for candidate in candidates_of(scenario):
        journals = [simulate(candidate.scenario, candidate.pattern, engine=engine) for engine in ("fast", "simpy")]
        assert_identical(*journals)


def test_comparisons_are_the_same_whoever_makes_them_and_say_who_did() -> None:
    scenario = Scenario(warmup=5, duration=30, incidents=[{"name": "restart", "component": "broker", "per_year": 12, "down": "5s"}])
    patterns = ["cqrs", "event_notification"]
    settings: dict[str, Any] = {"patterns": patterns, "replications": 2, "jobs": 1}
    assert compare(scenario, engine="simpy", **settings).equals(compare(scenario, engine="fast", **settings))
    for asked, made in (("auto", "fast"), ("fast", "fast"), ("simpy", "simpy")):
        assert paired_comparison(scenario, engine=asked, **settings).as_json()["engine"] == made
        assert simulate(scenario, "cqrs", engine=asked).facts["engine"] == made


def test_what_the_fast_path_has_no_room_for_is_said_and_the_simpy_model_takes_it() -> None:
    wide = quiet(source={"servers": 2_000_000})
    assert "room for 1,000,000 servers" in fast_path.why_not(wide, pattern_of("cqrs"))
    with pytest.raises(InputError, match=r"option cqrs: engine fast is not possible: source.servers: .*; allowed: auto, simpy"):
        simulate(wide, "cqrs", engine="fast")
    assert simulate(wide, "polling").facts["engine"] == "simpy"
    with pytest.raises(InputError, match="engine fats is not known"):
        simulate(quiet(), "cqrs", engine="fats")


@pytest.mark.parametrize("name", [*PRESETS, "table/notice/cache"])
def test_arrays_that_are_full_are_made_larger_and_nothing_changes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = {"up": {"dist": "exponential", "mean": 20}, "down": 2}
    scenario = Scenario(
        warmup=0,
        duration=120,
        network={"loss": 0.1},
        broker={"retention_bytes": "50kB", "outages": faulty},
        consumers=[{"name": "billing", "outages": faulty, "failure_rate": 0.1, "max_attempts": 2}],
        workload={"reads": {"rate": 50}},
    )
    monkeypatch.setattr(world, "SPARE", 1)
    monkeypatch.setattr(lists, "SPARE", 1)
    assert_identical(simulate(scenario, name, engine="fast"), simulate(scenario, name, engine="simpy"))


def test_a_later_attempt_that_can_not_be_drawn_ends_the_run() -> None:
    class Failing(Draws):
        def at(self, index: int, attempt: int) -> int:
            raise KeyboardInterrupt

    later = Later({0: Failing("x", 1, Luck(1, 0).stream, lambda _, size: np.zeros(size, dtype=np.int64))})
    later.check()
    assert later._callback(0, 0, 1) == 0
    with pytest.raises(KeyboardInterrupt):
        later.check()


def test_machine_code_is_kept_by_the_content_of_all_files_that_it_is_made_of(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "one.py").write_text("A = 1\n", encoding="utf-8")
    first = kept_in(package)
    assert first is not None
    assert first.is_relative_to(package)
    (package / "two.py").write_text("B = 1\n", encoding="utf-8")
    kept_in.cache_clear()
    assert kept_in(package) != first


def test_a_compiled_function_calls_only_those_that_its_machine_code_is_named_after() -> None:
    package = Path(edasim.__file__).parent
    compiles = {file for file in package.rglob("*.py") if re.search(r"^@compiled(_part)?$", file.read_text(encoding="utf-8"), re.MULTILINE)}
    assert len(compiles) > 20
    for file in compiles:
        for name in re.findall(r"^from edasim\.([\w.]+) import", file.read_text(encoding="utf-8"), re.MULTILINE):
            called = package / f"{name.replace('.', '/')}.py"
            assert called not in compiles or called.parent in (file.parent, package / "compiled"), f"{file.name} calls {called.name}"
