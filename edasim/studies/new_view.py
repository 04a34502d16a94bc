"""A view more on live data: how long until a read model in a new shape serves, by how many workers build it?"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, short
from edasim.findings import Finding
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS
from edasim.scenario import Scenario
from edasim.studies.rebuilding import rebuild_over_years
from edasim.studies.source_load import steady
from edasim.studies.years import tables_beside_events

USUAL = ("cqrs", "event_sourcing_cqrs")
WORKERS = (1, 2, 4, 8, 16)
CHANGES = 3000  # in the window


class Building(NamedTuple):
    """With one number of workers: how long the view takes to build *alone*, and until it has *caught up* with the changes (None: never)."""

    alone: Estimate
    caught_up: Estimate | None


def new_view(
    scenario: Scenario,
    workers: Sequence[int] = WORKERS,
    patterns: Sequence[Pattern | str] | None = None,
    *,
    options: Sequence[str] | None = None,
    years: float = 1.0,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """What it takes to build a read model in a new shape beside those there are, while changes go on: the rows of `rebuild_over_years`.

    With a column `workers` more, and of each option's usual way only: from all events where truth is events, from the source in bulk
    elsewhere. So many *years* after the run, extrapolated; nothing fails, changes come as a Poisson process, and the window is as long as
    3,000 of them take. By default the scenario's options, at most five, or CQRS with the truth in a table and in events.

    Raises InputError for what `compare` refuses.
    """
    if not workers:
        raise InputError("workers: there must be at least one number")
    day = steady(scenario, CHANGES)
    patterns, options = tables_beside_events(scenario, USUAL, patterns, options)
    parts = []
    for number in workers:
        changed = day.with_overrides({"event_store.rebuild.workers": number})
        rows = rebuild_over_years(changed, patterns, options=options, years=[years], replications=replications, jobs=jobs)
        parts.append(rows[(rows["years"] == years) & rows["component"].isin(["events", "source"])].assign(workers=number, component=""))
    return pd.concat(parts, ignore_index=True)


def course(swept: pd.DataFrame, option: str) -> dict[int, Building]:
    """What an option's view takes by the number of workers; empty where there is nothing to build."""
    found = {}
    for number in sorted(set(swept["workers"])):
        rows = swept[(swept["workers"] == number) & (swept["option"] == option)]
        alone, caught_up, never = (estimates(rows, m).get(option) for m in ("rebuild_time", "catch_up_time", "never_catches_up"))
        if alone is not None:
            found[number] = Building(alone, None if never is None or never.mean > 0 else caught_up)
    return found


def how_long_until_it_serves(swept: pd.DataFrame) -> Finding:
    """Of `new_view`: for each option how long until the view serves with fewest and most workers, and what bounds it."""
    lines = []
    for option in dict.fromkeys(map(str, swept["option"])):
        if points := course(swept, option):
            few, many = min(points), max(points)
            lines.append(
                f"* `{option}`: with {_workers(few)} {_served(points[few])}, with {_workers(many)} {_served(points[many])}{_bound(points)}."
            )
    return Finding("\n".join(lines) or "* No option keeps a read model, so there is none to build.")


def _workers(number: int) -> str:
    return f"{number} worker{'s' if number > 1 else ''}"


def _served(point: Building) -> str:
    if point.caught_up is None:
        return f"it never catches up (alone it would take {short(point.alone.mean, 's')})"
    return f"it serves after {short(point.caught_up.mean, 's')}"


def _bound(points: dict[int, Building]) -> str:
    """Whether more workers help in proportion, in words; they can't where one entity has much of what there is to read."""
    few, many = min(points), max(points)
    gained, hoped = points[few].alone.mean / points[many].alone.mean, many / few
    return f"; {hoped:g} times the workers make it {gained:.3g} times as quick" if gained < 0.8 * hoped else ""
