"""Share one pool or split reads from writes: limits by hand, the simulation against loops of its own, the words, the figure."""

from collections.abc import Mapping
from heapq import heapreplace
from math import inf
from typing import Any

import numpy as np
import pytest
from test_delivery_figures import collisions, words_of
from tiny import merged, quiet

from edasim import InputError, Luck, Scenario, figures, make_workload, simulate
from edasim.figures import Picture
from edasim.metrics.load import load as measure_load
from edasim.studies.crossover import crossover, pays, verdict, verdicts, when_splitting_pays
from edasim.studies.split import (
    ANSWERED,
    AS_DEAR,
    COSTLY,
    READS,
    SHARED,
    SPLIT,
    STALE,
    WRITES,
    Limits,
    Swept,
    at_load,
    busy_servers,
    for_the_same_money,
    only_queues,
    share_or_split,
    todays_rates,
)

SMALL: dict[str, Any] = {
    "name": "small",
    "drain": 20,
    "workload": {"arrivals": {"rate": 10}, "reads": {"rate": 20}, "entities": {"count": 50}},
    "source": {"servers": 2, "write_time": {"dist": "exponential", "mean": "10ms"}, "read_time": {"dist": "exponential", "mean": "20ms"}},
    "read_model": {"servers": 3, "read_time": {"dist": "exponential", "mean": "5ms"}},
}


def small(**changes: object) -> Scenario:
    """Two servers for 10 writes a second, three for 20 reads a second, which take a quarter of what they take at the source."""
    return quiet(**merged(SMALL, changes))


@pytest.fixture(scope="module")
def swept() -> Swept:
    return share_or_split(small(), (1, 5, 9, 11), replications=4, jobs=2)


@pytest.fixture(scope="module")
def picture(swept: Swept) -> Picture:
    return figures.share_or_split(swept)


# By hand


def test_each_option_saturates_where_its_work_fills_its_servers(swept: Swept) -> None:
    assert swept.today == (10, 20)
    assert swept.limits[SPLIT] == pytest.approx((2 / (10 * 0.01), 3 / (20 * 0.005)))
    assert swept.limits[SHARED] == pytest.approx((5 / (10 * 0.01 + 20 * 0.02),) * 2)
    assert swept.limits[COSTLY] == pytest.approx((6 / 0.5,) * 2), "and the one projector's instance"
    assert swept.limits[AS_DEAR] == pytest.approx((20, 3 / (20 * 0.02)))
    assert swept.saturates == pytest.approx(10), "what is only there to explain does not count"


def test_every_consumer_has_a_read_model_of_its_own() -> None:
    two = small(consumers=[{"name": "billing", "handle_time": "50ms"}, {"name": "quota", "instances": 3}])
    swept = share_or_split(two, (1,), replications=1, jobs=1)
    assert swept.servers(SPLIT) == "2 + 2 x 3 servers"
    assert swept.servers(SHARED) == "8 servers"
    assert swept.servers(COSTLY) == f"{8 + 2 + 3} servers"
    assert swept.limits[SHARED].reads == pytest.approx(8 / (10 * 0.01 + 2 * 20 * 0.02))
    assert swept.falls_behind == pytest.approx(2 / 0.05 / 10), "two instances by default, 50 ms a message"


@pytest.mark.parametrize(
    ("prices", "servers"),
    [
        (None, 2 + 3 + 1),
        (100, 2 + 3 + 1 + 1),
        ({"source": 100, "read_model": 50}, 3),
        ({"source": 100, "read_model": 50, "consumer": 70, "broker": 230}, 6),
        ({"read_model": 50}, 6),
    ],
    ids=["no prices", "one price", "cheap reads", "all", "the source is free"],
)
def test_what_costs_the_same_follows_the_price_book(prices: object, servers: int) -> None:
    scenario = small() if prices is None else small(prices={"server_per_month": prices})
    assert for_the_same_money(scenario) == servers


def test_loads_from_events_count_as_work_as_one_run_measures_them() -> None:
    scenario = only_queues(small(event_store={"snapshot_every": 0, "load": {"base": "8ms", "per_event": 0}}))
    shared = share_or_split(scenario, (1,), ("event_sourcing", "event_sourcing_cqrs"), replications=1, jobs=1)
    work = 10 * (0.01 + 0.008) + 20 * (0.02 + 0.008)
    assert 5 / shared.limits[SHARED].writes == pytest.approx(work, rel=0.05)
    assert 2 / shared.limits[SPLIT].writes == pytest.approx(10 * 0.018, rel=0.05)
    assert AS_DEAR not in shared.options
    assert "a read model has nothing to replay" in when_splitting_pays(shared)


