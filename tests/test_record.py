"""A decision record: what it says, what people wrote in it, and what is never overwritten."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nbconvert.filters import markdown2html
from signing import SHOP, STALE, scenario_file, signed, tipping_by_hand, write

from edasim import Scenario, candidates_of
from edasim.cli import run
from edasim.decision.checking import check
from edasim.decision.tipping_points import TippingPoint, TippingPoints
from edasim.errors import InputError
from edasim.ledger.moving_parts import moving_parts
from edasim.provenance import digest
from edasim.ranges import Range
from edasim.record.blocks import MARK, Block, blocks_of, generated, parts_of, regenerated
from edasim.record.consequences import contrasts
from edasim.record.evidence import chosen_of
from edasim.record.front_matter import status_of
from edasim.record.mechanisms import MECHANISMS, mechanisms_of
from edasim.record.place import signed_in
from edasim.record.together import write_together
from edasim.shipped import DATA

HEADINGS = [
    *("# kafka for shop", "## Context and Problem Statement", "## Decision Drivers", "## Considered Options", "## Decision Outcome"),
    *(
        "### Consequences",
        "### What it takes",
        "### Confirmation",
        "## Revisit triggers",
        "## Assumptions",
        "## Questions no simulation answers",
    ),
    *("## What was not modelled", "## Validation status", "## Provenance"),
]


def tipping_with(**changed: Any) -> Callable[..., TippingPoints]:
    """The search by hand, with something else in what it finds."""
    return lambda *asked, **how: replace(tipping_by_hand(*asked, **how), **changed)


written = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: MARK not in text)


@pytest.fixture
def sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    return lambda **asked: signed(tmp_path, monkeypatch, **asked)


# --- generated blocks --------------------------------------------------------------------------------------------------------


@given(st.lists(written, min_size=4, max_size=4), st.permutations(["a", "b", "c"]))
@example(["", "\r\n", "---\n", "<!-- mine -->"], ["c", "a", "b"])
def test_what_people_write_between_blocks_survives_byte_for_byte_in_any_order(words: list[str], order: list[str]) -> None:
    old = "".join(f"{word}{block}" for word, block in zip(words, [*(generated(name, "old") for name in order), ""], strict=True))
    new = "\n".join(str(generated(name, f"new {name}")) for name in "abc")
    made, put_back = regenerated(old, new, "r.md")
    assert [part for part in parts_of(made, "r.md") if isinstance(part, str)] == words
    assert [(block.name, block.content.strip()) for block in blocks_of(made, "r.md").values()] == [(name, f"new {name}") for name in order]
    assert put_back == []
    assert regenerated(made, new, "r.md")[0] == made, "made once more it is the same"


def test_a_block_that_was_removed_comes_back_behind_the_one_that_it_follows_and_is_named() -> None:
    new = "\n".join(str(generated(name, name)) for name in ("a", "b", "c"))
    made, put_back = regenerated(f"1{generated('a', 'x')}2{generated('c', 'x')}3", new, "r.md")
    assert (list(blocks_of(made, "r.md")), put_back) == (["a", "b", "c"], ["b"])
    assert made.startswith("1<!--")
    assert made.endswith("-->3")


def test_a_block_that_was_edited_is_refused_by_name_and_one_that_was_emptied_is_made_anew() -> None:
    old, new = f"mine {generated('drivers', 'loss')}", str(generated("drivers", "staleness"))
    with pytest.raises(InputError, match=r"0001\.md: the generated block drivers was edited by hand"):
        regenerated(old.replace("loss", "loss!"), new, "0001.md")
    assert regenerated(old.replace("loss", ""), new, "0001.md")[0] == f"mine {new}"


def test_other_line_ends_are_no_edit_and_are_kept() -> None:
    old = f"mine\n{generated('a', 'one')}\n".replace("\n", "\r\n")
    made, _ = regenerated(old, str(generated("a", "two")), "r.md")
    assert made == f"mine\n{generated('a', 'two')}\n".replace("\n", "\r\n")


def test_one_pasted_line_of_windows_changes_no_line_end_of_a_block() -> None:
    unix, windows = str(generated("a", "one")), str(generated("b", "one")).replace("\n", "\r\n")
    new = f"{generated('a', 'two')}{generated('b', 'two')}"
    made, _ = regenerated(f"mine\r\n{unix}\nmine\n{windows}", new, "r.md")
    assert made == f"mine\r\n{generated('a', 'two')}\nmine\n" + str(generated("b", "two")).replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (str(generated("a", "x")).replace("<!-- edasim:end a -->", ""), "block a begins but has no end"),
        (str(generated("a", "x")).split("\n")[-1], "block a ends but has no beginning"),
        (f"{generated('a', 'x')}{generated('a', 'x')}", "block a is there twice"),
        (str(generated("a", "x")).replace("x", str(generated("b", "y"))), "block a begins but has no end"),
        (f"{MARK}begin a 12 -->\n{MARK}end a -->", "damaged"),
        ("nothing", "holds no generated block"),
    ],
)
def test_a_document_whose_blocks_are_not_whole_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"r\.md: .*{said}"):
        regenerated(text, str(generated("a", "y")), "r.md")


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, third = (tmp_path / name for name in ("old.md", "new.md", "third.md"))
    old.write_bytes(b"before")
    put = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target.name == "third.md":
            raise OSError(28, "No space left on device")
        return put(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(InputError, match=r"third\.md can't be written: No space left on device"):
        write_together({old: b"after", new: b"new", third: b"third"})
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("old.md", b"before")]


# --- what a record says ------------------------------------------------------------------------------------------------------


def test_a_record_has_the_form_of_madr_with_all_that_decides(sign: Callable[..., Path]) -> None:
    text = sign().read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("#")] == HEADINGS
    assert yaml.safe_load(text.split("---")[1]) == {
        "status": "proposed",
        "date": date(2026, 1, 31),
        "decision-makers": None,
        "consulted": None,
        "informed": None,
    }
    assert "`kafka`: `event_carried_state_transfer` (truth is kept in a table, an event carries state" in text
    assert "`source.publish: outbox`" in text
    assert "`loss_rate at most 5%`: a lost order is an invoice nobody sends" in text
    assert "Chosen option: `kafka`, because it meets all 2 requirements." in text
    assert "holds until `workload.arrivals.rate` reaches 205 (190 to 220; now 20)" in text
    assert re.search(r"\| `workload.arrivals.rate` \| `20.0` \| 10 to 40 \| measured \| access log \| 205 ", text)
    again = "edasim check ../shop.yaml --option kafka --replications 3 --budget 3"
    assert f"{again}\nedasim record verify . --observed observed.yaml" in text
    assert "Erasing personal data" in text
    assert "Orchestration, compensation, stream joins" in text
    assert "| relays that publish in commit order | POLL |" in text


def test_the_numbers_of_a_record_are_those_of_the_check(sign: Callable[..., Path]) -> None:
    record = sign()
    found = check(Scenario(**SHOP), ["kafka"], replications=3, budget=3, jobs=1)
    row = found.verdicts.set_index("metric").loc["staleness_mean"]
    kept = {each.requirement: each for each in signed_in(record.read_text(encoding="utf-8"), "r").verdicts}
    assert kept[STALE].verdict == "met"
    shown = re.search(r"\| met \| ([0-9.]+)(?: ± ([0-9.]+))? ms \| met everywhere", record.read_text(encoding="utf-8"))
    assert shown
    assert float(shown[1]) == pytest.approx(row["mean"] * 1e3, abs=0.6 * 10 ** -len(shown[1].partition(".")[2]))


def test_consequences_are_paired_differences_of_the_chosen_option_to_the_others() -> None:
    from edasim.experiment import paired_comparison

    comparison = paired_comparison(Scenario(**SHOP), replications=3, jobs=1)
    found = {each.metric: each for each in contrasts(comparison, "kafka")}
    values = comparison.values
    asked = values["rest", "", "", "source_requests_per_s", ""], values["kafka", "", "", "source_requests_per_s", ""]
    less = pd.Series({number: asked[0][number].value - asked[1][number].value for number in range(3)})
    assert (less > 0).all()
    assert found["source_requests_per_s"].better["rest"].startswith(f"{less.mean():.3g}"[:3])
    assert "rest" in found["staleness_mean"].worse, "a call is never stale"
    assert not found["staleness_mean"].better


def bullets(text: str, block: str) -> list[str]:
    """The bullets of a generated block."""
    return [line for line in blocks_of(text, "r")[block].content.splitlines() if line.startswith("* ")]


def test_consequences_repeat_no_row_of_the_outcome_that_is_met_but_say_what_is_not(sign: Callable[..., Path], tmp_path: Path) -> None:
    said = bullets(sign().read_text(encoding="utf-8"), "consequences")
    assert any(line.startswith("* Good, because `source_requests_per_s`") for line in said)
    assert not any("is met" in line or "is violated" in line for line in said)
    strict = [SHOP["requirements"][0], {"metric": "staleness_mean", "at_most": "1us"}]
    said = bullets(sign(file=scenario_file(tmp_path, requirements=strict)).read_text(encoding="utf-8"), "consequences")
    (bad,) = (line for line in said if "is violated" in line)
    assert bad.startswith("* Bad, because `staleness_mean at most 1us` (")


def test_what_it_takes_is_one_bullet_of_what_is_not_run_yet_and_a_table_of_all_parts(sign: Callable[..., Path], tmp_path: Path) -> None:
    """A relay that sends an outbox and a log are needed, of which the team runs the log."""
    file = scenario_file(tmp_path, already_run=["kafka"])
    text = sign(file=file).read_text(encoding="utf-8")
    parts = moving_parts(chosen_of(Scenario.load(file), "kafka"))
    new, running = ([part.part for part in parts if part.already_run is run] for run in (False, True))
    assert running == ["log broker"]
    takes = [line for line in bullets(text, "consequences") if "not run yet" in line]
    assert takes == [f"* Bad, because it takes parts that are not run yet: {', '.join(new)} (see What it takes)."]
    rows = [line for line in blocks_of(text, "r")["takes"].content.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [
        f"{part.part} (run already)" if part.already_run else part.part for part in parts
    ]
    assert all(part.source in row for part, row in zip(parts, rows, strict=True))


def test_an_option_that_takes_nothing_says_so(sign: Callable[..., Path]) -> None:
    text = sign(chosen="rest").read_text(encoding="utf-8")
    assert "Nothing beside the source and the consumers." in text
    assert "not run yet" not in text


def test_all_tipping_points_of_an_input_are_in_its_row_whatever_it_is_called(
    sign: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handling = Range("consumers.billing.handle_time", "consumers.billing.handle_time.mean", 0.001, 0.1, "s")
    points = tuple(TippingPoint(handling, 0.01, STALE, at, at, at) for at in (0.02, 0.004))
    monkeypatch.setattr("signing.tipping_by_hand", tipping_with(points=points))
    by_number = [{"path": "consumers.0.handle_time", "basis": "guess"}]
    text = sign(file=scenario_file(tmp_path, assumptions=by_number)).read_text(encoding="utf-8")
    assert f"20 ms (`{STALE}`); 4 ms (`{STALE}`)" in next(line for line in text.splitlines() if line.startswith("| `consumers.0."))


def test_triggers_say_what_could_not_be_moved_and_why(sign: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    why = "`workload.arrivals.rate`: workload.arrivals.rate: a faster trace is over; one with a `rate` isn't"
    monkeypatch.setattr("signing.tipping_by_hand", tipping_with(not_moved=(why,)))
    assert bullets(sign().read_text(encoding="utf-8"), "triggers")[-1] == (
        "* Not moved, or no further: `workload.arrivals.rate`: workload.arrivals.rate: a faster trace is over; "
        "one with a &#96;rate&#96; isn't."
    )


def test_a_record_has_one_answer_to_one_question(sign: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One replication leaves the check undecided; the search, which makes more, finds it violated."""
    monkeypatch.setattr("signing.tipping_by_hand", tipping_with(not_now=(STALE,)))
    text = sign(replications=1, budget=1, drawn=True).read_text(encoding="utf-8")
    assert f"| `{STALE}` | undecided |" in text
    assert f"* `{STALE}` is undecided in the check, so it has no tipping point." in bullets(text, "triggers")
    assert bullets(text, "triggers")[0].endswith("is violated. In the check it is undecided already.")
    assert "Undecided now, which more replications may change" in text
    assert "Violated now" not in text


