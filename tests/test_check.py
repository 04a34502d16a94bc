"""A check: verdicts with as many replications as they take, and where within what is assumed they hold."""

from functools import partial
from math import inf, isnan
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from scipy.stats import binom
from tiny import QUIET, merged, quiet

from edasim import InputError, Scenario, candidates_of
from edasim.cli import run
from edasim.comparison import Comparison
from edasim.decision import checking
from edasim.decision.check_words import as_junit, in_words
from edasim.decision.checking import check, more_replications
from edasim.metrics import Value
from edasim.verdicts import Verdict

STATE = "event_carried_state_transfer"
HARDLY = {"latency": 0, "loss": 1e-9}  # there is a way to lose a message, which no run meets
SURE = partial(check, options=[STATE], replications=2, jobs=1)


def handled(limit: str, *ranges: dict[str, Any]) -> Scenario:
    """One consumer who takes 10 ms for each message, 5 ms after it was published: the mean latency is 15 ms, without any noise."""
    billing = {"name": "billing", "instances": 50, "handle_time": "10ms"}
    way = {"latency": {"publish": "5ms", "deliver": 0, "call": 0}}
    required = [{"metric": "latency_mean", "at_most": limit}]
    broker = {"kind": "queue", "replicas": 1}  # instances compete, so nobody waits
    return quiet(duration="20s", consumers=[billing], network=way, broker=broker, requirements=required, assumptions=list(ranges))


def guess(path: str, *ends: str, basis: str = "guess") -> dict[str, Any]:
    return {"path": path, "range": list(ends), "basis": basis}


HANDLING, PUBLISHING = "consumers.billing.handle_time", "network.latency.publish"


# Within the assumptions


@pytest.mark.parametrize(
    ("ends", "word", "met"),
    [(("5ms", "12ms"), "everywhere", 3), (("5ms", "50ms"), "in part", 2), (("20ms", "50ms"), "in part", 1)],
)
def test_a_requirement_is_met_where_the_arithmetic_says_within_what_is_assumed(ends: tuple[str, str], word: str, met: int) -> None:
    found = SURE(handled("20ms", guess(HANDLING, *ends))).within
    assert found[["points", "met", "within"]].to_numpy().tolist() == [[3, met, word]]


def test_a_requirement_that_is_violated_at_both_ends_and_as_it_is_is_met_nowhere() -> None:
    assert SURE(handled("9ms", guess(HANDLING, "5ms", "50ms"))).within["within"].tolist() == ["nowhere"]


def test_two_guesses_that_are_harmless_alone_are_tried_together_at_their_worst_ends() -> None:
    apart = [guess(HANDLING, "8ms", "16ms"), guess(PUBLISHING, "2ms", "11ms")]  # 21 and 21 ms alone, 27 ms together
    found = SURE(handled("22ms", *apart)).within
    assert found[["points", "met", "violated", "within"]].to_numpy().tolist() == [[9, 8, 1, "in part"]]


def test_the_guess_that_turns_the_verdict_is_named_first_and_what_was_measured_never() -> None:
    measured = guess("network.latency.deliver", "0", "90ms", basis="measured")
    ranges = [guess(HANDLING, "1ms", "16ms"), guess(PUBLISHING, "4ms", "30ms"), measured]
    first = SURE(handled("22ms", *ranges)).first
    assert first.startswith("**Measure `network.latency.publish` before anything else**")
    assert "At 30 ms `latency_mean at most 22ms`" in first
    assert "changes by +25 ms, and then it is violated" in first
    assert SURE(handled("22ms", guess("read_model.servers", 1, 8))).first == "**No guess** clearly changes what is required."


def test_without_a_range_or_if_not_asked_for_nothing_is_said_of_assumptions() -> None:
    no_range = SURE(handled("20ms", {"path": HANDLING, "basis": "guess"}))
    not_asked = SURE(handled("20ms", guess(HANDLING, "5ms", "12ms")), assumptions=False)
    for found in (no_range, not_asked):
        assert (found.first, len(found.within), "assumed" in in_words(found)) == ("", 0, False)


