"""Gaussian blur of 8-bit pictures, to the bit that of the paper's released code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ROWS_AT_ONCE = 16  # intermediate sums of so few rows stay in the processor's cache


def gaussian_blur(pixels: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.uint8]:
    """Blur every channel by itself, down the columns first and then along the rows.

    It is what `scipy.ndimage.gaussian_filter` gives with its output in 8 bits, channel by channel:
    the kernel ends at 4 σ, the picture is mirrored at its edges, and each of the two passes cuts
    its sums to whole numbers, downward. Not scipy itself: to import it would take 90 MB of a
    decoding process's bounded memory, and a third of a second of its start.

    Args:
        pixels: uint8 (height, width, channels).
        sigma: standard deviation, over 0, pixels.

    Returns:
        uint8 (height, width, channels).
    """
    kernel = _half_kernel(sigma)
    return _down_the_columns(_down_the_columns(pixels, kernel).swapaxes(0, 1), kernel).swapaxes(
        0, 1
    )


def reach_of(sigma: float) -> int:
    """How many pixels away the blur still looks."""
    return int(4 * sigma + 0.5)


def _half_kernel(sigma: float) -> npt.NDArray[np.float64]:
    """Weights of the middle and of what lies 1, 2, … pixels away from it."""
    radius = reach_of(sigma)
    distances = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * distances**2)
    half: npt.NDArray[np.float64] = (weights / weights.sum())[radius:]
    return half


def _down_the_columns(
    pixels: npt.NDArray[np.uint8], kernel: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    height, radius = len(pixels), len(kernel) - 1
    flat = pixels.reshape(height, -1)
    # 16 bits: two pixels at one distance from the middle are added before they are weighted.
    mirrored = np.pad(flat, ((radius, radius), (0, 0)), mode="symmetric").astype(np.uint16)
    blurred = np.empty_like(flat)
    for first in range(0, height, _ROWS_AT_ONCE):
        end = min(first + _ROWS_AT_ONCE, height)
        sums = mirrored[first + radius : end + radius] * kernel[0]
        for distance in range(radius, 0, -1):  # from outside in, as in scipy: it shows in the bits
            above = mirrored[first + radius - distance : end + radius - distance]
            below = mirrored[first + radius + distance : end + radius + distance]
            sums += (above + below) * kernel[distance]
        blurred[first:end] = sums.astype(np.uint8)
    return blurred.reshape(pixels.shape)
