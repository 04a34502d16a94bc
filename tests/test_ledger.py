"""The complexity ledger: which parts an option needs under a scenario, why, and what a team's own file may say."""

from itertools import product
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from edasim import InputError, Scenario, candidates_of, paired_comparison
from edasim.candidates import Candidate
from edasim.ledger.facts import FACTS, SEEN, WORDS, facts_of
from edasim.ledger.moving_parts import SHIPPED, ledger, ledger_table, moving_parts, read_parts, what_it_takes
from edasim.patterns import PRESETS
from edasim.technologies import Technology, decided_by

TINY = {
    "warmup": 0,
    "duration": 30,
    "drain": 60,
    "workload": {"arrivals": {"rate": 20}, "entities": {"count": 20}, "reads": {"rate": 1}},
    "consumers": [{"name": "billing", "commit": {"every": 2}}, {"name": "stock"}],
}
STATE = "event_carried_state_transfer"


def option(pattern: str = STATE, **changed: Any) -> Candidate:
    return candidates_of(Scenario(**TINY).with_overrides(changed), [pattern])[0]


def names(candidate: Candidate, results: pd.DataFrame | None = None) -> list[str]:
    return [each.part for each in moving_parts(candidate, results)]


def fact(candidate: Candidate, name: str, results: pd.DataFrame | None = None) -> list[str]:
    return [each.values[name] for each in facts_of(candidate, results)]


# What is needed, and what is not


def test_request_response_needs_nothing_whatever_fails() -> None:
    assert names(option("request_response", **{"source.outages": {"windows": [[1, 9]]}, "consumers.stock.failure_rate": 0.1})) == []


def test_each_part_is_needed_somewhere_and_not_everywhere() -> None:
    busy: dict[str, Any] = {
        "workload.regions": 2,
        "workload.reads.own": "wait",
        "broker.outages": {"windows": [[5, 9]]},
        "broker.compaction": {},
        "consumers.billing.outages": {"windows": [[12, 14]]},
        "consumers.billing.failure_rate": 0.1,
        "event_store.schema_changes.changes_per_year": 4,
        "event_store.archive_after": "1d",
    }
    chain = {"consumers.stock.listens_to": "billing"}
    found = []
    for pattern, kind, publish in product(PRESETS, ("log", "queue", "pubsub"), (None, "outbox", "cdc")):
        several = PRESETS[pattern].carries in ("state", "delta")
        changed = {**busy, "broker.kind": kind, "source.publish": publish, **({} if several else {"workload.regions": 1})}
        found.append(set(names(option(pattern, **(changed | (chain if PRESETS[pattern].sends else {}))))))
    assert set.union(*found) == {each.part for each in read_parts()}
    assert set.intersection(*found) == set()


def test_deduplication_is_needed_where_a_message_may_come_twice_and_only_there() -> None:
    assert "deduplication" not in names(option())
    assert "deduplication" not in names(option(**{"network.ack_loss": 0.1, "source.producer.idempotent": True}))
    assert "deduplication" not in names(option(**{"broker.kind": "pubsub", "consumers.billing.outages": {"windows": [[9, 12]]}}))
    for way in (
        {"network.ack_loss": 0.1},
        {"consumers.billing.outages": {"windows": [[9, 12]]}},
        {"broker.outages": {"windows": [[9, 12]]}},
    ):
        assert "deduplication" in names(option(**way)), way


def test_a_fault_at_one_consumer_is_a_reason_at_that_one_only() -> None:
    found = next(
        each for each in moving_parts(option(**{"consumers.billing.outages": {"windows": [[9, 12]]}})) if each.part == "deduplication"
    )
    assert found.why == "a message may be handled twice at billing: billing handles again after a restart what it had not acknowledged"


def test_consumers_that_differ_from_their_option_need_parts_of_their_own() -> None:
    found = {each.part: each.why for each in moving_parts(option(**{"consumers.stock.carries": "notice"}))}
    assert "at billing " in found["message contract"]
    assert "comes to stock " in found["call back endpoint"]


def test_what_was_seen_says_more_than_what_is_possible() -> None:
    crash = {"consumers.billing.outages": {"windows": [[9, 12]]}}
    seen = option(**crash)
    results = paired_comparison(seen.scenario, [STATE], replications=2, jobs=1).results
    assert fact(seen, "duplicates") == ["possible", "none"]
    assert fact(seen, "duplicates", results) == ["seen", "none"]
    assert "duplicate_rate at billing" in next(each.why for each in moving_parts(seen, results) if each.part == "deduplication")
    rare = option(**{"source.producer.ack_timeout": 0.05})  # 25 times a one-way trip: nothing is that late
    results = paired_comparison(rare.scenario, [STATE], replications=2, jobs=1).results
    assert fact(rare, "duplicates", results) == ["none", "none"]
    rare = option(**{"source.producer.ack_timeout": 0.03})
    results = paired_comparison(rare.scenario, [STATE], replications=2, jobs=1).results
    assert fact(rare, "duplicates") == ["possible", "possible"]
    assert fact(rare, "duplicates", results) == ["unseen", "unseen"]
    assert "deduplication" in names(rare)
    assert "deduplication" not in names(rare, results)


