"""Reproduction: what is on the screen as a line of Python, as a command and as a scenario, each of which gives it again."""

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


def as_command(view: View, file: str, changes: Mapping[str, Any]) -> str:
    """The comparison of the same options in the same single run, as a table."""
    words = ["edasim", "compare", file]
    for of in ("options", "patterns"):
        words += [f"--{of}", ",".join(view.asked[of])] if of in view.asked else []
    words += [word for path, value in changes.items() for word in ("--set", assignment(path, value))]
    return shlex.join([*words, "--replications", "1"])


def as_yaml(scenario: Scenario) -> str:
    """The whole scenario as it is shown, without the defaults."""
    return yaml.safe_dump(scenario.as_mapping(brief=True), sort_keys=False, allow_unicode=True, width=120)
