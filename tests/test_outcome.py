"""When the source knows what came of its change: by a plain request, and by an event that answers an event."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import quiet, recorded

from edasim import InputError, candidates_of
from edasim.outcome import Outcomes, outcomes

LATENCY = {"latency": {"publish": 0.2, "deliver": 0.1, "call": 0.05}}


def learnt(folder: Path, times: list[float], **changes: Any) -> Outcomes:
    scenario = recorded(
        folder, times, **{"network": LATENCY, "consumers": [{"name": "billing", "instances": 1, "handle_time": 1}], **changes}
    )
    return outcomes(candidates_of(scenario, ["event_carried_state_transfer"])[0], "billing")


def test_an_answer_by_event_takes_two_hops_and_by_request_a_call_and_back(tmp_path: Path) -> None:
    found = learnt(tmp_path, [10.0])
    assert found.by_event[1:].tolist() == pytest.approx([0.2 + 0.1 + 1 + 0.2 + 0.1])
    assert found.by_request[1:].tolist() == pytest.approx([0.05 + 1 + 0.05])
    assert not found.refused.any()


def test_both_wait_for_their_turn_and_handle_each_change_for_the_same_time() -> None:
    handling = {"name": "billing", "instances": 2, "handle_time": {"dist": "exponential", "mean": 0.2}}
    scenario = quiet(workload={"arrivals": {"rate": 8}}, broker={"kind": "queue"}, consumers=[handling])
    found = outcomes(candidates_of(scenario, ["event_notification"])[0], "billing")
    assert np.allclose(found.by_event, found.by_request), "without latencies a queue and a pool of servers are the same thing"


def test_while_the_consumer_is_down_an_event_waits_and_a_request_is_refused_at_once(tmp_path: Path) -> None:
    down = {"name": "billing", "instances": 2, "handle_time": 1, "outages": {"windows": [[9, 15]]}}
    found = learnt(tmp_path, [10.0, 20.0], consumers=[down])
    assert found.refused[1:].tolist() == [True, False]
    assert found.by_request[1:].tolist() == pytest.approx([0.05, 1.1])
    assert found.by_event[1] == pytest.approx(15.1 - 10 + 1 + 0.3), "it is fetched when the consumer is back"


def test_a_request_is_served_while_one_instance_is_up(tmp_path: Path) -> None:
    deploy = {"name": "billing", "instances": 2, "handle_time": 1, "outages": {"windows": [[9, 15]], "rolling": True}}
    assert not learnt(tmp_path, [10.0, 16.0], consumers=[deploy]).refused.any()


def test_of_a_lost_message_the_source_never_learns(tmp_path: Path) -> None:
    found = learnt(tmp_path, [10.0], network={**LATENCY, "loss": 1.0})
    assert np.isinf(found.by_event).all()
    assert np.isfinite(found.by_request).all()


def test_who_is_sent_nothing_has_no_event_to_answer(tmp_path: Path) -> None:
    scenario = recorded(tmp_path, [10.0])
    with pytest.raises(InputError, match="sends nothing"):
        outcomes(candidates_of(scenario, ["request_response"])[0], "billing")
    with pytest.raises(InputError, match="consumer biling"):
        outcomes(candidates_of(scenario, ["cqrs"])[0], "biling")
