"""Distributions of times and sizes. Each knows its mean, so that samples can be tested against it."""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from edasim.bounded import LONGEST_TEXT, MOST_FILE, MOST_ROWS, check_regular, said_of, unpacked
from edasim.errors import InputError, suggestion
from edasim.parts import Part
from edasim.units import BYTES, SECONDS, seconds, size, text_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Quantity = Annotated[float, Field(strict=True, ge=0)]
MOST_MIXED = 100
Spread = Annotated[float, Field(strict=True, gt=0)]


class Distribution(Part):
    """A non-negative random quantity, in seconds or bytes."""

    @abstractmethod
    def mean(self) -> float:
        """The expected value, in the unit of the quantity."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """*count* independent draws, shape (count,)."""


class Constant(Distribution):
    """Always *value*."""

    dist: Literal["constant"] = "constant"
    value: Quantity

    def mean(self) -> float:
        return self.value

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        return np.full(count, self.value)


class Exponential(Distribution):
    """Memoryless, with this *mean*."""

    dist: Literal["exponential"]
    mean_: Quantity = Field(alias="mean")

    def mean(self) -> float:
        return self.mean_

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        return rng.exponential(self.mean_, count)


class Uniform(Distribution):
    """Equally likely anywhere between *low* and *high*."""

    dist: Literal["uniform"]
    low: Quantity
    high: Quantity

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high ({self.high:g}) must be at least low ({self.low:g})")
        return self

    def mean(self) -> float:
        return (self.low + self.high) / 2

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        return rng.uniform(self.low, self.high, count)


class _MeanAndSpread(Distribution):
    """A mean and a coefficient of variation (standard deviation over mean)."""

    mean_: Quantity = Field(alias="mean")
    cv: Spread

    def mean(self) -> float:
        return self.mean_


class Lognormal(_MeanAndSpread):
    """Right-skewed, the usual shape of network latency: sigma^2 = ln(1 + cv^2), mu = ln(mean) - sigma^2 / 2."""

    dist: Literal["lognormal"]

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        variance = math.log1p(self.cv**2)
        return self.mean_ * np.exp(rng.normal(-variance / 2, math.sqrt(variance), count))


class Gamma(_MeanAndSpread):
    """Shape 1 / cv^2: exponential at cv 1, nearly constant for a small cv."""

    dist: Literal["gamma"]

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        return self.mean_ * self.cv**2 * rng.standard_gamma(1 / self.cv**2, count)


class Pareto(_MeanAndSpread):
    """Heavy-tailed (type I): cv^2 = 1 / (a (a - 2)), so a = 1 + sqrt(1 + 1 / cv^2) and the least value is mean (a - 1) / a."""

    dist: Literal["pareto"]

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        shape = 1 + math.sqrt(1 + 1 / self.cv**2)
        return self.mean_ * (shape - 1) / shape * (1 + rng.pareto(shape, count))


class Mixture(Distribution):
    """One *of* several distributions, chosen with these *weights*."""

    dist: Literal["mixture"]
    of: tuple["AnyDistribution", ...] = Field(min_length=1)
    weights: tuple[Quantity, ...]

    @model_validator(mode="after")
    def _matching(self) -> Self:
        if len(self.weights) != len(self.of) or sum(self.weights) <= 0:
            raise ValueError(f"weights must be {len(self.of)} numbers of at least 0, not all 0")
        if self._count() > MOST_MIXED:
            raise ValueError(f"a mixture may have at most {MOST_MIXED} distributions, those of mixtures in it included")
        return self

    def _count(self) -> int:
        return sum(part._count() if isinstance(part, Mixture) else 1 for part in self.of)

    def mean(self) -> float:
        return sum(w * part.mean() for w, part in zip(self.weights, self.of, strict=True)) / sum(self.weights)

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        which, *own = rng.spawn(1 + len(self.of))  # so that the first draws are the same however many follow
        chosen = which.choice(len(self.of), count, p=np.array(self.weights) / sum(self.weights))
        found = np.empty(count)
        for number, (part, each) in enumerate(zip(self.of, own, strict=True)):  # one after the other: all at once would fill the memory
            found = np.where(chosen == number, part.sample(each, count), found)
        return found


class Empirical(Distribution):
    """Draws with replacement from a *column* of numbers (seconds or bytes) in a CSV or parquet *file*."""

    dist: Literal["empirical"]
    file: str
    column: str

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self._values()
        return self

    def _values(self) -> Floats:
        values = read_column(self.file, self.column)
        if values.dtype.kind not in "iuf" or not np.all(np.isfinite(values)) or np.any(values < 0):
            raise ValueError(f"column {self.column} of {Path(self.file).name} must hold numbers of at least 0")
        return values.astype(np.float64)

    def mean(self) -> float:
        return float(self._values().mean())

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        return rng.choice(self._values(), count)


AnyDistribution = Annotated[
    Constant | Exponential | Uniform | Lognormal | Gamma | Pareto | Mixture | Empirical, Field(discriminator="dist")
]
KINDS = ("constant", "exponential", "uniform", "lognormal", "gamma", "pareto", "mixture", "empirical")


def read_table(file: str) -> "pd.DataFrame":
    """The CSV (gzipped or not) or parquet *file*; raises InputError when it is missing, unreadable, empty or too large."""
    return _read_table(file, *_looked_at(file))


def _looked_at(file: str) -> tuple[int, int]:
    """When the *file* was changed (ns) and its bytes; raises InputError where it can't be read."""
    try:
        check_regular(Path(file), MOST_FILE)
        found = Path(file).stat()
    except IsADirectoryError:
        raise InputError(f"file {file} is a folder: must be CSV or parquet") from None
    except FileNotFoundError:
        raise InputError(f"file {file} does not exist") from None
    except OSError as error:
        raise InputError(f"file {file} can't be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _read_table(file: str, changed: int, length: int) -> "pd.DataFrame":
    """Read once for as long as the file stays as it is."""
    try:
        table = read_parquet(file) if file.endswith(".parquet") else _csv(file)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, MemoryError, OverflowError, pa.ArrowException) as error:  # pandas' parse errors are ValueErrors
        raise InputError(f"file {file} can't be read as CSV or parquet: {(str(error) or type(error).__name__).splitlines()[0]}") from None
    if table.empty:
        raise InputError(f"file {file} is empty: at least one row is needed")
    return table


