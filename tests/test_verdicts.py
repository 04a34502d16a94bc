"""Verdicts: what is required, held against each option; and what is left to choose from."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

from edasim import Scenario, candidates_of
from edasim.comparison import Comparison, records
from edasim.metrics import Value
from edasim.requirements import Bound
from edasim.statistics import interval
from edasim.studies.requirements import what_is_decided
from edasim.verdicts import Verdict, dominated_by, verdict_table

PAIR = ("request_response", "cqrs")


def measured(*values: tuple[str, str, str, str, list[float]], **asked: Any) -> Comparison:
    """A comparison in which *values* (option, consumer, incident, metric, by replication) came out, with one requirement."""
    incidents = [{"name": name, "component": "broker", "per_year": 1, "down": 1} for name in ("deploy", "restart")]
    scenario = Scenario(consumers=[{"name": "billing"}, {"name": "stock"}], incidents=incidents, requirements=[asked])
    found = {
        (option, consumer, incident, metric, ""): {
            number: Value(metric, value, "s", consumer, incident=incident) for number, value in enumerate(runs)
        }
        for option, consumer, incident, metric, runs in values
    }
    return Comparison(scenario, 1, tuple(candidates_of(scenario, PAIR)), found, max(len(runs) for *_, runs in values))


def word(comparison: Comparison, option: str = "cqrs") -> tuple[str, str, str]:
    row = comparison.verdicts.set_index("option").loc[option]
    return str(row["verdict"]), str(row["consumer"]), str(row["incident"])


def spread(mean: float, half: float) -> list[float]:
    """Three values with this mean and (about) that half of a 95 % interval."""
    step = half / 2.4841
    return [mean - step, mean, mean + step]


def test_every_verdict_is_that_of_two_one_sided_t_tests_and_the_worst_of_all_that_is_bound_decides() -> None:
    rng, places = np.random.default_rng(1), list(product(("billing", "stock"), ("", "restart")))
    for limit, side in product((0.5, 1.0, 1.5), ("at_most", "at_least")):
        runs = {place: rng.normal(1, 0.4, 4) for place in places}
        worst = "met"
        for values in runs.values():
            beyond = (values.mean() - limit) / (values.std(ddof=1) / 2) * (1 if side == "at_most" else -1)
            one = "violated" if beyond > stdtrit(3, 0.975) else "met" if beyond < -stdtrit(3, 0.975) else "undecided"
            worst = max(worst, one, key=["met", "undecided", "violated"].index)
        given = [("cqrs", *place, "staleness_mean", values.tolist()) for place, values in runs.items()]
        assert word(measured(*given, metric="staleness_mean", **{side: limit}))[0] == worst


def test_where_the_truth_is_at_the_limit_a_verdict_is_given_in_one_of_twenty() -> None:
    samples = np.random.default_rng(2).normal(1.0, 0.3, (4000, 5))
    given = [Bound("at most", 1.0).decides(found.low, found.high) != "undecided" for found in map(interval, samples)]
    assert np.mean(given) == pytest.approx(0.05, abs=3.5 * (0.05 * 0.95 / 4000) ** 0.5)


def test_of_equal_means_the_less_certain_is_shown() -> None:
    alike = (("cqrs", "billing", "", "staleness_mean", spread(5, 0.1)), ("cqrs", "stock", "", "staleness_mean", spread(5, 1)))
    assert word(measured(*alike, metric="staleness_mean", at_most=10)) == ("met", "stock", "")
    assert word(measured(*alike, metric="staleness_mean", at_least=1)) == ("met", "stock", "")


def test_who_is_named_is_bound_and_nobody_else() -> None:
    values = (
        ("cqrs", "billing", "", "recovery_time", spread(1, 0.1)),
        ("cqrs", "stock", "", "recovery_time", spread(9, 0.1)),
        ("cqrs", "billing", "deploy", "recovery_time", spread(20, 0.1)),
    )
    assert word(measured(*values, metric="recovery_time", at_most=5)) == ("violated", "billing", "deploy")
    assert word(measured(*values, metric="recovery_time", at_most=5, incident="deploy"))[0] == "violated"
    assert word(measured(*values, metric="recovery_time", at_most=5, consumer="stock")) == ("violated", "stock", "")
    assert word(measured(*values[:1], values[2], metric="recovery_time", at_most=30)) == ("met", "billing", "deploy")


def test_a_clear_violation_decides_over_a_larger_mean_that_may_be_chance() -> None:
    values = (("cqrs", "billing", "", "staleness_mean", spread(10, 9)), ("cqrs", "stock", "", "staleness_mean", spread(6, 0.5)))
    assert word(measured(*values, metric="staleness_mean", at_most=5)) == ("violated", "stock", "")


def test_what_an_option_does_not_have_does_not_apply_and_what_was_not_simulated_is_undecided() -> None:
    values = ("request_response", "billing", "", "staleness_mean", [1.0, 1.0])
    assert word(measured(values, metric="staleness_mean", at_most=2))[0] == "does not apply"
    assert word(measured(values, metric="lost_per_year", at_most=2))[0] == "undecided"
    assert word(measured(values, metric="staleness_mean", at_most=2, incident="deploy"))[0] == "undecided"
    assert word(measured(values, metric="staleness_mean", at_most=2, consumer="stock"))[0] == "does not apply"
    struck = ("request_response", "billing", "restart", "lost_per_year", [1.0, 1.0])
    assert word(measured(struck, metric="lost_per_year", at_most=2))[0] == "does not apply"


def test_one_run_decides_nothing() -> None:
    assert word(measured(("cqrs", "billing", "", "staleness_mean", [1.0]), metric="staleness_mean", at_most=2))[0] == "undecided"


def test_a_recovery_that_was_not_seen_to_its_end_is_never_met() -> None:
    recovery = ("cqrs", "billing", "restart", "recovery_time", spread(10, 1))
    never = ("cqrs", "billing", "restart", "unrecovered_rate", [0.0, 0.0, 1.0])
    assert word(measured(recovery, metric="recovery_time", at_most=60))[0] == "met"
    assert word(measured(recovery, never, metric="recovery_time", at_most=60))[0] == "undecided"
    assert word(measured(recovery, never, metric="recovery_time", at_most=5))[0] == "violated"


def test_two_limits_are_two_requirements() -> None:
    values = ("cqrs", "billing", "", "staleness_mean", spread(3, 0.1))
    rows = measured(values, metric="staleness_mean", at_most=2, at_least="1s").verdicts
    assert rows[rows["option"] == "cqrs"]["verdict"].tolist() == ["violated", "met"]


def test_a_page_says_it_in_a_sign_a_word_and_a_number_and_whose_it_is_where_it_is_not_met() -> None:
    values = (("cqrs", "billing", "", "staleness_mean", spread(3, 0.1)), ("cqrs", "stock", "", "staleness_mean", spread(1, 0.1)))
    found = measured(*values, metric="staleness_mean", at_most="2s").verdicts
    table = verdict_table(found)
    assert table.index.tolist() == ["staleness_mean at most 2s"]
    assert table.loc["staleness_mean at most 2s", "cqrs"] == "✗ violated: 3.00 ± 0.10 s (billing)"
    assert table.loc["staleness_mean at most 2s", "request_response"] == "– does not apply"  # noqa: RUF001
    assert records(found)[0]["mean"] is None


def test_an_interval_that_is_not_around_its_mean_is_told_by_its_ends() -> None:
    assert Verdict("r", "a", "", "", "staleness_p99", "s", 22.0, 6.0, 50.0, "at most", 5.0, "violated").number == "22 s (6 s to 50 s)"
    assert Verdict("r", "a", "", "", "lost_per_year", "", 0.0, 0.0, 12.0, "at most", 5.0, "undecided").number == "0 (< 12 )"


def required(**options: list[tuple[str, float, float]]) -> pd.DataFrame:
    """Verdicts (word, mean, half of its interval), by option."""
    rows = [
        Verdict(f"r{number}", option, "", "", "m", "s", mean, mean - half, mean + half, "at most", 5.0, said)
        for option, of in options.items()
        for number, (said, mean, half) in enumerate(of)
    ]
    return pd.DataFrame(rows, columns=list(Verdict._fields))


def test_who_meets_all_may_meet_all_or_comes_closest_is_said_without_a_score() -> None:
    good, bad, open_ = ("met", 1.0, 0.1), ("violated", 9.0, 0.1), ("undecided", 5.0, 2.0)
    some = what_is_decided(required(a=[good, good], b=[good, bad], c=[open_, good]))
    assert "**1 of 3 options meets all 2 requirements, and 1 may**: `a`." in some
    assert "`c` violates none, but one is undecided: `r0`" in some
    assert "Closest" not in some
    none = what_is_decided(required(a=[bad, bad, good], b=[good, bad, good], c=[bad, bad, bad]))
    assert "**0 of 3 options meet all 3 requirements**." in none
    assert "**Closest**: `b`, which violates only `r1`" in none
    assert "**No option meets** `r1`." in none
    assert "requires nothing" in what_is_decided(required())


def test_the_front_is_what_no_other_option_beats() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        values = {name: [(mean, 0.4) for mean in rng.integers(0, 4, 3).astype(float)] for name in "abcd"}
        expected: dict[str, list[str]] = {}
        for mine, other in product(values, values):
            pairs = list(zip(values[other], values[mine], strict=True))
            if all(ours[0] <= theirs[0] for ours, theirs in pairs) and any(ours[0] + 0.4 < theirs[0] - 0.4 for ours, theirs in pairs):
                expected.setdefault(mine, []).append(other)
        verdicts = required(**{name: [("met", *pair) for pair in of] for name, of in values.items()})
        assert dominated_by(verdicts) == expected


def test_one_run_beats_nobody() -> None:
    unknown = float("nan")
    assert dominated_by(required(a=[("undecided", 1.0, unknown)], b=[("undecided", 9.0, unknown)])) == {}
    assert dominated_by(required(a=[("met", 1.0, 0.1)], b=[("violated", 9.0, 0.1)])) == {"b": ["a"]}


def test_more_is_better_where_at_least_so_much_is_required_and_what_does_not_apply_is_as_good_as_can_be() -> None:
    verdicts = required(a=[("met", 9.0, 0.1)], b=[("met", 3.0, 0.1)])
    assert dominated_by(verdicts) == {"a": ["b"]}
    assert dominated_by(verdicts.assign(side="at least")) == {"b": ["a"]}
    assert dominated_by(verdicts.assign(verdict=["does not apply", "met"])) == {"b": ["a"]}


# What can't be done


def test_a_past_that_can_not_be_had_violates_a_limit_on_its_time_and_is_as_bad_as_can_be() -> None:
    found = measured(("cqrs", "", "", "load_time_mean", [1.0]), metric="point_in_time_load_mean", at_most="1s")
    assert set(found.verdicts["verdict"]) == {"violated"}
    assert set(verdict_table(found.verdicts).to_numpy().ravel()) == {"✗ violated: can't be done"}
    able = found.verdicts.assign(verdict=["violated", "met"], mean=[np.nan, 0.5], low=[np.nan, 0.4], high=[np.nan, 0.6])
    assert dominated_by(able) == {"request_response": ["cqrs"]}
