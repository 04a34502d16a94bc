"""What is asked of a report, checked before any kernel starts: parameters, notebooks, the scenario.

papermill and nbformat are imported where they are used: they take seconds, and `import edasim` must not.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from edasim.candidates import candidates_of
from edasim.errors import InputError, suggestion
from edasim.luck import Luck
from edasim.report.notebooks import read
from edasim.requirements import check_requirements
from edasim.scenario import Scenario
from edasim.workload import make_workload

if TYPE_CHECKING:
    from nbformat import NotebookNode


_TYPES = ("bool", "int", "float", "str", "list", "dict")  # declared types that can be checked by their name


def refuse_impossible(scenario: Scenario) -> None:
    """What the model, the trace or a requirement would refuse is bad input here too: said before any kernel starts."""
    candidates_of(scenario)
    make_workload(scenario, Luck(scenario.seed, 0))
    check_requirements(scenario)


def parameters(scenario_file: Path, overrides: Mapping[str, object] | None, replications: int | None, quick: bool) -> dict[str, Any]:
    """What the caller gave, as papermill can inject it: plain JSON values, the scenario by its absolute path."""
    if replications is not None and (isinstance(replications, bool) or not isinstance(replications, int) or replications < 1):
        raise InputError(f"replications: {replications!r} is not allowed: must be a whole number of at least 1")
    if not isinstance(quick, bool):
        raise InputError(f"quick: {quick!r} is not allowed: must be true or false")
    try:
        plain = json.loads(json.dumps(dict(overrides or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"overrides: a notebook takes only numbers, texts, lists and mappings ({error})") from None
    given = {"scenario_file": str(scenario_file.resolve()), "overrides": plain, "replications": replications, "quick": quick}
    return {name: value for name, value in given.items() if value}


def sources(paths: Sequence[Path]) -> list[Path]:
    """The notebooks at *paths*, those of a folder in the order of their names; no two may want the same page."""
    found = [file.resolve() for path in map(Path, paths) for file in (sorted(path.glob("*.ipynb")) if path.is_dir() else [path])]
    if not found:
        raise InputError(f"no notebooks (*.ipynb) in {', '.join(map(str, paths))}")
    taken = {"index"}
    for file in found:
        if file.suffix != ".ipynb" or not file.is_file():
            raise InputError(f"{file}: no such notebook")
        if file.stem.lower() in taken:
            raise InputError(f"{file}: its page {file.stem}.html would overwrite another page: give it another name")
        taken.add(file.stem.lower())
    return found


def gated(source: Path, given: Mapping[str, object]) -> "NotebookNode":
    """The notebook at *source*, made to run in this interpreter; refused unless it declares what is given, and with its type."""
    import papermill
    from nbformat import ValidationError

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    try:
        notebook = read(source)
        notebook.metadata.update(kernelspec=kernel, language_info={"name": "python"})
        declared = papermill.inspect_notebook(notebook)
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError, ValidationError) as error:  # both check only some of it
        raise InputError(f"{source}: not a notebook: {shorten(str(error), 120)}") from None
    for name, value in given.items():
        if name not in declared:
            known = suggestion(name, declared) if declared else "it declares none in a cell tagged parameters"
            raise InputError(f"{source.name} has no parameter {name}: {known}")
        wanted = declared[name]["inferred_type_name"]
        if type(value).__name__ != wanted and wanted in _TYPES:
            raise InputError(f"{source.name}: its parameter {name} is declared as {wanted}: {value!r} is not allowed")
    return notebook
