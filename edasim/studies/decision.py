"""What would change our mind? The metric, the options and the inputs to ask about where a scenario does not say, in short runs."""

from dataclasses import dataclass

from edasim.candidates import candidates_of
from edasim.errors import InputError
from edasim.estimates import short
from edasim.findings import Finding, listed
from edasim.luck import Luck
from edasim.metrics import measure
from edasim.ranges import Range, assumed, quantity, range_of, value_at
from edasim.runs import over_replications
from edasim.scenario import Scenario
from edasim.studies.sensitivity import of_metric
from edasim.workload import make_workload

METRIC = "stale_fraction"  # unless a requirement names one
INPUTS = ("source.cache_ttl", "source.polling.interval", "workload.state_bytes", "source.read_time", "source.write_time")
ENOUGH = 2000  # changes: what a shortened run has, about
LEAST, REST = 30, 30  # seconds: the shortest window, and the longest drain of a shortened run


@dataclass(frozen=True)
class Question:
    """One metric, two options that differ in it (the first of them is looked at alone), and the inputs that may change it."""

    metric: str
    options: tuple[str, str]
    ranges: tuple[Range, ...]


def shortened(scenario: Scenario) -> Scenario:
    """The scenario with a window of about 2,000 changes, right from the start, if its own is longer: many short runs instead of few."""
    rate = make_workload(scenario, Luck(scenario.seed, 0)).rate
    duration = min(scenario.duration, max(LEAST, ENOUGH / rate))
    return scenario.with_overrides({"warmup": 0, "duration": duration, "drain": min(scenario.drain, REST)})


def question_of(scenario: Scenario, jobs: int = -1) -> Question:
    """The metric of the first requirement, or the time stale; the first two options that differ in it in one run, by no zero by nature.

    Inputs are the assumptions with a range; where there is none, some usual ones, from half to twice what the scenario says. Raises
    InputError where no two options differ.
    """
    metric = scenario.requirements[0].metric if scenario.requirements else METRIC
    found = over_replications(candidates_of(scenario), measure, seed=scenario.seed, replications=1, jobs=jobs)
    values = {option: [value for value in of_metric(runs[0], metric) if value.nature != "zero"] for option, runs in found.items()}
    worst = {option: max(value.value for value in mine) for option, mine in values.items() if mine}
    first = next(iter(worst), "")
    second = next((option for option, value in worst.items() if value != worst[first]), "")
    if not second:
        raise InputError(f"metric {metric}: no two options differ in it")
    return Question(metric, (first, second), tuple(assumed(scenario) or usual(scenario)))


def usual(scenario: Scenario) -> list[Range]:
    """Inputs that all scenarios have, each from half to twice what the scenario says."""
    said = {path: value_at(scenario, path) for path in INPUTS}
    middles = {path: quantity(path, value["mean"] if isinstance(value, dict) else value)[0] for path, value in said.items()}
    return [range_of(scenario, path, (middle / 2, middle * 2), "guess", "half to twice") for path, middle in middles.items()]


def what_is_asked(scenario: Scenario, short_run: Scenario, question: Question) -> Finding:
    """What is asked, of which runs, in words."""
    window = f"shortened to {short(short_run.duration, 's')} of {short(scenario.duration, 's')}, from an empty start"
    runs = "" if short_run.duration == scenario.duration else f" Runs are {window}; what happens later does not happen in them."
    inputs = listed([each.path for each in question.ranges])
    return Finding(f"`{question.metric}` of {listed(question.options)}.{runs} Inputs that may change it: {inputs}.")