def test_each_block_says_over_how_many_replications_it_is_and_how_sure(sign: Callable[..., Path]) -> None:
    said = {name: block.content for name, block in blocks_of(sign().read_text(encoding="utf-8"), "r").items()}
    assert "over 3 replications; the chosen one over 3. Each interval holds with 95 %" in said["options"]
    assert "over 3 replications; each holds with 95 %" in said["outcome"]
    assert "5 replications at each point" in said["outcome"]
    assert "| met everywhere: at " in said["outcome"]
    assert "3 replications, and up to 12 while something is undecided, each interval holds with 98.33 %" in said["triggers"]
    assert "5 replications at each end" in said["assumptions"]


def test_the_alternative_text_of_the_figure_keeps_a_backtick_that_belongs_to_a_name(sign: Callable[..., Path], tmp_path: Path) -> None:
    options = [{**SHOP["options"][1], "name": "a`b"}]
    text = sign(file=scenario_file(tmp_path, options=options), chosen="a`b", drawn=True).read_text(encoding="utf-8")
    (alt,) = re.findall(r"!\[(.*)\]\(", text)
    assert alt.startswith("Tipping points of a&#96;b. Nearest: workload.arrivals.rate, at ")
    assert "a&#96;b holds until workload.arrivals.rate reaches 205" in alt