def _csv(file: str) -> "pd.DataFrame":
    import pandas as pd  # takes a quarter of a second to import, and only files need it

    with unpacked(Path(file)) as content:
        table = pd.read_csv(content, nrows=MOST_ROWS + 1)
    _refuse_long(file, len(table))
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(f"file {file} can't be read as CSV: its rows have more columns than its first line")
    return table


def read_parquet(file: str, columns: list[str] | None = None) -> "pd.DataFrame":
    """These *columns* of a parquet file, by default all; what pandas may have noted beside them is not looked at.

    Raises InputError where it is too large, and the errors of pyarrow where it is no parquet.
    """
    with pq.ParquetFile(file) as opened:
        _refuse_long(file, opened.metadata.num_rows)
        unpacked_bytes = sum(opened.metadata.row_group(i).total_byte_size for i in range(opened.metadata.num_row_groups))
        if unpacked_bytes > MOST_FILE:
            raise InputError(f"file {file} is too large: at most {said_of(MOST_FILE)} are allowed, unpacked")
        names = [field.name for field in opened.schema_arrow if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
    # as in the file, where a text that is repeated stands once: filled in, a small file could have more than the memory holds
    found = pq.read_table(file, columns=columns, read_dictionary=names).replace_schema_metadata(None)
    for column in found.columns:
        for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
            if pa.types.is_string(chunk.dictionary.type) and (pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0) > LONGEST_TEXT:
                raise InputError(f"file {file} has a text that is too long: at most {LONGEST_TEXT:,} bytes are allowed")
    table: pd.DataFrame = found.to_pandas()
    return table


def _refuse_long(file: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise InputError(f"file {file} is too long: at most {MOST_ROWS:,} rows are allowed")


def read_column(file: str, column: str) -> NDArray[Any]:
    """One column of *file*, shape (rows,); raises InputError naming the columns that exist."""
    table = read_table(file)
    if column not in table.columns:
        raise InputError(f"column {column} is not in {Path(file).name}: {suggestion(column, map(str, table.columns))}")
    return _values_of(table[column])


def _values_of(column: "pd.Series") -> NDArray[Any]:
    """A column as an array; of texts that are repeated each is there once, however often."""
    import pandas as pd

    if not isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column)
    kinds = np.asarray(column.cat.categories)
    codes = column.cat.codes.to_numpy()
    return np.append(kinds, [np.nan])[codes] if kinds.dtype.kind == "f" else np.append(kinds.astype(object), [None])[codes]


def _as_mapping(value: object, parse: Callable[[object], float]) -> object:
    """A distribution as pydantic takes it: bare quantities become constants, quantities inside are parsed."""
    if isinstance(value, Distribution):
        return value
    if not isinstance(value, Mapping):
        return {"dist": "constant", "value": parse(value)}
    if value.get("dist") not in KINDS:
        raise ValueError(f"dist must name the kind of distribution: {suggestion(str(value.get('dist')), KINDS)}")
    parsed: dict[str, Any] = {key: parse(item) if key in ("value", "mean", "low", "high") else item for key, item in value.items()}
    if isinstance(parsed.get("of"), list | tuple):
        parsed["of"] = tuple(_as_mapping(part, parse) for part in parsed["of"])
    if isinstance(parsed.get("weights"), list):
        parsed["weights"] = tuple(parsed["weights"])
    return parsed


def _as_text(distribution: Distribution, units: dict[str, float]) -> object:
    if isinstance(distribution, Constant):
        return text_of(distribution.value, units)
    shown: dict[str, object] = {}
    for key, item in distribution.model_dump(by_alias=True).items():
        shown[key] = text_of(item, units) if key in ("mean", "low", "high") else item
    if isinstance(distribution, Mixture):
        shown["of"] = [_as_text(part, units) for part in distribution.of]
        shown["weights"] = list(distribution.weights)
    return {"dist": shown.pop("dist"), **shown}


def _schema(what: str) -> WithJsonSchema:
    mapping = {"type": "object", "properties": {"dist": {"enum": list(KINDS)}}, "required": ["dist"]}
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}, mapping], "description": what})


def _as_time(value: object) -> object:
    return _as_mapping(value, seconds)


def _as_size(value: object) -> object:
    return _as_mapping(value, size)


TimeDistribution = Annotated[
    AnyDistribution,
    BeforeValidator(_as_time),
    PlainSerializer(lambda d: _as_text(d, SECONDS), when_used="json"),
    _schema("seconds, a string such as 250ms, or a distribution of them"),
]
SizeDistribution = Annotated[
    AnyDistribution,
    BeforeValidator(_as_size),
    PlainSerializer(lambda d: _as_text(d, BYTES), when_used="json"),
    _schema("bytes, a string such as 2kB, or a distribution of them"),
]
