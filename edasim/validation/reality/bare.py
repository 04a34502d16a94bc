"""The scenario that a prediction begins with: nothing takes time and nothing fails, but for what the case says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from edasim.candidates import candidate_named
from edasim.distributions import read_table
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.runs import journal_of
from edasim.scenario import Scenario
from edasim.validation.rows import laid_over

Row = dict[str, Any]  # of a table of measurements, by column
STATE = "event_carried_state_transfer"
BARE: Mapping[str, Any] = {
    "warmup": 0,
    "workload": {"reads": {"rate": 0}},
    "source": {"write_time": 0, "producer": {"retries": 0}},
    "network": {"latency": 0},
    "broker": {"kind": "queue", "replicas": 1},
}
CONSUMER: Mapping[str, Any] = {"name": "consumer", "instances": 1, "handle_time": 0}


def bare(name: str, consumer: Mapping[str, Any], **changes: Any) -> Scenario:
    """A scenario of one *consumer*, with *changes* of whole parts laid over, mapping by mapping."""
    return Scenario.from_mapping(laid_over(BARE, {"name": name, **changes, "consumers": [{**CONSUMER, **consumer}]}))


def rows_in(file: Path) -> list[Row]:
    """The rows of a table of measurements. Raises InputError where it is missing."""
    return rows_of(read_table(str(file)))


def rows_of(table: pd.DataFrame) -> list[Row]:
    """The rows of a *table*, by column."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def recorded_arrivals(file: Path, column: str = "t_pub") -> dict[str, Any]:
    """Changes at the times in a *column* of a *file*, in seconds."""
    return {"process": "trace", "file": str(file), "columns": {"time": column}}


def played(scenario: Scenario, luck: Luck | None = None, pattern: str = STATE) -> Journal:
    """The journal of one run."""
    return journal_of(candidate_named(scenario, pattern), luck or Luck(scenario.seed, 0))
