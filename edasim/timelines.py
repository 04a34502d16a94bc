"""Step functions of time, one per entity: what was the value then? And storage sums that follow from them.

The loops are compiled (edasim/compiled) and loaded when they are first needed.
"""

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
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import newest_by_then

    if not entity.size or not of_entity.size:
        return np.full(entity.size, default, dtype=np.int64)
    asked, events = (whole(entity), whole(time)), (whole(of_entity), whole(at_time), whole(value))
    return newest_by_then(*asked, *events, default, including)


def previous_value(entity: Ints, value: Ints, default: Ints) -> Ints:
    """For each event of an entity's step function the value before it, *default* for its first; all of shape (events,).

    The events of each entity come in order of happening.
    """
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import value_before

    return value_before(whole(entity), whole(value), whole(default))


def in_version_order(entity: Ints, values: Ints, entities: int) -> tuple[Ints, Ints]:
    """*values* of commits that come in version order, grouped by entity, and where each entity's begin.

    The value at version v of entity e is values[begin[e] + v - 1].
    """
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import grouped

    rows, begins = grouped(whole(entity), entities)
    return values[rows], begins[:-1]


def sum_until(times: Ints, amounts: Ints, at: Ints) -> Ints:
    """The sum of *amounts* whose time is at most each of *at*, which is in order; shape of *at*."""
    from edasim.compiled.sorting import whole
    from edasim.compiled.steps import sums_until

    return sums_until(whole(times), whole(amounts), whole(at))
