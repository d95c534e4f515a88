"""Pixels → mean spectra of what is left without the coarse (the paper's Fig. 3, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

MEDIAN_SIDE = 3
"""Pixels of the median's square. The paper does not say; the smallest there is."""


def high_pass(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """An image without its median blur, channel by channel; beyond its edges it goes on as there.

    Args:
        pixels: (height, width, 3), RGB.

    Returns:
        (height, width, 3), -255 … 255.
    """
    median = ImageFilter.MedianFilter(MEDIAN_SIDE)
    blurred: npt.NDArray[np.uint8] = np.asarray(Image.fromarray(pixels).filter(median))
    return np.subtract(pixels, blurred, dtype=np.int16)


@dataclass(frozen=True, eq=False)
class SpectrumSums:
    """What is to be known of some images for the mean spectra of all: sums, so that they add up.

    Attributes:
        num_images: how many they are.
        high_pass: sum of their high-pass images, each the sum of its channels: (size, size)
            float64, whole numbers.
        magnitudes: sum of the magnitudes of each one's Fourier transform: (size, size // 2 + 1)
            float64, the half that the other mirrors.
    """

    num_images: int
    high_pass: npt.NDArray[np.float64]
    magnitudes: npt.NDArray[np.float64]

    @classmethod
    def of(cls, pixels: npt.NDArray[np.uint8]) -> SpectrumSums:
        """Of images (n, size, size, 3), RGB."""
        size = pixels.shape[1]
        sums = cls(len(pixels), np.zeros((size, size)), np.zeros((size, size // 2 + 1)))
        for image in pixels:
            grey = high_pass(image).sum(axis=2, dtype=np.float64)
            np.add(sums.high_pass, grey, out=sums.high_pass)
            np.add(sums.magnitudes, np.abs(np.fft.rfft2(grey)), out=sums.magnitudes)
        return sums

    def __add__(self, other: SpectrumSums) -> SpectrumSums:
        """Of both together."""
        return SpectrumSums(
            self.num_images + other.num_images,
            self.high_pass + other.high_pass,
            self.magnitudes + other.magnitudes,
        )

    def of_mean(self) -> npt.NDArray[np.float64]:
        """Magnitude of the spectrum of the mean high-pass image, as in the paper.

        What images have in the same place is left, such as the grid of an upsampling; what each has
        where it likes averages out.

        Returns:
            (size, size), of a mean over channels, in steps of 8-bit grey times pixels; the zero
            frequency is at (size // 2, size // 2).
        """
        magnitudes = np.abs(np.fft.fft2(self.high_pass)) / (3 * self.num_images)
        return np.fft.fftshift(magnitudes)

    def mean_of(self) -> npt.NDArray[np.float64]:
        """Mean of the magnitudes of each image's own spectrum, as others have it.

        Returns:
            As `of_mean`.
        """
        size = len(self.magnitudes)
        whole = np.empty((size, size))
        half = self.magnitudes.shape[1]
        whole[:, :half] = self.magnitudes
        # Of real numbers, a frequency and its opposite have the same magnitude.
        rows, columns = np.arange(size), np.arange(half, size)
        whole[:, half:] = self.magnitudes[np.ix_(-rows % size, size - columns)]
        return np.fft.fftshift(whole) / (3 * self.num_images)