def test_what_is_required_of_all_incidents_is_contrasted_in_total() -> None:
    """Publishing directly loses in the broker's incident alone; who decides for the outbox may be another one."""
    from edasim.experiment import paired_comparison

    incidents = [
        {"name": "deploy", "component": "billing", "per_year": 100, "down": "2s"},
        {"name": "restart", "component": "broker", "per_year": 12, "down": "10s"},
    ]
    options = [{"name": "direct", "pattern": "event_carried_state_transfer", "set": {"source.producer.retries": 0}}, SHOP["options"][1]]
    required = [{"metric": "lost_per_year", "at_most": 1000}]
    scenario = Scenario(**SHOP | {"incidents": incidents, "options": options, "requirements": required})
    found = contrasts(paired_comparison(scenario, replications=3, jobs=1), "kafka")[0]
    assert (found.metric, found.incident, list(found.better)) == ("lost_per_year", "", ["direct"])


def test_the_same_inputs_give_the_same_bytes(sign: Callable[..., Path]) -> None:
    record = sign(drawn=True)
    picture = record.with_name("0001-orders.tipping-points.png")
    before = record.read_bytes(), picture.read_bytes()
    assert sign(today=date(2027, 2, 1), drawn=True) == record
    assert (record.read_bytes(), picture.read_bytes()) == before, "the date is that of the front matter"
    assert before[1].startswith(b"\x89PNG")
    assert b"](0001-orders.tipping-points.png)" in before[0]


