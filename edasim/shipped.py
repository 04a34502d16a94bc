"""What a checkout holds beside the package: the data sets and the notebooks, wherever a command or a notebook is run."""

from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]

DATA = _CHECKOUT / "data"
NOTEBOOKS = _CHECKOUT / "notebooks"
