"""Tables too long to be kept: rows written as they come, put in place whole or not at all."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from edasim.errors import InputError


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """A file beside *out* that takes its place at the end, and is gone where something went wrong; a pipe or a device itself.

    Raises InputError where it can't be written.
    """
    try:
        out = out.resolve()  # a link stays one
        if out.exists() and not out.is_file():
            yield out
            return
        part = out.with_name(f".{out.name}.part")
        try:
            yield part
            part.replace(out)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror or error}") from None


def write_csv(frames: Iterable[pd.DataFrame], file: TextIO) -> None:
    """*frames* with the same columns, one after the other; the names of the columns once."""
    for number, frame in enumerate(frames):
        frame.to_csv(file, index=False, header=not number, lineterminator="\n")


def write_parquet(frames: Iterable[pd.DataFrame], file: Path, about: Mapping[str, Any]) -> None:
    """*frames* with the same columns, one after the other, a row group each; what they are *about* is kept beside them as `edasim`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    try:
        for frame in frames:
            table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata({"edasim": json.dumps(about)})
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer:
            writer.close()
