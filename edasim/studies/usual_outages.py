"""The outages that a team has: of which component, how they strike, how long they usually last and how much one may lose."""

import numpy as np

from edasim.distributions import Distribution
from edasim.errors import InputError, suggestion
from edasim.incidents import Strike, struck
from edasim.requirements import limit_of
from edasim.scenario import COMPONENTS, Incident, Outages, Scenario

TAKES_DOWN = ("process", "power", "rolling")
BESIDE_S = 30.0  # of the window, before the outage and after it
USUAL_S, SHOWN_S = 60.0, 300.0  # how long it lasts if the scenario does not say, and at most


def struck_how(scenario: Scenario, component: str) -> Incident:
    """The scenario's first incident that takes *component* down, or a plain outage of it if there is none.

    Raises InputError, with close matches, where there is no such component.
    """
    known = [*COMPONENTS, *(consumer.name for consumer in scenario.consumers)]
    if component not in known:
        raise InputError(f"component {component} is not in the scenario: {suggestion(component, known)}")
    own = [incident for incident in scenario.incidents if incident.component == component and incident.kind in TAKES_DOWN]
    return own[0] if own else Incident(name=component, component=component, per_year=0, down=0)


def usual_length(scenario: Scenario, incident: Incident) -> float | None:
    """The 95th percentile of how long such outages last, in s: of the scenario's *incident*, else of that component's outages, if any.

    >>> restart = Incident(name="restart", component="broker", per_year=12, down="30s")
    >>> usual_length(Scenario(incidents=[restart.model_dump()]), restart), usual_length(Scenario(), restart)
    (30.0, None)
    """
    if incident in scenario.incidents:
        return _p95(incident.down)
    outages = _outages_of(scenario, incident.component)
    if outages is None:
        return None
    windows = np.array([end - start for start, end in outages.windows or ()])
    return _p95(outages.down) if outages.down else float(np.quantile(windows, 0.95, method="inverted_cdf")) if windows.size else None


def with_usual_outage(scenario: Scenario, component: str = "broker") -> Scenario:
    """The *scenario* with one outage of *component* as its only fault, in the middle of a window that is a minute longer.

    It lasts as long as `usual_length` says, a minute if there is none, and at most five minutes, so that a run is short.

    >>> with_usual_outage(Scenario()).broker.outages.windows, with_usual_outage(Scenario()).window
    (((90.0, 150.0),), (60.0, 180.0))

    Raises InputError, with close matches, where there is no such component.
    """
    incident = struck_how(scenario, component)
    length, begin = min(usual_length(scenario, incident) or USUAL_S, SHOWN_S), scenario.warmup + BESIDE_S
    return struck(scenario, incident, Strike(begin, begin + length)).with_overrides({"duration": length + 2 * BESIDE_S})


def _p95(down: Distribution) -> float:
    """From 100,000 draws: within 2 % of what it is where the tail is not heavy."""
    return float(np.quantile(down.sample(np.random.default_rng(0), 100_000), 0.95, method="inverted_cdf"))


def _outages_of(scenario: Scenario, component: str) -> Outages | None:
    source = scenario.source
    places = {"source": source.outages, "relay": source.relay.outages, "network": scenario.network.outages}
    places |= {"broker": scenario.broker.outages} | {consumer.name: consumer.outages for consumer in scenario.consumers}
    return places[component]


def allowed(scenario: Scenario, incident: Incident) -> float | None:
    """How many events one such outage may lose: the scenario's limit of `lost_per_incident`, or else its share of a year's.

    A limit of `lost_per_year` is for all incidents together, so it says this only where the scenario has no other incident. One that
    names a consumer counts if that is the only one, or the one that is down: it is the one that loses most then.
    """
    own, consumers = incident if incident in scenario.incidents else None, [consumer.name for consumer in scenario.consumers]
    whose = consumers[0] if len(consumers) == 1 else incident.component if incident.component in consumers else None
    limit = limit_of(scenario, "lost_per_incident", consumer=whose, incident=own.name if own else None)
    in_a_year = limit_of(scenario, "lost_per_year", consumer=whose)
    if limit is None and in_a_year is not None and own and own.per_year and len(scenario.incidents) == 1:
        return in_a_year / own.per_year
    return limit
