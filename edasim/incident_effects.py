"""What an incident does to a consumer: more lost, handled twice or left unanswered than in a quiet twin of the run; once, and in a year.

An example: 50 messages lost in an outage, and none in the quiet twin; at 2 a year that is 100 a year.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edasim.journal import NONE, OUTCOMES, Journal
from edasim.metrics import Value
from edasim.metrics.backlog import recoveries
from edasim.metrics.delivery import LOST
from edasim.metrics.freshness import diverged
from edasim.scenario import Incident
from edasim.units import NANOSECONDS, YEAR_S

IN_A_YEAR = "_per_year"


def recovered_at(journal: Journal, number: int) -> NDArray[np.int64]:
    """When a consumer has recovered from each fault that it met, at the latest when the window ends; shape (faults,), in ns."""
    times, end = recoveries(journal, number)[1], journal.facts["window"][1]
    return np.asarray(np.where(times == NONE, end, np.minimum(times, end)))


def effects_on(hit: Journal, quiet: Journal, number: int, incident: Incident) -> list[Value]:
    """What the *incident* did to the consumer with this *number*, in the run that it *hit* and not in its *quiet* twin."""
    name, sends = hit.facts["consumers"][number], hit.facts["sends"][number]
    struck = sends and (incident.kind == "poison" or hit.faults["start"].size > 0)
    lossy, again = hit.facts["can_lose"][number], hit.facts["can_repeat"][number]
    counts = [("lost_per_incident", 1.0, _lost, lossy), ("lost_per_year", incident.per_year, _lost, lossy)]
    counts += [("duplicates_per_year", incident.per_year, _copies, again)]
    if incident.kind == "poison":
        counts.append(("dead_letters_per_incident", 1.0, _dead, True))
    values = []
    for metric, weight, of, can in counts:
        more = of(hit, number) - of(quiet, number) if sends else 0.0
        possible = more != 0 or (struck and can)
        unit = "copies" if of is _copies else "messages"
        values.append(Value(metric, weight * more, unit, name, nature="count" if possible else "zero", level=weight))
    if hit.facts["reads"][number] not in ("nothing", "source"):
        more = diverged(hit, number) - diverged(quiet, number)
        values.append(Value("diverged_entities", float(more), "entities", name, nature="count", level=1.0))
    values += _availability(hit, quiet, number, incident)
    spans, recovered = recoveries(hit, number)[0], recovered_at(hit, number)
    if sends and len(spans):
        never = bool((recovered >= hit.facts["window"][1]).any())
        values.append(Value("recovery_time", max(float(recovered.max() - spans[:, 1].max()) / 1e9, 0.0), "s", name))
        values.append(Value("unrecovered_rate", float(never), "share", name, nature="rate", trials=1))
    return values


def _availability(hit: Journal, quiet: Journal, number: int, incident: Incident) -> list[Value]:
    """The share of a year's reads that are answered if nothing but this incident ever happens; nothing where nobody reads.

    An example: a source that is down an hour, 365 times a year, answers 1 - 365 / 8766 = 95.8 % of the reads that have to call it.
    """
    asked, unanswered = _reads(quiet, number)
    if not asked:
        return []
    in_a_year = asked / (quiet.facts["window"][1] / NANOSECONDS) * YEAR_S
    missed = incident.per_year * (_reads(hit, number)[1] - unanswered) / in_a_year
    return [Value("read_availability", min(1.0, max(0.0, 1 - missed)), "share", hit.facts["consumers"][number])]


def _reads(journal: Journal, number: int) -> tuple[int, int]:
    """How many reads a consumer asked until the window ended, and how many of them were not answered."""
    mine = (journal.reads["consumer"] == number) & (journal.reads["time"] < journal.facts["window"][1])
    return int(mine.sum()), int((mine & ~journal.reads["answered"]).sum())


def _lost(journal: Journal, number: int) -> float:
    return _ended(journal, number, LOST)


def _dead(journal: Journal, number: int) -> float:
    return _ended(journal, number, ["dead_letter"])


def _ended(journal: Journal, number: int, outcomes: Sequence[str]) -> float:
    """How many messages for a consumer ended as one of these *outcomes*."""
    mine = journal.deliveries["consumer"] == number
    return float(np.isin(journal.deliveries["outcome"][mine], [OUTCOMES.index(outcome) for outcome in outcomes]).sum())


def _copies(journal: Journal, number: int) -> float:
    mine = journal.deliveries["consumer"] == number
    return float(np.maximum(journal.deliveries["copies"][mine] - 1, 0).sum())


def totals(values: Sequence[Value]) -> list[Value]:
    """The totals over all incidents of a year, for each consumer; what they count weighs as much as its incident is frequent."""
    found: dict[tuple[str, str], list[Value]] = {}
    for value in values:
        if value.metric.endswith(IN_A_YEAR):
            found.setdefault((value.metric, value.consumer), []).append(value)
    return [total(parts) for parts in found.values()]


def total(parts: Sequence[Value]) -> Value:
    """The sum of what several incidents do in a year, to one consumer."""
    counted = [part for part in parts if part.nature == "count"]
    whole = replace(parts[0], incident="", value=sum(part.value for part in parts))
    if not counted:
        return whole
    spread = sum(part.level * abs(part.value) for part in counted)
    return replace(whole, nature="count", level=max(part.level for part in counted), around=(spread,))


def weighted(value: Value, per_year: float) -> Value:
    """What an incident that happens once a year does in a year, if it happens *per_year* times."""
    if value.metric == "read_availability":
        return replace(value, value=max(0.0, 1 - per_year * (1 - value.value)))
    if not value.metric.endswith(IN_A_YEAR):
        return value
    return replace(value, value=value.value * per_year, level=value.level * per_year)
