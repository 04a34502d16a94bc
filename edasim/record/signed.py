"""What is signed with a decision: the inputs, the choice and what came out, kept in the record so that it can be run again.

Files are named from the record's folder, so a repository can be checked out anywhere, and nothing tells whose machine wrote it. A trace
stands there with a digest of its content.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from os.path import relpath
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from edasim.errors import InputError
from edasim.parts import Part, input_error
from edasim.provenance import content_digest
from edasim.scenario import Scenario

_JSON = re.compile(r"^```json\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARKS = {code: f"\\u{code:04x}" for code in (*map(ord, "<>&`\u2028\u2029\x85"), *range(0xD800, 0xE000))}  # JSON all the same


class SignedVerdict(Part):
    """What came out for a requirement: its verdict, and the number with its interval in words."""

    requirement: str
    verdict: str
    number: str = ""


class SignedTippingPoint(Part):
    """Where a *requirement* begins to be violated when the input at *path* moves away from *now*; numbers in *unit* (s, bytes or none)."""

    path: str
    unit: str = ""
    now: float
    estimate: float
    low: float | None = None
    high: float | None = None
    requirement: str


class Signed(Part):
    """A decision as it was signed; *scenario_file* and the keys of *files* are named from the folder of the record.

    *inputs* are the scenario with its *overrides* (those of ``--set``), *digest* that of all that it says, defaults included.
    """

    chosen: str
    scenario_file: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Any]
    digest: str
    files: dict[str, str] = Field(default_factory=dict)
    seed: int
    replications: int
    budget: int
    verdicts: tuple[SignedVerdict, ...] = ()
    tipping_points: tuple[SignedTippingPoint, ...] = ()
    supersedes: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    code: str = ""
    commit: str | None = None

    @classmethod
    def found_in(cls, text: str, where: str) -> Self:
        """What the generated block *text* of a record holds as JSON. Raises InputError, naming the record *where*, if it holds none."""
        found = _JSON.search(text.replace("\r\n", "\n"))
        try:
            return cls(**json.loads(found[1] if found else ""))
        except ValidationError as error:
            raise input_error(error, {}, f"{where}: the block provenance can't be read by this version: ") from None
        except (ValueError, TypeError, RecursionError):
            raise InputError(f"{where}: the block provenance holds no signed inputs as JSON") from None

    def as_json(self) -> str:
        """All of it as JSON that no text in it can break out of."""
        said = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
        return said.translate(_MARKS)

    def scenario(self, folder: Path) -> Scenario:
        """The scenario as it was signed; *folder* is that of the record. Raises InputError where a file is missing, or it is refused."""
        for name in self.files:
            if not (folder / name).is_file():
                raise InputError(f"{name}, which the signed scenario reads, is missing")
        return Scenario.from_mapping(_named_in(self.inputs, folder))

    def overrides_in(self, folder: Path) -> dict[str, Any]:
        """What was changed with ``--set``, its files where they are seen from here; *folder* is that of the record."""
        return _overrides(self.overrides, lambda file: str((folder / file).resolve()))

    def changed_files(self, folder: Path) -> list[str]:
        """The files that hold something else than when it was signed."""
        return [name for name, was in self.files.items() if (folder / name).is_file() and content_digest(folder / name) != was]


def inputs_beside(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """What the *scenario* says, defaults left out, its files named from *folder*."""
    found: dict[str, Any] = named_beside(scenario.as_mapping(brief=True), folder)
    return found


def overrides_beside(overrides: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What ``--set`` changes by dotted path, its files, which are named from where the command runs, named from *folder*."""
    return _overrides(overrides, lambda file: beside(Path(file), folder))


def _overrides(overrides: Mapping[str, Any], name: Callable[[str], str]) -> dict[str, Any]:
    files = {path for path, value in overrides.items() if path.endswith(".file") and isinstance(value, str)}
    return {path: name(value) if path in files else _with_files(value, name) for path, value in overrides.items()}


def files_beside(scenario: Scenario, folder: Path) -> dict[str, str]:
    """The files that the *scenario* reads, named from *folder*, with a digest of each."""
    return {beside(Path(file), folder): content_digest(Path(file)) for file in sorted(set(_files(scenario.as_mapping(brief=True))))}


def beside(file: Path, folder: Path) -> str:
    """How *file* is named from *folder*, with slashes. Raises InputError where there is no way from one to the other."""
    try:
        return Path(relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # two drives
        raise InputError(f"{file} must be on the same drive as the record, which names it from its own folder") from None


def named_beside(said: Any, folder: Path) -> Any:
    """Plain data with every file in it named from *folder*."""
    return _with_files(said, lambda file: beside(Path(file), folder))


def _named_in(said: Any, folder: Path) -> Any:
    """What `named_beside` made so, with every file where it is seen from here."""
    return _with_files(said, lambda file: str((folder / file).resolve()))


def _with_files(said: Any, name: Callable[[str], str]) -> Any:
    if isinstance(said, Mapping):
        return {key: name(part) if key == "file" and isinstance(part, str) else _with_files(part, name) for key, part in said.items()}
    return [_with_files(part, name) for part in said] if isinstance(said, list | tuple) else said


def _files(said: Any) -> Iterator[str]:
    if isinstance(said, Mapping):
        yield from (part for key, part in said.items() if key == "file" and isinstance(part, str))
    for part in said.values() if isinstance(said, Mapping) else said if isinstance(said, list | tuple) else ():
        yield from _files(part)