def test_what_people_wrote_and_answered_survives_a_change_of_the_inputs(sign: Callable[..., Path], tmp_path: Path) -> None:
    record = sign()
    text = (
        record.read_text(encoding="utf-8")
        .replace("  Answer:\n", "  Answer: Ann, since 2019.\n", 1)
        .replace("decision-makers:", "decision-makers: Ann")
    )
    record.write_text(text + "\nLast words.", encoding="utf-8")
    sign(file=scenario_file(tmp_path, workload={"arrivals": {"rate": 30}}))
    made = record.read_text(encoding="utf-8")
    assert "30 changes a second" in made
    assert "20 changes a second" not in made
    assert "  Answer: Ann, since 2019.\n" in made
    assert "decision-makers: Ann\n" in made
    assert made.endswith("\nLast words.")


HOSTILE = [
    *("a|b", "`code`", "<script>alert(1)</script>", "--> <!-- edasim_begin", "line\n\nbreak", "[x](javascript:1)", "*b* _i_", "</code>"),
    *("$x^$", "1. one", "# head", "~~~", "\\"),
]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(HOSTILE) | written.filter(str.isprintable), min_size=4, max_size=4))
@example(["".join(HOSTILE)] * 4)
def test_what_is_named_in_a_scenario_is_text_in_the_record_and_nothing_else(
    sign: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str]
) -> None:
    name = re.sub(r"[\n\r\t/\\,]", "", texts[0])[:70].strip() or "x"
    changes: dict[str, Any] = {
        "question": texts[1],
        "consumers": [{"name": name}],
        "requirements": [{"metric": "staleness_p99", "at_most": "2s", "consumer": name, "because": texts[2]}],
        "assumptions": [{"path": f"consumers.{name}.handle_time", "range": ["1ms", "20ms"], "basis": "guess", "source": texts[3]}],
    }
    record = tmp_path / "decisions" / "0001-orders.md"
    record.unlink(missing_ok=True)
    monkeypatch.setattr("signing.tipping_by_hand", tipping_with(not_moved=(f"`consumers.{name}.handle_time`: {texts[3]}", texts[1])))
    sign(file=scenario_file(tmp_path, **changes), drawn=True)
    text = record.read_text(encoding="utf-8")
    html = re.sub(r"<!--.*?-->|<pre>.*?</pre>", "", markdown2html(text), flags=re.DOTALL)
    assert len(blocks_of(text, "r")) == len(HEADINGS)
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert set(re.findall(r"<(\w+)", html)) <= {
        *("h1", "h2", "h3", "p", "ul", "li", "code", "table", "thead", "tbody", "tr", "th", "td", "em", "strong", "img", "a", "hr"),
        *("div", "span", "pre", "br"),
    }
    for rows in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL):
        assert len(re.findall(r"<t[hd]", rows)) in (2, 4, 6), "no bar makes a cell"
    assert signed_in(text, "r").scenario(record.parent).question == texts[1]


