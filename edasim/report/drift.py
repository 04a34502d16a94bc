"""What changed between two comparisons, each as the object that `results.json` holds: differences with 95 % intervals.

Where both had the same seed and replications, their luck was the same, and a number is paired with its former self by replication. An
example: 10, 14 and 12 lost before, 11, 15 and 13 now, is one more each time, whatever else the luck did: +1, though the runs themselves
spread over 4. Otherwise each side keeps its own luck in its interval, and the difference is that of two independent estimates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edasim.bounded import MOST_RESULTS, json_of, text_of
from edasim.comparison import KEY, values_of
from edasim.differing import differing, differing_inputs
from edasim.errors import InputError
from edasim.intervals import difference, over_replications
from edasim.metrics.values import Nature
from edasim.statistics import LEVELS, Interval, independent_difference

COLUMNS = (*KEY[:4], "unit", "before", "now", "mean", "low", "high", "pairing", "change")
MOST_TRIALS = 1 << 53  # what a float counts exactly

Key = tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """Two published comparisons, *before* and *now*, side by side."""

    before: Mapping[str, Any]
    now: Mapping[str, Any]

    @cached_property
    def pairs(self) -> dict[Key, tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """The values by replication of every number that both have."""
        before, now = _by_key(self.before), _by_key(self.now)
        return {key: (before[key], row) for key, row in now.items() if key in before}

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Tidy rows (COLUMNS): each number before and now, by how much it is more now, how that is known, and whether it is sure.

        *change* is none (the same in every replication, or zero by nature), clear (the interval excludes zero) or unclear.
        """
        rows = [(*key[:4], now["unit"], *self._change(before, now)) for key, (before, now) in self.pairs.items()]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _change(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[float, float, float, float, float, str, str]:
        theirs, mine = ([*values_of(row).values()] for row in (before, now))
        ends = over_replications(theirs), over_replications(mine)
        paired = self.before["seed"] == self.now["seed"] and before["replications"] == now["replications"]
        found = difference(mine, theirs) if paired else independent_difference(ends[1], ends[0])
        if (paired and before == now) or found.low == found.high == 0:
            found, change = Interval(0.0, 0.0, 0.0), "none"
        else:
            change = "clear" if found.low > 0 or found.high < 0 else "unclear"
        return ends[0].mean, ends[1].mean, found.mean, found.low, found.high, "paired" if paired else "unpaired", change

    @cached_property
    def inputs(self) -> dict[str, tuple[str, str]]:
        """What the scenario said of an input before and now, by dotted path, where that differs; nothing: it had the default."""
        return differing_inputs(self.before["inputs"], self.now["inputs"])

    @cached_property
    def versions(self) -> dict[str, tuple[str, str]]:
        """The versions before and now, where they differ; "code" and "commit" are this package's. Nothing: unknown."""
        return differing(_versions(self.before), _versions(self.now))

    @cached_property
    def verdicts(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The verdicts before and now of a requirement and an option that both have, where they differ."""
        before, now = _verdicts(self.before), _verdicts(self.now)
        return {key: (before[key], verdict) for key, verdict in now.items() if before.get(key, verdict) != verdict}

    def missing(self, part: str) -> tuple[list[str], list[str]]:
        """The *part* of a key (option, metric ...) that is there only before, and only now."""
        before, now = (list(dict.fromkeys(str(key[KEY.index(part)]) for key in _by_key(run))) for run in (self.before, self.now))
        return [name for name in before if name not in now], [name for name in now if name not in before]


def _by_key(run: Mapping[str, Any]) -> dict[Key, Mapping[str, Any]]:
    return {tuple(row[name] for name in KEY): row for row in run["replicated"]}


def _verdicts(run: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    return {(row["requirement"], row["option"]): row["verdict"] for row in run.get("verdicts", ())}


def _versions(run: Mapping[str, Any]) -> dict[str, str]:
    return {**run["versions"], **{name: str(run.get(name) or "")[:12] for name in ("code", "commit")}}


class _Row(BaseModel):
    """A row of `Comparison.replicated`, as far as it is read."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    option: str
    consumer: str
    incident: str
    metric: str
    component: str
    unit: str
    nature: Nature
    replications: Annotated[list[int], Field(min_length=1)]
    value: list[float | None]
    trials: list[Annotated[int, Field(ge=0, le=MOST_TRIALS)]]
    level: list[float]
    around: list[list[float | None]]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if {len(column) for column in (self.value, self.trials, self.level, self.around)} != {len(self.replications)}:
            raise ValueError("must have one value a replication")
        if self.nature == "quantile" and any(len(curve) != len(LEVELS) for curve in self.around):
            raise ValueError("must have a quantile function")
        return self


class _Verdict(BaseModel):
    requirement: str
    option: str
    verdict: str


class _Results(BaseModel):
    """What is read of a `results.json`; it may hold more."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    scenario: str
    seed: int
    inputs: dict[str, Any]
    versions: dict[str, str]
    results: list[Any]
    replicated: list[_Row]
    verdicts: list[_Verdict] = Field(default_factory=list)
    digest: str | None = None
    code: str | None = None
    commit: str | None = None


def read_results(file: Path) -> dict[str, Any]:
    """The results that an earlier report, or `edasim compare --format json`, left in *file*.

    Raises InputError where it can't be read, is no JSON or holds something else.
    """
    try:
        found = json_of(text_of(Path(file), MOST_RESULTS))
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{file}: not JSON: must be the results.json of an earlier report") from None
    try:
        _Results.model_validate(found)
    except ValidationError as error:
        lacks = str((*error.errors()[0]["loc"], "scenario")[0])
        raise InputError(
            f"{file}: no results to compare with: it has no {lacks} as this version writes it; make that report again"
        ) from None
    results: dict[str, Any] = found
    return results
