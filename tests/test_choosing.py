"""Choosing: vetoes, what is left, who wins by weights and for how long, what to relax, and the smallest step."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from edasim import InputError, Scenario, candidates_of, cli
from edasim.comparison import Comparison
from edasim.decision.choosing import choose, relaxed_limit, rounded_away, what_is_left
from edasim.decision.smallest_step import new_parts, smallest_steps, what_is_smallest
from edasim.decision.weighing import total, weigh, weight_range
from edasim.metrics import Value
from edasim.verdicts import verdicts_of

NAMES = ("request_response", "cached_reads", "polling", "event_carried_state_transfer", "cqrs")
STEPS = (-1.0, 0.0, 1.0)
LIMITS = ({"metric": "staleness_p95", "at_most": "2s"}, {"metric": "read_availability", "at_least": "99%"})
UNITS = {"staleness_p95": "s", "read_availability": "share", "storage_bytes": "bytes", "lost_per_year": "messages"}

Numbers = dict[tuple[str, str, str], tuple[float, float]]  # (option, consumer, metric) -> mean, and by how much replications differ


def measured(numbers: Numbers, *requirements: dict[str, Any], **scenario: Any) -> Comparison:
    """A comparison in which these numbers came out of three replications."""
    found = Scenario(consumers=[{"name": "billing"}, {"name": "stock"}], requirements=requirements, **scenario)
    values = {
        (option, consumer, "", metric, ""): {
            run: Value(metric, mean + step * apart, UNITS[metric], consumer) for run, step in enumerate(STEPS)
        }
        for (option, consumer, metric), (mean, apart) in numbers.items()
    }
    names = [name for name in NAMES if any(option == name for option, _, _ in numbers)]
    return Comparison(found, 1, tuple(candidates_of(found, names)), values, len(STEPS))


def plain(already_run: Sequence[str] = (), **options: tuple[float, float]) -> Comparison:
    """Options with a staleness and an availability that hardly vary."""
    stale = {(name, "billing", "staleness_p95"): (seconds, 0.001) for name, (seconds, _) in options.items()}
    there = {(name, "billing", "read_availability"): (share, 1e-6) for name, (_, share) in options.items()}
    return measured(stale | there, *LIMITS, already_run=already_run)


# Vetoes and the front


def test_who_violates_a_requirement_is_out_however_good_it_is_otherwise() -> None:
    found = choose(plain(cached_reads=(0.0, 0.98), request_response=(1.0, 0.9999), cqrs=(1.9, 0.9901)))
    assert found.vetoes == {"cached_reads": ("read_availability at least 99%",)}
    assert found.beaten == {"cqrs": ("request_response",)}
    assert found.front == ("request_response",)
    assert set(found.meets) == {"request_response", "cqrs"}
    assert found.closest == ()
    text = what_is_left(found)
    assert "* **To choose from**: `request_response`." in text
    assert "`cqrs` is beaten by `request_response`: nowhere better in the mean, clearly worse somewhere" in text


def test_who_brings_parts_that_another_does_not_need_does_not_beat_it() -> None:
    comparison = plain(cached_reads=(0.02, 0.999), cqrs=(0.001, 0.999))  # 19 ms, where 2 s are allowed
    found = choose(comparison)
    assert (found.beaten, found.spared, found.front) == ({}, {"cached_reads": ("cqrs",)}, ("cached_reads", "cqrs"))
    assert "`cached_reads` remains, as what would beat it by what is required brings parts that it does not need: `cqrs`." in what_is_left(
        found
    )
    there = [*new_parts(comparison)["cqrs"]]
    found = choose(plain(already_run=there, cached_reads=(0.02, 0.999), cqrs=(0.001, 0.999)))
    assert (found.beaten, found.spared, found.front) == ({"cached_reads": ("cqrs",)}, {}, ("cqrs",))


def test_the_smallest_step_is_always_left_to_choose_from() -> None:
    rng = np.random.default_rng(4)
    seen = 0
    for _ in range(60):
        numbers: Numbers = {(name, "billing", "staleness_p95"): (rng.uniform(0, 2.5), 10 ** rng.uniform(-3, 0)) for name in NAMES}
        numbers |= {(name, "billing", "read_availability"): (rng.uniform(0.985, 1), 10 ** rng.uniform(-6, -3)) for name in NAMES}
        comparison = measured(numbers, *LIMITS)
        smallest = {*smallest_steps(comparison).smallest}
        assert smallest <= {*choose(comparison).front}
        seen += bool(smallest)
    assert seen > 10


def test_who_may_violate_something_does_not_beat_who_is_sure_not_to() -> None:
    numbers = {("request_response", "billing", "staleness_p95"): (1.0, 0.5), ("cqrs", "billing", "staleness_p95"): (1.1, 0.01)}
    numbers |= {
        ("request_response", "billing", "read_availability"): (0.999, 1e-6),
        ("cqrs", "billing", "read_availability"): (0.995, 1e-6),
    }
    found = choose(measured(numbers, *LIMITS))  # 1.0 s may be 2.2 s
    assert found.undecided == {"request_response": ("staleness_p95 at most 2s",)}
    assert (found.beaten, found.spared, found.front) == ({}, {}, ("request_response", "cqrs"))


def test_a_vetoed_option_beats_nobody() -> None:
    numbers = {("cqrs", "billing", "staleness_p95"): (2.1, 0.001), ("polling", "billing", "staleness_p95"): (2.2, 0.5)}
    numbers |= {("cqrs", "billing", "read_availability"): (0.9999, 1e-6), ("polling", "billing", "read_availability"): (0.991, 1e-6)}
    found = choose(measured(numbers, *LIMITS))  # polling may meet all, though cqrs is better in both means
    assert (found.vetoes, found.beaten, found.front) == ({"cqrs": ("staleness_p95 at most 2s",)}, {}, ("polling",))


def test_undecided_is_no_veto_and_is_said() -> None:
    numbers = {("cqrs", "billing", "staleness_p95"): (1.9, 0.5)}
    found = choose(measured(numbers, LIMITS[0]))
    assert (found.vetoes, found.undecided, found.front, found.meets) == ({}, {"cqrs": ("staleness_p95 at most 2s",)}, ("cqrs",), ())
    assert "No option is sure to meet all requirements" in what_is_left(found)


def test_where_nothing_is_required_all_are_left() -> None:
    found = choose(measured({("cqrs", "billing", "staleness_p95"): (1.9, 0.5)}))
    assert (found.vetoes, found.meets) == ({}, ("cqrs",))
    assert what_is_left(found)


# Weights


def test_a_weight_s_range_is_where_a_scan_of_all_weights_finds_the_same_winner() -> None:
    rng = np.random.default_rng(1)
    grid = np.concatenate([np.linspace(0, 20, 20_001), [1e6]])
    for _ in range(200):
        table = rng.uniform(0, 1, (rng.integers(2, 6), 3))
        weights = dict(zip("xyz", rng.uniform(0, 5, 3), strict=True))
        sizes = {f"o{row}": dict(zip("xyz", of, strict=True)) for row, of in enumerate(table.tolist())}
        winner = min(sizes, key=lambda name: total(sizes[name], weights))
        assert winner == f"o{int(np.argmin(table @ list(weights.values())))}"
        for column, metric in enumerate("xyz"):
            others = table @ [0 if name == metric else weight for name, weight in weights.items()]
            wins = np.argmin(others[:, None] + table[:, column][:, None] * grid, axis=0)
            stays = grid[wins == int(winner[1:])]
            found = weight_range(sizes, winner, weights, metric)
            assert found.low <= weights[metric] <= found.high
            inside = grid[(grid > found.low) & (grid < found.high)]
            np.testing.assert_array_equal(inside, stays[(stays > found.low) & (stays < found.high)])
            assert not ((stays < found.low - 1e-9) | (stays > found.high + 1e-9)).any()
            if found.above and found.high < 19:
                assert f"o{wins[np.searchsorted(grid, found.high + 1e-9)]}" == found.above
            if found.below and 0.002 < found.low < 20:
                assert f"o{wins[np.searchsorted(grid, found.low - 1e-9) - 1]}" == found.below


def test_a_weight_is_of_multiples_of_the_limit_and_of_a_share_what_is_missing_counts() -> None:
    found = choose(plain(request_response=(0.4, 0.991), cqrs=(1.6, 0.999)), {"staleness_p95": 1, "read_availability": 1})
    assert found.weighed is not None  # 0.2 + 0.9 against 0.8 + 0.1
    assert found.weighed.winner == "cqrs"
    stale, there = found.weighed.ranges
    assert (stale.low, stale.high, stale.above) == (0, pytest.approx(0.8 / 0.6), "request_response")
    assert (there.low, there.below, there.high) == (pytest.approx(0.6 / 0.8), "request_response", float("inf"))
    text = what_is_left(found)
    assert "`cqrs` stays the winner for a weight of `staleness_p95` up to about 1.3 (now 1): above that `request_response` wins" in text
    assert "from about 0.75 on (now 1): below that `request_response` wins" in text
    assert "1.1" not in text  # no score
    assert "0.9" not in text.replace("0.99", "")


def test_the_worst_of_several_limits_on_a_metric_counts() -> None:
    numbers = {("cqrs", "billing", "staleness_p95"): (1.0, 0.0), ("cqrs", "stock", "staleness_p95"): (8.0, 0.0)}
    numbers |= {("polling", "billing", "staleness_p95"): (1.5, 0.0), ("polling", "stock", "staleness_p95"): (2.0, 0.0)}
    limits = (
        {"metric": "staleness_p95", "at_most": 2, "consumer": "billing"},
        {"metric": "staleness_p95", "at_most": 10, "consumer": "stock"},
    )
    assert weigh(measured(numbers, *limits), ["cqrs", "polling"], {"staleness_p95": 1}).winner == "polling"  # 0.8 and 0.75


def test_who_does_not_have_a_metric_has_none_of_it() -> None:
    numbers = {("cqrs", "billing", "staleness_p95"): (1.0, 0.0), ("request_response", "billing", "storage_bytes"): (1.0, 0.0)}
    found = choose(measured(numbers, LIMITS[0]), {"staleness_p95": 1})
    assert found.weighed is not None
    assert (found.weighed.winner, found.weighed.ties) == ("request_response", {})


def test_who_can_t_be_told_from_the_winner_is_named_and_shared_luck_tells_more_apart() -> None:
    noisy = {("polling", "billing", "staleness_p95"): (1.0, 0.3), ("cqrs", "billing", "staleness_p95"): (1.05, 0.3)}
    found = choose(measured(noisy, LIMITS[0]), {"staleness_p95": 1})
    assert found.weighed is not None
    assert (found.weighed.winner, found.weighed.ties) == ("polling", {})  # the difference is 0.05 in each replication
    apart = measured(noisy, LIMITS[0])
    key = ("cqrs", "billing", "", "staleness_p95", "")
    other_luck = {run: apart.values[key][(run + 1) % 3] for run in range(3)}
    again = Comparison(apart.scenario, 1, apart.candidates, {**apart.values, key: other_luck}, 3)
    found = choose(again, {"staleness_p95": 1})
    assert found.weighed is not None
    text = what_is_left(found)
    assert [*found.weighed.ties] == ["cqrs"]
    assert "and `cqrs` can't be told apart from it" in text
    apart_by = np.array([-0.3, 0.0, 0.3]) - (0.05 + np.array([0.0, 0.3, -0.3]))  # by hand: Student's t of the paired differences
    most = apart_by.mean() + t.ppf(0.975, 2) * apart_by.std(ddof=1) / 3**0.5
    assert f"`cqrs` may come out as well: it may be better in `staleness_p95` by up to {most:.2g} s." in text


def test_a_tie_by_what_was_the_same_in_every_run_says_so() -> None:
    comparison = plain(cached_reads=(0.005, 1.0), cqrs=(0.001, 1.0))
    answered = {
        (option, "billing", "", "read_availability", ""): {
            run: Value("read_availability", 1.0, "share", "billing", nature="rate", trials=1000) for run in range(3)
        }
        for option in ("cached_reads", "cqrs")
    }
    again = Comparison(comparison.scenario, 1, comparison.candidates, {**comparison.values, **answered}, 3)
    found = choose(again, {"staleness_p95": 1, "read_availability": 1})
    assert found.weighed is not None
    assert (found.weighed.winner, [*found.weighed.ties]) == ("cqrs", ["cached_reads"])
    unseen = 1 - 0.05 ** (1 / 3000)  # the rate at which none in 3000 is seen 5 % of the time
    said = f"it may be better in `read_availability` by up to {100 * unseen:.1g} pp, though it came out the same in every replication."
    assert said in what_is_left(found)
    assert "better in `staleness_p95`" not in what_is_left(found)


def test_who_is_beaten_is_not_weighed() -> None:
    comparison = plain(request_response=(0.0, 0.9951), cqrs=(0.5, 0.995))
    found = choose(comparison, {"read_availability": 1})
    assert (found.beaten, found.front) == ({"cqrs": ("request_response",)}, ("request_response",))
    assert found.weighed is not None
    assert (found.weighed.winner, found.weighed.ties) == ("request_response", {})


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"staleness_p99": 1}, r"weights: staleness_p99 is not required: did you mean staleness_p95\?"),
        ({"staleness_p95": -1}, "weights: staleness_p95: -1 is not allowed"),
        ({"staleness_p95": float("inf")}, "weights: staleness_p95: inf is not allowed"),
        ({"staleness_p95": 0, "read_availability": 0}, "one of them must be above 0"),
        ({}, "one of them must be above 0"),
    ],
)
def test_impossible_weights_are_refused(weights: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        choose(plain(cqrs=(1.0, 0.999)), weights)


def test_a_limit_that_leaves_no_room_can_not_be_weighed() -> None:
    zero = measured({("cqrs", "billing", "staleness_p95"): (0.0, 0.0)}, {"metric": "staleness_p95", "at_most": 0})
    with pytest.raises(InputError, match="staleness_p95: its limit leaves no room"):
        choose(zero, {"staleness_p95": 1})


# What to relax


def test_the_closest_are_those_that_no_other_comes_closer_than() -> None:
    storage = {"metric": "storage_bytes", "at_most": "1kB"}
    means = {
        "polling": (3.0, 0.999, 10.0),
        "cqrs": (3.0, 0.98, 10.0),
        "cached_reads": (1.0, 0.999, 5e3),
        "request_response": (4.0, 0.999, 10.0),
    }
    metrics = ("staleness_p95", "read_availability", "storage_bytes")
    numbers = {(name, "billing", metric): (mean, 1e-4) for name, of in means.items() for metric, mean in zip(metrics, of, strict=True)}
    found = choose(measured(numbers, *LIMITS, storage))
    assert [(each.option, each.requirement) for each in found.closest] == [
        ("polling", "staleness_p95 at most 2s"),
        ("cached_reads", "storage_bytes at the end of the window at most 1kB"),
    ]
    assert found.closest[0].met_by == ("cached_reads",)
    assert "No option meets all requirements" in what_is_left(found)


def test_with_its_limits_relaxed_as_told_an_option_meets_them_and_with_a_digit_less_it_would_not() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        numbers: Numbers = {}
        for consumer, metric in product(("billing", "stock"), UNITS):
            mean = rng.uniform(0.5, 0.95) if metric == "read_availability" else 10 ** rng.uniform(1, 6)
            numbers["cqrs", consumer, metric] = (mean, mean * 10 ** rng.uniform(-3, -2))
        limits = [{"metric": metric, "at_most": 1} for metric in UNITS if metric not in ("read_availability", "lost_per_year")] + [
            LIMITS[1]
        ]
        comparison = measured(numbers, *limits)
        found = choose(comparison)
        assert len(found.closest) == 3
        for each, asked in zip(found.closest, comparison.scenario.requirements, strict=True):
            side = "at_least" if asked.at_least else "at_most"
            relaxed = asked.model_copy(update={side: each.limit})
            verdict = verdicts_of([relaxed], ["cqrs"], comparison.results).iloc[0]
            assert verdict["verdict"] == "met", (each, verdict)
            rows = comparison.results[comparison.results["metric"] == asked.metric]
            worst = rows["low"].min() if side == "at_least" else rows["high"].max()
            slack = abs(float(verdict["limit"]) - worst)
            assert slack <= 0.1 * (rows["high"] - rows["low"]).max() / 2 + 1e-9 * abs(worst)


def test_every_end_of_an_interval_has_a_limit_whatever_its_last_bit() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        mean, half = round(rng.uniform(3, 99), 1), float(rng.choice([0.0, 0.1, 0.01, 1e-7]))
        comparison = measured({("cqrs", "billing", "staleness_p95"): (mean, half)}, LIMITS[0])
        limit = relaxed_limit(comparison.results, "cqrs", comparison.scenario.requirements[0], "at most")
        relaxed = [comparison.scenario.requirements[0].model_copy(update={"at_most": limit})]
        assert verdicts_of(relaxed, ["cqrs"], comparison.results)["verdict"].tolist() == ["met"]


def test_what_has_no_interval_can_not_be_relaxed_to_any_limit() -> None:
    once = Value("staleness_p95", 9.0, "s", "billing")
    one = measured({("cqrs", "billing", "staleness_p95"): (9.0, 0.0)}, LIMITS[0])
    single = Comparison(one.scenario, 1, one.candidates, {("cqrs", "billing", "", "staleness_p95", ""): {0: once}}, 1)
    assert relaxed_limit(single.results, "cqrs", one.scenario.requirements[0], "at most") is None


def test_a_limit_keeps_the_digits_of_its_interval() -> None:
    assert rounded_away(1234.5678, 100, "", "at most") == 1240
    assert rounded_away(59.96, 0.5, "s", "at most") == "59.96s"
    assert rounded_away(61.0, 6.0, "s", "at most") == "1.02min"
    assert rounded_away(2.34e9, 1e8, "bytes", "at most") == "2.34GB"
    assert rounded_away(5.0, 0.0, "s", "at most") == "5s"


# The smallest step


def fine(*names: str, stale: float = 1.0, **more: Any) -> Comparison:
    numbers = {(name, "billing", "staleness_p95"): (0.0 if name == "request_response" else stale, 0.01) for name in names}
    return measured(numbers, LIMITS[0], **more)


def test_the_smallest_step_is_by_sets_of_parts_and_never_by_their_number() -> None:
    found = smallest_steps(fine("request_response", "cached_reads", "cqrs"))
    assert found.smallest == {"request_response": ()}
    assert [(step.option, step.to) for step in found.up] == [("request_response", "cached_reads"), ("request_response", "cqrs")]
    found = smallest_steps(fine("cached_reads", "polling", "event_carried_state_transfer"))
    assert [*found.smallest] == ["cached_reads", "polling", "event_carried_state_transfer"]  # one part, two, and many: none within another
    assert "None of these is simpler than another" in what_is_smallest(found)


def test_what_the_team_runs_already_makes_no_step() -> None:
    running = ["kafka", "message key", "lag monitoring", "schema registry", "backfill", "versioned rows", "local copy"]
    found = smallest_steps(fine("polling", "event_carried_state_transfer", already_run=running))
    assert found.smallest == {"event_carried_state_transfer": ()}
    assert [(step.to, step.parts) for step in found.up] == [("polling", ("bulk refresh job",))]


def test_who_violates_something_is_no_step() -> None:
    found = smallest_steps(plain(request_response=(0.0, 0.98), cached_reads=(1.0, 0.999), cqrs=(1.0, 0.98)))
    assert found.smallest == {"cached_reads": ("cache with expiry",)}
    assert found.up == ()


def test_who_is_undecided_may_be_smaller() -> None:
    numbers = {("request_response", "billing", "staleness_p95"): (1.9, 0.5), ("cqrs", "billing", "staleness_p95"): (1.0, 0.01)}
    found = smallest_steps(measured(numbers, LIMITS[0]))
    assert [*found.smallest] == ["cqrs"]
    assert found.may == {"request_response": ()}
    assert "`request_response` would be simpler" in what_is_smallest(found)


def test_who_may_be_the_smallest_is_simpler_than_nobody_where_nobody_is() -> None:
    text = what_is_smallest(smallest_steps(measured({("request_response", "billing", "staleness_p95"): (1.9, 0.5)}, LIMITS[0])))
    assert "**Smallest step**: none, as no option is sure to meet all that is required." in text
    assert (
        "`request_response` may be the smallest step, which brings nothing that is not there already: whether it meets all is undecided."
        in text
    )
    assert "simpler" not in text
    none = what_is_smallest(smallest_steps(measured({("cqrs", "billing", "staleness_p95"): (9.0, 0.1)}, LIMITS[0])))
    assert none == "* **Smallest step**: none, as no option meets all that is required."


def test_what_the_next_step_buys_and_costs_is_what_is_clear_in_paired_differences() -> None:
    found = smallest_steps(plain(request_response=(0.0, 0.9910), cached_reads=(0.5, 0.9999)))
    (step,) = found.up
    assert {one.metric: one.better for one in step.bought} == {"staleness_p95": False, "read_availability": True}
    text = what_is_smallest(found)
    assert "which adds: cache with expiry. It buys: `read_availability` at `billing` more by 0.89" in text
    assert "it costs: `staleness_p95` at `billing` more by 500 " in text
    rows = found.rows.set_index("metric")
    assert rows.loc["staleness_p95", "mean"] == pytest.approx(0.5)
    assert rows["better"].to_dict() == {"staleness_p95": "worse", "read_availability": "better"}


def test_chance_buys_nothing() -> None:
    numbers = {("request_response", "billing", "staleness_p95"): (1.0, 0.01), ("cqrs", "billing", "staleness_p95"): (0.99, -0.01)}
    assert "It buys: nothing that is clear" in what_is_smallest(smallest_steps(measured(numbers, LIMITS[0])))


# The command line

FILE = """
name: tiny
warmup: 0
duration: 20
drain: 10
workload: {arrivals: {rate: 5}, entities: {count: 10}, reads: {rate: 5}}
requirements: [{metric: staleness_p99, at_most: 1min}, {metric: source_utilisation, at_most: 90%}]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(FILE, encoding="utf-8")
    return str(tmp_path / "tiny.yaml")