def test_today_is_what_the_scenario_asks_for() -> None:
    assert todays_rates(small(workload={"reads": {"rate": None, "per_change": 3}})) == (10, 30)
    renewal = small().with_overrides({"workload.arrivals": {"process": "renewal", "gap": 0.5}})
    assert todays_rates(renewal) == (pytest.approx(2, rel=0.02), 20)


# Simulated


def waits_in_turn(arrivals: np.ndarray, service: np.ndarray, servers: int) -> np.ndarray:
    """How long each request takes in one queue, first come first served: a loop of its own."""
    free, took = [0] * servers, np.empty(arrivals.size, dtype=np.int64)
    for request in np.argsort(arrivals, kind="stable"):
        done = max(int(arrivals[request]), free[0]) + int(service[request])
        heapreplace(free, done)
        took[request] = done - arrivals[request]
    return took


@pytest.mark.parametrize("option", [SHARED, COSTLY, SPLIT])
def test_latencies_are_those_of_queues_computed_by_hand(option: str, swept: Swept) -> None:
    scenario = at_load(only_queues(small()), swept.today, 9)
    luck = Luck(scenario.seed, 0)
    workload = make_workload(scenario, luck)
    writes, (reads, _) = workload.times, workload.reads["billing"]
    write = luck.times("write", scenario.source.write_time, writes.size).values
    name, time = ("read model billing", scenario.read_model.read_time) if option == SPLIT else ("read billing", scenario.source.read_time)
    read = luck.times(name, time, reads.size).values
    if option == SPLIT:
        took = np.concatenate([waits_in_turn(writes, write, 2), waits_in_turn(reads, read, 3)])
    else:
        servers = {SHARED: 5, COSTLY: 6}[option]
        took = waits_in_turn(np.concatenate([writes, reads]), np.concatenate([write, read]), servers)
    inside = np.concatenate([writes, reads]) >= scenario.warmup * 1e9
    is_read = np.arange(took.size) >= writes.size
    asked = np.concatenate([writes, reads])
    inside &= asked < scenario.window[1] * 1e9
    assert swept.by_run(option, 9, READS)[0] == pytest.approx(np.quantile(took[inside & is_read], 0.99, method="hazen") / 1e9, rel=1e-6)
    assert swept.by_run(option, 9, WRITES)[0] == pytest.approx(np.quantile(took[inside & ~is_read], 0.99, method="hazen") / 1e9, rel=0.02)


def test_all_options_meet_the_same_load_and_writes_do_not_care_who_answers_reads(swept: Swept) -> None:
    for load in swept.loads:
        assert np.array_equal(swept.by_run(SPLIT, load, WRITES), swept.by_run(AS_DEAR, load, WRITES))


def test_beyond_its_limit_one_pool_is_overwhelmed_and_the_split_is_not(swept: Swept) -> None:
    shared, split = (swept.course(option, READS) for option in (SHARED, SPLIT))
    assert shared[11].low > 10 * split[11].high
    assert shared[11].low > 3 * shared[5].high
    assert verdict(swept, SPLIT, SHARED, 11, READS) == verdict(swept, SPLIT, SHARED, 11, WRITES) == 1


def test_at_equal_service_times_one_pool_serves_both_sides_better_than_two() -> None:
    """Smith and Whitt (1981): here both sides are equally busy, and what each takes is the same."""
    same = {"dist": "exponential", "mean": "20ms"}
    equal = small(
        workload={"arrivals": {"rate": 20}}, source={"write_time": same, "read_time": same}, read_model={"servers": 2, "read_time": same}
    )
    swept = share_or_split(equal, (3.5,), replications=8, jobs=2)
    assert swept.limits[SHARED].reads == pytest.approx(swept.limits[SPLIT].reads) == pytest.approx(5)
    assert verdict(swept, SPLIT, SHARED, 3.5, READS) == verdict(swept, SPLIT, SHARED, 3.5, WRITES) == -1
    assert crossover(swept, SHARED) == "never pays in the range"
    assert "one pool serves equal reads better than two, because no server idles while a request waits; reads are no cheaper" in (
        when_splitting_pays(swept)
    )


