"""Short runs: the beginning of a scenario's window, for studies that ask often or compare much."""

from edasim.estimates import short
from edasim.findings import Finding
from edasim.scenario import Scenario
from edasim.workload import rate_of

ENOUGH = 1000  # changes: what a shortened run has, about
LEAST, REST = 30, 30  # seconds: the shortest window, and the longest drain of a shortened run


def shortened(scenario: Scenario, changes: int = ENOUGH) -> Scenario:
    """The scenario with a window of about so many *changes*, right from the start, if its own is longer: many short runs instead of few."""
    return scenario.with_overrides(short_run(scenario, changes))


def short_run(scenario: Scenario, changes: int) -> dict[str, float]:
    """What to change in the scenario for a window of about so many *changes*, but half a minute at least, from an empty start."""
    rate = rate_of(scenario)
    duration = float(f"{max(LEAST, changes / rate):.3g}")
    return {"warmup": 0, "duration": min(scenario.duration, duration), "drain": min(scenario.drain, REST)}


def unread(scenario: Scenario) -> Scenario:
    """The scenario without its readers: for what does not depend on them."""
    return scenario.with_overrides({"workload.reads": {"rate": 0}})


def how_short(scenario: Scenario, short_run: Scenario) -> Finding:
    """To what runs are shortened and what that leaves out; empty where they are not."""
    if short_run.duration == scenario.duration:
        return Finding("")
    start = "" if short_run.warmup else ", from an empty start"
    window = f"shortened to {short(short_run.duration, 's')} of {short(scenario.duration, 's')}{start}"
    return Finding(f"Runs are {window}; what happens later does not happen in them.")
