"""Streams of events from day to day: what they cost beside a table, commands that collide, and the past of one entity."""

from collections.abc import Sequence
from math import isnan

import numpy as np
import pandas as pd

from edasim.candidates import Candidate
from edasim.comparison import Comparison, by_key
from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, short
from edasim.findings import Finding
from edasim.incidents import without_faults
from edasim.journal import NONE, Journal, committed_rows
from edasim.metrics.replay import pieces, replayed_events
from edasim.metrics.values import Value
from edasim.patterns import Pattern
from edasim.runs import REPLICATIONS, over_replications
from edasim.scenario import Scenario, TraceArrivals
from edasim.studies.short_runs import unread
from edasim.studies.snapshots import event_store_of
from edasim.studies.source_load import steady
from edasim.studies.years import asked_years, duration
from edasim.summary import ABSENT, one_screen
from edasim.time_travel import State, folded
from edasim.units import YEAR_S
from edasim.workload import rate_of

DAILY = {
    "write_latency_mean": "a write takes",
    "write_latency_p99": "write p99",
    "read_latency_mean": "a read takes",
    "load_time_mean": "of that, loading",
    "source_utilisation": "source work",
    "storage_growth_bytes_per_day": "storage growth",
    "append_conflict_rate": "appends that met a newer version",
    "append_failed_rate": "commands that gave up",
}
CHECKED = 200  # states of the past
AFTER = (1, 3, 5)  # years
CHANGES = 1000  # in the window
PAST = {"stream_events_mean": "events of its stream", "point_in_time_events_mean": "events replayed", "point_in_time_load_mean": "takes"}
ALL_EVENTS = "load_all_events_mean"


def beside_a_table(results: pd.DataFrame) -> pd.DataFrame:
    """What keeping every event costs from day to day beside a table that overwrites: a row an option, as mean ± half of the interval."""
    return one_screen(results, DAILY)


def who_collides(results: pd.DataFrame) -> Finding:
    """How often a command finds that its entity has changed since it was loaded, and gives up; of each option that keeps events."""
    met, gave_up = (estimates(results, metric) for metric in ("append_conflict_rate", "append_failed_rate"))
    if not met:
        return Finding("* No option keeps events, so no command can find that its entity has changed since it was loaded.")
    return Finding(
        "\n".join(
            f"* `{option}`: {found} of the attempts to append met a newer version; {gave_up[option]} of the commands gave up."
            for option, found in met.items()
        )
    )


def busiest(journal: Journal) -> int:
    """The entity that changed most often in the run. Raises InputError where none did."""
    done = committed_rows(journal.changes)
    if not done.size:
        raise InputError("nothing changed in this run, so nothing has a past")
    return int(np.bincount(journal.changes["entity"][done]).argmax())


def past_states(journal: Journal, entity: int, moments: Sequence[float] | None = None) -> pd.DataFrame:
    """What *entity* held at past *moments* (seconds; by default six, evenly over its changes), and what it took to know.

    A row a moment: `at`, `in it` (quantity x item), `version`, `from snapshot` of that version (a dash: from the beginning), and how many
    `events replayed`. Raises InputError where truth is a table, which forgets.
    """
    if moments is None:
        mine = journal.changes["committed"][journal.changes["entity"] == entity]
        times = np.sort(mine[mine != NONE]) / 1e9
        moments = times[np.linspace(0, times.size - 1, 6).astype(int)].tolist() if times.size else [0.0]
    rows = []
    for moment in moments:
        replay = journal.replay_to(entity, moment)
        begin = f"version {replay.snapshot}" if replay.snapshot else ABSENT
        rows.append((short(moment, "s"), _in_words(replay.state), replay.version, begin, replay.events))
    return pd.DataFrame(rows, columns=["at", "in it", "version", "from snapshot", "events replayed"])


def _in_words(state: State) -> str:
    return ", ".join(f"{count} x item {item}" for item, count in sorted(state.items())) or "nothing"


def past_is_exact(journal: Journal) -> Finding:
    """Rebuild states of random entities at random times through snapshots, and all of them once more event by event from the first."""
    rng = np.random.default_rng(journal.facts["seed"])
    done = np.flatnonzero(journal.changes["committed"] != NONE)
    done = done[np.argsort(journal.changes["version"][done], kind="stable")]  # in this order they are drawn
    if not done.size:
        return Finding("* Nothing changed in this run, so nothing has a past.")
    entities = rng.choice(journal.changes["entity"][done], CHECKED)
    times = rng.uniform(0, journal.facts["window"][1] / 1e9, CHECKED)
    replays = [journal.replay_to(int(entity), float(time)) for entity, time in zip(entities, times, strict=True)]
    alike = sum(
        replay.state == step_by_step(journal, int(entity), float(time))
        for replay, entity, time in zip(replays, entities, times, strict=True)
    )
    needed, all_events = (sum(getattr(replay, name) for replay in replays) for name in ("events", "version"))
    return Finding(
        f"* {alike} of {CHECKED} past states, of entities and at times drawn at random, are what all events from the first give; "
        f"through snapshots that took {needed:,} events instead of {all_events:,}."
    )