# How many replications


def drawn(truth: float, rng: np.random.Generator) -> Any:
    """What stands in for a comparison: values of one metric drawn around *truth* for each replication."""

    def comparison_of(scenario: Scenario, numbers: range, patterns: Any = None, options: Any = None, **how: Any) -> Comparison:
        values = {number: Value("staleness_mean", float(rng.normal(truth, 1.0)), "s") for number in numbers}
        return Comparison(
            scenario, 1, tuple(candidates_of(scenario, None, options)), {("cqrs", "", "", "staleness_mean", ""): values}, len(numbers)
        )

    return comparison_of


ONE = Scenario(requirements=[{"metric": "staleness_mean", "at_most": 10}])


def test_where_the_truth_is_at_the_limit_a_check_decides_in_one_of_twenty_at_most_however_often_it_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checking, "comparison_of", drawn(10.0, np.random.default_rng(3)))
    decided = sum(check(ONE, ["cqrs"], replications=5, budget=40).outcome != "undecided" for _ in range(300))
    assert decided <= binom.ppf(0.999, 300, 0.05)


def test_replications_are_added_until_it_is_decided_or_the_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {}
    for truth in (9.9, 9.3, 7.0):
        monkeypatch.setattr(checking, "comparison_of", drawn(truth, np.random.default_rng(4)))
        found = check(ONE, ["cqrs"], replications=5, budget=40)
        used[truth] = found.outcome, found.comparison.replications
    assert used[7.0] == ("met", 5)
    assert used[9.3][0] == "met"
    assert 5 < used[9.3][1] <= 40
    assert used[9.9] == ("undecided", 40)


def test_so_many_more_as_it_says_decide_a_verdict_more_often_than_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, enough = np.random.default_rng(5), []
    for _ in range(60):
        monkeypatch.setattr(checking, "comparison_of", drawn(9.5, rng))
        first = check(ONE, ["cqrs"], replications=8, budget=8)
        if first.outcome == "undecided":
            more = float(first.verdicts["more"].iloc[0])
            count = 8 + int(more)
            enough.append(check(ONE, ["cqrs"], replications=count, budget=count).outcome == "met")
    assert len(enough) > 30
    assert sum(enough) > binom.ppf(0.01, len(enough), 0.5)


def test_what_more_replications_it_takes_by_hand() -> None:
    said = Verdict("", "", "", "", "", "s", 1.9, 1.6, 2.2, "at most", 2.0, "undecided")
    assert more_replications(said, 10) == 80
    assert more_replications(said._replace(side="at least", limit=1.8), 10) == 80
    assert more_replications(said._replace(mean=2.1, low=1.9, high=2.5), 10) == 30
    assert more_replications(said._replace(mean=0.0, low=0.0, high=6.0), 10) == 20
    assert more_replications(said._replace(mean=0.0, low=0.0, high=6.0, limit=0.0), 10) == inf
    assert isnan(more_replications(said._replace(high=float("nan")), 10))
    assert isnan(more_replications(said._replace(verdict="met"), 10))


def test_that_none_was_seen_never_shows_that_there_is_none_so_no_budget_is_spent_on_it() -> None:
    scenario = quiet(duration="20s", network=HARDLY, requirements=[{"metric": "loss_rate", "at_most": 0}])
    found = check(scenario, [STATE], replications=2, budget=40, jobs=1)
    assert (found.outcome, found.comparison.replications) == ("undecided", 2)
    assert "no number of replications shows that there is none" in in_words(found)
    assert check(scenario, ["request_response"], replications=2, jobs=1).outcome == "met", "no message is sent: zero by nature"
    relayed = scenario.with_overrides({"source.publish": "outbox"})
    assert check(relayed, [STATE], replications=2, jobs=1).outcome == "met", "what is lost on the way is sent again"


# What it comes to