def test_nobody_has_looked_where_incidents_were_left_out_or_repeats_are_recognised() -> None:
    struck = option(incidents=[{"name": "deploy", "component": "billing", "per_year": 9, "down": 5}])
    results = paired_comparison(struck.scenario, [STATE], replications=2, jobs=1, incidents=False).results
    assert fact(struck, "duplicates", results) == ["possible", "none"]
    results = paired_comparison(struck.scenario, [STATE], replications=2, jobs=1).results
    assert fact(struck, "duplicates", results) == ["seen", "none"]
    hidden = option(**{"consumers.billing.outages": {"windows": [[9, 12]]}, "consumers.billing.deduplicate": True})
    results = paired_comparison(hidden.scenario, [STATE], replications=2, jobs=1).results
    assert results[results["metric"] == "duplicate_rate"]["mean"].tolist() == [0, 0]
    assert fact(hidden, "duplicates", results) == ["possible", "none"]


WAYS: dict[str, dict[str, Any]] = {
    "nothing fails": {},
    "acknowledgements are lost": {"network.ack_loss": 0.2},
    "requests are lost": {"network.loss": 0.5, "source.producer.retries": 1},
    "the broker falls": {"broker.outages": {"windows": [[5, 12]]}, "source.producer.retries": 2},
    "the broker falls, acks all": {"broker.outages": {"windows": [[5, 12]]}, "source.producer.acks": "all", "source.publish": "outbox"},
    "the power fails": {"broker.outages": {"windows": [[5, 6]], "kind": "power"}, "broker.replicas": 1, "broker.fsync_interval": 3},
    "the source dies": {"source.outages": {"windows": [[5, 8]]}, "network.loss": 0.3},
    "a consumer restarts": {"consumers.billing.outages": {"windows": [[5, 12]]}},
    "a consumer pauses": {"consumers.billing.outages": {"windows": [[5, 12]], "on_restart": "resume"}},
    "a consumer restarts, commit before": {"consumers.billing.outages": {"windows": [[5, 12]]}, "consumers.billing.commit.when": "before"},
    "the relay dies": {"source.publish": "outbox", "source.relay.outages": {"windows": [[5, 8]]}},
    "several relays": {"source.publish": "outbox", "source.relay.instances": 3},
    "late acknowledgements": {"source.producer.ack_timeout": 0.004},
    "small buffers": {"broker.max_length": 1, "consumers.billing.handle_time": 0.2},
    "small buffers, oldest dropped": {"broker.max_length": 1, "broker.overflow": "drop_oldest", "consumers.billing.handle_time": 0.2},
    "redelivered": {"consumers.billing.redeliver_after": 0.1, "consumers.billing.handle_time": 0.2},
    "short retention": {"broker.retention": 2, "consumers.billing.handle_time": 0.2},
    "a chain": {"consumers.stock.listens_to": "billing", "consumers.billing.outages": {"windows": [[5, 12]]}},
    "constant times": {"network.latency": 0.001},
    "two regions": {"workload.regions": 2},
    "a poison message": {"consumers.billing.poison": [5], "consumers.billing.failure_rate": 0.2, "consumers.billing.backoff": 0.1},
}
COUNTED = {"duplicates": "duplicate_rate", "losses": "loss_rate", "lateness": "out_of_order_rate", "conflicts": "conflict_rate"}


@pytest.mark.parametrize("kind", ["log", "queue", "pubsub"])
@pytest.mark.parametrize("way", WAYS)
def test_what_can_not_happen_is_never_seen(way: str, kind: str) -> None:
    for pattern in (STATE, "event_sourcing_cqrs"):
        changed = {**WAYS[way], "broker.kind": kind}
        if pattern == "event_sourcing_cqrs" and changed.get("source.publish") == "outbox":
            continue
        found = option(pattern, **changed)
        results = paired_comparison(found.scenario, [pattern], replications=2, jobs=1).results
        for each, (name, metric) in product(facts_of(found), COUNTED.items()):
            rows = results[(results["metric"] == metric) & results["consumer"].isin([each.consumer, ""]) & (results["component"] == "")]
            assert not (each.values[name] == "none" and rows["mean"].gt(0).any()), (each.consumer, name)


# The file


def test_the_head_of_the_file_explains_every_fact_value_and_word() -> None:
    head = SHIPPED.read_text(encoding="utf-8").partition("\nparts:")[0]
    for name, values in FACTS.items():
        line = next(line for line in head.splitlines() if line.startswith(f"#   {name} "))
        assert all(value in line for value in values), name
    assert all(f"{{{word}}}" in head for word in WORDS)
    assert all(f"{value}:" in head for value in SEEN)


