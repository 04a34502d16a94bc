"""The complexity ledger: what an option makes a team build and run beside its source and consumers, and why under this scenario.

The parts stand in moving_parts.yaml, which a team may copy and edit; each says `when` it is needed, in the facts of
edasim/ledger/facts.py, which are worked out consumer by consumer. An example: deduplication is needed `when` duplicates are
possible or seen, so `event_carried_state_transfer` needs it where a consumer is restarted, and not where nothing ever fails.
It is a list with reasons; its length ranks nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any

import pandas as pd
import yaml
from pydantic import Field, ValidationError, field_validator

from edasim.bounded import text_of
from edasim.candidates import Candidate
from edasim.documents import read_yaml
from edasim.errors import InputError, suggestion
from edasim.findings import Finding
from edasim.ledger.facts import FACTS, WORDS, Facts, facts_of
from edasim.markdown import code, plain
from edasim.parts import Part, input_error

Text = Annotated[str, Field(min_length=1, max_length=2000)]
SHIPPED = Path(__file__).with_name("moving_parts.yaml")


class MovingPart(Part):
    """An entry of the ledger: the *part* is needed *when* each of these facts has one of its values at one consumer.

    *why* may name WORDS in braces; *known_as*: what a team may call the part in its scenario's `already_run`.
    """

    part: Annotated[str, Field(min_length=1, max_length=80)]
    when: Mapping[str, tuple[str, ...]]
    why: Text
    without: Text
    source: Text
    known_as: tuple[str, ...] = ()

    @field_validator("when", mode="before")
    @classmethod
    def _of_facts(cls, when: Any) -> Any:
        if not isinstance(when, Mapping) or not when:
            raise ValueError("must be a mapping of facts, such as {carries: [delta]}")
        for fact, values in when.items():
            if fact not in FACTS:
                raise ValueError(f"{fact} is no fact: {suggestion(fact, FACTS)}")
            if not isinstance(values, list | tuple) or not values:
                raise ValueError(f"{fact} must be a list of some of: {', '.join(FACTS[fact])}")
            for value in map(_word, values):
                if value not in FACTS[fact]:
                    raise ValueError(f"{value} is no value of {fact}: {suggestion(value, FACTS[fact])}")
        return {fact: tuple(map(_word, values)) for fact, values in when.items()}

    @field_validator("why")
    @classmethod
    def _of_words(cls, why: str) -> str:
        try:
            named = list(Formatter().parse(why))
        except ValueError as error:
            raise ValueError(f"braces must hold a word: {error}") from None
        for _, word, form, conversion in named:
            if word is not None and (word not in WORDS or form or conversion):
                raise ValueError(f"{{{word}}} is no word: {suggestion(word, WORDS)}")
        return why

    def needed_at(self, found: Sequence[Facts]) -> list[Facts]:
        """Those consumers at which all that it asks for is so."""
        return [each for each in found if all(each.values[fact] in values for fact, values in self.when.items())]

    @property
    def names(self) -> set[str]:
        """What it is called, as `already_run` is compared."""
        return {compared(name) for name in (self.part, *self.known_as)}


def _word(value: object) -> str:
    """A value as it is written: YAML reads yes and no as something else."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def compared(name: str) -> str:
    """A name without what people write in different ways.

    >>> compared("Redis-Streams") == compared("redis streams")
    True
    """
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())


class _File(Part):
    parts: Annotated[tuple[MovingPart, ...], Field(min_length=1)]

    @field_validator("parts")
    @classmethod
    def _named_once(cls, parts: tuple[MovingPart, ...]) -> tuple[MovingPart, ...]:
        names = [compared(each.part) for each in parts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"there are two parts called {name}")
        return parts


def read_parts(path: Path | None = None) -> tuple[MovingPart, ...]:
    """The parts in a file of a team's own, or those that are shipped.

    Raises InputError naming the file, the part and what is allowed.
    """
    return _shipped() if path is None else _read(path, str(path))


@cache
def _shipped() -> tuple[MovingPart, ...]:
    return _read(SHIPPED, SHIPPED.name)


