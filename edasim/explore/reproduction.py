"""Reproduction: the calls that draw what is on the screen again; a command for a table of the same options; the whole scenario."""

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from edasim.documents import assignment
from edasim.explore.views import View
from edasim.scenario import Scenario


def in_python(view: View, file: str, changes: Mapping[str, Any]) -> str:
    """The calls that find and draw what is shown, of the scenario in *file*."""
    package, _, module = view.study.__module__.rpartition(".")
    study = _called(f"{module}.{view.study.__name__}", {"scenario": None, **view.asked})
    figure = _called(f"figures.{view.figure.__name__}", {study: None, **view.drawn_with})
    return (
        f"from edasim import Scenario, figures\nfrom {package} import {module}\n\n"
        f"scenario = Scenario.load({file!r}, {dict(changes)!r})\n{figure}"
    )


def _called(function: str, arguments: Mapping[str, Any]) -> str:
    """A call; arguments without a value stand for themselves."""
    return f"{function}({', '.join(name if value is None else f'{name}={value!r}' for name, value in arguments.items())})"


def as_command(view: View, file: str, changes: Mapping[str, Any], scenario: Scenario) -> str:
    """One run of the options shown, as a table: a command compares, and knows no other study.

    *scenario* is that of the file with *changes*. The incidents are simulated too where the figure is of one of them.
    """
    if view.made and not scenario.options:
        options = [option.model_dump(mode="json", exclude_unset=True) for option in view.made(scenario).options]
        changes = {**changes, "options": options}
    compared = {"patterns": view.patterns, **view.asked}
    words = ["edasim", "compare", file]
    for of in ("options", "patterns"):
        words += [f"--{of}", ",".join(compared[of])] if compared.get(of) else []
    words += [word for path, value in changes.items() for word in ("--set", assignment(path, value))]
    return shlex.join([*words, *([] if view.struck else ["--no-incidents"]), "--replications", "1"])


def as_yaml(scenario: Scenario) -> str:
    """The whole scenario as it is shown, without the defaults."""
    return yaml.safe_dump(scenario.as_mapping(brief=True), sort_keys=False, allow_unicode=True, width=120)
