"""Figures of tipping points, sensitivity and warm-up: words for each, whatever came out."""

import numpy as np
from tiny import quiet

from edasim import Interval, Scenario, candidates_of, figures
from edasim.estimates import Estimate
from edasim.ranges import Range
from edasim.studies.bracketing import Point
from edasim.studies.screening import Indices, Screened
from edasim.studies.sensitivity import Bar, Subject, Tornado
from edasim.studies.tipping import Tipping
from edasim.studies.warm_up import averaged

BYTES = Range("workload.state_bytes", "workload.state_bytes", 1e3, 9e3, "bytes", basis="guess")
RATE = Range("workload.arrivals.rate", "workload.arrivals.rate", 1.0, 2.0, basis="measured")
COURSE = ((1.0, -4.0), (5.0, 0.0), (9.0, 4.0))
POINTS = [
    Point(value, Interval(mean, mean - 1, mean + 1), 5, ("billing", "billing")) for value, mean in ((1.0, -4.0), (5.0, 0.0), (9.0, 4.0))
]


def tipping(low: Point | None, high: Point | None) -> Tipping:
    over = Range("source.servers", "source.servers", 1.0, 9.0)
    return Tipping(tuple(POINTS), low, high, "a", over, "latency_p99", "s", ("cqrs", "polling"), ("cqrs", "polling"), "less")


def subject(scenario: Scenario) -> Subject:
    return Subject(scenario, candidates_of(scenario, ["cqrs"])[0], "latency_p99", "consumer", "s", 5, 1, 1)


def test_a_tipping_point_has_its_sides_and_is_said_not_to_be_there_where_it_is_not() -> None:
    assert "`cqrs` beats `polling` where `source.servers` is below 5" in figures.tipping_figure(tipping(POINTS[0], POINTS[2])).alt
    assert "no clear difference" in figures.tipping_figure(tipping(None, None)).alt


def test_a_tornado_has_a_bar_an_end_and_marks_what_is_unclear() -> None:
    clear = Bar(BYTES, Estimate(-1, -2, -0.5, "s"), Estimate(3, 2, 4, "s"))
    unclear = Bar(RATE, Estimate(0.1, -1, 1, "s"), Estimate(0.0, 0.0, 0.0, "s"))
    picture = figures.tornado_figure(Tornado(subject(quiet()), Estimate(5, 4, 6, "s"), (clear, unclear)))
    assert len(picture.figure.axes[0].patches) == 4
    assert "(measured, unclear)" in [label.get_text() for label in picture.figure.axes[0].get_yticklabels()][1]
    assert "Measure `workload.state_bytes`" in picture.alt


def test_influence_says_what_is_left_as_it_is() -> None:
    screened = Screened(subject(quiet()), (BYTES, RATE), np.array([2.0, 0.01]), np.array([0.1, 0.01]), np.array([0.2, 0.01]))
    shares = Indices(screened.about, (BYTES,), *(np.array([share]) for share in (0.9, 0.1, 1.0, 0.1)))
    picture = figures.influence_figure(screened, shares)
    assert "too little effect" in " ".join(text.get_text() for text in picture.figure.axes[1].texts)
    assert "100 ± 10 % with others" in picture.alt
    assert "`workload.arrivals.rate`" in figures.influence_figure(screened).alt


def test_a_course_shows_its_cut_or_that_it_is_refused() -> None:
    falls, grows = np.r_[np.full(20, 9.0), np.tile([1.0, 2.0], 60)], np.arange(140.0)
    courses = [averaged(name, "cqrs", [("latency", np.arange(140.0), values)]) for name, values in (("falls", falls), ("grows", grows))]
    picture = figures.warm_up_figure(quiet(warmup=5, duration=135), courses)
    assert "`falls` (latency): settled after 20 s; the warm-up of 5 s is too short" in picture.alt
    assert "refused: has not settled" in [text.get_text() for text in picture.figure.axes[1].texts]