def test_the_command_prints_what_is_left_the_smallest_step_and_the_ledger(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["choose", tiny, "--replications", "2", "--jobs", "1", "--patterns", "request_response,cqrs"]) == 0
    text = capsys.readouterr().out
    assert "* **Smallest step**: `request_response`" in text
    assert "* **The next step up** from `request_response` is `cqrs`" in text
    assert "* **projection**. Without it:" in text


def test_one_option_is_alone(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["choose", tiny, "--replications", "1", "--jobs", "1", "--patterns", "cqrs"]) == 0
    assert capsys.readouterr().out.startswith("tiny: cqrs alone, 1 replication, seed ")


def test_the_same_in_json_and_csv(tiny: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ["choose", tiny, "--replications", "2", "--jobs", "1", "--patterns", "request_response,cqrs", "--weights", "staleness_p99=1"]
    assert cli.run([*asked, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["weighed"]["winner"] == "request_response"
    assert found["weighed"]["stays"] == [{"metric": "staleness_p99", "weight": 1.0, "low": 0.0, "high": None, "below": None, "above": None}]
    assert found["smallest"] == {"request_response": []}
    assert {row["option"] for row in found["ledger"]} == {"cqrs"}
    assert cli.run([*asked, "--format", "csv", "--out", str(tmp_path / "left.csv")]) == 0
    assert pd.read_csv(tmp_path / "left.csv")["place"].tolist()[0] == "winner"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weights", "staleness=1"], "weights: staleness is not required: did you mean staleness_p99?"),
        (["--weights", "staleness_p99"], "--weights staleness_p99: must be metric=weight"),
        (["--weights", "staleness_p99=a"], "--weights staleness_p99=a: must be metric=weight"),
        (["--weights", "staleness_p99=1,staleness_p99=2"], "each metric once"),
        (["--weights", ","], "--weights: must be metric=weight"),
        (["--parts", "nowhere.yaml"], "parts file nowhere.yaml can't be read"),
        (["--set", "already_run=[kafak]"], "already_run: kafak is no part: did you mean kafka?"),
        (["--format", "xml"], "--format xml is not allowed"),
        (["--patterns", "cqsr"], "pattern cqsr is not known"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_simulated(
    arguments: list[str], said: str, tiny: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edasim.experiment.paired_comparison", lambda *_, **__: pytest.fail("simulated"))
    assert cli.run(["choose", tiny, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
