"""What would change our mind? The metric, the options and the inputs to ask about where a scenario does not say, in short runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edasim.candidates import candidates_of
from edasim.errors import InputError
from edasim.estimates import short
from edasim.findings import Finding, listed
from edasim.luck import Luck
from edasim.metrics import Value, measure
from edasim.ranges import Range, assumed, half_to_twice
from edasim.runs import over_replications
from edasim.scenario import Scenario
from edasim.studies.sensitivity import of_metric
from edasim.workload import make_workload

METRIC = "stale_fraction"  # where no requirement names one in which options differ
INPUTS = ("source.cache_ttl", "source.polling.interval", "workload.state_bytes", "source.read_time", "source.write_time")
ENOUGH = 1000  # changes: what a shortened run has, about
LEAST, REST = 30, 30  # seconds: the shortest window, and the longest drain of a shortened run


@dataclass(frozen=True)
class Question:
    """One metric, two options that differ in it (the first of them is looked at alone), and the inputs that may change it."""

    metric: str
    options: tuple[str, str]
    ranges: tuple[Range, ...]


def shortened(scenario: Scenario, changes: int = ENOUGH) -> Scenario:
    """The scenario with a window of about so many *changes*, right from the start, if its own is longer: many short runs instead of few."""
    return scenario.with_overrides(short_run(scenario, changes))


def short_run(scenario: Scenario, changes: int) -> dict[str, float]:
    """What to change in the scenario for a window of about so many *changes*, but half a minute at least, from an empty start."""
    rate = make_workload(scenario, Luck(scenario.seed, 0)).rate
    duration = float(f"{max(LEAST, changes / rate):.3g}")
    return {"warmup": 0, "duration": min(scenario.duration, duration), "drain": min(scenario.drain, REST)}


def question_of(scenario: Scenario, jobs: int = -1) -> Question:
    """The first metric that is required and in which two options differ in one run, by no zero by nature; with the first two that do.

    Where no requirement has one it is the time stale. Inputs are the assumptions with a range; where there is none, some usual ones,
    from half to twice what the scenario says. Raises InputError where no two options differ.
    """
    found = over_replications(candidates_of(scenario), measure, seed=scenario.seed, replications=1, jobs=jobs)
    required = [asked.metric for asked in scenario.requirements]
    for metric in dict.fromkeys([*required, METRIC]):
        if pair := _who_differ({option: runs[0] for option, runs in found.items()}, metric):
            return Question(metric, pair, tuple(assumed(scenario) or usual(scenario)))
    raise InputError(f"metric {METRIC}: no two options differ in it")


def _who_differ(found: Mapping[str, Sequence[Value]], metric: str) -> tuple[str, str] | None:
    """The first option that has *metric* by no zero by nature, and the first whose worst consumer differs from its own in it."""
    values = {option: [value for value in of_metric(mine, metric) if value.nature != "zero"] for option, mine in found.items()}
    worst = {option: max(value.value for value in mine) for option, mine in values.items() if mine}
    first = next(iter(worst), "")
    second = next((option for option, value in worst.items() if value != worst[first]), None)
    return (first, second) if second else None


def usual(scenario: Scenario) -> list[Range]:
    """Inputs that all scenarios have, each from half to twice what the scenario says."""
    return [half_to_twice(scenario, path) for path in INPUTS]


def how_short(scenario: Scenario, short_run: Scenario) -> Finding:
    """To what runs are shortened and what that leaves out; empty where they are not."""
    if short_run.duration == scenario.duration:
        return Finding("")
    window = f"shortened to {short(short_run.duration, 's')} of {short(scenario.duration, 's')}, from an empty start"
    return Finding(f"Runs are {window}; what happens later does not happen in them.")


def what_is_asked(scenario: Scenario, short_run: Scenario, question: Question) -> Finding:
    """What is asked, of which runs, in words."""
    inputs = f"Inputs that may change it: {listed([each.path for each in question.ranges])}."
    said = (f"`{question.metric}` of {listed(question.options)}.", how_short(scenario, short_run), inputs)
    return Finding(" ".join(filter(None, said)))
