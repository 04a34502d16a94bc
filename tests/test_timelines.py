"""Step functions of time and the orders behind them: the compiled loops give what looking at every event gives."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edasim.compiled.sorting import at_ranks, in_order, stable_order, stable_order_of_floats, whole
from edasim.compiled.steps import behind
from edasim.journal import committed_rows
from edasim.metrics.backlog import Waiting
from edasim.metrics.values import quantile_function
from edasim.statistics import LEVELS
from edasim.timelines import in_version_order, previous_value, sum_until, value_at

Ints = NDArray[np.int64]
Rows = list[tuple[int, int, int]]
few = st.integers(0, 4)
rows = st.lists(st.tuples(few, few, st.integers(-9, 9)), max_size=12)  # entity, time, value
wide = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.integers(0, 2**40), max_size=30)


def columns(table: Rows) -> tuple[Ints, Ints, Ints]:
    entity, time, value = np.array(table, dtype=np.int64).reshape(-1, 3).T
    return entity, time, value


@given(asked=rows, events=rows, including=st.booleans())
def test_the_value_then_is_that_of_the_newest_event_by_then_whatever_the_order(asked: Rows, events: Rows, including: bool) -> None:
    def by_hand(entity: int, time: int) -> int:
        before = [(at, row) for row, (of, at, _) in enumerate(events) if of == entity and (at < time or (including and at == time))]
        return events[max(before)[1]][2] if before else -99

    entity, time, _ = columns(asked)
    assert value_at(entity, time, *columns(events), -99, including=including).tolist() == [by_hand(of, at) for of, at, _ in asked]


@given(events=rows)
def test_the_value_before_is_that_of_the_entitys_last_event(events: Rows) -> None:
    entity, default, value = columns(events)
    before = [[v for of, _, v in events[:row] if of == entity[row]] for row in range(len(events))]
    expected = [values[-1] if values else start for values, start in zip(before, default.tolist(), strict=True)]
    assert previous_value(entity, value, default).tolist() == expected


@given(events=rows)
def test_values_in_version_order_stand_where_each_entitys_begin(events: Rows) -> None:
    entity, _, value = columns(events)
    values, begin = in_version_order(entity, value, 5)
    for of in range(5):
        mine = [v for who, _, v in events if who == of]
        assert values[begin[of] :][: len(mine)].tolist() == mine


@given(events=rows, at=st.sets(st.integers(-1, 5)).map(sorted))
def test_a_sum_until_a_time_has_everything_up_to_it(events: Rows, at: list[int]) -> None:
    _, times, amounts = columns(events)
    expected = [sum(amount for _, time, amount in events if time <= until) for until in at]
    assert sum_until(times, amounts, np.array(at, dtype=np.int64)).tolist() == expected


@given(values=wide)
def test_orders_by_digits_are_those_of_numpy(values: list[int]) -> None:
    numbers = np.array(values, dtype=np.int64)
    assert stable_order(numbers).tolist() == np.argsort(numbers, kind="stable").tolist()
    assert in_order(numbers).tolist() == sorted(values)


@given(values=st.lists(st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0]), max_size=30))
def test_the_order_of_floats_is_that_of_numpy(values: list[float]) -> None:
    numbers = np.array(values, dtype=np.float64)
    assert stable_order_of_floats(numbers).tolist() == np.argsort(numbers, kind="stable").tolist()


@given(values=wide.filter(bool), data=st.data())
def test_what_stands_at_a_rank_is_what_sorting_puts_there(values: list[int], data: st.DataObject) -> None:
    ranks = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=6))
    found = at_ranks(np.array(values, dtype=np.int64), np.array(ranks, dtype=np.int64))
    assert found.tolist() == [sorted(values)[rank] for rank in ranks]


@given(times=st.lists(st.integers(0, 50) | st.integers(0, 10**18), min_size=1, max_size=400))
def test_quantiles_of_times_are_hazens(times: list[int]) -> None:
    numbers = np.array(times, dtype=np.int64)
    assert quantile_function(numbers).tolist() == np.quantile(numbers / 1e9, LEVELS, method="hazen").tolist()


@given(events=rows)
def test_behind_is_what_comes_strictly_after_a_newer_version(events: Rows) -> None:
    entity, time, version = columns([(of, at, abs(mine)) for of, at, mine in events])
    late = [any(e == of and t < at and abs(v) > abs(mine) for e, t, v in events) for of, at, mine in events]
    assert behind(whole(entity), whole(time), whole(version)).tolist() == late


@given(events=rows, edges=st.sets(st.integers(-1, 5), min_size=2).map(sorted))
def test_the_most_that_wait_is_the_most_at_any_moment_of_the_bin(events: Rows, edges: list[int]) -> None:
    spans = [(time, time + 1 + abs(value)) for _, time, value in events]
    begins, ends = (np.array(sorted(span[side] for span in spans), dtype=np.int64) for side in (0, 1))
    expected = [max(sum(a <= now < b for a, b in spans) for now in range(begin, end)) for begin, end in pairwise(edges)]
    assert Waiting(begins, ends).most(np.array(edges, dtype=np.int64)).tolist() == expected


@given(commits=rows, follow=st.booleans())
def test_commits_are_in_order_of_time_if_versions_follow_it_and_else_of_versions(commits: Rows, follow: bool) -> None:
    entity, time, _ = columns(commits)
    order = np.lexsort((time, entity)) if follow else np.arange(entity.size)
    version = np.empty(entity.size, dtype=np.int64)
    version[order] = [list(entity[order][:row]).count(of) + 1 for row, of in enumerate(entity[order])]
    found = committed_rows({"committed": time, "entity": entity, "version": version})
    for of in range(5):
        mine = version[found][entity[found] == of]
        assert mine.tolist() == list(range(1, mine.size + 1))
    if follow:
        assert found.tolist() == np.lexsort((version, time)).tolist()
