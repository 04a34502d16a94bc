"""Candidates: the options of a scenario, each ready to run with its changes made."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from edasim import fast_path
from edasim.errors import InputError, suggestion
from edasim.patterns import PRESETS, Pattern, pattern_of
from edasim.provenance import content_digest
from edasim.scenario import Scenario
from edasim.simpy_model.limits import why_not

BESIDE = {"name", "question", "seed", "incidents", "options", "requirements", "assumptions", "already_run"}  # a run depends on none
ENGINES = ("auto", "simpy", "fast")
SHARED = (
    *("name", "seed", "warmup", "duration", "drain", "workload.arrivals", "workload.entities", "workload.reads"),
    *("incidents", "options", "requirements", "assumptions", "already_run"),
)


@dataclass(frozen=True)
class Candidate:
    """An option ready to run: its name, its pattern, the scenario with the option's changes made, and the engine that is asked for."""

    name: str
    pattern: Pattern
    scenario: Scenario
    engine: str = "auto"

    @property
    def made_by(self) -> str:
        """The engine that makes its runs: the fast path wherever that can, unless the SimPy model is asked for."""
        return "simpy" if self.engine == "simpy" or fast_path.why_not(self.scenario, self.pattern) else "fast"

    def refuse_wrong_engine(self) -> None:
        """Raises InputError where the fast path is asked for and can't simulate this."""
        if self.engine == "fast" and (reason := fast_path.why_not(self.scenario, self.pattern)):
            raise InputError(f"option {self.name}: engine fast is not possible: {reason}; allowed: auto, simpy")

    @cached_property
    def digest(self) -> str:
        """A name for all that a run depends on beside its luck: the pattern, the scenario, and the content of the files that it names."""
        said = {key: part for key, part in self.scenario.as_mapping().items() if key not in BESIDE}
        files = [_content(*state) for state in files_as_they_are(said)]
        pattern = (self.pattern.truth, self.pattern.carries, self.pattern.reads)
        return sha256(json.dumps([pattern, said, files], sort_keys=True).encode()).hexdigest()


def _files(said: object) -> Iterator[str]:
    """The names of files in a scenario: whatever stands under the key `file`."""
    if isinstance(said, dict):
        yield from (part for key, part in said.items() if key == "file" and isinstance(part, str))
    for part in said.values() if isinstance(said, dict) else said if isinstance(said, list) else ():
        yield from _files(part)


def files_as_they_are(said: object) -> list[tuple[str, int, int]]:
    """The files that a scenario, or a part of one, names as plain data and that are there: name, when last changed, and size."""
    found = [(file, Path(file).stat()) for file in _files(said) if Path(file).is_file()]
    return [(file, state.st_mtime_ns, state.st_size) for file, state in found]


@lru_cache(maxsize=64)
def _content(file: str, changed: int, size: int) -> str:
    """`content_digest`, read once for as long as the file does not change."""
    return content_digest(Path(file))


def candidates_of(
    scenario: Scenario,
    patterns: Iterable[Pattern | str] | None = None,
    options: Iterable[str] | None = None,
    engine: str = "auto",
) -> list[Candidate]:
    """The options to compare: these *patterns*, or the scenario's own *options* by name (all of them, by default).

    Where a scenario has none, the presets are its options. *engine*: auto, simpy or fast.

    Raises InputError for an unknown name, an incoherent pattern, or something that can't be simulated, or not by that engine.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine} is not known: {suggestion(engine, ENGINES)}")
    if patterns is not None and options is not None:
        raise InputError("give patterns or options, not both")
    if patterns is not None or not scenario.options:
        asked = patterns if patterns is not None else options if options is not None else PRESETS
        chosen = [pattern_of(pattern) for pattern in asked]
        found = [Candidate(pattern.name, pattern, scenario, engine) for pattern in dict.fromkeys(chosen)]
    else:
        known = {option.name: option for option in scenario.options}
        wanted = list(known if options is None else dict.fromkeys(options))
        for name in wanted:
            if name not in known:
                raise InputError(f"option {name} is not in the scenario: {suggestion(name, known)}")
        found = [Candidate(name, pattern_of(known[name].pattern), _changed(scenario, name, known[name].set), engine) for name in wanted]
    if not found:
        raise InputError("there is nothing to compare: name at least one pattern or option")
    for candidate in found:
        if reason := why_not(candidate.scenario, candidate.pattern):
            raise InputError(f"option {candidate.name}: {reason}")
        candidate.refuse_wrong_engine()
    return found


def candidate_named(scenario: Scenario, name: Pattern | str, engine: str = "auto") -> Candidate:
    """The option that is meant by *name*: one of the scenario's own, or else a pattern.

    >>> candidate_named(Scenario(), "cqrs").pattern.reads
    'read_model'

    Raises InputError with close matches where it is neither, and for what `candidates_of` refuses.
    """
    own = [option.name for option in scenario.options]
    if name in own:
        return candidates_of(scenario, options=[str(name)], engine=engine)[0]
    if own and isinstance(name, str) and name not in PRESETS and name.count("/") != 2:
        raise InputError(f"option {name} is not in the scenario: {suggestion(name, own)}")
    return candidates_of(scenario, [name], engine=engine)[0]


def _changed(scenario: Scenario, option: str, changes: Mapping[str, Any]) -> Scenario:
    for path in changes:
        if any(path == shared or path.startswith(f"{shared}.") or shared.startswith(f"{path}.") for shared in SHARED):
            raise InputError(f"option {option}: set.{path} is not allowed: all options share {', '.join(SHARED)}")
    try:
        return scenario.with_overrides(changes)
    except InputError as error:
        raise InputError(f"option {option}: {error}") from None
