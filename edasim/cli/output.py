"""What a command writes: to standard output, or to a file that is there whole or not at all."""

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from edasim.tables import aside, write_csv, write_parquet


class _Heard(logging.Handler):
    """What the library has to say, as lines of their own on standard error, also where a bar of progress stands."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(f"edasim: {record.getMessage()}", file=sys.stderr)


@contextmanager
def heard() -> Iterator[None]:
    """While it lasts, what the library logs is heard: that it compiles, say, so that nobody wonders why it takes so long."""
    log, handler = logging.getLogger("edasim"), _Heard(logging.INFO)
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
        return
    with aside(out) as part:
        part.write_text(text + "\n", encoding="utf-8")


def write_found(words: str, rows: Any, form: str, out: Path | None) -> None:
    """A finding in words, or its rows."""
    if form == "csv":
        words = str(rows.to_csv(index=False)).rstrip("\n")
    elif form == "json":
        from edasim.comparison import records

        words = json.dumps({"finding": words, "rows": records(rows)}, indent=1, allow_nan=False, ensure_ascii=False)
    write(words, out)


def write_frames(frames: Iterator[Any], form: str, out: Path | None, about: dict[str, Any]) -> None:
    """The rows of a sweep as they come, but for a table, whose columns are as wide as all of them ask for."""
    if form == "table":
        from edasim.summary import sweep_as_text

        write(sweep_as_text(frames, shutil.get_terminal_size().columns if sys.stdout.isatty() else None), out)
    elif out is None:
        write_csv(frames, sys.stdout)
    else:
        with aside(out) as part:
            if form == "parquet":
                write_parquet(frames, part, about)
            else:
                with part.open("w", encoding="utf-8", newline="") as file:
                    write_csv(frames, file)


def formatted(comparison: Any, form: str) -> str:
    if form == "json":
        return json.dumps(comparison.as_json(), indent=1, allow_nan=False, ensure_ascii=False)
    if form == "csv":
        return str(comparison.results.to_csv(index=False)).rstrip("\n")
    from edasim.summary import as_text

    return as_text(comparison, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
