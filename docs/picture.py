"""The picture in the README: what an outage of the broker loses on the default scenario, by its length and by the way out of the source.

    python docs/picture.py

writes docs/loss.png, the same bytes for the same results.
"""

from pathlib import Path

from edasim import Scenario, figures
from edasim.studies.outages import loss_by_outage

ROOT = Path(__file__).resolve().parents[1]


def picture() -> figures.Picture:
    """The loss figure of `02-event-notification`."""
    return figures.loss_against_outage(loss_by_outage(Scenario.load(ROOT / "data" / "scenarios" / "usage-metering.yaml"), replications=5))


if __name__ == "__main__":
    picture().save(ROOT / "docs" / "loss.png")
