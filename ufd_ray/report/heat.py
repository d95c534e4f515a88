"""Where an image looks generated, as colours over it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from ufd_ray.report.thumbnail import SIDE

_COLORS = "cividis"
"""Of matplotlib: blue for 0, yellow for 1, told apart by colour-blind people as well."""
_SHARE = 0.6
"""Of the colour; the rest is the image in grey."""


def draw_heat(
    pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Colour an image by place.

    Args:
        pixels: uint8 (size, size, 3), RGB.
        heat: float32 (rows, columns), 0 … 1, over all of the image.

    Returns:
        uint8 (128, 128, 3), RGB, as `make_thumbnail` takes it.
    """
    from matplotlib import colormaps  # takes a second to import

    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    patches = Image.fromarray(np.asarray(heat, np.float32))
    placed = np.asarray(patches.resize((SIDE, SIDE), Image.Resampling.NEAREST))
    colors = 255 * colormaps[_COLORS](placed)[..., :3]
    mixed = _SHARE * colors + (1 - _SHARE) * np.asarray(grey, np.float64)[..., None]
    drawn: npt.NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return drawn