def test_every_product_that_a_scenario_may_name_is_known_as_a_broker_of_its_kind() -> None:
    parts = {"log": "log broker", "queue": "queue broker", "pubsub": "pub/sub broker"}
    for product_ in get_args(Technology):
        kind = str(decided_by(product_)["kind"])
        found = option(**{"broker.kind": kind, "already_run": [product_]})
        assert [each.part for each in moving_parts(found) if each.already_run] == [parts[kind]]
    assert not any(each.already_run for each in moving_parts(option(**{"broker.kind": "log", "already_run": ["rabbitmq"]})))


def test_what_the_team_runs_already_may_be_written_in_any_way_and_must_be_known() -> None:
    assert [each.part for each in moving_parts(option(already_run=["Schema_Registry"])) if each.already_run] == ["message contract"]
    with pytest.raises(InputError, match=r"already_run: kafak is no part: did you mean kafka\? allowed: .*log broker"):
        moving_parts(option(already_run=["kafak"]))


MINE = """
parts:
  - part: on-call rota
    when: {carries: [state], failures: [yes]}
    why: "somebody is called when {failures} at {consumers}"
    without: nobody is
    source: the team
    known_as: [pagerduty]
"""


def test_a_team_may_keep_a_file_of_its_own_without_any_code(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    found = ledger(
        [option(**{"consumers.stock.failure_rate": 0.02, "already_run": ["PagerDuty"]})], parts=read_parts(tmp_path / "mine.yaml")
    )
    assert found.to_dict("records") == [
        {
            "option": STATE,
            "part": "on-call rota",
            "why": "somebody is called when 2 % of its attempts fail at stock",
            "without": "nobody is",
            "source": "the team",
            "already_run": True,
        }
    ]


BAD = {
    "no mapping": ("- a", "must be a mapping with the key parts"),
    "no YAML": ("parts: [", "is not valid YAML"),
    "empty": ("", "must be a mapping with the key parts"),
    "no parts": ("parts: []", "parts"),
    "unknown key": (MINE.replace("without", "wihtout"), "wihtout is not a known key: did you mean without\\?"),
    "missing key": (MINE.replace("    source: the team\n", ""), "part on-call rota: parts.0.source is missing"),
    "unknown fact": (
        MINE.replace("failures: [yes]", "failuers: [yes]"),
        "part on-call rota: .*failuers is no fact: did you mean failures\\?",
    ),
    "unknown value": (MINE.replace("[state]", "[states]"), "states is no value of carries: did you mean state\\?"),
    "no list": (MINE.replace("[state]", "state"), "carries must be a list of some of: nothing, notice, state, delta"),
    "no condition": (MINE.replace("{carries: [state], failures: [yes]}", "{}"), "must be a mapping of facts"),
    "unknown word": (MINE.replace("{consumers}", "{consumer}"), r"\{consumer\} is no word: did you mean consumers\?"),
    "a look inside": (MINE.replace("{consumers}", "{consumers.__class__}"), "is no word"),
    "an open brace": (MINE.replace("{consumers}", "{consumers"), "braces must hold a word"),
    "twice": (MINE + MINE.partition("parts:\n")[2], "there are two parts called on call rota"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_is_none_is_refused_in_one_line_that_names_the_part_and_what_is_allowed(what: str, tmp_path: Path) -> None:
    text, said = BAD[what]
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"^parts file .*mine.yaml.*{said}") as found:
        read_parts(tmp_path / "mine.yaml")
    assert "\n" not in str(found.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: No such file"):
        read_parts(tmp_path / "mine.yaml")


def test_in_words_a_part_stands_once_with_each_reason_and_names_are_shown_as_they_are() -> None:
    hostile = Scenario(**TINY | {"consumers": [{"name": "<b>|`x`"}]})
    text = what_it_takes(ledger(candidates_of(hostile, ["cqrs", STATE])))
    assert text.count("**log broker**") == 1
    assert "`cqrs`, `event_carried_state_transfer`: events wait for &lt;b&gt;&#124;&#96;x&#96;" in text
    assert "<b>" not in text
    assert "None of the options needs anything" in what_it_takes(ledger(candidates_of(hostile, ["request_response"])))


def test_the_table_has_a_column_for_an_option_that_needs_nothing() -> None:
    scenario = Scenario(already_run=["kafka"])
    chosen = candidates_of(scenario, ["request_response", "event_notification"])
    table = ledger_table(ledger(chosen), [candidate.name for candidate in chosen])
    assert table.loc["log broker"].tolist() == ["", "is there"]
    assert table.loc["copy at each consumer"].tolist() == ["", "to build"]
    assert ledger_table(ledger(chosen[:1]), ["request_response"]).shape == (0, 1)
