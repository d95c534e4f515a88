from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from tests.unit.images.samples import noise
from ufd_ray.images.blurring import gaussian_blur


def as_released(pixels: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.uint8]:
    """Each channel, in place and in 8 bits."""
    pixels = pixels.copy()
    for channel in range(pixels.shape[2]):
        gaussian_filter(pixels[:, :, channel], output=pixels[:, :, channel], sigma=sigma)
    return pixels


def slope(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Every shade beside its neighbours, as in skies: where cutting to whole numbers shows."""
    shades = np.add.outer(np.arange(height), np.arange(width)) % 256
    return np.stack([shades, shades[::-1], np.full_like(shades, 255)], axis=-1).astype(np.uint8)


@given(st.floats(2**-32, 3), st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
@settings(max_examples=200)
def test_it_is_scipys_to_the_bit(sigma: float, height: int, width: int, seed: int) -> None:
    for pixels in (noise(width, height, seed=seed), slope(height, width)):
        assert np.array_equal(gaussian_blur(pixels, sigma), as_released(pixels, sigma))


@pytest.mark.parametrize("sigma", [0.124, 0.126, 1.5, 3.0])
def test_a_whole_image_and_a_part_that_is_not_laid_out_in_order(sigma: float) -> None:
    pixels = noise(341, 256)[:, 11:300]
    assert np.array_equal(gaussian_blur(pixels, sigma), as_released(pixels, sigma))
