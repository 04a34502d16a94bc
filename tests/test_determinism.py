"""Same seed, same bytes: in any process, for any number of workers and any hash seed."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import quiet

from edasim import PRESETS, Comparison, Journal, Scenario, compare, paired_comparison, simulate
from edasim.conservation import ConservationError, check_conservation
from edasim.journal import COLUMNS

SLOW = {"slow": {"up": {"dist": "exponential", "mean": "10s"}, "down": "1s"}, "poison": [7]}
BUSY = Scenario(
    warmup=5,
    duration=30,
    drain=60,
    workload={"reads": {"rate": 5}, "arrivals": {"rate": 20}, "entities": {"count": 200}},
    network={"loss": 0.02, "ack_loss": 0.02, "outages": {"up": {"dist": "exponential", "mean": "10s"}, "down": "1s", "loss": 0.5}},
    broker={"outages": {"up": {"dist": "exponential", "mean": "20s"}, "down": "2s"}},
    source={"outages": {"windows": [[20, 22]]}},
    consumers=[{"name": "billing", "outages": {"up": {"dist": "exponential", "mean": "15s"}, "down": "1s"}}, {"name": "quota", **SLOW}],
)
DIGEST = "from test_determinism import digests; print(digests())"


def digest(journal: Journal, folder: Path) -> str:
    journal.write(folder)
    content = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return hashlib.sha256(content).hexdigest()


def digests() -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return " ".join(digest(simulate(BUSY, pattern), Path(folder) / pattern) for pattern in PRESETS)


def test_a_journals_files_are_identical_in_processes_with_different_hash_seeds() -> None:
    def elsewhere(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", DIGEST], cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    assert elsewhere("1") == elsewhere("2") == digests()


def test_results_are_the_same_for_any_number_of_jobs() -> None:
    one, two = (compare(BUSY, replications=3, jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_replication_is_the_same_whether_it_runs_alone_or_beside_other_options() -> None:
    alone = compare(BUSY, ["cqrs"], replications=2, jobs=1)
    beside = compare(BUSY, ["event_notification", "cqrs"], replications=2, jobs=1)
    pd.testing.assert_frame_equal(alone, beside[beside["option"] == "cqrs"].reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("pattern", PRESETS)
def test_a_journal_comes_back_from_its_files(tmp_path: Path, pattern: str) -> None:
    journal = simulate(BUSY, pattern)
    journal.write(tmp_path)
    again = Journal.read(tmp_path)
    assert again.facts == journal.facts
    for table in COLUMNS:
        for column, values in getattr(journal, table).items():
            assert np.array_equal(values, getattr(again, table)[column]), (table, column)
            assert values.dtype == getattr(again, table)[column].dtype


def test_two_options_see_the_same_changes_and_reads_asked_for() -> None:
    journals = [simulate(BUSY, pattern) for pattern in PRESETS]
    for journal in journals[1:]:
        for table, column in (("changes", "time"), ("changes", "entity"), ("reads", "time"), ("reads", "entity"), ("reads", "consumer")):
            assert np.array_equal(getattr(journal, table)[column], getattr(journals[0], table)[column])


def test_a_run_that_loses_track_of_a_message_is_refused() -> None:
    journal = simulate(BUSY, "cqrs")
    for broken in ({"change": journal.deliveries["change"][:-1]}, {"outcome": np.zeros_like(journal.deliveries["outcome"])}):
        rows = {name: values[: len(next(iter(broken.values())))] for name, values in journal.deliveries.items()} | broken
        tables = {name: getattr(journal, name) for name in COLUMNS} | {"deliveries": rows}
        with pytest.raises(ConservationError):
            check_conservation(Journal(facts=journal.facts, **tables))


def test_differences_are_paired_and_narrower_than_unpaired_ones() -> None:
    comparison: Comparison = paired_comparison(BUSY, ["event_carried_state_transfer", "event_notification"], replications=10, jobs=1)
    lost = comparison.results.query("metric == 'loss_rate' and consumer == 'billing'")
    difference = comparison.differences.query("metric == 'loss_rate' and consumer == 'billing'").iloc[0]
    assert (lost["high"] - lost["low"]).min() > 0
    assert difference["high"] - difference["low"] < (lost["high"] - lost["low"]).min() / 10
    assert comparison.baseline == difference["baseline"] == "event_carried_state_transfer"


@pytest.mark.parametrize(("table", "column"), [("changes", "entity"), ("refreshes", "consumer"), ("own_reads", "change")], ids=str)
def test_a_journal_with_a_code_of_nothing_is_refused(tmp_path: Path, table: str, column: str) -> None:
    journal = simulate(quiet(duration=20, workload={"reads": {"rate": 1, "own": "source"}}), "event_carried_state_transfer")
    for wrong in (-3, 10**12):
        codes = np.append(getattr(journal, table)[column][:-1], wrong)
        replace(journal, **{table: {**getattr(journal, table), column: codes}}).write(tmp_path)
        with pytest.raises(ValueError, match=f"{table} has a {column} that is not there"):
            Journal.read(tmp_path)