def test_slow_writes_that_hold_up_quick_reads_make_a_split_pay_by_itself() -> None:
    slow = small(
        workload={"arrivals": {"rate": 2}},
        source={"servers": 3, "write_time": "500ms", "read_time": "2ms"},
        read_model={"servers": 1, "read_time": "2ms"},
    )
    swept = share_or_split(slow, (2.5,), replications=4, jobs=2)
    assert verdict(swept, AS_DEAR, SHARED, 2.5, READS) == 1
    assert "keeping writes out of the readers' way makes reads quicker by itself; reads are no cheaper" in when_splitting_pays(swept)


def test_projectors_that_fall_behind_are_said_to_and_reads_get_stale() -> None:
    slow = small(consumers=[{"name": "billing", "instances": 1, "handle_time": "50ms"}])
    swept = share_or_split(slow, (1, 6), replications=2, jobs=1)
    assert swept.falls_behind == pytest.approx(2)
    stale = swept.course(SPLIT, STALE)
    assert stale[6].mean > 5 * stale[1].mean
    assert "keep up until 2 times today's load at most" in when_splitting_pays(swept)
    assert "its projectors fall behind from 2 times on" in figures.share_or_split(swept).alt


# In words


def told(reads: Mapping[float, tuple[float, float]], writes: Mapping[float, tuple[float, float]], answered: float = 1.0) -> Swept:
    """A sweep in which p99s of (split, one pool) are these, with next to no noise."""
    noise = np.array([-1e-6, 0.0, 1e-6])
    values = {}
    for metric, course in ((READS, reads), (WRITES, writes)):
        for load, pair in course.items():
            for option, p99 in zip((SPLIT, COSTLY), pair, strict=True):
                values[option, load, metric] = p99 + noise
                values[option, load, ANSWERED] = np.full(3, answered if option == SPLIT else 1.0)
    return Swept("told", (1, 1), tuple(reads), {}, values, {SPLIT: Limits(9, 9)}, inf, priced=False)


SAME = dict.fromkeys((1, 2, 3), (1.0, 1.0))


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ({1: (1, 2), 2: (1, 2), 3: (1, 3)}, "pays at every load simulated"),
        ({1: (2, 1), 2: (1, 1), 3: (1, 3)}, "pays from 3 times today's load on (unclear at 2)"),
        ({1: (1, 2), 2: (1, 2), 3: (2, 1)}, "pays up to 2 times today's load"),
        ({1: (1, 2), 2: (2, 1), 3: (1, 2)}, "pays at 1, 3 times today's load"),
        ({1: (1, 2), 2: (1, 1), 3: (1, 2)}, "pays at 1, 3 times today's load (unclear at 2)"),
        ({1: (2, 1), 2: (1.0, 1.04), 3: (3, 1)}, "never pays in the range"),
        ({1: (1.04, 1), 2: (1, 1.04), 3: (1, 1)}, "makes no clear difference in the range"),
    ],
)
def test_the_crossover_is_said_as_it_is(reads: dict[float, tuple[float, float]], said: str) -> None:
    assert crossover(told(reads, SAME), COSTLY) == said


def test_a_trade_of_one_side_for_the_other_is_no_gain() -> None:
    swept = told({1: (1, 2), 2: (1, 2), 3: (1, 1)}, {1: (2, 1), 2: (1, 1), 3: (1, 1)})
    assert pays(swept, COSTLY) == {1: -1, 2: 1, 3: 0}
    assert verdicts(swept, COSTLY)[1] == {"reads": 1, "writes": -1}


def test_reads_without_an_answer_are_worse_than_slow_ones() -> None:
    swept = told({1: (1, 2)}, {1: (1, 1)}, answered=0.98)
    assert verdict(swept, SPLIT, COSTLY, 1, READS) == -1


