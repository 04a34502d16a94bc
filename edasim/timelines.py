"""Step functions of time, one per entity: what was the value then? And storage sums that follow from them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def value_at(
    entity: Ints, time: Ints, of_entity: Ints, at_time: Ints, value: NDArray[Any], default: int, *, including: bool = True
) -> NDArray[np.int64]:
    """For each asked (*entity*, *time*) the newest *value* that its entity took by then, *default* if none; shape (asked,).

    The step functions are given as events (*of_entity*, *at_time*, *value*), of shape (events,), in order of happening where
    times are equal. An event at the very time asked for counts when *including*.
    """
    asked, events = entity.size, of_entity.size
    if not asked or not events:
        return np.full(asked, default, dtype=np.int64)
    kind = np.concatenate([np.full(events, 1), np.full(asked, 2 if including else 0)])
    entities = np.concatenate([of_entity, entity])
    order = np.lexsort((kind, np.concatenate([at_time, time]), entities))
    is_event = order < events
    last = np.maximum.accumulate(np.where(is_event, np.arange(order.size), -1))
    found = np.where(last >= 0, order[np.maximum(last, 0)], 0)
    mine = (last >= 0) & (entities[found] == entities[order])
    answers = np.where(mine, value[np.minimum(found, events - 1)], default)
    result = np.empty(asked, dtype=np.int64)
    result[order[~is_event] - events] = answers[~is_event]
    return result


def previous_value(entity: Ints, value: NDArray[Any], default: NDArray[Any]) -> NDArray[Any]:
    """For each event of an entity's step function the value before it, *default* for its first; all of shape (events,).

    The events of each entity come in order of happening.
    """
    order = np.argsort(entity, kind="stable")
    before = np.empty_like(value)
    before[order[1:]] = value[order[:-1]]
    first = np.ones(entity.size, dtype=bool)
    first[order[1:]] = entity[order[1:]] != entity[order[:-1]]
    return np.where(first, default, before)


def in_version_order(entity: Ints, values: NDArray[Any], entities: int) -> tuple[NDArray[Any], Ints]:
    """*values* of commits that come in version order, grouped by entity, and where each entity's begin.

    The value at version v of entity e is values[begin[e] + v - 1].
    """
    order = np.argsort(entity, kind="stable")
    return values[order], np.searchsorted(entity[order], np.arange(entities))


def sum_until(times: Ints, amounts: NDArray[Any], at: Ints) -> NDArray[np.int64]:
    """The sum of *amounts* whose time is at most each of *at*; shape of *at*."""
    order = np.argsort(times, kind="stable")
    sums = np.concatenate([[0], np.cumsum(amounts[order])])
    return np.asarray(sums[np.searchsorted(times[order], at, side="right")], dtype=np.int64)
