"""Compiled functions: plain loops over arrays that numba turns into machine code, kept from one process to the next.

Compiling takes seconds and happens once: the machine code is kept beside this package, or in the user's cache folder where that can't
be written. numba notices a change of the function's own file but not of what it calls in others, so the folder is named after the
content of all files of the function's package and of this one (a compiled function calls those of no other), and after the versions of
numba and Python: nothing in it can be out of date.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import platformdirs

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The *function* as machine code, made when it is called first; its arguments are numbers and arrays."""
    return _compiled(function)


def compiled_part(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, of a function that only compiled ones call: Python can't, which halves the time that it takes to compile."""
    part: Any = _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    usual = part.get_call_template

    unliteral: Any = numba.types.unliteral

    def of_any_value(arguments: Sequence[Any], named: Any) -> Any:
        """Numba would compile it once more for each constant that it is called with."""
        return usual([unliteral(argument) for argument in arguments], named)

    part.get_call_template = of_any_value
    return cast(Callable[P, R], part)


def _compiled(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    njit: Any = numba.njit
    folder = kept_in(Path(function.__code__.co_filename).parent)
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, "" if folder is None else str(folder)
    try:
        return cast(Callable[P, R], njit(cache=folder is not None, error_model="numpy", **options)(function))
    finally:
        config.CACHE_DIR = before


@cache
def kept_in(package: Path) -> Path | None:
    """Where the machine code of a package's functions is kept; None where nothing can be written."""
    digest = sha256(f"{numba.__version__} {sys.implementation.cache_tag}\0".encode())
    for file in sorted({*package.glob("*.py"), *Path(__file__).parent.glob("*.py")}):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    for place in (package / "__pycache__", Path(platformdirs.user_cache_dir("edasim", appauthor=False))):
        folder: Path = place / f"compiled-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None