def test_reads_that_time_out_are_counted_and_drawn_hollow() -> None:
    impatient = small(workload={"reads": {"timeout": "150ms"}})
    swept = share_or_split(impatient, (5, 14), replications=3, jobs=1)
    assert swept.course(SHARED, ANSWERED)[14].mean < 0.9
    said = when_splitting_pays(swept)
    assert "**Without an answer in time** are, at 14 times today's load, " in said
    assert " with `shared`" in said.split("Without an answer")[1].splitlines()[0]
    picture = figures.share_or_split(swept)
    assert collisions(picture) == []
    hollow = [line for line in picture.figure.axes[0].lines if line.get_color() == "white"]
    incomplete = [
        (load, option)
        for option in (SHARED, COSTLY, SPLIT)
        for load in swept.course(option, READS)
        if swept.by_run(option, load, ANSWERED).min() < 1
    ]
    assert sorted(line.get_xdata()[0] for line in hollow) == sorted(load for load, _ in incomplete)
    assert (5, SHARED) in incomplete, "a few of so many exponential times are longer than the timeout"
    assert swept.course(SHARED, READS).keys() == {5}, "at 14 nobody is answered in time, so the line ends"


def test_one_run_is_no_evidence() -> None:
    swept = share_or_split(small(), (9,), replications=1, jobs=1)
    assert crossover(swept, SHARED) == "makes no clear difference in the range"


# At the edges


def test_nobody_reads_is_said_and_drawn() -> None:
    swept = share_or_split(small(workload={"reads": {"rate": 0}}), (1, 2), replications=2, jobs=1)
    assert swept.course(SPLIT, READS) == {}
    assert "nobody reads" in when_splitting_pays(swept)
    assert "no reads" in figures.share_or_split(swept).alt


def test_regions_calls_and_faults_are_left_out() -> None:
    troubled = small(
        workload={"regions": 3},
        network={"latency": {"publish": 0, "deliver": 0, "call": "1s"}},
        source={"outages": {"windows": [[1, 90]]}},
        consumers=[{"name": "billing", "reads": "source", "carries": "nothing"}],
    )
    swept = share_or_split(troubled, (1,), replications=1, jobs=1)
    assert swept.course(SPLIT, ANSWERED)[1].mean == 1
    assert swept.course(SHARED, READS)[1].mean < 0.5
    assert busy_servers(swept.options[SPLIT], swept.today) == pytest.approx(0.1)


def test_patterns_that_do_not_share_or_split_are_refused() -> None:
    with pytest.raises(InputError, match="the first must read at the source, the second a read model"):
        share_or_split(small(), (1,), ("cqrs", "request_response"))


def test_loads_must_be_given_where_nothing_saturates() -> None:
    idle = small(source={"write_time": 0, "read_time": 0}, read_model={"read_time": 0})
    with pytest.raises(InputError, match="loads: give some"):
        share_or_split(idle)


def test_by_default_todays_load_and_some_around_the_first_limit_are_simulated() -> None:
    swept = share_or_split(small(), replications=1, jobs=1)
    assert swept.loads == (1, 5, 8, 9.5, 11)


def test_p99_is_that_of_compare() -> None:
    scenario = at_load(only_queues(small()), (10, 20), 5)
    found = {value.metric: value.value for value in measure_load(simulate(scenario, "cqrs"))}
    swept = share_or_split(small(), (5,), replications=1, jobs=1)
    assert swept.by_run(SPLIT, 5, READS)[0] == found[READS]


# The figure


def test_words_do_not_collide_and_can_be_read(picture: Picture) -> None:
    assert collisions(picture) == []
    assert min(text.get_fontsize() for text in words_of(picture) if text.get_text()) >= 6


def test_limits_are_drawn_where_they_are(picture: Picture) -> None:
    for axes in picture.figure.axes[:2]:
        upright = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "None" and len(set(line.get_xdata())) == 1]
        assert upright == pytest.approx([10]), "the other limits are beyond the range"


def test_the_title_says_whether_splitting_pays_and_the_options_are_named(picture: Picture, swept: Swept) -> None:
    shown = " ".join(text.get_text().replace("\n", " ") for text in words_of(picture))
    assert f"at equal cost splitting reads from writes {crossover(swept, COSTLY)}" in " ".join([*shown.split()])
    for option in (SHARED, COSTLY, SPLIT):
        assert f"{option}: {swept.servers(option)}, reads " in picture.alt
        assert option in shown


def test_the_same_results_give_the_same_bytes(picture: Picture, swept: Swept) -> None:
    assert figures.share_or_split(swept).png == picture.png
