"""All that is predicted, in one list."""

from pathlib import Path

from edasim.validation.reality.prediction import Prediction
from edasim.validation.reality.waiting import waiting


def predict_all(folder: Path) -> list[Prediction]:
    """Every prediction for the runs measured in *folder*."""
    return [*waiting(folder)]
