"""The picture in the README: what readers of billing meet on the default scenario's bad day.

    python docs/picture.py

writes docs/bad-day.png, the same bytes for the same results.
"""

from pathlib import Path

from edasim import PRESETS, Scenario, figures, simulate

ROOT = Path(__file__).resolve().parents[1]


def picture() -> figures.Picture:
    """One run of every pattern."""
    scenario = Scenario.load(ROOT / "data" / "scenarios" / "usage-metering.yaml")
    return figures.bad_day({pattern: simulate(scenario, pattern) for pattern in PRESETS}, "billing")


if __name__ == "__main__":
    picture().save(ROOT / "docs" / "bad-day.png")
