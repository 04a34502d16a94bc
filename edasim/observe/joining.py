"""Several files, one document: what each of them told, and what none did."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from edasim.errors import InputError
from edasim.observe.document import Observations, Observed, ObservedIncidents, Read
from edasim.observe.forms import read
from edasim.observe.incidents import Watched, watched_in
from edasim.observe.paths import COUNT, DELIVER, DELTA, PROCESS, PUBLISH, RATE, READS, SKEW, STATE
from edasim.observe.texts import name_of

TOLD_BY = {  # what a scenario needs most, and which file tells it
    RATE: "recorded changes: a CSV of time, key and bytes from the outbox or event table, or kcat -J",
    COUNT: "recorded changes with a column key",
    SKEW: "recorded changes with a column key, in which keys come again",
    STATE: "recorded changes with a column state_bytes: the size of the whole row",
    DELTA: "recorded changes with a column delta_bytes: the size of what changed",
    READS: "an access log of the service that answers reads, or Prometheus http_requests_total",
    "consumers.*.handle_time": "a Prometheus histogram of handling times by consumer, or a journal",
    PUBLISH: "a journal that was measured",
    DELIVER: "a journal that was measured",
    "incidents": "a CSV of start, end and component, and --watched",
}


def observe(files: Sequence[str | Path], watched: str | None = None) -> Observations:
    """What *files* tell of a team's inputs, each in one of the known forms; *watched*: as `--watched` says it.

    Where two tell the same, the one that has seen more counts. Raises InputError for a file in no known form, or that is not as its
    form has it.
    """
    if not files:
        raise InputError("there is no file to observe: name at least one")
    span = watched_in(watched)
    return joined_reads([_told(Path(file), span) for file in files])


def _told(path: Path, watched: Watched | None) -> Read:
    """What one file tells. Raises InputError where that is nothing that a scenario could hold: a size beyond all, centuries of outage."""
    try:
        return read(path, watched)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise InputError(
            f"{name_of(path)} tells what no scenario can hold: at most a hundred years and a million terabytes are allowed ({said})"
        ) from None


def joined_reads(reads: Sequence[Read]) -> Observations:
    """One document of what several files told."""
    told = [observed for found in reads for observed in found.inputs]
    hints = [observed for found in reads for observed in found.hints]
    inputs, notes = _most_seen([*told, *(hint for hint in hints if not _is_told(hint.path, told))])
    incidents, more = _most_incidents([observed for found in reads for observed in found.incidents])
    return Observations(
        files=tuple(found.file for found in reads),
        inputs=tuple(inputs),
        incidents=tuple(incidents),
        not_found=(*(text for found in reads for text in found.not_found), *_missing(inputs, incidents)),
        notes=(*(note for found in reads for note in found.notes), *notes, *more),
    )


def together(documents: Sequence[Observations]) -> Observations:
    """Several documents as one. Where two tell the same input, or a component's incidents, the first counts: one's own before a preset."""
    inputs = {observed.path: observed for found in reversed(documents) for observed in found.inputs}
    incidents = {observed.component: observed for found in reversed(documents) for observed in found.incidents}
    if PROCESS in inputs and RATE in inputs and not any({PROCESS, RATE} <= {told.path for told in found.inputs} for found in documents):
        del inputs[PROCESS]  # a rate and a process that were not seen together
    paths = list(dict.fromkeys(observed.path for found in documents for observed in found.inputs))
    return Observations(
        files=tuple(file for found in documents for file in found.files),
        inputs=tuple(inputs[path] for path in paths if path in inputs),
        incidents=tuple(incidents.values()),
        not_found=tuple(_missing(list(inputs.values()), list(incidents.values()))),
        notes=tuple(note for found in documents for note in found.notes),
    )


def _is_told(path: str, inputs: Iterable[Observed]) -> bool:
    """Whether one of *inputs* tells it; who tells the rate of arrivals tells how they arrive."""
    return any(path == observed.path or (path.startswith(PROCESS) and observed.path.startswith(PROCESS)) for observed in inputs)


def _most_seen(inputs: Iterable[Observed]) -> tuple[list[Observed], list[str]]:
    """Of each path the one that has seen most, and what is said of the others; a process goes with the rate of its own file."""
    found: dict[str, Observed] = {}
    notes = []
    for observed in inputs:
        other = found.get(observed.path)
        if other is not None:
            kept, left = (observed, other) if observed.seen > other.seen else (other, observed)
            notes.append(f"{observed.path} is told twice: {kept.seen:,} seen in {_file(kept)} count, {left.seen:,} in {_file(left)} do not")
            observed = kept
        found[observed.path] = observed
    rate, process = found.get(RATE), found.get(PROCESS)
    if rate is not None and process is not None and _file(rate) != _file(process):
        del found[PROCESS]
        notes.append(f"{PROCESS} of {_file(process)} does not count: {_file(rate)} has seen more, and no more than a rate there")
    return list(found.values()), notes


def _file(observed: Observed | ObservedIncidents) -> str:
    return observed.source.partition(": ")[0]


def _most_incidents(incidents: Iterable[ObservedIncidents]) -> tuple[list[ObservedIncidents], list[str]]:
    found: dict[str, ObservedIncidents] = {}
    notes = []
    for observed in incidents:
        other = found.get(observed.component)
        if other is not None:
            kept, left = (observed, other) if observed.seen > other.seen else (other, observed)
            notes.append(
                f"incidents of {observed.component} are told twice: {kept.seen} in {_file(kept)} count, {left.seen} in {_file(left)} do not"
            )
            observed = kept
        found[observed.component] = observed
    return list(found.values()), notes


def _missing(inputs: Sequence[Observed], incidents: Sequence[ObservedIncidents]) -> list[str]:
    paths = [observed.path for observed in inputs]
    there = {*paths, *(["consumers.*.handle_time"] if any(path.endswith(".handle_time") for path in paths) else [])}
    there |= {"incidents"} if incidents else set()
    return [f"{path}: it would be told by {file}" for path, file in TOLD_BY.items() if path not in there]


def in_words(found: Observations) -> str:
    """What was found, a line each, for the terminal."""
    lines = [f"read {file.name}: {file.form}, {file.rows:,} rows{''.join(f'; {note}' for note in file.notes)}" for file in found.files]
    for observed in found.inputs:
        lines.append(f"{observed.path}: {_value(observed.value)}{_between(observed.low, observed.high)}")
    for incident in found.incidents:
        often = f"{incident.per_year:g} a year{_between(incident.low, incident.high)}"
        lines.append(
            f"incidents of {incident.component}: {often}, down {_value(incident.down)}{_between(incident.down_low, incident.down_high)}"
        )
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join([*lines, *(f"not found: {text}" for text in found.not_found)])


def _value(value: object) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)


def _between(low: object, high: object) -> str:
    return "" if low is None or high is None else f" ({low} to {high})"
