"""Reading the oracles: each row becomes a case, through the mapping that says how its family is simulated."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.nativetypes import NativeEnvironment

from edasim.bounded import text_of
from edasim.errors import InputError, suggestion
from edasim.scenario import Scenario
from edasim.validation.cases import REPLICATIONS, Case, Parameters, Verdict
from edasim.validation.output_analysis import STATISTICS

Plan = Mapping[str, Any]
ABSOLUTE = re.compile(r"\+-\s*(\d*\.?\d+)")  # a tolerance such as "flat optimum: +-0.05 in rho"


def read_oracles(file: Path, mapping_file: Path, prefixes: Sequence[str] = ()) -> list[Case | Verdict]:
    """The rows of *file* whose id starts with one of *prefixes* (all by default), in order: a case, or the verdict that it is out of scope.

    Raises InputError for files that can't be read, and for a row that the mapping neither simulates nor names as out of scope.
    """
    try:
        rows = pd.read_csv(StringIO(text_of(file)), dtype={"tolerance": str})
        mapping = yaml.safe_load(text_of(mapping_file))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file} and {mapping_file} must be a CSV of rows and their mapping: {' '.join(str(error).split())}") from None
    missing = {"id", "model", "parameters", "quantity", "value", "tolerance"} - set(rows.columns)
    if missing:
        raise InputError(f"{file} has no column {', '.join(sorted(missing))}")
    for prefix in prefixes:
        if not rows["id"].str.startswith(prefix).any():
            raise InputError(f"--rows {prefix} is not known: {suggestion(prefix, sorted({str(row).split('-')[0] for row in rows['id']}))}")
    wanted = rows[rows["id"].str.startswith(tuple(prefixes))] if prefixes else rows
    return [_read(row, mapping) for row in wanted.to_dict("records")]


def _read(row: Mapping[Any, Any], mapping: Plan) -> Case | Verdict:
    try:
        p, value = json.loads(row["parameters"]), float(row["value"])
        reason = _why_out_of_scope(row, p, mapping)
        if reason:
            return Verdict(row["id"], row["quantity"], value, np.nan, np.nan, np.nan, "out of scope", reason)
        return _case(row, p, value, mapping)
    except (KeyError, TypeError, ValueError, ArithmeticError, TemplateError) as error:
        where = f"row {row['id']} ({row['model']}: {row['quantity']})"
        raise InputError(f"{where} can't be simulated: the mapping has nothing for {error}") from None


def _family(row: Mapping[Any, Any]) -> str:
    return str(row["id"]).split("-")[0]


def _why_out_of_scope(row: Mapping[Any, Any], p: Parameters, mapping: Plan) -> str:
    asked = {"family": _family(row), "quantity": row["quantity"], "model": row["model"]}
    for rule in mapping["out_of_scope"]:
        if all(asked[key] == rule[key] for key in asked.keys() & set(rule)) and rendered(rule.get("when", True), p):
            return str(rule["reason"])
    return ""


def _case(row: Mapping[Any, Any], p: Parameters, value: float, mapping: Plan) -> Case:
    family, quantity = mapping["families"][_family(row)], str(row["quantity"])
    p = {**family.get("parameters", {}), **p}
    plan = laid_over({"pattern": mapping["pattern"], **family}, family.get("models", {}).get(row["model"], {}))
    asked, raw = plan["quantities"][quantity], _scenario(mapping["base"], plan, p)
    ((variable, points),) = rendered(plan.get("sweep", {"": []}), p).items()
    ((feature, estimator),) = asked.items() if isinstance(asked, Mapping) else [("", asked)]
    sweep = [{variable: point} for point in points] or [{}]
    return Case(
        row=str(row["id"]),
        quantity=quantity,
        pattern=plan["pattern"],
        scenarios=() if estimator in STATISTICS else tuple(Scenario.from_mapping(rendered(raw, p, **swept)) for swept in sweep),
        estimator=estimator,
        p=p,
        value=value,
        tolerance=_tolerance(str(row["tolerance"]), plan, quantity, value, p),
        one_sided=quantity in plan.get("at_most", ()),
        points=tuple(points),
        feature=feature,
        replications=plan.get("replications", REPLICATIONS),
    )


def _scenario(base: Plan, plan: Plan, p: Parameters) -> Plan:
    """The scenario before anything is computed: the base, what the plan lays over it, and the variant that a parameter asks for."""
    parts = [plan.get("scenario", {}), {"consumer": plan.get("consumer", {})}]
    parts += [part for key, part in plan.get("variants", {}).items() if key in p][:1]
    for part in parts:
        consumers = [laid_over(base["consumers"][0], part["consumer"])] if part.get("consumer") else base["consumers"]
        base = laid_over({**base, "consumers": consumers}, {key: item for key, item in part.items() if key != "consumer"})
    return base


def laid_over(below: Plan, above: Plan) -> dict[str, Any]:
    """*below* with *above*, mapping by mapping.

    >>> laid_over({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "d": {"e": 5}})
    {'a': {'b': 1, 'c': 4}, 'd': {'e': 5}}
    """
    both = {
        key: laid_over(below[key], item) for key, item in above.items() if isinstance(item, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **both}


def rendered(value: Any, p: Parameters, **also: Any) -> Any:
    """*value* with every "{{ expression }}" computed from the parameters *p*, and from what is given *also*.

    >>> rendered({"rate": "{{ 2 * p['lambda'] }}"}, {"lambda": 0.5})
    {'rate': 1.0}
    """
    if isinstance(value, Mapping):
        return {key: rendered(item, p, **also) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, p, **also) for item in value]
    return _computed(value).render(p=p, **also) if isinstance(value, str) and "{{" in value else value


@cache
def _computed(expression: str) -> Any:
    environment = NativeEnvironment(undefined=StrictUndefined)
    return environment.from_string(expression, globals={"exp": math.exp})


def _tolerance(text: str, plan: Plan, quantity: str, value: float, p: Parameters) -> float:
    """The mapping's tolerance for the quantity, or the row's (a percentage, or absolute), or 3 standard deviations of a share."""
    if quantity in plan.get("tolerances", {}):
        return float(rendered(plan["tolerances"][quantity], p)) * abs(value)
    if text.endswith("%"):
        return float(text[:-1]) / 100 * abs(value)
    if absolute := ABSOLUTE.search(text):
        return float(absolute[1])
    if quantity in plan.get("at_most", ()):
        return abs(value)
    return float(3 * np.sqrt(value * (1 - value) / plan["sample"]))
