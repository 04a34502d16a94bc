"""Thumbnails: the first figure of an executed notebook, small enough for the index."""

from base64 import b64decode, b64encode
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from edasim.templates import Picture

if TYPE_CHECKING:
    from nbformat import NotebookNode

PNG = "image/png"
WIDTH = 720  # pixels: twice what it is shown at, for screens that are dense


def thumbnail(notebook: "NotebookNode") -> Picture | None:
    """The first PNG figure of *notebook* with its alternative text; None where it has none."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    figure = next((output for output in outputs if PNG in output.get("data", ())), None)
    if figure is None:
        return None
    return Picture(_shrunk(b64decode(figure.data[PNG])), figure.metadata.get(PNG, {}).get("alt", ""))


def _shrunk(png: bytes) -> str:
    """A picture of at most WIDTH pixels, in colours of a palette, as base64."""
    with Image.open(BytesIO(png)) as picture:
        small = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")
        small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        kept = BytesIO()
        small.quantize(64, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True)
    return b64encode(kept.getvalue()).decode()
