"""Tipping points: the bracket holds what is known in closed form, and is honest where there is none."""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest
from scipy.special import stdtrit
from tiny import quiet

from edasim import InputError, Interval, Scenario
from edasim.candidates import Candidate
from edasim.luck import Luck
from edasim.metrics import Value
from edasim.ranges import Range, range_of
from edasim.studies.bracketing import NARROW, Point, search
from edasim.studies.tipping import looks, tipping_point, where_it_tips, widened
from edasim.workload import make_workload

SLOPES = Range("a", "a", 0.0, 10.0)
PAIR = ["event_carried_state_transfer", "request_response"]
READS = "workload.reads.per_change"


def noisy(rng: np.random.Generator, root: float, noise: float, schedule: list[int]) -> Callable[[float], Point]:
    """(root - value) with noise of its own at each value and the same luck at all, looked at again and again."""
    shared = rng.normal(size=schedule[-1])

    def ask(value: float) -> Point:
        own = np.random.default_rng(int(value * 1e9)).normal(size=schedule[-1])
        for size in schedule:
            sample = root - value + noise * (shared + 0.1 * own)[:size]
            half = stdtrit(size - 1, 0.975) * sample.std(ddof=1) / size**0.5
            point = Point(
                value, widened(Interval(sample.mean(), sample.mean() - half, sample.mean() + half), size, len(schedule)), size, ("", "")
            )
            if point.sign:
                break
        return point

    return ask


def test_the_interval_of_the_search_covers_at_least_as_often_as_it_says() -> None:
    rng, tries = np.random.default_rng(1), 2000
    found = [search(noisy(rng, 3.7, 1.0, looks(5, 20)), SLOPES) for _ in range(tries)]
    covered = sum(b.low is not None and b.high is not None and b.low.value <= 3.7 <= b.high.value for b in found) / tries
    assert covered >= 0.95 - 3.5 * (0.95 * 0.05 / tries) ** 0.5
    assert np.median([b.high.value - b.low.value for b in found if b.low and b.high]) < 3, "not by being wide"


def test_without_noise_the_tipping_point_is_exact_to_the_resolution() -> None:
    found = search(lambda value: Point(value, Interval(*[3.7 - value] * 3), 5, ("", "")), SLOPES)
    assert found.estimate == pytest.approx(3.7)
    assert found.low
    assert found.high
    assert found.low.value <= 3.7 <= found.high.value
    assert found.high.value - found.low.value <= 10 * NARROW


def test_a_difference_that_is_exactly_zero_in_the_middle_is_enclosed() -> None:
    found = search(lambda value: Point(value, Interval(*[5.0 - value] * 3), 5, ("", "")), SLOPES)
    assert found.low
    assert found.high
    assert found.low.value < 5 < found.high.value


def test_whole_numbers_end_one_apart_and_the_search_ends() -> None:
    asked = count()

    def ask(value: float) -> Point:
        next(asked)
        assert value == int(value)
        return Point(value, Interval(*[37.5 - value] * 3), 5, ("", ""))

    found = search(ask, Range("a", "a", 1, 1000, whole=True))
    assert (found.low.value, found.high.value) == (37, 38) if found.low and found.high else False
    assert next(asked) < 20


def scenario(seed: int = 1) -> Scenario:
    arrivals = {"process": "poisson", "rate": 20}
    return quiet(seed=seed, duration=3, drain=1, workload={"arrivals": arrivals, "reads": {"rate": None, "per_change": 1}})


def test_neither_the_order_of_ends_nor_of_options_matters() -> None:
    one = tipping_point(scenario(), READS, (0.5, 8), "wire_bytes_per_s", patterns=PAIR, most=10, jobs=1)
    other = tipping_point(scenario(), READS, (8, 0.5), "wire_bytes_per_s", patterns=PAIR[::-1], most=10, jobs=1)
    assert one.estimate == other.estimate
    assert [point.value for point in one.points] == [point.value for point in other.points]
    assert where_it_tips(one) == where_it_tips(other)
    assert where_it_tips(one).startswith("`request_response` beats `event_carried_state_transfer` where")


def test_where_one_is_better_throughout_that_is_said() -> None:
    found = tipping_point(scenario(), READS, (0.1, 0.5), "wire_bytes_per_s", patterns=PAIR, jobs=1)
    assert found.estimate is None
    assert "at both ends" in where_it_tips(found)


def test_bad_input_is_said() -> None:
    for path, ends, metric, options in [
        ("workload.reeds", (1, 2), "wire_bytes_per_s", PAIR),
        (READS, (1, 1), "wire_bytes_per_s", PAIR),
        (READS, (1, "many"), "wire_bytes_per_s", PAIR),
        (READS, (1, 2), "wire_bytes", PAIR),
        (READS, (1, 2), "wire_bytes_per_s", PAIR[:1]),
    ]:
        with pytest.raises(InputError):
            tipping_point(scenario(), path, ends, metric, patterns=options, jobs=1)


def test_a_range_of_a_distribution_is_that_of_its_mean() -> None:
    found = range_of(Scenario(), "consumers.consumer.handle_time", ("5ms", "50ms"))
    assert (found.target, found.low, found.unit, found.whole) == ("consumers.consumer.handle_time.mean", 0.005, "s", False)
    assert range_of(Scenario(), "source.servers", (1, 8)).whole
    assert not range_of(Scenario(), "workload.arrivals.rate", (10, 80)).whole


def from_the_workload(
    points: list[list[Candidate]], act: object, *, seed: int, replications: range, **how: object
) -> Iterator[dict[str, list[list[Value]]]]:
    """What `at_points` gives of bytes on the wire, without simulating: a transfer sends each state in and out, a request answers a read."""
    for pair in points:
        loads = [make_workload(pair[0].scenario, Luck(seed, number)) for number in replications]
        duration = pair[0].scenario.duration
        sent = {
            "event_carried_state_transfer": [2 * load.state_bytes.sum() for load in loads],
            "request_response": [sum(times.size for times, *_ in load.reads.values()) * load.state_bytes[0] for load in loads],
        }
        yield {
            candidate.name: [[Value("wire_bytes_per_s", count / duration, "bytes/s")] for count in sent[candidate.name]]
            for candidate in pair
        }


def test_bytes_on_the_wire_are_those_of_the_workload_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tipping_point(scenario(3), READS, (0.5, 8), "wire_bytes_per_s", patterns=PAIR, most=3, jobs=1)
    monkeypatch.setattr("edasim.studies.tipping.at_points", from_the_workload)
    short_cut = tipping_point(scenario(3), READS, (0.5, 8), "wire_bytes_per_s", patterns=PAIR, most=3, jobs=1)
    assert [point.difference for point in short_cut.points] == [pytest.approx(point.difference) for point in whole.points]


@pytest.mark.slow
def test_the_interval_covers_where_bytes_on_the_wire_tip_at_two_reads_per_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transfers send each state in and out, requests answer each read with one: as many at 2 reads per change. Real luck, real search."""
    monkeypatch.setattr("edasim.studies.tipping.at_points", from_the_workload)
    tries = 200
    found = [tipping_point(scenario(seed), READS, (0.5, 8), "wire_bytes_per_s", patterns=PAIR, jobs=1) for seed in range(tries)]
    covered = sum(f.low is not None and f.high is not None and f.low.value <= 2 <= f.high.value for f in found)
    assert covered / tries >= 0.95 - 3.5 * (0.95 * 0.05 / tries) ** 0.5
    assert np.median([f.high.value - f.low.value for f in found if f.low and f.high]) < 1, "not by being wide"
