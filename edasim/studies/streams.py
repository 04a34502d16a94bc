"""Streams of events from day to day: what they cost beside a table, commands that collide, and the past of one entity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from edasim.errors import InputError
from edasim.estimates import estimates, short
from edasim.findings import Finding
from edasim.journal import NONE, Journal, committed_rows
from edasim.summary import ABSENT, one_screen
from edasim.time_travel import State, folded

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
    done = committed_rows(journal.changes)
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
