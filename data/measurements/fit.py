"""Fit what a store costs, and show how far off the fit is at the sizes that it did not see.

    python data/measurements/fit.py                           # the table of docs/stores.md
    python data/measurements/fit.py TIMES.csv                 # your own times: columns what, n, median_s
    python data/measurements/fit.py BYTES.csv --layout log    # your own bytes: columns variant, payload_B, slope_B_per_event

A file holds at least four sizes of each thing measured, from the smallest to the largest. Every other size is held out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import yaml

from edasim.distributions import read_table
from edasim.errors import InputError
from edasim.store_fits import Fit, fit, fit_bytes, fit_times, measured_rows
from edasim.stores import PRESETS, Layout

HERE = Path(__file__).parent


def flow(values: object) -> str:
    """*values* as one line of YAML."""
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=1000).strip()


def shipped() -> list[str]:
    """The rows of the table in docs/stores.md."""
    rows = []
    for preset in PRESETS:
        found = fit(preset, HERE)
        fitted_to = f"`{preset.file}`: {preset.rows}"
        used = ", ".join(f"{size:,.0f}" for size in found.sizes[found.used])
        rows.append(f"| `{preset.key}` | `{preset.store}` | `{flow(preset.values)}` | {fitted_to} | {used} | {found.held_out} |")
    return rows


def own(file: Path, layout: Layout) -> list[str]:
    """A line for each thing measured in *file*."""
    table = read_table(str(file))
    times = "what" in table.columns
    lines = []
    for name in dict.fromkeys(table["what" if times else "variant"]):
        rows = measured_rows(file, name)
        found: Fit = fit_times(rows) if times else fit_bytes(rows, layout)
        values = found.values if times else {"layout": layout, **found.values}
        lines.append(f"{name}: {flow(values)}   # held out: {found.held_out}")
    return lines


def main() -> None:
    """Print what was fitted."""
    parser = argparse.ArgumentParser(description="Fit what an event store costs, and test the fit on the sizes held out.")
    parser.add_argument("file", nargs="?", type=Path, help="your measurements; without, the table of docs/stores.md")
    parser.add_argument("--layout", choices=get_args(Layout), default="log", help="how the store lays out bytes")
    given = parser.parse_args()
    try:
        print("\n".join(own(given.file, given.layout) if given.file else shipped()))
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