def _read(path: Path, name: str) -> tuple[MovingPart, ...]:
    try:
        raw = read_yaml(text_of(path))
    except OSError as error:
        raise InputError(f"parts file {name} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"parts file {name} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise InputError(f"parts file {name} must be a mapping with the key parts: a list of parts")
    try:
        return _File(**raw).parts
    except ValidationError as error:
        raise input_error(error, raw, f"parts file {name}: {_which(error, raw)}") from None


def _which(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The name of the part that the first complaint is about, if it has one."""
    place = error.errors(include_url=False)[0]["loc"]
    try:
        return f"part {raw['parts'][place[1]]['part']}: "
    except (LookupError, TypeError):
        return ""


@dataclass(frozen=True)
class NeededPart:
    """A part that an option needs: *why* under this scenario, what goes wrong *without* it, which *source* says so, and whether the
    team runs it anyway. Texts are plain, and hold names from the scenario as they stand there."""

    part: str
    why: str
    without: str
    source: str
    already_run: bool


def moving_parts(
    candidate: Candidate, results: pd.DataFrame | None = None, parts: Sequence[MovingPart] | None = None
) -> tuple[NeededPart, ...]:
    """What the option needs under its scenario, in the order of *parts*; *results* of a comparison say what was seen.

    >>> from edasim import Scenario, candidates_of
    >>> polled, streamed = candidates_of(Scenario(already_run=["kafka"]), ["polling", "event_carried_state_transfer"])
    >>> [each.part for each in moving_parts(polled)]
    ['copy at each consumer', 'bulk refresh job']
    >>> [each.part for each in moving_parts(streamed) if each.already_run]
    ['log broker']

    Raises InputError, with close matches, where the scenario's `already_run` names no part.
    """
    known = read_parts() if parts is None else parts
    running, facts = _already_run(candidate.scenario.already_run, known), facts_of(candidate, results)
    needed = [(each, each.needed_at(facts)) for each in known]
    return tuple(NeededPart(each.part, _filled(each.why, at), each.without, each.source, each.part in running) for each, at in needed if at)


def _already_run(names: Iterable[str], parts: Sequence[MovingPart]) -> set[str]:
    """The parts that the team runs; one name may mean several."""
    running: set[str] = set()
    for name in names:
        meant = {each.part for each in parts if compared(name) in each.names}
        if not meant:
            close = get_close_matches(compared(name), [known for each in parts for known in each.names], n=1)
            meant_perhaps = f"did you mean {close[0]}? " if close else ""
            named = ", ".join(each.part for each in parts)
            raise InputError(
                f"already_run: {name} is no part: {meant_perhaps}allowed: what the ledger calls a part or knows it as: {named}"
            )
        running |= meant
    return running


def _filled(why: str, consumers: Sequence[Facts]) -> str:
    """The reason with its words filled in, those of all *consumers* that it is a reason for."""
    clauses = {word: dict.fromkeys(clause for each in consumers for clause in each.words[word]) for word in WORDS}
    said = {word: "; ".join(of) for word, of in clauses.items()}
    return " ".join(why.format_map(said | {"consumers": all_of([*clauses["consumers"]])}).split())


def all_of(names: Sequence[str]) -> str:
    """Names in a sentence, plain.

    >>> all_of(["billing", "stock", "quota"])
    'billing, stock and quota'
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ledger(candidates: Iterable[Candidate], results: pd.DataFrame | None = None, parts: Sequence[MovingPart] | None = None) -> pd.DataFrame:
    """The parts of several options, a row each: option, part, why, without, source, already_run. Its errors are those of `moving_parts`."""
    rows = [{"option": each.name, **vars(part)} for each in candidates for part in moving_parts(each, results, parts)]
    return pd.DataFrame(rows, columns=["option", *NeededPart.__dataclass_fields__])


def ledger_table(rows: pd.DataFrame, options: Sequence[str]) -> pd.DataFrame:
    """The *rows* of a `ledger` as text: a row a part, a column for each of *options*: "to build", "is there" (already run), or nothing."""
    words = {(row.part, row.option): "is there" if row.already_run else "to build" for row in rows.itertuples()}
    parts = list(dict.fromkeys(rows["part"]))
    table = [[words.get((part, option), "") for option in options] for part in parts]
    return pd.DataFrame(table, index=pd.Index(parts, name="part"), columns=list(options), dtype=object)


def what_it_takes(rows: pd.DataFrame) -> Finding:
    """The *rows* of a `ledger` in words: each part, what goes wrong without it, and why which options need it."""
    lines = []
    for (part, without, source, running), needed in rows.groupby(["part", "without", "source", "already_run"], sort=False):
        there = " (the team runs it already)" if running else ""
        lines.append(f"* **{plain(part)}**{there}. Without it: {plain(without)}. Source: {plain(source)}.")
        for why, of in needed.groupby("why", sort=False):
            lines.append(f"  * {', '.join(map(code, of['option']))}: {plain(why)}.")
    return Finding("\n".join(lines) or "* None of the options needs anything beside the source and its consumers.")
