"""When the source knows what came of its change: by a plain request, and by an event that answers an event."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_delivery_figures import collisions
from tiny import quiet, recorded

from edasim import Candidate, InputError, candidates_of, figures, simulate
from edasim.estimates import short
from edasim.metrics.delivery import in_window
from edasim.studies.outcome import CURVES, Learnt, Outcomes, learnt, when_the_source_knows

LATENCY = {"latency": {"publish": 0.2, "deliver": 0.1, "call": 0.05}}


def of_one_run(candidate: Candidate, consumer: str = "billing") -> Outcomes:
    return learnt(candidate, consumer, replications=1, jobs=1).runs[0]


def played(folder: Path, times: list[float], **changes: Any) -> Outcomes:
    scenario = recorded(
        folder, times, **{"network": LATENCY, "consumers": [{"name": "billing", "instances": 1, "handle_time": 1}], **changes}
    )
    return of_one_run(candidates_of(scenario, ["event_carried_state_transfer"])[0])


def test_an_answer_by_event_takes_two_hops_and_by_request_a_call_and_back(tmp_path: Path) -> None:
    found = played(tmp_path, [10.0])
    assert found.by_event[1:].tolist() == pytest.approx([0.2 + 0.1 + 1 + 0.2 + 0.1])
    assert found.by_request[1:].tolist() == pytest.approx([0.05 + 1 + 0.05])
    assert not found.refused.any()


def test_both_wait_for_their_turn_and_handle_each_change_for_the_same_time() -> None:
    handling = {"name": "billing", "instances": 2, "handle_time": {"dist": "exponential", "mean": 0.2}}
    scenario = quiet(workload={"arrivals": {"rate": 8}}, broker={"kind": "queue"}, consumers=[handling])
    found = of_one_run(candidates_of(scenario, ["event_notification"])[0])
    assert np.allclose(found.by_event, found.by_request), "without latencies a queue and a pool of servers are the same thing"


def test_while_the_consumer_is_down_an_event_waits_and_a_request_is_refused_at_once(tmp_path: Path) -> None:
    down = {"name": "billing", "instances": 2, "handle_time": 1, "outages": {"windows": [[9, 15]]}}
    found = played(tmp_path, [10.0, 20.0], consumers=[down])
    assert found.refused[1:].tolist() == [True, False]
    assert found.by_request[1:].tolist() == pytest.approx([0.05, 1.1])
    assert found.by_event[1] == pytest.approx(15.1 - 10 + 1 + 0.3), "it is fetched when the consumer is back"


def test_a_request_is_served_while_one_instance_is_up(tmp_path: Path) -> None:
    deploy = {"name": "billing", "instances": 2, "handle_time": 1, "outages": {"windows": [[9, 15]], "rolling": True}}
    assert not played(tmp_path, [10.0, 16.0], consumers=[deploy]).refused.any()


def test_of_a_lost_message_the_source_never_learns(tmp_path: Path) -> None:
    found = played(tmp_path, [10.0], network={**LATENCY, "loss": 1.0})
    assert np.isinf(found.by_event).all()
    assert np.isfinite(found.by_request).all()


def test_who_is_sent_nothing_has_no_event_to_answer(tmp_path: Path) -> None:
    scenario = recorded(tmp_path, [10.0])
    with pytest.raises(InputError, match="sends nothing"):
        of_one_run(candidates_of(scenario, ["request_response"])[0])
    with pytest.raises(InputError, match="consumer biling"):
        of_one_run(candidates_of(scenario, ["cqrs"])[0], "biling")


# Over several runs


@pytest.fixture(scope="module")
def candidate() -> Candidate:
    """Two minutes in which billing is down for six seconds, and one message in ten is lost."""
    scenario = quiet(
        name="asked",
        duration=120,
        workload={"arrivals": {"rate": 10}},
        network={"latency": {"publish": 0.02, "deliver": 0.01, "call": 0.005}, "loss": 0.1},
        source={"producer": {"retries": 0}},
        consumers=[{"name": "billing", "instances": 2, "handle_time": 0.05, "outages": {"windows": [[60, 66]]}}],
    )
    return candidates_of(scenario, ["event_carried_state_transfer"])[0]


@pytest.fixture(scope="module")
def found(candidate: Candidate) -> Learnt:
    return learnt(candidate, "billing", replications=3, jobs=1)


def test_the_curves_are_shares_known_that_never_fall_and_end_where_the_runs_do(found: Learnt) -> None:
    curves = found.curves()
    for metric, way in CURVES.items():
        mine = curves[curves["metric"] == metric]
        assert mine["within_s"].is_monotonic_increasing
        assert mine["mean"].is_monotonic_increasing
        assert mine["mean"].iloc[-1] == pytest.approx(np.mean([np.isfinite(getattr(run, way)).mean() for run in found.runs]))
        assert ((mine["low"] <= mine["mean"]) & (mine["mean"] <= mine["high"])).all()
    tenth = curves[curves["within_s"] == 0.1].set_index("metric")["mean"]
    assert tenth["known_by_request"] == pytest.approx(np.mean([(run.by_request <= 0.1).mean() for run in found.runs]))


def test_a_refusal_is_known_but_nothing_is_done(found: Learnt) -> None:
    refused = np.mean([run.refused.mean() for run in found.runs])
    assert found.never("by_request").mean == 0
    assert found.never("done_by_request").mean == pytest.approx(refused)
    assert 0.03 < refused < 0.07, "six seconds of 120"


def test_an_event_and_its_answer_can_both_be_lost(found: Learnt) -> None:
    never = found.never("by_event")
    assert never.low < 1 - 0.9**2 < never.high


def test_the_first_run_is_the_one_that_compare_has(candidate: Candidate, found: Learnt) -> None:
    journal = simulate(candidate.scenario, candidate.pattern)
    assert found.runs[0].by_event.size == int(in_window(journal).sum())
    assert not np.array_equal(found.runs[0].by_event, found.runs[1].by_event)


def test_the_finding_says_what_is_sooner_only_if_that_is_certain(candidate: Candidate, found: Learnt) -> None:
    said = when_the_source_knows(found)
    assert f"by request within {found.quantile('by_request', 0.5)}, by an event within" in said
    assert "by request sooner, 1.83 times" in said, "5 + 50 + 5 ms against 20 + 10 + 50 + 20 + 10 ms"
    assert "by an event not even when the run ends" in said, "of 99 in 100 it never learns"
    assert f"for {found.never('done_by_request')} of changes" in said
    assert "which is sooner is not certain" in when_the_source_knows(learnt(candidate, "billing", replications=1, jobs=1))


def test_without_changes_nothing_is_learnt_and_it_says_so() -> None:
    scenario = quiet(workload={"arrivals": {"process": "renewal", "gap": 50}}, duration=20)
    silent = learnt(candidates_of(scenario, ["cqrs"])[0], "billing", replications=1, jobs=1)
    assert when_the_source_knows(silent).startswith("No change in the window")
    assert silent.curves()["mean"].isna().all()
    assert "no change in the window" in figures.outcome_known(silent).alt


def test_the_figure_labels_each_line_with_where_it_ends(found: Learnt) -> None:
    picture = figures.outcome_known(found)
    shown = {text.get_text() for axes in picture.figure.axes for text in axes.texts}
    assert {"by request: done or refused", "in the end all", "by request: done", "by an event that answers"} <= shown
    assert f"in the end {short(1 - found.never('by_event').mean, 'share')}" in shown
    assert "95 % interval" in picture.figure._supxlabel.get_text()
    (axes,) = picture.figure.axes
    assert axes.get_xlabel() == "time since the commit"
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert len({line.get_linestyle() + str(line._unscaled_dash_pattern) for line in curves}) == 3, "never by colour alone"
    assert collisions(picture) == []


def test_where_nothing_is_refused_one_line_stands_for_both() -> None:
    quick = candidates_of(quiet(workload={"arrivals": {"rate": 5}}, duration=20), ["event_notification"])[0]
    picture = figures.outcome_known(learnt(quick, "billing", replications=1, jobs=1))
    assert "by request: none refused" in picture.alt
    assert "without bands" in picture.figure._supxlabel.get_text()
