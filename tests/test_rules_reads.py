"""The rules of reads that are not answered at the first attempt: refused, too slow, tried again. A test a rule."""

from typing import Any

import numpy as np
from tiny import QUIET, merged, quiet, value

from edasim import Journal, Scenario, simulate

DOWN = {"outages": {"windows": [[50, 53.5]]}}


def reading(pattern: str, source: dict[str, Any], reads: dict[str, Any], **changes: Any) -> Journal:
    """Somebody reads ten times a second, nothing changes."""
    asked = {"arrivals": {"rate": 1e-9}, "reads": {"rate": 10, **reads}, "entities": {"count": 1}}
    return simulate(quiet(**merged({"source": source, "workload": asked}, changes)), pattern)


def test_a_refused_read_is_tried_again_a_backoff_later_until_it_is_answered() -> None:
    journal = reading("request_response", DOWN, {"retries": 10}, consumers=[{"name": "billing", "backoff": "1s"}])
    reads = journal.frame("reads")
    met = reads[(reads["time"] >= 50) & (reads["time"] < 53.5)]
    assert reads["answered"].all()
    assert np.allclose(met["latency"], np.ceil(53.5 - met["time"])), "at whole seconds after the first attempt, once the source is back"
    assert np.allclose(met["asked"], met["time"] + met["latency"])
    refused = journal.frame("requests").query("not ok")
    assert len(refused) == met["latency"].sum()


def test_a_read_is_tried_again_at_most_so_many_times() -> None:
    journal = reading("request_response", DOWN, {"retries": 2}, consumers=[{"name": "billing", "backoff": "1s"}])
    reads = journal.frame("reads")
    given_up = reads[~reads["answered"]]
    assert len(given_up) > 0
    assert given_up["time"].between(50, 51.5).all(), "the last attempt comes two seconds later"
    assert reads["answered"][reads["time"].between(51.5, 60)].all()


def test_without_retries_a_refused_read_stays_unanswered() -> None:
    assert value(reading("request_response", DOWN, {}), "read_availability") < 1


def test_a_read_that_timed_out_is_tried_again_a_backoff_after_the_timeout_while_the_source_works_on() -> None:
    slow = {"read_time": {"dist": "mixture", "of": [0, 5], "weights": [0.5, 0.5]}, "servers": 100_000}
    journal = reading("request_response", slow, {"retries": 50, "timeout": "1s"}, consumers=[{"name": "billing", "backoff": "0.5s"}])
    reads = journal.frame("reads")
    attempts = 1 + reads["latency"] / 1.5  # an attempt that is answered takes no time, any other 1 + 0.5 s
    assert np.allclose(attempts, attempts.round())
    assert 1.8 < attempts.mean() < 2.2
    assert len(journal.requests["time"]) == attempts.sum(), "the source worked for the attempts that timed out, too"


def test_a_request_that_is_longer_on_its_way_than_the_timeout_is_tried_again_before_it_arrives() -> None:
    there_and_back = {"latency": {"publish": 0, "deliver": 0, "call": 3}}
    journal = reading(
        "request_response", {}, {"retries": 1, "timeout": "1s"}, network=there_and_back, consumers=[{"name": "billing", "backoff": "0.5s"}]
    )
    asked = np.sort(journal.requests["time"])
    first, second = (np.sort(moments) for moments in (journal.reads["time"], journal.reads["time"] + 1_500_000_000))
    assert np.array_equal(asked, np.sort(np.concatenate([first, second])))
    assert not journal.reads["answered"].any()


def test_a_cache_is_looked_into_again_before_each_attempt() -> None:
    source = {"outages": {"windows": [[0, 10.5]]}, "cache_ttl": "1h"}
    journal = reading("cached_reads", source, {"retries": 100}, consumers=[{"name": "billing", "backoff": "1s"}])
    frame = journal.frame("requests")
    assert frame["ok"].sum() == 1, "the first to find the source up fetches it for all who try again later"
    assert journal.reads["answered"].all()


def test_a_read_model_whose_servers_are_too_slow_is_asked_again() -> None:
    model = {"servers": 1, "read_time": {"dist": "mixture", "of": [0, 3], "weights": [0.9, 0.1]}}
    once = reading("cqrs", {}, {"timeout": "1s"}, read_model=model)
    again = reading("cqrs", {}, {"timeout": "1s", "retries": 3}, read_model=model)
    assert value(once, "read_availability") < 0.5
    assert value(once, "read_availability") < value(again, "read_availability") + 0.5, "more attempts mean more work, too"
    answered = again.reads["answered"]
    assert np.all((again.reads["asked"] - again.reads["time"])[answered] <= again.reads["latency"][answered])


def test_versions_are_those_of_the_attempt_that_was_answered() -> None:
    scenario = Scenario(
        **merged(
            QUIET,
            {
                "workload": {"arrivals": {"rate": 5}, "reads": {"rate": 10, "retries": 20}, "entities": {"count": 2}},
                "source": {"outages": {"up": {"dist": "exponential", "mean": 5}, "down": {"dist": "exponential", "mean": 2}}},
            },
        )
    )
    journal = simulate(scenario, "request_response")
    changes, reads = journal.changes, journal.reads
    for row in np.flatnonzero(reads["answered"]):
        mine = changes["committed"][(changes["entity"] == reads["entity"][row]) & (changes["committed"] >= 0)]
        assert reads["version_seen"][row] == reads["version_true"][row] == (mine <= reads["asked"][row]).sum()
    assert (reads["asked"] > reads["time"]).any()
