"""Mean spectra: a grid peaks where it must, sums add up, the median is SciPy's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import median_filter

from ufd_ray.images.spectra import SpectrumSums, high_pass


def pictures(num: int, size: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    return random.integers(100, 156, (num, size, size, 3), np.uint8)


def test_high_pass_is_the_image_without_its_median_blur() -> None:
    (image,) = pictures(1, 20)
    blurred = median_filter(image.astype(np.int16), (3, 3, 1), mode="nearest")
    assert np.array_equal(high_pass(image), image.astype(np.int16) - blurred)
    assert not high_pass(np.full((9, 9, 3), 200, np.uint8)).any()


@pytest.mark.parametrize("size", [32, 33])
def test_both_spectra_are_those_of_their_names(size: int) -> None:
    images = pictures(5, size)
    sums = SpectrumSums.of(images)
    grey = np.stack([high_pass(image).mean(axis=2) for image in images])
    of_mean = np.abs(np.fft.fftshift(np.fft.fft2(grey.mean(axis=0))))
    mean_of = np.fft.fftshift(np.abs(np.fft.fft2(grey)).mean(axis=0))
    np.testing.assert_allclose(sums.of_mean(), of_mean, atol=1e-9)
    np.testing.assert_allclose(sums.mean_of(), mean_of, atol=1e-9)
    assert (sums.of_mean() <= sums.mean_of() + 1e-9).all(), "a mean's is no more than the mean"


def test_sums_of_parts_are_the_sum_of_all() -> None:
    images = pictures(7, 16)
    parts = SpectrumSums.of(images[:3]) + SpectrumSums.of(images[3:3]) + SpectrumSums.of(images[3:])
    whole = SpectrumSums.of(images)
    assert parts.num_images == whole.num_images == 7
    assert np.array_equal(parts.high_pass, whole.high_pass)
    np.testing.assert_allclose(parts.magnitudes, whole.magnitudes)


def test_a_grid_peaks_at_its_frequency() -> None:
    size, period = 64, 4
    images = pictures(40, size)
    images[:, :, ::period] += 60  # a bright column every four pixels, as upsampling may leave
    sums = SpectrumSums.of(images)
    for spectrum in (sums.of_mean(), sums.mean_of()):
        spectrum[size // 2, size // 2] = 0
        peak = np.unravel_index(spectrum.argmax(), spectrum.shape)
        middle, step = size // 2, size // period
        assert peak[0] == middle
        assert peak[1] in (middle - 2 * step, middle - step, middle + step)

    # What every image has elsewhere averages out of the spectrum of the mean alone.
    def contrast(spectrum: npt.NDArray[np.float64]) -> float:
        return float(spectrum.max() / np.median(spectrum))

    assert contrast(sums.of_mean()) > 3 * contrast(sums.mean_of())
