"""Numbers for people: no more digits than the interval carries, and every kind of zero told apart."""

import math

import pandas as pd
import pytest

from edasim import Scenario, in_words, interval, one_screen, paired_comparison, worst_consumer
from edasim.statistics import rate_interval
from edasim.summary import SCREEN, as_text


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ((0.01234, 0.01114, 0.01354, "share"), "1.23 ± 0.12 %"),
        ((0.5, math.nan, math.nan, "share"), "50.0 ± ? %"),
        ((0.0215, 0.0204, 0.0226, "s"), "21.5 ± 1.1 ms"),
        ((5400.0, 5100.0, 5700.0, "s"), "1.500 ± 0.083 h"),
        ((5.2963e9, 5.2962e9, 5.2964e9, "bytes/day"), "5.30 GB/day"),
        ((1234.0, 1111.0, 1357.0, "1/s"), "1,234 ± 123 /s"),
        ((0.0, 0.0, 0.0, "s"), "0"),
        ((0.0, 0.0, 3e-5, "share"), "0 (< 0.0030 %)"),
        ((1.0, 1.0, 1.0, "share"), "100 %"),
        ((-0.1, -0.1, -0.1, "share"), "-10.0 %"),
        ((0.2, 0.19, 0.21, "share"), "20.0 ± 1.0 %"),
        ((0.99971, 0.99971, 0.99971, "share"), "99.9710 %"),
    ],
)
def test_a_number_has_no_more_digits_than_its_interval_carries(number: tuple[float, float, float, str], said: str) -> None:
    assert in_words(*number) == said


def test_the_interval_is_students_t() -> None:
    found = interval([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.high - found.mean == pytest.approx(3.182446 * 1.290994 / 2, rel=1e-5)  # t(0.975, 3) s / sqrt(4)
    assert math.isnan(interval([1.0]).low)


def test_no_hit_leaves_the_exact_upper_bound() -> None:
    found = rate_interval([0.0] * 4, [250] * 4)
    assert (found.mean, found.low) == (0, 0)
    assert (1 - found.high) ** 1000 == pytest.approx(0.05)
    assert rate_interval([0.01, 0.0], [100, 100]).low == 0, "a rate is never negative"


def test_the_screen_shows_the_consumer_who_fares_worst() -> None:
    rows = [
        ("a", "x", "loss_rate", 0.1),
        ("a", "y", "loss_rate", 0.2),
        ("a", "x", "read_availability", 0.9),
        ("a", "y", "read_availability", 0.8),
        ("b", "x", "latency_p99", 0.5),
    ]
    results = pd.DataFrame(
        [{"option": o, "consumer": c, "metric": m, "component": "", "mean": v, "low": v, "high": v, "unit": "share"} for o, c, m, v in rows]
    )
    assert worst_consumer(results, "loss_rate").loc["a", "consumer"] == "y"
    assert worst_consumer(results, "read_availability").loc["a", "consumer"] == "y"
    assert one_screen(results).loc["a"].tolist() == ["20.0 %", "–", "80.0 %"]  # noqa: RUF001
    assert list(one_screen(results)) == ["lost", "latency p99", "reads answered"], "what applies to no option has no column"


def test_the_table_fits_the_terminal_and_repeats_the_options() -> None:
    scenario = Scenario(duration=10, warmup=0, workload={"reads": {"rate": 1}})
    comparison = paired_comparison(scenario, ["request_response", "cqrs"], replications=2, jobs=1)
    text = as_text(comparison, 80)
    assert max(map(len, text.splitlines()[2:-2])) <= 80
    assert text.count("\ncqrs") == text.count("\noption") > 1
    applies = dict(SCREEN)
    for absent in ("load_time_mean", "lost_update_rate", "cost_per_month"):  # nobody keeps events, one region writes, nothing has a price
        del applies[absent]
    assert all(title in text for title in applies.values())
    assert as_text(comparison).count("\ncqrs") == 1
