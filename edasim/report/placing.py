"""Where a report goes: built beside its folder, then put in the former one's place, all at once or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edasim.errors import InputError

MARKER = ".edasim-report"  # lists what a report wrote: a folder that holds anything else is never replaced


def refuse_foreign(target: Path) -> None:
    """A folder is replaced only if it is missing, empty, or holds nothing but what a report put there and hidden files."""
    if target.is_mount():
        raise InputError(f"{target}: a mounted folder can't be replaced: name a folder inside it")
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file: a report needs a folder of its own")
    held = {path.name for path in target.iterdir()} if target.exists() else set()
    written = (target / MARKER).read_text(encoding="utf-8").splitlines() if MARKER in held else []
    if strange := sorted(name for name in held.difference(written) if MARKER not in held or not name.startswith(".")):
        raise InputError(f"{target}: holds files that no report wrote ({', '.join(strange[:3])}): name another folder, or empty it")


@contextmanager
def workshop_beside(target: Path) -> Iterator[Path]:
    """A folder beside *target*, on the same file system, that is gone afterwards."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InputError(f"{target}: can't be written: {error.strerror}") from None
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def put_in_place(report: Path, target: Path) -> None:
    """Let the folder *report* take the place of *target*, which comes back if that fails."""
    former = report.with_name("former")
    written = sorted(path.name for path in report.iterdir())
    (report / MARKER).write_text("\n".join(written) + "\n", encoding="utf-8")
    try:
        if target.exists():
            target.rename(former)
        report.rename(target)
    except BaseException:
        if former.exists() and not target.exists():
            former.rename(target)
        raise
