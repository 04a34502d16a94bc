"""Circumstances: what a day can be like, each as the changes it makes to a scenario.

An example: billing has two instances and meets 50 changes a second, so it keeps up while it takes less than 2 / 50 s = 40 ms for each.
On the day of the slow consumer it takes 95 % of that.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edasim.incidents import no_faults
from edasim.ranges import quantity, target_of, value_at
from edasim.scenario import Scenario
from edasim.units import SECONDS, text_of
from edasim.workload import rate_of

BUSIER = 3  # times the changes of an ordinary day
NEARLY = 0.95  # of what a consumer can just keep up with
USUAL_OUTAGE_S = 60.0
LOADS = {"poisson": "rate", "daily": "rate", "bursty": "rate_high", "trace": "speedup", "renewal": "gap.mean"}  # what says how often
Overrides = Mapping[str, Any]  # of a scenario, by dotted path


def ordinary(scenario: Scenario, consumer: str) -> Overrides:
    """Nothing is changed."""
    return {}


def calm_day(scenario: Scenario, consumer: str) -> Overrides:
    """Nothing is ever down, slow or poisoned."""
    return {path: nothing for path, nothing in no_faults(scenario).items() if value_at(scenario, path) != nothing}


def broker_outage(scenario: Scenario, consumer: str) -> Overrides:
    """The broker is down once, from a third of the window on: as long as its incident lasts, or a minute, or a quarter of it."""
    named = [incident.down.mean() for incident in scenario.incidents if incident.component == "broker" and incident.down]
    start, end = scenario.window
    down = min([*named, USUAL_OUTAGE_S][0], (end - start) / 4)
    begin = round(start + (end - start) / 3, 3)
    return {"broker.outages": {"windows": [[begin, round(begin + down, 3)]]}}


def black_friday(scenario: Scenario, consumer: str) -> Overrides:
    """Three times the changes."""
    path = load_path(scenario)
    value, _ = quantity(path, value_at(scenario, path))
    return {path: value / BUSIER if path.endswith("gap.mean") else value * BUSIER}


def slow_consumer(scenario: Scenario, consumer: str) -> Overrides:
    """The *consumer* takes so long for a change that it only just keeps up."""
    settings = scenario.consumers[scenario.consumer_number(consumer)]
    instances = min(settings.instances, scenario.broker.partitions) if scenario.broker.kind == "log" else settings.instances
    rate = rate_of(scenario)
    path = target_of(scenario, f"consumers.{consumer}.handle_time")
    return {path: text_of(float(f"{NEARLY * instances / rate:.3g}"), SECONDS)}


CIRCUMSTANCES: Mapping[str, Callable[[Scenario, str], Overrides]] = {
    "as it is": ordinary,
    "calm day": calm_day,
    "broker outage": broker_outage,
    "Black Friday": black_friday,
    "slow consumer": slow_consumer,
}


def load_path(scenario: Scenario) -> str:
    """The input that says how often something changes: a rate, the speed of a trace, the mean gap."""
    return f"workload.arrivals.{LOADS[scenario.workload.arrivals.process]}"
