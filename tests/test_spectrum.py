"""From everything in the event to nothing in it: the same scenario with seven options, and who pays for what."""

import pandas as pd
import pytest
from test_delivery_figures import collisions
from tiny import quiet

from edasim import Comparison, candidates_of, figures, paired_comparison, screens
from edasim.estimates import estimates
from edasim.studies.spectrum import COSTS, at_every_consumer, from_everything_to_nothing, who_pays_what

NAMES = ["state", "state-10%-asks", "state-50%-asks", "notice-call-back", "notice-evict", "cached-reads", "requests"]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """A minute without any fault in which each of two consumers reads as often as the source changes, from a hundred entities."""
    scenario = quiet(
        name="ask-or-keep",
        duration=60,
        workload={"arrivals": {"rate": 20}, "entities": {"count": 100}, "reads": {"rate": 20}},
        consumers=[{"name": "billing", "handle_time": 0}, {"name": "quota", "handle_time": 0, "needs_more": 0.3}],
        source={"cache_ttl": "5s"},
    )
    return paired_comparison(from_everything_to_nothing(scenario), replications=3, jobs=1)


def asked(comparison: Comparison) -> dict[str, float]:
    """Calls to the source a second besides the writes."""
    results = comparison.results
    writes = estimates(results[results["component"] == "write"].assign(component=""), "source_requests_per_s")
    return {option: found.mean - writes[option].mean for option, found in estimates(results, "source_requests_per_s").items()}


def test_seven_options_stand_in_place_of_the_scenarios_own() -> None:
    scenario = quiet(options=[{"name": "mine", "pattern": "cqrs"}])
    assert [option.name for option in from_everything_to_nothing(scenario).options] == NAMES


def test_the_less_an_event_brings_the_more_the_source_is_called(comparison: Comparison) -> None:
    found = asked(comparison)
    assert found["state"] == 0, "whatever a consumer needed in the scenario, here all is in the event"
    assert found["state-10%-asks"] == pytest.approx(0.1 * 2 * 20, rel=0.2)
    assert found["state-50%-asks"] == pytest.approx(0.5 * 2 * 20, rel=0.1)
    assert found["notice-call-back"] == pytest.approx(2 * 20, rel=0.1), "once for each change and consumer"
    assert found["requests"] == pytest.approx(2 * 20, rel=0.1), "once for each read"
    assert 0 < found["cached-reads"] < found["notice-evict"] < found["requests"], "a read that finds something kept is no call"


def test_who_keeps_no_copy_stores_nothing_twice_and_a_cache_is_stale_instead(comparison: Comparison) -> None:
    copies, stale = (estimates(comparison.results, metric) for metric in ("duplication_factor", "stale_fraction"))
    assert [copies[name].mean for name in NAMES] == [2, 2, 2, 2, 0, 0, 0]
    assert max(stale, key=lambda name: stale[name].mean) == "cached-reads"
    assert stale["requests"].is_zero


def test_options_hold_for_every_consumer_whatever_it_asks_for_itself() -> None:
    scenario = quiet(
        consumers=[{"name": "a", "reads": "source", "carries": "nothing"}, {"name": "b", "reads": "cache", "carries": "notice"}],
        broker={"kind": "queue"},
    )
    for candidate in candidates_of(from_everything_to_nothing(scenario)):
        assert {(consumer.carries, consumer.reads) for consumer in candidate.scenario.consumers} == {(None, None)}
        assert candidate.scenario.broker.kind == "queue"
    assert at_every_consumer(scenario, {"needs_more": 0.1}) == {"consumers.0.needs_more": 0.1, "consumers.1.needs_more": 0.1}


def test_the_figure_has_a_row_an_option_and_says_what_does_not_count(comparison: Comparison) -> None:
    picture = figures.one_screen_figure(comparison.results, figures.CALLS_OR_COPIES)
    assert [name for name in NAMES if f"{name}: requests to the source " not in picture.alt] == []
    assert "caches, which hold part, do not count" in picture.figure._supxlabel.get_text()
    assert [axes.get_xlabel().split(" (")[0].split(",")[0] for axes in picture.figure.axes] == [p.label for p in figures.CALLS_OR_COPIES]
    assert collisions(picture) == []


def test_without_being_told_otherwise_the_one_screen_is_what_it_was(comparison: Comparison) -> None:
    titles = [axes.get_title("left") for axes in figures.one_screen_figure(comparison.results).figure.axes]
    assert titles[0] == "How much is lost?"


def test_the_finding_names_who_pays_for_each(comparison: Comparison) -> None:
    said = who_pays_what(comparison.results)
    assert len(said.splitlines()) == len(COSTS)
    assert "**Time stale**: only with `cached-reads`: " in said
    assert "0 by nature with `notice-evict`, `cached-reads` and `requests`" in said


def test_the_table_of_copies_leaves_out_who_keeps_none(comparison: Comparison) -> None:
    table = screens.copies_table(comparison.results)
    assert table.index.tolist() == NAMES[:4]
    assert table.columns.tolist() == ["copy of billing", "copy of quota", "all copies for each byte of the truth"]
    assert table.loc["state"].tolist() == ["200 kB", "200 kB", "2.00 times"]


def test_the_table_of_copies_says_which_consumer_keeps_none() -> None:
    consumers = [{"name": "a", "reads": "source", "carries": "nothing"}, {"name": "b"}]
    results = paired_comparison(quiet(duration=20, consumers=consumers), ["cqrs"], replications=1, jobs=1).results
    assert screens.copies_table(results).columns.tolist() == ["copy of b", "all copies for each byte of the truth"]
    empty = screens.copies_table(results[results["component"] == ""])
    assert empty.empty
    assert isinstance(empty, pd.DataFrame)
