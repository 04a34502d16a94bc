"""Records held to account: what was observed, edited or upgraded since they were signed, and the exit code that CI sees."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from signing import SHOP, STALE, scenario_file, signed

from edasim import Scenario, candidates_of, simulate
from edasim.cli import run
from edasim.decision.tipping_points import told
from edasim.errors import InputError
from edasim.observe import Observations, Observed
from edasim.ranges import Range, canonical_path
from edasim.record.blocks import generated, parts_of
from edasim.record.place import signed_in
from edasim.record.seen import as_shown, inputs_seen
from edasim.record.signed import SignedTippingPoint
from edasim.record.verified_words import in_words
from edasim.record.verifying import Verification, Verified, verify, with_observed

RATE = "workload.arrivals.rate"


@pytest.fixture
def sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    return lambda **asked: signed(tmp_path, monkeypatch, **{"status": "accepted", **asked})


def seen(value: Any, low: Any = None, high: Any = None, path: str = RATE, **more: Any) -> Observations:
    return Observations(inputs=[Observed(path=path, value=value, low=low, high=high, **more)])


def only(found: Verification) -> Verified:
    (record,) = found.verified
    return record


def test_where_nothing_changed_every_requirement_is_as_it_was_and_it_is_said_why_it_had_to_be(sign: Callable[..., Path]) -> None:
    found = verify(sign().parent, jobs=1)
    assert found.exit_code == 0
    assert [(each.signed, each.now, each.remark) for each in only(found).kept] == [("met", "met", "")] * 2
    assert only(found).changes == []
    assert {each.word for each in only(found).inputs} == {"not observed"}
    assert "only an edit of a scenario or an upgrade could have changed an answer" in in_words(found)


def test_the_verdict_is_that_of_the_very_same_runs(sign: Callable[..., Path]) -> None:
    record = sign()
    was = {each.requirement: each.number for each in signed_in(record.read_text(encoding="utf-8"), "r").verdicts}
    assert {each.requirement: each.number for each in only(verify(record.parent, jobs=1)).kept} == was


def test_what_is_observed_beyond_the_tipping_point_breaks_the_requirement(sign: Callable[..., Path]) -> None:
    found = verify(sign().parent, seen(400.0, 390.0, 410.0), jobs=1)
    (rate, handling) = only(found).inputs
    assert (rate.path, rate.assumed, rate.observed, rate.tips) == (RATE, "10 to 40", "400 (390 to 410)", "205")
    assert (rate.word, handling.word) == ("beyond the tipping point", "not observed")
    kept = {each.requirement: each for each in only(found).kept}
    assert kept[STALE].is_broken
    assert found.exit_code == 1
    assert "could have changed" not in in_words(found)


def test_a_busy_server_is_what_a_queue_by_hand_says_it_is(sign: Callable[..., Path]) -> None:
    """What is run is what was observed: the time between 400 changes a second, and more than two handlers of 10 ms can bear."""
    held = with_observed(Scenario(**SHOP), "kafka", seen(400.0).inputs)
    journal = simulate(held, "event_carried_state_transfer")
    commits = np.sort(journal.changes["committed"]) / 1e9
    assert commits.size / 20 == pytest.approx(400, abs=3.5 * (400 / 20) ** 0.5)
    assert only(verify(sign().parent, seen(400.0), jobs=1)).kept[1].now == "violated"
    assert 400 * 0.01 / 2 > 1


def test_within_and_outside_the_range_are_told_apart_and_break_nothing_by_themselves(sign: Callable[..., Path]) -> None:
    folder = sign().parent
    for observed, word in (
        (seen(20.0, 19.0, 21.0), "within"),
        (seen(38.0, 35.0, 41.0), "partly outside the range"),
        (seen(45.0), "outside the range"),
        (seen(180.0, 160.0, 210.0), "partly beyond the tipping point"),
        (seen(40.01), "within"),
    ):
        found = verify(folder, observed, jobs=1)
        assert (only(found).inputs[0].word, found.exit_code) == (word, 0)


@pytest.mark.parametrize(
    ("now", "tips", "value", "word"),
    [(20.0, 5.0, 4.0, "beyond the tipping point"), (20.0, 5.0, 6.0, "within"), (20.0, 30.0, 31.0, "beyond the tipping point")],
)
def test_a_tipping_point_may_lie_on_either_side(now: float, tips: float, value: float, word: str) -> None:
    scenario = Scenario(assumptions=[{"path": RATE, "range": [1, 100], "basis": "guess"}])
    point = SignedTippingPoint(path=RATE, now=now, estimate=tips, requirement="r")
    assert [each.word for each in inputs_seen(scenario, [point], seen(value).inputs)] == [word]


@pytest.mark.parametrize(("value", "word"), [(400.0, "beyond"), (25.0, "beyond"), (100.0, "within")])
def test_any_of_the_tipping_points_of_an_input_may_be_passed(value: float, word: str) -> None:
    """Now 40, and it tips at 30, which is nearer, and at 310."""
    scenario = Scenario(assumptions=[{"path": RATE, "range": [1, 200], "basis": "guess"}])
    points = [SignedTippingPoint(path=RATE, now=40.0, estimate=at, requirement="r") for at in (30.0, 310.0)]
    (found,) = inputs_seen(scenario, points, seen(value).inputs)
    assert (found.tips, found.word.split()[0]) == ("30, 310", word)


@given(st.floats(1e-6, 1e6), st.floats(0.99, 1.01), st.sampled_from(["", "s", "bytes"]))
@example(2.0, 1.0005, "")
@example(1.0, 0.9996, "s")
def test_two_values_that_are_shown_alike_are_taken_for_the_same(value: float, ratio: float, unit: str) -> None:
    over = Range("a", "a", 0.0, 1.0, unit)
    one, other = value, value * ratio
    if told(over, one) == told(over, other):
        assert as_shown(over, one) == pytest.approx(as_shown(over, other), rel=1e-12)
    assert as_shown(over, one) == pytest.approx(one, rel=0.0051)


def test_a_distribution_is_held_by_its_mean_whatever_its_path_is_called() -> None:
    path, observed = "consumers.0.handle_time.mean", {"dist": "lognormal", "mean": "12ms", "cv": 0.8}
    scenario = Scenario(assumptions=[{"path": path, "range": ["5ms", "20ms"], "basis": "guess"}])
    found = inputs_seen(scenario, [], seen(observed, "11ms", "13ms", "consumers.consumer.handle_time", unit="s").inputs)
    assert [(each.path, each.assumed, each.observed, each.word) for each in found] == [
        (path, "5 ms to 20 ms", "12 ms (11 ms to 13 ms)", "within")
    ]


@pytest.mark.parametrize("path", [f"consumers.{name}.handle_time{part}" for name in ("billing", "0") for part in ("", ".mean")])
def test_what_was_observed_replaces_what_the_option_sets_whatever_that_is_called(path: str) -> None:
    whole = SHOP | {"options": [{"name": "kafka", "pattern": "cqrs", "set": {path: "1ms"}}]}
    held = with_observed(Scenario(**whole), "kafka", seen("9ms", path="consumers.billing.handle_time").inputs)
    assert candidates_of(held, options=["kafka"])[0].scenario.consumers[0].handle_time.mean() == pytest.approx(0.009)


def test_what_was_observed_and_is_hidden_by_a_larger_part_that_the_option_sets_is_said(sign: Callable[..., Path], tmp_path: Path) -> None:
    larger = {"name": "kafka", "pattern": "event_carried_state_transfer", "set": {"consumers.0": SHOP["consumers"][0]}}
    folder = sign(file=scenario_file(tmp_path, options=[larger])).parent
    found = verify(folder, seen("9ms", path="consumers.billing.handle_time"), jobs=1)
    assert only(found).changes == [
        "consumers.billing.handle_time was observed, but kafka sets consumers.0, and that is what was run",
    ]
    assert only(found).not_held == ("consumers.billing.handle_time was assumed and observed, and is not what was run",)
    assert found.exit_code == 3


def test_a_consumer_is_no_part_of_one_whose_name_is_the_beginning_of_its_own() -> None:
    scenario = Scenario(consumers=[{"name": "shop"}, {"name": "shop.billing"}])
    one, other = (canonical_path(scenario, path) for path in ("consumers.shop", "consumers.1.handle_time"))
    assert (one, other) == (("consumers", "shop"), ("consumers", "shop.billing", "handle_time"))


def test_a_requirement_edited_away_is_held_all_the_same_and_said_to_be_no_longer_required(
    sign: Callable[..., Path], tmp_path: Path
) -> None:
    folder = sign().parent
    scenario_file(tmp_path, requirements=[SHOP["requirements"][0], {"metric": "staleness_mean", "at_most": "1h", "consumer": "billing"}])
    found = verify(folder, jobs=1)
    kept = {each.requirement: each for each in only(found).kept}
    assert (kept[STALE].now, kept[STALE].remark) == ("met", "signed, no longer required")
    assert kept["staleness_mean at billing at most 1h"].remark == "required since"
    assert only(found).changes == [
        f"edited: requirements.{STALE} is gone",
        "edited: requirements.staleness_mean at billing at most 1h is new",
    ]
    assert found.exit_code == 0
    assert verify(folder, seen(400.0), jobs=1).exit_code == 1, "a limit that was loosened does not make it right"


def test_an_edit_that_breaks_a_requirement_is_named(sign: Callable[..., Path], tmp_path: Path) -> None:
    folder = sign().parent
    scenario_file(tmp_path, workload={"arrivals": {"rate": 400}})
    found = verify(folder, jobs=1)
    assert (found.exit_code, only(found).changes) == (1, [f"edited: {RATE} was 20.0, is 400.0"])


def test_what_can_not_be_held_any_more_is_unsure(sign: Callable[..., Path], tmp_path: Path) -> None:
    folder = sign().parent
    consumers = [{**SHOP["consumers"][0], "name": "invoicing"}]
    scenario_file(tmp_path, consumers=consumers, requirements=SHOP["requirements"][:1], assumptions=[])
    found = verify(folder, jobs=1)
    gone = only(found).kept[1]
    assert (gone.now, gone.remark) == ("", "signed, no longer required, and what it is about is no longer there")
    assert found.exit_code == 3


def test_what_was_met_and_is_undecided_is_exit_3(sign: Callable[..., Path], tmp_path: Path) -> None:
    """One replication decides nothing, so it is all undecided."""
    record = sign()
    text = record.read_text(encoding="utf-8")
    once = re.sub(r'"replications": 3,\n "budget": 3', '"replications": 1,\n "budget": 1', text)
    parts = [part if isinstance(part, str) else generated(part.name, part.content) for part in parts_of(once, "r")]
    record.write_text("".join(map(str, parts)), encoding="utf-8")
    found = verify(record.parent, jobs=1)
    assert [(each.signed, each.now) for each in only(found).kept][1] == ("met", "undecided")
    assert found.exit_code == 3


def test_without_its_file_a_record_is_run_as_it_was_signed(sign: Callable[..., Path], tmp_path: Path) -> None:
    folder = sign().parent
    (tmp_path / "shop.yaml").unlink()
    found = verify(folder, jobs=1)
    assert (found.exit_code, only(found).changes) == (0, ["../shop.yaml is gone: run as it was signed"])


def test_an_option_that_is_gone_can_not_be_held(sign: Callable[..., Path], tmp_path: Path) -> None:
    folder = sign().parent
    scenario_file(tmp_path, options=SHOP["options"][:1])
    found = verify(folder, jobs=1)
    assert found.exit_code == 2
    assert found.broken == ["0001-orders.md: option kafka is not in the scenario: allowed: rest"]


def test_a_trace_that_changed_is_named_and_one_that_is_missing_is_refused(sign: Callable[..., Path], tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("time\n" + "\n".join(str(at / 20) for at in range(400)), encoding="utf-8")
    whole = SHOP | {"workload": SHOP["workload"] | {"arrivals": {"process": "trace", "file": "trace.csv"}}, "assumptions": []}
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    folder = sign(file=file).parent
    assert verify(folder, jobs=1).exit_code == 0
    trace.write_text("time\n" + "\n".join(str(at / 10) for at in range(200)), encoding="utf-8")
    assert only(verify(folder, jobs=1)).changes == ["../trace.csv holds something else than when it was signed"]
    trace.unlink()
    assert verify(folder, jobs=1).broken == ["0001-orders.md: ../trace.csv, which the signed scenario reads, is missing"]


def test_what_is_not_accepted_is_not_held_but_named(sign: Callable[..., Path]) -> None:
    folder = sign(status="").parent
    sign(name="0002-later.md", status="rejected")
    found = verify(folder, jobs=1)
    assert (found.others, found.verified, found.exit_code) == ({"0001-orders.md": "proposed", "0002-later.md": "rejected"}, [], 0)
    assert "No record is accepted, so nothing was run." in in_words(found)


def test_a_broken_record_is_named_after_the_others_were_held(sign: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    edited = sign(name="0001-edited.md")
    edited.write_bytes(edited.read_bytes().replace(b"Chosen option", b"Chosen by me"))
    torn = sign(name="0002-torn.md")
    torn.write_bytes(torn.read_bytes().replace(b"status: accepted", b"status: acepted"))
    sign(name="0003-good.md")
    (edited.parent / "README.md").write_text("# Ours", encoding="utf-8")
    assert run(["record", "verify", str(edited.parent), "--jobs", "1"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("0003-good.md: kafka\n")
    assert "0001-edited.md: the generated block outcome was edited by hand" in err
    assert "0002-torn.md: status acepted is not known: did you mean accepted?" in err
    assert len(err.splitlines()) == 1


def test_a_record_or_a_trace_that_can_not_be_read_is_one_line_and_exit_2(
    sign: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sign(name="0001-closed.md")
    (tmp_path / "trace.csv").write_text("time\n" + "\n".join(str(at / 20) for at in range(400)), encoding="utf-8")
    whole = SHOP | {"workload": SHOP["workload"] | {"arrivals": {"process": "trace", "file": "trace.csv"}}, "assumptions": []}
    (tmp_path / "traced.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    folder = sign(name="0002-traced.md", file=tmp_path / "traced.yaml").parent
    opened = Path.open

    def refusing(self: Path, *how: Any, **also: Any) -> Any:
        if self.name in ("0001-closed.md", "trace.csv"):
            raise PermissionError(13, "Permission denied")
        return opened(self, *how, **also)

    monkeypatch.setattr(Path, "open", refusing)
    assert run(["record", "verify", str(folder), "--jobs", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"0001-closed\.md: .*0001-closed\.md can't be read: Permission denied; 0002-traced\.md: .*trace\.csv can't be", line)


def test_the_command_line_says_assumed_observed_and_tipping_and_exits_1(
    sign: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sign().parent
    observed = tmp_path / "observed.yaml"
    observed.write_text(seen(400.0, 390.0, 410.0).as_yaml(), encoding="utf-8")
    assert run(["record", "verify", str(folder), "--observed", str(observed), "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"{RATE} +10 to 40 +400 \(390 to 410\) +205 +beyond the tipping point", out)
    assert re.search(rf"{STALE} +met +violated: ", out)
    assert run(["record", "verify", str(folder), "--jobs", "1"]) == 0


CRASH = {"name": "crash", "component": "broker", "per_year": 1, "down": "5s"}
LOST = [{"metric": "lost_per_year", "at_most": 1000}]
CRASHES = Observations(incidents=[{"component": "broker", "per_year": 2.0, "low": 0.3, "high": 7.0, "down": "20s", "seen": 2}])


def crashing(folder: Path, *incidents: dict[str, Any], assumed: bool = True) -> Path:
    """The scenario with these incidents, and what is assumed of the crash."""
    file = scenario_file(folder, incidents=list(incidents), requirements=LOST)
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    guess = {"path": "incidents.crash.per_year", "range": [0.5, 2], "basis": "guess"}
    file.write_text(yaml.safe_dump(said | {"assumptions": [guess] if assumed else []}), encoding="utf-8")
    return file


def test_another_incident_of_the_component_takes_nothing_from_the_one_that_was_signed(sign: Callable[..., Path], tmp_path: Path) -> None:
    folder = sign(file=crashing(tmp_path, CRASH)).parent
    for other in ("power cut", "broker"):
        crashing(tmp_path, CRASH, {**CRASH, "name": other, "kind": "power"})
        found = verify(folder, CRASHES, jobs=1)
        assert (only(found).not_held, found.exit_code) == ((), 0)
        often = only(found).inputs[0]
        assert (often.path, often.observed, often.word) == ("incidents.crash.per_year", "2 (0.3 to 7)", "partly outside the range")


@pytest.mark.parametrize("names", [["renamed", "power cut"], ["renamed"], []])
def test_an_assumed_input_that_is_gone_is_never_green(sign: Callable[..., Path], tmp_path: Path, names: list[str]) -> None:
    folder = sign(file=crashing(tmp_path, CRASH)).parent
    crashing(tmp_path, *({**CRASH, "name": name} for name in names), assumed=False)
    for observations in (None, CRASHES):
        found = verify(folder, observations, jobs=1)
        assert found.exit_code == 3
        assert "incidents.crash.per_year was assumed when it was signed, and is gone" in only(found).not_held
        assert "can't be held to account: incidents.crash.per_year was assumed" in in_words(found)
    said = " ".join(only(found).not_held)
    assert ("which of the 2 incidents of broker was observed can't be told: renamed, power cut" in said) == (len(names) == 2)


def test_what_was_observed_and_had_a_place_when_it_was_signed_is_never_left_out_quietly(sign: Callable[..., Path], tmp_path: Path) -> None:
    """Nothing is assumed of it, so only the observation tells."""
    folder = sign(file=crashing(tmp_path, CRASH, assumed=False)).parent
    crashing(tmp_path, {**CRASH, "component": "relay"}, assumed=False)
    found = verify(folder, CRASHES, jobs=1)
    assert [why.split(",")[0] for why in only(found).not_held] == [f"incidents.crash.{part} was observed" for part in ("per_year", "down")]
    assert found.exit_code == 3


def test_observations_that_are_about_nothing_here_hold_nothing(sign: Callable[..., Path]) -> None:
    folder = sign().parent
    for nothing in (Observations(), seen("9ms", path="consumers.nobody.handle_time")):
        found = verify(folder, nothing, jobs=1)
        assert found.exit_code == 3
        assert "Nothing that was observed has a place" in in_words(found)


def test_an_edit_is_one_line_for_each_item_that_came_or_went_and_tells_nothing_of_what_is_left_out(
    sign: Callable[..., Path], tmp_path: Path
) -> None:
    folder = sign().parent
    scenario_file(tmp_path, requirements=SHOP["requirements"][1:], incidents=[CRASH], broker={"retention": "1d"})
    assert only(verify(folder, jobs=1)).changes == [
        "edited: broker.retention was 7d, is 1d",
        "edited: requirements.loss_rate at most 5% is gone",
        "edited: incidents.crash is new",
    ]


@pytest.mark.parametrize(
    ("folder", "said"),
    [("nowhere", "nowhere is not a folder"), ("shop.yaml", "shop.yaml is not a folder"), ("empty", "empty holds no decision record")],
)
def test_a_folder_that_is_none_or_holds_no_record_is_refused(
    folder: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario_file(tmp_path)
    (tmp_path / "empty").mkdir()
    assert run(["record", "verify", folder]) == 2
    captured = capsys.readouterr()
    assert (captured.out, said in captured.err, len(captured.err.splitlines())) == ("", True, 1)


def test_a_folder_can_be_moved_with_its_scenario(sign: Callable[..., Path], tmp_path: Path) -> None:
    sign()
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    for name in ("decisions", "shop.yaml"):
        (tmp_path / name).rename(elsewhere / name)
    found = verify(elsewhere / "decisions", jobs=1)
    assert (found.exit_code, only(found).changes) == (0, [])


def test_what_was_signed_is_json_that_says_so_where_it_is_none(sign: Callable[..., Path]) -> None:
    record = sign()
    text = record.read_text(encoding="utf-8")
    for inside, said in (("nothing", "holds no signed inputs"), ("```json\n{}\n```", "can't be read by this version")):
        parts = [
            part if isinstance(part, str) or part.name != "provenance" else generated("provenance", inside) for part in parts_of(text, "r")
        ]
        with pytest.raises(InputError, match=rf"r: .*{said}"):
            signed_in("".join(map(str, parts)), "r")
    assert json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])["chosen"] == "kafka"