def test_a_name_with_dots_is_never_a_path(sign: Callable[..., Path], tmp_path: Path) -> None:
    outside = "a..", {"name": "..", "pattern": "cqrs"}
    file = scenario_file(tmp_path, name=outside[0], options=[outside[1]])
    sign(file=file, chosen="..")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "decisions/0001-orders.md",
        "decisions/0001-orders.tipping-points.png",
        "shop.yaml",
    ]


def test_no_path_of_this_machine_is_in_a_record(sign: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time\n" + "\n".join(map(str, range(30))), encoding="utf-8")
    (tmp_path / "times.csv").write_text("s\n" + "0.01\n" * 10, encoding="utf-8")
    arrivals = {"process": "trace", "file": "trace.csv"}
    measured = {"consumers.billing.handle_time": {"dist": "empirical", "file": "times.csv", "column": "s"}}
    whole = {
        **SHOP,
        "workload": {**SHOP["workload"], "arrivals": arrivals},
        "options": [{"name": "kafka", "pattern": "event_carried_state_transfer", "set": measured}],
        "assumptions": [{"path": f"workload.arrivals{part}", "basis": "guess"} for part in ("", ".file")],
    }
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    text = sign(file=file).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert tmp_path.name not in text
    found = signed_in(text, "r")
    assert list(found.files) == ["../times.csv", "../trace.csv"]
    assert "| `workload.arrivals.file` | `../trace.csv` |" in text
    assert digest(found.scenario(tmp_path / "decisions").as_mapping()) == digest(Scenario.load(file).as_mapping()) == found.digest


# --- what is never overwritten -----------------------------------------------------------------------------------------------


def test_a_record_that_people_decided_about_is_never_overwritten(sign: Callable[..., Path]) -> None:
    record = sign()
    proposed = record.read_bytes()
    for status in (b"accepted", b'"Accepted"  # by all', b"rejected", b"deprecated", b"superseded by [0002](0002-x.md)"):
        record.write_bytes(before := proposed.replace(b"status: proposed", b"status: " + status))
        with pytest.raises(InputError, match=r"never overwritten; use --supersede .* and another --out"):
            sign()
        assert record.read_bytes() == before


def test_an_edited_block_is_refused_and_nothing_written(sign: Callable[..., Path]) -> None:
    record = sign()
    record.write_bytes(record.read_bytes().replace(b"Chosen option", b"Chosen by me"))
    before = {file: file.read_bytes() for file in record.parent.iterdir()}
    with pytest.raises(InputError, match="the generated block outcome was edited by hand"):
        sign()
    assert {file: file.read_bytes() for file in record.parent.iterdir()} == before


def test_a_new_record_takes_the_place_of_the_old_one_and_only_its_status_changes(sign: Callable[..., Path]) -> None:
    old = sign(status="accepted   # by all of us, 3 March", name="0003-first try.md")
    before = old.read_bytes()
    new = sign(name="0007-orders.md", supersede=old)
    line = b'status: "superseded by [0007](0007-orders.md)"'
    assert old.read_bytes() == before.replace(b"status: accepted   # by all of us, 3 March", line)
    assert "Supersedes [0003](0003-first%20try.md)." in new.read_text(encoding="utf-8")
    assert status_of(new.read_text(encoding="utf-8"), "r") == "proposed"
    again = new.read_bytes()
    sign(name="0007-orders.md")
    assert new.read_bytes() == again, "it says so when it is made anew, too"


def test_neither_is_written_where_one_can_not_be(sign: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    old = sign(status="accepted")
    before = {file: file.read_bytes() for file in old.parent.iterdir()}
    put = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target.name == old.name:
            raise OSError(13, "Permission denied")
        return put(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(InputError, match=r"0001-orders\.md can't be written: Permission denied"):
        sign(name="0007-orders.md", supersede=old)
    assert {file: file.read_bytes() for file in old.parent.iterdir()} == before


def test_what_can_not_be_superseded_is_refused(sign: Callable[..., Path], tmp_path: Path) -> None:
    proposed = sign()
    gone = sign(status='"superseded by [0005](0005-x.md)"', name="0002-gone.md")
    for old, said in ((proposed, "only proposed"), (gone, "superseded already"), (tmp_path / "no.md", "can't be read")):
        with pytest.raises(InputError, match=said):
            sign(name="0007-orders.md", supersede=old)
    with pytest.raises(InputError, match="can't supersede itself"):
        sign(supersede=proposed)


BAD: list[tuple[dict[str, str], str]] = [
    ({"chosen": "kafak"}, "--chosen kafak is not among the options: did you mean kafka"),
    ({"out": "decisions/0001.txt"}, "must be a Markdown file"),
    ({"out": "a/b/0001.md"}, "must be in a folder that exists"),
    ({"out": "shop.yaml/../a/0001.md"}, "must be in a folder that exists"),
    ({"out": "README.md"}, "is there, and is no decision record"),
]


@pytest.mark.parametrize(("asked", "said"), BAD)
def test_bad_input_is_one_line_and_exit_2_and_nothing_is_written(
    asked: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario_file(tmp_path)
    (tmp_path / "README.md").write_text("# Mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    words = {"chosen": "kafka", "out": "decisions/0001.md"} | asked
    code = run(["record", "shop.yaml", "--chosen", words["chosen"], "--out", words["out"], "--jobs", "1"])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_line_writes_a_record_of_a_scenario_that_is_called_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edasim.record.evidence.tipping_points", tipping_by_hand)
    monkeypatch.chdir(tmp_path)
    scenario_file(tmp_path).rename("verify")
    shown = ["--set", "seed=7", "--set", "question=a b", "--replications", "3", "--budget", "3", "--jobs", "1"]
    assert run(["record", "./verify", "--chosen", "kafka", "--out", "decisions/0001.md", *shown]) == 0
    assert capsys.readouterr().out == "record: decisions/0001.md\n"
    text = Path("decisions/0001.md").read_text(encoding="utf-8")
    assert "edasim check ../verify --option kafka --set seed=7 --set 'question=a b' --replications 3 --budget 3\n" in text
    record = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    assert (record["scenario_file"], record["overrides"]) == ("../verify", {"seed": 7, "question": "a b"})


@pytest.mark.parametrize("shared", ["incidents.restart.per_year", "requirements.0.at_most", "assumptions.0.range", "already_run"])
def test_an_option_sets_nothing_that_is_read_of_the_scenario_alone(shared: str) -> None:
    """A check would take the scenario's, and the search for tipping points the option's."""
    options = [{"name": "kafka", "pattern": "cqrs", "set": {shared: 1}}]
    with pytest.raises(InputError, match=f"option kafka: set.{shared} is not allowed: all options share .*incidents, options, requ"):
        candidates_of(Scenario(**SHOP | {"options": options}))


# --- what vouches ------------------------------------------------------------------------------------------------------------


def test_every_family_that_vouches_is_among_the_oracles_and_every_other_family_vouches_for_something() -> None:
    rows = pd.read_csv(DATA / "oracles" / "oracles.csv")["id"]
    families = {row.split("-")[0] for row in rows}
    named = {family for mechanism in MECHANISMS for family in mechanism.rows}
    assert named <= families
    assert families - named == {"LAW", "COV", "MSER"}, "these are about the statistics"


def test_what_no_row_vouches_for_says_so() -> None:
    struck = Scenario(
        broker={"outages": {"windows": [[1, 2]], "kind": "power"}},
        source={"publish": "outbox", "relay": {"outages": {"windows": [[1, 2]]}}},
        consumers=[{"name": "a", "deduplicate": True, "failure_rate": 0.1, "outages": {"windows": [[3, 4]]}}],
    )
    found = {each.name: each.rows for each in mechanisms_of(candidates_of(struck, ["cqrs"])[0])}
    alone = ("relays that fail", "power losses of the broker", "deduplication", "failing messages and dead letters")
    assert [found[name] for name in (*alone, "rebalances of a consumer group")] == [()] * 5
    assert found["failover of a replicated log"] == ("FAIL", "QRM")
    calls = {each.name for each in mechanisms_of(candidates_of(struck, ["request_response"])[0])}
    assert calls == {"servers that calls wait for"}, "what sends nothing needs no broker to be right"


def test_what_never_fails_needs_nothing_that_vouches_for_failures() -> None:
    never: dict[str, Any] = {"windows": []}
    calm = Scenario(
        broker={"outages": {**never, "kind": "power"}},
        source={"publish": "outbox", "outages": never, "relay": {"outages": never}},
        network={"outages": never},
        consumers=[{"name": "a", "outages": never}],
        incidents=[
            {"name": name, "component": name, "per_year": 0, "down": "1s"} for name in ("broker", "network", "relay", "source", "a")
        ],
    )
    usual = Scenario(source={"publish": "outbox"}, consumers=[{"name": "a"}])
    found, without = (mechanisms_of(candidates_of(scenario, ["cqrs"])[0]) for scenario in (calm, usual))
    assert found == without


def test_writing_takes_a_folder_that_exists_or_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.record.evidence.tipping_points", tipping_by_hand)
    file = scenario_file(tmp_path)
    assert write(file, "rest", tmp_path / "0001.md").put_back == ()
    text = (tmp_path / "0001.md").read_text(encoding="utf-8")
    (tmp_path / "0001.md").write_text(
        "".join(str(part) for part in parts_of(text, "r") if not isinstance(part, Block) or part.name != "drivers")
    )
    assert write(file, "rest", tmp_path / "0001.md").put_back == ("drivers",)
    assert (tmp_path / "0001.md").read_text(encoding="utf-8").count("## Decision Drivers") == 1


def test_what_people_wrote_while_it_was_made_survives_too(sign: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    record = sign()

    def meanwhile(*asked: Any, **how: Any) -> TippingPoints:
        record.write_text(record.read_text(encoding="utf-8") + "Meanwhile.", encoding="utf-8")
        return tipping_by_hand(*asked, **how)

    monkeypatch.setattr("signing.tipping_by_hand", meanwhile)
    sign()
    assert record.read_text(encoding="utf-8").endswith("Meanwhile.")
