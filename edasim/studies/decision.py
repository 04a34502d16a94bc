"""What would change our mind? The metric, the options and the inputs to ask about where a scenario does not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edasim.findings import Finding, listed
from edasim.metrics import Value, measure
from edasim.metrics.values import BY_NATURE
from edasim.ranges import Range, assumed, half_to_twice
from edasim.runs import over_replications
from edasim.scenario import Scenario
from edasim.studies.incidents import options_to_show
from edasim.studies.sensitivity import of_metric
from edasim.studies.short_runs import how_short

METRIC = "stale_fraction"  # where no requirement names one in which options differ
INPUTS = ("source.cache_ttl", "source.polling.interval", "workload.state_bytes", "source.read_time", "source.write_time")


@dataclass(frozen=True)
class Question:
    """One metric, two options that differ in it (the first of them is looked at alone), and the inputs that may change it."""

    metric: str
    options: tuple[str, str]
    ranges: tuple[Range, ...]


def question_of(scenario: Scenario, jobs: int = -1) -> Question | None:
    """The first metric that is required and in which two options differ in one run, not by nature; with the first two that do.

    Where no requirement has one it is the time stale. Inputs are the assumptions with a range; where there is none, some usual ones,
    from half to twice what the scenario says. None where no two options differ in any of these. Options are those of `options_to_show`.
    """
    found = over_replications(options_to_show(scenario, None, None), measure, seed=scenario.seed, replications=1, jobs=jobs)
    required = [asked.metric for asked in scenario.requirements]
    for metric in dict.fromkeys([*required, METRIC]):
        if pair := _who_differ({option: runs[0] for option, runs in found.items()}, metric):
            return Question(metric, pair, tuple(assumed(scenario) or usual(scenario)))
    return None


def _who_differ(found: Mapping[str, Sequence[Value]], metric: str) -> tuple[str, str] | None:
    """The first option that has *metric* not by nature, and the first whose worst consumer differs from its own in it."""
    values = {option: [value for value in of_metric(mine, metric) if value.nature not in BY_NATURE] for option, mine in found.items()}
    worst = {option: max(value.value for value in mine) for option, mine in values.items() if mine}
    first = next(iter(worst), "")
    second = next((option for option, value in worst.items() if value != worst[first]), None)
    return (first, second) if second else None


def usual(scenario: Scenario) -> list[Range]:
    """Inputs that all scenarios have, each from half to twice what the scenario says."""
    return [half_to_twice(scenario, path) for path in INPUTS]


def what_is_asked(scenario: Scenario, short_run: Scenario, question: Question | None) -> Finding:
    """What is asked, of which runs, in words; or that there is nothing to ask."""
    if question is None:
        return Finding(f"No two options differ in what is required, nor in `{METRIC}`: no input can turn one against the other.")
    inputs = f"Inputs that may change it: {listed([each.path for each in question.ranges])}."
    said = (f"`{question.metric}` of {listed(question.options)}.", how_short(scenario, short_run), inputs)
    return Finding(" ".join(filter(None, said)))
