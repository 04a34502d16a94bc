"""Several files that belong together: all of them are put in place, or none is."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from edasim.errors import InputError


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write the contents of all *files*; where one can't be put in place, those before it are as they were.

    The folder of a file is made where only that is missing. Raises InputError naming the file that can't be written.
    """
    with ExitStack() as undo:
        parts = {}
        for file, content in files.items():
            with _naming(file):
                if not file.parent.exists():
                    file.parent.mkdir()
                    undo.callback(_remove_folder, file.parent)
                target = file.resolve()  # a link stays one
                part = target.with_name(f".{target.name}.part")
                undo.callback(part.unlink, missing_ok=True)
                part.write_bytes(content)
                parts[target] = part
        with ExitStack() as back:
            for target, part in parts.items():
                before = target.read_bytes() if target.exists() else None
                with _naming(target):
                    part.replace(target)
                back.callback(_put_back, target, before)
            back.pop_all()


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Says of which file an error of the system is."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{file} can't be written: {error.strerror or error}") from None


def _put_back(target: Path, before: bytes | None) -> None:
    if before is None:
        target.unlink(missing_ok=True)
    else:
        target.write_bytes(before)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()  # unless something is in it
