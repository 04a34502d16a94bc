"""Holding to account: every accepted record of a folder, run again with what was observed since it was signed.

A simulation with a fixed seed always gives the same answer, so a record can only turn false by what is observed, by an edit of its
scenario, or by another version of this package. All three are looked for. What was signed is required until another record supersedes it:
a requirement that somebody took out of the scenario is held all the same, and said to be no longer required.

An example: signed with staleness of at most 2 s met at 50 changes a second; 400 are observed, and it is violated: exit code 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edasim.bounded import content_of
from edasim.decision.checking import Check, check
from edasim.differing import THERE, differing_inputs
from edasim.errors import InputError
from edasim.observe.document import Observations, Observed
from edasim.observe.matching import observed_in, without_place
from edasim.provenance import digest, provenance
from edasim.ranges import canonical_path
from edasim.record.blocks import MARK
from edasim.record.front_matter import status_of
from edasim.record.not_held import hidden, known_incidents, observed_and_lost, reasons
from edasim.record.place import signed_in, text_of
from edasim.record.seen import Seen, inputs_seen
from edasim.record.signed import Signed, named_beside
from edasim.scenario import Option, Requirement, Scenario
from edasim.verdicts import limits_of, requirements_in, rows_of

GOOD = ("met", "does not apply")


@dataclass(frozen=True)
class Kept:
    """A requirement in words: its verdict when the record was *signed* and *now* ("": it was not held, or can't be), and what of it."""

    requirement: str
    signed: str
    now: str
    number: str
    remark: str

    @property
    def is_broken(self) -> bool:
        """Whether it is violated now and was not."""
        return self.now == "violated" and self.signed != "violated"

    @property
    def is_unsure(self) -> bool:
        """Whether it was met, and whether it still is can't be said."""
        return self.signed in GOOD and self.now in ("undecided", "")


@dataclass(frozen=True)
class Verified:
    """An accepted record: its option, its inputs as assumed and observed, what became of its requirements, and what else changed.

    *not_held*: why it can't be held to account, whatever its requirements come to. *is_observed*: whether anything observed was run.
    """

    record: str
    chosen: str
    inputs: Sequence[Seen]
    kept: Sequence[Kept]
    changes: Sequence[str]
    not_held: Sequence[str]
    is_observed: bool


@dataclass(frozen=True)
class Verification:
    """The records of a folder: those *verified*, those that are not accepted (name and status), and why others could not be read."""

    verified: Sequence[Verified]
    others: Mapping[str, str]
    broken: Sequence[str]
    observed: bool

    @property
    def is_without_place(self) -> bool:
        """Whether nothing of what was observed could be placed in any of the scenarios."""
        return self.observed and bool(self.verified) and not any(record.is_observed for record in self.verified)

    @property
    def exit_code(self) -> int:
        """As docs/decision-record.md says: 2 where a record could not be held, 1 where a requirement that was not violated is now, 3 where
        one that was met is undecided now or can't be held, or where what was observed or assumed has no place any more, else 0."""
        if self.broken:
            return 2
        if any(each.is_broken for record in self.verified for each in record.kept):
            return 1
        unsure = any(record.not_held or any(each.is_unsure for each in record.kept) for record in self.verified)
        return 3 if unsure or self.is_without_place else 0


def verify(folder: Path, observations: Observations | None = None, *, jobs: int = -1, progress: bool = False) -> Verification:
    """Run every accepted record in *folder* again, with what was observed if that is given.

    Raises InputError where the folder is none, or holds no record.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: must be one that holds decision records, such as decisions")
    records = [file for file in sorted(folder.glob("*.md")) if file.is_file() and _is_record(file)]
    if not records:
        raise InputError(f"{folder} holds no decision record that edasim wrote")
    verified: list[Verified] = []
    others: dict[str, str] = {}
    broken: list[str] = []
    for file in records:
        try:
            text = text_of(file)
            signed, status = signed_in(text, file.name), status_of(text, file.name)
            if status != "accepted":
                others[file.name] = status
                continue
            verified.append(_Record(file, signed).verified(observations, jobs=jobs, progress=progress))
        except InputError as error:
            broken.append(f"{file.name}: {str(error).removeprefix(f'{file.name}: ')}")
    return Verification(verified, others, broken, observations is not None)


def _is_record(file: Path) -> bool:
    """Whether edasim wrote a file. One that can't be read may be a record: who reads it is told why."""
    try:
        return MARK.encode() in content_of(file)
    except (OSError, InputError):
        return True


@dataclass(frozen=True)
class _Record:
    """An accepted record and what was signed in it."""

    file: Path
    signed: Signed

    @property
    def folder(self) -> Path:
        return self.file.parent

    def verified(self, observations: Observations | None, *, jobs: int, progress: bool) -> Verified:
        """Run again: the scenario as its file is now, if there is one, with what was observed."""
        signed = self.signed
        before = signed.scenario(self.folder)
        now, changes = self._now(before)
        known = known_incidents(before)
        observed = () if observations is None else observed_in(now, observations, known)
        held = _with_requirements(with_observed(now, signed.chosen, observed), before)
        how: dict[str, Any] = {"replications": signed.replications, "budget": signed.budget, "seed": signed.seed, "jobs": jobs}
        found = check(held, [signed.chosen], **how, progress=progress, assumptions=False)
        lost = () if observations is None else observed_and_lost(before, now, observations)
        inputs = inputs_seen(before, signed.tipping_points, [*lost, *observed])
        changes += [
            f"{path} was observed, but {signed.chosen} sets {', '.join(around)}, and that is what was run"
            for path, around in hidden(now, signed.chosen, observed).items()
        ]
        homeless = () if observations is None else without_place(now, observations, known)
        changes += [f"observed, but no input of this scenario: {', '.join(homeless)}"] if homeless else []
        why = tuple(reasons(before, now, signed.chosen, observations))
        return Verified(self.file.name, signed.chosen, inputs, _kept(signed, now, found), changes, why, bool(observed))

    def _now(self, before: Scenario) -> tuple[Scenario, list[str]]:
        """The scenario to run, and what is different from when it was signed, in words."""
        signed, file = self.signed, self.folder / self.signed.scenario_file
        changes = [f"{name} holds something else than when it was signed" for name in signed.changed_files(self.folder)]
        if file.is_file():
            now = Scenario.load(file, signed.overrides_in(self.folder))
            differing = differing_inputs(self._named(before), self._named(now))
            changes += [f"edited: {_edited(path, *ends)}" for path, ends in differing.items()]
        else:
            now = before
            changes.append(f"{signed.scenario_file} is gone: run as it was signed")
        if digest(before.as_mapping()) != signed.digest and not signed.changed_files(self.folder):
            changes.append("this version reads the signed scenario differently: a default has changed")
        return now, [*changes, *_upgrades(signed)]

    def _named(self, scenario: Scenario) -> Mapping[str, object]:
        said: Mapping[str, object] = named_beside(scenario.as_mapping(), self.folder)
        return said


def _edited(path: str, was: str, is_: str) -> str:
    """What became of an input, or of an item of a list that came or went."""
    if THERE in (was, is_) and not (was and is_):
        return f"{path} is {'gone' if was else 'new'}"
    return f"{path} was {was or 'not there'}, is {is_ or 'not there'}"


def _upgrades(signed: Signed) -> list[str]:
    """The versions that are others than when it was signed."""
    now = provenance()
    found = [
        f"{name} was {was}, is {now['versions'].get(name, 'not there')}"
        for name, was in signed.versions.items()
        if now["versions"].get(name) != was
    ]
    return [f"upgraded: {'; '.join(found)}"] if found else ["the code of edasim is another"] if now["code"] != signed.code else []


def with_observed(scenario: Scenario, chosen: str, observed: Sequence[Observed]) -> Scenario:
    """The scenario with what was *observed* in the place of what it says, also where the chosen option sets that very input."""
    seen = {canonical_path(scenario, each.path): each for each in observed}
    held = scenario.with_overrides({each.path: each.value for each in observed})
    options = (_observed_option(scenario, option, seen) if option.name == chosen else option for option in scenario.options)
    return held.model_copy(update={"options": tuple(options)})


def _observed_option(scenario: Scenario, option: Option, seen: Mapping[tuple[str, ...], Observed]) -> Option:
    """The option with what was observed in the place of what it sets, whatever it calls that input."""
    found = [(path, value, seen.get(canonical_path(scenario, path))) for path, value in option.set.items()]
    changes = dict((path, value) if each is None else (each.path, each.value) for path, value, each in found)
    return option.model_copy(update={"set": changes})


def _required(scenario: Scenario) -> dict[str, Requirement]:
    """The requirements in words."""
    return {words: asked for words, asked, _ in limits_of(scenario.requirements)}


def _with_requirements(now: Scenario, before: Scenario) -> Scenario:
    """The scenario with what was required *before*, too, if whom or what that is about is still there."""
    consumers, incidents, still = [each.name for each in now.consumers], [each.name for each in now.incidents], _required(now)
    gone = [
        words
        for words, asked in _required(before).items()
        if words not in still
        and (asked.consumer is None or asked.consumer in consumers)
        and (asked.incident is None or asked.incident in incidents)
    ]
    return now.model_copy(update={"requirements": (*now.requirements, *requirements_in(before.requirements, gone))})


def _kept(signed: Signed, now: Scenario, found: Check) -> list[Kept]:
    """Each requirement that was signed, and those that came since."""
    held, required = {row.requirement: row for row in rows_of(found.verdicts)}, _required(now)
    was = {each.requirement: each for each in signed.verdicts}
    kept = []
    for words in dict.fromkeys([*was, *held]):
        remark = "" if words in was and words in required else "signed, no longer required" if words in was else "required since"
        remark += "" if words in held else ", and what it is about is no longer there"
        row = held.get(words)
        kept.append(Kept(words, was[words].verdict if words in was else "", row.verdict if row else "", row.number if row else "", remark))
    return kept