def test_of_several_options_one_that_meets_all_is_enough() -> None:
    scenario = quiet(duration="20s", requirements=[{"metric": "stale_fraction", "at_most": 0}])
    found = check(scenario, ["request_response", "polling"], replications=2, jobs=1)
    assert found.outcomes == {"request_response": "met", "polling": "violated"}
    assert found.outcome == "met"
    assert check(scenario, ["polling"], replications=2, jobs=1).outcome == "violated"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(merged(QUIET, {"name": "tiny", "duration": "20s", "network": HARDLY})))
    return path


@pytest.mark.parametrize(
    ("required", "code"),
    [
        ("[{metric: latency_mean, at_most: 1s}]", 0),
        ("[{metric: stale_fraction, at_least: 50%}]", 1),
        ("[{metric: loss_rate, at_most: 0}]", 3),
        ("[{metric: latency_maen, at_most: 1s}]", 2),
        ("[]", 2),
    ],
)
def test_the_exit_code_is_the_verdict(file: Path, required: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["check", str(file), "--option", STATE, "--set", f"requirements={required}", "--replications", "2", "--jobs", "1"]
    assert run(asked) == code
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == (code == 2)
    assert bool(out) == (code != 2)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--option", "cqsr"], "did you mean cqrs"),
        (["--option", "cqrs", "--pattern", "cqrs"], "give --option or --pattern, not both"),
        (["--budget", "0"], "budget: 0 is not allowed"),
        (["--junit", "/nowhere/at/all.xml"], "must be a file in a folder that exists"),
        (["--set", "requirements=[{metric: loss_rate, at_most: 1%, at_least: 2%}]"], "at least 2% and at most 1% contradict each other"),
        (
            ["--set", "requirements=[{metric: latency_p99, at_most: 1s}, {metric: latency_p99, at_least: 2s, consumer: billing}]"],
            "requirements on latency_p99: at least 2s and at most 1s contradict each other",
        ),
    ],
)
def test_what_can_not_be_checked_is_refused_in_one_line(
    file: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    required = ["--set", "requirements=[{metric: loss_rate, at_most: 1%}]"]
    assert run(["check", str(file), *required, *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert line in err


def test_limits_of_different_consumers_do_not_contradict_each_other() -> None:
    apart = [{"metric": "latency_p99", "at_most": "1s", "consumer": "a"}, {"metric": "latency_p99", "at_least": "2s", "consumer": "b"}]
    checking.check_requirements(Scenario(consumers=[{"name": "a"}, {"name": "b"}], requirements=apart))


def test_junit_has_a_test_for_each_requirement_and_survives_hostile_names() -> None:
    required = [
        {"metric": "stale_fraction", "at_least": "50%"},
        {"metric": "loss_rate", "at_most": 0},
        {"metric": "loss_rate", "at_most": 0.5},
    ]
    scenario = quiet(name='<b>"&]]>', duration="20s", network=HARDLY, requirements=required)
    suite = ElementTree.fromstring(as_junit(check(scenario, [STATE], replications=2, jobs=1))).find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("name", "tests", "failures", "errors")] == [f'<b>"&]]>: {STATE}', "3", "1", "1"]
    assert [[child.tag for child in case] for case in suite] == [["failure"], ["error"], ["system-out"]]


def test_nothing_is_written_of_a_check_that_was_refused(file: Path, tmp_path: Path) -> None:
    out, junit = tmp_path / "check.json", tmp_path / "check.xml"
    assert (
        run(
            [
                "check",
                str(file),
                "--option",
                "none",
                "--out",
                str(out),
                "--junit",
                str(junit),
                "--set",
                "requirements=[{metric: loss_rate, at_most: 1}]",
            ]
        )
        == 2
    )
    assert not out.exists()
    assert not junit.exists()
    asked = ["--set", "requirements=[{metric: loss_rate, at_most: 1}]", "--replications", "2", "--jobs", "1"]
    assert run(["check", str(file), "--option", STATE, "--format", "json", "--out", str(out), "--junit", str(junit), *asked]) == 0
    assert '"outcome": "met"' in out.read_text()
    assert 'tests="1"' in junit.read_text()


# What a review found


def test_an_assumed_input_that_the_option_sets_itself_is_varied_there() -> None:
    scenario = handled("20ms", guess(HANDLING, "5ms", "50ms"))
    option = {"name": "cdc", "pattern": STATE, "set": {HANDLING: "10ms"}}
    found = check(scenario.with_overrides({"options": [option]}), ["cdc"], replications=2, jobs=1)
    assert found.within[["points", "met", "within"]].to_numpy().tolist() == [[3, 2, "in part"]]
    assert "`consumers.billing.handle_time` before anything else" in found.first


def test_what_is_required_is_no_assumption() -> None:
    with pytest.raises(InputError, match=r"assumptions: requirements\.0\.at_most is no input of a run"):
        SURE(handled("20ms", guess("requirements.0.at_most", "1ms", "2ms")))


def test_what_was_not_simulated_takes_none_of_the_budget() -> None:
    scenario = quiet(duration="20s", requirements=[{"metric": "lost_per_year", "at_most": 1}])
    found = check(scenario, [STATE], replications=2, budget=40, jobs=1)
    assert (found.outcome, found.comparison.replications) == ("undecided", 2)
    assert "undecided  lost_per_year at most 1: not simulated" in in_words(found)


def test_that_all_reads_were_answered_is_shown_as_fast_as_that_none_was_lost() -> None:
    said = Verdict("", "", "", "", "read_availability", "share", 1.0, 0.997, 1.0, "at least", 0.999, "undecided")
    assert more_replications(said, 10) == 20


def test_a_name_that_gives_a_terminal_a_command_is_refused_without_giving_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"name: a.*\[31mb is not allowed"):
        quiet(name="a\x1b[31mb")
    assert run(["check", str(file), "--set", 'name="a\x1b[31mb"']) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1


def test_two_inputs_that_only_matter_together_are_tried_at_all_four_combinations_of_their_ends() -> None:
    busy = {"name": "billing", "instances": 1, "handle_time": "1ms"}
    queue = {"kind": "queue", "replicas": 1, "max_length": 10000, "overflow": "drop_oldest"}
    ranges = [guess(HANDLING, "1ms", "100ms"), guess("broker.max_length", 20, 10000), guess("read_model.servers", 1, 8)]  # type: ignore[arg-type]
    required = [{"metric": "loss_rate", "at_most": "1%"}]
    scenario = quiet(duration="60s", consumers=[busy], broker=queue, requirements=required, assumptions=ranges)
    assert SURE(scenario).within[["violated", "within"]].to_numpy().tolist() == [[1, "in part"]]


def test_what_was_seen_violates_a_limit_of_none() -> None:
    scenario = quiet(
        duration="20s", network={"loss": 0.02}, source={"producer": {"acks": 0}}, requirements=[{"metric": "loss_rate", "at_most": 0}]
    )
    assert SURE(scenario).outcome == "violated"


def test_an_interval_that_ends_at_what_is_possible_tells_by_its_other_half() -> None:
    said = Verdict("", "", "", "", "diverged_entities", "entities", 2.0, 0.0, 5.0, "at most", 1.0, "undecided")
    assert more_replications(said, 10) == 80


def test_what_the_bound_of_the_unseen_takes_for_granted_is_said() -> None:
    said = in_words(SURE(quiet(duration="60s", network=HARDLY, requirements=[{"metric": "loss_rate", "at_most": 0.5}])))
    assert "none was seen; the bound holds for what comes one at a time" in said


def test_nothing_is_written_over_the_scenario(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_text()
    for command in (["check", "--option", STATE], ["choose"], ["compare"]):
        assert run([command[0], str(file), *command[1:], "--out", str(file)]) == 2
        assert "it would be written over what is read" in capsys.readouterr().err
    assert run(["check", str(file), "--out", str(file.with_suffix(".txt")), "--junit", str(file.with_suffix(".txt"))]) == 2
    assert file.read_text() == before
