"""What validation found, kept in a folder: the verdict on every row of theory, every prediction, what was fuzzed, and who made it when.

All of it takes minutes, so the report shows what was kept, and says where a row that it simulates again comes out otherwise.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from edasim.errors import InputError
from edasim.provenance import content_digest, version
from edasim.tables import aside
from edasim.validation.cases import Verdict
from edasim.validation.reality import Prediction

VERDICTS, PREDICTIONS, MADE, FUZZED = "verdicts.csv", "predictions.csv", "made.json", "fuzzed.json"
DIGITS = "%.10g"


@dataclass(frozen=True)
class Kept:
    """All that was found. *made*: date, versions and a digest of the code; *fuzzed*: how many inputs, when, by kind; None: nobody did."""

    verdicts: tuple[Verdict, ...]
    predictions: tuple[Prediction, ...]
    made: dict[str, Any]
    fuzzed: dict[str, Any] | None


def keep(folder: Path, verdicts: Sequence[Verdict], predictions: Sequence[Prediction]) -> None:
    """Write what was found into *folder*, file by file, each whole or not at all; what was fuzzed stays as it is.

    Last comes the file that says who made it, with digests of the tables: whoever is killed before leaves what `read_kept` refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {VERDICTS: [asdict(row) for row in verdicts], PREDICTIONS: [asdict(row) for row in predictions]}
    for name, rows in tables.items():
        with aside(folder / name) as part:
            pd.DataFrame(rows).to_csv(part, index=False, float_format=DIGITS)
    with aside(folder / MADE) as part:
        made = {"date": datetime.now(UTC).date().isoformat(), **version(), "tables": _digests(folder)}
        part.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _digests(folder: Path) -> dict[str, str]:
    return {name: content_digest(folder / name) for name in (VERDICTS, PREDICTIONS)}


def read_kept(folder: Path) -> Kept:
    """What `keep` left in *folder*. Raises InputError where it is not there, or not as it was left."""
    try:
        made = json.loads((folder / MADE).read_text(encoding="utf-8"))
        if made["tables"] != _digests(folder):
            raise ValueError(f"{MADE} is of other tables")
        return Kept(
            verdicts=tuple(Verdict(**row) for row in _rows(folder / VERDICTS, Verdict)),
            predictions=tuple(Prediction(**row) for row in _rows(folder / PREDICTIONS, Prediction)),
            made=made,
            fuzzed=fuzzed_in(folder),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder} does not hold what edasim validate --all --out left there: {str(error).splitlines()[0]}") from None


def fuzzed_in(folder: Path) -> dict[str, Any] | None:
    """How many inputs were fuzzed, as the run that fuzzed them wrote it down; None where none did."""
    file = folder / FUZZED
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _rows(file: Path, kind: type[Verdict] | type[Prediction]) -> list[dict[str, Any]]:
    """The rows of a table as the fields of *kind*: a text that is empty is no missing number."""
    texts = [field.name for field in fields(kind) if field.type is str]
    table = pd.read_csv(file, dtype=dict.fromkeys(texts, str))
    table[texts] = table[texts].fillna("")
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]
