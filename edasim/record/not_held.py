"""What keeps a record from being held to account, whatever its requirements come to: then the answer is that nobody can say.

An input that was assumed when it was signed and is gone, an observation of it that has no place any more, or that the chosen option hides:
each would turn the command green by an edit that has nothing to do with what was observed. An example: signed with one crash of the broker
a year; then it is called something else, and another incident of the broker is there, too: which of the two was observed?
"""

from collections.abc import Iterator, Sequence

from edasim.observe.document import Observations, Observed
from edasim.observe.matching import incidents_of, observed_in, struck_elsewhere
from edasim.ranges import canonical_path, value_at
from edasim.scenario import Scenario

Steps = tuple[str, ...]


def known_incidents(before: Scenario) -> list[str]:
    """The incidents of the signed scenario: what is observed of a component is about them before any other."""
    return [incident.name for incident in before.incidents]


def assumed_and_gone(before: Scenario, now: Scenario) -> list[str]:
    """The inputs, by dotted path, that were assumed when it was signed and that the scenario does not have any more."""
    paths = {each.path: ".".join(canonical_path(before, each.path)) for each in before.assumptions}
    return [path for path, same in paths.items() if value_at(before, same) is not None and value_at(now, same) is None]


def observed_and_lost(before: Scenario, now: Scenario, observations: Observations) -> list[Observed]:
    """What was observed of the inputs of the signed scenario and has no place in it as it is now, each with the path that it had."""
    placed = [canonical_path(now, each.path) for each in observed_in(now, observations, known_incidents(before))]
    return [
        each
        for each in observed_in(before, observations)
        if not any(_is_same_or_around(canonical_path(before, each.path), there) for there in placed)
    ]


def ambiguous(before: Scenario, now: Scenario, observations: Observations) -> Iterator[str]:
    """Why it can't be told which incident of a component was observed, in words; of components that an incident struck when signed."""
    for component in struck_elsewhere(now, observations, known_incidents(before)):
        names = [incident.name for incident in incidents_of(now, component)]
        if incidents_of(before, component) and len(names) > 1:
            yield f"which of the {len(names)} incidents of {component} was observed can't be told: {', '.join(names)}"


def hidden(now: Scenario, chosen: str, observed: Sequence[Observed]) -> dict[str, list[str]]:
    """By the path of what was observed: what the chosen option sets that takes in that input, or a part of it."""
    paths = [each for option in now.options if option.name == chosen for each in option.set]
    found = {
        each.path: [path for path in paths if _is_around(canonical_path(now, each.path), canonical_path(now, path))] for each in observed
    }
    return {path: around for path, around in found.items() if around}


def reasons(before: Scenario, now: Scenario, chosen: str, observations: Observations | None) -> Iterator[str]:
    """All of that in words."""
    gone = assumed_and_gone(before, now)
    yield from (f"{path} was assumed when it was signed, and is gone" for path in gone)
    if observations is not None:
        lost = (each.path for each in observed_and_lost(before, now, observations) if each.path not in gone)
        yield from (f"{path} was observed, and has no place in the scenario any more" for path in lost)
        yield from ambiguous(before, now, observations)
        observed = observed_in(now, observations, known_incidents(before))
        assumed = {canonical_path(before, each.path) for each in before.assumptions}
        of_assumed = [each for each in observed if canonical_path(now, each.path) in assumed]
        yield from (f"{path} was assumed and observed, and is not what was run" for path in hidden(now, chosen, of_assumed))


def _is_around(one: Steps, other: Steps) -> bool:
    """Whether one of two inputs is a part of the other, and not all of it."""
    return one != other and _is_same_or_around(one, other)


def _is_same_or_around(one: Steps, other: Steps) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
