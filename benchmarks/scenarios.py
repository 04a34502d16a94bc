"""The yardsticks' work as scenarios: nothing else takes time, nothing fails, nobody reads."""

from typing import Any

import textbook_simpy as work

from edasim import Scenario

PATTERN = "event_carried_state_transfer"


def queue_scenario(messages: int) -> Scenario:
    """W1: one queue with one server. Entities, of which the yardstick has none, all map to the one partition."""
    servers = [{"name": "server", "instances": 1, "handle_time": exponential(work.QUEUE_SERVICE_RATE)}]
    return _scenario(messages, work.QUEUE_ARRIVAL_RATE, {"partitions": 1, "append_time": 0}, servers)


def log_scenario(messages: int) -> Scenario:
    """W2: a partitioned log and two consumer groups."""
    handle_time = exponential(work.HANDLING_RATE)
    groups = [{"name": name, "instances": work.INSTANCES, "handle_time": handle_time} for name in work.GROUPS]
    return _scenario(messages, work.ARRIVAL_RATE, {"partitions": work.PARTITIONS, "append_time": work.APPEND_TIME}, groups)


def exponential(rate: float) -> dict[str, Any]:
    """A time of 1 / *rate* seconds on average."""
    return {"dist": "exponential", "mean": 1 / rate}


def _scenario(messages: int, rate: float, broker: dict[str, Any], consumers: list[dict[str, Any]]) -> Scenario:
    """About so many *messages*: as many as a Poisson stream has in the time that they take on average."""
    return Scenario.from_mapping(
        {
            "warmup": 0,
            "duration": messages / rate,
            "drain": 10_000,
            "workload": {
                "arrivals": {"rate": rate},
                "entities": {"count": work.KEYS, "popularity": "zipf", "skew": work.SKEW},
                "reads": {"rate": 0},
            },
            "source": {"write_time": 0},
            "network": {"latency": 0},
            "broker": {"replicas": 1, **broker},
            "consumers": consumers,
        }
    )