def step_by_step(journal: Journal, entity: int, time: float) -> State:
    """The state of *entity* at *time* (seconds) by replaying all its events, without snapshots."""
    return folded({}, journal.payload_of(entity, time))


def past_loads(
    scenario: Scenario,
    pattern: Pattern | str | None = None,
    *,
    years: Sequence[float] = AFTER,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """What a past state costs in a store that is so many *years* older: the rows of `compare` with a column `years` more.

    Metrics, means over times spread evenly over the window, entities by popularity while they are active: `stream_events_mean`, how many
    events an entity has had by then, those before the run included; `point_in_time_events_mean` and `point_in_time_load_mean`, how many
    of them are replayed for that state and how long it takes; `load_all_events_mean`, how long if there were no snapshots.

    Streams are as long as the mean rate makes them: nothing fails, nobody reads, and 1,000 changes are simulated on top of the years, or
    all of a trace that brings its own entities.
    By default of the first option that keeps events, or `event_sourcing`. No rows where several regions write. Raises InputError where
    truth is a table, nothing changes, for years that can't be, and for what `compare` refuses.
    """
    chosen = event_store_of(unread(scenario), pattern)
    day = _calm(chosen.scenario)
    rate, begun = rate_of(day), day.event_store.history
    older = {f"{time:g}": {"event_store.history": begun + round(rate * time * YEAR_S)} for time in asked_years(years)}
    candidates = [Candidate(name, chosen.pattern, day.with_overrides(history)) for name, history in older.items()]
    found = over_replications(candidates, costs_of_the_past, seed=scenario.seed, replications=replications, jobs=jobs)
    rows = Comparison(day, scenario.seed, tuple(candidates), by_key(found), replications).results
    return rows.assign(years=rows["option"].astype(float), option=chosen.name)


def _calm(scenario: Scenario) -> Scenario:
    """An ordinary day; of a trace with keys of its own all that was recorded, or its streams would be cut short."""
    arrivals = scenario.workload.arrivals
    keyed = isinstance(arrivals, TraceArrivals) and arrivals.columns.entity is not None
    return without_faults(scenario) if keyed else steady(scenario, CHANGES)


def costs_of_the_past(journal: Journal) -> list[Value]:
    """The values of `past_loads` in one run; none where several regions write, or nothing is active."""
    entity, version, weight = pieces(journal)
    if journal.facts["writers"] > 1 or not weight.sum() > 0:
        return []
    share, settings = weight / weight.sum(), journal.facts["event_store"]
    stream = float((journal.entities["history"][entity] + version) @ share)
    replayed = float(replayed_events(journal, entity, version) @ share)
    takes, all_events = ((settings["load_base"] + settings["load_per_event"] * events) / 1e9 for events in (replayed, stream))
    numbers = dict(zip(PAST, ((stream, "events"), (replayed, "events"), (takes, "s")), strict=True)) | {ALL_EVENTS: (all_events, "s")}
    return [Value(metric, amount, unit) for metric, (amount, unit) in numbers.items()]


def past_by_years(rows: pd.DataFrame) -> pd.DataFrame:
    """Of `past_loads`: a row for each number of years, as mean ± half of the interval."""
    titles = {**PAST, ALL_EVENTS: "without snapshots"}
    table = {title: [str(_then(rows, metric, years)) for years in _years(rows)] for metric, title in titles.items()}
    return pd.DataFrame(table, pd.Index([duration(years) for years in _years(rows)], name="after"))


def what_the_past_costs(rows: pd.DataFrame) -> Finding:
    """Of `past_loads`: whether a past state costs more as the years go by (one run can't tell), and what it would without snapshots."""
    if rows.empty:
        return Finding("* No option keeps one stream of events for each entity here, so there is no past to load.")
    first, last = _years(rows)[0], _years(rows)[-1]
    early, late = (_then(rows, "point_in_time_load_mean", years) for years in (first, last))
    if isnan(early.low) or isnan(late.low):  # one run can't tell
        said = ""
    else:
        said = ", no clear change" if early.overlaps(late) else f", {late.mean / early.mean:.3g} times what it is after {duration(first)}"
    return Finding(
        f"* With `{rows['option'].iloc[0]}` a past state takes {late} after {duration(last)}{said}; the stream it is in has then had "
        f"{_then(rows, 'stream_events_mean', last)}, and without snapshots it would take {_then(rows, ALL_EVENTS, last)}."
    )


def _years(rows: pd.DataFrame) -> list[float]:
    return sorted(set(rows["years"].tolist()))


def _then(rows: pd.DataFrame, metric: str, years: float) -> Estimate:
    return estimates(rows[rows["years"] == years], metric)[str(rows["option"].iloc[0])]
