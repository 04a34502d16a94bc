"""A measured run beside the simulated one of the same workload and luck: what differs is the model, or what it was not told."""

import math
from collections.abc import Iterable

import pandas as pd

from edasim.candidates import candidate_named
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.metrics import Value, measure
from edasim.patterns import Pattern
from edasim.recorded import as_it_was
from edasim.runs import journal_of
from edasim.scenario import Scenario
from edasim.summary import ABSENT, in_words

MAIN = (
    *("loss_rate", "lost_broker", "lost_overflow", "lost_retention", "lost_disconnected", "lost_consumer", "in_flight_rate"),
    *("publish_failed_rate", "publish_attempts_mean", "duplicate_rate", "out_of_order_rate"),
    *("latency_mean", "latency_p50", "latency_p95", "backlog_max", "recovery_time"),
    *("stale_fraction", "stale_read_rate", "staleness_p99", "diverged_entities", "read_your_writes_miss_rate"),
)
OF_THE_LOG = ("storage_bytes", "rebuild_events", "rebuild_time")  # by component `log`
ALWAYS = frozenset({"loss_rate", "duplicate_rate"})  # shown even where both are 0
COUNTED = ("messages", "entities", "events")  # no fractions in one run
COLUMNS = ["metric", "consumer", "unit", "measured", "simulated"]


def beside(journal: Journal, scenario: Scenario, option: Pattern | str) -> pd.DataFrame:
    """The main metrics of a measured *journal* and of the simulation of the same *option*, seed and replication.

    Outages are simulated as long as they really were. One row a metric and consumer, in the metrics' own units; NaN where
    one of both has none. Raises InputError as a simulation does.
    """
    luck = Luck(journal.facts["seed"], journal.facts["replication"])
    simulated = journal_of(as_it_was(candidate_named(scenario, option), journal), luck)
    both = [_by_key(measure(found)) for found in (journal, simulated)]
    units = {key: value.unit for found in both for key, value in found.items()}
    order = {metric: place for place, metric in enumerate((*MAIN, *OF_THE_LOG))}
    rows = [
        (metric, consumer, units[metric, consumer], *(found[key].value if (key := (metric, consumer)) in found else None for found in both))
        for metric, consumer in sorted(units, key=lambda key: (order[key[0]], key[1]))
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"measured": float, "simulated": float})


def _by_key(values: Iterable[Value]) -> dict[tuple[str, str], Value]:
    return {
        (value.metric, value.consumer): value
        for value in values
        if (value.metric in MAIN and not value.component) or (value.metric in OF_THE_LOG and value.component == "log")
    }


def beside_as_text(table: pd.DataFrame, journal: Journal) -> str:
    """The table of `beside` for a terminal; what is 0 on both sides is left out, but for losses and repeats."""
    shown = table[(table["measured"] != 0) | (table["simulated"] != 0) | table["metric"].isin(ALWAYS)]
    words = shown.assign(**{side: [_word(*row) for row in zip(shown[side], shown["unit"], strict=True)] for side in COLUMNS[3:]})
    measured = journal.facts["measured"]
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    return "\n".join(
        [
            f"{journal.facts['scenario']}, option {journal.facts['option']}, seed {journal.facts['seed']}, on {measured['technology']}",
            "",
            words.drop(columns="unit").to_string(index=False),
            "",
            f"One run each, the same changes and handling times. {versions}; {measured['cpu']}, {measured['cores']} cores.",
            *journal.facts["notes"],
        ]
    )


def _word(value: float, unit: str) -> str:
    if math.isnan(value):
        return ABSENT
    return f"{value:,.0f} {unit}" if unit in COUNTED and value else in_words(value, value, value, unit)
