"""Notebook files: read, written, and executed by papermill in a kernel that is this interpreter.

papermill and nbformat are imported where they are used: they take seconds, and `import edasim` must not.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode


def read(path: Path) -> "NotebookNode":
    import nbformat

    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def write(notebook: "NotebookNode", path: Path) -> None:
    import nbformat

    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def execute(notebook: Path, folder: Path, given: Mapping[str, object], bar: dict[str, str] | bool) -> str | None:
    """Run the file *notebook* in place, with *folder* as working directory; what stopped it, or None."""
    import papermill

    path = str(notebook).replace("{", "{{").replace("}", "}}")  # papermill formats paths
    try:
        # A kernel that is asked to end waits for seconds for joblib's resource tracker, which heeds no signal; it ends with its kernel.
        settings = {"kernel_name": "python3", "cwd": folder, "progress_bar": bar, "shutdown_kernel": "immediate"}
        papermill.execute_notebook(path, path, dict(given), **settings)
    except papermill.PapermillExecutionError as error:
        return shorten(f"In [{error.exec_count}]: {error.ename}: {error.evalue}", 300)
    except RuntimeError as error:  # the kernel died: the other notebooks can still be read
        begun = [cell for cell in read(notebook).cells if cell.cell_type == "code" and cell.metadata.papermill.get("start_time")]
        return f"In [{len(begun)}]: {shorten(str(error), 300)}"
    return None


def own_kernel(workshop: Path) -> AbstractContextManager[None]:
    """While it lasts, kernels are this interpreter's; what they need is put into the folder *workshop*."""
    return _environment(_in_this_interpreter(workshop))


def _in_this_interpreter(workshop: Path) -> dict[str, str]:
    """The environment in which `python3` is this interpreter, whatever kernels and IPython profiles the user has."""
    kernel, profile = workshop / "jupyter" / "kernels" / "python3", workshop / "ipython" / "profile_default"
    kernel.mkdir(parents=True)
    profile.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": start, "display_name": "Python 3", "language": "python"}), encoding="utf-8")
    # ipykernel 7 warns of TCP at every start, and of an interrupt at the end: only a profile can stop it.
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 50\n", encoding="utf-8")
    paths = [str(workshop / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {
        "JUPYTER_PATH": os.pathsep.join(paths),
        "JUPYTER_RUNTIME_DIR": str(workshop / "runtime"),
        "IPYTHONDIR": str(workshop / "ipython"),
        "PYTHONWARNINGS": "ignore:resource_tracker",  # joblib's workers end with the kernel: nothing leaks that would outlive it
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # a CI's MPLBACKEND=Agg would lose every figure
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """*variables* in the environment of this process and of those it starts, for as long as the block lasts."""
    former = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(former)
